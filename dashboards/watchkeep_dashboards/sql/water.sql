-- Queries of water supply and drainage of one community.

-- name: state
SELECT count(*) FILTER (WHERE w.condition IN ('supply_pressure_loss', 'pipe_burst')) AS no_water,
       count(*) FILTER (WHERE w.condition IN ({water_conditions}) AND w.condition NOT IN ('supply_pressure_loss', 'pipe_burst')) AS water,
       count(*) FILTER (WHERE w.condition IN ({drainage_conditions})) AS drainage
FROM wall.warning w
WHERE w.status = 'open' AND w.community_id IN (${community:sqlstring})

-- name: pump_figures
SELECT count(*) FILTER (WHERE l.value = 1) AS running, count(*) FILTER (WHERE l.value = 0) AS stopped, count(*) FILTER (WHERE l.value = 2) AS fault
FROM wall.point_latest l
WHERE l.metric = 'pump_run_state' AND l.kind IN ('supply_pump', 'sump') AND l.community_id IN (${community:sqlstring})

-- name: pressure
-- The lowest outlet pressure of each ten minutes, and the set point beside it.
SELECT $__time(s.ts),
       s.equipment_{language} || CASE s.metric WHEN 'outlet_pressure_setpoint' THEN ' {setpoint}' ELSE '' END AS metric, s.min AS value
FROM wall.series(ARRAY[${community:sqlstring}], ARRAY['supply_pump_set'], ARRAY['outlet_pressure', 'outlet_pressure_setpoint'],
                 $__timeFrom(), $__timeTo(), NULL, interval '10 minutes') AS s
ORDER BY 1, 2

-- name: quality
-- One row per place, with what was measured last; the state is that of its open warnings.
SELECT CASE WHEN EXISTS (SELECT FROM wall.warning w WHERE (w.community_id, w.equipment_id, w.status) = (l.community_id, l.equipment_id, 'open'))
            THEN 'warning' ELSE 'normal' END AS state,
       l.equipment_{language} AS equipment, max(l.value) FILTER (WHERE l.metric = 'residual_chlorine') AS residual_chlorine,
       max(l.value) FILTER (WHERE l.metric = 'turbidity') AS turbidity, max(l.value) FILTER (WHERE l.metric = 'ph') AS ph,
       max(l.ts) AS measured_at, l.community_id, l.equipment_id
FROM wall.point_latest l
WHERE l.metric IN ('residual_chlorine', 'turbidity', 'ph') AND l.community_id IN (${community:sqlstring})
GROUP BY l.community_id, l.equipment_id, 2
ORDER BY 1 DESC, 2
LIMIT 5

-- name: pumps
SELECT max(l.value) FILTER (WHERE l.metric = 'pump_run_state') AS state, l.equipment_{language} AS equipment,
       max(l.value) FILTER (WHERE l.metric = 'pump_frequency') AS frequency,
       max(l.value) FILTER (WHERE l.metric = 'pump_current_percent') AS current,
       max(l.value) FILTER (WHERE l.metric = 'starts_per_hour') AS starts,
       max(l.value) FILTER (WHERE l.metric = 'pump_vibration') AS vibration, l.community_id, l.equipment_id
FROM wall.point_latest l
WHERE l.kind IN ('supply_pump', 'sump') AND l.community_id IN (${community:sqlstring})
  AND l.metric IN ('pump_run_state', 'pump_frequency', 'pump_current_percent', 'starts_per_hour', 'pump_vibration')
GROUP BY l.community_id, l.equipment_id, 2
ORDER BY 1 DESC NULLS LAST, 2
LIMIT 8

-- name: night_flow
SELECT s.ts AS time, s.equipment_{language} AS metric, s.last AS value
FROM wall.series(ARRAY[${community:sqlstring}], ARRAY['dma_meter'], ARRAY['night_minimum_flow'], $__timeFrom(), $__timeTo()) AS s
ORDER BY 1, 2

-- name: levels
SELECT {sign} || l.equipment_{language} AS name, l.value
FROM wall.point_latest l
WHERE l.kind = 'sump' AND l.metric = 'water_level' AND l.value IS NOT NULL AND l.community_id IN (${community:sqlstring})
ORDER BY 2 DESC, 1
LIMIT 6

-- name: tanks
SELECT {sign} || l.equipment_{language} AS name, l.value
FROM wall.point_latest l
WHERE l.kind = 'water_tank' AND l.metric = 'water_level' AND l.value IS NOT NULL AND l.community_id IN (${community:sqlstring})
ORDER BY 2, 1
LIMIT 6
