-- Queries of the community wall. {language} becomes zh or en; Grafana puts in the quotes of ${community:sqlstring}.

-- name: communities
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

-- name: latest_warnings
-- What still holds stands above what is over, and the urgent class above the others.
SELECT w.class, w.status, w.event_at, c.name_{language} AS community, w.equipment_{language} AS equipment,
       w.sentence_{language} AS sentence
FROM wall.warning w JOIN wall.community c USING (community_id)
WHERE (w.status = 'open' OR $__timeFilter(w.detected_at)) AND w.community_id IN (${community:sqlstring})
ORDER BY w.status = 'open' DESC, w.class, w.detected_at DESC
LIMIT 15

-- name: clocks
SELECT o.clock_state, o.class, o.clock, round(extract(epoch FROM o.due_at - now()) / 60)::integer AS minutes_left,
       o.equipment_{language} AS equipment, o.condition, o.organisation_{language} AS organisation
FROM wall.work_order o
WHERE o.closed_at IS NULL AND o.clock IS NOT NULL AND o.community_id IN (${community:sqlstring})
ORDER BY o.due_at
LIMIT 15
