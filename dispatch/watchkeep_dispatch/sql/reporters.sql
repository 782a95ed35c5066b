-- Reporters who are to hear the result of their complaint.

-- name: next_untold
-- One whose answer is fresh and whose address can be served; at most so many messages a day to one address.
WITH next AS (
    SELECT p.complaint_id, a.kind, a.contact
    FROM complaints p JOIN communities m USING (community_id),
         LATERAL (SELECT regexp_replace(p.contact_phone, '[ -]', '', 'g') AS contact) c,
         LATERAL (SELECT c.contact, CASE WHEN c.contact ~ '^[^@[:space:]]+@[^@[:space:]]+\.[^@[:space:]]+$' THEN 'mail'
                                         WHEN c.contact ~ '^(\+[0-9]{8,15}|(86)?1[0-9]{10})$' THEN 'sms' END AS kind) a
    WHERE p.told_at IS NULL AND p.contact_phone <> '' AND p.answered_at > %(fresh)s AND p.tell_again <= %(now)s
      AND p.tell_attempts < %(attempts)s AND m.mode = 'live' AND a.kind = ANY (%(kinds)s)
      AND (SELECT count(*) FROM complaints o WHERE o.contact_phone = p.contact_phone AND o.told_at > %(day)s) < %(a_day)s
    ORDER BY p.answered_at LIMIT 1 FOR UPDATE OF p SKIP LOCKED
)
UPDATE complaints p SET tell_again = %(until)s, tell_attempts = tell_attempts + 1
FROM next n WHERE p.complaint_id = n.complaint_id
RETURNING p.complaint_id, p.token::text, n.kind, n.contact, p.answer_zh, p.answer_en, p.answered_at, p.tell_attempts AS attempts

-- name: told
-- Unless the answer was taken back meanwhile.
UPDATE complaints SET told_at = %(now)s, tell_error = '' WHERE complaint_id = %(id)s AND answered_at = %(answered_at)s

-- name: not_told
UPDATE complaints SET tell_again = %(again)s, tell_error = %(error)s, tell_attempts = %(attempts)s WHERE complaint_id = %(id)s
