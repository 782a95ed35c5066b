-- name: candidates
-- Those who may be given the orders of organisations that assign by themselves; none where they do not.
WITH asked AS (
    SELECT a.*, r.mode, %(licences)s::jsonb ->> e.kind AS licence
    FROM jsonb_to_recordset(%(asked)s) AS a (n integer, org_id text, community_id text, equipment_id text, now timestamptz)
    JOIN assignment_rules r USING (org_id) LEFT JOIN equipment e USING (community_id, equipment_id)
    WHERE r.mode IN ('on_call', 'round_robin')
), people_of AS MATERIALIZED (
    SELECT m.scope_id AS org_id, p.person_id, bool_or(m.role = 'technician') AS technician,
           (SELECT count(*) FROM orders o WHERE o.assignee_id = p.person_id AND o.closed_at IS NULL)::integer AS open_orders,
           (SELECT max(o.dispatched_at) FROM orders o WHERE o.assignee_id = p.person_id) AS last_at
    FROM memberships m JOIN people p USING (person_id)
    WHERE p.active AND m.valid @> now() AND m.scope_kind = 'organisation' AND m.scope_id IN (SELECT org_id FROM asked)
      AND m.role IN ('technician', 'maintainer_manager', 'property_manager', 'safety_manager')
    GROUP BY m.scope_id, p.person_id
)
SELECT a.n, a.mode, p.person_id::text AS person_id,
       EXISTS (SELECT FROM rota_shifts s WHERE s.org_id = a.org_id AND s.person_id = p.person_id AND s.during @> a.now
                   AND (s.community_id IS NULL OR s.community_id = a.community_id)) AS on_call,
       p.technician, licensed(p.person_id, a.org_id, a.licence) AS licensed, p.open_orders, p.last_at
FROM asked a JOIN people_of p USING (org_id)
ORDER BY a.n, p.person_id

-- name: licensed
SELECT licensed(%(person)s, %(org)s, %(licences)s::jsonb ->> e.kind)
FROM (SELECT) one LEFT JOIN equipment e ON e.community_id = %(community)s AND e.equipment_id = %(equipment)s

-- name: assign
UPDATE orders SET assignee_id = %(person)s WHERE order_id = %(order)s

-- name: works_for
-- Through the definer: who assigns may not see the memberships of another organisation.
SELECT %(org)s = ANY (organisations) FROM roles_towards(%(person)s, '', ARRAY[%(org)s])

-- name: nobody_has
-- In no order: those for whom nobody is found must not hold up the others.
SELECT o.order_id, o.org_id, o.community_id, o.equipment_id FROM orders o JOIN assignment_rules r USING (org_id)
WHERE r.mode IN ('on_call', 'round_robin') AND o.assignee_id IS NULL AND o.closed_at IS NULL AND o.state = 'dispatched'
ORDER BY random() LIMIT %s FOR UPDATE OF o SKIP LOCKED

-- name: organisation
SELECT org_id FROM organisations WHERE org_id = %s

-- name: may_serve
-- The community, unless a property company or maintainer has nothing to do with it in that time.
SELECT FROM communities c JOIN organisations o ON o.org_id = %(org)s
WHERE c.community_id = %(community)s
  AND (c.property_org_id = o.org_id OR (o.kind <> 'property_company' AND o.kind NOT LIKE '%%maintainer') OR EXISTS (
      SELECT FROM contracts k WHERE k.community_id = c.community_id AND k.provider_org_id = o.org_id
          AND k.valid && daterange(%(since)s::timestamptz::date, %(until)s::timestamptz::date, '[]')))

-- name: overlapping
SELECT shift_id FROM rota_shifts WHERE org_id = %(org)s AND person_id = %(person)s AND during && tstzrange(%(since)s, %(until)s)
  AND community_id IS NOT DISTINCT FROM %(community)s AND shift_id IS DISTINCT FROM %(but)s::bigint LIMIT 1

-- name: add_shift
INSERT INTO rota_shifts (org_id, community_id, person_id, during)
VALUES (%(org)s, %(community)s, %(person)s, tstzrange(%(since)s, %(until)s)) RETURNING shift_id

-- name: shift
SELECT shift_id, org_id, community_id, person_id::text, lower(during) AS since, upper(during) AS until
FROM rota_shifts WHERE shift_id = %s FOR UPDATE

-- name: shifts
SELECT s.shift_id, s.org_id, s.community_id, p.login, p.name, lower(s.during) AS since, upper(s.during) AS until,
       (SELECT count(*) FROM rota_swaps w WHERE w.shift_id = s.shift_id) AS swaps
FROM rota_shifts s JOIN people p USING (person_id)
WHERE s.org_id = %(org)s AND s.during && tstzrange(%(since)s, %(until)s)
ORDER BY lower(s.during), s.shift_id

-- name: drop_shift
DELETE FROM rota_shifts WHERE shift_id = %s RETURNING org_id

-- name: give_shift
UPDATE rota_shifts SET person_id = %(to)s WHERE shift_id = %(shift)s

-- name: note_swap
INSERT INTO rota_swaps (shift_id, from_person, to_person, reason, person_id, at)
VALUES (%(shift)s, %(from)s, %(to)s, %(reason)s, %(by)s, %(now)s)

-- name: set_mode
INSERT INTO assignment_rules (org_id, mode) VALUES (%s, %s) ON CONFLICT (org_id) DO UPDATE SET mode = excluded.mode

-- name: add_skill
INSERT INTO person_skills (person_id, skill, certificate_no, valid)
VALUES (%(person)s, %(skill)s, %(certificate)s, daterange(%(since)s, %(until)s, '[]'))

-- name: skills
SELECT p.login, p.name, k.skill, k.certificate_no, lower(k.valid) AS since, upper(k.valid) - 1 AS until,
       upper(k.valid) - %(today)s::date AS days_left
FROM person_skills k JOIN people p USING (person_id)
WHERE EXISTS (SELECT FROM memberships m WHERE m.person_id = p.person_id AND m.scope_kind = 'organisation' AND m.scope_id = %(org)s)
ORDER BY upper(k.valid), p.login

-- name: load
-- Open work of each member of an organisation, and what nobody has.
SELECT p.login, p.name, count(o.order_id)::integer AS open_orders,
       count(*) FILTER (WHERE c.class = 'A')::integer AS urgent,
       count(*) FILTER (WHERE o.finish_due < %(now)s)::integer AS overdue, min(o.finish_due) AS next_due,
       EXISTS (SELECT FROM rota_shifts s WHERE s.org_id = %(org)s AND s.person_id = p.person_id AND s.during @> %(now)s::timestamptz)
           AS on_call
FROM (SELECT DISTINCT person_id FROM memberships WHERE scope_kind = 'organisation' AND scope_id = %(org)s AND valid @> now()) m
JOIN people p USING (person_id)
LEFT JOIN orders o ON o.assignee_id = p.person_id AND o.closed_at IS NULL AND o.org_id = %(org)s
LEFT JOIN cases c USING (case_id)
WHERE p.active GROUP BY p.person_id, p.login, p.name
UNION ALL
SELECT NULL, '—', count(*)::integer, count(*) FILTER (WHERE c.class = 'A')::integer,
       count(*) FILTER (WHERE o.finish_due < %(now)s)::integer, min(o.finish_due), false
FROM orders o JOIN cases c USING (case_id) WHERE o.org_id = %(org)s AND o.assignee_id IS NULL AND o.closed_at IS NULL
ORDER BY 3 DESC, 1 NULLS FIRST

-- name: on_call_organisations
SELECT org_id FROM assignment_rules WHERE mode = 'on_call' ORDER BY org_id
