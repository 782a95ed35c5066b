"""The gateway is light: few packages, little memory, a unit and an image that give it no more than it needs."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from watchkeep_cli.gateway_bundle import PLACE, SECRET
from watchkeep_core.settings import variable
from watchkeep_gateway.settings import GatewaySettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "gateway"
UNIT = (FOLDER / "watchkeep-gateway.service").read_text(encoding="utf-8")
IMAGE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
MAX_PACKAGES = 22


def closure(project: dict[str, object], extra: str) -> set[str]:
    """Packages that `pip install watchkeep[EXTRA]` brings to this Python, by what the installed ones declare."""
    optional = project["optional-dependencies"]
    assert isinstance(optional, dict)
    assert isinstance(project["dependencies"], list)
    waiting = [Requirement(text) for text in [*project["dependencies"], *optional[extra]]]
    found: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        extras = sorted(wanted.extras) or [""]
        key = f"{name}[{','.join(extras)}]"
        if key in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(key)
        try:
            declared = requires(wanted.name) or []
        except PackageNotFoundError:
            pytest.fail(f"{wanted.name} is not installed")
        for text in declared:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": one}) for one in extras):
                needed.marker = None
                waiting.append(needed)
    return {key.partition("[")[0] for key in found}


def test_the_extra_installs_few_packages_and_none_that_is_heavy() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = closure(project, "gateway") | {"watchkeep"}
    assert {"paho-mqtt", "pymodbus", "pydantic-core", "rich", "markdown-it-py"} <= found
    assert len(found) <= MAX_PACKAGES, sorted(found)
    assert not found & {"numpy", "psycopg", "psycopg-binary", "scikit-learn", "cryptography", "trustme"}


@pytest.mark.slow
def test_the_running_command_loads_nothing_heavy_and_stays_small() -> None:
    """`watchkeep gateway run` itself, as the unit starts it, up to the point where it would read its settings."""
    script = """
import sys
sys.argv = ["watchkeep", "gateway", "status", "--spool-dir", "/nowhere"]
from watchkeep_cli.__main__ import main
try:
    main()
except SystemExit:
    pass
import watchkeep_gateway.service, json, re
resident = re.search(r"VmRSS:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
print(json.dumps([sorted(sys.modules), int(resident) / 1024]))
"""
    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    modules, resident_mb = json.loads(answer.stdout.splitlines()[-1])
    heavy = {"numpy", "psycopg", "psycopg_pool", "sklearn", "scipy", "trustme", "cryptography", "fastapi", "nicegui"}
    assert not heavy & {name.partition(".")[0] for name in modules}
    assert resident_mb < 80


def test_the_unit_reads_what_enroll_writes_and_sets_only_what_exists() -> None:
    known = {variable(GatewaySettings, field) for field in GatewaySettings.model_fields}
    known.add("WATCHKEEP_GATEWAY_MQTT_PASSWORD_FILE")
    for text in (UNIT, IMAGE):
        assert set(re.findall(r"WATCHKEEP_[A-Z_]+", text)) <= known
    assert f"EnvironmentFile={PLACE}/gateway.env" in UNIT
    assert f"LoadCredential={SECRET}:{PLACE}/{SECRET}" in UNIT
    assert f"WATCHKEEP_GATEWAY_MQTT_PASSWORD_FILE=%d/{SECRET}" in UNIT
    state = re.search(r"^StateDirectory=(.*)$", UNIT, re.MULTILINE)
    assert state
    assert f"WATCHKEEP_GATEWAY_SPOOL_DIR=/var/lib/{state[1]}" in UNIT
    assert "Restart=always" in UNIT


def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    file = tmp_path / "watchkeep-gateway.service"
    file.write_text(UNIT.replace("/opt/watchkeep/bin/watchkeep", sys.executable), encoding="utf-8")
    answer = subprocess.run([tool, "verify", str(file)], check=False, capture_output=True, text=True)
    ours = [line for line in answer.stderr.splitlines() if file.name in line]
    assert (answer.returncode, ours) == (0, [])
    judged = subprocess.run(
        [tool, "security", "--offline=true", "--threshold=25", "--no-pager", str(file)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert judged.returncode == 0, judged.stdout[-200:]


def test_the_filter_of_the_unit_lets_the_clock_be_asked() -> None:
    """`ProtectClock` would refuse adjtimex, and the gateway would never know that its clock is right."""
    assert "ProtectClock=yes" not in UNIT
    assert re.search(r"^SystemCallFilter=@system-service.* adjtimex", UNIT, re.MULTILINE)
    assert re.search(r"^CapabilityBoundingSet=$", UNIT, re.MULTILINE)


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continued lines joined."""
    text = "".join(line for line in IMAGE.splitlines(keepends=True) if not line.startswith("#"))
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_runs_without_root_on_a_file_system_that_cannot_be_written() -> None:
    found = instructions()
    words = [word for word, _ in found]
    assert set(words) <= {
        "FROM",
        "COPY",
        "RUN",
        "LABEL",
        "ENV",
        "USER",
        "VOLUME",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
    }
    assert [rest.split()[0] for word, rest in found if word == "FROM"] == ["python:3.11-slim"] * 2
    (user,) = [rest for word, rest in found if word == "USER"]
    assert user.isdigit()
    assert int(user) > 0, "a number, so that runAsNonRoot can be checked"
    assert ("VOLUME", "/var/lib/watchkeep-gateway") in found
    assert words.index("USER") < words.index("ENTRYPOINT")
    (entry,) = [json.loads(rest) for word, rest in found if word == "ENTRYPOINT"]
    assert entry == ["watchkeep", "gateway", "run"]
    (health,) = [rest for word, rest in found if word == "HEALTHCHECK"]
    command = json.loads(health.partition("CMD ")[2])
    compile(command[2], "HEALTHCHECK", "exec")
    port = dict(re.findall(r"(WATCHKEEP_\w+)=(\S+)", IMAGE))["WATCHKEEP_GATEWAY_HEALTH_PORT"]
    assert f"127.0.0.1:{port}/health/live" in command[2]
    copied = [rest for word, rest in found if word == "COPY" and "--from" not in rest]
    assert copied == ["dist/watchkeep-*.whl constraints.txt /build/"]
    assert "password" not in "".join(rest for word, rest in found if word in ("COPY", "RUN")).lower()
