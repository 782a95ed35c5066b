-- name: make
INSERT INTO webhooks (person_id, url, secret, events) VALUES (my_person(), %(url)s, %(secret)s, %(events)s) RETURNING webhook_id

-- name: listing
SELECT webhook_id, url, events, created_at FROM webhooks
WHERE disabled_at IS NULL AND (%(id)s::bigint IS NULL OR webhook_id = %(id)s) ORDER BY webhook_id

-- name: remove
UPDATE webhooks SET disabled_at = now() WHERE webhook_id = %(id)s AND disabled_at IS NULL RETURNING webhook_id

-- name: deliveries
SELECT delivery_id, event, object_id, at, tries, status, answer, CASE WHEN status = 'waiting' THEN next_at END AS next_at
FROM webhook_deliveries WHERE webhook_id = %(id)s ORDER BY delivery_id DESC LIMIT 100

-- name: claim
-- A lease, not a lock: a sender that dies leaves its messages to the next one.
UPDATE webhook_deliveries d SET tries = tries + 1, next_at = %(until)s FROM webhooks w
WHERE w.webhook_id = d.webhook_id AND d.delivery_id IN (
    SELECT x.delivery_id FROM webhook_deliveries x WHERE x.status = 'waiting' AND x.next_at <= %(now)s
    ORDER BY x.next_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING d.delivery_id, d.event, d.object_id, d.at, d.tries, w.webhook_id, w.person_id::text, w.url, w.secret, w.disabled_at IS NULL

-- name: outcome
UPDATE webhook_deliveries SET status = %(status)s, answer = %(answer)s, next_at = %(next_at)s WHERE delivery_id = %(id)s
