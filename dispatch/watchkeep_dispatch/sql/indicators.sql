-- Indicators (DOMAIN §7.2) from facts up to %(as_of)s: what happened later is as if it had not. `scored` begins every statement
-- that reads orders; indicators.py puts the parts together. An order counts in the period in which its finish is due.

-- name: scored
WITH moved AS (
    -- Deadlines as they stood then: what the first later change found.
    SELECT DISTINCT ON (order_id) order_id, from_due FROM deadline_moves(%(as_of)s, 'infinity') ORDER BY order_id, change_id
), pauses AS (
    SELECT order_id, sum(to_due - from_due) AS took FROM deadline_moves(%(since)s::timestamptz - interval '1 year', %(as_of)s)
    WHERE kind = 'pause' GROUP BY order_id
), recurred AS (
    SELECT DISTINCT recurs_order_id FROM orders
    WHERE recurs_order_id IS NOT NULL AND dispatched_at <= %(as_of)s AND dispatched_at >= %(since)s::timestamptz - interval '60 days'
), picked AS (
    SELECT o.* FROM orders o
    WHERE o.lead AND o.scored AND o.dispatched_at <= %(as_of)s
      AND o.settles_at >= %(since)s
      AND o.settles_at < %(until)s
      AND (%(org)s::text IS NULL OR o.org_id = %(org)s) AND (%(community)s::text IS NULL OR o.community_id = %(community)s)
      AND (%(orgs)s::text[] IS NULL OR (o.org_id, o.community_id) IN (SELECT * FROM unnest(%(orgs)s::text[], %(communities)s::text[])))
    UNION ALL  -- those that were due in the period before their deadline was moved out of it
    SELECT o.* FROM moved JOIN orders o USING (order_id)
    WHERE o.lead AND o.scored AND o.dispatched_at <= %(as_of)s
      AND (o.settles_at < %(since)s
           OR o.settles_at >= %(until)s)
      AND (%(org)s::text IS NULL OR o.org_id = %(org)s) AND (%(community)s::text IS NULL OR o.community_id = %(community)s)
      AND (%(orgs)s::text[] IS NULL OR (o.org_id, o.community_id) IN (SELECT * FROM unnest(%(orgs)s::text[], %(communities)s::text[])))
), known AS (
    SELECT o.order_id, o.case_id, o.org_id, o.community_id, o.equipment_id, o.class, o.condition, o.dispatched_at, o.respond_due, o.arrive_due,
           coalesce(m.from_due, o.settles_at) AS due,
           CASE WHEN o.responded_at <= %(as_of)s THEN o.responded_at END AS responded_at,
           CASE WHEN o.arrived_at <= %(as_of)s THEN o.arrived_at END AS arrived_at,
           CASE WHEN o.finished_at <= %(as_of)s THEN o.finished_at END AS finished_at,
           CASE WHEN o.closed_at <= %(as_of)s THEN o.closed_at END AS closed_at,
           CASE WHEN o.closed_at <= %(as_of)s THEN o.state ELSE 'open' END AS ended
    FROM picked o LEFT JOIN moved m USING (order_id)
), scored AS (
    SELECT k.*, p.took AS paused_for, r.recurs_order_id IS NOT NULL AS recurred,
           k.ended = 'open' AND k.finished_at IS NULL AND paused_at(k.order_id, %(as_of)s) AS suspended
    FROM known k LEFT JOIN pauses p USING (order_id) LEFT JOIN recurred r ON r.recurs_order_id = k.order_id
    WHERE k.due >= %(since)s AND k.due < least(%(until)s, %(as_of)s)
), counted AS MATERIALIZED (
    SELECT *, ended NOT IN ('returned', 'not_filed', 'merged', 'ledger') AND NOT suspended AS counts FROM scored
), flagged AS (
    -- Each indicator is a pair: belongs to the denominator, and to the numerator as well.
    SELECT *, counts AND respond_due IS NOT NULL AS respond_d, counts AND responded_at <= respond_due AS respond_n,
           counts AND class = 'A' AND arrive_due IS NOT NULL AS arrive_d, counts AND class = 'A' AND arrived_at <= arrive_due AS arrive_n,
           counts AS due_d, counts AND finished_at <= due AND ended <> 'rework' AS on_time_n, counts AND ended = 'closed' AS closed_n,
           counts AND class = 'A' AS urgent_d, counts AND class = 'A' AND finished_at <= due AND ended <> 'rework' AS urgent_n,
           counts AND finished_at IS NOT NULL AS rework_d, counts AND ended = 'rework' AS rework_n,
           counts AND ended = 'closed' AND equipment_id IS NOT NULL AS recur_d,
           counts AND ended = 'closed' AND equipment_id IS NOT NULL AND recurred AS recur_n
    FROM counted
)

