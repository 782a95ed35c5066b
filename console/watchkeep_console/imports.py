"""The equipment register from and to Excel: every wrong cell is named, and either all rows are taken in or none."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import register_excel as excel
from watchkeep_console.errors import Invalid
from watchkeep_console.identity import Session
from watchkeep_console.permissions import Person
from watchkeep_console.register_excel import CellError, Problem, Row
from watchkeep_console.services import Services
from watchkeep_core import audit, estate
from watchkeep_core.database import queries
from watchkeep_core.topics import is_id
from watchkeep_core.vocabulary import Vocabulary, load

BATCH = 250
"""Rows written between two looks at the progress."""
MAX_ERRORS = 500
_TEXTS = ("name", "name_en", "maker", "model", "registration_code")
_LONGEST = 200
_SQL = queries("watchkeep_console", "sql/manage.sql")

Progress = Callable[[str, int, int], None]
"""What is being done (`check` or `write`), how many rows are, of how many."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome; with errors nothing has been written. `errors` holds at most MAX_ERRORS of `wrong`."""

    rows: int
    new: int
    changed: int
    unchanged: int
    points: int
    wrong: int
    errors: tuple[CellError, ...]
    written: bool


@dataclass(frozen=True, slots=True)
class _Register:
    """What there is, to compare with."""

    communities: frozenset[str]
    buildings: frozenset[tuple[str, str]]
    gateways: frozenset[tuple[str, str]]
    equipment: Mapping[tuple[str, str], Mapping[str, Any]]
    points: Mapping[tuple[str, str], Mapping[str, str | None]]
    """Metric → gateway."""


