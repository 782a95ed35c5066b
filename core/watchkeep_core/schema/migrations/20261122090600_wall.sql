-- Schema wall: what Grafana may read. Views only, no names of persons, no phone numbers, no free text of people or devices.
-- depends: 20261122090500_access

CREATE SCHEMA wall;
GRANT USAGE ON SCHEMA wall TO grafana_ro;
ALTER DEFAULT PRIVILEGES IN SCHEMA wall GRANT SELECT ON TABLES TO grafana_ro;

-- Names come in pairs _zh, _en; the English one falls back to the Chinese one.
CREATE VIEW wall.community AS
SELECT community_id, name AS name_zh, coalesce(nullif(name_en, ''), name) AS name_en, area_id, mode, households
FROM communities;

CREATE VIEW wall.warning AS
SELECT w.warning_id, w.community_id, w.equipment_id, e.kind, coalesce(e.name, w.equipment_id) AS equipment_zh,
       coalesce(nullif(e.name_en, ''), e.name, w.equipment_id) AS equipment_en, w.condition, w.tier, w.proposed_class AS class,
       w.life_safety, w.status, w.event_at, w.detected_at, w.cleared_at, w.sentence_zh, w.sentence_en
FROM warnings w LEFT JOIN equipment e USING (community_id, equipment_id)
WHERE NOT w.replay;

-- clock = the running clock that is due first; clock_state: running, short (its yellow card is out), overdue.
-- No clock runs while the order is suspended or once it is finished.
CREATE VIEW wall.work_order AS
SELECT o.order_id, o.case_id, o.community_id, o.equipment_id, coalesce(e.name, o.equipment_id, '') AS equipment_zh,
       coalesce(nullif(e.name_en, ''), e.name, o.equipment_id, '') AS equipment_en, c.condition, c.class, c.life_safety,
       o.org_id, g.name AS organisation_zh, coalesce(nullif(g.name_en, ''), g.name) AS organisation_en, o.state, o.lead,
       o.dispatched_at, o.respond_due, o.arrive_due, o.finish_due, o.responded_at, o.arrived_at, o.finished_at, o.closed_at,
       k.clock, k.due_at, coalesce(k.due_at < now(), false) AS overdue,
       CASE WHEN k.due_at < now() THEN 'overdue'
            WHEN EXISTS (SELECT FROM escalations x WHERE x.order_id = o.order_id AND x.clock = k.clock AND x.level = 0)
                THEN 'short'
            WHEN k.due_at IS NOT NULL THEN 'running' END AS clock_state
FROM orders o
JOIN cases c USING (case_id)
JOIN organisations g ON g.org_id = o.org_id
LEFT JOIN equipment e ON (e.community_id, e.equipment_id) = (o.community_id, o.equipment_id)
LEFT JOIN LATERAL (
    SELECT v.clock, v.due_at
    FROM (VALUES ('respond', o.respond_due, o.responded_at), ('arrive', o.arrive_due, o.arrived_at),
                 ('finish', o.finish_due, o.finished_at)) AS v (clock, due_at, done_at)
    WHERE v.due_at IS NOT NULL AND v.done_at IS NULL
      AND o.lead AND o.closed_at IS NULL AND o.finished_at IS NULL AND o.state <> 'suspended'
    ORDER BY v.due_at LIMIT 1) k ON true
WHERE NOT c.replay;

CREATE VIEW wall.gateway AS
SELECT g.community_id, g.gateway_id, coalesce(nullif(g.name, ''), g.gateway_id) AS name, coalesce(s.online, false) AS online,
       s.online_since, s.offline_since, s.last_message_at, s.skew_ms, coalesce(s.points, 0) AS points
FROM gateways g LEFT JOIN gateway_status s USING (community_id, gateway_id)
WHERE g.revoked_at IS NULL;

-- Platform health. Both accounting identities hold at any moment (ARCHITECTURE §4); a difference is a fault of ours.
CREATE VIEW wall.ingest_account AS
SELECT lane, partition, received, processed, duplicate, dead_lettered, decoded, stored, quarantined, parked, late,
       received - processed - duplicate - dead_lettered AS messages_difference,
       decoded - stored - quarantined - parked AS readings_difference
FROM ingest_accounts;

CREATE VIEW wall.ingest_batch AS
SELECT lane, partition, row_count, committed_at FROM batches;
-- Walls ask by time of commit. Rows come in that order, so the smallest kind of index will do.
CREATE INDEX batches_committed ON batches USING brin (committed_at) WITH (autosummarize = on);

-- As public.gaps, whose security_invoker would ask for rights of Grafana's own: missing may still come, lost never.
CREATE VIEW wall.gap AS
SELECT community_id, gateway_id, lane, 'missing' AS state, upper(hole) - lower(hole) AS messages, updated_at
FROM progress,
     unnest(int8multirange(int8range(0, greatest(upper(range_merge(received)), upper(range_merge(lost)), 0)))
            - received - lost) AS hole
UNION ALL
SELECT community_id, gateway_id, lane, 'lost', upper(hole) - lower(hole), updated_at
FROM progress, unnest(lost) AS hole;

-- Without payload, detail and topic: a device chose those bytes.
CREATE VIEW wall.dead_letter AS
SELECT dead_letter_id, received_at, reason, community_id, gateway_id, replayed_at IS NOT NULL AS replayed FROM dead_letters;
