"""Preventive work: visits that come again by a plan. A failed item opens a case, an overdue visit is one.

The caller opens the transaction. One open visit per plan and equipment is a unique index.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_dispatch import casework, parties, planning, rota
from watchkeep_dispatch.duty_file import span
from watchkeep_dispatch.errors import GuardFailed, NoSuchCase, NotAllowed, VisitPlanError
from watchkeep_dispatch.notify.outbox import announce
from watchkeep_dispatch.planning import Finding, Rules

Result = Literal["ok", "failed", "na"]
RESULTS: tuple[Result, ...] = ("ok", "failed", "na")
SHORTEST = timedelta(hours=1)
"""Between two visits."""
AT_ONCE = 100
"""Overdue visits that become cases in one round."""


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """What is looked at; `condition` = what a failure opens a case of."""

    id: str
    zh: str
    en: str
    condition: str


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """A template; `every` and `ahead` as duty_file.span reads them."""

    plan_id: str
    title_zh: str
    title_en: str
    kinds: tuple[str, ...]
    party: str
    every: str
    ahead: str
    basis: str
    items: tuple[Item, ...]
    overdue: str | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    plan: tuple[Plan, ...]


def default_plans() -> bytes:
    """The packaged templates."""
    return (files("watchkeep_dispatch") / "visit_plans.toml").read_bytes()


def parse(content: bytes, words: Vocabulary) -> tuple[Plan, ...]:
    """Plans of a TOML file. Raises VisitPlanError that names the plan and what is unknown."""
    try:
        found = msgspec.toml.decode(content, type=_File).plan
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise VisitPlanError(f"visit plans: {error}") from None
    for plan in found:
        check(plan, words)
    return found


def check(plan: Plan, words: Vocabulary) -> None:
    """Raises VisitPlanError that names the plan and the field that is wrong."""
    used: dict[str, tuple[Iterable[str], Container[str]]] = {
        "kinds": (plan.kinds, words.kinds),
        "items": ([item.condition for item in plan.items], words.conditions),
        "overdue": ([plan.overdue] if plan.overdue else [], words.conditions),
        "party": ([plan.party], words.parties),
    }
    for field, (names, known) in used.items():
        if unknown := [name for name in names if name not in known]:
            raise VisitPlanError(f"visit plan {plan.plan_id!r}: {unknown[0]!r} is not in the vocabulary", field)
    if not plan.items or len({item.id for item in plan.items}) < len(plan.items):
        raise VisitPlanError(f"visit plan {plan.plan_id!r}: items: at least one, each id once", "items")
    if span(plan.every) < SHORTEST:
        raise VisitPlanError(f"visit plan {plan.plan_id!r}: every: at least one hour", "every")
    if span(plan.ahead) >= span(plan.every):
        raise VisitPlanError(f"visit plan {plan.plan_id!r}: ahead: must be shorter than every", "ahead")


def load(conn: Connection, plans: tuple[Plan, ...], now: datetime) -> int:
    """Write plans; those that are there already keep their first day. Returns how many."""
    for plan in plans:
        conn.execute(_sql("save_plan"), columns(plan) | {"now": now})
    audit.record(conn, "visits.load", "visit_plan", ",".join(plan.plan_id for plan in plans))
    return len(plans)


def columns(plan: Plan) -> dict[str, Any]:
    """A plan as the database takes it."""
    row = msgspec.structs.asdict(plan) | {"every": span(plan.every), "ahead": span(plan.ahead)}
    return row | {"kinds": list(plan.kinds), "items": Jsonb(msgspec.to_builtins(plan.items))}


def plans(conn: Connection) -> list[dict[str, Any]]:
    """All plans, general ones and those of communities."""
    return _rows(conn, "plans", {})


def enable(conn: Connection, plan_id: str, enabled: bool, now: datetime) -> None:
    """Switch a plan on, from now, or off. Raises VisitPlanError."""
    row = {"plan_id": plan_id, "enabled": enabled, "now": now}
    if conn.execute(_sql("enable_plan"), row).fetchone() is None:
        raise VisitPlanError(f"visit plan {plan_id!r} is not there")
    audit.record(conn, "visits.enable", "visit_plan", plan_id, detail={"enabled": enabled})


def open_due(conn: Connection, now: datetime) -> int:
    """Open the visits that come due; each organisation is told of its new ones together. Returns how many."""
    found = Counter(org_id for (org_id,) in conn.execute(_sql("open_due"), {"now": now}))
    for org_id, count in sorted(found.items()):
        key = f"visits/{org_id}/{now.isoformat()}"
        announce(conn, "visits_due", [org_id], {"count": str(count)}, key=key, now=now)
    return found.total()


def file_overdue(conn: Connection, now: datetime, rules: Rules) -> list[int]:
    """A case for each overdue visit whose plan says so; returns the cases."""
    filed = []
    for visit in _rows(conn, "overdue", {"now": now, "at_most": AT_ONCE}):
        text = f"visit {visit['visit_id']}, due {visit['due_at']:%Y-%m-%d}"
        case_id = _file(conn, visit, visit["overdue"], now, rules, text=text, person_id=None)
        conn.execute(_sql("overdue_case"), {"case_id": case_id, "visit_id": visit["visit_id"]})
        filed.append(case_id)
    return filed


def complete(
    conn: Connection,
    visit_id: int,
    results: Mapping[str, Result],
    now: datetime,
    *,
    person_id: str,
    signature: str,
    note: str = "",
) -> None:
    """Record a visit, item by item, signed; the service files a case for what failed (`file_failed`).

    Raises NoSuchCase, NotAllowed (done already), GuardFailed that names what is missing.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        visit = cursor.execute(_sql("visit"), [visit_id]).fetchone()
    if visit is None:
        raise NoSuchCase("visit", visit_id)
    if visit["done_at"] is not None:
        raise NotAllowed("complete", "done", role_missing=False)
    _check(conn, visit, results, person_id, signature)
    row = {
        "visit_id": visit_id,
        "now": now,
        "person": person_id,
        "results": Jsonb(dict(results)),
        "signature": signature.strip(),
        "note": note.strip(),
    }
    conn.execute(_sql("done"), row)
    failed = sorted(item for item, result in results.items() if result == "failed")
    audit.record(conn, "visit.complete", "visit", str(visit_id), person_id=person_id, detail={"failed": failed})


