-- Responsibility list, cases, orders, clocks, notifications. Sole writer: watchkeep_dispatch
-- (its functions also run inside the console's transactions, under the console's login).
-- depends: 20261122090300_people

-- Writer: dispatch. A published version is never changed; a case keeps the version it was judged by.
CREATE TABLE duty_lists (
    list_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    status       text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'withdrawn')),
    valid        tstzrange NOT NULL DEFAULT tstzrange(now(), NULL),
    created_by   uuid,
    published_by uuid,
    published_at timestamptz,
    CHECK ((status = 'draft') = (published_at IS NULL)),
    CHECK (published_by IS NULL OR published_by <> created_by)  -- four eyes
);
COMMENT ON TABLE duty_lists IS '权责清单 versions with effective dates. Writer: dispatch.';

-- Writer: dispatch. Null in a matching column = any; the most specific row wins (watchkeep_dispatch/routing.py).
CREATE TABLE duties (
    duty_id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list_id           integer NOT NULL REFERENCES duty_lists,
    row_no            integer NOT NULL,
    title             text NOT NULL,
    title_en          text NOT NULL,
    domain            text,
    kind              text,
    condition         text,
    ownership         text,
    handed_over       boolean,
    in_warranty       boolean,
    area_id           text REFERENCES areas,
    urban             boolean,
    class             text NOT NULL CHECK (class IN ('A', 'B', 'C')),
    first_responder   text NOT NULL,      -- party of the vocabulary; goes first when the owner is unknown (兜底)
    responsible       text NOT NULL,
    supervising       text NOT NULL,
    copied            text[] NOT NULL DEFAULT '{}',
    respond_in        interval,
    respond_kind      text CHECK (respond_kind IN ('urgent_hours', 'working_hours', 'working_days', 'natural_days')),
    arrive_in         interval,
    arrive_kind       text CHECK (arrive_kind IN ('urgent_hours', 'working_hours', 'working_days', 'natural_days')),
    finish_in         interval,
    finish_kind       text CHECK (finish_kind IN ('urgent_hours', 'working_hours', 'working_days', 'natural_days')),
    filing_condition  text NOT NULL DEFAULT '',
    closing_condition text NOT NULL DEFAULT '',
    evidence          text[] NOT NULL DEFAULT '{}',   -- kinds of evidence needed to resolve
    basis             text NOT NULL,
    mark              text NOT NULL,
    UNIQUE (list_id, row_no),
    CHECK ((respond_in IS NULL) = (respond_kind IS NULL)),
    CHECK ((arrive_in IS NULL) = (arrive_kind IS NULL)),
    CHECK ((finish_in IS NULL) = (finish_kind IS NULL))
);
COMMENT ON TABLE duties IS 'One row of the responsibility list. Writer: dispatch.';

-- Writer: dispatch. What takes its life from filed on (DOMAIN §6).
CREATE TABLE cases (
    case_id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id        text NOT NULL REFERENCES communities,
    equipment_id        text,
    condition           text NOT NULL,
    source              text NOT NULL,
    class               text NOT NULL CHECK (class IN ('A', 'B', 'C')),
    life_safety         boolean NOT NULL DEFAULT false,
    state               text NOT NULL,
    title_zh            text NOT NULL,
    title_en            text NOT NULL,
    duty_id             integer REFERENCES duties,    -- null: no duty matched, the first responder has it
    first_responder_id  text REFERENCES organisations,
    responsible_org_id  text REFERENCES organisations,
    supervising_org_id  text REFERENCES organisations,
    snapshot            jsonb NOT NULL DEFAULT '{}',  -- ownership, hand-over, warranty, contract at event time
    event_at            timestamptz NOT NULL,
    filed_at            timestamptz NOT NULL,
    closed_at           timestamptz,
    replay              boolean NOT NULL DEFAULT false,
    version             integer NOT NULL DEFAULT 1    -- compare-and-set
);
COMMENT ON TABLE cases IS '案件. Writer: dispatch.';
CREATE UNIQUE INDEX cases_one_open ON cases (community_id, equipment_id, condition)
    WHERE closed_at IS NULL AND equipment_id IS NOT NULL;
