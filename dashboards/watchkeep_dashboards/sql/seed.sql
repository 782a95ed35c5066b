-- A city with something on every board, made set by set: for `watchkeep bench walls` and for the tests of the boards.
-- Numbers: communities, lifts per community, days of rollups, orders. Values follow sines and remainders: the same every time.

-- name: estate
WITH city AS (INSERT INTO areas (area_id, kind, name, path) VALUES ('city', 'city', '城市', '{city}')),
street AS (
    INSERT INTO areas (area_id, parent_id, kind, name, name_en, path)
    SELECT 's' || n, 'city', 'subdistrict', '街道' || n, 'Street ' || n, ARRAY['city', 's' || n] FROM generate_series(0, 3) AS n
), org AS (
    INSERT INTO organisations (org_id, kind, name, name_en)
    SELECT 'property-' || n, 'property_company', '物业' || n, 'Property ' || n FROM generate_series(0, 5) AS n
    UNION ALL SELECT 'lift-' || n, 'lift_maintainer', '维保' || n, 'Lift works ' || n FROM generate_series(0, 2) AS n
), place AS (
    INSERT INTO communities (community_id, name, name_en, area_id, property_org_id, households)
    SELECT 'c' || n, '小区' || n, 'Community ' || n, 's' || n %% 4, 'property-' || n %% 6, 800 FROM generate_series(0, %(communities)s - 1) AS n
)
INSERT INTO buildings (community_id, building_id, name, storeys)
SELECT 'c' || n, 'b1', '1号楼', 18 FROM generate_series(0, %(communities)s - 1) AS n

-- name: equipment
INSERT INTO equipment (community_id, equipment_id, kind, name, name_en, building_id, maker, model, installed_on)
SELECT 'c' || n, k.kind || '-' || i, k.kind, k.zh || i || '号', k.en || ' ' || i, 'b1', 'Maker', 'M' || i, date '2015-01-01' + 30 * i
FROM generate_series(0, %(communities)s - 1) AS n,
     (VALUES ('elevator', %(lifts)s, '电梯', 'Lift'), ('fire_alarm_panel', 2, '报警控制器', 'Panel'), ('control_room', 1, '消控室', 'Control room'),
             ('smoke_detector', 60, '烟感', 'Smoke detector'), ('hydrant_system', 4, '消火栓系统', 'Hydrants'),
             ('sprinkler_system', 2, '喷淋系统', 'Sprinklers'), ('fire_tank', 2, '消防水池', 'Fire tank'),
             ('electrical_fire_detector', 6, '电气火灾探测器', 'Electrical'), ('supply_pump_set', 4, '供水机组', 'Pump set'),
             ('supply_pump', 8, '供水泵', 'Pump'), ('water_tank', 3, '生活水箱', 'Tank'), ('water_quality_station', 2, '水质站', 'Quality'),
             ('dma_meter', 2, '分区表', 'DMA'), ('sump', 6, '集水坑', 'Sump'), ('gateway', 2, '网关', 'Gateway')) AS k (kind, number, zh, en),
     generate_series(1, k.number) AS i

-- name: gateways
INSERT INTO gateways (community_id, gateway_id, name, equipment_id)
SELECT community_id, equipment_id, name, equipment_id FROM equipment WHERE kind = 'gateway'

-- name: points
-- Period in seconds; below 900 there are hourly rollups, below 15 minutely ones too (a quarter of the bucket).
INSERT INTO points (community_id, equipment_id, metric, unit, period_s, gateway_id)
SELECT e.community_id, e.equipment_id, m.metric, 'x', m.period_s, 'gateway-1'
FROM equipment e JOIN (VALUES
    ('elevator', 'service_mode', 60), ('elevator', 'car_status', 60), ('elevator', 'door_status', 60), ('elevator', 'machine_room_temperature', 60),
    ('elevator', 'motor_current_percent', 60), ('elevator', 'ride_count', 90), ('elevator', 'door_close_time', 90),
    ('elevator', 'car_vibration_vertical', 90), ('elevator', 'car_vibration_horizontal', 90), ('fire_alarm_panel', 'power_status', 60),
    ('fire_alarm_panel', 'backup_power_status', 60), ('fire_alarm_panel', 'control_mode', 60), ('control_room', 'persons_on_duty', 600),
    ('smoke_detector', 'battery_level', 86400), ('hydrant_system', 'static_pressure', 300), ('sprinkler_system', 'static_pressure', 300),
    ('fire_tank', 'water_level', 60), ('electrical_fire_detector', 'residual_current', 60),
    ('electrical_fire_detector', 'conductor_temperature', 60), ('supply_pump_set', 'outlet_pressure', 10),
    ('supply_pump_set', 'outlet_pressure_setpoint', 3600), ('supply_pump', 'pump_run_state', 60), ('supply_pump', 'pump_frequency', 60),
    ('supply_pump', 'pump_current_percent', 60), ('supply_pump', 'pump_vibration', 3600), ('supply_pump', 'starts_per_hour', 3600),
    ('water_tank', 'water_level', 60), ('water_quality_station', 'residual_chlorine', 900), ('water_quality_station', 'turbidity', 900),
    ('water_quality_station', 'ph', 900), ('dma_meter', 'night_minimum_flow', 86400), ('dma_meter', 'inlet_flow', 900),
    ('sump', 'water_level', 60), ('sump', 'pump_run_state', 60), ('gateway', 'spool_depth', 60)) AS m (kind, metric, period_s) USING (kind)

