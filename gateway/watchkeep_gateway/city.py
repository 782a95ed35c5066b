"""Many gateways in one process, beside a broker: a folder of what `enroll` wrote, each with its own spool and login.

Each gateway keeps its own MQTT user, session, lanes and, towards a foreign broker, its own user too: that broker's
access rules say which community sees what, and nothing is mixed here.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic import SecretStr

from watchkeep_core.errors import SettingsError
from watchkeep_core.service import Checks
from watchkeep_gateway.settings import GatewaySettings

CONFIG = "gateway.toml"
PASSWORD = "mqtt-password"  # noqa: S105 - the name of a file
"""As `watchkeep gateway enroll` names them."""

MAX_GATEWAYS = 100
"""paho waits with select(): about 300 connections a process, and a gateway may have three."""


def each(settings: GatewaySettings) -> list[GatewaySettings]:
    """Settings of each gateway: one for a file, one per subfolder for a folder. Raises SettingsError."""
    folder = settings.config_file
    if not folder.is_dir():
        if not settings.mqtt_password.get_secret_value():
            raise SettingsError(
                "mqtt_password: is missing; set WATCHKEEP_GATEWAY_MQTT_PASSWORD or …_MQTT_PASSWORD_FILE"
            )
        return [settings]
    files = sorted(folder.glob(f"*/{CONFIG}"))
    if not files:
        raise SettingsError(f"config_file: {folder} is a folder without NAME/{CONFIG} in it")
    if len(files) > MAX_GATEWAYS:
        raise SettingsError(f"config_file: {len(files)} gateways in {folder}, at most {MAX_GATEWAYS} in one process")
    return [
        settings.model_copy(
            update={
                "config_file": file,
                "spool_dir": settings.spool_dir / file.parent.name,
                "mqtt_password": _password(file.with_name(PASSWORD)),
            }
        )
        for file in files
    ]


def require_different(users: Sequence[str]) -> None:
    """Two gateways of one user would end each other's connection for ever. Raises SettingsError."""
    for number, user in enumerate(users):
        if user in users[:number]:
            raise SettingsError(f"config_file: two files are of gateway {user}")


def merged_checks(checks: Mapping[str, Checks]) -> Checks:
    """By gateway; of several, each name says whose it is."""
    if len(checks) == 1:
        return next(iter(checks.values()))
    return {f"{user} {name}": check for user, found in checks.items() for name, check in found.items()}


def merged_registry(registries: Mapping[str, CollectorRegistry]) -> CollectorRegistry:
    """By gateway; of several, each sample gets the label `gateway`."""
    if len(registries) == 1:
        return next(iter(registries.values()))
    registry = CollectorRegistry()
    registry.register(_Merged(registries))
    return registry


class _Merged(Collector):
    def __init__(self, registries: Mapping[str, CollectorRegistry]) -> None:
        self._registries = registries

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for user, registry in self._registries.items():
            for family in registry.collect():
                merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    merged.add_sample(sample.name, {"gateway": user, **sample.labels}, sample.value, sample.timestamp)
        yield from families.values()


def _password(file: Path) -> SecretStr:
    try:
        password = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"config_file: cannot read {file}: {getattr(error, 'strerror', error)}") from None
    if not password:
        raise SettingsError(f"config_file: {file} is empty")
    return SecretStr(password)
