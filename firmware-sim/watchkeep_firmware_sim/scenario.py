"""Fault scenarios: data, one TOML file each, in `scenario_files/`; read and checked once.

`NAME:gradual` is the slow variant of a scenario that has one: the same fault, growing over `gradual_s`.
"""

import tomllib
from collections.abc import Collection
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from watchkeep_core.vocabulary import Vocabulary, load
from watchkeep_core.vocabulary_rows import ANY
from watchkeep_firmware_sim.errors import ScenarioError
from watchkeep_firmware_sim.gbt26875_fleet import Wire

GRADUAL = ":gradual"
DRIFT = "drift_towards_limit"
_CREEPS_FROM_S = 60.0

Seconds = Annotated[float, Meta(ge=0)]


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of what stands in a scenario file."""


class Effect(_Row, frozen=True, kw_only=True):
    """What happens to one metric; exactly one of `to`, `add` and `times` is given."""

    metric: str
    to: float | None = None
    """Value it ends at, in the metric's unit; states when the effect is full, numbers with 1 % of noise on the way."""
    add: float | None = None
    times: float | None = None
    near: float | None = None
    """What the same would be at severity 0: just beyond the limit. Absent: severity 0 is no effect at all."""
    over_s: Seconds = 0
    """Time from the start of the fault until the effect is full."""
    recover_s: Seconds = 0
    """Time from the end of the fault until nothing of it is left."""

    def __post_init__(self) -> None:
        if [self.to, self.add, self.times].count(None) != 2:
            raise ValueError(f"effect on {self.metric}: give exactly one of to, add and times")

    def grows(self) -> bool:
        """Whether the slow variant lets it creep; what is the same at every severity is a circumstance, and jumps."""
        full = next(value for value in (self.to, self.add, self.times) if value is not None)
        return self.over_s >= _CREEPS_FROM_S if self.near is None else self.near != full


class ScenarioEvent(_Row, frozen=True, kw_only=True):
    """An event that the device sends, and takes back at the end of the fault."""

    condition: Annotated[list[str], Meta(min_length=1)]
    """The first for which the device's vendor profile has a code; without a profile the first of all."""
    raw: str | None = None
    """This code instead, whatever the profile knows; without a profile the condition."""
    after_s: Seconds = 0
    repeat: Annotated[int, Meta(ge=1, le=1000)] = 1
    every_s: Seconds = 0
    """With `repeat`: distance of the repetitions."""
    flaps: bool = False
    """Each repetition is taken back half way to the next."""


class Spread(_Row, frozen=True, kw_only=True):
    """Other equipment that fails with it, because it hangs on it."""

    relation: Literal["powered_by", "same_gateway"]
    scenario: str
    """What happens to those that it fits; what is expected of them folds under this one."""


class Scenario(_Row, frozen=True, kw_only=True):
    """A fault with its ground truth."""

    id: str
    zh: str
    en: str
    kinds: Annotated[list[str], Meta(min_length=1)]
    """Kinds of equipment it can happen to; `*` = any."""
    expects: list[str]
    """At least one of these conditions must be warned of; empty: nothing must be."""
    also: list[str] = []
    """Conditions that may be warned of as well without being false; `*` = any of this equipment."""
    for_s: Annotated[float, Meta(gt=0)]
    """Usual length, long enough for the default limits' delays."""
    gradual_s: Seconds = 0
    """Of the slow variant: time until the effect is full; 0 = there is none."""
    per_year: Annotated[float, Meta(ge=0)] = 0
    """How often it happens to one such device in a year, for random faults; 0 = never by itself."""
    learnt: str = ""
    """Why no limit and no event tells of it: what has to be learnt first."""
    needs_any: list[str] = []
    """Metrics of which the equipment must have one, when no event tells of the fault."""
    halts: bool = False
    """The machine stands still meanwhile: no rides, no counters."""
    silent: bool = False
    """Nothing is sent meanwhile."""
    frozen: bool = False
    """All numbers keep the value they had, with fresh stamps."""
    impossible: bool = False
    """The first number metric (of those measured all the time, if any) leaves what is physically possible."""
    rail: bool = False
    """The first number metric stays at the upper end of its range."""
    missing: bool = False
    """Every number is NaN, which JSON cannot carry: the value arrives as null."""
    drift_per_h: float = 0
    """The first number metric runs away by this share of its usual range per hour …"""
    drift_near_per_h: float = 0
    """… and by this one at severity 0."""
    spike_every_s: Seconds = 0
    """The first number metric jumps out of its usual range for one message, this often."""
    counter_falls: bool = False
    """Counters begin again at zero."""
    shift_s: float = 0
    """The device's clock is wrong by this much; positive = ahead."""
    copies: Annotated[int, Meta(ge=1, le=10)] = 1
    """How often every message is sent."""
    disorder_s: Seconds = 0
    """Messages are kept for this long and then sent in random order."""
    flood_per_s: Annotated[float, Meta(ge=0, le=10_000)] = 0
    """Additional messages."""
    wire: Wire | None = None
    """What goes wrong on the line of a transmission device (GB/T 26875.3), or in its control room."""
    effect: list[Effect] = []
    event: list[ScenarioEvent] = []
    spread: list[Spread] = []

    def breaks_a_sensor(self) -> bool:
        """Whether it shows in numbers, whatever they measure."""
        broken = self.frozen or self.impossible or self.rail or self.missing
        return broken or bool(self.drift_per_h or self.spike_every_s)

    def recovered_after_s(self) -> float:
        """Time from the end of the fault until nothing of it is left."""
        return max((effect.recover_s for effect in self.effect), default=0.0)


