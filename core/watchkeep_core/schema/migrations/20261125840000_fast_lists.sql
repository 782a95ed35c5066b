-- depends: 20261125800000_wall_comments
-- What row-level security asks of a person must not grow with the orders of his organisation; complaints and false warnings are
-- counted once, like orders; life safety wakes dispatch by a channel of its own; a reporter may leave a mail address;
-- a duty may ask for a contract, and for working time.

CREATE OR REPLACE FUNCTION my_communities() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT c.community_id), '{}')
    FROM memberships m JOIN people p USING (person_id), LATERAL (
        SELECT community_id FROM communities WHERE m.scope_kind = 'community' AND community_id = m.scope_id
        UNION ALL
        SELECT community_id FROM communities WHERE m.scope_kind = 'organisation' AND property_org_id = m.scope_id
        UNION ALL
        SELECT community_id FROM areas a JOIN communities USING (area_id)
        WHERE m.scope_kind = 'area' AND a.path @> ARRAY[m.scope_id]) c
    WHERE m.person_id = my_person() AND p.active AND m.valid @> now()
$$;

-- Communities in which my organisations ever had an order: one look into the index for each of them (orders_pair holds what
-- counts; helpers' orders, replays and tests are few, and stand in an index of their own).
CREATE INDEX orders_aside ON orders (org_id, community_id) WHERE NOT (lead AND scored);
COMMENT ON INDEX orders_pair IS 'Orders of one sum; communities of an organisation.';
CREATE FUNCTION my_order_communities() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE place AS (
        SELECT m.org_id, (SELECT min(o.community_id) FROM orders o WHERE o.org_id = m.org_id AND o.lead AND o.scored) AS community_id
        FROM unnest(my_organisations()) m (org_id)
        UNION ALL
        SELECT p.org_id, (SELECT min(o.community_id) FROM orders o
                          WHERE o.org_id = p.org_id AND o.community_id > p.community_id AND o.lead AND o.scored)
        FROM place p WHERE p.community_id IS NOT NULL
    ), found AS (
        SELECT community_id FROM place WHERE community_id IS NOT NULL
        UNION
        SELECT o.community_id FROM orders o WHERE o.org_id = ANY (my_organisations()) AND NOT (o.lead AND o.scored)
    )
    SELECT coalesce(array_agg(community_id), '{}') FROM found
$$;
ALTER FUNCTION my_order_communities() OWNER TO watchkeep_owner;
REVOKE ALL ON FUNCTION my_order_communities() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION my_order_communities() TO watchkeep_console;
DROP POLICY mine ON communities;
CREATE POLICY mine ON communities TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[])
    OR community_id IN (SELECT c.community_id FROM contracts c)
    OR community_id = ANY ((SELECT my_order_communities())::text[]));

-- Through a contract one sees equipment where there is one: only there each piece is looked at.
DROP POLICY mine ON equipment;
CREATE POLICY mine ON equipment TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[])
    OR (community_id IN (SELECT k.community_id FROM contracts k) AND contracted_to_me(community_id, kind)));
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['events', 'signals', 'warnings'] LOOP
        EXECUTE format('DROP POLICY mine ON %I', name);
        EXECUTE format('CREATE POLICY mine ON %1$I TO watchkeep_console '
                       'USING (community_id = ANY ((SELECT my_communities())::text[]) OR ('
                       'community_id IN (SELECT k.community_id FROM contracts k) AND EXISTS (SELECT FROM equipment e '
                       'WHERE (e.community_id, e.equipment_id) = (%1$I.community_id, %1$I.equipment_id))))', name);
    END LOOP;
END
$$;

-- Whether an order was paused at a moment, of one the caller may see; the policy of transitions asks for the case of every row.
CREATE FUNCTION paused_at(of_order bigint, moment timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT t.action = 'suspend' FROM transitions t
                     WHERE t.order_id = of_order AND t.action IN ('suspend', 'resume') AND t.at <= moment
                     ORDER BY t.transition_id DESC LIMIT 1), false)
