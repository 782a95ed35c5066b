"""Warnings and orders against ground truth: what was found, how late, what was false, who got the order. Pure.

A warning is a *hit* when a fault of its equipment expects its condition, a *symptom* when a fault of its equipment or
of what that hangs on allows it (`also`), else *false*. What a fault brings about elsewhere (`cause`) is a symptom.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from watchkeep_firmware_sim.score_ledger import Run, Truth
from watchkeep_firmware_sim.score_rows import Row, finished, total

EARLY_S = 300.0
"""A warning may be dated this long before the fault: silence is dated from the last reading."""
LATE_S = 900.0
"""And this long after all is over: limits clear late, and a counter of the last hour remembers."""

SLOW_S = 60.0
"""A fault whose limit breaks later than this after its beginning grows: its delay counts from the broken limit."""

STAND_INS = ("property_company", "subdistrict")
"""Who may have the order when nobody here is the responsible party (兜底)."""

_CLASSES = "CBA"

What = Literal["missed", "false", "wrong_party", "wrong_class", "missing_order", "extra_order", "duplicate"]


class Warning(msgspec.Struct, frozen=True, kw_only=True):
    """A row of warnings with the case that came of it."""

    warning_id: int
    community: str
    equipment: str
    condition: str
    event_at: datetime
    detected_at: datetime
    case_id: int | None = None
    role: str | None = None
    """In its case: cause, recurrence or symptom."""
    verdict: str | None = None
    """filed, dismissed, merged or suppressed, and by which rule; None = still waits."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The lead order of a case."""

    case_id: int
    condition: str
    case_class: str
    roles: frozenset[str]
    """Parties that its organisation is in this community."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What the register says of a piece of equipment."""

    ownership: str = "owners_common"
    handed_over: bool = False
    in_warranty: bool = False
    parents: frozenset[str] = frozenset()
    """Equipment of the same community that it is powered by, served by, part of, or read by."""
    parties: frozenset[str] = frozenset()
    """Parties that somebody is in this community."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that went wrong, for a person to look at."""

    what: What
    equipment: str
    condition: str
    detail: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `watchkeep sim score --json` prints."""

    total: Row
    precision: float | None
    warnings: int
    hits: int
    symptoms: int
    symptoms_folded: int
    """Of the symptoms, those that caused no order of their own."""
    point_days: float
    false_per_1000_point_days: float | None
    conditions: list[Row]
    findings: list[Finding]


class _Scorer:
    """One comparison; everything it needs is handed in."""

    def __init__(
        self, warnings: Sequence[Warning], orders: Iterable[Order], sites: Mapping[tuple[str, str], Site]
    ) -> None:
        self.warnings = warnings
        self.orders = {order.case_id: order for order in orders}
        self.sites = sites
        self.rows: dict[str, Row] = {}
        self.findings: list[Finding] = []
        self.delays: dict[str, list[float]] = defaultdict(list)

    def row(self, condition: str) -> Row:
        return self.rows.setdefault(condition, Row(condition=condition))

    def find(
        self,
        what: What,
        place: str,
        condition: str,
        detail: str,
    ) -> None:
        self.findings.append(Finding(what=what, equipment=place, condition=condition, detail=detail))

    def site(self, community: str, equipment: str) -> Site:
        return self.sites.get((community, equipment), Site())


def score(
    runs: Sequence[Run],
    faults: Sequence[Truth],
    warnings: Sequence[Warning],
    orders: Iterable[Order],
    sites: Mapping[tuple[str, str], Site],
    now: datetime,
) -> Report:
    """Compare. `sites` by (community, equipment)."""
    scorer = _Scorer(warnings, orders, sites)
    hits, symptoms, false = _sort(scorer, faults)
    cases = {warning.case_id for found in hits.values() for warning in found if warning.case_id}
    for truth in faults:
        if truth.expects_any and truth.cause is None:
            _judge(scorer, truth, hits[(truth.run, truth.fault)], runs[truth.run], now)
    for warning in false:
        place = f"{warning.community}/{warning.equipment}"
        scorer.row(warning.condition).false_warnings += 1
        ordered = "with an order" if warning.case_id in scorer.orders and warning.role != "symptom" else "no order"
        scorer.find("false", place, warning.condition, f"warning {warning.warning_id}, {ordered}")
    folded = [
        one for one in symptoms if one.role == "symptom" or one.case_id in cases or one.case_id not in scorer.orders
    ]
    point_days = sum(run.point_days() for run in runs)
    good = sum(map(len, hits.values())) + len(symptoms)
    conditions = finished(scorer.rows.values(), scorer.delays)
    return Report(
        total=total(conditions, scorer.delays),
        precision=good / (good + len(false)) if good + len(false) else None,
        warnings=good + len(false),
        hits=good - len(symptoms),
        symptoms=len(symptoms),
        symptoms_folded=len(folded),
        point_days=round(point_days, 3),
        false_per_1000_point_days=1000 * len(false) / point_days if point_days else None,
        conditions=conditions,
        findings=scorer.findings,
    )


def _sort(
    scorer: _Scorer, faults: Sequence[Truth]
) -> tuple[dict[tuple[int, int], list[Warning]], list[Warning], list[Warning]]:
    """Hits by (run, fault) in order of detection, symptoms, false ones."""
    by_place: dict[tuple[str, str], list[Truth]] = defaultdict(list)
    for truth in faults:
        by_place[truth.community, truth.equipment].append(truth)
    hits: dict[tuple[int, int], list[Warning]] = defaultdict(list)
    symptoms, false = [], []
    for warning in sorted(scorer.warnings, key=lambda one: (one.detected_at, one.warning_id)):
        mine = [truth for truth in by_place[warning.community, warning.equipment] if _during(truth, warning)]
        expecting = [truth for truth in mine if warning.condition in truth.expects_any]
        if roots := [truth for truth in expecting if truth.cause is None]:
            latest = max(roots, key=lambda truth: truth.begins)
            hits[latest.run, latest.fault].append(warning)
        elif (
            expecting
            or any(_allows(truth, warning.condition) for truth in mine)
            or _from_above(scorer, by_place, warning)
        ):
            symptoms.append(warning)
        else:
            false.append(warning)
    return hits, symptoms, false


def _during(truth: Truth, warning: Warning) -> bool:
    """By event time, or by the time of detection where a clock is wrong."""
    first, last = truth.begins - timedelta(seconds=EARLY_S), truth.recovered + timedelta(seconds=LATE_S)
    return first <= warning.event_at <= last or truth.begins <= warning.detected_at <= last


def _allows(truth: Truth, condition: str) -> bool:
    return "*" in truth.also or condition in truth.also


def _from_above(scorer: _Scorer, by_place: Mapping[tuple[str, str], list[Truth]], warning: Warning) -> bool:
    """Whether something that the equipment hangs on has a fault that allows this."""
    parents = scorer.site(warning.community, warning.equipment).parents
    return any(
        _during(truth, warning) and (_allows(truth, warning.condition) or warning.condition in truth.expects_any)
        for parent in parents
        for truth in by_place.get((warning.community, parent), ())
    )


def _judge(scorer: _Scorer, truth: Truth, hits: Sequence[Warning], run: Run, now: datetime) -> None:
    row, place = scorer.row(truth.expects_any[0]), f"{truth.community}/{truth.equipment}"
    if not hits:
        if min(truth.ends, run.ends) > now - timedelta(seconds=1) and truth.ends > now:
            row.pending += 1
            return
        row.faults += 1
        scorer.find("missed", place, truth.expects_any[0], f"fault {truth.fault} {truth.scenario}")
        return
    row.faults += 1
    row.detected += 1
    first = hits[0]
    slow = truth.failed_at is not None and truth.failed_at - truth.begins > timedelta(seconds=SLOW_S)
    since = truth.failed_at if slow and truth.failed_at else truth.begins
    seen = first.detected_at if run.speed == 1 else first.event_at
    scorer.delays[row.condition].append((seen - since).total_seconds())
    again = len(hits) - len({warning.condition for warning in hits})
    if again:
        row.duplicates += again
        scorer.find("duplicate", place, first.condition, f"fault {truth.fault} {truth.scenario}: {again} times more")
    _orders(scorer, truth, hits, row, place)


def _orders(scorer: _Scorer, truth: Truth, hits: Sequence[Warning], row: Row, place: str) -> None:
    cases = list(dict.fromkeys(warning.case_id for warning in hits if warning.case_id in scorer.orders))
    if not cases:
        if any(warning.verdict is None for warning in hits):
            row.waiting_orders += 1
        else:
            row.missing_orders += 1
            verdicts = ", ".join(sorted({str(warning.verdict) for warning in hits}))
            scorer.find("missing_order", place, hits[0].condition, f"fault {truth.fault} {truth.scenario}: {verdicts}")
        return
    if len(cases) > 1:
        row.extra_orders += len(cases) - 1
        kinds = ", ".join(scorer.orders[case].condition for case in cases if case is not None)
        scorer.find("extra_order", place, hits[0].condition, f"fault {truth.fault} {truth.scenario}: {kinds}")
    for case in cases:
        if case is not None:
            _party_and_class(scorer, truth, scorer.orders[case], row, place)


def _party_and_class(scorer: _Scorer, truth: Truth, order: Order, row: Row, place: str) -> None:
    site, duty = scorer.site(truth.community, truth.equipment), truth.duty(order.condition)
    party = duty.responsible(ownership=site.ownership, handed_over=site.handed_over, in_warranty=site.in_warranty)
    accepted = {party} if party in site.parties else set(STAND_INS)
    if not accepted & order.roles:
        row.wrong_party += 1
        got = ", ".join(sorted(order.roles)) or "nobody known"
        scorer.find("wrong_party", place, order.condition, f"expected {party}, got {got}")
    raised = {truth.duty(name).case_class for name in (*truth.expects_any, *truth.also) if name != "*"}
    higher = _CLASSES.index(order.case_class) > _CLASSES.index(duty.case_class) and order.case_class in raised
    if order.case_class != duty.case_class and not higher:
        row.wrong_class += 1
        scorer.find("wrong_class", place, order.condition, f"expected {duty.case_class}, got {order.case_class}")
