-- name: put
INSERT INTO detection_rules (rule_id, community_id, equipment_id, section, definition)
VALUES (%(id)s, %(community)s, %(equipment)s, %(section)s, %(after)s)
ON CONFLICT (rule_id, community_id, equipment_id) DO UPDATE SET
    (section, definition, changed_at) = (excluded.section, excluded.definition, now())

-- name: drop
DELETE FROM detection_rules
WHERE rule_id = %(id)s AND community_id = %(community)s AND equipment_id = %(equipment)s

-- name: note
INSERT INTO detection_rule_changes (rule_id, community_id, equipment_id, before, after, changed_by, reason)
VALUES (%(id)s, %(community)s, %(equipment)s, %(before)s, %(after)s, %(by)s, %(why)s)

-- name: history
SELECT changed_at, rule_id, community_id, equipment_id, before, after, changed_by, reason
FROM detection_rule_changes ORDER BY change_id DESC LIMIT %(at_most)s

-- name: readings
-- All of some communities in order of time.
SELECT r.series_id, (extract(epoch FROM r.ts) * 1000000)::int8, r.value, r.quality
FROM readings r JOIN points p USING (series_id)
WHERE p.community_id = ANY (%(communities)s) AND r.ts >= %(since)s AND r.ts < %(until)s
ORDER BY r.ts
