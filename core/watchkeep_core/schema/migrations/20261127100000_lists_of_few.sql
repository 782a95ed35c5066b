-- depends: 20261125910000_equipment_by_name
-- Lists and indicators over a million orders for whoever sees few of them; minutes of protection and sensor-hours are counted once.

-- A case is mine by an order only in communities in which my organisations ever had one: a short list, asked once.
DROP POLICY mine ON cases;
CREATE POLICY mine ON cases TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[])
    OR responsible_org_id = ANY ((SELECT my_organisations())::text[])
    OR supervising_org_id = ANY ((SELECT my_organisations())::text[])
    OR first_responder_id = ANY ((SELECT my_organisations())::text[])
    OR (community_id = ANY ((SELECT my_order_communities())::text[]) AND EXISTS (
        SELECT FROM orders o WHERE o.case_id = cases.case_id AND o.org_id = ANY ((SELECT my_organisations())::text[]))));

-- The newest of an organisation, in an order that no other index has: the planner, who knows only the average organisation,
-- would walk over the newest of all.
CREATE INDEX orders_newest_of_org ON orders (org_id, (-order_id));
CREATE INDEX orders_cases_of_org ON orders (org_id, (-case_id));
CREATE INDEX cases_newest_of_responsible ON cases (responsible_org_id, (-case_id));
CREATE INDEX cases_newest_of_supervising ON cases (supervising_org_id, (-case_id));
CREATE INDEX cases_newest_of_first_responder ON cases (first_responder_id, (-case_id));
CREATE INDEX orders_newest_of_community ON orders (community_id, order_id DESC);
CREATE INDEX cases_newest_of_community ON cases (community_id, case_id DESC);
CREATE INDEX warnings_newest_open ON warnings (warning_id DESC) WHERE status = 'open';
CREATE INDEX warnings_cleared ON warnings (cleared_at) WHERE NOT replay;
COMMENT ON INDEX warnings_cleared IS 'What stood in a span that has just ended, or stands.';
CREATE INDEX warnings_late ON warnings (event_at) WHERE detected_at - event_at > interval '1 hour';
COMMENT ON INDEX warnings_late IS 'What was found long after it had begun: until then a sum did not know of it.';

-- How long buildings were protected and sensors heard, in a span as known at `as_of`, by seconds: moments are cut down to them, so
-- that spans add up. One row for each building with its watched pieces of equipment, missed = some of it, or of the community's
-- shared equipment, was unheard (an open warning of a condition in `of_platform` about it or its gateway) or in class-A trouble.
-- And one for each community, without a building, with its points and the seconds of all of them since there are such, missed =
-- silent (an open warning of a condition in `of_silence` about the point, about its equipment as a whole, or about its gateway).
CREATE FUNCTION watch_seconds(since timestamptz, until timestamptz, as_of timestamptz, of_platform text[], of_silence text[],
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
            SELECT e.community_id, e.equipment_id, e.building_id, q.points, q.all_the_time, q.younger
            FROM allowed JOIN equipment e USING (community_id) JOIN (
                SELECT q.community_id, q.equipment_id, count(*) FILTER (WHERE q.claimed AND q.created_at < least($2, $3)) AS points,
                       count(*) FILTER (WHERE q.claimed AND q.created_at <= $1) AS all_the_time,
                       sum(extract(epoch FROM date_trunc('second', least($2, $3)) - date_trunc('second', q.created_at)))
                           FILTER (WHERE q.claimed AND q.created_at > $1 AND q.created_at < least($2, $3)) AS younger
                FROM points q WHERE $6 IS NULL OR q.community_id = ANY ($6) GROUP BY 1, 2) q USING (community_id, equipment_id)
            WHERE e.status IN ('in_service', 'out_of_service')
        ), served AS MATERIALIZED (
            SELECT w.community_id, w.building_id, w.equipment_id FROM watched w JOIN buildings b USING (community_id, building_id)
            UNION ALL
            SELECT w.community_id, b.building_id, w.equipment_id FROM watched w JOIN buildings b USING (community_id)
            WHERE w.building_id IS NULL
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
            SELECT s.community_id, s.building_id, range_agg(g.span) AS any_gap, range_agg(g.span) FILTER (WHERE g.unheard) AS unheard
            FROM served s JOIN gaps g USING (community_id, equipment_id) GROUP BY 1, 2
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
        SELECT s.community_id, s.building_id, s.watched, (SELECT extract(epoch FROM upper(span) - lower(span)) FROM period)::bigint,
               coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(m.any_gap) r), 0)::bigint,
               coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(m.unheard) r), 0)::bigint
        FROM (SELECT community_id, building_id, count(*) AS watched FROM served GROUP BY 1, 2) s
        LEFT JOIN missing m USING (community_id, building_id)
        UNION ALL
        SELECT w.community_id, NULL, w.points, w.seconds, coalesce(s.seconds, 0), coalesce(s.seconds, 0)
        FROM (SELECT community_id, sum(points)::bigint AS points,
                     (sum(all_the_time) * (SELECT extract(epoch FROM upper(span) - lower(span)) FROM period) + coalesce(sum(younger), 0))::bigint AS seconds
              FROM watched GROUP BY 1) w
        LEFT JOIN silence s USING (community_id)
    $query$ USING since, until, as_of, of_platform, of_silence, of_communities;
