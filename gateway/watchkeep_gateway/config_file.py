"""Reading the technician's TOML file: refused with the file, the path of the field and what is wrong with it."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from watchkeep_core import vocabulary
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.errors import SettingsError
from watchkeep_gateway.config import Config, RegisterTable
from watchkeep_gateway.errors import ConfigError


def read(file: Path) -> Config:
    """Read and check a file. Raises ConfigError."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(file, "", f"cannot read it: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(file, "", str(error)) from None
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise ConfigError(file, path.strip("`.") or "top level", problem) from None
    for field, problem in problems(config):
        raise ConfigError(file, field, problem)
    return config


def problems(config: Config) -> Iterator[tuple[str, str]]:
    """What a well-formed file can still have wrong: path of the field, and what is wrong with it."""
    yield from _device_problems(config)
    yield from _bridge_problems(config)
    yield from _modbus_problems(config)
    if not config.mqtt_bridge and not config.modbus_tcp:
        yield "mqtt_bridge, modbus_tcp", "at least one driver is needed"


def _device_problems(config: Config) -> Iterator[tuple[str, str]]:
    known, seen = vocabulary.load(), set[str]()
    for number, device in enumerate(config.device):
        path = f"device[{number}]"
        if device.equipment in seen:
            yield f"{path}.equipment", f"{device.equipment!r} is declared twice"
        seen.add(device.equipment)
        if device.kind not in known.kinds:
            yield f"{path}.kind", f"{device.kind!r} is no kind of equipment"
        if device.vendor_profile and device.vendor_profile not in known.profiles:
            yield f"{path}.vendor_profile", f"{device.vendor_profile!r} is none of {', '.join(known.profiles)}"
        for index, metric in enumerate(device.metrics):
            if problem := _metric_problem(metric, device.kind):
                yield f"{path}.metrics[{index}]", problem


def _bridge_problems(config: Config) -> Iterator[tuple[str, str]]:
    seen = set[str]()
    for number, bridge in enumerate(config.mqtt_bridge):
        path = f"mqtt_bridge[{number}]"
        if bridge.name in seen:
            yield f"{path}.name", f"{bridge.name!r} is there twice"
        seen.add(bridge.name)
        if bridge.topic and not re.fullmatch(r"[^+#\s]+[^+#/\s]", bridge.topic):
            yield f"{path}.topic", f"{bridge.topic!r} must be a topic without wildcards, and not end with /"
        elif f"{bridge.topic}/".startswith("wk/"):
            yield f"{path}.topic", "wk/ is Watchkeep's own"
        if bridge.url:
            try:
                BrokerAddress.parse(bridge.url)
            except SettingsError as error:
                yield f"{path}.url", str(error).removeprefix("mqtt_url: ")
            for field in ("user", "password_file"):
                if not getattr(bridge, field):
                    yield f"{path}.{field}", "is needed with a url of its own"
        elif bridge.user or bridge.password_file or bridge.ca_file:
            yield f"{path}.url", "is needed with user, password_file or ca_file"


def _modbus_problems(config: Config) -> Iterator[tuple[str, str]]:
    kinds = {device.equipment: device.kind for device in config.device}
    names, seen = set[str](), set[tuple[str, str]]()
    for number, table in enumerate(config.modbus_tcp):
        if table.name in names:
            yield f"modbus_tcp[{number}].name", f"{table.name!r} is there twice"
        names.add(table.name)
        for index, register in enumerate(table.registers):
            path = f"modbus_tcp[{number}].registers[{index}]"
            equipment = register.equipment or table.equipment
            if equipment not in kinds:
                yield f"{path}.equipment", f"{equipment!r} is not declared by any [[device]]"
            elif problem := _metric_problem(register.metric, kinds[equipment]):
                yield f"{path}.metric", problem
            elif (equipment, register.metric) in seen:
                yield f"{path}.metric", f"{equipment} {register.metric} is read twice"
            else:
                seen.add((equipment, register.metric))
            yield from _register_problems(path, register, table.max_block)


def _register_problems(path: str, register: RegisterTable, max_block: int) -> Iterator[tuple[str, str]]:
    words = register.kind in ("holding", "input")
    if not words and register.type != "bit":
        yield f"{path}.type", f"a {register.kind} register holds one bit: type must be bit"
    if words and (register.type == "bit") != (register.bit is not None):
        yield f"{path}.bit", "is needed with type bit, and only there"
    if not words and register.bit is not None:
        yield f"{path}.bit", f"a {register.kind} register has no bit number"
    if register.type.endswith("32") and (register.address == 65535 or max_block < 2):
        yield f"{path}.address", "no room for the second word"
    if register.scale == 0:
        yield f"{path}.scale", "must not be 0"


def _metric_problem(name: str, kind: str) -> str | None:
    metric = vocabulary.load().metrics.get(name)
    if metric is None:
        return f"{name!r} is no metric of the vocabulary"
    if kind not in metric.kinds and vocabulary.ANY not in metric.kinds:
        return f"{name!r} is no metric of a {kind}"
    return None
