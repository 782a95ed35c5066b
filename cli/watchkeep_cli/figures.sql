-- name: counts
SELECT (SELECT coalesce(sum(stored), 0)::bigint FROM ingest_accounts WHERE lane = 'data') AS stored,
       (SELECT coalesce(sum(quarantined + parked), 0)::bigint FROM ingest_accounts WHERE lane = 'data') AS set_aside,
       (SELECT coalesce(sum(dead_lettered), 0)::bigint FROM ingest_accounts) AS dead_lettered,
       (SELECT coalesce(sum(stored), 0)::bigint FROM ingest_accounts WHERE lane = 'event') AS events,
       (SELECT count(*) FROM warnings WHERE status = 'open') AS open_warnings,
       (SELECT count(*) FROM orders WHERE closed_at IS NULL) AS open_orders

-- name: since
SELECT (SELECT count(*) FROM warnings WHERE detected_at >= %(start)s) AS warnings,
       (SELECT count(*) FROM orders WHERE dispatched_at >= %(start)s) AS work_orders,
       (SELECT round(extract(epoch FROM min(dispatched_at) - %(start)s), 1)::float8 FROM orders WHERE dispatched_at >= %(start)s)
           AS first_order_after_s,
       (SELECT jsonb_build_object('p50', round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 1), 'p99', round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 1))
        FROM (SELECT extract(epoch FROM committed_at - min_ts)::float8 * 1000 AS ms FROM batches
              WHERE lane = 'data' AND committed_at >= %(start)s AND row_count > 0) AS b) AS reading_to_commit_ms,
       (SELECT jsonb_build_object('p50', round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 1), 'p99', round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 1))
        FROM (SELECT extract(epoch FROM w.detected_at - e.ts)::float8 * 1000 AS ms
              FROM warnings w JOIN events e ON (e.community_id, e.equipment_id, e.condition) = (w.community_id, w.equipment_id, w.condition)
                  AND e.ts = w.event_at
              WHERE w.detected_at >= %(start)s) AS x) AS event_to_warning_ms,
       (SELECT jsonb_build_object('p50', round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 1), 'p99', round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 1))
        FROM (SELECT extract(epoch FROM min(o.dispatched_at) - w.detected_at)::float8 * 1000 AS ms
              FROM warnings w JOIN case_warnings cw ON cw.warning_id = w.warning_id AND cw.role = 'cause'
              JOIN orders o USING (case_id) WHERE w.detected_at >= %(start)s GROUP BY w.warning_id) AS y) AS warning_to_order_ms
