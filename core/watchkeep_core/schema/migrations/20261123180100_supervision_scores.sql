-- Facts that scores are made of, so that they come out the same for any past date; schemes, lists, appeals, credit, inspections.
-- depends: 20261123160000_lifecycle_clocks 20261123180000_supervision_complaints

-- What an order was when it was dispatched never changes afterwards: class, condition, whether it counts (replays and tests do
-- not), and which closed order of the same equipment and condition it follows within 30 days (复发, DOMAIN §7.2).
ALTER TABLE orders ADD COLUMN class text CHECK (class IN ('A', 'B', 'C')), ADD COLUMN condition text,
    ADD COLUMN scored boolean NOT NULL DEFAULT true, ADD COLUMN recurs_order_id bigint REFERENCES orders;
UPDATE orders o SET class = c.class, condition = c.condition, scored = NOT c.replay AND c.source <> 'test'
FROM cases c WHERE c.case_id = o.case_id;

CREATE FUNCTION order_facts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT c.class, c.condition, NOT c.replay AND c.source <> 'test' INTO NEW.class, NEW.condition, NEW.scored
    FROM cases c WHERE c.case_id = NEW.case_id;
    IF NEW.lead AND NEW.equipment_id IS NOT NULL THEN
        SELECT o.order_id INTO NEW.recurs_order_id FROM orders o
        WHERE o.community_id = NEW.community_id AND o.equipment_id = NEW.equipment_id AND o.condition = NEW.condition
          AND o.state = 'closed' AND o.closed_at BETWEEN NEW.dispatched_at - interval '30 days' AND NEW.dispatched_at
        ORDER BY o.closed_at DESC LIMIT 1;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER order_facts BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION order_facts();
-- When an order is judged. A column, for row-level security lets no coalesce() near an index (it might leak: measured, 4 s for 40 ms).
ALTER TABLE orders ADD COLUMN settles_at timestamptz NOT NULL GENERATED ALWAYS AS (coalesce(finish_due, respond_due, dispatched_at)) STORED;
CREATE INDEX orders_settled ON orders (settles_at) WHERE lead AND scored;
CREATE INDEX orders_same ON orders (community_id, equipment_id, condition, closed_at) WHERE state = 'closed';
CREATE INDEX orders_recur ON orders (dispatched_at, recurs_order_id) WHERE recurs_order_id IS NOT NULL;
CREATE INDEX orders_case ON orders (case_id);
CREATE INDEX orders_unfinished ON orders (order_id DESC) WHERE closed_at IS NULL;
CREATE INDEX cases_open ON cases (case_id DESC) WHERE closed_at IS NULL;
CREATE INDEX cases_overdue ON cases (filed_at) WHERE condition = 'maintenance_overdue';
CREATE INDEX transitions_pauses ON transitions (order_id, transition_id) WHERE action IN ('suspend', 'resume');
CREATE INDEX deadline_changes_at ON deadline_changes (at) WHERE clock = 'finish';

