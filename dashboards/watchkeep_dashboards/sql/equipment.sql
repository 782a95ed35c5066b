-- Queries of one piece of equipment.

-- name: choose_equipment
SELECT equipment_id AS __value, name_{language} AS __text FROM wall.equipment WHERE community_id IN (${community:sqlstring}) ORDER BY __text

-- name: choose_metric
-- Equipment with nothing but states gives one empty choice: without any, the statements that use it would be no SQL.
WITH found AS (
    SELECT n.metric, n.name FROM (VALUES {metric_names}) AS n (metric, name)
    WHERE n.metric NOT IN ({state_metrics}) AND n.metric IN (
        SELECT l.metric FROM wall.point_latest l
        WHERE l.community_id IN (${community:sqlstring}) AND l.equipment_id IN (${equipment:sqlstring}))
)
SELECT metric AS __value, name AS __text FROM found UNION ALL SELECT 'none', '—' WHERE NOT EXISTS (SELECT FROM found)
ORDER BY __text

-- name: facts
SELECT e.name_{language} AS equipment, e.kind, e.building, e.maker, e.model, e.installed_on::timestamp AS installed_on, e.status,
       (SELECT count(*) FROM wall.warning w WHERE (w.community_id, w.equipment_id, w.status) = (e.community_id, e.equipment_id, 'open')) AS warnings,
       e.community_id, e.equipment_id
FROM wall.equipment e
WHERE e.community_id IN (${community:sqlstring}) AND e.equipment_id IN (${equipment:sqlstring})

-- name: latest
SELECT n.name, coalesce(s.text, trim_scale(round(l.value::numeric, 3))::text) AS value, l.ts
FROM wall.point_latest l JOIN (VALUES {metric_names}) AS n (metric, name) USING (metric)
LEFT JOIN (VALUES {state_names}) AS s (metric, code, text) ON s.metric = l.metric AND s.code = l.value
WHERE l.community_id IN (${community:sqlstring}) AND l.equipment_id IN (${equipment:sqlstring})
ORDER BY l.ts DESC NULLS LAST, 1
LIMIT 12

-- name: values
SELECT s.ts AS time, n.name AS metric, s.mean AS value
FROM wall.series(ARRAY[${community:sqlstring}], ARRAY(SELECT kind FROM wall.equipment WHERE community_id IN (${community:sqlstring})
                 AND equipment_id IN (${equipment:sqlstring})), ARRAY[${metric:sqlstring}], $__timeFrom(), $__timeTo(), ARRAY[${equipment:sqlstring}]) AS s
JOIN (VALUES {metric_names}) AS n (metric, name) USING (metric)
UNION ALL
SELECT t.at, '{limit} ' || CASE l.side WHEN 'above' THEN '↑' ELSE '↓' END || ' ' || l.value, l.value
FROM wall.point_limit l, (VALUES ($__timeFrom()::timestamptz), ($__timeTo()::timestamptz)) AS t (at)
WHERE l.community_id IN (${community:sqlstring}) AND l.equipment_id IN (${equipment:sqlstring}) AND l.metric IN (${metric:sqlstring})
  AND l.side IN ('above', 'below')
GROUP BY 1, 2, 3
ORDER BY 1, 2

-- name: states
-- Each metric's codes begin at a hundred of its own, so that one list of words serves all lanes.
SELECT $__time(s.ts), n.name AS metric, c.base + s.last AS value
FROM wall.series(ARRAY[${community:sqlstring}], ARRAY(SELECT kind FROM wall.equipment WHERE community_id IN (${community:sqlstring})
                 AND equipment_id IN (${equipment:sqlstring})), ARRAY[{state_metrics}], $__timeFrom(), $__timeTo(), ARRAY[${equipment:sqlstring}],
                 interval '5 minutes') AS s
JOIN (VALUES {metric_names}) AS n (metric, name) USING (metric) JOIN (VALUES {state_bases}) AS c (metric, base) USING (metric)
ORDER BY 1, 2

-- name: warnings
SELECT w.class, w.status, w.event_at, w.sentence_{language} AS sentence, w.warning_id
FROM wall.warning w
WHERE w.community_id IN (${community:sqlstring}) AND w.equipment_id IN (${equipment:sqlstring})
ORDER BY w.status = 'open' DESC, w.event_at DESC
LIMIT 4

-- name: its_orders
SELECT o.class, o.condition, o.state, o.organisation_{language} AS organisation, o.dispatched_at, o.case_id
FROM wall.work_order o
WHERE o.community_id IN (${community:sqlstring}) AND o.equipment_id IN (${equipment:sqlstring})
ORDER BY o.dispatched_at DESC
LIMIT 4

-- name: its_warnings_on_charts
SELECT w.event_at AS time, coalesce(w.cleared_at, now()) AS timeend, w.class || ' ' || w.sentence_{language} AS text, w.class AS tags
FROM wall.warning w
WHERE $__timeFilter(w.event_at) AND w.community_id IN (${community:sqlstring}) AND w.equipment_id IN (${equipment:sqlstring})
ORDER BY 1
LIMIT 50
