"""A small estate and a hand-fed writer for the tests of ingest: real PostgreSQL, no broker."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psycopg

from watchkeep_core import estate as e
from watchkeep_core import topics
from watchkeep_core.database import OWNER, connect
from watchkeep_core.messages import Birth, ClockState, Data, Event, Message, PointDeclaration, State, declare, encode
from watchkeep_core.service import Stop
from watchkeep_core.topics import GatewayRef, Lane
from watchkeep_ingest.accounts import audit
from watchkeep_ingest.data_lane import DataLane
from watchkeep_ingest.event_lane import EventLane
from watchkeep_ingest.flood import FloodGuard
from watchkeep_ingest.incoming import Incoming, decode
from watchkeep_ingest.intake import Intake, Limits
from watchkeep_ingest.lane import LaneWork
from watchkeep_ingest.outbox import MemoryOutbox
from watchkeep_ingest.status import Notes
from watchkeep_ingest.writer import Writer

LIVE = GatewayRef("alpha", "g1")
SECOND = GatewayRef("alpha", "g2")
TAPE = GatewayRef("tape", "g1")
POINTS = [("pump-1", "discharge_pressure", "kPa"), ("pump-1", "pump_frequency", "Hz")]
SECOND_POINTS = [("pump-2", metric, unit) for _, metric, unit in POINTS]
CAP = 3


def small_community(name: str, mode: Any, gateways: Sequence[str]) -> e.Community:
    """Each gateway has a pump."""
    pumps = [
        e.Equipment(
            equipment_id=f"pump-{number}",
            kind="supply_pump",
            name=f"{number}号泵",
            metrics=[metric for _, metric, _ in POINTS],
            gateway_id=gateway,
        )
        for number, gateway in enumerate(gateways, 1)
    ]
    return e.Community(
        community_id=name,
        name=name,
        area_id="city",
        mode=mode,
        gateways=[e.Gateway(gateway_id=gateway) for gateway in gateways],
        equipment=pumps,
    )


def small_estate() -> e.Estate:
    return e.Estate(
        areas=[e.Area(area_id="city", kind="city", name="荣成市")],
        communities=[small_community("alpha", "live", ["g1", "g2"]), small_community("tape", "replay", ["g1"])],
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def birth(points: Sequence[tuple[str, str, str]] = POINTS, epoch: str = "e1", software: str = "test 1") -> Birth:
    declared = [PointDeclaration(alias=n, equipment=q, metric=m, unit=u) for n, (q, m, u) in enumerate(points)]
    return Birth(
        software=software,
        data_epoch=epoch,
        event_epoch="v1",
        clock=ClockState(synchronised=True),
        equipment=declare(declared),
    )


def data(values: Sequence[float], *, alias: int = 0, t0: int | None = None, floor: int = 0) -> Data:
    """One reading per 10 ms of one alias."""
    return Data(
        floor=floor,
        t0=now_ms() - 1000 if t0 is None else t0,
        alias=[alias] * len(values),
        dt_ms=[10 * n for n in range(len(values))],
        value=list(values),
    )


def event(condition: str = "entrapment", *, t: int | None = None, floor: int = 0, **more: Any) -> Event:
    row = {"equipment": "lift-1", "active": True, **more}
    return Event(floor=floor, t=now_ms() if t is None else t, condition=condition, **row)


@dataclass
class World:
    """One worker's two writers on a database, fed by hand; `acked` = topics acknowledged to the broker, in order."""

    ingest_url: str
    admin_url: str
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    acked: list[str] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    _topics: list[str] = field(default_factory=list)
    _now_s: float = 0.0

    def __post_init__(self) -> None:
        with connect(self.admin_url, "test", role=OWNER) as conn:
            e.save(conn, small_estate())
        self.restart()

    def restart(self, guard: FloodGuard | None = None) -> None:
        """Forget everything in memory, as a new process."""
        self.close()
        self.guard = guard or FloodGuard(0)
        self.notes = Notes()
        data_lane = DataLane(CAP, self.notes, self.guard)
        self.works: dict[Lane, LaneWork] = {"data": data_lane, "event": EventLane(self.notes)}
        self.writers = {lane: self._writer(work) for lane, work in self.works.items()}

    def _writer(self, work: LaneWork) -> Writer:
        intake = Intake(2**20, Limits(0, 1000, 2**20))
        return Writer(work, intake, self.outbox, lambda: connect(self.ingest_url, "test", autocommit=True), self.stop)

    def close(self) -> None:
        for writer in getattr(self, "writers", {}).values():
            writer.close()

    def message(self, source: GatewayRef, content: Message | bytes, seq: int = 0, epoch: str = "") -> Incoming:
        """As the session of its lane would enqueue it; bytes are the payload of a data message."""
        lane: Lane = "event" if isinstance(content, Event | State) else "data"
        if isinstance(content, Birth):
            topic = topics.birth(source)
        elif isinstance(content, State):
            topic = topics.state(source)
        else:
            topic = topics.message(source, lane, epoch or ("v1" if lane == "event" else "e1"), seq)
        payload = content if isinstance(content, bytes) else encode(content)
        return self.raw(topic, payload, lane, topics.partition_of(source.community))

    def raw(self, topic: str, payload: bytes, lane: Lane = "data", partition: int = 0) -> Incoming:
        self._topics.append(topic)
        return Incoming(
            lane, partition, topic, payload, time.time_ns() // 1000, len(self._topics) - 1, self._acknowledge
        )

    def _acknowledge(self, mids: Sequence[int]) -> None:
        self.acked += [self._topics[mid] for mid in mids]

    def feed(self, *incoming: Incoming) -> None:
        """Commit as one batch, then whatever waits."""
        lane = incoming[0].lane
        self.writers[lane].commit([decode(each) for each in incoming])
        while self.works[lane].waiting():
            self.writers[lane].resume()
            assert not self.writers[lane]._failing

    def flush_notes(self) -> None:
        """What the keeper does, a window later each time."""
        self._now_s += 61.0
        with connect(self.ingest_url, "test", autocommit=True) as conn:
            self.notes.flush(conn, self._now_s)

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.admin_url) as conn:
            return conn.execute(query, list(arguments)).fetchall()

    def values(self) -> list[float]:
        return [value for (value,) in self.rows("SELECT value FROM readings ORDER BY series_id, ts, value")]

    def audit(self) -> dict[str, Any]:
        with connect(self.ingest_url, "test") as conn:
            return audit(conn)

    def counts(self, lane: Lane = "data") -> dict[str, int]:
        """The lane's accounts that are not 0; the identities hold at every look."""
        found = self.audit()
        assert found["ok"], found
        accounts = found["lanes"].get(lane, {})
        return {name: count for name, count in accounts.items() if count and not name.endswith("_ok")}

    def last_ack(self, source: GatewayRef = LIVE, lane: Lane = "data") -> int | None:
        sent = self.outbox.of(topics.ack(source, lane))
        return msgspec.json.decode(sent[-1])["seq"] if sent else None

    def dead(self) -> list[str]:
        return [reason for (reason,) in self.rows("SELECT reason FROM dead_letters ORDER BY dead_letter_id")]
