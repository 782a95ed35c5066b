-- The life of a case: more clocks, extensions, persons in the escalation chain, call-backs, rotas, checked evidence.
-- depends: 20261123140000_judging

ALTER TABLE duties ADD COLUMN clear_for interval CHECK (clear_for > interval '0');
COMMENT ON COLUMN duties.clear_for IS 'The sensor must have been normal so long before the case is closed; null = not at all.';
-- A draft nobody wants any more stays, marked; a published list is never withdrawn, a later one takes its place.
ALTER TABLE duty_lists DROP CONSTRAINT duty_lists_check,
    ADD CONSTRAINT duty_lists_published CHECK (status = 'withdrawn' OR (status = 'published') = (published_at IS NOT NULL));

ALTER TABLE orders ADD COLUMN verify_due timestamptz;      -- set when the handler reports it done
ALTER TABLE escalations DROP CONSTRAINT escalations_clock_check,
    ADD CONSTRAINT escalations_clock_check CHECK (clock IN ('respond', 'arrive', 'finish', 'verify')),
    ADD COLUMN persons uuid[] NOT NULL DEFAULT '{}';       -- who was told by name
COMMENT ON COLUMN escalations.persons IS 'People who were told by name; empty when the organisation has nobody in that role.';

-- Writer: dispatch. Clocks of a case that no order carries.
CREATE TABLE case_escalations (
    case_id  bigint NOT NULL REFERENCES cases,
    clock    text NOT NULL CHECK (clock IN ('dispatch', 'callback')),
    level    smallint NOT NULL CHECK (level BETWEEN 0 AND 9),
    since    timestamptz NOT NULL,             -- a case that is opened again is called back again
    to_party text NOT NULL,
    persons  uuid[] NOT NULL DEFAULT '{}',
    due_at   timestamptz NOT NULL,
    fired_at timestamptz NOT NULL,
    PRIMARY KEY (case_id, clock, level, since)
);
COMMENT ON TABLE case_escalations IS 'Escalations of clocks before the first and after the last order: each level once. Writer: dispatch.';

-- Writer: dispatch. Never changed.
CREATE TABLE deadline_changes (
    change_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id     bigint NOT NULL REFERENCES cases,
    order_id    bigint NOT NULL REFERENCES orders,
    clock       text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('pause', 'resume', 'extension')),
    from_due    timestamptz,                    -- null: the order has no such deadline
    to_due      timestamptz CHECK (to_due >= from_due),
    reason      text NOT NULL,
    person_id   uuid REFERENCES people,
    approver_id uuid REFERENCES people,
    at          timestamptz NOT NULL
);
CREATE INDEX deadline_changes_case ON deadline_changes (case_id);
COMMENT ON TABLE deadline_changes IS 'Approved pauses and extensions with the deadline before and after. Append-only. Writer: dispatch.';

-- Writer: dispatch. Never changed.
CREATE TABLE case_callbacks (
    callback_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id     bigint NOT NULL REFERENCES cases,
    person_id   uuid REFERENCES people,
    at          timestamptz NOT NULL,
    reached     boolean NOT NULL,
    satisfied   boolean,                        -- null = not reached, or gave no opinion
    note        text NOT NULL DEFAULT '',
    CHECK (reached OR satisfied IS NULL)
);
CREATE INDEX cases_closed ON cases (closed_at DESC) WHERE state = 'closed';
CREATE INDEX case_callbacks_case ON case_callbacks (case_id);
COMMENT ON TABLE case_callbacks IS 'Call-backs (回访) after a case was closed. Append-only. Writer: dispatch.';

-- Writer: dispatch. What somebody is licensed for.
CREATE TABLE person_skills (
    person_id      uuid NOT NULL REFERENCES people,
    skill          text NOT NULL CHECK (skill ~ '^[a-z0-9_]{1,64}$'),
    certificate_no text NOT NULL DEFAULT '',
    valid          daterange NOT NULL CHECK (NOT isempty(valid)),
    PRIMARY KEY (person_id, skill, valid)
);
COMMENT ON TABLE person_skills IS 'Certificates (特种设备作业人员证 …) with their validity. Writer: dispatch.';

CREATE TABLE rota_shifts (
    shift_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id       text NOT NULL REFERENCES organisations,
    community_id text REFERENCES communities,   -- null = all communities of the organisation
    person_id    uuid NOT NULL REFERENCES people,
    during       tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during))
);
CREATE INDEX rota_shifts_org ON rota_shifts (org_id, upper(during));
COMMENT ON TABLE rota_shifts IS 'Who is on call for an organisation and when. Writer: dispatch.';

CREATE TABLE rota_swaps (
    swap_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shift_id    bigint NOT NULL REFERENCES rota_shifts ON DELETE CASCADE,
    from_person uuid NOT NULL REFERENCES people,
    to_person   uuid NOT NULL REFERENCES people,
    reason      text NOT NULL CHECK (reason <> ''),
    person_id   uuid REFERENCES people,
    at          timestamptz NOT NULL
);
COMMENT ON TABLE rota_swaps IS 'Shifts that went from one person to another, with the reason. Writer: dispatch.';

