-- name: lock_progress
SELECT p.community_id, p.gateway_id, p.epoch, p.received::text, (p.received + p.lost)::text, p.lost::text
FROM unnest(%(communities)s::text[], %(gateways)s::text[], %(epochs)s::text[]) AS k (community_id, gateway_id, epoch)
JOIN progress p USING (community_id, gateway_id, epoch)
WHERE p.lane = %(lane)s
ORDER BY p.community_id, p.gateway_id, p.epoch
FOR UPDATE OF p

-- name: save_progress
-- lost = everything below the floor that was never received; a lost seq that came after all leaves it.
INSERT INTO progress AS p (community_id, gateway_id, lane, epoch, received, lost)
SELECT community_id, gateway_id, %(lane)s, epoch, added::int8multirange,
       int8multirange(int8range(0, floor)) - added::int8multirange
FROM unnest(%(communities)s::text[], %(gateways)s::text[], %(epochs)s::text[], %(added)s::text[], %(floors)s::bigint[])
    AS k (community_id, gateway_id, epoch, added, floor)
ORDER BY community_id, gateway_id, epoch
ON CONFLICT (community_id, gateway_id, lane, epoch) DO UPDATE SET
    received = p.received + excluded.received,
    lost = p.lost + excluded.lost - p.received - excluded.received,
    updated_at = now()
RETURNING community_id, gateway_id, epoch, contiguous_seq(received + lost)

-- name: save_recoveries
INSERT INTO gap_recoveries (community_id, gateway_id, lane, epoch, state, first_seq, last_seq)
SELECT community_id, gateway_id, %(lane)s, epoch, state, lower(r), upper(r) - 1
FROM unnest(%(communities)s::text[], %(gateways)s::text[], %(epochs)s::text[], %(states)s::text[], %(ranges)s::text[])
    AS k (community_id, gateway_id, epoch, state, ranges), unnest(k.ranges::int8multirange) AS r

-- name: lock_accounts
SELECT partition FROM ingest_accounts
WHERE lane = %(lane)s AND partition = ANY (%(partitions)s::smallint[]) ORDER BY partition FOR UPDATE

-- name: create_accounts
INSERT INTO ingest_accounts (lane, partition)
SELECT %(lane)s, partition FROM unnest(%(partitions)s::smallint[]) AS partition ORDER BY partition ON CONFLICT DO NOTHING

-- name: add_accounts
UPDATE ingest_accounts a SET
    received = a.received + d.received, processed = a.processed + d.processed, duplicate = a.duplicate + d.duplicate,
    dead_lettered = a.dead_lettered + d.dead_lettered, decoded = a.decoded + d.decoded, stored = a.stored + d.stored,
    quarantined = a.quarantined + d.quarantined, parked = a.parked + d.parked, late = a.late + d.late
FROM unnest(%(partition)s::smallint[], %(received)s::bigint[], %(processed)s::bigint[], %(duplicate)s::bigint[],
            %(dead_lettered)s::bigint[], %(decoded)s::bigint[], %(stored)s::bigint[], %(quarantined)s::bigint[],
            %(parked)s::bigint[], %(late)s::bigint[])
    AS d (partition, received, processed, duplicate, dead_lettered, decoded, stored, quarantined, parked, late)
WHERE a.lane = %(lane)s AND a.partition = d.partition

-- name: last_batches
SELECT p, coalesce((SELECT max(batch) FROM batches b WHERE b.lane = %(lane)s AND b.partition = p), 0)
FROM unnest(%(partitions)s::smallint[]) AS p

-- name: insert_batches
INSERT INTO batches (lane, partition, batch, row_count, min_ts, max_ts, series)
SELECT %(lane)s, partition, batch, row_count, min_ts, max_ts, CASE WHEN lowest IS NOT NULL THEN int4range(lowest, highest, '[]') END
FROM unnest(%(partition)s::smallint[], %(batch)s::bigint[], %(row_count)s::integer[], %(min_ts)s::timestamptz[],
            %(max_ts)s::timestamptz[], %(lowest)s::integer[], %(highest)s::integer[])
    AS b (partition, batch, row_count, min_ts, max_ts, lowest, highest)

-- name: delete_batches
-- The last of each lane and partition stays: numbers go on from it.
DELETE FROM batches d USING (
    SELECT a.lane, a.partition, o.batch FROM ingest_accounts a
    CROSS JOIN LATERAL (SELECT batch, committed_at FROM batches b WHERE b.lane = a.lane AND b.partition = a.partition
                        ORDER BY batch LIMIT %(at_most)s) AS o
    WHERE o.committed_at < %(before)s
      AND o.batch < (SELECT max(batch) FROM batches b WHERE b.lane = a.lane AND b.partition = a.partition)) AS old
