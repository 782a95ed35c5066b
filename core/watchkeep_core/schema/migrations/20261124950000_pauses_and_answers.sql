-- depends: 20261124900000_equipment_models

-- Writer: dispatch. Four eyes: whoever works on a case asks, somebody above him decides on his own login.
CREATE TABLE suspension_requests (
    request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id    bigint NOT NULL REFERENCES cases,
    order_id   bigint NOT NULL REFERENCES orders,
    asked_by   uuid NOT NULL REFERENCES people,
    asked_at   timestamptz NOT NULL,
    reason     text NOT NULL,
    decision   text CHECK (decision IN ('approved', 'refused', 'lapsed')),  -- null: still asked, or lapsed and not yet marked
    decided_by uuid REFERENCES people,
    decided_at timestamptz,
    remark     text NOT NULL DEFAULT '',
    CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CHECK ((decision IN ('approved', 'refused')) = (decided_by IS NOT NULL)),
    CHECK (decided_by <> asked_by)
);
CREATE UNIQUE INDEX suspension_requests_asked ON suspension_requests (order_id) WHERE decision IS NULL;
CREATE INDEX suspension_requests_case ON suspension_requests (case_id);
COMMENT ON TABLE suspension_requests IS 'Pauses asked for, and what a superior decided; the clocks go on until then. Writer: dispatch.';

ALTER TABLE suspension_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE suspension_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON suspension_requests TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY services_all ON suspension_requests TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY mine ON suspension_requests TO watchkeep_console USING (
    EXISTS (SELECT FROM cases c WHERE c.case_id = suspension_requests.case_id));
GRANT SELECT, INSERT ON suspension_requests TO watchkeep_dispatch, watchkeep_console;
GRANT UPDATE (decision, decided_by, decided_at, remark) ON suspension_requests TO watchkeep_dispatch, watchkeep_console;

-- The reporter hears the result where an address was left; never shown, so not among notifications.
ALTER TABLE complaints
    ADD COLUMN told_at       timestamptz,
    ADD COLUMN tell_again    timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN tell_attempts smallint NOT NULL DEFAULT 0,
    ADD COLUMN tell_error    text NOT NULL DEFAULT '';
COMMENT ON COLUMN complaints.told_at IS 'When the answer went out to the reporter; null: not yet, or there is no way.';
COMMENT ON COLUMN complaints.tell_again IS 'Not tried before: being handed over, or failed.';
CREATE INDEX complaints_untold ON complaints (answered_at) WHERE told_at IS NULL AND contact_phone <> '';
CREATE INDEX complaints_told ON complaints (contact_phone, told_at) WHERE told_at IS NOT NULL;
