-- Plans of preventive work, and what comes next by them.

-- name: plans
SELECT p.plan_id, p.community_id, c.name AS community, coalesce(c.name_en, '') AS community_en, p.replaces,
       coalesce(g.title_zh, '') AS general_zh, coalesce(g.title_en, '') AS general_en, p.equipment, p.reason, p.title_zh, p.title_en,
       p.kinds, p.party, p.every, p.ahead, p.overdue, p.items, p.basis, p.enabled, coalesce(a.pieces, 0) AS pieces, a.next_due,
       coalesce(a.soon, 0) AS soon, coalesce(a.late, 0) AS late
FROM visit_plans p LEFT JOIN communities c USING (community_id) LEFT JOIN visit_plans g ON g.plan_id = p.replaces
LEFT JOIN (
    SELECT d.plan_id, count(*) AS pieces, min(d.due_at) FILTER (WHERE d.enabled AND d.due_at >= %(now)s) AS next_due,
           count(*) FILTER (WHERE d.enabled AND d.due_at >= %(now)s AND d.due_at < %(soon)s) AS soon,
           count(*) FILTER (WHERE d.enabled AND d.due_at < %(now)s) AS late
    FROM visits_ahead d
    WHERE (%(community)s::text IS NULL OR d.community_id = %(community)s) AND (%(plan)s::text IS NULL OR d.plan_id = %(plan)s)
    GROUP BY 1) a ON a.plan_id = p.plan_id
WHERE (%(plan)s::text IS NULL OR p.plan_id = %(plan)s)
  AND (%(community)s::text IS NULL OR p.community_id IS NULL OR p.community_id = %(community)s)
ORDER BY a.pieces IS NULL, NOT p.enabled, a.late DESC NULLS LAST, a.next_due, p.title_zh, p.plan_id LIMIT 500

-- name: ahead
-- Each piece of equipment of a plan, or each plan of a piece of equipment, what is due first.
SELECT a.plan_id, p.title_zh, p.title_en, p.every, a.enabled, a.community_id, c.name AS community, coalesce(c.name_en, '') AS community_en,
       c.timezone, a.equipment_id, e.name AS equipment, coalesce(e.name_en, '') AS equipment_en, a.visit_id, a.done_at, a.due_at,
       o.name AS org, coalesce(o.name_en, '') AS org_en, a.total
FROM (
    SELECT d.*, count(*) OVER () AS total FROM visits_ahead d
    WHERE (%(plan)s::text IS NULL OR d.plan_id = %(plan)s) AND (%(community)s::text IS NULL OR d.community_id = %(community)s)
      AND (%(equipment)s::text IS NULL OR d.equipment_id = %(equipment)s)
      AND CASE %(shown)s::text WHEN 'late' THEN d.due_at < %(now)s WHEN 'soon' THEN d.due_at >= %(now)s AND d.due_at < %(soon)s
          ELSE true END
    ORDER BY d.due_at, d.community_id, d.equipment_id, d.plan_id LIMIT %(limit)s OFFSET %(offset)s) a
JOIN visit_plans p USING (plan_id) JOIN communities c ON c.community_id = a.community_id
JOIN equipment e ON (e.community_id, e.equipment_id) = (a.community_id, a.equipment_id)
LEFT JOIN visits v USING (visit_id)
LEFT JOIN organisations o ON o.org_id = coalesce(v.org_id, visit_org(a.community_id, a.kind, a.party, %(now)s))
ORDER BY a.due_at, a.community_id, a.equipment_id, a.plan_id

-- name: month_ahead
-- Visits of a month that are not open yet, by day and plan.
SELECT (s.at AT TIME ZONE c.timezone)::date AS day, d.plan_id, p.title_zh, p.title_en, count(*) AS pieces
FROM visits_ahead d JOIN visit_plans p USING (plan_id) JOIN communities c ON c.community_id = d.community_id
CROSS JOIN LATERAL generate_series(
    d.due_at + d.every * greatest(0, ceil(extract(epoch FROM %(since)s - d.due_at) / extract(epoch FROM d.every)))::integer,
    %(until)s - interval '1 s', d.every) AS s (at)
WHERE d.enabled AND s.at >= %(since)s AND s.at >= %(now)s AND (d.visit_id IS NULL OR s.at > d.due_at)
  AND (%(community)s::text IS NULL OR d.community_id = %(community)s) AND (%(plan)s::text IS NULL OR d.plan_id = %(plan)s)
GROUP BY 1, 2, 3, 4 ORDER BY 1, 5 DESC, 2 LIMIT 1000

-- name: kinds
-- What a community has, to plan for.
SELECT kind, count(*) AS pieces FROM equipment WHERE community_id = %(community)s AND status = 'in_service' GROUP BY 1 ORDER BY 1

-- name: pieces
SELECT equipment_id, name, coalesce(name_en, '') AS name_en FROM equipment
WHERE community_id = %(community)s AND kind = ANY (%(kinds)s) AND status = 'in_service' ORDER BY name, equipment_id LIMIT 1000
