CREATE SCHEMA wall;
ALTER SCHEMA wall OWNER TO watchkeep_owner;
CREATE FUNCTION public.address_notifications(ids bigint[], roles text[], named uuid[]) RETURNS TABLE(notification_id bigint, channel_id integer, urgent boolean)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    WITH told AS (
        SELECT n.*, o.assignee_id, c.community_id
        FROM notifications n LEFT JOIN orders o USING (order_id) LEFT JOIN cases c ON c.case_id = n.case_id
        WHERE n.notification_id = ANY (ids) AND n.channel = 'in_app'
    ), candidates AS (
        SELECT t.notification_id, p.person_id, 1 AS turn FROM told t, unnest(named) AS p (person_id)
        UNION
        SELECT t.notification_id, t.assignee_id, 2 FROM told t
        WHERE t.assignee_id IS NOT NULL AND cardinality(roles) > 0
        UNION
        SELECT t.notification_id, s.person_id, 3 FROM told t JOIN rota_shifts s ON s.org_id = t.org_id
        WHERE s.during @> now() AND coalesce(s.community_id, t.community_id) IS NOT DISTINCT FROM t.community_id
              AND cardinality(roles) > 0
        UNION
        SELECT t.notification_id, m.person_id, 4
        FROM told t JOIN people p ON p.org_id = t.org_id JOIN memberships m ON m.person_id = p.person_id
        WHERE m.role = ANY (roles) AND m.valid @> now()
        UNION
        SELECT t.notification_id, m.person_id, 4
        FROM told t JOIN memberships m ON m.scope_kind = 'organisation' AND m.scope_id = t.org_id
        WHERE m.role = ANY (roles) AND m.valid @> now()
    ), reachable AS (
        SELECT x.notification_id, x.person_id, x.turn, h.channel_id, h.kind,
               row_number() OVER (PARTITION BY x.notification_id, x.person_id, x.turn ORDER BY h.rank, h.channel_id) AS place
        FROM candidates x JOIN people p USING (person_id) JOIN notification_channels h USING (person_id)
        WHERE p.active AND h.enabled
    ), chosen AS (
        SELECT DISTINCT r.notification_id, r.person_id, r.channel_id, r.kind
        FROM reachable r JOIN told t USING (notification_id)
        WHERE r.place = 1 AND (t.urgent OR r.turn = (
            SELECT min(f.turn) FROM reachable f WHERE f.notification_id = r.notification_id))
        UNION ALL
        SELECT t.notification_id, NULL, h.channel_id, h.kind
        FROM told t JOIN notification_channels h ON h.org_id = t.org_id AND h.enabled
    )
    INSERT INTO notifications (dedup_key, case_id, order_id, org_id, person_id, kind, words, urgent, channel, channel_id,
                               language, title, body, created_at, wake_at)
    SELECT t.dedup_key || '/channel/' || x.channel_id, t.case_id, t.order_id, t.org_id, x.person_id, t.kind, t.words,
           t.urgent, x.kind, x.channel_id, t.language, t.title, t.body, t.created_at, clock_timestamp() + interval '60 s'
    FROM chosen x JOIN told t USING (notification_id)
    ON CONFLICT (dedup_key) DO NOTHING
    RETURNING notifications.notification_id, notifications.channel_id, notifications.urgent
