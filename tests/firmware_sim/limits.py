"""A tiny limit check over the vocabulary's defaults: enough to see what a fault does, and that health does nothing."""

import math
from collections.abc import Iterable, Iterator

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import Limit
from watchkeep_firmware_sim.fleet import Device, Fleet, PlannedFault, checked
from watchkeep_firmware_sim.generate import Generated
from watchkeep_firmware_sim.simulation import DeviceEvent, Output, Readings, Simulation

MIDNIGHT = 1_790_006_400.0
"""2026-09-22 00:00 in China."""


def metrics_of(kind: str, vocabulary: Vocabulary) -> list[str]:
    return [row.id for row in vocabulary.metrics.values() if kind in row.kinds or "*" in row.kinds]


def device(kind: str, vocabulary: Vocabulary, **given: object) -> Device:
    fields = {"community": "c1", "gateway": "g1", "equipment": f"{kind}-1", "period_s": 20.0}
    fields |= {"kind": kind, "metrics": metrics_of(kind, vocabulary)[:60]}
    return Device(**(fields | given))  # type: ignore[arg-type]


def simulate(
    vocabulary: Vocabulary,
    devices: list[Device],
    *faults: PlannedFault,
    hours: float = 2,
    start: float = MIDNIGHT,
    seed: int = 1,
) -> list[Output]:
    fleet = checked(Fleet(seed=seed, device=devices, fault=list(faults)), "fleet", vocabulary)
    return list(Simulation(fleet, vocabulary, start).run_to(start + hours * 3600))


def opened(outputs: Iterable[Output], vocabulary: Vocabulary) -> Iterator[tuple[float, Limit]]:
    """(time, limit) whenever a default limit of a device has held for its `for_s`; once until it no longer holds."""
    seen: dict[tuple[str, str], float] = {}
    since: dict[tuple[str, str], float] = {}
    told: set[tuple[str, str]] = set()
    rules: dict[str, list[Limit]] = {}
    for output in outputs:
        if not isinstance(output, Readings):
            continue
        name, t = output.device.name, output.t_ms / 1000
        seen |= {(name, metric): value for metric, value in output.values.items()}
        if name not in rules:
            rules[name] = [
                limit for metric in output.device.metrics for limit in vocabulary.limits_for(output.device.kind, metric)
            ]
        for limit in rules[name]:
            key = (name, limit.id)
            value = seen.get((name, limit.metric))
            if value is None or not _holds(limit, value, seen, name):
                since.pop(key, None)
                told.discard(key)
            elif t - since.setdefault(key, t) >= limit.for_s and key not in told:
                told.add(key)
                yield t, limit


def told(outputs: Iterable[Output], vocabulary: Vocabulary) -> Iterator[tuple[float, str, bool]]:
    """(time, condition, active) of every event, raw codes translated by the device's profile."""
    for output in outputs:
        if isinstance(output, DeviceEvent):
            condition = output.value
            if output.field == "code":
                condition = vocabulary.condition_of(output.device.vendor_profile or "", output.value) or ""
            yield output.t_ms / 1000, condition, output.active


def _holds(limit: Limit, value: float, seen: dict[tuple[str, str], float], name: str) -> bool:
    if limit.when and seen.get((name, limit.when.metric)) != limit.when.equals:
        return False
    if limit.side == "above":
        return value > limit.value
    return value < limit.value if limit.side == "below" else value == limit.value


def opened_on_grid(made: Generated, device: int, vocabulary: Vocabulary) -> dict[str, list[float]]:
    """Condition → when a default limit of one generated device began to hold long enough (warning tier or above)."""
    series = {metric: made.values[:, row, device].astype(float) for row, metric in enumerate(made.metrics)}
    step_s = made.t[1] - made.t[0]
    found: dict[str, list[float]] = {}
    for metric, values in series.items():
        for limit in vocabulary.limits_for(made.kind, metric):
            if limit.tier == "notice" or (limit.when and limit.when.metric not in series):
                continue
            bad = {"above": values > limit.value, "below": values < limit.value}.get(limit.side, values == limit.value)
            if limit.when:
                bad = bad & (series[limit.when.metric] == limit.when.equals)
            run = 0
            for at, is_bad in enumerate(bad.tolist()):
                run = run + 1 if is_bad else 0
                if run and run == max(1, math.ceil(limit.for_s / step_s) + (limit.for_s > 0)):
                    found.setdefault(limit.condition, []).append(float(made.t[at]))
    return found