CREATE INDEX cases_recent ON cases (community_id, filed_at DESC);

-- Writer: dispatch. Unique on the warning: each warning becomes at most one case, whatever restarts.
CREATE TABLE case_warnings (
    warning_id bigint PRIMARY KEY REFERENCES warnings,
    case_id    bigint NOT NULL REFERENCES cases,
    role       text NOT NULL CHECK (role IN ('cause', 'recurrence', 'symptom'))
);
COMMENT ON TABLE case_warnings IS 'Which case a warning belongs to. Writer: dispatch.';
CREATE INDEX case_warnings_case ON case_warnings (case_id);

-- Writer: dispatch. 研判: what was decided about a warning, by the timer or by a person.
CREATE TABLE verdicts (
    verdict_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    warning_id bigint NOT NULL REFERENCES warnings,
    verdict    text NOT NULL CHECK (verdict IN ('filed', 'dismissed', 'merged', 'suppressed')),
    rule       text NOT NULL,            -- person, auto_file, maintenance_window, topology, silence …
    reason     text NOT NULL,
    person_id  uuid,
    at         timestamptz NOT NULL
);
COMMENT ON TABLE verdicts IS 'Judgement of each warning, with the rule and the reason. Writer: dispatch.';
CREATE INDEX verdicts_warning ON verdicts (warning_id);

-- Writer: dispatch (its rows are born by the trigger below). Warnings that wait for a verdict, so that nobody searches
-- all warnings for them; claimed with SKIP LOCKED, since dispatch may not lock rows of warnings.
CREATE TABLE unjudged (
    warning_id  bigint PRIMARY KEY REFERENCES warnings,
    life_safety boolean NOT NULL,
    not_before  timestamptz NOT NULL DEFAULT '-infinity'  -- a timer, or the end of the window that suppresses it
);
COMMENT ON TABLE unjudged IS 'Warnings that wait for a verdict. Writer: dispatch.';
CREATE INDEX unjudged_turn ON unjudged (life_safety DESC, not_before, warning_id);

CREATE FUNCTION await_verdict() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO unjudged (warning_id, life_safety) VALUES (NEW.warning_id, NEW.life_safety);
    RETURN NULL;
END
$$;
CREATE TRIGGER await_verdict AFTER INSERT ON warnings FOR EACH ROW EXECUTE FUNCTION await_verdict();

