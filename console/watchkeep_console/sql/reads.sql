-- name: communities
SELECT community_id, name, name_en, area_id, property_org_id, timezone, mode, households, longitude, latitude
FROM communities ORDER BY community_id

-- name: equipment
SELECT e.community_id, e.equipment_id, e.kind, e.name, e.name_en, e.building_id, b.name AS building, e.level, e.status,
       coalesce(w.open_warnings, 0) AS open_warnings, w.worst_class
FROM equipment e
LEFT JOIN (SELECT community_id, equipment_id, count(*) AS open_warnings, min(proposed_class) AS worst_class
           FROM warnings WHERE status = 'open' GROUP BY 1, 2) w USING (community_id, equipment_id)
LEFT JOIN buildings b USING (community_id, building_id)
WHERE (%(community)s::text IS NULL OR e.community_id = %(community)s)
  AND (%(kind)s::text IS NULL OR e.kind = %(kind)s)
  AND (%(text)s::text IS NULL OR e.name ILIKE '%%' || %(text)s || '%%' OR e.equipment_id ILIKE '%%' || %(text)s || '%%')
  AND (%(after_community)s::text IS NULL OR (e.community_id, e.equipment_id) > (%(after_community)s, %(after_id)s))
ORDER BY e.community_id, e.equipment_id LIMIT %(limit)s

-- name: equipment_detail
SELECT e.community_id, e.equipment_id, e.kind, e.name, e.name_en, e.building_id, b.name AS building, e.level, e.status, e.ownership, e.maker,
       e.model, e.registration_code, e.installed_on, coalesce(r.ts, now()) AS now,
       (SELECT count(*) FROM warnings w WHERE w.status = 'open'
        AND (w.community_id, w.equipment_id) = (e.community_id, e.equipment_id)) AS open_warnings,
       (SELECT min(w.proposed_class) FROM warnings w WHERE w.status = 'open'
        AND (w.community_id, w.equipment_id) = (e.community_id, e.equipment_id)) AS worst_class
FROM equipment e LEFT JOIN replay_watermarks r USING (community_id) LEFT JOIN buildings b USING (community_id, building_id)
WHERE e.community_id = %(community)s AND e.equipment_id = %(equipment)s

-- name: points
SELECT p.series_id, p.metric, p.unit, p.period_s, p.gateway_id,
       coalesce((SELECT jsonb_agg(jsonb_build_object('condition', l.condition, 'side', l.side, 'value', l.value,
                                                     'tier', l.tier, 'basis', l.basis, 'mark', l.mark) ORDER BY l.value)
                 FROM point_limits l WHERE l.series_id = p.series_id AND l.enabled), '[]') AS limits
FROM points p WHERE p.community_id = %(community)s AND p.equipment_id = %(equipment)s ORDER BY p.metric

-- name: latest
SELECT series_id, ts, value, quality FROM visible_latest(%(series)s, %(within)s)

-- name: readings
SELECT series_id, ts, value, quality FROM visible_readings(%(series)s, %(since)s, %(until)s, %(limit)s)

-- name: point
SELECT series_id FROM points WHERE series_id = %(series)s

-- name: warnings
SELECT w.warning_id, w.community_id, coalesce(c.name, w.community_id) AS community, coalesce(c.name_en, '') AS community_en,
       w.equipment_id, coalesce(e.name, w.equipment_id) AS equipment, coalesce(e.name_en, '') AS equipment_en, e.kind, w.condition, w.tier, w.proposed_class, w.life_safety, w.status,
       w.event_at, w.detected_at, w.last_seen_at, w.cleared_at, w.occurrences, w.replay, w.sentence_zh, w.sentence_en,
       cw.case_id, v.verdict
FROM warnings w
LEFT JOIN communities c USING (community_id)
LEFT JOIN equipment e USING (community_id, equipment_id)
LEFT JOIN case_warnings cw USING (warning_id)
LEFT JOIN LATERAL (SELECT verdict FROM verdicts WHERE verdicts.warning_id = w.warning_id
                   ORDER BY verdict_id DESC LIMIT 1) v ON true
WHERE (%(id)s::bigint IS NULL OR w.warning_id = %(id)s)
  AND (%(case)s::bigint IS NULL OR cw.case_id = %(case)s)
  AND (%(status)s::text IS NULL OR w.status = %(status)s)
  AND (%(class)s::text IS NULL OR w.proposed_class = %(class)s)
  AND (%(community)s::text IS NULL OR w.community_id = %(community)s)
  AND (%(equipment)s::text IS NULL OR w.equipment_id = %(equipment)s)
  AND (%(before)s::bigint IS NULL OR w.warning_id < %(before)s)
