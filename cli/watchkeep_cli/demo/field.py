"""The field side of the demo: gateway configurations and the simulated fleet, derived from the estate."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from watchkeep_core.estate import Community, Equipment, Estate

PERIOD_S = 10.0
"""Every sensor speaks this often: quicker than the vocabulary's defaults, so that a newcomer sees something move."""


class Planned(NamedTuple):
    """A fault of the demo; times in s after the start of the fleet."""

    equipment: str
    scenario: str
    at_s: float
    for_s: float
    order_by_s: float
    """By then there is an order: how long a limit must be broken is the rule's, and each reading takes its time."""


FAULTS = (
    Planned("harbour/lift1-b03", "elevator_entrapment", 12.0, 900.0, 60.0),
    Planned("orchard/sump-b02", "sump_high", 20.0, 600.0, 175.0),  # it rises for two minutes with both pumps on
    Planned("harbour/pump-set-1", "water_pressure_loss", 30.0, 600.0, 125.0),
    Planned("harbour/sump-b09", "sensor_silent", 40.0, 1200.0, 130.0),  # the only kind here that is missed so soon
    Planned("orchard/efd-b05", "residual_current_high", 55.0, 900.0, 155.0),
    Planned("harbour/lift2-b07", "elevator_door_held_open", 70.0, 900.0, 165.0),
    Planned("orchard/panel-1", "fire_alarm", 100.0, 300.0, 130.0),
)
"""What fails: each leads to its order within the first three minutes. Ground truth for `watchkeep sim score`."""

_OVER_MODBUS = {"supply_pump", "fire_pump"}
"""Kinds whose controllers speak Modbus here; the rest speaks MQTT."""


def write_gateway(path: Path, community: Community, gateway_id: str, modbus_port: int | None) -> None:
    """The technician's TOML of one gateway."""
    units = {} if modbus_port is None else _units(community)
    own = next((item.equipment_id for item in community.equipment if item.kind == "gateway"), gateway_id)
    document = {
        "version": "demo-1",
        "gateway": {"community": community.community_id, "id": gateway_id, "equipment": own},
        "mqtt_bridge": [{"name": "field"}],
        "device": [_device(item, units) for item in community.equipment if item.metrics],
        "modbus_tcp": list(_modbus(community, units, modbus_port or 0)),
    }
    path.write_text(tomli_w.dumps(document), encoding="utf-8")


def write_fleet(path: Path, estate: Estate, modbus_ports: Mapping[str, int]) -> None:
    """The fleet file of the simulator: every device of every live community."""
    devices = [
        device for community in estate.communities if community.mode == "live" for device in _fleet_devices(community)
    ]
    document = {
        "seed": 20261122,
        "device": devices,
        "fault": [
            {"equipment": one.equipment, "scenario": one.scenario, "at_s": one.at_s, "for_s": one.for_s}
            for one in FAULTS
        ],
        "modbus": [
            {"community": community, "gateway": "gw-1", "port": port} for community, port in modbus_ports.items()
        ],
    }
    path.write_text(tomli_w.dumps(document), encoding="utf-8")


def _units(community: Community) -> dict[str, int]:
    over = [item.equipment_id for item in community.equipment if item.kind in _OVER_MODBUS]
    return {equipment_id: unit for unit, equipment_id in enumerate(over, 1)}


def _device(item: Equipment, units: Mapping[str, int]) -> dict[str, Any]:
    """What comes over Modbus is declared by its registers, the rest by its metrics."""
    return {
        "equipment": item.equipment_id,
        "kind": item.kind,
        "vendor_profile": item.vendor_profile,
        "metrics": [] if item.equipment_id in units else item.metrics,
    }


def _modbus(community: Community, units: Mapping[str, int], port: int) -> Iterator[dict[str, Any]]:
    for item in community.equipment:
        if item.equipment_id not in units:
            continue
        registers = [
            {"metric": metric, "address": 2 * index, "kind": "holding", "type": "float32"}
            for index, metric in enumerate(item.metrics)
        ]
        yield {
            "name": item.equipment_id,
            "equipment": item.equipment_id,
            "host": "127.0.0.1",
            "port": port,
            "unit": units[item.equipment_id],
            "period_s": PERIOD_S,
            "registers": registers,
            "events": [{"address": 2 * len(item.metrics)}] if item.vendor_profile else [],
        }


def _fleet_devices(community: Community) -> Iterator[dict[str, Any]]:
    units = _units(community)
    for item in community.equipment:
        if not item.metrics or item.gateway_id is None:
            continue
        device: dict[str, Any] = {
            "community": community.community_id,
            "gateway": item.gateway_id,
            "equipment": item.equipment_id,
            "kind": item.kind,
            "metrics": item.metrics,
            "period_s": PERIOD_S,
        }
        if item.building_id:
            device["building"] = item.building_id
        if power := next((link.to for link in item.links if link.relation == "powered_by"), None):
            device["powered_by"] = power
        if item.vendor_profile:
            device["vendor_profile"] = item.vendor_profile
        if item.equipment_id in units:
            device |= {"transport": "modbus", "unit_id": units[item.equipment_id]}
        yield device
