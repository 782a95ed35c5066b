-- Cases being written, whatever they come from.

-- name: known_cases
-- The open case of this equipment and event, else one that was closed as solved not long ago; the same condition first.
SELECT a.n, k.case_id
FROM jsonb_to_recordset(%s) AS a (n integer, community_id text, equipment_id text, condition text, conditions text[], since timestamptz),
LATERAL (
    SELECT c.case_id FROM cases c
    WHERE c.community_id = a.community_id AND c.equipment_id = a.equipment_id AND c.condition = ANY (a.conditions)
      AND (c.closed_at IS NULL OR (c.state = 'closed' AND c.closed_at > a.since))
    ORDER BY c.closed_at IS NOT NULL, c.condition <> a.condition, c.closed_at DESC LIMIT 1
    FOR NO KEY UPDATE) k

-- name: lock_event
SELECT pg_advisory_xact_lock(hashtextextended('watchkeep.event/' || %s, 0))

-- name: file_cases
INSERT INTO cases (community_id, equipment_id, condition, source, class, life_safety, state, title_zh, title_en, duty_id,
                   first_responder_id, responsible_org_id, supervising_org_id, snapshot, event_at, filed_at, replay, version)
SELECT community_id, equipment_id, condition, source, class, life_safety, state, title_zh, title_en, duty_id,
       first_responder_id, responsible_org_id, supervising_org_id, snapshot, event_at, filed_at, replay, version
FROM jsonb_to_recordset(%s) AS r (community_id text, equipment_id text, condition text, source text, class text,
                                  life_safety boolean, state text, title_zh text, title_en text, duty_id integer,
                                  first_responder_id text, responsible_org_id text, supervising_org_id text, snapshot jsonb,
                                  event_at timestamptz, filed_at timestamptz, replay boolean, version integer)
ON CONFLICT (community_id, equipment_id, condition) WHERE closed_at IS NULL AND equipment_id IS NOT NULL DO NOTHING
RETURNING case_id, community_id, equipment_id, condition

-- name: raise_class
-- A class may rise, never fall; returns nothing when it stays.
UPDATE cases SET class = %(class)s, version = version + 1 WHERE case_id = %(case_id)s AND class > %(class)s RETURNING case_id
