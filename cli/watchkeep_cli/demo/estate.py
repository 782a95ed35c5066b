"""The demo estate: a county-level city with two communities, their companies and 262 pieces of equipment.

Names are invented; the shape (who serves what, what was handed over, what is under warranty) follows DOMAIN §5.2.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from watchkeep_core.estate import (
    Area,
    Building,
    Community,
    Contract,
    Equipment,
    Estate,
    Gateway,
    Handover,
    Link,
    Organisation,
    OwnersCommittee,
    Warranty,
)
from watchkeep_core.vocabulary import Vocabulary, load

REPLAY_COMMUNITY = "replay"
"""Recorded series enter here: time bounds off, notifies nobody, scores nothing."""

_NOT_ONLINE = {
    "ammonia_nitrogen",
    "colour",
    "network_leakage",
    "night_minimum_flow",  # laboratory and derived
    "hydrant_dynamic_pressure",
    "end_test_pressure",
    "duty_check_result",
    "alarm_latency",  # on test only
    "levelling_error",
    "door_noise",
    "machine_room_noise",
    "car_noise",  # inspection instruments
}
"""Metrics of the vocabulary that no sensor of this estate delivers."""


def demo_estate(today: date) -> Estate:
    """Two live communities and an empty one for recorded data."""
    words = load()
    return Estate(
        areas=_areas(),
        organisations=_organisations(),
        communities=[
            _community(
                "harbour", "碧海家园", "Harbour Gardens", "yatou-east-1", "lanhai", 12, today, words, urban=True
            ),
            _community("orchard", "果园新村", "Orchard Village", "shidao-1", "hongshan", 10, today, words, urban=False),
            Community(
                community_id=REPLAY_COMMUNITY,
                name="回放小区",
                name_en="Replay (recorded data)",
                area_id="yatou-east-1",
                mode="replay",
                gateways=[Gateway(gateway_id="replay-gw", name="回放网关")],
                contracts=_contracts(REPLAY_COMMUNITY, "lanhai", today),
                equipment=list(_recorded()),
            ),
        ],
    )


def _recorded() -> Iterator[Equipment]:
    """What the mappings `replay-nab.toml` and `replay-skab.toml` play into."""
    rows: list[tuple[str, str, str, str, list[str]]] = [
        ("machine-1", "elevator", "回放：机器温度", "replay: machine temperature", ["machine_room_temperature"]),
        ("machine-room-1", "elevator", "回放：机房温度", "replay: room temperature", ["machine_room_temperature"]),
        (
            "rig-pump-1",
            "supply_pump",
            "回放：水泵试验台",
            "replay: pump rig",
            ["pump_vibration", "discharge_pressure", "pump_flow", "fire_current", "fire_temperature", "fire_voltage"],
        ),
        (
            "rig-pump-1-rear",
            "supply_pump",
            "回放：水泵后轴承",
            "replay: pump rear",
            ["pump_vibration", "fire_temperature"],
        ),
    ]
    for equipment_id, kind, name, name_en, metrics in rows:
        yield Equipment(
            equipment_id=equipment_id, kind=kind, name=name, name_en=name_en, metrics=metrics, gateway_id="replay-gw"
        )


def metrics_of(kind: str, words: Vocabulary) -> list[str]:
    """What the sensors on equipment of this kind deliver here."""
    return [name for name, metric in words.metrics.items() if kind in metric.kinds and name not in _NOT_ONLINE]


def _areas() -> list[Area]:
    def area(area_id: str, kind: Any, name: str, name_en: str, parent: str | None = None, urban: bool = True) -> Area:
        return Area(area_id=area_id, kind=kind, name=name, name_en=name_en, parent_id=parent, urban=urban)

    return [
        area("rongcheng", "city", "荣成市", "Rongcheng"),
        area("yatou", "subdistrict", "崖头街道", "Yatou subdistrict", "rongcheng"),
        area("yatou-east", "neighbourhood", "东山社区", "Dongshan neighbourhood", "yatou"),
        area("yatou-east-1", "grid", "东山一网格", "Dongshan grid 1", "yatou-east"),
        area("shidao", "subdistrict", "石岛管理区", "Shidao", "rongcheng", urban=False),
        area("shidao-south", "neighbourhood", "南街社区", "Nanjie neighbourhood", "shidao", urban=False),
        area("shidao-1", "grid", "南街一网格", "Nanjie grid 1", "shidao-south", urban=False),
    ]


def _organisations() -> list[Organisation]:
    rows = [
        ("lanhai", "property_company", "蓝海物业服务有限公司", "Blue Sea Property"),
        ("hongshan", "property_company", "红山物业服务有限公司", "Red Hill Property"),
        ("anda", "lift_maintainer", "安达电梯维保有限公司", "Anda Lift Service"),
        ("hengji", "fire_maintainer", "恒济消防技术服务有限公司", "Hengji Fire Service"),
        ("qingyuan", "water_maintainer", "清源二次供水维护有限公司", "Qingyuan Pump Service"),
        ("shuiwu", "utility_water", "荣成市水务集团", "Rongcheng Water"),
        ("jianye", "developer", "建业置业有限公司", "Jianye Development"),
        ("zhilian", "integrator", "智联系统集成有限公司", "Zhilian Integration"),
        ("zhujian", "housing_bureau", "荣成市住房和城乡建设局", "Housing Bureau"),
        ("shichang", "market_supervision", "荣成市市场监督管理局", "Market Supervision"),
        ("xiaofang", "fire_brigade", "荣成市消防救援大队", "Fire Brigade"),
        ("liandong", "command_centre", "荣成市社会综合治理联动指挥中心", "Command Centre"),
        ("weijian", "health_authority", "荣成市卫生健康局", "Health Bureau"),
        ("zhifa", "urban_management", "荣成市综合行政执法局", "Urban Management"),
        ("shizheng", "municipal", "荣成市市政工程处", "Municipal Works"),
    ]
    city = [Organisation(org_id=i, kind=k, name=n, name_en=e, area_id="rongcheng") for i, k, n, e in rows]
    return [
        *city,
        Organisation(
            org_id="yatou-office", kind="subdistrict", name="崖头街道物业办", name_en="Yatou Office", area_id="yatou"
        ),
        Organisation(
            org_id="shidao-office",
            kind="subdistrict",
            name="石岛管理区物业办",
            name_en="Shidao Office",
            area_id="shidao",
        ),
    ]


def _community(
    community_id: str,
    name: str,
    name_en: str,
    area_id: str,
    company: str,
    towers: int,
    today: date,
    words: Vocabulary,
    *,
    urban: bool,
) -> Community:
    buildings = [
        Building(building_id=f"b{n:02d}", name=f"{n}号楼", storeys=18 if urban else 11, basements=1, households=72)
        for n in range(1, towers + 1)
    ]
    equipment = [
        item
        for number, building in enumerate(buildings, 1)
        for item in _tower(building, number, words, today, warranted=not urban)
    ]
    return Community(
        community_id=community_id,
        name=name,
        name_en=name_en,
        area_id=area_id,
        property_org_id=company,
        households=sum(building.households for building in buildings),
        longitude=122.42 if urban else 122.44,
        latitude=37.16 if urban else 36.89,
        buildings=buildings,
        committees=[
            OwnersCommittee(
                committee_id=f"{community_id}-committee",
                kind="owners_committee" if urban else "interim_committee",
                elected_on=today - timedelta(days=500),
                term_ends_on=today + timedelta(days=600),
                members=7,
                party_members=5,
            )
        ],
        contracts=_contracts(community_id, company, today),
        handovers=(
            [Handover(domain="water", to_org_id="shuiwu", handed_over_on=today - timedelta(days=400))] if urban else []
        ),
        equipment=[*equipment, *_shared(words)],
        gateways=[Gateway(gateway_id="gw-1", name=f"{name}网关", equipment_id="gateway-1")],
    )


def _contracts(community_id: str, company: str, today: date) -> list[Contract]:
    fire = ["fire_alarm_panel", "fire_transmission_device", "fire_power_supply", "smoke_detector", "hydrant_system"]
    fire += ["sprinkler_system", "outdoor_hydrant", "fire_pump", "jockey_pump", "fire_tank", "smoke_control_fan"]
    fire += ["electrical_fire_detector", "fire_door"]
    water = ["supply_pump_set", "supply_pump", "water_tank", "supply_riser", "water_quality_station", "pump_room"]
    served: list[tuple[str, str, list[str] | None]] = [
        ("property_company", company, None),
        ("lift_maintainer", "anda", ["elevator"]),
        ("fire_maintainer", "hengji", fire),
        ("water_maintainer", "qingyuan", water),
        ("integrator", "zhilian", ["gateway"]),
    ]
    return [
        Contract(
            contract_id=f"{community_id}-{kind}",
            kind=kind,
            provider_org_id=provider,
            since=today - timedelta(days=300),
            until=today + timedelta(days=430),
            equipment_kinds=kinds,
        )
        for kind, provider, kinds in served
    ]


def _tower(building: Building, number: int, words: Vocabulary, today: date, *, warranted: bool) -> Iterator[Equipment]:
    b = building.building_id
    warranty = Warranty(developer_org_id="jianye", valid_until=today + timedelta(days=200)) if warranted else None
    mains = Link(relation="powered_by", to=f"mains-{b}")

    def item(stem: str, kind: str, name: str, name_en: str, **more: Any) -> Equipment:
        return Equipment(
            equipment_id=f"{stem}-{b}",
            kind=kind,
            name=f"{building.name}{name}",
            name_en=f"Building {number} {name_en}",
            building_id=b,
            gateway_id="gw-1",
            metrics=metrics_of(kind, words),
            **({"links": [mains], "warranty": warranty} | more),
        )

    yield item("mains", "power_supply", "总配电箱", "mains", links=[], warranty=None)
    for lift in (1, 2):
        yield item(
            f"lift{lift}",
            "elevator",
            f"{lift}号梯",
            f"lift {lift}",
            vendor_profile="gbt24476_2017",
            registration_code=f"3110371082{number:03d}{lift:02d}",
            maker="示例电梯",
            attributes={"rated_speed_m_s": 1.75, "rated_load_kg": 1050.0},
        )
    yield item("hydrant", "hydrant_system", "室内消火栓系统", "hydrants")
    yield item("sprinkler", "sprinkler_system", "喷淋系统", "sprinklers")
    yield item("efd", "electrical_fire_detector", "电气火灾监控", "electrical fire detector")
    yield item("smoke-fan", "smoke_control_fan", "防排烟风机", "smoke control fan")
    yield item("riser", "supply_riser", "供水立管", "water riser", links=[Link(relation="served_by", to="pump-set-1")])
    yield item("sump", "sump", "集水坑", "sump", level=-1)
    yield item("basement", "basement", "地下室", "basement", level=-1)


def _shared(words: Vocabulary) -> Iterator[Equipment]:
    def item(equipment_id: str, kind: str, name: str, name_en: str, **more: Any) -> Equipment:
        return Equipment(
            equipment_id=equipment_id,
            kind=kind,
            name=name,
            name_en=name_en,
            metrics=metrics_of(kind, words),
            **({"gateway_id": "gw-1"} | more),
        )

    yield item("gateway-1", "gateway", "物联网网关", "IoT gateway")
    yield item("panel-1", "fire_alarm_panel", "火灾报警控制器", "fire alarm panel")
    yield item("transmission-1", "fire_transmission_device", "用户信息传输装置", "fire transmission device")
    yield item("control-room-1", "control_room", "消防控制室", "fire control room")
    yield item("fire-tank-1", "fire_tank", "高位消防水箱", "fire tank")
    yield item("jockey-1", "jockey_pump", "消防稳压泵", "jockey pump")
    for n in (1, 2):
        yield item(f"fire-pump-{n}", "fire_pump", f"消防水泵{n}号", f"fire pump {n}")
        yield item(f"tank-{n}", "water_tank", f"生活水箱{n}号", f"water tank {n}")
        yield item(f"outdoor-hydrant-{n}", "outdoor_hydrant", f"室外消火栓{n}号", f"outdoor hydrant {n}")
        yield item(f"manhole-{n}", "manhole", f"污水井{n}号", f"manhole {n}")
    yield item("pump-room-1", "pump_room", "生活泵房", "pump room")
    yield item("pump-set-1", "supply_pump_set", "二次供水机组", "supply pump set")
    for n in (1, 2, 3):
        links = [Link(relation="part_of", to="pump-set-1")]
        yield item(f"pump-{n}", "supply_pump", f"生活水泵{n}号", f"supply pump {n}", links=links)
    yield item("quality-1", "water_quality_station", "水质监测站", "water quality station")
    yield item("dma-1", "dma_meter", "小区总表", "inlet meter")
