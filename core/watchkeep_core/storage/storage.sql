-- name: read_levels
SELECT level, keep, sealed_until, rolled_until FROM storage_levels ORDER BY width

-- name: save_keep
UPDATE storage_levels l SET keep = k.keep FROM unnest(%(levels)s::text[], %(keep)s::interval[]) AS k (level, keep)
WHERE l.level = k.level AND l.keep <> k.keep

-- name: backend
SELECT storage_backend(), (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
       current_setting('timescaledb.license', true)

-- name: seal_lock
-- Writers hold it shared to the end of their transaction, so all readings below the old seal are there to be rolled up.
SELECT pg_advisory_xact_lock(hashtext('watchkeep.rollup.seal'))

-- name: seal_lock_shared
SELECT pg_advisory_xact_lock_shared(hashtext('watchkeep.rollup.seal'))

-- name: sealed_until
SELECT sealed_until FROM storage_levels WHERE level = 'minute'

-- name: mark_late
INSERT INTO rollup_dirty (series_id, hour)
SELECT series_id, to_timestamp(hour * 3600.0) FROM unnest(%(series)s::integer[], %(hours)s::bigint[]) AS k (series_id, hour)

-- name: seal
UPDATE storage_levels SET sealed_until = %(until)s WHERE level <> 'raw' AND sealed_until < %(until)s

-- name: rolled
UPDATE storage_levels SET rolled_until = %(until)s WHERE level = %(level)s AND rolled_until < %(until)s

-- name: make_months
SELECT make_rollup_partitions(%(months)s::date[])

-- name: make_days
SELECT make_reading_partitions(%(days)s::date[])

-- name: roll_window
-- The minutes of every series in a span of time. What is there already changes only when readings have come: a bucket
-- outlives its raw readings, and must not be computed again from the few that came after those were dropped.
INSERT INTO readings_minute AS m (series_id, ts, count, bad, sum, min, max, first, last, increase)
SELECT series_id, ts, count, bad, sum, min, max, good[1], good[cardinality(good)],
       CASE WHEN counter THEN counter_increase(good) END
FROM (SELECT r.series_id, date_trunc('minute', r.ts, 'UTC') AS ts, s.counter,
             count(*) FILTER (WHERE r.quality < 2) AS count, count(*) FILTER (WHERE r.quality >= 2) AS bad,
             sum(r.value) FILTER (WHERE r.quality < 2) AS sum, min(r.value) FILTER (WHERE r.quality < 2) AS min,
             max(r.value) FILTER (WHERE r.quality < 2) AS max,
             array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2) AS good
      FROM readings r JOIN rollup_series s USING (series_id)
      WHERE s.minute AND r.ts >= %(since)s AND r.ts < %(until)s
      GROUP BY 1, 2, 3) AS x
ORDER BY series_id, ts
ON CONFLICT (series_id, ts) DO UPDATE SET (count, bad, sum, min, max, first, last, increase)
    = (excluded.count, excluded.bad, excluded.sum, excluded.min, excluded.max, excluded.first, excluded.last, excluded.increase)
WHERE m.count + m.bad < excluded.count + excluded.bad

-- name: roll_minutes
-- The minutes of single hours of single series.
INSERT INTO readings_minute AS m (series_id, ts, count, bad, sum, min, max, first, last, increase)
SELECT series_id, ts, count, bad, sum, min, max, good[1], good[cardinality(good)],
       CASE WHEN counter THEN counter_increase(good) END
FROM (SELECT s.series_id, date_trunc('minute', r.ts, 'UTC') AS ts, s.counter,
             count(*) FILTER (WHERE r.quality < 2) AS count, count(*) FILTER (WHERE r.quality >= 2) AS bad,
             sum(r.value) FILTER (WHERE r.quality < 2) AS sum, min(r.value) FILTER (WHERE r.quality < 2) AS min,
             max(r.value) FILTER (WHERE r.quality < 2) AS max,
             array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2) AS good
      FROM unnest(%(series)s::integer[], %(hours)s::timestamptz[]) AS k (series_id, hour)
      JOIN rollup_series s ON s.series_id = k.series_id AND s.minute
      JOIN readings r ON r.series_id = k.series_id AND r.ts >= k.hour AND r.ts < least(k.hour + interval '1 h', %(until)s)
      GROUP BY 1, 2, 3) AS x
ORDER BY series_id, ts
ON CONFLICT (series_id, ts) DO UPDATE SET (count, bad, sum, min, max, first, last, increase)
    = (excluded.count, excluded.bad, excluded.sum, excluded.min, excluded.max, excluded.first, excluded.last, excluded.increase)
WHERE m.count + m.bad < excluded.count + excluded.bad

