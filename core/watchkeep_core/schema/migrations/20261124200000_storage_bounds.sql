-- Bounds: a chart of a year is planned in a few ms, and a backlog is rolled up in transactions of seconds.
-- depends: 20261123190000_batches_retention

-- A mark of all series is worked off slice by slice, each slice with its step of this number in one transaction.
ALTER TABLE rollup_dirty ADD COLUMN done_to integer NOT NULL DEFAULT -1;
COMMENT ON COLUMN rollup_dirty.done_to IS 'Of a mark of all series: those up to this number are done for its first hour.';

-- As before, but for `buckets`: the same rows as the views rollups_minute and rollups_hour give for one series. Through
-- those, each series opened every daily partition of raw readings to find that none but the newest is wanted: 200 ms of
-- 220 at 365 days. A value of EXECUTE ... USING is known to the planner, which then leaves them out.
CREATE OR REPLACE FUNCTION series_window(wanted integer[], since timestamptz, until timestamptz, at_most integer DEFAULT 1000)
RETURNS TABLE (series_id integer, ts timestamptz, count bigint, bad bigint, min double precision, max double precision,
               mean double precision, last double precision, increase double precision, level text, bucket_s double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    most    integer := greatest(1, least(at_most, 2000));
    span_s  double precision := extract(epoch FROM until - since);
    one     record;
    used    text;
    kept    record;
    width_s double precision;
    step    interval;
    origin  timestamptz;
    found   integer;
    sealed  timestamptz;
    buckets text;
BEGIN
    IF NOT span_s > 0 OR span_s > 3660 * 86400.0 THEN
        RAISE EXCEPTION 'a window must be after its start, by at most ten years' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT now() - max(keep) FILTER (WHERE l.level = 'raw') AS raw, now() - max(keep) FILTER (WHERE l.level = 'minute') AS minute
        INTO kept FROM storage_levels l;
    buckets := CASE WHEN storage_backend() = 'community' THEN 'SELECT * FROM rollups_%1$s WHERE series_id = $1' ELSE $b$
        SELECT ts, count, bad, sum, min, max, first, last, increase FROM readings_%1$s
        WHERE series_id = $1 AND ts >= $5 AND ts < least($3, $8)
        UNION ALL
        SELECT n.ts, n.count, n.bad, n.sum, n.min, n.max, n.good[1], n.good[cardinality(n.good)],
               CASE WHEN s.counter THEN counter_increase(n.good) END
        FROM rollup_series s, LATERAL (
            SELECT date_trunc('%1$s', r.ts, 'UTC') AS ts, (count(*) FILTER (WHERE r.quality < 2))::integer AS count,
                   (count(*) FILTER (WHERE r.quality >= 2))::integer AS bad, sum(r.value) FILTER (WHERE r.quality < 2) AS sum,
                   min(r.value) FILTER (WHERE r.quality < 2) AS min, max(r.value) FILTER (WHERE r.quality < 2) AS max,
                   array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2) AS good
            FROM readings r
            WHERE r.series_id = $1 AND r.ts >= greatest($5, $8) AND r.ts < date_trunc('%1$s', $3, 'UTC') + interval '1 %1$s'
            GROUP BY 1) AS n
        WHERE s.series_id = $1 AND s.%1$s$b$ END;
    FOR one IN
        SELECT p.series_id AS id, coalesce(s.minute, false) AS minute, coalesce(s.hour, false) AS hour,
               coalesce(s.counter, false) AS counter, c.mode = 'replay' AS replay
        FROM points p JOIN equipment e USING (community_id, equipment_id) JOIN communities c USING (community_id)
        LEFT JOIN rollup_series s USING (series_id)
        WHERE p.series_id = ANY (wanted[1:100])
          AND (p.community_id = ANY (my_communities()) OR contracted_to_me(p.community_id, e.kind))
        ORDER BY 1
    LOOP
        width_s := span_s / most;
        used := CASE WHEN one.hour AND width_s >= 3600 THEN 'hour' WHEN one.minute AND width_s >= 60 THEN 'minute' ELSE 'raw' END;
        IF used = 'raw' AND since < kept.raw AND NOT one.replay AND one.hour THEN
            used := CASE WHEN one.minute THEN 'minute' ELSE 'hour' END;
        END IF;
        IF used = 'minute' AND since < kept.minute AND NOT one.replay THEN
            used := 'hour';
        END IF;
        IF used = 'raw' THEN
            SELECT count(*) INTO found FROM (
                SELECT FROM readings r WHERE r.series_id = one.id AND r.ts >= since AND r.ts < until LIMIT most + 1) AS few;
            IF found <= most THEN
                RETURN QUERY
                    SELECT one.id, r.ts, r.good::integer::bigint, (NOT r.good)::integer::bigint, r.v, r.v, r.v, r.v,
                           CASE WHEN one.counter AND r.good THEN counter_increase(ARRAY[r.before, r.v]) END, used, 0::double precision
                    FROM (SELECT x.ts, x.quality < 2 AS good, CASE WHEN x.quality < 2 THEN x.value END AS v,
                                 lag(x.value) OVER (PARTITION BY x.quality < 2 ORDER BY x.ts) AS before
                          FROM readings x WHERE x.series_id = one.id AND x.ts >= since AND x.ts < until) AS r
                    ORDER BY 2;
                CONTINUE;
            END IF;
        END IF;
        origin := CASE used WHEN 'raw' THEN since ELSE date_trunc(used, since, 'UTC') END;
        width_s := CASE used WHEN 'hour' THEN 3600 WHEN 'minute' THEN 60 ELSE 0.001 END;
        width_s := width_s * ceil((extract(epoch FROM until - origin) / most / width_s)::numeric)::double precision;
        step := width_s * interval '1 s';
        IF used = 'raw' THEN
            RETURN QUERY
                SELECT one.id, b.at, b.good, b.wrong, b.least, b.most, b.sum / nullif(b.good, 0), b.ends[cardinality(b.ends)],
                       CASE WHEN one.counter THEN counter_increase(b.before || b.ends) END, used, width_s
                FROM (SELECT g.*, lag(g.ends[cardinality(g.ends)]) OVER (PARTITION BY g.good > 0 ORDER BY g.at) AS before
                      FROM (SELECT date_bin(step, r.ts, origin) AS at, count(*) FILTER (WHERE r.quality < 2) AS good,
                                   count(*) FILTER (WHERE r.quality >= 2) AS wrong, min(r.value) FILTER (WHERE r.quality < 2) AS least,
                                   max(r.value) FILTER (WHERE r.quality < 2) AS most, sum(r.value) FILTER (WHERE r.quality < 2) AS sum,
                                   array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2) AS ends
                            FROM readings r WHERE r.series_id = one.id AND r.ts >= since AND r.ts < until GROUP BY 1) AS g) AS b
                ORDER BY 2;
        ELSE
            SELECT l.rolled_until INTO sealed FROM storage_levels l WHERE l.level = used;
            RETURN QUERY EXECUTE format($q$
                SELECT $1, b.at, b.good, b.wrong, b.least, b.most, b.sum / nullif(b.good, 0), b.ends[cardinality(b.ends)],
                       b.increase, $6, $7
                FROM (SELECT date_bin($4, r.ts, $5) AS at, sum(r.count) AS good, sum(r.bad) AS wrong, min(r.min) AS least,
                             max(r.max) AS most, sum(r.sum) AS sum, array_agg(r.last ORDER BY r.ts) FILTER (WHERE r.count > 0) AS ends,
                             sum(r.increase + CASE WHEN r.first >= r.before THEN r.first - r.before
                                                   WHEN r.before IS NOT NULL THEN r.first ELSE 0 END) AS increase
                      FROM (SELECT x.*, lag(x.last) OVER (PARTITION BY x.count > 0 ORDER BY x.ts) AS before
                            FROM (%1$s) AS x WHERE x.ts >= $5 AND x.ts < $3) AS r
                      GROUP BY 1) AS b
                ORDER BY 2$q$, format(buckets, used))
                USING one.id, since, until, step, origin, used, width_s, sealed;
        END IF;
    END LOOP;
END
$$;
