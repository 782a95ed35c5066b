"""What every detector must keep to, run on all of them."""

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analytics.test_models import pump
from tests.analytics.world import batch, limit, moment, point, registry
from watchkeep_analytics import texts
from watchkeep_analytics.batch import Batch
from watchkeep_analytics.detectors import Detector
from watchkeep_analytics.detectors import baseline as baseline_module
from watchkeep_analytics.detectors import battery as battery_module
from watchkeep_analytics.detectors import fleet as fleet_module
from watchkeep_analytics.detectors import forecast as forecast_module
from watchkeep_analytics.detectors import night_flow as night_flow_module
from watchkeep_analytics.detectors import ratios as ratios_module
from watchkeep_analytics.detectors.baseline import Baseline
from watchkeep_analytics.detectors.battery import Battery
from watchkeep_analytics.detectors.combinations import Combinations
from watchkeep_analytics.detectors.counters import Counters
from watchkeep_analytics.detectors.elevator import Elevator
from watchkeep_analytics.detectors.equipment_level import EquipmentLevel
from watchkeep_analytics.detectors.flatline import Flatline
from watchkeep_analytics.detectors.fleet import Fleet
from watchkeep_analytics.detectors.forecast import Forecast
from watchkeep_analytics.detectors.impossible import Impossible
from watchkeep_analytics.detectors.limits import Limits
from watchkeep_analytics.detectors.night_flow import NightFlow
from watchkeep_analytics.detectors.rails import Rails
from watchkeep_analytics.detectors.rates import Rates
from watchkeep_analytics.detectors.ratios import Ratios
from watchkeep_analytics.detectors.rides import Rides
from watchkeep_analytics.detectors.silence import Silence
from watchkeep_analytics.detectors.spikes import Spikes
from watchkeep_analytics.detectors.starts import Starts
from watchkeep_analytics.detectors.steps import Steps
from watchkeep_analytics.feedback import STATISTICAL
from watchkeep_analytics.models.fitted import Active, Fitted, Frame
from watchkeep_analytics.models.fitting import fit
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Signal

KINDS: list[Callable[[Registry], Detector]] = [
    *(Limits, Combinations, Rates, Starts, Ratios, Elevator, Rides, NightFlow),
    *(Impossible, Rails, Spikes, Counters, Battery, Steps, Flatline, Silence, Baseline),
    *(EquipmentLevel, Fleet, Forecast),
]

HINTS = ("fleet", "forecast")
"""Detectors that only give notices."""

PUMP = ("pump_flow", "pump_current_percent", "bearing_temperature")

STEP_S = 300.0
DAYS = 5


def world() -> Registry:
    """A temperature with two limits, a pressure, an elevator's states; a pump with a model, rooms that are alike."""
    made = registry(
        [
            point(11, "machine_temperature"),
            point(12, "outlet_pressure", equipment="P1", kind="supply_pump_set"),
            point(13, "car_status"),
            point(14, "door_zone"),
            point(15, "passenger_status"),
            point(16, "door_status"),
            point(17, "pump_run_state", equipment="F1", kind="fire_pump"),
            point(18, "discharge_pressure", equipment="F1", kind="fire_pump"),
            point(19, "pump_run_state", equipment="J1", kind="jockey_pump"),
            point(20, "conductor_temperature", equipment="D1", kind="electrical_fire_detector"),
            point(21, "door_open_time"),
            point(22, "water_volume", equipment="M1", kind="dma_meter"),
            point(23, "inlet_flow", equipment="M1", kind="dma_meter"),
            point(24, "battery_level", equipment="S1", kind="smoke_detector"),
            point(25, "room_temperature", equipment="R1", kind="pump_room"),
            point(26, "static_pressure", equipment="H1", kind="hydrant_system"),
            point(27, "car_status", equipment="E9"),
            point(28, "car_floor", equipment="E9"),
            point(29, "room_temperature", equipment="R2", kind="pump_room"),
            *(point(30 + k, "room_temperature", equipment=f"R{3 + k}", kind="pump_room") for k in range(3)),
            *(point(33 + k, metric, equipment="P2", kind="supply_pump") for k, metric in enumerate(PUMP)),
            point(36, "water_level", equipment="W1", kind="water_tank"),
        ],
        [
            limit(1, 11, "above", 90.0, 85.0, for_s=600.0, clear_for_s=600.0),
            limit(2, 11, "above", 110.0, 100.0, tier="alarm"),
            limit(3, 36, "below", 30.0),
        ],
    )
    made.learn({("c1", "P2"): Active(1, trained())})
    return made


@cache
def trained() -> Fitted:
    return fit(Frame("c1", "P2", PUMP, pump(10 * 288), np.ones(10 * 288, np.bool_)))[0]


