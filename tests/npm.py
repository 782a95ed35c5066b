"""Packages of npm that tests use; see `prepare`, which `make test` runs first."""

from pathlib import Path

import pytest

from tests import prepare


def installed(name: str) -> Path:
    """The folder `node_modules` that holds it; skips the test, with the reason, where it cannot be had."""
    if why := prepare.install_from_npm(name):
        pytest.skip(why)
    return prepare.NPM_CACHE / f"{name}-{prepare.NPM[name]}" / "node_modules"
