-- Queries of platform health. {language} becomes zh or en, {skew_tolerance_s} the tolerance of the vocabulary.

-- name: gaps
SELECT count(*) FILTER (WHERE state = 'missing') AS ranges,
       coalesce(sum(messages) FILTER (WHERE state = 'missing'), 0)::bigint AS missing,
       coalesce(sum(messages) FILTER (WHERE state = 'lost'), 0)::bigint AS lost
FROM wall.gap

-- name: dead_letters
SELECT count(*) AS open, count(*) FILTER (WHERE $__timeFilter(received_at)) AS recent
FROM wall.dead_letter
WHERE NOT replayed

-- name: gateways
SELECT count(*) FILTER (WHERE online) AS online, count(*) FILTER (WHERE NOT online) AS offline,
       count(*) FILTER (WHERE abs(skew_ms) > {skew_tolerance_s} * 1000) AS skewed
FROM wall.gateway

-- name: accounts
-- Messages: received = processed + duplicate + dead-lettered. Readings: decoded = stored + quarantined + parked.
SELECT lane, sum(received)::bigint AS received, sum(processed)::bigint AS processed, sum(duplicate)::bigint AS duplicate,
       sum(dead_lettered)::bigint AS dead_lettered, sum(messages_difference)::bigint AS messages_difference,
       sum(decoded)::bigint AS decoded, sum(stored)::bigint AS stored, sum(quarantined)::bigint AS quarantined,
       sum(parked)::bigint AS parked, sum(readings_difference)::bigint AS readings_difference
FROM wall.ingest_account
GROUP BY lane
ORDER BY lane

-- name: committed
-- The minute that still runs is left out, so that the line does not end in a drop; a minute without a commit is 0.
SELECT $__timeGroupAlias(minute, 1m, 0), lane AS metric, row_count / 60.0 AS value
FROM wall.ingest_minute
WHERE $__timeFilter(minute) AND minute < date_trunc('minute', now())
ORDER BY 1

-- name: lag
-- From the newest reading of a batch to its commit.
SELECT $__timeGroupAlias(minute, 1m), lane AS metric, most_lag_s AS value
FROM wall.ingest_minute
WHERE $__timeFilter(minute) AND most_lag_s IS NOT NULL
ORDER BY 1

-- name: commits
SELECT extract(epoch FROM now() - max(committed_at) FILTER (WHERE lane = 'data'))::double precision AS data_s,
       extract(epoch FROM now() - max(committed_at) FILTER (WHERE lane = 'event'))::double precision AS event_s
FROM wall.ingest_lane

-- name: queues
SELECT queue, waiting, extract(epoch FROM now() - oldest_at)::double precision AS oldest_s FROM wall.queue ORDER BY queue

-- name: spools
SELECT c.name_{language} || ' ' || l.equipment_{language} AS name, l.value
FROM wall.point_latest l JOIN wall.community c USING (community_id)
WHERE l.metric = 'spool_depth' AND l.kind = 'gateway' AND l.value IS NOT NULL
ORDER BY 2 DESC, 1
LIMIT 5

-- name: dead_letter_reasons
SELECT reason, count(*) AS letters, max(received_at) AS last_at
FROM wall.dead_letter
WHERE NOT replayed
GROUP BY reason
ORDER BY letters DESC
LIMIT 5

-- name: gaps_by_gateway
SELECT c.name_{language} AS community, g.gateway_id AS gateway, g.lane,
       coalesce(sum(g.messages) FILTER (WHERE g.state = 'missing'), 0)::bigint AS missing,
       coalesce(sum(g.messages) FILTER (WHERE g.state = 'lost'), 0)::bigint AS lost, max(g.updated_at) AS last_at
FROM wall.gap g JOIN wall.community c USING (community_id)
GROUP BY c.community_id, community, g.gateway_id, g.lane
ORDER BY missing DESC, lost DESC
LIMIT 5

-- name: gateway_clocks
-- Skew: + means that the gateway's clock is behind.
SELECT CASE WHEN NOT g.online THEN 'offline' WHEN abs(g.skew_ms) > {skew_tolerance_s} * 1000 THEN 'skewed' ELSE 'online' END AS state,
       c.name_{language} AS community, g.name AS gateway, g.skew_ms / 1000 AS skew_s, g.last_message_at AS last_at
FROM wall.gateway g JOIN wall.community c USING (community_id)
ORDER BY g.online, abs(g.skew_ms) DESC NULLS LAST
LIMIT 5
