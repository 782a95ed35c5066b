-- Readings whose values are out of bounds are kept in quarantine too: a sum that overflows would stop all rollups.
-- depends: 20261129100000_community_visit_plans

ALTER TABLE quarantine DROP CONSTRAINT quarantine_reason_check,
    ADD CONSTRAINT quarantine_reason_check CHECK (reason IN ('too_old', 'in_future', 'impossible_value'));
COMMENT ON TABLE quarantine IS 'Readings with impossible stamps or values, kept for people to judge. Writer: ingest.';
