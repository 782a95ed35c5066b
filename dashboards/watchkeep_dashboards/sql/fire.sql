-- Queries of fire protection of one community.

-- name: state
SELECT count(*) FILTER (WHERE w.condition IN ('fire_alarm', 'gas_alarm')) AS alarms,
       count(*) FILTER (WHERE w.condition NOT IN ('fire_alarm', 'gas_alarm', 'fire_shielded')) AS faults,
       count(*) FILTER (WHERE w.condition = 'fire_shielded') AS shielded
FROM wall.warning w
WHERE w.status = 'open' AND w.condition IN ({fire_conditions}) AND w.community_id IN (${community:sqlstring})

-- name: duty
SELECT {sign} || l.equipment_{language} AS name, l.value
FROM wall.point_latest l
WHERE l.metric = 'persons_on_duty' AND l.community_id IN (${community:sqlstring}) AND l.ts > now() - interval '1 hour'
ORDER BY 2, 1
LIMIT 3

-- name: panels
-- A panel's state is the worst thing that is open on it; power and mode are what it told last.
WITH open AS (
    SELECT w.community_id, w.equipment_id, count(*) FILTER (WHERE w.condition IN ('fire_alarm', 'gas_alarm')) AS alarms,
           count(*) FILTER (WHERE w.condition = 'fire_shielded') AS shielded, count(*) AS all_of_them
    FROM wall.warning w WHERE w.status = 'open' AND w.community_id IN (${community:sqlstring}) GROUP BY 1, 2
), told AS (
    SELECT l.community_id, l.equipment_id, max(l.ts) AS heard_at, max(l.value) FILTER (WHERE l.metric = 'power_status') AS mains,
           max(l.value) FILTER (WHERE l.metric = 'backup_power_status') AS backup,
           max(l.value) FILTER (WHERE l.metric = 'control_mode') AS mode
    FROM wall.point_latest l
    WHERE l.kind IN ('fire_alarm_panel', 'fire_transmission_device') AND l.community_id IN (${community:sqlstring}) GROUP BY 1, 2
)
SELECT CASE WHEN o.alarms > 0 THEN 'alarm' WHEN o.all_of_them > o.shielded THEN 'fault' WHEN o.shielded > 0 THEN 'shielded'
            ELSE 'normal' END AS state,
       e.name_{language} AS equipment, CASE t.mains WHEN 1 THEN 'ok' WHEN 2 THEN 'bad' END AS mains,
       CASE t.backup WHEN 1 THEN 'ok' WHEN 2 THEN 'bad' END AS backup,
       CASE t.mode WHEN 0 THEN 'automatic' WHEN 1 THEN 'manual' END AS mode, t.heard_at, e.community_id, e.equipment_id
FROM wall.equipment e LEFT JOIN open o USING (community_id, equipment_id) LEFT JOIN told t USING (community_id, equipment_id)
WHERE e.kind IN ('fire_alarm_panel', 'fire_transmission_device') AND e.community_id IN (${community:sqlstring})
ORDER BY coalesce(o.alarms, 0) DESC, coalesce(o.all_of_them, 0) DESC, 2
LIMIT 6

-- name: loops
-- What hangs on the loops, by kind.
SELECT e.kind, count(DISTINCT e.equipment_id) AS parts,
       count(DISTINCT e.equipment_id) FILTER (WHERE w.condition IN ('fire_alarm', 'gas_alarm')) AS alarms,
       count(DISTINCT e.equipment_id) FILTER (WHERE w.condition NOT IN ('fire_alarm', 'gas_alarm', 'fire_shielded')) AS faults,
       count(DISTINCT e.equipment_id) FILTER (WHERE w.condition = 'fire_shielded') AS shielded
FROM wall.equipment e
LEFT JOIN wall.warning w ON (w.community_id, w.equipment_id, w.status) = (e.community_id, e.equipment_id, 'open')
WHERE e.kind IN ({fire_kinds}) AND e.community_id IN (${community:sqlstring})
GROUP BY 1
ORDER BY 3 DESC, 4 DESC, 5 DESC, 2 DESC, 1
LIMIT 6

-- name: pressures
-- The lowest value of each ten minutes, and the limit that is highest among these systems.
SELECT $__time(s.ts), s.equipment_{language} AS metric, s.min AS value
FROM wall.series(ARRAY[${community:sqlstring}], ARRAY['hydrant_system', 'sprinkler_system', 'outdoor_hydrant'], ARRAY['static_pressure'],
                 $__timeFrom(), $__timeTo(), NULL, interval '10 minutes') AS s
UNION ALL
SELECT t.at, '{limit}', max(l.value)
FROM wall.point_limit l, (VALUES ($__timeFrom()::timestamptz), ($__timeTo()::timestamptz)) AS t (at)
WHERE l.metric = 'static_pressure' AND l.side = 'below' AND l.community_id IN (${community:sqlstring})
GROUP BY 1
ORDER BY 1, 2

-- name: tanks
SELECT {sign} || l.equipment_{language} AS name, l.value
FROM wall.point_latest l
WHERE l.kind = 'fire_tank' AND l.metric = 'water_level' AND l.value IS NOT NULL AND l.community_id IN (${community:sqlstring})
ORDER BY 2, 1
LIMIT 6

-- name: electrical
SELECT CASE WHEN EXISTS (SELECT FROM wall.warning w WHERE (w.community_id, w.equipment_id, w.status) = (l.community_id, l.equipment_id, 'open'))
            THEN 'warning' ELSE 'normal' END AS state,
       l.equipment_{language} AS equipment, max(l.value) FILTER (WHERE l.metric = 'residual_current') AS residual_current,
       max(l.value) FILTER (WHERE l.metric = 'conductor_temperature') AS conductor_temperature, l.community_id, l.equipment_id
FROM wall.point_latest l
WHERE l.metric IN ('residual_current', 'conductor_temperature') AND l.community_id IN (${community:sqlstring})
GROUP BY l.community_id, l.equipment_id, 2
ORDER BY 1 DESC, 3 DESC NULLS LAST
LIMIT 5
