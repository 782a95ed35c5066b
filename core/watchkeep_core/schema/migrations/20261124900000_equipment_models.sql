-- Trained models of equipment, every version with what came of its check.
-- depends: 20261124850000_order_sums

-- Writer: analytics. One row per attempt; of old versions only the newest few are kept.
CREATE TABLE equipment_models (
    community_id text NOT NULL REFERENCES communities,
    equipment_id text NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    trained_at   timestamptz NOT NULL DEFAULT now(),
    learnt_from  timestamptz NOT NULL,
    learnt_to    timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('active', 'replaced', 'rolled_back', 'refused')),
    why          text NOT NULL DEFAULT '',  -- of a refusal or a rollback
    figures      jsonb NOT NULL DEFAULT '{}',  -- rows, and how much of each channel the others explain
    parameters   bytea,  -- npz, arrays only; null when refused
    PRIMARY KEY (community_id, equipment_id, version),
    FOREIGN KEY (community_id, equipment_id) REFERENCES equipment,
    CHECK (learnt_from < learnt_to),
    CHECK ((state = 'refused') = (parameters IS NULL))
);
COMMENT ON TABLE equipment_models IS 'Trained models of equipment and their versions. Writer: analytics.';
CREATE UNIQUE INDEX equipment_models_active ON equipment_models (community_id, equipment_id) WHERE state = 'active';

ALTER TABLE equipment_models ENABLE ROW LEVEL SECURITY;
ALTER TABLE equipment_models FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON equipment_models TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY services_all ON equipment_models TO watchkeep_analytics USING (true) WITH CHECK (true);
CREATE POLICY mine ON equipment_models TO watchkeep_console
    USING (community_id = ANY ((SELECT my_communities())::text[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON equipment_models TO watchkeep_analytics;
GRANT SELECT ON equipment_models TO watchkeep_console;
