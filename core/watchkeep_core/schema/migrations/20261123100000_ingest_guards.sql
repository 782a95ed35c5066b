-- What ingest tells people about clocks and gaps. Sole writer: watchkeep_ingest.
-- depends: 20261122090600_wall

-- Writer: ingest. Devices whose clock was more than a second off at some time; one that never was has no row.
CREATE TABLE device_clocks (
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    skew_ms      double precision NOT NULL,  -- receive time minus stamp, median of the least delays; + = it is behind
    measured_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (community_id, equipment_id)
);
COMMENT ON TABLE device_clocks IS 'Devices whose clock is or was off, and by how much. Writer: ingest.';

-- Writer: ingest, in the transaction that stores what had been missing.
CREATE TABLE gap_recoveries (
    recovery_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL,
    gateway_id   text NOT NULL,
    lane         text NOT NULL CHECK (lane IN ('data', 'event')),
    epoch        text NOT NULL,
    state        text NOT NULL CHECK (state IN ('missing', 'lost')),  -- what the range had been
    first_seq    bigint NOT NULL,
    last_seq     bigint NOT NULL,
    recovered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gap_recoveries IS 'Exact ranges of messages that had been missing or lost and came after all. Writer: ingest.';
CREATE INDEX gap_recoveries_gateway ON gap_recoveries (community_id, gateway_id, recovered_at DESC);

DO $$
BEGIN
    ALTER TABLE device_clocks ENABLE ROW LEVEL SECURITY;
    ALTER TABLE device_clocks FORCE ROW LEVEL SECURITY;
    CREATE POLICY owner_all ON device_clocks TO watchkeep_owner USING (true) WITH CHECK (true);
    CREATE POLICY services_all ON device_clocks TO watchkeep_ingest, watchkeep_analytics, watchkeep_dispatch
        USING (true) WITH CHECK (true);
    CREATE POLICY mine ON device_clocks TO watchkeep_console
        USING (community_id = ANY ((SELECT my_communities())::text[]) OR EXISTS (SELECT FROM equipment e
               WHERE (e.community_id, e.equipment_id) = (device_clocks.community_id, device_clocks.equipment_id)));
END
$$;

GRANT SELECT, INSERT, UPDATE ON device_clocks TO watchkeep_ingest;
GRANT SELECT ON device_clocks TO watchkeep_analytics, watchkeep_console;
GRANT SELECT, INSERT ON gap_recoveries TO watchkeep_ingest;

-- Writer: ingest. `rows` messages of a replay from the command line, which has no session: the service sends them.
CREATE TABLE rows_outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane      text NOT NULL CHECK (lane IN ('data', 'event')),
    partition smallint NOT NULL,
    payload   bytea NOT NULL
);
COMMENT ON TABLE rows_outbox IS 'Rows messages that wait for the service to send them. Writer: ingest.';
GRANT SELECT, INSERT, DELETE ON rows_outbox TO watchkeep_ingest;
