"""What a new gateway's box needs, in one folder: configuration, environment, secret and CA."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from watchkeep_core.errors import SettingsError
from watchkeep_core.topics import GatewayRef

PLACE = "/etc/watchkeep"
"""Where the folder's content goes on the box; gateway/watchkeep-gateway.service reads it there."""

SECRET = "mqtt-password"  # noqa: S105 - a file name

_TOML = """\
# Gateway {gateway} of {community}. Check it with: watchkeep gateway check gateway.toml
# All tables and fields: gateway.example.toml

version = "1"

[gateway]
community = "{community}"
id = "{gateway}"

# Devices that speak MQTT publish JSON to field/{community}/{gateway}/EQUIPMENT
[[mqtt_bridge]]
name = "field"
"""

_ENVIRONMENT = """\
WATCHKEEP_GATEWAY_CONFIG_FILE={place}/gateway.toml
WATCHKEEP_GATEWAY_MQTT_URL={mqtt_url}
"""

_INSTALL = """\
Gateway {user}. Everything here belongs to {place} on the box.

    sudo install -d -m 0755 {place}
    sudo install -m 0644 gateway.toml gateway.env{ca} {place}/
    sudo install -m 0600 {secret} {place}/          # root reads it for the service (LoadCredential)
    sudo install -m 0644 watchkeep-gateway.service /etc/systemd/system/   # from the folder gateway/ of Watchkeep
    watchkeep gateway check {place}/gateway.toml
    sudo systemctl enable --now watchkeep-gateway
    sudo watchkeep gateway status --spool-dir /var/lib/watchkeep-gateway

Delete this folder afterwards: {secret} is the gateway's password, and no one else needs it.
"""


class Equipment(NamedTuple):
    """One row of the register."""

    equipment: str
    kind: str
    name: str
    vendor_profile: str


class Bundle:
    """A folder that does not exist yet, or is empty."""

    def __init__(self, directory: Path, ref: GatewayRef, mqtt_url: str, ca_file: Path | None) -> None:
        """Raises SettingsError before anything is changed elsewhere."""
        try:
            self._ca = ca_file.read_bytes() if ca_file else None
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(directory.iterdir()):
                raise SettingsError(f"--out: {directory} is not empty")
        except OSError as error:
            raise SettingsError(f"{error.filename}: {error.strerror}") from None
        self._directory = directory
        self._ref = ref
        self._mqtt_url = mqtt_url

    def write(self, password: str, equipment: Sequence[Equipment]) -> list[Path]:
        environment = _ENVIRONMENT.format(place=PLACE, mqtt_url=self._mqtt_url)
        contents = {SECRET: f"{password}\n".encode(), "gateway.toml": _toml(self._ref, equipment).encode()}
        if self._ca is not None:
            contents["ca.crt"] = self._ca
            environment += f"WATCHKEEP_GATEWAY_MQTT_CA_FILE={PLACE}/ca.crt\n"
        contents["gateway.env"] = environment.encode()
        install = _INSTALL.format(
            user=self._ref.user, place=PLACE, secret=SECRET, ca=" ca.crt" if self._ca is not None else ""
        )
        contents["INSTALL.txt"] = install.encode()
        written = []
        for name, content in contents.items():
            file = self._directory / name
            mode = 0o600 if name == SECRET else 0o644
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as handle:
                handle.write(content)
            written.append(file)
        return written


def _toml(ref: GatewayRef, equipment: Sequence[Equipment]) -> str:
    """The strings come from the register: a TOML basic string is written as JSON writes one."""
    lines = [_TOML.format(community=ref.community, gateway=ref.gateway)]
    for row in equipment:
        comment = " ".join(row.name.split())
        lines.append(f"[[device]]  # {comment}\nequipment = {json.dumps(row.equipment)}\nkind = {json.dumps(row.kind)}")
        if row.vendor_profile:
            lines.append(f"vendor_profile = {json.dumps(row.vendor_profile)}")
        lines.append("")
    return "\n".join(lines)
