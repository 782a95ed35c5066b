-- Judging warnings.

-- name: claim
-- The next warnings that wait, life safety first (with `least` true: alone); other workers skip them.
SELECT u.warning_id, w.community_id, w.equipment_id, w.condition, w.proposed_class, w.life_safety, w.status,
       w.event_at, w.detected_at
FROM unjudged u JOIN warnings w USING (warning_id)
WHERE u.life_safety >= %(least)s AND u.not_before <= %(now)s
ORDER BY u.life_safety DESC, u.not_before, u.warning_id
LIMIT %(at_most)s
FOR UPDATE OF u SKIP LOCKED

-- name: claim_one
SELECT u.warning_id, w.community_id, w.equipment_id, w.condition, w.proposed_class, w.life_safety,
       w.status, w.event_at, w.detected_at
FROM unjudged u JOIN warnings w USING (warning_id) WHERE u.warning_id = %(id)s FOR UPDATE OF u

-- name: postpone
UPDATE unjudged u SET not_before = r.until FROM jsonb_to_recordset(%s) AS r (warning_id bigint, until timestamptz)
WHERE u.warning_id = r.warning_id

-- name: done
DELETE FROM unjudged WHERE warning_id = ANY (%s)

-- name: record
-- The same rule says the same of a warning once.
INSERT INTO verdicts (warning_id, verdict, rule, reason, at)
SELECT r.warning_id, r.verdict, r.rule, r.reason, %(now)s
FROM jsonb_to_recordset(%(rows)s) AS r (warning_id bigint, verdict text, rule text, reason text)
WHERE NOT EXISTS (SELECT FROM verdicts v WHERE v.warning_id = r.warning_id AND v.verdict = r.verdict AND v.rule = r.rule)

-- name: circumstances
-- Planned work or silence that covers a warning and ends last; how often it came lately; its open case; a storm.
SELECT a.warning_id, q.until AS quiet_until, q.rule AS quiet_rule, q.reason AS quiet_reason,
       (SELECT count(*) FROM (
            SELECT FROM warnings w WHERE w.community_id = a.community_id AND w.equipment_id = a.equipment_id
                AND w.condition = a.condition AND w.detected_at > a.since AND w.detected_at <= a.detected_at
                AND w.warning_id < a.warning_id
            ORDER BY w.detected_at DESC LIMIT %(openings)s) o)::integer AS openings,
       EXISTS (SELECT FROM cases c WHERE c.community_id = a.community_id AND c.equipment_id = a.equipment_id
            AND c.condition = a.condition AND c.closed_at IS NULL) AS has_case,
       (SELECT s.equipment FROM storms s WHERE s.community_id = a.community_id AND s.ended_at IS NULL) AS storm_equipment
FROM jsonb_to_recordset(%(rows)s) AS a (warning_id bigint, community_id text, equipment_id text, condition text, at timestamptz,
                                        since timestamptz, detected_at timestamptz)
LEFT JOIN LATERAL (
    SELECT upper(during) AS until, 'maintenance_window' AS rule, reason FROM maintenance_windows m
    WHERE m.community_id = a.community_id AND (m.equipment_id IS NULL OR m.equipment_id = a.equipment_id)
      AND during @> a.at
    UNION ALL
    SELECT upper(during), 'silence', reason FROM silences s
    WHERE s.community_id = a.community_id AND (s.equipment_id IS NULL OR s.equipment_id = a.equipment_id)
      AND (s.condition IS NULL OR s.condition = a.condition) AND during @> a.at
    ORDER BY 1 DESC LIMIT 1) q ON true

