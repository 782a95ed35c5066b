-- Signals, warnings and what detectors learnt. Sole writer: watchkeep_analytics.
-- depends: 20261122090100_time_series

-- Writer: analytics. Every detector output, notices included.
CREATE TABLE signals (
    signal_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL REFERENCES communities,
    equipment_id text NOT NULL,
    series_id    integer,
    condition    text NOT NULL,
    tier         text NOT NULL CHECK (tier IN ('notice', 'warning', 'alarm')),
    active       boolean NOT NULL,        -- false: the condition is over
    detector     text NOT NULL,
    version      text NOT NULL,
    event_at     timestamptz NOT NULL,    -- when it was so, event time
    detected_at  timestamptz NOT NULL,    -- when we saw it, wall time
    score        double precision,
    evidence     jsonb NOT NULL DEFAULT '{}',
    warning_id   bigint                   -- the warning it opened, repeated or closed
);
COMMENT ON TABLE signals IS 'Every detector output. Writer: analytics.';
CREATE INDEX signals_equipment ON signals (community_id, equipment_id, event_at DESC);
CREATE INDEX signals_warning ON signals (warning_id);

-- Writer: analytics. status: open = the condition holds; cleared = it is over. What people judge is in verdicts.
CREATE TABLE warnings (
    warning_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id   text NOT NULL REFERENCES communities,
    equipment_id   text NOT NULL,
    series_id      integer,
    condition      text NOT NULL,
    tier           text NOT NULL CHECK (tier IN ('warning', 'alarm')),
    proposed_class text NOT NULL CHECK (proposed_class IN ('A', 'B', 'C')),
    life_safety    boolean NOT NULL DEFAULT false,
    status         text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'cleared')),
    event_at       timestamptz NOT NULL,
    detected_at    timestamptz NOT NULL,
    last_seen_at   timestamptz NOT NULL,   -- event time of the last signal of it
    cleared_at     timestamptz,            -- event time
    occurrences    integer NOT NULL DEFAULT 1,
    replay         boolean NOT NULL DEFAULT false,
    detector       text NOT NULL,
    version        text NOT NULL,
    evidence       jsonb NOT NULL,         -- readings, limit or expected band, contribution of each point
    sentence_zh    text NOT NULL,
    sentence_en    text NOT NULL,
    CHECK ((status = 'cleared') = (cleared_at IS NOT NULL))
);
COMMENT ON TABLE warnings IS '预警: signals of tier warning or alarm with a proposed class. Writer: analytics.';
-- One open warning per equipment and condition: the database decides, not code.
CREATE UNIQUE INDEX warnings_one_open ON warnings (community_id, equipment_id, condition) WHERE status = 'open';
CREATE INDEX warnings_recent ON warnings (community_id, detected_at DESC);
CREATE INDEX warnings_equipment ON warnings (community_id, equipment_id, event_at DESC);
ALTER TABLE signals ADD FOREIGN KEY (warning_id) REFERENCES warnings;

-- Writer: analytics. State of a worker, saved with the batch it had reached, restored with identical scores.
CREATE TABLE detector_states (
    lane      text NOT NULL CHECK (lane IN ('data', 'event')),
    partition smallint NOT NULL,
    detector  text NOT NULL,
    version   text NOT NULL,
    batch     bigint NOT NULL,        -- everything up to this batch is in the state
    saved_at  timestamptz NOT NULL DEFAULT now(),
    state     bytea NOT NULL,
    PRIMARY KEY (lane, partition, detector)
);
COMMENT ON TABLE detector_states IS 'Saved state of detectors. Writer: analytics.';

-- Writer: analytics. Trained models, versioned, so that one can be rolled back.
CREATE TABLE models (
    model_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text REFERENCES communities,
    scope        text NOT NULL,           -- what it is for: an equipment id or a fleet
    detector     text NOT NULL,
    trained_at   timestamptz NOT NULL DEFAULT now(),
    trained_from tstzrange NOT NULL,
    quality      jsonb NOT NULL DEFAULT '{}',
    active       boolean NOT NULL DEFAULT false,
    model        bytea NOT NULL
);
COMMENT ON TABLE models IS 'Trained models by version. Writer: analytics.';
CREATE UNIQUE INDEX models_one_active ON models (detector, scope, coalesce(community_id, '')) WHERE active;

-- Writer: core estate. While it lasts, warnings are suppressed with its reason, and kept on record.
CREATE TABLE maintenance_windows (
    window_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL REFERENCES communities,
    equipment_id text,                    -- null: the whole community
    during       tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT upper_inf(during)),
    reason       text NOT NULL CHECK (reason <> ''),
    created_by   uuid,
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE maintenance_windows IS 'Planned work: suppresses with a reason and an end. Life safety is never suppressed. Writer: core estate.';
