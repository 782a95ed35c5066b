-- What the ten boards ask: equipment, newest values, series, order facts, escalations, published lists, queues of the platform.
-- depends: 20261124700000_console_accounts

-- Its join to the rollups computed the newest hour of every series of the city. wall.series asks for the chosen ones only.
DROP VIEW wall.reading_hour;

-- As wall.community was, with the company and the subdistrict behind it.
CREATE OR REPLACE VIEW wall.community AS
SELECT c.community_id, c.name AS name_zh, coalesce(nullif(c.name_en, ''), c.name) AS name_en, c.area_id, c.mode, c.households,
       a.name AS area_zh, coalesce(nullif(a.name_en, ''), a.name) AS area_en,
       coalesce(o.name, '') AS company_zh, coalesce(nullif(o.name_en, ''), o.name, '') AS company_en
FROM communities c JOIN areas a USING (area_id) LEFT JOIN organisations o ON o.org_id = c.property_org_id;

-- Two of a community with the same name are told apart by their ids: a chart would make one line of them.
CREATE VIEW wall.equipment AS
SELECT e.community_id, e.equipment_id, e.kind, e.name || t.mark AS name_zh, coalesce(nullif(e.name_en, ''), e.name) || t.mark AS name_en,
       e.status, coalesce(b.name, '') AS building, e.level, e.maker, e.model, e.installed_on
FROM equipment e LEFT JOIN buildings b USING (community_id, building_id),
     LATERAL (SELECT CASE WHEN EXISTS (SELECT FROM equipment x WHERE x.community_id = e.community_id AND x.name = e.name
                                       AND x.equipment_id <> e.equipment_id) THEN ' #' || e.equipment_id ELSE '' END AS mark) AS t
WHERE e.status <> 'retired';
CREATE INDEX equipment_name ON equipment (community_id, name);

-- Limits of points, without the text of their basis: lines on charts.
CREATE VIEW wall.point_limit AS
SELECT p.community_id, p.equipment_id, p.metric, l.condition, l.side, l.value, l.tier
FROM point_limits l JOIN points p USING (series_id) WHERE l.enabled;

-- The newest good value of each point, looking back 26 hours (the slowest points tell once a day). "Now" of a community that
-- replays recorded data is its watermark.
CREATE VIEW wall.point_latest AS
SELECT p.community_id, p.equipment_id, e.kind, e.name_zh AS equipment_zh, e.name_en AS equipment_en, p.metric, p.unit, p.gateway_id,
       r.ts, r.value
FROM points p JOIN wall.equipment e USING (community_id, equipment_id) LEFT JOIN replay_watermarks w ON w.community_id = p.community_id
LEFT JOIN LATERAL (
    SELECT x.ts, x.value FROM readings x
    WHERE x.series_id = p.series_id AND x.quality < 2
      AND x.ts > coalesce(w.ts, now()) - interval '26 hours' AND x.ts <= coalesce(w.ts, now()) + interval '5 minutes'
    ORDER BY x.ts DESC LIMIT 1) r ON true;

-- Values of points over time, bad readings left out: raw, per minute or per hour, by the length of the span, so that no question
-- of a wall reads more than some thousand rows per point; in buckets of `step` when one is given. A function, for only with the
-- points known do the rollups' newest buckets cost nothing but those points. `last` is by event time; of a state or a counter only
-- `last` means something.
CREATE FUNCTION wall.series(of_communities text[], of_kinds text[], of_metrics text[], since timestamptz, until timestamptz,
                            of_equipment text[] DEFAULT NULL, step interval DEFAULT NULL)
