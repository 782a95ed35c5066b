-- name: save
INSERT INTO notifications (dedup_key, case_id, order_id, org_id, channel, language, title, body, created_at)
VALUES (%(dedup_key)s, %(case_id)s, %(order_id)s, %(org_id)s, %(channel)s, %(language)s, %(title)s, %(body)s, %(now)s)
ON CONFLICT (dedup_key) DO NOTHING RETURNING notification_id

-- name: load
SELECT n.org_id, n.case_id, n.channel, n.title, n.body, n.status,
       coalesce(c.life_safety, false) AS urgent, t.url, coalesce(t.enabled, false) AS enabled
FROM notifications n
LEFT JOIN cases c USING (case_id)
LEFT JOIN notification_channels t ON n.channel = 'channel/' || t.channel_id
WHERE n.notification_id = %s

-- name: fan_out
-- One row per channel that the organisation has set up.
INSERT INTO notifications (dedup_key, case_id, order_id, org_id, channel, language, title, body, created_at)
SELECT n.dedup_key || '/channel/' || t.channel_id, n.case_id, n.order_id, n.org_id, 'channel/' || t.channel_id, n.language,
       n.title, n.body, n.created_at
FROM notifications n JOIN notification_channels t ON t.org_id = n.org_id AND t.enabled
WHERE n.notification_id = %s
ON CONFLICT (dedup_key) DO NOTHING RETURNING notification_id

-- name: sent
UPDATE notifications SET status = 'sent', attempts = %(attempt)s, error = '', sent_at = clock_timestamp()
WHERE notification_id = %(id)s AND status IN ('queued', 'failed')

-- name: not_sent
UPDATE notifications SET status = %(status)s, attempts = %(attempt)s, error = %(error)s
WHERE notification_id = %(id)s AND status IN ('queued', 'failed')
