"""The whole gateway through a real broker: devices on one side, something that acks like ingest on the other."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.gateway.conftest import PASSWORD, REF, USERS, Devices, FakeIngest, Site, make_spool, wait_until
from tests.gateway.test_spool import event, put, reading, stored
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.broker import start_broker
from watchkeep_cli.ports import free_port
from watchkeep_core import messages
from watchkeep_core.broker import BrokerRefused, BrokerUnreachable, Received
from watchkeep_core.messages import Cmd
from watchkeep_core.mqtt import connect
from watchkeep_gateway.line import Line, Login
from watchkeep_gateway.service import Gateway
from watchkeep_gateway.spool_reader import rejected, status
from watchkeep_gateway.values import Delivery, Readings

T = int(time.time() * 1000)


@pytest.fixture
def children() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_readings_and_events_reach_ingest_and_leave_the_spool_on_ack(site: Site) -> None:
    ingest, devices = site.ingest(acking=False), site.devices()
    gateway = site.start()
    devices.say("lift-1", {"t": T, "values": {"machine_temperature": 41.5, "motor_current_percent": 80}})
    devices.say("new-one", {"readings": [[T + 1, "car_floor", 3], [T + 2, "car_floor", 4]]})
    devices.say("lift-1", {"t": T + 3, "event": {"code": "08", "active": True, "attributes": {"floor": 3}}})
    devices.say("lift-2", {"t": T + 4, "event": {"code": "08", "active": True}})
    wait_until(lambda: len(ingest.events()) == 2 and len(ingest.readings()) == 4)

    assert sorted(ingest.readings()) == [
        ("lift-1", "machine_temperature", T, 41.5),
        ("lift-1", "motor_current_percent", T, 80.0),
        ("new-one", "car_floor", T + 1, 3.0),
        ("new-one", "car_floor", T + 2, 4.0),
    ]
    first, second = ingest.events()
    assert (first.condition, first.raw_code, first.profile) == ("door_open_running", "08", "java_gateway")
    assert (second.condition, second.raw_code, second.profile) == ("restart_lockout", "08", "provincial")
    assert first.attributes == {"floor": 3}
    assert gateway.spool.lanes["event"].messages == 2, "nothing is deleted before the ack"

    ingest.ack_all()
    wait_until(lambda: not any(lane.messages for lane in gateway.spool.lanes.values()))


def test_birth_and_state(site: Site) -> None:
    ingest = site.ingest()
    site.start()
    wait_until(lambda: ingest.births and ingest.states)
    birth = ingest.births[-1]
    assert birth.configuration == "test-1"
    assert birth.software.startswith("watchkeep-gateway")
    assert [(p.alias, p.equipment, p.metric, p.unit, p.period_s) for p in birth.points] == [
        (0, "lift-1", "machine_temperature", "celsius", 60.0)
    ]
    assert ingest.states[-1].online
    site.stop()
    wait_until(lambda: not ingest.states[-1].online)
    assert ingest.states[-1].t, "said by the gateway itself, not by its will"


def test_a_malformed_message_is_acknowledged_counted_and_kept(site: Site) -> None:
    ingest, devices = site.ingest(), site.devices()
    gateway = site.start()
    devices.say("lift-1", b"{broken")
    devices.say("lift 1", {"values": {"car_floor": 1}})
    devices.say("lift-1", {"values": {"no_such_metric": 1, "car_floor": 7}})
    wait_until(lambda: [value for *_, value in ingest.readings()] == [7.0])
    kept = {one["reason"].split(":")[0]: one for one in rejected(site.folder, 10)}
    assert kept.keys() == {"undecodable", "bad_id", "unknown_metric"}
    assert kept["undecodable"]["payload"] == "{broken"
    assert kept["undecodable"]["origin"] == "field/c1/g1/lift-1"
    assert gateway.metrics.registry.get_sample_value("watchkeep_gateway_rejected_total", {"reason": "undecodable"}) == 1
    site.stop()  # had they not been acknowledged, they would come again
    again = site.start()
    devices.say("lift-1", {"values": {"car_floor": 8}})
    wait_until(lambda: 8.0 in [value for *_, value in ingest.readings()])
    assert len(rejected(site.folder, 10)) == 3
    assert again.metrics.registry.get_sample_value("watchkeep_gateway_readings_total") == 1


def test_the_same_message_again_is_not_a_second_reading(site: Site) -> None:
    ingest, devices = site.ingest(), site.devices()
    gateway = site.start()
    for _ in range(3):
        devices.say("lift-1", {"t": T, "values": {"car_floor": 3}})
    devices.say("lift-1", {"values": {"car_floor": 5}})  # no time of its own: the same bytes are new readings
    devices.say("lift-1", {"values": {"car_floor": 5}})
    devices.say("lift-1", {"t": T + 1, "values": {"car_floor": 9}})
    wait_until(lambda: 9.0 in [value for *_, value in ingest.readings()])
    assert sorted(value for *_, value in ingest.readings()) == [3.0, 5.0, 5.0, 9.0]
    assert gateway.metrics.registry.get_sample_value("watchkeep_gateway_redelivered_total") == 2


def test_what_the_broker_remembers_is_not_read_anew(site: Site) -> None:
    devices = site.devices()
    devices.say("lift-1", {"values": {"car_floor": 3}}, retain=True)
    devices.say("lift-1", {"event": {"condition": "ucm", "active": True}}, retain=True)
    devices.say("lift-2", {"values": {"car_floor": 3}}, retain=True)
    ingest = site.ingest()
    site.start()
    wait_until(ingest.events)
    devices.say("lift-3", {"values": {"car_floor": 4}})
    wait_until(ingest.readings)
    assert [(equipment, value) for equipment, _, _, value in ingest.readings()] == [("lift-3", 4.0)]


@pytest.mark.slow
def test_messages_wait_at_the_broker_while_the_gateway_is_away(site: Site) -> None:
    ingest, devices = site.ingest(), site.devices()
    site.start()
    wait_until(lambda: ingest.states)
    site.stop()
    for number in range(50):
        devices.say("lift-1", {"t": T + number, "values": {"car_floor": number}})
    site.start()
    wait_until(lambda: len(ingest.readings()) == 50)


@pytest.mark.slow
def test_the_broker_killed_loses_nothing(site: Site, tmp_path: Path) -> None:
    """PUBACK proves nothing: what the broker took and forgot is published again until it is acked."""
    ingest = site.ingest(acking=False)
    gateway = site.start()
    wait_until(lambda: gateway.line.connected)
    for number in range(30):
        gateway.spool.put(Delivery(Readings.of([reading(number)])))
    wait_until(lambda: len(ingest.readings()) == 30)
    ingest.close()  # from here the broker holds what we publish for nobody but its memory
    for number in range(30, 60):
        gateway.spool.put(Delivery(Readings.of([reading(number)]), (event(number),)))
    wait_until(lambda: _published(gateway, "event") >= 30)
    os.kill(site.broker.pid, signal.SIGKILL)
    wait_until(lambda: not gateway.line.connected)
    for number in range(60, 90):
        gateway.spool.put(Delivery(Readings.of([reading(number)])))
    for file in (tmp_path / "broker").glob("mosquitto.db*"):
        file.unlink()
    with start_broker(tmp_path / "broker", USERS, default_acl(), port=site.broker.address.port, prefer="mosquitto"):
        later = FakeIngest(site.broker.address)
        try:
            wait_until(lambda: not any(lane.messages for lane in gateway.spool.lanes.values()), 60)
            everything = {value for *_, value in later.readings()}
            assert everything == {float(number) for number in range(90)}
            assert len(later.events()) == 30
        finally:
            later.close()


@pytest.mark.slow
def test_without_ack_everything_is_published_again_and_counted_once(site: Site) -> None:
    ingest = site.ingest(acking=False)
    gateway = site.start(resend_after_s=0.5)
    for number in range(5):
        gateway.spool.put(Delivery(Readings.of([reading(number)]))).result(60)
    wait_until(lambda: len(ingest.received) >= 10)
    assert len(ingest.readings()) == 5
    ingest.ack_all()
    wait_until(lambda: not gateway.spool.lanes["data"].messages)


@pytest.mark.slow
def test_a_new_connection_publishes_again_at_once_what_is_not_acked(site: Site, tmp_path: Path) -> None:
    """A broker may have forgotten what it took; an event must not wait a minute for the resend."""
    ingest = site.ingest(acking=False)
    gateway = site.start(resend_after_s=600)
    gateway.spool.put(Delivery(Readings.of([reading(0)]), (event(0),))).result(60)
    wait_until(lambda: len(ingest.received) == 2)
    wait_until(lambda: _published(gateway, "data") == _published(gateway, "event") == 1)
    site.broker.stop()
    port = site.broker.address.port
    with start_broker(tmp_path / "broker", USERS, default_acl(), port=port, prefer="mosquitto"):
        wait_until(lambda: _published(gateway, "data") == _published(gateway, "event") == 2)
        wait_until(lambda: len(ingest.received) == 4)
        site.close()


def test_events_go_before_backlog(site: Site) -> None:
    """A backlog of 300 messages waits on the spool; the event, spooled last, is the first to go."""
    spool = make_spool(site.folder)
    for number in range(300):
        spool.put(Delivery(Readings.of(reading(number * 100 + n) for n in range(100)))).result(60)
    spool.put(Delivery(events=(event(1),))).result(60)
    spool.close()
    ingest = site.ingest()
    site.broker.add_user("observer", PASSWORD, [AclRule("observer", "read", f"{REF.root}/#")])
    order: list[str] = []  # through one connection: two would show how their threads were scheduled
    with connect(
        site.broker.address,
        client_id="observer",
        user="observer",
        password=PASSWORD,
        on_message=lambda received: order.append(received.topic.removeprefix(f"{REF.root}/").split("/")[0]),
    ) as observer:
        observer.subscribe([f"{REF.root}/data/+/+", f"{REF.root}/event/+/+", f"{REF.root}/ack/+"])
        wait_until(lambda: "ack" in order)  # a retained one: the subscriptions are there
        site.start()
        wait_until(lambda: len(ingest.seqs("data")) == 300 and order.count("data") >= 300)
    assert next(kind for kind in order if kind != "ack") == "event"


def test_a_backlog_is_paced(site: Site) -> None:
    spool = make_spool(site.folder)
    put(spool, *range(30))
    spool.close()
    ingest = site.ingest()
    started = time.monotonic()
    site.start(max_messages_per_s=15.0)
    wait_until(lambda: len(ingest.seqs("data")) == 30)
    assert time.monotonic() - started > 0.9  # a burst of 15, then 15 a second


def test_a_copied_spool_takes_a_new_epoch_before_it_publishes(site: Site) -> None:
    spool = make_spool(site.folder)
    put(spool, 0, 1)
    epoch = spool.lanes["data"].epoch
    spool.close()
    ingest = site.ingest()
    ingest.ack("data", epoch, 41)  # the original has gone on up to 41
    gateway = site.start()
    wait_until(lambda: len(ingest.readings()) == 2)
    assert {found for _, found, _, _ in ingest.received} == {gateway.spool.lanes["data"].epoch}
    assert epoch != gateway.spool.lanes["data"].epoch
    assert ingest.seqs("data") == [0, 1]
    assert ingest.births[-1].data_epoch == gateway.spool.lanes["data"].epoch


def test_floor_tells_what_is_gone(site: Site) -> None:
    spool = make_spool(site.folder)
    put(spool, *range(6))
    spool.ack("data", spool.lanes["data"].epoch, 3)
    wait_until(lambda: spool.lanes["data"].floor == 4)
    spool.close()
    ingest = site.ingest(acking=False)
    site.start()
    wait_until(lambda: len(ingest.seqs("data")) == 2)
    assert ingest.seqs("data") == [4, 5]
    assert {body.floor for _, _, _, body in ingest.received if isinstance(body, messages.Data)} == {4}


def test_commands(site: Site) -> None:
    ingest = site.ingest(acking=False)
    gateway = site.start(resend_after_s=600)
    put(gateway.spool, 0, 1, 2)
    wait_until(lambda: len(ingest.seqs("data")) == 3)
    births, received = len(ingest.births), len(ingest.received)
    ingest.command(Cmd(action="rebirth"))
    wait_until(lambda: len(ingest.births) > births)
    ingest.command(Cmd(action="resend", lane="data", seq=1))
    wait_until(lambda: len(ingest.received) == received + 2)
    assert [seq for _, _, seq, _ in ingest.received[received:]] == [1, 2]
    ingest.command(Cmd(action="configuration", version="other"))
    ingest.command(Cmd(action="rebirth"))
    wait_until(lambda: len(ingest.births) > births + 1)


@pytest.mark.slow
def test_a_refused_publish_is_kept_and_tried_again(tmp_path: Path) -> None:
    """MQTT 5 tells what the ACL forbids; the message stays, and goes out when the rule is mended."""
    forbidden = "wk/1/+/%u/data/+/+"
    rules = [rule for rule in default_acl() if rule.topic != forbidden]
    assert len(rules) == len(default_acl()) - 1
    with start_broker(tmp_path / "broker", USERS, rules, prefer="mosquitto") as broker:
        site = Site(tmp_path, broker)
        try:
            ingest = site.ingest()
            gateway = site.start(resend_after_s=600)  # so that nothing else brings it back
            gateway.spool.put(Delivery(Readings.of([reading(0)]), (event(0),))).result(60)
            wait_until(lambda: not gateway.uplink.accepted)
            wait_until(lambda: not gateway.spool.lanes["event"].messages)
            assert gateway.spool.lanes["data"].messages == 1
            count = gateway.metrics.registry.get_sample_value(
                "watchkeep_gateway_publish_refused_total", {"lane": "data"}
            )
            assert count
            broker.add_user("late", PASSWORD, [AclRule("+/+", "write", forbidden)])
            wait_until(lambda: not gateway.spool.lanes["data"].messages)
            assert gateway.uplink.accepted
            assert len(ingest.readings()) == 1
        finally:
            site.close()


def test_the_first_start_says_what_is_wrong_with_the_broker(site: Site) -> None:
    with pytest.raises(BrokerRefused):
        site.start(mqtt_password="wrong")
    site._stack.pop_all()
    site.broker.stop()
    with pytest.raises(BrokerUnreachable):
        site.start()
    site._stack.pop_all()
    assert not status(site.folder)["connected_once"]


@pytest.mark.slow
def test_later_starts_do_not_need_the_broker(site: Site, tmp_path: Path) -> None:
    """After a power cut the devices are read at once, whatever the uplink does."""
    site.start()
    wait_until(lambda: status(site.folder)["connected_once"])
    site.stop()
    site._stack.pop_all()
    site.broker.stop()
    gateway = site.start(announced=False)
    assert not gateway.uplink.announced, "red until devices are heard: who waits for health must not publish to nobody"
    put(gateway.spool, 1)
    assert not gateway.line.connected
    with start_broker(
        tmp_path / "broker", USERS, default_acl(), port=site.broker.address.port, prefer="mosquitto"
    ) as broker:
        ingest = FakeIngest(broker.address)
        try:
            wait_until(lambda: len(ingest.readings()) == 1)
        finally:
            ingest.close()
        site.close()


def test_an_ack_given_before_the_connection_is_known_is_not_forgotten(site: Site) -> None:
    """A kept session sends at once, before `connect` has returned; a forgotten ack would hold a place for ever."""
    line = Line(Login(site.broker.address, REF.user, PASSWORD))
    line.ack(Received("field/c1/g1/x", b"", epoch=0, mid=1, received_at_ns=0, retain=False, duplicate=False))
    line.start()
    try:
        assert line._connection
        assert line._connection.stale_acks == 1  # it was passed on; of an epoch long over, so that nothing is sent
    finally:
        line.close()


def test_a_bridge_to_a_broker_of_the_site(site: Site, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{PASSWORD}\n", encoding="utf-8")
    rules = [AclRule("site", "read", "devices/#"), AclRule("sim", "readwrite", "field/#")]
    rules.append(AclRule("sim", "readwrite", "devices/#"))
    with start_broker(tmp_path / "other", {"site": PASSWORD, "sim": PASSWORD}, rules) as other:
        text = site.config_file.read_text(encoding="utf-8")
        bridge = f'[[mqtt_bridge]]\nurl = "{other.url}"\nuser = "site"\ntopic = "devices"\nundeclared = "reject"\n'
        bridge += f'password_file = "{tmp_path}/secret"\n'
        site.config_file.write_text(text.replace("[[mqtt_bridge]]\n", bridge), encoding="utf-8")
        ingest = site.ingest()
        site.start()
        devices = Devices(other.address)
        try:

            def both_came() -> bool:
                """Said until it is heard: on this line there is nothing that tells when the subscription is there."""
                for equipment in ("lift-1", "lift-9"):
                    devices.say(equipment, {"t": T, "values": {"car_floor": 2}}, root="devices")
                return bool(ingest.readings() and rejected(site.folder, 1))

            wait_until(both_came)
        finally:
            devices.close()
        site.stop()
        site._stack.pop_all()
        assert [equipment for equipment, *_ in ingest.readings()] == ["lift-1"]
        assert rejected(site.folder, 1)[0]["reason"].startswith("undeclared")
        ingest.close()


@pytest.mark.slow
def test_on_mqtt_3_1_1(tmp_path: Path) -> None:
    """Correctness rests on `ack`, not on a feature of MQTT 5."""
    with start_broker(tmp_path / "broker", USERS, default_acl(), prefer="amqtt") as broker:
        site = Site(tmp_path, broker)
        try:
            ingest, devices = site.ingest(), site.devices()
            gateway = site.start()

            def heard() -> bool:
                """amqtt does not promise to handle SUBSCRIBE before what is sent after it."""
                devices.say("lift-2", {"t": T, "values": {"car_floor": -1}})
                return bool(ingest.readings())

            wait_until(heard)
            for number in range(20):
                devices.say("lift-1", {"t": T + number, "values": {"car_floor": number}})
            devices.say("lift-1", {"event": {"condition": "ucm", "active": True}})
            wait_until(lambda: len(ingest.readings()) == 21 and ingest.events())
            wait_until(lambda: not any(lane.messages for lane in gateway.spool.lanes.values()))
        finally:
            site.close()


@pytest.mark.slow
def test_the_process(site: Site, tmp_path: Path, children: ExitStack) -> None:
    """`watchkeep gateway run`: health, metrics, kill -9 and SIGTERM."""
    ingest, devices = site.ingest(), site.devices()
    environ = os.environ | {
        "WATCHKEEP_GATEWAY_MQTT_PASSWORD": PASSWORD,
        "WATCHKEEP_GATEWAY_BATCH_S": "0.2",
        "WATCHKEEP_GATEWAY_SPOOL_DIR": str(site.folder),
    }
    port = free_port("127.0.0.1")
    command = [sys.executable, "-m", "watchkeep_gateway", "run", "--config", str(site.config_file)]
    command += ["--mqtt-url", site.broker.url, "--health-port", str(port)]
    said = 0
    for farewell in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(command, env=environ, stderr=log)
        children.callback(process.kill)  # nothing is left behind when an assertion fails
        wait_until(lambda: _get(port, "/health") == 200)
        for _ in range(40):
            devices.say("lift-1", {"t": T + said, "values": {"car_floor": said}})
            said += 1
        if farewell == signal.SIGTERM:
            wait_until(lambda: len(ingest.readings()) == 120)
            assert _get(port, "/metrics") == 200
        process.send_signal(farewell)
        assert process.wait(60) == (0 if farewell == signal.SIGTERM else -9)
    values = sorted(value for *_, value in ingest.readings())
    assert values == [float(number) for number in range(said)], "each once: a redelivery is known by its digest"
    assert PASSWORD not in (tmp_path / "log").read_text(encoding="utf-8")
    assert stored(site.folder, "event") == []


def _published(gateway: Gateway, lane: str) -> float:
    return gateway.metrics.registry.get_sample_value("watchkeep_gateway_published_total", {"lane": lane}) or 0


def _get(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            status: int = answer.status
            return status
    except OSError:
        return 0
