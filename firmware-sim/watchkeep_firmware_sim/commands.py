"""`watchkeep sim …`: run a fleet, let faults happen, replay recordings, check files."""

import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from msgspec import to_builtins
from msgspec.json import encode
from rich.console import Console
from rich.table import Table

from watchkeep_core import vocabulary
from watchkeep_core.broker import BrokerUnreachable
from watchkeep_core.commands import print_json
from watchkeep_core.database import connect
from watchkeep_core.logs import configure
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_firmware_sim import fleet as fleets
from watchkeep_firmware_sim import generate as generated
from watchkeep_firmware_sim import injection, score_ledger, score_read, score_report, service
from watchkeep_firmware_sim.fleet_load import commands as fleet_load
from watchkeep_firmware_sim.modbus import register_map
from watchkeep_firmware_sim.replay import player
from watchkeep_firmware_sim.scenario import Scenario, find, variants
from watchkeep_firmware_sim.scenario_duties import expected
from watchkeep_firmware_sim.score import score as compare_with_truth
from watchkeep_firmware_sim.settings import ScoreSettings, SimSettings

app = typer.Typer(help="Simulated devices with known faults, and replay of recorded data.", no_args_is_help=True)

app.command()(fleet_load.fleet)
app.command()(fleet_load.compare)

Fleet = Annotated[Path | None, typer.Option(help="Fleet file (TOML or JSON).")]
Url = Annotated[str | None, typer.Option("--mqtt-url", help="Broker, mqtt://host:port or mqtts://host:port.")]
User = Annotated[str | None, typer.Option("--mqtt-user", help="Broker user; no two commands at once with the same.")]
Speed = Annotated[float | None, typer.Option(help="Event time over wall time, e.g. 60 = an hour in a minute.")]

ACK_TIMEOUT_S = 10.0


