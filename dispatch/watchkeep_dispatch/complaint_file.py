"""Complaints as a CSV file of a channel: all rows are checked before one is taken in."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import groupby
from zoneinfo import ZoneInfo

from psycopg import Connection

from watchkeep_core.database import queries
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_dispatch import complaints
from watchkeep_dispatch.complaints import Complaint, ComplaintRefused
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.planning import Rules

COLUMNS = {
    "channel_no": ("工单编号", "编号"),
    "received_at": ("受理时间", "时间"),
    "community": ("小区", "小区名称"),
    "equipment": ("设备",),
    "condition": ("事项", "诉求类别"),
    "description": ("诉求内容", "内容"),
    "place": ("地点", "具体位置"),
    "contact_name": ("联系人", "诉求人"),
    "contact_phone": ("联系电话", "电话", "联系方式", "邮箱"),
}
NEEDED = ("channel_no", "received_at", "community", "description")
MAX_ROWS = 10_000
MAX_BYTES = 10 * 1024 * 1024


class FileRefused(DispatchError):
    """The file as a whole cannot be read."""


@dataclass(frozen=True, slots=True)
class RowError:
    """One mistake: line of the file (the heading is line 1), column as the file calls it, what is wrong."""

    line: int
    column: str
    error: str


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome: with errors nothing was taken in."""

    rows: int
    taken: int
    attached: int
    repeated: int
    errors: tuple[RowError, ...]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Register:
    """What names and ids in the file may mean: id or name → id."""

    communities: Mapping[str, str]
    managed_by: Mapping[str, str | None]
    equipment: Mapping[tuple[str, str], str]
    conditions: Mapping[str, str]
    zone: ZoneInfo


def import_csv(
    conn: Connection,
    content: bytes,
    source: str,
    now: datetime,
    rules: Rules,
    *,
    person_id: str | None = None,
    dry_run: bool = False,
) -> Imported:
    """Take in every row, or none when any is wrong. Raises FileRefused, ComplaintRefused for no known source."""
    if source not in complaints.CHANNELS:
        raise ComplaintRefused("source", f"{source!r} is none of {', '.join(complaints.CHANNELS)}")
    rows = list(_rows(content))
    found, errors = parse(rows, source, now, read_register(conn, rules), rules.vocabulary)
    if errors or dry_run:
        return Imported(len(rows), 0, 0, 0, tuple(errors), dry_run)
    taken = [complaints.take(conn, complaint, now, rules, person_id=person_id) for complaint in found]
    return Imported(
        rows=len(rows),
        taken=sum(not one.repeated for one in taken),
        attached=sum(one.attached for one in taken),
        repeated=sum(one.repeated for one in taken),
        errors=(),
        dry_run=False,
    )


def read_register(conn: Connection, rules: Rules) -> Register:
    """The places this login may see, by id and by name; a name that two communities share means neither."""
    statements = queries("watchkeep_dispatch", "sql/complaints.sql")
    places = conn.execute(statements["known_places"]).fetchall()
    machines = conn.execute(statements["known_equipment"]).fetchall()
    words = rules.vocabulary.conditions
    return Register(
        communities=_by_name((row[0], row[1]) for row in places),
        managed_by={row[0]: row[2] for row in places},
        equipment={
            (community, name): equipment
            for community, of_one in groupby(machines, key=lambda row: str(row[0]))
            for name, equipment in _by_name((row[1], row[2]) for row in of_one).items()
        },
        conditions=_by_name((key, known.zh) for key, known in words.items()),
        zone=rules.calendar.zone,
    )


