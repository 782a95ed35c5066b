"""The operator's commands, each a process or the command itself against a real database."""

import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.console.conftest import SECRET, until
from tests.console.test_isolation import _person
from tests.console.world import World
from watchkeep_console.commands import app
from watchkeep_core.errors import PermanentError


def run(world: World, *arguments: str) -> tuple[int, str]:
    environment = {
        "WATCHKEEP_CONSOLE_DATABASE_URL": world.database.url("watchkeep_console"),
        "WATCHKEEP_CONSOLE_SESSION_SECRET": SECRET,
        "WATCHKEEP_DB_ADMIN_URL": world.database.admin_url,
    }
    result = CliRunner().invoke(app, list(arguments), env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_tokens_are_made_listed_and_revoked(world: World, client: httpx.Client) -> None:
    made = json.loads(run(world, "token", "create", "manager", "--name", "centre", "--scope", "read")[1])
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert client.get("/api/v1/me", headers=bearer).json()["login"] == "manager"
    listed = json.loads(run(world, "token", "list", "manager")[1])
    assert [one["token_id"] for one in listed] == [made["token_id"]]
    assert run(world, "token", "revoke", "manager", str(made["token_id"]))[0] == 0
    until(lambda: client.get("/api/v1/me", headers=bearer).status_code == 401, poll_s=0.5)  # another process: 5 s
    with pytest.raises(PermanentError, match="people:edit is none of"):
        run(world, "token", "create", "manager", "--name", "x", "--scope", "people:edit")


def test_a_person_is_reset_exported_and_anonymised(world: World, client: httpx.Client) -> None:
    who = _person(world, "w.leaving", "technician@organisation:lift")
    password = json.loads(run(world, "reset-person", "w.leaving")[1])["password"]
    assert client.post("/api/v1/session", json={"login": "w.leaving", "password": password}).status_code == 201
    assert client.get("/api/v1/cases").json()["code"] == "password_due"
    assert json.loads(run(world, "export-person", "w.leaving")[1])["person"]["person_id"] == who
    assert run(world, "anonymise-person", "w.leaving", "--reason", "离职", "--yes")[0] == 0
    assert world.rows(f"SELECT name, active FROM people WHERE person_id = '{who}'") == [("已注销", False)]
    until(lambda: client.get("/api/v1/me").status_code == 401, poll_s=0.5)
    with pytest.raises(PermanentError, match="nobody is called"):
        run(world, "export-person", "w.leaving")


def test_data_is_given_away_with_an_entry(world: World, tmp_path: Path) -> None:
    out = tmp_path / "equipment.json"
    arguments = ["share-data", "equipment", "--recipient", "市大数据中心", "--purpose", "普查", "--out", str(out)]
    arguments += ["--since", "2026-01-01", "--until", "2027-01-01", "--field", "equipment_id", "--area", "street-2"]
    run(world, *arguments)
    assert json.loads(out.read_text()) == [{"equipment_id": "lift-1"}]
    entry = json.loads(run(world, "data-shares")[1])[0]
    assert (entry["recipient"], entry["fields"], entry["row_count"]) == ("市大数据中心", ["equipment_id"], 1)
    with pytest.raises(PermanentError, match="exists"):
        run(world, *arguments)
