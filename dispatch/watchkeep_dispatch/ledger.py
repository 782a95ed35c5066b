"""挂账 → monthly study → 销号: the ledger, and agendas of the meetings for what is unsolved (plan items 6, 11)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Literal

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.acting import standing
from watchkeep_dispatch.actions import Request
from watchkeep_dispatch.errors import DispatchError, GuardFailed, NotAllowed
from watchkeep_dispatch.lifecycle import DESK
from watchkeep_dispatch.notify.timing import CHINA
from watchkeep_dispatch.orders import org_names, tell

Meeting = Literal["joint", "plenary"]
TITLES: dict[Meeting, str] = {"joint": "季度联席会议议题", "plenary": "领导小组半年全会议题"}
STUDYING = (*DESK, "supervisor")
BEYOND_SUBDISTRICT = timedelta(days=90)
"""An entry that a quarter of meetings has not solved goes to the plenary (CP)."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A case for a meeting, and why it is on the agenda."""

    case_id: int
    title_zh: str
    title_en: str
    community: str
    case_class: str
    responsible: str | None
    filed_at: datetime
    reasons: tuple[str, ...]
    finding: str | None


def study(conn: Connection, case_id: int, month: date, finding: str, due_on: date, asked: Request) -> None:
    """The monthly study of an entry: what was found, which unit (`asked.org_id`) must solve it, until when.

    Raises NoSuchCase, NotAllowed, GuardFailed.
    """
    case, roles = standing(conn, case_id, asked)
    if not roles & set(STUDYING):
        raise NotAllowed("study", case.state, role_missing=True)
    if conn.execute(_sql("open_entry"), [case_id]).fetchone() is None:
        raise NotAllowed("study", case.state, role_missing=False)
    if not finding.strip():
        raise GuardFailed("finding", "must be written down")
    if due_on <= case.now.date():
        raise GuardFailed("due_on", "must be a later day")
    if asked.org_id is None or not org_names(conn, [asked.org_id]):
        raise GuardFailed("proposed_party", "a responsible unit is named")
    row = {
        "case_id": case_id,
        "month": month.replace(day=1),
        "finding": finding.strip(),
        "org": asked.org_id,
        "due_on": due_on,
        "person": asked.person_id,
        "now": case.now,
    }
    conn.execute(_sql("study"), row)
    conn.execute(_sql("set_entry"), row)
    detail = {"organisation": asked.org_id, "due_on": due_on.isoformat()}
    audit.record(conn, "ledger.study", "case", str(case_id), person_id=asked.person_id, detail=detail)
    values = {"finding": finding.strip(), "due": due_on.isoformat()}
    tell(conn, case, "ledger_studied", [asked.org_id], f"study/{case.now.isoformat()}", wall=asked.now, values=values)


def entries(
    conn: Connection, month: date, *, area: str | None = None, struck: bool = False, unstudied: bool = False
) -> list[dict[str, Any]]:
    """The ledger; `studied` tells whether the entry was studied in this month."""
    asked = {"month": month.replace(day=1), "area": area, "all": struck}
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_sql("entries"), asked).fetchall()
    return [row for row in found if not (unstudied and (row["studied"] or row["struck_at"]))]


def agenda(conn: Connection, area: str, meeting: Meeting, now: datetime) -> list[Topic]:
    """What a meeting of this area must see to, the most urgent first. Raises DispatchError for an unknown area."""
    area_name(conn, area)
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_sql("agenda"), {"area": area, "now": now}).fetchall()
    return [
        Topic(
            row["case_id"],
            row["title_zh"],
            row["title_en"],
            row["community"],
            row["class"],
            row["responsible"],
            row["filed_at"],
            why,
            row["finding"],
        )
        for row in rows
        if (why := reasons(row, meeting, now))
    ]


def area_name(conn: Connection, area: str) -> str:
    """As people know it. Raises DispatchError for an unknown one."""
    found = conn.execute(_sql("area"), [area]).fetchone()
    if found is None:
        raise DispatchError(f"area {area!r} is not there")
    return str(found[2])


def reasons(row: dict[str, Any], meeting: Meeting, now: datetime) -> tuple[str, ...]:
    """Why a case is a topic of this meeting; none when it is not. Pure."""
    found = []
    if row["ledger_reason"] is not None:
        stays = now - row["entered_at"] >= BEYOND_SUBDISTRICT
        late = row["due_on"] is not None and row["due_on"] < now.date()
        if meeting == "joint" or stays or late:
            found.append(f"挂账：{row['ledger_reason']}" + ("（已超整改时限）" if late else ""))
    if (row["rung"] or 0) >= (4 if meeting == "joint" else 5):
        found.append("已督办至市级" if row["rung"] >= 5 else "已督办至镇街")
    if meeting == "joint" and row["returns"] >= 2:
        found.append(f"权责不清：退回 {row['returns']} 次")
    if meeting == "joint" and row["finish_due"] is not None and row["finish_due"] < now:
        found.append("超期未办结")
    if found and row["fund"]:
        found.append("维修资金应急使用办理中")
    return tuple(found)


def markdown(topics: list[Topic], area: str, meeting: Meeting, day: date, zone: tzinfo = CHINA) -> str:
    """The agenda as people sign it; `area` is its name, days are those of `zone`."""
    lines = [f"# {TITLES[meeting]} · {area} · {day.isoformat()}", "", f"共 {len(topics)} 项。", ""]
    for number, topic in enumerate(topics, 1):
        lines.append(
            f"{number}. **{topic.title_zh}**（{topic.community}，{topic.case_class} 类，案件 {topic.case_id}）"
        )
        lines.append(f"   - 责任单位：{topic.responsible or '未明确'}；立案 {topic.filed_at.astimezone(zone):%Y-%m-%d}")
        lines.append(f"   - 提交理由：{'；'.join(topic.reasons)}")
        lines += [f"   - 研判意见：{topic.finding}"] if topic.finding else []
        lines.append("   - 处理意见：")
    return "\n".join(lines) + "\n"


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/ledger.sql")[name]
