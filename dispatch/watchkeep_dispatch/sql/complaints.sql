-- Complaints: taking them in, giving them to cases, answering them.

-- name: save
INSERT INTO complaints (source, channel_no, community_id, equipment_id, condition, place, description, contact_name, contact_phone,
                        property_org_id, received_at, entered_by)
VALUES (%(source)s, %(channel_no)s, %(community_id)s, %(equipment_id)s, %(condition)s, %(place)s, %(description)s, %(contact_name)s,
        %(contact_phone)s, %(property_org_id)s, %(received_at)s, %(person_id)s)
ON CONFLICT (source, channel_no) WHERE channel_no IS NOT NULL DO NOTHING
RETURNING complaint_id, token::text

-- name: by_channel_no
SELECT complaint_id, token::text, case_id FROM complaints WHERE source = %s AND channel_no = %s

-- name: waiting
-- Reports of residents that have no case yet; other workers skip them.
SELECT complaint_id, source, channel_no, community_id, equipment_id, condition, place, description, received_at, photo, photo_type
FROM complaints WHERE case_id IS NULL AND refusal = '' ORDER BY complaint_id LIMIT %s FOR UPDATE SKIP LOCKED

-- name: give_to_case
UPDATE complaints SET case_id = %(case_id)s, attached = %(attached)s, photo = NULL WHERE complaint_id = %(complaint_id)s

-- name: refuse
UPDATE complaints SET refusal = %(why)s WHERE complaint_id = %(complaint_id)s

-- name: photo
INSERT INTO evidence (case_id, kind, note, media_type, content, sha256, original_sha256, latitude, longitude, taken_at, at)
VALUES (%(case_id)s, 'photo_before', %(note)s, %(media_type)s, %(content)s, %(sha256)s, %(original)s, %(latitude)s, %(longitude)s,
        %(taken_at)s, %(now)s)

-- name: no_photo
INSERT INTO evidence (case_id, kind, note, at) VALUES (%(case_id)s, 'note', %(note)s, %(now)s)

-- name: any_open_case
-- The gravest open case of this equipment, whatever its condition.
SELECT case_id FROM cases WHERE community_id = %(community)s AND equipment_id = %(equipment)s AND closed_at IS NULL
ORDER BY class, case_id LIMIT 1 FOR UPDATE

-- name: settled
-- Complaints whose case is over. A merged case is over when the case that took it in is.
SELECT p.complaint_id, k.state, k.closed_at, k.replay,
       (SELECT t.note FROM transitions t WHERE t.case_id = k.case_id AND t.to_state = k.state ORDER BY t.transition_id DESC LIMIT 1) AS note
FROM complaints p JOIN cases c ON c.case_id = p.case_id
JOIN cases k ON k.case_id = CASE WHEN c.state = 'merged' THEN coalesce(c.parent_case_id, c.case_id) ELSE c.case_id END
WHERE p.answered_at IS NULL AND k.closed_at IS NOT NULL
ORDER BY p.complaint_id LIMIT %s FOR UPDATE OF p SKIP LOCKED

-- name: answer
UPDATE complaints SET answer_zh = %(zh)s, answer_en = %(en)s, answered_at = %(now)s WHERE complaint_id = %(complaint_id)s

-- name: withdraw_answer
-- A case that was opened again has no answer yet; a rating already given stays.
UPDATE complaints p SET answer_zh = '', answer_en = '', answered_at = NULL, told_at = NULL, tell_attempts = 0
FROM cases c WHERE c.case_id = p.case_id AND c.closed_at IS NULL AND p.answered_at IS NOT NULL AND p.rated_at IS NULL
  AND p.answered_at > %(now)s::timestamptz - interval '30 days'

-- name: known_places
SELECT community_id, name, property_org_id FROM communities WHERE mode = 'live'

-- name: known_equipment
SELECT community_id, equipment_id, name FROM equipment WHERE status <> 'retired' ORDER BY community_id

-- name: equipment_kind
SELECT kind FROM equipment WHERE community_id = %s AND equipment_id = %s

-- name: list
SELECT p.complaint_id, p.token::text, p.source, p.channel_no, p.community_id, m.name AS community, p.equipment_id,
       e.name AS equipment, p.condition, p.place, p.description, p.contact_masked, p.received_at, p.case_id, p.attached, c.state, p.refusal,
       p.answer_zh, p.answer_en, p.answered_at, p.satisfied, p.rated_at
FROM complaints p JOIN communities m USING (community_id) LEFT JOIN equipment e USING (community_id, equipment_id)
LEFT JOIN cases c ON c.case_id = p.case_id
WHERE (%(id)s::bigint IS NULL OR p.complaint_id = %(id)s)
  AND (%(community)s::text IS NULL OR p.community_id = %(community)s)
  AND (%(source)s::text IS NULL OR p.source = %(source)s)
  AND (%(answered)s::boolean IS NULL OR (p.answered_at IS NOT NULL) = %(answered)s)
  AND (%(refused)s::boolean IS NULL OR (p.refusal <> '') = %(refused)s)
  AND (%(before)s::bigint IS NULL OR p.complaint_id < %(before)s)
ORDER BY p.complaint_id DESC LIMIT %(limit)s

-- name: study
-- Complaints of a month by community and cause, with what became of them so far.
SELECT p.community_id, m.name AS community, p.condition, count(*) AS complaints, count(DISTINCT p.case_id) AS cases,
       count(*) FILTER (WHERE p.answered_at < %(until)s) AS answered,
       count(*) FILTER (WHERE p.answered_at IS NULL OR p.answered_at >= %(until)s) AS unsolved,
       count(*) FILTER (WHERE p.satisfied) AS satisfied, count(*) FILTER (WHERE p.satisfied IS NOT NULL) AS rated,
       m.households
FROM complaints p JOIN communities m USING (community_id) JOIN areas a USING (area_id)
WHERE p.received_at >= %(since)s AND p.received_at < %(until)s AND (%(area)s::text IS NULL OR %(area)s = ANY (a.path))
GROUP BY 1, 2, 3, m.households ORDER BY complaints DESC, 1, 3

-- name: study_channels
SELECT p.source, count(*) FROM complaints p JOIN communities m USING (community_id) JOIN areas a USING (area_id)
WHERE p.received_at >= %(since)s AND p.received_at < %(until)s AND (%(area)s::text IS NULL OR %(area)s = ANY (a.path))
GROUP BY 1 ORDER BY 2 DESC, 1

-- name: study_unsolved
-- What the month leaves unsolved, one line per case, oldest first: to be studied one by one (逐件研判).
SELECT c.case_id, m.name AS community, c.condition, c.class, c.state, count(*) AS complaints, min(p.received_at) AS first_received,
       o.name AS responsible, (SELECT w.finish_due FROM orders w WHERE w.case_id = c.case_id AND w.lead ORDER BY w.order_id DESC LIMIT 1)
       AS finish_due, l.due_on AS ledger_due
FROM complaints p JOIN cases c USING (case_id) JOIN communities m ON m.community_id = p.community_id JOIN areas a USING (area_id)
LEFT JOIN organisations o ON o.org_id = c.responsible_org_id
LEFT JOIN ledger_entries l ON l.case_id = c.case_id AND l.struck_at IS NULL
WHERE p.received_at < %(until)s AND (c.closed_at IS NULL OR c.closed_at >= %(until)s)
  AND (%(area)s::text IS NULL OR %(area)s = ANY (a.path))
GROUP BY c.case_id, m.name, o.name, l.due_on ORDER BY min(p.received_at), c.case_id