-- Finish deadlines that were moved within a span: numbers and times only, joined by the caller to orders it may see. Row-level
-- security of deadline_changes asks for the case of every row, which took most of the time of an indicator.
CREATE FUNCTION deadline_moves(since timestamptz, until timestamptz)
RETURNS TABLE (change_id bigint, order_id bigint, kind text, from_due timestamptz, to_due timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT d.change_id, d.order_id, d.kind, d.from_due, d.to_due FROM deadline_changes d
    WHERE d.clock = 'finish' AND d.at > since AND d.at <= until
$$;

-- Writer: core estate (its rows are born by the trigger below). Who managed how many households, and since when.
CREATE TABLE community_history (
    history_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id    text NOT NULL REFERENCES communities,
    at              timestamptz NOT NULL DEFAULT now(),
    property_org_id text REFERENCES organisations,
    area_id         text NOT NULL REFERENCES areas,
    households      integer NOT NULL
);
COMMENT ON TABLE community_history IS 'Property company, area and households of a community over time, append-only. Writer: core estate.';
CREATE INDEX community_history_at ON community_history (community_id, at);
CREATE FUNCTION note_community() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (OLD.property_org_id, OLD.area_id, OLD.households)
                           IS DISTINCT FROM (NEW.property_org_id, NEW.area_id, NEW.households) THEN
        INSERT INTO community_history (community_id, property_org_id, area_id, households)
        VALUES (NEW.community_id, NEW.property_org_id, NEW.area_id, NEW.households);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_community AFTER INSERT OR UPDATE ON communities FOR EACH ROW EXECUTE FUNCTION note_community();
INSERT INTO community_history (community_id, property_org_id, area_id, households)
SELECT community_id, property_org_id, area_id, households FROM communities;

-- Writer: dispatch. Credit events (信用信息), append-only: one that was wrong is withdrawn by another. A person's only with a judgment.
CREATE TABLE credit_events (
    event_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id       text NOT NULL REFERENCES organisations,
    person_name  text NOT NULL DEFAULT '',
    judgment_no  text NOT NULL DEFAULT '',
    kind         text NOT NULL CHECK (kind IN ('good', 'bad', 'veto', 'withdrawal')),
    code         text NOT NULL CHECK (code <> ''),
    points       numeric(6, 2) NOT NULL DEFAULT 0 CHECK (points >= 0),
    reason       text NOT NULL CHECK (reason <> ''),
    evidence_ref text NOT NULL CHECK (evidence_ref <> ''),
    case_id      bigint REFERENCES cases,
    withdraws_id bigint REFERENCES credit_events,
    occurred_on  date NOT NULL,
    valid_until  date NOT NULL CHECK (valid_until >= occurred_on),
    recorded_at  timestamptz NOT NULL,
    recorded_by  uuid,
    CHECK (person_name = '' OR judgment_no <> ''),
    CHECK ((kind = 'withdrawal') = (withdraws_id IS NOT NULL))
);
COMMENT ON TABLE credit_events IS 'Good and bad credit events with evidence, append-only. Writer: dispatch.';
CREATE INDEX credit_events_org ON credit_events (org_id, recorded_at);
CREATE UNIQUE INDEX credit_events_withdrawn ON credit_events (withdraws_id) WHERE withdraws_id IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Writer: dispatch. Patrols and half-year inspections (plan: 督导考核): points given of points possible, per heading.
CREATE TABLE inspections (
    inspection_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('half_year', 'monthly_patrol')),
    subject_kind  text NOT NULL CHECK (subject_kind IN ('company', 'community', 'subdistrict')),
    subject_id    text NOT NULL,
    heading       text NOT NULL CHECK (heading <> ''),
    points        numeric(6, 2) NOT NULL CHECK (points BETWEEN 0 AND possible),
    possible      numeric(6, 2) NOT NULL CHECK (possible > 0),
    note          text NOT NULL DEFAULT '',
    inspected_on  date NOT NULL,
    recorded_at   timestamptz NOT NULL,
    recorded_by   uuid
);
COMMENT ON TABLE inspections IS 'Results of patrols and half-year inspections, append-only. Writer: dispatch.';
CREATE INDEX inspections_subject ON inspections (subject_kind, subject_id, inspected_on);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON inspections FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Writer: dispatch. A scheme's version never changes; a period is scored by the version in force on its last day.
CREATE TABLE score_schemes (
    scheme     text NOT NULL CHECK (scheme ~ '^[a-z0-9_]{1,64}$'),
    valid_from date NOT NULL,
    spec       jsonb NOT NULL,
    saved_at   timestamptz NOT NULL,
    saved_by   uuid,
    PRIMARY KEY (scheme, valid_from)
);
COMMENT ON TABLE score_schemes IS 'Weights, bands and vetoes of scores, by effective date. Writer: dispatch.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON score_schemes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Writer: dispatch. 红灰榜: a list of one period under one scheme; published by a second person.
CREATE TABLE rankings (
    ranking_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scheme       text NOT NULL,
    since        timestamptz NOT NULL,
    until        timestamptz NOT NULL CHECK (until > since),
    as_of        timestamptz NOT NULL,
    area_id      text REFERENCES areas,   -- null: the whole city
    created_at   timestamptz NOT NULL,
    created_by   uuid,
    published_at timestamptz,
    published_by uuid,
    appeals_until timestamptz,
    CHECK ((published_at IS NULL) = (appeals_until IS NULL)),
    CHECK (published_by IS NULL OR published_by <> created_by)  -- four eyes
);
COMMENT ON TABLE rankings IS 'Red and grey lists per period, as drawn up and published. Writer: dispatch.';
CREATE TABLE ranking_rows (
    ranking_id integer NOT NULL REFERENCES rankings,
    subject_id text NOT NULL,
    name       text NOT NULL,
    score      numeric(7, 2),
    band       text NOT NULL DEFAULT '',
    list       text NOT NULL CHECK (list IN ('red', 'grey', 'none', 'not_ranked')),
    position   integer,
    cases      integer NOT NULL,
    detail     jsonb NOT NULL,
    corrected  text CHECK (corrected IN ('red', 'grey', 'none', 'not_ranked')),  -- by an appeal that was upheld
    PRIMARY KEY (ranking_id, subject_id)
);
COMMENT ON TABLE ranking_rows IS 'One company (or area) of a red and grey list with everything its score was made of. Writer: dispatch.';
CREATE TABLE appeals (
    appeal_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ranking_id integer NOT NULL,
    subject_id text NOT NULL,
    reason     text NOT NULL CHECK (reason <> ''),
    made_at    timestamptz NOT NULL,
    made_by    uuid,
    upheld     boolean,
    decision   text NOT NULL DEFAULT '',
    decided_at timestamptz,
    decided_by uuid,
    FOREIGN KEY (ranking_id, subject_id) REFERENCES ranking_rows,
    CHECK ((upheld IS NULL) = (decided_at IS NULL)),
    CHECK (decided_by IS NULL OR decided_by <> made_by)
);
COMMENT ON TABLE appeals IS 'Appeals against a place on a list, with their decision. Writer: dispatch.';
CREATE UNIQUE INDEX appeals_one_open ON appeals (ranking_id, subject_id) WHERE upheld IS NULL;

