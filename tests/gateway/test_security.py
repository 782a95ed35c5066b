"""The gateway's process over TLS: what it tells of a broker it cannot trust, and where its secret never shows."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.gateway.conftest import BRIDGE, USERS, FakeIngest, wait_until
from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import RunningBroker, mosquitto_installed, start_broker
from watchkeep_cli.tls import make
from watchkeep_core.messages import Cmd
from watchkeep_core.settings import load
from watchkeep_gateway.settings import GatewaySettings

pytestmark = [
    pytest.mark.slow,  # starts a broker and processes
    pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed"),
]

SECRET = "s3cret-of-this-gateway-0123456789"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    make(folder / "good")
    make(folder / "other")
    make(folder / "elsewhere", ["broker.example"])
    make(folder / "expired", days=-1)
    return folder


def broker_with(certificates: Path, name: str, folder: Path) -> RunningBroker:
    users = USERS | {"c1/g1": SECRET}
    return start_broker(folder, users, default_acl(), prefer="mosquitto", certificates=certificates / name)


class Box:
    """The folder of `watchkeep gateway enroll` on a box, and the command that its unit runs."""

    def __init__(self, folder: Path, broker: RunningBroker, ca: Path) -> None:
        self.folder = folder
        (folder / "gateway.toml").write_text(BRIDGE, encoding="utf-8")
        (folder / "mqtt-password").write_text(f"{SECRET}\n", encoding="utf-8")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WATCHKEEP_")}
        self.environ = clean | {
            "WATCHKEEP_GATEWAY_CONFIG_FILE": str(folder / "gateway.toml"),
            "WATCHKEEP_GATEWAY_SPOOL_DIR": str(folder / "spool"),
            "WATCHKEEP_GATEWAY_MQTT_URL": broker.url,
            "WATCHKEEP_GATEWAY_MQTT_CA_FILE": str(ca),
            "WATCHKEEP_GATEWAY_MQTT_PASSWORD_FILE": str(folder / "mqtt-password"),
            "WATCHKEEP_GATEWAY_LOG_LEVEL": "debug",
        }
        self.command = [sys.executable, "-m", "watchkeep_cli", "gateway", "run"]

    def fails(self, **environ: str) -> str:
        answer = subprocess.run(
            self.command, env=self.environ | environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert answer.returncode == 1
        return answer.stderr.splitlines()[-1]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def test_the_secret_is_in_no_log_and_in_no_list_of_processes(
    certificates: Path, tmp_path: Path, stack: ExitStack
) -> None:
    broker = stack.enter_context(broker_with(certificates, "good", tmp_path / "broker"))
    box = Box(tmp_path, broker, certificates / "good" / "ca.crt")
    ingest = FakeIngest(broker.address)
    stack.callback(ingest.close)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(box.command, env=box.environ, stderr=log, stdout=log)
    stack.callback(process.kill)
    wait_until(lambda: ingest.births and ingest.states)
    ingest.command(Cmd(action="rebirth"))
    wait_until(lambda: len(ingest.births) > 1)
    seen = [Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ", "comm")]
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    everything = b"".join(file.read_bytes() for file in (tmp_path / "spool").iterdir())
    for text in [*seen, (tmp_path / "log").read_bytes(), everything, broker.log_file.read_bytes()]:
        assert SECRET.encode() not in text
    assert b"mqtts://" in (tmp_path / "log").read_bytes()


@pytest.mark.parametrize(
    ("server", "ca", "reason"),
    [
        ("good", "other", "is not trusted: self-signed certificate in certificate chain"),
        ("elsewhere", "elsewhere", "is not trusted: IP address mismatch"),
        ("expired", "expired", "is not trusted: certificate has expired"),
    ],
)
def test_a_broker_that_cannot_be_trusted_is_one_clear_line(
    certificates: Path, tmp_path: Path, stack: ExitStack, server: str, ca: str, reason: str
) -> None:
    broker = stack.enter_context(broker_with(certificates, server, tmp_path / "broker"))
    line = Box(tmp_path, broker, certificates / ca / "ca.crt").fails()
    assert line.startswith(f"watchkeep: the broker at {broker.url} {reason}")


def test_a_certificate_file_that_cannot_be_used_is_told_whatever_the_broker_does(
    certificates: Path, tmp_path: Path, stack: ExitStack
) -> None:
    broker = stack.enter_context(broker_with(certificates, "good", tmp_path / "broker"))
    box = Box(tmp_path, broker, tmp_path / "none.crt")
    assert box.fails() == f"watchkeep: mqtt_ca_file: {tmp_path}/none.crt: No such file or directory"
    line = box.fails(WATCHKEEP_GATEWAY_MQTT_URL=broker.url.replace("mqtts:", "mqtt:"))
    assert line == "watchkeep: mqtt_url: certificates are given, but only mqtts:// uses them"


def test_settings_hide_the_secret_when_they_are_shown(tmp_path: Path) -> None:
    found = load(GatewaySettings, environ={}, config_file=tmp_path / "x", spool_dir=tmp_path, mqtt_password=SECRET)
    assert SECRET not in repr(found) + str(found) + found.model_dump_json()
