-- What scores need besides the indicators; schemes; rankings and appeals; credit events; inspections.

-- name: credit
-- Valid at the end of the period, recorded by then, not withdrawn by then.
SELECT e.org_id AS subject, e.kind, e.code, e.points::float8 AS points, e.event_id
FROM credit_events e
WHERE e.kind <> 'withdrawal' AND e.recorded_at <= %(as_of)s AND e.occurred_on < %(last_day)s AND e.valid_until >= %(first_day)s
  AND NOT EXISTS (SELECT FROM credit_events w WHERE w.withdraws_id = e.event_id AND w.recorded_at <= %(as_of)s)
ORDER BY e.event_id

-- name: inspections
SELECT subject_id AS subject, kind, sum(points)::float8 AS points, sum(possible)::float8 AS possible FROM inspections
WHERE subject_kind = %(by)s AND recorded_at <= %(as_of)s AND inspected_on >= %(first_day)s AND inspected_on < %(last_day)s GROUP BY 1, 2

-- name: scheme
SELECT spec FROM score_schemes WHERE scheme = %(scheme)s AND valid_from < %(last_day)s AND saved_at <= %(as_of)s
ORDER BY valid_from DESC LIMIT 1

-- name: schemes
SELECT scheme, valid_from, saved_at FROM score_schemes ORDER BY scheme, valid_from

-- name: save_scheme
INSERT INTO score_schemes (scheme, valid_from, spec, saved_at, saved_by) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (scheme, valid_from) DO NOTHING RETURNING scheme

-- name: add_credit
INSERT INTO credit_events (org_id, person_name, judgment_no, kind, code, points, reason, evidence_ref, case_id, withdraws_id, occurred_on,
                           valid_until, recorded_at, recorded_by)
VALUES (%(org_id)s, %(person_name)s, %(judgment_no)s, %(kind)s, %(code)s, %(points)s, %(reason)s, %(evidence_ref)s, %(case_id)s,
        %(withdraws_id)s, %(occurred_on)s, %(valid_until)s, %(now)s, %(person_id)s)
RETURNING event_id

-- name: withdrawable
SELECT kind, org_id FROM credit_events WHERE event_id = %s

-- name: export_credit
SELECT e.event_id, o.org_id, o.name AS organisation, o.credit_code, e.person_name, e.judgment_no, e.kind, e.code, e.points::float8 AS points,
       e.reason, e.evidence_ref, e.case_id, e.withdraws_id, e.occurred_on, e.valid_until, e.recorded_at,
       (SELECT coalesce(array_agg(encode(v.sha256, 'hex') ORDER BY v.evidence_id), '{}') FROM evidence v
        WHERE v.case_id = e.case_id AND v.sha256 IS NOT NULL) AS evidence_sha256
FROM credit_events e JOIN organisations o USING (org_id)
WHERE e.recorded_at >= %(since)s AND e.recorded_at < %(until)s ORDER BY e.event_id

-- name: add_inspection
INSERT INTO inspections (kind, subject_kind, subject_id, heading, points, possible, note, inspected_on, recorded_at, recorded_by)
VALUES (%(kind)s, %(subject_kind)s, %(subject_id)s, %(heading)s, %(points)s, %(possible)s, %(note)s, %(inspected_on)s, %(now)s, %(person_id)s)
RETURNING inspection_id

-- name: draw
INSERT INTO rankings (scheme, since, until, as_of, area_id, created_at, created_by)
VALUES (%(scheme)s, %(since)s, %(until)s, %(as_of)s, %(area)s, %(now)s, %(person_id)s) RETURNING ranking_id

-- name: draw_row
INSERT INTO ranking_rows (ranking_id, subject_id, name, score, band, list, position, cases, detail)
VALUES (%(ranking_id)s, %(subject)s, %(name)s, %(score)s, %(band)s, %(list)s, %(position)s, %(orders)s, %(detail)s)

-- name: ranking
SELECT ranking_id, scheme, since, until, as_of, area_id, created_at, created_by::text, published_at, published_by::text, appeals_until
FROM rankings WHERE ranking_id = %s FOR UPDATE

-- name: drawn_alike
-- Lists of the same scheme, period and area, locked in one order.
SELECT r.ranking_id, r.published_at FROM rankings r JOIN rankings o USING (scheme, since, until)
WHERE o.ranking_id = %s AND r.area_id IS NOT DISTINCT FROM o.area_id ORDER BY 1 FOR UPDATE OF r

-- name: supervises
-- Somebody with one of these roles for an area, or (where it is null) for the whole; an authority's officers for its area.
SELECT FROM memberships m LEFT JOIN organisations g ON (m.scope_kind, m.role, m.scope_id) = ('organisation', 'authority_officer', g.org_id)
JOIN areas s ON s.area_id = CASE m.scope_kind WHEN 'area' THEN m.scope_id ELSE g.area_id END
WHERE m.person_id = %(person)s AND m.valid @> %(now)s::timestamptz AND m.role = ANY (%(roles)s)
  AND CASE WHEN %(area)s::text IS NULL THEN s.parent_id IS NULL
      ELSE EXISTS (SELECT FROM areas a WHERE a.area_id = %(area)s AND s.area_id = ANY (a.path)) END
LIMIT 1

-- name: publish
UPDATE rankings SET published_at = %(now)s, published_by = %(person_id)s, appeals_until = %(appeals_until)s WHERE ranking_id = %(ranking_id)s

-- name: rankings
SELECT ranking_id, scheme, since, until, as_of, area_id, created_at, published_at, appeals_until FROM rankings
WHERE %(id)s::integer IS NULL OR ranking_id = %(id)s ORDER BY ranking_id DESC LIMIT 1000

-- name: rows
SELECT r.subject_id, r.name, r.score::float8 AS score, r.band, coalesce(r.corrected, r.list) AS list, r.list AS first_list, r.position,
       r.cases AS orders, r.detail,
       (SELECT count(*) FROM appeals a WHERE (a.ranking_id, a.subject_id) = (r.ranking_id, r.subject_id)) AS appeals
FROM ranking_rows r WHERE r.ranking_id = %s ORDER BY r.position NULLS LAST, r.subject_id

-- name: appeal
INSERT INTO appeals (ranking_id, subject_id, reason, made_at, made_by)
VALUES (%(ranking_id)s, %(subject)s, %(reason)s, %(now)s, %(person_id)s) RETURNING appeal_id

-- name: appeals
SELECT appeal_id, ranking_id, subject_id, reason, made_at, upheld, decision, decided_at FROM appeals
WHERE %(id)s::integer IS NULL OR ranking_id = %(id)s ORDER BY appeal_id

-- name: open_appeal
SELECT a.ranking_id, a.subject_id, a.made_by::text, r.area_id FROM appeals a JOIN rankings r USING (ranking_id)
WHERE a.appeal_id = %s AND a.upheld IS NULL FOR UPDATE OF a

-- name: decide
UPDATE appeals SET upheld = %(upheld)s, decision = %(decision)s, decided_at = %(now)s, decided_by = %(person_id)s WHERE appeal_id = %(appeal_id)s

-- name: correct
UPDATE ranking_rows SET corrected = %(list)s WHERE ranking_id = %(ranking_id)s AND subject_id = %(subject)s

-- name: person_of
SELECT person_id::text FROM people WHERE login = lower(%s) AND active
