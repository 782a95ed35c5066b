-- name: waiting_warning
SELECT u.warning_id, false AS first_look, w.community_id, w.equipment_id, w.condition, w.proposed_class, w.life_safety,
       w.status, w.event_at, w.detected_at
FROM unjudged u JOIN warnings w USING (warning_id) WHERE u.warning_id = %(id)s FOR UPDATE OF u

-- name: file_test
INSERT INTO cases (community_id, condition, source, class, life_safety, state, title_zh, title_en, duty_id, first_responder_id,
                   responsible_org_id, supervising_org_id, snapshot, event_at, filed_at)
VALUES (%(community)s, %(condition)s, 'test', 'C', false, 'filed', %(title_zh)s, %(title_en)s, %(duty)s, %(first)s,
        %(responsible)s, %(supervising)s, %(snapshot)s, %(now)s, %(now)s)
RETURNING case_id
