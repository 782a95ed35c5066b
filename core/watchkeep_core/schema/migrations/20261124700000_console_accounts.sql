-- Accounts: second factor, tokens, other logins, resets, erasure; webhooks; what was shared with whom.
-- depends: 20261124600000_console_pages

-- ------------------------------------------------------------------ accounts
ALTER TABLE people ADD COLUMN password_due boolean NOT NULL DEFAULT false, ADD COLUMN anonymised_at timestamptz;
ALTER TABLE sessions ADD COLUMN session_id bigint GENERATED ALWAYS AS IDENTITY UNIQUE, ADD COLUMN address inet;
ALTER TABLE api_tokens ADD COLUMN token_id bigint GENERATED ALWAYS AS IDENTITY UNIQUE, ADD COLUMN last_used_at timestamptz;
CREATE INDEX api_tokens_person ON api_tokens (person_id);

-- Writer: console. One authenticator app per person; `last_step` lets no code pass twice.
CREATE TABLE person_totp (
    person_id    uuid PRIMARY KEY REFERENCES people ON DELETE CASCADE,
    secret       bytea NOT NULL,              -- encrypted with a key derived from the console's session_secret
    last_step    bigint NOT NULL DEFAULT 0,   -- 30-second step of the newest code that was accepted
    confirmed_at timestamptz                  -- null: shown as a QR code, not proven yet
);
COMMENT ON TABLE person_totp IS 'Authenticator apps (TOTP). Writer: console.';

-- Writer: console. Each opens the account once, when the telephone is lost.
CREATE TABLE recovery_codes (
    person_id uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    used_at   timestamptz,
    PRIMARY KEY (person_id, code_hash)
);
COMMENT ON TABLE recovery_codes IS 'Hashes of recovery codes. Writer: console.';

-- Writer: console. Who a person is at an OpenID provider.
CREATE TABLE person_logins (
    issuer    text NOT NULL,
    subject   text NOT NULL,
    person_id uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    linked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);
COMMENT ON TABLE person_logins IS 'Accounts at OpenID providers. Writer: console.';

-- Writer: console. Anonymising a person takes two administrators.
CREATE TABLE erasures (
    erasure_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id    uuid NOT NULL REFERENCES people,
    reason       text NOT NULL CHECK (reason <> ''),
    requested_by uuid,
    requested_at timestamptz NOT NULL DEFAULT now(),
    approved_by  uuid CHECK (approved_by <> requested_by),
    done_at      timestamptz
);
COMMENT ON TABLE erasures IS 'Persons to be anonymised, and by whom. Writer: console.';
CREATE UNIQUE INDEX erasures_open ON erasures (person_id) WHERE done_at IS NULL;

-- Writer: console.
CREATE TABLE webhooks (
    webhook_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id   uuid NOT NULL REFERENCES people ON DELETE CASCADE,  -- gets what this person may see, no more
    url         text NOT NULL CHECK (url ~ '^https?://'),
    secret      bytea NOT NULL,               -- encrypted, as in person_totp
    events      text[] NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);
COMMENT ON TABLE webhooks IS 'Where programs want to be told. Writer: console.';

