-- Silences, storms, cases merged into another.
-- depends: 20261122090600_wall

-- Writer: dispatch. Told not to disturb, with a reason and an end; null in a matching column = any. Never life safety.
CREATE TABLE silences (
    silence_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL REFERENCES communities,
    equipment_id text,
    condition    text,
    during       tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT upper_inf(during) AND NOT lower_inf(during)),
    reason       text NOT NULL CHECK (reason <> ''),
    created_by   uuid,
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE silences IS 'Warnings held back on request, with reason and end. Life safety never is. Writer: dispatch.';
CREATE INDEX silences_community ON silences (community_id, upper(during));

-- Writer: dispatch. More equipment of one community warns at once than a desk can look at.
CREATE TABLE storms (
    storm_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL REFERENCES communities,
    began_at     timestamptz NOT NULL,
    ended_at     timestamptz,
    equipment    integer NOT NULL              -- pieces of equipment that warned when it began
);
COMMENT ON TABLE storms IS 'Alarm storms: class B and C warnings wait for a short time, life safety and class A do not. Writer: dispatch.';
CREATE UNIQUE INDEX storms_one_open ON storms (community_id) WHERE ended_at IS NULL;

ALTER TABLE cases ADD COLUMN parent_case_id bigint REFERENCES cases;  -- the case it was merged into (并案)
CREATE INDEX cases_children ON cases (parent_case_id) WHERE parent_case_id IS NOT NULL;
CREATE INDEX warnings_key ON warnings (community_id, equipment_id, condition, detected_at DESC);
CREATE INDEX warnings_by_time ON warnings (detected_at DESC);
CREATE INDEX verdicts_by_time ON verdicts (at DESC);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['silences', 'storms'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON %I TO watchkeep_owner USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY services_all ON %I TO watchkeep_dispatch USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY mine ON %I TO watchkeep_console '
                       'USING (community_id = ANY ((SELECT my_communities())::text[]))', name);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON silences, storms TO watchkeep_dispatch;
GRANT SELECT, INSERT, UPDATE ON silences TO watchkeep_console;
GRANT SELECT ON storms TO watchkeep_console;
GRANT UPDATE (case_id, role) ON case_warnings TO watchkeep_dispatch, watchkeep_console;
GRANT INSERT, UPDATE ON maintenance_windows TO watchkeep_dispatch;
