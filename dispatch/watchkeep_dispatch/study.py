"""月度研判: the complaints of a month by community and cause, and what is unsolved, case by case (plan item 11)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_core.database import queries
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_dispatch.reports import Language, Report, Section, local, number, percent, subtitle, table

_TEXT = {
    "title": ("社区物业诉求月度研判报告", "Monthly study of complaints"),
    "received": ("受理诉求", "Complaints"),
    "answered": ("已办结答复", "Answered"),
    "unsolved": ("未决案件", "Unsolved cases"),
    "satisfied": ("满意率", "Satisfied"),
    "by_community": ("一、按小区", "1. By community"),
    "by_cause": ("二、按事项", "2. By cause"),
    "by_channel": ("三、按渠道", "3. By channel"),
    "open": ("四、未决逐件研判", "4. Unsolved, case by case"),
    "none": ("本月无。", "None this month."),
    "per_10k": ("每万户", "Per 10,000 households"),
    "community": ("小区", "Community"),
    "cause": ("事项", "Cause"),
    "channel": ("渠道", "Channel"),
    "case": ("案件", "Case"),
    "class": ("等级", "Class"),
    "state": ("状态", "State"),
    "since": ("首次受理", "First received"),
    "responsible": ("责任单位", "Responsible"),
    "due": ("时限", "Due"),
    "signed": ("编制人", "Drawn up by"),
    "checked": ("审核人", "Checked by"),
    "date": ("日期", "Date"),
}


@dataclass(frozen=True, slots=True)
class Study:
    """Rows as the database counted them; `unsolved` has one line per case."""

    since: datetime
    until: datetime
    area: str | None
    area_name: str | None
    rows: list[dict[str, Any]]
    channels: list[tuple[str, int]]
    unsolved: list[dict[str, Any]]


def study(conn: Connection, since: datetime, until: datetime, area: str | None = None) -> Study:
    """Complaints received from `since` to before `until`, of an area or of all that this login sees."""
    statements = queries("watchkeep_dispatch", "sql/complaints.sql")
    values = {"since": since, "until": until, "area": area}
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statements["study"], values).fetchall()
        unsolved = cursor.execute(statements["study_unsolved"], values).fetchall()
    channels = [(str(row[0]), int(row[1])) for row in conn.execute(statements["study_channels"], values)]
    named = conn.execute(queries("watchkeep_dispatch", "sql/known.sql")["area"], [area]).fetchone() if area else None
    return Study(since, until, area, str(named[0]) if named else None, rows, channels, unsolved)


def report(found: Study, words: Vocabulary, zone: ZoneInfo, language: Language) -> Report:
    """As a document that a supervisor signs."""
    english = language == "en"
    t = {key: pair[english] for key, pair in _TEXT.items()}
    total = _total(found.rows)
    sections = (
        Section(t["by_community"], *_or_none(t, _by_community(found, t))),
        Section(t["by_cause"], *_or_none(t, _by_cause(found, t, words, english))),
        Section(
            t["by_channel"],
            *_or_none(
                t,
                table(
                    (t["channel"], t["received"]),
                    [
                        (_name(words.case_sources.get(source), source, english), count)
                        for source, count in found.channels
                    ],
                ),
            ),
        ),
        Section(t["open"], *_or_none(t, _open(found, t, words, zone, english))),
    )
    span = subtitle(found.area_name, found.since, found.until, zone)
    return Report(
        language,
        t["title"],
        span,
        sections,
        figures=(
            (t["received"], number(total["complaints"])),
            (t["answered"], number(total["answered"])),
            (t["unsolved"], number(len(found.unsolved))),
            (t["satisfied"], percent(total["satisfied"], total["rated"])),
        ),
        signatures=(t["signed"], t["checked"], t["date"]),
        footer=f"Watchkeep · {span}",
    )


def _by_community(found: Study, t: dict[str, str]) -> Any:
    grouped = _grouped(found.rows, "community_id")
    lines = []
    for rows in sorted(grouped.values(), key=lambda rows: -_total(rows)["complaints"]):
        sums, households = _total(rows), rows[0]["households"]
        rate = number(10_000 * sums["complaints"] / households, 1) if households else "–"
        lines.append((rows[0]["community"], sums["complaints"], rate, sums["answered"], sums["unsolved"]))
    return table((t["community"], t["received"], t["per_10k"], t["answered"], t["unsolved"]), lines, (4, 2, 3, 2, 2))


def _by_cause(found: Study, t: dict[str, str], words: Vocabulary, english: bool) -> Any:
    lines = []
    grouped = _grouped(found.rows, "condition")
    for condition, rows in sorted(grouped.items(), key=lambda item: -_total(item[1])["complaints"]):
        sums = _total(rows)
        places = "、".join(row["community"] for row in rows[:3])
        name = _name(words.conditions.get(condition), condition, english)
        lines.append((name, sums["complaints"], sums["answered"], sums["unsolved"], places))
    return table((t["cause"], t["received"], t["answered"], t["unsolved"], t["community"]), lines, (4, 2, 2, 2, 5))


def _open(found: Study, t: dict[str, str], words: Vocabulary, zone: ZoneInfo, english: bool) -> Any:
    lines = [
        (
            row["case_id"],
            row["community"],
            _name(words.conditions.get(row["condition"]), row["condition"], english),
            row["class"],
            local(row["first_received"], zone, "%m-%d"),
            row["responsible"] or "–",
            row["ledger_due"] or local(row["finish_due"], zone, "%Y-%m-%d"),
        )
        for row in found.unsolved
    ]
    heading = (t["case"], t["community"], t["cause"], t["class"], t["since"], t["responsible"], t["due"])
    return table(heading, lines, (2, 4, 4, 1, 2, 4, 3))


def _or_none(t: dict[str, str], found: Any) -> tuple[tuple[str, ...], Any]:
    return ((), found) if found.rows else ((t["none"],), None)


def _grouped(rows: list[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    grouped: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row[key]].append(row)
    return grouped


def _total(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {
        name: sum(row[name] for row in rows) for name in ("complaints", "answered", "unsolved", "satisfied", "rated")
    }


def _name(known: Any, key: str, english: bool) -> str:
    return key if known is None else str(known.en if english else known.zh)