-- May I reset or anonymise this account? Only one whose every role lies in what I administer, and never my own: else
-- whoever runs one company's accounts could take over somebody who also works for the city.
CREATE FUNCTION answers_to_me(who uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(who <> my_person() AND administers_person(who), false) AND NOT EXISTS (
        SELECT FROM memberships m WHERE m.person_id = who AND m.valid @> now() AND NOT administers(m.scope_kind, m.scope_id))
$$;

-- A password that somebody else has set is good for one login: the person sets an own one then.
CREATE FUNCTION password_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.password_hash IS NOT NULL AND my_person() <> NEW.person_id
       AND (TG_OP = 'INSERT' OR NEW.password_hash IS DISTINCT FROM OLD.password_hash) THEN
        NEW.password_due := true;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER password_by_another BEFORE INSERT OR UPDATE OF password_hash ON people
    FOR EACH ROW EXECUTE FUNCTION password_by_another();

-- Whatever opens the account ends.
CREATE FUNCTION close_account(who uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE sessions SET revoked_at = now() WHERE person_id = who AND revoked_at IS NULL;
    UPDATE api_tokens SET revoked_at = now() WHERE person_id = who AND revoked_at IS NULL;
    DELETE FROM recovery_codes WHERE person_id = who;
    DELETE FROM person_totp WHERE person_id = who;
$$;

-- A password for once, and everything that opens the account ends. Null: not mine to reset.
CREATE FUNCTION reset_account(who uuid, new_hash text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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

-- What is left of a person are the ids that evidence and audit need.
CREATE FUNCTION anonymise(who uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT close_account(who);
    DELETE FROM person_logins WHERE person_id = who;
    UPDATE webhooks SET disabled_at = now() WHERE person_id = who AND disabled_at IS NULL;
    UPDATE memberships SET valid = tstzrange(lower(valid), now()) WHERE person_id = who AND valid @> now();
    UPDATE people SET login = 'gone-' || left(who::text, 8), name = '已注销', phone = '', email = '', password_hash = NULL,
        active = false, anonymised_at = now() WHERE person_id = who;
$$;

-- The first administrator asks (null = not theirs to ask), a second one has it done (false = none to approve).
CREATE FUNCTION request_erasure(who uuid, why text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
CREATE FUNCTION approve_erasure(who uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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

-- Everything the system holds on a person, for that person or an administrator of the account (or of the database); null for
-- anybody else.
CREATE FUNCTION person_data(who uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
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

-- Who logs in by an OpenID provider: the account linked before, else the only active one with this verified address.
CREATE FUNCTION oidc_candidate(of_issuer text, of_subject text, verified_email text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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

-- ------------------------------------------------------------------ webhooks
-- Writer: console; rows are born by triggers, in the transaction of what happened: none is lost, none is early.
CREATE TABLE webhook_deliveries (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id  bigint NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    event       text NOT NULL,
    object_id   bigint NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    next_at     timestamptz NOT NULL DEFAULT now(),
    tries       smallint NOT NULL DEFAULT 0,
    status      text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'failed', 'not_visible')),
    answer      text NOT NULL DEFAULT ''
);
COMMENT ON TABLE webhook_deliveries IS 'Messages to webhooks, with their tries. Writer: console, and triggers.';
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE status = 'waiting';
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (webhook_id, delivery_id);

-- TG_ARGV: the key's column, the event of a new row, the column that changes, the event of a change.
CREATE FUNCTION queue_webhooks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
CREATE TRIGGER queue_webhooks AFTER INSERT OR UPDATE OF status ON warnings
    FOR EACH ROW EXECUTE FUNCTION queue_webhooks('warning_id', 'warning.opened', 'status', 'warning.changed');
CREATE TRIGGER queue_webhooks AFTER INSERT OR UPDATE OF state ON cases
    FOR EACH ROW EXECUTE FUNCTION queue_webhooks('case_id', 'case.filed', 'state', 'case.changed');
CREATE TRIGGER queue_webhooks AFTER INSERT OR UPDATE OF state ON orders
    FOR EACH ROW EXECUTE FUNCTION queue_webhooks('order_id', 'order.dispatched', 'state', 'order.changed');

-- ------------------------------------------------------------------ open data
-- Writer: console. Items 10 and 14: what went to the city's data centre, field by field.
CREATE TABLE data_shares (
    share_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    person_id uuid,                           -- null: an administrator of the database
    recipient text NOT NULL CHECK (recipient <> ''),
    purpose   text NOT NULL CHECK (purpose <> ''),
    dataset   text NOT NULL,
    fields    text[] NOT NULL,
    area_id   text,
    since     timestamptz,
    until     timestamptz,
    row_count integer NOT NULL,
    sha256    bytea NOT NULL                  -- of the file that left
);
COMMENT ON TABLE data_shares IS 'Register of data given away, append-only. Writer: console.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON data_shares
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- ------------------------------------------------------------------ who sees and writes what
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['person_totp', 'recovery_codes', 'person_logins', 'erasures', 'webhooks', 'webhook_deliveries',
                                'data_shares'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON %I TO watchkeep_owner USING (true) WITH CHECK (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['person_totp', 'recovery_codes', 'person_logins'] LOOP
        EXECUTE format('CREATE POLICY own ON %I TO watchkeep_console USING (person_id = my_person())', name);
    END LOOP;
    -- Found by their secret before a person is known; afterwards one's own only.
    FOREACH name IN ARRAY ARRAY['sessions', 'api_tokens', 'idempotency_keys'] LOOP
        EXECUTE format('ALTER POLICY console ON %I USING (my_person() IS NULL OR person_id = my_person()) '
                       'WITH CHECK (my_person() IS NULL OR person_id = my_person())', name);
    END LOOP;
END
$$;
-- The sender of messages works for all persons, and reads as each of them.
CREATE POLICY own ON webhooks TO watchkeep_console USING (my_person() IS NULL OR person_id = my_person());
CREATE POLICY own ON webhook_deliveries TO watchkeep_console USING (
    EXISTS (SELECT FROM webhooks w WHERE w.webhook_id = webhook_deliveries.webhook_id));
CREATE POLICY known ON erasures FOR SELECT TO watchkeep_console USING (answers_to_me(person_id));
CREATE POLICY given ON data_shares FOR INSERT TO watchkeep_console WITH CHECK (person_id = my_person());
CREATE POLICY register ON data_shares FOR SELECT TO watchkeep_console USING (
    person_id = my_person()
    OR EXISTS (SELECT FROM memberships m WHERE m.person_id = my_person() AND m.valid @> now()
               AND m.role IN ('auditor', 'sec_admin', 'city_office')));
-- Colleagues are seen; only oneself is changed (administrators change others by the functions above).
CREATE POLICY own_changes ON people AS RESTRICTIVE FOR UPDATE TO watchkeep_console USING (person_id = my_person());

REVOKE ALL ON FUNCTION answers_to_me(uuid), reset_account(uuid, text), close_account(uuid),
    anonymise(uuid), request_erasure(uuid, text), approve_erasure(uuid), person_data(uuid), oidc_candidate(text, text, text),
    queue_webhooks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION answers_to_me(uuid), reset_account(uuid, text), request_erasure(uuid, text), approve_erasure(uuid),
    person_data(uuid), oidc_candidate(text, text, text) TO watchkeep_console;
GRANT SELECT (password_due, anonymised_at), UPDATE (password_due) ON people TO watchkeep_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON person_totp, recovery_codes TO watchkeep_console;
GRANT SELECT, DELETE ON person_logins TO watchkeep_console;
GRANT DELETE ON api_tokens TO watchkeep_console;
GRANT SELECT ON erasures TO watchkeep_console;
GRANT SELECT, INSERT, UPDATE ON webhooks TO watchkeep_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO watchkeep_console;
GRANT SELECT, INSERT ON data_shares TO watchkeep_console;
