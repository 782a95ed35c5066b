-- Preventive work: visits that come again by a plan; the hand-over log of duty rooms.
-- depends: 20261123160000_lifecycle_clocks

-- Writer: dispatch.
CREATE TABLE visit_plans (
    plan_id   text PRIMARY KEY CHECK (plan_id ~ '^[a-z0-9_]{1,64}$'),
    title_zh  text NOT NULL,
    title_en  text NOT NULL,
    kinds     text[] NOT NULL CHECK (cardinality(kinds) > 0),
    party     text NOT NULL,                    -- whose contract it is; without one the property company
    every     interval NOT NULL CHECK (every >= interval '1 hour'),
    ahead     interval NOT NULL CHECK (ahead >= interval '0' AND ahead < every),  -- listed so long before it is due
    overdue   text,                             -- condition of the case when it is overdue; null = none
    items     jsonb NOT NULL,                   -- [{"id", "zh", "en", "condition"}]
    basis     text NOT NULL,
    enabled   boolean NOT NULL DEFAULT true,
    since     timestamptz NOT NULL              -- the first visit is due one period later
);
COMMENT ON TABLE visit_plans IS 'Templates of preventive work: what is looked at, how often, by whom. Writer: dispatch.';

-- Writer: dispatch.
CREATE TABLE visits (
    visit_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id      text NOT NULL REFERENCES visit_plans,
    community_id text NOT NULL REFERENCES communities,
    equipment_id text NOT NULL,
    org_id       text NOT NULL REFERENCES organisations,
    due_at       timestamptz NOT NULL,
    opened_at    timestamptz NOT NULL,
    done_at      timestamptz,
    person_id    uuid REFERENCES people,
    results      jsonb,                         -- item → ok, failed or na
    signature    text NOT NULL DEFAULT '',
    note         text NOT NULL DEFAULT '',
    overdue_case bigint REFERENCES cases,
    found_cases  bigint[],                      -- of items that failed; null = still to be filed by the service
    CHECK ((done_at IS NULL) = (results IS NULL))
);
CREATE UNIQUE INDEX visits_one_open ON visits (plan_id, community_id, equipment_id) WHERE done_at IS NULL;
CREATE INDEX visits_done ON visits (plan_id, community_id, equipment_id, done_at DESC);
CREATE INDEX visits_unfiled ON visits (visit_id) WHERE done_at IS NOT NULL AND found_cases IS NULL;
CREATE INDEX visits_due ON visits (due_at) WHERE done_at IS NULL;
COMMENT ON TABLE visits IS 'Preventive work, due and done: one open per plan and equipment. Writer: dispatch.';

-- Writer: dispatch. Never changed, but for the acknowledgement.
CREATE TABLE duty_handovers (
    handover_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id    text NOT NULL REFERENCES communities,
    post            text NOT NULL CHECK (post IN ('control_room', 'duty_desk')),
    from_person     uuid NOT NULL REFERENCES people,
    to_person       uuid NOT NULL REFERENCES people CHECK (to_person <> from_person),
    at              timestamptz NOT NULL,
    note            text NOT NULL CHECK (note <> ''),
    open_cases      bigint[] NOT NULL,          -- as they stood at that moment
    open_warnings   integer NOT NULL,
    acknowledged_at timestamptz
);
CREATE INDEX duty_handovers_recent ON duty_handovers (community_id, at DESC);
COMMENT ON TABLE duty_handovers IS 'Hand-over log of duty rooms: what was open, and that the next one took it over. Writer: dispatch.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['visit_plans', 'visits', 'duty_handovers'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON %I TO watchkeep_owner USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY services_all ON %I TO watchkeep_dispatch USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
CREATE POLICY known ON visit_plans TO watchkeep_console USING (my_person() IS NOT NULL);
CREATE POLICY mine ON visits TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[]) OR org_id = ANY ((SELECT my_organisations())::text[]));
CREATE POLICY mine ON duty_handovers TO watchkeep_console USING (community_id = ANY ((SELECT my_communities())::text[]));
GRANT SELECT, INSERT, UPDATE ON visit_plans, visits, duty_handovers TO watchkeep_dispatch;
GRANT SELECT ON visit_plans TO watchkeep_console;
GRANT SELECT, UPDATE ON visits TO watchkeep_console;
GRANT SELECT, INSERT, UPDATE ON duty_handovers TO watchkeep_console;
