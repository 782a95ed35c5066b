"""`watchkeep bench faults`: every fault of the simulator at every kind it happens to, by every shape of the register.

What detection finds is measured elsewhere (`bench detect`, `sim score` of a demo): here each fault is found, and what
dispatch makes of it is scored like a run of the simulator: one order, at the right party, of the right class.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from rich.console import Console

from watchkeep_cli.bench_servers import login, server
from watchkeep_core import bench, estate, logs
from watchkeep_core.database import OWNER, connect, queries
from watchkeep_core.errors import TransientError
from watchkeep_core.estate import Area, Community, Contract, Equipment, Estate, Handover, Organisation, Warranty
from watchkeep_core.settings import load
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary import load as words
from watchkeep_core.vocabulary_rows import ANY
from watchkeep_dispatch.duties import load_default
from watchkeep_dispatch.notify.jobs import install_jobs
from watchkeep_dispatch.parties import BY_CONTRACT
from watchkeep_dispatch.rounds import file_waiting, rules
from watchkeep_dispatch.rowset import rowset
from watchkeep_dispatch.settings import DispatchSettings
from watchkeep_firmware_sim import score_read, score_report
from watchkeep_firmware_sim.scenario import Scenario, scenarios
from watchkeep_firmware_sim.score import Report, score
from watchkeep_firmware_sim.score_ledger import Run, Truth

PIECES = 30
"""Of a community: fewer than are a storm, which would hold class B and C back."""
AT_ONCE = 500
GIVE_UP_S = 600.0
_VALID: dict[str, Any] = {"since": date(2020, 1, 1), "until": date(2100, 1, 1)}
_HANDED_TO = {"water": "utility_water", "power": "utility_power", "drainage": "utility_water"}
"""Domain → party that its installations are handed over to."""


class NotJudged(TransientError):
    """Warnings still wait after a long time: the measurement is void."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the register of some communities looks."""

    name: str
    ownership: str = "owners_common"
    handed_over: bool = False
    in_warranty: bool = False
    contracts: bool = True


SHAPES = (
    Shape("plain"),
    Shape("handed-over", handed_over=True),
    Shape("warranty", in_warranty=True),
    Shape("handed-over-warranty", handed_over=True, in_warranty=True),
    Shape("utility", ownership="utility"),
    Shape("municipal", ownership="municipal"),
    Shape("bare", contracts=False),
)
"""`bare`: nobody is under contract, so that stand-ins (兜底) get what is not the property company's."""

Witnesses = Literal["first", "all"]
"""What is seen of a fault: the first condition it should lead to, or all that it leads to or may lead to.

Who is responsible is asked for `first` in each shape; one order for whatever is seen, for `all` in the first shape."""


def run_bench(say: Callable[[str], None]) -> bench.Result:
    """Play, judge and score; the table of what `sim score` finds goes to stderr."""
    logs.configure("dispatch", "error")
    measures: list[bench.Measure] = []
    with server() as postgres:
        admin, dispatch = postgres.admin_url, login(postgres, "dispatch")
        install_jobs(admin)
        with connect(dispatch, "bench") as conn:
            load_default(conn, datetime(2026, 1, 1, tzinfo=UTC))
        for witnesses in ("first", "all"):
            report = _played(admin, dispatch, witnesses)
            say(f"witnesses: {witnesses}")
            score_report.print_report(report, Console(stderr=True, width=score_report.WIDTH))
            measures += _measures(report, witnesses)
    return bench.Result(bench="faults", machine=bench.machine(), versions=bench.versions("psycopg"), measures=measures)


def faults(vocabulary: Vocabulary, shape: Shape, witnesses: Witnesses, at: datetime) -> list[Truth]:
    """Each scenario that must lead to something, at each kind it names, apiece at equipment of its own.

    What can happen to anything happens to one kind of each domain. Pure.
    """
    of_domains = {kind.domain: kind.id for kind in reversed(vocabulary.kinds.values())}
    pairs = [
        (one, kind)
        for one in scenarios().values()
        if one.expects
        for kind in (of_domains.values() if ANY in one.kinds else one.kinds)
    ]
    first = SHAPES.index(shape) * len(pairs)
    return [
        _truth(first + number, f"{witnesses}-{shape.name}-{number // PIECES}", one, kind, at)
        for number, (one, kind) in enumerate(pairs)
    ]


def seen(vocabulary: Vocabulary, truth: Truth, witnesses: Witnesses) -> list[str]:
    """Conditions that are warned of, in this order. Pure."""
    if witnesses == "first":
        return truth.expects_any[:1]
    also = [name for name in truth.also if name in vocabulary.conditions and vocabulary.conditions[name].opens_warning]
    return [*truth.expects_any, *also]


