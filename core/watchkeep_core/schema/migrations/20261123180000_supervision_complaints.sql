-- Complaints of residents and channels: they enter the same life cycle as warnings (ARCHITECTURE §7).
-- depends: 20261123140000_judging

-- What stands in the QR code of a community, for places that are no equipment.
ALTER TABLE communities ADD COLUMN report_token uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX communities_report_token ON communities (report_token);

-- Writer: dispatch (its functions also run in the console's transactions; residents come through report_problem() alone).
CREATE TABLE complaints (
    complaint_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token           uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),  -- the reporter's key to the result
    source          text NOT NULL,                -- a case source of the vocabulary
    channel_no      text CHECK (channel_no <> ''),  -- its number in the channel's own system
    community_id    text NOT NULL REFERENCES communities,
    equipment_id    text,
    condition       text NOT NULL,
    place           text NOT NULL DEFAULT '' CHECK (length(place) <= 200),
    description     text NOT NULL CHECK (length(description) BETWEEN 1 AND 4000),
    contact_name    text NOT NULL DEFAULT '' CHECK (length(contact_name) <= 100),
    contact_phone   text NOT NULL DEFAULT '' CHECK (length(contact_phone) <= 40),  -- console reads it through a function only
    contact_masked  text GENERATED ALWAYS AS (CASE WHEN length(contact_phone) < 8 THEN ''
                        ELSE left(contact_phone, 3) || '****' || right(contact_phone, 4) END) STORED,
    photo           bytea CHECK (length(photo) <= 1048576),  -- until it is the case's evidence
    photo_type      text NOT NULL DEFAULT '',
    property_org_id text REFERENCES organisations,   -- who managed the community when it was received
    received_at     timestamptz NOT NULL,
    entered_by      uuid,
    case_id         bigint REFERENCES cases,
    attached        boolean NOT NULL DEFAULT false,  -- to a case that was open already
    refusal         text NOT NULL DEFAULT '',        -- why it could not be filed; a person has to look
    answer_zh       text NOT NULL DEFAULT '',
    answer_en       text NOT NULL DEFAULT '',
    answered_at     timestamptz,
    satisfied       boolean,
    rated_at        timestamptz,
    rating_note     text NOT NULL DEFAULT '' CHECK (length(rating_note) <= 2000),
    FOREIGN KEY (community_id, equipment_id) REFERENCES equipment
);
COMMENT ON TABLE complaints IS 'Complaints and calls, each with its reporter''s token and answer. Writer: dispatch.';
CREATE UNIQUE INDEX complaints_channel_no ON complaints (source, channel_no) WHERE channel_no IS NOT NULL;
CREATE INDEX complaints_case ON complaints (case_id);
CREATE INDEX complaints_received ON complaints (received_at);
CREATE INDEX complaints_community ON complaints (community_id, complaint_id DESC);
CREATE INDEX complaints_waiting ON complaints (complaint_id) WHERE case_id IS NULL AND refusal = '';
CREATE INDEX complaints_unanswered ON complaints (case_id) WHERE answered_at IS NULL AND case_id IS NOT NULL;
CREATE TRIGGER notify_change AFTER INSERT ON complaints FOR EACH ROW EXECUTE FUNCTION notify_change('complaint_id');

