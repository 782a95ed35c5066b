"""What the gateway stamps when its clock is set, what it knows of its skew, and that 2036 leaves no trace."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.conftest import Site, make_spool, wait_until
from tests.gateway.test_spool import put, reading, stored, values
from watchkeep_core import messages, topics
from watchkeep_core.messages import Ack
from watchkeep_gateway.config import SpoolTable
from watchkeep_gateway.server_clock import KEPT, ServerClock
from watchkeep_gateway.spool_file import open_spool
from watchkeep_gateway.stamps import BELIEVE_AFTER_MS, FOLLOW_MS, StampClock

T = 1_790_000_000_000.0
YEAR_MS = 365 * 86_400_000.0
MINUTE_MS = 60_000.0


@dataclass
class Machine:
    """A wall clock that can be set, and an uptime that cannot."""

    wall_ms: float = T
    uptime_ms: float = 5_000.0
    right: bool = False
    """Whether somebody vouches for the wall clock."""

    def passes(self, ms: float) -> None:
        self.wall_ms += ms
        self.uptime_ms += ms

    def clock(self) -> StampClock:
        return StampClock(lambda: self.right, wall_ms=lambda: self.wall_ms, uptime_ms=lambda: self.uptime_ms)


def test_undisturbed_a_stamp_is_the_wall_clock() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(100):
        machine.passes(1234.0)
        machine.wall_ms += 3  # drift, as a time service removes it
        assert clock.now_ms() == machine.wall_ms
    assert clock.lead_ms == 0


def test_set_back_a_little_stamps_go_on_at_half_speed_until_the_clock_has_caught_up() -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock.now_ms()
    machine.wall_ms -= 2 * MINUTE_MS
    stamps = [before]
    for _ in range(300):
        machine.passes(1000.0)
        stamps.append(clock.now_ms())
    steps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    assert set(steps[1:240]) == {500}, "never back, never twice the same"
    assert set(steps[241:]) == {1000}
    assert stamps[-1] == machine.wall_ms


def test_set_back_by_hours_stamps_follow_at_once() -> None:
    """What was stamped so far ahead is in quarantine; to wait for hours would be another wrong time."""
    machine = Machine()
    clock = machine.clock()
    machine.wall_ms -= 3 * 60 * MINUTE_MS
    assert clock.now_ms() == machine.wall_ms


def test_a_jump_to_2036_and_back_leaves_no_trace() -> None:
    machine = Machine()
    clock = machine.clock()
    truth = machine.wall_ms
    machine.wall_ms += 10 * YEAR_MS
    for _ in range(120):
        machine.passes(1000.0)
        truth += 1000.0
        assert clock.now_ms() == truth
    machine.wall_ms -= 10 * YEAR_MS
    for _ in range(5):
        machine.passes(1000.0)
        truth += 1000.0
        assert clock.now_ms() == truth
    assert clock.lead_ms == 0


def test_a_jump_ahead_is_believed_when_someone_vouches_or_when_it_lasts() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall_ms += YEAR_MS
    assert clock.now_ms() == T
    machine.right = True
    assert clock.now_ms() == machine.wall_ms

    machine = Machine()
    clock = machine.clock()
    machine.wall_ms += YEAR_MS
    machine.passes(BELIEVE_AFTER_MS - 1000)
    assert clock.now_ms() == T + BELIEVE_AFTER_MS - 1000
    machine.passes(BELIEVE_AFTER_MS)
    assert clock.now_ms() == machine.wall_ms
    machine.wall_ms -= YEAR_MS
    assert clock.now_ms() == machine.wall_ms, "and back again"


def test_a_restart_after_the_clock_was_set_back_goes_on_from_the_newest_message() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.go_on_from(int(T + MINUTE_MS))
    machine.passes(1000.0)
    assert clock.now_ms() == T + MINUTE_MS + 500
    clock = machine.clock()
    clock.go_on_from(int(machine.wall_ms + YEAR_MS))  # that one was wrong, not this
    assert clock.now_ms() == machine.wall_ms


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(-2 * YEAR_MS, 2 * YEAR_MS) | st.floats(-1e6, 1e6), st.booleans()),
        max_size=30,
    )
)
def test_stamps_never_go_back_into_what_a_series_may_hold(moves: list[tuple[float, float, bool]]) -> None:
    machine = Machine(wall_ms=T + 5 * YEAR_MS)
    clock = machine.clock()
    last = clock.now_ms()
    for passes, jump, right in moves:
        machine.passes(passes)
        machine.wall_ms += jump
        machine.right = right
        stamp = clock.now_ms()
        assert stamp >= last or last - machine.wall_ms > FOLLOW_MS - 1
        assert stamp <= machine.wall_ms + FOLLOW_MS + 1 or stamp >= last
        last = stamp


def server_clock(machine: Machine) -> ServerClock:
    return ServerClock(lambda: machine.wall_ms, lambda: machine.uptime_ms)


def test_the_offset_to_the_server_is_measured_on_acks_within_half_the_trip() -> None:
    machine = Machine()
    clock = server_clock(machine)
    assert not clock.agrees_within(1e12)
    for seq, (there, back) in enumerate([(200.0, 200.0), (10.0, 30.0), (500.0, 5.0)]):
        clock.published("e", seq)
        machine.passes(there)
        server = machine.wall_ms - 7_000
        machine.passes(back)
        clock.acked("e", seq, server)
    offset = clock.offset
    assert offset
    assert (offset.offset_ms, offset.error_ms) == (7_000 + 10.0, 20.0)
    assert abs(offset.offset_ms - 7_000) <= offset.error_ms
    assert clock.agrees_within(10_000)
    assert not clock.agrees_within(7_020)


def test_what_was_measured_before_the_clock_was_set_does_not_count() -> None:
    machine = Machine()
    clock = server_clock(machine)
    clock.published("e", 0)
    clock.acked("e", 0, machine.wall_ms)
    assert clock.agrees_within(1)
    machine.wall_ms += YEAR_MS
    assert not clock.agrees_within(1e12), "else the old agreement would vouch for 2036"
    clock.published("e", 1)
    machine.wall_ms -= YEAR_MS
    clock.acked("e", 1, machine.wall_ms)
    assert clock.agrees_within(0), "the one before the jump is right again, the one across it is not taken"
    clock.acked("e", 99, 0.0)  # not ours, or long ago
    for seq in range(2, 2 + 2 * KEPT):
        clock.published("e", seq)
        machine.passes(100)
        clock.acked("e", seq, machine.wall_ms)
    offset = clock.offset
    assert offset
    assert offset.error_ms == 50


def test_a_clock_that_nobody_vouches_for_throws_nothing_away(folder: Path) -> None:
    now = [int(T)]
    trusted = [False]
    table = SpoolTable(max_age_days=30, min_free_bytes=0)
    spool = make_spool(folder, table=table, clock_ms=lambda: now[0], clock_trusted=lambda: trusted[0])
    put(spool, 0, 1)
    now[0] += int(10 * YEAR_MS)  # a restart with a dead battery: the first transaction would drop everything
    put(spool, 2)
    assert spool.lanes["data"].messages == 3
    now[0] -= int(10 * YEAR_MS)
    trusted[0] = True
    put(spool, 3)
    assert values(folder) == [0.0, 1.0, 2.0, 3.0]
    now[0] += 31 * 86_400_000
    put(spool, 4)
    spool.close()
    # The one stamped 2036 is young for ever: only the size bound ends it, and what came behind it.
    assert values(folder) == [2.0, 3.0, 4.0]


def test_the_newest_message_is_known_at_a_start(folder: Path) -> None:
    spool = make_spool(folder, clock_ms=lambda: int(T))
    put(spool, 0)
    spool.close()
    opened = open_spool(folder, topics.GatewayRef("c1", "g1"))
    assert opened.newest_ms == T
    opened.close()


def test_a_heartbeat_or_resend_never_stamps_an_old_value_anew(folder: Path) -> None:
    """The stamp is the driver's, of the moment it read; the spool keeps it whatever its own clock says."""
    now = [int(T)]
    spool = make_spool(folder, clock_ms=lambda: now[0])
    now[0] += int(YEAR_MS)
    put(spool, 7)
    spool.close()
    ((_, body),) = stored(folder, "data")
    assert isinstance(body, messages.Data)
    assert body.t0 == reading(7).t_ms


