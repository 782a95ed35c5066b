-- Estate: who and what there is. Sole writer: watchkeep_core.estate (called by console, cli and ingest).
-- depends:

-- Writer: core estate. City, subdistricts, neighbourhoods and grids as one tree.
CREATE TABLE areas (
    area_id   text PRIMARY KEY CHECK (area_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    parent_id text REFERENCES areas,
    kind      text NOT NULL CHECK (kind IN ('city', 'subdistrict', 'neighbourhood', 'grid')),
    name      text NOT NULL,
    name_en   text NOT NULL DEFAULT '',
    urban     boolean NOT NULL DEFAULT true,
    -- ids from the root down to this area itself, so that "below area X" is one array test
    path      text[] NOT NULL
);
COMMENT ON TABLE areas IS 'Administrative tree: city, subdistrict, neighbourhood, grid. Writer: core estate.';
CREATE INDEX areas_path ON areas USING gin (path);

-- Writer: core estate.
CREATE TABLE organisations (
    org_id      text PRIMARY KEY CHECK (org_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    kind        text NOT NULL,  -- a party of the vocabulary: property_company, lift_maintainer, utility_water …
    name        text NOT NULL,
    name_en     text NOT NULL DEFAULT '',
    area_id     text REFERENCES areas,
    credit_code text,           -- 统一社会信用代码
    duty_phone  text NOT NULL DEFAULT ''
);
COMMENT ON TABLE organisations IS 'Property companies, maintainers, utilities, authorities. Writer: core estate.';

-- Writer: core estate.
CREATE TABLE communities (
    community_id    text PRIMARY KEY CHECK (community_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    name            text NOT NULL,
    name_en         text NOT NULL DEFAULT '',
    area_id         text NOT NULL REFERENCES areas,
    property_org_id text REFERENCES organisations,
    timezone        text NOT NULL DEFAULT 'Asia/Shanghai',
    mode            text NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'replay')),
    households      integer NOT NULL DEFAULT 0 CHECK (households >= 0),
    longitude       double precision,
    latitude        double precision
);
COMMENT ON TABLE communities IS 'Residential communities; mode replay = recorded data: bounds off, notifies nobody. Writer: core estate.';

-- Writer: core estate.
CREATE TABLE buildings (
    community_id text NOT NULL REFERENCES communities,
    building_id  text NOT NULL CHECK (building_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    name         text NOT NULL,
    storeys      integer NOT NULL CHECK (storeys BETWEEN 1 AND 200),
    height_m     double precision CHECK (height_m > 0),
    PRIMARY KEY (community_id, building_id)
);
COMMENT ON TABLE buildings IS 'Writer: core estate.';

-- Writer: core estate.
CREATE TABLE floors (
    community_id text NOT NULL,
    building_id  text NOT NULL,
    level        integer NOT NULL,   -- 1 = ground floor, -1 = first basement; 0 is not used
    label        text NOT NULL,
    PRIMARY KEY (community_id, building_id, level),
    FOREIGN KEY (community_id, building_id) REFERENCES buildings
);
COMMENT ON TABLE floors IS 'Writer: core estate.';

-- Writer: core estate. No names, no phone numbers: who lives there is none of our business.
CREATE TABLE households (
    community_id text NOT NULL,
    building_id  text NOT NULL,
    household_id text NOT NULL,
    level        integer,
    area_m2      double precision,
    PRIMARY KEY (community_id, building_id, household_id),
    FOREIGN KEY (community_id, building_id) REFERENCES buildings
);
COMMENT ON TABLE households IS 'Dwellings without personal data. Writer: core estate.';

-- Writer: core estate. 业委会 or, in its stead, 物管会 (seed plan item 4).
CREATE TABLE owners_committees (
    committee_id  text PRIMARY KEY,
    community_id  text NOT NULL REFERENCES communities,
    kind          text NOT NULL CHECK (kind IN ('owners_committee', 'interim_committee')),
    elected_on    date,
    term_ends_on  date,
    registered_on date,
    members       integer NOT NULL DEFAULT 0,
    party_members integer NOT NULL DEFAULT 0 CHECK (party_members <= members)
);
COMMENT ON TABLE owners_committees IS 'Writer: core estate.';

-- Writer: core estate. Service and maintenance contracts decide who is responsible.
CREATE TABLE contracts (
    contract_id     text PRIMARY KEY,
    kind            text NOT NULL,   -- the party the provider is under it: property_company, lift_maintainer …
    community_id    text NOT NULL REFERENCES communities,
    provider_org_id text NOT NULL REFERENCES organisations,
    equipment_kinds text[],          -- null = all kinds
    valid           daterange NOT NULL,
    reference       text NOT NULL DEFAULT ''
);
COMMENT ON TABLE contracts IS 'Who serves what, and when. Writer: core estate.';
CREATE INDEX contracts_community ON contracts (community_id);
CREATE INDEX contracts_provider ON contracts (provider_org_id);

-- Writer: core estate. Hand-over of installations to a utility (移交) decides between utility and owners.
CREATE TABLE handovers (
    community_id    text NOT NULL REFERENCES communities,
    domain          text NOT NULL,
    to_org_id       text NOT NULL REFERENCES organisations,
    handed_over_on  date NOT NULL,
    reference       text NOT NULL DEFAULT '',
    PRIMARY KEY (community_id, domain)
);
COMMENT ON TABLE handovers IS 'Installations handed over to a utility. Writer: core estate.';

-- Writer: core estate.
CREATE TABLE equipment (
    community_id      text NOT NULL REFERENCES communities,
    equipment_id      text NOT NULL CHECK (equipment_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    kind              text NOT NULL,
    name              text NOT NULL,
    name_en           text NOT NULL DEFAULT '',
    building_id       text,
    level             integer,
    ownership         text NOT NULL DEFAULT 'owners_common',
    status            text NOT NULL DEFAULT 'in_service'
                      CHECK (status IN ('in_service', 'out_of_service', 'retired', 'unclaimed')),
    maker             text NOT NULL DEFAULT '',
    model             text NOT NULL DEFAULT '',
    registration_code text NOT NULL DEFAULT '',  -- 特种设备注册代码
    vendor_profile    text NOT NULL DEFAULT '',  -- fault code profile of the vocabulary
    installed_on      date,
    attributes        jsonb NOT NULL DEFAULT '{}',  -- design data: rated load, set pressure …
    report_token      uuid NOT NULL DEFAULT gen_random_uuid(),  -- in the QR code on the equipment
    PRIMARY KEY (community_id, equipment_id),
    FOREIGN KEY (community_id, building_id) REFERENCES buildings
);
COMMENT ON TABLE equipment IS 'Writer: core estate. Status unclaimed = a gateway spoke of it before a person registered it.';
CREATE UNIQUE INDEX equipment_report_token ON equipment (report_token);

-- Writer: core estate.
CREATE TABLE warranties (
    community_id     text NOT NULL,
    equipment_id     text NOT NULL,
    developer_org_id text NOT NULL REFERENCES organisations,
    valid_until      date NOT NULL,
    PRIMARY KEY (community_id, equipment_id),
    FOREIGN KEY (community_id, equipment_id) REFERENCES equipment
);
COMMENT ON TABLE warranties IS 'Until when the developer (建设单位) answers for a piece of equipment. Writer: core estate.';

-- Writer: core estate. Topology folds symptoms under their cause.
CREATE TABLE equipment_links (
    community_id text NOT NULL,
    from_id      text NOT NULL,
    relation     text NOT NULL CHECK (relation IN ('powered_by', 'served_by', 'gateway_of', 'part_of')),
    to_id        text NOT NULL,
    PRIMARY KEY (community_id, from_id, relation, to_id),
    FOREIGN KEY (community_id, from_id) REFERENCES equipment (community_id, equipment_id),
    FOREIGN KEY (community_id, to_id) REFERENCES equipment (community_id, equipment_id),
    CHECK (from_id <> to_id)
);
COMMENT ON TABLE equipment_links IS 'from_id is powered_by / served_by / part_of to_id; gateway_of: from_id reports for to_id. Writer: core estate.';
CREATE INDEX equipment_links_to ON equipment_links (community_id, to_id);

-- Writer: core estate. What the gateway says of itself (birth, state) is in gateway_status, written by ingest.
CREATE TABLE gateways (
    community_id          text NOT NULL REFERENCES communities,
    gateway_id            text NOT NULL CHECK (gateway_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    name                  text NOT NULL DEFAULT '',
    equipment_id          text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    revoked_at            timestamptz,
    configuration_version text NOT NULL DEFAULT '',
    PRIMARY KEY (community_id, gateway_id),
    FOREIGN KEY (community_id, equipment_id) REFERENCES equipment
);
COMMENT ON TABLE gateways IS 'Enrolled gateways; their secrets live with the broker only. Writer: core estate.';

-- Writer: core estate. One time series: equipment × metric.
CREATE TABLE points (
    series_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id text NOT NULL,
    equipment_id text NOT NULL,
    metric       text NOT NULL,
    unit         text NOT NULL,
    period_s     double precision CHECK (period_s > 0),  -- expected interval; null = learnt
    claimed      boolean NOT NULL DEFAULT true,           -- false: registered by a birth, not yet by a person
    gateway_id   text,                                    -- null: not connected yet
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (community_id, equipment_id, metric),
    FOREIGN KEY (community_id, equipment_id) REFERENCES equipment
);
COMMENT ON TABLE points IS 'One time series: equipment × metric. Writer: core estate.';
CREATE INDEX points_gateway ON points (community_id, gateway_id);

-- Writer: core estate. Every limit is a row with its basis, never a literal in code.
CREATE TABLE point_limits (
    limit_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_id   integer NOT NULL REFERENCES points ON DELETE CASCADE,
    condition   text NOT NULL,
    side        text NOT NULL CHECK (side IN ('above', 'below', 'equals')),
    value       double precision NOT NULL,
    clear_value double precision NOT NULL,                        -- hysteresis: back to normal beyond this
    for_s       double precision NOT NULL DEFAULT 0 CHECK (for_s >= 0),        -- on delay, event time
    clear_for_s double precision NOT NULL DEFAULT 0 CHECK (clear_for_s >= 0),  -- off delay, event time
    tier        text NOT NULL CHECK (tier IN ('notice', 'warning', 'alarm')),
    when_metric text,                                             -- only while this metric of the same equipment …
    when_value  double precision,                                 -- … has this value
    basis       text NOT NULL,
    mark        text NOT NULL,
    enabled     boolean NOT NULL DEFAULT true,
    UNIQUE (series_id, condition, side, tier),
    CHECK (CASE side WHEN 'above' THEN clear_value <= value WHEN 'below' THEN clear_value >= value ELSE true END),
    CHECK ((when_metric IS NULL) = (when_value IS NULL))
);
COMMENT ON TABLE point_limits IS 'Limits with hysteresis and duration; basis and mark name the source. Writer: core estate.';
