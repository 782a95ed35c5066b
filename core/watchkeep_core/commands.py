"""What every `watchkeep` command shares: errors as one line, JSON to stdout."""

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from watchkeep_core.errors import WatchkeepError


def run_app(app: Callable[[], object]) -> None:
    """Run a command line (a typer app); a WatchkeepError becomes one clear line on stderr and exit code 1."""
    try:
        app()
    except WatchkeepError as error:
        sys.stderr.write(f"watchkeep: {error}\n")
        sys.exit(1)


def print_json(value: Any) -> None:
    """One JSON document on stdout, for scripts."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
    sys.stdout.flush()
