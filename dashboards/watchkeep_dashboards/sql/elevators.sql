-- Queries of the elevators of one community.

-- name: lifts
SELECT (SELECT count(*) FROM wall.equipment e WHERE e.kind IN ({elevator_kinds}) AND e.community_id IN (${community:sqlstring})) AS lifts,
       count(DISTINCT w.equipment_id) FILTER (WHERE w.condition LIKE 'entrapment%') AS trapped,
       count(DISTINCT w.equipment_id) FILTER (WHERE w.class = 'A' AND w.condition NOT LIKE 'entrapment%') AS urgent,
       count(DISTINCT w.equipment_id) FILTER (WHERE w.class IN ('B', 'C')) AS other
FROM wall.warning w
WHERE w.status = 'open' AND w.condition IN ({elevator_conditions}) AND w.community_id IN (${community:sqlstring})

-- name: modes
-- Service mode in steps of five minutes, of the fourteen lifts with most open warnings: more lanes cannot be read from afar.
SELECT $__time(s.ts), s.equipment_{language} AS metric, s.last AS value
FROM wall.series(ARRAY[${community:sqlstring}], ARRAY['elevator'], ARRAY['service_mode'], $__timeFrom(), $__timeTo(), ARRAY(
    SELECT e.equipment_id FROM wall.equipment e
    LEFT JOIN wall.warning w ON (w.community_id, w.equipment_id, w.status) = (e.community_id, e.equipment_id, 'open')
    WHERE e.community_id IN (${community:sqlstring}) AND e.kind = 'elevator'
    GROUP BY e.equipment_id ORDER BY count(w.warning_id) DESC, e.equipment_id LIMIT 14),
    interval '5 minutes') AS s
ORDER BY 1, 2

-- name: trips
-- A counter's steps from hour to hour; one that fell was reset and adds nothing.
SELECT t.name, sum(greatest(t.step, 0)) AS value
FROM (SELECT s.equipment_{language} AS name, s.last - lag(s.last) OVER (PARTITION BY s.equipment_id ORDER BY s.ts) AS step
      FROM wall.series(ARRAY[${community:sqlstring}], ARRAY['elevator'], ARRAY['ride_count'], $__timeFrom(), $__timeTo(), NULL,
                       interval '1 hour') AS s) AS t
GROUP BY 1
ORDER BY 2 DESC NULLS LAST, 1
LIMIT 8

-- name: doors
-- Each closing of a door gives one closing time.
SELECT s.equipment_{language} AS name, sum(s.count) AS value
FROM wall.series(ARRAY[${community:sqlstring}], ARRAY['elevator'], ARRAY['door_close_time'], $__timeFrom(), $__timeTo(), NULL,
                 interval '1 hour') AS s
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 8

-- name: entrapments
SELECT w.status, w.event_at, w.equipment_{language} AS equipment, w.condition,
       round(extract(epoch FROM coalesce(w.cleared_at, now()) - w.event_at) / 60)::integer AS minutes, w.warning_id
FROM wall.warning w
WHERE w.condition LIKE 'entrapment%' AND w.community_id IN (${community:sqlstring}) AND w.detected_at > now() - interval '30 days'
ORDER BY w.status = 'open' DESC, w.event_at DESC
LIMIT 6

-- name: vibration
-- The last day of each lift beside its own four weeks before: both must stand out, the share and the days' own spread.
WITH felt AS (
    SELECT s.community_id, s.equipment_id, s.equipment_{language} AS equipment, s.metric,
           avg(s.mean) FILTER (WHERE s.ts >= now() - interval '1 day') AS recent,
           avg(s.mean) FILTER (WHERE s.ts < now() - interval '1 day') AS usual,
           stddev_samp(s.mean) FILTER (WHERE s.ts < now() - interval '1 day') AS spread
    FROM wall.series(ARRAY[${community:sqlstring}], ARRAY['elevator'], ARRAY['car_vibration_horizontal', 'car_vibration_vertical'],
                     now() - interval '29 days', now(), NULL, interval '6 hours') AS s
    GROUP BY 1, 2, 3, 4
)
SELECT CASE WHEN recent > 1.5 * usual AND recent > usual + 3 * spread THEN 'high'
            WHEN recent > 1.2 * usual AND recent > usual + 2 * spread THEN 'rising' ELSE 'usual' END AS state,
       equipment, metric, recent, usual, 100 * (recent / nullif(usual, 0) - 1) AS above_percent, community_id, equipment_id
FROM felt
WHERE recent IS NOT NULL AND usual IS NOT NULL
ORDER BY 6 DESC NULLS LAST, equipment
LIMIT 6