@cache
def scenarios() -> dict[str, Scenario]:
    """All of them by id, in alphabetical order; without the slow variants."""
    found: dict[str, Scenario] = {}
    folder = resources.files("watchkeep_firmware_sim").joinpath("scenario_files")
    files = [*folder.iterdir(), *folder.joinpath("gbt26875").iterdir()]  # those below happen on one kind of line only
    for file in sorted(files, key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            scenario = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Scenario)
            found[scenario.id] = scenario
    return found


@cache
def variants() -> dict[str, Scenario]:
    """As `scenarios`, and after each the slow variant where it has one."""
    found: dict[str, Scenario] = {}
    for scenario in scenarios().values():
        found[scenario.id] = scenario
        if scenario.gradual_s:
            slow = _gradual(scenario)
            found[slow.id] = slow
    return found


def find(name: str) -> Scenario:
    """Raises ScenarioError, which lists what there is."""
    try:
        return variants()[name]
    except KeyError:
        raise ScenarioError(f"no scenario {name!r}; there are: {', '.join(variants())}") from None


def require_fit(scenario: Scenario, kind: str, metrics: Collection[str], *, sends_events: bool) -> None:
    """Raise ScenarioError unless this can happen to, and be seen at, equipment of this kind with these metrics."""
    known = load().metrics
    if not {kind, ANY} & set(scenario.kinds):
        raise ScenarioError(f"{scenario.id} happens to {', '.join(scenario.kinds)}, not to {kind}")
    if scenario.breaks_a_sensor() and not any(known[name].value == "number" for name in metrics if name in known):
        raise ScenarioError(f"{scenario.id} needs a metric that is a number")
    told = scenario.event and sends_events
    if scenario.needs_any and not told and not set(scenario.needs_any) & set(metrics):
        raise ScenarioError(f"{scenario.id} needs one of the metrics {', '.join(scenario.needs_any)}")
    if scenario.event and not scenario.needs_any and not told:
        raise ScenarioError(f"{scenario.id} is told by events, which this transport does not carry")


def code_for(event: ScenarioEvent, profile: str | None, vocabulary: Vocabulary) -> tuple[str, str]:
    """(field, value) of the event: `code` of the profile, or `condition` where the profile has no code for it."""
    if profile is not None:
        if event.raw is not None:
            return "code", event.raw
        codes = vocabulary.profiles[profile].codes
        for condition in event.condition:
            for code, meaning in codes.items():
                if meaning == condition:
                    return "code", code
    return "condition", event.condition[0]


def _gradual(scenario: Scenario) -> Scenario:
    """Numbers creep, states still jump at the end of it; creeping may be noticed before the limit is reached."""
    slow = [
        msgspec.structs.replace(effect, over_s=scenario.gradual_s) if effect.grows() else effect
        for effect in scenario.effect
    ]
    return msgspec.structs.replace(
        scenario,
        id=scenario.id + GRADUAL,
        zh=f"{scenario.zh}（缓慢）",
        en=f"{scenario.en}, slowly",
        effect=slow,
        event=[msgspec.structs.replace(event, after_s=event.after_s + scenario.gradual_s) for event in scenario.event],
        for_s=scenario.for_s + scenario.gradual_s,
        gradual_s=0,
        also=list(dict.fromkeys([*scenario.also, DRIFT, "abnormal_reading"])),
    )