-- name: merge_recurrences
WITH turn AS (
    SELECT u.warning_id, c.case_id, c.state
    FROM unjudged u JOIN warnings w USING (warning_id)
    JOIN cases c USING (community_id, equipment_id, condition)
    WHERE u.not_before <= %(now)s AND NOT u.life_safety AND NOT w.replay AND c.closed_at IS NULL AND w.proposed_class >= c.class
    ORDER BY u.warning_id LIMIT %(at_most)s
    FOR UPDATE OF u SKIP LOCKED FOR NO KEY UPDATE OF c SKIP LOCKED
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
-- Equipment whose trouble explains that of another: what powers or serves it, and the gateways that report for it.
SELECT a.warning_id, p.relation, p.parent
FROM jsonb_to_recordset(%s) AS a (warning_id bigint, community_id text, equipment_id text), LATERAL (
    SELECT relation, to_id AS parent FROM equipment_links l
    WHERE l.community_id = a.community_id AND l.from_id = a.equipment_id AND relation IN ('powered_by', 'served_by')
    UNION
    SELECT 'gateway_of', from_id FROM equipment_links l
    WHERE l.community_id = a.community_id AND l.to_id = a.equipment_id AND relation = 'gateway_of'
    UNION
    SELECT 'gateway_of', g.equipment_id FROM points p JOIN gateways g USING (community_id, gateway_id)
    WHERE p.community_id = a.community_id AND p.equipment_id = a.equipment_id AND g.equipment_id IS NOT NULL
      AND g.equipment_id <> a.equipment_id) p

-- name: open_causes
-- The open case of a parent whose own warning still holds, for each question that has one.
SELECT a.n, k.case_id
FROM jsonb_to_recordset(%s) AS a (n integer, community_id text, parent text, conditions text[]), LATERAL (
    SELECT c.case_id FROM cases c JOIN case_warnings x USING (case_id) JOIN warnings w USING (warning_id)
    WHERE c.community_id = a.community_id AND c.equipment_id = a.parent AND c.condition = ANY (a.conditions)
      AND c.closed_at IS NULL AND x.role <> 'symptom' AND w.status = 'open'
    ORDER BY c.case_id LIMIT 1) k

-- name: early_symptoms
-- Young open cases of what depends on this equipment (or of itself), not accepted by anybody, that its trouble explains.
SELECT a.n, c.case_id
FROM jsonb_to_recordset(%s) AS a (n integer, community_id text, parent text, relation text, conditions text[], since timestamptz)
JOIN cases c USING (community_id)
WHERE c.condition = ANY (a.conditions) AND c.state IN ('filed', 'dispatched')
  AND c.closed_at IS NULL AND NOT c.life_safety AND c.filed_at >= a.since
  AND CASE a.relation
      WHEN 'same' THEN c.equipment_id = a.parent
      WHEN 'gateway_of' THEN c.equipment_id <> a.parent AND (
          EXISTS (SELECT FROM equipment_links l WHERE l.community_id = c.community_id AND l.relation = 'gateway_of'
                      AND l.from_id = a.parent AND l.to_id = c.equipment_id)
          OR EXISTS (SELECT FROM points p JOIN gateways g USING (community_id, gateway_id)
                     WHERE p.community_id = c.community_id AND p.equipment_id = c.equipment_id
                       AND g.equipment_id = a.parent))
      ELSE EXISTS (SELECT FROM equipment_links l WHERE l.community_id = c.community_id AND l.relation = a.relation
                       AND l.from_id = c.equipment_id AND l.to_id = a.parent) END
ORDER BY a.n, c.case_id
FOR NO KEY UPDATE OF c

-- name: attach
INSERT INTO case_warnings (warning_id, case_id, role)
SELECT warning_id, case_id, %(role)s FROM jsonb_to_recordset(%(rows)s) AS r (warning_id bigint, case_id bigint)

-- name: risen
-- Open cases one of whose warnings, a symptom's too, is proposed a higher class than the case was filed with.
SELECT c.case_id, min(w.proposed_class) FROM cases c JOIN case_warnings x USING (case_id) JOIN warnings w USING (warning_id)
WHERE c.closed_at IS NULL AND w.status = 'open' AND w.proposed_class < c.class
  AND w.proposed_class < (c.snapshot ->> 'proposed_class')
GROUP BY c.case_id ORDER BY c.case_id LIMIT 100

-- name: oldest_unfiled
SELECT extract(epoch FROM %(now)s::timestamptz - min(greatest(w.detected_at, u.not_before)))
FROM unjudged u JOIN warnings w USING (warning_id) WHERE u.not_before <= %(now)s
