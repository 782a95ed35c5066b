"""Log lines go to what is stderr when they are written."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from watchkeep_core import logs


@pytest.fixture
def _as_before() -> Iterator[None]:
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    kept = structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**kept)
    structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("_as_before")
def test_a_thread_that_outlives_a_captured_stderr_still_logs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    captured = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", captured)
        logs.configure("test", "info")
        logs.get_logger(__name__).info("while_captured")
    assert "while_captured" in captured.getvalue()
    captured.close()
    logs.get_logger(__name__).info("afterwards")
    said = capsys.readouterr().err
    assert "afterwards" in said
    assert "Logging error" not in said
