"""Who a party of the responsibility list is, for one piece of equipment at event time.

The register is read once (`read_sites`); everything after that is pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core.database import queries
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.routing import Duty, Facts
from watchkeep_dispatch.rowset import rowset

BY_CONTRACT = ("lift_maintainer", "fire_maintainer", "water_maintainer", "integrator", "control_room")
"""Parties that only a contract makes responsible; all others but those named below are found by area."""

SERVES = {
    "utility_water": ("water", "drainage"),
    "utility_power": ("power",),
    "utility_gas": ("gas",),
    "utility_heat": ("heat",),
}
"""Utility → domains of installations that are handed over to it: whoever has the pumps has not their mains."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract valid on the day of the event; `equipment_kinds` None = all kinds."""

    contract_id: str
    kind: str
    org_id: str
    equipment_kinds: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the register says of a piece of equipment and its community on the day of the event."""

    community_id: str
    community: str
    replay: bool
    now: datetime
    """Wall time; in a replay community its watermark."""
    areas: tuple[str, ...]
    urban: bool
    property_org_id: str | None
    equipment: str | None
    equipment_en: str
    kind: str
    ownership: str
    developer_org_id: str | None
    in_warranty: bool
    contracts: tuple[Contract, ...]
    handovers: Mapping[str, str]
    """Domain → organisation it was handed over to."""
    by_area: Mapping[str, str]
    """Party → the organisation of that kind nearest in the area tree."""


@dataclass(frozen=True, slots=True)
class Party:
    """A party of a duty and the organisation it stands for here; `how` tells where that is known from."""

    party: str
    org_id: str | None
    how: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """Everybody a duty names, resolved; `lead` gets the order (None: nobody can be found)."""

    first_responder: Party
    responsible: Party
    supervising: Party
    copied: tuple[Party, ...]
    lead: Party


def read_site(conn: Connection, community: str, equipment: str | None, at: datetime, now: datetime) -> Site:
    """Read the register as of event time `at`. Raises DispatchError when the community is not there."""
    return read_sites(conn, [(community, equipment, at)], now)[0]


def read_sites(conn: Connection, asked: Sequence[tuple[str, str | None, datetime]], now: datetime) -> list[Site]:
    """The same for many places (community, equipment, event time), in one question. Raises DispatchError."""
    rows = [
        {"n": n, "community_id": community, "equipment_id": equipment, "at": at}
        for n, (community, equipment, at) in enumerate(asked)
    ]
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_sites_query(), {"asked": rowset(rows), "now": now})
        found = {row.pop("n"): _site(row) for row in cursor}
    if missing := next((place[0] for n, place in enumerate(asked) if n not in found), None):
        raise DispatchError(f"community {missing!r} is not there")
    return [found[n] for n in range(len(asked))]


def facts_of(site: Site, condition: str, vocabulary: Vocabulary, *, working_time: bool = True) -> Facts:
    """What routing needs. A hand-over counts for the domain of the equipment; without equipment, of the condition."""
    known = vocabulary.conditions.get(condition)
    kind = vocabulary.kinds.get(site.kind)
    kind_domain = kind.domain if kind else ""
    installation = kind_domain if site.equipment is not None and kind_domain else known.domain if known else ""
    return Facts(
        condition=condition,
        domain=known.domain if known else kind_domain,
        kind=site.kind,
        kind_domain=kind_domain,
        ownership=site.ownership,
        handed_over=installation in site.handovers,
        in_warranty=site.in_warranty,
        areas=site.areas,
        urban=site.urban,
        contracted=any(one.kind in BY_CONTRACT and _covers(one, site.kind) for one in site.contracts),
        working_time=working_time,
    )


def resolve(party: str, site: Site, facts: Facts) -> Party:
    """The organisation behind a party, or None with the reason."""
    contract = next((c for c in site.contracts if c.kind == party and _covers(c, facts.kind)), None)
    if contract:
        return Party(party, contract.org_id, f"contract {contract.contract_id}")
    if party == "property_company":
        return Party(
            party, site.property_org_id, "property company of the community" if site.property_org_id else "none"
        )
    if party == "developer":
        return Party(party, site.developer_org_id, "warranty" if site.developer_org_id else "no warranty")
    if party in BY_CONTRACT:
        return Party(party, None, "no valid contract")
    served = SERVES.get(party, ())
    domain = next((name for name in (facts.kind_domain, *served) if name in served and name in site.handovers), None)
    if domain:
        return Party(party, site.handovers[domain], f"hand-over of {domain}")
    found = site.by_area.get(party)
    return Party(party, found, "organisation of the area" if found else "no such organisation in the area")


def assign(duty: Duty | None, site: Site, facts: Facts) -> Assignment:
    """Resolve all parties; the lead is the responsible one, else the first responder, property company, subdistrict."""
    first = resolve(duty.first_responder if duty else "property_company", site, facts)
    responsible = resolve(duty.responsible, site, facts) if duty else Party("unknown", None, "no row matches")
    supervising = resolve(duty.supervising if duty else "subdistrict", site, facts)
    stand_ins = (resolve("property_company", site, facts), resolve("subdistrict", site, facts))
    if first.org_id is None:
        first = next((party for party in stand_ins if party.org_id), first)
    if supervising.org_id is None and stand_ins[1].org_id:
        supervising = stand_ins[1]
    lead = responsible if responsible.org_id else first
    copied = tuple(resolve(party, site, facts) for party in (duty.copied if duty else ()))
    return Assignment(first, responsible, supervising, copied, lead)


def snapshot(site: Site, facts: Facts, assignment: Assignment, why: str, list_id: int | None) -> dict[str, Any]:
    """What a case keeps of the moment it was judged: JSON values only."""
    return {
        "facts": asdict(facts) | {"areas": list(facts.areas)},
        "equipment": site.equipment,
        "community": site.community,
        "contracts": [asdict(contract) for contract in site.contracts if _covers(contract, facts.kind)],
        "handovers": dict(site.handovers),
        "parties": asdict(assignment),
        "duty_list": list_id,
        "why": why,
    }


def _covers(contract: Contract, kind: str) -> bool:
    return contract.equipment_kinds is None or kind in contract.equipment_kinds


def _site(row: dict[str, Any]) -> Site:
    contracts: Sequence[dict[str, Any]] = row.pop("contracts")
    return Site(
        **(row | {"areas": tuple(row["areas"])}),
        contracts=tuple(
            Contract(c["contract_id"], c["kind"], c["org_id"], c["equipment_kinds"] and tuple(c["equipment_kinds"]))
            for c in contracts
        ),
    )


@lru_cache(maxsize=1)
def _sites_query() -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/parties.sql")["sites"]
