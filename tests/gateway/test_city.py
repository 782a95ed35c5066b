"""Many gateways in one process: each with its own spool, login and share of a foreign broker."""

import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.gateway import sparkplug_bytes as sp
from tests.gateway.conftest import PASSWORD, wait_until
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.broker import mosquitto_installed, start_broker
from watchkeep_cli.ports import free_port
from watchkeep_core.errors import SettingsError
from watchkeep_core.mqtt import connect
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_gateway import service
from watchkeep_gateway.city import each, require_different
from watchkeep_gateway.settings import GatewaySettings
from watchkeep_gateway.spool_reader import status

CONFIG = """
[gateway]
community = "{community}"
id = "g1"
[spool]
min_free_bytes = 0
[[sparkplug]]
name = "city"
url = "{url}"
user = "host-{community}"
password_file = "{folder}/foreign"
groups = ["{community}"]
points = [{{ name = "Floor", metric = "car_floor" }}]
"""


def gateway_folder(place: Path, name: str, community: str, url: str) -> None:
    folder = place / name
    folder.mkdir(parents=True)
    (folder / "gateway.toml").write_text(CONFIG.format(community=community, url=url, folder=folder), encoding="utf-8")
    (folder / "mqtt-password").write_text(PASSWORD, encoding="utf-8")
    (folder / "foreign").write_text(PASSWORD, encoding="utf-8")


def settings(tmp_path: Path, url: str = "mqtt://127.0.0.1:1", **more: object) -> GatewaySettings:
    values = {"config_file": tmp_path / "city", "spool_dir": tmp_path / "spools", "mqtt_url": url, "batch_s": 0.05}
    return load(GatewaySettings, environ={}, **(values | more))


def test_a_community_s_group_goes_to_its_own_gateway(tmp_path: Path) -> None:
    if not mosquitto_installed():
        pytest.skip("needs Mosquitto")
    communities = ("east", "west")
    users = {user: PASSWORD for name in communities for user in (f"{name}/g1", f"host-{name}")} | {"node": PASSWORD}
    rules = [AclRule("node", "readwrite", "spBv1.0/#")]
    for name in communities:
        rules += [AclRule(f"host-{name}", "read", f"spBv1.0/{name}/#")]
        rules += [AclRule(f"host-{name}", "readwrite", f"spBv1.0/STATE/watchkeep-{name}-g1")]
        rules += [AclRule(f"host-{name}", "write", f"spBv1.0/{name}/NCMD/+")]
    with start_broker(tmp_path / "broker", users, default_acl() + rules, prefer="mosquitto") as broker:
        for name in communities:
            gateway_folder(tmp_path / "city", f"box-{name}", name, broker.url)
        port, stop, there = free_port("127.0.0.1"), Stop(), threading.Event()
        found = settings(tmp_path, broker.url, health_port=port)
        thread = threading.Thread(target=service.run, args=(found, stop, lambda _: there.set()))
        thread.start()
        try:
            assert there.wait(60)
            with connect(
                broker.address, client_id="node", user="node", password=PASSWORD, on_message=lambda _: None
            ) as node:
                t = int(time.time() * 1000)

                def both() -> bool:
                    for number, name in enumerate(communities, 1):
                        birth = sp.metric("Floor", number, sp.INT32, alias=1, t=t)
                        root = f"spBv1.0/{name}"
                        node.publish(f"{root}/NBIRTH/e", sp.payload([sp.bd_seq(0)], 0, t)).result(60)
                        node.publish(f"{root}/DBIRTH/e/lift", sp.payload([birth] * number, 1, t)).result(60)
                    return all(points(tmp_path, name) == 1 for name in communities)

                wait_until(both)
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
            for name in communities:
                assert f'watchkeep_gateway_link_up{{gateway="{name}/g1",link="uplink"}} 1.0' in text
            wait_until(lambda: healthy(port))
        finally:
            stop.set()
            thread.join(60)
        assert not thread.is_alive()
        for name in communities:
            report = status(tmp_path / "spools" / f"box-{name}")
            assert (report["community"], report["lanes"]["data"]["readings"]) == (name, 1), "nothing of the other's"


def healthy(port: int) -> bool:
    try:
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60).status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False


def points(tmp_path: Path, name: str) -> int:
    points: int = status(tmp_path / "spools" / f"box-{name}")["points"]
    return points


def test_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    (tmp_path / "city").mkdir()
    with pytest.raises(SettingsError, match=r"without NAME/gateway\.toml"):
        each(settings(tmp_path))
    gateway_folder(tmp_path / "city", "a", "east", "mqtt://127.0.0.1:1")
    (tmp_path / "city" / "a" / "mqtt-password").unlink()
    with pytest.raises(SettingsError, match=r"cannot read .*mqtt-password"):
        each(settings(tmp_path))
    with pytest.raises(SettingsError, match="two files are of gateway east/g1"):
        require_different(["east/g1", "west/g1", "east/g1"])


def test_one_gateway_needs_a_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="mqtt_password"):
        each(settings(tmp_path, config_file=tmp_path / "gateway.toml"))
