-- The public notice board.

-- name: take_down
UPDATE notices SET removed_at = %(now)s WHERE community_id = %(community)s AND section = %(section)s AND removed_at IS NULL

-- name: post
INSERT INTO notices (community_id, section, title, body, amount_yuan, period, saved_at, saved_by)
VALUES (%(community)s, %(section)s, %(title)s, %(body)s, %(amount_yuan)s, %(period)s, %(now)s, %(person_id)s)

-- name: board
SELECT section, title, body, amount_yuan, period, saved_at FROM notices
WHERE community_id = %(community)s AND removed_at IS NULL ORDER BY section, notice_id
