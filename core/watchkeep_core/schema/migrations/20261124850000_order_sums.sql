-- depends: 20261124800000_wall_boards
-- Counts of orders by period, organisation and community, so that an indicator of a million orders need not read them all.

CREATE TABLE order_spans (
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    ready boolean NOT NULL DEFAULT false,
    made_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (since, until),
    CHECK (since < until)
);
COMMENT ON TABLE order_spans IS 'Days of this month and months before it whose orders are counted in order_sums; ready = all of them are, made_in = the transaction that began it. Writer: dispatch.';

CREATE TABLE order_sums (
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    org_id text NOT NULL REFERENCES organisations,
    community_id text NOT NULL REFERENCES communities,
    stale boolean NOT NULL DEFAULT true,
    known_at timestamptz,
    orders integer NOT NULL DEFAULT 0,
    respond_d integer NOT NULL DEFAULT 0,
    respond_n integer NOT NULL DEFAULT 0,
    arrive_d integer NOT NULL DEFAULT 0,
    arrive_n integer NOT NULL DEFAULT 0,
    due_d integer NOT NULL DEFAULT 0,
    on_time_n integer NOT NULL DEFAULT 0,
    closed_n integer NOT NULL DEFAULT 0,
    urgent_d integer NOT NULL DEFAULT 0,
    urgent_n integer NOT NULL DEFAULT 0,
    rework_d integer NOT NULL DEFAULT 0,
    rework_n integer NOT NULL DEFAULT 0,
    recur_d integer NOT NULL DEFAULT 0,
    recur_n integer NOT NULL DEFAULT 0,
    returned integer NOT NULL DEFAULT 0,
    returned_for interval NOT NULL DEFAULT '0',
    withdrawn integer NOT NULL DEFAULT 0,
    ledger integer NOT NULL DEFAULT 0,
    suspended integer NOT NULL DEFAULT 0,
    paused integer NOT NULL DEFAULT 0,
    paused_for interval NOT NULL DEFAULT '0',
    PRIMARY KEY (since, until, org_id, community_id),
    FOREIGN KEY (since, until) REFERENCES order_spans ON DELETE CASCADE
);
COMMENT ON TABLE order_sums IS 'What indicators count of the orders due in a span, as all facts have it; known_at = the last of these facts, stale = one came since. Writer: dispatch.';
CREATE INDEX order_sums_stale ON order_sums (since) WHERE stale;

CREATE INDEX orders_pair ON orders (org_id, community_id, settles_at) WHERE lead AND scored;
COMMENT ON INDEX orders_pair IS 'Orders of one sum.';
CREATE INDEX cases_same ON cases (community_id, equipment_id, condition, closed_at);
COMMENT ON INDEX cases_same IS 'Cases that a condition may come back to.';

-- An order that is due in a counted span has changed, has come or gone, or has come back: its sum must be made anew.
CREATE FUNCTION order_sums_stale() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
    AS $$
BEGIN
    INSERT INTO order_sums (since, until, org_id, community_id)
    SELECT DISTINCT s.since, s.until, x.org_id, x.community_id
    FROM (SELECT NEW.org_id AS org_id, NEW.community_id AS community_id, NEW.settles_at AS due
          UNION SELECT OLD.org_id, OLD.community_id, OLD.settles_at WHERE TG_OP = 'UPDATE'
          UNION SELECT o.org_id, o.community_id, o.settles_at FROM orders o WHERE TG_OP = 'INSERT' AND o.order_id = NEW.recurs_order_id) x
    JOIN order_spans s ON s.since <= x.due AND x.due < s.until
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (since, until, org_id, community_id) DO UPDATE SET stale = true WHERE NOT order_sums.stale;
    RETURN NULL;
END
$$;
ALTER FUNCTION order_sums_stale() OWNER TO watchkeep_owner;
REVOKE ALL ON FUNCTION order_sums_stale() FROM PUBLIC;
CREATE TRIGGER order_sums_stale AFTER INSERT OR UPDATE ON orders FOR EACH ROW
    WHEN (NEW.lead AND NEW.scored) EXECUTE FUNCTION order_sums_stale();

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['order_spans', 'order_sums'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON %I TO watchkeep_owner USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY services_all ON %I TO watchkeep_dispatch USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
CREATE POLICY known ON order_spans TO watchkeep_console USING (my_person() IS NOT NULL);
CREATE POLICY mine ON order_sums TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[]) OR org_id = ANY ((SELECT my_organisations())::text[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON order_spans, order_sums TO watchkeep_dispatch;
GRANT SELECT ON order_spans, order_sums TO watchkeep_console;

-- A resident's photo as a phone takes it; dispatch keeps a smaller one with the case and empties this.
ALTER TABLE complaints DROP CONSTRAINT complaints_photo_check;
ALTER TABLE complaints ADD CONSTRAINT complaints_photo_check CHECK (octet_length(photo) <= 20971520);
