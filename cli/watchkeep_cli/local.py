"""`watchkeep demo` and `watchkeep up`: the local supervisor's commands."""

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from watchkeep_core.commands import print_json
from watchkeep_core.errors import SettingsError
from watchkeep_core.logs import configure
from watchkeep_core.service import Stop

if TYPE_CHECKING:  # imported when used: a gateway's box has none of what the demo needs
    from watchkeep_cli.demo.runner import Demo
    from watchkeep_cli.demo.screen import StatusLine

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def register(app: typer.Typer) -> None:
    """Put the commands on the top level."""
    app.command("demo")(demo)
    app.command("up")(up)
    app.command("settings")(settings)


def duration(text: str) -> float:
    """`90`, `60s`, `5m`, `2h` → seconds. Raises SettingsError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None or float(match[1]) == 0:
        raise SettingsError(f"--for: {text!r} is not a duration such as 60s, 5m or 2h")
    return float(match[1]) * _UNITS[match[2] or "s"]


def demo(
    length: Annotated[str | None, typer.Option("--for", help="Stop after so long, e.g. 60s or 5m.")] = None,
    json: Annotated[bool, typer.Option("--json", help="No status line; one JSON object at the end.")] = False,
    listen: Annotated[str, typer.Option(help="Address of the console; 0.0.0.0 lets phones in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the console, when it is free.")] = 8080,
    broker: Annotated[str, typer.Option(help="auto, mosquitto or amqtt.")] = "auto",
    data: Annotated[Path | None, typer.Option(help="Where the demo keeps its data between starts.")] = None,
    points: Annotated[int, typer.Option(help="So many points more, of a large simulated fleet; 0 = none.")] = 0,
    rate: Annotated[float, typer.Option(help="Readings a second of that fleet.")] = 10_000,
) -> None:
    """The whole system on this machine: database, broker, services, console, and a simulated fleet that fails."""
    from watchkeep_cli.demo import screen
    from watchkeep_cli.demo.crowd import Crowd
    from watchkeep_cli.demo.runner import Demo, Options, default_directory

    seconds = duration(length) if length else None
    if broker not in ("auto", "mosquitto", "amqtt"):
        raise SettingsError(f"--broker: {broker!r} is not auto, mosquitto or amqtt")
    kind: Literal["auto", "mosquitto", "amqtt"] = broker  # type: ignore[assignment]  # checked above
    configure("demo", "warning", "text")
    stop = Stop().install()
    crowd = Crowd(points, rate) if points else None
    options = Options(data or default_directory(), listen, port, kind, crowd)
    with Demo(options, screen.teller(quiet=json)) as running:
        if not json:
            screen.welcome(running)
        _watch(running, stop, seconds, screen.status_line(running, quiet=json))
        if json:
            drained = running.drain(Stop())
            print_json(running.report() | {"drained": drained})
    if not json:
        sys.stderr.write("stopped; the data is kept in " + str(options.directory) + "\n")


def up() -> None:
    """Run ingest, analytics, dispatch and the console against the servers that WATCHKEEP_* names."""
    from watchkeep_cli.up import run

    configure("up", "info", "text")
    run(Stop().install())


def settings(
    part: Annotated[
        str | None, typer.Argument(help="gateway, ingest, analytics, dispatch, console, sim or db.")
    ] = None,
) -> None:
    """Every setting: variable, default (none = must be set) and meaning, as a Markdown table."""
    from watchkeep_cli.settings_table import table

    sys.stdout.write(table(part))


def _watch(running: "Demo", stop: Stop, seconds: float | None, show: "StatusLine") -> None:
    deadline = None if seconds is None else time.monotonic() + seconds
    with show:
        while not stop.wait(0.5) and (deadline is None or time.monotonic() < deadline):
            running.watch()
            show.update()