END
$$;
ALTER FUNCTION watch_seconds(timestamptz, timestamptz, timestamptz, text[], text[], text[]) OWNER TO watchkeep_owner;
REVOKE ALL ON FUNCTION watch_seconds(timestamptz, timestamptz, timestamptz, text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION watch_seconds(timestamptz, timestamptz, timestamptz, text[], text[], text[]) TO watchkeep_dispatch, watchkeep_console;

ALTER TABLE community_sums ADD COLUMN building_s bigint NOT NULL DEFAULT 0, ADD COLUMN protected_s bigint NOT NULL DEFAULT 0,
    ADD COLUMN point_s bigint NOT NULL DEFAULT 0, ADD COLUMN heard_s bigint NOT NULL DEFAULT 0;
COMMENT ON TABLE community_sums IS 'Warnings, those found false, complaints, opinions, protected seconds of buildings and heard seconds of points of a span by community, by the register as it was when they were counted; known_at = the last of these facts, stale = one came since. Writer: dispatch.';
UPDATE community_sums SET stale = true;

-- Trouble that was found late, that has been over for long, or whose class rises, concerns all counted spans that it lies in.
CREATE FUNCTION note_late_trouble() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed_at timestamptz := CASE WHEN TG_OP = 'INSERT' OR NEW.proposed_class <> OLD.proposed_class THEN NEW.event_at
                                   ELSE least(OLD.cleared_at, NEW.cleared_at) END;
BEGIN
    INSERT INTO community_sums (since, until, community_id)
    SELECT s.since, s.until, NEW.community_id FROM order_spans s WHERE s.until > changed_at ORDER BY 1, 2
    ON CONFLICT (since, until, community_id) DO UPDATE SET stale = true WHERE NOT community_sums.stale;
    RETURN NULL;
END
$$;
ALTER FUNCTION note_late_trouble() OWNER TO watchkeep_owner;
REVOKE ALL ON FUNCTION note_late_trouble() FROM PUBLIC;
CREATE TRIGGER note_late_trouble AFTER INSERT ON warnings FOR EACH ROW
    WHEN (NEW.event_at < clock_timestamp() - interval '30 min') EXECUTE FUNCTION note_late_trouble();
CREATE TRIGGER note_trouble_over AFTER UPDATE OF cleared_at, proposed_class ON warnings FOR EACH ROW
    WHEN (least(OLD.cleared_at, NEW.cleared_at) < clock_timestamp() - interval '30 min' AND OLD.cleared_at IS DISTINCT FROM NEW.cleared_at
          OR NEW.proposed_class <> OLD.proposed_class AND NEW.event_at < clock_timestamp() - interval '30 min')
    EXECUTE FUNCTION note_late_trouble();
