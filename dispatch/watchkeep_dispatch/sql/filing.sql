-- Judging warnings.

-- name: claim
-- The next warnings that wait, life safety first; other workers skip them.
SELECT u.warning_id, w.community_id, w.equipment_id, w.condition, w.proposed_class, w.life_safety, w.status,
       w.event_at, w.detected_at
FROM unjudged u JOIN warnings w USING (warning_id)
WHERE u.not_before <= %(now)s
ORDER BY u.life_safety DESC, u.not_before, u.warning_id
LIMIT %(at_most)s
FOR UPDATE OF u SKIP LOCKED

-- name: claim_one
SELECT u.warning_id, w.community_id, w.equipment_id, w.condition, w.proposed_class, w.life_safety,
       w.status, w.event_at, w.detected_at
FROM unjudged u JOIN warnings w USING (warning_id) WHERE u.warning_id = %(id)s FOR UPDATE OF u

-- name: postpone
UPDATE unjudged SET not_before = %(until)s WHERE warning_id = %(warning_id)s

-- name: done
DELETE FROM unjudged WHERE warning_id = %s

-- name: record
-- The same rule says the same of a warning once.
INSERT INTO verdicts (warning_id, verdict, rule, reason, at)
SELECT %(warning)s, %(verdict)s, %(rule)s, %(reason)s, %(now)s
WHERE NOT EXISTS (SELECT FROM verdicts WHERE warning_id = %(warning)s AND verdict = %(verdict)s AND rule = %(rule)s)

-- name: circumstances
-- Planned work or silence that covers the warning and ends last; how often it came lately; its open case; a storm.
SELECT q.until AS quiet_until, q.rule AS quiet_rule, q.reason AS quiet_reason,
       (SELECT count(*) FROM warnings w WHERE w.community_id = %(community)s AND w.equipment_id = %(equipment)s
            AND w.condition = %(condition)s AND w.detected_at > %(since)s AND w.warning_id < %(warning)s)::integer AS openings,
       EXISTS (SELECT FROM cases c WHERE c.community_id = %(community)s AND c.equipment_id = %(equipment)s
            AND c.condition = %(condition)s AND c.closed_at IS NULL) AS has_case,
       (SELECT s.equipment FROM storms s WHERE s.community_id = %(community)s AND s.ended_at IS NULL) AS storm_equipment
FROM (SELECT) one LEFT JOIN (
    SELECT upper(during) AS until, 'maintenance_window' AS rule, reason FROM maintenance_windows
    WHERE community_id = %(community)s AND (equipment_id IS NULL OR equipment_id = %(equipment)s)
      AND during @> %(at)s::timestamptz
    UNION ALL
    SELECT upper(during), 'silence', reason FROM silences
    WHERE community_id = %(community)s AND (equipment_id IS NULL OR equipment_id = %(equipment)s)
      AND (condition IS NULL OR condition = %(condition)s) AND during @> %(at)s::timestamptz
    ORDER BY 1 DESC LIMIT 1) q ON true

-- name: merge_recurrences
WITH turn AS (
    SELECT u.warning_id, c.case_id, c.state
    FROM unjudged u JOIN warnings w USING (warning_id)
    JOIN cases c USING (community_id, equipment_id, condition)
    WHERE u.not_before <= %(now)s AND NOT u.life_safety AND NOT w.replay AND c.closed_at IS NULL AND w.proposed_class >= c.class
    ORDER BY u.warning_id LIMIT %(at_most)s
    FOR UPDATE OF u, c SKIP LOCKED
), judged AS (
    DELETE FROM unjudged u USING turn t WHERE u.warning_id = t.warning_id
), verdict AS (
    INSERT INTO verdicts (warning_id, verdict, rule, reason, at)
    SELECT warning_id, 'merged', 'open_case', 'case ' || case_id, %(now)s FROM turn
), attached AS (
    INSERT INTO case_warnings (warning_id, case_id, role) SELECT warning_id, case_id, 'recurrence' FROM turn
), noted AS (
    INSERT INTO transitions (case_id, action, from_state, to_state, at, note)
    SELECT case_id, 'recur', state, state, %(now)s,
           CASE WHEN count(*) = 1 THEN 'warning ' || min(warning_id)
                ELSE count(*) || ' warnings, ' || min(warning_id) || ' to ' || max(warning_id) END
    FROM turn GROUP BY case_id, state
)
SELECT count(*) FROM turn

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

-- name: early_symptoms
-- Young open cases of what depends on this equipment (or of itself), not accepted by anybody, that its trouble explains.
SELECT c.case_id FROM cases c
WHERE c.community_id = %(community)s AND c.condition = ANY (%(conditions)s) AND c.state IN ('filed', 'dispatched')
  AND c.closed_at IS NULL AND NOT c.life_safety AND c.filed_at >= %(since)s
  AND CASE %(relation)s
      WHEN 'same' THEN c.equipment_id = %(parent)s
      WHEN 'gateway_of' THEN c.equipment_id <> %(parent)s AND (
          EXISTS (SELECT FROM equipment_links l WHERE l.community_id = c.community_id AND l.relation = 'gateway_of'
                      AND l.from_id = %(parent)s AND l.to_id = c.equipment_id)
          OR EXISTS (SELECT FROM points p JOIN gateways g USING (community_id, gateway_id)
                     WHERE p.community_id = c.community_id AND p.equipment_id = c.equipment_id
                       AND g.equipment_id = %(parent)s))
      ELSE EXISTS (SELECT FROM equipment_links l WHERE l.community_id = c.community_id AND l.relation = %(relation)s
                       AND l.from_id = c.equipment_id AND l.to_id = %(parent)s) END
ORDER BY c.case_id
FOR UPDATE

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
