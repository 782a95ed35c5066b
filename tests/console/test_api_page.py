"""The requests that docs/api.md shows, run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console import world as w
from tests.console.conftest import SECRET, Site

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_page_of_the_api_can_be_followed(site: Site, tmp_path: Path) -> None:
    w.warning(site.world, "pump-1", "supply_pressure_loss", of_class="A")
    w.judge_all(site.world)
    ((version,),) = site.world.rows("SELECT version FROM cases")
    block = re.findall(r"```\n(export URL.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    lines = block.replace('{"version": 1}', f'{{"version": {version}}}').splitlines()[1:]
    script = (
        "\n".join(lines)
        .replace("--max-time 60", "--max-time 1")
        .replace("/api/v1/events", "/api/v1/events || [ $? = 28 ]")
    )
    command = tmp_path / "watchkeep"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m watchkeep_cli "$@"\n')
    command.chmod(0o755)
    environment = os.environ | {
        "URL": site.url,
        "PERSON": "manager",
        "PASSWORD": w.PASSWORD,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "WATCHKEEP_CONSOLE_DATABASE_URL": site.world.database.url("watchkeep_console"),
        "WATCHKEEP_CONSOLE_SESSION_SECRET": SECRET,
    }
    done = subprocess.run(
        ["bash", "-ec", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, (done.stdout[-1000:], done.stderr[-1000:])
    assert '"condition":"supply_pressure_loss"' in done.stdout.replace(" ", "")
    assert "lift-1" in done.stdout
    assert site.world.rows("SELECT state FROM cases") == [("accepted",)]
