-- Silences, planned work, and what was held back.

-- name: place
SELECT FROM communities c WHERE c.community_id = %(community)s AND (%(equipment)s::text IS NULL OR EXISTS (
    SELECT FROM equipment e WHERE e.community_id = c.community_id AND e.equipment_id = %(equipment)s))

-- name: begin_silence
INSERT INTO silences (community_id, equipment_id, condition, during, reason, created_by)
VALUES (%(community)s, %(equipment)s, %(condition)s, tstzrange(%(since)s, %(until)s), %(reason)s, %(person)s)
RETURNING silence_id

-- name: begin_window
INSERT INTO maintenance_windows (community_id, equipment_id, during, reason, created_by)
VALUES (%(community)s, %(equipment)s, tstzrange(%(since)s, %(until)s), %(reason)s, %(person)s)
RETURNING window_id

-- name: end_silence
UPDATE silences SET during = tstzrange(least(lower(during), %(now)s), greatest(%(now)s, lower(during) + interval '1 us'))
WHERE silence_id = %(id)s AND upper(during) > %(now)s RETURNING community_id

-- name: end_window
UPDATE maintenance_windows
SET during = tstzrange(least(lower(during), %(now)s), greatest(%(now)s, lower(during) + interval '1 us'))
WHERE window_id = %(id)s AND upper(during) > %(now)s RETURNING community_id

-- name: look_again
UPDATE unjudged u SET not_before = '-infinity'
FROM warnings w WHERE w.warning_id = u.warning_id AND w.community_id = %(community)s

-- name: in_force
SELECT 'silence' AS kind, silence_id AS id, community_id AS community, equipment_id AS equipment, condition,
       lower(during) AS since, upper(during) AS until, reason, created_by::text
FROM silences WHERE upper(during) > %(now)s AND (%(community)s::text IS NULL OR community_id = %(community)s)
UNION ALL
SELECT 'window', window_id, community_id, equipment_id, NULL, lower(during), upper(during), reason, created_by::text
FROM maintenance_windows WHERE upper(during) > %(now)s AND (%(community)s::text IS NULL OR community_id = %(community)s)
ORDER BY until, kind, id

-- name: held_back
SELECT v.at, w.community_id AS community, w.equipment_id AS equipment, w.condition, w.warning_id AS warning, w.status,
       v.verdict, v.rule, v.reason, x.case_id AS case
FROM verdicts v JOIN warnings w USING (warning_id) LEFT JOIN case_warnings x USING (warning_id)
WHERE v.verdict IN ('suppressed', 'merged') AND v.at >= %(since)s
  AND (%(community)s::text IS NULL OR w.community_id = %(community)s)
ORDER BY v.at DESC, v.verdict_id DESC LIMIT %(at_most)s