WHERE d.lane = old.lane AND d.partition = old.partition AND d.batch = old.batch

-- name: minutes_since
-- From where minutes are not summed yet; after a long rest only the last day.
SELECT greatest(%(now)s - interval '1 day', max(minute) + interval '1 minute') FROM ingest_minutes

-- name: sum_minutes
INSERT INTO ingest_minutes (minute, lane, row_count, least_lag_s, most_lag_s)
SELECT date_bin('1 minute', b.committed_at, 'epoch'), b.lane, sum(b.row_count), extract(epoch FROM min(b.age)), extract(epoch FROM max(b.age))
FROM (SELECT committed_at, lane, row_count,
             CASE WHEN max_ts BETWEEN committed_at - interval '24 hours' AND committed_at THEN committed_at - max_ts END AS age
      FROM batches WHERE committed_at >= %(since)s AND committed_at < date_trunc('minute', %(until)s)) AS b
GROUP BY 1, 2

-- name: delete_minutes
DELETE FROM ingest_minutes WHERE minute < %(before)s

-- name: insert_dead_letter
INSERT INTO dead_letters (received_at, topic, payload, reason, detail, community_id, gateway_id)
VALUES (%(received_at)s, %(topic)s, %(payload)s, %(reason)s, %(detail)s, %(community_id)s, %(gateway_id)s)

-- name: same_dead_letter
-- Retained messages come again at each reconnect: one open letter of each is enough.
SELECT EXISTS (SELECT FROM dead_letters WHERE replayed_at IS NULL AND topic = %(topic)s AND reason = %(reason)s
               AND payload = %(payload)s)

-- name: read_dead_letter
SELECT dead_letter_id, received_at, topic, payload, reason, detail, community_id, gateway_id, replayed_at, replay_result
FROM dead_letters WHERE dead_letter_id = %(id)s

-- name: lock_dead_letter
SELECT received_at, topic, payload, reason, replayed_at
FROM dead_letters WHERE dead_letter_id = %(id)s FOR UPDATE

-- name: list_dead_letters
SELECT dead_letter_id, received_at, topic, reason, detail, length(payload) AS bytes, replayed_at, replay_result
FROM dead_letters
WHERE (%(replayed)s OR replayed_at IS NULL) AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY dead_letter_id DESC LIMIT %(at_most)s

-- name: open_dead_letters
SELECT dead_letter_id FROM dead_letters
WHERE replayed_at IS NULL AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY dead_letter_id LIMIT %(at_most)s

-- name: mark_dead_letter
UPDATE dead_letters SET replayed_at = CASE WHEN %(done)s THEN now() END, replay_result = %(result)s
WHERE dead_letter_id = %(id)s

-- name: sum_accounts
SELECT lane, sum(received)::bigint, sum(processed)::bigint, sum(duplicate)::bigint, sum(dead_lettered)::bigint,
       sum(decoded)::bigint, sum(stored)::bigint, sum(quarantined)::bigint, sum(parked)::bigint, sum(late)::bigint
FROM ingest_accounts GROUP BY lane ORDER BY lane

-- name: count_tables
SELECT (SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL),
       (SELECT coalesce(sum(readings), 0)::bigint FROM parked),
       (SELECT count(*) FROM quarantine)

-- name: count_gaps
SELECT lane, count(*) FILTER (WHERE state = 'missing'), count(*) FILTER (WHERE state = 'lost'),
       coalesce(sum(last_seq - first_seq + 1) FILTER (WHERE state = 'missing'), 0)::bigint,
       coalesce(sum(last_seq - first_seq + 1) FILTER (WHERE state = 'lost'), 0)::bigint
FROM gaps GROUP BY lane

-- name: list_recoveries
SELECT community_id, gateway_id, lane, epoch, state, first_seq, last_seq, recovered_at
FROM gap_recoveries WHERE %(community)s::text IS NULL OR community_id = %(community)s
ORDER BY recovery_id DESC LIMIT %(at_most)s

-- name: list_gaps
SELECT community_id, gateway_id, lane, epoch, state, first_seq, last_seq, updated_at
FROM gaps WHERE %(community)s::text IS NULL OR community_id = %(community)s
ORDER BY updated_at DESC, community_id, gateway_id, lane, first_seq LIMIT %(at_most)s
