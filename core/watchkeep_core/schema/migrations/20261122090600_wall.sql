-- Schema wall: what Grafana may read. Views only, no names of persons, no phone numbers, no free text.
-- depends: 20261122090500_access

CREATE SCHEMA wall;
GRANT USAGE ON SCHEMA wall TO grafana_ro;
ALTER DEFAULT PRIVILEGES IN SCHEMA wall GRANT SELECT ON TABLES TO grafana_ro;

CREATE VIEW wall.community AS
SELECT community_id, name, name_en, area_id, mode, households FROM communities;

CREATE VIEW wall.warning AS
SELECT w.warning_id, w.community_id, w.equipment_id, e.kind, e.name AS equipment, w.condition, w.tier, w.proposed_class AS class,
       w.status, w.event_at, w.cleared_at, w.sentence_zh, w.sentence_en
FROM warnings w LEFT JOIN equipment e USING (community_id, equipment_id)
WHERE NOT w.replay;

CREATE VIEW wall.work_order AS
SELECT o.order_id, o.case_id, c.community_id, c.equipment_id, c.condition, c.class, o.org_id, o.state, o.dispatched_at,
       o.respond_due, o.arrive_due, o.finish_due, o.responded_at, o.arrived_at, o.finished_at, o.closed_at,
       o.closed_at IS NULL AND now() > coalesce(CASE WHEN o.responded_at IS NULL THEN o.respond_due
                                                     WHEN o.arrived_at IS NULL THEN coalesce(o.arrive_due, o.finish_due)
                                                     ELSE o.finish_due END, 'infinity') AS overdue
FROM orders o JOIN cases c USING (case_id)
WHERE NOT c.replay;

CREATE VIEW wall.gateway AS
SELECT g.community_id, g.gateway_id, g.name, coalesce(s.online, false) AS online, s.last_message_at, s.skew_ms, s.points
FROM gateways g LEFT JOIN gateway_status s USING (community_id, gateway_id);
