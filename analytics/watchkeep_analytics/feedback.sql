-- name: bars
-- What raises the bar of a detector on a series now; people's words count for half a year.
SELECT series_id, detector, least(%(most)s, greatest(1, exp(sum(ln(factor)))))
FROM detection_feedback
WHERE revoked_at IS NULL AND factor IS NOT NULL AND series_id IS NOT NULL AND community_id = ANY (%(communities)s)
  AND (said = 'budget' OR said_at > now() - interval '180 days')
GROUP BY series_id, detector HAVING sum(ln(factor)) > 0.001  -- a fall that takes a rise back leaves a rounding error

-- name: normals
SELECT series_id, max(said_at) FROM detection_feedback
WHERE said = 'normal' AND revoked_at IS NULL AND series_id IS NOT NULL AND community_id = ANY (%(communities)s)
GROUP BY series_id

-- name: warning
SELECT community_id, equipment_id, series_id, condition, detector, life_safety FROM warnings WHERE warning_id = %(warning)s

-- name: say
INSERT INTO detection_feedback (community_id, equipment_id, series_id, condition, detector, said, warning_id, factor, reason,
                                said_by)
SELECT community_id, equipment_id, series_id, condition, detector, %(said)s, warning_id, %(factor)s, %(reason)s, %(by)s
FROM warnings WHERE warning_id = %(warning)s
ON CONFLICT (warning_id, said) WHERE revoked_at IS NULL DO NOTHING
RETURNING feedback_id

-- name: revoke
UPDATE detection_feedback SET revoked_by = %(by)s, revoked_at = now(), revoked_why = %(why)s
WHERE feedback_id = %(feedback)s AND revoked_at IS NULL
RETURNING community_id

-- name: listing
SELECT feedback_id, community_id, equipment_id, series_id, condition, detector, said, warning_id, factor, reason, said_by,
       said_at, revoked_by, revoked_at, revoked_why
FROM detection_feedback
WHERE (%(community)s::text IS NULL OR community_id = %(community)s) AND (%(revoked)s OR revoked_at IS NULL)
ORDER BY feedback_id DESC LIMIT %(at_most)s

-- name: take_verdicts
-- What dispatch's people dismissed as false; once for each warning, revoked or not. The look-back bounds the work.
INSERT INTO detection_feedback (community_id, equipment_id, series_id, condition, detector, said, warning_id, factor, reason,
                                said_by, said_at)
SELECT DISTINCT ON (w.warning_id) w.community_id, w.equipment_id, w.series_id, w.condition, w.detector, 'false_alarm',
       w.warning_id, %(factor)s, v.reason, coalesce(v.person_id::text, 'unknown'), v.at
FROM verdicts v JOIN warnings w USING (warning_id)
WHERE v.verdict = 'dismissed' AND v.rule = 'person' AND v.reason <> '' AND v.at > now() - interval '30 days'
  AND w.detector = ANY (%(detectors)s) AND w.series_id IS NOT NULL AND NOT w.life_safety AND NOT w.replay
  AND NOT EXISTS (SELECT FROM detection_feedback f WHERE f.warning_id = w.warning_id AND f.said = 'false_alarm')
ORDER BY w.warning_id, v.at
ON CONFLICT DO NOTHING
RETURNING feedback_id, community_id, series_id, detector

-- name: take_closed
-- A case that was closed by people confirms its warnings: it takes one rise back, where there is one.
INSERT INTO detection_feedback (community_id, equipment_id, series_id, condition, detector, said, warning_id, factor, reason,
                                said_by, said_at)
SELECT w.community_id, w.equipment_id, w.series_id, w.condition, w.detector, 'real', w.warning_id, %(factor)s,
       'case ' || c.case_id || ' was closed', coalesce(t.person_id::text, 'dispatch'), t.at
FROM transitions t JOIN cases c USING (case_id) JOIN case_warnings x USING (case_id) JOIN warnings w USING (warning_id)
WHERE t.action = 'close' AND t.at > now() - interval '30 days' AND c.closed_at IS NOT NULL
  AND w.detector = ANY (%(detectors)s) AND w.series_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM detection_feedback f WHERE f.warning_id = w.warning_id AND f.said IN ('real', 'false_alarm'))
  AND EXISTS (SELECT FROM detection_feedback f WHERE f.series_id = w.series_id AND f.detector = w.detector
              AND f.said = 'false_alarm' AND f.revoked_at IS NULL)
ON CONFLICT DO NOTHING
RETURNING feedback_id, community_id, series_id, detector

-- name: take_requests
-- What the console wrote down; hard rules stay as they are, whatever is said of them.
UPDATE detection_feedback SET factor = CASE WHEN detector <> ALL (%(detectors)s) THEN 1
    WHEN said = 'false_alarm' THEN %(false_alarm)s WHEN said = 'real' THEN %(real)s ELSE 1 END
WHERE factor IS NULL
RETURNING feedback_id, community_id, series_id, detector

-- name: over_budget
SELECT community_id, equipment_id, series_id, min(condition), detector, count(*) FROM warnings
WHERE detector = ANY (%(detectors)s) AND series_id IS NOT NULL AND NOT replay AND detected_at > now() - interval '30 days'
GROUP BY community_id, equipment_id, series_id, detector HAVING count(*) > %(budget)s

-- name: budgets
SELECT feedback_id, community_id, series_id, detector, factor FROM detection_feedback
WHERE said = 'budget' AND revoked_at IS NULL

-- name: put_budget
INSERT INTO detection_feedback (community_id, equipment_id, series_id, condition, detector, said, factor, reason, said_by)
VALUES (%(community)s, %(equipment)s, %(series)s, %(condition)s, %(detector)s, 'budget', %(factor)s, %(reason)s, 'analytics')
