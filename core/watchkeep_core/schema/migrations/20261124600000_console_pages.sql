-- What the pages of managers, supervisors and administrators read and write: people by their administrators, lists by
-- their publishers, channels, rules, the account of each gateway.
-- depends: 20261124300000_detection_feedback

-- Roles I hold now, in scopes of one kind; null = in any. What concerns a whole city asks for a role in an area.
CREATE FUNCTION my_roles(of_kind text) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT m.role), '{}')
    FROM memberships m JOIN people p USING (person_id)
    WHERE m.person_id = my_person() AND p.active AND m.valid @> now() AND (of_kind IS NULL OR m.scope_kind = of_kind)
$$;

-- Do I administer this area, organisation or community? An administrator of a root area administers everything; one of
-- an area what lies in it, its organisations, and those that manage or serve a community there.
CREATE FUNCTION administers(of_kind text, of_scope text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM memberships m JOIN people p USING (person_id)
        LEFT JOIN areas mine ON m.scope_kind = 'area' AND mine.area_id = m.scope_id
        WHERE m.person_id = my_person() AND p.active AND m.valid @> now() AND m.role IN ('sys_admin', 'sec_admin')
          AND ((mine.area_id IS NOT NULL AND mine.parent_id IS NULL)
            OR (m.scope_kind, m.scope_id) = (of_kind, of_scope)
            OR (mine.area_id IS NOT NULL AND CASE of_kind
                WHEN 'area' THEN EXISTS (SELECT FROM areas a WHERE a.area_id = of_scope AND a.path @> ARRAY[mine.area_id])
                WHEN 'community' THEN EXISTS (
                    SELECT FROM communities c JOIN areas a USING (area_id)
                    WHERE c.community_id = of_scope AND a.path @> ARRAY[mine.area_id])
                ELSE EXISTS (
                    SELECT FROM organisations o JOIN areas a USING (area_id)
                    WHERE o.org_id = of_scope AND a.path @> ARRAY[mine.area_id])
                  OR EXISTS (
                    SELECT FROM communities c JOIN areas a USING (area_id) LEFT JOIN contracts k USING (community_id)
                    WHERE of_scope IN (c.property_org_id, k.provider_org_id) AND a.path @> ARRAY[mine.area_id]) END)
            OR (m.scope_kind = 'organisation' AND of_kind = 'community' AND EXISTS (
                SELECT FROM communities c WHERE c.community_id = of_scope AND c.property_org_id = m.scope_id))))
$$;

-- A person is administered with the organisation they belong to, or with a scope they hold a role in.
CREATE FUNCTION administers_person(who uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM people p WHERE p.person_id = who AND p.org_id IS NOT NULL AND administers('organisation', p.org_id))
        OR EXISTS (SELECT FROM memberships m WHERE m.person_id = who AND administers(m.scope_kind, m.scope_id))
        OR EXISTS (SELECT FROM areas a WHERE a.parent_id IS NULL AND administers('area', a.area_id))
$$;

-- The only door by which a console writes people: an administrator of the person's organisation. Returns the person.
CREATE FUNCTION save_person(who uuid, new_login text, new_name text, new_org text, new_phone text, new_email text,
                            new_language text, new_hash text, is_active boolean) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    saved uuid;
    of_all boolean := EXISTS (SELECT FROM areas a WHERE a.parent_id IS NULL AND administers('area', a.area_id));
    refused boolean := new_org IS NOT NULL AND NOT administers('organisation', new_org);
BEGIN
    IF who IS NOT NULL THEN  -- nobody takes over an account that also holds a role outside of his scope
        refused := refused OR NOT administers_person(who) OR EXISTS (
            SELECT FROM memberships m
            WHERE m.person_id = who AND m.valid @> now() AND NOT administers(m.scope_kind, m.scope_id));
    ELSIF new_org IS NULL THEN
        refused := NOT of_all;
    END IF;
    IF refused THEN
        RAISE EXCEPTION 'the person is not administered here' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF who IS NULL THEN
        INSERT INTO people (login, name, org_id, phone, email, language, password_hash, active)
        VALUES (lower(new_login), new_name, new_org, coalesce(new_phone, ''), coalesce(new_email, ''), new_language, new_hash, is_active)
        RETURNING person_id INTO saved;
        RETURN saved;
    END IF;
    UPDATE people SET name = new_name, org_id = new_org, phone = coalesce(new_phone, phone), email = coalesce(new_email, email),
        language = new_language, password_hash = coalesce(new_hash, password_hash), active = is_active,
        failed_logins = CASE WHEN new_hash IS NULL THEN failed_logins ELSE 0 END,
        locked_until = CASE WHEN new_hash IS NULL THEN locked_until END
    WHERE person_id = who;
    IF new_hash IS NOT NULL OR NOT is_active THEN
        UPDATE sessions SET revoked_at = now() WHERE person_id = who AND revoked_at IS NULL;
        UPDATE api_tokens SET revoked_at = now() WHERE person_id = who AND revoked_at IS NULL;
    END IF;
    RETURN who;
