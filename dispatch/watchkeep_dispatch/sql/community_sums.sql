-- What indicators count by community alone: warnings, those found false, complaints and opinions, and the seconds in which
-- buildings were protected and points were heard of. As known at %(as_of)s.

-- name: counted
-- Begins the statement; %(communities)s null = all.
WITH counted AS MATERIALIZED (
    SELECT community_id, sum(warnings)::integer AS warnings, sum(dismissed)::integer AS dismissed, sum(complaints)::integer AS complaints,
           sum(rated_d)::integer AS rated_d, sum(rated_n)::integer AS rated_n, coalesce(sum(building_s), 0)::bigint AS building_s,
           coalesce(sum(protected_s), 0)::bigint AS protected_s, sum(point_s)::bigint AS point_s, sum(heard_s)::bigint AS heard_s
    FROM (
        SELECT w.community_id, count(*) AS warnings,
               count(*) FILTER (WHERE EXISTS (SELECT FROM verdicts v WHERE v.warning_id = w.warning_id AND v.verdict = 'dismissed'
                                              AND v.at <= %(as_of)s)) AS dismissed, 0 AS complaints, 0 AS rated_d, 0 AS rated_n,
               0 AS building_s, 0 AS protected_s, 0 AS point_s, 0 AS heard_s
        FROM warnings w
        WHERE NOT w.replay AND w.detected_at >= %(since)s AND w.detected_at < least(%(until)s, %(as_of)s)
          AND (%(communities)s::text[] IS NULL OR w.community_id = ANY (%(communities)s)) GROUP BY 1
        UNION ALL
        SELECT x.community_id, 0, 0, count(*), count(*) FILTER (WHERE x.rated_at <= %(as_of)s),
               count(*) FILTER (WHERE x.rated_at <= %(as_of)s AND x.satisfied), 0, 0, 0, 0
        FROM complaints x
        WHERE x.received_at >= %(since)s AND x.received_at < least(%(until)s, %(as_of)s)
          AND (%(communities)s::text[] IS NULL OR x.community_id = ANY (%(communities)s)) GROUP BY 1
        UNION ALL
        SELECT c.community_id, 0, 0, 0, count(*), count(*) FILTER (WHERE b.satisfied), 0, 0, 0, 0
        FROM case_callbacks b JOIN cases c USING (case_id)
        WHERE b.satisfied IS NOT NULL AND b.at >= %(since)s AND b.at < least(%(until)s, %(as_of)s) AND NOT c.replay
          AND (%(communities)s::text[] IS NULL OR c.community_id = ANY (%(communities)s)) GROUP BY 1
        UNION ALL
        SELECT w.community_id, 0, 0, 0, 0, 0, sum(w.seconds) FILTER (WHERE w.building_id IS NOT NULL),
               sum(w.seconds - w.missed) FILTER (WHERE w.building_id IS NOT NULL), sum(w.seconds) FILTER (WHERE w.building_id IS NULL),
               sum(w.seconds - w.missed) FILTER (WHERE w.building_id IS NULL)
        FROM watch_seconds(%(since)s, %(until)s, %(as_of)s, %(platform)s, %(silence)s, %(communities)s) w GROUP BY 1
    ) parts GROUP BY community_id
)

-- name: as_rows
SELECT community_id, warnings, dismissed, complaints, rated_d, rated_n, building_s, protected_s, point_s, heard_s FROM counted

-- name: kept
SELECT s.community_id, sum(s.warnings)::integer AS warnings, sum(s.dismissed)::integer AS dismissed, sum(s.complaints)::integer AS complaints,
       sum(s.rated_d)::integer AS rated_d, sum(s.rated_n)::integer AS rated_n, sum(s.building_s)::bigint AS building_s,
       sum(s.protected_s)::bigint AS protected_s, sum(s.point_s)::bigint AS point_s, sum(s.heard_s)::bigint AS heard_s
FROM community_sums s JOIN unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS k (since, until) USING (since, until)
WHERE NOT s.stale AND s.known_at <= %(as_of)s AND (%(communities)s::text[] IS NULL OR s.community_id = ANY (%(communities)s))
GROUP BY 1

-- name: not_kept
SELECT s.since, s.until, array_agg(s.community_id ORDER BY s.community_id)
FROM community_sums s JOIN unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS k (since, until) USING (since, until)
WHERE (s.stale OR s.known_at > %(as_of)s) AND (%(communities)s::text[] IS NULL OR s.community_id = ANY (%(communities)s))
GROUP BY s.since, s.until

-- name: begin
INSERT INTO community_sums (since, until, community_id)
SELECT %(since)s, %(until)s, community_id FROM communities ORDER BY community_id ON CONFLICT DO NOTHING

-- name: take_stale
-- Locked before they are counted: whoever brings a fact meanwhile waits to mark the sum, and marks it again.
SELECT community_id FROM community_sums WHERE since = %(since)s AND until = %(until)s AND stale ORDER BY community_id FOR UPDATE SKIP LOCKED

-- name: stale_spans
SELECT DISTINCT s.since, s.until FROM community_sums s JOIN order_spans USING (since, until) WHERE s.stale AND ready LIMIT %s

-- name: save
-- After `counted` as known for ever, for the communities taken.
, last_fact AS (
    SELECT community_id, max(at) AS known_at FROM (
        SELECT w.community_id, v.at FROM warnings w JOIN verdicts v USING (warning_id)
        WHERE v.verdict = 'dismissed' AND w.detected_at >= %(since)s AND w.detected_at < %(until)s AND w.community_id = ANY (%(communities)s)
        UNION ALL
        SELECT x.community_id, x.rated_at FROM complaints x
        WHERE x.received_at >= %(since)s AND x.received_at < %(until)s AND x.community_id = ANY (%(communities)s)
        UNION ALL  -- found after the span, of which it is part: soon after it, or late
        SELECT w.community_id, w.detected_at FROM warnings w
        WHERE w.detected_at >= %(until)s AND w.detected_at <= %(until)s::timestamptz + interval '1 hour' AND w.event_at < %(until)s
          AND w.community_id = ANY (%(communities)s)
        UNION ALL
        SELECT w.community_id, w.detected_at FROM warnings w
        WHERE w.detected_at - w.event_at > interval '1 hour' AND w.event_at < %(until)s AND w.detected_at >= %(until)s
          AND (w.cleared_at IS NULL OR w.cleared_at > %(since)s) AND w.community_id = ANY (%(communities)s)
    ) facts GROUP BY 1
)
UPDATE community_sums s
SET (stale, known_at, warnings, dismissed, complaints, rated_d, rated_n, building_s, protected_s, point_s, heard_s)
    = (SELECT false, coalesce(k.known_at, '-infinity'), coalesce(c.warnings, 0), coalesce(c.dismissed, 0), coalesce(c.complaints, 0),
              coalesce(c.rated_d, 0), coalesce(c.rated_n, 0), coalesce(c.building_s, 0), coalesce(c.protected_s, 0),
              coalesce(c.point_s, 0), coalesce(c.heard_s, 0)
       FROM (SELECT) one LEFT JOIN counted c ON c.community_id = s.community_id LEFT JOIN last_fact k ON k.community_id = s.community_id)
WHERE s.since = %(since)s AND s.until = %(until)s AND s.community_id = ANY (%(communities)s)
