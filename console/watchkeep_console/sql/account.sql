-- What a person does to the own account; row-level security shows nobody else's.

-- name: begin_totp
INSERT INTO person_totp (person_id, secret) VALUES (my_person(), %(secret)s)
ON CONFLICT (person_id) DO UPDATE SET secret = excluded.secret, last_step = 0 WHERE person_totp.confirmed_at IS NULL
RETURNING person_id

-- name: totp
SELECT secret, last_step, confirmed_at FROM person_totp WHERE person_id = my_person()

-- name: take_step
-- The row decides: of two requests with one code one gets it.
UPDATE person_totp SET last_step = %(step)s, confirmed_at = coalesce(confirmed_at, %(now)s)
WHERE person_id = my_person() AND last_step < %(step)s RETURNING person_id

-- name: drop_totp
DELETE FROM person_totp WHERE person_id = my_person()

-- name: drop_codes
DELETE FROM recovery_codes WHERE person_id = my_person()

-- name: keep_codes
INSERT INTO recovery_codes (person_id, code_hash) SELECT my_person(), unnest(%(hashes)s::bytea[])

-- name: use_code
UPDATE recovery_codes SET used_at = %(now)s
WHERE person_id = my_person() AND code_hash = %(code_hash)s AND used_at IS NULL RETURNING person_id

-- name: codes_left
SELECT count(*) FROM recovery_codes WHERE person_id = my_person() AND used_at IS NULL

-- name: set_password
UPDATE people SET password_hash = %(hash)s, password_due = false WHERE person_id = my_person()

-- name: close_other_sessions
UPDATE sessions SET revoked_at = %(now)s
WHERE person_id = my_person() AND revoked_at IS NULL AND token_hash <> %(keep)s

-- name: sessions
SELECT session_id, created_at, last_seen_at, expires_at, user_agent, host(address) AS address, token_hash = %(own)s AS current
FROM sessions
WHERE person_id = my_person() AND revoked_at IS NULL AND expires_at > %(now)s AND last_seen_at > %(idle_since)s
ORDER BY last_seen_at DESC

-- name: end_session
UPDATE sessions SET revoked_at = %(now)s
WHERE person_id = my_person() AND session_id = %(id)s AND revoked_at IS NULL RETURNING session_id

-- name: make_token
INSERT INTO api_tokens (token_hash, person_id, name, scopes, created_at, expires_at)
VALUES (%(token_hash)s, my_person(), %(name)s, %(scopes)s, %(now)s, %(expires_at)s) RETURNING token_id

-- name: tokens
SELECT token_id, name, scopes, created_at, expires_at, last_used_at FROM api_tokens
WHERE person_id = my_person() AND revoked_at IS NULL AND expires_at > %(now)s ORDER BY token_id

-- name: revoke_token
UPDATE api_tokens SET revoked_at = %(now)s
WHERE person_id = my_person() AND token_id = %(id)s AND revoked_at IS NULL RETURNING token_id

-- name: oidc_candidate
SELECT oidc_candidate(%(issuer)s, %(subject)s, %(email)s)::text

-- name: reset_account
SELECT reset_account(%(person)s, %(hash)s)

-- name: person_data
SELECT person_data(%(person)s)

-- name: request_erasure
SELECT request_erasure(%(person)s, %(reason)s)

-- name: approve_erasure
SELECT approve_erasure(%(person)s)

-- name: visible_person
SELECT login FROM people WHERE person_id = %(person)s

-- name: answers_to_me
SELECT EXISTS (SELECT FROM people WHERE person_id = %(person)s) AND answers_to_me(%(person)s)

-- name: person_channels
SELECT h.channel_id, h.kind, h.rank, h.quiet_hours, h.enabled, n.status, n.created_at AS tried_at
FROM notification_channels h
LEFT JOIN LATERAL (SELECT status, created_at FROM notifications WHERE notifications.channel_id = h.channel_id
                   ORDER BY notification_id DESC LIMIT 1) n ON true
WHERE h.person_id = %(person)s ORDER BY h.rank, h.channel_id LIMIT 50

-- name: add_person_channel
-- Without a URL: to this person by the site's service.
INSERT INTO notification_channels (person_id, kind, name, url, rank, quiet_hours)
SELECT %(person)s, %(kind)s, %(kind)s, '', 1 + coalesce(max(rank), 0), %(quiet)s
FROM notification_channels WHERE person_id = %(person)s RETURNING channel_id

-- name: enable_person_channel
UPDATE notification_channels SET enabled = %(enabled)s
WHERE channel_id = %(id)s AND person_id = %(person)s RETURNING kind

-- name: remove_person_channel
DELETE FROM notification_channels WHERE channel_id = %(id)s AND person_id = %(person)s RETURNING kind
