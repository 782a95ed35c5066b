-- name: running
-- Orders with a clock that runs, and what has fired for them. In order of id: two schedulers wait for each other instead
-- of blocking each other.
SELECT o.order_id, o.dispatched_at, o.respond_due, o.arrive_due, o.finish_due, o.responded_at IS NOT NULL AS respond_done,
       o.arrived_at IS NOT NULL AS arrive_done, o.finished_at IS NOT NULL AS finish_done,
       CASE WHEN m.mode = 'replay' THEN coalesce(w.ts, %(now)s::timestamptz) ELSE %(now)s::timestamptz END AS now,
       coalesce(e.fired, '{}') AS fired
FROM orders o JOIN communities m USING (community_id) LEFT JOIN replay_watermarks w USING (community_id)
LEFT JOIN (SELECT order_id, array_agg(clock || '/' || level) AS fired FROM escalations
           WHERE order_id IN (SELECT order_id FROM orders WHERE closed_at IS NULL) GROUP BY order_id) e USING (order_id)
WHERE o.closed_at IS NULL AND o.lead AND o.state <> 'suspended' AND o.finished_at IS NULL
ORDER BY o.order_id

-- name: fire
INSERT INTO escalations (order_id, clock, level, to_party, due_at, fired_at)
VALUES (%(order)s, %(clock)s, %(level)s, %(party)s, %(due)s, %(now)s)
ON CONFLICT DO NOTHING RETURNING level

-- name: concerned
-- Whom the chain of an order reaches.
SELECT o.case_id, o.org_id, c.title_zh, c.replay, c.life_safety, c.first_responder_id, c.supervising_org_id,
       m.name AS community,
       (SELECT g.org_id FROM organisations g WHERE g.kind = 'subdistrict' AND (g.area_id IS NULL OR g.area_id = ANY (a.path))
        ORDER BY array_position(a.path, g.area_id) DESC NULLS LAST, g.org_id LIMIT 1) AS subdistrict,
       (SELECT g.org_id FROM organisations g WHERE g.kind = 'housing_bureau' AND (g.area_id IS NULL OR g.area_id = ANY (a.path))
        ORDER BY array_position(a.path, g.area_id) DESC NULLS LAST, g.org_id LIMIT 1) AS housing_bureau
FROM orders o JOIN cases c USING (case_id) JOIN communities m ON m.community_id = o.community_id JOIN areas a USING (area_id)
WHERE o.order_id = %s
