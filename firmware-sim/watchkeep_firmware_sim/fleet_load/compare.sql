-- name: series
SELECT community_id, equipment_id, metric, series_id FROM points WHERE community_id = %(community)s

-- name: sums
-- Count and checksum of each series in one span of time; quarantine counts too, as bounds are judged at receive time.
-- The arithmetic is that of sums.py: all 64 bit integers, of which none overflows.
WITH found AS (
    SELECT series_id, ts, value, quality FROM readings WHERE ts >= %(since)s AND ts < %(until)s
    UNION ALL
    SELECT series_id, ts, value, quality FROM quarantine
    WHERE ts >= %(since)s AND ts < %(until)s AND received_at >= %(started)s
), numbers AS (
    SELECT series_id, value, quality,
           round(date_part('epoch', ts) * 1e6)::bigint %% 2147483647 AS t,
           (round(value * 1000)::bigint %% 2147483647 + 2147483647) %% 2147483647 AS v
    FROM found WHERE %(series)s::integer[] IS NULL OR series_id = ANY (%(series)s::integer[])
), seeds AS (
    SELECT series_id, (t * 48271 + v * 69621 + quality * 40692 + 1) %% 2147483647 AS seed,
           round(value * 1000) / 1000 <> value AS bent
    FROM numbers
)
SELECT series_id, count(*), sum((seed * (seed # (seed >> 7))) %% 2147483647)::bigint, count(*) FILTER (WHERE bent)
FROM seeds GROUP BY series_id

-- name: distinct
-- Of series that differ: how many different readings there are.
SELECT series_id, count(*) FROM (
    SELECT DISTINCT series_id, ts, value, quality FROM (
        SELECT series_id, ts, value, quality FROM readings
        WHERE ts >= %(since)s AND ts < %(until)s AND series_id = ANY (%(series)s::integer[])
        UNION ALL
        SELECT series_id, ts, value, quality FROM quarantine
        WHERE ts >= %(since)s AND ts < %(until)s AND received_at >= %(started)s
          AND series_id = ANY (%(series)s::integer[])
    ) both_tables
) different GROUP BY series_id

-- name: received
-- Which messages that the sender gave up on are there all the same.
SELECT k.place FROM unnest(%(places)s::integer[], %(communities)s::text[], %(gateways)s::text[], %(lanes)s::text[], %(seqs)s::bigint[])
    AS k (place, community_id, gateway_id, lane, seq)
JOIN progress p USING (community_id, gateway_id, lane)
WHERE p.epoch = %(epoch)s AND p.received @> k.seq

-- name: lanes
-- Seqs sent, less what is received, told as lost, or open = missing; what else there is = extra.
WITH sent AS (
    SELECT community_id, gateway_id, lane, next_seq, lost::int8multirange AS lost, open::int8multirange AS open,
           int8multirange(int8range(0, next_seq)) AS sent
    FROM unnest(%(communities)s::text[], %(gateways)s::text[], %(lanes)s::text[], %(next_seqs)s::bigint[], %(lost)s::text[],
                %(open)s::text[]) AS k (community_id, gateway_id, lane, next_seq, lost, open)
), had AS (
    SELECT s.*, coalesce(p.received, '{}') AS received, coalesce(p.lost, '{}') AS told_lost
    FROM sent s LEFT JOIN progress p
      ON (p.community_id, p.gateway_id, p.lane, p.epoch) = (s.community_id, s.gateway_id, s.lane, %(epoch)s)
), judged AS (
    SELECT community_id, gateway_id, lane,
           sent - received - told_lost - open - CASE WHEN isempty(open) THEN '{}' ELSE lost END AS missing,
           (received - sent) + (told_lost - sent) + (received * lost) AS extra,
           told_lost - lost - open AS wrongly_lost
    FROM had
)
SELECT community_id, gateway_id, lane, missing::text, extra::text, wrongly_lost::text FROM judged
WHERE NOT (isempty(missing) AND isempty(extra) AND isempty(wrongly_lost))

-- name: dead
-- Seqs that were buried, by lane.
SELECT community_id, gateway_id, split_part(topic, '/', 6) AS lane,
       range_agg(int8range(split_part(topic, '/', 8)::bigint, split_part(topic, '/', 8)::bigint, '[]'))::text
FROM dead_letters
WHERE community_id = ANY (%(communities)s::text[]) AND received_at >= %(started)s
  AND split_part(topic, '/', 7) = %(epoch)s AND split_part(topic, '/', 8) ~ '^[0-9]{1,18}$'
GROUP BY 1, 2, 3

-- name: same_seqs
SELECT %(one)s::int8multirange = %(other)s::int8multirange,
       (%(one)s::int8multirange - %(other)s::int8multirange)::text, (%(other)s::int8multirange - %(one)s::int8multirange)::text

-- name: events
SELECT community_id, gateway_id, seq, equipment_id, condition, active, round(date_part('epoch', ts) * 1000)::bigint
FROM events WHERE community_id = ANY (%(communities)s::text[]) AND epoch = %(epoch)s

-- name: parked
SELECT reason, coalesce(sum(readings), 0)::bigint FROM parked
WHERE community_id = ANY (%(communities)s::text[]) AND epoch = %(epoch)s GROUP BY reason ORDER BY reason

-- name: quarantined
SELECT reason, count(*) FROM quarantine
WHERE community_id = ANY (%(communities)s::text[]) AND received_at >= %(started)s GROUP BY reason ORDER BY reason
