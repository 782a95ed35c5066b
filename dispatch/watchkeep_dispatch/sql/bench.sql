-- Warnings as analytics writes them.

-- name: warn
INSERT INTO warnings (community_id, equipment_id, condition, tier, event_at, last_seen_at, detector, version, evidence,
                      sentence_zh, sentence_en, proposed_class, life_safety, replay, detected_at, status, cleared_at)
SELECT community_id, equipment_id, condition, 'alarm', %(now)s, %(now)s, 'bench', '1', '{}', '', '', class, life_safety, false,
       clock_timestamp() - %(ago)s, %(status)s, CASE WHEN %(status)s = 'cleared' THEN %(now)s::timestamptz END
FROM jsonb_to_recordset(%(rows)s) AS r (community_id text, equipment_id text, condition text, class text, life_safety boolean)
ON CONFLICT DO NOTHING
