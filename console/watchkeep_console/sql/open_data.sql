-- What may be given away: codes, ids, classes and times. No names of persons, no phones, no free text in which one could stand,
-- nothing of single households.

-- name: communities
SELECT c.community_id, c.area_id, c.name, c.property_org_id, c.households, c.longitude, c.latitude
FROM communities c JOIN areas a USING (area_id)
WHERE (%(communities)s::text[] IS NULL OR c.community_id = ANY (%(communities)s))
  AND (%(area)s::text IS NULL OR a.path @> ARRAY[%(area)s])
ORDER BY 1

-- name: equipment
SELECT e.community_id, e.equipment_id, e.kind, e.registration_code, e.maker, e.model, e.installed_on, e.status
FROM equipment e JOIN communities c USING (community_id) JOIN areas a USING (area_id)
WHERE (%(communities)s::text[] IS NULL OR c.community_id = ANY (%(communities)s))
  AND (%(area)s::text IS NULL OR a.path @> ARRAY[%(area)s]) AND e.kind <> 'household'
ORDER BY 1, 2

-- name: warnings
SELECT w.warning_id, w.community_id, e.kind, w.condition, w.tier, w.proposed_class AS class, w.life_safety, w.event_at, w.detected_at,
       w.cleared_at, w.status
FROM warnings w JOIN communities c USING (community_id) JOIN areas a USING (area_id)
LEFT JOIN equipment e USING (community_id, equipment_id)
WHERE (%(communities)s::text[] IS NULL OR c.community_id = ANY (%(communities)s))
  AND (%(area)s::text IS NULL OR a.path @> ARRAY[%(area)s]) AND NOT w.replay
  AND w.detected_at >= %(since)s AND w.detected_at < %(until)s
ORDER BY 1

-- name: cases
SELECT k.case_id, k.community_id, e.kind, k.condition, k.source, k.class, k.life_safety, k.state, k.responsible_org_id,
       k.supervising_org_id, k.event_at, k.filed_at, k.closed_at
FROM cases k JOIN communities c USING (community_id) JOIN areas a USING (area_id)
LEFT JOIN equipment e USING (community_id, equipment_id)
WHERE (%(communities)s::text[] IS NULL OR c.community_id = ANY (%(communities)s))
  AND (%(area)s::text IS NULL OR a.path @> ARRAY[%(area)s]) AND NOT k.replay AND k.source <> 'test'
  AND k.filed_at >= %(since)s AND k.filed_at < %(until)s
ORDER BY 1

-- name: orders
SELECT o.order_id, o.case_id, o.community_id, o.org_id, o.class, o.condition, o.state, o.dispatched_at, o.responded_at, o.arrived_at,
       o.finished_at, o.respond_due, o.arrive_due, o.finish_due, o.closed_at
FROM orders o JOIN communities c USING (community_id) JOIN areas a USING (area_id)
WHERE (%(communities)s::text[] IS NULL OR c.community_id = ANY (%(communities)s))
  AND (%(area)s::text IS NULL OR a.path @> ARRAY[%(area)s]) AND o.scored
  AND o.dispatched_at >= %(since)s AND o.dispatched_at < %(until)s
ORDER BY 1

-- name: register
INSERT INTO data_shares (at, person_id, recipient, purpose, dataset, fields, area_id, since, until, row_count, sha256)
VALUES (%(at)s, %(person)s, %(recipient)s, %(purpose)s, %(dataset)s, %(fields)s, %(area)s, %(since)s, %(until)s, %(rows)s, %(sha256)s)

-- name: shares
SELECT share_id, at, person_id::text, recipient, purpose, dataset, fields, area_id, since, until, row_count,
       encode(sha256, 'hex') AS sha256
FROM data_shares WHERE (%(before)s::bigint IS NULL OR share_id < %(before)s) ORDER BY share_id DESC LIMIT %(limit)s
