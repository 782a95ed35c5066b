-- name: insert_signal
-- Idempotent: after a crash the same rows are judged again, and say the same.
INSERT INTO signals (community_id, equipment_id, series_id, condition, tier, active, detector, version, event_at,
                     detected_at, score, evidence)
SELECT %(community)s, %(equipment)s, %(series)s::integer, %(condition)s, %(tier)s, %(active)s, %(detector)s, %(version)s,
       %(event_at)s::timestamptz, %(detected_at)s, %(score)s, %(evidence)s::jsonb
WHERE NOT EXISTS (
    SELECT FROM signals s
    WHERE s.community_id = %(community)s AND s.equipment_id = %(equipment)s AND s.event_at = %(event_at)s
      AND s.condition = %(condition)s AND s.detector = %(detector)s AND s.active = %(active)s AND s.tier = %(tier)s
      AND s.series_id IS NOT DISTINCT FROM %(series)s::integer AND s.evidence ->> 'source' = %(source)s)
RETURNING signal_id

-- name: is_over
-- Its end came before its beginning (late data): nothing to open.
SELECT EXISTS (
    SELECT FROM signals s
    WHERE s.community_id = %(community)s AND s.equipment_id = %(equipment)s AND s.event_at >= %(event_at)s
      AND s.condition = %(condition)s AND s.detector = %(detector)s AND NOT s.active AND s.signal_id <> %(signal_id)s
      AND s.series_id IS NOT DISTINCT FROM %(series)s::integer AND s.evidence ->> 'source' = %(source)s)

-- name: open_warning
-- One open warning per equipment and condition: the partial unique index decides. A tier may rise, never fall.
INSERT INTO warnings (community_id, equipment_id, series_id, condition, tier, proposed_class, life_safety, event_at,
                      detected_at, last_seen_at, replay, detector, version, evidence, sentence_zh, sentence_en)
VALUES (%(community)s, %(equipment)s, %(series)s, %(condition)s, %(tier)s, %(class)s, %(life_safety)s, %(event_at)s,
        %(detected_at)s, %(event_at)s, %(replay)s, %(detector)s, %(version)s, %(evidence)s, %(zh)s, %(en)s)
ON CONFLICT (community_id, equipment_id, condition) WHERE status = 'open' DO UPDATE SET
    occurrences = warnings.occurrences + 1,
    last_seen_at = greatest(warnings.last_seen_at, excluded.last_seen_at),
    tier = CASE WHEN excluded.tier = 'alarm' THEN 'alarm' ELSE warnings.tier END
RETURNING warning_id, (xmax = 0) AS fresh

-- name: link_signal
UPDATE signals SET warning_id = %(warning_id)s WHERE signal_id = %(signal_id)s

-- name: find_open
SELECT warning_id FROM warnings
WHERE community_id = %(community)s AND equipment_id = %(equipment)s AND condition = %(condition)s AND status = 'open'
FOR UPDATE

-- name: clear_warning
-- Only when nothing that opened or repeated it still stands.
UPDATE warnings SET status = 'cleared', cleared_at = greatest(%(event_at)s, event_at),
       last_seen_at = greatest(last_seen_at, %(event_at)s)
WHERE warning_id = %(warning_id)s AND status = 'open' AND NOT EXISTS (
    SELECT FROM (
        SELECT DISTINCT ON (detector, series_id, evidence ->> 'source') active
        FROM signals WHERE warning_id = %(warning_id)s
        ORDER BY detector, series_id, evidence ->> 'source', event_at DESC, signal_id DESC) latest
    WHERE latest.active)
RETURNING warning_id

-- name: readings_around
SELECT extract(epoch FROM ts)::float8 AS t, value, quality FROM readings
WHERE series_id = %(series)s AND ts > %(event_at)s::timestamptz - interval '1 day' AND ts <= %(event_at)s::timestamptz
ORDER BY ts DESC LIMIT 30