-- name: roll_hours
-- Single hours of single series: from their minutes, or from raw readings where they have none.
INSERT INTO readings_hour AS h (series_id, ts, count, bad, sum, min, max, first, last, increase)
SELECT series_id, hour, x.count, x.bad, x.sum, x.min, x.max, x.firsts[1], x.lasts[cardinality(x.lasts)],
       CASE WHEN counter THEN coalesce(x.increase, 0) END
FROM (SELECT s.series_id, k.hour, s.minute, s.counter
      FROM unnest(%(series)s::integer[], %(hours)s::timestamptz[]) AS k (series_id, hour)
      JOIN rollup_series s ON s.series_id = k.series_id AND s.hour) AS k
CROSS JOIN LATERAL (
    SELECT sum(count) AS count, sum(bad) AS bad, sum(sum) AS sum, min(min) AS min, max(max) AS max,
           array_agg(first ORDER BY ts) FILTER (WHERE count > 0) AS firsts,
           array_agg(last ORDER BY ts) FILTER (WHERE count > 0) AS lasts,
           sum(increase + CASE WHEN first >= before THEN first - before WHEN before IS NOT NULL THEN first ELSE 0 END) AS increase
    FROM (SELECT m.*, lag(m.last) OVER (PARTITION BY m.count > 0 ORDER BY m.ts) AS before FROM readings_minute m
          WHERE k.minute AND m.series_id = k.series_id AND m.ts >= k.hour AND m.ts < k.hour + interval '1 h') AS m
    HAVING count(*) > 0
    UNION ALL
    SELECT count(*) FILTER (WHERE r.quality < 2), count(*) FILTER (WHERE r.quality >= 2),
           sum(r.value) FILTER (WHERE r.quality < 2), min(r.value) FILTER (WHERE r.quality < 2),
           max(r.value) FILTER (WHERE r.quality < 2), array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2),
           array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2),
           CASE WHEN k.counter THEN counter_increase(array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2)) END
    FROM readings r
    WHERE NOT k.minute AND r.series_id = k.series_id AND r.ts >= k.hour AND r.ts < k.hour + interval '1 h'
    HAVING count(*) > 0) AS x
ORDER BY series_id, hour
ON CONFLICT (series_id, ts) DO UPDATE SET (count, bad, sum, min, max, first, last, increase)
    = (excluded.count, excluded.bad, excluded.sum, excluded.min, excluded.max, excluded.first, excluded.last, excluded.increase)
WHERE h.count + h.bad < excluded.count + excluded.bad

-- name: next_series
-- The next slice of series with rollups, in the order of their numbers.
SELECT series_id FROM rollup_series WHERE hour AND series_id > %(after)s ORDER BY series_id LIMIT %(at_most)s

-- name: take_marks
-- Marks of series not yet looked at by `enrol` wait for it.
DELETE FROM rollup_dirty d USING rollup_series s
WHERE s.series_id = d.series_id AND d.mark_id IN (
    SELECT k.mark_id FROM rollup_dirty k JOIN rollup_series USING (series_id) ORDER BY k.mark_id LIMIT %(at_most)s)
RETURNING d.series_id, d.hour, d.hours, s.hour

-- name: take_wide_mark
-- The newest first: people look at it sooner.
DELETE FROM rollup_dirty WHERE mark_id = (SELECT mark_id FROM rollup_dirty WHERE series_id IS NULL ORDER BY hour DESC LIMIT 1)
RETURNING hour, hours, done_to

-- name: put_wide_mark
INSERT INTO rollup_dirty (hour, hours, done_to) VALUES (%(hour)s, %(hours)s, %(done_to)s)

-- name: put_marks
INSERT INTO rollup_dirty (series_id, hour, hours)
SELECT series_id, hour, hours
FROM unnest(%(series)s::integer[], %(hour)s::timestamptz[], %(hours)s::integer[]) AS k (series_id, hour, hours)

-- name: mark_wide
-- Of new points from their oldest reading on (a backlog is refreshed before its point is enrolled), of those that were
-- there before the rollups everything. Part by part: where raw readings are gone a refresh would empty the buckets.
INSERT INTO rollup_dirty (hour, hours)
SELECT since, greatest(1, extract(epoch FROM until - since)::integer / 3600) FROM storage_parts('raw')
WHERE %(everything)s OR EXISTS (
    SELECT FROM points WHERE series_id = ANY (%(series)s::integer[]) AND created_at < now() - interval '2 h')
UNION ALL
SELECT greatest(since, oldest), greatest(1, extract(epoch FROM until - greatest(since, oldest))::integer / 3600)
FROM storage_parts('raw'), (
    SELECT date_trunc('hour', min(x.ts), 'UTC') AS oldest FROM points p, LATERAL (
        SELECT r.ts FROM readings r WHERE r.series_id = p.series_id ORDER BY r.ts LIMIT 1) AS x
    WHERE p.series_id = ANY (%(series)s::integer[]) AND p.created_at >= now() - interval '2 h') AS o
