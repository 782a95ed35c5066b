-- Time series and the accounts of ingest. Sole writer: watchkeep_ingest.
-- depends: 20261122090000_estate

-- Writer: ingest. A hypertable where the server is TimescaleDB, else daily range partitions. No unique index and
-- no row-level security: identity of a reading is (gateway, epoch, seq) in progress (ARCHITECTURE §4, §8).
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE TABLE readings (
            series_id integer NOT NULL,
            ts        timestamptz NOT NULL,
            value     double precision NOT NULL,
            quality   smallint NOT NULL
        );
        PERFORM create_hypertable('readings', 'ts', chunk_time_interval => interval '1 day',
                                  create_default_indexes => false);
    ELSE
        CREATE TABLE readings (
            series_id integer NOT NULL,
            ts        timestamptz NOT NULL,
            value     double precision NOT NULL,
            quality   smallint NOT NULL
        ) PARTITION BY RANGE (ts);
    END IF;
END
$$;
COMMENT ON TABLE readings IS 'One row per reading; quality 0 good, 1 uncertain, 2 bad. Writer: ingest.';
CREATE INDEX readings_series_ts ON readings (series_id, ts);

-- Makes the partitions of the given UTC days (plain PostgreSQL; TimescaleDB needs none). ATTACH takes a weaker
-- lock than CREATE … PARTITION OF, so running COPYs are not stopped.
CREATE FUNCTION make_reading_partitions(days date[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day  date;
    name text;
    made integer := 0;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'public.readings'::regclass) <> 'p' THEN
        RETURN 0;
    END IF;
    FOREACH day IN ARRAY days LOOP
        name := 'readings_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtext('make_reading_partitions'));
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.readings INCLUDING DEFAULTS INCLUDING INDEXES)', name);
        EXECUTE format('ALTER TABLE public.readings ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                       name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Drops whole days before the given UTC day: the retention of raw readings.
CREATE FUNCTION drop_reading_partitions(before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name    text;
    dropped integer := 0;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'public.readings'::regclass) <> 'p' THEN
        EXECUTE 'SELECT count(*) FROM drop_chunks(''public.readings'', $1::timestamp AT TIME ZONE ''UTC'')'
            INTO dropped USING before;
        RETURN dropped;
    END IF;
    FOR name IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'public.readings'::regclass
          AND relname ~ '^readings_[0-9]{8}$' AND to_date(right(relname, 8), 'YYYYMMDD') < before
    LOOP
        EXECUTE format('DROP TABLE public.%I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- Writer: ingest. What a device said; key is the message's identity, two events may share a millisecond.
CREATE TABLE events (
    event_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL,
    gateway_id   text NOT NULL,
    epoch        text NOT NULL,
    seq          bigint NOT NULL,
    equipment_id text NOT NULL,     -- as said; may be unknown to the register
    condition    text NOT NULL,     -- as said; may be unknown to the vocabulary
    active       boolean NOT NULL,
    ts           timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    trusted      boolean NOT NULL,  -- false: ts out of bounds, judge by received_at
    raw_code     text NOT NULL DEFAULT '',
    profile      text NOT NULL DEFAULT '',
    attributes   jsonb NOT NULL DEFAULT '{}',
    UNIQUE (community_id, gateway_id, epoch, seq)
);
COMMENT ON TABLE events IS 'Device events, exactly as received. Writer: ingest.';
CREATE INDEX events_equipment ON events (community_id, equipment_id, ts DESC);

-- Writer: ingest. One row per gateway, lane and epoch: which seqs the database holds (or knows to be lost).
CREATE TABLE progress (
    community_id text NOT NULL,
    gateway_id   text NOT NULL,
    lane         text NOT NULL CHECK (lane IN ('data', 'event')),
    epoch        text NOT NULL,
    received     int8multirange NOT NULL DEFAULT '{}',
    lost         int8multirange NOT NULL DEFAULT '{}',
    started_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (community_id, gateway_id, lane, epoch)
);
COMMENT ON TABLE progress IS 'Exactly-once ledger: received and lost seqs per gateway, lane, epoch. Writer: ingest.';

-- The highest seq such that every seq from 0 to it is in the range; -1 when seq 0 is missing.
CREATE FUNCTION contiguous_seq(known int8multirange) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce((SELECT upper(r) - 1 FROM unnest(known) AS r WHERE lower(r) <= 0), -1)
$$;

-- Holes are the gap ledger: missing = may still come, lost = the gateway no longer has it.
CREATE VIEW gaps WITH (security_invoker = true) AS
SELECT community_id, gateway_id, lane, epoch, 'missing' AS state, lower(hole) AS first_seq, upper(hole) - 1 AS last_seq,
       updated_at
FROM progress,
     unnest(int8multirange(int8range(0, greatest(upper(range_merge(received)), upper(range_merge(lost)), 0)))
            - received - lost) AS hole
UNION ALL
SELECT community_id, gateway_id, lane, epoch, 'lost', lower(hole), upper(hole) - 1, updated_at
FROM progress, unnest(lost) AS hole;
COMMENT ON VIEW gaps IS 'Exact ranges of messages that are missing or lost.';

-- Writer: ingest. Within an epoch an alias means one series for ever.
CREATE TABLE aliases (
    community_id text NOT NULL,
    gateway_id   text NOT NULL,
    epoch        text NOT NULL,
    alias        integer NOT NULL,
    series_id    integer NOT NULL REFERENCES points,
    PRIMARY KEY (community_id, gateway_id, epoch, alias)
);
COMMENT ON TABLE aliases IS 'Alias → series, from births. Writer: ingest.';

-- Writer: ingest.
CREATE TABLE gateway_status (
    community_id    text NOT NULL,
    gateway_id      text NOT NULL,
    online          boolean NOT NULL DEFAULT false,
    online_since    timestamptz,
    offline_since   timestamptz,
    last_message_at timestamptz,
    software        text NOT NULL DEFAULT '',
    configuration   text NOT NULL DEFAULT '',
    clock           jsonb NOT NULL DEFAULT '{}',
    skew_ms         double precision,  -- receive time minus stamp of live messages, smoothed; + = gateway is behind
    points          integer NOT NULL DEFAULT 0,
    born_at         timestamptz,
    PRIMARY KEY (community_id, gateway_id)
);
COMMENT ON TABLE gateway_status IS 'What gateways said of themselves, last. Writer: ingest.';

-- Writer: ingest. One row per rows message: readers find missing numbers here and re-read the span.
CREATE TABLE batches (
    lane         text NOT NULL CHECK (lane IN ('data', 'event')),
    partition    smallint NOT NULL CHECK (partition BETWEEN 0 AND 15),
    batch        bigint NOT NULL,
    row_count    integer NOT NULL,
    min_ts       timestamptz NOT NULL,
    max_ts       timestamptz NOT NULL,
    series       int4range,          -- lowest to highest series in it; null for events
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, partition, batch)
);
COMMENT ON TABLE batches IS 'Committed batches, numbered without holes per lane and partition. Writer: ingest.';

-- Writer: ingest. Telemetry that waits for its reason to go: unknown alias, point over the cap, rate limit.
CREATE TABLE parked (
    parked_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL,
    gateway_id   text NOT NULL,
    epoch        text NOT NULL,
    seq          bigint NOT NULL,
    reason       text NOT NULL,
    readings     integer NOT NULL,
    payload      bytea NOT NULL,     -- a data message that holds only the parked readings
    parked_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE parked IS 'Readings that wait for their alias, cap or limit; replayed when the reason is gone. Writer: ingest.';
CREATE INDEX parked_gateway ON parked (community_id, gateway_id, epoch);

-- Writer: ingest. Readings whose stamps are out of bounds: never in the series, never silently changed.
CREATE TABLE quarantine (
    quarantine_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id  text NOT NULL,
    gateway_id    text NOT NULL,
    series_id     integer NOT NULL,
    ts            timestamptz NOT NULL,
    value         double precision NOT NULL,
    quality       smallint NOT NULL,
    reason        text NOT NULL CHECK (reason IN ('too_old', 'in_future')),
    received_at   timestamptz NOT NULL
);
COMMENT ON TABLE quarantine IS 'Readings with impossible stamps, kept for people to judge. Writer: ingest.';

-- Writer: ingest. A message that cannot be understood: raw bytes and why.
CREATE TABLE dead_letters (
    dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at    timestamptz NOT NULL,
    topic          text NOT NULL,
    payload        bytea NOT NULL,
    reason         text NOT NULL,
    detail         text NOT NULL,
    community_id   text,
    gateway_id     text,
    replayed_at    timestamptz,
    replay_result  text
);
COMMENT ON TABLE dead_letters IS 'Messages that could not be understood, whole, with the reason. Writer: ingest.';
CREATE INDEX dead_letters_open ON dead_letters (dead_letter_id) WHERE replayed_at IS NULL;

-- Writer: ingest, in the transaction that stores the batch: exact at any moment (ARCHITECTURE §4).
CREATE TABLE ingest_accounts (
    lane          text NOT NULL,
    partition     smallint NOT NULL,
    received      bigint NOT NULL DEFAULT 0,  -- messages = processed + duplicate + dead_lettered
    processed     bigint NOT NULL DEFAULT 0,
    duplicate     bigint NOT NULL DEFAULT 0,
    dead_lettered bigint NOT NULL DEFAULT 0,
    decoded       bigint NOT NULL DEFAULT 0,  -- readings (or events) = stored + quarantined + parked
    stored        bigint NOT NULL DEFAULT 0,
    quarantined   bigint NOT NULL DEFAULT 0,
    parked        bigint NOT NULL DEFAULT 0,
    late          bigint NOT NULL DEFAULT 0,  -- of the stored: behind their series' watermark
    PRIMARY KEY (lane, partition)
);
COMMENT ON TABLE ingest_accounts IS 'Both accounting identities, per lane and partition. Writer: ingest.';

-- Writer: ingest. "Now" of a community that replays recorded data.
CREATE TABLE replay_watermarks (
    community_id text PRIMARY KEY REFERENCES communities,
    ts           timestamptz NOT NULL
);
COMMENT ON TABLE replay_watermarks IS 'Event-time now of replay communities. Writer: ingest.';