-- name: places
places AS MATERIALIZED (
    -- Which subject an order belongs to, by its organisation and community: few pairs, joined after counting.
    SELECT m.community_id, m.name AS community, a.path,
           (SELECT x.area_id FROM areas x WHERE x.area_id = ANY (a.path) AND x.kind = 'subdistrict' LIMIT 1) AS street
    FROM communities m JOIN areas a USING (area_id) WHERE %(area)s::text IS NULL OR %(area)s = ANY (a.path)
)

-- name: pairs
-- Counts by organisation and community.
pairs AS MATERIALIZED (
    SELECT org_id, community_id, count(*) AS orders,
           count(*) FILTER (WHERE respond_d) AS respond_d, count(*) FILTER (WHERE respond_n) AS respond_n,
           count(*) FILTER (WHERE arrive_d) AS arrive_d, count(*) FILTER (WHERE arrive_n) AS arrive_n,
           count(*) FILTER (WHERE due_d) AS due_d, count(*) FILTER (WHERE on_time_n) AS on_time_n, count(*) FILTER (WHERE closed_n) AS closed_n,
           count(*) FILTER (WHERE urgent_d) AS urgent_d, count(*) FILTER (WHERE urgent_n) AS urgent_n,
           count(*) FILTER (WHERE rework_d) AS rework_d, count(*) FILTER (WHERE rework_n) AS rework_n,
           count(*) FILTER (WHERE recur_d) AS recur_d, count(*) FILTER (WHERE recur_n) AS recur_n,
           count(*) FILTER (WHERE ended = 'returned') AS returned,
           coalesce(sum(closed_at - dispatched_at) FILTER (WHERE ended = 'returned'), '0') AS returned_for,
           count(*) FILTER (WHERE ended IN ('not_filed', 'merged')) AS withdrawn, count(*) FILTER (WHERE ended = 'ledger') AS ledger,
           count(*) FILTER (WHERE suspended) AS suspended, count(paused_for) AS paused, coalesce(sum(paused_for), '0') AS paused_for
    FROM flagged GROUP BY org_id, community_id
)

-- name: kept_pairs
-- The same from the sums of spans that hold good for %(as_of)s.
WITH pairs AS MATERIALIZED (
    SELECT s.* FROM order_sums s JOIN unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS k (since, until) USING (since, until)
    WHERE NOT s.stale AND s.known_at <= %(as_of)s
      AND (%(org)s::text IS NULL OR s.org_id = %(org)s) AND (%(community)s::text IS NULL OR s.community_id = %(community)s)
)

