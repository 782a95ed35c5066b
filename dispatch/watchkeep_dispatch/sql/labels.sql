-- QR labels.

-- name: labels
SELECT c.report_token::text AS token, c.name AS community, c.name AS name, '' AS place, '' AS number, coalesce(o.duty_phone, '') AS phone
FROM communities c LEFT JOIN organisations o ON o.org_id = c.property_org_id
WHERE c.community_id = %(community)s AND %(equipment)s::text[] IS NULL
UNION ALL
SELECT * FROM (
    SELECT e.report_token::text, c.name, e.name,
           concat_ws(' ', b.name, CASE WHEN e.level < 0 THEN 'B' || -e.level WHEN e.level > 0 THEN e.level || 'F' END),
           e.equipment_id, coalesce(o.duty_phone, '')
    FROM equipment e JOIN communities c USING (community_id) LEFT JOIN buildings b USING (community_id, building_id)
    LEFT JOIN organisations o ON o.org_id = c.property_org_id
    WHERE e.community_id = %(community)s AND e.status IN ('in_service', 'out_of_service')
      AND (%(equipment)s::text[] IS NULL OR e.equipment_id = ANY (%(equipment)s))
    ORDER BY e.building_id NULLS FIRST, e.equipment_id) machines
