"""The process: starts, refuses bad settings in one line, stops in time."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.console.conftest import SECRET, Site, serving
from tests.console.world import PASSWORD, World
from watchkeep_console.settings import ConsoleSettings
from watchkeep_core.errors import SettingsError
from watchkeep_core.settings import load

RUN = [sys.executable, "-m", "watchkeep_console", "run"]


URL = "postgresql://watchkeep_console:hidden@127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "session_secret: must be set; set it by WATCHKEEP_CONSOLE_SESSION_SECRET"),
        ({"WATCHKEEP_CONSOLE_SESSION_SECRET": "short"}, "session_secret"),
        ({"WATCHKEEP_CONSOLE_SESSION_SECRET": "a" * 64}, "must be random"),
        ({"WATCHKEEP_CONSOLE_SESSION_SECRET": SECRET, "WATCHKEEP_CONSOLE_PUBLIC_URL": "ftp://x"}, "public_url"),
        ({"WATCHKEEP_CONSOLE_SESSION_SECRET": SECRET, "WATCHKEEP_CONSOLE_IDLE_MINUTES": "0"}, "idle_minutes"),
    ],
)
def test_wrong_settings_name_the_field(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        load(ConsoleSettings, {"WATCHKEEP_CONSOLE_DATABASE_URL": URL} | wrong)
    assert "hidden" not in str(refused.value)


@pytest.mark.slow
def test_a_database_that_is_not_there_is_one_clear_line() -> None:
    environment = os.environ | {
        "WATCHKEEP_CONSOLE_DATABASE_URL": URL,
        "WATCHKEEP_CONSOLE_PORT": "0",
        "WATCHKEEP_CONSOLE_SESSION_SECRET": SECRET,
    }
    done = subprocess.run(RUN, env=environment, capture_output=True, text=True, timeout=170, check=False)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1)
    assert "database 127.0.0.1:1/x" in done.stderr
    assert "hidden" not in done.stderr


@pytest.mark.slow
def test_it_stops_in_time_though_somebody_listens(world: World, tmp_path: Path) -> None:
    with serving(world, tmp_path / "log") as (url, process), httpx.Client(base_url=url, timeout=60) as client:
        assert client.post("/api/v1/session", json={"login": "duty", "password": PASSWORD}).status_code == 201
        assert "script" in client.get("/").text
        heard = threading.Event()

        def listen() -> None:
            with httpx.stream("GET", f"{url}/api/v1/events", cookies=client.cookies, timeout=60) as stream:
                try:
                    for _ in stream.iter_lines():
                        heard.set()
                except httpx.TransportError:
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        assert heard.wait(60)
        process.terminate()
        assert process.wait(60) == 0  # the stream would go on for ever
        listener.join(60)
        assert not listener.is_alive()


@pytest.mark.slow
def test_add_person_reads_the_password_from_standard_input(world: World) -> None:
    command = [sys.executable, "-m", "watchkeep_console", "add-person", "new.person", "--name", "新人"]
    command += ["--admin-url", world.database.admin_url, "--org", "prop"]
    command += ["--membership", "duty_officer@community:sunshine"]
    done = subprocess.run(command, input=PASSWORD + "\n", capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    held = "SELECT role, scope_id FROM memberships JOIN people USING (person_id) WHERE login = 'new.person'"
    assert world.rows(held) == [("duty_officer", "sunshine")]


@pytest.mark.slow
def test_pages_are_guarded(site: Site) -> None:
    with httpx.Client(base_url=site.url, timeout=60) as client:
        answer = client.get("/cases/1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/cases/1")
        policy = answer.headers["content-security-policy"]
        assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
        foreign = client.get("/_nicegui_ws/socket.io/?EIO=4&transport=polling", headers={"Origin": "http://evil.test"})
        assert foreign.status_code == 403