-- Residents have no login: these functions are all they can reach, each keyed by a secret of a printed code or a link.
CREATE FUNCTION report_place(code uuid)
RETURNS TABLE (community_id text, community text, community_en text, equipment_id text, equipment text, equipment_en text, kind text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.community_id, c.name, c.name_en, e.equipment_id, e.name, e.name_en, e.kind
    FROM equipment e JOIN communities c USING (community_id)
    WHERE e.report_token = code AND e.status <> 'retired' AND c.mode = 'live'
    UNION ALL
    SELECT c.community_id, c.name, c.name_en, NULL, NULL, NULL, NULL FROM communities c WHERE c.report_token = code AND c.mode = 'live'
$$;

-- A report from a QR code: its token, or NULL when the place is unknown or has had too many reports within the hour
-- (the page limits by address too; this bound holds across all workers).
CREATE FUNCTION report_problem(code uuid, what text, details text, at_place text, name text, phone text, picture bytea, picture_type text,
                               at_most integer)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO complaints (source, community_id, equipment_id, condition, place, description, contact_name, contact_phone, photo,
                            photo_type, property_org_id, received_at)
    SELECT 'qr_code', p.community_id, p.equipment_id, what, at_place, details, name, phone, picture, picture_type,
           (SELECT c.property_org_id FROM communities c WHERE c.community_id = p.community_id), now()
    FROM report_place(code) p
    WHERE (SELECT count(*) FROM complaints x WHERE x.source = 'qr_code' AND x.community_id = p.community_id
               AND x.equipment_id IS NOT DISTINCT FROM p.equipment_id AND x.received_at > now() - interval '1 h') < at_most
    RETURNING token
$$;

-- What a reporter may know of the own report: no names of people, no other reports.
CREATE FUNCTION report_status(of_token uuid)
RETURNS TABLE (community text, community_en text, equipment text, equipment_en text, condition text, received_at timestamptz,
               refused boolean, state text, responsible text, finish_due timestamptz, answer_zh text, answer_en text,
               answered_at timestamptz, satisfied boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT m.name, m.name_en, e.name, e.name_en, p.condition, p.received_at, p.refusal <> '', k.state, o.name,
           (SELECT w.finish_due FROM orders w WHERE w.case_id = k.case_id AND w.lead AND w.closed_at IS NULL),
           p.answer_zh, p.answer_en, p.answered_at, p.satisfied
    FROM complaints p JOIN communities m USING (community_id) LEFT JOIN equipment e USING (community_id, equipment_id)
    LEFT JOIN cases k ON k.case_id = p.case_id LEFT JOIN organisations o ON o.org_id = k.responsible_org_id
    WHERE p.token = of_token
$$;

-- The reporter's verdict on an answer, once.
CREATE FUNCTION rate_answer(of_token uuid, is_satisfied boolean, note text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH rated AS (
        UPDATE complaints SET satisfied = is_satisfied, rated_at = now(), rating_note = left(note, 2000)
        WHERE token = of_token AND answered_at IS NOT NULL AND rated_at IS NULL RETURNING 1)
    SELECT EXISTS (SELECT FROM rated)
$$;

-- Name and number of a reporter, for those who see the whole community; the caller writes the audit entry.
CREATE FUNCTION complaint_contact(of_complaint bigint) RETURNS TABLE (contact_name text, contact_phone text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.contact_name, p.contact_phone FROM complaints p
    WHERE p.complaint_id = of_complaint AND p.community_id = ANY (my_communities())
$$;

ALTER TABLE complaints ENABLE ROW LEVEL SECURITY;
ALTER TABLE complaints FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON complaints TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY services_all ON complaints TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY mine ON complaints TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[]) OR EXISTS (SELECT FROM cases c WHERE c.case_id = complaints.case_id));

REVOKE ALL ON FUNCTION report_place(uuid), report_problem(uuid, text, text, text, text, text, bytea, text, integer),
    report_status(uuid), rate_answer(uuid, boolean, text), complaint_contact(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION report_place(uuid), report_problem(uuid, text, text, text, text, text, bytea, text, integer),
    report_status(uuid), rate_answer(uuid, boolean, text), complaint_contact(bigint) TO watchkeep_console;
GRANT SELECT, INSERT, UPDATE ON complaints TO watchkeep_dispatch;
GRANT INSERT, UPDATE ON complaints TO watchkeep_console;
GRANT SELECT (complaint_id, token, source, channel_no, community_id, equipment_id, condition, place, description, contact_masked,
    property_org_id, received_at, entered_by, case_id, attached, refusal, answer_zh, answer_en, answered_at, satisfied, rated_at,
    rating_note) ON complaints TO watchkeep_console;
