-- name: points
SELECT p.series_id, p.community_id, p.equipment_id, e.kind, e.name, e.name_en, p.metric, p.unit, p.period_s,
       coalesce(p.gateway_id, ''), coalesce(g.equipment_id, ''), c.mode = 'replay'
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

-- name: equipment
SELECT community_id, equipment_id, kind, name, name_en FROM equipment

-- name: gateway_states
SELECT community_id, gateway_id, online, last_message_at, offline_since FROM gateway_status

-- name: windows
SELECT community_id, coalesce(equipment_id, ''), lower(during), upper(during), reason
FROM maintenance_windows WHERE upper(during) > now() - interval '7 days' AND NOT lower_inf(during)

-- name: last_modes
-- The last word of each device on modes that suppress, for a worker that starts.
SELECT DISTINCT ON (community_id, equipment_id, condition)
       event_id, community_id, equipment_id, condition, active, ts, received_at, trusted
FROM events WHERE condition = ANY (%(conditions)s)
ORDER BY community_id, equipment_id, condition, event_id DESC
