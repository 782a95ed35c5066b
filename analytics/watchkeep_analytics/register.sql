-- name: points
SELECT p.series_id, p.community_id, p.equipment_id, e.kind, e.name, e.name_en, p.metric, p.unit, p.period_s,
       coalesce(p.gateway_id, ''), coalesce(g.equipment_id, ''), c.mode = 'replay', e.model
FROM points p
JOIN equipment e USING (community_id, equipment_id)
JOIN communities c USING (community_id)
LEFT JOIN gateways g USING (community_id, gateway_id)
WHERE p.community_id = ANY (%(communities)s)
ORDER BY p.series_id

-- name: limits
SELECT l.limit_id, l.series_id, l.condition, l.side, l.value, l.clear_value, l.for_s, l.clear_for_s, l.tier,
       l.when_metric, l.when_value, l.basis, l.mark
FROM point_limits l JOIN points p USING (series_id)
WHERE l.enabled AND p.community_id = ANY (%(communities)s)

-- name: communities
SELECT community_id, mode = 'replay' FROM communities ORDER BY community_id

-- name: changes
-- Rows ever written to the tables of the register; told within seconds of their commit. NULL where nobody counts.
SELECT CASE WHEN current_setting('track_counts')::boolean THEN sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint END
FROM pg_stat_user_tables
WHERE relid = ANY (ARRAY['communities', 'equipment', 'gateways', 'points', 'point_limits', 'detection_rules']::regclass[])

-- name: newest
SELECT max(series_id) FROM points WHERE community_id = ANY (%(communities)s)

-- name: equipment
SELECT community_id, equipment_id, kind, name, name_en FROM equipment WHERE community_id = ANY (%(communities)s)

-- name: gateway_states
SELECT community_id, gateway_id, online, last_message_at, offline_since FROM gateway_status

-- name: device_clocks
-- Seconds; + = behind. A device whose clock was never off has no row.
SELECT community_id, equipment_id, skew_ms / 1000 FROM device_clocks WHERE skew_ms <> 0

-- name: gateway_clocks
-- By how much a gateway itself finds its clock off, in seconds; + = behind, as for devices.
SELECT community_id, gateway_id, -(clock ->> 'server_offset_ms')::float8 / 1000 FROM gateway_status
WHERE online AND jsonb_typeof(clock -> 'server_offset_ms') = 'number'

-- name: refused
-- Readings with stamps that ingest could not believe, since the last look; a quarter of an hour at most.
SELECT p.community_id, p.equipment_id, extract(epoch FROM max(q.received_at))::float8,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM q.received_at - q.ts))::float8,
       max(q.quarantine_id)
FROM quarantine q JOIN points p USING (series_id)
WHERE q.quarantine_id > %(after)s AND q.received_at > now() - interval '15 minutes' AND q.reason <> 'impossible_value'
GROUP BY p.community_id, p.equipment_id

-- name: windows
SELECT community_id, coalesce(equipment_id, ''), lower(during), upper(during), reason
FROM maintenance_windows WHERE upper(during) > now() - interval '7 days' AND NOT lower_inf(during)

-- name: last_modes
-- The last word of each device on modes that suppress, for a worker that starts.
SELECT DISTINCT ON (community_id, equipment_id, condition)
       event_id, community_id, equipment_id, condition, active, ts, received_at, trusted
FROM events WHERE condition = ANY (%(conditions)s)
ORDER BY community_id, equipment_id, condition, event_id DESC

-- name: rules
SELECT section, definition || jsonb_build_object('id', rule_id, 'community', community_id, 'equipment', equipment_id)
FROM detection_rules ORDER BY rule_id, community_id, equipment_id

-- name: standing
-- What holds warnings open, as its detector last said it.
SELECT community_id, equipment_id, series_id, condition, tier, detector, version, event_at, evidence
FROM (SELECT DISTINCT ON (s.warning_id, s.detector, s.series_id, s.evidence ->> 'source') s.*
      FROM signals s JOIN warnings w USING (warning_id)
      WHERE w.status = 'open' AND w.community_id = ANY (%(communities)s)
      ORDER BY s.warning_id, s.detector, s.series_id, s.evidence ->> 'source', s.event_at DESC, s.signal_id DESC) latest
WHERE active AND detector = ANY (%(detectors)s)

-- name: mode_readings
SELECT p.community_id, p.equipment_id, p.metric, r.ts, r.value
FROM unnest(%(communities)s::text[], %(equipment)s::text[]) AS k (community_id, equipment_id)
JOIN points p USING (community_id, equipment_id),
LATERAL (SELECT ts, value FROM readings WHERE series_id = p.series_id ORDER BY ts DESC LIMIT 1) AS r
WHERE p.metric = ANY (%(metrics)s)
