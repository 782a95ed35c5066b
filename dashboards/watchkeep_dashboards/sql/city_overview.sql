-- Queries of the city overview: every community that is live.

-- name: open_warnings
SELECT count(*) FILTER (WHERE class = 'A') AS a, count(*) FILTER (WHERE class = 'B') AS b, count(*) FILTER (WHERE class = 'C') AS c
FROM wall.warning WHERE status = 'open'

-- name: open_orders
SELECT count(*) AS open, count(*) FILTER (WHERE clock_state = 'short') AS short,
       count(*) FILTER (WHERE clock_state = 'overdue') AS overdue
FROM wall.work_order WHERE closed_at IS NULL

-- name: gateways
SELECT count(*) FILTER (WHERE online) AS online, count(*) FILTER (WHERE NOT online) AS offline FROM wall.gateway

-- name: communities
-- What is most urgent stands first; a community without trouble comes last.
WITH w AS (
    SELECT community_id, count(*) FILTER (WHERE class = 'A') AS a, count(*) FILTER (WHERE class = 'B') AS b,
           count(*) FILTER (WHERE class = 'C') AS c
    FROM wall.warning WHERE status = 'open' GROUP BY 1
), o AS (
    SELECT community_id, count(*) AS open, count(*) FILTER (WHERE clock_state = 'overdue') AS overdue
    FROM wall.work_order WHERE closed_at IS NULL GROUP BY 1
), g AS (
    SELECT community_id, count(*) FILTER (WHERE NOT online) AS offline FROM wall.gateway GROUP BY 1
)
SELECT CASE WHEN w.a > 0 THEN 'A' WHEN w.b > 0 THEN 'B' WHEN w.c > 0 THEN 'C' ELSE 'none' END AS state,
       m.name_{language} AS community, m.area_{language} AS area, m.company_{language} AS company,
       coalesce(w.a, 0) AS a, coalesce(w.b, 0) AS b, coalesce(w.c, 0) AS c, coalesce(o.open, 0) AS open,
       coalesce(o.overdue, 0) AS overdue, coalesce(g.offline, 0) AS offline, m.community_id
FROM wall.community m LEFT JOIN w USING (community_id) LEFT JOIN o USING (community_id) LEFT JOIN g USING (community_id)
WHERE m.mode = 'live'
ORDER BY coalesce(w.a, 0) DESC, coalesce(o.overdue, 0) DESC, coalesce(w.b, 0) DESC, coalesce(g.offline, 0) DESC, m.community_id
LIMIT 9

-- name: life_safety
SELECT w.class, w.event_at, m.name_{language} AS community, w.equipment_{language} AS equipment, w.condition, w.warning_id
FROM wall.warning w JOIN wall.community m USING (community_id)
WHERE w.status = 'open' AND w.life_safety
ORDER BY w.event_at DESC
LIMIT 7

-- name: by_domain
SELECT d.domain AS name, count(w.warning_id) AS value
FROM (VALUES {condition_domains}) AS d (condition, domain) LEFT JOIN wall.warning w ON w.condition = d.condition AND w.status = 'open'
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 8

-- name: by_hour
-- The hour that still runs is left out; an hour without a warning is 0.
SELECT $__timeGroupAlias(detected_at, 1h, 0), class AS metric, count(*) AS value
FROM wall.warning
WHERE $__timeFilter(detected_at) AND detected_at < date_trunc('hour', now())
GROUP BY 1, 2
ORDER BY 1
