"""A new site: its files, its database, and the compose and systemd files that use them."""

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from packaging.utils import canonicalize_name
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from typer.testing import CliRunner

from tests.docs.test_commands import trouble
from tests.gateway.test_packaging import closure
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_cli.admin import AdminSettings
from watchkeep_cli.deploy import app
from watchkeep_cli.mosquitto_files import MosquittoFiles
from watchkeep_cli.postgres import start_postgres
from watchkeep_cli.site_files import Site, broker_users, login_passwords, prepare
from watchkeep_cli.up import SERVICES
from watchkeep_console.settings import ConsoleSettings
from watchkeep_core.database import SERVICE_LOGINS, connect
from watchkeep_core.errors import SettingsError
from watchkeep_core.settings import variable
from watchkeep_dispatch.settings import DispatchSettings
from watchkeep_gateway.settings import GatewaySettings
from watchkeep_ingest.settings import IngestSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PARTS = (AdminSettings, IngestSettings, AnalyticsSettings, DispatchSettings, ConsoleSettings, GatewaySettings)
OF_COMMANDS = {"WATCHKEEP_BROKER_DIR", "WATCHKEEP_BROKER_PID_FILE", "WATCHKEEP_HOST", "WATCHKEEP_VERSION"}


def _run(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_a_second_preparation_changes_nothing_and_completes_what_is_missing(tmp_path: Path) -> None:
    first = _run("prepare", str(tmp_path), "--host", "watch.example")["made"]
    kept = {name: (tmp_path / name).read_bytes() for name in first}
    assert _run("prepare", str(tmp_path), "--host", "other.example")["made"] == []
    (tmp_path / "secrets" / "console_session_secret").unlink()
    assert _run("prepare", str(tmp_path), "--host", "watch.example")["made"] == ["secrets/console_session_secret"]
    fresh = (tmp_path / "secrets" / "console_session_secret").read_bytes()
    assert fresh != kept.pop("secrets/console_session_secret")
    assert {name: (tmp_path / name).read_bytes() for name in kept} == kept


def test_secrets_differ_and_only_owner_and_group_may_read_them(tmp_path: Path) -> None:
    prepare(Site(tmp_path, "watch.example"))
    secrets = list((tmp_path / "secrets").iterdir())
    assert len({path.read_text() for path in secrets}) == len(secrets)
    assert all(path.stat().st_mode & 0o007 == 0 for path in [*secrets, *(tmp_path / "broker").iterdir()])
    assert (tmp_path / "tls" / "server.key").stat().st_mode & 0o077 == 0


def test_a_certificate_of_ones_own_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "server.crt").write_text("bought")
    made = prepare(Site(tmp_path, "watch.example"))
    assert not [path for path in made if path.parent.name == "tls"]
    assert (tmp_path / "tls" / "server.crt").read_text() == "bought"


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="file"):
        prepare(Site(tmp_path / "file", "watch.example"))
    with pytest.raises(SettingsError, match="watchkeep deploy prepare"):
        login_passwords(tmp_path)


def test_the_broker_knows_each_service_by_the_password_the_service_gets(tmp_path: Path) -> None:
    prepare(Site(tmp_path, "watch.example"))
    users = broker_users(tmp_path)
    assert MosquittoFiles(tmp_path / "broker").users() == set(users)
    assert users["ingest-event-15"] == (tmp_path / "secrets" / "ingest_mqtt_password").read_text()


@pytest.mark.slow
def test_the_database_gets_schema_logins_and_list_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    prepare(Site(tmp_path / "site", "watch.example"))
    with start_postgres(tmp_path / "postgres") as server:
        arguments = ("database", str(tmp_path / "site"), "--admin-url", server.admin_url)
        assert _run(*arguments)["applied"]
        again = _run(*arguments)
        assert (again["applied"], again["backup"]) == ([], None)
        assert again["responsibility_list"]
        for login in SERVICE_LOGINS:
            url = conninfo_to_dict((tmp_path / "site" / "secrets" / f"{login}_url").read_text())
            assert (url["user"], url["sslmode"]) == (login, "verify-full")
            own = make_conninfo(server.admin_url, user=login, password=str(url["password"]))
            with connect(own, "test") as conn:
                assert conn.execute("SELECT current_user").fetchone() == (login,)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(make_conninfo(server.admin_url, user="watchkeep_console", password="wrong"))