$$;
ALTER FUNCTION public.address_notifications(ids bigint[], roles text[], named uuid[]) OWNER TO watchkeep_owner;
CREATE FUNCTION public.administers(of_kind text, of_scope text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.administers(of_kind text, of_scope text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.administers_person(who uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM people p WHERE p.person_id = who AND p.org_id IS NOT NULL AND administers('organisation', p.org_id))
        OR EXISTS (SELECT FROM memberships m WHERE m.person_id = who AND administers(m.scope_kind, m.scope_id))
        OR EXISTS (SELECT FROM areas a WHERE a.parent_id IS NULL AND administers('area', a.area_id))
$$;
ALTER FUNCTION public.administers_person(who uuid) OWNER TO watchkeep_owner;
CREATE FUNCTION public.anonymise(who uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT close_account(who);
    DELETE FROM person_logins WHERE person_id = who;
    UPDATE webhooks SET disabled_at = now() WHERE person_id = who AND disabled_at IS NULL;
    UPDATE memberships SET valid = tstzrange(lower(valid), now()) WHERE person_id = who AND valid @> now();
    UPDATE people SET login = 'gone-' || left(who::text, 8), name = '已注销', phone = '', email = '', password_hash = NULL,
        active = false, anonymised_at = now() WHERE person_id = who;
$$;
ALTER FUNCTION public.anonymise(who uuid) OWNER TO watchkeep_owner;
CREATE FUNCTION public.answers_to_me(who uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT coalesce(who <> my_person() AND administers_person(who), false) AND NOT EXISTS (
        SELECT FROM memberships m WHERE m.person_id = who AND m.valid @> now() AND NOT administers(m.scope_kind, m.scope_id))
$$;
ALTER FUNCTION public.answers_to_me(who uuid) OWNER TO watchkeep_owner;
CREATE FUNCTION public.approve_erasure(who uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT answers_to_me(who) THEN
        RETURN false;
    END IF;
    UPDATE erasures SET approved_by = my_person(), done_at = now()
    WHERE person_id = who AND done_at IS NULL AND requested_by <> my_person();
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM anonymise(who);
    RETURN true;
END
$$;
ALTER FUNCTION public.approve_erasure(who uuid) OWNER TO watchkeep_owner;
CREATE FUNCTION public.await_verdict() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO unjudged (warning_id, life_safety) VALUES (NEW.warning_id, NEW.life_safety);
    IF NEW.life_safety THEN
        PERFORM pg_notify('watchkeep_life_safety', NEW.warning_id::text);
    END IF;
    RETURN NULL;
END
$$;
ALTER FUNCTION public.await_verdict() OWNER TO watchkeep_owner;
CREATE FUNCTION public.close_account(who uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    UPDATE sessions SET revoked_at = now() WHERE person_id = who AND revoked_at IS NULL;
    UPDATE api_tokens SET revoked_at = now() WHERE person_id = who AND revoked_at IS NULL;
    DELETE FROM recovery_codes WHERE person_id = who;
    DELETE FROM person_totp WHERE person_id = who;
$$;
ALTER FUNCTION public.close_account(who uuid) OWNER TO watchkeep_owner;
CREATE FUNCTION public.community_sums_stale(of_community text, at timestamp with time zone) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    INSERT INTO community_sums (since, until, community_id)
    SELECT s.since, s.until, of_community FROM order_spans s WHERE s.since <= at AND at < s.until ORDER BY 1, 2
    ON CONFLICT (since, until, community_id) DO UPDATE SET stale = true WHERE NOT community_sums.stale
$$;
ALTER FUNCTION public.community_sums_stale(of_community text, at timestamp with time zone) OWNER TO watchkeep_owner;
CREATE FUNCTION public.complaint_contact(of_complaint bigint) RETURNS TABLE(contact_name text, contact_phone text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT p.contact_name, p.contact_phone FROM complaints p
    WHERE p.complaint_id = of_complaint AND p.community_id = ANY (my_communities())
$$;
ALTER FUNCTION public.complaint_contact(of_complaint bigint) OWNER TO watchkeep_owner;
CREATE FUNCTION public.contiguous_seq(known int8multirange) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce((SELECT upper(r) - 1 FROM unnest(known) AS r WHERE lower(r) <= 0), -1)
$$;
ALTER FUNCTION public.contiguous_seq(known int8multirange) OWNER TO watchkeep_owner;
CREATE FUNCTION public.contracted_to_me(of_community text, of_kind text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (
        SELECT FROM contracts c
        WHERE c.community_id = of_community AND c.provider_org_id = ANY (my_organisations())
          AND (c.equipment_kinds IS NULL OR of_kind = ANY (c.equipment_kinds))
          AND c.valid @> current_date)
$$;
ALTER FUNCTION public.contracted_to_me(of_community text, of_kind text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.counter_increase(counted double precision[]) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT coalesce(sum(CASE WHEN v >= before THEN v - before WHEN v < before THEN v ELSE 0 END), 0)
    FROM (SELECT v, lag(v) OVER (ORDER BY n) AS before FROM unnest(counted) WITH ORDINALITY AS u (v, n)) AS steps
$$;
ALTER FUNCTION public.counter_increase(counted double precision[]) OWNER TO watchkeep_owner;
CREATE FUNCTION public.deadline_moves(since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(change_id bigint, order_id bigint, kind text, from_due timestamp with time zone, to_due timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT d.change_id, d.order_id, d.kind, d.from_due, d.to_due FROM deadline_changes d
    WHERE d.clock = 'finish' AND d.at > since AND d.at <= until
$$;
ALTER FUNCTION public.deadline_moves(since timestamp with time zone, until timestamp with time zone) OWNER TO watchkeep_owner;
CREATE FUNCTION public.drop_expired(of_level text, before timestamp with time zone, at_most integer) RETURNS TABLE(dropped integer, kept integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    SET lock_timeout TO '1s'
    AS $_$
DECLARE
    name     text := CASE of_level WHEN 'raw' THEN 'readings' ELSE 'readings_' || of_level END;
    recorded integer[];
    old      record;
    is_used  boolean;
BEGIN
    dropped := 0;
    kept := 0;
    SELECT array_agg(p.series_id) INTO recorded FROM points p JOIN communities c USING (community_id) WHERE c.mode = 'replay';
    FOR old IN SELECT * FROM storage_parts(of_level) AS s WHERE s.until <= before LOOP
        EXIT WHEN dropped >= at_most;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE ts >= $1 AND ts < $2 AND series_id = ANY ($3))', name)
            INTO is_used USING old.since, old.until, recorded;
        IF is_used THEN
            kept := kept + 1;
        ELSIF storage_backend() = 'plain' THEN
            EXECUTE 'DROP TABLE ' || old.part;
            dropped := dropped + 1;
        ELSE
            EXECUTE 'SELECT count(*) FROM drop_chunks($1::regclass, older_than => $2, newer_than => $3)'
                INTO is_used USING name, old.until, old.since;
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN NEXT;
END
$_$;
ALTER FUNCTION public.drop_expired(of_level text, before timestamp with time zone, at_most integer) OWNER TO watchkeep_owner;
CREATE FUNCTION public.end_membership(of_id bigint) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.end_membership(of_id bigint) OWNER TO watchkeep_owner;
CREATE FUNCTION public.gateway_accounts(since timestamp with time zone) RETURNS TABLE(community_id text, gateway_id text, missing bigint, lost bigint, parked bigint, dead bigint, quarantined bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.gateway_accounts(since timestamp with time zone) OWNER TO watchkeep_owner;
CREATE FUNCTION public.grant_membership(who uuid, new_role text, of_kind text, of_scope text, ends timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.grant_membership(who uuid, new_role text, of_kind text, of_scope text, ends timestamp with time zone) OWNER TO watchkeep_owner;
CREATE FUNCTION public.licensed(who uuid, of_org text, wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT wanted IS NULL
        OR EXISTS (SELECT FROM person_skills k WHERE k.person_id = who AND k.skill = wanted AND k.valid @> current_date)
        OR NOT EXISTS (SELECT FROM person_skills k JOIN memberships m USING (person_id)
                       WHERE k.skill = wanted AND m.scope_kind = 'organisation' AND m.scope_id = of_org AND m.valid @> now())
$$;
ALTER FUNCTION public.licensed(who uuid, of_org text, wanted text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.login_candidate(wanted text) RETURNS TABLE(person_id uuid, password_hash text, failed_logins integer, locked_until timestamp with time zone, language text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT p.person_id, p.password_hash, p.failed_logins, p.locked_until, p.language
    FROM people p WHERE p.login = lower(wanted) AND p.active
$$;
ALTER FUNCTION public.login_candidate(wanted text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.make_reading_partitions(days date[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    day  date;
    name text;
    made integer := 0;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'public.readings'::regclass) <> 'p' THEN
        RETURN 0;
    END IF;
    FOREACH day IN ARRAY days LOOP
        name := 'readings_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtext('make_reading_partitions'));
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.readings INCLUDING DEFAULTS INCLUDING INDEXES)', name);
        EXECUTE format('ALTER TABLE public.readings ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                       name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
ALTER FUNCTION public.make_reading_partitions(days date[]) OWNER TO watchkeep_owner;
CREATE FUNCTION public.make_rollup_partitions(months date[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    month  date;
    parent text;
    name   text;
    made   integer := 0;
BEGIN
    IF storage_backend() <> 'plain' THEN
        RETURN 0;
    END IF;
    FOR month, parent IN
        SELECT DISTINCT date_trunc('month', m)::date, p FROM unnest(months) AS m, unnest(ARRAY['readings_minute', 'readings_hour']) AS p
    LOOP
        name := parent || '_' || to_char(month, 'YYYYMM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING INDEXES)', name, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name,
                       month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
ALTER FUNCTION public.make_rollup_partitions(months date[]) OWNER TO watchkeep_owner;
CREATE FUNCTION public.my_communities() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.my_communities() OWNER TO watchkeep_owner;
CREATE FUNCTION public.my_order_communities() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.my_order_communities() OWNER TO watchkeep_owner;
CREATE FUNCTION public.my_organisations() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT coalesce(array_agg(m.scope_id), '{}')
    FROM memberships m JOIN people p USING (person_id)
    WHERE m.person_id = my_person() AND p.active AND m.valid @> now() AND m.scope_kind = 'organisation'
$$;
ALTER FUNCTION public.my_organisations() OWNER TO watchkeep_owner;
CREATE FUNCTION public.my_person() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT nullif(current_setting('watchkeep.person_id', true), '')::uuid
$$;
ALTER FUNCTION public.my_person() OWNER TO watchkeep_owner;
CREATE FUNCTION public.my_roles(of_kind text) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT coalesce(array_agg(DISTINCT m.role), '{}')
    FROM memberships m JOIN people p USING (person_id)
    WHERE m.person_id = my_person() AND p.active AND m.valid @> now() AND (of_kind IS NULL OR m.scope_kind = of_kind)
$$;
ALTER FUNCTION public.my_roles(of_kind text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.note_acted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    UPDATE notifications
    SET acted_at = NEW.at, read_at = coalesce(read_at, NEW.at), fallback_at = NULL
    WHERE case_id = NEW.case_id AND person_id = NEW.person_id AND acted_at IS NULL;
    RETURN NULL;
END
$$;
ALTER FUNCTION public.note_acted() OWNER TO watchkeep_owner;
CREATE FUNCTION public.note_community() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (OLD.property_org_id, OLD.area_id, OLD.households)
                           IS DISTINCT FROM (NEW.property_org_id, NEW.area_id, NEW.households) THEN
        INSERT INTO community_history (community_id, property_org_id, area_id, households)
        VALUES (NEW.community_id, NEW.property_org_id, NEW.area_id, NEW.households);
    END IF;
    RETURN NULL;
END
$$;
ALTER FUNCTION public.note_community() OWNER TO watchkeep_owner;
CREATE FUNCTION public.note_community_fact() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.note_community_fact() OWNER TO watchkeep_owner;
CREATE FUNCTION public.note_late_trouble() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    changed_at timestamptz := CASE WHEN TG_OP = 'INSERT' OR NEW.proposed_class <> OLD.proposed_class THEN NEW.event_at
                                   ELSE least(OLD.cleared_at, NEW.cleared_at) END;
BEGIN
    INSERT INTO community_sums (since, until, community_id)
    SELECT s.since, s.until, NEW.community_id FROM order_spans s WHERE s.until > changed_at ORDER BY 1, 2
    ON CONFLICT (since, until, community_id) DO UPDATE SET stale = true WHERE NOT community_sums.stale;
    RETURN NULL;
END
$$;
ALTER FUNCTION public.note_late_trouble() OWNER TO watchkeep_owner;
CREATE FUNCTION public.notice_board(of_community text) RETURNS TABLE(section text, title text, body text, amount_yuan numeric, period text, saved_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.notice_board(of_community text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.notify_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('watchkeep', json_build_object('table', TG_TABLE_NAME,
        'id', to_jsonb(NEW) -> TG_ARGV[0], 'community', NEW.community_id)::text);
    RETURN NULL;
END
$$;
ALTER FUNCTION public.notify_change() OWNER TO watchkeep_owner;
CREATE FUNCTION public.oidc_candidate(of_issuer text, of_subject text, verified_email text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    found uuid[];
BEGIN
    SELECT array_agg(p.person_id) INTO found FROM person_logins l JOIN people p USING (person_id)
    WHERE l.issuer = of_issuer AND l.subject = of_subject;
    IF found IS NULL AND verified_email <> '' THEN
        SELECT array_agg(p.person_id) INTO found FROM people p WHERE lower(p.email) = lower(verified_email) AND p.active;
        IF cardinality(found) = 1 THEN
            INSERT INTO person_logins (issuer, subject, person_id) VALUES (of_issuer, of_subject, found[1]);
        END IF;
    END IF;
    IF cardinality(found) = 1 AND EXISTS (SELECT FROM people p WHERE p.person_id = found[1] AND p.active) THEN
        RETURN found[1];
    END IF;
    RETURN NULL;
END
$$;
ALTER FUNCTION public.oidc_candidate(of_issuer text, of_subject text, verified_email text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.open_helpers(of_case bigint) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT count(*)::integer FROM orders WHERE case_id = of_case AND NOT lead AND closed_at IS NULL
$$;
ALTER FUNCTION public.open_helpers(of_case bigint) OWNER TO watchkeep_owner;
CREATE FUNCTION public.order_facts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.order_facts() OWNER TO watchkeep_owner;
CREATE FUNCTION public.order_sums_stale() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
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
ALTER FUNCTION public.order_sums_stale() OWNER TO watchkeep_owner;
CREATE FUNCTION public.password_by_another() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.password_hash IS NOT NULL AND my_person() <> NEW.person_id
       AND (TG_OP = 'INSERT' OR NEW.password_hash IS DISTINCT FROM OLD.password_hash) THEN
        NEW.password_due := true;
    END IF;
    RETURN NEW;
END
$$;
ALTER FUNCTION public.password_by_another() OWNER TO watchkeep_owner;
CREATE FUNCTION public.paused_at(of_order bigint, moment timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT coalesce((SELECT t.action = 'suspend' FROM transitions t
                     WHERE t.order_id = of_order AND t.action IN ('suspend', 'resume') AND t.at <= moment
                     ORDER BY t.transition_id DESC LIMIT 1), false)
$$;
ALTER FUNCTION public.paused_at(of_order bigint, moment timestamp with time zone) OWNER TO watchkeep_owner;
CREATE FUNCTION public.person_data(who uuid) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT jsonb_build_object(
        'person', (SELECT to_jsonb(p) - 'password_hash' FROM people p WHERE p.person_id = who),
        'memberships', (SELECT coalesce(jsonb_agg(to_jsonb(m)), '[]') FROM memberships m WHERE m.person_id = who),
        'sessions', (SELECT coalesce(jsonb_agg(to_jsonb(s) - 'token_hash' - 'csrf_token'), '[]') FROM sessions s WHERE s.person_id = who),
        'api_tokens', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'token_hash'), '[]') FROM api_tokens t WHERE t.person_id = who),
        'other_logins', (SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]') FROM person_logins l WHERE l.person_id = who),
        'orders', (SELECT coalesce(jsonb_agg(o.order_id), '[]') FROM orders o WHERE o.assignee_id = who),
        'acts', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM transitions t WHERE t.person_id = who),
        'audit', (SELECT coalesce(jsonb_agg(to_jsonb(a) - 'xid'), '[]') FROM audit_entries a WHERE a.person_id = who))
    WHERE who = my_person() OR answers_to_me(who) OR session_user <> 'watchkeep_console'
$$;
ALTER FUNCTION public.person_data(who uuid) OWNER TO watchkeep_owner;
CREATE FUNCTION public.queue_webhooks() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    what text := CASE TG_OP WHEN 'INSERT' THEN TG_ARGV[1] ELSE TG_ARGV[3] END;
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) -> TG_ARGV[2] = to_jsonb(OLD) -> TG_ARGV[2] THEN
        RETURN NULL;
    END IF;
    INSERT INTO webhook_deliveries (webhook_id, event, object_id)
    SELECT w.webhook_id, what, (to_jsonb(NEW) ->> TG_ARGV[0])::bigint FROM webhooks w
    WHERE w.disabled_at IS NULL AND what = ANY (w.events);
    RETURN NULL;
END
$$;
ALTER FUNCTION public.queue_webhooks() OWNER TO watchkeep_owner;
CREATE FUNCTION public.rate_answer(of_token uuid, is_satisfied boolean, note text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    WITH rated AS (
        UPDATE complaints SET satisfied = is_satisfied, rated_at = now(), rating_note = left(note, 2000)
        WHERE token = of_token AND answered_at IS NOT NULL AND rated_at IS NULL RETURNING 1)
    SELECT EXISTS (SELECT FROM rated)
$$;
ALTER FUNCTION public.rate_answer(of_token uuid, is_satisfied boolean, note text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.rate_hit(of_key bytea, at_most integer, within interval) RETURNS double precision
    LANGUAGE sql
    AS $$
    INSERT INTO rate_hits AS r (key, hits, until) VALUES (of_key, ARRAY[clock_timestamp()], clock_timestamp() + within)
    ON CONFLICT (key) DO UPDATE SET (hits, refused, until) = (
        SELECT CASE WHEN cardinality(n.hits) < at_most THEN n.hits || excluded.hits ELSE n.hits END,
               cardinality(n.hits) >= at_most, excluded.until
        FROM (SELECT ARRAY(SELECT h FROM unnest(r.hits) AS h WHERE h > clock_timestamp() - within ORDER BY h) AS hits) n)
    RETURNING CASE WHEN r.refused THEN extract(epoch FROM r.hits[1] + within - clock_timestamp())::double precision END
$$;
ALTER FUNCTION public.rate_hit(of_key bytea, at_most integer, within interval) OWNER TO watchkeep_owner;
CREATE FUNCTION public.record_login(who uuid, succeeded boolean, lock_after integer, lock_for interval) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    UPDATE people SET
        failed_logins = CASE WHEN succeeded THEN 0 ELSE failed_logins + 1 END,
        locked_until = CASE WHEN succeeded THEN NULL
                            WHEN failed_logins + 1 >= lock_after THEN now() + lock_for ELSE locked_until END
    WHERE person_id = who
$$;
ALTER FUNCTION public.record_login(who uuid, succeeded boolean, lock_after integer, lock_for interval) OWNER TO watchkeep_owner;
CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
ALTER FUNCTION public.refuse_change() OWNER TO watchkeep_owner;
CREATE FUNCTION public.report_place(code uuid) RETURNS TABLE(community_id text, community text, community_en text, equipment_id text, equipment text, equipment_en text, kind text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT c.community_id, c.name, c.name_en, e.equipment_id, e.name, e.name_en, e.kind
    FROM equipment e JOIN communities c USING (community_id)
    WHERE e.report_token = code AND e.status <> 'retired' AND c.mode = 'live'
    UNION ALL
    SELECT c.community_id, c.name, c.name_en, NULL, NULL, NULL, NULL FROM communities c WHERE c.report_token = code AND c.mode = 'live'
$$;
ALTER FUNCTION public.report_place(code uuid) OWNER TO watchkeep_owner;
CREATE FUNCTION public.report_problem(code uuid, what text, details text, at_place text, name text, phone text, picture bytea, picture_type text, at_most integer) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    INSERT INTO complaints (source, community_id, equipment_id, condition, place, description, contact_name, contact_phone, photo,
                            photo_type, property_org_id, received_at)
    SELECT 'qr_code', p.community_id, p.equipment_id, what, at_place, details, name, phone, picture, picture_type,
           (SELECT c.property_org_id FROM communities c WHERE c.community_id = p.community_id), now()
    FROM report_place(code) p
    WHERE (SELECT count(*) FROM complaints x WHERE x.source = 'qr_code' AND x.community_id = p.community_id
               AND x.equipment_id IS NOT DISTINCT FROM p.equipment_id AND x.received_at > now() - interval '1 h') < at_most
    RETURNING token
$$;
ALTER FUNCTION public.report_problem(code uuid, what text, details text, at_place text, name text, phone text, picture bytea, picture_type text, at_most integer) OWNER TO watchkeep_owner;
CREATE FUNCTION public.report_status(of_token uuid) RETURNS TABLE(community text, community_en text, equipment text, equipment_en text, condition text, received_at timestamp with time zone, refused boolean, state text, responsible text, finish_due timestamp with time zone, answer_zh text, answer_en text, answered_at timestamp with time zone, satisfied boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT m.name, m.name_en, e.name, e.name_en, p.condition, p.received_at, p.refusal <> '', k.state, o.name,
           (SELECT w.finish_due FROM orders w WHERE w.case_id = k.case_id AND w.lead AND w.closed_at IS NULL),
           p.answer_zh, p.answer_en, p.answered_at, p.satisfied
    FROM complaints p JOIN communities m USING (community_id) LEFT JOIN equipment e USING (community_id, equipment_id)
    LEFT JOIN cases k ON k.case_id = p.case_id LEFT JOIN organisations o ON o.org_id = k.responsible_org_id
    WHERE p.token = of_token
$$;
ALTER FUNCTION public.report_status(of_token uuid) OWNER TO watchkeep_owner;
CREATE FUNCTION public.request_erasure(who uuid, why text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    found bigint;
BEGIN
    IF NOT answers_to_me(who) THEN
        RETURN NULL;
    END IF;
    INSERT INTO erasures (person_id, reason, requested_by) VALUES (who, why, my_person())
    ON CONFLICT (person_id) WHERE done_at IS NULL DO UPDATE SET reason = erasures.reason RETURNING erasure_id INTO found;
    RETURN found;
END
$$;
ALTER FUNCTION public.request_erasure(who uuid, why text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.reset_account(who uuid, new_hash text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    found text;
BEGIN
    IF NOT answers_to_me(who) THEN
        RETURN NULL;
    END IF;
    UPDATE people SET password_hash = new_hash, password_due = true, failed_logins = 0, locked_until = NULL
    WHERE person_id = who AND anonymised_at IS NULL RETURNING login INTO found;
    PERFORM close_account(who);
    RETURN found;
END
$$;
ALTER FUNCTION public.reset_account(who uuid, new_hash text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.roles_towards(who uuid, of_community text, of_organisations text[]) RETURNS TABLE(roles text[], organisations text[])
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT coalesce(array_agg(DISTINCT m.role), '{}'),
           coalesce(array_agg(DISTINCT m.scope_id) FILTER (WHERE m.scope_kind = 'organisation'), '{}')
    FROM memberships m JOIN people p USING (person_id)
    WHERE m.person_id = who AND p.active AND m.valid @> now() AND CASE m.scope_kind
        WHEN 'organisation' THEN m.scope_id = ANY (of_organisations)
        WHEN 'community' THEN m.scope_id = of_community
        ELSE EXISTS (SELECT FROM communities c JOIN areas a USING (area_id)
                     WHERE c.community_id = of_community AND m.scope_id = ANY (a.path)) END
$$;
ALTER FUNCTION public.roles_towards(who uuid, of_community text, of_organisations text[]) OWNER TO watchkeep_owner;
CREATE FUNCTION public.save_person(who uuid, new_login text, new_name text, new_org text, new_phone text, new_email text, new_language text, new_hash text, is_active boolean) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.save_person(who uuid, new_login text, new_name text, new_org text, new_phone text, new_email text, new_language text, new_hash text, is_active boolean) OWNER TO watchkeep_owner;
CREATE FUNCTION public.series_window(wanted integer[], since timestamp with time zone, until timestamp with time zone, at_most integer DEFAULT 1000) RETURNS TABLE(series_id integer, ts timestamp with time zone, count bigint, bad bigint, min double precision, max double precision, mean double precision, last double precision, increase double precision, level text, bucket_s double precision)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
DECLARE
    most    integer := greatest(1, least(at_most, 2000));
    span_s  double precision := extract(epoch FROM until - since);
    one     record;
    used    text;
    kept    record;
    width_s double precision;
    step    interval;
    origin  timestamptz;
    found   integer;
    sealed  timestamptz;
    buckets text;
BEGIN
    IF NOT span_s > 0 OR span_s > 3660 * 86400.0 THEN
        RAISE EXCEPTION 'a window must be after its start, by at most ten years' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT now() - max(keep) FILTER (WHERE l.level = 'raw') AS raw, now() - max(keep) FILTER (WHERE l.level = 'minute') AS minute
        INTO kept FROM storage_levels l;
    buckets := CASE WHEN storage_backend() = 'community' THEN 'SELECT * FROM rollups_%1$s WHERE series_id = $1' ELSE $b$
        SELECT ts, count, bad, sum, min, max, first, last, increase FROM readings_%1$s
        WHERE series_id = $1 AND ts >= $5 AND ts < least($3, $8)
        UNION ALL
        SELECT n.ts, n.count, n.bad, n.sum, n.min, n.max, n.good[1], n.good[cardinality(n.good)],
               CASE WHEN s.counter THEN counter_increase(n.good) END
        FROM rollup_series s, LATERAL (
            SELECT date_trunc('%1$s', r.ts, 'UTC') AS ts, (count(*) FILTER (WHERE r.quality < 2))::integer AS count,
                   (count(*) FILTER (WHERE r.quality >= 2))::integer AS bad, sum(r.value) FILTER (WHERE r.quality < 2) AS sum,
                   min(r.value) FILTER (WHERE r.quality < 2) AS min, max(r.value) FILTER (WHERE r.quality < 2) AS max,
                   array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2) AS good
            FROM readings r
            WHERE r.series_id = $1 AND r.ts >= greatest($5, $8) AND r.ts < date_trunc('%1$s', $3, 'UTC') + interval '1 %1$s'
            GROUP BY 1) AS n
        WHERE s.series_id = $1 AND s.%1$s$b$ END;
    FOR one IN
        SELECT p.series_id AS id, coalesce(s.minute, false) AS minute, coalesce(s.hour, false) AS hour,
               coalesce(s.counter, false) AS counter, c.mode = 'replay' AS replay
        FROM points p JOIN equipment e USING (community_id, equipment_id) JOIN communities c USING (community_id)
        LEFT JOIN rollup_series s USING (series_id)
        WHERE p.series_id = ANY (wanted[1:100])
          AND (p.community_id = ANY (my_communities()) OR contracted_to_me(p.community_id, e.kind))
        ORDER BY 1
    LOOP
        width_s := span_s / most;
        used := CASE WHEN one.hour AND width_s >= 3600 THEN 'hour' WHEN one.minute AND width_s >= 60 THEN 'minute' ELSE 'raw' END;
        IF used = 'raw' AND since < kept.raw AND NOT one.replay AND one.hour THEN
            used := CASE WHEN one.minute THEN 'minute' ELSE 'hour' END;
        END IF;
        IF used = 'minute' AND since < kept.minute AND NOT one.replay THEN
            used := 'hour';
        END IF;
        IF used = 'raw' THEN
            SELECT count(*) INTO found FROM (
                SELECT FROM readings r WHERE r.series_id = one.id AND r.ts >= since AND r.ts < until LIMIT most + 1) AS few;
            IF found <= most THEN
                RETURN QUERY
                    SELECT one.id, r.ts, r.good::integer::bigint, (NOT r.good)::integer::bigint, r.v, r.v, r.v, r.v,
                           CASE WHEN one.counter AND r.good THEN counter_increase(ARRAY[r.before, r.v]) END, used, 0::double precision
                    FROM (SELECT x.ts, x.quality < 2 AS good, CASE WHEN x.quality < 2 THEN x.value END AS v,
                                 lag(x.value) OVER (PARTITION BY x.quality < 2 ORDER BY x.ts) AS before
                          FROM readings x WHERE x.series_id = one.id AND x.ts >= since AND x.ts < until) AS r
                    ORDER BY 2;
                CONTINUE;
            END IF;
        END IF;
        origin := CASE used WHEN 'raw' THEN since ELSE date_trunc(used, since, 'UTC') END;
        width_s := CASE used WHEN 'hour' THEN 3600 WHEN 'minute' THEN 60 ELSE 0.001 END;
        width_s := width_s * ceil((extract(epoch FROM until - origin) / most / width_s)::numeric)::double precision;
        step := width_s * interval '1 s';
        IF used = 'raw' THEN
            RETURN QUERY
                SELECT one.id, b.at, b.good, b.wrong, b.least, b.most, b.sum / nullif(b.good, 0), b.ends[cardinality(b.ends)],
                       CASE WHEN one.counter THEN counter_increase(b.before || b.ends) END, used, width_s
                FROM (SELECT g.*, lag(g.ends[cardinality(g.ends)]) OVER (PARTITION BY g.good > 0 ORDER BY g.at) AS before
                      FROM (SELECT date_bin(step, r.ts, origin) AS at, count(*) FILTER (WHERE r.quality < 2) AS good,
                                   count(*) FILTER (WHERE r.quality >= 2) AS wrong, min(r.value) FILTER (WHERE r.quality < 2) AS least,
                                   max(r.value) FILTER (WHERE r.quality < 2) AS most, sum(r.value) FILTER (WHERE r.quality < 2) AS sum,
                                   array_agg(r.value ORDER BY r.ts) FILTER (WHERE r.quality < 2) AS ends
                            FROM readings r WHERE r.series_id = one.id AND r.ts >= since AND r.ts < until GROUP BY 1) AS g) AS b
                ORDER BY 2;
        ELSE
            SELECT l.rolled_until INTO sealed FROM storage_levels l WHERE l.level = used;
            RETURN QUERY EXECUTE format($q$
                SELECT $1, b.at, b.good, b.wrong, b.least, b.most, b.sum / nullif(b.good, 0), b.ends[cardinality(b.ends)],
                       b.increase, $6, $7
                FROM (SELECT date_bin($4, r.ts, $5) AS at, sum(r.count) AS good, sum(r.bad) AS wrong, min(r.min) AS least,
                             max(r.max) AS most, sum(r.sum) AS sum, array_agg(r.last ORDER BY r.ts) FILTER (WHERE r.count > 0) AS ends,
                             sum(r.increase + CASE WHEN r.first >= r.before THEN r.first - r.before
                                                   WHEN r.before IS NOT NULL THEN r.first ELSE 0 END) AS increase
                      FROM (SELECT x.*, lag(x.last) OVER (PARTITION BY x.count > 0 ORDER BY x.ts) AS before
                            FROM (%1$s) AS x WHERE x.ts >= $5 AND x.ts < $3) AS r
                      GROUP BY 1) AS b
                ORDER BY 2$q$, format(buckets, used))
                USING one.id, since, until, step, origin, used, width_s, sealed;
        END IF;
    END LOOP;
END
$_$;
ALTER FUNCTION public.series_window(wanted integer[], since timestamp with time zone, until timestamp with time zone, at_most integer) OWNER TO watchkeep_owner;
CREATE FUNCTION public.storage_backend() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE WHEN (SELECT relkind FROM pg_class WHERE oid = 'public.readings'::regclass) = 'p' THEN 'plain'
                WHEN (SELECT relkind FROM pg_class WHERE oid = 'public.readings_minute'::regclass) = 'v' THEN 'community'
                ELSE 'apache' END
$$;
ALTER FUNCTION public.storage_backend() OWNER TO watchkeep_owner;
CREATE FUNCTION public.storage_parts(of_level text) RETURNS TABLE(part text, since timestamp with time zone, until timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
DECLARE
    wanted text := CASE of_level WHEN 'raw' THEN 'readings' ELSE 'readings_' || of_level END;
BEGIN
    IF storage_backend() = 'plain' THEN
        RETURN QUERY
            SELECT c.oid::regclass::text, b[1]::timestamptz, b[2]::timestamptz
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
                 regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('(.+)'\) TO \('(.+)'\)$re$) AS b
            WHERE i.inhparent = to_regclass(wanted) ORDER BY 2;
    ELSE
        IF storage_backend() = 'community' AND of_level <> 'raw' THEN
            EXECUTE 'SELECT materialization_hypertable_name FROM timescaledb_information.continuous_aggregates '
                    'WHERE view_schema = ''public'' AND view_name = $1' INTO wanted USING wanted;
        END IF;
        RETURN QUERY EXECUTE 'SELECT format(''%I.%I'', chunk_schema, chunk_name), range_start, range_end '
            'FROM timescaledb_information.chunks WHERE hypertable_name = $1 ORDER BY range_start' USING wanted;
    END IF;
END
$_$;
ALTER FUNCTION public.storage_parts(of_level text) OWNER TO watchkeep_owner;
CREATE FUNCTION public.summarize_readings() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    name regclass;
BEGIN
    FOR name IN
        SELECT x.indexrelid FROM storage_parts('raw') AS s JOIN pg_index x ON x.indrelid = s.part::regclass
        JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE a.amname = 'brin' AND s.until > now() - interval '1 day' AND s.since < now()
    LOOP
        PERFORM brin_summarize_new_values(name);
    END LOOP;
END
$$;
ALTER FUNCTION public.summarize_readings() OWNER TO watchkeep_owner;
CREATE FUNCTION public.visible_latest(series integer[], within interval) RETURNS TABLE(series_id integer, ts timestamp with time zone, value double precision, quality smallint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
ALTER FUNCTION public.visible_latest(series integer[], within interval) OWNER TO watchkeep_owner;
CREATE FUNCTION public.visible_readings(series integer[], since timestamp with time zone, until timestamp with time zone, at_most integer) RETURNS TABLE(series_id integer, ts timestamp with time zone, value double precision, quality smallint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    SELECT r.series_id, r.ts, r.value, r.quality
    FROM readings r
    WHERE r.ts >= since AND r.ts < until AND r.series_id = ANY (ARRAY(
        SELECT p.series_id FROM points p JOIN equipment e USING (community_id, equipment_id)
        WHERE p.series_id = ANY (series)
          AND (p.community_id = ANY (my_communities()) OR contracted_to_me(p.community_id, e.kind))))
    ORDER BY r.ts DESC
    LIMIT least(at_most, 100000)
$$;
ALTER FUNCTION public.visible_readings(series integer[], since timestamp with time zone, until timestamp with time zone, at_most integer) OWNER TO watchkeep_owner;
CREATE FUNCTION public.visit_org(of_community text, of_kind text, of_party text, at timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce((
        SELECT x.provider_org_id FROM contracts x
        WHERE x.community_id = c.community_id AND x.kind = of_party AND (x.equipment_kinds IS NULL OR of_kind = ANY (x.equipment_kinds))
          AND x.valid @> (at AT TIME ZONE c.timezone)::date
        ORDER BY x.equipment_kinds IS NULL, x.contract_id LIMIT 1), c.property_org_id)
    FROM communities c WHERE c.community_id = of_community
$$;
ALTER FUNCTION public.visit_org(of_community text, of_kind text, of_party text, at timestamp with time zone) OWNER TO watchkeep_owner;
CREATE FUNCTION public.watch_seconds(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, of_platform text[], of_silence text[], of_communities text[]) RETURNS TABLE(community_id text, building_id text, watched bigint, seconds bigint, missed bigint, unheard bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
BEGIN
    -- Planned for these very moments: a plan for any would read all warnings.
    RETURN QUERY EXECUTE $query$
        WITH period AS (
            SELECT tstzrange(date_trunc('second', $1), greatest(date_trunc('second', $1), date_trunc('second', least($2, $3)))) AS span
        ), allowed AS MATERIALIZED (
            SELECT c.community_id FROM communities c
            WHERE c.mode = 'live' AND ($6 IS NULL OR c.community_id = ANY ($6))
              AND (session_user <> 'watchkeep_console' OR c.community_id = ANY ((SELECT my_communities())::text[]))
        ), watched AS MATERIALIZED (
            -- Most points have been there all the time.
            SELECT e.community_id, e.equipment_id, e.building_id, q.points, q.all_the_time, q.younger, q.first
            FROM allowed JOIN equipment e USING (community_id) JOIN (
                SELECT q.community_id, q.equipment_id, count(*) FILTER (WHERE q.claimed AND q.created_at < least($2, $3)) AS points,
                       count(*) FILTER (WHERE q.claimed AND q.created_at <= $1) AS all_the_time,
                       sum(extract(epoch FROM date_trunc('second', least($2, $3)) - date_trunc('second', q.created_at)))
                           FILTER (WHERE q.claimed AND q.created_at > $1 AND q.created_at < least($2, $3)) AS younger,
                       date_trunc('second', min(q.created_at)) AS first
                FROM points q WHERE $6 IS NULL OR q.community_id = ANY ($6) GROUP BY 1, 2) q USING (community_id, equipment_id)
            WHERE e.status IN ('in_service', 'out_of_service')
        ), served AS MATERIALIZED (
            SELECT w.community_id, w.building_id, w.equipment_id, w.first FROM watched w JOIN buildings b USING (community_id, building_id)
            WHERE w.first < least($2, $3)
            UNION ALL
            SELECT w.community_id, b.building_id, w.equipment_id, w.first FROM watched w JOIN buildings b USING (community_id)
            WHERE w.building_id IS NULL AND w.first < least($2, $3)
        ), house AS (
            SELECT s.community_id, s.building_id, count(*) AS watched, p.span * tstzrange(min(s.first), NULL) AS span
            FROM served s, period p GROUP BY s.community_id, s.building_id, p.span
        ), troubled AS MATERIALIZED (
            SELECT w.community_id, w.equipment_id, w.series_id, w.proposed_class = 'A' OR w.condition = ANY ($4) AS counts,
                   w.condition = ANY ($4) AS unheard, w.condition = ANY ($5) AS silent,
                   tstzrange(date_trunc('second', w.event_at), date_trunc('second', CASE WHEN w.cleared_at <= $3
                             THEN greatest(w.event_at, w.cleared_at) END)) * p.span AS span
            FROM warnings w JOIN allowed USING (community_id), period p
            WHERE NOT w.replay AND (w.proposed_class = 'A' OR w.condition = ANY ($4) OR w.condition = ANY ($5)) AND w.detected_at <= $3
              AND w.event_at < least($2, $3) AND (w.cleared_at IS NULL OR w.cleared_at > $1)
        ), gaps AS (
            SELECT t.community_id, t.equipment_id, t.unheard, t.span FROM troubled t WHERE t.counts
            UNION ALL
            SELECT DISTINCT q.community_id, q.equipment_id, true, t.span
            FROM troubled t JOIN gateways g USING (community_id, equipment_id) JOIN points q USING (community_id, gateway_id)
            WHERE t.unheard
        ), missing AS (
            SELECT s.community_id, s.building_id, range_agg(g.span * h.span) AS any_gap,
                   range_agg(g.span * h.span) FILTER (WHERE g.unheard) AS unheard
            FROM served s JOIN house h USING (community_id, building_id) JOIN gaps g USING (community_id, equipment_id) GROUP BY 1, 2
        ), silent AS (
            SELECT x.community_id, x.series_id, range_agg(x.span * tstzrange(date_trunc('second', x.created_at), NULL)) AS spans
            FROM (
                SELECT q.*, t.span FROM troubled t JOIN points q USING (community_id, equipment_id)
                WHERE t.silent AND (t.series_id IS NULL OR t.series_id = q.series_id)
                UNION ALL
                SELECT q.*, t.span
                FROM troubled t JOIN gateways g USING (community_id, equipment_id) JOIN points q USING (community_id, gateway_id)
                WHERE t.silent
            ) x JOIN watched USING (community_id, equipment_id) WHERE x.claimed GROUP BY 1, 2
        ), silence AS (
            SELECT s.community_id, sum(extract(epoch FROM upper(r) - lower(r)))::bigint AS seconds FROM silent s, unnest(s.spans) r GROUP BY 1
        )
        SELECT s.community_id, s.building_id, s.watched, coalesce(extract(epoch FROM upper(s.span) - lower(s.span)), 0)::bigint,
               coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(m.any_gap) r), 0)::bigint,
               coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(m.unheard) r), 0)::bigint
        FROM house s LEFT JOIN missing m USING (community_id, building_id)
        UNION ALL
        SELECT w.community_id, NULL, w.points, w.seconds, coalesce(s.seconds, 0), coalesce(s.seconds, 0)
        FROM (SELECT community_id, sum(points)::bigint AS points,
                     (sum(all_the_time) * (SELECT extract(epoch FROM upper(span) - lower(span)) FROM period) + coalesce(sum(younger), 0))::bigint AS seconds
              FROM watched GROUP BY 1) w
        LEFT JOIN silence s USING (community_id)
    $query$ USING since, until, as_of, of_platform, of_silence, of_communities;
END
$_$;
ALTER FUNCTION public.watch_seconds(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, of_platform text[], of_silence text[], of_communities text[]) OWNER TO watchkeep_owner;
CREATE FUNCTION wall.series(of_communities text[], of_kinds text[], of_metrics text[], since timestamp with time zone, until timestamp with time zone, of_equipment text[] DEFAULT NULL::text[], step interval DEFAULT NULL::interval) RETURNS TABLE(community_id text, equipment_id text, equipment_zh text, equipment_en text, metric text, ts timestamp with time zone, mean double precision, min double precision, max double precision, last double precision, count bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $_$
DECLARE
    span interval := until - since;
    one  record;
BEGIN
    FOR one IN
        SELECT c.level, array_agg(c.series_id) AS series
        FROM (SELECT p.series_id,
                     CASE WHEN s.hour AND (span > interval '3 days' OR (span > interval '12 hours' AND NOT s.minute)) THEN 'hour'
                          WHEN s.minute AND span > interval '2 hours' THEN 'minute' ELSE 'raw' END AS level
              FROM points p JOIN equipment e USING (community_id, equipment_id) LEFT JOIN rollup_series s USING (series_id)
              WHERE p.community_id = ANY (of_communities) AND p.metric = ANY (of_metrics) AND e.kind = ANY (of_kinds)
                AND e.status <> 'retired' AND (of_equipment IS NULL OR p.equipment_id = ANY (of_equipment))) AS c
        GROUP BY 1
    LOOP
        -- EXECUTE: planned with the values at hand, so that partitions and chunks outside the span are not even looked at.
        RETURN QUERY EXECUTE format($q$
            WITH named AS MATERIALIZED (
                SELECT p.series_id, p.metric, e.community_id, e.equipment_id, e.name_zh, e.name_en
                FROM points p JOIN wall.equipment e USING (community_id, equipment_id) WHERE p.series_id = ANY ($1)
            ), found AS (SELECT %s)
            SELECT n.community_id, n.equipment_id, n.name_zh, n.name_en, n.metric, f.ts, f.mean, f.min, f.max, f.last, f.count
            FROM found f JOIN named n USING (series_id)$q$,
            CASE WHEN one.level = 'raw' AND step IS NULL THEN
                'r.series_id, r.ts, r.value AS mean, r.value AS min, r.value AS max, r.value AS last, 1::bigint AS count FROM readings r '
                'WHERE r.series_id = ANY ($1) AND r.ts >= $2 AND r.ts < $3 AND r.quality < 2 AND $4 IS NULL'
            WHEN one.level = 'raw' THEN
                'r.series_id, date_bin($4, r.ts, ''epoch'') AS ts, avg(r.value) AS mean, min(r.value) AS min, max(r.value) AS max, '
                '(array_agg(r.value ORDER BY r.ts DESC))[1] AS last, count(*) AS count FROM readings r '
                'WHERE r.series_id = ANY ($1) AND r.ts >= $2 AND r.ts < $3 AND r.quality < 2 GROUP BY 1, 2'
            WHEN step IS NULL THEN
                format('r.series_id, r.ts, r.sum / r.count AS mean, r.min, r.max, r.last, r.count::bigint AS count FROM rollups_%s r '
                       'WHERE r.series_id = ANY ($1) AND r.ts >= $2 AND r.ts < $3 AND r.count > 0 AND $4 IS NULL', one.level)
            ELSE
                format('r.series_id, date_bin($4, r.ts, ''epoch'') AS ts, sum(r.sum) / sum(r.count) AS mean, min(r.min) AS min, '
                       'max(r.max) AS max, (array_agg(r.last ORDER BY r.ts DESC))[1] AS last, sum(r.count) AS count FROM rollups_%s r '
                       'WHERE r.series_id = ANY ($1) AND r.ts >= $2 AND r.ts < $3 AND r.count > 0 GROUP BY 1, 2', one.level)
            END) USING one.series, since, until, step;
    END LOOP;
END
$_$;
ALTER FUNCTION wall.series(of_communities text[], of_kinds text[], of_metrics text[], since timestamp with time zone, until timestamp with time zone, of_equipment text[], step interval) OWNER TO watchkeep_owner;
COMMENT ON FUNCTION wall.series(of_communities text[], of_kinds text[], of_metrics text[], since timestamp with time zone, until timestamp with time zone, of_equipment text[], step interval) IS 'Values over time of the points of these communities, kinds, metrics (and pieces of equipment): raw, per minute or per hour by the length of the span.';
CREATE TABLE public.aliases (
    community_id text NOT NULL,
    gateway_id text NOT NULL,
    epoch text NOT NULL,
    alias integer NOT NULL,
    series_id integer NOT NULL
);
ALTER TABLE public.aliases OWNER TO watchkeep_owner;
COMMENT ON TABLE public.aliases IS 'Alias → series, from births. Writer: ingest.';
CREATE TABLE public.api_tokens (
    token_hash bytea NOT NULL,
    person_id uuid NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    token_id bigint NOT NULL,
    last_used_at timestamp with time zone
);
ALTER TABLE ONLY public.api_tokens FORCE ROW LEVEL SECURITY;
ALTER TABLE public.api_tokens OWNER TO watchkeep_owner;
COMMENT ON TABLE public.api_tokens IS 'Tokens for programs. Writer: console.';
ALTER TABLE public.api_tokens ALTER COLUMN token_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.api_tokens_token_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.appeals (
    appeal_id integer NOT NULL,
    ranking_id integer NOT NULL,
    subject_id text NOT NULL,
    reason text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    made_by uuid,
    upheld boolean,
    decision text DEFAULT ''::text NOT NULL,
    decided_at timestamp with time zone,
    decided_by uuid,
    CONSTRAINT appeals_check CHECK (((upheld IS NULL) = (decided_at IS NULL))),
    CONSTRAINT appeals_check1 CHECK (((decided_by IS NULL) OR (decided_by <> made_by))),
    CONSTRAINT appeals_reason_check CHECK ((reason <> ''::text))
);
ALTER TABLE ONLY public.appeals FORCE ROW LEVEL SECURITY;
ALTER TABLE public.appeals OWNER TO watchkeep_owner;
COMMENT ON TABLE public.appeals IS 'Appeals against a place on a list, with their decision. Writer: dispatch.';
ALTER TABLE public.appeals ALTER COLUMN appeal_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.appeals_appeal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.areas (
    area_id text NOT NULL,
    parent_id text,
    kind text NOT NULL,
    name text NOT NULL,
    name_en text DEFAULT ''::text NOT NULL,
    urban boolean DEFAULT true NOT NULL,
    path text[] NOT NULL,
    CONSTRAINT areas_area_id_check CHECK ((area_id ~ '^[A-Za-z0-9_-]{1,64}$'::text)),
    CONSTRAINT areas_kind_check CHECK ((kind = ANY (ARRAY['city'::text, 'subdistrict'::text, 'neighbourhood'::text, 'grid'::text])))
);
ALTER TABLE ONLY public.areas FORCE ROW LEVEL SECURITY;
ALTER TABLE public.areas OWNER TO watchkeep_owner;
COMMENT ON TABLE public.areas IS 'Administrative tree: city, subdistrict, neighbourhood, grid. Writer: core estate.';
CREATE TABLE public.assignment_rules (
    org_id text NOT NULL,
    mode text NOT NULL,
    CONSTRAINT assignment_rules_mode_check CHECK ((mode = ANY (ARRAY['on_call'::text, 'round_robin'::text, 'grab'::text, 'manual'::text])))
);
ALTER TABLE ONLY public.assignment_rules FORCE ROW LEVEL SECURITY;
ALTER TABLE public.assignment_rules OWNER TO watchkeep_owner;
COMMENT ON TABLE public.assignment_rules IS 'How an organisation gives its orders to its people; without a row: grab. Writer: dispatch.';
CREATE TABLE public.audit_entries (
    audit_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    service text DEFAULT SESSION_USER NOT NULL,
    person_id uuid,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    address inet
);
ALTER TABLE ONLY public.audit_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE public.audit_entries OWNER TO watchkeep_owner;
COMMENT ON TABLE public.audit_entries IS 'Who did what, append-only, kept at least 180 days. Writer: core audit.';
ALTER TABLE public.audit_entries ALTER COLUMN audit_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_entries_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.audit_seals (
    seal_no bigint NOT NULL,
    audit_id bigint NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
ALTER TABLE ONLY public.audit_seals FORCE ROW LEVEL SECURITY;
ALTER TABLE public.audit_seals OWNER TO watchkeep_owner;
COMMENT ON TABLE public.audit_seals IS 'Hash chain over audit_entries. Writer: the sealer in dispatch.';
CREATE TABLE public.batches (
    lane text NOT NULL,
    partition smallint NOT NULL,
    batch bigint NOT NULL,
    row_count integer NOT NULL,
    min_ts timestamp with time zone NOT NULL,
    max_ts timestamp with time zone NOT NULL,
    series int4range,
    committed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT batches_lane_check CHECK ((lane = ANY (ARRAY['data'::text, 'event'::text]))),
    CONSTRAINT batches_partition_check CHECK (((partition >= 0) AND (partition <= 15)))
);
ALTER TABLE public.batches OWNER TO watchkeep_owner;
COMMENT ON TABLE public.batches IS 'Committed batches, numbered without holes per lane and partition. Writer: ingest.';
CREATE TABLE public.buildings (
    community_id text NOT NULL,
    building_id text NOT NULL,
    name text NOT NULL,
    storeys integer NOT NULL,
    height_m double precision,
    CONSTRAINT buildings_building_id_check CHECK ((building_id ~ '^[A-Za-z0-9_-]{1,64}$'::text)),
    CONSTRAINT buildings_height_m_check CHECK ((height_m > (0)::double precision)),
    CONSTRAINT buildings_storeys_check CHECK (((storeys >= 1) AND (storeys <= 200)))
);
ALTER TABLE ONLY public.buildings FORCE ROW LEVEL SECURITY;
ALTER TABLE public.buildings OWNER TO watchkeep_owner;
COMMENT ON TABLE public.buildings IS 'Writer: core estate.';
CREATE TABLE public.case_callbacks (
    callback_id bigint NOT NULL,
    case_id bigint NOT NULL,
    person_id uuid,
    at timestamp with time zone NOT NULL,
    reached boolean NOT NULL,
    satisfied boolean,
    note text DEFAULT ''::text NOT NULL,
    CONSTRAINT case_callbacks_check CHECK ((reached OR (satisfied IS NULL)))
);
ALTER TABLE ONLY public.case_callbacks FORCE ROW LEVEL SECURITY;
ALTER TABLE public.case_callbacks OWNER TO watchkeep_owner;
COMMENT ON TABLE public.case_callbacks IS 'Call-backs (回访) after a case was closed. Append-only. Writer: dispatch.';
ALTER TABLE public.case_callbacks ALTER COLUMN callback_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.case_callbacks_callback_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.case_escalations (
    case_id bigint NOT NULL,
    clock text NOT NULL,
    level smallint NOT NULL,
    since timestamp with time zone NOT NULL,
    to_party text NOT NULL,
    persons uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    due_at timestamp with time zone NOT NULL,
    fired_at timestamp with time zone NOT NULL,
    CONSTRAINT case_escalations_clock_check CHECK ((clock = ANY (ARRAY['dispatch'::text, 'callback'::text]))),
    CONSTRAINT case_escalations_level_check CHECK (((level >= 0) AND (level <= 9)))
);
ALTER TABLE ONLY public.case_escalations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.case_escalations OWNER TO watchkeep_owner;
COMMENT ON TABLE public.case_escalations IS 'Escalations of clocks before the first and after the last order: each level once. Writer: dispatch.';
CREATE TABLE public.case_warnings (
    warning_id bigint NOT NULL,
    case_id bigint NOT NULL,
    role text NOT NULL,
    CONSTRAINT case_warnings_role_check CHECK ((role = ANY (ARRAY['cause'::text, 'recurrence'::text, 'symptom'::text])))
);
ALTER TABLE ONLY public.case_warnings FORCE ROW LEVEL SECURITY;
ALTER TABLE public.case_warnings OWNER TO watchkeep_owner;
COMMENT ON TABLE public.case_warnings IS 'Which case a warning belongs to. Writer: dispatch.';
CREATE TABLE public.cases (
    case_id bigint NOT NULL,
    community_id text NOT NULL,
    equipment_id text,
    condition text NOT NULL,
    source text NOT NULL,
    class text NOT NULL,
    life_safety boolean DEFAULT false NOT NULL,
    state text NOT NULL,
    title_zh text NOT NULL,
    title_en text NOT NULL,
    duty_id integer,
    first_responder_id text,
    responsible_org_id text,
    supervising_org_id text,
    snapshot jsonb DEFAULT '{}'::jsonb NOT NULL,
    event_at timestamp with time zone NOT NULL,
    filed_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    replay boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    parent_case_id bigint,
    CONSTRAINT cases_class_check CHECK ((class = ANY (ARRAY['A'::text, 'B'::text, 'C'::text])))
);
ALTER TABLE ONLY public.cases FORCE ROW LEVEL SECURITY;
ALTER TABLE public.cases OWNER TO watchkeep_owner;
COMMENT ON TABLE public.cases IS '案件. Writer: dispatch.';
ALTER TABLE public.cases ALTER COLUMN case_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.cases_case_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE UNLOGGED TABLE public.channel_hits (
    address bytea NOT NULL,
    hits timestamp with time zone[] NOT NULL
);
ALTER TABLE ONLY public.channel_hits FORCE ROW LEVEL SECURITY;
ALTER TABLE public.channel_hits OWNER TO watchkeep_owner;
COMMENT ON TABLE public.channel_hits IS 'Messages of the last minute to one address. Writer: dispatch.';
CREATE TABLE public.communities (
    community_id text NOT NULL,
    name text NOT NULL,
    name_en text DEFAULT ''::text NOT NULL,
    area_id text NOT NULL,
    property_org_id text,
    timezone text DEFAULT 'Asia/Shanghai'::text NOT NULL,
    mode text DEFAULT 'live'::text NOT NULL,
    households integer DEFAULT 0 NOT NULL,
    longitude double precision,
    latitude double precision,
    report_token uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT communities_community_id_check CHECK ((community_id ~ '^[A-Za-z0-9_-]{1,64}$'::text)),
    CONSTRAINT communities_households_check CHECK ((households >= 0)),
    CONSTRAINT communities_mode_check CHECK ((mode = ANY (ARRAY['live'::text, 'replay'::text])))
);
ALTER TABLE ONLY public.communities FORCE ROW LEVEL SECURITY;
ALTER TABLE public.communities OWNER TO watchkeep_owner;
COMMENT ON TABLE public.communities IS 'Residential communities; mode replay = recorded data: bounds off, notifies nobody. Writer: core estate.';
CREATE TABLE public.community_history (
    history_id bigint NOT NULL,
    community_id text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    property_org_id text,
    area_id text NOT NULL,
    households integer NOT NULL
);
ALTER TABLE ONLY public.community_history FORCE ROW LEVEL SECURITY;
ALTER TABLE public.community_history OWNER TO watchkeep_owner;
COMMENT ON TABLE public.community_history IS 'Property company, area and households of a community over time, append-only. Writer: core estate.';
ALTER TABLE public.community_history ALTER COLUMN history_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.community_history_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.community_sums (
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    community_id text NOT NULL,
    stale boolean DEFAULT true NOT NULL,
    known_at timestamp with time zone,
    warnings integer DEFAULT 0 NOT NULL,
    dismissed integer DEFAULT 0 NOT NULL,
    complaints integer DEFAULT 0 NOT NULL,
    rated_d integer DEFAULT 0 NOT NULL,
    rated_n integer DEFAULT 0 NOT NULL,
    building_s bigint DEFAULT 0 NOT NULL,
    protected_s bigint DEFAULT 0 NOT NULL,
    point_s bigint DEFAULT 0 NOT NULL,
    heard_s bigint DEFAULT 0 NOT NULL
);
ALTER TABLE ONLY public.community_sums FORCE ROW LEVEL SECURITY;
ALTER TABLE public.community_sums OWNER TO watchkeep_owner;
COMMENT ON TABLE public.community_sums IS 'Warnings, those found false, complaints, opinions, protected seconds of buildings and heard seconds of points of a span by community, by the register as it was when they were counted; known_at = the last of these facts, stale = one came since. Writer: dispatch.';
CREATE TABLE public.complaints (
    complaint_id bigint NOT NULL,
    token uuid DEFAULT gen_random_uuid() NOT NULL,
    source text NOT NULL,
    channel_no text,
    community_id text NOT NULL,
    equipment_id text,
    condition text NOT NULL,
    place text DEFAULT ''::text NOT NULL,
    description text NOT NULL,
    contact_name text DEFAULT ''::text NOT NULL,
    contact_phone text DEFAULT ''::text NOT NULL,
    contact_masked text GENERATED ALWAYS AS (
CASE
    WHEN (length(contact_phone) < 8) THEN ''::text
    ELSE (("left"(contact_phone, 3) || '****'::text) || "right"(contact_phone, 4))
END) STORED,
    photo bytea,
    photo_type text DEFAULT ''::text NOT NULL,
    property_org_id text,
    received_at timestamp with time zone NOT NULL,
    entered_by uuid,
    case_id bigint,
    attached boolean DEFAULT false NOT NULL,
    refusal text DEFAULT ''::text NOT NULL,
    answer_zh text DEFAULT ''::text NOT NULL,
    answer_en text DEFAULT ''::text NOT NULL,
    answered_at timestamp with time zone,
    satisfied boolean,
    rated_at timestamp with time zone,
    rating_note text DEFAULT ''::text NOT NULL,
    told_at timestamp with time zone,
    tell_again timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    tell_attempts smallint DEFAULT 0 NOT NULL,
    tell_error text DEFAULT ''::text NOT NULL,
    CONSTRAINT complaints_channel_no_check CHECK ((channel_no <> ''::text)),
    CONSTRAINT complaints_contact_name_check CHECK ((length(contact_name) <= 100)),
    CONSTRAINT complaints_contact_phone_check CHECK ((length(contact_phone) <= 254)),
    CONSTRAINT complaints_description_check CHECK (((length(description) >= 1) AND (length(description) <= 4000))),
    CONSTRAINT complaints_photo_check CHECK ((octet_length(photo) <= 20971520)),
    CONSTRAINT complaints_place_check CHECK ((length(place) <= 200)),
    CONSTRAINT complaints_rating_note_check CHECK ((length(rating_note) <= 2000))
);
ALTER TABLE ONLY public.complaints FORCE ROW LEVEL SECURITY;
ALTER TABLE public.complaints OWNER TO watchkeep_owner;
COMMENT ON TABLE public.complaints IS 'Complaints and calls, each with its reporter''s token and answer. Writer: dispatch.';
COMMENT ON COLUMN public.complaints.contact_phone IS 'Phone number or mail address of the reporter; console reads it through a function only.';
COMMENT ON COLUMN public.complaints.told_at IS 'When the answer went out to the reporter; null: not yet, or there is no way.';
COMMENT ON COLUMN public.complaints.tell_again IS 'Not tried before: being handed over, or failed.';
ALTER TABLE public.complaints ALTER COLUMN complaint_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.complaints_complaint_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.contracts (
    contract_id text NOT NULL,
    kind text NOT NULL,
    community_id text NOT NULL,
    provider_org_id text NOT NULL,
    equipment_kinds text[],
    valid daterange NOT NULL,
    reference text DEFAULT ''::text NOT NULL
);
ALTER TABLE ONLY public.contracts FORCE ROW LEVEL SECURITY;
ALTER TABLE public.contracts OWNER TO watchkeep_owner;
COMMENT ON TABLE public.contracts IS 'Who serves what, and when. Writer: core estate.';
CREATE TABLE public.credit_events (
    event_id bigint NOT NULL,
    org_id text NOT NULL,
    person_name text DEFAULT ''::text NOT NULL,
    judgment_no text DEFAULT ''::text NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    points numeric(6,2) DEFAULT 0 NOT NULL,
    reason text NOT NULL,
    evidence_ref text NOT NULL,
    case_id bigint,
    withdraws_id bigint,
    occurred_on date NOT NULL,
    valid_until date NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    recorded_by uuid,
    CONSTRAINT credit_events_check CHECK ((valid_until >= occurred_on)),
    CONSTRAINT credit_events_check1 CHECK (((person_name = ''::text) OR (judgment_no <> ''::text))),
    CONSTRAINT credit_events_check2 CHECK (((kind = 'withdrawal'::text) = (withdraws_id IS NOT NULL))),
    CONSTRAINT credit_events_code_check CHECK ((code <> ''::text)),
    CONSTRAINT credit_events_evidence_ref_check CHECK ((evidence_ref <> ''::text)),
    CONSTRAINT credit_events_kind_check CHECK ((kind = ANY (ARRAY['good'::text, 'bad'::text, 'veto'::text, 'withdrawal'::text]))),
    CONSTRAINT credit_events_points_check CHECK ((points >= (0)::numeric)),
    CONSTRAINT credit_events_reason_check CHECK ((reason <> ''::text))
);
ALTER TABLE ONLY public.credit_events FORCE ROW LEVEL SECURITY;
ALTER TABLE public.credit_events OWNER TO watchkeep_owner;
COMMENT ON TABLE public.credit_events IS 'Good and bad credit events with evidence, append-only. Writer: dispatch.';
ALTER TABLE public.credit_events ALTER COLUMN event_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.credit_events_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.data_shares (
    share_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    person_id uuid,
    recipient text NOT NULL,
    purpose text NOT NULL,
    dataset text NOT NULL,
    fields text[] NOT NULL,
    area_id text,
    since timestamp with time zone,
    until timestamp with time zone,
    row_count integer NOT NULL,
    sha256 bytea NOT NULL,
    CONSTRAINT data_shares_purpose_check CHECK ((purpose <> ''::text)),
    CONSTRAINT data_shares_recipient_check CHECK ((recipient <> ''::text))
);
ALTER TABLE ONLY public.data_shares FORCE ROW LEVEL SECURITY;
ALTER TABLE public.data_shares OWNER TO watchkeep_owner;
COMMENT ON TABLE public.data_shares IS 'Register of data given away, append-only. Writer: console.';
ALTER TABLE public.data_shares ALTER COLUMN share_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.data_shares_share_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.dead_letters (
    dead_letter_id bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    topic text NOT NULL,
    payload bytea NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    community_id text,
    gateway_id text,
    replayed_at timestamp with time zone,
    replay_result text
);
ALTER TABLE public.dead_letters OWNER TO watchkeep_owner;
COMMENT ON TABLE public.dead_letters IS 'Messages that could not be understood, whole, with the reason. Writer: ingest.';
ALTER TABLE public.dead_letters ALTER COLUMN dead_letter_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.dead_letters_dead_letter_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.deadline_changes (
    change_id bigint NOT NULL,
    case_id bigint NOT NULL,
    order_id bigint NOT NULL,
    clock text NOT NULL,
    kind text NOT NULL,
    from_due timestamp with time zone,
    to_due timestamp with time zone,
    reason text NOT NULL,
    person_id uuid,
    approver_id uuid,
    at timestamp with time zone NOT NULL,
    CONSTRAINT deadline_changes_check CHECK ((to_due >= from_due)),
    CONSTRAINT deadline_changes_kind_check CHECK ((kind = ANY (ARRAY['pause'::text, 'resume'::text, 'extension'::text])))
);
ALTER TABLE ONLY public.deadline_changes FORCE ROW LEVEL SECURITY;
ALTER TABLE public.deadline_changes OWNER TO watchkeep_owner;
COMMENT ON TABLE public.deadline_changes IS 'Approved pauses and extensions with the deadline before and after. Append-only. Writer: dispatch.';
ALTER TABLE public.deadline_changes ALTER COLUMN change_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.deadline_changes_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.detection_feedback (
    feedback_id bigint NOT NULL,
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    series_id integer,
    condition text NOT NULL,
    detector text NOT NULL,
    said text NOT NULL,
    warning_id bigint,
    factor double precision,
    reason text NOT NULL,
    said_by text NOT NULL,
    said_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_by text,
    revoked_at timestamp with time zone,
    revoked_why text,
    CONSTRAINT detection_feedback_check CHECK (((revoked_at IS NULL) = (revoked_by IS NULL))),
    CONSTRAINT detection_feedback_check1 CHECK (((said = 'budget'::text) OR (warning_id IS NOT NULL))),
    CONSTRAINT detection_feedback_factor_check CHECK ((factor > (0)::double precision)),
    CONSTRAINT detection_feedback_reason_check CHECK ((reason <> ''::text)),
    CONSTRAINT detection_feedback_said_by_check CHECK ((said_by <> ''::text)),
    CONSTRAINT detection_feedback_said_check CHECK ((said = ANY (ARRAY['false_alarm'::text, 'real'::text, 'normal'::text, 'budget'::text])))
);
ALTER TABLE ONLY public.detection_feedback FORCE ROW LEVEL SECURITY;
ALTER TABLE public.detection_feedback OWNER TO watchkeep_owner;
COMMENT ON TABLE public.detection_feedback IS 'What people said of warnings, and the bars it raises. Writer: analytics, console.';
ALTER TABLE public.detection_feedback ALTER COLUMN feedback_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.detection_feedback_feedback_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.detection_rule_changes (
    change_id bigint NOT NULL,
    rule_id text NOT NULL,
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    before jsonb,
    after jsonb,
    changed_by text NOT NULL,
    reason text NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT detection_rule_changes_changed_by_check CHECK ((changed_by <> ''::text)),
    CONSTRAINT detection_rule_changes_reason_check CHECK ((reason <> ''::text))
);
ALTER TABLE ONLY public.detection_rule_changes FORCE ROW LEVEL SECURITY;
ALTER TABLE public.detection_rule_changes OWNER TO watchkeep_owner;
COMMENT ON TABLE public.detection_rule_changes IS 'Who changed which rule when and why. Writer: analytics.';
ALTER TABLE public.detection_rule_changes ALTER COLUMN change_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.detection_rule_changes_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.detection_rules (
    rule_id text NOT NULL,
    community_id text DEFAULT ''::text NOT NULL,
    equipment_id text DEFAULT ''::text NOT NULL,
    section text NOT NULL,
    definition jsonb NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT detection_rules_rule_id_check CHECK ((rule_id <> ''::text)),
    CONSTRAINT detection_rules_section_check CHECK ((section = ANY (ARRAY['rule'::text, 'rate'::text, 'starts'::text, 'ratio'::text, 'limit'::text, 'parameter'::text])))
);
ALTER TABLE ONLY public.detection_rules FORCE ROW LEVEL SECURITY;
ALTER TABLE public.detection_rules OWNER TO watchkeep_owner;
COMMENT ON TABLE public.detection_rules IS 'Rules as a manager has set them, over those that are shipped. Writer: analytics.';
CREATE TABLE public.detector_states (
    lane text NOT NULL,
    partition smallint NOT NULL,
    detector text NOT NULL,
    version text NOT NULL,
    batch bigint NOT NULL,
    saved_at timestamp with time zone DEFAULT now() NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT detector_states_lane_check CHECK ((lane = ANY (ARRAY['data'::text, 'event'::text])))
);
ALTER TABLE public.detector_states OWNER TO watchkeep_owner;
COMMENT ON TABLE public.detector_states IS 'Saved state of detectors. Writer: analytics.';
CREATE TABLE public.device_clocks (
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    skew_ms double precision NOT NULL,
    measured_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.device_clocks FORCE ROW LEVEL SECURITY;
ALTER TABLE public.device_clocks OWNER TO watchkeep_owner;
COMMENT ON TABLE public.device_clocks IS 'Devices whose clock is or was off, and by how much. Writer: ingest.';
CREATE TABLE public.duties (
    duty_id integer NOT NULL,
    list_id integer NOT NULL,
    row_no integer NOT NULL,
    title text NOT NULL,
    title_en text NOT NULL,
    domain text,
    kind text,
    condition text,
    ownership text,
    handed_over boolean,
    in_warranty boolean,
    area_id text,
    urban boolean,
    class text NOT NULL,
    first_responder text NOT NULL,
    responsible text NOT NULL,
    supervising text NOT NULL,
    copied text[] DEFAULT '{}'::text[] NOT NULL,
    respond_in interval,
    respond_kind text,
    arrive_in interval,
    arrive_kind text,
    finish_in interval,
    finish_kind text,
    filing_condition text DEFAULT ''::text NOT NULL,
    closing_condition text DEFAULT ''::text NOT NULL,
    evidence text[] DEFAULT '{}'::text[] NOT NULL,
    basis text NOT NULL,
    mark text NOT NULL,
    clear_for interval,
    contracted boolean,
    working_time boolean,
    CONSTRAINT duties_arrive_kind_check CHECK ((arrive_kind = ANY (ARRAY['urgent_hours'::text, 'working_hours'::text, 'working_days'::text, 'natural_days'::text]))),
    CONSTRAINT duties_check CHECK (((respond_in IS NULL) = (respond_kind IS NULL))),
    CONSTRAINT duties_check1 CHECK (((arrive_in IS NULL) = (arrive_kind IS NULL))),
    CONSTRAINT duties_check2 CHECK (((finish_in IS NULL) = (finish_kind IS NULL))),
    CONSTRAINT duties_class_check CHECK ((class = ANY (ARRAY['A'::text, 'B'::text, 'C'::text]))),
    CONSTRAINT duties_clear_for_check CHECK ((clear_for > '00:00:00'::interval)),
    CONSTRAINT duties_finish_kind_check CHECK ((finish_kind = ANY (ARRAY['urgent_hours'::text, 'working_hours'::text, 'working_days'::text, 'natural_days'::text]))),
    CONSTRAINT duties_respond_kind_check CHECK ((respond_kind = ANY (ARRAY['urgent_hours'::text, 'working_hours'::text, 'working_days'::text, 'natural_days'::text])))
);
ALTER TABLE ONLY public.duties FORCE ROW LEVEL SECURITY;
ALTER TABLE public.duties OWNER TO watchkeep_owner;
COMMENT ON TABLE public.duties IS 'One row of the responsibility list. Writer: dispatch.';
COMMENT ON COLUMN public.duties.clear_for IS 'The sensor must have been normal so long before the case is closed; null = not at all.';
COMMENT ON COLUMN public.duties.contracted IS 'A maintainer is (not) under contract for equipment of this kind.';
COMMENT ON COLUMN public.duties.working_time IS 'It happened (not) in working hours of a working day.';
ALTER TABLE public.duties ALTER COLUMN duty_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.duties_duty_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.duty_handovers (
    handover_id bigint NOT NULL,
    community_id text NOT NULL,
    post text NOT NULL,
    from_person uuid NOT NULL,
    to_person uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    note text NOT NULL,
    open_cases bigint[] NOT NULL,
    open_warnings integer NOT NULL,
    acknowledged_at timestamp with time zone,
    CONSTRAINT duty_handovers_check CHECK ((to_person <> from_person)),
    CONSTRAINT duty_handovers_note_check CHECK ((note <> ''::text)),
    CONSTRAINT duty_handovers_post_check CHECK ((post = ANY (ARRAY['control_room'::text, 'duty_desk'::text])))
);
ALTER TABLE ONLY public.duty_handovers FORCE ROW LEVEL SECURITY;
ALTER TABLE public.duty_handovers OWNER TO watchkeep_owner;
COMMENT ON TABLE public.duty_handovers IS 'Hand-over log of duty rooms: what was open, and that the next one took it over. Writer: dispatch.';
ALTER TABLE public.duty_handovers ALTER COLUMN handover_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.duty_handovers_handover_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.duty_lists (
    list_id integer NOT NULL,
    name text NOT NULL,
    status text DEFAULT 'draft'::text NOT NULL,
    valid tstzrange DEFAULT tstzrange(now(), NULL::timestamp with time zone) NOT NULL,
    created_by uuid,
    published_by uuid,
    published_at timestamp with time zone,
    CONSTRAINT duty_lists_check1 CHECK (((published_by IS NULL) OR (published_by <> created_by))),
    CONSTRAINT duty_lists_published CHECK (((status = 'withdrawn'::text) OR ((status = 'published'::text) = (published_at IS NOT NULL)))),
    CONSTRAINT duty_lists_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'published'::text, 'withdrawn'::text])))
);
ALTER TABLE ONLY public.duty_lists FORCE ROW LEVEL SECURITY;
ALTER TABLE public.duty_lists OWNER TO watchkeep_owner;
COMMENT ON TABLE public.duty_lists IS '权责清单 versions with effective dates. Writer: dispatch.';
ALTER TABLE public.duty_lists ALTER COLUMN list_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.duty_lists_list_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.equipment (
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    name_en text DEFAULT ''::text NOT NULL,
    building_id text,
    level integer,
    ownership text DEFAULT 'owners_common'::text NOT NULL,
    status text DEFAULT 'in_service'::text NOT NULL,
    maker text DEFAULT ''::text NOT NULL,
    model text DEFAULT ''::text NOT NULL,
    registration_code text DEFAULT ''::text NOT NULL,
    vendor_profile text DEFAULT ''::text NOT NULL,
    installed_on date,
    attributes jsonb DEFAULT '{}'::jsonb NOT NULL,
    report_token uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT equipment_equipment_id_check CHECK ((equipment_id ~ '^[A-Za-z0-9_-]{1,64}$'::text)),
    CONSTRAINT equipment_status_check CHECK ((status = ANY (ARRAY['in_service'::text, 'out_of_service'::text, 'retired'::text, 'unclaimed'::text])))
);
ALTER TABLE ONLY public.equipment FORCE ROW LEVEL SECURITY;
ALTER TABLE public.equipment OWNER TO watchkeep_owner;
COMMENT ON TABLE public.equipment IS 'Writer: core estate. Status unclaimed = a gateway spoke of it before a person registered it.';
CREATE TABLE public.equipment_links (
    community_id text NOT NULL,
    from_id text NOT NULL,
    relation text NOT NULL,
    to_id text NOT NULL,
    CONSTRAINT equipment_links_check CHECK ((from_id <> to_id)),
    CONSTRAINT equipment_links_relation_check CHECK ((relation = ANY (ARRAY['powered_by'::text, 'served_by'::text, 'gateway_of'::text, 'part_of'::text])))
);
ALTER TABLE ONLY public.equipment_links FORCE ROW LEVEL SECURITY;
ALTER TABLE public.equipment_links OWNER TO watchkeep_owner;
COMMENT ON TABLE public.equipment_links IS 'from_id is powered_by / served_by / part_of to_id; gateway_of: from_id reports for to_id. Writer: core estate.';
CREATE TABLE public.equipment_models (
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    version integer NOT NULL,
    trained_at timestamp with time zone DEFAULT now() NOT NULL,
    learnt_from timestamp with time zone NOT NULL,
    learnt_to timestamp with time zone NOT NULL,
    state text NOT NULL,
    why text DEFAULT ''::text NOT NULL,
    figures jsonb DEFAULT '{}'::jsonb NOT NULL,
    parameters bytea,
    CONSTRAINT equipment_models_check CHECK ((learnt_from < learnt_to)),
    CONSTRAINT equipment_models_check1 CHECK (((state = 'refused'::text) = (parameters IS NULL))),
    CONSTRAINT equipment_models_state_check CHECK ((state = ANY (ARRAY['active'::text, 'replaced'::text, 'rolled_back'::text, 'refused'::text]))),
    CONSTRAINT equipment_models_version_check CHECK ((version > 0))
);
ALTER TABLE ONLY public.equipment_models FORCE ROW LEVEL SECURITY;
ALTER TABLE public.equipment_models OWNER TO watchkeep_owner;
COMMENT ON TABLE public.equipment_models IS 'Trained models of equipment and their versions. Writer: analytics.';
CREATE TABLE public.erasures (
    erasure_id bigint NOT NULL,
    person_id uuid NOT NULL,
    reason text NOT NULL,
    requested_by uuid,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    approved_by uuid,
    done_at timestamp with time zone,
    CONSTRAINT erasures_check CHECK ((approved_by <> requested_by)),
    CONSTRAINT erasures_reason_check CHECK ((reason <> ''::text))
);
ALTER TABLE ONLY public.erasures FORCE ROW LEVEL SECURITY;
ALTER TABLE public.erasures OWNER TO watchkeep_owner;
COMMENT ON TABLE public.erasures IS 'Persons to be anonymised, and by whom. Writer: console.';
ALTER TABLE public.erasures ALTER COLUMN erasure_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.erasures_erasure_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.escalations (
    order_id bigint NOT NULL,
    clock text NOT NULL,
    level smallint NOT NULL,
    to_party text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    fired_at timestamp with time zone NOT NULL,
    persons uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    CONSTRAINT escalations_clock_check CHECK ((clock = ANY (ARRAY['respond'::text, 'arrive'::text, 'finish'::text, 'verify'::text]))),
    CONSTRAINT escalations_level_check CHECK (((level >= 0) AND (level <= 9)))
);
ALTER TABLE ONLY public.escalations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.escalations OWNER TO watchkeep_owner;
COMMENT ON TABLE public.escalations IS '督办: fired escalations. Writer: dispatch.';
COMMENT ON COLUMN public.escalations.persons IS 'People who were told by name; empty when the organisation has nobody in that role.';
CREATE TABLE public.events (
    event_id bigint NOT NULL,
    community_id text NOT NULL,
    gateway_id text NOT NULL,
    epoch text NOT NULL,
    seq bigint NOT NULL,
    equipment_id text NOT NULL,
    condition text NOT NULL,
    active boolean NOT NULL,
    ts timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    trusted boolean NOT NULL,
    raw_code text DEFAULT ''::text NOT NULL,
    profile text DEFAULT ''::text NOT NULL,
    attributes jsonb DEFAULT '{}'::jsonb NOT NULL
);
ALTER TABLE ONLY public.events FORCE ROW LEVEL SECURITY;
ALTER TABLE public.events OWNER TO watchkeep_owner;
COMMENT ON TABLE public.events IS 'Device events, exactly as received. Writer: ingest.';
ALTER TABLE public.events ALTER COLUMN event_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.events_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.evidence (
    evidence_id bigint NOT NULL,
    case_id bigint NOT NULL,
    order_id bigint,
    kind text NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    media_type text DEFAULT ''::text NOT NULL,
    content bytea,
    sha256 bytea,
    person_id uuid,
    at timestamp with time zone NOT NULL,
    original_sha256 bytea,
    latitude double precision,
    longitude double precision,
    taken_at text,
    matches boolean,
    CONSTRAINT evidence_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT evidence_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision)))
);
ALTER TABLE ONLY public.evidence FORCE ROW LEVEL SECURITY;
ALTER TABLE public.evidence OWNER TO watchkeep_owner;
COMMENT ON TABLE public.evidence IS 'Photos, scans, notes, readings. Writer: dispatch.';
COMMENT ON COLUMN public.evidence.matches IS 'Of a scanned code: whether it is the code of the equipment; null for other kinds and codes of another sort.';
ALTER TABLE public.evidence ALTER COLUMN evidence_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.evidence_evidence_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.floors (
    community_id text NOT NULL,
    building_id text NOT NULL,
    level integer NOT NULL,
    label text NOT NULL
);
ALTER TABLE ONLY public.floors FORCE ROW LEVEL SECURITY;
ALTER TABLE public.floors OWNER TO watchkeep_owner;
COMMENT ON TABLE public.floors IS 'Writer: core estate.';
CREATE TABLE public.fund_requests (
    request_id bigint NOT NULL,
    case_id bigint NOT NULL,
    trigger text NOT NULL,
    estimate numeric(12,2) NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    due_at timestamp with time zone,
    opened_at timestamp with time zone NOT NULL,
    settled numeric(12,2),
    closed_at timestamp with time zone,
    CONSTRAINT fund_requests_estimate_check CHECK ((estimate > (0)::numeric)),
    CONSTRAINT fund_requests_reason_check CHECK ((reason <> ''::text)),
    CONSTRAINT fund_requests_settled_check CHECK ((settled >= (0)::numeric))
);
ALTER TABLE ONLY public.fund_requests FORCE ROW LEVEL SECURITY;
ALTER TABLE public.fund_requests OWNER TO watchkeep_owner;
COMMENT ON TABLE public.fund_requests IS 'Emergency use of the special maintenance fund for a case. Writer: dispatch.';
ALTER TABLE public.fund_requests ALTER COLUMN request_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.fund_requests_request_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.fund_steps (
    step_id bigint NOT NULL,
    request_id bigint NOT NULL,
    action text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    person_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    note text DEFAULT ''::text NOT NULL
);
ALTER TABLE ONLY public.fund_steps FORCE ROW LEVEL SECURITY;
ALTER TABLE public.fund_steps OWNER TO watchkeep_owner;
COMMENT ON TABLE public.fund_steps IS 'Request, verification on site, publicity, approval, settlement of fund requests. Append-only. Writer: dispatch.';
ALTER TABLE public.fund_steps ALTER COLUMN step_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.fund_steps_step_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.gap_recoveries (
    recovery_id bigint NOT NULL,
    community_id text NOT NULL,
    gateway_id text NOT NULL,
    lane text NOT NULL,
    epoch text NOT NULL,
    state text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    recovered_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT gap_recoveries_lane_check CHECK ((lane = ANY (ARRAY['data'::text, 'event'::text]))),
    CONSTRAINT gap_recoveries_state_check CHECK ((state = ANY (ARRAY['missing'::text, 'lost'::text])))
);
ALTER TABLE public.gap_recoveries OWNER TO watchkeep_owner;
COMMENT ON TABLE public.gap_recoveries IS 'Exact ranges of messages that had been missing or lost and came after all. Writer: ingest.';
ALTER TABLE public.gap_recoveries ALTER COLUMN recovery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.gap_recoveries_recovery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.progress (
    community_id text NOT NULL,
    gateway_id text NOT NULL,
    lane text NOT NULL,
    epoch text NOT NULL,
    received int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    lost int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT progress_lane_check CHECK ((lane = ANY (ARRAY['data'::text, 'event'::text])))
);
ALTER TABLE public.progress OWNER TO watchkeep_owner;
COMMENT ON TABLE public.progress IS 'Exactly-once ledger: received and lost seqs per gateway, lane, epoch. Writer: ingest.';
CREATE VIEW public.gaps WITH (security_invoker='true') AS
 SELECT progress.community_id,
    progress.gateway_id,
    progress.lane,
    progress.epoch,
    'missing'::text AS state,
    lower(hole.hole) AS first_seq,
    (upper(hole.hole) - 1) AS last_seq,
    progress.updated_at
   FROM public.progress,
    LATERAL unnest(((int8multirange(int8range((0)::bigint, GREATEST(upper(range_merge(progress.received)), upper(range_merge(progress.lost)), (0)::bigint))) - progress.received) - progress.lost)) hole(hole)
UNION ALL
 SELECT progress.community_id,
    progress.gateway_id,
    progress.lane,
    progress.epoch,
    'lost'::text AS state,
    lower(hole.hole) AS first_seq,
    (upper(hole.hole) - 1) AS last_seq,
    progress.updated_at
   FROM public.progress,
    LATERAL unnest(progress.lost) hole(hole);
ALTER VIEW public.gaps OWNER TO watchkeep_owner;
COMMENT ON VIEW public.gaps IS 'Exact ranges of messages that are missing or lost.';
CREATE TABLE public.gateway_status (
    community_id text NOT NULL,
    gateway_id text NOT NULL,
    online boolean DEFAULT false NOT NULL,
    online_since timestamp with time zone,
    offline_since timestamp with time zone,
    last_message_at timestamp with time zone,
    software text DEFAULT ''::text NOT NULL,
    configuration text DEFAULT ''::text NOT NULL,
    clock jsonb DEFAULT '{}'::jsonb NOT NULL,
    skew_ms double precision,
    points integer DEFAULT 0 NOT NULL,
    born_at timestamp with time zone
);
ALTER TABLE ONLY public.gateway_status FORCE ROW LEVEL SECURITY;
ALTER TABLE public.gateway_status OWNER TO watchkeep_owner;
COMMENT ON TABLE public.gateway_status IS 'What gateways said of themselves, last. Writer: ingest.';
CREATE TABLE public.gateways (
    community_id text NOT NULL,
    gateway_id text NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    equipment_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    configuration_version text DEFAULT ''::text NOT NULL,
    CONSTRAINT gateways_gateway_id_check CHECK ((gateway_id ~ '^[A-Za-z0-9_-]{1,64}$'::text))
);
ALTER TABLE ONLY public.gateways FORCE ROW LEVEL SECURITY;
ALTER TABLE public.gateways OWNER TO watchkeep_owner;
COMMENT ON TABLE public.gateways IS 'Enrolled gateways; their secrets live with the broker only. Writer: core estate.';
CREATE TABLE public.handovers (
    community_id text NOT NULL,
    domain text NOT NULL,
    to_org_id text NOT NULL,
    handed_over_on date NOT NULL,
    reference text DEFAULT ''::text NOT NULL
);
ALTER TABLE ONLY public.handovers FORCE ROW LEVEL SECURITY;
ALTER TABLE public.handovers OWNER TO watchkeep_owner;
COMMENT ON TABLE public.handovers IS 'Installations handed over to a utility. Writer: core estate.';
CREATE TABLE public.households (
    community_id text NOT NULL,
    building_id text NOT NULL,
    household_id text NOT NULL,
    level integer,
    area_m2 double precision
);
ALTER TABLE ONLY public.households FORCE ROW LEVEL SECURITY;
ALTER TABLE public.households OWNER TO watchkeep_owner;
COMMENT ON TABLE public.households IS 'Dwellings without personal data. Writer: core estate.';
CREATE TABLE public.idempotency_keys (
    person_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint NOT NULL,
    response jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_key_check CHECK (((length(key) >= 1) AND (length(key) <= 200)))
);
ALTER TABLE ONLY public.idempotency_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE public.idempotency_keys OWNER TO watchkeep_owner;
COMMENT ON TABLE public.idempotency_keys IS 'Answers to keyed requests. Writer: console.';
CREATE TABLE public.ingest_accounts (
    lane text NOT NULL,
    partition smallint NOT NULL,
    received bigint DEFAULT 0 NOT NULL,
    processed bigint DEFAULT 0 NOT NULL,
    duplicate bigint DEFAULT 0 NOT NULL,
    dead_lettered bigint DEFAULT 0 NOT NULL,
    decoded bigint DEFAULT 0 NOT NULL,
    stored bigint DEFAULT 0 NOT NULL,
    quarantined bigint DEFAULT 0 NOT NULL,
    parked bigint DEFAULT 0 NOT NULL,
    late bigint DEFAULT 0 NOT NULL
);
ALTER TABLE public.ingest_accounts OWNER TO watchkeep_owner;
COMMENT ON TABLE public.ingest_accounts IS 'Both accounting identities, per lane and partition. Writer: ingest.';
CREATE TABLE public.ingest_minutes (
    minute timestamp with time zone NOT NULL,
    lane text NOT NULL,
    row_count bigint NOT NULL,
    least_lag_s double precision,
    most_lag_s double precision,
    CONSTRAINT ingest_minutes_lane_check CHECK ((lane = ANY (ARRAY['data'::text, 'event'::text])))
);
ALTER TABLE public.ingest_minutes OWNER TO watchkeep_owner;
COMMENT ON TABLE public.ingest_minutes IS 'Committed batches of minutes that are over, summed. Writer: ingest.';
COMMENT ON COLUMN public.ingest_minutes.row_count IS 'Readings or events.';
COMMENT ON COLUMN public.ingest_minutes.least_lag_s IS 'Seconds from the newest row of a batch to its commit, least; recorded data (more than a day) and clocks that are ahead say nothing.';
COMMENT ON COLUMN public.ingest_minutes.most_lag_s IS 'The same, most.';
CREATE TABLE public.inspections (
    inspection_id bigint NOT NULL,
    kind text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    heading text NOT NULL,
    points numeric(6,2) NOT NULL,
    possible numeric(6,2) NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    inspected_on date NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    recorded_by uuid,
    CONSTRAINT inspections_check CHECK (((points >= (0)::numeric) AND (points <= possible))),
    CONSTRAINT inspections_heading_check CHECK ((heading <> ''::text)),
    CONSTRAINT inspections_kind_check CHECK ((kind = ANY (ARRAY['half_year'::text, 'monthly_patrol'::text]))),
    CONSTRAINT inspections_possible_check CHECK ((possible > (0)::numeric)),
    CONSTRAINT inspections_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['company'::text, 'community'::text, 'subdistrict'::text])))
);
ALTER TABLE ONLY public.inspections FORCE ROW LEVEL SECURITY;
ALTER TABLE public.inspections OWNER TO watchkeep_owner;
COMMENT ON TABLE public.inspections IS 'Results of patrols and half-year inspections, append-only. Writer: dispatch.';
ALTER TABLE public.inspections ALTER COLUMN inspection_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.inspections_inspection_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.ledger_entries (
    entry_id bigint NOT NULL,
    case_id bigint NOT NULL,
    responsible_org_id text,
    entered_at timestamp with time zone NOT NULL,
    due_on date,
    struck_at timestamp with time zone,
    reason text NOT NULL
);
ALTER TABLE ONLY public.ledger_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_entries OWNER TO watchkeep_owner;
COMMENT ON TABLE public.ledger_entries IS '台账. Writer: dispatch.';
ALTER TABLE public.ledger_entries ALTER COLUMN entry_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ledger_entries_entry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.ledger_studies (
    study_id bigint NOT NULL,
    case_id bigint NOT NULL,
    month date NOT NULL,
    finding text NOT NULL,
    responsible_org_id text NOT NULL,
    due_on date NOT NULL,
    person_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_studies_finding_check CHECK ((finding <> ''::text)),
    CONSTRAINT ledger_studies_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric))
);
ALTER TABLE ONLY public.ledger_studies FORCE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_studies OWNER TO watchkeep_owner;
COMMENT ON TABLE public.ledger_studies IS 'Monthly study of each ledger entry: finding, responsible unit, time limit (plan item 11). Append-only. Writer: dispatch.';
ALTER TABLE public.ledger_studies ALTER COLUMN study_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ledger_studies_study_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.maintenance_windows (
    window_id bigint NOT NULL,
    community_id text NOT NULL,
    equipment_id text,
    during tstzrange NOT NULL,
    reason text NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT maintenance_windows_during_check CHECK (((NOT isempty(during)) AND (NOT upper_inf(during)))),
    CONSTRAINT maintenance_windows_reason_check CHECK ((reason <> ''::text))
);
ALTER TABLE ONLY public.maintenance_windows FORCE ROW LEVEL SECURITY;
ALTER TABLE public.maintenance_windows OWNER TO watchkeep_owner;
COMMENT ON TABLE public.maintenance_windows IS 'Planned work: suppresses with a reason and an end. Life safety is never suppressed. Writer: core estate.';
ALTER TABLE public.maintenance_windows ALTER COLUMN window_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.maintenance_windows_window_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.memberships (
    membership_id bigint NOT NULL,
    person_id uuid NOT NULL,
    role text NOT NULL,
    scope_kind text NOT NULL,
    scope_id text NOT NULL,
    valid tstzrange DEFAULT tstzrange(now(), NULL::timestamp with time zone) NOT NULL,
    CONSTRAINT memberships_scope_kind_check CHECK ((scope_kind = ANY (ARRAY['area'::text, 'organisation'::text, 'community'::text])))
);
ALTER TABLE ONLY public.memberships FORCE ROW LEVEL SECURITY;
ALTER TABLE public.memberships OWNER TO watchkeep_owner;
COMMENT ON TABLE public.memberships IS 'Person × role × scope. Writer: console.';
ALTER TABLE public.memberships ALTER COLUMN membership_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.memberships_membership_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.models (
    model_id bigint NOT NULL,
    community_id text,
    scope text NOT NULL,
    detector text NOT NULL,
    trained_at timestamp with time zone DEFAULT now() NOT NULL,
    trained_from tstzrange NOT NULL,
    quality jsonb DEFAULT '{}'::jsonb NOT NULL,
    active boolean DEFAULT false NOT NULL,
    model bytea NOT NULL
);
ALTER TABLE public.models OWNER TO watchkeep_owner;
COMMENT ON TABLE public.models IS 'Trained models by version. Writer: analytics.';
ALTER TABLE public.models ALTER COLUMN model_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.models_model_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.notices (
    notice_id bigint NOT NULL,
    community_id text NOT NULL,
    section text NOT NULL,
    title text NOT NULL,
    body text DEFAULT ''::text NOT NULL,
    amount_yuan numeric(14,2),
    period text DEFAULT ''::text NOT NULL,
    saved_at timestamp with time zone NOT NULL,
    saved_by uuid,
    removed_at timestamp with time zone,
    CONSTRAINT notices_body_check CHECK ((length(body) <= 2000)),
    CONSTRAINT notices_period_check CHECK ((length(period) <= 50)),
    CONSTRAINT notices_section_check CHECK ((section = ANY (ARRAY['manager'::text, 'phone'::text, 'service'::text, 'fee'::text, 'parking'::text, 'shared_utilities'::text, 'income'::text, 'expense'::text]))),
    CONSTRAINT notices_title_check CHECK (((length(title) >= 1) AND (length(title) <= 200)))
);
ALTER TABLE ONLY public.notices FORCE ROW LEVEL SECURITY;
ALTER TABLE public.notices OWNER TO watchkeep_owner;
COMMENT ON TABLE public.notices IS 'The public notice board of a community; what is taken down stays with its date. Writer: dispatch.';
ALTER TABLE public.notices ALTER COLUMN notice_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notices_notice_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.notification_channels (
    channel_id integer NOT NULL,
    org_id text,
    name text NOT NULL,
    url text DEFAULT ''::text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    person_id uuid,
    kind text DEFAULT 'webhook'::text NOT NULL,
    rank smallint DEFAULT 1 NOT NULL,
    quiet_hours text,
    language text,
    per_minute integer,
    CONSTRAINT notification_channels_kind_check CHECK ((kind = ANY (ARRAY['sms'::text, 'voice'::text, 'mail'::text, 'wecom'::text, 'dingtalk'::text, 'webhook'::text]))),
    CONSTRAINT notification_channels_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT notification_channels_owner CHECK (((org_id IS NULL) <> (person_id IS NULL))),
    CONSTRAINT notification_channels_per_minute_check CHECK ((per_minute > 0)),
    CONSTRAINT notification_channels_quiet_hours_check CHECK ((quiet_hours ~ '^$|^[0-2]\d:[0-5]\d-[0-2]\d:[0-5]\d$'::text)),
    CONSTRAINT notification_channels_rank_check CHECK ((rank > 0)),
    CONSTRAINT notification_channels_url CHECK (((url <> ''::text) OR (person_id IS NOT NULL)))
);
ALTER TABLE ONLY public.notification_channels FORCE ROW LEVEL SECURITY;
ALTER TABLE public.notification_channels OWNER TO watchkeep_owner;
COMMENT ON TABLE public.notification_channels IS 'Notification targets of organisations. Writer: dispatch.';
COMMENT ON COLUMN public.notification_channels.url IS 'apprise URL with its secrets, for dispatch only. Empty = the site''s SMS, voice or mail service, or the group robot of the organisation, to this person.';
COMMENT ON COLUMN public.notification_channels.rank IS 'Of a person: order of fallback, lowest first. All channels of an organisation are used.';
COMMENT ON COLUMN public.notification_channels.quiet_hours IS 'Such as 22:00-07:00; null = the site''s for persons, none for organisations; empty = none.';
COMMENT ON COLUMN public.notification_channels.per_minute IS 'More messages than these are joined into one; null = as the kind allows. Never life safety.';
ALTER TABLE public.notification_channels ALTER COLUMN channel_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notification_channels_channel_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.notifications (
    notification_id bigint NOT NULL,
    dedup_key text NOT NULL,
    case_id bigint,
    order_id bigint,
    org_id text,
    person_id uuid,
    channel text NOT NULL,
    language text DEFAULT 'zh'::text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    status text DEFAULT 'queued'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    error text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    kind text DEFAULT ''::text NOT NULL,
    words jsonb DEFAULT '{}'::jsonb NOT NULL,
    urgent boolean DEFAULT false NOT NULL,
    channel_id integer,
    due_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    digest boolean DEFAULT false NOT NULL,
    leased_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    wake_at timestamp with time zone,
    fallback_at timestamp with time zone,
    delivered_at timestamp with time zone,
    read_at timestamp with time zone,
    acted_at timestamp with time zone,
    CONSTRAINT notifications_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'sent'::text, 'failed'::text, 'read'::text])))
);
ALTER TABLE ONLY public.notifications FORCE ROW LEVEL SECURITY;
ALTER TABLE public.notifications OWNER TO watchkeep_owner;
COMMENT ON TABLE public.notifications IS 'Who was told what, and whether it arrived. Writer: dispatch.';
COMMENT ON COLUMN public.notifications.words IS 'Values of the text, rendered anew in the language of the channel.';
COMMENT ON COLUMN public.notifications.due_at IS 'Not handed over before: quiet hours, digest, next attempt.';
COMMENT ON COLUMN public.notifications.digest IS 'Was held back and may be joined with others into one message.';
COMMENT ON COLUMN public.notifications.wake_at IS 'When a job has to be made for it, if it still waits then.';
COMMENT ON COLUMN public.notifications.fallback_at IS 'When the person''s next channel takes over, unless it was read.';
ALTER TABLE public.notifications ALTER COLUMN notification_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notifications_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.order_spans (
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    ready boolean DEFAULT false NOT NULL,
    made_in xid8 DEFAULT pg_current_xact_id() NOT NULL,
    CONSTRAINT order_spans_check CHECK ((since < until))
);
ALTER TABLE ONLY public.order_spans FORCE ROW LEVEL SECURITY;
ALTER TABLE public.order_spans OWNER TO watchkeep_owner;
COMMENT ON TABLE public.order_spans IS 'Days of this month and months before it whose orders are counted in order_sums; ready = all of them are, made_in = the transaction that began it. Writer: dispatch.';
CREATE TABLE public.order_sums (
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    org_id text NOT NULL,
    community_id text NOT NULL,
    stale boolean DEFAULT true NOT NULL,
    known_at timestamp with time zone,
    orders integer DEFAULT 0 NOT NULL,
    respond_d integer DEFAULT 0 NOT NULL,
    respond_n integer DEFAULT 0 NOT NULL,
    arrive_d integer DEFAULT 0 NOT NULL,
    arrive_n integer DEFAULT 0 NOT NULL,
    due_d integer DEFAULT 0 NOT NULL,
    on_time_n integer DEFAULT 0 NOT NULL,
    closed_n integer DEFAULT 0 NOT NULL,
    urgent_d integer DEFAULT 0 NOT NULL,
    urgent_n integer DEFAULT 0 NOT NULL,
    rework_d integer DEFAULT 0 NOT NULL,
    rework_n integer DEFAULT 0 NOT NULL,
    recur_d integer DEFAULT 0 NOT NULL,
    recur_n integer DEFAULT 0 NOT NULL,
    returned integer DEFAULT 0 NOT NULL,
    returned_for interval DEFAULT '00:00:00'::interval NOT NULL,
    withdrawn integer DEFAULT 0 NOT NULL,
    ledger integer DEFAULT 0 NOT NULL,
    suspended integer DEFAULT 0 NOT NULL,
    paused integer DEFAULT 0 NOT NULL,
    paused_for interval DEFAULT '00:00:00'::interval NOT NULL
);
ALTER TABLE ONLY public.order_sums FORCE ROW LEVEL SECURITY;
ALTER TABLE public.order_sums OWNER TO watchkeep_owner;
COMMENT ON TABLE public.order_sums IS 'What indicators count of the orders due in a span, as all facts have it; known_at = the last of these facts, stale = one came since. Writer: dispatch.';
CREATE TABLE public.orders (
    order_id bigint NOT NULL,
    case_id bigint NOT NULL,
    community_id text NOT NULL,
    equipment_id text,
    org_id text NOT NULL,
    assignee_id uuid,
    lead boolean DEFAULT true NOT NULL,
    state text NOT NULL,
    dispatched_at timestamp with time zone NOT NULL,
    responded_at timestamp with time zone,
    arrived_at timestamp with time zone,
    finished_at timestamp with time zone,
    respond_due timestamp with time zone,
    arrive_due timestamp with time zone,
    finish_due timestamp with time zone,
    closed_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    verify_due timestamp with time zone,
    class text,
    condition text,
    scored boolean DEFAULT true NOT NULL,
    recurs_order_id bigint,
    settles_at timestamp with time zone GENERATED ALWAYS AS (COALESCE(finish_due, respond_due, dispatched_at)) STORED NOT NULL,
    CONSTRAINT orders_class_check CHECK ((class = ANY (ARRAY['A'::text, 'B'::text, 'C'::text])))
);
ALTER TABLE ONLY public.orders FORCE ROW LEVEL SECURITY;
ALTER TABLE public.orders OWNER TO watchkeep_owner;
COMMENT ON TABLE public.orders IS '工单: one assignment of a case. Writer: dispatch.';
ALTER TABLE public.orders ALTER COLUMN order_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.orders_order_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.organisations (
    org_id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    name_en text DEFAULT ''::text NOT NULL,
    area_id text,
    credit_code text,
    duty_phone text DEFAULT ''::text NOT NULL,
    CONSTRAINT organisations_org_id_check CHECK ((org_id ~ '^[A-Za-z0-9_-]{1,64}$'::text))
);
ALTER TABLE ONLY public.organisations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.organisations OWNER TO watchkeep_owner;
COMMENT ON TABLE public.organisations IS 'Property companies, maintainers, utilities, authorities. Writer: core estate.';
CREATE TABLE public.owners_committees (
    committee_id text NOT NULL,
    community_id text NOT NULL,
    kind text NOT NULL,
    elected_on date,
    term_ends_on date,
    registered_on date,
    members integer DEFAULT 0 NOT NULL,
    party_members integer DEFAULT 0 NOT NULL,
    CONSTRAINT owners_committees_check CHECK ((party_members <= members)),
    CONSTRAINT owners_committees_kind_check CHECK ((kind = ANY (ARRAY['owners_committee'::text, 'interim_committee'::text])))
);
ALTER TABLE ONLY public.owners_committees FORCE ROW LEVEL SECURITY;
ALTER TABLE public.owners_committees OWNER TO watchkeep_owner;
COMMENT ON TABLE public.owners_committees IS 'Writer: core estate.';
CREATE TABLE public.parked (
    parked_id bigint NOT NULL,
    community_id text NOT NULL,
    gateway_id text NOT NULL,
    epoch text NOT NULL,
    seq bigint NOT NULL,
    reason text NOT NULL,
    readings integer NOT NULL,
    payload bytea NOT NULL,
    parked_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.parked OWNER TO watchkeep_owner;
COMMENT ON TABLE public.parked IS 'Readings that wait for their alias, cap or limit; replayed when the reason is gone. Writer: ingest.';
ALTER TABLE public.parked ALTER COLUMN parked_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.parked_parked_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.people (
    person_id uuid DEFAULT gen_random_uuid() NOT NULL,
    login text NOT NULL,
    name text NOT NULL,
    org_id text,
    phone text DEFAULT ''::text NOT NULL,
    phone_masked text GENERATED ALWAYS AS (
CASE
    WHEN (length(phone) < 8) THEN ''::text
    ELSE (("left"(phone, 3) || '****'::text) || "right"(phone, 4))
END) STORED,
    email text DEFAULT ''::text NOT NULL,
    language text DEFAULT 'zh'::text NOT NULL,
    password_hash text,
    failed_logins integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    password_due boolean DEFAULT false NOT NULL,
    anonymised_at timestamp with time zone,
    CONSTRAINT people_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT people_login_check CHECK ((login ~ '^[a-z0-9][a-z0-9._-]{1,63}$'::text))
);
ALTER TABLE ONLY public.people FORCE ROW LEVEL SECURITY;
ALTER TABLE public.people OWNER TO watchkeep_owner;
COMMENT ON TABLE public.people IS 'Writer: console. Elsewhere persons appear by id only.';
CREATE TABLE public.person_logins (
    issuer text NOT NULL,
    subject text NOT NULL,
    person_id uuid NOT NULL,
    linked_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.person_logins FORCE ROW LEVEL SECURITY;
ALTER TABLE public.person_logins OWNER TO watchkeep_owner;
COMMENT ON TABLE public.person_logins IS 'Accounts at OpenID providers. Writer: console.';
CREATE TABLE public.person_skills (
    person_id uuid NOT NULL,
    skill text NOT NULL,
    certificate_no text DEFAULT ''::text NOT NULL,
    valid daterange NOT NULL,
    CONSTRAINT person_skills_skill_check CHECK ((skill ~ '^[a-z0-9_]{1,64}$'::text)),
    CONSTRAINT person_skills_valid_check CHECK ((NOT isempty(valid)))
);
ALTER TABLE ONLY public.person_skills FORCE ROW LEVEL SECURITY;
ALTER TABLE public.person_skills OWNER TO watchkeep_owner;
COMMENT ON TABLE public.person_skills IS 'Certificates (特种设备作业人员证 …) with their validity. Writer: dispatch.';
CREATE TABLE public.person_totp (
    person_id uuid NOT NULL,
    secret bytea NOT NULL,
    last_step bigint DEFAULT 0 NOT NULL,
    confirmed_at timestamp with time zone
);
ALTER TABLE ONLY public.person_totp FORCE ROW LEVEL SECURITY;
ALTER TABLE public.person_totp OWNER TO watchkeep_owner;
COMMENT ON TABLE public.person_totp IS 'Authenticator apps (TOTP). Writer: console.';
CREATE TABLE public.point_limits (
    limit_id integer NOT NULL,
    series_id integer NOT NULL,
    condition text NOT NULL,
    side text NOT NULL,
    value double precision NOT NULL,
    clear_value double precision NOT NULL,
    for_s double precision DEFAULT 0 NOT NULL,
    clear_for_s double precision DEFAULT 0 NOT NULL,
    tier text NOT NULL,
    when_metric text,
    when_value double precision,
    basis text NOT NULL,
    mark text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    CONSTRAINT point_limits_check CHECK (
CASE side
    WHEN 'above'::text THEN (clear_value <= value)
    WHEN 'below'::text THEN (clear_value >= value)
    ELSE true
END),
    CONSTRAINT point_limits_check1 CHECK (((when_metric IS NULL) = (when_value IS NULL))),
    CONSTRAINT point_limits_clear_for_s_check CHECK ((clear_for_s >= (0)::double precision)),
    CONSTRAINT point_limits_for_s_check CHECK ((for_s >= (0)::double precision)),
    CONSTRAINT point_limits_side_check CHECK ((side = ANY (ARRAY['above'::text, 'below'::text, 'equals'::text]))),
    CONSTRAINT point_limits_tier_check CHECK ((tier = ANY (ARRAY['notice'::text, 'warning'::text, 'alarm'::text])))
);
ALTER TABLE ONLY public.point_limits FORCE ROW LEVEL SECURITY;
ALTER TABLE public.point_limits OWNER TO watchkeep_owner;
COMMENT ON TABLE public.point_limits IS 'Limits with hysteresis and duration; basis and mark name the source. Writer: core estate.';
ALTER TABLE public.point_limits ALTER COLUMN limit_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.point_limits_limit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.points (
    series_id integer NOT NULL,
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    metric text NOT NULL,
    unit text NOT NULL,
    period_s double precision,
    claimed boolean DEFAULT true NOT NULL,
    gateway_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT points_period_s_check CHECK ((period_s > (0)::double precision))
);
ALTER TABLE ONLY public.points FORCE ROW LEVEL SECURITY;
ALTER TABLE public.points OWNER TO watchkeep_owner;
COMMENT ON TABLE public.points IS 'One time series: equipment × metric. Writer: core estate.';
ALTER TABLE public.points ALTER COLUMN series_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.points_series_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.quarantine (
    quarantine_id bigint NOT NULL,
    community_id text NOT NULL,
    gateway_id text NOT NULL,
    series_id integer NOT NULL,
    ts timestamp with time zone NOT NULL,
    value double precision NOT NULL,
    quality smallint NOT NULL,
    reason text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT quarantine_reason_check CHECK ((reason = ANY (ARRAY['too_old'::text, 'in_future'::text, 'impossible_value'::text])))
);
ALTER TABLE public.quarantine OWNER TO watchkeep_owner;
COMMENT ON TABLE public.quarantine IS 'Readings with impossible stamps or values, kept for people to judge. Writer: ingest.';
ALTER TABLE public.quarantine ALTER COLUMN quarantine_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.quarantine_quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.ranking_rows (
    ranking_id integer NOT NULL,
    subject_id text NOT NULL,
    name text NOT NULL,
    score numeric(7,2),
    band text DEFAULT ''::text NOT NULL,
    list text NOT NULL,
    "position" integer,
    cases integer NOT NULL,
    detail jsonb NOT NULL,
    corrected text,
    CONSTRAINT ranking_rows_corrected_check CHECK ((corrected = ANY (ARRAY['red'::text, 'grey'::text, 'none'::text, 'not_ranked'::text]))),
    CONSTRAINT ranking_rows_list_check CHECK ((list = ANY (ARRAY['red'::text, 'grey'::text, 'none'::text, 'not_ranked'::text])))
);
ALTER TABLE ONLY public.ranking_rows FORCE ROW LEVEL SECURITY;
ALTER TABLE public.ranking_rows OWNER TO watchkeep_owner;
COMMENT ON TABLE public.ranking_rows IS 'One company (or area) of a red and grey list with everything its score was made of. Writer: dispatch.';
CREATE TABLE public.rankings (
    ranking_id integer NOT NULL,
    scheme text NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    as_of timestamp with time zone NOT NULL,
    area_id text,
    created_at timestamp with time zone NOT NULL,
    created_by uuid,
    published_at timestamp with time zone,
    published_by uuid,
    appeals_until timestamp with time zone,
    CONSTRAINT rankings_check CHECK ((until > since)),
    CONSTRAINT rankings_check1 CHECK (((published_at IS NULL) = (appeals_until IS NULL))),
    CONSTRAINT rankings_check2 CHECK (((published_by IS NULL) OR (published_by <> created_by)))
);
ALTER TABLE ONLY public.rankings FORCE ROW LEVEL SECURITY;
ALTER TABLE public.rankings OWNER TO watchkeep_owner;
COMMENT ON TABLE public.rankings IS 'Red and grey lists per period, as drawn up and published. Writer: dispatch.';
ALTER TABLE public.rankings ALTER COLUMN ranking_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rankings_ranking_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE UNLOGGED TABLE public.rate_hits (
    key bytea NOT NULL,
    hits timestamp with time zone[] NOT NULL,
    refused boolean DEFAULT false NOT NULL,
    until timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.rate_hits FORCE ROW LEVEL SECURITY;
ALTER TABLE public.rate_hits OWNER TO watchkeep_owner;
COMMENT ON TABLE public.rate_hits IS 'How often somebody has tried to log in or report lately. Writer: console.';
CREATE TABLE public.readings (
    series_id integer NOT NULL,
    ts timestamp with time zone NOT NULL,
    value double precision NOT NULL,
    quality smallint NOT NULL
)
PARTITION BY RANGE (ts);
ALTER TABLE public.readings OWNER TO watchkeep_owner;
COMMENT ON TABLE public.readings IS 'One row per reading; quality 0 good, 1 uncertain, 2 bad. Writer: ingest.';
CREATE TABLE public.readings_hour (
    series_id integer NOT NULL,
    ts timestamp with time zone NOT NULL,
    count integer NOT NULL,
    bad integer NOT NULL,
    sum double precision,
    min double precision,
    max double precision,
    first double precision,
    last double precision,
    increase double precision
)
PARTITION BY RANGE (ts);
ALTER TABLE public.readings_hour OWNER TO watchkeep_owner;
COMMENT ON TABLE public.readings_hour IS 'Readings per hour. Writer: ingest.';
CREATE TABLE public.readings_minute (
    series_id integer NOT NULL,
    ts timestamp with time zone NOT NULL,
    count integer NOT NULL,
    bad integer NOT NULL,
    sum double precision,
    min double precision,
    max double precision,
    first double precision,
    last double precision,
    increase double precision
)
PARTITION BY RANGE (ts);
ALTER TABLE public.readings_minute OWNER TO watchkeep_owner;
COMMENT ON TABLE public.readings_minute IS 'Readings per minute. Writer: ingest.';
CREATE TABLE public.recovery_codes (
    person_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    used_at timestamp with time zone
);
ALTER TABLE ONLY public.recovery_codes FORCE ROW LEVEL SECURITY;
ALTER TABLE public.recovery_codes OWNER TO watchkeep_owner;
COMMENT ON TABLE public.recovery_codes IS 'Hashes of recovery codes. Writer: console.';
CREATE TABLE public.replay_watermarks (
    community_id text NOT NULL,
    ts timestamp with time zone NOT NULL
);
ALTER TABLE public.replay_watermarks OWNER TO watchkeep_owner;
COMMENT ON TABLE public.replay_watermarks IS 'Event-time now of replay communities. Writer: ingest.';
CREATE TABLE public.rollup_dirty (
    mark_id bigint NOT NULL,
    series_id integer,
    hour timestamp with time zone NOT NULL,
    hours integer DEFAULT 1 NOT NULL,
    marked_at timestamp with time zone DEFAULT now() NOT NULL,
    done_to integer DEFAULT '-1'::integer NOT NULL,
    CONSTRAINT rollup_dirty_hours_check CHECK ((hours > 0))
);
ALTER TABLE public.rollup_dirty OWNER TO watchkeep_owner;
COMMENT ON TABLE public.rollup_dirty IS 'Hours whose rollups must be computed (again). Writer: ingest.';
COMMENT ON COLUMN public.rollup_dirty.done_to IS 'Of a mark of all series: those up to this number are done for its first hour.';
ALTER TABLE public.rollup_dirty ALTER COLUMN mark_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rollup_dirty_mark_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.rollup_series (
    series_id integer NOT NULL,
    minute boolean NOT NULL,
    hour boolean NOT NULL,
    counter boolean NOT NULL,
    period_s double precision,
    measured_at timestamp with time zone,
    CONSTRAINT rollup_series_check CHECK ((hour OR (NOT minute)))
);
ALTER TABLE public.rollup_series OWNER TO watchkeep_owner;
COMMENT ON TABLE public.rollup_series IS 'Points with rollups, and which. Writer: ingest.';
CREATE TABLE public.storage_levels (
    level text NOT NULL,
    width interval NOT NULL,
    keep interval NOT NULL,
    sealed_until timestamp with time zone,
    rolled_until timestamp with time zone,
    CONSTRAINT storage_levels_keep_check CHECK ((keep >= '1 day'::interval)),
    CONSTRAINT storage_levels_level_check CHECK ((level = ANY (ARRAY['raw'::text, 'minute'::text, 'hour'::text])))
);
ALTER TABLE public.storage_levels OWNER TO watchkeep_owner;
COMMENT ON TABLE public.storage_levels IS 'Raw, minute, hour: retention, and how far the rollups have come. Writer: ingest.';
CREATE VIEW public.rollups_hour AS
 SELECT readings_hour.series_id,
    readings_hour.ts,
    readings_hour.count,
    readings_hour.bad,
    readings_hour.sum,
    readings_hour.min,
    readings_hour.max,
    readings_hour.first,
    readings_hour.last,
    readings_hour.increase
   FROM public.readings_hour
  WHERE (readings_hour.ts < ( SELECT storage_levels.rolled_until
           FROM public.storage_levels
          WHERE (storage_levels.level = 'hour'::text)))
UNION ALL
 SELECT newest.series_id,
    newest.ts,
    newest.count,
    newest.bad,
    newest.sum,
    newest.min,
    newest.max,
    newest.good[1] AS first,
    newest.good[cardinality(newest.good)] AS last,
        CASE
            WHEN newest.counter THEN public.counter_increase(newest.good)
            ELSE NULL::double precision
        END AS increase
   FROM ( SELECT r.series_id,
            date_trunc('hour'::text, r.ts, 'UTC'::text) AS ts,
            s.counter,
            (count(*) FILTER (WHERE (r.quality < 2)))::integer AS count,
            (count(*) FILTER (WHERE (r.quality >= 2)))::integer AS bad,
            sum(r.value) FILTER (WHERE (r.quality < 2)) AS sum,
            min(r.value) FILTER (WHERE (r.quality < 2)) AS min,
            max(r.value) FILTER (WHERE (r.quality < 2)) AS max,
            array_agg(r.value ORDER BY r.ts) FILTER (WHERE (r.quality < 2)) AS good
           FROM (public.readings r
             JOIN public.rollup_series s USING (series_id))
          WHERE (s.hour AND (r.ts >= ( SELECT storage_levels.rolled_until
                   FROM public.storage_levels
                  WHERE (storage_levels.level = 'hour'::text))))
          GROUP BY r.series_id, (date_trunc('hour'::text, r.ts, 'UTC'::text)), s.counter) newest;
ALTER VIEW public.rollups_hour OWNER TO watchkeep_owner;
CREATE VIEW public.rollups_minute AS
 SELECT readings_minute.series_id,
    readings_minute.ts,
    readings_minute.count,
    readings_minute.bad,
    readings_minute.sum,
    readings_minute.min,
    readings_minute.max,
    readings_minute.first,
    readings_minute.last,
    readings_minute.increase
   FROM public.readings_minute
  WHERE (readings_minute.ts < ( SELECT storage_levels.rolled_until
           FROM public.storage_levels
          WHERE (storage_levels.level = 'minute'::text)))
UNION ALL
 SELECT newest.series_id,
    newest.ts,
    newest.count,
    newest.bad,
    newest.sum,
    newest.min,
    newest.max,
    newest.good[1] AS first,
    newest.good[cardinality(newest.good)] AS last,
        CASE
            WHEN newest.counter THEN public.counter_increase(newest.good)
            ELSE NULL::double precision
        END AS increase
   FROM ( SELECT r.series_id,
            date_trunc('minute'::text, r.ts, 'UTC'::text) AS ts,
            s.counter,
            (count(*) FILTER (WHERE (r.quality < 2)))::integer AS count,
            (count(*) FILTER (WHERE (r.quality >= 2)))::integer AS bad,
            sum(r.value) FILTER (WHERE (r.quality < 2)) AS sum,
            min(r.value) FILTER (WHERE (r.quality < 2)) AS min,
            max(r.value) FILTER (WHERE (r.quality < 2)) AS max,
            array_agg(r.value ORDER BY r.ts) FILTER (WHERE (r.quality < 2)) AS good
           FROM (public.readings r
             JOIN public.rollup_series s USING (series_id))
          WHERE (s.minute AND (r.ts >= ( SELECT storage_levels.rolled_until
                   FROM public.storage_levels
                  WHERE (storage_levels.level = 'minute'::text))))
          GROUP BY r.series_id, (date_trunc('minute'::text, r.ts, 'UTC'::text)), s.counter) newest;
ALTER VIEW public.rollups_minute OWNER TO watchkeep_owner;
CREATE TABLE public.rota_shifts (
    shift_id bigint NOT NULL,
    org_id text NOT NULL,
    community_id text,
    person_id uuid NOT NULL,
    during tstzrange NOT NULL,
    CONSTRAINT rota_shifts_during_check CHECK (((NOT isempty(during)) AND (NOT lower_inf(during)) AND (NOT upper_inf(during))))
);
ALTER TABLE ONLY public.rota_shifts FORCE ROW LEVEL SECURITY;
ALTER TABLE public.rota_shifts OWNER TO watchkeep_owner;
COMMENT ON TABLE public.rota_shifts IS 'Who is on call for an organisation and when. Writer: dispatch.';
ALTER TABLE public.rota_shifts ALTER COLUMN shift_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rota_shifts_shift_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.rota_swaps (
    swap_id bigint NOT NULL,
    shift_id bigint NOT NULL,
    from_person uuid NOT NULL,
    to_person uuid NOT NULL,
    reason text NOT NULL,
    person_id uuid,
    at timestamp with time zone NOT NULL,
    CONSTRAINT rota_swaps_reason_check CHECK ((reason <> ''::text))
);
ALTER TABLE ONLY public.rota_swaps FORCE ROW LEVEL SECURITY;
ALTER TABLE public.rota_swaps OWNER TO watchkeep_owner;
COMMENT ON TABLE public.rota_swaps IS 'Shifts that went from one person to another, with the reason. Writer: dispatch.';
ALTER TABLE public.rota_swaps ALTER COLUMN swap_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rota_swaps_swap_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.rows_outbox (
    outbox_id bigint NOT NULL,
    lane text NOT NULL,
    partition smallint NOT NULL,
    payload bytea NOT NULL,
    CONSTRAINT rows_outbox_lane_check CHECK ((lane = ANY (ARRAY['data'::text, 'event'::text])))
);
ALTER TABLE public.rows_outbox OWNER TO watchkeep_owner;
COMMENT ON TABLE public.rows_outbox IS 'Rows messages that wait for the service to send them. Writer: ingest.';
ALTER TABLE public.rows_outbox ALTER COLUMN outbox_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rows_outbox_outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.score_schemes (
    scheme text NOT NULL,
    valid_from date NOT NULL,
    spec jsonb NOT NULL,
    saved_at timestamp with time zone NOT NULL,
    saved_by uuid,
    CONSTRAINT score_schemes_scheme_check CHECK ((scheme ~ '^[a-z0-9_]{1,64}$'::text))
);
ALTER TABLE ONLY public.score_schemes FORCE ROW LEVEL SECURITY;
ALTER TABLE public.score_schemes OWNER TO watchkeep_owner;
COMMENT ON TABLE public.score_schemes IS 'Weights, bands and vetoes of scores, by effective date. Writer: dispatch.';
CREATE TABLE public.sessions (
    token_hash bytea NOT NULL,
    person_id uuid NOT NULL,
    csrf_token text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    user_agent text DEFAULT ''::text NOT NULL,
    session_id bigint NOT NULL,
    address inet
);
ALTER TABLE ONLY public.sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE public.sessions OWNER TO watchkeep_owner;
COMMENT ON TABLE public.sessions IS 'Web sessions. Writer: console.';
ALTER TABLE public.sessions ALTER COLUMN session_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sessions_session_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.signals (
    signal_id bigint NOT NULL,
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    series_id integer,
    condition text NOT NULL,
    tier text NOT NULL,
    active boolean NOT NULL,
    detector text NOT NULL,
    version text NOT NULL,
    event_at timestamp with time zone NOT NULL,
    detected_at timestamp with time zone NOT NULL,
    score double precision,
    evidence jsonb DEFAULT '{}'::jsonb NOT NULL,
    warning_id bigint,
    CONSTRAINT signals_tier_check CHECK ((tier = ANY (ARRAY['notice'::text, 'warning'::text, 'alarm'::text])))
);
ALTER TABLE ONLY public.signals FORCE ROW LEVEL SECURITY;
ALTER TABLE public.signals OWNER TO watchkeep_owner;
COMMENT ON TABLE public.signals IS 'Every detector output. Writer: analytics.';
ALTER TABLE public.signals ALTER COLUMN signal_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.signals_signal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.silences (
    silence_id bigint NOT NULL,
    community_id text NOT NULL,
    equipment_id text,
    condition text,
    during tstzrange NOT NULL,
    reason text NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT silences_during_check CHECK (((NOT isempty(during)) AND (NOT upper_inf(during)) AND (NOT lower_inf(during)))),
    CONSTRAINT silences_reason_check CHECK ((reason <> ''::text))
);
ALTER TABLE ONLY public.silences FORCE ROW LEVEL SECURITY;
ALTER TABLE public.silences OWNER TO watchkeep_owner;
COMMENT ON TABLE public.silences IS 'Warnings held back on request, with reason and end. Life safety never is. Writer: dispatch.';
ALTER TABLE public.silences ALTER COLUMN silence_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.silences_silence_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.storms (
    storm_id bigint NOT NULL,
    community_id text NOT NULL,
    began_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    equipment integer NOT NULL
);
ALTER TABLE ONLY public.storms FORCE ROW LEVEL SECURITY;
ALTER TABLE public.storms OWNER TO watchkeep_owner;
COMMENT ON TABLE public.storms IS 'Alarm storms: class B and C warnings wait for a short time, life safety and class A do not. Writer: dispatch.';
ALTER TABLE public.storms ALTER COLUMN storm_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.storms_storm_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.suspension_requests (
    request_id bigint NOT NULL,
    case_id bigint NOT NULL,
    order_id bigint NOT NULL,
    asked_by uuid NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    decision text,
    decided_by uuid,
    decided_at timestamp with time zone,
    remark text DEFAULT ''::text NOT NULL,
    CONSTRAINT suspension_requests_check CHECK (((decision IS NULL) = (decided_at IS NULL))),
    CONSTRAINT suspension_requests_check1 CHECK (((decision = ANY (ARRAY['approved'::text, 'refused'::text])) = (decided_by IS NOT NULL))),
    CONSTRAINT suspension_requests_check2 CHECK ((decided_by <> asked_by)),
    CONSTRAINT suspension_requests_decision_check CHECK ((decision = ANY (ARRAY['approved'::text, 'refused'::text, 'lapsed'::text])))
);
ALTER TABLE ONLY public.suspension_requests FORCE ROW LEVEL SECURITY;
ALTER TABLE public.suspension_requests OWNER TO watchkeep_owner;
COMMENT ON TABLE public.suspension_requests IS 'Pauses asked for, and what a superior decided; the clocks go on until then. Writer: dispatch.';
ALTER TABLE public.suspension_requests ALTER COLUMN request_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.suspension_requests_request_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.transitions (
    transition_id bigint NOT NULL,
    case_id bigint NOT NULL,
    order_id bigint,
    action text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    person_id uuid,
    at timestamp with time zone NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    idempotency_key text
);
ALTER TABLE ONLY public.transitions FORCE ROW LEVEL SECURITY;
ALTER TABLE public.transitions OWNER TO watchkeep_owner;
COMMENT ON TABLE public.transitions IS 'Every step of every case and order, append-only. Writer: dispatch.';
ALTER TABLE public.transitions ALTER COLUMN transition_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.transitions_transition_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.unjudged (
    warning_id bigint NOT NULL,
    life_safety boolean NOT NULL,
    not_before timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.unjudged FORCE ROW LEVEL SECURITY;
ALTER TABLE public.unjudged OWNER TO watchkeep_owner;
COMMENT ON TABLE public.unjudged IS 'Warnings that wait for a verdict. Writer: dispatch.';
CREATE TABLE public.verdicts (
    verdict_id bigint NOT NULL,
    warning_id bigint NOT NULL,
    verdict text NOT NULL,
    rule text NOT NULL,
    reason text NOT NULL,
    person_id uuid,
    at timestamp with time zone NOT NULL,
    CONSTRAINT verdicts_verdict_check CHECK ((verdict = ANY (ARRAY['filed'::text, 'dismissed'::text, 'merged'::text, 'suppressed'::text])))
);
ALTER TABLE ONLY public.verdicts FORCE ROW LEVEL SECURITY;
ALTER TABLE public.verdicts OWNER TO watchkeep_owner;
COMMENT ON TABLE public.verdicts IS 'Judgement of each warning, with the rule and the reason. Writer: dispatch.';
ALTER TABLE public.verdicts ALTER COLUMN verdict_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.verdicts_verdict_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.visit_plans (
    plan_id text NOT NULL,
    title_zh text NOT NULL,
    title_en text NOT NULL,
    kinds text[] NOT NULL,
    party text NOT NULL,
    every interval NOT NULL,
    ahead interval NOT NULL,
    overdue text,
    items jsonb NOT NULL,
    basis text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    since timestamp with time zone NOT NULL,
    community_id text,
    replaces text,
    equipment text[],
    reason text DEFAULT ''::text NOT NULL,
    CONSTRAINT visit_plans_check CHECK (((ahead >= '00:00:00'::interval) AND (ahead < every))),
    CONSTRAINT visit_plans_equipment_check CHECK ((cardinality(equipment) > 0)),
    CONSTRAINT visit_plans_every_check CHECK ((every >= '01:00:00'::interval)),
    CONSTRAINT visit_plans_kinds_check CHECK ((cardinality(kinds) > 0)),
    CONSTRAINT visit_plans_plan_id_check CHECK ((plan_id ~ '^[a-z0-9_]{1,64}$'::text)),
    CONSTRAINT visit_plans_replaces CHECK (((replaces IS NULL) OR (community_id IS NOT NULL)))
);
ALTER TABLE ONLY public.visit_plans FORCE ROW LEVEL SECURITY;
ALTER TABLE public.visit_plans OWNER TO watchkeep_owner;
COMMENT ON TABLE public.visit_plans IS 'Preventive work: what is looked at, how often, by whom; general or of one community. Writer: dispatch, console.';
CREATE TABLE public.visits (
    visit_id bigint NOT NULL,
    plan_id text NOT NULL,
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    org_id text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone,
    person_id uuid,
    results jsonb,
    signature text DEFAULT ''::text NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    overdue_case bigint,
    found_cases bigint[],
    CONSTRAINT visits_check CHECK (((done_at IS NULL) = (results IS NULL)))
);
ALTER TABLE ONLY public.visits FORCE ROW LEVEL SECURITY;
ALTER TABLE public.visits OWNER TO watchkeep_owner;
COMMENT ON TABLE public.visits IS 'Preventive work, due and done: one open per plan and equipment. Writer: dispatch.';
CREATE VIEW public.visits_ahead WITH (security_invoker='true') AS
 SELECT p.plan_id,
    p.enabled,
    e.community_id,
    e.equipment_id,
    e.kind,
    p.party,
    p.every,
    p.ahead,
    o.visit_id,
    d.done_at,
    COALESCE(o.due_at, (GREATEST(p.since, d.done_at) + p.every)) AS due_at
   FROM ((((public.visit_plans p
     JOIN public.equipment e ON (((e.kind = ANY (p.kinds)) AND (e.status = 'in_service'::text) AND (e.community_id = COALESCE(p.community_id, e.community_id)) AND ((p.equipment IS NULL) OR (e.equipment_id = ANY (p.equipment))))))
     JOIN public.communities c ON (((c.community_id = e.community_id) AND (c.mode <> 'replay'::text))))
     LEFT JOIN public.visits o ON (((o.plan_id = p.plan_id) AND (o.community_id = e.community_id) AND (o.equipment_id = e.equipment_id) AND (o.done_at IS NULL))))
     CROSS JOIN LATERAL ( SELECT max(v.done_at) AS done_at
           FROM public.visits v
          WHERE ((v.plan_id = ANY (ARRAY[p.plan_id, p.replaces])) AND (v.community_id = e.community_id) AND (v.equipment_id = e.equipment_id))) d)
  WHERE (NOT (EXISTS ( SELECT
           FROM public.visit_plans r
          WHERE ((r.replaces = p.plan_id) AND (r.community_id = e.community_id) AND (e.kind = ANY (r.kinds)) AND ((r.equipment IS NULL) OR (e.equipment_id = ANY (r.equipment)))))));
ALTER VIEW public.visits_ahead OWNER TO watchkeep_owner;
COMMENT ON VIEW public.visits_ahead IS 'The next visit of each piece of equipment by each plan of preventive work, open or to come.';
ALTER TABLE public.visits ALTER COLUMN visit_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.visits_visit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.warning_explanations (
    warning_id bigint NOT NULL,
    community_id text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    explanation jsonb NOT NULL,
    chart text
);
ALTER TABLE ONLY public.warning_explanations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.warning_explanations OWNER TO watchkeep_owner;
COMMENT ON TABLE public.warning_explanations IS 'Why each warning came, with a small chart. Writer: analytics.';
CREATE TABLE public.warnings (
    warning_id bigint NOT NULL,
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    series_id integer,
    condition text NOT NULL,
    tier text NOT NULL,
    proposed_class text NOT NULL,
    life_safety boolean DEFAULT false NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    event_at timestamp with time zone NOT NULL,
    detected_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    cleared_at timestamp with time zone,
    occurrences integer DEFAULT 1 NOT NULL,
    replay boolean DEFAULT false NOT NULL,
    detector text NOT NULL,
    version text NOT NULL,
    evidence jsonb NOT NULL,
    sentence_zh text NOT NULL,
    sentence_en text NOT NULL,
    CONSTRAINT warnings_check CHECK (((status = 'cleared'::text) = (cleared_at IS NOT NULL))),
    CONSTRAINT warnings_proposed_class_check CHECK ((proposed_class = ANY (ARRAY['A'::text, 'B'::text, 'C'::text]))),
    CONSTRAINT warnings_status_check CHECK ((status = ANY (ARRAY['open'::text, 'cleared'::text]))),
    CONSTRAINT warnings_tier_check CHECK ((tier = ANY (ARRAY['warning'::text, 'alarm'::text])))
);
ALTER TABLE ONLY public.warnings FORCE ROW LEVEL SECURITY;
ALTER TABLE public.warnings OWNER TO watchkeep_owner;
COMMENT ON TABLE public.warnings IS '预警: signals of tier warning or alarm with a proposed class. Writer: analytics.';
ALTER TABLE public.warnings ALTER COLUMN warning_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.warnings_warning_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.warranties (
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    developer_org_id text NOT NULL,
    valid_until date NOT NULL
);
ALTER TABLE ONLY public.warranties FORCE ROW LEVEL SECURITY;
ALTER TABLE public.warranties OWNER TO watchkeep_owner;
COMMENT ON TABLE public.warranties IS 'Until when the developer (建设单位) answers for a piece of equipment. Writer: core estate.';
CREATE TABLE public.webhook_deliveries (
    delivery_id bigint NOT NULL,
    webhook_id bigint NOT NULL,
    event text NOT NULL,
    object_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    tries smallint DEFAULT 0 NOT NULL,
    status text DEFAULT 'waiting'::text NOT NULL,
    answer text DEFAULT ''::text NOT NULL,
    CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'sent'::text, 'failed'::text, 'not_visible'::text])))
);
ALTER TABLE ONLY public.webhook_deliveries FORCE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_deliveries OWNER TO watchkeep_owner;
COMMENT ON TABLE public.webhook_deliveries IS 'Messages to webhooks, with their tries. Writer: console, and triggers.';
ALTER TABLE public.webhook_deliveries ALTER COLUMN delivery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_deliveries_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.webhooks (
    webhook_id bigint NOT NULL,
    person_id uuid NOT NULL,
    url text NOT NULL,
    secret bytea NOT NULL,
    events text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT webhooks_url_check CHECK ((url ~ '^https?://'::text))
);
ALTER TABLE ONLY public.webhooks FORCE ROW LEVEL SECURITY;
ALTER TABLE public.webhooks OWNER TO watchkeep_owner;
COMMENT ON TABLE public.webhooks IS 'Where programs want to be told. Writer: console.';
ALTER TABLE public.webhooks ALTER COLUMN webhook_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhooks_webhook_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW wall.community AS
 SELECT c.community_id,
    c.name AS name_zh,
    COALESCE(NULLIF(c.name_en, ''::text), c.name) AS name_en,
    c.area_id,
    c.mode,
    c.households,
    a.name AS area_zh,
    COALESCE(NULLIF(a.name_en, ''::text), a.name) AS area_en,
    COALESCE(o.name, ''::text) AS company_zh,
    COALESCE(NULLIF(o.name_en, ''::text), o.name, ''::text) AS company_en
   FROM ((public.communities c
     JOIN public.areas a USING (area_id))
     LEFT JOIN public.organisations o ON ((o.org_id = c.property_org_id)));
ALTER VIEW wall.community OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.community IS 'Communities with the subdistrict and the property company behind them.';
COMMENT ON COLUMN wall.community.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.community.name_zh IS 'Name in Chinese.';
COMMENT ON COLUMN wall.community.name_en IS 'Name in English, else in Chinese.';
COMMENT ON COLUMN wall.community.area_id IS 'Id of the area.';
COMMENT ON COLUMN wall.community.mode IS 'live, or replay: recorded data, whose cases notify nobody.';
COMMENT ON COLUMN wall.community.households IS 'Number of households.';
COMMENT ON COLUMN wall.community.area_zh IS 'Name of the area in Chinese.';
COMMENT ON COLUMN wall.community.area_en IS 'Name of the area in English, else in Chinese.';
COMMENT ON COLUMN wall.community.company_zh IS 'Name of the property company in Chinese; empty = none.';
COMMENT ON COLUMN wall.community.company_en IS 'Name of the property company in English, else in Chinese; empty = none.';
CREATE VIEW wall.dead_letter AS
 SELECT dead_letter_id,
    received_at,
    reason,
    community_id,
    gateway_id,
    (replayed_at IS NOT NULL) AS replayed
   FROM public.dead_letters;
ALTER VIEW wall.dead_letter OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.dead_letter IS 'Messages that could not be read, without their bytes.';
COMMENT ON COLUMN wall.dead_letter.dead_letter_id IS 'Id.';
COMMENT ON COLUMN wall.dead_letter.received_at IS 'When the message came in.';
COMMENT ON COLUMN wall.dead_letter.reason IS 'Why it could not be taken.';
COMMENT ON COLUMN wall.dead_letter.community_id IS 'Id of the community, where the topic told it.';
COMMENT ON COLUMN wall.dead_letter.gateway_id IS 'Id of the gateway, where the topic told it.';
COMMENT ON COLUMN wall.dead_letter.replayed IS 'It was taken in later: nothing is left to do.';
CREATE VIEW wall.device_clock AS
 SELECT d.community_id,
    d.equipment_id,
    COALESCE(e.name, d.equipment_id) AS equipment_zh,
    COALESCE(NULLIF(e.name_en, ''::text), e.name, d.equipment_id) AS equipment_en,
    d.skew_ms,
    d.measured_at
   FROM (public.device_clocks d
     LEFT JOIN public.equipment e USING (community_id, equipment_id));
ALTER VIEW wall.device_clock OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.device_clock IS 'How far the clocks of devices behind a gateway are off, as measured last.';
COMMENT ON COLUMN wall.device_clock.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.device_clock.equipment_id IS 'Id of the equipment within its community.';
COMMENT ON COLUMN wall.device_clock.equipment_zh IS 'Name of the equipment in Chinese; its id where the register does not know it.';
COMMENT ON COLUMN wall.device_clock.equipment_en IS 'Name of the equipment in English, else in Chinese.';
COMMENT ON COLUMN wall.device_clock.skew_ms IS 'By how many milliseconds the clock is behind the server''s; negative = ahead.';
COMMENT ON COLUMN wall.device_clock.measured_at IS 'When the offset was measured.';
CREATE VIEW wall.equipment AS
 SELECT e.community_id,
    e.equipment_id,
    e.kind,
    (e.name || t.mark) AS name_zh,
    (COALESCE(NULLIF(e.name_en, ''::text), e.name) || t.mark) AS name_en,
    e.status,
    COALESCE(b.name, ''::text) AS building,
    e.level,
    e.maker,
    e.model,
    e.installed_on
   FROM (public.equipment e
     LEFT JOIN public.buildings b USING (community_id, building_id)),
    LATERAL ( SELECT
                CASE
                    WHEN (EXISTS ( SELECT
                       FROM public.equipment x
                      WHERE ((x.community_id = e.community_id) AND (x.name = e.name) AND (x.equipment_id <> e.equipment_id)))) THEN (' #'::text || e.equipment_id)
                    ELSE ''::text
                END AS mark) t
  WHERE (e.status <> 'retired'::text);
ALTER VIEW wall.equipment OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.equipment IS 'Equipment in the register, but what was retired. Two of the same name carry their id behind it.';
COMMENT ON COLUMN wall.equipment.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.equipment.equipment_id IS 'Id of the equipment within its community.';
COMMENT ON COLUMN wall.equipment.kind IS 'Kind of equipment, as in the vocabulary.';
COMMENT ON COLUMN wall.equipment.name_zh IS 'Name in Chinese.';
COMMENT ON COLUMN wall.equipment.name_en IS 'Name in English, else in Chinese.';
COMMENT ON COLUMN wall.equipment.status IS 'in_service, out_of_service, or unclaimed: it sends and is not in the register.';
COMMENT ON COLUMN wall.equipment.building IS 'Name of the building; empty = none.';
COMMENT ON COLUMN wall.equipment.level IS 'Storey: 1 = ground floor, -1 = first basement.';
COMMENT ON COLUMN wall.equipment.maker IS 'Maker.';
COMMENT ON COLUMN wall.equipment.model IS 'Model.';
COMMENT ON COLUMN wall.equipment.installed_on IS 'Day of installation.';
CREATE VIEW wall.escalation AS
 SELECT x.order_id,
    o.case_id,
    o.community_id,
    o.equipment_id,
    COALESCE(e.name, o.equipment_id, ''::text) AS equipment_zh,
    COALESCE(NULLIF(e.name_en, ''::text), e.name, o.equipment_id, ''::text) AS equipment_en,
    o.class,
    o.condition,
    x.clock,
    x.level,
    x.to_party,
    x.due_at,
    x.fired_at,
    (o.closed_at IS NULL) AS open
   FROM ((public.escalations x
     JOIN public.orders o USING (order_id))
     LEFT JOIN public.equipment e ON (((e.community_id = o.community_id) AND (e.equipment_id = o.equipment_id))))
  WHERE o.scored;
ALTER VIEW wall.escalation OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.escalation IS 'Clocks of orders that ran short or out, and to which party that was told; tests and recorded data are not in it.';
COMMENT ON COLUMN wall.escalation.order_id IS 'Id of the order.';
COMMENT ON COLUMN wall.escalation.case_id IS 'Id of the case: page /cases/… of the console.';
COMMENT ON COLUMN wall.escalation.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.escalation.equipment_id IS 'Id of the equipment within its community.';
COMMENT ON COLUMN wall.escalation.equipment_zh IS 'Name of the equipment in Chinese; its id where the register does not know it.';
COMMENT ON COLUMN wall.escalation.equipment_en IS 'Name of the equipment in English, else in Chinese.';
COMMENT ON COLUMN wall.escalation.class IS 'A urgent, B major, C common.';
COMMENT ON COLUMN wall.escalation.condition IS 'What is wrong, as in the vocabulary.';
COMMENT ON COLUMN wall.escalation.clock IS 'respond, arrive or finish.';
COMMENT ON COLUMN wall.escalation.level IS '0 = time runs short (yellow card), from 1 on it has run out.';
COMMENT ON COLUMN wall.escalation.to_party IS 'Party that was told, never a person.';
COMMENT ON COLUMN wall.escalation.due_at IS 'When the clock runs or ran out.';
COMMENT ON COLUMN wall.escalation.fired_at IS 'When it was told.';
COMMENT ON COLUMN wall.escalation.open IS 'The order is still open.';
CREATE VIEW wall.fleet AS
 SELECT p.community_id,
    e.kind,
    count(*) AS points,
    count(p.gateway_id) AS connected,
    count(DISTINCT p.equipment_id) AS equipment
   FROM (public.points p
     JOIN public.equipment e USING (community_id, equipment_id))
  WHERE (e.status <> 'retired'::text)
  GROUP BY p.community_id, e.kind;
ALTER VIEW wall.fleet OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.fleet IS 'Points per community and kind of equipment.';
COMMENT ON COLUMN wall.fleet.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.fleet.kind IS 'Kind of equipment, as in the vocabulary.';
COMMENT ON COLUMN wall.fleet.points IS 'Number of points.';
COMMENT ON COLUMN wall.fleet.connected IS 'How many of them a gateway has.';
COMMENT ON COLUMN wall.fleet.equipment IS 'Number of pieces of equipment with points.';
CREATE VIEW wall.gap AS
 SELECT progress.community_id,
    progress.gateway_id,
    progress.lane,
    'missing'::text AS state,
    (upper(hole.hole) - lower(hole.hole)) AS messages,
    progress.updated_at
   FROM public.progress,
    LATERAL unnest(((int8multirange(int8range((0)::bigint, GREATEST(upper(range_merge(progress.received)), upper(range_merge(progress.lost)), (0)::bigint))) - progress.received) - progress.lost)) hole(hole)
UNION ALL
 SELECT progress.community_id,
    progress.gateway_id,
    progress.lane,
    'lost'::text AS state,
    (upper(hole.hole) - lower(hole.hole)) AS messages,
    progress.updated_at
   FROM public.progress,
    LATERAL unnest(progress.lost) hole(hole);
ALTER VIEW wall.gap OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.gap IS 'Runs of messages that a gateway sent and the database does not have.';
COMMENT ON COLUMN wall.gap.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.gap.gateway_id IS 'Id of the gateway within its community.';
COMMENT ON COLUMN wall.gap.lane IS 'data or event.';
COMMENT ON COLUMN wall.gap.state IS 'missing = may still come, lost = never will.';
COMMENT ON COLUMN wall.gap.messages IS 'Number of messages in a row.';
COMMENT ON COLUMN wall.gap.updated_at IS 'When the account of that gateway changed last.';
CREATE VIEW wall.gateway AS
 SELECT g.community_id,
    g.gateway_id,
    COALESCE(NULLIF(g.name, ''::text), g.gateway_id) AS name,
    COALESCE(s.online, false) AS online,
    s.online_since,
    s.offline_since,
    s.last_message_at,
    s.skew_ms,
    COALESCE(s.points, 0) AS points
   FROM (public.gateways g
     LEFT JOIN public.gateway_status s USING (community_id, gateway_id))
  WHERE (g.revoked_at IS NULL);
ALTER VIEW wall.gateway OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.gateway IS 'Gateways that may connect, with what is known of their connection.';
COMMENT ON COLUMN wall.gateway.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.gateway.gateway_id IS 'Id of the gateway within its community.';
COMMENT ON COLUMN wall.gateway.name IS 'Name, else the id.';
COMMENT ON COLUMN wall.gateway.online IS 'Connected to the broker.';
COMMENT ON COLUMN wall.gateway.online_since IS 'When it connected last.';
COMMENT ON COLUMN wall.gateway.offline_since IS 'When it was lost last.';
COMMENT ON COLUMN wall.gateway.last_message_at IS 'When its last message came in.';
COMMENT ON COLUMN wall.gateway.skew_ms IS 'By how many milliseconds the clock is behind the server''s; negative = ahead.';
COMMENT ON COLUMN wall.gateway.points IS 'Number of points that it declares.';
CREATE VIEW wall.ingest_account AS
 SELECT lane,
    partition,
    received,
    processed,
    duplicate,
    dead_lettered,
    decoded,
    stored,
    quarantined,
    parked,
    late,
    (((received - processed) - duplicate) - dead_lettered) AS messages_difference,
    (((decoded - stored) - quarantined) - parked) AS readings_difference
   FROM public.ingest_accounts;
ALTER VIEW wall.ingest_account OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.ingest_account IS 'Accounts of ingest: each difference is 0 at any moment, else something is wrong with Watchkeep itself.';
COMMENT ON COLUMN wall.ingest_account.lane IS 'data or event.';
COMMENT ON COLUMN wall.ingest_account.partition IS 'Partition of the community, 0 to 15.';
COMMENT ON COLUMN wall.ingest_account.received IS 'Messages: all.';
COMMENT ON COLUMN wall.ingest_account.processed IS 'Messages: taken in.';
COMMENT ON COLUMN wall.ingest_account.duplicate IS 'Messages: had been taken in before.';
COMMENT ON COLUMN wall.ingest_account.dead_lettered IS 'Messages: could not be read.';
COMMENT ON COLUMN wall.ingest_account.decoded IS 'Readings and events of processed messages: all.';
COMMENT ON COLUMN wall.ingest_account.stored IS 'Of these: in the series.';
COMMENT ON COLUMN wall.ingest_account.quarantined IS 'Of these: with impossible times.';
COMMENT ON COLUMN wall.ingest_account.parked IS 'Of these: set aside until the reason is gone.';
COMMENT ON COLUMN wall.ingest_account.late IS 'Of the stored: behind the newest of their series.';
COMMENT ON COLUMN wall.ingest_account.messages_difference IS 'Messages that are unaccounted for: 0.';
COMMENT ON COLUMN wall.ingest_account.readings_difference IS 'Readings and events that are unaccounted for: 0.';
CREATE VIEW wall.ingest_lane AS
 SELECT l.lane,
    n.partition,
    b.batch,
    b.committed_at,
    b.max_ts
   FROM ( VALUES ('data'::text), ('event'::text)) l(lane),
    generate_series(0, 15) n(partition),
    LATERAL ( SELECT x.batch,
            x.committed_at,
            x.max_ts
           FROM public.batches x
          WHERE ((x.lane = l.lane) AND (x.partition = n.partition))
          ORDER BY x.batch DESC
         LIMIT 1) b;
ALTER VIEW wall.ingest_lane OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.ingest_lane IS 'The newest batch of each lane and partition.';
COMMENT ON COLUMN wall.ingest_lane.lane IS 'data or event.';
COMMENT ON COLUMN wall.ingest_lane.partition IS 'Partition of the community, 0 to 15.';
COMMENT ON COLUMN wall.ingest_lane.batch IS 'Number of the batch.';
COMMENT ON COLUMN wall.ingest_lane.committed_at IS 'When the batch was committed.';
COMMENT ON COLUMN wall.ingest_lane.max_ts IS 'Device time of its newest row.';
CREATE VIEW wall.ingest_minute AS
 SELECT ingest_minutes.minute,
    ingest_minutes.lane,
    ingest_minutes.row_count,
    ingest_minutes.least_lag_s,
    ingest_minutes.most_lag_s
   FROM public.ingest_minutes
UNION ALL
 SELECT date_bin('00:01:00'::interval, b.committed_at, '1970-01-01 00:00:00+00'::timestamp with time zone) AS minute,
    b.lane,
    sum(b.row_count) AS row_count,
    (EXTRACT(epoch FROM min(b.age)))::double precision AS least_lag_s,
    (EXTRACT(epoch FROM max(b.age)))::double precision AS most_lag_s
   FROM ( SELECT batches.committed_at,
            batches.lane,
            batches.row_count,
                CASE
                    WHEN ((batches.max_ts >= (batches.committed_at - '24:00:00'::interval)) AND (batches.max_ts <= batches.committed_at)) THEN (batches.committed_at - batches.max_ts)
                    ELSE NULL::interval
                END AS age
           FROM public.batches
          WHERE ((batches.committed_at >= (now() - '00:15:00'::interval)) AND (batches.committed_at >= COALESCE(( SELECT (max(m.minute) + '00:01:00'::interval)
                   FROM public.ingest_minutes m), '-infinity'::timestamp with time zone)))) b
  GROUP BY (date_bin('00:01:00'::interval, b.committed_at, '1970-01-01 00:00:00+00'::timestamp with time zone)), b.lane;
ALTER VIEW wall.ingest_minute OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.ingest_minute IS 'What ingest committed per minute; the last ones may still grow.';
COMMENT ON COLUMN wall.ingest_minute.minute IS 'Begin of the minute.';
COMMENT ON COLUMN wall.ingest_minute.lane IS 'data or event.';
COMMENT ON COLUMN wall.ingest_minute.row_count IS 'Readings or events.';
COMMENT ON COLUMN wall.ingest_minute.least_lag_s IS 'Seconds from the newest row of a batch to its commit, least; recorded data (more than a day) and clocks that are ahead say nothing.';
COMMENT ON COLUMN wall.ingest_minute.most_lag_s IS 'The same, most.';
CREATE VIEW wall.ledger AS
 SELECT l.entry_id,
    l.case_id,
    c.community_id,
    c.class,
    c.condition,
    l.entered_at,
    l.due_on
   FROM (public.ledger_entries l
     JOIN public.cases c USING (case_id))
  WHERE ((l.struck_at IS NULL) AND (NOT c.replay));
ALTER VIEW wall.ledger OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.ledger IS 'Cases that wait in the ledger (挂账), as they cannot be solved now.';
COMMENT ON COLUMN wall.ledger.entry_id IS 'Id of the entry.';
COMMENT ON COLUMN wall.ledger.case_id IS 'Id of the case: page /cases/… of the console.';
COMMENT ON COLUMN wall.ledger.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.ledger.class IS 'A urgent, B major, C common.';
COMMENT ON COLUMN wall.ledger.condition IS 'What is wrong, as in the vocabulary.';
COMMENT ON COLUMN wall.ledger.entered_at IS 'When it was entered.';
COMMENT ON COLUMN wall.ledger.due_on IS 'Day by which it shall be settled; null = none is set.';
CREATE VIEW wall.order_fact AS
 SELECT o.order_id,
    o.case_id,
    o.community_id,
    o.equipment_id,
    o.org_id,
    g.kind AS party,
    g.name AS organisation_zh,
    COALESCE(NULLIF(g.name_en, ''::text), g.name) AS organisation_en,
    o.class,
    o.condition,
    o.dispatched_at,
    o.respond_due,
    o.responded_at,
    o.arrive_due,
    o.arrived_at,
    o.finish_due,
    o.finished_at,
    o.closed_at,
    o.settles_at AS due_at,
        CASE
            WHEN (o.closed_at IS NULL) THEN 'open'::text
            ELSE o.state
        END AS ended,
    (NOT (((o.closed_at IS NOT NULL) AND (o.state = ANY (ARRAY['returned'::text, 'not_filed'::text, 'merged'::text, 'ledger'::text]))) OR ((o.closed_at IS NULL) AND (o.finished_at IS NULL) AND (o.state = 'suspended'::text)))) AS counts,
    COALESCE(((o.finished_at <= o.settles_at) AND (NOT ((o.closed_at IS NOT NULL) AND (o.state = 'rework'::text)))), false) AS on_time
   FROM (public.orders o
     JOIN public.organisations g USING (org_id))
  WHERE (o.lead AND o.scored);
ALTER VIEW wall.order_fact OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.order_fact IS 'Lead orders as the indicators see them now: the figures of companies are counts over these rows.';
COMMENT ON COLUMN wall.order_fact.order_id IS 'Id of the order.';
COMMENT ON COLUMN wall.order_fact.case_id IS 'Id of the case: page /cases/… of the console.';
COMMENT ON COLUMN wall.order_fact.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.order_fact.equipment_id IS 'Id of the equipment within its community.';
COMMENT ON COLUMN wall.order_fact.org_id IS 'Id of the responsible organisation.';
COMMENT ON COLUMN wall.order_fact.party IS 'Kind of organisation, as in the vocabulary.';
COMMENT ON COLUMN wall.order_fact.organisation_zh IS 'Name of the responsible organisation in Chinese.';
COMMENT ON COLUMN wall.order_fact.organisation_en IS 'Name of the responsible organisation in English, else in Chinese.';
COMMENT ON COLUMN wall.order_fact.class IS 'A urgent, B major, C common.';
COMMENT ON COLUMN wall.order_fact.condition IS 'What is wrong, as in the vocabulary.';
COMMENT ON COLUMN wall.order_fact.dispatched_at IS 'When the order was given.';
COMMENT ON COLUMN wall.order_fact.respond_due IS 'When it must be answered at the latest; null = no such clock.';
COMMENT ON COLUMN wall.order_fact.responded_at IS 'When it was answered.';
COMMENT ON COLUMN wall.order_fact.arrive_due IS 'When somebody must be there at the latest; null = no such clock.';
COMMENT ON COLUMN wall.order_fact.arrived_at IS 'When somebody was there.';
COMMENT ON COLUMN wall.order_fact.finish_due IS 'When it must be finished at the latest; null = no such clock.';
COMMENT ON COLUMN wall.order_fact.finished_at IS 'When the work was reported as done.';
COMMENT ON COLUMN wall.order_fact.closed_at IS 'When the order ended; null = open.';
COMMENT ON COLUMN wall.order_fact.due_at IS 'The deadline by which it counts: finish_due, else respond_due, else the dispatch.';
COMMENT ON COLUMN wall.order_fact.ended IS 'open, else the state in which the order ended.';
COMMENT ON COLUMN wall.order_fact.counts IS 'False for what the rates leave out: returned, withdrawn, in the ledger, paused.';
COMMENT ON COLUMN wall.order_fact.on_time IS 'Finished in time, and not sent back.';
CREATE VIEW wall.point_latest AS
 SELECT p.community_id,
    p.equipment_id,
    e.kind,
    e.name_zh AS equipment_zh,
    e.name_en AS equipment_en,
    p.metric,
    p.unit,
    p.gateway_id,
    r.ts,
    r.value
   FROM (((public.points p
     JOIN wall.equipment e USING (community_id, equipment_id))
     LEFT JOIN public.replay_watermarks w ON ((w.community_id = p.community_id)))
     LEFT JOIN LATERAL ( SELECT x.ts,
            x.value
           FROM public.readings x
          WHERE ((x.series_id = p.series_id) AND (x.quality < 2) AND (x.ts > (COALESCE(w.ts, now()) - '26:00:00'::interval)) AND (x.ts <= (COALESCE(w.ts, now()) + '00:05:00'::interval)))
          ORDER BY x.ts DESC
         LIMIT 1) r ON (true));
ALTER VIEW wall.point_latest OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.point_latest IS 'The newest good value of each point of the last 26 hours; a point without one has a row too.';
COMMENT ON COLUMN wall.point_latest.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.point_latest.equipment_id IS 'Id of the equipment within its community.';
COMMENT ON COLUMN wall.point_latest.kind IS 'Kind of equipment, as in the vocabulary.';
COMMENT ON COLUMN wall.point_latest.equipment_zh IS 'Name of the equipment in Chinese; its id where the register does not know it.';
COMMENT ON COLUMN wall.point_latest.equipment_en IS 'Name of the equipment in English, else in Chinese.';
COMMENT ON COLUMN wall.point_latest.metric IS 'What is measured, as in the vocabulary.';
COMMENT ON COLUMN wall.point_latest.unit IS 'Unit of the value.';
COMMENT ON COLUMN wall.point_latest.gateway_id IS 'Gateway that has the point; null = not connected.';
COMMENT ON COLUMN wall.point_latest.ts IS 'Device time of the value.';
COMMENT ON COLUMN wall.point_latest.value IS 'The value; of states their code.';
CREATE VIEW wall.point_limit AS
 SELECT p.community_id,
    p.equipment_id,
    p.metric,
    l.condition,
    l.side,
    l.value,
    l.tier
   FROM (public.point_limits l
     JOIN public.points p USING (series_id))
  WHERE l.enabled;
ALTER VIEW wall.point_limit OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.point_limit IS 'Limits of points that are switched on.';
COMMENT ON COLUMN wall.point_limit.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.point_limit.equipment_id IS 'Id of the equipment within its community.';
COMMENT ON COLUMN wall.point_limit.metric IS 'What is measured, as in the vocabulary.';
COMMENT ON COLUMN wall.point_limit.condition IS 'Condition that is warned of.';
COMMENT ON COLUMN wall.point_limit.side IS 'above, below or equals: which values are wrong.';
COMMENT ON COLUMN wall.point_limit.value IS 'The limit, in the unit of the metric.';
COMMENT ON COLUMN wall.point_limit.tier IS 'notice, warning or alarm.';
CREATE VIEW wall.queue AS
 SELECT 'parked'::text AS queue,
    count(*) AS waiting,
    min(parked.parked_at) AS oldest_at
   FROM public.parked
UNION ALL
 SELECT 'rows_outbox'::text AS queue,
    count(*) AS waiting,
    NULL::timestamp with time zone AS oldest_at
   FROM public.rows_outbox
UNION ALL
 SELECT 'unjudged'::text AS queue,
    count(*) AS waiting,
    min(w.detected_at) AS oldest_at
   FROM (public.unjudged u
     JOIN public.warnings w USING (warning_id))
UNION ALL
 SELECT 'notifications'::text AS queue,
    count(*) AS waiting,
    min(n.created_at) AS oldest_at
   FROM public.notifications n
  WHERE (n.status = 'queued'::text)
UNION ALL
 SELECT 'notifications_failed'::text AS queue,
    count(*) AS waiting,
    NULL::timestamp with time zone AS oldest_at
   FROM public.notifications n
  WHERE (n.status = 'failed'::text)
UNION ALL
 SELECT 'rollups'::text AS queue,
    count(*) AS waiting,
    min(d.marked_at) AS oldest_at
   FROM ( SELECT rollup_dirty.marked_at
           FROM public.rollup_dirty
         LIMIT 100000) d;
ALTER VIEW wall.queue OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.queue IS 'What waits inside the platform, one row per queue.';
COMMENT ON COLUMN wall.queue.queue IS 'Which queue.';
COMMENT ON COLUMN wall.queue.waiting IS 'How many wait.';
COMMENT ON COLUMN wall.queue.oldest_at IS 'Since when the oldest waits; null = nothing waits, or no time is kept.';
CREATE VIEW wall.ranking AS
 SELECT r.ranking_id,
    r.scheme,
    r.since,
    r.until,
    r.area_id,
    r.published_at,
    w.subject_id,
    w.name,
    w.score,
    w.band,
    COALESCE(w.corrected, w.list) AS list,
    w."position",
    w.cases
   FROM (public.rankings r
     JOIN public.ranking_rows w USING (ranking_id))
  WHERE (r.published_at IS NOT NULL);
ALTER VIEW wall.ranking OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.ranking IS 'Red and grey lists that were published, as corrected by appeals that were upheld.';
COMMENT ON COLUMN wall.ranking.ranking_id IS 'Id of the list.';
COMMENT ON COLUMN wall.ranking.scheme IS 'Scheme of scores by which it was made.';
COMMENT ON COLUMN wall.ranking.since IS 'Begin of the period.';
COMMENT ON COLUMN wall.ranking.until IS 'End of the period.';
COMMENT ON COLUMN wall.ranking.area_id IS 'Area whose organisations it ranks; null = the whole city.';
COMMENT ON COLUMN wall.ranking.published_at IS 'When it was published.';
COMMENT ON COLUMN wall.ranking.subject_id IS 'Id of the organisation.';
COMMENT ON COLUMN wall.ranking.name IS 'Name of the organisation.';
COMMENT ON COLUMN wall.ranking.score IS 'Score.';
COMMENT ON COLUMN wall.ranking.band IS 'Band of the score.';
COMMENT ON COLUMN wall.ranking.list IS 'red, grey, none, or not_ranked: too few cases.';
COMMENT ON COLUMN wall.ranking."position" IS 'Place; null = not ranked.';
COMMENT ON COLUMN wall.ranking.cases IS 'Number of cases behind the score.';
CREATE VIEW wall.warning AS
 SELECT w.warning_id,
    w.community_id,
    w.equipment_id,
    e.kind,
    COALESCE(e.name, w.equipment_id) AS equipment_zh,
    COALESCE(NULLIF(e.name_en, ''::text), e.name, w.equipment_id) AS equipment_en,
    w.condition,
    w.tier,
    w.proposed_class AS class,
    w.life_safety,
    w.status,
    w.event_at,
    w.detected_at,
    w.cleared_at,
    w.sentence_zh,
    w.sentence_en
   FROM (public.warnings w
     LEFT JOIN public.equipment e USING (community_id, equipment_id))
  WHERE (NOT w.replay);
ALTER VIEW wall.warning OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.warning IS 'Warnings; those of recorded data are not in it.';
COMMENT ON COLUMN wall.warning.warning_id IS 'Id of the warning: page /warnings/… of the console.';
COMMENT ON COLUMN wall.warning.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.warning.equipment_id IS 'Id of the equipment within its community.';
COMMENT ON COLUMN wall.warning.kind IS 'Kind of equipment, as in the vocabulary.';
COMMENT ON COLUMN wall.warning.equipment_zh IS 'Name of the equipment in Chinese; its id where the register does not know it.';
COMMENT ON COLUMN wall.warning.equipment_en IS 'Name of the equipment in English, else in Chinese.';
COMMENT ON COLUMN wall.warning.condition IS 'What is wrong, as in the vocabulary.';
COMMENT ON COLUMN wall.warning.tier IS 'warning or alarm.';
COMMENT ON COLUMN wall.warning.class IS 'Proposed class: A urgent, B major, C common; the responsibility list decides.';
COMMENT ON COLUMN wall.warning.life_safety IS 'A person''s life may be in danger.';
COMMENT ON COLUMN wall.warning.status IS 'open or cleared.';
COMMENT ON COLUMN wall.warning.event_at IS 'When it happened, by the device''s clock.';
COMMENT ON COLUMN wall.warning.detected_at IS 'When it was detected.';
COMMENT ON COLUMN wall.warning.cleared_at IS 'When it was over.';
COMMENT ON COLUMN wall.warning.sentence_zh IS 'What is wrong, as a sentence in Chinese.';
COMMENT ON COLUMN wall.warning.sentence_en IS 'What is wrong, as a sentence in English.';
CREATE VIEW wall.work_order AS
 SELECT o.order_id,
    o.case_id,
    o.community_id,
    o.equipment_id,
    COALESCE(e.name, o.equipment_id, ''::text) AS equipment_zh,
    COALESCE(NULLIF(e.name_en, ''::text), e.name, o.equipment_id, ''::text) AS equipment_en,
    c.condition,
    c.class,
    c.life_safety,
    o.org_id,
    g.name AS organisation_zh,
    COALESCE(NULLIF(g.name_en, ''::text), g.name) AS organisation_en,
    o.state,
    o.lead,
    o.dispatched_at,
    o.respond_due,
    o.arrive_due,
    o.finish_due,
    o.responded_at,
    o.arrived_at,
    o.finished_at,
    o.closed_at,
    k.clock,
    k.due_at,
    COALESCE((k.due_at < now()), false) AS overdue,
        CASE
            WHEN (k.due_at < now()) THEN 'overdue'::text
            WHEN (EXISTS ( SELECT
               FROM public.escalations x
              WHERE ((x.order_id = o.order_id) AND (x.clock = k.clock) AND (x.level = 0)))) THEN 'short'::text
            WHEN (k.due_at IS NOT NULL) THEN 'running'::text
            ELSE NULL::text
        END AS clock_state
   FROM ((((public.orders o
     JOIN public.cases c USING (case_id))
     JOIN public.organisations g ON ((g.org_id = o.org_id)))
     LEFT JOIN public.equipment e ON (((e.community_id = o.community_id) AND (e.equipment_id = o.equipment_id))))
     LEFT JOIN LATERAL ( SELECT v.clock,
            v.due_at
           FROM ( VALUES ('respond'::text,o.respond_due,o.responded_at), ('arrive'::text,o.arrive_due,o.arrived_at), ('finish'::text,o.finish_due,o.finished_at)) v(clock, due_at, done_at)
          WHERE ((v.due_at IS NOT NULL) AND (v.done_at IS NULL) AND o.lead AND (o.closed_at IS NULL) AND (o.finished_at IS NULL) AND (o.state <> 'suspended'::text))
          ORDER BY v.due_at
         LIMIT 1) k ON (true))
  WHERE (NOT c.replay);
ALTER VIEW wall.work_order OWNER TO watchkeep_owner;
COMMENT ON VIEW wall.work_order IS 'Orders with the clock that runs; those of recorded data are not in it.';
COMMENT ON COLUMN wall.work_order.order_id IS 'Id of the order.';
COMMENT ON COLUMN wall.work_order.case_id IS 'Id of the case: page /cases/… of the console.';
COMMENT ON COLUMN wall.work_order.community_id IS 'Id of the community.';
COMMENT ON COLUMN wall.work_order.equipment_id IS 'Id of the equipment within its community.';
COMMENT ON COLUMN wall.work_order.equipment_zh IS 'Name of the equipment in Chinese; its id where the register does not know it.';
COMMENT ON COLUMN wall.work_order.equipment_en IS 'Name of the equipment in English, else in Chinese.';
COMMENT ON COLUMN wall.work_order.condition IS 'What is wrong, as in the vocabulary.';
COMMENT ON COLUMN wall.work_order.class IS 'A urgent, B major, C common.';
COMMENT ON COLUMN wall.work_order.life_safety IS 'A person''s life may be in danger.';
COMMENT ON COLUMN wall.work_order.org_id IS 'Id of the responsible organisation.';
COMMENT ON COLUMN wall.work_order.organisation_zh IS 'Name of the responsible organisation in Chinese.';
COMMENT ON COLUMN wall.work_order.organisation_en IS 'Name of the responsible organisation in English, else in Chinese.';
COMMENT ON COLUMN wall.work_order.state IS 'State in the life cycle.';
COMMENT ON COLUMN wall.work_order.lead IS 'The order that answers for its case; of several there is one.';
COMMENT ON COLUMN wall.work_order.dispatched_at IS 'When the order was given.';
COMMENT ON COLUMN wall.work_order.respond_due IS 'When it must be answered at the latest; null = no such clock.';
COMMENT ON COLUMN wall.work_order.arrive_due IS 'When somebody must be there at the latest; null = no such clock.';
COMMENT ON COLUMN wall.work_order.finish_due IS 'When it must be finished at the latest; null = no such clock.';
COMMENT ON COLUMN wall.work_order.responded_at IS 'When it was answered.';
COMMENT ON COLUMN wall.work_order.arrived_at IS 'When somebody was there.';
COMMENT ON COLUMN wall.work_order.finished_at IS 'When the work was reported as done.';
COMMENT ON COLUMN wall.work_order.closed_at IS 'When the order ended; null = open.';
COMMENT ON COLUMN wall.work_order.clock IS 'The clock that is due first: respond, arrive or finish; null = none runs.';
COMMENT ON COLUMN wall.work_order.due_at IS 'When that clock runs out.';
COMMENT ON COLUMN wall.work_order.overdue IS 'That clock has run out.';
COMMENT ON COLUMN wall.work_order.clock_state IS 'running, short (its yellow card is out) or overdue; null = no clock runs.';
ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT aliases_pkey PRIMARY KEY (community_id, gateway_id, epoch, alias);
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_token_id_key UNIQUE (token_id);
ALTER TABLE ONLY public.appeals
    ADD CONSTRAINT appeals_pkey PRIMARY KEY (appeal_id);
ALTER TABLE ONLY public.areas
    ADD CONSTRAINT areas_pkey PRIMARY KEY (area_id);
ALTER TABLE ONLY public.assignment_rules
    ADD CONSTRAINT assignment_rules_pkey PRIMARY KEY (org_id);
ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (audit_id);
ALTER TABLE ONLY public.audit_seals
    ADD CONSTRAINT audit_seals_audit_id_key UNIQUE (audit_id);
ALTER TABLE ONLY public.audit_seals
    ADD CONSTRAINT audit_seals_pkey PRIMARY KEY (seal_no);
ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (lane, partition, batch);
ALTER TABLE ONLY public.buildings
    ADD CONSTRAINT buildings_pkey PRIMARY KEY (community_id, building_id);
ALTER TABLE ONLY public.case_callbacks
    ADD CONSTRAINT case_callbacks_pkey PRIMARY KEY (callback_id);
ALTER TABLE ONLY public.case_escalations
    ADD CONSTRAINT case_escalations_pkey PRIMARY KEY (case_id, clock, level, since);
ALTER TABLE ONLY public.case_warnings
    ADD CONSTRAINT case_warnings_pkey PRIMARY KEY (warning_id);
ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_pkey PRIMARY KEY (case_id);
ALTER TABLE ONLY public.channel_hits
    ADD CONSTRAINT channel_hits_pkey PRIMARY KEY (address);
ALTER TABLE ONLY public.communities
    ADD CONSTRAINT communities_pkey PRIMARY KEY (community_id);
ALTER TABLE ONLY public.community_history
    ADD CONSTRAINT community_history_pkey PRIMARY KEY (history_id);
ALTER TABLE ONLY public.community_sums
    ADD CONSTRAINT community_sums_pkey PRIMARY KEY (since, until, community_id);
ALTER TABLE ONLY public.complaints
    ADD CONSTRAINT complaints_pkey PRIMARY KEY (complaint_id);
ALTER TABLE ONLY public.complaints
    ADD CONSTRAINT complaints_token_key UNIQUE (token);
ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_pkey PRIMARY KEY (contract_id);
ALTER TABLE ONLY public.credit_events
    ADD CONSTRAINT credit_events_pkey PRIMARY KEY (event_id);
ALTER TABLE ONLY public.data_shares
    ADD CONSTRAINT data_shares_pkey PRIMARY KEY (share_id);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (dead_letter_id);
ALTER TABLE ONLY public.deadline_changes
    ADD CONSTRAINT deadline_changes_pkey PRIMARY KEY (change_id);
ALTER TABLE ONLY public.detection_feedback
    ADD CONSTRAINT detection_feedback_pkey PRIMARY KEY (feedback_id);
ALTER TABLE ONLY public.detection_rule_changes
    ADD CONSTRAINT detection_rule_changes_pkey PRIMARY KEY (change_id);
ALTER TABLE ONLY public.detection_rules
    ADD CONSTRAINT detection_rules_pkey PRIMARY KEY (rule_id, community_id, equipment_id);
ALTER TABLE ONLY public.detector_states
    ADD CONSTRAINT detector_states_pkey PRIMARY KEY (lane, partition, detector);
ALTER TABLE ONLY public.device_clocks
    ADD CONSTRAINT device_clocks_pkey PRIMARY KEY (community_id, equipment_id);
ALTER TABLE ONLY public.duties
    ADD CONSTRAINT duties_list_id_row_no_key UNIQUE (list_id, row_no);
ALTER TABLE ONLY public.duties
    ADD CONSTRAINT duties_pkey PRIMARY KEY (duty_id);
ALTER TABLE ONLY public.duty_handovers
    ADD CONSTRAINT duty_handovers_pkey PRIMARY KEY (handover_id);
ALTER TABLE ONLY public.duty_lists
    ADD CONSTRAINT duty_lists_pkey PRIMARY KEY (list_id);
ALTER TABLE ONLY public.equipment_links
    ADD CONSTRAINT equipment_links_pkey PRIMARY KEY (community_id, from_id, relation, to_id);
ALTER TABLE ONLY public.equipment_models
    ADD CONSTRAINT equipment_models_pkey PRIMARY KEY (community_id, equipment_id, version);
ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_pkey PRIMARY KEY (community_id, equipment_id);
ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (erasure_id);
ALTER TABLE ONLY public.escalations
    ADD CONSTRAINT escalations_pkey PRIMARY KEY (order_id, clock, level);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_community_id_gateway_id_epoch_seq_key UNIQUE (community_id, gateway_id, epoch, seq);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (event_id);
ALTER TABLE ONLY public.evidence
    ADD CONSTRAINT evidence_pkey PRIMARY KEY (evidence_id);
ALTER TABLE ONLY public.floors
    ADD CONSTRAINT floors_pkey PRIMARY KEY (community_id, building_id, level);
ALTER TABLE ONLY public.fund_requests
    ADD CONSTRAINT fund_requests_pkey PRIMARY KEY (request_id);
ALTER TABLE ONLY public.fund_steps
    ADD CONSTRAINT fund_steps_pkey PRIMARY KEY (step_id);
ALTER TABLE ONLY public.gap_recoveries
    ADD CONSTRAINT gap_recoveries_pkey PRIMARY KEY (recovery_id);
ALTER TABLE ONLY public.gateway_status
    ADD CONSTRAINT gateway_status_pkey PRIMARY KEY (community_id, gateway_id);
ALTER TABLE ONLY public.gateways
    ADD CONSTRAINT gateways_pkey PRIMARY KEY (community_id, gateway_id);
ALTER TABLE ONLY public.handovers
    ADD CONSTRAINT handovers_pkey PRIMARY KEY (community_id, domain);
ALTER TABLE ONLY public.households
    ADD CONSTRAINT households_pkey PRIMARY KEY (community_id, building_id, household_id);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (person_id, key);
ALTER TABLE ONLY public.ingest_accounts
    ADD CONSTRAINT ingest_accounts_pkey PRIMARY KEY (lane, partition);
ALTER TABLE ONLY public.ingest_minutes
    ADD CONSTRAINT ingest_minutes_pkey PRIMARY KEY (minute, lane);
ALTER TABLE ONLY public.inspections
    ADD CONSTRAINT inspections_pkey PRIMARY KEY (inspection_id);
ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_case_id_key UNIQUE (case_id);
ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_pkey PRIMARY KEY (entry_id);
ALTER TABLE ONLY public.ledger_studies
    ADD CONSTRAINT ledger_studies_pkey PRIMARY KEY (study_id);
ALTER TABLE ONLY public.maintenance_windows
    ADD CONSTRAINT maintenance_windows_pkey PRIMARY KEY (window_id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_person_id_role_scope_kind_scope_id_key UNIQUE (person_id, role, scope_kind, scope_id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (membership_id);
ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (model_id);
ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_pkey PRIMARY KEY (notice_id);
ALTER TABLE ONLY public.notification_channels
    ADD CONSTRAINT notification_channels_org_id_name_key UNIQUE (org_id, name);
ALTER TABLE ONLY public.notification_channels
    ADD CONSTRAINT notification_channels_person UNIQUE (person_id, name);
ALTER TABLE ONLY public.notification_channels
    ADD CONSTRAINT notification_channels_pkey PRIMARY KEY (channel_id);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_dedup_key_key UNIQUE (dedup_key);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_pkey PRIMARY KEY (notification_id);
ALTER TABLE ONLY public.order_spans
    ADD CONSTRAINT order_spans_pkey PRIMARY KEY (since, until);
ALTER TABLE ONLY public.order_sums
    ADD CONSTRAINT order_sums_pkey PRIMARY KEY (since, until, org_id, community_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (order_id);
ALTER TABLE ONLY public.organisations
    ADD CONSTRAINT organisations_pkey PRIMARY KEY (org_id);
ALTER TABLE ONLY public.owners_committees
    ADD CONSTRAINT owners_committees_pkey PRIMARY KEY (committee_id);
ALTER TABLE ONLY public.parked
    ADD CONSTRAINT parked_pkey PRIMARY KEY (parked_id);
ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_login_key UNIQUE (login);
ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (person_id);
ALTER TABLE ONLY public.person_logins
    ADD CONSTRAINT person_logins_pkey PRIMARY KEY (issuer, subject);
ALTER TABLE ONLY public.person_skills
    ADD CONSTRAINT person_skills_pkey PRIMARY KEY (person_id, skill, valid);
ALTER TABLE ONLY public.person_totp
    ADD CONSTRAINT person_totp_pkey PRIMARY KEY (person_id);
ALTER TABLE ONLY public.point_limits
    ADD CONSTRAINT point_limits_pkey PRIMARY KEY (limit_id);
ALTER TABLE ONLY public.point_limits
    ADD CONSTRAINT point_limits_series_id_condition_side_tier_key UNIQUE (series_id, condition, side, tier);
ALTER TABLE ONLY public.points
    ADD CONSTRAINT points_community_id_equipment_id_metric_key UNIQUE (community_id, equipment_id, metric);
ALTER TABLE ONLY public.points
    ADD CONSTRAINT points_pkey PRIMARY KEY (series_id);
ALTER TABLE ONLY public.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (community_id, gateway_id, lane, epoch);
ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (quarantine_id);
ALTER TABLE ONLY public.ranking_rows
    ADD CONSTRAINT ranking_rows_pkey PRIMARY KEY (ranking_id, subject_id);
ALTER TABLE ONLY public.rankings
    ADD CONSTRAINT rankings_pkey PRIMARY KEY (ranking_id);
ALTER TABLE ONLY public.rate_hits
    ADD CONSTRAINT rate_hits_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (person_id, code_hash);
ALTER TABLE ONLY public.replay_watermarks
    ADD CONSTRAINT replay_watermarks_pkey PRIMARY KEY (community_id);
ALTER TABLE ONLY public.rollup_dirty
    ADD CONSTRAINT rollup_dirty_pkey PRIMARY KEY (mark_id);
ALTER TABLE ONLY public.rollup_series
    ADD CONSTRAINT rollup_series_pkey PRIMARY KEY (series_id);
ALTER TABLE ONLY public.rota_shifts
    ADD CONSTRAINT rota_shifts_pkey PRIMARY KEY (shift_id);
ALTER TABLE ONLY public.rota_swaps
    ADD CONSTRAINT rota_swaps_pkey PRIMARY KEY (swap_id);
ALTER TABLE ONLY public.rows_outbox
    ADD CONSTRAINT rows_outbox_pkey PRIMARY KEY (outbox_id);
ALTER TABLE ONLY public.score_schemes
    ADD CONSTRAINT score_schemes_pkey PRIMARY KEY (scheme, valid_from);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_session_id_key UNIQUE (session_id);
ALTER TABLE ONLY public.signals
    ADD CONSTRAINT signals_pkey PRIMARY KEY (signal_id);
ALTER TABLE ONLY public.silences
    ADD CONSTRAINT silences_pkey PRIMARY KEY (silence_id);
ALTER TABLE ONLY public.storage_levels
    ADD CONSTRAINT storage_levels_pkey PRIMARY KEY (level);
ALTER TABLE ONLY public.storms
    ADD CONSTRAINT storms_pkey PRIMARY KEY (storm_id);
ALTER TABLE ONLY public.suspension_requests
    ADD CONSTRAINT suspension_requests_pkey PRIMARY KEY (request_id);
ALTER TABLE ONLY public.transitions
    ADD CONSTRAINT transitions_idempotency_key_key UNIQUE (idempotency_key);
ALTER TABLE ONLY public.transitions
    ADD CONSTRAINT transitions_pkey PRIMARY KEY (transition_id);
ALTER TABLE ONLY public.unjudged
    ADD CONSTRAINT unjudged_pkey PRIMARY KEY (warning_id);
ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_pkey PRIMARY KEY (verdict_id);
ALTER TABLE ONLY public.visit_plans
    ADD CONSTRAINT visit_plans_pkey PRIMARY KEY (plan_id);
ALTER TABLE ONLY public.visits
    ADD CONSTRAINT visits_pkey PRIMARY KEY (visit_id);
ALTER TABLE ONLY public.warning_explanations
    ADD CONSTRAINT warning_explanations_pkey PRIMARY KEY (warning_id);
ALTER TABLE ONLY public.warnings
    ADD CONSTRAINT warnings_pkey PRIMARY KEY (warning_id);
ALTER TABLE ONLY public.warranties
    ADD CONSTRAINT warranties_pkey PRIMARY KEY (community_id, equipment_id);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (delivery_id);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (webhook_id);
CREATE INDEX api_tokens_person ON public.api_tokens USING btree (person_id);
CREATE UNIQUE INDEX appeals_one_open ON public.appeals USING btree (ranking_id, subject_id) WHERE (upheld IS NULL);
CREATE INDEX areas_path ON public.areas USING gin (path);
CREATE INDEX audit_entries_object ON public.audit_entries USING btree (object_kind, object_id);
CREATE INDEX batches_committed ON public.batches USING brin (committed_at) WITH (autosummarize='on');
CREATE INDEX case_callbacks_at ON public.case_callbacks USING btree (at);
CREATE INDEX case_callbacks_case ON public.case_callbacks USING btree (case_id);
CREATE INDEX case_warnings_case ON public.case_warnings USING btree (case_id);
CREATE INDEX cases_children ON public.cases USING btree (parent_case_id) WHERE (parent_case_id IS NOT NULL);
CREATE INDEX cases_closed ON public.cases USING btree (closed_at DESC) WHERE (state = 'closed'::text);
CREATE INDEX cases_newest_of_community ON public.cases USING btree (community_id, case_id DESC);
CREATE INDEX cases_newest_of_first_responder ON public.cases USING btree (first_responder_id, ((- case_id)));
CREATE INDEX cases_newest_of_responsible ON public.cases USING btree (responsible_org_id, ((- case_id)));
CREATE INDEX cases_newest_of_supervising ON public.cases USING btree (supervising_org_id, ((- case_id)));
CREATE UNIQUE INDEX cases_one_open ON public.cases USING btree (community_id, equipment_id, condition) WHERE ((closed_at IS NULL) AND (equipment_id IS NOT NULL));
CREATE INDEX cases_open ON public.cases USING btree (case_id DESC) WHERE (closed_at IS NULL);
CREATE INDEX cases_open_a ON public.cases USING btree (case_id) WHERE ((class = 'A'::text) AND (closed_at IS NULL) AND (NOT replay));
CREATE INDEX cases_overdue ON public.cases USING btree (filed_at) WHERE (condition = 'maintenance_overdue'::text);
CREATE INDEX cases_recent ON public.cases USING btree (community_id, filed_at DESC);
CREATE INDEX cases_same ON public.cases USING btree (community_id, equipment_id, condition, closed_at);
COMMENT ON INDEX public.cases_same IS 'Cases that a condition may come back to.';
CREATE UNIQUE INDEX communities_report_token ON public.communities USING btree (report_token);
CREATE INDEX community_history_at ON public.community_history USING btree (community_id, at);
CREATE INDEX community_sums_stale ON public.community_sums USING btree (since) WHERE stale;
CREATE INDEX complaints_case ON public.complaints USING btree (case_id);
CREATE UNIQUE INDEX complaints_channel_no ON public.complaints USING btree (source, channel_no) WHERE (channel_no IS NOT NULL);
CREATE INDEX complaints_community ON public.complaints USING btree (community_id, complaint_id DESC);
CREATE INDEX complaints_received ON public.complaints USING btree (received_at);
CREATE INDEX complaints_told ON public.complaints USING btree (contact_phone, told_at) WHERE (told_at IS NOT NULL);
CREATE INDEX complaints_unanswered ON public.complaints USING btree (case_id) WHERE ((answered_at IS NULL) AND (case_id IS NOT NULL));
CREATE INDEX complaints_untold ON public.complaints USING btree (answered_at) WHERE ((told_at IS NULL) AND (contact_phone <> ''::text));
CREATE INDEX complaints_waiting ON public.complaints USING btree (complaint_id) WHERE ((case_id IS NULL) AND (refusal = ''::text));
CREATE INDEX contracts_community ON public.contracts USING btree (community_id);
CREATE INDEX contracts_provider ON public.contracts USING btree (provider_org_id);
CREATE INDEX credit_events_org ON public.credit_events USING btree (org_id, recorded_at);
CREATE UNIQUE INDEX credit_events_withdrawn ON public.credit_events USING btree (withdraws_id) WHERE (withdraws_id IS NOT NULL);
CREATE INDEX dead_letters_open ON public.dead_letters USING btree (dead_letter_id) WHERE (replayed_at IS NULL);
CREATE INDEX deadline_changes_at ON public.deadline_changes USING btree (at) WHERE (clock = 'finish'::text);
CREATE INDEX deadline_changes_case ON public.deadline_changes USING btree (case_id);
CREATE UNIQUE INDEX detection_feedback_budget ON public.detection_feedback USING btree (series_id, detector) WHERE ((said = 'budget'::text) AND (revoked_at IS NULL));
CREATE INDEX detection_feedback_community ON public.detection_feedback USING btree (community_id, feedback_id DESC);
CREATE UNIQUE INDEX detection_feedback_once ON public.detection_feedback USING btree (warning_id, said) WHERE (revoked_at IS NULL);
CREATE INDEX detection_rule_changes_rule ON public.detection_rule_changes USING btree (rule_id, changed_at DESC);
CREATE INDEX duty_handovers_recent ON public.duty_handovers USING btree (community_id, at DESC);
CREATE INDEX equipment_links_to ON public.equipment_links USING btree (community_id, to_id);
CREATE UNIQUE INDEX equipment_models_active ON public.equipment_models USING btree (community_id, equipment_id) WHERE (state = 'active'::text);
CREATE INDEX equipment_name ON public.equipment USING btree (name, community_id);
CREATE UNIQUE INDEX equipment_report_token ON public.equipment USING btree (report_token);
CREATE UNIQUE INDEX erasures_open ON public.erasures USING btree (person_id) WHERE (done_at IS NULL);
CREATE INDEX escalations_fired ON public.escalations USING btree (fired_at DESC);
CREATE INDEX events_equipment ON public.events USING btree (community_id, equipment_id, ts DESC);
CREATE INDEX evidence_case ON public.evidence USING btree (case_id);
CREATE UNIQUE INDEX fund_requests_one_open ON public.fund_requests USING btree (case_id) WHERE (closed_at IS NULL);
CREATE INDEX fund_steps_request ON public.fund_steps USING btree (request_id, step_id);
CREATE INDEX gap_recoveries_gateway ON public.gap_recoveries USING btree (community_id, gateway_id, recovered_at DESC);
CREATE INDEX inspections_subject ON public.inspections USING btree (subject_kind, subject_id, inspected_on);
CREATE INDEX ledger_studies_case ON public.ledger_studies USING btree (case_id, month);
CREATE INDEX memberships_scope ON public.memberships USING btree (scope_id, role);
CREATE UNIQUE INDEX models_one_active ON public.models USING btree (detector, scope, COALESCE(community_id, ''::text)) WHERE active;
CREATE INDEX notices_community ON public.notices USING btree (community_id, section) WHERE (removed_at IS NULL);
CREATE INDEX notifications_case ON public.notifications USING btree (case_id);
CREATE INDEX notifications_failed ON public.notifications USING btree (notification_id) WHERE (status = 'failed'::text);
CREATE INDEX notifications_fallback ON public.notifications USING btree (fallback_at) WHERE (fallback_at IS NOT NULL);
CREATE INDEX notifications_person ON public.notifications USING btree (person_id, notification_id DESC);
CREATE INDEX notifications_queued ON public.notifications USING btree (channel_id, urgent DESC, notification_id) WHERE (status = 'queued'::text);
CREATE INDEX notifications_wake ON public.notifications USING btree (wake_at) WHERE (status = 'queued'::text);
CREATE INDEX order_sums_stale ON public.order_sums USING btree (since) WHERE stale;
CREATE INDEX orders_aside ON public.orders USING btree (org_id, community_id) WHERE (NOT (lead AND scored));
CREATE INDEX orders_case ON public.orders USING btree (case_id);
CREATE INDEX orders_cases_of_org ON public.orders USING btree (org_id, ((- case_id)));
CREATE INDEX orders_newest_of_community ON public.orders USING btree (community_id, order_id DESC);
CREATE INDEX orders_newest_of_org ON public.orders USING btree (org_id, ((- order_id)));
CREATE UNIQUE INDEX orders_one_helper ON public.orders USING btree (case_id, org_id) WHERE ((NOT lead) AND (closed_at IS NULL));
CREATE UNIQUE INDEX orders_one_lead ON public.orders USING btree (case_id) WHERE (lead AND (closed_at IS NULL));
CREATE INDEX orders_open ON public.orders USING btree (respond_due, arrive_due, finish_due) WHERE (closed_at IS NULL);
CREATE INDEX orders_org ON public.orders USING btree (org_id, dispatched_at DESC);
CREATE INDEX orders_pair ON public.orders USING btree (org_id, community_id, settles_at) WHERE (lead AND scored);
COMMENT ON INDEX public.orders_pair IS 'Orders of one sum; communities of an organisation.';
CREATE INDEX orders_recur ON public.orders USING btree (dispatched_at, recurs_order_id) WHERE (recurs_order_id IS NOT NULL);
CREATE INDEX orders_same ON public.orders USING btree (community_id, equipment_id, condition, closed_at) WHERE (state = 'closed'::text);
CREATE INDEX orders_settled ON public.orders USING btree (settles_at) WHERE (lead AND scored);
CREATE INDEX orders_unfinished ON public.orders USING btree (order_id DESC) WHERE (closed_at IS NULL);
CREATE INDEX parked_gateway ON public.parked USING btree (community_id, gateway_id, epoch);
CREATE INDEX people_org ON public.people USING btree (org_id);
CREATE INDEX points_gateway ON public.points USING btree (community_id, gateway_id);
CREATE UNIQUE INDEX readings_hour_series_ts ON ONLY public.readings_hour USING btree (series_id, ts);
CREATE UNIQUE INDEX readings_minute_series_ts ON ONLY public.readings_minute USING btree (series_id, ts);
CREATE INDEX readings_series_ts ON ONLY public.readings USING btree (series_id, ts);
CREATE INDEX readings_ts ON ONLY public.readings USING brin (ts) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX rota_shifts_org ON public.rota_shifts USING btree (org_id, upper(during));
CREATE INDEX sessions_person ON public.sessions USING btree (person_id);
CREATE INDEX signals_equipment ON public.signals USING btree (community_id, equipment_id, event_at DESC);
CREATE INDEX signals_warning ON public.signals USING btree (warning_id);
CREATE INDEX silences_community ON public.silences USING btree (community_id, upper(during));
CREATE UNIQUE INDEX storms_one_open ON public.storms USING btree (community_id) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX suspension_requests_asked ON public.suspension_requests USING btree (order_id) WHERE (decision IS NULL);
CREATE INDEX suspension_requests_case ON public.suspension_requests USING btree (case_id);
CREATE INDEX transitions_case ON public.transitions USING btree (case_id, transition_id);
CREATE INDEX transitions_pauses ON public.transitions USING btree (order_id, transition_id) WHERE (action = ANY (ARRAY['suspend'::text, 'resume'::text]));
CREATE INDEX unjudged_turn ON public.unjudged USING btree (life_safety DESC, not_before, warning_id);
CREATE INDEX verdicts_by_time ON public.verdicts USING btree (at DESC);
CREATE INDEX verdicts_dismissed ON public.verdicts USING btree (warning_id) WHERE (verdict = 'dismissed'::text);
CREATE INDEX verdicts_warning ON public.verdicts USING btree (warning_id);
CREATE INDEX visit_plans_community ON public.visit_plans USING btree (community_id, replaces) WHERE (community_id IS NOT NULL);
CREATE INDEX visits_done ON public.visits USING btree (plan_id, community_id, equipment_id, done_at DESC);
CREATE INDEX visits_due ON public.visits USING btree (due_at) WHERE (done_at IS NULL);
CREATE UNIQUE INDEX visits_one_open ON public.visits USING btree (plan_id, community_id, equipment_id) WHERE (done_at IS NULL);
CREATE INDEX visits_unfiled ON public.visits USING btree (visit_id) WHERE ((done_at IS NOT NULL) AND (found_cases IS NULL));
CREATE INDEX warnings_by_time ON public.warnings USING btree (detected_at DESC);
CREATE INDEX warnings_cleared ON public.warnings USING btree (cleared_at) WHERE (NOT replay);
COMMENT ON INDEX public.warnings_cleared IS 'What stood in a span that has just ended, or stands.';
CREATE INDEX warnings_equipment ON public.warnings USING btree (community_id, equipment_id, event_at DESC);
CREATE INDEX warnings_key ON public.warnings USING btree (community_id, equipment_id, condition, detected_at DESC);
CREATE INDEX warnings_late ON public.warnings USING btree (event_at) WHERE ((detected_at - event_at) > '01:00:00'::interval);
COMMENT ON INDEX public.warnings_late IS 'What was found long after it had begun: until then a sum did not know of it.';
CREATE INDEX warnings_newest_open ON public.warnings USING btree (warning_id DESC) WHERE (status = 'open'::text);
CREATE UNIQUE INDEX warnings_one_open ON public.warnings USING btree (community_id, equipment_id, condition) WHERE (status = 'open'::text);
CREATE INDEX warnings_recent ON public.warnings USING btree (community_id, detected_at DESC);
CREATE INDEX webhook_deliveries_due ON public.webhook_deliveries USING btree (next_at) WHERE (status = 'waiting'::text);
CREATE INDEX webhook_deliveries_of ON public.webhook_deliveries USING btree (webhook_id, delivery_id);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_entries FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_seals FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.credit_events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.data_shares FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.inspections FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.score_schemes FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER await_verdict AFTER INSERT ON public.warnings FOR EACH ROW EXECUTE FUNCTION public.await_verdict();
CREATE TRIGGER note_acted AFTER INSERT ON public.transitions FOR EACH ROW WHEN ((new.person_id IS NOT NULL)) EXECUTE FUNCTION public.note_acted();
CREATE TRIGGER note_community AFTER INSERT OR UPDATE ON public.communities FOR EACH ROW EXECUTE FUNCTION public.note_community();
CREATE TRIGGER note_community_fact AFTER INSERT ON public.case_callbacks FOR EACH ROW EXECUTE FUNCTION public.note_community_fact();
CREATE TRIGGER note_community_fact AFTER INSERT OR UPDATE OF satisfied, rated_at ON public.complaints FOR EACH ROW EXECUTE FUNCTION public.note_community_fact();
CREATE TRIGGER note_community_fact AFTER INSERT ON public.verdicts FOR EACH ROW WHEN ((new.verdict = 'dismissed'::text)) EXECUTE FUNCTION public.note_community_fact();
CREATE TRIGGER note_community_fact AFTER INSERT ON public.warnings FOR EACH ROW WHEN ((new.detected_at < (clock_timestamp() - '00:30:00'::interval))) EXECUTE FUNCTION public.note_community_fact();
CREATE TRIGGER note_late_trouble AFTER INSERT ON public.warnings FOR EACH ROW WHEN ((new.event_at < (clock_timestamp() - '00:30:00'::interval))) EXECUTE FUNCTION public.note_late_trouble();
CREATE TRIGGER note_trouble_over AFTER UPDATE OF cleared_at, proposed_class ON public.warnings FOR EACH ROW WHEN ((((LEAST(old.cleared_at, new.cleared_at) < (clock_timestamp() - '00:30:00'::interval)) AND (old.cleared_at IS DISTINCT FROM new.cleared_at)) OR ((new.proposed_class <> old.proposed_class) AND (new.event_at < (clock_timestamp() - '00:30:00'::interval))))) EXECUTE FUNCTION public.note_late_trouble();
CREATE TRIGGER notify_change AFTER INSERT OR UPDATE ON public.cases FOR EACH ROW EXECUTE FUNCTION public.notify_change('case_id');
CREATE TRIGGER notify_change AFTER INSERT ON public.complaints FOR EACH ROW EXECUTE FUNCTION public.notify_change('complaint_id');
CREATE TRIGGER notify_change AFTER INSERT OR UPDATE ON public.orders FOR EACH ROW EXECUTE FUNCTION public.notify_change('order_id');
CREATE TRIGGER notify_change AFTER INSERT OR UPDATE ON public.warnings FOR EACH ROW EXECUTE FUNCTION public.notify_change('warning_id');
CREATE TRIGGER order_facts BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.order_facts();
CREATE TRIGGER order_sums_stale AFTER INSERT OR UPDATE ON public.orders FOR EACH ROW WHEN ((new.lead AND new.scored)) EXECUTE FUNCTION public.order_sums_stale();
CREATE TRIGGER password_by_another BEFORE INSERT OR UPDATE OF password_hash ON public.people FOR EACH ROW EXECUTE FUNCTION public.password_by_another();
CREATE TRIGGER queue_webhooks AFTER INSERT OR UPDATE OF state ON public.cases FOR EACH ROW EXECUTE FUNCTION public.queue_webhooks('case_id', 'case.filed', 'state', 'case.changed');
CREATE TRIGGER queue_webhooks AFTER INSERT OR UPDATE OF state ON public.orders FOR EACH ROW EXECUTE FUNCTION public.queue_webhooks('order_id', 'order.dispatched', 'state', 'order.changed');
CREATE TRIGGER queue_webhooks AFTER INSERT OR UPDATE OF status ON public.warnings FOR EACH ROW EXECUTE FUNCTION public.queue_webhooks('warning_id', 'warning.opened', 'status', 'warning.changed');
ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT aliases_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.points(series_id);
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.appeals
    ADD CONSTRAINT appeals_ranking_id_subject_id_fkey FOREIGN KEY (ranking_id, subject_id) REFERENCES public.ranking_rows(ranking_id, subject_id);
ALTER TABLE ONLY public.areas
    ADD CONSTRAINT areas_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.areas(area_id);
ALTER TABLE ONLY public.assignment_rules
    ADD CONSTRAINT assignment_rules_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.audit_seals
    ADD CONSTRAINT audit_seals_audit_id_fkey FOREIGN KEY (audit_id) REFERENCES public.audit_entries(audit_id);
ALTER TABLE ONLY public.buildings
    ADD CONSTRAINT buildings_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.case_callbacks
    ADD CONSTRAINT case_callbacks_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.case_callbacks
    ADD CONSTRAINT case_callbacks_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.case_escalations
    ADD CONSTRAINT case_escalations_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.case_warnings
    ADD CONSTRAINT case_warnings_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.case_warnings
    ADD CONSTRAINT case_warnings_warning_id_fkey FOREIGN KEY (warning_id) REFERENCES public.warnings(warning_id);
ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_duty_id_fkey FOREIGN KEY (duty_id) REFERENCES public.duties(duty_id);
ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_first_responder_id_fkey FOREIGN KEY (first_responder_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_parent_case_id_fkey FOREIGN KEY (parent_case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_responsible_org_id_fkey FOREIGN KEY (responsible_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_supervising_org_id_fkey FOREIGN KEY (supervising_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.communities
    ADD CONSTRAINT communities_area_id_fkey FOREIGN KEY (area_id) REFERENCES public.areas(area_id);
ALTER TABLE ONLY public.communities
    ADD CONSTRAINT communities_property_org_id_fkey FOREIGN KEY (property_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.community_history
    ADD CONSTRAINT community_history_area_id_fkey FOREIGN KEY (area_id) REFERENCES public.areas(area_id);
ALTER TABLE ONLY public.community_history
    ADD CONSTRAINT community_history_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.community_history
    ADD CONSTRAINT community_history_property_org_id_fkey FOREIGN KEY (property_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.community_sums
    ADD CONSTRAINT community_sums_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.community_sums
    ADD CONSTRAINT community_sums_since_until_fkey FOREIGN KEY (since, until) REFERENCES public.order_spans(since, until) ON DELETE CASCADE;
ALTER TABLE ONLY public.complaints
    ADD CONSTRAINT complaints_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.complaints
    ADD CONSTRAINT complaints_community_id_equipment_id_fkey FOREIGN KEY (community_id, equipment_id) REFERENCES public.equipment(community_id, equipment_id);
ALTER TABLE ONLY public.complaints
    ADD CONSTRAINT complaints_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.complaints
    ADD CONSTRAINT complaints_property_org_id_fkey FOREIGN KEY (property_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT contracts_provider_org_id_fkey FOREIGN KEY (provider_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.credit_events
    ADD CONSTRAINT credit_events_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.credit_events
    ADD CONSTRAINT credit_events_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.credit_events
    ADD CONSTRAINT credit_events_withdraws_id_fkey FOREIGN KEY (withdraws_id) REFERENCES public.credit_events(event_id);
ALTER TABLE ONLY public.deadline_changes
    ADD CONSTRAINT deadline_changes_approver_id_fkey FOREIGN KEY (approver_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.deadline_changes
    ADD CONSTRAINT deadline_changes_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.deadline_changes
    ADD CONSTRAINT deadline_changes_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(order_id);
ALTER TABLE ONLY public.deadline_changes
    ADD CONSTRAINT deadline_changes_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.detection_feedback
    ADD CONSTRAINT detection_feedback_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.detection_feedback
    ADD CONSTRAINT detection_feedback_warning_id_fkey FOREIGN KEY (warning_id) REFERENCES public.warnings(warning_id);
ALTER TABLE ONLY public.duties
    ADD CONSTRAINT duties_area_id_fkey FOREIGN KEY (area_id) REFERENCES public.areas(area_id);
ALTER TABLE ONLY public.duties
    ADD CONSTRAINT duties_list_id_fkey FOREIGN KEY (list_id) REFERENCES public.duty_lists(list_id);
ALTER TABLE ONLY public.duty_handovers
    ADD CONSTRAINT duty_handovers_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.duty_handovers
    ADD CONSTRAINT duty_handovers_from_person_fkey FOREIGN KEY (from_person) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.duty_handovers
    ADD CONSTRAINT duty_handovers_to_person_fkey FOREIGN KEY (to_person) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_community_id_building_id_fkey FOREIGN KEY (community_id, building_id) REFERENCES public.buildings(community_id, building_id);
ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.equipment_links
    ADD CONSTRAINT equipment_links_community_id_from_id_fkey FOREIGN KEY (community_id, from_id) REFERENCES public.equipment(community_id, equipment_id);
ALTER TABLE ONLY public.equipment_links
    ADD CONSTRAINT equipment_links_community_id_to_id_fkey FOREIGN KEY (community_id, to_id) REFERENCES public.equipment(community_id, equipment_id);
ALTER TABLE ONLY public.equipment_models
    ADD CONSTRAINT equipment_models_community_id_equipment_id_fkey FOREIGN KEY (community_id, equipment_id) REFERENCES public.equipment(community_id, equipment_id);
ALTER TABLE ONLY public.equipment_models
    ADD CONSTRAINT equipment_models_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.escalations
    ADD CONSTRAINT escalations_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(order_id);
ALTER TABLE ONLY public.evidence
    ADD CONSTRAINT evidence_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.evidence
    ADD CONSTRAINT evidence_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(order_id);
ALTER TABLE ONLY public.floors
    ADD CONSTRAINT floors_community_id_building_id_fkey FOREIGN KEY (community_id, building_id) REFERENCES public.buildings(community_id, building_id);
ALTER TABLE ONLY public.fund_requests
    ADD CONSTRAINT fund_requests_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.fund_steps
    ADD CONSTRAINT fund_steps_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.fund_steps
    ADD CONSTRAINT fund_steps_request_id_fkey FOREIGN KEY (request_id) REFERENCES public.fund_requests(request_id);
ALTER TABLE ONLY public.gateways
    ADD CONSTRAINT gateways_community_id_equipment_id_fkey FOREIGN KEY (community_id, equipment_id) REFERENCES public.equipment(community_id, equipment_id);
ALTER TABLE ONLY public.gateways
    ADD CONSTRAINT gateways_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.handovers
    ADD CONSTRAINT handovers_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.handovers
    ADD CONSTRAINT handovers_to_org_id_fkey FOREIGN KEY (to_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.households
    ADD CONSTRAINT households_community_id_building_id_fkey FOREIGN KEY (community_id, building_id) REFERENCES public.buildings(community_id, building_id);
ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_responsible_org_id_fkey FOREIGN KEY (responsible_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.ledger_studies
    ADD CONSTRAINT ledger_studies_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.ledger_studies
    ADD CONSTRAINT ledger_studies_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.ledger_studies
    ADD CONSTRAINT ledger_studies_responsible_org_id_fkey FOREIGN KEY (responsible_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.maintenance_windows
    ADD CONSTRAINT maintenance_windows_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.notification_channels
    ADD CONSTRAINT notification_channels_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.notification_channels
    ADD CONSTRAINT notification_channels_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES public.notification_channels(channel_id) ON DELETE SET NULL;
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(order_id);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.order_sums
    ADD CONSTRAINT order_sums_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.order_sums
    ADD CONSTRAINT order_sums_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.order_sums
    ADD CONSTRAINT order_sums_since_until_fkey FOREIGN KEY (since, until) REFERENCES public.order_spans(since, until) ON DELETE CASCADE;
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_recurs_order_id_fkey FOREIGN KEY (recurs_order_id) REFERENCES public.orders(order_id);
ALTER TABLE ONLY public.organisations
    ADD CONSTRAINT organisations_area_id_fkey FOREIGN KEY (area_id) REFERENCES public.areas(area_id);
ALTER TABLE ONLY public.owners_committees
    ADD CONSTRAINT owners_committees_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.person_logins
    ADD CONSTRAINT person_logins_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.person_skills
    ADD CONSTRAINT person_skills_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.person_totp
    ADD CONSTRAINT person_totp_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.point_limits
    ADD CONSTRAINT point_limits_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.points(series_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.points
    ADD CONSTRAINT points_community_id_equipment_id_fkey FOREIGN KEY (community_id, equipment_id) REFERENCES public.equipment(community_id, equipment_id);
ALTER TABLE ONLY public.ranking_rows
    ADD CONSTRAINT ranking_rows_ranking_id_fkey FOREIGN KEY (ranking_id) REFERENCES public.rankings(ranking_id);
ALTER TABLE ONLY public.rankings
    ADD CONSTRAINT rankings_area_id_fkey FOREIGN KEY (area_id) REFERENCES public.areas(area_id);
ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.replay_watermarks
    ADD CONSTRAINT replay_watermarks_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.rollup_series
    ADD CONSTRAINT rollup_series_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.points(series_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.rota_shifts
    ADD CONSTRAINT rota_shifts_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.rota_shifts
    ADD CONSTRAINT rota_shifts_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.rota_shifts
    ADD CONSTRAINT rota_shifts_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.rota_swaps
    ADD CONSTRAINT rota_swaps_from_person_fkey FOREIGN KEY (from_person) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.rota_swaps
    ADD CONSTRAINT rota_swaps_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.rota_swaps
    ADD CONSTRAINT rota_swaps_shift_id_fkey FOREIGN KEY (shift_id) REFERENCES public.rota_shifts(shift_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.rota_swaps
    ADD CONSTRAINT rota_swaps_to_person_fkey FOREIGN KEY (to_person) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.signals
    ADD CONSTRAINT signals_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.signals
    ADD CONSTRAINT signals_warning_id_fkey FOREIGN KEY (warning_id) REFERENCES public.warnings(warning_id);
ALTER TABLE ONLY public.silences
    ADD CONSTRAINT silences_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.storms
    ADD CONSTRAINT storms_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.suspension_requests
    ADD CONSTRAINT suspension_requests_asked_by_fkey FOREIGN KEY (asked_by) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.suspension_requests
    ADD CONSTRAINT suspension_requests_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.suspension_requests
    ADD CONSTRAINT suspension_requests_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.suspension_requests
    ADD CONSTRAINT suspension_requests_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(order_id);
ALTER TABLE ONLY public.transitions
    ADD CONSTRAINT transitions_case_id_fkey FOREIGN KEY (case_id) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.transitions
    ADD CONSTRAINT transitions_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(order_id);
ALTER TABLE ONLY public.unjudged
    ADD CONSTRAINT unjudged_warning_id_fkey FOREIGN KEY (warning_id) REFERENCES public.warnings(warning_id);
ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_warning_id_fkey FOREIGN KEY (warning_id) REFERENCES public.warnings(warning_id);
ALTER TABLE ONLY public.visit_plans
    ADD CONSTRAINT visit_plans_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.visit_plans
    ADD CONSTRAINT visit_plans_replaces_fkey FOREIGN KEY (replaces) REFERENCES public.visit_plans(plan_id);
ALTER TABLE ONLY public.visits
    ADD CONSTRAINT visits_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.visits
    ADD CONSTRAINT visits_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.visits
    ADD CONSTRAINT visits_overdue_case_fkey FOREIGN KEY (overdue_case) REFERENCES public.cases(case_id);
ALTER TABLE ONLY public.visits
    ADD CONSTRAINT visits_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id);
ALTER TABLE ONLY public.visits
    ADD CONSTRAINT visits_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES public.visit_plans(plan_id);
ALTER TABLE ONLY public.warning_explanations
    ADD CONSTRAINT warning_explanations_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.warning_explanations
    ADD CONSTRAINT warning_explanations_warning_id_fkey FOREIGN KEY (warning_id) REFERENCES public.warnings(warning_id);
ALTER TABLE ONLY public.warnings
    ADD CONSTRAINT warnings_community_id_fkey FOREIGN KEY (community_id) REFERENCES public.communities(community_id);
ALTER TABLE ONLY public.warranties
    ADD CONSTRAINT warranties_community_id_equipment_id_fkey FOREIGN KEY (community_id, equipment_id) REFERENCES public.equipment(community_id, equipment_id);
ALTER TABLE ONLY public.warranties
    ADD CONSTRAINT warranties_developer_org_id_fkey FOREIGN KEY (developer_org_id) REFERENCES public.organisations(org_id);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhooks(webhook_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_person_id_fkey FOREIGN KEY (person_id) REFERENCES public.people(person_id) ON DELETE CASCADE;
CREATE POLICY administered ON public.memberships FOR SELECT TO watchkeep_console USING ((( SELECT (public.my_roles(NULL::text) && ARRAY['sys_admin'::text, 'sec_admin'::text])) AND (public.administers(scope_kind, scope_id) OR public.administers_person(person_id))));
CREATE POLICY administered ON public.notification_channels TO watchkeep_console USING ((( SELECT (public.my_roles(NULL::text) && ARRAY['sys_admin'::text, 'sec_admin'::text])) AND
CASE
    WHEN (org_id IS NULL) THEN public.administers_person(person_id)
    ELSE public.administers('organisation'::text, org_id)
END));
CREATE POLICY administered ON public.notifications TO watchkeep_console USING (((kind = 'test'::text) AND (org_id IS NOT NULL) AND ( SELECT (public.my_roles(NULL::text) && ARRAY['sys_admin'::text, 'sec_admin'::text])) AND public.administers('organisation'::text, org_id)));
CREATE POLICY administered ON public.people FOR SELECT TO watchkeep_console USING ((( SELECT (public.my_roles(NULL::text) && ARRAY['sys_admin'::text, 'sec_admin'::text])) AND public.administers_person(person_id)));
ALTER TABLE public.api_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.appeals ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.areas ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.assignment_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.audit_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.audit_seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.buildings ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.case_callbacks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.case_escalations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.case_warnings ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.cases ENABLE ROW LEVEL SECURITY;
CREATE POLICY changed ON public.duty_lists FOR UPDATE TO watchkeep_console USING (( SELECT (public.my_roles('area'::text) && ARRAY['city_office'::text, 'authority_officer'::text, 'supervisor'::text, 'sys_admin'::text])));
CREATE POLICY changed ON public.visit_plans FOR UPDATE TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) AND ( SELECT (public.my_roles(NULL::text) && ARRAY['property_manager'::text, 'safety_manager'::text]))));
ALTER TABLE public.channel_hits ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.communities ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.community_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.community_sums ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.complaints ENABLE ROW LEVEL SECURITY;
CREATE POLICY console ON public.api_tokens TO watchkeep_console USING (((public.my_person() IS NULL) OR (person_id = public.my_person()))) WITH CHECK (((public.my_person() IS NULL) OR (person_id = public.my_person())));
CREATE POLICY console ON public.idempotency_keys TO watchkeep_console USING (((public.my_person() IS NULL) OR (person_id = public.my_person()))) WITH CHECK (((public.my_person() IS NULL) OR (person_id = public.my_person())));
CREATE POLICY console ON public.rate_hits TO watchkeep_console USING (true) WITH CHECK (true);
CREATE POLICY console ON public.sessions TO watchkeep_console USING (((public.my_person() IS NULL) OR (person_id = public.my_person()))) WITH CHECK (((public.my_person() IS NULL) OR (person_id = public.my_person())));
ALTER TABLE public.contracts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.data_shares ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.deadline_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.detection_feedback ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.detection_rule_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.detection_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.device_clocks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.duties ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.duty_handovers ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.duty_lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.equipment ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.equipment_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.equipment_models ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.erasures ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.escalations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.evidence ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.floors ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.fund_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.fund_steps ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.gateway_status ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.gateways ENABLE ROW LEVEL SECURITY;
CREATE POLICY given ON public.data_shares FOR INSERT TO watchkeep_console WITH CHECK ((person_id = public.my_person()));
ALTER TABLE public.handovers ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.households ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.inspections ENABLE ROW LEVEL SECURITY;
CREATE POLICY known ON public.appeals TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.rankings r
  WHERE (r.ranking_id = appeals.ranking_id))));
CREATE POLICY known ON public.areas TO watchkeep_console USING ((public.my_person() IS NOT NULL));
CREATE POLICY known ON public.duties FOR SELECT TO watchkeep_console USING ((public.my_person() IS NOT NULL));
CREATE POLICY known ON public.duty_lists FOR SELECT TO watchkeep_console USING ((public.my_person() IS NOT NULL));
CREATE POLICY known ON public.erasures FOR SELECT TO watchkeep_console USING (public.answers_to_me(person_id));
CREATE POLICY known ON public.inspections TO watchkeep_console USING ((public.my_person() IS NOT NULL));
CREATE POLICY known ON public.order_spans TO watchkeep_console USING ((public.my_person() IS NOT NULL));
CREATE POLICY known ON public.organisations TO watchkeep_console USING ((public.my_person() IS NOT NULL));
CREATE POLICY known ON public.ranking_rows TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.rankings r
  WHERE (r.ranking_id = ranking_rows.ranking_id))));
CREATE POLICY known ON public.rankings TO watchkeep_console USING (((public.my_person() IS NOT NULL) AND ((published_at IS NOT NULL) OR (EXISTS ( SELECT
   FROM public.memberships m
  WHERE ((m.person_id = public.my_person()) AND (m.scope_kind = 'area'::text) AND (m.valid @> now())))))));
CREATE POLICY known ON public.score_schemes TO watchkeep_console USING ((public.my_person() IS NOT NULL));
CREATE POLICY known ON public.visit_plans FOR SELECT TO watchkeep_console USING (((public.my_person() IS NOT NULL) AND ((community_id IS NULL) OR (community_id IN ( SELECT c.community_id
   FROM public.communities c)))));
ALTER TABLE public.ledger_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_studies ENABLE ROW LEVEL SECURITY;
CREATE POLICY made ON public.visit_plans FOR INSERT TO watchkeep_console WITH CHECK (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) AND ( SELECT (public.my_roles(NULL::text) && ARRAY['property_manager'::text, 'safety_manager'::text]))));
ALTER TABLE public.maintenance_windows ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.memberships ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON public.assignment_rules TO watchkeep_console USING ((org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[])));
CREATE POLICY mine ON public.audit_entries FOR SELECT TO watchkeep_console USING (((person_id = public.my_person()) OR ( SELECT (public.my_roles('area'::text) @> ARRAY['auditor'::text]))));
CREATE POLICY mine ON public.audit_seals FOR SELECT TO watchkeep_console USING (( SELECT (public.my_roles('area'::text) @> ARRAY['auditor'::text])));
CREATE POLICY mine ON public.buildings TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (EXISTS ( SELECT
   FROM public.equipment e
  WHERE ((e.community_id = buildings.community_id) AND (e.building_id = buildings.building_id))))));
CREATE POLICY mine ON public.case_callbacks TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = case_callbacks.case_id))));
CREATE POLICY mine ON public.case_escalations TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = case_escalations.case_id))));
CREATE POLICY mine ON public.case_warnings TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = case_warnings.case_id))));
CREATE POLICY mine ON public.cases TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (responsible_org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[])) OR (supervising_org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[])) OR (first_responder_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[])) OR ((community_id = ANY (( SELECT public.my_order_communities() AS my_order_communities)::text[])) AND (EXISTS ( SELECT
   FROM public.orders o
  WHERE ((o.case_id = cases.case_id) AND (o.org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[]))))))));
CREATE POLICY mine ON public.communities TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (community_id IN ( SELECT c.community_id
   FROM public.contracts c)) OR (community_id = ANY (( SELECT public.my_order_communities() AS my_order_communities)::text[]))));
