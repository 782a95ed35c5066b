-- name: save_plan
INSERT INTO visit_plans (plan_id, title_zh, title_en, kinds, party, every, ahead, overdue, items, basis, since)
VALUES (%(plan_id)s, %(title_zh)s, %(title_en)s, %(kinds)s, %(party)s, %(every)s, %(ahead)s, %(overdue)s, %(items)s, %(basis)s,
        %(now)s)
ON CONFLICT (plan_id) DO UPDATE SET (title_zh, title_en, kinds, party, every, ahead, overdue, items, basis)
    = (excluded.title_zh, excluded.title_en, excluded.kinds, excluded.party, excluded.every, excluded.ahead, excluded.overdue,
       excluded.items, excluded.basis)

-- name: plans
SELECT plan_id, title_zh, title_en, kinds, party, every::text AS every, ahead::text AS ahead, overdue, items, basis, enabled, since,
       community_id, replaces, equipment, reason
FROM visit_plans ORDER BY community_id NULLS FIRST, plan_id

-- name: enable_plan
UPDATE visit_plans SET enabled = %(enabled)s,
    since = CASE WHEN %(enabled)s AND NOT enabled THEN %(now)s ELSE since END
WHERE plan_id = %(plan_id)s RETURNING plan_id

-- name: open_due
-- Next visit of each piece of equipment, one period after the last; two schedulers make one.
INSERT INTO visits (plan_id, community_id, equipment_id, org_id, due_at, opened_at)
SELECT d.plan_id, d.community_id, d.equipment_id, k.org_id, d.due_at, %(now)s
FROM visits_ahead d CROSS JOIN LATERAL visit_org(d.community_id, d.kind, d.party, %(now)s) AS k (org_id)
WHERE d.enabled AND d.visit_id IS NULL AND d.due_at - d.ahead <= %(now)s AND k.org_id IS NOT NULL
ON CONFLICT DO NOTHING
RETURNING org_id

-- name: lock_plan
SELECT community_id, replaces, enabled, since, every FROM visit_plans
WHERE plan_id = %(plan_id)s AND community_id IS NOT NULL FOR UPDATE

-- name: plan_community
SELECT community_id FROM visit_plans WHERE plan_id = %(plan_id)s

-- name: general_plan
SELECT enabled, since FROM visit_plans WHERE plan_id = %(plan_id)s AND community_id IS NULL

-- name: taken_equipment
-- Equipment for which another plan of the community stands in the place of the same general one.
SELECT e.equipment_id FROM visit_plans r
JOIN equipment e ON e.community_id = r.community_id AND e.kind = ANY (r.kinds) AND (r.equipment IS NULL OR e.equipment_id = ANY (r.equipment))
WHERE r.community_id = %(community)s AND r.replaces = %(replaces)s AND r.plan_id <> %(plan_id)s
  AND (%(equipment)s::text[] IS NULL OR e.equipment_id = ANY (%(equipment)s)) ORDER BY 1 LIMIT 1

-- name: plan_equipment
SELECT equipment_id FROM equipment
WHERE community_id = %(community)s AND kind = ANY (%(kinds)s) AND equipment_id = ANY (%(equipment)s)

-- name: make_plan
INSERT INTO visit_plans (plan_id, title_zh, title_en, kinds, party, every, ahead, overdue, items, basis, since, enabled, community_id,
                         replaces, equipment, reason)
VALUES (%(plan_id)s, %(title_zh)s, %(title_en)s, %(kinds)s, %(party)s, %(every)s, %(ahead)s, %(overdue)s, %(items)s, %(basis)s,
        %(since)s, %(enabled)s, %(community)s, %(replaces)s, %(equipment)s, %(reason)s)

-- name: take_over
-- Open visits of the general plan go over to the plan that stands in its place.
UPDATE visits v SET plan_id = %(plan_id)s
FROM equipment e
WHERE v.plan_id = %(replaces)s AND v.community_id = %(community)s AND v.done_at IS NULL
  AND (e.community_id, e.equipment_id) = (v.community_id, v.equipment_id) AND e.kind = ANY (%(kinds)s)
  AND (%(equipment)s::text[] IS NULL OR e.equipment_id = ANY (%(equipment)s))
  AND NOT EXISTS (SELECT FROM visits o WHERE (o.plan_id, o.community_id, o.equipment_id)
                      = (%(plan_id)s, v.community_id, v.equipment_id) AND o.done_at IS NULL)

