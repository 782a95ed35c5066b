"""The rows of vocabulary.toml, each what one word means; those of GB/T 26875.3 are in vocabulary_fire.py."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

ANY = "*"
"""In `kind` and `kinds`: every kind of equipment."""

Delay = Annotated[float, Meta(ge=0)]
ClassId = Literal["A", "B", "C"]
Side = Literal["above", "below", "equals"]
Tier = Literal["notice", "warning", "alarm"]

Id = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,64}\Z")]
UnitId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,64}\Z")]
KindId = Annotated[str, Meta(pattern=r"^([a-z0-9_]{1,64}|\*)\Z")]
Text = Annotated[str, Meta(pattern=r"\S")]
Mark = Annotated[str, Meta(pattern=r"^(S\d{1,3}|R|CP|C)( (S\d{1,3}|R|CP|C))*\Z")]


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Term(Row, frozen=True):
    id: Id
    zh: Text
    en: Text


class Quality(Term, frozen=True):
    code: int


class Unit(Row, frozen=True):
    id: UnitId
    symbol: str
    zh: Text
    en: Text


class CaseClass(Row, frozen=True):
    id: ClassId
    zh: Text
    en: Text


class Kind(Term, frozen=True):
    domain: Id


class State(Term, frozen=True):
    suppresses: bool = False
    """While it lasts, warnings of that equipment are suppressed, and recorded."""


class Metric(Term, frozen=True):
    unit: UnitId
    value: Literal["number", "state", "counter"]
    min: float
    """With max: what is physically possible, in `unit`. Beyond it the sensor is at fault."""
    max: float
    period_s: Delay
    """Default publish period; 0 = per event or sample, so that silence says nothing."""
    kinds: tuple[KindId, ...]
    states: dict[int, State] = field(default_factory=dict)


class Condition(Term, frozen=True):
    domain: Id
    kinds: tuple[KindId, ...]
    default_class: ClassId
    advice_zh: Text
    advice_en: Text
    life_safety: bool = False
    opens_warning: bool = True
    suppresses: bool = False


class When(Row, frozen=True):
    metric: Id
    equals: float


class Limit(Row, frozen=True):
    kind: KindId
    metric: Id
    condition: Id
    tier: Tier
    side: Side
    value: float
    for_s: Delay
    """On delay in event time; the limit must hold that long before it opens."""
    clear_for_s: Delay
    basis: Text
    mark: Mark
    clear: float | None = None
    """Opens while reading > value (above) or < value (below); clears at <= clear or >= clear."""
    when: When | None = None
    applies: Id | None = None

    @property
    def id(self) -> str:
        parts = (self.kind, self.metric, self.condition, self.side, self.tier, self.applies)
        return ".".join(part for part in parts if part)


class Parameter(Term, frozen=True):
    condition: Id
    unit: UnitId
    value: float
    basis: Text
    mark: Mark


class Later(Row, frozen=True):
    kind: KindId
    metric: Id
    reason: Text

    @property
    def id(self) -> str:
        return f"{self.kind}.{self.metric}"


class FaultRecord(Row, frozen=True):
    """Names in the JSON record of a fault."""

    code: Text
    """Field with the raw code."""
    state: Text
    """Field that says how far it has been dealt with."""
    over: tuple[Text, ...]
    """Values of `state` at which the fault is over; any other, or none, = it is there."""
    times: tuple[Text, ...]
    """Fields that may hold the time of the record, the first that is there."""


class Profile(Term, frozen=True):
    basis: Text
    mark: Mark
    codes: dict[Text, Annotated[str, Meta(pattern=r"^[a-z0-9_]{0,64}\Z")]]
    """Raw code to condition; "" = no fault or cleared."""
    extends: Id | None = None
    fields: dict[Text, Id] = field(default_factory=dict)
    """Field of the JSON record to metric; the values are those of the metric."""
    fault: FaultRecord | None = None