CREATE POLICY mine ON public.community_history TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.community_sums TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.complaints TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = complaints.case_id)))));
CREATE POLICY mine ON public.contracts TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (provider_org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[]))));
CREATE POLICY mine ON public.credit_events TO watchkeep_console USING (((org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[])) OR (EXISTS ( SELECT
   FROM public.communities c
  WHERE (c.property_org_id = credit_events.org_id))) OR (EXISTS ( SELECT
   FROM public.contracts k
  WHERE (k.provider_org_id = credit_events.org_id)))));
CREATE POLICY mine ON public.deadline_changes TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = deadline_changes.case_id))));
CREATE POLICY mine ON public.detection_feedback TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.detection_rule_changes FOR SELECT TO watchkeep_console USING (((public.my_person() IS NOT NULL) AND ((community_id = ''::text) OR (community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])))));
CREATE POLICY mine ON public.detection_rules FOR SELECT TO watchkeep_console USING (((public.my_person() IS NOT NULL) AND ((community_id = ''::text) OR (community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])))));
CREATE POLICY mine ON public.device_clocks TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (EXISTS ( SELECT
   FROM public.equipment e
  WHERE ((e.community_id = device_clocks.community_id) AND (e.equipment_id = device_clocks.equipment_id))))));
CREATE POLICY mine ON public.duty_handovers TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.equipment TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR ((community_id IN ( SELECT k.community_id
   FROM public.contracts k)) AND public.contracted_to_me(community_id, kind))));
