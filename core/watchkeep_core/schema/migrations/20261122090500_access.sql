-- Who may see and write what: identity, row-level security, grants (ARCHITECTURE §8).
-- depends: 20261122090400_cases

-- Identity is set per transaction: SELECT set_config('watchkeep.person_id', …, true). Without it the console sees nothing.
CREATE FUNCTION my_person() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('watchkeep.person_id', true), '')::uuid
$$;

-- Organisations I belong to through a valid membership.
CREATE FUNCTION my_organisations() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(m.scope_id), '{}')
    FROM memberships m JOIN people p USING (person_id)
    WHERE m.person_id = my_person() AND p.active AND m.valid @> now() AND m.scope_kind = 'organisation'
$$;

-- Communities I see as a whole: through my area, my property company, or by name.
CREATE FUNCTION my_communities() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT c.community_id), '{}')
    FROM memberships m
    JOIN people p USING (person_id)
    JOIN communities c ON CASE m.scope_kind
        WHEN 'community' THEN c.community_id = m.scope_id
        WHEN 'organisation' THEN c.property_org_id = m.scope_id
        ELSE (SELECT a.path @> ARRAY[m.scope_id] FROM areas a WHERE a.area_id = c.area_id) END
    WHERE m.person_id = my_person() AND p.active AND m.valid @> now()
$$;

-- May I see equipment of this kind in this community through a contract of one of my organisations?
CREATE FUNCTION contracted_to_me(of_community text, of_kind text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM contracts c
        WHERE c.community_id = of_community AND c.provider_org_id = ANY (my_organisations())
          AND (c.equipment_kinds IS NULL OR of_kind = ANY (c.equipment_kinds))
          AND c.valid @> current_date)
$$;

-- Readings of points that I may see, for charts. Readings carry no row-level security; this is their only door.
CREATE FUNCTION visible_readings(series integer[], since timestamptz, until timestamptz, at_most integer)
RETURNS TABLE (series_id integer, ts timestamptz, value double precision, quality smallint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.series_id, r.ts, r.value, r.quality
    FROM readings r
    WHERE r.ts >= since AND r.ts < until AND r.series_id = ANY (ARRAY(
        SELECT p.series_id FROM points p JOIN equipment e USING (community_id, equipment_id)
        WHERE p.series_id = ANY (series)
          AND (p.community_id = ANY (my_communities()) OR contracted_to_me(p.community_id, e.kind))))
    ORDER BY r.ts DESC
    LIMIT least(at_most, 100000)
$$;

-- The last reading by event time of each of these points that I may see, looking back at most `within`.
CREATE FUNCTION visible_latest(series integer[], within interval)
RETURNS TABLE (series_id integer, ts timestamptz, value double precision, quality smallint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.series_id, r.ts, r.value, r.quality
    FROM points p JOIN equipment e USING (community_id, equipment_id)
    LEFT JOIN replay_watermarks w ON w.community_id = p.community_id,
    LATERAL (SELECT ts, value, quality FROM readings
             WHERE readings.series_id = p.series_id
               AND readings.ts > coalesce(w.ts, now()) - within AND readings.ts <= coalesce(w.ts, now()) + interval '5 min'
             ORDER BY readings.ts DESC LIMIT 1) r
    WHERE p.series_id = ANY (series)
      AND (p.community_id = ANY (my_communities()) OR contracted_to_me(p.community_id, e.kind))
$$;

-- Row-level security. FORCE binds the owner too; the owner's policy lets migrations and definer functions work.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'areas', 'organisations', 'communities', 'buildings', 'floors', 'households', 'owners_committees', 'contracts',
        'handovers', 'equipment', 'warranties', 'equipment_links', 'gateways', 'points', 'point_limits', 'events',
        'gateway_status', 'signals', 'warnings', 'maintenance_windows', 'people', 'memberships', 'sessions', 'api_tokens',
        'idempotency_keys', 'audit_entries', 'duty_lists', 'duties', 'cases', 'case_warnings', 'verdicts', 'unjudged', 'orders',
        'transitions', 'evidence', 'escalations', 'notifications', 'notification_channels', 'ledger_entries']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON %I TO watchkeep_owner USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY services_all ON %I TO watchkeep_ingest, watchkeep_analytics, watchkeep_dispatch '
                       'USING (true) WITH CHECK (true)', name);
    END LOOP;
    -- Facts of the register that everyone who is logged in may read.
    FOREACH name IN ARRAY ARRAY['areas', 'organisations', 'duty_lists', 'duties'] LOOP
        EXECUTE format('CREATE POLICY known ON %I TO watchkeep_console USING (my_person() IS NOT NULL)', name);
    END LOOP;
    -- Things of a community, seen with the whole community.
    FOREACH name IN ARRAY ARRAY['floors', 'households', 'owners_committees', 'handovers', 'gateways', 'gateway_status',
                                'maintenance_windows'] LOOP
        EXECUTE format('CREATE POLICY mine ON %I TO watchkeep_console '
                       'USING (community_id = ANY ((SELECT my_communities())::text[]))', name);
    END LOOP;
    -- Things of a piece of equipment, seen with the equipment.
    FOREACH name IN ARRAY ARRAY['warranties', 'points', 'events', 'signals', 'warnings'] LOOP
        EXECUTE format('CREATE POLICY mine ON %1$I TO watchkeep_console '
                       'USING (community_id = ANY ((SELECT my_communities())::text[]) OR EXISTS (SELECT FROM equipment e '
                       'WHERE (e.community_id, e.equipment_id) = (%1$I.community_id, %1$I.equipment_id)))', name);
    END LOOP;
    -- Parts of a case, seen with the case.
    FOREACH name IN ARRAY ARRAY['case_warnings', 'transitions', 'evidence', 'ledger_entries'] LOOP
        EXECUTE format('CREATE POLICY mine ON %1$I TO watchkeep_console '
                       'USING (EXISTS (SELECT FROM cases c WHERE c.case_id = %1$I.case_id))', name);
    END LOOP;
    -- Sessions, tokens, keys: found by their secret, before a person is known.
    FOREACH name IN ARRAY ARRAY['sessions', 'api_tokens', 'idempotency_keys'] LOOP
        EXECUTE format('CREATE POLICY console ON %I TO watchkeep_console USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;

CREATE POLICY mine ON communities TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[])
    OR community_id IN (SELECT c.community_id FROM contracts c)
    OR community_id IN (SELECT o.community_id FROM orders o WHERE o.org_id = ANY ((SELECT my_organisations())::text[])));
