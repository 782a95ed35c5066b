"""What the demo shows in the terminal: where to look, how to log in, and a live status line."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import psycopg
import segno
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from watchkeep_cli.demo import figures
from watchkeep_cli.demo.people import PEOPLE
from watchkeep_core.database import DatabaseUnavailable, connect

if TYPE_CHECKING:
    from watchkeep_cli.demo.runner import Demo

QUIET_LINE_S = 10.0
"""Without a terminal (a log file) a status line so often, in seconds."""

_err = Console(stderr=True, highlight=False)


def teller(*, quiet: bool) -> Callable[[str], None]:
    """A function that tells what is being done; silent for scripts."""

    def say(text: str) -> None:
        if not quiet:
            _err.print(f"[dim]·[/dim] {text}")

    return say


def welcome(demo: "Demo") -> None:
    """Where to look and how to log in; a QR code for phones when the console is open to the network."""
    logins = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for person in PEOPLE:
        logins.add_row(f"[bold]{person.login}[/bold]", person.name, f"[dim]{person.shows}[/dim]")
    _err.print(
        Panel.fit(
            f"console   [bold cyan]{demo.console_url}[/bold cyan]\n"
            f"API       {demo.console_url}/api/v1/openapi.json\n"
            f"password  [bold]{demo.password}[/bold]  (for each login below)",
            title="Watchkeep demo",
            border_style="cyan",
        )
    )
    _err.print(logins)
    _err.print(
        "[dim]The first fault strikes 12 s after the start: an entrapment in lift 1 of building 3. Ctrl-C stops.[/dim]"
    )
    if demo.options.listen not in ("127.0.0.1", "localhost", "::1"):
        _err.print(f"\nTechnician's page for a phone: {demo.console_url}/m")
        segno.make(f"{demo.console_url}/m", error="m").terminal(out=sys.stderr, compact=True)


class StatusLine:
    """readings/s, open warnings and open orders, once a second; a plain line now and then without a terminal."""

    def __init__(self, demo: "Demo", *, quiet: bool) -> None:
        self._demo = demo
        self._quiet = quiet
        self._live = Live(console=_err, auto_refresh=False, transient=True) if _err.is_terminal and not quiet else None
        self._conn: psycopg.Connection | None = None
        self._last = (time.monotonic(), 0)
        self._shown = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
        if self._conn:
            self._conn.close()

    def update(self) -> None:
        now = time.monotonic()
        wait = 1.0 if self._live else QUIET_LINE_S
        if self._quiet or now - self._shown < wait:
            return
        self._shown = now
        counts = self._counts()
        if counts is None:
            return
        (before, stored), self._last = self._last, (now, counts["stored"])
        rate = (counts["stored"] - stored) / (now - before) if stored else 0.0
        line = (
            f"{rate:7.0f} readings/s   {counts['stored']:>10,} stored   "
            f"{counts['open_warnings']:>4} open warnings   {counts['open_orders']:>4} open orders"
        )
        if self._live:
            self._live.update(Text(line, style="bold"), refresh=True)
        else:
            _err.print(line)

    def _counts(self) -> dict[str, int] | None:
        try:
            if self._conn is None:
                self._conn = connect(self._demo.admin_url, "demo-status")
            return figures.counts(self._conn)
        except (DatabaseUnavailable, psycopg.OperationalError):
            self._conn = None
            return None


def status_line(demo: "Demo", *, quiet: bool) -> StatusLine:
    return StatusLine(demo, quiet=quiet)
