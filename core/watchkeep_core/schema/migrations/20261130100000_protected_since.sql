-- A building is protected since something in it, or shared by its community, is watched: before, nobody protected it.
-- depends: 20261129700000_rate_hits

-- What else it does stands in 20261127100000_lists_of_few.
CREATE OR REPLACE FUNCTION watch_seconds(since timestamptz, until timestamptz, as_of timestamptz, of_platform text[], of_silence text[],
                              of_communities text[])
    RETURNS TABLE (community_id text, building_id text, watched bigint, seconds bigint, missed bigint, unheard bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- Planned for these very moments: a plan for any would read all warnings.
    RETURN QUERY EXECUTE $query$
        WITH period AS (
            SELECT tstzrange(date_trunc('second', $1), greatest(date_trunc('second', $1), date_trunc('second', least($2, $3)))) AS span
        ), allowed AS MATERIALIZED (
            SELECT c.community_id FROM communities c
            WHERE c.mode = 'live' AND ($6 IS NULL OR c.community_id = ANY ($6))
              AND (session_user <> 'watchkeep_console' OR c.community_id = ANY ((SELECT my_communities())::text[]))
        ), watched AS MATERIALIZED (
            -- Most points have been there all the time.
            SELECT e.community_id, e.equipment_id, e.building_id, q.points, q.all_the_time, q.younger, q.first
            FROM allowed JOIN equipment e USING (community_id) JOIN (
                SELECT q.community_id, q.equipment_id, count(*) FILTER (WHERE q.claimed AND q.created_at < least($2, $3)) AS points,
                       count(*) FILTER (WHERE q.claimed AND q.created_at <= $1) AS all_the_time,
                       sum(extract(epoch FROM date_trunc('second', least($2, $3)) - date_trunc('second', q.created_at)))
                           FILTER (WHERE q.claimed AND q.created_at > $1 AND q.created_at < least($2, $3)) AS younger,
                       date_trunc('second', min(q.created_at)) AS first
                FROM points q WHERE $6 IS NULL OR q.community_id = ANY ($6) GROUP BY 1, 2) q USING (community_id, equipment_id)
            WHERE e.status IN ('in_service', 'out_of_service')
        ), served AS MATERIALIZED (
            SELECT w.community_id, w.building_id, w.equipment_id, w.first FROM watched w JOIN buildings b USING (community_id, building_id)
            WHERE w.first < least($2, $3)
            UNION ALL
            SELECT w.community_id, b.building_id, w.equipment_id, w.first FROM watched w JOIN buildings b USING (community_id)
            WHERE w.building_id IS NULL AND w.first < least($2, $3)
        ), house AS (
            SELECT s.community_id, s.building_id, count(*) AS watched, p.span * tstzrange(min(s.first), NULL) AS span
            FROM served s, period p GROUP BY s.community_id, s.building_id, p.span
        ), troubled AS MATERIALIZED (
            SELECT w.community_id, w.equipment_id, w.series_id, w.proposed_class = 'A' OR w.condition = ANY ($4) AS counts,
                   w.condition = ANY ($4) AS unheard, w.condition = ANY ($5) AS silent,
                   tstzrange(date_trunc('second', w.event_at), date_trunc('second', CASE WHEN w.cleared_at <= $3
                             THEN greatest(w.event_at, w.cleared_at) END)) * p.span AS span
            FROM warnings w JOIN allowed USING (community_id), period p
            WHERE NOT w.replay AND (w.proposed_class = 'A' OR w.condition = ANY ($4) OR w.condition = ANY ($5)) AND w.detected_at <= $3
              AND w.event_at < least($2, $3) AND (w.cleared_at IS NULL OR w.cleared_at > $1)
        ), gaps AS (
            SELECT t.community_id, t.equipment_id, t.unheard, t.span FROM troubled t WHERE t.counts
            UNION ALL
            SELECT DISTINCT q.community_id, q.equipment_id, true, t.span
            FROM troubled t JOIN gateways g USING (community_id, equipment_id) JOIN points q USING (community_id, gateway_id)
            WHERE t.unheard
        ), missing AS (
            SELECT s.community_id, s.building_id, range_agg(g.span * h.span) AS any_gap,
                   range_agg(g.span * h.span) FILTER (WHERE g.unheard) AS unheard
            FROM served s JOIN house h USING (community_id, building_id) JOIN gaps g USING (community_id, equipment_id) GROUP BY 1, 2
        ), silent AS (
            SELECT x.community_id, x.series_id, range_agg(x.span * tstzrange(date_trunc('second', x.created_at), NULL)) AS spans
            FROM (
                SELECT q.*, t.span FROM troubled t JOIN points q USING (community_id, equipment_id)
                WHERE t.silent AND (t.series_id IS NULL OR t.series_id = q.series_id)
                UNION ALL
                SELECT q.*, t.span
                FROM troubled t JOIN gateways g USING (community_id, equipment_id) JOIN points q USING (community_id, gateway_id)
                WHERE t.silent
            ) x JOIN watched USING (community_id, equipment_id) WHERE x.claimed GROUP BY 1, 2
        ), silence AS (
            SELECT s.community_id, sum(extract(epoch FROM upper(r) - lower(r)))::bigint AS seconds FROM silent s, unnest(s.spans) r GROUP BY 1
        )
        SELECT s.community_id, s.building_id, s.watched, coalesce(extract(epoch FROM upper(s.span) - lower(s.span)), 0)::bigint,
               coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(m.any_gap) r), 0)::bigint,
               coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(m.unheard) r), 0)::bigint
        FROM house s LEFT JOIN missing m USING (community_id, building_id)
        UNION ALL
        SELECT w.community_id, NULL, w.points, w.seconds, coalesce(s.seconds, 0), coalesce(s.seconds, 0)
        FROM (SELECT community_id, sum(points)::bigint AS points,
                     (sum(all_the_time) * (SELECT extract(epoch FROM upper(span) - lower(span)) FROM period) + coalesce(sum(younger), 0))::bigint AS seconds
              FROM watched GROUP BY 1) w
        LEFT JOIN silence s USING (community_id)
    $query$ USING since, until, as_of, of_platform, of_silence, of_communities;
END
$$;

-- Sums of months before are counted anew.
UPDATE community_sums SET stale = true;
