-- What the property manager's pages and the import of the register ask for.

-- name: known_buildings
SELECT community_id, building_id FROM buildings WHERE community_id = ANY (%(communities)s)

-- name: known_gateways
SELECT community_id, gateway_id FROM gateways WHERE community_id = ANY (%(communities)s) AND revoked_at IS NULL

-- name: known_equipment
SELECT e.community_id, e.equipment_id, e.kind, e.name, e.name_en, e.building_id, e.level, e.ownership, e.maker, e.model,
       e.registration_code, e.vendor_profile, e.installed_on, e.attributes, e.status
FROM equipment e WHERE e.community_id = ANY (%(communities)s)

-- name: known_points
SELECT community_id, equipment_id, metric, gateway_id FROM points WHERE community_id = ANY (%(communities)s) AND claimed

-- name: lock_communities
-- Two imports of one community wait for each other.
SELECT community_id, name, name_en, area_id, property_org_id, timezone, mode, households, longitude, latitude
FROM communities WHERE community_id = ANY (%(communities)s) ORDER BY community_id FOR UPDATE

-- name: export_equipment
SELECT e.community_id, e.equipment_id, e.kind, e.name, e.name_en, e.building_id, e.level, e.ownership, e.maker, e.model,
       e.registration_code, e.installed_on, p.gateway_id, coalesce(p.metrics, '{}') AS metrics
FROM equipment e
LEFT JOIN (SELECT community_id, equipment_id, min(gateway_id) AS gateway_id, array_agg(metric ORDER BY metric) AS metrics
           FROM points GROUP BY 1, 2) p USING (community_id, equipment_id)
WHERE (%(community)s::text IS NULL OR e.community_id = %(community)s)
  AND (%(building)s::text IS NULL OR e.building_id = %(building)s)
  AND (%(kind)s::text IS NULL OR e.kind = %(kind)s) AND (%(status)s::text IS NULL OR e.status = %(status)s)
  AND (%(text)s::text IS NULL OR e.name ILIKE '%%' || %(text)s || '%%' OR e.name_en ILIKE '%%' || %(text)s || '%%'
       OR e.equipment_id ILIKE '%%' || %(text)s || '%%' OR e.registration_code ILIKE '%%' || %(text)s || '%%')
ORDER BY e.community_id, e.equipment_id LIMIT %(limit)s

-- name: register
SELECT e.community_id, c.name AS community, c.name_en AS community_en, e.equipment_id, e.kind, e.name, e.name_en,
       b.name AS building, e.level, e.status, e.maker, e.model, coalesce(p.points, 0) AS points,
       coalesce(w.open_warnings, 0) AS open_warnings, w.worst_class, count(*) OVER () AS total
FROM equipment e JOIN communities c USING (community_id)
LEFT JOIN buildings b USING (community_id, building_id)
LEFT JOIN (SELECT community_id, equipment_id, count(*) AS open_warnings, min(proposed_class) AS worst_class
           FROM warnings WHERE status = 'open' GROUP BY 1, 2) w USING (community_id, equipment_id)
LEFT JOIN LATERAL (SELECT count(*) AS points FROM points p
                   WHERE (p.community_id, p.equipment_id) = (e.community_id, e.equipment_id)) p ON true
WHERE (%(community)s::text IS NULL OR e.community_id = %(community)s)
  AND (%(building)s::text IS NULL OR e.building_id = %(building)s)
  AND (%(kind)s::text IS NULL OR e.kind = %(kind)s) AND (%(status)s::text IS NULL OR e.status = %(status)s)
  AND (%(text)s::text IS NULL OR e.name ILIKE '%%' || %(text)s || '%%' OR e.name_en ILIKE '%%' || %(text)s || '%%'
       OR e.equipment_id ILIKE '%%' || %(text)s || '%%' OR e.registration_code ILIKE '%%' || %(text)s || '%%')
ORDER BY e.community_id, e.building_id NULLS FIRST, e.equipment_id LIMIT %(limit)s OFFSET %(offset)s

-- name: tree_communities
SELECT c.community_id AS id, c.name, c.name_en, count(e.equipment_id) AS equipment,
       (SELECT count(*) FROM warnings w WHERE w.community_id = c.community_id AND w.status = 'open') AS open_warnings
FROM communities c LEFT JOIN equipment e USING (community_id) GROUP BY c.community_id ORDER BY c.name, c.community_id

-- name: tree_buildings
-- '' = equipment that stands in no building.
SELECT coalesce(e.building_id, '') AS id, coalesce(min(b.name), '') AS name, '' AS name_en, count(*) AS equipment,
       count(*) FILTER (WHERE EXISTS (
           SELECT FROM warnings w WHERE w.status = 'open'
             AND (w.community_id, w.equipment_id) = (e.community_id, e.equipment_id))) AS open_warnings
FROM equipment e LEFT JOIN buildings b USING (community_id, building_id)
WHERE e.community_id = %(community)s GROUP BY e.building_id ORDER BY e.building_id NULLS FIRST

