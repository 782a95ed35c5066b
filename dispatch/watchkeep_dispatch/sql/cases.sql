-- Cases, orders and their history. Every statement runs in the caller's transaction.

-- name: case_for_update
-- NO KEY: whoever merely writes a row about the case (a notification, another warning of it) does not wait.
SELECT c.case_id, c.community_id, m.name AS community, c.equipment_id, c.condition, c.class AS case_class, c.life_safety,
       c.state, c.title_zh, c.duty_id, c.first_responder_id, c.responsible_org_id, c.supervising_org_id, c.event_at,
       c.closed_at, c.replay, c.version,
       CASE WHEN c.replay THEN coalesce((SELECT w.ts FROM replay_watermarks w WHERE w.community_id = c.community_id),
                                        %(now)s::timestamptz)
            ELSE %(now)s::timestamptz END AS now
FROM cases c JOIN communities m USING (community_id)
WHERE c.case_id = %(case_id)s
FOR NO KEY UPDATE OF c

-- name: open_orders
INSERT INTO orders (case_id, community_id, equipment_id, org_id, lead, assignee_id, state, dispatched_at, responded_at,
                    respond_due, arrive_due, finish_due)
SELECT case_id, community_id, equipment_id, org_id, true, assignee_id, state, dispatched_at, responded_at, respond_due,
       arrive_due, finish_due
FROM jsonb_to_recordset(%s) AS r (case_id bigint, community_id text, equipment_id text, org_id text, assignee_id uuid,
                                  state text, dispatched_at timestamptz, responded_at timestamptz, respond_due timestamptz,
                                  arrive_due timestamptz, finish_due timestamptz)
RETURNING case_id, order_id

-- name: note
INSERT INTO transitions (case_id, order_id, action, from_state, to_state, person_id, at, note, idempotency_key)
SELECT case_id, order_id, action, from_state, to_state, person_id, at, note, idempotency_key
FROM jsonb_to_recordset(%s) AS r (case_id bigint, order_id bigint, action text, from_state text, to_state text, person_id uuid,
                                  at timestamptz, note text, idempotency_key text)

-- name: step_case
-- Compare and set.
UPDATE cases SET state = %(to)s, version = version + 1,
                 closed_at = CASE WHEN %(final)s THEN %(now)s::timestamptz END
WHERE case_id = %(case_id)s AND version = %(version)s
RETURNING version

-- name: step_order
UPDATE orders SET state = %(to)s, version = version + 1,
    responded_at = CASE WHEN %(action)s IN ('accept', 'arrive') THEN coalesce(responded_at, %(now)s) ELSE responded_at END,
    arrived_at = CASE WHEN %(action)s = 'arrive' THEN coalesce(arrived_at, %(now)s) ELSE arrived_at END,
    finished_at = CASE WHEN %(action)s = 'finish' THEN %(now)s ELSE finished_at END,
    assignee_id = CASE %(action)s WHEN 'accept' THEN %(person)s WHEN 'arrive' THEN coalesce(assignee_id, %(person)s)
                  ELSE assignee_id END,
    verify_due = coalesce(%(verify_due)s::timestamptz, verify_due),
    closed_at = CASE WHEN %(ends)s THEN %(now)s::timestamptz END
WHERE order_id = %(order_id)s

-- name: resume_order
-- Approved pauses do not count: the finish deadline moves by the time since the order was suspended.
UPDATE orders o SET finish_due = b.due + (%(now)s::timestamptz - (
    SELECT max(t.at) FROM transitions t WHERE t.order_id = o.order_id AND t.action = 'suspend'))
FROM (SELECT order_id, finish_due AS due FROM orders WHERE order_id = %(order_id)s) b
WHERE o.order_id = b.order_id RETURNING b.due, o.finish_due

-- name: extend_order
UPDATE orders SET finish_due = %(due)s WHERE order_id = %(order_id)s

-- name: change_deadline
INSERT INTO deadline_changes (case_id, order_id, clock, kind, from_due, to_due, reason, person_id, approver_id, at)
VALUES (%(case_id)s, %(order_id)s, 'finish', %(kind)s, %(from_due)s, %(to_due)s, %(reason)s, %(person)s, %(approver)s, %(now)s)

-- name: first_finish_due
-- The deadline before the first extension of an order.
SELECT from_due FROM deadline_changes WHERE order_id = %s AND kind = 'extension' ORDER BY change_id LIMIT 1

-- name: call_back
INSERT INTO case_callbacks (case_id, person_id, at, reached, satisfied, note)
VALUES (%(case_id)s, %(person)s, %(now)s, %(reached)s, %(satisfied)s, %(note)s) RETURNING callback_id

-- name: lead_order
SELECT order_id, org_id, assignee_id::text, state, dispatched_at, arrived_at, respond_due, arrive_due, finish_due
FROM orders WHERE case_id = %s AND lead AND closed_at IS NULL FOR UPDATE

