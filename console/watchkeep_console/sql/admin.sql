-- What the administrators' pages ask for.

-- name: people
SELECT p.person_id::text, p.login, p.name, p.org_id, o.name AS org, p.phone_masked, p.email, p.language, p.active, p.created_at,
       coalesce((SELECT jsonb_agg(jsonb_build_object('role', m.role, 'kind', m.scope_kind,
                                                     'scope', coalesce(a.name, g.name, c.name, m.scope_id)) ORDER BY m.membership_id)
                 FROM memberships m LEFT JOIN areas a ON m.scope_kind = 'area' AND a.area_id = m.scope_id
                 LEFT JOIN organisations g ON m.scope_kind = 'organisation' AND g.org_id = m.scope_id
                 LEFT JOIN communities c ON m.scope_kind = 'community' AND c.community_id = m.scope_id
                 WHERE m.person_id = p.person_id AND m.valid @> now()), '[]') AS roles,
       count(*) OVER () AS total
FROM people p LEFT JOIN organisations o USING (org_id)
WHERE (%(org)s::text IS NULL OR p.org_id = %(org)s)
  AND (%(role)s::text IS NULL OR EXISTS (SELECT FROM memberships m WHERE m.person_id = p.person_id AND m.role = %(role)s
                                         AND m.valid @> now()))
  AND (%(active)s::boolean IS NULL OR p.active = %(active)s)
  AND (%(text)s::text IS NULL OR p.name ILIKE '%%' || %(text)s || '%%' OR p.login ILIKE '%%' || %(text)s || '%%')
ORDER BY p.active DESC, p.login LIMIT %(limit)s OFFSET %(offset)s

-- name: person
SELECT p.person_id::text, p.login, p.name, p.org_id, o.name AS org, p.phone_masked, p.email, p.language, p.active, p.created_at
FROM people p LEFT JOIN organisations o USING (org_id) WHERE p.person_id = %(person)s

-- name: person_memberships
SELECT m.membership_id, m.role, m.scope_kind, m.scope_id, lower(m.valid) AS since, upper(m.valid) AS until,
       m.valid @> now() AS valid, coalesce(a.name, o.name, c.name, m.scope_id) AS scope,
       administers(m.scope_kind, m.scope_id) AS mine
FROM memberships m LEFT JOIN areas a ON m.scope_kind = 'area' AND a.area_id = m.scope_id
LEFT JOIN organisations o ON m.scope_kind = 'organisation' AND o.org_id = m.scope_id
LEFT JOIN communities c ON m.scope_kind = 'community' AND c.community_id = m.scope_id
WHERE m.person_id = %(person)s ORDER BY m.valid @> now() DESC, m.membership_id DESC

-- name: save_person
SELECT save_person(%(person)s, %(login)s, %(name)s, %(org)s, %(phone)s, %(email)s, %(language)s, %(hash)s, %(active)s)::text

-- name: grant
SELECT grant_membership(%(person)s, %(role)s, %(kind)s, %(scope)s, %(until)s)

-- name: end
SELECT end_membership(%(id)s)::text

-- name: scopes
-- What I administer, to choose from.
SELECT 'area' AS kind, a.area_id AS id, a.name FROM areas a WHERE administers('area', a.area_id)
UNION ALL SELECT 'organisation', o.org_id, o.name FROM organisations o WHERE administers('organisation', o.org_id)
UNION ALL SELECT 'community', c.community_id, c.name FROM communities c WHERE administers('community', c.community_id)
ORDER BY 1, 3

-- name: organisations
SELECT o.org_id, o.kind, o.name, o.name_en, o.area_id, a.name AS area, o.duty_phone,
       (SELECT count(*) FROM communities c WHERE c.property_org_id = o.org_id) AS communities,
       (SELECT count(*) FROM contracts k WHERE k.provider_org_id = o.org_id AND k.valid @> current_date) AS contracts,
       (SELECT count(*) FROM people p WHERE p.org_id = o.org_id AND p.active) AS people, count(*) OVER () AS total
FROM organisations o LEFT JOIN areas a USING (area_id)
WHERE (%(kind)s::text IS NULL OR o.kind = %(kind)s)
  AND (%(text)s::text IS NULL OR o.name ILIKE '%%' || %(text)s || '%%' OR o.name_en ILIKE '%%' || %(text)s || '%%'
       OR o.org_id ILIKE '%%' || %(text)s || '%%')
ORDER BY o.kind, o.name LIMIT %(limit)s OFFSET %(offset)s

-- name: areas
SELECT area_id, name FROM areas ORDER BY path

-- name: administers
SELECT administers(%(kind)s, %(scope)s)

-- name: limits
SELECT l.limit_id, l.series_id, p.community_id, c.name AS community, c.name_en AS community_en, p.equipment_id, e.kind,
       e.name AS equipment, e.name_en AS equipment_en, p.metric, p.unit, l.condition, l.side, l.value, l.clear_value, l.for_s,
       l.clear_for_s, l.tier, l.basis, l.mark, l.enabled, l.when_metric, l.when_value, count(*) OVER () AS total
