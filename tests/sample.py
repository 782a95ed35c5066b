"""A small estate for tests: one city, two communities with their companies, a maintainer who serves one of them."""

from datetime import date

from watchkeep_core import estate as e

CITY, STREET = "rongcheng", "yatou"


def contract(identifier, kind, org, kinds=None):
    return e.Contract(
        contract_id=identifier,
        kind=kind,
        provider_org_id=org,
        since=date(2020, 1, 1),
        until=date(2099, 12, 31),
        equipment_kinds=kinds,
    )


def sample_estate() -> e.Estate:
    return e.Estate(
        areas=[
            e.Area(area_id=CITY, kind="city", name="荣成市"),
            e.Area(area_id=STREET, kind="subdistrict", name="崖头街道", parent_id=CITY),
            e.Area(area_id="harbour-town", kind="subdistrict", name="港湾镇", parent_id=CITY, urban=False),
        ],
        organisations=[
            e.Organisation(org_id="blue-sea", kind="property_company", name="蓝海物业"),
            e.Organisation(org_id="red-hill", kind="property_company", name="红山物业"),
            e.Organisation(org_id="lift-works", kind="lift_maintainer", name="安达电梯"),
            e.Organisation(org_id="street-office", kind="subdistrict", name="崖头街道办", area_id=STREET),
        ],
        communities=[
            e.Community(
                community_id="c1",
                name="碧海园",
                area_id=STREET,
                property_org_id="blue-sea",
                buildings=[e.Building(building_id="b1", name="1号楼", storeys=18, basements=1, households=72)],
                contracts=[contract("c1-lift", "lift_maintainer", "lift-works", ["elevator"])],
                gateways=[e.Gateway(gateway_id="g1")],
                equipment=[
                    e.Equipment(
                        equipment_id="lift-1",
                        kind="elevator",
                        name="1号楼1号梯",
                        building_id="b1",
                        vendor_profile="gbt24476_2017",
                        metrics=["machine_room_temperature", "car_status", "door_status"],
                        gateway_id="g1",
                        links=[e.Link(relation="powered_by", to="mains-1")],
                    ),
                    e.Equipment(equipment_id="mains-1", kind="power_supply", name="总配电", building_id="b1"),
                    e.Equipment(
                        equipment_id="pumps-1",
                        kind="supply_pump_set",
                        name="生活泵房",
                        metrics=["outlet_pressure"],
                        gateway_id="g1",
                    ),
                ],
            ),
            e.Community(
                community_id="c2",
                name="红山苑",
                area_id="harbour-town",
                property_org_id="red-hill",
                gateways=[e.Gateway(gateway_id="g1")],
                equipment=[
                    e.Equipment(
                        equipment_id="lift-1",
                        kind="elevator",
                        name="1号梯",
                        metrics=["machine_room_temperature"],
                        gateway_id="g1",
                    )
                ],
            ),
        ],
    )