def test_compose_names_settings_secrets_and_files_that_exist(tmp_path: Path) -> None:
    prepare(Site(tmp_path, "watch.example"))
    known = {variable(part, field) for part in PARTS for field in part.model_fields}
    known |= {f"WATCHKEEP_{field}".upper() for part in PARTS for field in part.model_fields}
    document = _compose()
    for name, service in document["services"].items():
        for key in service.get("environment", {}):
            if key.startswith("WATCHKEEP_") and name != "grafana":
                assert {key, key.removesuffix("_FILE")} & (known | OF_COMMANDS), f"{name}: {key} is no setting"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./site/"):
                assert (tmp_path / source.removeprefix("./site/")).exists(), f"{name}: {source} is not prepared"
            elif source.startswith("./") and source != "./site":
                assert (DEPLOY / source).exists(), f"{name}: {source}"
    for secret in document["secrets"].values():
        assert (tmp_path / secret["file"].removeprefix("./site/")).exists(), secret


def test_grafana_is_given_what_the_tree_of_walls_asks_for(tmp_path: Path) -> None:
    assert _run("prepare", str(tmp_path), "--host", "watch.example", "--language", "en")["walls"] >= 13
    tree = [path for path in (tmp_path / "grafana").rglob("*") if path.is_file()]
    wanted = {name for path in tree for name in re.findall(r"\$\{(WATCHKEEP_\w+)\}", path.read_text(encoding="utf-8"))}
    grafana = _compose()["services"]["grafana"]
    given = {name for name in grafana["environment"] if name.startswith("WATCHKEEP_")}
    given |= set(re.findall(r"(WATCHKEEP_\w+)=\$\$\(cat ", " ".join(grafana["entrypoint"])))
    assert given == wanted
    assert "https://watch.example" in (tmp_path / "grafana" / "dashboards" / "watchkeep" / "fire.json").read_text(
        "utf-8"
    )
    assert grafana["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "${WATCHKEEP_WALLS_FOR_ALL:-false}"


def test_prometheus_asks_every_service_that_has_metrics_where_they_are() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    services = _compose()["services"]
    asked = {
        target
        for job in config["scrape_configs"]
        for group in job.get("static_configs", [])
        for target in group["targets"]
    }
    inside = {
        f"{name}:{service['environment'].get('WATCHKEEP_HEALTH_PORT', 8080)}"
        for name, service in services.items()
        if "/health/live" in str(service.get("healthcheck"))
    }
    assert asked == inside
    assert all(job["job_name"].startswith("watchkeep") for job in config["scrape_configs"])
    mounted = [volume.split(":")[1].removeprefix("/etc/prometheus/") for volume in services["prometheus"]["volumes"]]
    used = [
        *config["rule_files"],
        *(str(path).partition("/")[0] for path in re.findall(r"'(\w+/\*\.json)'", str(config))),
    ]
    assert set(used) <= set(mounted)


def test_prometheus_accepts_its_configuration() -> None:
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("promtool is not installed (Debian: apt-get install --no-install-recommends prometheus)")
    command = [tool, "check", "config", "--syntax-only", str(DEPLOY / "prometheus" / "prometheus.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _commands() -> Iterator[tuple[str, str]]:
    """What containers and units run of `watchkeep`, with where it stands."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for arguments in re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE):
        yield "Dockerfile", shlex.join(["watchkeep", *json.loads(arguments)])
    for name, service in _compose()["services"].items():
        if str(service["image"]).startswith("watchkeep-"):
            own = "entrypoint" not in service
            yield name, shlex.join(["watchkeep", *service["command"]]) if own else service["command"][0]
    for unit in [*(DEPLOY / "systemd").glob("*.service"), *ROOT.glob("*/*.service")]:
        found = re.findall(r"^ExecStart=.*?/bin/(watchkeep [^\"\n]*)", unit.read_text(encoding="utf-8"), re.MULTILINE)
        assert found, unit
        for line in found:
            yield from ((unit.name, line.replace("%i", part)) for part in SERVICES)
    guide = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    for line in re.findall(r"docker compose run --rm (?:--build |-v \S+ )*schema (.+?)(?:`|\s+#|\n)", guide):
        yield "deploy.md", f"watchkeep {line}"


def test_what_containers_and_units_run_exists_with_its_options() -> None:
    found = dict.fromkeys(_commands())
    assert {name for name, _ in found} >= {
        "Dockerfile",
        "schema",
        "enroller",
        "backup",
        "watchkeep@.service",
        "deploy.md",
    }
    assert {(name, line): why for name, line in found if (why := trouble(line))} == {}


@pytest.mark.slow
def test_every_image_is_built_with_what_its_command_imports() -> None:
    """Without a container engine: the part's modules need no distribution that its extra does not bring."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    extras = dict(re.findall(r"FROM build AS build-(\w+)\nRUN /build/install (\S+)", text))
    commands = dict(re.findall(r'FROM base AS (\w+)\n(?:.*\n)*?CMD \["(\S+?)"', text))
    built = {service["build"]["target"] for service in _compose()["services"].values() if "build" in service}
    assert built == set(extras) == set(commands) == set(re.findall(r"COPY --from=build-(\w+)", text))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {"tools": {"cli", "core", "gateway", "ingest", "dispatch", "console", "dashboards"}}
    for target, parts in extras.items():
        allowed = set().union(*(closure(project, extra) for extra in parts.split(",")))
        packages = needed.get(target, {"core", target} | ({"dispatch"} if target == "console" else set()))
        assert not (missing := {m: d for p in packages for m, d in _imported(p) if not allowed & d}), (target, missing)


@cache
def _carriers(module: str) -> set[str]:
    """Distributions that have this module."""
    return {canonicalize_name(name) for name in _installed().get(module, ())}


@cache
def _installed() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _imported(part: str) -> Iterator[tuple[str, set[str]]]:
    """Third-party modules that a part imports at the top of its modules, with the distributions that have them."""
    folder = ROOT / part / f"watchkeep_{part}"
    for path in sorted(folder.rglob("*.py")):
        if any(word in str(path.relative_to(ROOT)) for word in ("bench", "generate", "demo", "amqtt")):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names):
                if not name.startswith("watchkeep"):
                    yield f"{path.name}: {name}", _carriers(name)


def test_every_service_of_ours_is_confined_watched_and_told_its_secrets_by_files() -> None:
    services = _compose()["services"]
    for name, service in services.items():
        lasting = service.get("restart") == "unless-stopped"
        assert "healthcheck" in service or not lasting or name == "enroller", name
        assert "mem_limit" in service or name == "prepare", name
        if name in ("ingest", "analytics", "dispatch", "console", "grafana", "prometheus", "broker"):
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
        secret = [key for key in service.get("environment", {}) if re.search("PASSWORD|SECRET|_URL_|DATABASE_URL", key)]
        assert all(key.endswith("_FILE") for key in secret), (name, secret)
    published = {name for name, service in services.items() if service.get("ports")}
    assert published == {"broker", "proxy"}


def test_what_analytics_compiles_is_kept_where_it_may_write() -> None:
    (folder,) = re.findall(
        r"^ENV NUMBA_CACHE_DIR=(.*)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert f"analytics-cache:{folder}" in _compose()["services"]["analytics"]["volumes"]
    unit = (DEPLOY / "systemd" / "watchkeep@.service").read_text(encoding="utf-8")
    assert "\nCacheDirectory=watchkeep-%i\n" in unit
    assert "\nEnvironment=NUMBA_CACHE_DIR=%C/watchkeep-%i\n" in unit
    assert "MemoryDenyWriteExecute" not in unit, "compiled code is written, then run"


def test_compose_is_accepted_by_compose_itself() -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    command = [docker, "compose", "-f", str(DEPLOY / "compose.yaml"), "--profile", "prepare", "--profile", "backup"]
    result = subprocess.run(
        [*command, "config", "-q"],
        env={"WATCHKEEP_HOST": "watch.example", "PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in (DEPLOY / "systemd").glob("*.service")))
def test_each_systemd_unit_is_valid_and_confined(name: str, tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if not tool:
        pytest.skip("systemd-analyze is not installed")
    text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
    for timer in (DEPLOY / "systemd").glob("*.timer"):
        shutil.copy(timer, tmp_path)
    unit = tmp_path / name.replace("@", "-ingest")
    unit.write_text(text.replace("%i", "ingest").replace("/opt/watchkeep/bin/watchkeep", "/bin/true"), encoding="utf-8")
    files = [str(path) for path in tmp_path.iterdir()]
    verified = subprocess.run([tool, "verify", *files], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    judged = subprocess.run(
        [tool, "security", "--offline=true", "--threshold=25", str(unit)], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 0, judged.stdout[-500:]


def test_the_workflow_runs_what_everybody_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step] == [".ci/run"]
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