WHERE until > oldest AND NOT %(everything)s
UNION ALL
SELECT date_trunc('hour', now(), 'UTC') - interval '1 h', 2

-- name: enrol
-- Every point gets its row; a level once given is never taken away, so that its history has no holes.
INSERT INTO rollup_series AS s (series_id, minute, hour, counter, period_s)
SELECT p.series_id, coalesce(p.period_s <= 15, false), coalesce(p.period_s <= 900, false),
       p.metric = ANY (%(counters)s::text[]), p.period_s
FROM points p LEFT JOIN rollup_series s USING (series_id)
WHERE s.series_id IS NULL OR (p.period_s IS NOT NULL AND p.period_s IS DISTINCT FROM s.period_s)
ORDER BY p.series_id
ON CONFLICT (series_id) DO UPDATE SET
    minute = s.minute OR excluded.minute, hour = s.hour OR excluded.hour, period_s = excluded.period_s, measured_at = NULL
RETURNING series_id, hour, xmax <> 0 AS known

-- name: to_measure
SELECT s.series_id FROM rollup_series s JOIN points p USING (series_id)
WHERE p.period_s IS NULL AND (s.measured_at IS NULL OR s.measured_at < now() - interval '1 h')
ORDER BY s.measured_at NULLS FIRST, s.series_id LIMIT %(at_most)s

-- name: measure
-- The period of points whose period nobody entered, from the hour before their newest reading.
UPDATE rollup_series s SET
    minute = s.minute OR x.readings >= 240, hour = s.hour OR x.readings >= 4, measured_at = now(),
    period_s = CASE WHEN x.readings >= 4 THEN 3600.0 / x.readings ELSE s.period_s END
FROM (SELECT k.series_id, o.minute, o.hour,
             (SELECT count(*) FROM (SELECT FROM readings r WHERE r.series_id = k.series_id AND r.ts <= n.ts
                                    AND r.ts > n.ts - interval '1 h' LIMIT 240) AS few) AS readings
      FROM unnest(%(series)s::integer[]) AS k (series_id) JOIN rollup_series o USING (series_id)
      LEFT JOIN LATERAL (SELECT r.ts FROM readings r WHERE r.series_id = k.series_id AND r.ts < now() + interval '1 day'
                         ORDER BY r.ts DESC LIMIT 1) AS n ON true) AS x
WHERE x.series_id = s.series_id
RETURNING s.series_id, (s.minute AND NOT x.minute) OR (s.hour AND NOT x.hour)

-- name: forget_marks
DELETE FROM rollup_dirty d WHERE d.series_id IS NOT NULL AND d.marked_at < now() - interval '1 day'
AND NOT EXISTS (SELECT FROM points p WHERE p.series_id = d.series_id)

-- name: parts
SELECT part, since, until FROM storage_parts(%(level)s)

-- name: drop_expired
SELECT dropped, kept FROM drop_expired(%(level)s, %(before)s, %(at_most)s)

-- name: summarize
SELECT summarize_readings()

-- name: pending_marks
SELECT coalesce(sum(hours), 0)::bigint, min(marked_at)
FROM (SELECT hours, marked_at FROM rollup_dirty ORDER BY mark_id LIMIT 100000) AS m

-- name: series_window
SELECT series_id, ts, count, bad, min, max, mean, last, increase, level, bucket_s
FROM series_window(%(series)s, %(since)s, %(until)s, %(at_most)s)

-- name: count_series
SELECT count(*), count(*) FILTER (WHERE minute), count(*) FILTER (WHERE hour) FROM rollup_series

-- name: last_refresh
-- A job that never ran lags since the server was started.
SELECT coalesce(nullif(last_successful_finish, '-infinity'), pg_postmaster_start_time()) FROM timescaledb_information.job_stats JOIN timescaledb_information.jobs USING (job_id)
WHERE jobs.proc_name = 'refresh_rollups'

-- name: cagg_table
SELECT format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name)
FROM timescaledb_information.continuous_aggregates WHERE view_schema = 'public' AND view_name = %(view)s

-- name: plain_size
-- A part that was never analysed is estimated at 60 bytes a row.
SELECT sum(pg_total_relation_size(inhrelid)),
       sum(CASE WHEN reltuples >= 0 THEN reltuples ELSE pg_relation_size(inhrelid) / 60 END)
FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE inhparent = %(table)s::regclass

-- name: timescale_size
SELECT hypertable_size(%(table)s::regclass), approximate_row_count(%(table)s::regclass)

-- name: compression
SELECT number_compressed_chunks, before_compression_total_bytes, after_compression_total_bytes
FROM hypertable_compression_stats(%(table)s::regclass)

-- name: export_series
SELECT series_id FROM points
WHERE community_id = %(community)s AND (%(equipment)s::text IS NULL OR equipment_id = %(equipment)s) ORDER BY series_id
