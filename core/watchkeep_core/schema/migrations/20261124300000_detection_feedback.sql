-- What people say of warnings, and what it changes; the explanation of each warning; what analytics reads for both.
-- depends: 20261124200000_storage_bounds

-- Writer: analytics (and console, which leaves factor null until analytics has looked). Never changed but to revoke.
CREATE TABLE detection_feedback (
    feedback_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL REFERENCES communities,
    equipment_id text NOT NULL,
    series_id    integer,
    condition    text NOT NULL,
    detector     text NOT NULL,
    said         text NOT NULL CHECK (said IN ('false_alarm', 'real', 'normal', 'budget')),
    warning_id   bigint REFERENCES warnings,
    factor       double precision CHECK (factor > 0),  -- multiplies the bar of this detector on this series
    reason       text NOT NULL CHECK (reason <> ''),
    said_by      text NOT NULL CHECK (said_by <> ''),  -- a person's id or login; 'analytics' for its budget
    said_at      timestamptz NOT NULL DEFAULT now(),
    revoked_by   text,
    revoked_at   timestamptz,
    revoked_why  text,
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    CHECK (said = 'budget' OR warning_id IS NOT NULL)
);
COMMENT ON TABLE detection_feedback IS 'What people said of warnings, and the bars it raises. Writer: analytics, console.';
CREATE UNIQUE INDEX detection_feedback_once ON detection_feedback (warning_id, said) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX detection_feedback_budget ON detection_feedback (series_id, detector)
    WHERE said = 'budget' AND revoked_at IS NULL;
CREATE INDEX detection_feedback_community ON detection_feedback (community_id, feedback_id DESC);

-- Writer: analytics. Made soon after the warning; shown beside it and sent with it.
CREATE TABLE warning_explanations (
    warning_id   bigint PRIMARY KEY REFERENCES warnings,
    community_id text NOT NULL REFERENCES communities,
    made_at      timestamptz NOT NULL,
    explanation  jsonb NOT NULL,  -- docs/detection.md lists its fields
    chart        text             -- SVG; null when there is no series to draw
);
COMMENT ON TABLE warning_explanations IS 'Why each warning came, with a small chart. Writer: analytics.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['detection_feedback', 'warning_explanations'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON %I TO watchkeep_owner USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY services_all ON %I TO watchkeep_analytics, watchkeep_dispatch '
                       'USING (true) WITH CHECK (true)', name);
    END LOOP;
    CREATE POLICY mine ON detection_feedback TO watchkeep_console
        USING (community_id = ANY ((SELECT my_communities())::text[]));
    CREATE POLICY mine ON warning_explanations TO watchkeep_console
        USING (EXISTS (SELECT FROM warnings w WHERE w.warning_id = warning_explanations.warning_id));
END
$$;
GRANT SELECT, INSERT, UPDATE ON detection_feedback, warning_explanations TO watchkeep_analytics;
GRANT SELECT ON detection_feedback, warning_explanations TO watchkeep_dispatch, watchkeep_console;
GRANT INSERT (community_id, equipment_id, series_id, condition, detector, said, warning_id, reason, said_by),
    UPDATE (revoked_by, revoked_at, revoked_why) ON detection_feedback TO watchkeep_console;
-- Similar cases of the past and what ended them; verdicts of people.
GRANT SELECT ON cases, case_warnings, transitions, evidence TO watchkeep_analytics;
