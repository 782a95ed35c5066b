-- Emergency use of the maintenance fund; monthly study of the ledger.
-- depends: 20261123161000_lifecycle_preventive

-- Writer: dispatch.
CREATE TABLE fund_requests (
    request_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id     bigint NOT NULL REFERENCES cases,
    trigger     text NOT NULL,                  -- which emergency of the list (watchkeep_dispatch/fund.py)
    estimate    numeric(12, 2) NOT NULL CHECK (estimate > 0),  -- yuan
    reason      text NOT NULL CHECK (reason <> ''),
    state       text NOT NULL,
    due_at      timestamptz,                    -- of the next step; null when nothing is awaited
    opened_at   timestamptz NOT NULL,
    settled     numeric(12, 2) CHECK (settled >= 0),           -- yuan actually spent
    closed_at   timestamptz
);
CREATE UNIQUE INDEX fund_requests_one_open ON fund_requests (case_id) WHERE closed_at IS NULL;
COMMENT ON TABLE fund_requests IS 'Emergency use of the special maintenance fund for a case. Writer: dispatch.';

CREATE TABLE fund_steps (
    step_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id bigint NOT NULL REFERENCES fund_requests,
    action     text NOT NULL,
    from_state text,
    to_state   text NOT NULL,
    person_id  uuid NOT NULL REFERENCES people,
    at         timestamptz NOT NULL,
    note       text NOT NULL DEFAULT ''
);
CREATE INDEX fund_steps_request ON fund_steps (request_id, step_id);
COMMENT ON TABLE fund_steps IS 'Request, verification on site, publicity, approval, settlement of fund requests. Append-only. Writer: dispatch.';

CREATE TABLE ledger_studies (
    study_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id            bigint NOT NULL REFERENCES cases,
    month              date NOT NULL CHECK (extract(day FROM month) = 1),
    finding            text NOT NULL CHECK (finding <> ''),
    responsible_org_id text NOT NULL REFERENCES organisations,
    due_on             date NOT NULL,
    person_id          uuid NOT NULL REFERENCES people,
    at                 timestamptz NOT NULL
);
CREATE INDEX ledger_studies_case ON ledger_studies (case_id, month);
COMMENT ON TABLE ledger_studies IS 'Monthly study of each ledger entry: finding, responsible unit, time limit (plan item 11). Append-only. Writer: dispatch.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['fund_requests', 'fund_steps', 'ledger_studies'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON %I TO watchkeep_owner USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY services_all ON %I TO watchkeep_dispatch USING (true) WITH CHECK (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['fund_requests', 'ledger_studies'] LOOP
        EXECUTE format('CREATE POLICY mine ON %1$I TO watchkeep_console '
                       'USING (EXISTS (SELECT FROM cases c WHERE c.case_id = %1$I.case_id))', name);
    END LOOP;
END
$$;
CREATE POLICY mine ON fund_steps TO watchkeep_console USING (
    EXISTS (SELECT FROM fund_requests f WHERE f.request_id = fund_steps.request_id));
GRANT SELECT, INSERT, UPDATE ON fund_requests TO watchkeep_dispatch, watchkeep_console;
GRANT SELECT, INSERT ON fund_steps, ledger_studies TO watchkeep_dispatch, watchkeep_console;
