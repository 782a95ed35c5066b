"""Each process of the demo is told its own secrets and nobody else's."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from watchkeep_cli.demo.environment import Environment, broker_users
from watchkeep_cli.demo.secret_store import SecretStore
from watchkeep_cli.up import SERVICES

OWN = {
    "ingest": {"db:watchkeep_ingest", "mqtt:ingest"},
    "analytics": {"db:watchkeep_analytics", "mqtt:analytics"},
    "dispatch": {"db:watchkeep_dispatch"},
    "console": {"db:watchkeep_console", "mqtt:console", "session"},
    "gateway": {"mqtt:harbour/gw-1"},
    "sim": {"mqtt:sim"},
    "crowd": {"mqtt:sim", "superuser"},
}


@pytest.fixture
def secrets(tmp_path: Path) -> SecretStore:
    return SecretStore(tmp_path / "secrets.json")


@pytest.fixture
def environment(secrets: SecretStore) -> Environment:
    postgres: Any = SimpleNamespace(
        url=lambda user, password: f"postgresql://{user}:{password}@host/db", admin_url="postgresql://superuser@host/db"
    )
    broker: Any = SimpleNamespace(url="mqtt://127.0.0.1:1883")
    return Environment(postgres, broker, secrets)


def test_no_process_is_told_anothers_secret(environment: Environment, secrets: SecretStore) -> None:
    told = {part: environment.service(part) for part in SERVICES}
    told["console"] = environment.console("127.0.0.1", 8080, "http://127.0.0.1:8080", Path("enrol"))
    told["gateway"] = environment.gateway("harbour/gw-1", Path("gateway.toml"), Path("spool"))
    told |= {"sim": environment.simulator(), "crowd": environment.crowd()}
    names = {name for own in OWN.values() for name in own} - {"superuser"}
    values = {name: secrets.get(name) for name in names} | {"superuser": "superuser"}
    assert len(set(values.values())) == len(values)
    for process, settings in told.items():
        text = " ".join(settings.values())
        assert {name for name, value in values.items() if value in text} == OWN[process], process


def test_the_broker_knows_services_gateways_and_who_enrolled_since(secrets: SecretStore) -> None:
    secrets.put("gateway:harbour/gw-9", "enrolled")
    users = broker_users(secrets, ["harbour/gw-1"])
    assert {"ingest-data-0", "ingest-event-15", "analytics-15", "console", "sim", "sim-load"} <= set(users)
    assert users["harbour/gw-1"] == secrets.get("mqtt:harbour/gw-1")
    assert users["harbour/gw-9"] == "enrolled"
    assert users["ingest-data-0"] == secrets.get("mqtt:ingest") != users["analytics-0"]


def test_secrets_last_from_start_to_start_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = SecretStore(path)
    known = [first.get("a"), first.pronounceable("b")]
    again = SecretStore(path)
    assert [again.get("a"), again.pronounceable("b")] == known
    assert path.stat().st_mode & 0o077 == 0
