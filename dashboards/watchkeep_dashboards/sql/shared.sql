-- Statements that several boards ask. {language} becomes zh or en; Grafana puts in the quotes of ${community:sqlstring}.

-- name: choose_community
SELECT community_id AS __value, name_{language} AS __text FROM wall.community ORDER BY __text

-- name: open_warnings
SELECT count(*) FILTER (WHERE class = 'A') AS a, count(*) FILTER (WHERE class = 'B') AS b, count(*) FILTER (WHERE class = 'C') AS c
FROM wall.warning
WHERE status = 'open' AND community_id IN (${community:sqlstring})

-- name: open_orders
SELECT count(*) AS open, count(*) FILTER (WHERE clock_state = 'short') AS short,
       count(*) FILTER (WHERE clock_state = 'overdue') AS overdue
FROM wall.work_order
WHERE closed_at IS NULL AND community_id IN (${community:sqlstring})

-- name: gateways
SELECT count(*) FILTER (WHERE online) AS online, count(*) FILTER (WHERE NOT online) AS offline
FROM wall.gateway
WHERE community_id IN (${community:sqlstring})

-- name: clocks
SELECT o.clock_state, o.class, o.clock, round(extract(epoch FROM o.due_at - now()) / 60)::integer AS minutes_left,
       o.equipment_{language} AS equipment, o.condition, o.organisation_{language} AS organisation, o.case_id
FROM wall.work_order o
WHERE o.closed_at IS NULL AND o.clock IS NOT NULL AND o.community_id IN (${community:sqlstring})
ORDER BY o.due_at
LIMIT 13

-- name: warnings_on_charts
-- Annotations: urgent and major warnings as spans from their event to their end (or now).
SELECT w.event_at AS time, coalesce(w.cleared_at, now()) AS timeend,
       w.class || ' ' || w.equipment_{language} || ': ' || w.sentence_{language} AS text, w.class AS tags
FROM wall.warning w
WHERE $__timeFilter(w.event_at) AND w.class IN ('A', 'B') AND w.community_id IN (${community:sqlstring})
ORDER BY 1
LIMIT 50