$$;
ALTER FUNCTION paused_at(bigint, timestamptz) OWNER TO watchkeep_owner;
REVOKE ALL ON FUNCTION paused_at(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION paused_at(bigint, timestamptz) TO watchkeep_dispatch, watchkeep_console;

-- A thread of dispatch waits for life safety alone.
CREATE OR REPLACE FUNCTION await_verdict() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO unjudged (warning_id, life_safety) VALUES (NEW.warning_id, NEW.life_safety);
    IF NEW.life_safety THEN
        PERFORM pg_notify('watchkeep_life_safety', NEW.warning_id::text);
    END IF;
    RETURN NULL;
END
$$;

-- What an indicator counts by community alone, kept like order_sums and of the same spans.
CREATE TABLE community_sums (
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    community_id text NOT NULL REFERENCES communities,
    stale boolean NOT NULL DEFAULT true,
    known_at timestamptz,
    warnings integer NOT NULL DEFAULT 0,
    dismissed integer NOT NULL DEFAULT 0,
    complaints integer NOT NULL DEFAULT 0,
    rated_d integer NOT NULL DEFAULT 0,
    rated_n integer NOT NULL DEFAULT 0,
    PRIMARY KEY (since, until, community_id),
    FOREIGN KEY (since, until) REFERENCES order_spans ON DELETE CASCADE
);
COMMENT ON TABLE community_sums IS 'Warnings, those found false, complaints and opinions of a span by community; known_at = the last of these facts, stale = one came since. Writer: dispatch.';
CREATE INDEX community_sums_stale ON community_sums (since) WHERE stale;
CREATE INDEX verdicts_dismissed ON verdicts (warning_id) WHERE verdict = 'dismissed';
CREATE INDEX case_callbacks_at ON case_callbacks (at);

-- A fact of a counted span has come: its sum must be made anew.
CREATE FUNCTION community_sums_stale(of_community text, at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO community_sums (since, until, community_id)
    SELECT s.since, s.until, of_community FROM order_spans s WHERE s.since <= at AND at < s.until ORDER BY 1, 2
    ON CONFLICT (since, until, community_id) DO UPDATE SET stale = true WHERE NOT community_sums.stale
$$;
CREATE FUNCTION note_community_fact() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'warnings' THEN PERFORM community_sums_stale(NEW.community_id, NEW.detected_at);
    WHEN 'verdicts' THEN PERFORM community_sums_stale(w.community_id, w.detected_at) FROM warnings w WHERE w.warning_id = NEW.warning_id;
    WHEN 'complaints' THEN PERFORM community_sums_stale(NEW.community_id, NEW.received_at);
    WHEN 'case_callbacks' THEN PERFORM community_sums_stale(c.community_id, NEW.at) FROM cases c WHERE c.case_id = NEW.case_id;
    END CASE;
    RETURN NULL;
END
$$;
ALTER FUNCTION community_sums_stale(text, timestamptz) OWNER TO watchkeep_owner;
ALTER FUNCTION note_community_fact() OWNER TO watchkeep_owner;
REVOKE ALL ON FUNCTION community_sums_stale(text, timestamptz), note_community_fact() FROM PUBLIC;
-- A span is counted when it has been over for an hour at least: only a warning that comes late can belong to a counted one.
CREATE TRIGGER note_community_fact AFTER INSERT ON warnings FOR EACH ROW
    WHEN (NEW.detected_at < clock_timestamp() - interval '30 min') EXECUTE FUNCTION note_community_fact();
CREATE TRIGGER note_community_fact AFTER INSERT ON verdicts FOR EACH ROW
    WHEN (NEW.verdict = 'dismissed') EXECUTE FUNCTION note_community_fact();
CREATE TRIGGER note_community_fact AFTER INSERT OR UPDATE OF satisfied, rated_at ON complaints FOR EACH ROW EXECUTE FUNCTION note_community_fact();
CREATE TRIGGER note_community_fact AFTER INSERT ON case_callbacks FOR EACH ROW EXECUTE FUNCTION note_community_fact();

ALTER TABLE community_sums ENABLE ROW LEVEL SECURITY;
ALTER TABLE community_sums FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON community_sums TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY services_all ON community_sums TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY mine ON community_sums TO watchkeep_console USING (community_id = ANY ((SELECT my_communities())::text[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON community_sums TO watchkeep_dispatch;
GRANT SELECT ON community_sums TO watchkeep_console;
-- Spans that are there already get theirs.
INSERT INTO community_sums (since, until, community_id)
SELECT s.since, s.until, c.community_id FROM order_spans s, communities c WHERE c.mode = 'live';

-- A number or a mail address: the result goes there.
ALTER TABLE complaints DROP CONSTRAINT complaints_contact_phone_check;
ALTER TABLE complaints ADD CONSTRAINT complaints_contact_phone_check CHECK (length(contact_phone) <= 254);
COMMENT ON COLUMN complaints.contact_phone IS 'Phone number or mail address of the reporter; console reads it through a function only.';

-- Two more things that a duty may ask for; null = any.
ALTER TABLE duties ADD COLUMN contracted boolean, ADD COLUMN working_time boolean;
COMMENT ON COLUMN duties.contracted IS 'A maintainer is (not) under contract for equipment of this kind.';
COMMENT ON COLUMN duties.working_time IS 'It happened (not) in working hours of a working day.';
