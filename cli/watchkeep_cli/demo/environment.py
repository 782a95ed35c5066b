"""What the processes of the demo are told: each its own settings and secrets, and whom the broker lets in."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from watchkeep_cli.acl import LOAD_USER, SIM_USERS, service_users
from watchkeep_cli.broker import RunningBroker
from watchkeep_cli.demo.secret_store import SecretStore
from watchkeep_cli.postgres import EmbeddedPostgres
from watchkeep_cli.up import SERVICES


def broker_users(secrets: SecretStore, gateways: Iterable[str]) -> dict[str, str]:
    """User → password: the services, the simulator, the demo's `gateways` (user names), and those enrolled since."""
    users = service_users(*(secrets.get(f"mqtt:{name}") for name in ("ingest", "analytics", "console")))
    users |= dict.fromkeys((*SIM_USERS, LOAD_USER), secrets.get("mqtt:sim"))
    return users | {user: secrets.get(f"mqtt:{user}") for user in gateways} | secrets.gateways()


@dataclass(frozen=True, slots=True)
class Environment:
    """Settings of every process by the servers that run; the ports of their health come from whoever starts them."""

    postgres: EmbeddedPostgres
    broker: RunningBroker
    secrets: SecretStore

    def service(self, part: str) -> dict[str, str]:
        """Of ingest, analytics, dispatch or the console."""
        told = {"WATCHKEEP_MQTT_URL": self.broker.url, "WATCHKEEP_DATABASE_URL": self.database_url(part)}
        if part != "dispatch":  # which needs no broker
            told[f"WATCHKEEP_{part.upper()}_MQTT_PASSWORD"] = self.secrets.get(f"mqtt:{part}")
        return told

    def console(self, listen: str, port: int, public_url: str, enrol_dir: Path) -> dict[str, str]:
        """The console's, with where it can be reached."""
        return self.service("console") | {
            "WATCHKEEP_CONSOLE_HOST": listen,
            "WATCHKEEP_CONSOLE_PORT": str(port),
            "WATCHKEEP_CONSOLE_SESSION_SECRET": self.secrets.get("session"),
            "WATCHKEEP_CONSOLE_ENROL_DIR": str(enrol_dir),
            "WATCHKEEP_CONSOLE_PUBLIC_URL": public_url,
        }

    def gateway(self, user: str, config: Path, spool: Path) -> dict[str, str]:
        """Of the gateway with this user name."""
        return {
            "WATCHKEEP_MQTT_URL": self.broker.url,
            "WATCHKEEP_GATEWAY_CONFIG_FILE": str(config),
            "WATCHKEEP_GATEWAY_SPOOL_DIR": str(spool),
            "WATCHKEEP_GATEWAY_MQTT_PASSWORD": self.secrets.get(f"mqtt:{user}"),
        }

    def simulator(self) -> dict[str, str]:
        """Of the simulated fleet, and of whoever injects or replays."""
        return {
            "WATCHKEEP_MQTT_URL": self.broker.url,
            "WATCHKEEP_SIM_MQTT_PASSWORD": self.secrets.get("mqtt:sim"),
        }

    def crowd(self) -> dict[str, str]:
        """Of the crowd, which enters its estate itself."""
        return self.simulator() | {"WATCHKEEP_SIM_DATABASE_URL": self.postgres.admin_url}

    def shell(self, console_url: str) -> str:
        """`. DIR/env` lets the other verbs of `watchkeep` talk to this demo: replay, inject, deadletter, explain …"""
        values = self.simulator() | {
            "WATCHKEEP_DEMO_URL": console_url,
            "WATCHKEEP_DB_ADMIN_URL": self.postgres.admin_url,
            # This login may read what a score needs.
            "WATCHKEEP_SIM_SCORE_DATABASE_URL": self.database_url("dispatch"),
        }
        values |= {f"WATCHKEEP_{part.upper()}_DATABASE_URL": self.database_url(part) for part in SERVICES}
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())

    def database_url(self, part: str) -> str:
        login = f"watchkeep_{part}"
        return self.postgres.url(login, self.secrets.get(f"db:{login}"))
