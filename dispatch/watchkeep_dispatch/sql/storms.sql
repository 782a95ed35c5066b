-- Storms of warnings, by community.

-- name: begin
-- Communities where enough pieces of equipment have warned since then, and who is told of it.
WITH busy AS (
    SELECT w.community_id, count(*) AS equipment
    FROM (SELECT DISTINCT community_id, equipment_id FROM warnings
          WHERE detected_at > %(since)s AND NOT life_safety AND NOT replay) w
    GROUP BY w.community_id HAVING count(*) >= %(begin)s
), begun AS (
    INSERT INTO storms (community_id, began_at, equipment) SELECT community_id, %(now)s, equipment FROM busy
    ON CONFLICT (community_id) WHERE ended_at IS NULL DO NOTHING
    RETURNING storm_id, community_id, equipment
)
SELECT b.storm_id, c.name, b.equipment,
       array_remove(ARRAY[c.property_org_id, (
           SELECT o.org_id FROM organisations o JOIN areas a USING (area_id)
           WHERE o.kind = 'subdistrict' AND a.area_id = ANY ((SELECT path FROM areas WHERE area_id = c.area_id)::text[])
           ORDER BY cardinality(a.path) DESC LIMIT 1)], NULL)
FROM begun b JOIN communities c USING (community_id)

-- name: end
UPDATE storms s SET ended_at = %(now)s
WHERE s.ended_at IS NULL AND (
    SELECT count(*) FROM (
        SELECT DISTINCT equipment_id FROM warnings w
        WHERE w.community_id = s.community_id AND w.detected_at > %(since)s AND NOT w.life_safety) d) < %(end)s
