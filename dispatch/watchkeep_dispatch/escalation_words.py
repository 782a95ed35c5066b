"""Whom a rung of the chain reaches, by organisation and by name, and what they are told."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql
from psycopg.rows import class_row

from watchkeep_core.database import queries
from watchkeep_core.errors import PermanentError
from watchkeep_dispatch.clocks import WorkCalendar
from watchkeep_dispatch.notify.outbox import IN_APP, announce
from watchkeep_dispatch.notify.texts import Language, render
from watchkeep_dispatch.orders import shown

CLOCKS: dict[str, dict[Language, str]] = {
    "respond": {"zh": "响应", "en": "respond"},
    "arrive": {"zh": "到场", "en": "arrive"},
    "finish": {"zh": "完成", "en": "finish"},
    "verify": {"zh": "核查", "en": "verify"},
    "dispatch": {"zh": "派单", "en": "dispatch"},
    "callback": {"zh": "回访", "en": "call back"},
}


@dataclass(frozen=True, slots=True)
class Running:
    """A clock that runs; `order_id` None = the case's own. `now` is the community's, `fired` holds `clock/level`."""

    order_id: int | None
    case_id: int
    clock: str
    started: datetime
    due: datetime
    now: datetime
    fired: list[str]


@dataclass(frozen=True, slots=True)
class Concerned:
    """Everybody whom the chain of a case can reach, as organisations."""

    case_id: int
    org_id: str | None
    title_zh: str
    title_en: str
    replay: bool
    life_safety: bool
    first_responder_id: str | None
    supervising_org_id: str | None
    community_id: str
    community: str
    areas: list[str]
    subdistrict: str | None
    housing_bureau: str | None

    def organisation(self, party: str) -> str | None:
        """The organisation of a rung; who supervises or answers first stands in where there is none."""
        found = {
            "responsible": self.org_id,
            "first_responder": self.first_responder_id,
            "supervising": self.supervising_org_id,
            "subdistrict": self.subdistrict,
            "housing_bureau": self.housing_bureau,
        }[party]
        return found or self.supervising_org_id or self.first_responder_id


@dataclass(frozen=True, slots=True)
class Reached:
    """An organisation and the people in it."""

    concerned: Concerned
    org_id: str | None
    persons: tuple[str, ...]


class Chains:
    """Whom rungs reach; what many of one call share is read once."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._concerned: dict[tuple[int, int | None], Concerned] = {}
        self._in_roles: dict[tuple[object, ...], tuple[str, ...]] = {}
        self._languages: dict[str, Language] = {}

    def reached(self, clock: Running, party: str, roles: tuple[str, ...]) -> Reached:
        """Technicians as assignee or on call, else the heads of their organisation; others by role."""
        found = self._case(clock)
        org_id = found.organisation(party)
        persons: tuple[str, ...] = ()
        if roles == ("technician",):
            of_order = {"order": clock.order_id, "now": clock.now}
            persons = tuple(person for (person,) in self._conn.execute(_sql("handlers"), of_order))
            roles = ("maintainer_manager", "property_manager")
        return Reached(found, org_id, persons or self._by_role(found, org_id, roles, clock.now))

    def language(self, person: str) -> Language:
        """In which somebody is told."""
        if person not in self._languages:
            found = self._conn.execute(_sql("language"), [person]).fetchone()
            self._languages[person] = "en" if found and found[0] == "en" else "zh"
        return self._languages[person]

    def _case(self, clock: Running) -> Concerned:
        key = (clock.case_id, clock.order_id)
        if key not in self._concerned:
            with self._conn.cursor(row_factory=class_row(Concerned)) as cursor:
                found = cursor.execute(_sql("concerned"), {"order": clock.order_id, "case": clock.case_id}).fetchone()
            if found is None:
                raise PermanentError(f"case {clock.case_id} has gone")
            self._concerned[key] = found
        return self._concerned[key]

    def _by_role(self, case: Concerned, org_id: str | None, roles: tuple[str, ...], now: datetime) -> tuple[str, ...]:
        key = (org_id, roles, case.community_id)
        if key not in self._in_roles:
            asked = {
                "org": org_id,
                "roles": list(roles),
                "community": case.community_id,
                "areas": case.areas,
                "now": now,
            }
            self._in_roles[key] = tuple(person for (person,) in self._conn.execute(_sql("in_roles"), asked))
        return self._in_roles[key]


def tell_rung(
    conn: Connection,
    chains: Chains,
    clock: Running,
    card: str,
    level: int,
    reached: Reached,
    now: datetime,
    calendar: WorkCalendar,
) -> None:
    """Tell the organisation, and its people each by name and in their own language."""
    case = reached.concerned
    if case.replay:
        return
    values = {
        "title": case.title_zh,
        "community": case.community,
        "case": str(case.case_id),
        "clock": CLOCKS[clock.clock]["zh"],
        "level": str(level),
        "due": shown(clock.due, calendar),
    }
    own = f"order/{clock.order_id}" if clock.order_id else f"case/{clock.case_id}/{clock.started.isoformat()}"
    key = f"{own}/{clock.clock}/{level}"
    announce(
        conn,
        card,
        [reached.org_id],
        values,
        key=key,
        now=now,
        case_id=case.case_id,
        order_id=clock.order_id,
        urgent=case.life_safety,
        people=reached.persons,
    )
    for person in reached.persons:
        language = chains.language(person)
        own_words = (
            values | {"title": case.title_en, "clock": CLOCKS[clock.clock]["en"]} if language == "en" else values
        )
        text = render(card, language, own_words)
        row = {
            "dedup_key": f"{key}/person/{person}",
            "case_id": case.case_id,
            "order_id": clock.order_id,
            "person": person,
            "channel": IN_APP,
            "language": language,
            "title": text.title,
            "body": text.body,
            "now": now,
        }
        conn.execute(_sql("tell_person"), row)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/escalation.sql")[name]
