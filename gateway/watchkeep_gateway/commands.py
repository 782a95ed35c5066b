"""`watchkeep gateway …`: run, check a configuration, look into the spool, read devices once."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeep_core import logs, settings
from watchkeep_core.commands import print_json
from watchkeep_core.service import Stop
from watchkeep_gateway import spool_reader
from watchkeep_gateway.config import ModbusTable, points
from watchkeep_gateway.config_file import read
from watchkeep_gateway.settings import GatewaySettings

app = typer.Typer(
    help="Reads field devices and keeps every reading on disk until the database has it.", no_args_is_help=True
)

ConfigArgument = Annotated[Path, typer.Argument(help="The gateway's TOML file.")]
SpoolOption = Annotated[
    Path, typer.Option("--spool-dir", envvar="WATCHKEEP_GATEWAY_SPOOL_DIR", help="Folder of the spool.")
]


@app.command()
def run(
    config_file: Annotated[Path | None, typer.Option("--config", help="The gateway's TOML file.")] = None,
    spool_dir: Annotated[Path | None, typer.Option(help="Folder of the spool; made when missing.")] = None,
    mqtt_url: Annotated[str | None, typer.Option(help="Broker, mqtt://host:port or mqtts://host:port.")] = None,
    health_port: Annotated[int | None, typer.Option(help="Port of /health and /metrics; 0 = none.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run until SIGTERM. The password comes from WATCHKEEP_GATEWAY_MQTT_PASSWORD or …_MQTT_PASSWORD_FILE."""
    from watchkeep_gateway import service

    found = settings.load(
        GatewaySettings,
        config_file=config_file,
        spool_dir=spool_dir,
        mqtt_url=mqtt_url,
        health_port=health_port,
        log_level=log_level,
    )
    logs.configure("gateway", found.log_level)
    service.run(found, Stop().install())


@app.command()
def check(config: ConfigArgument) -> None:
    """Check a configuration file without connecting to anything; says which field is wrong and why."""
    found = read(config)
    print_json(
        {
            "ok": True,
            "community": found.gateway.community,
            "gateway": found.gateway.id,
            "mqtt_user": found.ref.user,
            "version": found.version,
            "devices": len(found.device),
            "points": len(points(found)),
            "bridges": [found.bridge_topic(bridge) for bridge in found.mqtt_bridge],
            "modbus": [f"{table.name}: {table.host}:{table.port} unit {table.unit}" for table in found.modbus_tcp],
        }
    )


@app.command()
def status(spool_dir: SpoolOption) -> None:
    """What is on the spool: lanes, oldest message, links. Reads the file, so the gateway need not run."""
    print_json(spool_reader.status(spool_dir))


@app.command()
def rejected(
    spool_dir: SpoolOption, limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first.")] = 20
) -> None:
    """Field messages that could not be understood, with the reason."""
    print_json(spool_reader.rejected(spool_dir, limit))


@app.command()
def probe(config: ConfigArgument) -> None:
    """Read every Modbus device of a configuration once and print the values; nothing is stored or sent."""
    found = read(config)
    logs.configure("gateway", "error")
    print_json(asyncio.run(_probe(found.modbus_tcp)))


async def _probe(tables: tuple[ModbusTable, ...]) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*(_probe_one(table) for table in tables)))


async def _probe_one(table: ModbusTable) -> dict[str, Any]:
    from watchkeep_gateway.drivers import modbus_tcp

    (link,) = modbus_tcp.links([table])
    try:
        started = time.monotonic()
        found = await modbus_tcp.read(link.client, table, link.devices[0].blocks, lambda: time.time_ns() // 1_000_000)
        values = [{"equipment": r.equipment, "metric": r.metric, "value": r.value} for r in found]
        return {"name": table.name, "ok": True, "ms": round((time.monotonic() - started) * 1000, 1), "values": values}
    except modbus_tcp.DeviceSilent as error:
        return {"name": table.name, "ok": False, "why": str(error)}
    finally:
        link.client.close()
