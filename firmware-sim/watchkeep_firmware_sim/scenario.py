"""Fault scenarios: data, one TOML file each, in `scenario_files/`; read and checked once."""

import tomllib
from collections.abc import Collection
from functools import cache
from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta

from watchkeep_core.vocabulary import ANY, Vocabulary
from watchkeep_firmware_sim.errors import ScenarioError

Seconds = Annotated[float, Meta(ge=0)]


class Effect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to one metric; exactly one of `to`, `add` and `times` is given."""

    metric: str
    to: float | None = None
    """Value it ends at, in the metric's unit; states at once, numbers over `over_s` and with 1 % of noise."""
    add: float | None = None
    times: float | None = None
    over_s: Seconds = 0
    """Time from the start of the fault until the effect is full."""
    recover_s: Seconds = 0
    """Time from the end of the fault until nothing of it is left."""

    def __post_init__(self) -> None:
        if [self.to, self.add, self.times].count(None) != 2:
            raise ValueError(f"effect on {self.metric}: give exactly one of to, add and times")


class ScenarioEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event that the device sends, and takes back at the end of the fault."""

    condition: Annotated[list[str], Meta(min_length=1)]
    """The first for which the device's vendor profile has a code; without a profile the first of all."""
    after_s: Seconds = 0
    repeat: Annotated[int, Meta(ge=1, le=1000)] = 1
    every_s: Seconds = 0
    """With `repeat`: distance of the repetitions."""
    flaps: bool = False
    """Each repetition is taken back half way to the next."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    needs_any: list[str] = []
    """Metrics of which the equipment must have one, when no event tells of the fault."""
    halts: bool = False
    """The machine stands still meanwhile: no rides, no counters."""
    silent: bool = False
    """Nothing is sent meanwhile."""
    frozen: bool = False
    """All numbers keep the value they had, with fresh stamps."""
    impossible: bool = False
    """The first number metric leaves what is physically possible."""
    shift_s: float = 0
    """The device's clock is wrong by this much; positive = ahead."""
    copies: Annotated[int, Meta(ge=1, le=10)] = 1
    """How often every message is sent."""
    effect: list[Effect] = []
    event: list[ScenarioEvent] = []


@cache
def scenarios() -> dict[str, Scenario]:
    """All of them by id, in alphabetical order."""
    found: dict[str, Scenario] = {}
    folder = resources.files("watchkeep_firmware_sim").joinpath("scenario_files")
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            scenario = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Scenario)
            found[scenario.id] = scenario
    return found


def find(name: str) -> Scenario:
    """Raises ScenarioError, which lists what there is."""
    try:
        return scenarios()[name]
    except KeyError:
        raise ScenarioError(f"no scenario {name!r}; there are: {', '.join(scenarios())}") from None


def require_fit(scenario: Scenario, kind: str, metrics: Collection[str], *, sends_events: bool) -> None:
    """Raise ScenarioError unless this can happen to, and be seen at, equipment of this kind with these metrics."""
    if not {kind, ANY} & set(scenario.kinds):
        raise ScenarioError(f"{scenario.id} happens to {', '.join(scenario.kinds)}, not to {kind}")
    told = scenario.event and sends_events
    if scenario.needs_any and not told and not set(scenario.needs_any) & set(metrics):
        raise ScenarioError(f"{scenario.id} needs one of the metrics {', '.join(scenario.needs_any)}")
    if scenario.event and not scenario.needs_any and not told:
        raise ScenarioError(f"{scenario.id} is told by events, which this transport does not carry")


def code_for(event: ScenarioEvent, profile: str | None, vocabulary: Vocabulary) -> tuple[str, str]:
    """(field, value) of the event: `code` of the profile, or `condition` where the profile has no code for it."""
    if profile is not None:
        codes = vocabulary.profiles[profile].codes
        for condition in event.condition:
            for code, meaning in codes.items():
                if meaning == condition:
                    return "code", code
    return "condition", event.condition[0]