-- name: case_facts
-- What the guards ask. A warning that this person may not see counts as not cleared.
SELECT coalesce((SELECT array_agg(DISTINCT person_id::text) FROM transitions
                 WHERE case_id = c.case_id AND action IN ('accept', 'arrive', 'finish', 'help_accept', 'help_arrive', 'help_finish')
                   AND person_id IS NOT NULL), '{}') AS handlers,
       coalesce((SELECT array_agg(DISTINCT kind) FROM evidence WHERE case_id = c.case_id), '{}') AS evidence,
       (SELECT count(*) FROM case_warnings x LEFT JOIN warnings w USING (warning_id)
        WHERE x.case_id = c.case_id AND w.status IS DISTINCT FROM 'cleared') AS open_warnings,
       EXISTS (SELECT FROM orders o WHERE o.case_id = c.case_id AND o.arrived_at IS NOT NULL) AS was_on_site,
       coalesce((SELECT evidence FROM duties d WHERE d.duty_id = c.duty_id), '{}') AS needed,
       coalesce((SELECT array_agg(DISTINCT org_id) FROM orders o WHERE o.case_id = c.case_id AND o.state = 'returned'), '{}')
           AS returned_by,
       (SELECT max(w.cleared_at) FROM case_warnings x JOIN warnings w USING (warning_id) WHERE x.case_id = c.case_id) AS cleared_at,
       (SELECT clear_for FROM duties d WHERE d.duty_id = c.duty_id) AS clear_for,
       open_helpers(c.case_id) AS open_helpers
FROM cases c WHERE c.case_id = %s

-- name: roles
-- Roles of a person that cover this case: through its area, its community, or an organisation that has to do with it.
SELECT roles, organisations FROM roles_towards(%(person)s, %(community)s, %(organisations)s)

-- name: done_with_key
SELECT case_id, action FROM transitions WHERE idempotency_key = %s

-- name: org_names
SELECT org_id, name FROM organisations WHERE org_id = ANY (%s)

-- name: add_evidence
INSERT INTO evidence (case_id, order_id, kind, note, media_type, content, sha256, original_sha256, latitude, longitude, taken_at,
                      matches, person_id, at)
VALUES (%(case_id)s, %(order_id)s, %(kind)s, %(note)s, %(media_type)s, %(content)s, %(sha256)s, %(original)s, %(latitude)s,
        %(longitude)s, %(taken_at)s, %(matches)s, %(person)s, %(now)s)

-- name: scan_matches
-- The token in the QR code, or one of the numbers beside it.
SELECT lower(%(code)s) IN (report_token::text, lower(equipment_id), nullif(lower(registration_code), ''))
FROM equipment WHERE community_id = %(community)s AND equipment_id = %(equipment)s

-- name: enter_ledger
INSERT INTO ledger_entries (case_id, responsible_org_id, entered_at, reason) VALUES (%s, %s, %s, %s)
ON CONFLICT (case_id) DO UPDATE SET (responsible_org_id, entered_at, reason, struck_at)
    = (excluded.responsible_org_id, excluded.entered_at, excluded.reason, NULL)

-- name: strike_ledger
UPDATE ledger_entries SET struck_at = %s WHERE case_id = %s

-- name: redirect_case
UPDATE cases SET responsible_org_id = %s WHERE case_id = %s

-- name: waiting_cases
-- Filed or returned, and nobody has it.
SELECT case_id FROM cases c
WHERE state IN ('filed', 'returned') AND closed_at IS NULL
  AND NOT EXISTS (SELECT FROM orders o WHERE o.case_id = c.case_id AND o.lead AND o.closed_at IS NULL)
ORDER BY life_safety DESC, class, case_id
LIMIT 100
FOR UPDATE SKIP LOCKED

-- name: returned_by
SELECT DISTINCT org_id FROM orders WHERE case_id = %s AND state = 'returned'

-- name: dismiss_waiting
DELETE FROM unjudged WHERE warning_id = %s RETURNING life_safety

-- name: verdict
INSERT INTO verdicts (warning_id, verdict, rule, reason, person_id, at) VALUES (%s, %s, %s, %s, %s, %s)

-- name: warnings_of_case
SELECT warning_id FROM case_warnings WHERE case_id = %s

-- name: end_orders
UPDATE orders SET state = %(to)s, version = version + 1, closed_at = %(now)s
WHERE case_id = %(case_id)s AND closed_at IS NULL RETURNING order_id

-- name: end_helpers
UPDATE orders SET state = %(to)s, version = version + 1, closed_at = %(now)s
WHERE case_id = %(case_id)s AND NOT lead AND closed_at IS NULL

-- name: open_helper
INSERT INTO orders (case_id, community_id, equipment_id, org_id, lead, state, dispatched_at, respond_due, arrive_due, finish_due)
VALUES (%(case_id)s, %(community)s, %(equipment)s, %(org)s, false, 'dispatched', %(now)s, %(respond)s, %(arrive)s, %(finish)s)
RETURNING order_id

-- name: helps_already
SELECT org_id FROM orders WHERE case_id = %s AND org_id = %s AND closed_at IS NULL

-- name: helper
SELECT order_id, case_id, org_id, state FROM orders WHERE order_id = %s AND NOT lead AND closed_at IS NULL FOR UPDATE

-- name: step_helper
UPDATE orders SET state = %(to)s, version = version + 1,
    responded_at = coalesce(responded_at, %(now)s),
    arrived_at = CASE WHEN %(to)s = 'on_site' THEN %(now)s ELSE arrived_at END,
    finished_at = CASE WHEN %(to)s = 'resolved' THEN %(now)s ELSE finished_at END,
    closed_at = CASE WHEN %(ends)s THEN %(now)s::timestamptz END,
    assignee_id = coalesce(%(person)s, assignee_id)
WHERE order_id = %(order_id)s

-- name: merge_into
UPDATE cases SET parent_case_id = %(into)s WHERE case_id = %(case_id)s

-- name: move_warnings
UPDATE case_warnings SET case_id = %(into)s, role = 'symptom' WHERE case_id = %(case_id)s
