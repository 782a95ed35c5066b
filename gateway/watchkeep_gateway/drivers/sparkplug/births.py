"""What one birth says: which alias is which metric, and where its values go."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from watchkeep_gateway.drivers.sparkplug.payload import TEMPLATE, Metric, Payload, plain_value
from watchkeep_gateway.drivers.sparkplug.targets import Source, Target, Targets

CONTROL = ("bdSeq", "Node Control/", "Device Control/", "Node Info/", "Properties/")
"""Metrics about the node itself, which nobody maps and which are not listed as unmapped."""


@dataclass(slots=True)
class Tag:
    """One metric that is mapped, or a template whose members may be."""

    name: str
    datatype: int
    target: Target | None
    t_ms: int = -1
    """Of the newest value taken, ms since 1970; a birth repeats values, and repeating is not reading."""


UNMAPPED = Tag("", 0, None)
"""Stands for all metrics that no row maps: thousands of nodes are kept in mind by the metrics that count."""


@dataclass(slots=True)
class Birth:
    """The metrics of a node or device until its death or next birth."""

    t_ms: int | None = None
    by_alias: dict[int, Tag] = field(default_factory=dict)
    by_name: dict[str, Tag] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()

    @property
    def equipment(self) -> Iterator[str]:
        """Whose values it brings; each once."""
        return iter(dict.fromkeys(tag.target.equipment for tag in self.by_name.values() if tag.target))

    @property
    def size(self) -> int:
        return 1 + len(self.by_alias) + len(self.by_name)

    def tag_of(self, metric: Metric) -> Tag | None:
        """Of a metric in a data message; None = no birth told of it. The name wins where one is given."""
        if metric.name:
            tag = UNMAPPED if metric.name.startswith(CONTROL) else self.by_name.get(metric.name)
        else:
            tag = self.by_alias.get(metric.alias if metric.alias is not None else -1)
        if tag is None or not metric.member or tag is UNMAPPED:
            return tag
        return self.by_name.get(f"{tag.name}/{metric.member}", UNMAPPED)


def read_birth(source: Source, payload: Payload, targets: Targets, before: Birth | None) -> Birth:
    """`before`: an earlier birth of the same source, whose times go on."""
    birth = Birth(payload.t_ms)
    known = before.by_name if before else {}
    unmapped: dict[str, None] = {}
    for metric in payload.metrics:
        name = f"{metric.name}/{metric.member}" if metric.member else metric.name
        if not name:
            continue
        tag = UNMAPPED
        if metric.datatype == TEMPLATE:
            tag = birth.by_name[name] = Tag(name, TEMPLATE, None)
        elif target := targets.find(source, name):
            t_ms = known[name].t_ms if name in known else -1
            tag = birth.by_name[name] = Tag(name, metric.datatype, target, t_ms)
        elif not name.startswith(CONTROL):
            unmapped[name] = None
            if metric.alias is None:
                birth.by_name[name] = UNMAPPED
        if metric.alias is not None and not metric.member:
            birth.by_alias[metric.alias] = tag
    birth.unmapped = tuple(unmapped)
    return birth


def bd_seq_of(payload: Payload) -> int | None:
    """Number that pairs a birth with the will of the same connection."""
    for metric in payload.metrics:
        if metric.name == "bdSeq":
            value = plain_value(metric)
            return None if value is None else int(value)
    return None