CREATE POLICY mine ON public.equipment_links TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.equipment e
  WHERE ((e.community_id = equipment_links.community_id) AND (e.equipment_id = equipment_links.from_id)))));
CREATE POLICY mine ON public.equipment_models TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.escalations TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.orders o
  WHERE (o.order_id = escalations.order_id))));
CREATE POLICY mine ON public.events TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR ((community_id IN ( SELECT k.community_id
   FROM public.contracts k)) AND (EXISTS ( SELECT
   FROM public.equipment e
  WHERE ((e.community_id = events.community_id) AND (e.equipment_id = events.equipment_id)))))));
CREATE POLICY mine ON public.evidence TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = evidence.case_id))));
CREATE POLICY mine ON public.floors TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.fund_requests TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = fund_requests.case_id))));
CREATE POLICY mine ON public.fund_steps TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.fund_requests f
  WHERE (f.request_id = fund_steps.request_id))));
CREATE POLICY mine ON public.gateway_status TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.gateways TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.handovers TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.households TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.ledger_entries TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = ledger_entries.case_id))));
CREATE POLICY mine ON public.ledger_studies TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = ledger_studies.case_id))));
CREATE POLICY mine ON public.maintenance_windows TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.memberships TO watchkeep_console USING (((person_id = public.my_person()) OR (scope_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[])) OR (scope_id = ANY (( SELECT public.my_communities() AS my_communities)::text[]))));
CREATE POLICY mine ON public.notices TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.notification_channels TO watchkeep_console USING (((person_id = public.my_person()) OR (org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[]))));
CREATE POLICY mine ON public.notifications TO watchkeep_console USING (((person_id = public.my_person()) OR (org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[])) OR (case_id IN ( SELECT c.case_id
   FROM public.cases c))));