def story() -> list[tuple[int, float, float]]:
    """Five days with something for everyone: hot, impossible, stuck, out of its ways, a trapped person."""
    rng = np.random.default_rng(7)
    rows = []
    for k in range(int(DAYS * 86_400 / STEP_S)):
        t = k * STEP_S
        heat = 60 + 10 * np.sin(2 * np.pi * t / 86_400) + rng.normal()
        pressure = 400 + 5 * rng.normal()
        if 4.2 * 86_400 < t < 4.4 * 86_400:
            heat, pressure = heat + 45, pressure + 300
        if 3.5 * 86_400 < t < 3.7 * 86_400:
            pressure = 390.0
        if 4.5 * 86_400 < t < 4.52 * 86_400:
            heat = 999.0
        trapped = 2 * 86_400 < t < 2 * 86_400 + 3600
        rows += [(0, t, heat), (1, t, pressure)]
        rows += [(2, t, 0.0), (3, t, 2.0 if trapped else 1.0), (4, t, 1.0 if trapped else 2.0), (5, t, 2.0)]
        rows += machines(k, t / 86_400, rng)
        rows += learnt_of(k, t / 86_400, rng)
    return rows


def learnt_of(k: int, day: float, rng: np.random.Generator) -> list[tuple[int, float, float]]:
    """Three more rooms, of which one leaves its peers; a pump whose current leaves its flow; a tank that runs dry."""
    t = k * STEP_S
    broken = np.array([1.0, 1.15 if 4.1 < day < 4.4 else 1.0, 1.0])
    room = [(19 + r, t, 18 + rng.normal() * 0.5 + (6 if r == 2 and day > 1.7 else 0)) for r in range(3)]
    tank = (25, t, 60 + 0.3 * rng.normal() - (72 * (day - 4.0) if 4.0 < day < 4.35 else 0))
    return [*room, *((22 + c, t, float(v)) for c, v in enumerate(RUNNING[k] * broken)), tank]


def machines(k: int, day: float, rng: np.random.Generator) -> list[tuple[int, float, float]]:
    """A pump without pressure, one that cycles, a hot joint, slow doors, a leak and a burst, and what sensors do."""
    t = k * STEP_S
    night = 10.0 <= day * 24 % 24 < 20.0  # T0 is 06:13 in China: two to four in the morning lies within
    rows = [
        (6, t, float(4.1 < day < 4.2)),
        (7, t, 100.0),
        (9, t, 30 + rng.normal() + (40 if 4.3 < day < 4.4 else 0)),
        (10, t, 2.4 + 0.1 * rng.normal() + (1.0 if day > 4.0 else 0)),
        (11, t, 1000.0 + k if day < 4 else k - 1152.0),
        (12, t, (2.0 if night else 20.0) * (4 if day > 3.5 else 1) + 0.1 * rng.normal()),
        (13, t, 90 - 10 * day),
        (14, t, 18 + rng.normal() + (50 if day > 3 and k % 3 == 0 and day < 3.1 else 0)),
        (18, t, (lambda x: round(x) if day > 3.2 else x)(20 + 0.8 * rng.normal())),
        (15, t, 4000.0 if 2.5 < day < 2.6 else 300 + rng.normal()),
    ]
    rows += [(8, t + 30 * j, float(j % 2)) for j in range(10 if day < 1.2 and day > 1.0 else 1)]
    floor = float(k % 7 + 1)
    if not 3.0 < day < 3.2:
        rows += [(16, t, 1.0), (17, t + 10, floor), (16, t + 11, 0.0), (17, t + 60, floor)]
    else:
        rows += [(17, t, floor)]
    return rows


RUNNING = pump(int(DAYS * 86_400 / STEP_S), seed=3)
STORY = story()


def play(detector: Detector, blocks: Sequence[Batch], made: Registry) -> list[Signal]:
    """Feed block after block; the clock stands at the last row of each."""
    found: list[Signal] = []
    for block in blocks:
        found += detector.observe(block)
        found += detector.tick(moment(made, (int(block.t_us.max()) / 1e6) - 1_700_000_000 if block.size else 0))
    return found


def cut(rows: Sequence[tuple[int, float, float]], at: Sequence[int]) -> list[Batch]:
    """Blocks between the given instants (numbers of STEP_S)."""
    edges = [0, *sorted(at), int(DAYS * 86_400 / STEP_S)]
    blocks = []
    for a, b in itertools.pairwise(edges):
        mine = [row for row in rows if a * STEP_S <= row[1] < b * STEP_S]
        if mine:
            blocks.append(batch(mine))
    return blocks


def said(signals: Sequence[Signal]) -> list[tuple[Any, ...]]:
    """Everything but the order in which batches brought it."""
    return sorted(
        (s.event_us, s.source, s.active, s.condition, s.tier, s.score or 0, repr(s.evidence)) for s in signals
    )


