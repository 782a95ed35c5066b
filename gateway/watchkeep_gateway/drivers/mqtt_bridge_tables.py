"""[[mqtt_bridge]]: on which broker and topic devices that speak MQTT are heard, and what can be wrong with it."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from watchkeep_gateway.drivers.broker_tables import BrokerTable, broker_problems, name_problems
from watchkeep_gateway.tables import Name, Path, Problem


class BridgeTable(BrokerTable, frozen=True, kw_only=True):
    name: Name = "field"
    topic: str = ""
    """Topics below this one are read, the next level is the equipment; absent = field/COMMUNITY/GATEWAY."""
    undeclared: Literal["accept", "reject"] = "accept"
    """What is done with equipment that no [[device]] declares."""


def problems(tables: Sequence[BridgeTable]) -> Iterator[Problem]:
    """What is wrong with tables that are well formed."""
    yield from name_problems("mqtt_bridge", tables)
    for number, bridge in enumerate(tables):
        path: Path = ("mqtt_bridge", number)
        if bridge.topic and not re.fullmatch(r"[^+#\s]+[^+#/\s]", bridge.topic):
            yield Problem((*path, "topic"), f"{bridge.topic!r} must be a topic without wildcards, and not end with /")
        elif f"{bridge.topic}/".startswith("wk/"):
            yield Problem((*path, "topic"), "wk/ is Watchkeep's own")
        yield from broker_problems(path, bridge)
