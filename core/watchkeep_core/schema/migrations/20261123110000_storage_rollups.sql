-- Rollups of readings to one minute and one hour, and how long each class is kept. Sole writer: watchkeep_ingest (upkeep).
-- depends: 20261122090600_wall

-- Writer: ingest. `sealed_until`: readings before it are late and are marked by whoever stores them; `rolled_until`:
-- buckets before it are in the rollup table. Both stay null where TimescaleDB keeps continuous aggregates.
CREATE TABLE storage_levels (
    level        text PRIMARY KEY CHECK (level IN ('raw', 'minute', 'hour')),
    width        interval NOT NULL,  -- of a bucket; 0 = readings as they came
    keep         interval NOT NULL CHECK (keep >= interval '1 day'),
    sealed_until timestamptz,
    rolled_until timestamptz
);
COMMENT ON TABLE storage_levels IS 'Raw, minute, hour: retention, and how far the rollups have come. Writer: ingest.';
INSERT INTO storage_levels (level, width, keep) VALUES
    ('raw', '0', '90 days'), ('minute', '1 min', '365 days'), ('hour', '1 h', '1826 days');

-- Writer: ingest. Which points are rolled up: those at least 4 times faster than the level.
CREATE TABLE rollup_series (
    series_id   integer PRIMARY KEY REFERENCES points ON DELETE CASCADE,
    minute      boolean NOT NULL,
    hour        boolean NOT NULL,
    counter     boolean NOT NULL,       -- its increase is kept, resets taken into account
    period_s    double precision,       -- as entered with the point, else as measured; null = not known yet
    measured_at timestamptz,            -- null = the period was entered
    CHECK (hour OR NOT minute)
);
COMMENT ON TABLE rollup_series IS 'Points with rollups, and which. Writer: ingest.';

-- Writer: ingest. Append-only marks, deleted by the rollup job with the recomputed rows in one transaction.
CREATE TABLE rollup_dirty (
    mark_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_id integer,                  -- null = every series
    hour      timestamptz NOT NULL,     -- UTC hour
    hours     integer NOT NULL DEFAULT 1 CHECK (hours > 0),
    marked_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rollup_dirty IS 'Hours whose rollups must be computed (again). Writer: ingest.';

-- Readings come nearly in the order of time, so the smallest kind of index finds the newest minutes of all series.
CREATE INDEX readings_ts ON readings USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);

-- What a counter rose by over these values in order of time. A fall is a reset: it then rose by its new value.
CREATE FUNCTION counter_increase(counted double precision[]) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(sum(CASE WHEN v >= before THEN v - before WHEN v < before THEN v ELSE 0 END), 0)
    FROM (SELECT v, lag(v) OVER (ORDER BY n) AS before FROM unnest(counted) WITH ORDINALITY AS u (v, n)) AS steps
$$;

