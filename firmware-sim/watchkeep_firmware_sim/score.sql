-- name: warnings
-- Warnings of these communities that happened or were seen in the span, with their case and their last verdict.
SELECT w.warning_id, w.community_id AS community, w.equipment_id AS equipment, w.condition, w.event_at, w.detected_at,
       c.case_id, c.role,
       (SELECT v.verdict || ' by ' || v.rule FROM verdicts v WHERE v.warning_id = w.warning_id ORDER BY v.verdict_id DESC LIMIT 1) AS verdict
FROM warnings w LEFT JOIN case_warnings c USING (warning_id)
WHERE w.community_id = ANY (%(communities)s)
  AND (w.event_at BETWEEN %(begins)s AND %(ends)s OR w.detected_at BETWEEN %(begins)s AND %(ends)s)
ORDER BY w.warning_id;

-- name: orders
-- First lead order of each case, with all that its organisation is in that community.
SELECT DISTINCT ON (o.case_id) o.case_id, c.condition, c.class AS case_class,
       array_remove(array_agg(DISTINCT k.kind) || g.kind
                    || CASE WHEN EXISTS (SELECT FROM communities m WHERE m.community_id = o.community_id
                                         AND m.property_org_id = o.org_id) THEN 'property_company' END, NULL) AS roles
FROM orders o
JOIN cases c USING (case_id)
JOIN organisations g ON g.org_id = o.org_id
LEFT JOIN contracts k ON k.community_id = o.community_id AND k.provider_org_id = o.org_id
WHERE o.lead AND o.case_id = ANY (%(cases)s)
GROUP BY o.order_id, o.case_id, c.condition, c.class, g.kind, o.community_id, o.org_id
ORDER BY o.case_id, o.order_id;

-- name: sites
-- What decides who is responsible, on the day given.
SELECT e.community_id AS community, e.equipment_id AS equipment, e.kind, e.ownership,
       (SELECT coalesce(array_agg(h.domain), '{}') FROM handovers h
        WHERE h.community_id = e.community_id AND h.handed_over_on <= %(day)s) AS handed_over_domains,
       coalesce((SELECT w.valid_until >= %(day)s FROM warranties w
                 WHERE (w.community_id, w.equipment_id) = (e.community_id, e.equipment_id)), false) AS in_warranty,
       (SELECT coalesce(array_agg(l.to_id), '{}') FROM equipment_links l
        WHERE l.community_id = e.community_id AND l.from_id = e.equipment_id AND l.relation <> 'gateway_of')
       || (SELECT coalesce(array_agg(DISTINCT g.equipment_id), '{}') FROM points p JOIN gateways g
           USING (community_id, gateway_id)
           WHERE (p.community_id, p.equipment_id) = (e.community_id, e.equipment_id)
             AND g.equipment_id IS NOT NULL AND g.equipment_id <> e.equipment_id) AS parents
FROM equipment e
WHERE e.community_id = ANY (%(communities)s);

-- name: parties
-- Which parties somebody is, by community: of the area, of the hand-overs, and the property company.
SELECT c.community_id AS community,
       (SELECT coalesce(array_agg(DISTINCT o.kind), '{}') FROM organisations o
        WHERE (o.area_id IS NULL OR o.area_id = ANY (a.path)) AND o.kind <> ALL (%(by_contract)s))
       || CASE WHEN c.property_org_id IS NULL THEN '{}'::text[] ELSE ARRAY['property_company'] END AS parties
FROM communities c JOIN areas a USING (area_id)
WHERE c.community_id = ANY (%(communities)s);

-- name: contracts
-- Parties by contract, and for which kinds of equipment; null = all.
SELECT k.community_id AS community, k.kind AS party, k.equipment_kinds
FROM contracts k
WHERE k.community_id = ANY (%(communities)s) AND k.valid @> %(day)s;