RETURNS TABLE (community_id text, equipment_id text, equipment_zh text, equipment_en text, metric text, ts timestamptz,
               mean double precision, min double precision, max double precision, last double precision, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    span interval := until - since;
    one  record;
BEGIN
    FOR one IN
        SELECT c.level, array_agg(c.series_id) AS series
        FROM (SELECT p.series_id,
                     CASE WHEN s.hour AND (span > interval '3 days' OR (span > interval '12 hours' AND NOT s.minute)) THEN 'hour'
                          WHEN s.minute AND span > interval '2 hours' THEN 'minute' ELSE 'raw' END AS level
              FROM points p JOIN equipment e USING (community_id, equipment_id) LEFT JOIN rollup_series s USING (series_id)
              WHERE p.community_id = ANY (of_communities) AND p.metric = ANY (of_metrics) AND e.kind = ANY (of_kinds)
                AND e.status <> 'retired' AND (of_equipment IS NULL OR p.equipment_id = ANY (of_equipment))) AS c
        GROUP BY 1
    LOOP
        -- EXECUTE: planned with the values at hand, so that partitions and chunks outside the span are not even looked at.
        RETURN QUERY EXECUTE format($q$
            WITH named AS MATERIALIZED (
                SELECT p.series_id, p.metric, e.community_id, e.equipment_id, e.name_zh, e.name_en
                FROM points p JOIN wall.equipment e USING (community_id, equipment_id) WHERE p.series_id = ANY ($1)
            ), found AS (SELECT %s)
            SELECT n.community_id, n.equipment_id, n.name_zh, n.name_en, n.metric, f.ts, f.mean, f.min, f.max, f.last, f.count
            FROM found f JOIN named n USING (series_id)$q$,
            CASE WHEN one.level = 'raw' AND step IS NULL THEN
                'r.series_id, r.ts, r.value AS mean, r.value AS min, r.value AS max, r.value AS last, 1::bigint AS count FROM readings r '
                'WHERE r.series_id = ANY ($1) AND r.ts >= $2 AND r.ts < $3 AND r.quality < 2 AND $4 IS NULL'
            WHEN one.level = 'raw' THEN
                'r.series_id, date_bin($4, r.ts, ''epoch'') AS ts, avg(r.value) AS mean, min(r.value) AS min, max(r.value) AS max, '
                '(array_agg(r.value ORDER BY r.ts DESC))[1] AS last, count(*) AS count FROM readings r '
                'WHERE r.series_id = ANY ($1) AND r.ts >= $2 AND r.ts < $3 AND r.quality < 2 GROUP BY 1, 2'
            WHEN step IS NULL THEN
                format('r.series_id, r.ts, r.sum / r.count AS mean, r.min, r.max, r.last, r.count::bigint AS count FROM rollups_%s r '
                       'WHERE r.series_id = ANY ($1) AND r.ts >= $2 AND r.ts < $3 AND r.count > 0 AND $4 IS NULL', one.level)
            ELSE
                format('r.series_id, date_bin($4, r.ts, ''epoch'') AS ts, sum(r.sum) / sum(r.count) AS mean, min(r.min) AS min, '
                       'max(r.max) AS max, (array_agg(r.last ORDER BY r.ts DESC))[1] AS last, sum(r.count) AS count FROM rollups_%s r '
                       'WHERE r.series_id = ANY ($1) AND r.ts >= $2 AND r.ts < $3 AND r.count > 0 GROUP BY 1, 2', one.level)
            END) USING one.series, since, until, step;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION wall.series(text[], text[], text[], timestamptz, timestamptz, text[], interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wall.series(text[], text[], text[], timestamptz, timestamptz, text[], interval) TO grafana_ro;

-- One lead order as the indicators of DOMAIN §7.2 see it now (dispatch/sql/indicators.sql with as_of = now): `counts` is false for
-- what is left out of the rates (returned, withdrawn, in the ledger, paused). Tests and recorded data are not in it.
CREATE VIEW wall.order_fact AS
SELECT o.order_id, o.case_id, o.community_id, o.equipment_id, o.org_id, g.kind AS party, g.name AS organisation_zh,
       coalesce(nullif(g.name_en, ''), g.name) AS organisation_en, o.class, o.condition, o.dispatched_at, o.respond_due, o.responded_at,
       o.arrive_due, o.arrived_at, o.finish_due, o.finished_at, o.closed_at, o.settles_at AS due_at,
       CASE WHEN o.closed_at IS NULL THEN 'open' ELSE o.state END AS ended,
       NOT (o.closed_at IS NOT NULL AND o.state IN ('returned', 'not_filed', 'merged', 'ledger')
            OR o.closed_at IS NULL AND o.finished_at IS NULL AND o.state = 'suspended') AS counts,
       coalesce(o.finished_at <= o.settles_at AND NOT (o.closed_at IS NOT NULL AND o.state = 'rework'), false) AS on_time
FROM orders o JOIN organisations g USING (org_id)
WHERE o.lead AND o.scored;

-- To which party, not to whom.
CREATE VIEW wall.escalation AS
SELECT x.order_id, o.case_id, o.community_id, o.equipment_id, coalesce(e.name, o.equipment_id, '') AS equipment_zh,
       coalesce(nullif(e.name_en, ''), e.name, o.equipment_id, '') AS equipment_en, o.class, o.condition, x.clock, x.level, x.to_party,
       x.due_at, x.fired_at, o.closed_at IS NULL AS open
FROM escalations x JOIN orders o USING (order_id)
LEFT JOIN equipment e ON (e.community_id, e.equipment_id) = (o.community_id, o.equipment_id)
WHERE o.scored;
CREATE INDEX escalations_fired ON escalations (fired_at DESC);

-- What could not be solved and waits in the ledger (挂账).
CREATE VIEW wall.ledger AS
SELECT l.entry_id, l.case_id, c.community_id, c.class, c.condition, l.entered_at, l.due_on
FROM ledger_entries l JOIN cases c USING (case_id) WHERE l.struck_at IS NULL AND NOT c.replay;

-- Published red and grey lists only, as corrected by appeals that were upheld.
CREATE VIEW wall.ranking AS
SELECT r.ranking_id, r.scheme, r.since, r.until, r.area_id, r.published_at, w.subject_id, w.name, w.score, w.band,
       coalesce(w.corrected, w.list) AS list, w.position, w.cases
FROM rankings r JOIN ranking_rows w USING (ranking_id) WHERE r.published_at IS NOT NULL;

-- Clocks of devices behind a gateway.
CREATE VIEW wall.device_clock AS
SELECT d.community_id, d.equipment_id, coalesce(e.name, d.equipment_id) AS equipment_zh,
       coalesce(nullif(e.name_en, ''), e.name, d.equipment_id) AS equipment_en, d.skew_ms, d.measured_at
FROM device_clocks d LEFT JOIN equipment e USING (community_id, equipment_id);

-- How many points of a kind a community has, and how many of them are connected.
CREATE VIEW wall.fleet AS
SELECT p.community_id, e.kind, count(*) AS points, count(p.gateway_id) AS connected, count(DISTINCT p.equipment_id) AS equipment
FROM points p JOIN equipment e USING (community_id, equipment_id) WHERE e.status <> 'retired' GROUP BY 1, 2;

-- As before, with how late the newest row of the batch was (negative: a device's clock is ahead).
CREATE OR REPLACE VIEW wall.ingest_batch AS
SELECT lane, partition, row_count, committed_at, extract(epoch FROM committed_at - max_ts)::double precision AS lag_s FROM batches;

-- The newest batch of each lane and partition: read from the end of an index, however many batches there are.
CREATE VIEW wall.ingest_lane AS
SELECT l.lane, n.partition, b.batch, b.committed_at, b.max_ts
FROM (VALUES ('data'), ('event')) AS l (lane), generate_series(0, 15) AS n (partition),
     LATERAL (SELECT x.batch, x.committed_at, x.max_ts FROM batches x
              WHERE x.lane = l.lane AND x.partition = n.partition ORDER BY x.batch DESC LIMIT 1) AS b;

-- What waits inside the platform. `oldest_at` is null where the queue is empty or keeps no time.
CREATE VIEW wall.queue AS
SELECT 'parked' AS queue, count(*) AS waiting, min(parked_at) AS oldest_at FROM parked
UNION ALL SELECT 'rows_outbox', count(*), NULL FROM rows_outbox
UNION ALL SELECT 'unjudged', count(*), min(w.detected_at) FROM unjudged u JOIN warnings w USING (warning_id)
UNION ALL SELECT 'notifications', count(*), min(n.created_at) FROM notifications n WHERE n.status = 'queued'
UNION ALL SELECT 'notifications_failed', count(*), NULL FROM notifications n WHERE n.status = 'failed'
UNION ALL SELECT 'rollups', count(*), min(marked_at) FROM (SELECT marked_at FROM rollup_dirty LIMIT 100000) AS d;
