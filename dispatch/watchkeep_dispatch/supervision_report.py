"""The monthly and half-yearly report of supervision, as a document that is signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from psycopg import Connection

from watchkeep_dispatch import indicators, study
from watchkeep_dispatch.indicators import EXCLUDED, OF_ORDERS, RATES, By, Figures, Protected, Scope
from watchkeep_dispatch.reports import Language, Report, Section, Table, local, number, percent, subtitle, table
from watchkeep_dispatch.study import Study

_BY: tuple[By, ...] = ("company", "maintainer", "subdistrict", "community")
_SERVICE = tuple(name for name in RATES if name not in OF_ORDERS)
"""Of a place: what a maintainer has no part in."""
_WORST_BUILDINGS = 20
_TEXT = {
    "title_month": ("物业服务监督月报", "Monthly report of supervision"),
    "title": ("物业服务监督报告", "Report of supervision"),
    "due": ("到期工单", "Orders due"),
    "company": ("一、物业服务企业", "1. Property companies"),
    "maintainer": ("二、维保单位", "2. Maintainers"),
    "subdistrict": ("三、镇街", "3. Subdistricts"),
    "community": ("四、小区", "4. Communities"),
    "service": ("诉求、维保与在线", "Complaints, maintenance and sensors"),
    "excluded": ("五、不计入考核的工单和时间", "5. What is left out of the rates"),
    "protected": ("六、楼宇受护时长（最低 20 栋）", "6. Protected minutes per building (the lowest 20)"),
    "unsolved": ("七、未决诉求", "7. Unsolved complaints"),
    "subject": ("名称", "Name"),
    "small": ("*：到期工单不足 10 件，不参与排名。", "*: fewer than 10 orders due; not ranked."),
    "hours": ("小时", "hours"),
    "orders": ("工单", "Orders"),
    "kind": ("类别", "Kind"),
    "building": ("楼宇", "Building"),
    "minutes": ("受护分钟", "Protected minutes"),
    "share": ("占比", "Share"),
    "unheard": ("失联分钟", "Minutes unheard"),
    "equipment": ("设备", "Equipment"),
    "unsolved_n": (
        "未决案件 {n} 件，逐件清单见月度研判报告。",
        "{n} cases are unsolved; the monthly study lists them.",
    ),
    "definition": (
        "受护分钟：楼内及小区共用的受监测设备均在线、且无 A 类预警的分钟数。",
        "Protected minutes: those in which all watched equipment of the building and all shared equipment was heard of"
        " and free of class-A warnings.",
    ),
    "complaints": ("受理诉求", "Complaints"),
    "satisfied": ("满意率", "Satisfied"),
    "protected_n": ("受护时长", "Protected"),
    "as_of": ("数据截至 {at}", "As known at {at}"),
    "none": ("无。", "None."),
    "signed": ("编制人", "Drawn up by"),
    "checked": ("审核人", "Checked by"),
    "approved": ("签发人", "Approved by"),
}


@dataclass(frozen=True, slots=True)
class Supervision:
    """All that the report is made of."""

    since: datetime
    until: datetime
    as_of: datetime
    by: dict[By, list[Figures]]
    buildings: list[Protected]
    complaints: Study


def gather(conn: Connection, since: datetime, until: datetime, as_of: datetime, area: str | None = None) -> Supervision:
    """Everything of a period as known at `as_of`, of an area or of all this login sees."""

    def asked(by: By) -> Scope:
        return Scope(since=since, until=until, as_of=as_of, by=by, area=area)

    return Supervision(
        since,
        until,
        as_of,
        {by: indicators.figures(conn, asked(by)) for by in indicators.DIMENSIONS},
        indicators.protected(conn, asked("community")),
        study.study(conn, since, until, area),
    )


def report(found: Supervision, zone: ZoneInfo, language: Language) -> Report:
    """As a document."""
    english = language == "en"
    t = {key: pair[english] for key, pair in _TEXT.items()}
    whole = next(iter(found.by["all"]), Figures("all", "all"))
    sections = [part for by in _BY for part in _sections(by, found.by[by], t, english)]
    sections += [
        Section(t["excluded"], table=_excluded(whole, t, english)),
        Section(t["protected"], (t["definition"],), _buildings(found.buildings, t))
        if found.buildings
        else Section(t["protected"], (t["none"],)),
        Section(t["unsolved"], (t["unsolved_n"].format(n=len(found.complaints.unsolved)),)),
    ]
    month = found.until - found.since <= timedelta(days=31)
    span = subtitle(found.complaints.area_name, found.since, found.until, zone)
    return Report(
        language,
        t["title_month"] if month else t["title"],
        span,
        tuple(sections),
        figures=(
            (t["due"], number(whole.counts.get("due_d", 0))),
            (RATES["on_time_rate"][2 + english], percent(whole.rate("on_time_rate"))),
            (RATES["urgent_on_time_rate"][2 + english], percent(whole.rate("urgent_on_time_rate"))),
            (t["complaints"], number(whole.counts.get("complaints", 0))),
            (t["satisfied"], percent(whole.rate("satisfaction_rate"))),
            (t["protected_n"], percent(whole.rate("protected_rate"))),
            (RATES["online_rate"][2 + english], percent(whole.rate("online_rate"))),
        ),
        signatures=(t["signed"], t["checked"], t["approved"]),
        footer=f"Watchkeep · {t['as_of'].format(at=local(found.as_of, zone))}",
    )


def _sections(by: By, rows: Sequence[Figures], t: dict[str, str], english: bool) -> list[Section]:
    """How orders were handled, and for places how they are served."""
    if not rows:
        return [Section(t[by], (t["none"],))]
    found = [Section(t[by], (t["small"],), _handled(rows, t, english))]
    if by != "maintainer":
        shown = [name for name in _SERVICE if by != "company" or name != "false_rate"]
        heading = (t["subject"], *(RATES[name][2 + english] for name in shown))
        lines = [(row.name, *(_figure(row, name) for name in shown)) for row in rows]
        found.append(Section(f"{t[by]} · {t['service']}", table=table(heading, lines, (4, *(2 for _ in shown)))))
    return found


def _handled(rows: Sequence[Figures], t: dict[str, str], english: bool) -> Table:
    lines = [
        (
            row.name + ("" if row.ranked else " *"),
            number(row.counts.get("due_d", 0)),
            *(_figure(row, name) for name in OF_ORDERS),
        )
        for row in sorted(rows, key=lambda row: (not row.ranked, -(row.rate("on_time_rate") or 0.0), row.subject))
    ]
    heading = (t["subject"], t["due"], *(RATES[name][2 + english] for name in OF_ORDERS))
    return table(heading, lines, (4, 2, *(2 for _ in OF_ORDERS)))


def _figure(row: Figures, name: str) -> str:
    value = row.rate(name)
    return number(value, 1) if name in indicators.PER_10K else percent(value)


def _excluded(whole: Figures, t: dict[str, str], english: bool) -> Table:
    left_out = whole.excluded()
    lines = [
        (names[english], number(left_out[key]), number(left_out[f"{key}_h"], 1) if f"{key}_h" in left_out else "–")
        for key, names in EXCLUDED.items()
    ]
    return table((t["kind"], t["orders"], t["hours"]), lines)


def _buildings(found: Sequence[Protected], t: dict[str, str]) -> Table:
    lowest = sorted(found, key=lambda one: one.protected / one.minutes if one.minutes else 1.0)[:_WORST_BUILDINGS]
    lines = [
        (
            f"{one.community} {one.building}",
            one.equipment,
            number(one.protected),
            percent(one.protected, one.minutes),
            number(one.unheard),
        )
        for one in lowest
    ]
    return table((t["building"], t["equipment"], t["minutes"], t["share"], t["unheard"]), lines, (4, 1, 2, 2, 2))