def file_failed(conn: Connection, now: datetime, rules: Rules) -> list[int]:
    """A case for each condition that a visit has found; returns the cases."""
    filed = []
    for visit in _rows(conn, "unfiled", {"at_most": AT_ONCE}):
        failed: dict[str, list[str]] = {}
        for item in visit["items"]:
            if visit["results"].get(item["id"]) == "failed":
                failed.setdefault(item["condition"], []).append(item["zh"])
        cases = []
        for condition, names in failed.items():
            text = f"{visit['title_zh']}：{'、'.join(names)} {visit['note']}".strip()
            cases.append(_file(conn, visit, condition, now, rules, text=text, person_id=visit["person_id"]))
        conn.execute(_sql("found_cases"), {"cases": cases, "visit_id": visit["visit_id"]})
        filed += cases
    return filed


def visits(
    conn: Connection, *, org: str | None, community: str | None, open: bool | None, at_most: int = 500
) -> list[dict[str, Any]]:
    """Visits, those still to be made first; `open` None = those done as well."""
    return _rows(conn, "visits", {"org": org, "community": community, "open": open, "at_most": at_most})


def _check(conn: Connection, visit: dict[str, Any], results: Mapping[str, str], person_id: str, signature: str) -> None:
    wanted = {item["id"] for item in visit["items"]}
    if missing := sorted(wanted - results.keys()):
        raise GuardFailed("results", f"nothing is said of {', '.join(missing)}")
    if unknown := sorted(results.keys() - wanted):
        raise GuardFailed("results", f"the plan has no item {', '.join(unknown)}")
    if wrong := sorted(set(results.values()) - set(RESULTS)):
        raise GuardFailed("results", f"{wrong[0]!r}: expected one of {', '.join(RESULTS)}")
    if not signature.strip():
        raise GuardFailed("signature", "the record must be signed")
    if not rota.works_for(conn, person_id, visit["org_id"]):
        raise GuardFailed("own_order", "the person does not belong to the organisation that has the visit")
    if not rota.licensed(conn, person_id, visit["org_id"], visit["community_id"], visit["equipment_id"]):
        raise GuardFailed("licensed", "the person holds no certificate that this equipment asks for")


def _file(
    conn: Connection, visit: dict[str, Any], condition: str, now: datetime, rules: Rules, *, text: str,
    person_id: str | None,
) -> int:  # fmt: skip
    """The case of a finding, new or open already."""
    finding = Finding(
        community_id=visit["community_id"],
        equipment_id=visit["equipment_id"],
        condition=condition,
        source="patrol",
        event_at=now,
    )
    site = parties.read_site(conn, finding.community_id, finding.equipment_id, now, now)
    plan = planning.plan(conn, finding, site, now, rules)
    for _ in range(3):  # another worker may file or close the same case between two statements
        known = casework.known(conn, finding, site, now, rules)
        if known is not None and known.closed_at is None:
            casework.recur(conn, known, plan, now, text=text)
            return known.case_id
        if known is not None:
            casework.reopen(conn, known, plan, rules, now)
            return known.case_id
        if opened := casework.open_case(conn, plan, rules, now, text=text, person_id=person_id):
            return opened.case.case_id
    raise VisitPlanError(f"the case of {condition} on {finding.equipment_id} keeps changing")


def _rows(conn: Connection, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql(name), values).fetchall()


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/preventive.sql")[name]