CREATE POLICY mine ON contracts TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[])
    OR provider_org_id = ANY ((SELECT my_organisations())::text[]));
CREATE POLICY mine ON equipment TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[]) OR contracted_to_me(community_id, kind));
-- A maintainer must find the way to the lift: the name of the building, not its floors and households.
CREATE POLICY mine ON buildings TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[])
    OR EXISTS (SELECT FROM equipment e WHERE (e.community_id, e.building_id) = (buildings.community_id, buildings.building_id)));
CREATE POLICY mine ON equipment_links TO watchkeep_console USING (
    EXISTS (SELECT FROM equipment e WHERE (e.community_id, e.equipment_id) = (equipment_links.community_id, from_id)));
CREATE POLICY mine ON point_limits TO watchkeep_console USING (
    EXISTS (SELECT FROM points p WHERE p.series_id = point_limits.series_id));
CREATE POLICY mine ON verdicts TO watchkeep_console USING (
    EXISTS (SELECT FROM warnings w WHERE w.warning_id = verdicts.warning_id));
CREATE POLICY mine ON unjudged TO watchkeep_console USING (
    EXISTS (SELECT FROM warnings w WHERE w.warning_id = unjudged.warning_id));
CREATE POLICY mine ON orders TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[]) OR org_id = ANY ((SELECT my_organisations())::text[]));
CREATE POLICY mine ON cases TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[])
    OR responsible_org_id = ANY ((SELECT my_organisations())::text[])
    OR supervising_org_id = ANY ((SELECT my_organisations())::text[])
    OR first_responder_id = ANY ((SELECT my_organisations())::text[])
    OR EXISTS (SELECT FROM orders o WHERE o.case_id = cases.case_id AND o.org_id = ANY ((SELECT my_organisations())::text[])));
CREATE POLICY mine ON escalations TO watchkeep_console USING (
    EXISTS (SELECT FROM orders o WHERE o.order_id = escalations.order_id));
CREATE POLICY mine ON notifications TO watchkeep_console USING (
    person_id = my_person() OR org_id = ANY ((SELECT my_organisations())::text[])
    OR case_id IN (SELECT c.case_id FROM cases c));
CREATE POLICY mine ON notification_channels TO watchkeep_console USING (org_id = ANY ((SELECT my_organisations())::text[]));
CREATE POLICY written ON audit_entries FOR INSERT TO watchkeep_console WITH CHECK (true);
CREATE POLICY mine ON audit_entries FOR SELECT TO watchkeep_console USING (
    person_id = my_person()
    OR EXISTS (SELECT FROM memberships m WHERE m.person_id = my_person() AND m.role = 'auditor' AND m.valid @> now()));

