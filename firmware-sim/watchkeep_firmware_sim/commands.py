"""`watchkeep sim …`: run a fleet, let faults happen, replay recordings, check files."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from watchkeep_core import vocabulary
from watchkeep_core.broker import BrokerUnreachable
from watchkeep_core.commands import print_json
from watchkeep_core.logs import configure
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_firmware_sim import fleet as fleets
from watchkeep_firmware_sim import injection, service
from watchkeep_firmware_sim.modbus import register_map
from watchkeep_firmware_sim.replay import player
from watchkeep_firmware_sim.scenario import find, scenarios
from watchkeep_firmware_sim.settings import SimSettings

app = typer.Typer(help="Simulated devices with known faults, and replay of recorded data.", no_args_is_help=True)

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
    mqtt_url: Url = None,
    mqtt_user: User = None,
) -> None:
    """Let a fault happen now in the simulator that is running.

    The simulator refuses what does not fit the equipment; its log and ledger say so.
    """
    find(scenario)
    wish = injection.Inject(scenario=scenario, equipment=equipment, for_s=for_s)
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
        print_json(list(scenarios().values()))
        return
    table = Table("scenario", "名称", "name", "happens to", "expected, any of", "length")
    table.columns[0].no_wrap = table.columns[-1].no_wrap = True
    for scenario in scenarios().values():
        kinds, expects = ", ".join(scenario.kinds), ", ".join(scenario.expects) or "nothing"
        table.add_row(scenario.id, scenario.zh, scenario.en, kinds, expects, f"{scenario.for_s:g} s")
    Console().print(table)


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
