-- name: find_gateways
SELECT g.community_id, g.gateway_id, c.mode = 'replay'
FROM unnest(%(communities)s::text[], %(gateways)s::text[]) AS k (community_id, gateway_id)
JOIN gateways g USING (community_id, gateway_id) JOIN communities c USING (community_id)

-- name: read_aliases
-- Of each gateway and epoch one value, alias and series in turn as big-endian int4: a row each costs the client a visit.
SELECT k.community_id, k.gateway_id, k.epoch, a.packed
FROM unnest(%(communities)s::text[], %(gateways)s::text[], %(epochs)s::text[]) AS k (community_id, gateway_id, epoch)
CROSS JOIN LATERAL (
    SELECT string_agg(int4send(alias) || int4send(series_id), '' ORDER BY alias) AS packed FROM aliases
    WHERE community_id = k.community_id AND gateway_id = k.gateway_id AND epoch = k.epoch) AS a

-- name: insert_aliases
INSERT INTO aliases (community_id, gateway_id, epoch, alias, series_id)
SELECT * FROM unnest(%(community)s::text[], %(gateway)s::text[], %(epoch)s::text[], %(alias)s::integer[], %(series)s::integer[])
ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING

-- name: find_points
SELECT k.n, p.equipment_id, p.metric, p.series_id, p.unit, p.gateway_id
FROM unnest(%(n)s::integer[], %(community)s::text[], %(equipment)s::text[], %(metric)s::text[])
    AS k (n, community_id, equipment_id, metric)
JOIN points p USING (community_id, equipment_id, metric)

-- name: find_foreign
-- Named equipment that has points of gateways, and none of the one that names it.
SELECT k.n FROM unnest(%(n)s::integer[], %(community)s::text[], %(gateway)s::text[], %(equipment)s::text[])
    AS k (n, community_id, gateway_id, equipment_id)
JOIN points p USING (community_id, equipment_id) WHERE p.gateway_id IS NOT NULL
GROUP BY k.n HAVING NOT bool_or(p.gateway_id = k.gateway_id)

-- name: count_unclaimed
SELECT k.n, count(*) FROM unnest(%(n)s::integer[], %(community)s::text[], %(gateway)s::text[])
    AS k (n, community_id, gateway_id)
JOIN points p USING (community_id, gateway_id) WHERE NOT p.claimed GROUP BY k.n

-- name: make_partitions
SELECT make_reading_partitions(%(days)s::date[])

-- name: copy_readings
COPY readings (series_id, ts, value, quality) FROM STDIN (FORMAT binary)

-- name: insert_quarantine
INSERT INTO quarantine (community_id, gateway_id, series_id, ts, value, quality, reason, received_at)
SELECT * FROM unnest(%(community)s::text[], %(gateway)s::text[], %(series)s::integer[], %(ts)s::timestamptz[],
                     %(value)s::float8[], %(quality)s::smallint[], %(reason)s::text[], %(received_at)s::timestamptz[])

-- name: insert_parked
INSERT INTO parked (community_id, gateway_id, epoch, seq, reason, readings, payload, parked_at)
SELECT * FROM unnest(%(community)s::text[], %(gateway)s::text[], %(epoch)s::text[], %(seq)s::bigint[], %(reason)s::text[],
                     %(readings)s::integer[], %(payload)s::bytea[], %(parked_at)s::timestamptz[])

-- name: read_parked
SELECT parked_id, seq, reason, payload, parked_at
FROM (SELECT *, sum(readings) OVER (ORDER BY parked_id) - readings AS before
      FROM (SELECT * FROM parked
            WHERE community_id = %(community)s AND gateway_id = %(gateway)s AND epoch = %(epoch)s AND parked_id > %(after)s
            ORDER BY parked_id LIMIT %(at_most)s) AS few) AS summed
WHERE before < %(readings)s ORDER BY parked_id

-- name: parked_epochs
SELECT DISTINCT community_id, gateway_id, epoch FROM parked
JOIN unnest(%(communities)s::text[], %(gateways)s::text[]) AS k (community_id, gateway_id) USING (community_id, gateway_id)

-- name: delete_parked
DELETE FROM parked WHERE parked_id = ANY (%(ids)s)

-- name: insert_events
INSERT INTO events (community_id, gateway_id, epoch, seq, equipment_id, condition, active, ts, received_at, trusted,
                    raw_code, profile, attributes)