CREATE POLICY mine ON public.order_sums TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[]))));
CREATE POLICY mine ON public.orders TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[]))));
CREATE POLICY mine ON public.owners_committees TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.people TO watchkeep_console USING (((person_id = public.my_person()) OR (org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[])) OR (org_id IN ( SELECT c.property_org_id
   FROM public.communities c)) OR (org_id IN ( SELECT c.provider_org_id
   FROM public.contracts c))));
CREATE POLICY mine ON public.person_skills TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.people p
  WHERE (p.person_id = person_skills.person_id))));
CREATE POLICY mine ON public.point_limits TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.points p
  WHERE (p.series_id = point_limits.series_id))));
CREATE POLICY mine ON public.points TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (EXISTS ( SELECT
   FROM public.equipment e
  WHERE ((e.community_id = points.community_id) AND (e.equipment_id = points.equipment_id))))));
CREATE POLICY mine ON public.rota_shifts TO watchkeep_console USING ((org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[])));
CREATE POLICY mine ON public.rota_swaps TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.rota_shifts s
  WHERE (s.shift_id = rota_swaps.shift_id))));
CREATE POLICY mine ON public.signals TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR ((community_id IN ( SELECT k.community_id
   FROM public.contracts k)) AND (EXISTS ( SELECT
   FROM public.equipment e
  WHERE ((e.community_id = signals.community_id) AND (e.equipment_id = signals.equipment_id)))))));