-- name: limits
INSERT INTO point_limits (series_id, condition, side, value, clear_value, tier, basis, mark)
SELECT series_id, 'fire_static_pressure_low', 'below', 70, 75, 'warning', 'x', 'CP' FROM points WHERE metric = 'static_pressure'
UNION ALL
SELECT series_id, 'machine_room_hot', 'above', 40, 38, 'warning', 'x', 'CP' FROM points WHERE metric = 'machine_room_temperature'

-- name: rollup_series
INSERT INTO rollup_series (series_id, minute, hour, counter, period_s)
SELECT series_id, period_s <= 15, true, metric = 'ride_count', period_s FROM points WHERE period_s <= 900

-- name: partitions
SELECT make_reading_partitions(ARRAY(SELECT d::date FROM generate_series(now() - %(days)s * interval '1 day', now() + interval '1 day', '1 day') AS d)),
       make_rollup_partitions(ARRAY(SELECT d::date FROM generate_series(now() - %(days)s * interval '1 day', now() + interval '1 day', '1 day') AS d))

-- name: shape
-- A value of any metric at any time: pg_temp, so that it goes with the session.
CREATE FUNCTION pg_temp.shape(metric text, series integer, at timestamptz) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN metric = 'service_mode' THEN CASE WHEN (series + extract(epoch FROM at)::bigint / 7200) % 9 = 0 THEN 2 ELSE 1 END
        WHEN metric IN ('power_status', 'backup_power_status', 'door_status') THEN 1
        WHEN metric IN ('car_status', 'control_mode') THEN series % 2
        WHEN metric = 'pump_run_state' THEN series % 3
        WHEN metric = 'persons_on_duty' THEN 2
        WHEN metric = 'ride_count' THEN extract(epoch FROM at)::bigint / 90 % 1000000
        WHEN metric LIKE 'car_vibration%' THEN 0.1 + 0.01 * (series % 7)
        ELSE 50 + series % 17 + 10 * sin(extract(epoch FROM at) / 13751 + series) END
$$

-- name: raw
INSERT INTO readings (series_id, ts, value, quality)
SELECT p.series_id, t, pg_temp.shape(p.metric, p.series_id, t), 0
FROM points p, generate_series(date_trunc('minute', now()) - %(raw_hours)s * interval '1 hour', now(), p.period_s * interval '1 s') AS t

-- name: slow
INSERT INTO readings (series_id, ts, value, quality)
SELECT p.series_id, t, pg_temp.shape(p.metric, p.series_id, t), 0
FROM points p, generate_series(date_trunc('minute', now()) - %(days)s * interval '1 day', now(), p.period_s * interval '1 s') AS t
WHERE p.period_s > 900

-- name: hours
INSERT INTO readings_hour (series_id, ts, count, bad, sum, min, max, first, last, increase)
SELECT p.series_id, t, (3600 / p.period_s)::integer, 0, v * (3600 / p.period_s)::integer, v - 1, v + 1, v, v,
       CASE WHEN p.metric = 'ride_count' THEN 40 END
FROM points p, generate_series(date_trunc('hour', now()) - %(days)s * interval '1 day', date_trunc('hour', now()) - interval '1 h', '1 hour') AS t,
     LATERAL (SELECT pg_temp.shape(p.metric, p.series_id, t) AS v OFFSET 0) AS x
WHERE p.period_s <= 900

-- name: minutes
INSERT INTO readings_minute (series_id, ts, count, bad, sum, min, max, first, last)
SELECT p.series_id, t, 6, 0, v * 6, v - 1, v + 1, v, v
FROM points p, generate_series(date_trunc('hour', now()) - %(days)s * interval '1 day', date_trunc('hour', now()) - interval '1 min', '1 min') AS t,
     LATERAL (SELECT pg_temp.shape(p.metric, p.series_id, t) AS v OFFSET 0) AS x
