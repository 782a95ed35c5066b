"""A process with a dead or stuck thread ends, so that its supervisor can start it again."""

import ctypes
import threading

import psycopg
import pytest

from tests.brokers import until
from tests.conftest import Database
from tests.ingest.fleet import Fleet, broker_at, register, running, shares
from watchkeep_core.service import Stop
from watchkeep_ingest.intake import Intake, Limits
from watchkeep_ingest.sessions import Access, Session
from watchkeep_ingest.watchdog import EXIT_CODE, Watchdog


def test_what_is_wrong_twice_in_a_row_ends_the_process():
    looks = iter([{"a"}, {"b"}, set(), {"b"}, {"a", "b"}])
    ended: list[int] = []
    Watchdog(lambda: next(looks), Stop(), 0.0, ended.append)._run()
    assert ended == [EXIT_CODE]
    assert next(looks, None) is None


@pytest.mark.slow
def test_a_stuck_writer_ends_the_process_and_nothing_is_lost(estate: Database, tmp_path):
    """Its COPY waits for a lock that nobody gives back."""
    register(estate)
    with broker_at(tmp_path) as broker, running(estate, broker.url, stuck_s=6) as process:
        shares(estate, [16])
        fleet = Fleet(broker, 5)
        try:
            fleet.ready()
            with psycopg.connect(estate.admin_url) as conn:
                conn.execute("LOCK TABLE readings IN ACCESS EXCLUSIVE MODE")
                fleet.send()
                assert process.wait(60) == EXIT_CODE
            with running(estate, broker.url):
                fleet.insist()
        finally:
            fleet.close()
    fleet.check(estate)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_session_whose_thread_is_dead_is_seen(tmp_path):
    with broker_at(tmp_path) as broker:
        session = Session(Access(broker.address, "only-in-tests", 20), "data", 0, Intake(2**20, Limits(0, 10, 2**20)))
        [thread] = [each for each in threading.enumerate() if "ingest-data-0" in each.name]
        assert not session.is_zombie
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        until(lambda: session.is_zombie)
        assert not thread.is_alive()
        session.close()
