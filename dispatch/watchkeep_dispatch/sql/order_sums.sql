-- Sums of orders by span, organisation and community, from the statements of indicators.sql.

-- name: spans
-- Within the period, whose sums are there.
SELECT since, until FROM order_spans
WHERE ready AND since >= %(since)s AND until <= least(%(until)s, %(as_of)s::timestamptz) ORDER BY until - since DESC, since

-- name: not_kept
-- Pairs whose sums do not hold good: something came since they were made, or what they hold was not known yet.
SELECT s.since, s.until, array_agg(s.org_id ORDER BY s.org_id, s.community_id), array_agg(s.community_id ORDER BY s.org_id, s.community_id)
FROM order_sums s JOIN unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS k (since, until) USING (since, until)
WHERE (s.stale OR s.known_at > %(as_of)s)
  AND (%(org)s::text IS NULL OR s.org_id = %(org)s) AND (%(community)s::text IS NULL OR s.community_id = %(community)s)
GROUP BY s.since, s.until

-- name: first
SELECT min(settles_at) FROM orders WHERE lead AND scored

-- name: known
SELECT since, until FROM order_spans

-- name: begin
INSERT INTO order_spans (since, until) SELECT * FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) ON CONFLICT DO NOTHING

-- name: unready
-- Whoever wrote an order without knowing of the span has ended: all that come later mark its sums.
SELECT since, until FROM order_spans WHERE NOT ready AND made_in < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY since LIMIT %s FOR UPDATE SKIP LOCKED

-- name: pairs_of
INSERT INTO order_sums (since, until, org_id, community_id)
SELECT DISTINCT %(since)s::timestamptz, %(until)s::timestamptz, org_id, community_id FROM orders
WHERE lead AND scored AND settles_at >= %(since)s AND settles_at < %(until)s
ORDER BY 3, 4
ON CONFLICT DO NOTHING

-- name: take_stale
-- Locked before they are counted: whoever changes an order meanwhile waits to mark its sum, and marks it again.
SELECT org_id, community_id FROM order_sums WHERE since = %(since)s AND until = %(until)s AND stale
ORDER BY org_id, community_id FOR UPDATE SKIP LOCKED

-- name: stale_spans
SELECT DISTINCT s.since, s.until FROM order_sums s JOIN order_spans USING (since, until) WHERE s.stale AND ready LIMIT %s

-- name: ready
UPDATE order_spans SET ready = true WHERE since = %(since)s AND until = %(until)s

-- name: replaced
-- Days whose tens, and tens whose month, are counted as a whole.
DELETE FROM order_spans d USING order_spans m
WHERE m.ready AND m.since <= d.since AND m.until >= d.until AND m.until - m.since > d.until - d.since

-- name: save
-- After `scored` and `pairs` as known for ever, for the pairs taken.
, back AS (
    SELECT recurs_order_id AS order_id, max(dispatched_at) AS at FROM orders
    WHERE recurs_order_id IS NOT NULL AND dispatched_at >= %(since)s::timestamptz - interval '60 days' GROUP BY 1
), facts AS (
    SELECT f.org_id, f.community_id, greatest(f.dispatched_at, f.responded_at, f.arrived_at, f.finished_at, f.closed_at, b.at, (
               SELECT max(t.at) FROM transitions t WHERE t.case_id = f.case_id AND t.order_id = f.order_id)) AS at
    FROM scored f LEFT JOIN back b USING (order_id)
    UNION ALL  -- moved out of the span: before that it was in it
    SELECT o.org_id, o.community_id, d.at FROM deadline_changes d JOIN orders o USING (order_id)
    WHERE d.from_due >= %(since)s AND d.from_due < %(until)s
), last_fact AS MATERIALIZED (
    SELECT org_id, community_id, max(at) AS known_at FROM facts GROUP BY 1, 2
)
UPDATE order_sums s
SET (stale, known_at, orders, respond_d, respond_n, arrive_d, arrive_n, due_d, on_time_n, closed_n, urgent_d, urgent_n, rework_d,
     rework_n, recur_d, recur_n, returned, returned_for, withdrawn, ledger, suspended, paused, paused_for)
    = (SELECT false, coalesce(k.known_at, '-infinity'), coalesce(p.orders, 0), coalesce(p.respond_d, 0), coalesce(p.respond_n, 0),
              coalesce(p.arrive_d, 0), coalesce(p.arrive_n, 0), coalesce(p.due_d, 0), coalesce(p.on_time_n, 0),
              coalesce(p.closed_n, 0), coalesce(p.urgent_d, 0), coalesce(p.urgent_n, 0), coalesce(p.rework_d, 0),
              coalesce(p.rework_n, 0), coalesce(p.recur_d, 0), coalesce(p.recur_n, 0), coalesce(p.returned, 0),
              coalesce(p.returned_for, '0'), coalesce(p.withdrawn, 0), coalesce(p.ledger, 0), coalesce(p.suspended, 0),
              coalesce(p.paused, 0), coalesce(p.paused_for, '0')
       FROM (SELECT) one LEFT JOIN pairs p ON p.org_id = s.org_id AND p.community_id = s.community_id
       LEFT JOIN last_fact k ON k.org_id = s.org_id AND k.community_id = s.community_id)
FROM unnest(%(orgs)s::text[], %(communities)s::text[]) AS x (org_id, community_id)
WHERE s.since = %(since)s AND s.until = %(until)s AND s.org_id = x.org_id AND s.community_id = x.community_id
