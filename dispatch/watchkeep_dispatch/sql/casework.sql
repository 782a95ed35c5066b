-- Cases being written, whatever they come from.

-- name: known_case
-- The open case of this equipment and event, else one that was closed as solved not long ago; the same condition first.
SELECT case_id FROM cases
WHERE community_id = %(community)s AND equipment_id = %(equipment)s AND condition = ANY (%(conditions)s)
  AND (closed_at IS NULL OR (state = 'closed' AND closed_at > %(since)s))
ORDER BY closed_at IS NOT NULL, condition <> %(condition)s, closed_at DESC LIMIT 1
FOR UPDATE

-- name: lock_event
SELECT pg_advisory_xact_lock(hashtextextended('watchkeep.event/' || %s, 0))

-- name: file_case
INSERT INTO cases (community_id, equipment_id, condition, source, class, life_safety, state, title_zh, title_en, duty_id,
                   first_responder_id, responsible_org_id, supervising_org_id, snapshot, event_at, filed_at, replay)
VALUES (%(community)s, %(equipment)s, %(condition)s, %(source)s, %(class)s, %(life_safety)s, 'filed', %(title_zh)s, %(title_en)s,
        %(duty_id)s, %(first)s, %(responsible)s, %(supervising)s, %(snapshot)s, %(event_at)s, %(now)s, %(replay)s)
ON CONFLICT (community_id, equipment_id, condition) WHERE closed_at IS NULL AND equipment_id IS NOT NULL DO NOTHING
RETURNING case_id

-- name: raise_class
-- A class may rise, never fall; returns nothing when it stays.
UPDATE cases SET class = %(class)s, version = version + 1 WHERE case_id = %(case_id)s AND class > %(class)s RETURNING case_id
