-- name: save_area
INSERT INTO areas (area_id, parent_id, kind, name, name_en, urban, path)
VALUES (%(area_id)s, %(parent_id)s, %(kind)s, %(name)s, %(name_en)s, %(urban)s,
        coalesce((SELECT path FROM areas WHERE area_id = %(parent_id)s), '{}') || %(area_id)s::text)
ON CONFLICT (area_id) DO UPDATE SET (parent_id, kind, name, name_en, urban, path)
    = (excluded.parent_id, excluded.kind, excluded.name, excluded.name_en, excluded.urban, excluded.path)

-- name: save_organisation
INSERT INTO organisations (org_id, kind, name, name_en, area_id, duty_phone)
VALUES (%(org_id)s, %(kind)s, %(name)s, %(name_en)s, %(area_id)s, %(duty_phone)s)
ON CONFLICT (org_id) DO UPDATE SET (kind, name, name_en, area_id, duty_phone)
    = (excluded.kind, excluded.name, excluded.name_en, excluded.area_id, excluded.duty_phone)

-- name: save_community
INSERT INTO communities (community_id, name, name_en, area_id, property_org_id, timezone, mode, households, longitude, latitude)
VALUES (%(community_id)s, %(name)s, %(name_en)s, %(area_id)s, %(property_org_id)s, %(timezone)s, %(mode)s, %(households)s,
        %(longitude)s, %(latitude)s)
ON CONFLICT (community_id) DO UPDATE SET (name, name_en, area_id, property_org_id, timezone, mode, households, longitude, latitude)
    = (excluded.name, excluded.name_en, excluded.area_id, excluded.property_org_id, excluded.timezone, excluded.mode,
       excluded.households, excluded.longitude, excluded.latitude)

-- name: save_building
INSERT INTO buildings (community_id, building_id, name, storeys, height_m)
VALUES (%(community_id)s, %(building_id)s, %(name)s, %(storeys)s, %(height_m)s)
ON CONFLICT (community_id, building_id) DO UPDATE SET (name, storeys, height_m)
    = (excluded.name, excluded.storeys, excluded.height_m)

-- name: save_floor
INSERT INTO floors (community_id, building_id, level, label)
VALUES (%(community_id)s, %(building_id)s, %(level)s, %(label)s) ON CONFLICT DO NOTHING

-- name: save_household
INSERT INTO households (community_id, building_id, household_id, level)
SELECT community_id, building_id, household_id, level
FROM jsonb_to_recordset(%s) AS r(community_id text, building_id text, household_id text, level integer)
ON CONFLICT DO NOTHING

-- name: save_committee
INSERT INTO owners_committees (committee_id, community_id, kind, elected_on, term_ends_on, registered_on, members, party_members)
VALUES (%(committee_id)s, %(community_id)s, %(kind)s, %(elected_on)s, %(term_ends_on)s, %(registered_on)s, %(members)s,
        %(party_members)s)
ON CONFLICT (committee_id) DO UPDATE SET (kind, elected_on, term_ends_on, registered_on, members, party_members)
    = (excluded.kind, excluded.elected_on, excluded.term_ends_on, excluded.registered_on, excluded.members,
       excluded.party_members)

-- name: save_contract
INSERT INTO contracts (contract_id, kind, community_id, provider_org_id, equipment_kinds, valid, reference)
VALUES (%(contract_id)s, %(kind)s, %(community_id)s, %(provider_org_id)s, %(equipment_kinds)s, %(valid)s, %(reference)s)
ON CONFLICT (contract_id) DO UPDATE SET (kind, provider_org_id, equipment_kinds, valid, reference)
    = (excluded.kind, excluded.provider_org_id, excluded.equipment_kinds, excluded.valid, excluded.reference)

-- name: save_handover
INSERT INTO handovers (community_id, domain, to_org_id, handed_over_on)
VALUES (%(community_id)s, %(domain)s, %(to_org_id)s, %(handed_over_on)s)
ON CONFLICT (community_id, domain) DO UPDATE SET (to_org_id, handed_over_on) = (excluded.to_org_id, excluded.handed_over_on)

-- name: save_equipment
INSERT INTO equipment (community_id, equipment_id, kind, name, name_en, building_id, level, ownership, maker, model,
                       registration_code, vendor_profile, installed_on, attributes)