FROM point_limits l JOIN points p USING (series_id) JOIN equipment e USING (community_id, equipment_id)
JOIN communities c USING (community_id)
WHERE (%(id)s::integer IS NULL OR l.limit_id = %(id)s)
  AND (%(community)s::text IS NULL OR p.community_id = %(community)s)
  AND (%(kind)s::text IS NULL OR e.kind = %(kind)s) AND (%(metric)s::text IS NULL OR p.metric = %(metric)s)
  AND (%(text)s::text IS NULL OR e.name ILIKE '%%' || %(text)s || '%%' OR e.equipment_id ILIKE '%%' || %(text)s || '%%')
ORDER BY p.community_id, p.equipment_id, p.metric, l.condition, l.limit_id LIMIT %(limit)s OFFSET %(offset)s

-- name: lock_limit
SELECT l.value, l.clear_value, l.for_s, l.tier, l.enabled, l.basis, l.side, p.community_id, p.equipment_id, p.metric
FROM point_limits l JOIN points p USING (series_id) WHERE l.limit_id = %(id)s FOR UPDATE OF l

-- name: save_limit
UPDATE point_limits SET (value, clear_value, for_s, enabled, basis, mark)
    = (%(value)s, %(clear_value)s, %(for_s)s, %(enabled)s, %(basis)s, 'CP') WHERE limit_id = %(id)s

-- name: rules
SELECT rule_id, community_id, equipment_id, section, definition, changed_at FROM detection_rules
ORDER BY section, rule_id, community_id, equipment_id LIMIT 500

-- name: rule_changes
SELECT rule_id, community_id, equipment_id, changed_by, reason, changed_at FROM detection_rule_changes
ORDER BY change_id DESC LIMIT 20

-- name: channels
SELECT h.channel_id, h.org_id, o.name AS org, h.person_id::text, p.name AS person, h.kind, h.name, h.rank, h.quiet_hours,
       h.language, h.per_minute, h.enabled, n.status, n.error, n.created_at AS tried_at
FROM notification_channels h LEFT JOIN organisations o ON o.org_id = h.org_id LEFT JOIN people p ON p.person_id = h.person_id
LEFT JOIN LATERAL (SELECT status, error, created_at FROM notifications WHERE notifications.channel_id = h.channel_id
                   ORDER BY notification_id DESC LIMIT 1) n ON true
ORDER BY o.name NULLS LAST, p.name, h.rank, h.channel_id LIMIT 1000

-- name: add_channel
INSERT INTO notification_channels (org_id, kind, name, url, rank, language, quiet_hours, per_minute)
VALUES (%(org)s, %(kind)s, %(name)s, %(url)s, 1, %(language)s, %(quiet_hours)s, %(per_minute)s) RETURNING channel_id

-- name: channel
SELECT org_id FROM notification_channels WHERE channel_id = %(id)s

-- name: enable_channel
UPDATE notification_channels SET enabled = %(enabled)s WHERE channel_id = %(id)s

-- name: remove_channel
DELETE FROM notification_channels WHERE channel_id = %(id)s

-- name: audit
SELECT e.audit_id, e.at, e.service, e.person_id::text, p.name AS person, p.login, e.action, e.object_kind, e.object_id, e.detail,
       host(e.address) AS address, s.seal_no
FROM audit_entries e LEFT JOIN people p USING (person_id) LEFT JOIN audit_seals s USING (audit_id)
WHERE (%(before)s::bigint IS NULL OR e.audit_id < %(before)s)
  AND (%(person)s::text IS NULL OR p.login = lower(%(person)s) OR e.person_id::text = %(person)s)
  AND (%(action)s::text IS NULL OR e.action ILIKE %(action)s || '%%')
  AND (%(object)s::text IS NULL OR e.object_kind || '/' || e.object_id ILIKE %(object)s || '%%' OR e.object_id = %(object)s)
  AND (%(since)s::timestamptz IS NULL OR e.at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR e.at < %(until)s)
ORDER BY e.audit_id DESC LIMIT %(limit)s

-- name: audit_actions
SELECT DISTINCT action FROM (SELECT action FROM audit_entries ORDER BY audit_id DESC LIMIT 5000) recent ORDER BY 1

-- name: list_facts
SELECT l.list_id, l.name, l.status, lower(l.valid) AS since, upper(l.valid) AS until, l.published_at, c.name AS created_by,
       p.name AS published_by, count(d.duty_id) AS rows
FROM duty_lists l LEFT JOIN duties d USING (list_id) LEFT JOIN people c ON c.person_id = l.created_by
LEFT JOIN people p ON p.person_id = l.published_by GROUP BY l.list_id, c.name, p.name ORDER BY l.list_id DESC
