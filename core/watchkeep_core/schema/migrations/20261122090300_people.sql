-- People, sessions and the audit trail. Sole writer of people and sessions: watchkeep_console.
-- depends: 20261122090200_warnings

-- Writer: console.
CREATE TABLE people (
    person_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    login         text NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._-]{1,63}$'),
    name          text NOT NULL,
    org_id        text REFERENCES organisations,
    phone         text NOT NULL DEFAULT '',    -- only dispatch may read it, to notify
    phone_masked  text GENERATED ALWAYS AS (CASE WHEN length(phone) < 8 THEN ''
                      ELSE left(phone, 3) || '****' || right(phone, 4) END) STORED,
    email         text NOT NULL DEFAULT '',
    language      text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    password_hash text,                        -- argon2id; null: cannot log in by password
    failed_logins integer NOT NULL DEFAULT 0,
    locked_until  timestamptz,
    active        boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE people IS 'Writer: console. Elsewhere persons appear by id only.';

-- Writer: console. Person × role × scope.
CREATE TABLE memberships (
    membership_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id     uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    role          text NOT NULL,
    scope_kind    text NOT NULL CHECK (scope_kind IN ('area', 'organisation', 'community')),
    scope_id      text NOT NULL,
    valid         tstzrange NOT NULL DEFAULT tstzrange(now(), NULL),
    UNIQUE (person_id, role, scope_kind, scope_id)
);
COMMENT ON TABLE memberships IS 'Person × role × scope. Writer: console.';

-- Writer: console. Opaque sessions: the cookie holds a random token, the table its hash.
CREATE TABLE sessions (
    token_hash   bytea PRIMARY KEY,
    person_id    uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    csrf_token   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    user_agent   text NOT NULL DEFAULT ''
);
COMMENT ON TABLE sessions IS 'Web sessions. Writer: console.';
CREATE INDEX sessions_person ON sessions (person_id);

-- Writer: console.
CREATE TABLE api_tokens (
    token_hash bytea PRIMARY KEY,
    person_id  uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    name       text NOT NULL,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
COMMENT ON TABLE api_tokens IS 'Tokens for programs. Writer: console.';

-- Writer: console. A repeated POST with the same key gets the first answer; with another body, 422.
CREATE TABLE idempotency_keys (
    person_id    uuid NOT NULL,
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    request_hash bytea NOT NULL,
    status       smallint NOT NULL,
    response     jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, key)
);
COMMENT ON TABLE idempotency_keys IS 'Answers to keyed requests. Writer: console.';

-- Writer: every service, by watchkeep_core.audit only; append-only. Persons by id only, no secrets.
CREATE TABLE audit_entries (
    audit_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    service     text NOT NULL DEFAULT session_user,
    person_id   uuid,
    action      text NOT NULL,
    object_kind text NOT NULL,
    object_id   text NOT NULL,
    detail      jsonb NOT NULL DEFAULT '{}',
    address     inet
);
COMMENT ON TABLE audit_entries IS 'Who did what, append-only, kept at least 180 days. Writer: core audit.';
CREATE INDEX audit_entries_object ON audit_entries (object_kind, object_id);

-- Writer: dispatch (the one sealer). Chains entries in the order they were sealed.
CREATE TABLE audit_seals (
    seal_no   bigint PRIMARY KEY,
    audit_id  bigint NOT NULL UNIQUE REFERENCES audit_entries,
    hash      bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE audit_seals IS 'Hash chain over audit_entries. Writer: the sealer in dispatch.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
