"""The estate register: who and what there is, as typed records, saved by upsert in one transaction.

An estate file (TOML or JSON) has the same shape as `Estate`; `watchkeep db load-estate FILE` loads one.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import psycopg
from msgspec import Meta
from psycopg import Connection
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

from watchkeep_core.database import queries
from watchkeep_core.errors import PermanentError
from watchkeep_core.messages import Id
from watchkeep_core.vocabulary import Vocabulary, load

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Relation = Literal["powered_by", "served_by", "gateway_of", "part_of"]


class EstateError(PermanentError):
    """An estate record is wrong; the text names the record and the field."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of estate records."""


class Area(Record, frozen=True):
    """A city, subdistrict, neighbourhood or grid; parents stand before their children."""

    area_id: Id
    kind: Literal["city", "subdistrict", "neighbourhood", "grid"]
    name: Name
    name_en: str = ""
    parent_id: Id | None = None
    urban: bool = True


class Organisation(Record, frozen=True):
    """`kind` is a party of the vocabulary."""

    org_id: Id
    kind: str
    name: Name
    name_en: str = ""
    area_id: Id | None = None
    duty_phone: str = ""


class Building(Record, frozen=True):
    building_id: Id
    name: Name
    storeys: Annotated[int, Meta(ge=1, le=200)]
    basements: Annotated[int, Meta(ge=0, le=9)] = 0
    households: Annotated[int, Meta(ge=0, le=10_000)] = 0
    height_m: float | None = None


class OwnersCommittee(Record, frozen=True):
    committee_id: Id
    kind: Literal["owners_committee", "interim_committee"]
    elected_on: date | None = None
    term_ends_on: date | None = None
    registered_on: date | None = None
    members: int = 0
    party_members: int = 0


class Contract(Record, frozen=True):
    contract_id: Id
    kind: str
    provider_org_id: Id
    since: date
    until: date
    equipment_kinds: list[str] | None = None
    reference: str = ""


class Handover(Record, frozen=True):
    domain: str
    to_org_id: Id
    handed_over_on: date


class Warranty(Record, frozen=True):
    developer_org_id: Id
    valid_until: date


class Link(Record, frozen=True):
    relation: Relation
    to: Id


class Equipment(Record, frozen=True):
    """`metrics` are its points; their unit, period and default limits come from the vocabulary."""

    equipment_id: Id
    kind: str
    name: Name
    name_en: str = ""
    building_id: Id | None = None
    level: int | None = None
    ownership: str = "owners_common"
    maker: str = ""
    model: str = ""
    registration_code: str = ""
    vendor_profile: str = ""
    installed_on: date | None = None
    attributes: dict[str, str | float | bool] = {}
    metrics: list[str] = []
    gateway_id: Id | None = None
    warranty: Warranty | None = None
    links: list[Link] = []


class Gateway(Record, frozen=True):
    gateway_id: Id
    name: str = ""
    equipment_id: Id | None = None


class Community(Record, frozen=True):
    community_id: Id
    name: Name
    area_id: Id
    name_en: str = ""
    property_org_id: Id | None = None
    timezone: str = "Asia/Shanghai"
    mode: Literal["live", "replay"] = "live"
    households: int = 0
    longitude: float | None = None
    latitude: float | None = None
    buildings: list[Building] = []
    committees: list[OwnersCommittee] = []
    contracts: list[Contract] = []
    handovers: list[Handover] = []
    equipment: list[Equipment] = []
    gateways: list[Gateway] = []


class Estate(Record, frozen=True):
    areas: list[Area] = []
    organisations: list[Organisation] = []
    communities: list[Community] = []


class Saved(Record, frozen=True):
    """How many records of each sort a save has written."""

    communities: int
    equipment: int
    points: int


def read_estate(path: Path) -> Estate:
    """Read an estate file. Raises EstateError that names the file and the field."""
    try:
        content = path.read_bytes()
        if path.suffix == ".toml":
            return msgspec.toml.decode(content, type=Estate)
        return msgspec.json.decode(content, type=Estate)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EstateError(f"{path}: {error}") from None


def save(conn: Connection, estate: Estate, vocabulary: Vocabulary | None = None) -> Saved:
    """Insert or update everything in the caller's transaction; nothing is deleted.

    Default limits of the vocabulary are given to points that have none yet. Raises EstateError.
    """
    words = vocabulary or load()
    _check(estate, words)
    try:
        _save_areas(conn, estate.areas)
        _many(conn, "save_organisation", estate.organisations)
        for community in estate.communities:
            _save_community(conn, community, words)
    except psycopg.IntegrityError as error:
        raise EstateError(f"{error.diag.message_primary}: {error.diag.message_detail}") from error
    return Saved(
        communities=len(estate.communities),
        equipment=sum(len(community.equipment) for community in estate.communities),
        points=sum(len(item.metrics) for community in estate.communities for item in community.equipment),
    )


class Claim(NamedTuple):
    """A point that a gateway's birth speaks of."""

    community: str
    gateway: str
    equipment: str
    metric: str
    unit: str
    period_s: float | None