-- The rollup tables. Bad readings (quality 2) are counted and take part in nothing else. `first` and `last` are by event
-- time; for states `last` is the state at the end of the bucket. `increase` is within the bucket: readers add the steps
-- from bucket to bucket, so that each bucket depends on its own readings only.
DO $$
DECLARE
    level     text;
    width     text;
    community boolean := false;
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        community := current_setting('timescaledb.license') = 'timescale'
            AND (SELECT string_to_array(split_part(extversion, '-', 1), '.')::integer[] >= ARRAY[2, 20]
                 FROM pg_extension WHERE extname = 'timescaledb');
    END IF;
    FOREACH level IN ARRAY ARRAY['minute', 'hour'] LOOP
        IF community THEN
            width := CASE level WHEN 'minute' THEN '1 minute' ELSE '1 hour' END;
            EXECUTE format($q$
                CREATE MATERIALIZED VIEW readings_%1$s
                WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
                SELECT r.series_id, time_bucket(%2$L::interval, r.ts) AS ts,
                       count(*) FILTER (WHERE r.quality < 2)::integer AS count,
                       count(*) FILTER (WHERE r.quality >= 2)::integer AS bad,
                       sum(r.value) FILTER (WHERE r.quality < 2) AS sum,
                       min(r.value) FILTER (WHERE r.quality < 2) AS min,
                       max(r.value) FILTER (WHERE r.quality < 2) AS max,
                       first(r.value, r.ts) FILTER (WHERE r.quality < 2) AS first,
                       last(r.value, r.ts) FILTER (WHERE r.quality < 2) AS last,
                       counter_increase(array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2 AND s.counter)) AS increase
                FROM readings r JOIN rollup_series s ON s.series_id = r.series_id
                WHERE s.%1$s GROUP BY 1, 2 WITH NO DATA$q$, level, width);
            EXECUTE format('COMMENT ON VIEW readings_%1$s IS ''Readings per %1$s: continuous aggregate.''', level);
        ELSE
            EXECUTE format($q$
                CREATE TABLE readings_%s (
                    series_id integer NOT NULL,
                    ts        timestamptz NOT NULL,
                    count     integer NOT NULL,
                    bad       integer NOT NULL,
                    sum       double precision,
                    min       double precision,
                    max       double precision,
                    first     double precision,
                    last      double precision,
                    increase  double precision
                ) %s$q$, level,
                CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN '' ELSE 'PARTITION BY RANGE (ts)' END);
            EXECUTE format('CREATE UNIQUE INDEX readings_%1$s_series_ts ON readings_%1$s (series_id, ts)', level);
            EXECUTE format('COMMENT ON TABLE readings_%1$s IS ''Readings per %1$s. Writer: ingest.''', level);
            IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
                EXECUTE format('SELECT create_hypertable(%L, ''ts'', chunk_time_interval => interval ''30 days'', '
                               'create_default_indexes => false)', 'readings_' || level);
            END IF;
        END IF;
    END LOOP;
    IF community THEN
        ALTER TABLE readings SET (timescaledb.compress, timescaledb.compress_segmentby = 'series_id',
                                  timescaledb.compress_orderby = 'ts');
        PERFORM add_compression_policy('readings', compress_after => interval '2 days');
        -- Readings may be 30 days late; older buckets change no more.
        ALTER MATERIALIZED VIEW readings_minute SET (timescaledb.compress, timescaledb.compress_segmentby = 'series_id');
        PERFORM add_compression_policy('readings_minute', compress_after => interval '40 days');
    END IF;
END
$$;

-- Which of the three keeps the readings: decided when the tables were made, whatever the server offers since.
CREATE FUNCTION storage_backend() RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN (SELECT relkind FROM pg_class WHERE oid = 'public.readings'::regclass) = 'p' THEN 'plain'
                WHEN (SELECT relkind FROM pg_class WHERE oid = 'public.readings_minute'::regclass) = 'v' THEN 'community'
                ELSE 'apache' END
$$;

-- Partitions or chunks of a level, oldest first.
CREATE FUNCTION storage_parts(of_level text) RETURNS TABLE (part text, since timestamptz, until timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    wanted text := CASE of_level WHEN 'raw' THEN 'readings' ELSE 'readings_' || of_level END;
BEGIN
    IF storage_backend() = 'plain' THEN
        RETURN QUERY
            SELECT c.oid::regclass::text, b[1]::timestamptz, b[2]::timestamptz
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
                 regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('(.+)'\) TO \('(.+)'\)$re$) AS b
            WHERE i.inhparent = to_regclass(wanted) ORDER BY 2;
    ELSE
        IF storage_backend() = 'community' AND of_level <> 'raw' THEN
            EXECUTE 'SELECT materialization_hypertable_name FROM timescaledb_information.continuous_aggregates '
                    'WHERE view_schema = ''public'' AND view_name = $1' INTO wanted USING wanted;
        END IF;
        RETURN QUERY EXECUTE 'SELECT format(''%I.%I'', chunk_schema, chunk_name), range_start, range_end '
            'FROM timescaledb_information.chunks WHERE hypertable_name = $1 ORDER BY range_start' USING wanted;
    END IF;
END
$$;

