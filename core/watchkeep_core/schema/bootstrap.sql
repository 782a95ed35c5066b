-- What must be there before the first migration: logins, the owner, the extension. Run by an administrator,
-- every time, without harm. One login per service (ARCHITECTURE §8): none owns a table, is superuser or has
-- BYPASSRLS. Passwords are set by `watchkeep db passwords`, never here.

DO $$
DECLARE
    login text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'watchkeep_owner') THEN
        CREATE ROLE watchkeep_owner NOLOGIN;
    END IF;
    FOREACH login IN ARRAY ARRAY['watchkeep_ingest', 'watchkeep_analytics', 'watchkeep_dispatch',
                                 'watchkeep_console', 'grafana_ro'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', login);
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, 'watchkeep_owner', 'MEMBER') THEN
        EXECUTE format('GRANT watchkeep_owner TO %I', current_user);
    END IF;
    EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO watchkeep_owner', current_database());
    -- No service makes temporary tables, and whoever may ask through Grafana must not fill the disk with them.
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

GRANT CREATE, USAGE ON SCHEMA public TO watchkeep_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- Walls read views only; the read-only flag is a belt, the grants are the boundary (SURFACES §A4).
ALTER ROLE grafana_ro NOINHERIT CONNECTION LIMIT 20;
ALTER ROLE grafana_ro SET statement_timeout = '20s';
ALTER ROLE grafana_ro SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE grafana_ro SET default_transaction_read_only = on;
ALTER ROLE grafana_ro SET timezone = 'UTC';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
       AND current_setting('shared_preload_libraries') LIKE '%timescaledb%' THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
    END IF;
END
$$;

-- TimescaleDB community runs its jobs as the owner of what they work on, who must be allowed to log in for that. With no
-- connection allowed, only its background workers can.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
       AND current_setting('timescaledb.license') = 'timescale' THEN
        ALTER ROLE watchkeep_owner LOGIN CONNECTION LIMIT 0;
    END IF;
END
$$;