class _Wrong(Exception):  # never leaves this module
    """What is wrong with a cell."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.problem = Problem(code, values)


def import_register(
    house: Services, session: Session, content: bytes, *, dry_run: bool, progress: Progress = lambda *_: None
) -> Imported:
    """Check the workbook against the register and, unless it is a dry run or has errors, write it in one transaction.

    An empty cell leaves what is there. Raises Invalid(`file`) for what is no such workbook, Forbidden.
    """
    words = load()
    rows = list(excel.read(content))
    with house.identity.acting(session) as conn:
        known = _register(conn, session.person, rows)
        found, errors = _check(rows, known, words, progress)
        if not rows:
            raise Invalid("file", "the sheet has no rows")
        new = [item for key, item in found.items() if key not in known.equipment]
        changed = [item for key, item in found.items() if key in known.equipment and _differs(key, item, known)]
        written = not errors and not dry_run
        if written:
            _write(conn, {key: found[key] for key in found if _differs(key, found[key], known)}, words, progress)
            detail = {"rows": len(rows), "new": len(new), "changed": len(changed)}
            who = session.person.person_id
            audit.record(conn, "register.import", "register", "equipment", person_id=who, detail=detail)
    return Imported(
        rows=len(rows),
        new=len(new),
        changed=len(changed),
        unchanged=len(found) - len(new) - len(changed),
        points=sum(len(item.metrics) for item in found.values()),
        wrong=len(errors),
        errors=tuple(errors[:MAX_ERRORS]),
        written=written,
    )


def export_register(conn: Connection, wanted: Mapping[str, Any]) -> bytes:
    """The same form with what is there; it can be changed and imported again."""
    words = load()
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["export_equipment"], dict(wanted) | {"limit": excel.MAX_ROWS}).fetchall()
    return excel.write([_shown(row, words) for row in rows], words)


def template() -> bytes:
    return excel.write([], load())


def _shown(row: Mapping[str, Any], words: Vocabulary) -> dict[str, Any]:
    kind, owner = words.kinds.get(row["kind"]), words.ownerships.get(row["ownership"])
    return dict(row) | {
        "kind": kind.zh if kind else row["kind"],
        "ownership": owner.zh if owner else row["ownership"],
        "metrics": [words.metrics[name].zh if name in words.metrics else name for name in row["metrics"]],
    }


def _register(conn: Connection, person: Person, rows: Iterable[Row]) -> _Register:
    """Of the communities that the rows name and this person may edit."""
    named = {excel.plain(row.values.get("community_id", "")) for row in rows}
    mine = sorted(name for name in named if person.may("estate:edit", name))
    asked = {"communities": mine}
    with conn.cursor(row_factory=dict_row) as cursor:
        equipment = cursor.execute(_SQL["known_equipment"], asked).fetchall()
    points: dict[tuple[str, str], dict[str, str | None]] = {}
    for community, item, metric, gateway in conn.execute(_SQL["known_points"], asked):
        points.setdefault((community, item), {})[metric] = gateway
    return _Register(
        communities=frozenset(mine),
        buildings=frozenset(conn.execute(_SQL["known_buildings"], asked).fetchall()),
        gateways=frozenset(conn.execute(_SQL["known_gateways"], asked).fetchall()),
        equipment={(row.pop("community_id"), row["equipment_id"]): row for row in equipment},
        points=points,
    )


Found = dict[tuple[str, str], estate.Equipment]


def _check(rows: list[Row], known: _Register, words: Vocabulary, progress: Progress) -> tuple[Found, list[CellError]]:
    """Equipment by (community, id), and every cell that is wrong."""
    found: Found = {}
    errors: list[CellError] = []
    where: dict[tuple[str, str], int] = {}
    names = _names(words)
    for done, row in enumerate(rows, 1):
        record, wrong = _record(row, known, names)
        errors += [CellError(row.cells.get(field, f"A{row.number}"), field, why) for field, why in wrong]
        key = (record["community_id"], record["equipment_id"])
        if key in where:
            twice = Problem("twice", {"row": where[key]})
            errors.append(CellError(row.cells["equipment_id"], "equipment_id", twice))
        elif not wrong:
            values = {name: record[name] for name in estate.Equipment.__struct_fields__ if name in record}
            found[key] = msgspec.convert(values, estate.Equipment)
        where.setdefault(key, row.number)
        if done % BATCH == 0 or done == len(rows):
            progress("check", done, len(rows))
    return found, errors


Names = Mapping[str, Mapping[str, str]]


def _names(words: Vocabulary) -> Names:
    """Field → what may be written → code."""
    known: dict[str, Mapping[str, Any]] = {"kind": words.kinds, "ownership": words.ownerships, "metrics": words.metrics}
    return {
        field: {said.lower(): code for code, one in items.items() for said in (one.en, one.zh, code)}
        for field, items in known.items()
    }


def _record(row: Row, known: _Register, names: Names) -> tuple[dict[str, Any], list[tuple[str, Problem]]]:
    """The values of a row over what the register holds, and (field, what is wrong)."""
    values = row.values
    wrong: list[tuple[str, Problem]] = []
    community, equipment = (excel.plain(values.get(name, "")) for name in ("community_id", "equipment_id"))
    record: dict[str, Any] = dict(known.equipment.get((community, equipment), {}))
    record |= {"community_id": community, "equipment_id": equipment}
    new = (community, equipment) not in known.equipment
    missing = Problem("missing", {})
    if community not in known.communities:
        wrong.append(("community_id", Problem("community", {"said": community}) if community else missing))
    if not is_id(equipment):
        wrong.append(("equipment_id", Problem("id", {"said": equipment[:40]}) if equipment else missing))
    wrong += [(field, missing) for field in ("kind", "name") if new and field not in values]
    for field, value in values.items():
        if field in ("community_id", "equipment_id"):
            continue
        try:
            record[field] = _value(field, value, community, known, names)
        except _Wrong as error:
            wrong.append((field, error.problem))
    return record, wrong


def _value(field: str, value: Any, community: str, known: _Register, names: Names) -> Any:
    """One cell. Raises _Wrong."""
    said = excel.plain(value)
    if field in _TEXTS:
        if len(said) > _LONGEST:
            raise _Wrong("long", most=_LONGEST)
        return said
    if field == "metrics":
        return [_coded("metrics", one, names) for one in excel.several(value)]
    if field in names:
        return _coded(field, said, names)
    if field == "level":
        if not said.removeprefix("-").isdecimal() or not -9 <= int(said) <= 200 or int(said) == 0:
            raise _Wrong("level", said=said[:40])
        return int(said)
    if field == "installed_on":
        try:
            return excel.day(value)
        except ValueError:
            raise _Wrong("date", said=said[:40]) from None
    there = known.buildings if field == "building_id" else known.gateways
    if community in known.communities and (community, said) not in there:
        raise _Wrong(field.removesuffix("_id"), said=said[:64], community=community)
    return said


def _coded(field: str, said: str, names: Names) -> str:
    found = names[field].get(said.lower())
    if found is None:
        raise _Wrong("word", said=said[:64])
    return found


def _differs(key: tuple[str, str], item: estate.Equipment, known: _Register) -> bool:
    there = known.equipment.get(key)
    if there is None or there["status"] == "unclaimed":
        return True
    if any(getattr(item, name) != value for name, value in there.items() if name != "status"):
        return True
    points = known.points.get(key, {})
    return any(metric not in points or item.gateway_id not in (None, points[metric]) for metric in item.metrics)


def _write(conn: Connection, found: Found, words: Vocabulary, progress: Progress) -> None:
    """Through the register's one writer, batch by batch in the caller's transaction."""
    with conn.cursor(row_factory=dict_row) as cursor:
        named = {"communities": sorted({community for community, _ in found})}
        communities = {row["community_id"]: row for row in cursor.execute(_SQL["lock_communities"], named)}
    done = 0
    for community, items in groupby(sorted(found.items(), key=lambda one: one[0]), key=lambda one: one[0][0]):
        all_of = [item for _, item in items]
        for batch in (all_of[at : at + BATCH] for at in range(0, len(all_of), BATCH)):
            one = estate.Community(**communities[community], equipment=batch)
            try:
                estate.save(conn, estate.Estate(communities=[one]), words)
            except estate.EstateError as error:
                raise Invalid("file", str(error)) from error
            done += len(batch)
            progress("write", done, len(found))
