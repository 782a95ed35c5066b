-- name: load_states
SELECT detector, version, batch, state FROM detector_states WHERE lane = %(lane)s AND partition = %(partition)s

-- name: save_state
INSERT INTO detector_states (lane, partition, detector, version, batch, state)
VALUES (%(lane)s, %(partition)s, %(detector)s, %(version)s, %(batch)s, %(state)s)
ON CONFLICT (lane, partition, detector) DO UPDATE SET
    (version, batch, state, saved_at) = (excluded.version, excluded.batch, excluded.state, now())

-- name: missing
-- Batches after the given one: how many, the last, and what they span.
SELECT count(*), max(batch), min(min_ts), max(max_ts)
FROM batches WHERE lane = %(lane)s AND partition = %(partition)s AND batch > %(batch)s AND committed_at <= %(before)s

-- name: new_batches
-- The same for many partitions; numbers have no holes, as ingest gives them under a lock.
SELECT k.partition, b.batches, b.last, b.committed_at
FROM unnest(%(partitions)s::smallint[], %(done)s::bigint[]) AS k (partition, done),
     LATERAL (SELECT count(*) AS batches, max(batch) AS last, min(committed_at) AS committed_at FROM batches
              WHERE lane = %(lane)s AND batches.partition = k.partition AND batch > k.done) AS b
WHERE b.batches > 0

-- name: readings
-- Each series from its own last time on: nothing is read twice, nothing late is read at all. OFFSET 0 keeps it one look into
-- the index per series: of today's rows the planner knows nothing, and has compared each of them with each series.
SELECT known.series_id, (extract(epoch FROM r.ts) * 1000000)::int8, r.value, r.quality
FROM unnest(%(series)s::integer[], %(after)s::timestamptz[]) AS known (series_id, after),
     LATERAL (SELECT ts, value, quality FROM readings
              WHERE series_id = known.series_id AND ts > greatest(known.after, %(since)s) AND ts <= %(until)s
              OFFSET 0) AS r
ORDER BY r.ts

-- name: events
SELECT event_id, community_id, equipment_id, condition, active, ts, received_at, trusted, attributes
FROM events WHERE event_id > %(after)s AND community_id = ANY (%(communities)s) AND received_at > %(since)s
ORDER BY event_id

-- name: last_event
SELECT coalesce(max(event_id), 0) FROM events
