"""`watchkeep up`: a wrong setting ends it with the reason, and nothing goes on running."""

from pathlib import Path

import pytest

from watchkeep_cli import up
from watchkeep_cli.supervisor import ServiceFailed
from watchkeep_core.errors import SettingsError
from watchkeep_core.service import Stop


@pytest.mark.slow
def test_a_missing_setting_of_one_service_ends_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEP_LOG_DIR", str(tmp_path))
    monkeypatch.delenv("WATCHKEEP_DATABASE_URL", raising=False)
    monkeypatch.setattr(up, "STARTUP_S", 120.0)  # on a busy machine Python itself takes its time
    with pytest.raises(ServiceFailed, match=r"did not start: .*WATCHKEEP_"):
        up.run(Stop())
    assert {path.stem for path in tmp_path.glob("*.log")} == set(up.SERVICES)


def test_a_folder_for_logs_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WATCHKEEP_LOG_DIR", str(tmp_path / "file" / "logs"))
    with pytest.raises(SettingsError, match="WATCHKEEP_LOG_DIR: cannot use"):
        up.run(Stop())