def parse(
    rows: Iterable[tuple[int, Mapping[str, str], Mapping[str, str]]],
    source: str,
    now: datetime,
    register: Register,
    vocabulary: Vocabulary,
) -> tuple[list[Complaint], list[RowError]]:
    """Complaints and mistakes of the rows (line, values, names of the columns in the file). Pure."""
    found: list[Complaint] = []
    errors: list[RowError] = []
    seen: dict[str, int] = {}
    for line, values, names in rows:
        try:
            complaint = _complaint(values, source, register)
            complaints.check(complaint, now, vocabulary)
            if complaint.channel_no and (first := seen.setdefault(complaint.channel_no, line)) != line:
                raise ComplaintRefused("channel_no", f"stands in line {first} already")
            found.append(complaint)
        except ComplaintRefused as error:
            column = {"community_id": "community", "equipment_id": "equipment"}.get(error.field, error.field)
            errors.append(RowError(line, names.get(column, column), str(error).partition(": ")[2]))
    return found, errors


def _complaint(values: Mapping[str, str], source: str, register: Register) -> Complaint:
    for column in NEEDED:
        if not values.get(column):
            raise ComplaintRefused(column, "is empty")
    community = register.communities.get(values["community"])
    if community is None:
        raise ComplaintRefused(
            "community", f"{values['community']!r} is not a community you see, or two have this name"
        )
    equipment = values.get("equipment") or None
    if equipment and (community, equipment) not in register.equipment:
        raise ComplaintRefused("equipment", f"{equipment!r} is not in {values['community']}")
    condition = values.get("condition") or complaints.default_condition(source)
    if condition not in register.conditions:
        close = get_close_matches(condition, register.conditions, n=3)
        hint = f"; do you mean {' / '.join(close)}?" if close else ""
        raise ComplaintRefused("condition", f"{condition!r} is not in the vocabulary{hint}")
    return Complaint(
        source=source,
        channel_no=values["channel_no"],
        community_id=community,
        equipment_id=register.equipment[community, equipment] if equipment else None,
        condition=register.conditions[condition],
        description=values["description"],
        place=values.get("place", ""),
        contact_name=values.get("contact_name", ""),
        contact_phone=values.get("contact_phone", ""),
        property_org_id=register.managed_by[community],
        received_at=_moment(values["received_at"], register.zone),
    )


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """ISO 8601, or as Excel writes it: 2026/3/5 9:05."""
    try:
        found = datetime.fromisoformat(re.sub(r"(?<!\d)(\d)(?!\d)", r"0\1", text.replace("/", "-")))
    except ValueError:
        raise ComplaintRefused("received_at", f"{text!r} is no time such as 2026-11-22 08:30") from None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _rows(content: bytes) -> Iterator[tuple[int, dict[str, str], dict[str, str]]]:
    if len(content) > MAX_BYTES:
        raise FileRefused(f"the file has more than {MAX_BYTES:,} bytes")
    reader = csv.reader(io.StringIO(_decoded(content), newline=""), strict=True)
    try:
        heading = [name.strip() for name in next(reader, [])]
        known = {name: column for column, others in COLUMNS.items() for name in (column, *others)}
        columns = [known.get(name) for name in heading]
        if missing := [f"{column} ({COLUMNS[column][0]})" for column in NEEDED if column not in columns]:
            raise FileRefused(f"line 1: no column {', '.join(missing)}")
        names = {column: name for column, name in zip(columns, heading, strict=True) if column}
        for number, cells in enumerate(filter(any, reader), 1):
            if number > MAX_ROWS:
                raise FileRefused(f"the file has more than {MAX_ROWS:,} rows")
            values = {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if column}
            yield reader.line_num, values, names
    except csv.Error as error:
        raise FileRefused(f"line {reader.line_num}: {error}") from None


def _decoded(content: bytes) -> str:
    """UTF-8, else what Excel writes on a Chinese Windows."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileRefused("the file is neither UTF-8 nor GB 18030")


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """id and name → id; a name of two is left out, an id always means itself."""
    found = list(pairs)
    names = Counter(name for _, name in found)
    by_name = {name: key for key, name in found if names[name] == 1}
    return by_name | {key: key for key, _ in found}
