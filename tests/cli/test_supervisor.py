"""The supervisor restarts what ends, gives up on nothing, and stops all."""

import time

import pytest

from watchkeep_cli import supervisor as s


@pytest.fixture
def supervisor():
    watched = s.Supervisor()
    yield watched
    watched.stop()


def test_what_ends_is_restarted_and_its_last_words_are_known(tmp_path, supervisor, monkeypatch):
    monkeypatch.setattr(s, "RESTART_FIRST_S", 0.01)
    failing = s.Service("failing", ["no-such-command"], {}, tmp_path / "failing.log", wait_s=0.01)
    supervisor.start(failing)
    assert failing.process is not None
    failing.process.wait(60)
    with pytest.raises(s.ServiceFailed, match=r"failing did not start: .*no-such-command"):
        supervisor.require_alive()
    deadline = time.monotonic() + 30
    while failing.restarts < 1 and time.monotonic() < deadline:
        supervisor.watch()
        time.sleep(0.02)
    assert failing.restarts >= 1
    assert failing.process.pid > 0


def test_a_service_that_fails_at_once_is_tried_ever_more_rarely(tmp_path, supervisor):
    failing = s.Service("failing", ["no-such-command"], {}, tmp_path / "failing.log")
    waits = []
    for _ in range(8):
        failing.started = time.monotonic()
        supervisor._plan_restart(failing, time.monotonic())
        waits.append(failing.wait_s)
    assert waits == sorted(waits)
    assert waits[-1] == s.RESTART_MOST_S