def register_unclaimed(conn: Connection, claims: Iterable[Claim]) -> dict[tuple[str, str, str], int]:
    """Enter points that nobody registered: (community, equipment, metric) → series id.

    Unknown equipment is entered as kind `unknown`, status `unclaimed`. Known points are left as they are, except that
    one without a gateway now has this one. Of a point that is named twice the first counts.
    """
    named: dict[tuple[str, str, str], Claim] = {}
    for claim in claims:
        named.setdefault((claim.community, claim.equipment, claim.metric), claim)
    if not named:
        return {}
    columns = dict(zip(Claim._fields, map(list, zip(*named.values(), strict=True)), strict=True))
    statements = queries("watchkeep_core", "estate.sql")
    conn.execute(statements["claim_equipment"], columns)
    found = conn.execute(statements["claim_points"], columns).fetchall()
    return {(community, equipment, metric): series for community, equipment, metric, series in found}


def series_of(conn: Connection, community: str) -> dict[tuple[str, str], int]:
    """(equipment, metric) → series id of a whole community."""
    rows = conn.execute(
        "SELECT equipment_id, metric, series_id FROM points WHERE community_id = %s", [community]
    ).fetchall()
    return {(equipment, metric): series for equipment, metric, series in rows}


def _check(estate: Estate, words: Vocabulary) -> None:
    parties = set(words.parties)
    for organisation in estate.organisations:
        if organisation.kind not in parties:
            raise EstateError(f"organisation {organisation.org_id}: kind: no party {organisation.kind!r}")
    for community in estate.communities:
        for item in community.equipment:
            where = f"equipment {community.community_id}/{item.equipment_id}"
            if item.kind not in words.kinds:
                raise EstateError(f"{where}: kind: no equipment kind {item.kind!r}")
            if item.ownership not in words.ownerships:
                raise EstateError(f"{where}: ownership: no ownership {item.ownership!r}")
            for metric in item.metrics:
                if metric not in words.metrics:
                    raise EstateError(f"{where}: metrics: no metric {metric!r}")


def _save_areas(conn: Connection, areas: Sequence[Area]) -> None:
    for area in areas:
        conn.execute(queries("watchkeep_core", "estate.sql")["save_area"], msgspec.structs.asdict(area))


def _save_community(conn: Connection, community: Community, words: Vocabulary) -> None:
    of = {"community_id": community.community_id}
    _many(conn, "save_community", [community])
    _many(conn, "save_building", community.buildings, of)
    for building in community.buildings:
        _save_floors(conn, community.community_id, building)
    _many(conn, "save_committee", community.committees, of)
    _rows(conn, "save_contract", [_contract(item) | of for item in community.contracts])
    _many(conn, "save_handover", community.handovers, of)
    _rows(conn, "save_equipment", [_equipment(item) | of for item in community.equipment])
    _many(conn, "save_gateway", community.gateways, of)
    for item in community.equipment:
        about = of | {"equipment_id": item.equipment_id}
        if item.warranty:
            _many(conn, "save_warranty", [item.warranty], about)
        _many(conn, "save_link", item.links, about)
    _save_points(conn, community, words)


def _save_floors(conn: Connection, community_id: str, building: Building) -> None:
    levels = [level for level in range(-building.basements, building.storeys + 1) if level != 0]
    key = {"community_id": community_id, "building_id": building.building_id}
    _rows(conn, "save_floor", [key | {"level": n, "label": f"B{-n}" if n < 0 else f"{n}F"} for n in levels])
    households = [
        key | {"household_id": f"{1 + i // 4:02d}{1 + i % 4:02d}", "level": min(1 + i // 4, building.storeys)}
        for i in range(building.households)
    ]
    _set(conn, "save_household", households)


def _save_points(conn: Connection, community: Community, words: Vocabulary) -> None:
    points, limits = [], []
    for item in community.equipment:
        key: dict[str, Any] = {"community_id": community.community_id, "equipment_id": item.equipment_id}
        for name in dict.fromkeys(item.metrics):
            metric = words.metrics[name]
            points.append(
                key
                | {
                    "metric": name,
                    "unit": metric.unit,
                    "period_s": metric.period_s or None,
                    "gateway_id": item.gateway_id,
                }
            )
            for limit in words.limits_for(item.kind, name):
                limits.append(key | {"metric": name} | _limit(limit))
    _set(conn, "save_point", points)
    _set(conn, "save_limit", limits)


def _limit(limit: Any) -> dict[str, Any]:
    return {
        "condition": limit.condition,
        "side": limit.side,
        "value": limit.value,
        "clear_value": limit.value if limit.clear is None else limit.clear,
        "for_s": limit.for_s,
        "clear_for_s": limit.clear_for_s,
        "tier": limit.tier,
        "when_metric": limit.when.metric if limit.when else None,
        "when_value": limit.when.equals if limit.when else None,
        "basis": limit.basis,
        "mark": limit.mark,
    }


def _contract(contract: Contract) -> dict[str, Any]:
    return msgspec.structs.asdict(contract) | {"valid": Range(contract.since, contract.until, "[]")}


def _equipment(item: Equipment) -> dict[str, Any]:
    return msgspec.structs.asdict(item) | {"attributes": Jsonb(item.attributes)}


def _many(conn: Connection, name: str, records: Sequence[Record], more: dict[str, Any] | None = None) -> None:
    _rows(conn, name, [msgspec.structs.asdict(record) | (more or {}) for record in records])


def _rows(conn: Connection, name: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        with conn.cursor() as cursor:
            cursor.executemany(queries("watchkeep_core", "estate.sql")[name], rows)


def _set(conn: Connection, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """As `_rows`, in one statement: for what a community has thousands of."""
    if rows:
        conn.execute(queries("watchkeep_core", "estate.sql")[name], [Jsonb(rows)])