WHERE p.period_s <= 15

-- name: hours_as_readings
-- Where TimescaleDB keeps continuous aggregates they cannot be written: one reading per hour gives them.
INSERT INTO readings (series_id, ts, value, quality)
SELECT p.series_id, t, pg_temp.shape(p.metric, p.series_id, t), 0
FROM points p, generate_series(date_trunc('hour', now()) - %(days)s * interval '1 day', now() - %(raw_hours)s * interval '1 hour', '1 hour') AS t
WHERE p.period_s <= 900

-- name: rolled
UPDATE storage_levels SET rolled_until = date_trunc('hour', now()), sealed_until = date_trunc('hour', now()) WHERE level <> 'raw'

-- name: warnings
INSERT INTO warnings (community_id, equipment_id, condition, tier, proposed_class, life_safety, status, event_at, detected_at, last_seen_at,
                      cleared_at, detector, version, evidence, sentence_zh, sentence_en)
SELECT 'c' || n %% %(communities)s, k.equipment, k.condition, 'warning', k.class, k.class = 'A', s.status, s.at, s.at, s.at,
       CASE WHEN s.status = 'cleared' THEN s.at + interval '20 min' END, 'limit', '1', '{}', k.zh, k.en
FROM generate_series(0, %(orders)s / 2) AS n,
     LATERAL (SELECT * FROM (VALUES
         (0, 'elevator-1', 'entrapment', 'A', '困人', 'Entrapment'), (1, 'elevator-2', 'door_cycling', 'B', '反复开关门', 'Door cycling'),
         (2, 'hydrant_system-1', 'fire_static_pressure_low', 'B', '压力低', 'Pressure low'), (3, 'fire_alarm_panel-1', 'fire_shielded', 'B', '屏蔽', 'Disabled'),
         (4, 'smoke_detector-1', 'fire_alarm', 'A', '火警', 'Fire alarm'), (5, 'sump-1', 'sump_level_high', 'B', '液位高', 'Level high'),
         (6, 'supply_pump_set-1', 'supply_pressure_loss', 'A', '失压', 'Pressure lost'), (7, 'supply_pump-1', 'pump_fault', 'B', '水泵故障', 'Pump fault'),
         (8, 'gateway-1', 'sensor_silent', 'C', '无数据', 'Silent'), (9, 'water_quality_station-1', 'turbidity_high', 'B', '浑浊', 'Turbid'))
         AS v (pick, equipment, condition, class, zh, en) WHERE pick = n / %(communities)s %% 10) AS k,
     LATERAL (SELECT CASE WHEN n < 10 * %(communities)s THEN 'open' ELSE 'cleared' END AS status,
                     now() - interval '10 min' - n * (interval '60 days' / greatest(%(orders)s / 2, 1)) AS at) AS s

-- name: cases
INSERT INTO cases (case_id, community_id, equipment_id, condition, source, class, state, title_zh, title_en, event_at, filed_at, closed_at)
OVERRIDING SYSTEM VALUE
SELECT n, 'c' || n %% %(communities)s, 'elevator-' || 1 + n %% %(lifts)s, 'kind_' || n, 'sensor', (ARRAY['A', 'B', 'C'])[1 + n %% 3],
       CASE WHEN n <= %(open)s THEN 'dispatched' ELSE 'closed' END, 'x', 'x', t.at, t.at,
       CASE WHEN n > %(open)s THEN t.at + interval '5 hours' END
FROM generate_series(1, %(orders)s) AS n, LATERAL (SELECT now() - n * (interval '60 days' / %(orders)s) - interval '1 hour' AS at) AS t

-- name: orders
INSERT INTO orders (order_id, case_id, community_id, equipment_id, org_id, state, dispatched_at, responded_at, arrived_at, finished_at,
                    respond_due, arrive_due, finish_due, closed_at, class, condition)
OVERRIDING SYSTEM VALUE
SELECT c.case_id, c.case_id, c.community_id, c.equipment_id,
       CASE WHEN c.case_id %% 2 = 0 THEN 'property-' || c.case_id %% 6 ELSE 'lift-' || c.case_id %% 3 END,
       CASE WHEN c.closed_at IS NULL THEN 'accepted' WHEN c.case_id %% 50 = 0 THEN 'returned' WHEN c.case_id %% 31 = 0 THEN 'rework' ELSE 'closed' END,
       c.filed_at, c.filed_at + interval '10 min', CASE WHEN c.closed_at IS NOT NULL THEN c.filed_at + interval '40 min' END,
       CASE WHEN c.closed_at IS NOT NULL THEN c.filed_at + (c.case_id %% 9) * interval '1 hour' END, c.filed_at + interval '15 min',
       c.filed_at + interval '1 hour', c.filed_at + interval '7 hours', c.closed_at, c.class, 'door_cycling'
