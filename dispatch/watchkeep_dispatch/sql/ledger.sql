-- name: open_request
INSERT INTO fund_requests (case_id, trigger, estimate, reason, state, due_at, opened_at)
VALUES (%(case_id)s, %(trigger)s, %(estimate)s, %(reason)s, 'requested', %(due)s, %(now)s) RETURNING request_id

-- name: has_request
SELECT request_id FROM fund_requests WHERE case_id = %s AND closed_at IS NULL

-- name: request
SELECT f.request_id, f.case_id, f.state, f.due_at, f.estimate,
       coalesce((SELECT array_agg(s.person_id::text) FROM fund_steps s WHERE s.request_id = f.request_id), '{}') AS persons
FROM fund_requests f WHERE f.request_id = %s FOR UPDATE

-- name: step_request
UPDATE fund_requests SET state = %(to)s, due_at = %(due)s, settled = coalesce(%(settled)s, settled),
    closed_at = CASE WHEN %(ends)s THEN %(now)s::timestamptz END
WHERE request_id = %(id)s

-- name: note_step
INSERT INTO fund_steps (request_id, action, from_state, to_state, person_id, at, note)
VALUES (%(id)s, %(action)s, %(from)s, %(to)s, %(person)s, %(now)s, %(note)s)

-- name: requests
SELECT f.request_id, f.case_id, c.title_zh, f.trigger, f.estimate::float8 AS estimate, f.reason, f.state, f.due_at, f.opened_at,
       f.settled::float8 AS settled, f.closed_at,
       (SELECT jsonb_agg(jsonb_build_object('action', s.action, 'to', s.to_state, 'at', s.at, 'person', p.name, 'note', s.note)
                         ORDER BY s.step_id) FROM fund_steps s JOIN people p USING (person_id) WHERE s.request_id = f.request_id) AS steps
FROM fund_requests f JOIN cases c USING (case_id)
WHERE (%(case_id)s::bigint IS NULL OR f.case_id = %(case_id)s) AND (NOT %(open)s OR f.closed_at IS NULL)
ORDER BY f.request_id DESC LIMIT 500

-- name: entries
-- The ledger: what could not be solved, with its last study.
SELECT l.case_id, c.title_zh, c.title_en, c.community_id, m.name AS community, c.class, c.source, l.reason, l.responsible_org_id,
       o.name AS responsible, l.entered_at, l.due_on, l.struck_at,
       (SELECT count(*) FROM ledger_studies s WHERE s.case_id = l.case_id)::integer AS studies,
       (SELECT s.finding FROM ledger_studies s WHERE s.case_id = l.case_id ORDER BY s.study_id DESC LIMIT 1) AS finding,
       EXISTS (SELECT FROM ledger_studies s WHERE s.case_id = l.case_id AND s.month = %(month)s) AS studied
FROM ledger_entries l JOIN cases c USING (case_id) JOIN communities m USING (community_id) JOIN areas a USING (area_id)
LEFT JOIN organisations o ON o.org_id = l.responsible_org_id
WHERE (%(area)s::text IS NULL OR %(area)s = ANY (a.path)) AND (%(all)s OR l.struck_at IS NULL) AND NOT c.replay
ORDER BY l.struck_at DESC NULLS FIRST, l.due_on NULLS FIRST, l.case_id LIMIT 5000

-- name: open_entry
SELECT case_id FROM ledger_entries WHERE case_id = %s AND struck_at IS NULL FOR UPDATE

-- name: study
INSERT INTO ledger_studies (case_id, month, finding, responsible_org_id, due_on, person_id, at)
VALUES (%(case_id)s, %(month)s, %(finding)s, %(org)s, %(due_on)s, %(person)s, %(now)s)

-- name: set_entry
UPDATE ledger_entries SET (responsible_org_id, due_on) = (%(org)s, %(due_on)s) WHERE case_id = %(case_id)s

-- name: agenda
-- Open cases that the ordinary way has not solved: the highest rung reached, how late, how often sent back.
SELECT c.case_id, c.title_zh, c.title_en, m.name AS community, c.class, c.state, c.filed_at, c.source, o.name AS responsible,
       x.rung, x.finish_due, x.returns, l.reason AS ledger_reason, l.entered_at, l.due_on,
       (SELECT s.finding FROM ledger_studies s WHERE s.case_id = c.case_id ORDER BY s.study_id DESC LIMIT 1) AS finding,
       EXISTS (SELECT FROM fund_requests f WHERE f.case_id = c.case_id AND f.closed_at IS NULL) AS fund
FROM cases c JOIN communities m USING (community_id) JOIN areas a USING (area_id)
LEFT JOIN organisations o ON o.org_id = c.responsible_org_id
LEFT JOIN ledger_entries l ON l.case_id = c.case_id AND l.struck_at IS NULL
CROSS JOIN LATERAL (
    SELECT greatest((SELECT max(e.level) FROM escalations e JOIN orders r USING (order_id) WHERE r.case_id = c.case_id),
                    (SELECT max(e.level) FROM case_escalations e WHERE e.case_id = c.case_id)) AS rung,
           (SELECT max(r.finish_due) FROM orders r WHERE r.case_id = c.case_id AND r.closed_at IS NULL) AS finish_due,
           (SELECT count(*) FROM orders r WHERE r.case_id = c.case_id AND r.state = 'returned')::integer AS returns) x
WHERE c.closed_at IS NULL AND NOT c.replay AND c.source <> 'test' AND %(area)s = ANY (a.path)
  AND (l.case_id IS NOT NULL OR x.rung >= 4 OR x.returns >= 2 OR x.finish_due < %(now)s)
ORDER BY c.class, c.case_id LIMIT 2000

-- name: area
SELECT area_id, kind, name FROM areas WHERE area_id = %s