ORDER BY w.warning_id DESC LIMIT %(limit)s

-- name: warning_more
SELECT series_id, detector, version, evidence FROM warnings WHERE warning_id = %(id)s

-- name: verdicts
SELECT verdict, rule, reason, at FROM verdicts WHERE warning_id = %(id)s ORDER BY verdict_id

-- name: cases
-- As for orders: who has few communities gets the newest of each that he has to do with.
WITH few AS MATERIALIZED (
    SELECT cardinality(my_communities()) <= 40
           AND num_nonnulls(%(id)s::bigint, %(open)s::boolean, %(state)s::text, %(class)s::text, %(community)s::text, %(equipment)s::text) = 0 AS yes
)
SELECT c.case_id, c.community_id, coalesce(m.name, c.community_id) AS community, coalesce(m.name_en, '') AS community_en,
       c.equipment_id, coalesce(e.name, c.equipment_id) AS equipment, coalesce(e.name_en, '') AS equipment_en, c.condition, c.source, c.class, c.life_safety, c.state, c.title_zh,
       c.title_en, c.responsible_org_id, r.name AS responsible, coalesce(r.name_en, '') AS responsible_en, c.event_at, c.filed_at, c.closed_at, c.replay, c.version,
       c.first_responder_id, c.supervising_org_id, o.order_id, o.order_org_id, o.clock, o.due_at
FROM (
    -- The page first: a community's other thousands need no names and no orders.
    (SELECT c.* FROM cases c
     WHERE NOT (SELECT yes FROM few)
       AND (%(id)s::bigint IS NULL OR c.case_id = %(id)s)
       AND (%(open)s::boolean IS NULL OR (c.closed_at IS NULL) = %(open)s)
       AND (%(state)s::text IS NULL OR c.state = %(state)s)
       AND (%(class)s::text IS NULL OR c.class = %(class)s)
       AND (%(community)s::text IS NULL OR c.community_id = %(community)s)
       AND (%(equipment)s::text IS NULL OR c.equipment_id = %(equipment)s)
       AND (%(before)s::bigint IS NULL OR c.case_id < %(before)s)
     ORDER BY c.case_id DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT c.* FROM cases c WHERE (SELECT yes FROM few) AND c.case_id IN (
        SELECT n.case_id FROM unnest(my_communities()) mine (community_id), LATERAL (
            SELECT x.case_id FROM cases x WHERE x.community_id = mine.community_id AND (%(before)s::bigint IS NULL OR x.case_id < %(before)s)
            ORDER BY x.case_id DESC LIMIT %(limit)s) n
        UNION
        SELECT n.case_id FROM unnest(my_organisations()) mine (org_id), LATERAL (
            (SELECT x.case_id FROM cases x WHERE x.responsible_org_id = mine.org_id AND (%(before)s::bigint IS NULL OR x.case_id < %(before)s)
             ORDER BY -x.case_id LIMIT %(limit)s)
            UNION ALL
            (SELECT x.case_id FROM cases x WHERE x.supervising_org_id = mine.org_id AND (%(before)s::bigint IS NULL OR x.case_id < %(before)s)
             ORDER BY -x.case_id LIMIT %(limit)s)
            UNION ALL
            (SELECT x.case_id FROM cases x WHERE x.first_responder_id = mine.org_id AND (%(before)s::bigint IS NULL OR x.case_id < %(before)s)
             ORDER BY -x.case_id LIMIT %(limit)s)
            UNION ALL
            (SELECT -y.back FROM (
                SELECT DISTINCT -x.case_id AS back FROM orders x WHERE x.org_id = mine.org_id AND (%(before)s::bigint IS NULL OR x.case_id < %(before)s)
                ORDER BY back LIMIT %(limit)s) y)) n)
     ORDER BY c.case_id DESC LIMIT %(limit)s)
) c
LEFT JOIN communities m USING (community_id)
LEFT JOIN equipment e USING (community_id, equipment_id)
LEFT JOIN organisations r ON r.org_id = c.responsible_org_id
LEFT JOIN LATERAL (
    SELECT order_id, org_id AS order_org_id,
           CASE WHEN closed_at IS NOT NULL OR finished_at IS NOT NULL THEN NULL WHEN responded_at IS NULL THEN 'respond'
                WHEN arrived_at IS NULL AND arrive_due IS NOT NULL THEN 'arrive' ELSE 'finish' END AS clock,
           CASE WHEN closed_at IS NOT NULL OR finished_at IS NOT NULL THEN NULL WHEN responded_at IS NULL THEN respond_due
                WHEN arrived_at IS NULL AND arrive_due IS NOT NULL THEN arrive_due ELSE finish_due END AS due_at
    FROM orders WHERE orders.case_id = c.case_id AND orders.lead ORDER BY order_id DESC LIMIT 1) o ON true
