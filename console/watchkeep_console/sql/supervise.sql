-- What the supervisor's overview asks for; everything under row-level security.

-- name: by_company
-- Each company's open work, and its mean times of the last 30 days in minutes. Recorded data and tests do not count.
SELECT m.property_org_id AS org_id, g.name, coalesce(g.name_en, '') AS name_en, count(DISTINCT m.community_id) AS communities,
       count(c.case_id) FILTER (WHERE c.closed_at IS NULL AND c.class = 'A') AS a,
       count(c.case_id) FILTER (WHERE c.closed_at IS NULL AND c.class = 'B') AS b,
       count(c.case_id) FILTER (WHERE c.closed_at IS NULL AND c.class = 'C') AS c,
       count(c.case_id) FILTER (WHERE c.closed_at IS NULL AND d.due_at < %(now)s) AS overdue,
       count(c.case_id) FILTER (WHERE c.closed_at IS NULL AND x.rung IS NOT NULL) AS escalated,
       count(c.case_id) FILTER (WHERE c.filed_at >= %(since)s) AS filed,
       avg(extract(epoch FROM o.responded_at - o.dispatched_at) / 60) FILTER (WHERE o.dispatched_at >= %(since)s) AS respond_min,
       avg(extract(epoch FROM o.finished_at - o.dispatched_at) / 60) FILTER (WHERE o.dispatched_at >= %(since)s) AS finish_min
FROM communities m LEFT JOIN organisations g ON g.org_id = m.property_org_id
LEFT JOIN cases c ON c.community_id = m.community_id AND NOT c.replay AND c.source <> 'test'
     AND (c.closed_at IS NULL OR c.filed_at >= %(since)s)
LEFT JOIN LATERAL (SELECT * FROM orders WHERE orders.case_id = c.case_id AND orders.lead ORDER BY order_id DESC LIMIT 1) o ON true
LEFT JOIN LATERAL (SELECT max(level) AS rung FROM escalations WHERE escalations.order_id = o.order_id) x ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN o.closed_at IS NOT NULL OR o.finished_at IS NOT NULL THEN NULL WHEN o.responded_at IS NULL THEN o.respond_due
                WHEN o.arrived_at IS NULL AND o.arrive_due IS NOT NULL THEN o.arrive_due ELSE o.finish_due END AS due_at) d
WHERE m.mode = 'live' AND (%(area)s::text IS NULL OR EXISTS (
    SELECT FROM areas a WHERE a.area_id = m.area_id AND a.path @> ARRAY[%(area)s]))
GROUP BY m.property_org_id, g.name, g.name_en ORDER BY overdue DESC, a DESC, g.name

-- name: latest_escalations
SELECT x.order_id, o.case_id, x.clock, x.level, x.to_party, x.fired_at, c.title_zh, c.title_en, c.class, c.community_id,
       m.name AS community, m.name_en AS community_en, m.timezone, g.name AS org, coalesce(g.name_en, '') AS org_en
FROM escalations x JOIN orders o USING (order_id) JOIN cases c ON c.case_id = o.case_id
JOIN communities m ON m.community_id = c.community_id JOIN organisations g ON g.org_id = o.org_id
WHERE o.closed_at IS NULL AND NOT c.replay AND (%(area)s::text IS NULL OR EXISTS (
    SELECT FROM areas a WHERE a.area_id = m.area_id AND a.path @> ARRAY[%(area)s]))
ORDER BY x.fired_at DESC, x.level DESC LIMIT 15

-- name: areas_seen
-- Areas that hold communities I see, and what they lie in.
SELECT a.area_id, a.name, a.name_en, a.kind, cardinality(a.path) AS depth FROM areas a
WHERE EXISTS (SELECT FROM communities c JOIN areas b USING (area_id) WHERE b.path @> ARRAY[a.area_id])
  AND (a.path && %(mine)s OR cardinality(%(mine)s::text[]) = 0)
ORDER BY a.path

-- name: possible_units
-- Who may be named responsible for an entry of the ledger: those of the community, and public bodies.
SELECT DISTINCT o.org_id, o.name FROM organisations o
LEFT JOIN contracts k ON k.provider_org_id = o.org_id LEFT JOIN communities c ON c.property_org_id = o.org_id
WHERE o.area_id IS NOT NULL OR k.community_id IS NOT NULL OR c.community_id IS NOT NULL ORDER BY o.name LIMIT 500

-- name: english_names
SELECT org_id, name_en FROM organisations WHERE name_en <> ''
UNION ALL SELECT community_id, name_en FROM communities WHERE name_en <> ''
