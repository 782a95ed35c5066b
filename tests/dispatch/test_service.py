"""The service as a whole: a warning becomes a sent notification, the trail is sealed, it stops, it survives."""

import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import structlog
from psycopg import sql
from typer.testing import CliRunner

from tests.conftest import Database
from tests.dispatch.conftest import NOW, World, eventually, standard_rules
from watchkeep_core import settings
from watchkeep_core.database import DatabaseUnavailable
from watchkeep_core.errors import SettingsError
from watchkeep_core.service import Stop
from watchkeep_dispatch import metrics, service
from watchkeep_dispatch.commands import app
from watchkeep_dispatch.errors import JobsMissing
from watchkeep_dispatch.lanes import Lanes
from watchkeep_dispatch.loops import Loop
from watchkeep_dispatch.rounds import file_waiting
from watchkeep_dispatch.settings import DispatchSettings


def configured(url: str, **more) -> DispatchSettings:
    return settings.load(DispatchSettings, {}, database_url=url, **more)


@contextmanager
def running(world: World, **more) -> Iterator[threading.Thread]:
    stop = Stop()
    found = configured(world.database.url("watchkeep_dispatch"), **more)
    thread = threading.Thread(target=service.run, args=(found, stop), daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return str(answer.read().decode())


def missing(port: int) -> list[str] | None:
    """What /health says; None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            found = json.load(error)
    except OSError:
        return None
    return list(found["missing"])


@pytest.mark.slow
def test_from_warning_to_notification_with_metrics_and_health(world: World, unused_port: int) -> None:
    before = metrics.CASES.labels("A")._value.get()
    with running(world, health_port=unused_port):
        world.warn("lift-1", "entrapment", at=datetime.now(UTC))
        eventually(lambda: world.value("SELECT count(*) FROM notifications WHERE status = 'sent'") == 2)
        eventually(
            lambda: world.value("SELECT count(*) FROM audit_seals") == world.value("SELECT count(*) FROM audit_entries")
        )
        eventually(lambda: missing(unused_port) == [])
        eventually(lambda: "watchkeep_dispatch_oldest_unfiled_seconds 0.0" in scraped(unused_port))
        text = scraped(unused_port)
    assert metrics.CASES.labels("A")._value.get() == before + 1
    assert 'watchkeep_dispatch_verdicts_total{rule="at_once",verdict="filed"}' in text


@pytest.mark.slow
def test_nothing_is_well_before_its_first_turn() -> None:
    nobody, stop = "postgresql://x@127.0.0.1:1/y", Stop()
    assert not Loop(nobody, "rounds", "watchkeep", 1.0, lambda: False).healthy()
    lanes = Lanes(configured(nobody), "critical", stop)
    lanes.start()
    try:
        assert not lanes.healthy()
    finally:
        lanes.stop()


@pytest.mark.slow
def test_it_survives_the_loss_of_its_database(own_world: World) -> None:
    with running(own_world):
        own_world.warn("lift-1", "entrapment", at=datetime.now(UTC))
        eventually(lambda: own_world.value("SELECT count(*) FROM notifications WHERE status = 'sent'") == 2)
        name = own_world.value("SELECT current_database()")
        with own_world.admin() as conn:
            conn.autocommit = True
            conn.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 0").format(sql.Identifier(name)))
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'watchkeep_dispatch'")
            errors = metrics.LOOP_ERRORS.labels("rounds")._value
            eventually(lambda: errors.get() >= 1)
            conn.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT -1").format(sql.Identifier(name)))
        own_world.warn("lift-2", "entrapment", at=datetime.now(UTC))
        eventually(lambda: own_world.value("SELECT count(*) FROM notifications WHERE status = 'sent'") == 4, 60)


def test_a_warning_that_cannot_be_judged_holds_up_no_other(world: World) -> None:
    with world.admin() as conn:  # an organisation that has gone: the order cannot be written
        conn.execute("ALTER TABLE orders ADD CHECK (org_id <> 'builder')")
    bad = world.warn("lift-2", "door_close_fail")
    world.warn("lift-1", "door_close_fail")
    with world.connect() as conn:
        assert file_waiting(conn, lambda: NOW, standard_rules(), 10) == 2
    assert world.rows("SELECT warning_id FROM unjudged") == [(bad,)]
    assert world.rows("SELECT equipment_id FROM cases") == [("lift-1",)]
    with world.admin() as conn:
        conn.execute("ALTER TABLE orders DROP CONSTRAINT orders_org_id_check")
    with world.connect() as conn:
        assert file_waiting(conn, lambda: NOW + timedelta(seconds=61), standard_rules(), 10) == 1
    assert world.value("SELECT count(*) FROM cases") == 2


def test_an_unreachable_database_or_a_missing_queue_is_one_clear_line(world: World, database: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"database 127\.0\.0\.1:1"):
        service.run(configured("postgresql://x@127.0.0.1:1/y"), Stop())
    with pytest.raises(JobsMissing, match="watchkeep db migrate"):
        service.run(configured(database.url("watchkeep_dispatch")), Stop())


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"work_hours": "9 to 5"}, "work_hours: .*HH:MM"),
        ({"timezone": "Mars/Olympus"}, "timezone: .*Mars"),
        ({"auto_file_b_s": -1}, "auto_file_b_s"),
        ({"poll_s": 5}, "poll_s"),
    ],
)
def test_wrong_settings_are_refused_by_name(values, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        configured("postgresql://x@y/z", **values)


def command(world: World, *arguments: str, fails: bool = False, text: bool = False, prints: bool = True):
    """What a verb prints, as JSON or `text`; of one that `fails`, what it says."""
    url = world.database.url("watchkeep_dispatch")
    root = logging.getLogger()
    handlers = root.handlers[:]
    result = CliRunner().invoke(app, [*arguments, "--database-url", url])
    root.handlers[:] = handlers  # the command's own writes to a stream that is closed by now
    structlog.reset_defaults()
    if fails:
        assert result.exit_code == 1, result.output
        return result.stdout or str(result.exception)
    assert result.exit_code == 0, result.output
    return result.stdout if text else json.loads(result.stdout) if prints else None


def test_explain_says_who_and_why(world: World) -> None:
    about = ("explain", "--community", "lake", "--equipment", "pump", "--condition", "supply_pressure_loss")
    found = command(world, *about)
    assert found["winner"]["responsible"] == "utility_water"
    assert found["parties"]["lead"] == {"party": "utility_water", "org_id": "water-co", "how": "hand-over of water"}
    assert "qualifiers" in found["why"]
    assert command(world, *about, "--at", "2026-05-31")["parties"]["lead"]["org_id"] == "property-co"


def test_whoever_has_the_pumps_has_not_their_mains(world: World) -> None:
    found = command(world, "explain", "--community", "lake", "--equipment", "pump", "--condition", "power_loss")
    assert found["winner"]["responsible"] == "utility_power"
    assert found["parties"]["responsible"]["org_id"] is None  # nobody here: not the water company
    assert found["parties"]["lead"]["org_id"] == "property-co"


def test_the_commands_of_the_list(world: World) -> None:
    assert command(world, "duties", "load-default")["rows"] == 0
    (version,) = command(world, "duties", "list")
    assert (version["status"], version["rows"] > 300) == ("published", True)
    assert command(world, "duties", "list", "--rows", str(version["list_id"]))[0]["condition"] == "entrapment"
    assert command(world, "duties", "coverage")["no_owner"] == []


def test_the_life_cycle_is_printed() -> None:
    assert CliRunner().invoke(app, ["lifecycle"]).stdout.startswith("| action |")
    assert CliRunner().invoke(app, ["lifecycle", "--format", "mermaid"]).stdout.startswith("stateDiagram-v2")


def test_a_connection_lost_while_judging_is_no_verdict(world: World) -> None:
    world.warn("lift-1", "entrapment")
    conn = world.connect()
    with world.admin() as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        file_waiting(conn, lambda: NOW, standard_rules(), 1)
    conn.close()
    assert len(world.file()) == 1
