-- name: list_gateways
SELECT g.community_id, g.gateway_id, coalesce(s.online, false) AS online, s.last_message_at, s.skew_ms, s.points,
       coalesce(p.parked, '{}') AS parked, coalesce(d.open, 0) AS dead_letters, coalesce(m.missing, 0)::bigint AS missing,
       coalesce(m.lost, 0)::bigint AS lost
FROM gateways g
LEFT JOIN gateway_status s USING (community_id, gateway_id)
LEFT JOIN (SELECT community_id, gateway_id, jsonb_object_agg(reason, readings) AS parked
           FROM (SELECT community_id, gateway_id, reason, sum(readings) AS readings FROM parked GROUP BY 1, 2, 3) AS r
           GROUP BY 1, 2) AS p USING (community_id, gateway_id)
LEFT JOIN (SELECT community_id, gateway_id, count(*) AS open FROM dead_letters WHERE replayed_at IS NULL GROUP BY 1, 2) AS d
    USING (community_id, gateway_id)
LEFT JOIN (SELECT community_id, gateway_id, sum(last_seq - first_seq + 1) FILTER (WHERE state = 'missing') AS missing,
                  sum(last_seq - first_seq + 1) FILTER (WHERE state = 'lost') AS lost FROM gaps GROUP BY 1, 2) AS m
    USING (community_id, gateway_id)
WHERE %(community)s::text IS NULL OR g.community_id = %(community)s
ORDER BY g.community_id, g.gateway_id LIMIT %(at_most)s

-- name: list_device_clocks
SELECT community_id, equipment_id, skew_ms, measured_at FROM device_clocks
WHERE skew_ms <> 0 AND (%(community)s::text IS NULL OR community_id = %(community)s)
ORDER BY abs(skew_ms) DESC LIMIT %(at_most)s

-- name: list_workers
-- Sessions that hold partitions, and which.
SELECT l.pid AS session, a.client_addr::text AS address, a.backend_start AS since,
       array_agg(l.objid::bigint ORDER BY l.objid) AS partitions
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.classid = %(space)s AND l.objsubid = 2 AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY l.pid, a.client_addr, a.backend_start ORDER BY l.pid

-- name: read_outbox
SELECT outbox_id, lane, partition, payload FROM rows_outbox WHERE partition = ANY (%(partitions)s) ORDER BY outbox_id LIMIT 100

-- name: delete_outbox
DELETE FROM rows_outbox WHERE outbox_id = ANY (%(ids)s)

-- name: insert_outbox
INSERT INTO rows_outbox (lane, partition, payload)
SELECT %(lane)s, partition, payload FROM unnest(%(partitions)s::smallint[], %(payloads)s::bytea[]) AS k (partition, payload)
