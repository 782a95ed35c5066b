"""The broker's configuration that we ship is the one that works: started as it is, with the files beside it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.brokers import until
from watchkeep_cli.acl import SIM_USERS
from watchkeep_cli.broker import MOSQUITTO_CONF, mosquitto_installed
from watchkeep_cli.mosquitto_files import MosquittoFiles, broker_pid, reload_broker
from watchkeep_cli.ports import free_port
from watchkeep_cli.tls import make
from watchkeep_core import topics
from watchkeep_core.broker import BrokerAddress, BrokerRefused, BrokerUnreachable, PublishRefused
from watchkeep_core.mqtt import connect
from watchkeep_core.topics import GatewayRef

DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORD = "only-in-tests-and-long"
REF = GatewayRef("garden", "gw-1")
SAME = (
    "allow_anonymous",
    "use_username_as_clientid",
    "persistence",
    "autosave_interval",
    "persistent_client_expiration",
    "max_inflight_messages",
    "max_queued_messages",
    "max_queued_bytes",
    "max_packet_size",
    "check_retain_source",
    "set_tcp_nodelay",
)


@pytest.mark.slow
@pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed")
def test_the_deployed_configuration_lets_an_enrolled_gateway_in(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    place = tmp_path / "watchkeep"
    make(place)
    shutil.copy(DEPLOY / "mosquitto.acl", place)
    text = (DEPLOY / "mosquitto.conf").read_text(encoding="utf-8")
    text = text.replace("listener 8883", f"listener {port} 127.0.0.1").replace("/etc/mosquitto/watchkeep", str(place))
    text = text.replace("/run/mosquitto", str(tmp_path)).replace("/var/lib/mosquitto/", f"{tmp_path}/")
    assert "/etc/" not in text
    if os.geteuid() == 0:
        text += "user root\n"  # else it becomes a user that cannot read our files
    config = tmp_path / "mosquitto.conf"
    config.write_text(text, encoding="utf-8")
    files = MosquittoFiles(place)
    files.put("console", PASSWORD)
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        pid_file = tmp_path / "mosquitto.pid"
        until(lambda: pid_file.exists() and pid_file.read_text(encoding="ascii").strip())
        assert broker_pid(pid_file) == process.pid
        address = BrokerAddress("127.0.0.1", port, True, place / "ca.crt")
        until(lambda: _refuses(address))  # only then it hears signals: before, one would end it
        files.require_rules([])
        files.put(REF.user, PASSWORD)
        reload_broker(pid_file)
        until(lambda: _publishes(address))
    finally:
        process.terminate()
        process.wait(60)


def _refuses(address: BrokerAddress) -> bool:
    try:
        with connect(address, client_id=REF.user, user=REF.user, password=PASSWORD, on_message=print):
            return False
    except BrokerUnreachable:
        return False
    except BrokerRefused:
        return True


def _publishes(address: BrokerAddress) -> bool:
    try:
        connection = connect(address, client_id=REF.user, user=REF.user, password=PASSWORD, on_message=print)
    except (BrokerRefused, BrokerUnreachable):  # it does not listen yet, or has not read its files
        return False
    with connection:
        connection.publish(topics.birth(REF), b"{}").result(60)
        other = connection.publish(topics.birth(GatewayRef("harbour", "gw-1")), b"{}")
        assert isinstance(other.exception(60), PublishRefused)
    return True


def test_what_is_shipped_and_what_is_tested_have_the_same_limits() -> None:
    """The embedded broker of demo and tests, and the production one."""
    shipped = _options((DEPLOY / "mosquitto.conf").read_text(encoding="utf-8"))
    tested = _options(MOSQUITTO_CONF.replace("{run_as}{tls}", ""))
    for name in SAME:
        assert shipped[name] == tested[name], name
    assert shipped["tls_version"] == "tlsv1.2"
    rules = (DEPLOY / "mosquitto.acl").read_text(encoding="utf-8")
    assert not [user for user in SIM_USERS if f"user {user}\n" in rules]


def _options(text: str) -> dict[str, str]:
    return {name: value.strip() for name, value in re.findall(r"^([a-z_]+) (.*)$", text, re.MULTILINE)}
