"""What is known of each series of one partition: arrays with one row per series, in order of first sight."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from watchkeep_analytics.batch import NEVER, Floats, Ints
from watchkeep_analytics.feedback import Feedback
from watchkeep_analytics.models.fitted import Active
from watchkeep_analytics.rulebook import Condition, Rulebook
from watchkeep_analytics.sampling import Sampling
from watchkeep_analytics.table import Column, Spec, Table
from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import Parameter

R = TypeVar("R", bound=Condition)

NUMBER, STATE, COUNTER = 0, 1, 2
_VALUES = {"number": NUMBER, "state": STATE, "counter": COUNTER}


class PointRow(NamedTuple):
    """One point, joined with its equipment and community, and with what the vocabulary says of its metric."""

    series: int
    community: str
    equipment: str
    kind: str
    name: str
    name_en: str
    metric: str
    unit: str
    gateway: str
    gateway_equipment: str
    replay: bool
    period_s: float
    """Expected interval; 0 = silence says nothing, NaN = learnt."""
    value: str
    """`number`, `state` or `counter`."""
    lower: float
    upper: float
    model: str = ""
    """As the maker calls it; with the kind it says which equipment is alike."""


class LimitRow(NamedTuple):
    """One row of point_limits."""

    limit: int
    series: int
    condition: str
    side: str
    value: float
    clear: float
    for_s: float
    clear_for_s: float
    tier: str
    when_metric: str | None
    when_value: float | None
    basis: str
    mark: str


class Equipment:
    """One piece of equipment and the rows of its points."""

    __slots__ = ("community", "id", "kind", "model", "name", "name_en", "points", "replay")

    def __init__(self, row: PointRow) -> None:
        self.community = row.community
        self.id = row.equipment
        self.points: dict[str, int] = {}
        """Metric → row of the registry."""
        self.update(row)

    def update(self, row: PointRow) -> None:
        self.kind, self.name, self.name_en, self.replay = row.kind, row.name, row.name_en, row.replay
        self.model = row.model


class Gateway(NamedTuple):
    """A gateway, or "" for points that no gateway has spoken of yet."""

    community: str
    id: str
    equipment: str
    """Its own entry in the register, or its id."""
    replay: bool


class Registry:
    """Grows, never shrinks: a deleted point falls silent by itself at the next restart."""

    def __init__(self) -> None:
        self._rows = Table(
            series=Spec(np.int64),
            equipment=Spec(np.int64),
            gateway=Spec(np.int64),
            kind=Spec(np.int8),
            period_s=Spec(np.float64),
            lower=Spec(np.float64, -np.inf),
            upper=Spec(np.float64, np.inf),
            last_us=Spec(np.int64, NEVER),
            normal_us=Spec(np.int64, NEVER),
            held_from_us=Spec(np.int64, NEVER),
            held_until_us=Spec(np.int64, NEVER),
        )
        self._row_of = np.full(1024, -1, np.int64)
        self.metrics: list[str] = []
        """Metric of each row."""
        self.units: list[str] = []
        self.equipment: list[Equipment] = []
        self.gateways: list[Gateway] = []
        self.limits: Sequence[LimitRow] = ()
        self.rulebook = Rulebook()
        self.models: dict[int, Active] = {}
        """Number of the equipment → the trained model in force."""
        self.holds = self.normals = False
        """Whether `held_from_us` and `normal_us` say anything at all."""
        self.sampling = Sampling()
        self._bars: dict[str, Floats] = {}
        self._equipment_of: dict[tuple[str, str], int] = {}
        self._gateway_of: dict[tuple[str, str], int] = {}

    def __getitem__(self, column: str) -> Column:
        """One column over all rows: series, equipment, gateway, kind, period_s, lower, upper, last_us, and …

        `normal_us`: when people called its course normal; `held_from_us`, `held_until_us`: the latest time a warning
        on it stood, during which nothing is learnt. NEVER = none.
        """
        return self._rows[column]

    @property
    def size(self) -> int:
        return self._rows.size

    def find(self, series: Ints) -> Ints:
        """Rows of series ids, -1 for unknown ones."""
        inside = (series >= 0) & (series < len(self._row_of))
        return np.where(inside, self._row_of[np.where(inside, series, 0)], -1)

    def row_of(self, series: int) -> int:
        """Row of one series id, -1 for an unknown one."""
        return int(self._row_of[series]) if 0 <= series < len(self._row_of) else -1

    def equipment_at(self, row: int) -> Equipment:
        return self.equipment[int(self._rows["equipment"][row])]

    def equipment_of(self, community: str, id: str) -> Equipment | None:
        number = self._equipment_of.get((community, id))
        return None if number is None else self.equipment[number]

    def equipment_in(self, community: str, id: str) -> list[Equipment]:
        """One piece of equipment, or with "" all of the community; [] when it is not known."""
        if id:
            item = self.equipment_of(community, id)
            return [] if item is None else [item]
        return [item for item in self.equipment if item.community == community]

    def figure(self, id: str) -> Parameter:
        """A figure that rules are made with: as a manager has set it, else as the vocabulary has it."""
        return self.rulebook.figures.get(id) or vocabulary.load().parameters[id]

    def bar(self, detector: str, rows: Ints) -> Floats | float:
        """By how much people and budgets have raised the bar of a detector on these rows; 1 = not."""
        bars = self._bars.get(detector)
        if bars is None:
            return 1.0
        inside = rows < len(bars)  # rows that have come since have none
        return np.where(inside, bars[np.where(inside, rows, 0)], 1.0)

    def bars(self, detector: str) -> Floats:
        """The same of all rows; those behind its end have 1."""
        return self._bars.get(detector, np.zeros(0))

    def heed(self, said: Feedback) -> None:
        """Take over what is said of warnings."""
        self._bars = {}
        for (series, detector), factor in said.bars.items():
            row = self.row_of(series)
            if row >= 0:
                self._bars.setdefault(detector, np.ones(self.size))[row] = factor
        for series, at_us in said.normals.items():
            row = self.row_of(series)
            if row >= 0:
                self._rows["normal_us"][row] = at_us
                self.normals = True

    def hold(self, rows: Ints, from_us: int, until_us: int) -> None:
        """A warning stands on these rows in that time."""
        self.holds = True
        self._rows["held_from_us"][rows], self._rows["held_until_us"][rows] = from_us, until_us

    def learn(self, models: Mapping[tuple[str, str], Active]) -> bool:
        """Take over the models in force, by (community, equipment); says whether anything has changed."""
        before = self.models
        known = {self._equipment_of[key]: active for key, active in models.items() if key in self._equipment_of}
        self.models = known
        return {n: a.version for n, a in before.items()} != {n: a.version for n, a in known.items()}

    def sibling(self, row: int, metric: str) -> int:
        """Row of another metric of the same equipment, -1 when there is none."""
        return self.equipment_at(row).points.get(metric, -1)

    def update(self, points: Iterable[PointRow], limits: Sequence[LimitRow], rulebook: Rulebook | None = None) -> None:
        """Take over the register as it is now; rows of known points stay where they are."""
        for point in points:
            self._put(point)
        if rulebook is not None:
            self.rulebook = rulebook
        self.sampling.grow(self.size)
        self.limits = [edited for limit in limits if (edited := self._edited(limit)) is not None]

    def rules(self, type_: type[R]) -> Iterator[tuple[int, R]]:
        """(number of the equipment, rule of this type in force for it); its points may be missing."""
        for number, item in enumerate(self.equipment):
            for rule in self.rulebook.of(item.kind, item.community, item.id):
                if isinstance(rule, type_):
                    yield number, rule

    def advance(self, rows: Ints, t_us: Ints) -> None:
        """Per-series time moves forward only."""
        np.maximum.at(self._rows["last_us"], rows, t_us)

    def save(self) -> bytes:
        """Last times by series id."""
        times = Table(last_us=Spec(np.int64, NEVER))
        times.grow(self.size)
        times["last_us"][:] = self["last_us"]
        return times.save(self["series"])

    def load(self, data: bytes) -> None:
        times = Table(last_us=Spec(np.int64, NEVER))
        times.grow(self.size)
        times.load(data, self.find)
        np.maximum(self["last_us"], times["last_us"], out=self["last_us"])

    def _edited(self, limit: LimitRow) -> LimitRow | None:
        """As a manager has set it; None = switched off."""
        row = self.row_of(limit.series)
        if row < 0 or not self.rulebook.edits:
            return limit
        item = self.equipment_at(row)
        id = f"{item.kind}.{self.metrics[row]}.{limit.condition}.{limit.side}.{limit.tier}"
        wild = id.replace(item.kind, "*", 1)
        edit = self.rulebook.limit(id, item.community, item.id) or self.rulebook.limit(wild, item.community, item.id)
        if edit is None:
            return limit
        figures = {name: getattr(edit, name) for name in ("value", "clear", "for_s", "clear_for_s")}
        set_ = {name: value for name, value in figures.items() if value is not None}
        return limit._replace(**set_, basis=edit.basis, mark=edit.mark) if edit.enabled else None

    def _put(self, point: PointRow) -> None:
        row = self.row_of(point.series)
        if row < 0:
            row = self._rows.size
            self._rows.grow(row + 1)
            self._index(point.series, row)
            self.metrics.append(point.metric)
            self.units.append(point.unit)
        values = {
            "series": point.series,
            "equipment": self._equipment(point, row),
            "gateway": self._gateway(point),
            "kind": _VALUES[point.value],
            "period_s": point.period_s,
            "lower": point.lower,
            "upper": point.upper,
        }
        for column, value in values.items():
            self._rows[column][row] = value

    def _index(self, series: int, row: int) -> None:
        if series >= len(self._row_of):
            more = max(series + 1, 2 * len(self._row_of)) - len(self._row_of)
            self._row_of = np.concatenate([self._row_of, np.full(more, -1, np.int64)])
        self._row_of[series] = row

    def _equipment(self, point: PointRow, row: int) -> int:
        key = (point.community, point.equipment)
        number = self._equipment_of.setdefault(key, len(self.equipment))
        if number == len(self.equipment):
            self.equipment.append(Equipment(point))
        self.equipment[number].update(point)
        self.equipment[number].points[point.metric] = row
        return number

    def _gateway(self, point: PointRow) -> int:
        key = (point.community, point.gateway)
        number = self._gateway_of.setdefault(key, len(self.gateways))
        gateway = Gateway(point.community, point.gateway, point.gateway_equipment or point.gateway, point.replay)
        if number == len(self.gateways):
            self.gateways.append(gateway)
        self.gateways[number] = gateway
        return number
