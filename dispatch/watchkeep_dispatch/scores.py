"""Scores by schemes that are data: read for a period as known at a moment, computed by pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from importlib.resources import files
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct, field
from psycopg import Connection, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import indicators
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.indicators import RATES, By, Figures, Scope
from watchkeep_dispatch.reports import period_span

Share = Annotated[float, Meta(ge=0, le=1)]


class SchemeRefused(DispatchError):
    """A score scheme is wrong, or unknown; the text names it and the field."""


class Item(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that counts: an indicator or an inspection. Points run straight from `zero_at` to `full_at`."""

    weight: Annotated[float, Meta(gt=0)]
    zero_at: float
    full_at: float
    indicator: str = ""
    inspection: str = ""

    def fulfilled(self, value: float) -> float:
        """Share of the weight that a value earns, 0 to 1."""
        return min(1.0, max(0.0, (value - self.zero_at) / (self.full_at - self.zero_at)))


class Band(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    from_: float = field(name="from")
    clean: bool = False


class Names(Struct, frozen=True, forbid_unknown_fields=True):
    zh: str
    en: str


class Scheme(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A score scheme; see score_schemes.toml for what its fields mean."""

    id: Annotated[str, Meta(pattern="^[a-z0-9_]{1,64}$")]
    name: Names
    by: By
    period: Literal["month", "half_year", "year"]
    basic: Annotated[float, Meta(gt=0)]
    items: Annotated[list[Item], Meta(min_length=1)]
    bands: Annotated[list[Band], Meta(min_length=1)]
    red_share: Share
    red_from: float
    grey_share: Share
    grey_below: float
    basis: str
    mark: str
    basic_by_name: dict[str, float] = {}
    good_max: Annotated[float, Meta(ge=0)] = 0.0
    vetoes: list[str] = []
    absent: str = ""
    grant: dict[str, float] = {}


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    scheme: list[Scheme]


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit event that counts in the period."""

    kind: str
    code: str
    points: float
    event_id: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one item brought: its value, its share of the weight; None without data."""

    item: str
    weight: float
    value: float | None
    points: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """A subject's score with everything it was made of; `score` None = nothing to go by."""

    subject: str
    name: str
    score: float | None
    band: str
    ranked: bool
    orders: int
    parts: tuple[Part, ...]
    good: float
    bad: float
    vetoes: tuple[str, ...]
    excluded: Mapping[str, float]
    counts: Mapping[str, float]


def parse(content: bytes) -> list[Scheme]:
    """Schemes of a TOML file. Raises SchemeRefused."""
    try:
        found = msgspec.toml.decode(content, type=_File).scheme
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SchemeRefused(f"score schemes: {error}") from None
    for scheme in found:
        check(scheme)
    return found


def check(scheme: Scheme) -> None:
    """Raises SchemeRefused for what the types cannot tell."""
    for item in scheme.items:
        if bool(item.indicator) == bool(item.inspection) or (item.indicator and item.indicator not in RATES):
            raise SchemeRefused(f"scheme {scheme.id}: item {item.indicator or item.inspection!r} is no known indicator")
        if item.zero_at == item.full_at:
            raise SchemeRefused(f"scheme {scheme.id}: item {item.indicator or item.inspection}: zero_at equals full_at")
    floors = [band.from_ for band in scheme.bands]
    if floors != sorted(floors, reverse=True):
        raise SchemeRefused(f"scheme {scheme.id}: bands must stand from the highest to the lowest")


def packaged() -> dict[str, Scheme]:
    """The schemes that come with the software, by id."""
    content = (files("watchkeep_dispatch") / "score_schemes.toml").read_bytes()
    return {scheme.id: scheme for scheme in parse(content)}


def compute(scheme: Scheme, found: Figures, inspected: Mapping[str, float], credit: Sequence[Credit]) -> Score:
    """The score of one subject; `inspected` = share of points per kind of inspection. Pure."""
    parts = tuple(_part(item, found, inspected) for item in scheme.items)
    weighed = [part for part in parts if part.points is not None]
    good = min(scheme.good_max, sum(event.points for event in credit if event.kind == "good"))
    bad = sum(event.points for event in credit if event.kind == "bad")
    record = any(event.kind in ("bad", "veto") for event in credit)
    vetoes = tuple(sorted({event.code for event in credit if event.kind == "veto" and event.code in scheme.vetoes}))
    score = None
    if weighed:
        full = scheme.basic_by_name.get(found.name, scheme.basic)
        share = sum(part.points or 0.0 for part in weighed) / sum(part.weight for part in weighed)
        score = round(full * share + good - bad, 2)
    return Score(
        found.subject,
        found.name,
        score,
        _band(scheme, score, record=record, vetoed=bool(vetoes)),
        found.ranked and score is not None,
        int(found.counts.get("due_d", 0)),
        parts,
        good,
        bad,
        vetoes,
        found.excluded(),
        dict(found.counts),
    )


def scores(
    conn: Connection,
    scheme: str,
    since: datetime,
    until: datetime,
    as_of: datetime,
    zone: ZoneInfo,
    area: str | None = None,
) -> list[Score]:
    """All subjects of a scheme for a period, as known at `as_of`, best first. Raises SchemeRefused."""
    spec = in_force(conn, scheme, until, as_of, zone)
    days = _days(since, until, zone) | {"as_of": as_of, "by": spec.by}
    found = indicators.figures(conn, Scope(since=since, until=until, as_of=as_of, by=spec.by, area=area))
    credit: dict[str, list[Credit]] = {}
    inspected: dict[str, dict[str, float]] = {}
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_sql("credit"), days):
            credit.setdefault(row.pop("subject"), []).append(Credit(**row))
        for row in cursor.execute(_sql("inspections"), days):
            inspected.setdefault(row["subject"], {})[row["kind"]] = row["points"] / row["possible"]
    result = [compute(spec, one, inspected.get(one.subject, {}), credit.get(one.subject, [])) for one in found]
    return sorted(result, key=lambda one: (one.score is None, -(one.score or 0.0), one.subject))


def in_force(conn: Connection, scheme: str, until: datetime, as_of: datetime, zone: ZoneInfo) -> Scheme:
    """The version of the period's last day: what was loaded by then, else the packaged one. Raises SchemeRefused."""
    values = {"scheme": scheme, "last_day": until.astimezone(zone).date(), "as_of": as_of}
    found = conn.execute(_sql("scheme"), values).fetchone()
    if found is not None:
        return msgspec.convert(found[0], Scheme)
    known = packaged()
    if scheme not in known:
        raise SchemeRefused(f"scheme {scheme!r} is not known for this period; packaged: {', '.join(known)}")
    return known[scheme]


def save_schemes(
    conn: Connection, found: Sequence[Scheme], valid_from: date, now: datetime, *, person_id: str | None
) -> list[str]:
    """Put schemes in force from a day on, never backwards: what was scored stays as it was. Raises SchemeRefused."""
    if valid_from < now.date():
        raise SchemeRefused(f"from: {valid_from} is over; a scheme changes nothing that was scored before")
    for scheme in found:
        row = [scheme.id, valid_from, Jsonb(msgspec.to_builtins(scheme)), now, person_id]
        if conn.execute(_sql("save_scheme"), row).fetchone() is None:
            raise SchemeRefused(f"scheme {scheme.id}: there is a version from {valid_from} already")
        detail = {"from": str(valid_from)}
        audit.record(conn, "scheme.save", "score_scheme", scheme.id, person_id=person_id, detail=detail)
    return [scheme.id for scheme in found]


def period_of(scheme: Scheme, day: date) -> str:
    """The period of the scheme's length that a day lies in: `2026-11`, `2026-H2` or `2026`."""
    match scheme.period:
        case "month":
            return f"{day:%Y-%m}"
        case "half_year":
            return f"{day.year}-H{1 if day.month <= 6 else 2}"
    return str(day.year)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment after a local day."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)


def span_of(period: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First moment of a period and of the next. Raises SchemeRefused."""
    try:
        return period_span(period, zone)
    except ValueError:
        raise SchemeRefused(f"period: {period!r} is none such as 2026-11, 2026-H2 or 2026") from None


def as_detail(score: Score) -> dict[str, Any]:
    """What a ranking keeps of a score: JSON values only."""
    return {name: value for name, value in asdict(score).items() if name not in ("subject", "name")}


def _part(item: Item, found: Figures, inspected: Mapping[str, float]) -> Part:
    value = found.rate(item.indicator) if item.indicator else inspected.get(item.inspection)
    points = None if value is None else item.weight * item.fulfilled(value)
    return Part(item.indicator or item.inspection, item.weight, value, points)


def _band(scheme: Scheme, score: float | None, *, record: bool, vetoed: bool) -> str:
    if score is None:
        return scheme.absent
    if vetoed:
        return scheme.bands[-1].id
    return next(
        (band.id for band in scheme.bands if score >= band.from_ and not (band.clean and record)), scheme.bands[-1].id
    )


def _days(since: datetime, until: datetime, zone: ZoneInfo) -> dict[str, date]:
    return {"first_day": since.astimezone(zone).date(), "last_day": until.astimezone(zone).date()}


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/scores.sql")[name]
