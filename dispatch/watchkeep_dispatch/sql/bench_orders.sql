-- 1,000,000 orders for `watchkeep bench orders`: two years, 300 communities, 61 organisations; a warning for each, and more.

-- name: estate
WITH city AS (
    INSERT INTO areas (area_id, kind, name, path) VALUES ('city', 'city', 'city', '{city}')
), streets AS (
    INSERT INTO areas (area_id, parent_id, kind, name, path)
    SELECT 'street-' || n, 'city', 'subdistrict', 'street ' || n, ARRAY['city', 'street-' || n] FROM generate_series(0, 11) n
), companies AS (
    INSERT INTO organisations (org_id, kind, name) SELECT 'property-' || n, 'property_company', 'property ' || n FROM generate_series(0, 39) n
), maintainers AS (
    INSERT INTO organisations (org_id, kind, name) SELECT 'lift-' || n, 'lift_maintainer', 'lift ' || n FROM generate_series(0, 20) n
)
INSERT INTO communities (community_id, name, area_id, property_org_id, households)
SELECT 'c' || n, 'community ' || n, 'street-' || n %% 12, 'property-' || n %% 40, 1000 FROM generate_series(0, 299) n

-- name: contracts
-- The newcomer's firm has one, and no order yet.
INSERT INTO contracts (community_id, contract_id, kind, provider_org_id, valid, equipment_kinds)
SELECT 'c' || n, 'lift-' || n, 'lift_maintainer', CASE WHEN n = 0 THEN 'lift-20' ELSE 'lift-' || n %% 20 END, daterange('2020-01-01', '2100-01-01'),
       '{elevator,escalator}'
FROM generate_series(0, 299) n

-- name: buildings
INSERT INTO buildings (community_id, building_id, name, storeys)
SELECT 'c' || c, 'b' || n, n || '号楼', 18 FROM generate_series(0, 299) c, generate_series(0, 9) n

-- name: equipment
INSERT INTO equipment (community_id, equipment_id, kind, name, building_id)
SELECT 'c' || c, 'lift-' || n, 'elevator', 'lift ' || n, 'b' || n %% 10 FROM generate_series(0, 299) c, generate_series(1, 20) n

-- name: points
-- 30,000, of one gateway for each community.
INSERT INTO points (community_id, equipment_id, metric, unit, gateway_id, created_at)
SELECT community_id, equipment_id, metric, '1', 'gw', now() - interval '730 days'
FROM equipment, unnest('{car_status,door_status,power_status,speed,vibration}'::text[]) metric

-- name: people
WITH made AS (
    INSERT INTO people (login, name) SELECT login, login FROM unnest('{city,property,technician,newcomer}'::text[]) login
    RETURNING person_id, login
)
INSERT INTO memberships (person_id, role, scope_kind, scope_id)
SELECT person_id, role, scope_kind, scope_id FROM made JOIN (VALUES
    ('city', 'city_office', 'area', 'city'), ('property', 'property_manager', 'organisation', 'property-0'),
    ('technician', 'technician', 'organisation', 'lift-1'), ('newcomer', 'technician', 'organisation', 'lift-20')
) m (login, role, scope_kind, scope_id) USING (login)

-- name: cases
-- One in a hundred is still open, and those of the last day; the snapshot has about the size of a real one.
INSERT INTO cases (community_id, equipment_id, condition, source, class, state, title_zh, title_en, responsible_org_id, snapshot, event_at,
                   filed_at, closed_at)
SELECT 'c' || n %% 300, CASE WHEN n %% 100 = 0 THEN NULL ELSE 'lift-' || 1 + n / 300 %% 20 END,
       (ARRAY['door_close_fail', 'vibration_high', 'levelling_poor', 'resident_repair'])[1 + n / 6000 %% 4], 'sensor',
       (ARRAY['C', 'C', 'B', 'A'])[1 + n %% 4], CASE WHEN is_open THEN 'dispatched' ELSE 'closed' END, '案件', 'case',
       CASE WHEN n %% 2 = 0 THEN 'property-' || n %% 300 %% 40 ELSE 'lift-' || n %% 20 END,
       jsonb_build_object('why', repeat('x', 500)), t, t, CASE WHEN NOT is_open THEN t + interval '20 h' END