-- Writer: dispatch (its functions run in the console's transactions). 公示栏, seed plan item 16; maintainers come from the contracts.
CREATE TABLE notices (
    notice_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL REFERENCES communities,
    section      text NOT NULL CHECK (section IN ('manager', 'phone', 'service', 'fee', 'parking', 'shared_utilities', 'income', 'expense')),
    title        text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    body         text NOT NULL DEFAULT '' CHECK (length(body) <= 2000),
    amount_yuan  numeric(14, 2),
    period       text NOT NULL DEFAULT '' CHECK (length(period) <= 50),
    saved_at     timestamptz NOT NULL,
    saved_by     uuid,
    removed_at   timestamptz
);
COMMENT ON TABLE notices IS 'The public notice board of a community; what is taken down stays with its date. Writer: dispatch.';
CREATE INDEX notices_community ON notices (community_id, section) WHERE removed_at IS NULL;

CREATE FUNCTION notice_board(of_community text)
RETURNS TABLE (section text, title text, body text, amount_yuan numeric, period text, saved_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT b.section, b.title, b.body, b.amount_yuan, b.period, b.saved_at FROM (
        SELECT n.notice_id AS place, n.section, n.title, n.body, n.amount_yuan, n.period, n.saved_at
        FROM notices n JOIN communities c USING (community_id)
        WHERE n.community_id = of_community AND n.removed_at IS NULL AND c.mode = 'live'
        UNION ALL
        SELECT 0, 'community', c.name, coalesce(c.name_en, ''), NULL, '', NULL FROM communities c
        WHERE c.community_id = of_community AND c.mode = 'live'
        UNION ALL
        SELECT 0, 'company', o.name, o.duty_phone, NULL, coalesce(o.credit_code, ''), NULL
        FROM communities c JOIN organisations o ON o.org_id = c.property_org_id
        WHERE c.community_id = of_community AND c.mode = 'live'
        UNION ALL
        SELECT 0, 'maintainer', o.name, o.duty_phone, NULL, k.kind, NULL
        FROM contracts k JOIN organisations o ON o.org_id = k.provider_org_id JOIN communities c USING (community_id)
        WHERE k.community_id = of_community AND k.valid @> current_date AND k.kind <> 'property_company' AND c.mode = 'live') b
    ORDER BY b.section, b.place, b.title
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['community_history', 'credit_events', 'inspections', 'score_schemes', 'rankings',
                                'ranking_rows', 'appeals', 'notices'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON %I TO watchkeep_owner USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY services_all ON %I TO watchkeep_dispatch USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
CREATE POLICY known ON score_schemes TO watchkeep_console USING (my_person() IS NOT NULL);
CREATE POLICY mine ON community_history TO watchkeep_console USING (community_id = ANY ((SELECT my_communities())::text[]));
CREATE POLICY mine ON credit_events TO watchkeep_console USING (
    org_id = ANY ((SELECT my_organisations())::text[]) OR EXISTS (SELECT FROM communities c WHERE c.property_org_id = credit_events.org_id)
    OR EXISTS (SELECT FROM contracts k WHERE k.provider_org_id = credit_events.org_id));
CREATE POLICY known ON inspections TO watchkeep_console USING (my_person() IS NOT NULL);
-- A draft is for its makers (those who see an area); what is published is for everybody who is logged in.
CREATE POLICY known ON rankings TO watchkeep_console USING (my_person() IS NOT NULL AND (published_at IS NOT NULL
    OR EXISTS (SELECT FROM memberships m WHERE m.person_id = my_person() AND m.scope_kind = 'area' AND m.valid @> now())));
CREATE POLICY known ON ranking_rows TO watchkeep_console USING (EXISTS (SELECT FROM rankings r WHERE r.ranking_id = ranking_rows.ranking_id));
CREATE POLICY known ON appeals TO watchkeep_console USING (EXISTS (SELECT FROM rankings r WHERE r.ranking_id = appeals.ranking_id));
CREATE POLICY mine ON notices TO watchkeep_console USING (community_id = ANY ((SELECT my_communities())::text[]));

REVOKE ALL ON FUNCTION order_facts(), note_community(), notice_board(text), deadline_moves(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION deadline_moves(timestamptz, timestamptz) TO watchkeep_dispatch, watchkeep_console;
GRANT EXECUTE ON FUNCTION notice_board(text) TO watchkeep_console;
GRANT SELECT ON community_history TO watchkeep_dispatch, watchkeep_console;
GRANT SELECT, INSERT ON credit_events, inspections, score_schemes TO watchkeep_dispatch;
GRANT SELECT, INSERT, UPDATE ON rankings, ranking_rows, appeals, notices TO watchkeep_dispatch;
GRANT SELECT, INSERT ON credit_events, inspections TO watchkeep_console;
GRANT SELECT ON score_schemes TO watchkeep_console;
GRANT SELECT, INSERT, UPDATE ON rankings, ranking_rows, appeals, notices TO watchkeep_console;
