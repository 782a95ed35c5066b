"""Plays samples in the order of event time, in batches, at a chosen speed."""

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from watchkeep_core import vocabulary
from watchkeep_core.clock import from_ms
from watchkeep_core.errors import SettingsError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop
from watchkeep_firmware_sim.publisher import FieldPublisher
from watchkeep_firmware_sim.replay import mapping as mappings
from watchkeep_firmware_sim.replay.series import FileReport, Sample, read_all
from watchkeep_firmware_sim.service import connect
from watchkeep_firmware_sim.settings import SimSettings

log = get_logger(__name__)

MAX_BATCH = 1000
"""Readings in flight to a flush; at about 45 bytes each far below the packet limit of 262,144."""

DRAIN_TIMEOUT_S = 60.0
"""A whole window of batches through a slow gateway."""

STOPPED_DRAIN_S = 5.0
"""A replay that was stopped waits no longer than this for what is under way."""


class Batch(NamedTuple):
    """One message; `last_ms` is its newest stamp."""

    topic: str
    readings: list[tuple[int, str, float]]
    last_ms: int


def batches(samples: Iterable[Sample], window_ms: float) -> Iterator[Batch]:
    """Cut time into windows; one message per topic and window, so that no topic runs ahead of another."""
    waiting: dict[str, list[tuple[int, str, float]]] = {}
    count, opened = 0, 0
    for sample in samples:
        if count and (count >= MAX_BATCH or sample.t_ms - opened >= window_ms):
            yield from _flushed(waiting)
            waiting, count = {}, 0
        if not count:
            opened = sample.t_ms
        waiting.setdefault(sample.topic, []).append((sample.t_ms, sample.metric, sample.value))
        count += 1
    yield from _flushed(waiting)


def _flushed(waiting: dict[str, list[tuple[int, str, float]]]) -> Iterator[Batch]:
    return (Batch(topic, readings, readings[-1][0]) for topic, readings in waiting.items())


def replay(settings: SimSettings, stop: Stop) -> dict[str, Any]:
    """Play what the mapping names; returns the summary.

    Raises SettingsError, MappingError, BrokerUnreachable and BrokerRefused.
    """
    for field in ("mapping", "data"):
        if getattr(settings, field) is None:
            raise SettingsError(f"{field}: must be set; set it by --{field} or WATCHKEEP_SIM_{field.upper()}")
    mapping = mappings.load(Path(str(settings.mapping)), vocabulary.load())
    samples, reports = read_all(mapping, Path(str(settings.data)))
    began = time.monotonic()
    with connect(settings, settings.replay_user) as connection:
        publisher = FieldPublisher(connection.publish, stop, settings.outstanding)
        complete = play(samples, publisher, stop, settings.speed or 0.0)
        complete = publisher.drain(STOPPED_DRAIN_S if stop.is_set() else DRAIN_TIMEOUT_S) and complete
    return _summary(samples, reports, publisher, complete, time.monotonic() - began)


def play(samples: list[Sample], publisher: FieldPublisher, stop: Stop, speed: float) -> bool:
    """`speed` = event time over wall time, 0 = no waiting; false when the stop came first."""
    if not samples:
        return True
    began, first_ms = time.monotonic(), samples[0].t_ms
    for batch in batches(samples, 1000 * speed if speed else math.inf):
        if speed:
            stop.wait(max(0.0, began + (batch.last_ms - first_ms) / 1000 / speed - time.monotonic()))
        if stop.is_set() or not publisher.send(batch.topic, {"readings": batch.readings}, readings=len(batch.readings)):
            return False
    return True


def _summary(
    samples: list[Sample], reports: list[FileReport], publisher: FieldPublisher, complete: bool, took_s: float
) -> dict[str, Any]:
    span = {"first": from_ms(samples[0].t_ms), "last": from_ms(samples[-1].t_ms)} if samples else {}
    return {
        "complete": complete,
        "rows_read": sum(report.rows for report in reports),
        "readings_found": len(samples),
        "readings_sent": publisher.readings_sent,
        "readings_not_sent": len(samples) - publisher.readings_sent,
        "messages_sent": publisher.messages_sent,
        **span,
        "span_s": (samples[-1].t_ms - samples[0].t_ms) / 1000 if samples else 0,
        "took_s": round(took_s, 3),
        "files": [
            {
                "file": report.file,
                "rows": report.rows,
                "readings": report.values,
                "skipped": dict(report.skipped),
                "columns_unused": report.columns_unused,
            }
            for report in reports
        ],
    }
