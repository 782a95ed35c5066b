"""What breaks inside a gateway is told, kept or healed; nothing goes on as if it had not happened."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import PASSWORD, REF, Site, make_spool, wait_until
from tests.gateway.test_spool import event, put, values
from watchkeep_core import topics
from watchkeep_core.broker import BrokerAddress, BrokerUnreachable, PublishRefused, Received, TooManyOutstanding
from watchkeep_core.errors import WatchkeepError
from watchkeep_core.messages import Cmd, encode
from watchkeep_gateway import clock_state, status_table
from watchkeep_gateway.errors import LineDead, SpoolFailed
from watchkeep_gateway.lane_sender import LaneSender, SenderCounts
from watchkeep_gateway.line import Line, Login
from watchkeep_gateway.presence import UplinkRules
from watchkeep_gateway.service import Gateway
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.spool_file import NAME
from watchkeep_gateway.spool_reader import SpoolReader, status
from watchkeep_gateway.uplink import MAX_COMMANDS_WAITING, Uplink
from watchkeep_gateway.values import Delivery

COUNTS = SenderCounts(published=lambda: None, refused=lambda: None, resent=lambda: None)
NOBODY = Login(BrokerAddress("127.0.0.1", 1), REF.user, PASSWORD)


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    made = make_spool(folder)
    yield made
    made.close()


class Broker:
    """Takes what is published, or says why not."""

    def __init__(self) -> None:
        self.took: list[str] = []
        self.says: BaseException | None = None

    def publish(self, topic: str, _payload: bytes) -> "Future[None]":
        if self.says:
            raise self.says
        self.took.append(topic)
        done: Future[None] = Future()
        done.set_result(None)
        return done


def sender_of(spool: Spool, folder: Path, refused: list[int]) -> tuple[LaneSender, SpoolReader]:
    reader = SpoolReader(folder)
    counts = SenderCounts(published=lambda: None, refused=lambda: refused.append(1), resent=lambda: None)
    sender = LaneSender("data", REF, reader, resend_after_s=60, pace=None, counts=counts, wake=lambda: None)
    sender.restart(spool.lanes["data"], 0.0)
    return sender, reader


@pytest.mark.parametrize(
    "says", [BrokerUnreachable("gone"), TooManyOutstanding("full"), PublishRefused("t", "too large")]
)
def test_what_cannot_be_published_is_published_later_and_in_its_order(
    spool: Spool, folder: Path, says: WatchkeepError
) -> None:
    put(spool, 0, 1)
    broker, refused = Broker(), list[int]()
    sender, reader = sender_of(spool, folder, refused)
    broker.says = says
    assert not sender.step(spool.lanes["data"], 1.0, broker.publish)
    broker.says = None
    sender.step(spool.lanes["data"], 2.0, broker.publish)
    sender.step(spool.lanes["data"], 4.0, broker.publish)  # a refusal is waited out, a lost line is not
    reader.close()
    epoch = spool.lanes["data"].epoch
    assert broker.took == [topics.message(REF, "data", epoch, seq) for seq in (0, 1)]
    assert refused == ([1] if isinstance(says, PublishRefused) else [])


def uplink_of(spool: Spool, folder: Path) -> tuple[Uplink, Line]:
    """Not started: nobody takes what is left for it."""
    line = Line(NOBODY)
    counts = dict.fromkeys(topics.LANES, COUNTS)
    return Uplink(line, spool, SpoolReader(folder), UplinkRules(REF, "test"), counts, clock_state.clock_state), line


def received(topic: str, payload: bytes) -> Received:
    return Received(topic, payload, 1, 1, 0, retain=False, duplicate=False)


def test_a_flood_of_commands_is_bounded(spool: Spool, folder: Path) -> None:
    uplink, line = uplink_of(spool, folder)
    flood = MAX_COMMANDS_WAITING + 20
    for _ in range(flood):
        uplink._receive(received(topics.cmd(REF), encode(Cmd(action="rebirth"))))
    assert len(uplink._commands) == MAX_COMMANDS_WAITING
    assert len(line._early) == flood  # each is acknowledged all the same
    uplink._reader.close()


def test_an_ack_that_is_none_is_acknowledged_and_changes_nothing(spool: Spool, folder: Path) -> None:
    uplink, line = uplink_of(spool, folder)
    uplink._receive(received(topics.ack(REF, "data"), b'{"epoch":'))
    assert uplink._acks == {}
    assert len(line._early) == 1
    uplink._reader.close()


def ends_by_itself(site: Site, gateway: Gateway, error: type[WatchkeepError], why: str) -> None:
    """And the supervisor starts it again."""
    wait_until(lambda: gateway._closed)
    with pytest.raises(error, match=why):
        site.stop()
    site._stack.pop_all()


def test_a_failed_spool_ends_the_process(site: Site) -> None:
    gateway = site.start()
    gateway.spool.failure = SpoolFailed("the disk is gone")
    ends_by_itself(site, gateway, SpoolFailed, "the disk is gone")


def test_a_line_that_will_never_come_back_ends_the_process(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = site.start()
    monkeypatch.setattr(Line, "dead", True)
    ends_by_itself(site, gateway, LineDead, "uplink")


def test_a_dead_thread_ends_the_process(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = site.start()
    monkeypatch.setattr(Uplink, "alive", False)
    ends_by_itself(site, gateway, SpoolFailed, "a thread of the gateway has ended")


def test_the_power_went_between_making_the_file_and_its_tables(folder: Path) -> None:
    folder.mkdir()
    (folder / NAME).touch()
    spool = make_spool(folder)
    put(spool, 7)
    spool.close()
    assert values(folder) == [7.0]
    assert not list(folder.glob(f"{NAME}.2*"))


def test_a_file_of_something_else_is_set_aside_whole(folder: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / NAME) as other:
        other.execute("CREATE TABLE of_somebody (n INTEGER)")
        other.execute("INSERT INTO of_somebody VALUES (42)")
    other.close()
    spool = make_spool(folder)
    put(spool, 7)
    spool.close()
    (aside,) = folder.glob(f"{NAME}.2*")
    with sqlite3.connect(aside) as other:
        assert other.execute("SELECT n FROM of_somebody").fetchall() == [(42,)]
    other.close()
    assert values(folder) == [7.0]
    assert status(folder)["lanes"]["event"]["messages"] == 1, "the loss is told"


def test_a_machine_without_the_kernel_s_clock_says_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    class Libc:
        def __init__(self, answer: int | BaseException) -> None:
            self._answer = answer

        def adjtimex(self, _timex: Any) -> int:
            if isinstance(self._answer, BaseException):
                raise self._answer
            return self._answer

    for answer in (-1, OSError("not permitted"), AttributeError("no such call")):
        monkeypatch.setattr(clock_state, "_libc", lambda answer=answer: Libc(answer))
        assert clock_state.clock_state().source == "unknown"
        assert not clock_state.clock_state().synchronised
    monkeypatch.setattr(clock_state, "_libc", lambda: Libc(0))  # synchronised, and nothing to add
    assert clock_state.clock_state().synchronised
    assert clock_state.clock_state().offset_ms == 0


def test_status_shows_people_what_is_wrong(spool: Spool, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool.note_link("panel-1", False, "no answer [bold]since noon[/bold]")
    spool.put(Delivery(events=(event(0),))).result(60)
    found = status(folder) | {
        "telemetry_lost": True,
        "unmapped": 3,
        "clock": {
            "synchronised": False,
            "offset_ms": 1.5,
            "server_offset_ms": -2500.0,
            "server_error_ms": 30.0,
            "stamp_lead_ms": 90_000.0,
        },
        "file_bytes": 3_400_000_000,
    }
    status_table.show(found)
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "never let in",
        "NOT SYNCHRONISED, +1.5 ms to its time source, -2500 ms to the server (± 30), was set",
        "+90.0 s off",
        "3.4 GB on disk",
        "3 names that no row maps",
        "deleted before the database had it",
        "DOWN",
        "[bold]since noon[/bold]",
    ):
        assert words in shown, words