SELECT community_id, gateway_id, epoch, seq, equipment_id, condition, active, ts, received_at, trusted, raw_code, profile,
       attributes::jsonb
FROM unnest(%(community)s::text[], %(gateway)s::text[], %(epoch)s::text[], %(seq)s::bigint[], %(equipment)s::text[],
            %(condition)s::text[], %(active)s::boolean[], %(ts)s::timestamptz[], %(received_at)s::timestamptz[],
            %(trusted)s::boolean[], %(raw_code)s::text[], %(profile)s::text[], %(attributes)s::text[])
    AS k (community_id, gateway_id, epoch, seq, equipment_id, condition, active, ts, received_at, trusted, raw_code,
          profile, attributes)
RETURNING community_id, gateway_id, epoch, seq, event_id

-- name: save_birth
INSERT INTO gateway_status AS s (community_id, gateway_id, software, configuration, clock, points, born_at, last_message_at)
VALUES (%(community)s, %(gateway)s, %(software)s, %(configuration)s, %(clock)s, %(points)s, %(at)s, %(at)s)
ON CONFLICT (community_id, gateway_id) DO UPDATE SET
    (software, configuration, clock, points, born_at, last_message_at)
    = (excluded.software, excluded.configuration, excluded.clock, excluded.points, excluded.born_at,
       greatest(s.last_message_at, excluded.last_message_at))

-- name: save_state
-- Retained: it comes again at each reconnect of ours, which is no news, so the moment of the change stays.
INSERT INTO gateway_status AS s (community_id, gateway_id, online, online_since, offline_since)
VALUES (%(community)s, %(gateway)s, %(online)s, CASE WHEN %(online)s THEN %(at)s::timestamptz END,
        CASE WHEN NOT %(online)s THEN %(at)s::timestamptz END)
ON CONFLICT (community_id, gateway_id) DO UPDATE SET
    online = excluded.online,
    online_since = CASE WHEN excluded.online AND (NOT s.online OR s.online_since IS NULL) THEN excluded.online_since
                        ELSE s.online_since END,
    offline_since = CASE WHEN NOT excluded.online AND (s.online OR s.offline_since IS NULL) THEN excluded.offline_since
                         ELSE s.offline_since END

-- name: save_notes
INSERT INTO gateway_status AS s (community_id, gateway_id, last_message_at, skew_ms)
SELECT community_id, gateway_id, at, skew_ms
FROM unnest(%(community)s::text[], %(gateway)s::text[], %(at)s::timestamptz[], %(skew_ms)s::float8[])
    AS k (community_id, gateway_id, at, skew_ms)
ORDER BY community_id, gateway_id
ON CONFLICT (community_id, gateway_id) DO UPDATE SET
    last_message_at = greatest(s.last_message_at, excluded.last_message_at),
    skew_ms = coalesce(excluded.skew_ms, s.skew_ms)

-- name: save_device_clocks
-- A device's clock is that of its series that was least delayed; one that is right is entered only to correct a row.
INSERT INTO device_clocks AS d (community_id, equipment_id, skew_ms)
SELECT community_id, equipment_id, skew_ms FROM (
    SELECT p.community_id, p.equipment_id, min(k.skew_ms) AS skew_ms
    FROM unnest(%(series)s::integer[], %(skew_ms)s::float8[]) AS k (series_id, skew_ms) JOIN points p USING (series_id)
    JOIN communities c ON c.community_id = p.community_id AND c.mode = 'live'
    GROUP BY p.community_id, p.equipment_id) AS found
WHERE skew_ms <> 0 OR EXISTS (SELECT FROM device_clocks o WHERE (o.community_id, o.equipment_id)
                                                             = (found.community_id, found.equipment_id))
ORDER BY community_id, equipment_id
ON CONFLICT (community_id, equipment_id) DO UPDATE SET skew_ms = excluded.skew_ms, measured_at = now()

-- name: save_watermarks
INSERT INTO replay_watermarks AS w (community_id, ts)
SELECT community_id, ts FROM unnest(%(community)s::text[], %(ts)s::timestamptz[]) AS k (community_id, ts) ORDER BY community_id
ON CONFLICT (community_id) DO UPDATE SET ts = greatest(w.ts, excluded.ts)