-- name: by_pairs
, placed AS (
    SELECT f.*, g.kind LIKE 'utility%%' AS is_utility,
           CASE %(by)s WHEN 'community' THEN p.community_id WHEN 'subdistrict' THEN p.street WHEN 'all' THEN 'all' ELSE f.org_id END AS subject,
           CASE %(by)s WHEN 'community' THEN p.community WHEN 'subdistrict' THEN (SELECT name FROM areas WHERE area_id = p.street)
               WHEN 'all' THEN 'all' ELSE g.name END AS subject_name
    FROM pairs f JOIN places p USING (community_id) JOIN organisations g USING (org_id)
    WHERE (%(by)s <> 'company' OR g.kind = 'property_company') AND (%(by)s <> 'maintainer' OR g.kind LIKE '%%maintainer')
)
SELECT subject, min(subject_name) AS name, sum(orders)::integer AS orders,
       sum(respond_d)::integer AS respond_d, sum(respond_n)::integer AS respond_n, sum(arrive_d)::integer AS arrive_d,
       sum(arrive_n)::integer AS arrive_n, sum(due_d)::integer AS due_d, sum(on_time_n)::integer AS on_time_n,
       sum(closed_n)::integer AS closed_n, sum(urgent_d)::integer AS urgent_d, sum(urgent_n)::integer AS urgent_n,
       sum(rework_d)::integer AS rework_d, sum(rework_n)::integer AS rework_n, sum(recur_d)::integer AS recur_d,
       sum(recur_n)::integer AS recur_n, sum(returned)::integer AS returned,
       extract(epoch FROM sum(returned_for))::float8 / 3600 AS returned_h, sum(withdrawn)::integer AS withdrawn,
       sum(ledger)::integer AS ledger, sum(suspended)::integer AS suspended, sum(paused)::integer AS paused,
       extract(epoch FROM sum(paused_for))::float8 / 3600 AS paused_h, coalesce(sum(orders) FILTER (WHERE is_utility), 0)::integer AS utility
FROM placed WHERE subject IS NOT NULL GROUP BY subject ORDER BY subject

-- name: behind
SELECT f.order_id, f.case_id FROM flagged f JOIN places p USING (community_id) JOIN organisations g USING (org_id)
WHERE (%(by)s <> 'company' OR g.kind = 'property_company') AND (%(by)s <> 'maintainer' OR g.kind LIKE '%%maintainer')
  AND (%(subject)s::text IS NULL OR %(subject)s = CASE %(by)s WHEN 'community' THEN f.community_id WHEN 'subdistrict' THEN p.street
                                                 WHEN 'all' THEN 'all' ELSE f.org_id END)
  AND CASE %(flag)s
    WHEN 'orders' THEN true WHEN 'respond_d' THEN respond_d WHEN 'respond_n' THEN respond_n WHEN 'arrive_d' THEN arrive_d
    WHEN 'arrive_n' THEN arrive_n WHEN 'due_d' THEN due_d WHEN 'on_time_n' THEN on_time_n WHEN 'closed_n' THEN closed_n
    WHEN 'urgent_d' THEN urgent_d WHEN 'urgent_n' THEN urgent_n WHEN 'rework_d' THEN rework_d WHEN 'rework_n' THEN rework_n
    WHEN 'recur_d' THEN recur_d WHEN 'recur_n' THEN recur_n WHEN 'returned' THEN ended = 'returned'
    WHEN 'withdrawn' THEN ended IN ('not_filed', 'merged') WHEN 'ledger' THEN ended = 'ledger' WHEN 'suspended' THEN suspended
    WHEN 'paused' THEN paused_for IS NOT NULL WHEN 'utility' THEN g.kind LIKE 'utility%%' END
ORDER BY order_id LIMIT %(at_most)s