@pytest.fixture(autouse=True)
def short_warm_up(monkeypatch):
    monkeypatch.setattr(baseline_module, "READY_SAMPLES", 600)
    monkeypatch.setattr(baseline_module, "READY_S", 2 * 86_400)
    monkeypatch.setattr(ratios_module, "READY_S", 2 * 86_400)
    monkeypatch.setattr(battery_module, "READY_DAYS", 2.0)
    monkeypatch.setattr(night_flow_module, "READY_NIGHTS", 2)
    monkeypatch.setattr(fleet_module, "READY_DAYS", 2)
    monkeypatch.setattr(forecast_module, "HOURS", forecast_module.HOURS._replace(ready=48))


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request):
    return request.param


def test_finds_its_part_of_the_story(kind):
    made = world()
    detector = kind(made)
    if detector.name == "silence":
        detector.tick(moment(made, 0))
        detector.observe(batch(STORY[:120]))
        found = detector.tick(moment(made, 86_400))
    else:
        found = play(detector, cut(STORY, []), made)
    assert any(s.active and (s.tier != "notice" or s.detector in HINTS) for s in found)


@pytest.mark.slow
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.lists(st.integers(1, int(DAYS * 86_400 / STEP_S) - 1), max_size=12))
def test_batch_boundaries_change_nothing(kind, at):
    whole, parts = world(), world()
    rows = [row for row in STORY if row[1] < DAYS * 86_400]
    one, many = kind(whole), kind(parts)
    if one.name == "silence":  # judges at ticks: the same ticks, whatever the batches
        a = one.observe(batch(rows)) + one.tick(moment(whole, DAYS * 86_400 + 90_000))
        b = [s for block in cut(rows, at) for s in many.observe(block)]
        b += many.tick(moment(parts, DAYS * 86_400 + 90_000))
    else:
        a, b = play(one, [batch(rows)], whole), play(many, cut(rows, at), parts)
    assert said(a) == said(b)


@pytest.mark.parametrize("day", [1.0, 2.01, 3.6, 4.3, 4.51])
def test_restored_says_the_same(kind, day):
    edge = int(day * 86_400 / STEP_S)
    first, second = cut(STORY, [edge])
    made = world()
    before = kind(made)
    play(before, [first], made)
    again = world()
    after = kind(again)
    after.load(before.save())
    assert said(play(before, [second], made)) == said(play(after, [second], again))


def test_input_is_not_changed(kind):
    made = world()
    block = batch(STORY[:1200])
    copies = [column.copy() for column in block]
    for column in block:  # the frozen flag would only turn a mutation into an error that the engine swallows
        column.setflags(write=True)
    kind(made).observe(block)
    assert all(np.array_equal(a, b) for a, b in zip(block, copies, strict=True))


def test_nothing_is_opened_before_it_is_ready(kind):
    made = world()
    detector = kind(made)
    for block in cut(STORY, range(12, 1000, 12)):
        ready = [detector.ready(row) for row in range(made.size)]
        for signal in detector.observe(block):
            row = int(made.find(np.array([signal.series]))[0])
            assert ready[row] or detector.ready(row)


def test_state_stays_as_large_as_it_is(kind):
    made = world()
    detector = kind(made)
    sizes = set()
    for block in cut(STORY, range(288, 1400, 288)):
        detector.observe(block)
        sizes.add(detector.nbytes)
    assert len(sizes) == 1


def test_every_warning_explains_itself(kind):
    made = world()
    detector = kind(made)
    detector.tick(moment(made, 0))
    found = play(detector, cut(STORY, []), made) + detector.tick(moment(made, (DAYS + 3) * 86_400))
    begun = [s for s in found if s.active and (s.tier != "notice" or s.detector in HINTS)]
    assert begun
    for signal in begun:
        assert {"actual", "driver", "basis", "mark", "rule"} <= signal.evidence.keys()
        assert signal.evidence.get("limit") or signal.evidence.get("expected")
        assert signal.detector not in STATISTICAL or signal.evidence.get("rarity") is not None
        assert all(texts.UNKNOWN not in texts.sentence(signal, language) for language in texts.LANGUAGES)
        assert signal.version
        assert signal.detector == detector.name


def test_wrong_state_is_refused(kind):
    with pytest.raises((ValueError, OSError)):
        kind(world()).load(b"not a state")


def test_new_series_join_while_running(kind):
    made = world()
    detector = kind(made)
    detector.observe(batch(STORY[:120]))
    made.update([point(5000, "machine_temperature", equipment="E2")], made.limits)
    detector.configure()
    assert detector.observe(batch([(len(made.metrics) - 1, 1e6, 50.0)])) == []