ORDER BY c.case_id DESC

-- name: case_parties
SELECT f.name AS first_responder, coalesce(f.name_en, '') AS first_responder_en, s.name AS supervising,
       coalesce(s.name_en, '') AS supervising_en, c.duty_id
FROM cases c LEFT JOIN organisations f ON f.org_id = c.first_responder_id
LEFT JOIN organisations s ON s.org_id = c.supervising_org_id WHERE c.case_id = %(id)s

-- name: orders
-- Who has few communities may have nothing among the newest of all: then the newest of each organisation and community of his, by index.
WITH few AS MATERIALIZED (
    SELECT cardinality(my_communities()) <= 40 AND NOT %(mine)s
           AND num_nonnulls(%(id)s::bigint, %(case)s::bigint, %(open)s::boolean, %(state)s::text) = 0 AS yes
)
SELECT o.order_id, o.case_id, o.community_id, coalesce(m.name, o.community_id) AS community, coalesce(m.name_en, '') AS community_en,
       o.equipment_id, coalesce(e.name, o.equipment_id) AS equipment, coalesce(e.name_en, '') AS equipment_en, b.name AS building, e.level, c.condition, c.class, c.life_safety,
       c.title_zh, c.title_en, o.org_id, g.name AS org, g.name_en AS org_en, o.lead, o.assignee_id::text, o.state, c.state AS case_state,
       o.dispatched_at, o.responded_at, o.arrived_at, o.finished_at, o.respond_due, o.arrive_due, o.finish_due, o.closed_at,
       CASE WHEN o.closed_at IS NOT NULL OR o.finished_at IS NOT NULL THEN NULL WHEN o.responded_at IS NULL THEN 'respond'
            WHEN o.arrived_at IS NULL AND o.arrive_due IS NOT NULL THEN 'arrive' ELSE 'finish' END AS clock,
       CASE WHEN o.closed_at IS NOT NULL OR o.finished_at IS NOT NULL THEN NULL WHEN o.responded_at IS NULL THEN o.respond_due
            WHEN o.arrived_at IS NULL AND o.arrive_due IS NOT NULL THEN o.arrive_due ELSE o.finish_due END AS due_at,
       c.version
FROM (
    (SELECT o.* FROM orders o
     WHERE NOT (SELECT yes FROM few)
       AND (%(id)s::bigint IS NULL OR o.order_id = %(id)s)
       AND (%(case)s::bigint IS NULL OR o.case_id = %(case)s)
       AND (NOT %(mine)s OR o.assignee_id = my_person() OR (o.assignee_id IS NULL AND o.org_id = ANY ((SELECT my_organisations())::text[])))
       AND (%(open)s::boolean IS NULL OR (o.closed_at IS NULL) = %(open)s)
       AND (%(state)s::text IS NULL OR o.state = %(state)s)
       AND (%(before)s::bigint IS NULL OR o.order_id < %(before)s)
     ORDER BY o.order_id DESC LIMIT %(limit)s)
    UNION ALL
    SELECT o.* FROM orders o WHERE (SELECT yes FROM few) AND o.order_id IN (
        SELECT n.order_id FROM unnest(my_organisations()) mine (org_id), LATERAL (
            SELECT x.order_id FROM orders x WHERE x.org_id = mine.org_id AND (%(before)s::bigint IS NULL OR x.order_id < %(before)s)
            ORDER BY -x.order_id LIMIT %(limit)s) n
        UNION
        SELECT n.order_id FROM unnest(my_communities()) mine (community_id), LATERAL (
            SELECT x.order_id FROM orders x WHERE x.community_id = mine.community_id AND (%(before)s::bigint IS NULL OR x.order_id < %(before)s)
            ORDER BY x.order_id DESC LIMIT %(limit)s) n)
) o JOIN cases c USING (case_id) JOIN organisations g USING (org_id)
LEFT JOIN communities m ON m.community_id = o.community_id
LEFT JOIN equipment e ON (e.community_id, e.equipment_id) = (o.community_id, o.equipment_id)
LEFT JOIN buildings b ON (b.community_id, b.building_id) = (e.community_id, e.building_id)
ORDER BY o.order_id DESC LIMIT %(limit)s

-- name: transitions
SELECT t.order_id, t.action, t.from_state, t.to_state, p.name AS person, t.at, t.note
FROM transitions t LEFT JOIN people p USING (person_id) WHERE t.case_id = %(id)s ORDER BY t.transition_id

-- name: escalations
SELECT x.order_id, x.clock, x.level, x.to_party, x.due_at, x.fired_at
FROM escalations x JOIN orders o USING (order_id) WHERE o.case_id = %(id)s ORDER BY x.fired_at, x.level

