-- name: waiting
-- The newest first, life safety before all: in a storm the old can wait.
SELECT w.warning_id FROM warnings w
WHERE w.detected_at > now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM warning_explanations x WHERE x.warning_id = w.warning_id)
ORDER BY w.life_safety DESC, w.warning_id DESC LIMIT %(at_most)s

-- name: warning
SELECT w.warning_id, w.community_id, w.equipment_id, w.series_id, w.condition, w.tier, w.event_at, w.detected_at, w.detector,
       w.version, w.evidence, w.sentence_zh, w.sentence_en, coalesce(e.kind, '') AS kind, coalesce(e.model, '') AS model,
       coalesce(e.name, '') AS name
FROM warnings w LEFT JOIN equipment e USING (community_id, equipment_id) WHERE w.warning_id = %(warning)s

-- name: readings
-- The day before the moment, and what has come since (an hour at most).
SELECT extract(epoch FROM ts)::float8, value FROM readings
WHERE series_id = %(series)s AND ts > %(at)s::timestamptz - interval '1 day' AND ts <= %(at)s::timestamptz + interval '1 hour'
  AND quality < 2
ORDER BY ts DESC LIMIT 20000

-- name: channels
-- The last value of other points of the equipment at that moment.
SELECT p.metric, p.unit, r.value FROM points p,
LATERAL (SELECT value FROM readings WHERE series_id = p.series_id AND ts <= %(at)s
         AND ts > %(at)s::timestamptz - interval '1 day' ORDER BY ts DESC LIMIT 1) AS r
WHERE p.community_id = %(community)s AND p.equipment_id = %(equipment)s AND p.metric = ANY (%(metrics)s)

-- name: peers
-- Mean of the hour before, of the same metric on other equipment of this kind (and model, where it is known) there.
SELECT e.equipment_id, e.name, r.value
FROM equipment e JOIN points p USING (community_id, equipment_id),
LATERAL (SELECT avg(value) AS value FROM readings WHERE series_id = p.series_id AND quality < 2
         AND ts > %(at)s::timestamptz - interval '1 hour' AND ts <= %(at)s) AS r
WHERE e.community_id = %(community)s AND e.equipment_id <> %(equipment)s AND e.kind = %(kind)s AND e.model = %(model)s
  AND p.metric = %(metric)s AND r.value IS NOT NULL
ORDER BY e.equipment_id LIMIT 200

-- name: similar
-- Cases of the same condition that are over, on this equipment or on its kind and model in this community, and what people
-- wrote when they finished.
SELECT c.case_id, c.equipment_id, c.equipment_id = %(equipment)s AS same, c.filed_at, c.closed_at, c.state,
       coalesce(t.note, '') AS fixed
FROM cases c JOIN equipment e USING (community_id, equipment_id)
LEFT JOIN LATERAL (SELECT note FROM transitions WHERE case_id = c.case_id AND action IN ('finish', 'close', 'dismiss')
                   AND note <> '' ORDER BY action = 'finish' DESC, transition_id DESC LIMIT 1) AS t ON true
WHERE c.community_id = %(community)s AND c.condition = %(condition)s AND c.closed_at < %(at)s AND NOT c.replay
  AND (c.equipment_id = %(equipment)s OR (e.kind = %(kind)s AND e.model = %(model)s AND e.model <> ''))
ORDER BY c.equipment_id = %(equipment)s DESC, c.closed_at DESC LIMIT 5

-- name: earlier
SELECT count(*) FROM warnings WHERE community_id = %(community)s AND equipment_id = %(equipment)s
  AND condition = %(condition)s AND event_at > %(at)s::timestamptz - interval '90 days' AND warning_id < %(warning)s

-- name: write
INSERT INTO warning_explanations (warning_id, community_id, made_at, explanation, chart)
VALUES (%(warning)s, %(community)s, now(), %(explanation)s, %(chart)s)
ON CONFLICT (warning_id) DO UPDATE SET (made_at, explanation, chart) = (excluded.made_at, excluded.explanation, excluded.chart)

-- name: stored
SELECT explanation, chart FROM warning_explanations WHERE warning_id = %(warning)s
