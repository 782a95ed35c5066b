"""One `/health` and `/metrics` for all processes: each serves its own on loopback, the parent asks and adds up."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from watchkeep_core.service import HealthServer

LOOPBACK = "127.0.0.1"
_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where one process is found; the port is told by the process itself, over shared memory."""

    name: str
    port: "Synchronized[int]" = field(default_factory=lambda: get_context("spawn").Value("i", 0))

    def serve(self, checks: Mapping[str, Callable[[], bool]]) -> HealthServer:
        """In the process: on a free port."""
        server = HealthServer(LOOPBACK, 0, checks)
        self.port.value = server.port
        return server

    def healthy(self) -> bool:
        return self._ask("/health") is not None

    def metrics(self) -> str:
        return self._ask("/metrics") or ""

    def _ask(self, path: str) -> str | None:
        """None when it does not answer, or not with 200."""
        if not self.port.value:
            return None
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port.value}{path}", timeout=_TIMEOUT_S) as answer:
                return str(answer.read(), "utf-8")
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return None


class Gathered(Collector):
    """The metrics of all processes, told apart by the label `process`."""

    def __init__(self, places: list[Place]) -> None:
        self._places = places

    def collect(self) -> Iterator[Metric]:
        whole: dict[str, Metric] = {}
        sources = [("parent", list(REGISTRY.collect()))]
        sources += [(place.name, list(text_string_to_metric_families(place.metrics()))) for place in self._places]
        for process, families in sources:
            for family in families:
                merged = whole.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                merged.samples += [
                    sample._replace(labels={**sample.labels, "process": process}) for sample in family.samples
                ]
        yield from whole.values()


def serve(host: str, port: int, places: list[Place]) -> HealthServer:
    """In the parent. Raises SettingsError when the address cannot be had."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Gathered(places))
    return HealthServer(host, port, {place.name: place.healthy for place in places}, registry)