@app.command()
def run(
    fleet: Fleet = None,
    mqtt_url: Url = None,
    mqtt_user: User = None,
    speed: Speed = None,
    for_s: Annotated[float | None, typer.Option("--for", help="Seconds of wall time; absent = until stopped.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="Append every fault and the totals to this file.")] = None,
    health_port: Annotated[int | None, typer.Option(help="Port of /health and /metrics; 0 = none.")] = None,
) -> None:
    """Run a fleet until it is stopped; prints the totals as JSON.

    Above speed 1 the devices' time begins in the past and never passes the present. The password of the broker user
    comes from WATCHKEEP_SIM_MQTT_PASSWORD or WATCHKEEP_SIM_MQTT_PASSWORD_FILE.
    """
    settings = _settings(
        fleet=fleet,
        mqtt_url=mqtt_url,
        mqtt_user=mqtt_user,
        speed=speed,
        for_s=for_s,
        ledger=ledger,
        health_port=health_port,
    )
    print_json(service.run(settings, Stop().install()))


@app.command()
def inject(
    scenario: Annotated[str, typer.Option(help="One of `watchkeep sim scenarios`.")],
    equipment: Annotated[str, typer.Option(help="community/equipment.")],
    for_s: Annotated[float | None, typer.Option("--for", help="Seconds; absent = the scenario's usual length.")] = None,
    severity: Annotated[float, typer.Option(min=0, max=1, help="0 = just beyond the limit, 1 = all of it.")] = 1,
    mqtt_url: Url = None,
    mqtt_user: User = None,
) -> None:
    """Let a fault happen now in the simulator that is running.

    The simulator refuses what does not fit the equipment; its log and ledger say so.
    """
    find(scenario)
    wish = injection.Inject(scenario=scenario, equipment=equipment, for_s=for_s, severity=severity)
    payload = injection.encode(wish)
    injection.decode(payload)
    settings = _settings(mqtt_url=mqtt_url, inject_user=mqtt_user)
    with service.connect(settings, settings.inject_user) as connection:
        done = connection.publish(injection.TOPIC, payload)
        try:
            done.result(ACK_TIMEOUT_S)
        except TimeoutError:
            raise BrokerUnreachable(f"no acknowledgement within {ACK_TIMEOUT_S:g} s") from None
    print_json(wish)


@app.command(name="scenarios")
def list_scenarios(
    json: Annotated[bool, typer.Option("--json", help="For scripts, with everything each scenario does.")] = False,
) -> None:
    """List the faults that can happen, and the conditions that they should lead to."""
    if json:
        print_json([to_builtins(scenario) | _duty_of(scenario) for scenario in variants().values()])
        return
    table = Table("scenario", "expected, any of", "class", "order to", "length")
    table.columns[-1].no_wrap = True
    for scenario in variants().values():
        expects, duty, length = ", ".join(scenario.expects) or "nothing", _duty_of(scenario), f"{scenario.for_s:g} s"
        names = f"{scenario.id}\n{scenario.zh}\n{scenario.en}"
        table.add_row(names, expects, duty["class"], duty["party"], length)
    Console().print(table)


def _duty_of(scenario: Scenario) -> dict[str, str]:
    """Class and party of the first condition it should lead to, at the first kind it happens to."""
    if not scenario.expects:
        return {"class": "", "party": ""}
    duty = expected(scenario.expects[0], scenario.kinds[0])
    return {"class": duty.case_class, "party": duty.party}


@app.command()
def generate(
    kind: Annotated[str, typer.Option(help="Kind of equipment, e.g. elevator.")],
    output: Annotated[Path, typer.Option(help="File to write (.npz): t, values[t, metric, device], metrics, truth.")],
    count: Annotated[int, typer.Option(min=1, max=100_000, help="Devices.")] = 100,
    start: Annotated[datetime, typer.Option(help="Begin, UTC.")] = datetime(2026, 9, 1),  # noqa: DTZ001 - typer parses naive times; taken as UTC
    days: Annotated[float, typer.Option(min=0.01, max=3660)] = 7,
    step_s: Annotated[float, typer.Option("--step", min=0.1, help="Seconds between readings.")] = 300,
    seed: int = 1,
    metric: Annotated[list[str] | None, typer.Option(help="Repeatable; absent = all of this kind.")] = None,
    fault_rate: Annotated[float, typer.Option(min=0, help="Faults as often as in life, times this; 0 = none.")] = 0,
) -> None:
    """Write readings of many devices on a grid of time, with faults and ground truth; prints what was made."""
    words = vocabulary.load()
    begins = start.replace(tzinfo=UTC).timestamp()
    names = metric or generated.metrics_of(kind, words)
    faults = generated.random_faults(kind, names, count, days * 86_400, seed, fault_rate) if fault_rate else []
    before = time.perf_counter()
    made = generated.generate(kind, count, begins, begins + days * 86_400, step_s, seed, metrics=names, faults=faults)
    took_s = time.perf_counter() - before
    truth = encode(made.truth).decode()
    with output.open("wb") as file:
        np.savez(file, t=made.t, values=made.values, metrics=made.metrics, equipment=made.equipment, truth=truth)
    print_json(
        {
            "readings": made.values.size,
            "faults": len(made.truth),
            "seconds": round(took_s, 3),
            "readings_per_s": round(made.values.size / took_s),
        }
    )


@app.command()
def score(
    ledger: Annotated[Path, typer.Option(help="What `run --ledger` wrote.")],
    database_url: Annotated[
        str | None, typer.Option(help="Instead of WATCHKEEP_DATABASE_URL; a password in it can be seen by others.")
    ] = None,
    require: Annotated[
        str, typer.Option(help="Exit 1 unless reached, e.g. recall=0.9,precision=0.95,false_warnings=0.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="For scripts, with every finding.")] = False,
) -> None:
    """Compare warnings and orders in the database with the ground truth of a run: found, late, false, wrong party.

    The login needs SELECT on warnings, verdicts, cases, orders and the register; that of dispatch has it.
    """
    demands = score_report.parse_demands(require)
    settings = load(ScoreSettings, database_url=database_url)
    now = datetime.now(UTC)
    runs, faults = score_ledger.read(ledger, now)
    begins, ends = min(run.begins for run in runs), max(run.ends for run in runs)
    communities = {name for run in runs for name in run.points} | {fault.community for fault in faults}
    with connect(settings.database_url.get_secret_value(), "sim-score") as conn, conn.transaction():
        warnings, orders, sites = score_read.read(conn, communities, begins, ends)
    report = compare_with_truth(runs, faults, warnings, orders, sites, now)
    if json:
        print_json(report)
    else:
        score_report.print_report(report, Console(width=max(Console().width, score_report.WIDTH)))
    score_report.demand(report, demands)


@app.command()
def replay(
    mapping: Annotated[Path | None, typer.Option(help="Mapping file (TOML or JSON): columns to metrics.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder that its file names are relative to.")] = None,
    speed: Annotated[float | None, typer.Option(help="Event time over wall time; 0 = as fast as it goes.")] = None,
    mqtt_url: Url = None,
    mqtt_user: User = None,
) -> None:
    """Play recorded series with their original stamps through a gateway's MQTT bridge; prints a summary as JSON.

    The community should be marked `replay`, so that old stamps are welcome and nobody is called out.
    """
    settings = _settings(mapping=mapping, data=data, speed=speed, mqtt_url=mqtt_url, replay_user=mqtt_user)
    print_json(player.replay(settings, Stop().install()))


@app.command(name="fleet-check")
def fleet_check(fleet: Annotated[Path, typer.Argument(help="Fleet file (TOML or JSON).")]) -> None:
    """Check a fleet file and say what is in it, the Modbus registers included; names the field that is wrong."""
    found = fleets.load(fleet, vocabulary.load())
    print_json(
        {
            "devices": len(found.device),
            "points": found.points(),
            "readings_per_s": round(found.readings_per_s(), 3),
            "faults": len(found.fault),
            "gateways": sorted({f"{device.community}/{device.gateway}" for device in found.device}),
            "kinds": dict(sorted(Counter(device.kind for device in found.device).items())),
            "modbus_registers": {d.name: register_map(d) for d in found.device if d.transport == "modbus"},
        }
    )


def _settings(**options: Any) -> SimSettings:
    settings = load(SimSettings, **options)
    configure("sim", settings.log_level)
    return settings