CREATE POLICY mine ON public.silences TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.storms TO watchkeep_console USING ((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])));
CREATE POLICY mine ON public.suspension_requests TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = suspension_requests.case_id))));
CREATE POLICY mine ON public.transitions TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.cases c
  WHERE (c.case_id = transitions.case_id))));
CREATE POLICY mine ON public.unjudged TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.warnings w
  WHERE (w.warning_id = unjudged.warning_id))));
CREATE POLICY mine ON public.verdicts TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.warnings w
  WHERE (w.warning_id = verdicts.warning_id))));
CREATE POLICY mine ON public.visits TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (org_id = ANY (( SELECT public.my_organisations() AS my_organisations)::text[]))));
CREATE POLICY mine ON public.warning_explanations TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.warnings w
  WHERE (w.warning_id = warning_explanations.warning_id))));
CREATE POLICY mine ON public.warnings TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR ((community_id IN ( SELECT k.community_id
   FROM public.contracts k)) AND (EXISTS ( SELECT
   FROM public.equipment e
  WHERE ((e.community_id = warnings.community_id) AND (e.equipment_id = warnings.equipment_id)))))));
CREATE POLICY mine ON public.warranties TO watchkeep_console USING (((community_id = ANY (( SELECT public.my_communities() AS my_communities)::text[])) OR (EXISTS ( SELECT
   FROM public.equipment e
  WHERE ((e.community_id = warranties.community_id) AND (e.equipment_id = warranties.equipment_id))))));
