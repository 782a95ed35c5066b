-- name: login_candidate
SELECT person_id::text, password_hash, failed_logins, locked_until, language FROM login_candidate(%(login)s)

-- name: record_login
SELECT record_login(%(person_id)s, %(succeeded)s, %(lock_after)s, %(lock_for)s)

-- name: open_session
INSERT INTO sessions (token_hash, person_id, csrf_token, created_at, last_seen_at, expires_at, user_agent, address)
VALUES (%(token_hash)s, %(person_id)s, %(csrf_token)s, %(now)s, %(now)s, %(expires_at)s, %(user_agent)s, %(address)s)

-- name: find_session
-- A session lives until it is revoked, expires, or has been idle.
SELECT person_id::text, csrf_token, last_seen_at, expires_at FROM sessions
WHERE token_hash = %(token_hash)s AND revoked_at IS NULL AND expires_at > %(now)s AND last_seen_at > %(idle_since)s

-- name: touch_session
UPDATE sessions SET last_seen_at = %(now)s WHERE token_hash = %(token_hash)s

-- name: close_session
UPDATE sessions SET revoked_at = %(now)s WHERE token_hash = %(token_hash)s AND revoked_at IS NULL

-- name: live_sessions
SELECT s.token_hash FROM sessions s
WHERE s.token_hash = ANY (%(hashes)s) AND s.revoked_at IS NULL AND s.expires_at > %(now)s
  AND s.last_seen_at > %(idle_since)s

-- name: find_token
SELECT person_id::text, scopes, last_used_at FROM api_tokens
WHERE token_hash = %(token_hash)s AND revoked_at IS NULL AND expires_at > %(now)s

-- name: touch_token
UPDATE api_tokens SET last_used_at = %(now)s WHERE token_hash = %(token_hash)s

-- name: me
-- Nothing for a person who is no longer active.
SELECT person_id::text, login, name, org_id, language, password_due,
       EXISTS (SELECT FROM person_totp WHERE person_id = my_person() AND confirmed_at IS NOT NULL) AS second_factor
FROM people WHERE person_id = my_person() AND active

-- name: memberships
SELECT m.role, m.scope_kind, m.scope_id, ARRAY(
    SELECT c.community_id FROM communities c LEFT JOIN areas a USING (area_id)
    WHERE CASE m.scope_kind WHEN 'community' THEN c.community_id = m.scope_id
                            WHEN 'organisation' THEN c.property_org_id = m.scope_id
                            ELSE a.path @> ARRAY[m.scope_id] END) AS communities
FROM memberships m WHERE m.person_id = my_person() AND m.valid @> now()
ORDER BY m.membership_id

-- name: recall_answer
SELECT request_hash, status, response FROM idempotency_keys WHERE person_id = my_person() AND key = %(key)s

-- name: keep_answer
INSERT INTO idempotency_keys (person_id, key, request_hash, status, response)
VALUES (my_person(), %(key)s, %(request_hash)s, %(status)s, %(response)s)

-- name: lock_key
-- Two requests with one key at the same time: the second waits for the first one's answer.
SELECT pg_advisory_xact_lock(hashtextextended(my_person()::text || %(key)s, 0))

-- name: forget_answers
DELETE FROM idempotency_keys WHERE created_at < %(before)s

-- name: take_key
INSERT INTO idempotency_keys (person_id, key, request_hash, status, response)
VALUES (my_person(), %(key)s, %(request_hash)s, %(status)s, %(response)s) ON CONFLICT DO NOTHING RETURNING key

-- name: answer_key
UPDATE idempotency_keys SET status = %(status)s, response = %(response)s WHERE person_id = my_person() AND key = %(key)s

-- name: drop_key
DELETE FROM idempotency_keys WHERE person_id = my_person() AND key = %(key)s AND status = 0

-- name: forget_sessions
DELETE FROM sessions WHERE expires_at < %(before)s OR revoked_at < %(before)s

-- name: forget_deliveries
DELETE FROM webhook_deliveries WHERE status <> 'waiting' AND at < %(before)s

-- name: hit
-- Seconds to wait; null = go on.
SELECT max(rate_hit(h.key, h.at_most, make_interval(secs => %(window_s)s)))
FROM unnest(%(keys)s::bytea[], %(limits)s::integer[]) AS h (key, at_most)

-- name: forget_hits
DELETE FROM rate_hits WHERE until < clock_timestamp()
