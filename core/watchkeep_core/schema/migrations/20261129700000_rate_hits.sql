-- How often somebody has tried lately, counted over all processes of the console.
-- depends: 20261129650000_impossible_values

-- Writer: console. Unlogged: after a crash everybody may try anew; the lock of an account stands in its row.
CREATE UNLOGGED TABLE rate_hits (
    key     bytea PRIMARY KEY,        -- hash of what is limited: an address, an account from an address
    hits    timestamptz[] NOT NULL,   -- within the window, the oldest first
    refused boolean NOT NULL DEFAULT false,  -- whether the last one was
    until   timestamptz NOT NULL      -- forgotten then
);
COMMENT ON TABLE rate_hits IS 'How often somebody has tried to log in or report lately. Writer: console.';
ALTER TABLE rate_hits ENABLE ROW LEVEL SECURITY;
ALTER TABLE rate_hits FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON rate_hits TO watchkeep_owner USING (true) WITH CHECK (true);
CREATE POLICY console ON rate_hits TO watchkeep_console USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_hits TO watchkeep_console;

-- Counts one, unless there are `at_most` in the window: then the seconds to wait. Null = go on.
CREATE FUNCTION rate_hit(of_key bytea, at_most integer, within interval) RETURNS double precision
LANGUAGE sql AS $$
    INSERT INTO rate_hits AS r (key, hits, until) VALUES (of_key, ARRAY[clock_timestamp()], clock_timestamp() + within)
    ON CONFLICT (key) DO UPDATE SET (hits, refused, until) = (
        SELECT CASE WHEN cardinality(n.hits) < at_most THEN n.hits || excluded.hits ELSE n.hits END,
               cardinality(n.hits) >= at_most, excluded.until
        FROM (SELECT ARRAY(SELECT h FROM unnest(r.hits) AS h WHERE h > clock_timestamp() - within ORDER BY h) AS hits) n)
    RETURNING CASE WHEN r.refused THEN extract(epoch FROM r.hits[1] + within - clock_timestamp())::double precision END
$$;
REVOKE ALL ON FUNCTION rate_hit(bytea, integer, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rate_hit(bytea, integer, interval) TO watchkeep_console;
