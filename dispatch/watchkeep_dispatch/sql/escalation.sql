-- name: running
-- Orders with a clock that runs, those of helpers too, and what has fired for them. In order of id: two schedulers wait for each other instead
-- of blocking each other.
SELECT o.order_id, o.case_id, o.dispatched_at, o.respond_due, o.arrive_due, o.finish_due, o.verify_due,
       o.responded_at IS NOT NULL AS respond_done, o.arrived_at IS NOT NULL AS arrive_done, o.finished_at,
       CASE WHEN m.mode = 'replay' THEN coalesce(w.ts, %(now)s::timestamptz) ELSE %(now)s::timestamptz END AS now,
       coalesce(e.fired, '{}') AS fired
FROM orders o JOIN communities m USING (community_id) LEFT JOIN replay_watermarks w USING (community_id)
LEFT JOIN (SELECT order_id, array_agg(clock || '/' || level) AS fired FROM escalations
           WHERE order_id IN (SELECT order_id FROM orders WHERE closed_at IS NULL) GROUP BY order_id) e USING (order_id)
WHERE o.closed_at IS NULL AND o.state <> 'suspended' AND (o.finished_at IS NULL OR o.state = 'resolved')
  AND (o.lead OR NOT EXISTS (SELECT FROM cases c WHERE c.case_id = o.case_id AND c.state = 'suspended'))
ORDER BY o.order_id

-- name: cases_running
-- Cases that nobody has, and closed ones whose reporter still waits for a call.
WITH waiting AS (
    SELECT c.case_id, c.community_id, 'dispatch' AS clock,
           coalesce((SELECT max(t.at) FROM transitions t WHERE t.case_id = c.case_id AND t.action = 'return'), c.filed_at) AS since
    FROM cases c
    WHERE c.state IN ('filed', 'returned') AND c.closed_at IS NULL
      AND NOT EXISTS (SELECT FROM orders o WHERE o.case_id = c.case_id AND o.lead AND o.closed_at IS NULL)
    UNION ALL
    SELECT c.case_id, c.community_id, 'callback', c.closed_at
    FROM cases c
    WHERE c.state = 'closed' AND c.closed_at > %(since)s AND c.source = ANY (%(sources)s) AND NOT c.replay
      AND NOT EXISTS (SELECT FROM case_callbacks b WHERE b.case_id = c.case_id AND b.at >= c.closed_at)
)
SELECT x.case_id, x.clock, x.since,
       CASE WHEN m.mode = 'replay' THEN coalesce(w.ts, %(now)s::timestamptz) ELSE %(now)s::timestamptz END AS now,
       coalesce((SELECT array_agg(e.clock || '/' || e.level) FROM case_escalations e
                 WHERE e.case_id = x.case_id AND e.since = x.since), '{}') AS fired
FROM waiting x JOIN communities m USING (community_id) LEFT JOIN replay_watermarks w USING (community_id)
ORDER BY x.case_id

-- name: fire
INSERT INTO escalations (order_id, clock, level, to_party, due_at, fired_at, persons)
VALUES (%(order)s, %(clock)s, %(level)s, %(party)s, %(due)s, %(now)s, %(persons)s::uuid[])
ON CONFLICT DO NOTHING RETURNING level

-- name: fire_case
INSERT INTO case_escalations (case_id, clock, level, since, to_party, due_at, fired_at, persons)
VALUES (%(case)s, %(clock)s, %(level)s, %(since)s, %(party)s, %(due)s, %(now)s, %(persons)s::uuid[])
ON CONFLICT DO NOTHING RETURNING level

-- name: concerned
-- Whom the chain of a case, or of one of its orders, reaches.
SELECT c.case_id, coalesce(o.org_id, c.responsible_org_id) AS org_id, c.title_zh, c.title_en, c.replay, c.life_safety,
       c.first_responder_id, c.supervising_org_id, c.community_id, m.name AS community, a.path AS areas,
       (SELECT g.org_id FROM organisations g WHERE g.kind = 'subdistrict' AND (g.area_id IS NULL OR g.area_id = ANY (a.path))
        ORDER BY array_position(a.path, g.area_id) DESC NULLS LAST, g.org_id LIMIT 1) AS subdistrict,
       (SELECT g.org_id FROM organisations g WHERE g.kind = 'housing_bureau' AND (g.area_id IS NULL OR g.area_id = ANY (a.path))
        ORDER BY array_position(a.path, g.area_id) DESC NULLS LAST, g.org_id LIMIT 1) AS housing_bureau
FROM cases c JOIN communities m USING (community_id) JOIN areas a USING (area_id)
LEFT JOIN orders o ON o.case_id = c.case_id AND o.order_id = %(order)s
WHERE c.case_id = %(case)s

-- name: handlers
-- Whoever has the order; while nobody has, those on call.
SELECT p.person_id::text FROM orders o JOIN people p ON p.person_id = o.assignee_id AND p.active WHERE o.order_id = %(order)s
UNION
SELECT s.person_id::text FROM orders o JOIN rota_shifts s USING (org_id)
WHERE o.order_id = %(order)s AND o.assignee_id IS NULL AND s.during @> %(now)s::timestamptz
  AND (s.community_id IS NULL OR s.community_id = o.community_id)

-- name: in_roles
SELECT DISTINCT m.person_id::text FROM memberships m JOIN people p USING (person_id)
WHERE p.active AND m.valid @> %(now)s::timestamptz AND m.role = ANY (%(roles)s) AND CASE m.scope_kind
    WHEN 'organisation' THEN m.scope_id = %(org)s
    WHEN 'community' THEN m.scope_id = %(community)s
    ELSE m.scope_id = ANY (%(areas)s) END
ORDER BY 1

-- name: language
SELECT language FROM people WHERE person_id = %s

-- name: tell_person
-- In the application it is delivered by being written.
INSERT INTO notifications (dedup_key, case_id, order_id, person_id, channel, language, title, body, status, created_at, sent_at)
VALUES (%(dedup_key)s, %(case_id)s, %(order_id)s, %(person)s, %(channel)s, %(language)s, %(title)s, %(body)s, 'sent', %(now)s, %(now)s)
ON CONFLICT (dedup_key) DO NOTHING
