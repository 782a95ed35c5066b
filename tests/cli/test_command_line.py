"""The command line: a stranger finds the way, a wrong setting is one clear line."""

import os
import subprocess
import sys
import tempfile

import pytest

from watchkeep_cli.__main__ import PARTS
from watchkeep_cli.local import duration
from watchkeep_core.errors import SettingsError

NO_SETTINGS = {key: value for key, value in os.environ.items() if not key.startswith("WATCHKEEP_")}


def watchkeep(*arguments, **environ):
    command = [sys.executable, "-m", "watchkeep_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=NO_SETTINGS | environ, timeout=60, check=False)


def test_help_names_every_part():
    shown = watchkeep("--help")
    assert shown.returncode == 0
    for part in (*PARTS, "demo", "up"):
        assert part in shown.stdout


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_a_help_of_its_own(part):
    shown = watchkeep(part, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "Commands" in shown.stdout
    if part not in ("db", "audit", "bench", "dashboards", "deploy", "tls"):
        assert "run" in shown.stdout


SERVICES = ("ingest", "analytics", "dispatch", "console", "gateway")


@pytest.mark.slow
@pytest.mark.parametrize("part", SERVICES)
def test_a_missing_setting_is_one_line_that_names_it(part):
    refused = watchkeep(part, "run")
    assert refused.returncode == 1
    assert "must be set" in refused.stderr
    assert "WATCHKEEP_" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("part", ["ingest", "analytics", "dispatch", "console"])
def test_an_unreachable_database_at_start_is_one_line(part):
    refused = watchkeep(
        part,
        "run",
        WATCHKEEP_DATABASE_URL="postgresql://watchkeep:hunter2@127.0.0.1:1/watchkeep",
        WATCHKEEP_MQTT_URL="mqtt://127.0.0.1:1",
        WATCHKEEP_INGEST_MQTT_PASSWORD="x",
        WATCHKEEP_ANALYTICS_MQTT_PASSWORD="x",
        WATCHKEEP_CONSOLE_PORT="0",
        WATCHKEEP_CONSOLE_SESSION_SECRET="0123456789abcdef0123456789abcdef",
    )
    assert refused.returncode == 1
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("watchkeep: ")
    assert "127.0.0.1:1" in last
    assert "hunter2" not in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--for", "soon"], "--for"),
        (["--broker", "kafka"], "--broker"),
        (["--data", "/proc/nowhere"], "--data"),
        (["--listen", "192.0.2.254", "--for", "1s"], "--listen"),
    ],
)
def test_a_wrong_option_of_the_demo_is_one_line(arguments, names):
    with tempfile.TemporaryDirectory(prefix="watchkeep-demo-") as folder:
        refused = watchkeep("demo", "--json", *arguments, WATCHKEEP_DEMO_DIR=folder)
    assert refused.returncode == 1
    assert refused.stderr.strip().splitlines()[-1].startswith(f"watchkeep: {names}")
    assert "Traceback" not in refused.stderr


def test_a_part_whose_packages_are_missing_says_what_to_install(tmp_path):
    (tmp_path / "watchkeep_gateway").mkdir()
    (tmp_path / "watchkeep_gateway" / "__init__.py").write_text("")
    (tmp_path / "watchkeep_gateway" / "commands.py").write_text("import no_such_package")
    refused = watchkeep("gateway", "run", PYTHONPATH=str(tmp_path))
    assert refused.returncode == 1
    assert "pip install 'watchkeep[gateway]'" in refused.stderr


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("90", 90), ("5m", 300), ("1.5h", 5400)])
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5s", "soon", "5d"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(SettingsError, match="--for"):
        duration(text)


def test_help_does_not_load_the_heavy_libraries():
    code = (
        "import sys; from watchkeep_cli.__main__ import build; build(['gateway', 'run']);"
        "print([name for name in ('numpy', 'psycopg', 'nicegui', 'sklearn', 'procrastinate') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == "[]"