-- name: change_plan
UPDATE visit_plans SET (title_zh, title_en, kinds, party, every, ahead, overdue, items, basis, enabled, equipment, reason, since)
    = (%(title_zh)s, %(title_en)s, %(kinds)s, %(party)s, %(every)s, %(ahead)s, %(overdue)s, %(items)s, %(basis)s, %(enabled)s,
       %(equipment)s, %(reason)s, %(since)s) WHERE plan_id = %(plan_id)s

-- name: overdue
SELECT v.visit_id, v.community_id, v.equipment_id, v.due_at, p.overdue, p.title_zh, p.title_en
FROM visits v JOIN visit_plans p USING (plan_id)
WHERE v.done_at IS NULL AND v.overdue_case IS NULL AND v.due_at < %(now)s AND p.overdue IS NOT NULL AND p.enabled
ORDER BY v.visit_id LIMIT %(at_most)s FOR UPDATE OF v SKIP LOCKED

-- name: overdue_case
UPDATE visits SET overdue_case = %(case_id)s WHERE visit_id = %(visit_id)s

-- name: visit
SELECT v.visit_id, v.plan_id, v.community_id, v.equipment_id, v.org_id, v.due_at, v.done_at, p.title_zh, p.title_en, p.items
FROM visits v JOIN visit_plans p USING (plan_id) WHERE v.visit_id = %s FOR UPDATE OF v

-- name: done
UPDATE visits SET (done_at, person_id, results, signature, note)
    = (%(now)s, %(person)s, %(results)s, %(signature)s, %(note)s) WHERE visit_id = %(visit_id)s

-- name: unfiled
-- Visits whose failed items are no cases yet.
SELECT v.visit_id, v.community_id, v.equipment_id, v.results, v.note, v.person_id::text, p.title_zh, p.title_en, p.items
FROM visits v JOIN visit_plans p USING (plan_id) WHERE v.done_at IS NOT NULL AND v.found_cases IS NULL
ORDER BY v.visit_id LIMIT %(at_most)s FOR UPDATE OF v SKIP LOCKED

-- name: found_cases
UPDATE visits SET found_cases = %(cases)s WHERE visit_id = %(visit_id)s

-- name: visits
SELECT v.visit_id, v.plan_id, p.title_zh, p.title_en, v.community_id, c.name AS community, v.equipment_id,
       coalesce(e.name, v.equipment_id) AS equipment, v.org_id, v.due_at, v.done_at, v.overdue_case, v.found_cases, p.items, v.results
FROM visits v JOIN visit_plans p USING (plan_id) JOIN communities c ON c.community_id = v.community_id
LEFT JOIN equipment e ON (e.community_id, e.equipment_id) = (v.community_id, v.equipment_id)
WHERE (%(org)s::text IS NULL OR v.org_id = %(org)s) AND (%(community)s::text IS NULL OR v.community_id = %(community)s)
  AND (%(open)s::boolean IS NULL OR (v.done_at IS NULL) = %(open)s)
ORDER BY v.done_at DESC NULLS FIRST, v.due_at, v.visit_id LIMIT %(at_most)s

-- name: hand_over
INSERT INTO duty_handovers (community_id, post, from_person, to_person, at, note, open_cases, open_warnings)
SELECT %(community)s, %(post)s, %(from)s, %(to)s, %(now)s, %(note)s,
       coalesce((SELECT array_agg(case_id ORDER BY life_safety DESC, class, case_id) FROM cases
                 WHERE community_id = %(community)s AND closed_at IS NULL), '{}'),
       (SELECT count(*) FROM warnings WHERE community_id = %(community)s AND status = 'open')
RETURNING handover_id

-- name: acknowledge
UPDATE duty_handovers SET acknowledged_at = %(now)s
WHERE handover_id = %(id)s AND to_person = %(person)s AND acknowledged_at IS NULL RETURNING handover_id

-- name: hand_overs
SELECT h.handover_id, h.community_id, h.post, f.login AS from_login, f.name AS from_name, t.login AS to_login, t.name AS to_name,
       h.at, h.note, h.open_cases, h.open_warnings, h.acknowledged_at
FROM duty_handovers h JOIN people f ON f.person_id = h.from_person JOIN people t ON t.person_id = h.to_person
WHERE h.community_id = %s ORDER BY h.at DESC, h.handover_id DESC LIMIT %s

-- name: told
-- Who was told of a case, when and how.
SELECT n.created_at AS at, n.sent_at, n.channel, n.status, n.org_id, o.name AS organisation, p.name AS person, n.title
FROM notifications n LEFT JOIN organisations o USING (org_id) LEFT JOIN people p ON p.person_id = n.person_id
WHERE n.case_id = %s ORDER BY n.notification_id