CREATE TABLE assignment_rules (
    org_id text PRIMARY KEY REFERENCES organisations,
    mode   text NOT NULL CHECK (mode IN ('on_call', 'round_robin', 'grab', 'manual'))
);
COMMENT ON TABLE assignment_rules IS 'How an organisation gives its orders to its people; without a row: grab. Writer: dispatch.';

ALTER TABLE evidence
    ADD COLUMN original_sha256 bytea,           -- of the file as it came, where it was made smaller
    ADD COLUMN latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    ADD COLUMN longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    ADD COLUMN taken_at text,                   -- as the camera says it: local time without a zone
    ADD COLUMN matches boolean;                 -- a scan: whether its code is that of the case's equipment
COMMENT ON COLUMN evidence.matches IS 'Of a scanned code: whether it is the code of the equipment; null for other kinds and codes of another sort.';

-- Roles of somebody towards a case, also of one whom the asking person does not see (an approver).
CREATE FUNCTION roles_towards(who uuid, of_community text, of_organisations text[])
RETURNS TABLE (roles text[], organisations text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT m.role), '{}'),
           coalesce(array_agg(DISTINCT m.scope_id) FILTER (WHERE m.scope_kind = 'organisation'), '{}')
    FROM memberships m JOIN people p USING (person_id)
    WHERE m.person_id = who AND p.active AND m.valid @> now() AND CASE m.scope_kind
        WHEN 'organisation' THEN m.scope_id = ANY (of_organisations)
        WHEN 'community' THEN m.scope_id = of_community
        ELSE EXISTS (SELECT FROM communities c JOIN areas a USING (area_id)
                     WHERE c.community_id = of_community AND m.scope_id = ANY (a.path)) END
$$;
REVOKE ALL ON FUNCTION roles_towards(uuid, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION roles_towards(uuid, text, text[]) TO watchkeep_dispatch, watchkeep_console;

-- Joint handling: an organisation helps once at a time; who leads must know of helpers whose orders it does not see.
CREATE UNIQUE INDEX orders_one_helper ON orders (case_id, org_id) WHERE NOT lead AND closed_at IS NULL;
CREATE FUNCTION open_helpers(of_case bigint) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*)::integer FROM orders WHERE case_id = of_case AND NOT lead AND closed_at IS NULL
$$;
REVOKE ALL ON FUNCTION open_helpers(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_helpers(bigint) TO watchkeep_dispatch, watchkeep_console;

-- Whether somebody holds a certificate; asked for only in organisations that have entered any of that sort.
CREATE FUNCTION licensed(who uuid, of_org text, wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT wanted IS NULL
        OR EXISTS (SELECT FROM person_skills k WHERE k.person_id = who AND k.skill = wanted AND k.valid @> current_date)
        OR NOT EXISTS (SELECT FROM person_skills k JOIN memberships m USING (person_id)
                       WHERE k.skill = wanted AND m.scope_kind = 'organisation' AND m.scope_id = of_org AND m.valid @> now())
$$;
REVOKE ALL ON FUNCTION licensed(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION licensed(uuid, text, text) TO watchkeep_dispatch, watchkeep_console;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['case_escalations', 'deadline_changes', 'case_callbacks', 'person_skills', 'rota_shifts',
                                'rota_swaps', 'assignment_rules'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON %I TO watchkeep_owner USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY services_all ON %I TO watchkeep_dispatch USING (true) WITH CHECK (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['case_escalations', 'deadline_changes', 'case_callbacks'] LOOP
        EXECUTE format('CREATE POLICY mine ON %1$I TO watchkeep_console '
                       'USING (EXISTS (SELECT FROM cases c WHERE c.case_id = %1$I.case_id))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['rota_shifts', 'assignment_rules'] LOOP
        EXECUTE format('CREATE POLICY mine ON %1$I TO watchkeep_console '
                       'USING (org_id = ANY ((SELECT my_organisations())::text[]))', name);
    END LOOP;
END
$$;
CREATE POLICY mine ON person_skills TO watchkeep_console USING (
    EXISTS (SELECT FROM people p WHERE p.person_id = person_skills.person_id));
CREATE POLICY mine ON rota_swaps TO watchkeep_console USING (
    EXISTS (SELECT FROM rota_shifts s WHERE s.shift_id = rota_swaps.shift_id));

GRANT SELECT, INSERT ON case_escalations, deadline_changes, case_callbacks, rota_swaps TO watchkeep_dispatch;
GRANT SELECT, INSERT, UPDATE, DELETE ON person_skills, rota_shifts, assignment_rules TO watchkeep_dispatch;
GRANT SELECT, INSERT ON deadline_changes, case_callbacks, rota_swaps TO watchkeep_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON rota_shifts, assignment_rules TO watchkeep_console;
GRANT SELECT ON case_escalations, person_skills TO watchkeep_console;