@pytest.mark.slow
def test_the_birth_tells_skew_once_an_ack_told_the_servers_time(site: Site) -> None:
    ingest = site.ingest(acking=False)
    gateway = site.start()
    wait_until(lambda: ingest.births)
    assert ingest.births[-1].clock.server_offset_ms is None
    put(gateway.spool, 0)
    wait_until(lambda: ingest.seqs("data"))
    epoch = gateway.spool.lanes["data"].epoch
    server_ms = gateway._stamps.now_ms() - 90_000  # our clock is 90 s ahead of the server's
    ack = messages.encode(Ack(epoch=epoch, seq=0, t=server_ms))
    ingest.publish("data", topics.ack(topics.GatewayRef("c1", "g1"), "data"), ack)
    wait_until(lambda: ingest.births[-1].clock.server_offset_ms is not None)
    clock = ingest.births[-1].clock
    assert clock.server_offset_ms == pytest.approx(90_000, abs=5_000)
    assert clock.server_error_ms is not None
    assert clock.server_error_ms < 5_000
    assert clock.source in ("kernel", "unknown")
    assert clock.stamp_lead_ms == 0


def test_the_gateway_reports_its_own_state_where_it_is_registered_as_equipment(site: Site) -> None:
    text = site.config_file.read_text(encoding="utf-8")
    site.config_file.write_text(text.replace('id = "g1"\n', 'id = "g1"\nequipment = "gateway-1"\n'), encoding="utf-8")
    ingest = site.ingest()
    gateway = site.start()
    wait_until(lambda: ingest.births and len(ingest.readings()) >= 2)
    found = {metric: value for equipment, metric, _, value in ingest.readings() if equipment == "gateway-1"}
    assert found["spool_depth"] == 0
    assert 0 <= found["disk_free"] <= 100
    declared = {(point.equipment, point.metric): point.period_s for point in ingest.births[-1].points}
    assert declared["gateway-1", "clock_offset"] == 60.0
    assert all(driver.alive for driver in gateway.drivers)