VALUES (%(community_id)s, %(equipment_id)s, %(kind)s, %(name)s, %(name_en)s, %(building_id)s, %(level)s, %(ownership)s,
        %(maker)s, %(model)s, %(registration_code)s, %(vendor_profile)s, %(installed_on)s, %(attributes)s)
ON CONFLICT (community_id, equipment_id) DO UPDATE SET
    (kind, name, name_en, building_id, level, ownership, maker, model, registration_code, vendor_profile, installed_on,
     attributes, status)
    = (excluded.kind, excluded.name, excluded.name_en, excluded.building_id, excluded.level, excluded.ownership,
       excluded.maker, excluded.model, excluded.registration_code, excluded.vendor_profile, excluded.installed_on,
       excluded.attributes,
       CASE equipment.status WHEN 'unclaimed' THEN 'in_service' ELSE equipment.status END)

-- name: save_gateway
INSERT INTO gateways (community_id, gateway_id, name, equipment_id)
VALUES (%(community_id)s, %(gateway_id)s, %(name)s, %(equipment_id)s)
ON CONFLICT (community_id, gateway_id) DO UPDATE SET (name, equipment_id) = (excluded.name, excluded.equipment_id)

-- name: save_warranty
INSERT INTO warranties (community_id, equipment_id, developer_org_id, valid_until)
VALUES (%(community_id)s, %(equipment_id)s, %(developer_org_id)s, %(valid_until)s)
ON CONFLICT (community_id, equipment_id) DO UPDATE SET (developer_org_id, valid_until)
    = (excluded.developer_org_id, excluded.valid_until)

-- name: save_link
INSERT INTO equipment_links (community_id, from_id, relation, to_id)
VALUES (%(community_id)s, %(equipment_id)s, %(relation)s, %(to)s) ON CONFLICT DO NOTHING

-- name: save_point
INSERT INTO points (community_id, equipment_id, metric, unit, period_s, gateway_id)
SELECT community_id, equipment_id, metric, unit, period_s, gateway_id
FROM jsonb_to_recordset(%s) AS r(community_id text, equipment_id text, metric text, unit text, period_s double precision,
                                 gateway_id text)
ON CONFLICT (community_id, equipment_id, metric) DO UPDATE SET (unit, period_s, gateway_id, claimed)
    = (excluded.unit, excluded.period_s, coalesce(excluded.gateway_id, points.gateway_id), true)

-- name: save_limit
-- A limit that a person has changed stays as it is.
INSERT INTO point_limits (series_id, condition, side, value, clear_value, for_s, clear_for_s, tier, when_metric, when_value,
                          basis, mark)
SELECT series_id, condition, side, value, clear_value, for_s, clear_for_s, tier, when_metric, when_value, basis, mark
FROM jsonb_to_recordset(%s) AS r(community_id text, equipment_id text, metric text, condition text, side text,
                                 value double precision, clear_value double precision, for_s double precision,
                                 clear_for_s double precision, tier text, when_metric text, when_value double precision,
                                 basis text, mark text)
JOIN points USING (community_id, equipment_id, metric)
ON CONFLICT (series_id, condition, side, tier) DO NOTHING

-- name: claim_equipment
INSERT INTO equipment (community_id, equipment_id, kind, name, status)
SELECT DISTINCT community, equipment, 'unknown', equipment, 'unclaimed'
FROM unnest(%(community)s::text[], %(equipment)s::text[]) AS k (community, equipment) ORDER BY 1, 2
ON CONFLICT DO NOTHING

-- name: claim_points
-- The no-op update makes RETURNING give the series of a known point too.
INSERT INTO points (community_id, equipment_id, metric, unit, period_s, claimed, gateway_id)
SELECT community, equipment, metric, unit, period_s, false, gateway
FROM unnest(%(community)s::text[], %(gateway)s::text[], %(equipment)s::text[], %(metric)s::text[], %(unit)s::text[],
            %(period_s)s::float8[]) AS k (community, gateway, equipment, metric, unit, period_s)
ON CONFLICT (community_id, equipment_id, metric) DO UPDATE SET gateway_id = coalesce(points.gateway_id, excluded.gateway_id)
RETURNING community_id, equipment_id, metric, series_id
