-- Plans of preventive work of one community, made by its property company; tests of a person's channels by an administrator.
-- depends: 20261127100000_lists_of_few

ALTER TABLE visit_plans
    ADD COLUMN community_id text REFERENCES communities,  -- null = a general plan: every community
    ADD COLUMN replaces     text REFERENCES visit_plans,  -- the general plan in whose place it stands
    ADD COLUMN equipment    text[] CHECK (cardinality(equipment) > 0),  -- null = all of its kinds
    ADD COLUMN reason       text NOT NULL DEFAULT '',     -- of the last change
    ADD CONSTRAINT visit_plans_replaces CHECK (replaces IS NULL OR community_id IS NOT NULL);
CREATE INDEX visit_plans_community ON visit_plans (community_id, replaces) WHERE community_id IS NOT NULL;
COMMENT ON TABLE visit_plans IS
    'Preventive work: what is looked at, how often, by whom; general or of one community. Writer: dispatch, console.';

-- The next visit of each piece of equipment by each plan that applies to it: the open one, else one period after the last.
CREATE VIEW visits_ahead WITH (security_invoker = true) AS
SELECT p.plan_id, p.enabled, e.community_id, e.equipment_id, e.kind, p.party, p.every, p.ahead, o.visit_id, d.done_at,
       coalesce(o.due_at, greatest(p.since, d.done_at) + p.every) AS due_at
FROM visit_plans p
JOIN equipment e ON e.kind = ANY (p.kinds) AND e.status = 'in_service' AND e.community_id = coalesce(p.community_id, e.community_id)
    AND (p.equipment IS NULL OR e.equipment_id = ANY (p.equipment))
JOIN communities c ON c.community_id = e.community_id AND c.mode <> 'replay'
LEFT JOIN visits o ON o.plan_id = p.plan_id AND o.community_id = e.community_id AND o.equipment_id = e.equipment_id
    AND o.done_at IS NULL
CROSS JOIN LATERAL (
    SELECT max(v.done_at) AS done_at FROM visits v
    WHERE v.plan_id IN (p.plan_id, p.replaces) AND v.community_id = e.community_id AND v.equipment_id = e.equipment_id) d
WHERE NOT EXISTS (SELECT FROM visit_plans r WHERE r.replaces = p.plan_id AND r.community_id = e.community_id
                  AND e.kind = ANY (r.kinds) AND (r.equipment IS NULL OR e.equipment_id = ANY (r.equipment)));
COMMENT ON VIEW visits_ahead IS 'The next visit of each piece of equipment by each plan of preventive work, open or to come.';

-- Whose a visit is: the contract's for such equipment, else the property company's.
CREATE FUNCTION visit_org(of_community text, of_kind text, of_party text, at timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT x.provider_org_id FROM contracts x
        WHERE x.community_id = c.community_id AND x.kind = of_party AND (x.equipment_kinds IS NULL OR of_kind = ANY (x.equipment_kinds))
          AND x.valid @> (at AT TIME ZONE c.timezone)::date
        ORDER BY x.equipment_kinds IS NULL, x.contract_id LIMIT 1), c.property_org_id)
    FROM communities c WHERE c.community_id = of_community
$$;

DROP POLICY known ON visit_plans;
CREATE POLICY known ON visit_plans FOR SELECT TO watchkeep_console USING (
    my_person() IS NOT NULL AND (community_id IS NULL OR community_id IN (SELECT c.community_id FROM communities c)));
CREATE POLICY made ON visit_plans FOR INSERT TO watchkeep_console WITH CHECK (
    community_id = ANY ((SELECT my_communities())::text[])
    AND (SELECT my_roles(NULL) && ARRAY['property_manager', 'safety_manager']));
CREATE POLICY changed ON visit_plans FOR UPDATE TO watchkeep_console USING (
    community_id = ANY ((SELECT my_communities())::text[])
    AND (SELECT my_roles(NULL) && ARRAY['property_manager', 'safety_manager']));
GRANT INSERT, UPDATE ON visit_plans TO watchkeep_console;
GRANT SELECT ON visits_ahead TO watchkeep_dispatch, watchkeep_console;
REVOKE ALL ON FUNCTION visit_org(text, text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION visit_org(text, text, text, timestamptz) TO watchkeep_dispatch, watchkeep_console;

-- Who administers a person tries that person's channels, and sees what became of it.
CREATE POLICY tried ON notifications TO watchkeep_console USING (
    kind = 'test' AND person_id IS NOT NULL AND (SELECT my_roles(NULL) && ARRAY['sys_admin', 'sec_admin'])
    AND administers_person(person_id));