ALTER TABLE public.notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.notification_channels ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.notifications ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.order_spans ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.order_sums ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.organisations ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.person_logins TO watchkeep_console USING ((person_id = public.my_person()));
CREATE POLICY own ON public.person_totp TO watchkeep_console USING ((person_id = public.my_person()));
CREATE POLICY own ON public.recovery_codes TO watchkeep_console USING ((person_id = public.my_person()));
CREATE POLICY own ON public.webhook_deliveries TO watchkeep_console USING ((EXISTS ( SELECT
   FROM public.webhooks w
  WHERE (w.webhook_id = webhook_deliveries.webhook_id))));
CREATE POLICY own ON public.webhooks TO watchkeep_console USING (((public.my_person() IS NULL) OR (person_id = public.my_person())));
CREATE POLICY own_changes ON public.people AS RESTRICTIVE FOR UPDATE TO watchkeep_console USING ((person_id = public.my_person()));
CREATE POLICY owner_all ON public.api_tokens TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.appeals TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.areas TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.assignment_rules TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.audit_entries TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.audit_seals TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.buildings TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.case_callbacks TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.case_escalations TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.case_warnings TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.cases TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.channel_hits TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.communities TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.community_history TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.community_sums TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.complaints TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.contracts TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.credit_events TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.data_shares TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.deadline_changes TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.detection_feedback TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.detection_rule_changes TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.detection_rules TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.device_clocks TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.duties TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.duty_handovers TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.duty_lists TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.equipment TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.equipment_links TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.equipment_models TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.erasures TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.escalations TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.events TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.evidence TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.floors TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.fund_requests TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.fund_steps TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.gateway_status TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.gateways TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.handovers TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.households TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.idempotency_keys TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.inspections TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.ledger_entries TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.ledger_studies TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.maintenance_windows TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.memberships TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.notices TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.notification_channels TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.notifications TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.order_spans TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.order_sums TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.orders TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.organisations TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.owners_committees TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.people TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.person_logins TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.person_skills TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.person_totp TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.point_limits TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.points TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.ranking_rows TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.rankings TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.rate_hits TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.recovery_codes TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.rota_shifts TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.rota_swaps TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.score_schemes TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.sessions TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.signals TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.silences TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.storms TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.suspension_requests TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.transitions TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.unjudged TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.verdicts TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.visit_plans TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.visits TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.warning_explanations TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.warnings TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.warranties TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.webhook_deliveries TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON public.webhooks TO watchkeep_owner USING (true) WITH CHECK (true);
ALTER TABLE public.owners_committees ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.people ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.person_logins ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.person_skills ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.person_totp ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.point_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.points ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ranking_rows ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rankings ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rate_hits ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.recovery_codes ENABLE ROW LEVEL SECURITY;
CREATE POLICY register ON public.data_shares FOR SELECT TO watchkeep_console USING (((person_id = public.my_person()) OR (EXISTS ( SELECT
   FROM public.memberships m
  WHERE ((m.person_id = public.my_person()) AND (m.valid @> now()) AND (m.role = ANY (ARRAY['auditor'::text, 'sec_admin'::text, 'city_office'::text])))))));
