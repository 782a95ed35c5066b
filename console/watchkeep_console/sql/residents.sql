-- What residents reach: functions of the schema that are keyed by a secret, nothing else.

-- name: place
SELECT community_id, community, community_en, equipment_id, equipment, equipment_en, kind FROM report_place(%(code)s)

-- name: report
SELECT report_problem(%(code)s, %(condition)s, %(description)s, %(place)s, %(name)s, %(phone)s, %(photo)s, %(kind)s, %(at_most)s)::text

-- name: status
SELECT community, community_en, equipment, equipment_en, condition, received_at, refused, state, responsible, finish_due,
       answer_zh, answer_en, answered_at, satisfied
FROM report_status(%(token)s)

-- name: rate
SELECT rate_answer(%(token)s, %(satisfied)s, %(note)s)

-- name: board
SELECT section, title, body, amount_yuan, period, saved_at FROM notice_board(%(community)s)