FROM cases c

-- name: escalations
INSERT INTO escalations (order_id, clock, level, to_party, due_at, fired_at)
SELECT order_id, 'finish', order_id %% 3, CASE WHEN order_id %% 3 = 2 THEN 'subdistrict' ELSE 'property_company' END, finish_due, finish_due
FROM orders WHERE order_id %% 7 = 0

-- name: ledger
INSERT INTO ledger_entries (case_id, responsible_org_id, entered_at, due_on, reason)
SELECT case_id, 'property-1', filed_at, current_date + 30, 'x' FROM cases WHERE case_id %% 500 = 1

-- name: rankings
WITH r AS (
    INSERT INTO rankings (scheme, since, until, as_of, created_at, published_at, appeals_until)
    VALUES ('half_year', now() - interval '200 days', now() - interval '20 days', now() - interval '20 days', now() - interval '20 days',
            now() - interval '10 days', now() - interval '3 days') RETURNING ranking_id)
INSERT INTO ranking_rows (ranking_id, subject_id, name, score, list, position, cases, detail)
SELECT r.ranking_id, 'property-' || n, '物业' || n, 95 - 7 * n, CASE WHEN n < 2 THEN 'red' WHEN n > 3 THEN 'grey' ELSE 'none' END, n + 1, 40, '{}'
FROM r, generate_series(0, 5) AS n

-- name: platform
WITH status AS (
    INSERT INTO gateway_status (community_id, gateway_id, online, last_message_at, skew_ms, points)
    SELECT community_id, gateway_id, gateway_id <> 'gateway-2', now(), CASE gateway_id WHEN 'gateway-2' THEN 400000 ELSE 20 END, 100 FROM gateways
), clocks AS (
    INSERT INTO device_clocks (community_id, equipment_id, skew_ms)
    SELECT community_id, equipment_id, 1000 * (1 + length(equipment_id)) FROM equipment WHERE kind = 'fire_alarm_panel'
), progress AS (
    INSERT INTO progress (community_id, gateway_id, lane, epoch, received, lost)
    SELECT community_id, gateway_id, lane, 'e', '{[3,5),[7,9)}', '{[0,2)}' FROM gateways, (VALUES ('data'), ('event')) AS l (lane)
), letters AS (
    INSERT INTO dead_letters (received_at, topic, payload, reason, detail, community_id)
    SELECT now() - n * interval '1 minute', 't', 'x', (ARRAY['undecodable', 'too_large'])[1 + n %% 2], 'x', 'c0' FROM generate_series(1, 40) AS n
), accounts AS (
    INSERT INTO ingest_accounts SELECT lane, p, 100, 97, 2, 1, 900, 890, 4, 6, 3 FROM generate_series(0, 15) AS p, (VALUES ('data'), ('event')) AS l (lane)
), parked AS (
    INSERT INTO parked (community_id, gateway_id, epoch, seq, reason, readings, payload)
    SELECT 'c0', 'gateway-1', 'e', n, 'alias', 5, 'x' FROM generate_series(1, 30) AS n
)
INSERT INTO batches (lane, partition, batch, row_count, min_ts, max_ts, committed_at)
SELECT l.lane, p, n, 800, t.at - interval '12 s', t.at - interval '2 s', t.at
FROM (VALUES ('data', %(batches)s), ('event', 1 + %(batches)s / 10)) AS l (lane, number), generate_series(0, 15) AS p, generate_series(1, l.number) AS n,
     LATERAL (SELECT now() - (l.number - n) * (interval '6 minutes' / l.number) AS at) AS t
ORDER BY t.at

-- name: minutes_of_ingest
INSERT INTO ingest_minutes (minute, lane, row_count, least_lag_s, most_lag_s)
SELECT t, lane, 60000, 1, 2 FROM (VALUES ('data'), ('event')) AS l (lane),
       generate_series(date_trunc('minute', now()) - interval '1 day', date_trunc('minute', now()) - interval '7 minutes', '1 minute') AS t

-- name: worth
-- Readings that the hours of the rollups stand for, at the period of each point.
SELECT coalesce(sum(3600 / p.period_s), 0)::bigint FROM readings_hour h JOIN points p USING (series_id)
