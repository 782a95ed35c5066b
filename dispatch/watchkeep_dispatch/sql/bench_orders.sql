-- 1,000,000 orders for `watchkeep bench orders`: two years, 300 communities, 60 organisations.

-- name: estate
WITH city AS (
    INSERT INTO areas (area_id, kind, name, path) VALUES ('city', 'city', 'city', '{city}')
), streets AS (
    INSERT INTO areas (area_id, parent_id, kind, name, path)
    SELECT 'street-' || n, 'city', 'subdistrict', 'street ' || n, ARRAY['city', 'street-' || n] FROM generate_series(0, 11) n
), companies AS (
    INSERT INTO organisations (org_id, kind, name) SELECT 'property-' || n, 'property_company', 'property ' || n FROM generate_series(0, 39) n
), maintainers AS (
    INSERT INTO organisations (org_id, kind, name) SELECT 'lift-' || n, 'lift_maintainer', 'lift ' || n FROM generate_series(0, 19) n
)
INSERT INTO communities (community_id, name, area_id, property_org_id, households)
SELECT 'c' || n, 'community ' || n, 'street-' || n %% 12, 'property-' || n %% 40, 1000 FROM generate_series(0, 299) n

-- name: equipment
INSERT INTO equipment (community_id, equipment_id, kind, name)
SELECT 'c' || c, 'lift-' || n, 'elevator', 'lift ' || n FROM generate_series(0, 299) c, generate_series(1, 20) n

-- name: people
WITH made AS (
    INSERT INTO people (login, name) VALUES ('city', 'city'), ('property', 'property'), ('technician', 'technician') RETURNING person_id, login
)
INSERT INTO memberships (person_id, role, scope_kind, scope_id)
SELECT person_id, CASE login WHEN 'city' THEN 'city_office' WHEN 'property' THEN 'property_manager' ELSE 'technician' END,
       CASE login WHEN 'city' THEN 'area' ELSE 'organisation' END,
       CASE login WHEN 'city' THEN 'city' WHEN 'property' THEN 'property-0' ELSE 'lift-0' END FROM made

-- name: cases
-- One in a hundred is still open; the snapshot has about the size of a real one.
INSERT INTO cases (community_id, equipment_id, condition, source, class, state, title_zh, title_en, responsible_org_id, snapshot, event_at,
                   filed_at, closed_at)
SELECT 'c' || n %% 300, CASE WHEN n %% 100 = 0 THEN NULL ELSE 'lift-' || 1 + n / 300 %% 20 END,
       (ARRAY['door_close_fail', 'vibration_high', 'levelling_poor', 'resident_repair'])[1 + n / 6000 %% 4], 'sensor',
       (ARRAY['C', 'C', 'B', 'A'])[1 + n %% 4], CASE WHEN n %% 100 = 0 THEN 'dispatched' ELSE 'closed' END, '案件', 'case',
       CASE WHEN n %% 2 = 0 THEN 'property-' || n %% 300 %% 40 ELSE 'lift-' || n %% 20 END,
       jsonb_build_object('why', repeat('x', 500)), t, t, CASE WHEN n %% 100 > 0 THEN t + interval '20 h' END
FROM (SELECT n, now() - interval '730 days' * (1 - n / %(orders)s::float8) AS t FROM generate_series(0, %(orders)s - 1) n) turn

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
