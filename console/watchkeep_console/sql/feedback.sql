-- name: explanation
SELECT made_at, explanation, chart FROM warning_explanations WHERE warning_id = %(warning)s

-- name: point
SELECT community_id, detector, life_safety, series_id FROM warnings WHERE warning_id = %(warning)s

-- name: said
-- What was said of this warning, and what else moves the bar of the same detector on the same point.
SELECT f.feedback_id, f.warning_id, f.said, f.reason, coalesce(p.name, '') AS said_by, f.said_at, f.factor,
       coalesce(r.name, f.revoked_by) AS revoked_by, f.revoked_at, f.revoked_why
FROM detection_feedback f JOIN warnings w ON w.warning_id = %(warning)s
LEFT JOIN people p ON p.person_id::text = f.said_by
LEFT JOIN people r ON r.person_id::text = f.revoked_by
WHERE f.warning_id = w.warning_id
   OR (f.revoked_at IS NULL AND f.community_id = w.community_id AND (f.series_id, f.detector) = (w.series_id, w.detector))
ORDER BY f.feedback_id DESC LIMIT 20

-- name: say
-- One word of people at a time: the next one needs the first revoked.
INSERT INTO detection_feedback (community_id, equipment_id, series_id, condition, detector, said, warning_id, reason, said_by)
SELECT community_id, equipment_id, series_id, condition, detector, %(said)s, warning_id, %(reason)s, my_person()::text
FROM warnings w WHERE warning_id = %(warning)s
  AND NOT EXISTS (SELECT FROM detection_feedback f WHERE f.warning_id = w.warning_id AND f.revoked_at IS NULL)
ON CONFLICT DO NOTHING
RETURNING feedback_id

-- name: revoke
-- Not the budget of analytics, which would set it again.
UPDATE detection_feedback SET revoked_by = my_person()::text, revoked_at = now(), revoked_why = %(why)s
WHERE feedback_id = %(feedback)s AND warning_id = %(warning)s AND revoked_at IS NULL AND said <> 'budget'
RETURNING community_id