-- name: by_places
-- What is counted by community (community_sums.py) per subject; households and company as they were then (community_history).
WITH place AS (
    SELECT DISTINCT ON (h.community_id) h.community_id, h.property_org_id, h.area_id, h.households
    FROM community_history h JOIN communities c USING (community_id) WHERE c.mode = 'live'
    ORDER BY h.community_id, (h.at <= %(as_of)s) DESC, CASE WHEN h.at <= %(as_of)s THEN h.at END DESC, h.at, h.history_id
), placed AS (
    SELECT p.*, CASE %(by)s WHEN 'community' THEN p.community_id WHEN 'subdistrict' THEN d.area_id WHEN 'all' THEN 'all'
                     WHEN 'company' THEN p.property_org_id END AS subject, d.name AS area_name
    FROM place p
    LEFT JOIN LATERAL (SELECT x.area_id, x.name FROM areas a JOIN areas x ON x.area_id = ANY (a.path) AND x.kind = 'subdistrict'
                       WHERE a.area_id = p.area_id LIMIT 1) d ON %(by)s = 'subdistrict'
    WHERE (%(area)s::text IS NULL OR EXISTS (SELECT FROM areas a WHERE a.area_id = p.area_id AND %(area)s = ANY (a.path)))
      AND (%(community)s::text IS NULL OR p.community_id = %(community)s)
), counted AS (
    SELECT * FROM jsonb_to_recordset(%(counted)s) AS r (community_id text, warnings integer, dismissed integer, complaints integer,
                                                        rated_d integer, rated_n integer, building_s bigint, protected_s bigint,
                                                        point_s bigint, heard_s bigint)
), lifts AS (
    SELECT e.community_id, count(*) AS lifts FROM equipment e
    WHERE e.kind IN ('elevator', 'escalator') AND e.status = 'in_service' GROUP BY 1
), overdue AS (
    SELECT c.community_id, count(DISTINCT c.equipment_id) AS overdue FROM cases c
    WHERE c.condition = 'maintenance_overdue' AND NOT c.replay AND c.filed_at < least(%(until)s, %(as_of)s)
      AND (c.closed_at IS NULL OR c.closed_at > %(since)s) GROUP BY 1
)
SELECT p.subject, coalesce(CASE %(by)s WHEN 'community' THEN min(m.name) WHEN 'subdistrict' THEN min(p.area_name) WHEN 'all' THEN 'all'
                               ELSE min(o.name) END, p.subject) AS name,
       sum(p.households)::integer AS households, coalesce(sum(f.complaints), 0)::integer AS complaints,
       coalesce(sum(f.rated_d), 0)::integer AS rated_d, coalesce(sum(f.rated_n), 0)::integer AS rated_n,
       -- A false warning is not a property company's doing: none by company.
       CASE WHEN %(by)s = 'company' THEN 0 ELSE coalesce(sum(f.warnings), 0) END::integer AS false_d,
       CASE WHEN %(by)s = 'company' THEN 0 ELSE coalesce(sum(f.dismissed), 0) END::integer AS false_n,
       coalesce(sum(l.lifts), 0)::integer AS maintained_d,
       greatest(0, coalesce(sum(l.lifts), 0) - coalesce(sum(v.overdue), 0))::integer AS maintained_n,
       coalesce(sum(f.building_s), 0)::float8 / 60 AS building_min, coalesce(sum(f.protected_s), 0)::float8 / 60 AS protected_min,
       coalesce(sum(f.point_s), 0)::float8 / 3600 AS point_h, coalesce(sum(f.heard_s), 0)::float8 / 3600 AS heard_h
FROM placed p LEFT JOIN counted f USING (community_id) LEFT JOIN lifts l USING (community_id)
LEFT JOIN overdue v USING (community_id) LEFT JOIN communities m USING (community_id) LEFT JOIN organisations o ON o.org_id = p.subject
WHERE p.subject IS NOT NULL GROUP BY p.subject ORDER BY p.subject

-- name: protected
-- By building; what protected means stands with the schema's watch_seconds().
SELECT s.community_id, c.name AS community, b.name AS building, s.building_id, s.watched AS equipment, s.seconds::float8 / 60 AS minutes,
       s.missed::float8 / 60 AS unprotected, s.unheard::float8 / 60 AS unheard
FROM watch_seconds(%(since)s, %(until)s, %(as_of)s, %(platform)s, '{}',
                   CASE WHEN %(community)s::text IS NOT NULL THEN ARRAY[%(community)s::text] END) s
JOIN buildings b USING (community_id, building_id) JOIN communities c USING (community_id)
WHERE %(area)s::text IS NULL OR EXISTS (SELECT FROM areas a WHERE a.area_id = c.area_id AND %(area)s = ANY (a.path))
ORDER BY 1, 3