-- name: tree_equipment
SELECT e.equipment_id AS id, e.name, e.name_en, (SELECT count(*) FROM points p
           WHERE (p.community_id, p.equipment_id) = (e.community_id, e.equipment_id)) AS equipment,
       (SELECT count(*) FROM warnings w WHERE w.status = 'open'
           AND (w.community_id, w.equipment_id) = (e.community_id, e.equipment_id)) AS open_warnings
FROM equipment e WHERE e.community_id = %(community)s AND coalesce(e.building_id, '') = %(building)s
ORDER BY e.equipment_id LIMIT %(limit)s

-- name: gateway_health
SELECT g.community_id, c.name AS community, c.name_en AS community_en, c.timezone, g.gateway_id, g.name, g.revoked_at,
       coalesce(s.online, false) AS online, s.offline_since, s.last_message_at, s.born_at, coalesce(s.software, '') AS software,
       s.skew_ms, coalesce(s.points, 0) AS points, a.missing, a.lost, a.parked, a.dead, a.quarantined,
       EXISTS (SELECT FROM warnings w WHERE w.community_id = g.community_id AND w.condition = 'gateway_spool_full' AND w.status = 'open'
               AND w.equipment_id IN (g.gateway_id, g.equipment_id)) AS spool_full
FROM gateways g JOIN communities c USING (community_id) LEFT JOIN gateway_status s USING (community_id, gateway_id)
LEFT JOIN gateway_accounts(%(since)s) a USING (community_id, gateway_id)
WHERE (%(community)s::text IS NULL OR g.community_id = %(community)s)
ORDER BY g.revoked_at IS NOT NULL, coalesce(s.online, false), g.community_id, g.gateway_id LIMIT 1000

-- name: sensor_health
-- Open warnings about the sensors themselves, and devices whose clock is off.
SELECT w.community_id, c.name AS community, c.name_en AS community_en, c.timezone, w.equipment_id,
       coalesce(e.name, w.equipment_id) AS equipment, coalesce(e.name_en, '') AS equipment_en, w.condition, w.warning_id,
       p.metric, w.event_at AS since, w.sentence_zh, w.sentence_en, NULL::double precision AS skew_ms, cw.case_id
FROM warnings w JOIN communities c USING (community_id)
LEFT JOIN equipment e USING (community_id, equipment_id) LEFT JOIN points p ON p.series_id = w.series_id
LEFT JOIN case_warnings cw USING (warning_id)
WHERE w.status = 'open' AND w.condition = ANY (%(conditions)s)
  AND (%(community)s::text IS NULL OR w.community_id = %(community)s)
UNION ALL
SELECT d.community_id, c.name, c.name_en, c.timezone, d.equipment_id, coalesce(e.name, d.equipment_id), coalesce(e.name_en, ''),
       'sensor_clock_skew', NULL, NULL, d.measured_at, '', '', d.skew_ms, NULL
FROM device_clocks d JOIN communities c USING (community_id) LEFT JOIN equipment e USING (community_id, equipment_id)
WHERE abs(d.skew_ms) >= 5000 AND (%(community)s::text IS NULL OR d.community_id = %(community)s)
  AND NOT EXISTS (SELECT FROM warnings w WHERE w.status = 'open' AND w.condition = 'sensor_clock_skew'
                  AND (w.community_id, w.equipment_id) = (d.community_id, d.equipment_id))
ORDER BY condition, community_id, equipment_id LIMIT 500

-- name: order_register
SELECT o.order_id, o.case_id, o.community_id, m.name AS community, m.name_en AS community_en, m.timezone, o.equipment_id,
       coalesce(e.name, o.equipment_id) AS equipment, coalesce(e.name_en, '') AS equipment_en, c.condition, c.class, c.life_safety,
       c.source, c.title_zh, c.title_en, o.org_id, g.name AS org, coalesce(g.name_en, '') AS org_en, p.name AS assignee, o.lead,
       o.state, c.state AS case_state, o.dispatched_at, o.responded_at, o.arrived_at, o.finished_at, o.respond_due, o.arrive_due,
       o.finish_due, o.closed_at, d.clock, d.due_at, (d.due_at < %(now)s) IS TRUE AS overdue,
       (SELECT max(x.level) FROM escalations x WHERE x.order_id = o.order_id) AS escalated, count(*) OVER () AS total
FROM orders o JOIN cases c USING (case_id) JOIN organisations g USING (org_id)
LEFT JOIN communities m ON m.community_id = o.community_id
LEFT JOIN equipment e ON (e.community_id, e.equipment_id) = (o.community_id, o.equipment_id)
LEFT JOIN people p ON p.person_id = o.assignee_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN o.closed_at IS NOT NULL OR o.finished_at IS NOT NULL THEN NULL WHEN o.responded_at IS NULL THEN 'respond'
                WHEN o.arrived_at IS NULL AND o.arrive_due IS NOT NULL THEN 'arrive' ELSE 'finish' END AS clock,
           CASE WHEN o.closed_at IS NOT NULL OR o.finished_at IS NOT NULL THEN NULL WHEN o.responded_at IS NULL THEN o.respond_due
                WHEN o.arrived_at IS NULL AND o.arrive_due IS NOT NULL THEN o.arrive_due ELSE o.finish_due END AS due_at) d