-- Writer: dispatch. One assignment of a case; one lead.
CREATE TABLE orders (
    order_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id     bigint NOT NULL REFERENCES cases,
    community_id text NOT NULL REFERENCES communities,
    equipment_id text,
    org_id      text NOT NULL REFERENCES organisations,
    assignee_id uuid,
    lead        boolean NOT NULL DEFAULT true,
    state       text NOT NULL,
    dispatched_at timestamptz NOT NULL,
    responded_at  timestamptz,
    arrived_at    timestamptz,
    finished_at   timestamptz,
    respond_due timestamptz,
    arrive_due  timestamptz,
    finish_due  timestamptz,
    closed_at   timestamptz,
    version     integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE orders IS '工单: one assignment of a case. Writer: dispatch.';
CREATE UNIQUE INDEX orders_one_lead ON orders (case_id) WHERE lead AND closed_at IS NULL;
CREATE INDEX orders_org ON orders (org_id, dispatched_at DESC);
CREATE INDEX orders_open ON orders (respond_due, arrive_due, finish_due) WHERE closed_at IS NULL;

-- Writer: dispatch. Append-only history of both state machines.
CREATE TABLE transitions (
    transition_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id         bigint NOT NULL REFERENCES cases,
    order_id        bigint REFERENCES orders,
    action          text NOT NULL,
    from_state      text,
    to_state        text NOT NULL,
    person_id       uuid,                 -- null: the system
    at              timestamptz NOT NULL,
    note            text NOT NULL DEFAULT '',
    idempotency_key text UNIQUE
);
COMMENT ON TABLE transitions IS 'Every step of every case and order, append-only. Writer: dispatch.';
CREATE INDEX transitions_case ON transitions (case_id, transition_id);

-- Writer: dispatch.
CREATE TABLE evidence (
    evidence_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id      bigint NOT NULL REFERENCES cases,
    order_id     bigint REFERENCES orders,
    kind         text NOT NULL,           -- photo_before, photo_after, scan, note, reading, signature
    note         text NOT NULL DEFAULT '',
    media_type   text NOT NULL DEFAULT '',
    content      bytea,
    sha256       bytea,
    person_id    uuid,
    at           timestamptz NOT NULL
);
COMMENT ON TABLE evidence IS 'Photos, scans, notes, readings. Writer: dispatch.';
CREATE INDEX evidence_case ON evidence (case_id);

-- Writer: dispatch. Each (order, level) fires once, whatever restarts.
CREATE TABLE escalations (
    order_id  bigint NOT NULL REFERENCES orders,
    clock     text NOT NULL CHECK (clock IN ('respond', 'arrive', 'finish')),
    level     smallint NOT NULL CHECK (level BETWEEN 0 AND 9),  -- 0 = yellow card before the deadline
    to_party  text NOT NULL,
    due_at    timestamptz NOT NULL,
    fired_at  timestamptz NOT NULL,
    PRIMARY KEY (order_id, clock, level)
);
COMMENT ON TABLE escalations IS '督办: fired escalations. Writer: dispatch.';

-- Writer: dispatch. One row per message to one person or organisation; the job that sends it is in schema jobs.
CREATE TABLE notifications (
    notification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dedup_key       text NOT NULL UNIQUE,
    case_id         bigint REFERENCES cases,
    order_id        bigint REFERENCES orders,
    org_id          text REFERENCES organisations,
    person_id       uuid,
    channel         text NOT NULL,
    language        text NOT NULL DEFAULT 'zh',
    title           text NOT NULL,
    body            text NOT NULL,
    status          text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'sent', 'failed', 'read')),
    attempts        integer NOT NULL DEFAULT 0,
    error           text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    sent_at         timestamptz
);
COMMENT ON TABLE notifications IS 'Who was told what, and whether it arrived. Writer: dispatch.';
CREATE INDEX notifications_person ON notifications (person_id, notification_id DESC);
CREATE INDEX notifications_case ON notifications (case_id);

-- Writer: dispatch. Where an organisation wants to be told: an apprise URL, readable by dispatch only.
CREATE TABLE notification_channels (
    channel_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id     text NOT NULL REFERENCES organisations,
    name       text NOT NULL,
    url        text NOT NULL,
    enabled    boolean NOT NULL DEFAULT true,
    UNIQUE (org_id, name)
);
COMMENT ON TABLE notification_channels IS 'Notification targets of organisations. Writer: dispatch.';

-- Writer: dispatch. What cannot be solved goes here until it is struck off (挂账 … 销号).
CREATE TABLE ledger_entries (
    entry_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id      bigint NOT NULL UNIQUE REFERENCES cases,
    responsible_org_id text REFERENCES organisations,
    entered_at   timestamptz NOT NULL,
    due_on       date,
    struck_at    timestamptz,
    reason       text NOT NULL
);
COMMENT ON TABLE ledger_entries IS '台账. Writer: dispatch.';

-- One channel for everything people watch: {"table", "id", "community"}; payload is a hint, the row is the truth.
CREATE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('watchkeep', json_build_object('table', TG_TABLE_NAME,
        'id', to_jsonb(NEW) -> TG_ARGV[0], 'community', NEW.community_id)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER notify_change AFTER INSERT OR UPDATE ON warnings FOR EACH ROW EXECUTE FUNCTION notify_change('warning_id');
CREATE TRIGGER notify_change AFTER INSERT OR UPDATE ON cases FOR EACH ROW EXECUTE FUNCTION notify_change('case_id');
CREATE TRIGGER notify_change AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION notify_change('order_id');
