"""The administrator's verbs against a real database: schema, logins, estate, dictionary, audit trail."""

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from tests.brokers import until
from tests.conftest import Database
from watchkeep_cli import audit as audit_verbs
from watchkeep_cli import database as database_verbs
from watchkeep_core import audit
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import SettingsError

ESTATE = Path(__file__).parents[2] / "docs" / "estate.md"


def run(app: Any, database: Database, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "--admin-url", database.admin_url])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_database_that_is_up_to_date_is_left_as_it_is(database: Database, tmp_path: Path) -> None:
    told = json.loads(run(database_verbs.app, database, "migrate", "--backup-dir", str(tmp_path)))
    assert (told["applied"], told["backup"]) == ([], None)
    assert list(tmp_path.iterdir()) == []


def test_an_estate_is_entered_once_and_the_dictionary_has_its_tables(database: Database, tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", ESTATE.read_text(encoding="utf-8"), flags=re.DOTALL)
    file = tmp_path / "estate.toml"
    file.write_text(text, encoding="utf-8")
    saved = [json.loads(run(database_verbs.app, database, "load-estate", str(file))) for _ in range(2)]
    assert saved[0] == saved[1]
    with psycopg.connect(database.admin_url) as conn:
        assert conn.execute("SELECT count(*) FROM points").fetchone() == (saved[0]["points"],)
    assert "communities" in run(database_verbs.app, database, "dictionary")


def test_a_password_is_given_to_service_logins_only(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "password"
    with pytest.raises(SettingsError, match="password: "):
        run(database_verbs.app, database, "password", "watchkeep_ingest", "--password-file", str(file))
    file.write_text("only-in-tests\n", encoding="utf-8")  # as it is: the tests' logins are of the whole server
    run(database_verbs.app, database, "password", "watchkeep_ingest", "--password-file", str(file))
    with psycopg.connect(database.url("watchkeep_ingest")) as conn:
        assert conn.execute("SELECT current_user").fetchone() == ("watchkeep_ingest",)
    with pytest.raises(SettingsError, match="postgres"):
        run(database_verbs.app, database, "password", "postgres", "--password-file", str(file))


def _sealed(database: Database) -> int:
    with connect(database.admin_url, "test", role=OWNER) as conn:
        audit.seal(conn)
        return audit.verify(conn).sealed


def test_a_changed_or_cut_audit_trail_is_found(database: Database) -> None:
    with connect(database.admin_url, "test", role=OWNER) as conn:
        for number in range(3):
            audit.record(conn, "tested", "thing", str(number))
    until(lambda: _sealed(database) == 3)  # what other databases' transactions may still precede has to wait
    listed = json.loads(run(audit_verbs.app, database, "list", "--about", "thing/1"))
    assert [(row["action"], row["object_id"]) for row in listed] == [("tested", "1")]
    whole = json.loads(run(audit_verbs.app, database, "verify"))
    assert (whole["sealed"], whole["broken_at"]) == (3, None)
    assert json.loads(run(audit_verbs.app, database, "verify", "--expect", whole["head"]))["broken_at"] is None
    with pytest.raises(SettingsError, match="is no head"):
        run(audit_verbs.app, database, "verify", "--expect", "nonsense")
    with psycopg.connect(database.admin_url) as conn:  # as somebody with all rights would
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE audit_entries SET action = 'altered' WHERE object_id = '1'")
    assert json.loads(run(audit_verbs.app, database, "verify", code=1))["broken_at"] is not None
