"""`watchkeep bench gateway`: every measure of the gateway, in one result."""

from collections.abc import Collection
from typing import Literal, get_args

from watchkeep_core import bench
from watchkeep_gateway.bench import drain, polling
from watchkeep_gateway.bench.target import DEVICE, INGEST, INGEST_EVENT, REF, Database, Target

__all__ = ["GROUPS", "REF", "Database", "Group", "Target", "run_bench", "users"]

Group = Literal["polling", "drain"]
GROUPS: tuple[Group, ...] = get_args(Group)


def users(password: str) -> dict[str, str]:
    """MQTT users the bench needs, all with one password."""
    return dict.fromkeys((REF.user, INGEST, INGEST_EVENT, DEVICE), password)


def run_bench(
    target: Target, *, points: int, seconds: float, runs: int, backlog: int, groups: Collection[Group] = GROUPS
) -> bench.Result:
    """Measure on a broker that knows `users`; polling: medians of `runs`, each of `seconds`. Goals: issue 3."""
    measures: list[bench.Measure] = []
    if "polling" in groups:
        measures += polling.measures(target, points=points, seconds=seconds, runs=runs)
    if "drain" in groups:
        measures += drain.measures(target, backlog=backlog)
    return bench.Result(
        bench="gateway",
        machine=bench.machine(),
        versions=bench.versions("pymodbus", "paho-mqtt", "msgspec"),
        measures=measures,
    )
