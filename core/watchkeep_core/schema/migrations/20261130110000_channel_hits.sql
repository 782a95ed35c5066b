-- Messages of the last minute to one address, counted over all processes that hand over.
-- depends: 20261130100000_protected_since

-- Writer: dispatch. Unlogged: after a crash at most a minute's messages are not counted.
CREATE UNLOGGED TABLE channel_hits (
    address bytea PRIMARY KEY,      -- hash of where they go: a robot that several people's channels share is one
    hits    timestamptz[] NOT NULL  -- the oldest first
);
COMMENT ON TABLE channel_hits IS 'Messages of the last minute to one address. Writer: dispatch.';
ALTER TABLE channel_hits ENABLE ROW LEVEL SECURITY;
ALTER TABLE channel_hits FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON channel_hits TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY services_all ON channel_hits TO watchkeep_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON channel_hits TO watchkeep_dispatch;
