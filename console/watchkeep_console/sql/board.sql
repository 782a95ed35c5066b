-- name: running
-- The clock that runs on each open lead order, and the rungs that it has passed.
SELECT r.*, ARRAY(SELECT x.level FROM escalations x WHERE (x.order_id, x.clock) = (r.order_id, r.clock)) AS fired
FROM (
    SELECT o.order_id, o.case_id, o.community_id, c.class AS case_class, c.condition,
           coalesce(e.name, o.equipment_id, '') AS equipment, coalesce(e.name_en, '') AS equipment_en,
           CASE WHEN o.finished_at IS NOT NULL THEN 'verify' WHEN o.responded_at IS NULL THEN 'respond'
                WHEN o.arrived_at IS NULL AND o.arrive_due IS NOT NULL THEN 'arrive' ELSE 'finish' END AS clock,
           CASE WHEN o.finished_at IS NOT NULL THEN o.verify_due WHEN o.responded_at IS NULL THEN o.respond_due
                WHEN o.arrived_at IS NULL AND o.arrive_due IS NOT NULL THEN o.arrive_due ELSE o.finish_due END AS due_at,
           coalesce(o.finished_at, o.dispatched_at) AS started
    FROM orders o JOIN cases c USING (case_id) JOIN communities m ON m.community_id = o.community_id
    LEFT JOIN equipment e ON (e.community_id, e.equipment_id) = (o.community_id, o.equipment_id)
    WHERE o.lead AND o.closed_at IS NULL AND o.state <> 'suspended' AND m.mode <> 'replay'
      AND (%(case)s::bigint IS NULL OR o.case_id = %(case)s)
      AND (%(community)s::text IS NULL OR o.community_id = %(community)s)) r
WHERE r.due_at IS NOT NULL ORDER BY r.due_at LIMIT 500

-- name: waiting
-- Warnings whose time at the desk runs: they are filed by themselves at the end of it.
SELECT u.warning_id, u.not_before AS at, w.community_id, w.proposed_class, w.condition,
       coalesce(e.name, w.equipment_id) AS equipment, coalesce(e.name_en, '') AS equipment_en
FROM unjudged u JOIN warnings w USING (warning_id) LEFT JOIN equipment e USING (community_id, equipment_id)
WHERE isfinite(u.not_before) AND u.not_before > %(now)s AND w.status = 'open'
  AND (%(community)s::text IS NULL OR w.community_id = %(community)s)
ORDER BY u.not_before LIMIT 100

-- name: sites
SELECT m.community_id, m.name, m.name_en, count(*) FILTER (WHERE w.status = 'open') AS open_warnings,
       min(w.proposed_class) FILTER (WHERE w.status = 'open') AS worst_class,
       (SELECT count(*) FROM cases c WHERE c.community_id = m.community_id AND c.closed_at IS NULL) AS open_cases
FROM communities m LEFT JOIN warnings w ON w.community_id = m.community_id AND w.status = 'open'
GROUP BY m.community_id, m.name, m.name_en
ORDER BY worst_class NULLS LAST, open_warnings DESC, m.community_id LIMIT 200

-- name: houses
SELECT b.building_id, b.name, b.storeys,
       least(0, (SELECT min(f.level) FROM floors f WHERE (f.community_id, f.building_id) = (b.community_id, b.building_id))) AS lowest
FROM buildings b WHERE b.community_id = %(community)s ORDER BY length(b.building_id), b.building_id LIMIT 200

-- name: standing
-- What stands in the community's buildings, with its worst open warning; at most so many that a page can show them.
SELECT e.equipment_id, e.kind, e.name, e.name_en, e.building_id, e.level,
       (SELECT min(w.proposed_class) FROM warnings w WHERE w.status = 'open'
        AND (w.community_id, w.equipment_id) = (e.community_id, e.equipment_id)) AS worst_class
FROM equipment e WHERE e.community_id = %(community)s AND e.status NOT IN ('retired', 'unclaimed')
ORDER BY worst_class NULLS LAST, e.equipment_id LIMIT 2000

-- name: told
-- Who was told of a case, how, and what became of it; persons by name, never by number.
SELECT n.created_at, n.sent_at, n.delivered_at, n.read_at, n.acted_at, n.status, n.title, coalesce(k.kind, n.channel) AS channel,
       coalesce(p.name, o.name, n.org_id, '') AS recipient,
       CASE WHEN p.name IS NULL THEN coalesce(o.name_en, '') ELSE '' END AS recipient_en, n.attempts, n.error <> '' AS failed
FROM notifications n LEFT JOIN people p USING (person_id) LEFT JOIN organisations o ON o.org_id = n.org_id
LEFT JOIN notification_channels k USING (channel_id)
WHERE n.case_id = %(case)s ORDER BY n.notification_id LIMIT 200

-- name: past
-- Earlier cases of the same equipment, those of the same condition first, with what the handler wrote at the end.
SELECT c.case_id, c.condition, c.class AS case_class, c.state, c.filed_at, c.closed_at,
       coalesce((SELECT t.note FROM transitions t WHERE t.case_id = c.case_id AND t.note <> ''
                 AND t.action IN ('finish', 'dismiss', 'strike') ORDER BY t.transition_id DESC LIMIT 1), '') AS fixed_by
FROM cases c
WHERE (c.community_id, c.equipment_id) = (%(community)s, %(equipment)s) AND c.case_id <> %(case)s
ORDER BY c.condition <> %(condition)s, c.case_id DESC LIMIT 8
