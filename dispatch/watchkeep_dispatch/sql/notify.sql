-- name: save
-- What the console shows: written = delivered there.
INSERT INTO notifications (dedup_key, case_id, order_id, org_id, channel, kind, words, urgent, language, title, body,
                           created_at, status, sent_at)
SELECT dedup_key, case_id, order_id, org_id, 'in_app', kind, words, urgent, language, title, body, %(now)s, 'sent', clock_timestamp()
FROM jsonb_to_recordset(%(rows)s) AS r (dedup_key text, case_id bigint, order_id bigint, org_id text, kind text, words jsonb,
                                        urgent boolean, language text, title text, body text)
ON CONFLICT (dedup_key) DO NOTHING RETURNING dedup_key, notification_id

-- name: address
SELECT DISTINCT channel_id, urgent FROM address_notifications(%s, %s, %s::uuid[])

-- name: save_person_test
INSERT INTO notifications (dedup_key, person_id, kind, words, channel, channel_id, language, title, body, created_at, wake_at)
SELECT %(key)s || '/channel/' || channel_id, person_id, 'test', %(words)s, kind, channel_id, %(language)s, %(title)s, %(body)s,
       %(now)s, clock_timestamp() + interval '60 s'
FROM notification_channels WHERE person_id = %(person)s AND enabled
ON CONFLICT (dedup_key) DO NOTHING RETURNING channel_id

