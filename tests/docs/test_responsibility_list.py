"""The page on the responsibility list is followed, command by command, in a database with the demo's estate."""

import re
import shlex
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from watchkeep_cli.__main__ import build
from watchkeep_cli.demo.estate import demo_estate
from watchkeep_console.people import NewMembership, create_person
from watchkeep_core.database import OWNER, connect
from watchkeep_core.estate import save

PAGE = Path(__file__).parents[2] / "docs" / "responsibility-list.md"
PASSWORD = "only-in-tests-and-long"


@pytest.mark.slow
def test_from_the_default_list_to_ones_own_in_force(database, tmp_path, monkeypatch):
    today = date.today()  # noqa: DTZ011 - any day will do
    with connect(database.admin_url, "test", role=OWNER) as conn:
        save(conn, demo_estate(today))
        for login in ("zhao", "li"):
            role = [NewMembership.parse("city_office@area:rongcheng")]
            create_person(conn, login, login, PASSWORD, "zhujian", role, phone="13800000000")
    monkeypatch.setenv("WATCHKEEP_DISPATCH_DATABASE_URL", database.url("watchkeep_dispatch"))
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8").replace("2027-01-01", str(today + timedelta(days=1)))
    lines = [
        line.partition("  #")[0]
        for block in re.findall(r"```\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("watchkeep ")
    ]
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line)[1:]
        result = CliRunner().invoke(build(words), words)
        wanted = (0, 1) if "coverage" in words else (0,)  # which has gaps to tell
        assert result.exit_code in wanted, f"{line}: {result.output} {result.exception}"
    with connect(database.admin_url, "test") as conn:
        found = conn.execute("SELECT name, published_at IS NOT NULL FROM duty_lists ORDER BY list_id").fetchall()
    assert found[1:] == [("2027 list", True)]
    assert "more specific" in result.output  # the last line of the page says why
