"""`watchkeep sim fleet` and `watchkeep sim compare`."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from watchkeep_core.broker import BrokerAddress
from watchkeep_core.commands import print_json
from watchkeep_core.database import connect
from watchkeep_core.errors import SettingsError
from watchkeep_core.logs import configure
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_firmware_sim.fleet_load import records
from watchkeep_firmware_sim.fleet_load.compare import compare as compare_with
from watchkeep_firmware_sim.fleet_load.comparison import Comparison
from watchkeep_firmware_sim.fleet_load.links import LOAD_USER, Login
from watchkeep_firmware_sim.fleet_load.options import FleetOptions
from watchkeep_firmware_sim.fleet_load.progress import bar, counter
from watchkeep_firmware_sim.fleet_load.register import register as save_estate
from watchkeep_firmware_sim.fleet_load.run import run_fleet
from watchkeep_firmware_sim.fleet_load.settings import FleetDatabase
from watchkeep_firmware_sim.settings import SimSettings

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "": 1}

Database = Annotated[
    str | None, typer.Option(help="libpq URL; else WATCHKEEP_SIM_DATABASE_URL. For --register: an administrator's.")
]


def fleet(
    points: Annotated[int, typer.Option(help="Time series, up to 1,000,000.")] = 100_000,
    gateways: Annotated[int, typer.Option(help="At most 5,000 points each.")] = 200,
    communities: Annotated[int, typer.Option(help="Named PREFIX-01 …")] = 20,
    rate: Annotated[float, typer.Option(help="Readings/s of all; 0 = as fast as the database takes them.")] = 10_000,
    faults: Annotated[str, typer.Option(help="So many random scenarios, or a TOML file with [[fault]] tables.")] = "0",
    for_: Annotated[str | None, typer.Option("--for", help="Length: 60s, 10m, 2h; absent = until stopped.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed and size give the same fleet.")] = 1,
    ledger: Annotated[Path | None, typer.Option(help="Write what was sent here, for `compare` and `score`.")] = None,
    readings_per_message: Annotated[int, typer.Option(help="At most; 1 to 5,000.")] = 100,
    duplicate: Annotated[float, typer.Option(help="Share of messages published twice.")] = 0.0,
    shuffle: Annotated[int, typer.Option(help="Publish in random order within so many messages.")] = 0,
    lose: Annotated[float, typer.Option(help="Share of telemetry messages that the spools lose; told by floor.")] = 0.0,
    poison: Annotated[float, typer.Option(help="Undigestible messages beside the good ones, as a share.")] = 0.0,
    skew: Annotated[float, typer.Option(help="Share of the equipment with a wrong clock.")] = 0.0,
    spool_mib: Annotated[int, typer.Option(help="What all spools may hold; beyond, the oldest telemetry goes.")] = 256,
    drain: Annotated[str, typer.Option(help="How long to wait for acks at the end.")] = "60s",
    own_connections: Annotated[bool, typer.Option(help="One connection per gateway (up to 300), with wills.")] = False,
    prefix: Annotated[str, typer.Option(help="Begin of the communities' ids.")] = "load",
    register: Annotated[bool, typer.Option(help="Put the estate into the register first.")] = False,
    database_url: Database = None,
    mqtt_url: Annotated[str | None, typer.Option(help="Broker, mqtt://host:port or mqtts://host:port.")] = None,
    mqtt_user: Annotated[str, typer.Option(help="Speaks for all gateways, unless --own-connections.")] = LOAD_USER,
) -> None:
    """Many gateways at once straight to MQTT in the wire format; prints the totals as JSON.

    The broker must let the user write for these communities: see firmware-sim/README.md. The password comes from
    WATCHKEEP_SIM_MQTT_PASSWORD; with --own-connections it is every gateway's.
    """
    options = FleetOptions(
        points=points,
        gateways=gateways,
        communities=communities,
        rate=rate,
        readings_per_message=readings_per_message,
        seed=seed,
        for_s=None if for_ is None else seconds("for", for_),
        faults=int(faults) if faults.isdigit() else 0,
        fault_file=None if faults.isdigit() else Path(faults),
        duplicate=duplicate,
        shuffle=shuffle,
        lose=lose,
        poison=poison,
        skew=skew,
        spool_mib=spool_mib,
        drain_s=seconds("drain", drain),
        own_connections=own_connections,
        prefix=prefix,
    )
    settings = load(SimSettings, mqtt_url=mqtt_url)
    configure("sim", settings.log_level)
    if register:
        with counter("registering", options.points) as done:
            save_estate(_database(database_url), options, done)
    login = Login(
        BrokerAddress.parse(settings.mqtt_url, settings.mqtt_ca_file),
        settings.mqtt_password.get_secret_value(),
        mqtt_user,
    )
    with bar(options.for_s) as show:
        totals = run_fleet(options, login, Stop().install(), ledger=ledger, progress=show)
    print_json(totals)


def compare(
    ledger: Annotated[Path, typer.Option(help="Of a load run that has ended.")],
    database_url: Database = None,
    allow_undelivered: Annotated[
        bool, typer.Option(help="Messages that the run gave up on, unacknowledged, are no failure.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Ledger against database: exit code 1 unless every reading, event and seq is there exactly once."""
    sent = records.read(ledger)
    with connect(_database(database_url), "sim-compare") as conn:
        found = compare_with(conn, sent)
    if json:
        print_json(found.plain())
    else:
        _show(found)
    if not found.equal or (found.undelivered and not allow_undelivered):
        raise typer.Exit(1)


def seconds(field: str, text: str) -> float:
    """`90`, `90s`, `1.5m` or `2h` in seconds; raises SettingsError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None:
        raise SettingsError(f"--{field}: {text!r} is not a length such as 90s, 10m or 2h")
    return float(match[1]) * _UNITS_S[match[2]]


def _database(url: str | None) -> str:
    return load(FleetDatabase, database_url=url).database_url.get_secret_value()


def _show(found: Comparison) -> None:
    console = Console()
    table = Table("", "sent", "there", "differ", title=f"{found.epoch}: {'equal' if found.equal else 'DIFFERENT'}")
    for name, sent, there, differ in (
        ("readings", found.readings_sent, found.readings_found, found.missing + found.duplicates + found.extra),
        ("series", found.series, "", found.differing_series),
        ("events", found.events_sent, "", found.differing_events),
        ("lanes (seqs)", "", "", found.differing_lanes),
        ("dead letters (lanes)", "", "", found.differing_dead),
    ):
        table.add_row(name, str(sent), str(there), str(differ))
    console.print(table)
    console.print(
        f"missing {found.missing}, duplicates {found.duplicates}, extra {found.extra}, altered series "
        f"{found.altered_series}; undelivered messages {found.undelivered}, parked {found.parked}, "
        f"quarantined {found.quarantined}"
    )
    for each in found.differences:
        console.print(f"{each.what} {each.where}: {each.detail}", soft_wrap=True)
