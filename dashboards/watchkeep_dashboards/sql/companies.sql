-- Queries of companies: indicators of the last thirty days, and the newest published red and grey lists.

-- name: indicators
-- Formulas of DOMAIN §7.2 over wall.order_fact; below {min_orders} orders nobody is compared.
WITH o AS MATERIALIZED (  -- so that what counts is worked out once per order
    SELECT f.org_id, f.organisation_{language}, f.party, f.counts, f.on_time, f.ended, f.finished_at, f.responded_at, f.respond_due
    FROM wall.order_fact f
    WHERE f.due_at >= now() - interval '30 days' AND f.due_at < now() AND (f.party = 'property_company' OR f.party LIKE '%maintainer')
)
SELECT o.organisation_{language} AS organisation, o.party, count(*) FILTER (WHERE o.counts) AS orders,
       100.0 * count(*) FILTER (WHERE o.counts AND o.responded_at <= o.respond_due)
           / nullif(count(*) FILTER (WHERE o.counts AND o.respond_due IS NOT NULL), 0) AS respond_percent,
       100.0 * count(*) FILTER (WHERE o.counts AND o.on_time) / nullif(count(*) FILTER (WHERE o.counts), 0) AS on_time_percent,
       100.0 * count(*) FILTER (WHERE o.counts AND o.ended = 'closed') / nullif(count(*) FILTER (WHERE o.counts), 0) AS closed_percent,
       100.0 * count(*) FILTER (WHERE o.counts AND o.ended = 'rework')
           / nullif(count(*) FILTER (WHERE o.counts AND o.finished_at IS NOT NULL), 0) AS rework_percent,
       count(*) FILTER (WHERE NOT o.counts) AS left_out
FROM o
GROUP BY o.org_id, 1, 2
HAVING count(*) FILTER (WHERE o.counts) >= {min_orders}
ORDER BY on_time_percent, organisation
LIMIT 13

-- name: on_time
SELECT {sign} || organisation AS name, value
FROM (SELECT o.organisation_{language} AS organisation, 100.0 * count(*) FILTER (WHERE o.on_time) / count(*) AS value
      FROM wall.order_fact o
      WHERE o.counts AND o.due_at >= now() - interval '30 days' AND o.due_at < now() AND o.party = 'property_company'
      GROUP BY o.org_id, 1
      HAVING count(*) >= {min_orders}) AS r
ORDER BY 2 DESC, 1
LIMIT 8

-- name: figures
WITH newest AS (SELECT DISTINCT ON (r.scheme, r.area_id) r.ranking_id FROM wall.ranking r ORDER BY r.scheme, r.area_id, r.published_at DESC)
SELECT count(*) FILTER (WHERE r.list = 'red') AS red, count(*) FILTER (WHERE r.list = 'grey') AS grey,
       count(*) FILTER (WHERE r.list = 'not_ranked') AS not_ranked
FROM wall.ranking r JOIN newest USING (ranking_id)

-- name: red
WITH newest AS (SELECT DISTINCT ON (r.scheme, r.area_id) r.ranking_id FROM wall.ranking r ORDER BY r.scheme, r.area_id, r.published_at DESC)
SELECT r.position, r.name, r.score::double precision AS score, r.cases, r.until
FROM wall.ranking r JOIN newest USING (ranking_id)
WHERE r.list = 'red'
ORDER BY r.position NULLS LAST, r.score DESC, r.name
LIMIT 5

-- name: grey
WITH newest AS (SELECT DISTINCT ON (r.scheme, r.area_id) r.ranking_id FROM wall.ranking r ORDER BY r.scheme, r.area_id, r.published_at DESC)
SELECT r.position, r.name, r.score::double precision AS score, r.cases, r.until
FROM wall.ranking r JOIN newest USING (ranking_id)
WHERE r.list = 'grey'
ORDER BY r.score, r.name
LIMIT 5