-- name: lease
-- Takes what is due for one channel, with all that its text and its timing need; nobody else takes it meanwhile.
WITH taken AS (
    UPDATE notifications SET leased_until = %(until)s, wake_at = %(until)s
    WHERE notification_id IN (
        SELECT notification_id FROM notifications
        WHERE status = 'queued' AND channel_id = %(channel)s AND due_at <= %(now)s AND leased_until <= %(now)s
              AND urgent = %(urgent)s
        ORDER BY urgent DESC, notification_id LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
    RETURNING *
)
SELECT t.notification_id AS id, t.kind, t.words, t.urgent, t.digest, t.attempts, t.case_id, t.title, t.body,
       t.person_id IS NOT NULL AS personal, coalesce(c.class, '') AS case_class, coalesce(c.title_en, '') AS title_en,
       coalesce(nullif(y.name_en, ''), y.name, '') AS community_en,
       coalesce(w.sentence_zh, '') AS evidence_zh, coalesce(w.sentence_en, '') AS evidence_en,
       CASE WHEN h.kind IN ('dingtalk', 'wecom') THEN coalesce(p.phone, a.phone, '') ELSE '' END AS mention
FROM taken t
JOIN notification_channels h USING (channel_id)
LEFT JOIN people p ON p.person_id = t.person_id
LEFT JOIN cases c ON c.case_id = t.case_id
LEFT JOIN communities y ON y.community_id = c.community_id
LEFT JOIN orders o ON o.order_id = t.order_id
LEFT JOIN people a ON a.person_id = o.assignee_id
LEFT JOIN LATERAL (
    SELECT sentence_zh, sentence_en FROM case_warnings x JOIN warnings USING (warning_id)
    WHERE x.case_id = t.case_id ORDER BY warning_id DESC LIMIT 1) w ON true
ORDER BY t.urgent DESC, t.notification_id

-- name: channel
-- A person's group robot is that of the organisation.
SELECT h.kind, h.enabled, h.person_id IS NOT NULL AS personal, h.quiet_hours, h.per_minute,
       coalesce(h.language, p.language, 'zh') AS language, coalesce(p.phone, '') AS phone, coalesce(p.email, '') AS email,
       CASE WHEN h.url <> '' OR h.kind NOT IN ('wecom', 'dingtalk') THEN h.url ELSE coalesce((
           SELECT g.url FROM notification_channels g WHERE g.org_id = p.org_id AND g.kind = h.kind AND g.enabled
           ORDER BY g.rank, g.channel_id LIMIT 1), '') END AS url
FROM notification_channels h LEFT JOIN people p USING (person_id)
WHERE h.channel_id = %s

-- name: sent
UPDATE notifications n
SET status = 'sent', attempts = n.attempts + 1, error = '', sent_at = s.at, leased_until = '-infinity', wake_at = NULL,
    title = s.title, body = s.body, language = %(language)s,
    fallback_at = CASE WHEN n.read_at IS NULL THEN s.fallback_at END
FROM unnest(%(ids)s::bigint[], %(at)s::timestamptz[], %(titles)s::text[], %(bodies)s::text[], %(fallback)s::timestamptz[])
     AS s (id, at, title, body, fallback_at)
WHERE n.notification_id = s.id AND n.status = 'queued'

-- name: not_sent
-- Tried in vain: dead, or due again later. The person's next channel does not wait for that.
UPDATE notifications n
SET status = s.status, attempts = n.attempts + 1, error = %(error)s, leased_until = '-infinity', due_at = s.again,
    wake_at = s.again, fallback_at = CASE WHEN n.person_id IS NOT NULL AND n.read_at IS NULL THEN s.fallback_at END
FROM unnest(%(ids)s::bigint[], %(status)s::text[], %(again)s::timestamptz[], %(fallback)s::timestamptz[])
     AS s (id, status, again, fallback_at)
WHERE n.notification_id = s.id AND n.status = 'queued'

-- name: put_off
UPDATE notifications SET leased_until = '-infinity', due_at = %(until)s, wake_at = %(until)s, digest = digest OR %(digest)s
WHERE notification_id = ANY (%(ids)s) AND status = 'queued'

-- name: put_off_channel
UPDATE notifications SET due_at = %(until)s, wake_at = %(until)s
WHERE status = 'queued' AND channel_id = %(channel)s AND urgent = %(urgent)s AND due_at <= %(now)s AND leased_until <= %(now)s

-- name: to_wake
-- What still waits though it is due: held, to be tried again, or left behind by a worker that died.
UPDATE notifications SET wake_at = %(next)s
WHERE notification_id IN (
    SELECT notification_id FROM notifications WHERE status = 'queued' AND wake_at <= %(now)s
    ORDER BY wake_at LIMIT 10000 FOR UPDATE SKIP LOCKED)
RETURNING channel_id, urgent

-- name: orphans
UPDATE notifications SET status = 'failed', error = 'the channel was removed', wake_at = NULL
WHERE status = 'queued' AND channel_id IS NULL AND channel <> 'in_app' AND wake_at <= %(now)s

-- name: fall_back
-- The next channel of persons whose last one failed or was not read in time; none when somebody has responded meanwhile.
WITH due AS (
    UPDATE notifications SET fallback_at = NULL
    WHERE notification_id IN (
        SELECT notification_id FROM notifications WHERE fallback_at <= %(now)s
        ORDER BY fallback_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
    RETURNING *
), next AS (
    SELECT DISTINCT ON (d.notification_id) d.*, h.channel_id AS next_id, h.kind AS next_kind
    FROM due d
    JOIN notification_channels f ON f.channel_id = d.channel_id
    JOIN notification_channels h
        ON h.person_id = d.person_id AND h.enabled AND (h.rank, h.channel_id) > (f.rank, f.channel_id)
    LEFT JOIN orders o ON o.order_id = d.order_id
    WHERE d.read_at IS NULL AND (d.order_id IS NULL OR (o.responded_at IS NULL AND o.closed_at IS NULL))
    ORDER BY d.notification_id, h.rank, h.channel_id
)
INSERT INTO notifications (dedup_key, case_id, order_id, org_id, person_id, kind, words, urgent, channel, channel_id,
                           language, title, body, created_at, wake_at)
SELECT regexp_replace(dedup_key, '/channel/\d+$', '') || '/channel/' || next_id, case_id, order_id, org_id, person_id, kind,
       words, urgent, next_kind, next_id, language, title, body, %(now)s, %(now)s
FROM next
ON CONFLICT (dedup_key) DO NOTHING RETURNING notification_id

-- name: unanswered
-- Lead orders of class A that nobody has responded to, with what a reminder says.
SELECT o.order_id, o.case_id, o.org_id, o.dispatched_at, o.respond_due, c.title_zh, c.life_safety, y.name AS community
FROM orders o JOIN cases c USING (case_id) JOIN communities y ON y.community_id = c.community_id
WHERE o.closed_at IS NULL AND o.responded_at IS NULL AND o.lead AND o.dispatched_at <= %(since)s
      AND c.class = 'A' AND c.closed_at IS NULL AND NOT c.replay

-- name: list
SELECT n.notification_id, n.created_at, n.kind, n.case_id, n.org_id, p.login AS person, n.channel, h.name AS channel_name,
       n.status, n.attempts, n.error, nullif(n.due_at, '-infinity') AS due_at, n.sent_at, n.delivered_at, n.read_at,
       n.acted_at, n.title
FROM notifications n LEFT JOIN people p USING (person_id) LEFT JOIN notification_channels h ON h.channel_id = n.channel_id
WHERE (%(status)s::text IS NULL OR n.status = %(status)s) AND (%(case)s::bigint IS NULL OR n.case_id = %(case)s)
      AND (%(org)s::text IS NULL OR n.org_id = %(org)s)
ORDER BY n.notification_id DESC LIMIT %(at_most)s

-- name: retry
UPDATE notifications SET status = 'queued', attempts = 0, due_at = '-infinity', leased_until = '-infinity', wake_at = %(now)s
WHERE status = 'failed' AND channel_id IS NOT NULL AND (%(ids)s::bigint[] IS NULL OR notification_id = ANY (%(ids)s))
RETURNING notification_id

-- name: receipt
UPDATE notifications
SET delivered_at = coalesce(delivered_at, %(now)s),
    read_at = CASE WHEN %(what)s = 'delivered' THEN read_at ELSE coalesce(read_at, %(now)s) END,
    acted_at = CASE WHEN %(what)s = 'acted' THEN coalesce(acted_at, %(now)s) ELSE acted_at END,
    fallback_at = CASE WHEN %(what)s = 'delivered' THEN fallback_at END
WHERE notification_id = ANY (%(ids)s) AND status IN ('sent', 'read')
RETURNING notification_id

-- name: seen
-- Whoever opens a case has read what told him of it.
UPDATE notifications SET read_at = %(now)s, fallback_at = NULL
WHERE case_id = %(case)s AND person_id = %(person)s AND read_at IS NULL

-- name: channels
SELECT h.channel_id, h.org_id, p.login AS person, h.kind, h.name, h.rank, h.language, h.quiet_hours, h.per_minute, h.enabled,
       h.url <> '' AS own_url
FROM notification_channels h LEFT JOIN people p USING (person_id)
WHERE (%(org)s::text IS NULL OR h.org_id = %(org)s) AND (%(person)s::text IS NULL OR p.login = %(person)s)
ORDER BY h.org_id, p.login, h.rank, h.channel_id

-- name: person_of
SELECT person_id::text FROM people WHERE login = %s

-- name: add_channel
INSERT INTO notification_channels (org_id, person_id, kind, name, url, rank, language, quiet_hours, per_minute)
VALUES (%(org)s, %(person)s, %(kind)s, %(name)s, %(url)s, %(rank)s, %(language)s, %(quiet_hours)s, %(per_minute)s)
RETURNING channel_id

-- name: remove_channel
DELETE FROM notification_channels WHERE channel_id = %s RETURNING channel_id

-- name: begin_hits
INSERT INTO channel_hits (address, hits) VALUES (%s, '{}') ON CONFLICT DO NOTHING

-- name: hits
SELECT hits, clock_timestamp() FROM channel_hits WHERE address = %s FOR UPDATE

-- name: keep_hits
UPDATE channel_hits SET hits = %(hits)s WHERE address = %(key)s
