"""A small disk that is really full: oldest telemetry goes as an exact gap, events stay, and it heals by itself."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.conftest import make_spool, wait_until
from tests.gateway.test_spool import event, reading, stored
from watchkeep_core.errors import SettingsError
from watchkeep_core.messages import Event
from watchkeep_gateway.config import SpoolTable
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.spool_file import RESERVE, RESERVE_BYTES
from watchkeep_gateway.values import Delivery, Readings

pytestmark = pytest.mark.slow  # mounts a file system and fills it

DISK_BYTES = 24_000_000
BOUNDLESS = SpoolTable(max_bytes=10**9, min_free_bytes=0)
"""So that nothing but the disk itself ends it."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Somebody else takes the rest of the disk."""
    file = disk / "ballast"
    with file.open("wb") as handle:
        try:
            while True:
                left = os.statvfs(disk)
                size = min(1_000_000, left.f_bavail * left.f_frsize - leave)
                if size <= 0:
                    break
                handle.write(bytes(size))
                handle.flush()
        except OSError:
            pass
    return file


def pour(spool: Spool, blocks: int, start: int = 0) -> None:
    for block in range(start, start + blocks):
        readings = Readings.of(reading(block * 5000 + n, value=n / 7) for n in range(5000))
        spool.put(Delivery(readings)).result(60)


def test_telemetry_makes_room_for_itself_and_the_gap_is_exact(disk: Path) -> None:
    spool = make_spool(disk / "spool", table=BOUNDLESS)
    spool.put(Delivery(events=(event(0),))).result(60)
    pour(spool, 120)  # 120 × 5,000 readings are more than the disk holds
    spool.put(Delivery(events=(event(1),))).result(60)
    state = spool.lanes["data"]
    spool.close()
    assert state.next_seq - state.floor == state.messages < 120
    assert state.floor > 0
    found = [body for _, body in stored(disk / "spool", "event") if isinstance(body, Event)]
    assert [body.condition for body in found if body.condition != "telemetry_lost"] == ["ucm", "ucm"]
    told = [body for body in found if body.condition == "telemetry_lost"]
    assert told[0].attributes["first_seq"] == 0
    assert [seq for seq, _ in stored(disk / "spool", "data")] == list(range(state.floor, state.next_seq))


def test_a_disk_that_others_have_filled_refuses_loudly_and_heals_when_space_returns(disk: Path) -> None:
    spool = make_spool(disk / "spool", table=BOUNDLESS)
    spool.put(Delivery(events=(event(0),))).result(60)
    assert (disk / "spool" / RESERVE).stat().st_size == RESERVE_BYTES
    ballast = fill(disk)
    burst = [spool.put(Delivery(events=(event(number),))) for number in range(1, 500)]
    for future in burst:
        future.result(60)  # the reserve is for them
    assert not (disk / "spool" / RESERVE).exists()
    fill(disk)
    waiting = [spool.put(Delivery(Readings.of(reading(n) for n in range(5000)))) for _ in range(80)]
    late = [spool.put(Delivery(events=(event(1000 + number, raw_code="x" * 200),))) for number in range(900)]
    wait_until(lambda: not spool.writing)
    assert not all(future.done() for future in waiting + late)
    assert spool.alive
    assert spool.failure is None, "it waits, it does not crash"
    ballast.unlink()
    for future in waiting + late:
        future.result(60)
    assert spool.writing
    spool.close()
    assert [seq for seq, _ in stored(disk / "spool", "event")] == list(range(1400))
    assert len(stored(disk / "spool", "data")) + spool.lanes["data"].floor == spool.lanes["data"].next_seq


def test_a_start_on_a_full_disk_works_and_makes_room(disk: Path) -> None:
    spool = make_spool(disk / "spool", table=BOUNDLESS)
    pour(spool, 20)
    spool.close()
    fill(disk)
    spool = make_spool(disk / "spool", table=BOUNDLESS, declared={("lift-7", "car_floor", "count"): None})
    assert ("lift-7", "car_floor", "count") in spool.aliases
    spool.put(Delivery(events=(event(0),))).result(60)
    pour(spool, 10, 20)
    state = spool.lanes["data"]
    spool.close()
    assert state.next_seq - state.floor == state.messages


def test_a_first_start_on_a_full_disk_says_so_in_one_line(disk: Path) -> None:
    fill(disk)
    with pytest.raises(SettingsError, match=r"spool_dir: .*(No space left|full)"):
        make_spool(disk / "spool")


def test_a_start_on_a_disk_without_any_room_waits_instead_of_crashing(disk: Path) -> None:
    make_spool(disk / "spool", table=BOUNDLESS).close()
    ballast = fill(disk)
    (disk / "spool" / RESERVE).unlink(missing_ok=True)
    fill_more = disk / "more"
    with fill_more.open("wb") as handle:
        left = os.statvfs(disk)
        handle.write(bytes(max(0, left.f_bavail * left.f_frsize - 65_536)))  # the WAL's index must be made
    spool = make_spool(
        disk / "spool", table=BOUNDLESS, declared={(f"lift-{n}", "car_floor", "count"): None for n in range(2000)}
    )
    assert not spool.writing
    ballast.unlink()
    spool.put(Delivery(events=(event(0),))).result(60)
    assert len(spool.aliases) == 2000
    spool.close()
