-- name: sites
-- The register as of the events' days, in the communities' own time zones. Specific contracts stand before general ones.
WITH asked AS (
    SELECT a.*, (a.at AT TIME ZONE c.timezone)::date AS day
    FROM jsonb_to_recordset(%(asked)s) AS a (n integer, community_id text, equipment_id text, at timestamptz)
    JOIN communities c USING (community_id)
), place AS MATERIALIZED (
    SELECT d.community_id, d.day, c.name AS community, c.mode = 'replay' AS replay, a.path AS areas, a.urban, c.property_org_id,
           CASE WHEN c.mode = 'replay' THEN coalesce(m.ts, %(now)s::timestamptz) ELSE %(now)s::timestamptz END AS now,
           (SELECT coalesce(jsonb_agg(jsonb_build_object('contract_id', k.contract_id, 'kind', k.kind, 'org_id', k.provider_org_id,
                                                         'equipment_kinds', k.equipment_kinds)
                                      ORDER BY k.equipment_kinds IS NULL, k.contract_id), '[]')
            FROM contracts k WHERE k.community_id = d.community_id AND k.valid @> d.day) AS contracts,
           (SELECT coalesce(jsonb_object_agg(h.domain, h.to_org_id), '{}')
            FROM handovers h WHERE h.community_id = d.community_id AND h.handed_over_on <= d.day) AS handovers,
           (SELECT coalesce(jsonb_object_agg(n.kind, n.org_id), '{}') FROM (
                SELECT DISTINCT ON (o.kind) o.kind, o.org_id
                FROM organisations o
                WHERE o.area_id IS NULL OR o.area_id = ANY (a.path)
                ORDER BY o.kind, array_position(a.path, o.area_id) DESC NULLS LAST, o.org_id) n) AS by_area
    FROM (SELECT DISTINCT community_id, day FROM asked) d
    JOIN communities c USING (community_id) JOIN areas a USING (area_id) LEFT JOIN replay_watermarks m USING (community_id)
)
SELECT d.n, p.community_id, p.community, p.replay, p.now, p.areas, p.urban, p.property_org_id,
       e.name AS equipment, coalesce(nullif(e.name_en, ''), e.name, '') AS equipment_en,
       coalesce(e.kind, 'unknown') AS kind, coalesce(e.ownership, 'unknown') AS ownership,
       w.developer_org_id, coalesce(w.valid_until >= p.day, false) AS in_warranty, p.contracts, p.handovers, p.by_area
FROM asked d JOIN place p USING (community_id, day)
LEFT JOIN equipment e ON e.community_id = d.community_id AND e.equipment_id = d.equipment_id
LEFT JOIN warranties w ON w.community_id = d.community_id AND w.equipment_id = d.equipment_id
