-- Responsibility lists.

-- name: lock_lists
-- One loader or publisher at a time: names and dates are compared before they are written.
SELECT pg_advisory_xact_lock(hashtext('watchkeep.duty_lists'))

-- name: list_by_name
SELECT list_id, status FROM duty_lists WHERE name = %s

-- name: list_in_force
SELECT list_id, name FROM duty_lists WHERE status = 'published' AND valid @> %(now)s::timestamptz
ORDER BY published_at DESC, list_id DESC LIMIT 1

-- name: draft
SELECT created_by FROM duty_lists WHERE list_id = %s AND status = 'draft' FOR UPDATE

-- name: save_list
INSERT INTO duty_lists (name, created_by) VALUES (%s, %s) RETURNING list_id

-- name: end_lists
UPDATE duty_lists SET valid = tstzrange(lower(valid), greatest(%(since)s::timestamptz, lower(valid)))
WHERE status = 'published' AND valid @> %(since)s::timestamptz

-- name: publish
-- Until the next one begins, if one waits for its day already.
UPDATE duty_lists SET (status, valid, published_by, published_at)
    = ('published', tstzrange(%(since)s::timestamptz, (
           SELECT min(lower(n.valid)) FROM duty_lists n
           WHERE n.status = 'published' AND NOT isempty(n.valid) AND lower(n.valid) > %(since)s::timestamptz)),
       %(person_id)s, %(now)s::timestamptz)
WHERE list_id = %(list_id)s

-- name: withdraw
UPDATE duty_lists SET status = 'withdrawn' WHERE list_id = %s AND status = 'draft' RETURNING list_id

-- name: person
SELECT person_id::text FROM people WHERE login = lower(%s) AND active

-- name: may_publish
SELECT EXISTS (SELECT FROM memberships WHERE person_id = %s AND valid @> now() AND role = ANY (%s))

-- name: areas
SELECT area_id FROM areas

-- name: list_by_id
SELECT list_id, name FROM duty_lists WHERE list_id = %s

-- name: lists
SELECT l.list_id, l.name, l.status, lower(l.valid) AS since, upper(l.valid) AS until, l.published_at, count(d.duty_id) AS rows
FROM duty_lists l LEFT JOIN duties d USING (list_id) GROUP BY l.list_id ORDER BY l.list_id

-- name: save_duty
INSERT INTO duties (list_id, row_no, title, title_en, domain, kind, condition, ownership, handed_over, in_warranty, contracted,
                    area_id, urban, working_time, class, first_responder, responsible, supervising, copied, respond_in, respond_kind, arrive_in,
                    arrive_kind, finish_in, finish_kind, filing_condition, closing_condition, clear_for, evidence, basis,
                    mark)
VALUES (%(list_id)s, %(row_no)s, %(title)s, %(title_en)s, %(domain)s, %(kind)s, %(condition)s, %(ownership)s, %(handed_over)s,
        %(in_warranty)s, %(contracted)s, %(area_id)s, %(urban)s, %(working_time)s, %(class)s, %(first_responder)s, %(responsible)s, %(supervising)s, %(copied)s,
        %(respond_in)s, %(respond_kind)s, %(arrive_in)s, %(arrive_kind)s, %(finish_in)s, %(finish_kind)s,
        %(filing_condition)s, %(closing_condition)s, %(clear_for)s, %(evidence)s, %(basis)s, %(mark)s)

-- name: duties_of_list
SELECT * FROM duties WHERE list_id = %s ORDER BY row_no

-- name: duty_by_id
SELECT * FROM duties WHERE duty_id = %s
