-- Judging warnings.

-- name: claim
-- The next warnings that wait, life safety first; other workers skip them.
SELECT u.warning_id, u.not_before = '-infinity' AS first_look, w.community_id, w.equipment_id, w.condition, w.proposed_class, w.life_safety, w.status,
       w.event_at, w.detected_at
FROM unjudged u JOIN warnings w USING (warning_id)
WHERE u.not_before <= %(now)s
ORDER BY u.life_safety DESC, u.not_before, u.warning_id
LIMIT %(at_most)s
FOR UPDATE OF u SKIP LOCKED

-- name: claim_one
SELECT u.warning_id, false AS first_look, w.community_id, w.equipment_id, w.condition, w.proposed_class, w.life_safety,
       w.status, w.event_at, w.detected_at
FROM unjudged u JOIN warnings w USING (warning_id) WHERE u.warning_id = %(id)s FOR UPDATE OF u

-- name: postpone
UPDATE unjudged SET not_before = %(until)s WHERE warning_id = %(warning_id)s

-- name: done
DELETE FROM unjudged WHERE warning_id = %s

-- name: window
-- The planned work that covers a warning and ends last.
SELECT upper(during), reason FROM maintenance_windows
WHERE community_id = %(community)s AND (equipment_id IS NULL OR equipment_id = %(equipment)s) AND during @> %(at)s::timestamptz
ORDER BY upper(during) DESC LIMIT 1

-- name: parents
-- Equipment whose trouble explains ours: what powers or serves it, and the gateways that report for it.
SELECT relation, to_id AS parent FROM equipment_links
WHERE community_id = %(community)s AND from_id = %(equipment)s AND relation IN ('powered_by', 'served_by')
UNION
SELECT 'gateway_of', from_id FROM equipment_links
WHERE community_id = %(community)s AND to_id = %(equipment)s AND relation = 'gateway_of'
UNION
SELECT 'gateway_of', g.equipment_id FROM points p JOIN gateways g USING (community_id, gateway_id)
WHERE p.community_id = %(community)s AND p.equipment_id = %(equipment)s AND g.equipment_id IS NOT NULL
  AND g.equipment_id <> %(equipment)s

-- name: open_cause
-- The open case of a parent whose own warning still holds.
SELECT c.case_id FROM cases c JOIN case_warnings x USING (case_id) JOIN warnings w USING (warning_id)
WHERE c.community_id = %(community)s AND c.equipment_id = %(parent)s AND c.condition = ANY (%(conditions)s)
  AND c.closed_at IS NULL AND x.role <> 'symptom' AND w.status = 'open'
ORDER BY c.case_id LIMIT 1

-- name: attach
INSERT INTO case_warnings (warning_id, case_id, role) VALUES (%s, %s, %s)

-- name: risen
-- Open cases whose warning has meanwhile been proposed a higher class than it was filed with.
SELECT c.case_id, min(w.proposed_class) FROM cases c JOIN case_warnings x USING (case_id) JOIN warnings w USING (warning_id)
WHERE c.closed_at IS NULL AND w.status = 'open' AND w.proposed_class < c.class AND x.role <> 'symptom'
  AND w.proposed_class < (c.snapshot ->> 'proposed_class')
GROUP BY c.case_id ORDER BY c.case_id LIMIT 100

-- name: oldest_unfiled
SELECT extract(epoch FROM %(now)s::timestamptz - min(greatest(w.detected_at, u.not_before)))
FROM unjudged u JOIN warnings w USING (warning_id) WHERE u.not_before <= %(now)s
