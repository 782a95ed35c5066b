-- Queries of warnings and orders.

-- name: waiting
SELECT (SELECT count(*) FROM wall.ledger l WHERE l.community_id IN (${community:sqlstring})) AS ledger,
       (SELECT count(DISTINCT x.order_id) FROM wall.escalation x
        WHERE x.open AND x.level > 0 AND x.fired_at > now() - interval '90 days' AND x.community_id IN (${community:sqlstring})) AS escalated

-- name: times
-- Of the last thirty days, of orders that count: mean times from dispatch, and the share finished in time.
SELECT o.class, count(*) AS orders, avg(extract(epoch FROM o.responded_at - o.dispatched_at))::double precision AS respond_s,
       avg(extract(epoch FROM o.arrived_at - o.dispatched_at))::double precision AS arrive_s,
       avg(extract(epoch FROM o.finished_at - o.dispatched_at))::double precision AS finish_s,
       100.0 * count(*) FILTER (WHERE o.on_time) / count(*) AS on_time_percent
FROM wall.order_fact o
WHERE o.counts AND o.due_at >= now() - interval '30 days' AND o.due_at < now() AND o.community_id IN (${community:sqlstring})
GROUP BY 1
ORDER BY 1

-- name: escalations
SELECT x.level, x.class, x.clock, x.to_party, x.equipment_{language} AS equipment, x.condition, x.fired_at, x.case_id
FROM wall.escalation x
WHERE x.fired_at > now() - interval '30 days' AND x.level > 0 AND x.community_id IN (${community:sqlstring})
ORDER BY x.fired_at DESC
LIMIT 5

-- name: by_day
-- Days of China; today is left out, as it still runs.
SELECT d.day AS time, d.metric, d.value
FROM (SELECT date_trunc('day', o.dispatched_at, 'Asia/Shanghai') AS day, '{dispatched}' AS metric, count(*) AS value FROM wall.order_fact o
      WHERE o.dispatched_at >= now() - interval '15 days' AND o.community_id IN (${community:sqlstring}) GROUP BY 1
      UNION ALL
      SELECT date_trunc('day', o.closed_at, 'Asia/Shanghai'), '{closed}', count(*) FROM wall.order_fact o
      WHERE o.closed_at >= now() - interval '15 days' AND o.community_id IN (${community:sqlstring}) GROUP BY 1) AS d
WHERE d.day < date_trunc('day', now(), 'Asia/Shanghai') AND d.day >= date_trunc('day', now(), 'Asia/Shanghai') - interval '14 days'
ORDER BY 1, 2

-- name: by_organisation
SELECT o.organisation_{language} AS name, count(*) AS value
FROM wall.work_order o
WHERE o.closed_at IS NULL AND o.clock_state = 'overdue' AND o.community_id IN (${community:sqlstring})
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 5