FROM (SELECT n, t, n %% 100 = 0 OR t > now() - interval '1 day' AS is_open
      FROM generate_series(0, %(orders)s - 1) n, LATERAL (SELECT now() - interval '730 days' * (1 - n / %(orders)s::float8) AS t) at) turn

-- name: orders
INSERT INTO orders (case_id, community_id, equipment_id, org_id, state, dispatched_at, responded_at, arrived_at, finished_at, respond_due,
                    arrive_due, finish_due, closed_at, class, condition, recurs_order_id)
SELECT case_id, community_id, equipment_id, responsible_org_id, state, filed_at, filed_at + interval '9 min', filed_at + interval '40 min',
       CASE WHEN closed_at IS NOT NULL THEN filed_at + interval '1 h' * (case_id %% 30) END, filed_at + interval '15 min',
       filed_at + interval '1 h', filed_at + interval '24 h', closed_at, class, condition, NULL
FROM cases ORDER BY case_id

-- name: pauses
INSERT INTO transitions (case_id, order_id, action, from_state, to_state, at)
SELECT case_id, order_id, action, 'on_site', 'suspended', dispatched_at + after
FROM orders, (VALUES ('suspend', interval '1 h'), ('resume', interval '2 h')) steps (action, after) WHERE order_id %% 50 = 0
ORDER BY order_id, after

-- name: moved
INSERT INTO deadline_changes (case_id, order_id, clock, kind, from_due, to_due, reason, at)
SELECT case_id, order_id, 'finish', 'pause', finish_due - interval '1 h', finish_due, 'bench', dispatched_at + interval '2 h'
FROM orders WHERE order_id %% 50 = 0

-- name: warnings
-- One for each case, one in forty of a silent lift; the newest stand, no two of the same.
INSERT INTO warnings (community_id, equipment_id, condition, tier, event_at, last_seen_at, detector, version, evidence, sentence_zh, sentence_en,
                      proposed_class, detected_at, status, cleared_at)
SELECT 'c' || n %% 300, 'lift-' || 1 + n / 300 %% 20,
       CASE WHEN n %% 41 = 7 THEN 'sensor_silent'
            ELSE (ARRAY['door_close_fail', 'vibration_high', 'levelling_poor', 'door_held_open'])[1 + n / 6000 %% 4] END, 'alarm', t, t, 'bench', '1',
       '{"value": 1, "limit": 0}', repeat('读数', 20), repeat('reading ', 10), (ARRAY['C', 'C', 'B', 'A'])[1 + n %% 4], t,
       CASE WHEN n >= %(orders)s - 10000 THEN 'open' ELSE 'cleared' END, CASE WHEN n < %(orders)s - 10000 THEN t + interval '20 min' END
FROM (SELECT n, now() - interval '730 days' * (1 - n / %(orders)s::float8) AS t FROM generate_series(0, %(orders)s - 1) n) turn

-- name: verdicts
-- One in twenty was false after all.
INSERT INTO verdicts (warning_id, verdict, rule, reason, at)
SELECT warning_id, 'filed', 'at_once', 'bench', detected_at FROM warnings
UNION ALL
SELECT warning_id, 'dismissed', 'person', 'bench', detected_at + interval '1 h' FROM warnings WHERE warning_id %% 20 = 0

-- name: case_warnings
INSERT INTO case_warnings (warning_id, case_id, role)
SELECT warning_id, case_id, 'cause'
FROM (SELECT warning_id, row_number() OVER (ORDER BY warning_id) AS n FROM warnings) w
JOIN (SELECT case_id, row_number() OVER (ORDER BY case_id) AS n FROM cases) c USING (n)

-- name: complaints
-- One to ten cases, most of them rated.
INSERT INTO complaints (source, community_id, condition, description, property_org_id, received_at, case_id, answered_at, satisfied, rated_at)
SELECT 'hotline_12345', community_id, 'resident_repair', repeat('电梯', 40), 'property-0', filed_at, case_id, closed_at, case_id %% 7 > 0,
       CASE WHEN case_id %% 30 > 0 THEN closed_at + interval '1 h' END
FROM cases WHERE case_id %% 10 = 0

-- name: callbacks
INSERT INTO case_callbacks (case_id, at, reached, satisfied) SELECT case_id, closed_at + interval '1 day', true, case_id %% 9 > 0
FROM cases WHERE case_id %% 20 = 5 AND closed_at < now() - interval '1 day'