-- name: evidence
SELECT evidence_id, order_id, kind, note, media_type, coalesce(length(content), 0) AS bytes, at
FROM evidence WHERE case_id = %(id)s ORDER BY evidence_id

-- name: evidence_content
SELECT media_type, content FROM evidence WHERE evidence_id = %(id)s AND content IS NOT NULL

-- name: duties
SELECT d.duty_id, d.title, d.title_en, d.domain, d.kind, d.condition, d.class, d.first_responder, d.responsible, d.supervising,
       d.respond_in::text, d.arrive_in::text, d.finish_in::text, d.closing_condition, d.evidence, d.basis, d.mark
FROM duties d JOIN duty_lists l USING (list_id)
WHERE CASE WHEN %(id)s::integer IS NULL THEN l.status = 'published' AND l.valid @> now() ELSE d.duty_id = %(id)s END
ORDER BY d.list_id, d.row_no LIMIT %(limit)s

-- name: gateways
SELECT g.community_id, c.name AS community, g.gateway_id, g.name, g.created_at, g.revoked_at,
       coalesce(s.online, false) AS online, s.last_message_at, s.born_at, coalesce(s.software, '') AS software, s.skew_ms,
       (SELECT count(*) FROM points p WHERE (p.community_id, p.gateway_id) = (g.community_id, g.gateway_id)) AS points
FROM gateways g JOIN communities c USING (community_id) LEFT JOIN gateway_status s USING (community_id, gateway_id)
WHERE (%(community)s::text IS NULL OR g.community_id = %(community)s)
  AND (%(gateway)s::text IS NULL OR g.gateway_id = %(gateway)s)
ORDER BY g.community_id, g.gateway_id LIMIT %(limit)s

-- name: first_readings
SELECT p.series_id, p.equipment_id, p.metric, p.unit, r.ts AS at, r.value
FROM visible_latest(ARRAY(SELECT series_id FROM points p WHERE p.community_id = %(community)s AND p.gateway_id = %(gateway)s
                          ORDER BY series_id LIMIT 10), '1 hour') r JOIN points p USING (series_id)
ORDER BY r.ts DESC

-- name: open_warnings_by_class
SELECT proposed_class, count(*) FROM warnings WHERE status = 'open' GROUP BY 1

-- name: counts
SELECT (SELECT count(*) FROM cases WHERE closed_at IS NULL) AS cases_open,
       (SELECT count(*) FROM orders WHERE closed_at IS NULL) AS orders_open,
       (SELECT count(*) FROM orders WHERE closed_at IS NULL AND finished_at IS NULL
        AND coalesce(CASE WHEN responded_at IS NULL THEN respond_due WHEN arrived_at IS NULL THEN coalesce(arrive_due, finish_due)
                          ELSE finish_due END, 'infinity') < now()) AS orders_overdue,
       (SELECT count(*) FROM gateways WHERE revoked_at IS NULL) AS gateways,
       (SELECT count(*) FROM gateways JOIN gateway_status USING (community_id, gateway_id)
        WHERE online AND revoked_at IS NULL) AS gateways_online

-- name: readings_per_s
-- The newest batches of each partition by the primary key; a sum over the whole table would read it.
SELECT coalesce(sum(b.row_count), 0) / 10.0 FROM generate_series(0, 15) AS p (partition), LATERAL (
    SELECT row_count, committed_at FROM batches
    WHERE lane = 'data' AND batches.partition = p.partition ORDER BY batch DESC LIMIT 200) b
WHERE b.committed_at > now() - interval '10 s'

-- name: visible_warnings
SELECT warning_id FROM warnings WHERE warning_id = ANY (%(ids)s)

-- name: visible_cases
SELECT case_id FROM cases WHERE case_id = ANY (%(ids)s)

-- name: visible_orders
SELECT order_id FROM orders WHERE order_id = ANY (%(ids)s)

-- name: present
SELECT coalesce((SELECT ts FROM replay_watermarks WHERE community_id = %(community)s), now())

-- name: proposable
-- Organisations that have to do with the case's community, but not with its present order.
SELECT DISTINCT o.org_id, o.name FROM cases c
JOIN communities m USING (community_id)
LEFT JOIN contracts k USING (community_id)
JOIN organisations o ON o.org_id IN (m.property_org_id, k.provider_org_id, c.first_responder_id, c.supervising_org_id)
WHERE c.case_id = %(id)s
  AND o.org_id <> coalesce((SELECT x.org_id FROM orders x WHERE x.case_id = c.case_id AND x.lead AND x.closed_at IS NULL), '')
ORDER BY o.name LIMIT 50
