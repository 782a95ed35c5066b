-- Pauses asked for, and what was decided.

-- name: asked
-- The request of an order that still holds.
SELECT request_id, asked_by::text, asked_at, reason FROM suspension_requests
WHERE order_id = %(order_id)s AND decision IS NULL AND asked_at > %(since)s
FOR UPDATE

-- name: lapse
UPDATE suspension_requests SET decision = 'lapsed', decided_at = %(now)s WHERE order_id = %(order_id)s AND decision IS NULL

-- name: ask
INSERT INTO suspension_requests (case_id, order_id, asked_by, asked_at, reason)
VALUES (%(case_id)s, %(order_id)s, %(person)s, %(now)s, %(reason)s) RETURNING request_id

-- name: decide
UPDATE suspension_requests SET decision = %(decision)s, decided_by = %(person)s, decided_at = %(now)s, remark = %(remark)s
WHERE request_id = %(request_id)s

-- name: list
SELECT r.request_id, r.case_id, r.order_id, c.title_zh, a.login AS asked_by, r.asked_at, r.reason,
       CASE WHEN r.decision IS NOT NULL THEN r.decision
            WHEN r.asked_at > %(since)s AND o.state = 'on_site' AND o.closed_at IS NULL THEN 'asked' ELSE 'lapsed' END AS state,
       d.login AS decided_by, r.decided_at, r.remark
FROM suspension_requests r JOIN cases c USING (case_id) JOIN orders o USING (order_id)
JOIN people a ON a.person_id = r.asked_by LEFT JOIN people d ON d.person_id = r.decided_by
WHERE %(case)s::bigint IS NULL OR r.case_id = %(case)s
ORDER BY r.request_id DESC
