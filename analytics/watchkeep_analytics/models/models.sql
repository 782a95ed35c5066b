-- name: items
-- Equipment with at least two points, and whether its own model warns now: then its present is nothing to learn from.
SELECT p.community_id, p.equipment_id, array_agg(p.series_id ORDER BY p.series_id), array_agg(p.metric ORDER BY p.series_id),
       EXISTS (SELECT FROM warnings w WHERE w.community_id = p.community_id AND w.equipment_id = p.equipment_id
               AND w.status = 'open' AND w.detector = 'equipment' AND NOT EXISTS (
                   SELECT FROM detection_feedback f WHERE f.warning_id = w.warning_id
                   AND f.said IN ('normal', 'false_alarm') AND f.revoked_at IS NULL))
FROM points p JOIN equipment e USING (community_id, equipment_id)
WHERE e.status = 'in_service' AND p.community_id = ANY (%(communities)s)
  AND (%(equipment)s::text IS NULL OR p.equipment_id = %(equipment)s)
GROUP BY p.community_id, p.equipment_id HAVING count(*) > 1
ORDER BY p.community_id, p.equipment_id

-- name: frame
-- Means per step, all of a series in one value: as rows they would take longer to read than the model to fit. Bad
-- readings left out.
SELECT series_id, string_agg(int8send(bucket) || float8send(mean), ''::bytea)
FROM (
    SELECT series_id, floor(extract(epoch FROM ts) / %(step_s)s::float8)::int8 AS bucket, avg(value) AS mean
    FROM readings
    WHERE series_id = ANY (%(series)s) AND ts >= %(since)s AND ts < %(until)s AND quality < 2
    GROUP BY 1, 2
) AS steps
GROUP BY series_id

-- name: unusable
-- Planned work on the equipment or the whole community, modes for service and tests that it announced, and times when a
-- warning stood on it that nobody has called normal or false; in seconds.
SELECT extract(epoch FROM lower(during))::float8, extract(epoch FROM upper(during))::float8
FROM maintenance_windows
WHERE community_id = %(community)s AND coalesce(equipment_id, %(equipment)s) = %(equipment)s
  AND during && tstzrange(%(since)s, %(until)s) AND NOT lower_inf(during)
UNION ALL
SELECT extract(epoch FROM e.ts)::float8, extract(epoch FROM coalesce(ended.ts, %(until)s))::float8
FROM events e, LATERAL (SELECT min(o.ts) AS ts FROM events o
    WHERE o.community_id = e.community_id AND o.equipment_id = e.equipment_id AND o.condition = e.condition
      AND NOT o.active AND o.ts >= e.ts) AS ended
WHERE e.community_id = %(community)s AND e.equipment_id = %(equipment)s AND e.condition = ANY (%(modes)s) AND e.active
  AND e.ts < %(until)s AND e.ts >= %(since)s::timestamptz - interval '1 day'
UNION ALL
SELECT extract(epoch FROM event_at)::float8, extract(epoch FROM coalesce(cleared_at, %(until)s))::float8
FROM warnings w
WHERE community_id = %(community)s AND equipment_id = %(equipment)s
  AND event_at < %(until)s AND coalesce(cleared_at, %(until)s) >= %(since)s
  AND NOT EXISTS (SELECT FROM detection_feedback f WHERE f.warning_id = w.warning_id
                  AND f.said IN ('normal', 'false_alarm') AND f.revoked_at IS NULL)

-- name: put
INSERT INTO equipment_models (community_id, equipment_id, version, learnt_from, learnt_to, state, why, figures, parameters)
SELECT %(community)s, %(equipment)s, coalesce(max(version), 0) + 1, %(since)s, %(until)s, %(state)s, %(why)s, %(figures)s, %(parameters)s
FROM equipment_models WHERE community_id = %(community)s AND equipment_id = %(equipment)s
RETURNING version

-- name: retire
UPDATE equipment_models SET state = %(state)s, why = %(why)s
WHERE community_id = %(community)s AND equipment_id = %(equipment)s AND state = 'active'
RETURNING version

-- name: activate
UPDATE equipment_models SET state = 'active', why = ''
WHERE community_id = %(community)s AND equipment_id = %(equipment)s AND version = %(version)s

-- name: earlier
-- The newest good version before this one.
SELECT max(version) FROM equipment_models
WHERE community_id = %(community)s AND equipment_id = %(equipment)s AND version < %(version)s AND state = 'replaced'

-- name: prune
DELETE FROM equipment_models
WHERE community_id = %(community)s AND equipment_id = %(equipment)s AND state <> 'active' AND version <= %(version)s - %(keep)s

-- name: versions
SELECT community_id, equipment_id, version FROM equipment_models
WHERE state = 'active' AND community_id = ANY (%(communities)s)

-- name: parameters
SELECT m.community_id, m.equipment_id, m.version, m.parameters
FROM unnest(%(communities)s::text[], %(equipment)s::text[], %(versions)s::integer[]) AS k (community_id, equipment_id, version)
JOIN equipment_models m USING (community_id, equipment_id, version)

-- name: listing
SELECT community_id, equipment_id, version, state, trained_at, learnt_from, learnt_to, why, figures, length(parameters) AS bytes
FROM equipment_models
WHERE (%(community)s::text IS NULL OR community_id = %(community)s)
  AND (%(equipment)s::text IS NULL OR equipment_id = %(equipment)s)
  AND (%(every)s OR state = 'active' OR (state = 'refused' AND trained_at > now() - interval '2 days'))
ORDER BY community_id, equipment_id, version DESC LIMIT %(at_most)s

-- name: trained_lately
SELECT EXISTS (SELECT FROM equipment_models WHERE trained_at > now() - interval '12 hours')