def _truth(number: int, community: str, scenario: Scenario, kind: str, at: datetime) -> Truth:
    return Truth(
        fault=number,
        scenario=scenario.id,
        community=community,
        equipment=f"{scenario.id}-{kind}"[:64],
        kind=kind,
        expects_any=scenario.expects,
        also=scenario.also,
        begins=at,
        ends=at + timedelta(hours=1),
        recovered=at + timedelta(hours=1),
    )


def _estate(vocabulary: Vocabulary, shape: Shape, truths: list[Truth]) -> Estate:
    """The communities of these faults, and somebody for every party that is not found by contract."""
    places: dict[str, list[Truth]] = {}
    for truth in truths:
        places.setdefault(truth.community, []).append(truth)
    return Estate(
        areas=[
            Area(area_id="city", kind="city", name="市"),
            Area(area_id="street", kind="subdistrict", name="街道", parent_id="city"),
        ],
        organisations=[
            Organisation(org_id=_org(name), kind=name, name=name, area_id="city") for name in vocabulary.parties
        ],
        communities=[_community(vocabulary, name, shape, part) for name, part in places.items()],
    )


def _community(vocabulary: Vocabulary, name: str, shape: Shape, truths: list[Truth]) -> Community:
    warranty = Warranty(developer_org_id=_org("developer"), valid_until=date(2100, 1, 1)) if shape.in_warranty else None
    return Community(
        community_id=name,
        name=name,
        area_id="street",
        property_org_id=_org("property_company"),
        contracts=[
            Contract(contract_id=f"{party}-{name}", kind=party, provider_org_id=_org(party), **_VALID)
            for party in (BY_CONTRACT if shape.contracts else ())
        ],
        handovers=[
            Handover(domain=domain, to_org_id=_org(party), handed_over_on=date(2020, 1, 1))
            for domain, party in (_HANDED_TO.items() if shape.handed_over else ())
        ],
        equipment=[
            Equipment(
                equipment_id=one.equipment,
                kind=one.kind,
                name=one.equipment,
                ownership=shape.ownership,
                warranty=warranty,
            )
            for one in truths
        ],
    )


def _org(party: str) -> str:
    return f"org-{party}"


def _played(admin: str, dispatch: str, witnesses: Witnesses) -> Report:
    vocabulary, at = words(), datetime.now(UTC)
    truths: list[Truth] = []
    with connect(admin, "bench", role=OWNER) as conn:
        for shape in SHAPES if witnesses == "first" else SHAPES[:1]:
            part = faults(vocabulary, shape, witnesses, at)
            estate.save(conn, _estate(vocabulary, shape, part))
            truths += part
    rows = [
        {
            "community_id": truth.community,
            "equipment_id": truth.equipment,
            "condition": name,
            "class": vocabulary.conditions[name].default_class,
            "life_safety": vocabulary.conditions[name].life_safety,
        }
        for truth in truths
        for name in seen(vocabulary, truth, witnesses)
    ]
    with connect(admin, "bench", role=OWNER) as conn:
        values = {"now": at, "ago": timedelta(0), "status": "open", "rows": rowset(rows)}
        conn.execute(queries("watchkeep_dispatch", "sql/bench.sql")["warn"], values)
    _judge(dispatch)
    now = datetime.now(UTC)
    run = Run(begins=at, ends=now, speed=1.0, points={truth.community: PIECES for truth in truths})
    with connect(dispatch, "bench") as conn, conn.transaction():
        warnings, orders, sites = score_read.read(conn, set(run.points), at, now)
    return score([run], truths, warnings, orders, sites, now)


def _judge(url: str) -> None:
    """What the service does with warnings, until none waits."""
    how = rules(load(DispatchSettings, {}, database_url=url))
    deadline = time.monotonic() + GIVE_UP_S
    with connect(url, "bench") as conn:
        while file_waiting(conn, lambda: datetime.now(UTC), how, AT_ONCE):
            if time.monotonic() > deadline:
                raise NotJudged(f"warnings still wait after {GIVE_UP_S:g} s")


def _measures(report: Report, witnesses: Witnesses) -> list[bench.Measure]:
    total = report.total
    figures = {
        "faults without an order": total.missing_orders + total.waiting_orders + total.faults - total.detected,
        "orders at a wrong party": total.wrong_party,
        "orders of a wrong class": total.wrong_class,
        "further orders for the same fault": total.extra_orders,
    }
    return [
        bench.at_least(f"{witnesses} seen: faults", "faults", None, [float(total.faults)]),
        *(bench.at_most(f"{witnesses} seen: {name}", "orders", 0.0, [float(value)]) for name, value in figures.items()),
    ]
