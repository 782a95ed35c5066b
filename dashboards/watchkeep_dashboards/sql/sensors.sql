-- Queries of the sensor fleet's health.

-- name: points
SELECT coalesce(sum(f.points), 0)::bigint AS points, coalesce(sum(f.points - f.connected), 0)::bigint AS unconnected,
       (SELECT count(*) FROM wall.warning w WHERE w.status = 'open' AND w.condition IN ('sensor_silent', 'sensor_never_reported')
        AND w.community_id IN (${community:sqlstring})) AS silent
FROM wall.fleet f
WHERE f.community_id IN (${community:sqlstring})

-- name: gaps
SELECT count(*) FILTER (WHERE state = 'missing') AS ranges, coalesce(sum(messages) FILTER (WHERE state = 'missing'), 0)::bigint AS missing,
       coalesce(sum(messages) FILTER (WHERE state = 'lost'), 0)::bigint AS lost
FROM wall.gap
WHERE community_id IN (${community:sqlstring})

-- name: problems
SELECT d.name, count(*) AS value
FROM wall.warning w JOIN (VALUES {platform_condition_names}) AS d (condition, name) USING (condition)
WHERE w.status = 'open' AND w.community_id IN (${community:sqlstring})
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 8

-- name: gateways_now
SELECT CASE WHEN NOT g.online THEN 'offline' WHEN abs(g.skew_ms) > {skew_tolerance_s} * 1000 THEN 'skewed' ELSE 'online' END AS state,
       c.name_{language} AS community, g.name AS gateway, g.points, g.skew_ms / 1000 AS skew_s,
       coalesce(g.last_message_at, g.offline_since) AS last_at, g.community_id, g.gateway_id
FROM wall.gateway g JOIN wall.community c USING (community_id)
WHERE g.community_id IN (${community:sqlstring})
ORDER BY g.online, abs(g.skew_ms) DESC NULLS LAST, g.name
LIMIT 8

-- name: clocks_of_devices
SELECT CASE WHEN abs(d.skew_ms) > {skew_tolerance_s} * 1000 THEN 'skewed' ELSE 'right' END AS state, d.equipment_{language} AS equipment,
       d.skew_ms / 1000 AS skew_s, d.measured_at, d.community_id, d.equipment_id
FROM wall.device_clock d
WHERE d.community_id IN (${community:sqlstring})
ORDER BY abs(d.skew_ms) DESC, 2
LIMIT 6

-- name: batteries
SELECT {sign} || l.equipment_{language} AS name, l.value
FROM wall.point_latest l
WHERE l.metric = 'battery_level' AND l.value IS NOT NULL AND l.community_id IN (${community:sqlstring})
ORDER BY 2, 1
LIMIT 8

-- name: spools
SELECT c.name_{language} || ' ' || l.equipment_{language} AS name, l.value
FROM wall.point_latest l JOIN wall.community c USING (community_id)
WHERE l.metric = 'spool_depth' AND l.value IS NOT NULL AND l.community_id IN (${community:sqlstring})
ORDER BY 2 DESC, 1
LIMIT 6

-- name: silent
SELECT w.condition, w.event_at, c.name_{language} AS community, w.equipment_{language} AS equipment, w.warning_id
FROM wall.warning w JOIN wall.community c USING (community_id)
WHERE w.status = 'open' AND w.condition IN ({platform_conditions}) AND w.community_id IN (${community:sqlstring})
ORDER BY w.event_at DESC
LIMIT 6
