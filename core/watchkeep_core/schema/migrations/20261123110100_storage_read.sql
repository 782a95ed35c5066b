-- The read side of time series: one function for charts, views for walls.
-- depends: 20261123110000_storage_rollups

-- At most `at_most` (≤ 2000) buckets per series over [since, until), of series that I may see: raw readings while they are
-- few, else from the coarsest of raw, minute and hour that is not wider than a bucket and still kept that long. `min`, `max`
-- and `mean` leave bad readings out, `bad` counts them; `last` is by event time, `increase` of counters counts from the
-- reading before within the window. `bucket_s` is the width; 0 = one reading. Readings carry no row-level security: this
-- and visible_readings are their only doors.
CREATE FUNCTION series_window(wanted integer[], since timestamptz, until timestamptz, at_most integer DEFAULT 1000)
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
BEGIN
    IF NOT span_s > 0 OR span_s > 3660 * 86400.0 THEN
        RAISE EXCEPTION 'a window must be after its start, by at most ten years' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT now() - max(keep) FILTER (WHERE l.level = 'raw') AS raw, now() - max(keep) FILTER (WHERE l.level = 'minute') AS minute
        INTO kept FROM storage_levels l;
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
            RETURN QUERY EXECUTE format($q$
                SELECT $1, b.at, b.good, b.wrong, b.least, b.most, b.sum / nullif(b.good, 0), b.ends[cardinality(b.ends)],
                       b.increase, $6, $7
                FROM (SELECT date_bin($4, r.ts, $5) AS at, sum(r.count) AS good, sum(r.bad) AS wrong, min(r.min) AS least,
                             max(r.max) AS most, sum(r.sum) AS sum, array_agg(r.last ORDER BY r.ts) FILTER (WHERE r.count > 0) AS ends,
                             sum(r.increase + CASE WHEN r.first >= r.before THEN r.first - r.before
                                                   WHEN r.before IS NOT NULL THEN r.first ELSE 0 END) AS increase
                      FROM (SELECT x.*, lag(x.last) OVER (PARTITION BY x.count > 0 ORDER BY x.ts) AS before FROM rollups_%1$s x
                            WHERE x.series_id = $1 AND x.ts >= $5 AND x.ts < $3) AS r
                      GROUP BY 1) AS b
                ORDER BY 2$q$, used)
                USING one.id, since, until, step, origin, used, width_s;
        END IF;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION series_window(integer[], timestamptz, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION series_window(integer[], timestamptz, timestamptz, integer) TO watchkeep_console;

-- Hourly means with their extremes, for walls that show weeks.
CREATE VIEW wall.reading_hour AS
SELECT p.community_id, p.equipment_id, p.metric, p.unit, r.ts, r.count, r.bad, r.sum / nullif(r.count, 0) AS mean, r.min, r.max, r.last,
       r.increase
FROM points p JOIN communities c USING (community_id) JOIN rollups_hour r USING (series_id)
WHERE c.mode = 'live';
