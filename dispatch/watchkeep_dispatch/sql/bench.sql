-- Warnings as analytics writes them.

-- name: warn
INSERT INTO warnings (community_id, equipment_id, condition, tier, event_at, last_seen_at, detector, version, evidence,
                      sentence_zh, sentence_en, proposed_class, life_safety, replay, detected_at, status, cleared_at)
VALUES (%s, %s, %s, 'alarm', %s, %s, 'bench', '1', '{}', '', '', %s, %s, false, clock_timestamp(), %s, %s)
ON CONFLICT DO NOTHING