-- Makes the partitions of these months for both rollups (plain PostgreSQL; TimescaleDB needs none).
CREATE FUNCTION make_rollup_partitions(months date[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month  date;
    parent text;
    name   text;
    made   integer := 0;
BEGIN
    IF storage_backend() <> 'plain' THEN
        RETURN 0;
    END IF;
    FOR month, parent IN
        SELECT DISTINCT date_trunc('month', m)::date, p FROM unnest(months) AS m, unnest(ARRAY['readings_minute', 'readings_hour']) AS p
    LOOP
        name := parent || '_' || to_char(month, 'YYYYMM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING INDEXES)', name, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name,
                       month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Retention of one level: drops at most so many partitions or chunks that end before the moment. What holds readings of a
-- community that replays recorded data stays. Waits a second at most for readers: writers queue behind it meanwhile.
CREATE FUNCTION drop_expired(of_level text, before timestamptz, at_most integer) RETURNS TABLE (dropped integer, kept integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    name     text := CASE of_level WHEN 'raw' THEN 'readings' ELSE 'readings_' || of_level END;
    recorded integer[];
    old      record;
    is_used  boolean;
BEGIN
    dropped := 0;
    kept := 0;
    SELECT array_agg(p.series_id) INTO recorded FROM points p JOIN communities c USING (community_id) WHERE c.mode = 'replay';
    FOR old IN SELECT * FROM storage_parts(of_level) AS s WHERE s.until <= before LOOP
        EXIT WHEN dropped >= at_most;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE ts >= $1 AND ts < $2 AND series_id = ANY ($3))', name)
            INTO is_used USING old.since, old.until, recorded;
        IF is_used THEN
            kept := kept + 1;
        ELSIF storage_backend() = 'plain' THEN
            EXECUTE 'DROP TABLE ' || old.part;
            dropped := dropped + 1;
        ELSE
            EXECUTE 'SELECT count(*) FROM drop_chunks($1::regclass, older_than => $2, newer_than => $3)'
                INTO is_used USING name, old.until, old.since;
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN NEXT;
END
$$;
DROP FUNCTION drop_reading_partitions(date);

-- Lets the small index on time know the newest pages; else each pass of the rollup job reads them all.
CREATE FUNCTION summarize_readings() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name regclass;
BEGIN
    FOR name IN
        SELECT x.indexrelid FROM storage_parts('raw') AS s JOIN pg_index x ON x.indrelid = s.part::regclass
        JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE a.amname = 'brin' AND s.until > now() - interval '1 day' AND s.since < now()
    LOOP
        PERFORM brin_summarize_new_values(name);
    END LOOP;
END
$$;

-- One name on all servers: rollups with the newest readings computed on the fly where the job has not come yet.
DO $$
DECLARE
    level text;
BEGIN
    FOREACH level IN ARRAY ARRAY['minute', 'hour'] LOOP
        IF storage_backend() = 'community' THEN
            EXECUTE format('CREATE VIEW rollups_%1$s AS SELECT series_id, ts, count, bad, sum, min, max, first, last, increase '
                           'FROM readings_%1$s', level);
            CONTINUE;
        END IF;
        EXECUTE format($q$
            CREATE VIEW rollups_%1$s AS
            SELECT series_id, ts, count, bad, sum, min, max, first, last, increase FROM readings_%1$s
            WHERE ts < (SELECT rolled_until FROM storage_levels WHERE level = '%1$s')
            UNION ALL
            SELECT series_id, ts, count, bad, sum, min, max, good[1], good[cardinality(good)],
                   CASE WHEN counter THEN counter_increase(good) END
            FROM (SELECT r.series_id, date_trunc('%1$s', r.ts, 'UTC') AS ts, s.counter,
                         count(*) FILTER (WHERE r.quality < 2)::integer AS count,
                         count(*) FILTER (WHERE r.quality >= 2)::integer AS bad,
                         sum(r.value) FILTER (WHERE r.quality < 2) AS sum,
                         min(r.value) FILTER (WHERE r.quality < 2) AS min,
                         max(r.value) FILTER (WHERE r.quality < 2) AS max,
                         array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2) AS good
                  FROM readings r JOIN rollup_series s USING (series_id)
                  WHERE s.%1$s AND r.ts >= (SELECT rolled_until FROM storage_levels WHERE level = '%1$s')
                  GROUP BY r.series_id, 2, s.counter) AS newest$q$, level);
        -- What is in the database already is rolled up by the job, part by part.
        EXECUTE format('UPDATE storage_levels SET sealed_until = date_trunc(''hour'', now()), '
                       'rolled_until = date_trunc(''hour'', now()) WHERE level = %L', level);
    END LOOP;
    INSERT INTO rollup_dirty (hour, hours)  -- the continuous aggregates wait for the first entries in rollup_series
    SELECT since, greatest(1, extract(epoch FROM until - since)::integer / 3600) FROM storage_parts('raw')
    WHERE storage_backend() <> 'community' ORDER BY since;
END
$$;

-- TimescaleDB community: late readings invalidate their buckets, this job computes them again. Only where raw readings
-- still are: a refresh over dropped chunks would empty the buckets that outlive them. `rollup_dirty` holds hours in which
-- a point was added to the rollups.
DO $$
BEGIN
    IF storage_backend() <> 'community' THEN
        RETURN;
    END IF;
    EXECUTE $p$
        CREATE PROCEDURE refresh_rollups(job_id integer, config jsonb) LANGUAGE plpgsql AS $body$
        DECLARE
            span  record;
            mark  record;
            level text;
            width interval;
            newest timestamptz;
        BEGIN
            FOR mark IN
                SELECT hour, hour + max(hours) * interval '1 h' AS until, max(mark_id) AS newest
                FROM public.rollup_dirty GROUP BY hour ORDER BY hour DESC LIMIT 500
            LOOP
                FOREACH level IN ARRAY ARRAY['hour', 'minute'] LOOP  -- what is refreshed is no longer computed on the fly
                    newest := least(mark.until, date_trunc(level, now()));
                    CONTINUE WHEN newest <= mark.hour;
                    CALL public.refresh_continuous_aggregate('public.readings_' || level, mark.hour, newest, force => true);
                END LOOP;
                DELETE FROM public.rollup_dirty d WHERE d.hour = mark.hour AND d.mark_id <= mark.newest;
                COMMIT;
            END LOOP;
            FOREACH level IN ARRAY ARRAY['hour', 'minute'] LOOP
                width := CASE level WHEN 'minute' THEN interval '1 min' ELSE interval '1 h' END;
                newest := date_trunc(level, now());
                FOR span IN
                    SELECT min(since) AS since, least(max(until), newest) AS until
                    FROM (SELECT since, until, sum(fresh) OVER (ORDER BY since) AS island
                          FROM (SELECT since, until,
                                       CASE WHEN since = lag(until) OVER (ORDER BY since)
                                            AND extract(epoch FROM since)::bigint / 691200 = extract(epoch FROM lag(since) OVER (ORDER BY since))::bigint / 691200
                                            THEN 0 ELSE 1 END AS fresh
                                FROM public.storage_parts('raw')) AS a) AS b
                    GROUP BY island ORDER BY 1 DESC
                LOOP
                    CONTINUE WHEN span.until - span.since < width;
                    CALL public.refresh_continuous_aggregate('public.readings_' || level, span.since, span.until);
                    COMMIT;
                END LOOP;
            END LOOP;
        END
        $body$
    $p$;
    EXECUTE 'REVOKE ALL ON PROCEDURE refresh_rollups(integer, jsonb) FROM PUBLIC';
    PERFORM add_job('refresh_rollups', interval '1 min');
END
$$;

REVOKE ALL ON FUNCTION counter_increase(double precision[]), storage_backend(), storage_parts(text),
    make_rollup_partitions(date[]), drop_expired(text, timestamptz, integer), summarize_readings() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION counter_increase(double precision[]), storage_backend(), storage_parts(text) TO watchkeep_ingest, watchkeep_analytics;
GRANT EXECUTE ON FUNCTION make_rollup_partitions(date[]), drop_expired(text, timestamptz, integer), summarize_readings()
    TO watchkeep_ingest;
GRANT SELECT ON storage_levels TO watchkeep_ingest;
GRANT UPDATE ON storage_levels TO watchkeep_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON rollup_series TO watchkeep_ingest;
GRANT SELECT, INSERT, DELETE ON rollup_dirty TO watchkeep_ingest;
GRANT SELECT ON rollups_minute, rollups_hour, replay_watermarks TO watchkeep_ingest;
DO $$
BEGIN
    IF storage_backend() <> 'community' THEN
        GRANT SELECT, INSERT, UPDATE ON readings_minute, readings_hour TO watchkeep_ingest;
    END IF;
END
$$;