-- People: the login page must find a person before anyone is logged in, by a function that returns one row; else
-- one sees oneself and those of organisations one works with. Administrators of people write through functions too.
CREATE FUNCTION login_candidate(wanted text)
RETURNS TABLE (person_id uuid, password_hash text, failed_logins integer, locked_until timestamptz, language text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.person_id, p.password_hash, p.failed_logins, p.locked_until, p.language
    FROM people p WHERE p.login = lower(wanted) AND p.active
$$;

CREATE FUNCTION record_login(who uuid, succeeded boolean, lock_after integer, lock_for interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE people SET
        failed_logins = CASE WHEN succeeded THEN 0 ELSE failed_logins + 1 END,
        locked_until = CASE WHEN succeeded THEN NULL
                            WHEN failed_logins + 1 >= lock_after THEN now() + lock_for ELSE locked_until END
    WHERE person_id = who
$$;

CREATE POLICY mine ON memberships TO watchkeep_console USING (
    person_id = my_person() OR scope_id = ANY ((SELECT my_organisations())::text[])
    OR scope_id = ANY ((SELECT my_communities())::text[]));
CREATE POLICY mine ON people TO watchkeep_console USING (
    person_id = my_person() OR org_id = ANY ((SELECT my_organisations())::text[])
    OR org_id IN (SELECT c.property_org_id FROM communities c) OR org_id IN (SELECT c.provider_org_id FROM contracts c));

-- Grants: each service writes its own tables, reads what it needs. Nothing for PUBLIC.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO watchkeep_ingest, watchkeep_analytics, watchkeep_dispatch, watchkeep_console;
GRANT EXECUTE ON FUNCTION my_person(), contiguous_seq(int8multirange)
    TO watchkeep_ingest, watchkeep_analytics, watchkeep_dispatch, watchkeep_console;

GRANT SELECT ON areas, communities, equipment, gateways, points TO watchkeep_ingest;
GRANT INSERT, UPDATE ON equipment, points TO watchkeep_ingest;          -- unclaimed ones, by core estate
GRANT SELECT, INSERT, UPDATE ON progress, aliases, gateway_status, batches, ingest_accounts, replay_watermarks TO watchkeep_ingest;
GRANT SELECT, INSERT ON readings, events, quarantine TO watchkeep_ingest;
GRANT SELECT, INSERT, DELETE ON parked TO watchkeep_ingest;
GRANT SELECT, INSERT, UPDATE ON dead_letters TO watchkeep_ingest;
GRANT INSERT ON point_limits TO watchkeep_ingest;
GRANT SELECT ON gaps, point_limits TO watchkeep_ingest;
GRANT EXECUTE ON FUNCTION make_reading_partitions(date[]), drop_reading_partitions(date) TO watchkeep_ingest;

GRANT SELECT ON areas, communities, buildings, equipment, equipment_links, gateways, points, point_limits, maintenance_windows,
    readings, events, batches, gateway_status, replay_watermarks, verdicts TO watchkeep_analytics;
GRANT SELECT, INSERT, UPDATE ON signals, warnings TO watchkeep_analytics;
GRANT SELECT, INSERT, UPDATE, DELETE ON detector_states, models TO watchkeep_analytics;

GRANT SELECT ON areas, organisations, communities, buildings, floors, contracts, handovers, equipment, warranties,
    equipment_links, gateways, points, gateway_status, maintenance_windows, signals, warnings, events, memberships, people,
    replay_watermarks, readings TO watchkeep_dispatch;
GRANT SELECT, INSERT, UPDATE ON duty_lists, cases, orders, notifications, ledger_entries TO watchkeep_dispatch;
GRANT SELECT, INSERT, UPDATE, DELETE ON duties, notification_channels TO watchkeep_dispatch;
GRANT SELECT, UPDATE, DELETE ON unjudged TO watchkeep_dispatch;
GRANT SELECT, INSERT ON case_warnings, verdicts, transitions, evidence, escalations, audit_seals TO watchkeep_dispatch;
GRANT SELECT ON audit_entries TO watchkeep_dispatch;

GRANT SELECT, INSERT, UPDATE, DELETE ON areas, organisations, communities, buildings, floors, households, owners_committees,
    contracts, handovers, equipment, warranties, equipment_links, gateways, points, point_limits, maintenance_windows
    TO watchkeep_console;
GRANT SELECT ON gateway_status, events, signals, warnings, duty_lists, duties, replay_watermarks, batches TO watchkeep_console;
GRANT SELECT, INSERT, UPDATE ON cases, orders, notifications, ledger_entries TO watchkeep_console;
GRANT SELECT, INSERT ON case_warnings, verdicts, transitions, evidence, escalations TO watchkeep_console;
GRANT SELECT, UPDATE, DELETE ON unjudged TO watchkeep_console;  -- a duty officer's verdict; UPDATE for the row lock
GRANT SELECT (person_id, login, name, org_id, phone_masked, email, language, active, created_at),
    UPDATE (language, password_hash) ON people TO watchkeep_console;
GRANT SELECT ON memberships TO watchkeep_console;
GRANT SELECT, INSERT, UPDATE ON sessions, api_tokens, idempotency_keys TO watchkeep_console;
GRANT DELETE ON sessions, idempotency_keys TO watchkeep_console;
GRANT SELECT (channel_id, org_id, name, enabled) ON notification_channels TO watchkeep_console;
GRANT SELECT, INSERT ON audit_entries TO watchkeep_console;
GRANT INSERT ON audit_entries TO watchkeep_ingest, watchkeep_analytics, watchkeep_dispatch;
GRANT EXECUTE ON FUNCTION my_organisations(), my_communities(), contracted_to_me(text, text),
    visible_readings(integer[], timestamptz, timestamptz, integer), visible_latest(integer[], interval),
    login_candidate(text), record_login(uuid, boolean, integer, interval) TO watchkeep_console;