ALTER TABLE public.rota_shifts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rota_swaps ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.score_schemes ENABLE ROW LEVEL SECURITY;
CREATE POLICY services_all ON public.api_tokens TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.appeals TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.areas TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.assignment_rules TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.audit_entries TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.audit_seals TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.buildings TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.case_callbacks TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.case_escalations TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.case_warnings TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.cases TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.channel_hits TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.communities TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.community_history TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.community_sums TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.complaints TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.contracts TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.credit_events TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.deadline_changes TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.detection_feedback TO watchkeep_analytics, watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.detection_rule_changes TO watchkeep_analytics USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.detection_rules TO watchkeep_analytics USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.device_clocks TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.duties TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.duty_handovers TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.duty_lists TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.equipment TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.equipment_links TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.equipment_models TO watchkeep_analytics USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.escalations TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.events TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.evidence TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.floors TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.fund_requests TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.fund_steps TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.gateway_status TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.gateways TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.handovers TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.households TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.idempotency_keys TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.inspections TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.ledger_entries TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.ledger_studies TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.maintenance_windows TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.memberships TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.notices TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.notification_channels TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.notifications TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.order_spans TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.order_sums TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.orders TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.organisations TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.owners_committees TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.people TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.person_skills TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.point_limits TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.points TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.ranking_rows TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.rankings TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.rota_shifts TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.rota_swaps TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.score_schemes TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.sessions TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.signals TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.silences TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.storms TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.suspension_requests TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.transitions TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.unjudged TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.verdicts TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.visit_plans TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.visits TO watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.warning_explanations TO watchkeep_analytics, watchkeep_dispatch USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.warnings TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
CREATE POLICY services_all ON public.warranties TO watchkeep_analytics, watchkeep_dispatch, watchkeep_ingest USING (true) WITH CHECK (true);
ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.signals ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.silences ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.storms ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.suspension_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.transitions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tried ON public.notifications TO watchkeep_console USING (((kind = 'test'::text) AND (person_id IS NOT NULL) AND ( SELECT (public.my_roles(NULL::text) && ARRAY['sys_admin'::text, 'sec_admin'::text])) AND public.administers_person(person_id)));
ALTER TABLE public.unjudged ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.verdicts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.visit_plans ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.visits ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.warning_explanations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.warnings ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.warranties ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhooks ENABLE ROW LEVEL SECURITY;
CREATE POLICY written ON public.audit_entries FOR INSERT TO watchkeep_console WITH CHECK (true);
CREATE POLICY written ON public.duties FOR INSERT TO watchkeep_console WITH CHECK (( SELECT (public.my_roles('area'::text) && ARRAY['city_office'::text, 'authority_officer'::text, 'supervisor'::text, 'sys_admin'::text])));
CREATE POLICY written ON public.duty_lists FOR INSERT TO watchkeep_console WITH CHECK (( SELECT (public.my_roles('area'::text) && ARRAY['city_office'::text, 'authority_officer'::text, 'supervisor'::text, 'sys_admin'::text])));
GRANT ALL ON SCHEMA public TO watchkeep_owner;
GRANT USAGE ON SCHEMA wall TO grafana_ro;
REVOKE ALL ON FUNCTION public.address_notifications(ids bigint[], roles text[], named uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.address_notifications(ids bigint[], roles text[], named uuid[]) TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.address_notifications(ids bigint[], roles text[], named uuid[]) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.administers(of_kind text, of_scope text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.administers(of_kind text, of_scope text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.administers_person(who uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.administers_person(who uuid) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.anonymise(who uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION public.answers_to_me(who uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.answers_to_me(who uuid) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.approve_erasure(who uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.approve_erasure(who uuid) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.await_verdict() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.close_account(who uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION public.community_sums_stale(of_community text, at timestamp with time zone) FROM PUBLIC;
REVOKE ALL ON FUNCTION public.complaint_contact(of_complaint bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.complaint_contact(of_complaint bigint) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.contiguous_seq(known int8multirange) FROM PUBLIC;
GRANT ALL ON FUNCTION public.contiguous_seq(known int8multirange) TO watchkeep_ingest;
GRANT ALL ON FUNCTION public.contiguous_seq(known int8multirange) TO watchkeep_analytics;
GRANT ALL ON FUNCTION public.contiguous_seq(known int8multirange) TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.contiguous_seq(known int8multirange) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.contracted_to_me(of_community text, of_kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.contracted_to_me(of_community text, of_kind text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.counter_increase(counted double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.counter_increase(counted double precision[]) TO watchkeep_ingest;
GRANT ALL ON FUNCTION public.counter_increase(counted double precision[]) TO watchkeep_analytics;
REVOKE ALL ON FUNCTION public.deadline_moves(since timestamp with time zone, until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.deadline_moves(since timestamp with time zone, until timestamp with time zone) TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.deadline_moves(since timestamp with time zone, until timestamp with time zone) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.drop_expired(of_level text, before timestamp with time zone, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.drop_expired(of_level text, before timestamp with time zone, at_most integer) TO watchkeep_ingest;
REVOKE ALL ON FUNCTION public.end_membership(of_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.end_membership(of_id bigint) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.gateway_accounts(since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.gateway_accounts(since timestamp with time zone) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.grant_membership(who uuid, new_role text, of_kind text, of_scope text, ends timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.grant_membership(who uuid, new_role text, of_kind text, of_scope text, ends timestamp with time zone) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.licensed(who uuid, of_org text, wanted text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.licensed(who uuid, of_org text, wanted text) TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.licensed(who uuid, of_org text, wanted text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.login_candidate(wanted text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.login_candidate(wanted text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.make_reading_partitions(days date[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.make_reading_partitions(days date[]) TO watchkeep_ingest;
REVOKE ALL ON FUNCTION public.make_rollup_partitions(months date[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.make_rollup_partitions(months date[]) TO watchkeep_ingest;
REVOKE ALL ON FUNCTION public.my_communities() FROM PUBLIC;
GRANT ALL ON FUNCTION public.my_communities() TO watchkeep_console;
REVOKE ALL ON FUNCTION public.my_order_communities() FROM PUBLIC;
GRANT ALL ON FUNCTION public.my_order_communities() TO watchkeep_console;
REVOKE ALL ON FUNCTION public.my_organisations() FROM PUBLIC;
GRANT ALL ON FUNCTION public.my_organisations() TO watchkeep_console;
REVOKE ALL ON FUNCTION public.my_person() FROM PUBLIC;
GRANT ALL ON FUNCTION public.my_person() TO watchkeep_ingest;
GRANT ALL ON FUNCTION public.my_person() TO watchkeep_analytics;
GRANT ALL ON FUNCTION public.my_person() TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.my_person() TO watchkeep_console;
REVOKE ALL ON FUNCTION public.my_roles(of_kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.my_roles(of_kind text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.note_community() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.note_community_fact() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.note_late_trouble() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.notice_board(of_community text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.notice_board(of_community text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.notify_change() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.oidc_candidate(of_issuer text, of_subject text, verified_email text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.oidc_candidate(of_issuer text, of_subject text, verified_email text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.open_helpers(of_case bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_helpers(of_case bigint) TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.open_helpers(of_case bigint) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.order_facts() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.order_sums_stale() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.paused_at(of_order bigint, moment timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.paused_at(of_order bigint, moment timestamp with time zone) TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.paused_at(of_order bigint, moment timestamp with time zone) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.person_data(who uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.person_data(who uuid) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.queue_webhooks() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.rate_answer(of_token uuid, is_satisfied boolean, note text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.rate_answer(of_token uuid, is_satisfied boolean, note text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.rate_hit(of_key bytea, at_most integer, within interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.rate_hit(of_key bytea, at_most integer, within interval) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.record_login(who uuid, succeeded boolean, lock_after integer, lock_for interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.record_login(who uuid, succeeded boolean, lock_after integer, lock_for interval) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.refuse_change() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.report_place(code uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.report_place(code uuid) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.report_problem(code uuid, what text, details text, at_place text, name text, phone text, picture bytea, picture_type text, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.report_problem(code uuid, what text, details text, at_place text, name text, phone text, picture bytea, picture_type text, at_most integer) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.report_status(of_token uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.report_status(of_token uuid) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.request_erasure(who uuid, why text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.request_erasure(who uuid, why text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.reset_account(who uuid, new_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.reset_account(who uuid, new_hash text) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.roles_towards(who uuid, of_community text, of_organisations text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.roles_towards(who uuid, of_community text, of_organisations text[]) TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.roles_towards(who uuid, of_community text, of_organisations text[]) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.save_person(who uuid, new_login text, new_name text, new_org text, new_phone text, new_email text, new_language text, new_hash text, is_active boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.save_person(who uuid, new_login text, new_name text, new_org text, new_phone text, new_email text, new_language text, new_hash text, is_active boolean) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.series_window(wanted integer[], since timestamp with time zone, until timestamp with time zone, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.series_window(wanted integer[], since timestamp with time zone, until timestamp with time zone, at_most integer) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.storage_backend() FROM PUBLIC;
GRANT ALL ON FUNCTION public.storage_backend() TO watchkeep_ingest;
GRANT ALL ON FUNCTION public.storage_backend() TO watchkeep_analytics;
REVOKE ALL ON FUNCTION public.storage_parts(of_level text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.storage_parts(of_level text) TO watchkeep_ingest;
GRANT ALL ON FUNCTION public.storage_parts(of_level text) TO watchkeep_analytics;
REVOKE ALL ON FUNCTION public.summarize_readings() FROM PUBLIC;
GRANT ALL ON FUNCTION public.summarize_readings() TO watchkeep_ingest;
REVOKE ALL ON FUNCTION public.visible_latest(series integer[], within interval) FROM PUBLIC;
GRANT ALL ON FUNCTION public.visible_latest(series integer[], within interval) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.visible_readings(series integer[], since timestamp with time zone, until timestamp with time zone, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.visible_readings(series integer[], since timestamp with time zone, until timestamp with time zone, at_most integer) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.visit_org(of_community text, of_kind text, of_party text, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.visit_org(of_community text, of_kind text, of_party text, at timestamp with time zone) TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.visit_org(of_community text, of_kind text, of_party text, at timestamp with time zone) TO watchkeep_console;
REVOKE ALL ON FUNCTION public.watch_seconds(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, of_platform text[], of_silence text[], of_communities text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.watch_seconds(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, of_platform text[], of_silence text[], of_communities text[]) TO watchkeep_dispatch;
GRANT ALL ON FUNCTION public.watch_seconds(since timestamp with time zone, until timestamp with time zone, as_of timestamp with time zone, of_platform text[], of_silence text[], of_communities text[]) TO watchkeep_console;
REVOKE ALL ON FUNCTION wall.series(of_communities text[], of_kinds text[], of_metrics text[], since timestamp with time zone, until timestamp with time zone, of_equipment text[], step interval) FROM PUBLIC;
GRANT ALL ON FUNCTION wall.series(of_communities text[], of_kinds text[], of_metrics text[], since timestamp with time zone, until timestamp with time zone, of_equipment text[], step interval) TO grafana_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.aliases TO watchkeep_ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.api_tokens TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.appeals TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.appeals TO watchkeep_console;
GRANT SELECT ON TABLE public.areas TO watchkeep_ingest;
GRANT SELECT ON TABLE public.areas TO watchkeep_analytics;
GRANT SELECT ON TABLE public.areas TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.areas TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.assignment_rules TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.assignment_rules TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.audit_entries TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.audit_entries TO watchkeep_console;
GRANT INSERT ON TABLE public.audit_entries TO watchkeep_ingest;
GRANT INSERT ON TABLE public.audit_entries TO watchkeep_analytics;
GRANT SELECT,INSERT ON TABLE public.audit_seals TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.audit_seals TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.batches TO watchkeep_ingest;
GRANT SELECT ON TABLE public.batches TO watchkeep_analytics;
GRANT SELECT ON TABLE public.batches TO watchkeep_console;
GRANT SELECT ON TABLE public.buildings TO watchkeep_analytics;
GRANT SELECT ON TABLE public.buildings TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.buildings TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.case_callbacks TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.case_callbacks TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.case_escalations TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.case_escalations TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.case_warnings TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.case_warnings TO watchkeep_console;
GRANT SELECT ON TABLE public.case_warnings TO watchkeep_analytics;
GRANT UPDATE(case_id) ON TABLE public.case_warnings TO watchkeep_dispatch;
GRANT UPDATE(case_id) ON TABLE public.case_warnings TO watchkeep_console;
GRANT UPDATE(role) ON TABLE public.case_warnings TO watchkeep_dispatch;
GRANT UPDATE(role) ON TABLE public.case_warnings TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.cases TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.cases TO watchkeep_console;
GRANT SELECT ON TABLE public.cases TO watchkeep_analytics;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.channel_hits TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.communities TO watchkeep_ingest;
GRANT SELECT ON TABLE public.communities TO watchkeep_analytics;
GRANT SELECT ON TABLE public.communities TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.communities TO watchkeep_console;
GRANT SELECT ON TABLE public.community_history TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.community_history TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.community_sums TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.community_sums TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.complaints TO watchkeep_dispatch;
GRANT INSERT,UPDATE ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(complaint_id) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(token) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(source) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(channel_no) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(community_id) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(equipment_id) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(condition) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(place) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(description) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(contact_masked) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(property_org_id) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(received_at) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(entered_by) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(case_id) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(attached) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(refusal) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(answer_zh) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(answer_en) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(answered_at) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(satisfied) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(rated_at) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT(rating_note) ON TABLE public.complaints TO watchkeep_console;
GRANT SELECT ON TABLE public.contracts TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.contracts TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.credit_events TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.credit_events TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.data_shares TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.dead_letters TO watchkeep_ingest;
GRANT SELECT,INSERT ON TABLE public.deadline_changes TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.deadline_changes TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.detection_feedback TO watchkeep_analytics;
GRANT SELECT ON TABLE public.detection_feedback TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.detection_feedback TO watchkeep_console;
GRANT INSERT(community_id) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT INSERT(equipment_id) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT INSERT(series_id) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT INSERT(condition) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT INSERT(detector) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT INSERT(said) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT INSERT(warning_id) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT INSERT(reason) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT INSERT(said_by) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT UPDATE(revoked_by) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT UPDATE(revoked_at) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT UPDATE(revoked_why) ON TABLE public.detection_feedback TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.detection_rule_changes TO watchkeep_analytics;
GRANT SELECT ON TABLE public.detection_rule_changes TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.detection_rules TO watchkeep_analytics;
GRANT SELECT ON TABLE public.detection_rules TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.detector_states TO watchkeep_analytics;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_clocks TO watchkeep_ingest;
GRANT SELECT ON TABLE public.device_clocks TO watchkeep_analytics;
GRANT SELECT ON TABLE public.device_clocks TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.duties TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.duties TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.duty_handovers TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.duty_handovers TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.duty_lists TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.duty_lists TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.equipment TO watchkeep_ingest;
GRANT SELECT ON TABLE public.equipment TO watchkeep_analytics;
GRANT SELECT ON TABLE public.equipment TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.equipment TO watchkeep_console;
GRANT SELECT ON TABLE public.equipment_links TO watchkeep_analytics;
GRANT SELECT ON TABLE public.equipment_links TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.equipment_links TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.equipment_models TO watchkeep_analytics;
GRANT SELECT ON TABLE public.equipment_models TO watchkeep_console;
GRANT SELECT ON TABLE public.erasures TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.escalations TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.escalations TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.events TO watchkeep_ingest;
GRANT SELECT ON TABLE public.events TO watchkeep_analytics;
GRANT SELECT ON TABLE public.events TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.events TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.evidence TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.evidence TO watchkeep_console;
GRANT SELECT ON TABLE public.evidence TO watchkeep_analytics;
GRANT SELECT ON TABLE public.floors TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.floors TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.fund_requests TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.fund_requests TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.fund_steps TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.fund_steps TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.gap_recoveries TO watchkeep_ingest;
GRANT SELECT,INSERT,UPDATE ON TABLE public.progress TO watchkeep_ingest;
GRANT SELECT ON TABLE public.gaps TO watchkeep_ingest;
GRANT SELECT,INSERT,UPDATE ON TABLE public.gateway_status TO watchkeep_ingest;
GRANT SELECT ON TABLE public.gateway_status TO watchkeep_analytics;
GRANT SELECT ON TABLE public.gateway_status TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.gateway_status TO watchkeep_console;
GRANT SELECT ON TABLE public.gateways TO watchkeep_ingest;
GRANT SELECT ON TABLE public.gateways TO watchkeep_analytics;
GRANT SELECT ON TABLE public.gateways TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateways TO watchkeep_console;
GRANT SELECT ON TABLE public.handovers TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.handovers TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.households TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.ingest_accounts TO watchkeep_ingest;
GRANT SELECT,INSERT,DELETE ON TABLE public.ingest_minutes TO watchkeep_ingest;
GRANT SELECT,INSERT ON TABLE public.inspections TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.inspections TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.ledger_entries TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.ledger_entries TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.ledger_studies TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.ledger_studies TO watchkeep_console;
GRANT SELECT ON TABLE public.maintenance_windows TO watchkeep_analytics;
GRANT SELECT,INSERT,UPDATE ON TABLE public.maintenance_windows TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.maintenance_windows TO watchkeep_console;
GRANT SELECT ON TABLE public.memberships TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.memberships TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.models TO watchkeep_analytics;
GRANT SELECT,INSERT,UPDATE ON TABLE public.notices TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.notices TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_channels TO watchkeep_dispatch;
GRANT DELETE ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(channel_id) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(org_id),INSERT(org_id) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(name),INSERT(name) ON TABLE public.notification_channels TO watchkeep_console;
GRANT INSERT(url) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(enabled),UPDATE(enabled) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(person_id),INSERT(person_id) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(kind),INSERT(kind) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(rank),INSERT(rank) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(quiet_hours),INSERT(quiet_hours) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(language),INSERT(language) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT(per_minute),INSERT(per_minute) ON TABLE public.notification_channels TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.notifications TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.notifications TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.order_spans TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.order_spans TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.order_sums TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.order_sums TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.orders TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.orders TO watchkeep_console;
GRANT SELECT ON TABLE public.organisations TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.organisations TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.owners_committees TO watchkeep_console;
GRANT SELECT,INSERT,DELETE ON TABLE public.parked TO watchkeep_ingest;
GRANT SELECT ON TABLE public.people TO watchkeep_dispatch;
GRANT SELECT(person_id) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(login) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(name) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(org_id) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(phone_masked) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(email) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(language),UPDATE(language) ON TABLE public.people TO watchkeep_console;
GRANT UPDATE(password_hash) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(active) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(created_at) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(password_due),UPDATE(password_due) ON TABLE public.people TO watchkeep_console;
GRANT SELECT(anonymised_at) ON TABLE public.people TO watchkeep_console;
GRANT SELECT,DELETE ON TABLE public.person_logins TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.person_skills TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.person_skills TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.person_totp TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.point_limits TO watchkeep_ingest;
GRANT SELECT ON TABLE public.point_limits TO watchkeep_analytics;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.point_limits TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.points TO watchkeep_ingest;
GRANT SELECT ON TABLE public.points TO watchkeep_analytics;
GRANT SELECT ON TABLE public.points TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.points TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.quarantine TO watchkeep_ingest;
GRANT SELECT ON TABLE public.quarantine TO watchkeep_analytics;
GRANT SELECT,INSERT,UPDATE ON TABLE public.ranking_rows TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.ranking_rows TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.rankings TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.rankings TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rate_hits TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.readings TO watchkeep_ingest;
GRANT SELECT ON TABLE public.readings TO watchkeep_analytics;
GRANT SELECT ON TABLE public.readings TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.readings_hour TO watchkeep_ingest;
GRANT SELECT,INSERT,UPDATE ON TABLE public.readings_minute TO watchkeep_ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.recovery_codes TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.replay_watermarks TO watchkeep_ingest;
GRANT SELECT ON TABLE public.replay_watermarks TO watchkeep_analytics;
GRANT SELECT ON TABLE public.replay_watermarks TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.replay_watermarks TO watchkeep_console;
GRANT SELECT,INSERT,DELETE ON TABLE public.rollup_dirty TO watchkeep_ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rollup_series TO watchkeep_ingest;
GRANT SELECT,UPDATE ON TABLE public.storage_levels TO watchkeep_ingest;
GRANT SELECT ON TABLE public.rollups_hour TO watchkeep_ingest;
GRANT SELECT ON TABLE public.rollups_minute TO watchkeep_ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rota_shifts TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rota_shifts TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.rota_swaps TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.rota_swaps TO watchkeep_console;
GRANT SELECT,INSERT,DELETE ON TABLE public.rows_outbox TO watchkeep_ingest;
GRANT SELECT,INSERT ON TABLE public.score_schemes TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.score_schemes TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sessions TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.signals TO watchkeep_analytics;
GRANT SELECT ON TABLE public.signals TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.signals TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.silences TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.silences TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.storms TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.storms TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.suspension_requests TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.suspension_requests TO watchkeep_console;
GRANT UPDATE(decision) ON TABLE public.suspension_requests TO watchkeep_dispatch;
GRANT UPDATE(decision) ON TABLE public.suspension_requests TO watchkeep_console;
GRANT UPDATE(decided_by) ON TABLE public.suspension_requests TO watchkeep_dispatch;
GRANT UPDATE(decided_by) ON TABLE public.suspension_requests TO watchkeep_console;
GRANT UPDATE(decided_at) ON TABLE public.suspension_requests TO watchkeep_dispatch;
GRANT UPDATE(decided_at) ON TABLE public.suspension_requests TO watchkeep_console;
GRANT UPDATE(remark) ON TABLE public.suspension_requests TO watchkeep_dispatch;
GRANT UPDATE(remark) ON TABLE public.suspension_requests TO watchkeep_console;
GRANT SELECT,INSERT ON TABLE public.transitions TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.transitions TO watchkeep_console;
GRANT SELECT ON TABLE public.transitions TO watchkeep_analytics;
GRANT SELECT,DELETE,UPDATE ON TABLE public.unjudged TO watchkeep_dispatch;
GRANT SELECT,DELETE,UPDATE ON TABLE public.unjudged TO watchkeep_console;
GRANT SELECT ON TABLE public.verdicts TO watchkeep_analytics;
GRANT SELECT,INSERT ON TABLE public.verdicts TO watchkeep_dispatch;
GRANT SELECT,INSERT ON TABLE public.verdicts TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.visit_plans TO watchkeep_dispatch;
GRANT SELECT,INSERT,UPDATE ON TABLE public.visit_plans TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.visits TO watchkeep_dispatch;
GRANT SELECT,UPDATE ON TABLE public.visits TO watchkeep_console;
GRANT SELECT ON TABLE public.visits_ahead TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.visits_ahead TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.warning_explanations TO watchkeep_analytics;
GRANT SELECT ON TABLE public.warning_explanations TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.warning_explanations TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.warnings TO watchkeep_analytics;
GRANT SELECT ON TABLE public.warnings TO watchkeep_dispatch;
GRANT SELECT ON TABLE public.warnings TO watchkeep_console;
GRANT SELECT ON TABLE public.warranties TO watchkeep_dispatch;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.warranties TO watchkeep_console;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_deliveries TO watchkeep_console;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhooks TO watchkeep_console;
GRANT SELECT ON TABLE wall.community TO grafana_ro;
GRANT SELECT ON TABLE wall.dead_letter TO grafana_ro;
GRANT SELECT ON TABLE wall.device_clock TO grafana_ro;
GRANT SELECT ON TABLE wall.equipment TO grafana_ro;
GRANT SELECT ON TABLE wall.escalation TO grafana_ro;
GRANT SELECT ON TABLE wall.fleet TO grafana_ro;
GRANT SELECT ON TABLE wall.gap TO grafana_ro;
GRANT SELECT ON TABLE wall.gateway TO grafana_ro;
GRANT SELECT ON TABLE wall.ingest_account TO grafana_ro;
GRANT SELECT ON TABLE wall.ingest_lane TO grafana_ro;
GRANT SELECT ON TABLE wall.ingest_minute TO grafana_ro;
GRANT SELECT ON TABLE wall.ledger TO grafana_ro;
GRANT SELECT ON TABLE wall.order_fact TO grafana_ro;
GRANT SELECT ON TABLE wall.point_latest TO grafana_ro;
GRANT SELECT ON TABLE wall.point_limit TO grafana_ro;
GRANT SELECT ON TABLE wall.queue TO grafana_ro;
GRANT SELECT ON TABLE wall.ranking TO grafana_ro;
GRANT SELECT ON TABLE wall.warning TO grafana_ro;
GRANT SELECT ON TABLE wall.work_order TO grafana_ro;
ALTER DEFAULT PRIVILEGES FOR ROLE watchkeep_owner IN SCHEMA wall GRANT SELECT ON TABLES TO grafana_ro;
