-- What analytics may see of refused readings; rules as data, with their history.
-- depends: 20261122090600_wall

-- A device with a wrong clock shows there and nowhere else.
GRANT SELECT ON quarantine TO watchkeep_analytics;

-- Writer: analytics. What a manager has set instead of, or beside, the rules that are shipped; '' = everywhere.
CREATE TABLE detection_rules (
    rule_id      text NOT NULL CHECK (rule_id <> ''),
    community_id text NOT NULL DEFAULT '',
    equipment_id text NOT NULL DEFAULT '',
    section      text NOT NULL CHECK (section IN ('rule', 'rate', 'starts', 'ratio', 'limit', 'parameter')),
    definition   jsonb NOT NULL,
    changed_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rule_id, community_id, equipment_id)
);
COMMENT ON TABLE detection_rules IS 'Rules as a manager has set them, over those that are shipped. Writer: analytics.';

-- Writer: analytics. Append-only; before and after are null where there was or is no row.
CREATE TABLE detection_rule_changes (
    change_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id      text NOT NULL,
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    before       jsonb,
    after        jsonb,
    changed_by   text NOT NULL CHECK (changed_by <> ''),
    reason       text NOT NULL CHECK (reason <> ''),
    changed_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE detection_rule_changes IS 'Who changed which rule when and why. Writer: analytics.';
CREATE INDEX detection_rule_changes_rule ON detection_rule_changes (rule_id, changed_at DESC);

GRANT SELECT, INSERT, UPDATE, DELETE ON detection_rules TO watchkeep_analytics;
GRANT SELECT, INSERT ON detection_rule_changes TO watchkeep_analytics;