END
$$;

-- Nobody gives a role to oneself, nor outside of what one administers. A role that was ended can be given anew.
CREATE FUNCTION grant_membership(who uuid, new_role text, of_kind text, of_scope text, ends timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    IF who = my_person() OR NOT administers(of_kind, of_scope) THEN
        RAISE EXCEPTION 'nobody gives a role to himself, nor outside his scope' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO memberships (person_id, role, scope_kind, scope_id, valid)
    VALUES (who, new_role, of_kind, of_scope, tstzrange(now(), ends))
    ON CONFLICT (person_id, role, scope_kind, scope_id) DO UPDATE
        SET valid = tstzrange(CASE WHEN memberships.valid @> now() THEN lower(memberships.valid) ELSE now() END, ends)
    RETURNING membership_id INTO made;
    RETURN made;
END
$$;

-- Ends a role now; whose it was, null when there is no such one that still holds.
CREATE FUNCTION end_membership(of_id bigint) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found memberships%ROWTYPE;
BEGIN
    SELECT * INTO found FROM memberships WHERE membership_id = of_id AND valid @> now() FOR UPDATE;
    IF found.membership_id IS NULL THEN
        RETURN NULL;
    END IF;
    IF found.person_id = my_person() OR NOT administers(found.scope_kind, found.scope_id) THEN
        RAISE EXCEPTION 'nobody ends a role of his own, nor outside his scope' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE memberships SET valid = tstzrange(lower(valid), greatest(now(), lower(valid) + interval '1 microsecond'))
    WHERE membership_id = of_id;
    RETURN found.person_id;
END
$$;

CREATE POLICY administered ON people FOR SELECT TO watchkeep_console USING (
    (SELECT my_roles(NULL) && ARRAY['sys_admin', 'sec_admin']) AND administers_person(person_id));
CREATE POLICY administered ON memberships FOR SELECT TO watchkeep_console USING (
    (SELECT my_roles(NULL) && ARRAY['sys_admin', 'sec_admin'])
    AND (administers(scope_kind, scope_id) OR administers_person(person_id)));

-- Responsibility lists: everyone who is logged in reads them, some roles write them.
DROP POLICY known ON duty_lists;
DROP POLICY known ON duties;
CREATE POLICY known ON duty_lists FOR SELECT TO watchkeep_console USING (my_person() IS NOT NULL);
CREATE POLICY known ON duties FOR SELECT TO watchkeep_console USING (my_person() IS NOT NULL);
CREATE POLICY written ON duty_lists FOR INSERT TO watchkeep_console WITH CHECK (
    (SELECT my_roles('area') && ARRAY['city_office', 'authority_officer', 'supervisor', 'sys_admin']));
CREATE POLICY changed ON duty_lists FOR UPDATE TO watchkeep_console USING (
    (SELECT my_roles('area') && ARRAY['city_office', 'authority_officer', 'supervisor', 'sys_admin']));
CREATE POLICY written ON duties FOR INSERT TO watchkeep_console WITH CHECK (
    (SELECT my_roles('area') && ARRAY['city_office', 'authority_officer', 'supervisor', 'sys_admin']));
GRANT INSERT, UPDATE ON duty_lists TO watchkeep_console;
GRANT INSERT ON duties TO watchkeep_console;

-- Channels: their URLs go in and never come out again.
CREATE POLICY administered ON notification_channels TO watchkeep_console USING (
    (SELECT my_roles(NULL) && ARRAY['sys_admin', 'sec_admin'])
    AND CASE WHEN org_id IS NULL THEN administers_person(person_id) ELSE administers('organisation', org_id) END);
CREATE POLICY administered ON notifications TO watchkeep_console USING (
    kind = 'test' AND org_id IS NOT NULL AND (SELECT my_roles(NULL) && ARRAY['sys_admin', 'sec_admin'])
    AND administers('organisation', org_id));
GRANT INSERT (org_id, person_id, kind, name, url, rank, language, quiet_hours, per_minute), UPDATE (enabled), DELETE
    ON notification_channels TO watchkeep_console;

-- Rules as data: read, beside the limits of points.
ALTER TABLE detection_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE detection_rules FORCE ROW LEVEL SECURITY;
ALTER TABLE detection_rule_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE detection_rule_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON detection_rules TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON detection_rule_changes TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY services_all ON detection_rules TO watchkeep_analytics USING (true) WITH CHECK (true);
CREATE POLICY services_all ON detection_rule_changes TO watchkeep_analytics USING (true) WITH CHECK (true);
CREATE POLICY mine ON detection_rules FOR SELECT TO watchkeep_console USING (
    my_person() IS NOT NULL AND (community_id = '' OR community_id = ANY ((SELECT my_communities())::text[])));
CREATE POLICY mine ON detection_rule_changes FOR SELECT TO watchkeep_console USING (
    my_person() IS NOT NULL AND (community_id = '' OR community_id = ANY ((SELECT my_communities())::text[])));
GRANT SELECT ON detection_rules, detection_rule_changes TO watchkeep_console;

GRANT INSERT ON person_skills TO watchkeep_console;

-- The audit trail is read as a whole by an auditor of an area; others see what they did themselves.
DROP POLICY mine ON audit_entries;
CREATE POLICY mine ON audit_entries FOR SELECT TO watchkeep_console USING (
    person_id = my_person() OR (SELECT my_roles('area') @> ARRAY['auditor']));
ALTER TABLE audit_seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_seals FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON audit_seals TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY services_all ON audit_seals TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY mine ON audit_seals FOR SELECT TO watchkeep_console USING ((SELECT my_roles('area') @> ARRAY['auditor']));
GRANT SELECT ON audit_seals TO watchkeep_console;

-- What each gateway of my communities owes: messages missing and lost, parked, dead; readings quarantined since a time.
CREATE FUNCTION gateway_accounts(since timestamptz)
RETURNS TABLE (community_id text, gateway_id text, missing bigint, lost bigint, parked bigint, dead bigint, quarantined bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH mine AS (
        SELECT g.community_id, g.gateway_id FROM gateways g WHERE g.community_id = ANY (my_communities())
    ), counted AS (
        SELECT p.community_id, p.gateway_id,
               sum((SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(
                   int8multirange(int8range(0, greatest(upper(range_merge(p.received)), upper(range_merge(p.lost)), 0)))
                   - p.received - p.lost) r)) AS missing,
               sum((SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(p.lost) r)) AS lost
        FROM progress p JOIN mine USING (community_id, gateway_id) GROUP BY 1, 2
    )
    SELECT m.community_id, m.gateway_id, coalesce(c.missing, 0)::bigint, coalesce(c.lost, 0)::bigint,
           (SELECT count(*) FROM parked k WHERE (k.community_id, k.gateway_id) = (m.community_id, m.gateway_id)),
           (SELECT count(*) FROM dead_letters d WHERE (d.community_id, d.gateway_id) = (m.community_id, m.gateway_id)
                AND d.replayed_at IS NULL),
           (SELECT count(*) FROM quarantine q WHERE (q.community_id, q.gateway_id) = (m.community_id, m.gateway_id)
                AND q.received_at >= since)
    FROM mine m LEFT JOIN counted c USING (community_id, gateway_id)
$$;

REVOKE ALL ON FUNCTION my_roles(text), administers(text, text), administers_person(uuid),
    save_person(uuid, text, text, text, text, text, text, text, boolean), end_membership(bigint),
    grant_membership(uuid, text, text, text, timestamptz), gateway_accounts(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION my_roles(text), administers(text, text), administers_person(uuid),
    save_person(uuid, text, text, text, text, text, text, text, boolean), end_membership(bigint),
    grant_membership(uuid, text, text, text, timestamptz), gateway_accounts(timestamptz) TO watchkeep_console;