WHERE (%(community)s::text IS NULL OR o.community_id = %(community)s)
  AND (%(org)s::text IS NULL OR o.org_id = %(org)s)
  AND (%(class)s::text IS NULL OR c.class = %(class)s)
  AND (%(state)s::text IS NULL OR o.state = %(state)s)
  AND (%(source)s::text IS NULL OR c.source = %(source)s)
  AND (%(since)s::timestamptz IS NULL OR o.dispatched_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR o.dispatched_at < %(until)s)
  AND CASE %(shown)s::text WHEN 'open' THEN o.closed_at IS NULL WHEN 'closed' THEN o.closed_at IS NOT NULL
                           WHEN 'overdue' THEN o.closed_at IS NULL AND d.due_at < %(now)s
                           WHEN 'escalated' THEN EXISTS (SELECT FROM escalations x WHERE x.order_id = o.order_id) ELSE true END
  AND (%(ids)s::bigint[] IS NULL OR o.order_id = ANY (%(ids)s))
  AND (%(text)s::text IS NULL OR c.title_zh ILIKE '%%' || %(text)s || '%%' OR c.title_en ILIKE '%%' || %(text)s || '%%'
       OR e.name ILIKE '%%' || %(text)s || '%%' OR o.order_id::text = %(text)s OR o.case_id::text = %(text)s)
ORDER BY o.order_id DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: month_visits
SELECT v.visit_id, v.plan_id, p.title_zh, p.title_en, v.community_id, c.name AS community, c.name_en AS community_en, c.timezone,
       v.equipment_id, coalesce(e.name, v.equipment_id) AS equipment, coalesce(e.name_en, '') AS equipment_en, v.org_id,
       o.name AS org, coalesce(o.name_en, '') AS org_en, v.due_at, v.done_at, v.overdue_case, v.found_cases, p.items, p.basis,
       v.results, v.signature, v.note, w.name AS person
FROM visits v JOIN visit_plans p USING (plan_id) JOIN communities c ON c.community_id = v.community_id JOIN organisations o USING (org_id)
LEFT JOIN equipment e ON (e.community_id, e.equipment_id) = (v.community_id, v.equipment_id)
LEFT JOIN people w ON w.person_id = v.person_id
WHERE coalesce(v.done_at, v.due_at) >= %(since)s AND coalesce(v.done_at, v.due_at) < %(until)s
  AND (%(community)s::text IS NULL OR v.community_id = %(community)s) AND (%(plan)s::text IS NULL OR v.plan_id = %(plan)s)
  AND (%(visit)s::bigint IS NULL OR v.visit_id = %(visit)s)
ORDER BY coalesce(v.done_at, v.due_at), v.visit_id LIMIT 2000

-- name: overdue_visits
SELECT count(*) FROM visits WHERE done_at IS NULL AND due_at < %(now)s
  AND (%(community)s::text IS NULL OR community_id = %(community)s)

-- name: colleagues
-- Those who may be on call for an organisation.
SELECT DISTINCT p.person_id::text, p.login, p.name FROM memberships m JOIN people p USING (person_id)
WHERE p.active AND m.valid @> now() AND m.scope_kind = 'organisation' AND m.scope_id = %(org)s ORDER BY p.name

-- name: mode_of
SELECT mode FROM assignment_rules WHERE org_id = %(org)s

-- name: swaps
SELECT w.at, f.name AS from_name, t.name AS to_name, w.reason, b.name AS by_name, lower(s.during) AS since
FROM rota_swaps w JOIN rota_shifts s USING (shift_id) LEFT JOIN people f ON f.person_id = w.from_person
LEFT JOIN people t ON t.person_id = w.to_person LEFT JOIN people b ON b.person_id = w.person_id
WHERE s.org_id = %(org)s ORDER BY w.at DESC LIMIT 10

-- name: organisations_named
SELECT org_id, name, name_en, kind FROM organisations WHERE org_id = ANY (%(ids)s) ORDER BY name

-- name: order_organisations
SELECT DISTINCT g.org_id, g.name, g.name_en FROM orders o JOIN organisations g USING (org_id) ORDER BY g.name LIMIT 300

-- name: duty_people
-- To whom a duty room may be handed over: those with a role in the community or its property company.
SELECT DISTINCT p.login, p.name FROM memberships m JOIN people p USING (person_id) JOIN communities c ON c.community_id = %(community)s
WHERE p.active AND m.valid @> now() AND m.scope_id IN (c.community_id, c.property_org_id) ORDER BY p.name

-- name: waiting_handovers
SELECT handover_id FROM duty_handovers WHERE to_person = my_person() AND acknowledged_at IS NULL
