"""The whole simulator: a real broker, a real Modbus client, the command line."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient
from typer.testing import CliRunner

from tests.firmware_sim.limits import device
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.broker import mosquitto_installed, start_broker
from watchkeep_core.broker import BrokerUnreachable, Received
from watchkeep_core.errors import SettingsError
from watchkeep_core.mqtt import connect
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_core.vocabulary import load as load_vocabulary
from watchkeep_firmware_sim import service
from watchkeep_firmware_sim.commands import app
from watchkeep_firmware_sim.errors import FleetError
from watchkeep_firmware_sim.fleet import Fleet, ModbusListener
from watchkeep_firmware_sim.modbus import ModbusServers
from watchkeep_firmware_sim.replay import player
from watchkeep_firmware_sim.settings import SimSettings

FLEET = """
seed = 5

[[device]]
community = "c1"
gateway = "g1"
equipment = "lift-1"
kind = "elevator"
metrics = ["car_status", "door_status", "door_zone", "machine_room_temperature"]
period_s = 0.5

[[device]]
community = "c1"
gateway = "g1"
equipment = "smoke-1"
kind = "smoke_detector"
metrics = ["battery_voltage"]
period_s = 0.5

[[device]]
community = "c1"
gateway = "g1"
equipment = "pump-1"
kind = "supply_pump"
metrics = ["pump_run_state", "bearing_temperature"]
period_s = 1
transport = "modbus"
unit_id = 7

[[modbus]]
community = "c1"
gateway = "g1"
port = 0

[[fault]]
equipment = "c1/lift-1"
scenario = "elevator_door_fault"
at_s = 5
for_s = 20
"""

WAIT_S = 60.0


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


@contextmanager
def quiet_logs() -> Iterator[None]:
    """A command sets up logging to the stderr of its runner, which is closed after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    users = dict.fromkeys(("sim", "sim-inject", "sim-replay", "c1/g1"), "only-in-tests")
    own = [AclRule("sim-inject", "write", "field/_sim/inject"), AclRule("sim-replay", "write", "field/#")]
    rules = [*default_acl(), *(rule for rule in own if rule not in default_acl())]
    with start_broker(tmp_path_factory.mktemp("broker"), users, rules) as running:
        yield running


@pytest.fixture
def heard(broker):
    """What the gateway c1/g1 receives from its field side, decoded."""
    messages: list[tuple[str, dict[str, Any]]] = []
    with connect(
        broker.address,
        client_id="c1/g1",
        user="c1/g1",
        password="only-in-tests",
        on_message=lambda message: messages.append((message.topic, json.loads(message.payload))),
    ) as connection:
        connection.subscribe(["field/c1/g1/+"])
        yield messages


@pytest.fixture
def settings(broker, tmp_path):
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(FLEET)

    def make(**options):
        given = {"fleet": fleet, "mqtt_url": broker.url, "mqtt_password": "only-in-tests"}
        return load(SimSettings, {}, **(given | options))

    return make


@pytest.mark.slow
def test_what_is_counted_has_arrived(settings, heard, tmp_path):
    ledger = tmp_path / "ledger.jsonl"
    totals = service.run(settings(for_s=2.0, speed=20.0, ledger=ledger), Stop())
    assert totals["readings_not_sent"] == totals["events_not_sent"] == 0
    wait_for(lambda: sum(len(body.get("values", ())) for _, body in heard) == totals["readings_sent"])
    events = [body for _, body in heard if "event" in body]
    assert [body["event"] for body in events] == [
        {"condition": "door_close_fail", "active": True},
        {"condition": "door_close_fail", "active": False},
    ]
    assert totals["events_sent"] == len(events)
    assert totals["readings_sent"] > 2 * 5 * 40
    assert totals["modbus_readings"] >= 2 * 40
    assert max(body["t"] for _, body in heard) <= time.time() * 1000
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [line["what"] for line in lines] == ["run", "fault_start", "fault_stop", "end"]
    assert lines[1]["expects_any"] == ["door_close_fail", "door_held_open"]
    assert lines[3]["readings_sent"] == totals["readings_sent"]


@pytest.mark.slow
def test_a_fault_can_be_injected_into_a_running_simulator(settings, heard, broker, tmp_path):
    fleet = tmp_path / "healthy.toml"
    fleet.write_text(FLEET.split("[[fault]]")[0])
    stop, totals = Stop(), {}
    thread = threading.Thread(target=lambda: totals.update(service.run(settings(fleet=fleet), stop)))
    thread.start()
    try:
        wait_for(lambda: heard)
        environment = {"WATCHKEEP_SIM_MQTT_PASSWORD": "only-in-tests"}
        for equipment in ("c1/lift-1", "c1/smoke-1"):  # the first does not fit and must do no harm
            arguments = ["inject", "--scenario", "fire_alarm", "--equipment", equipment, "--mqtt-url", broker.url]
            with quiet_logs():
                done = CliRunner().invoke(app, arguments, env=environment, catch_exceptions=False)
            assert json.loads(done.stdout)["equipment"] == equipment
        wait_for(lambda: any(body.get("event", {}).get("condition") == "fire_alarm" for _, body in heard))
    finally:
        stop.set()
        thread.join(WAIT_S)
    assert not thread.is_alive()
    assert totals["faults_started"] == 1
    assert [topic for topic, body in heard if "event" in body] == ["field/c1/g1/smoke-1"]


@pytest.mark.slow
@pytest.mark.skipif(not mosquitto_installed(), reason="only Mosquitto keeps sessions while it is away")
def test_nothing_is_lost_while_the_broker_is_away(tmp_path):
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(FLEET.split("[[fault]]")[0])
    users = dict.fromkeys(("sim", "c1/g1"), "only-in-tests")
    broker = start_broker(tmp_path / "broker", users, default_acl(), prefer="mosquitto")
    stamps: set[int] = set()
    stop, totals = Stop(), {}

    def receive(message: Received) -> None:
        if message.topic.endswith("/smoke-1"):
            stamps.add(json.loads(message.payload)["t"])

    settings = load(SimSettings, {}, fleet=fleet, mqtt_url=broker.url, mqtt_password="only-in-tests", outstanding=5)
    thread = threading.Thread(target=lambda: totals.update(service.run(settings, stop)))
    try:
        with connect(
            broker.address,
            client_id="c1/g1",
            user="c1/g1",
            password="only-in-tests",
            on_message=receive,
            session_expiry_s=600,
            reconnect_jitter_s=0,
        ) as gateway:
            gateway.subscribe(["field/c1/g1/+"])
            thread.start()
            wait_for(lambda: len(stamps) > 3)
            broker.stop()
            gone = time.time()
            wait_for(lambda: time.time() > gone + 1.5)  # more than five messages are due meanwhile
            broker = start_broker(
                tmp_path / "broker", users, default_acl(), prefer="mosquitto", port=broker.address.port
            )
            wait_for(lambda: max(stamps) > (gone + 3) * 1000)
            stop.set()
            thread.join(WAIT_S)
    finally:
        stop.set()
        broker.stop()
    assert totals["readings_not_sent"] == 0
    in_order = sorted(stamps)
    assert {later - earlier for earlier, later in pairwise(in_order)} == {500}


def test_a_fleet_that_is_missing_wrong_or_has_no_broker_is_refused_at_the_start(settings, tmp_path):
    with pytest.raises(SettingsError, match="fleet: must be set"):
        service.run(load(SimSettings, {}, mqtt_password="x"), Stop())
    with pytest.raises(SettingsError, match="speed: must be above 0"):
        service.run(settings(speed=0.0), Stop())
    with pytest.raises(FleetError, match="cannot be read"):
        service.run(settings(fleet=tmp_path / "none.toml"), Stop())
    with pytest.raises(BrokerUnreachable):
        service.run(settings(mqtt_url="mqtt://127.0.0.1:9"), Stop())


def test_a_password_is_needed_and_never_shown():
    with pytest.raises(SettingsError, match="mqtt_password: must be set; set it by WATCHKEEP_SIM_MQTT_PASSWORD"):
        load(SimSettings, {})
    assert "secret" not in repr(load(SimSettings, {"WATCHKEEP_SIM_MQTT_PASSWORD": "secret"}))


@pytest.mark.slow
def test_modbus_devices_answer_what_their_models_say():
    pump = device(
        "supply_pump",
        load_vocabulary(),
        equipment="pump-1",
        metrics=["pump_run_state", "bearing_temperature"],
        transport="modbus",
        unit_id=7,
    )
    fleet = Fleet(seed=1, device=[pump], modbus=[ModbusListener(community="c1", gateway="g1", port=0)])
    servers = ModbusServers(fleet)
    client = ModbusTcpClient("127.0.0.1", port=servers.ports["c1/g1"], timeout=60, retries=0)
    try:
        unit = servers.units["c1/pump-1"]

        def floats() -> list[float]:
            answer = client.read_holding_registers(0, count=4, device_id=7)
            value = client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
            assert isinstance(value, list)
            return [float(number) for number in value]

        assert all(number != number for number in floats()), "not known yet, so not a number"
        unit.update({"pump_run_state": 1.0, "bearing_temperature": 46.5})
        assert floats() == [1.0, 46.5]
        unit.set_fault_code(41)
        assert client.read_holding_registers(4, count=1, device_id=7).registers == [41]
        assert client.write_register(0, 5, device_id=7).isError()
        assert floats() == [1.0, 46.5]
        unit.silent = True
        assert client.read_holding_registers(0, count=4, device_id=7).isError()
        assert client.read_holding_registers(0, count=4, device_id=9).isError()
    finally:
        client.close()
        servers.close()


def test_a_taken_port_is_one_clear_line():
    pump = device("supply_pump", load_vocabulary(), transport="modbus", unit_id=7)
    listener = ModbusListener(community="c1", gateway="g1", port=0)
    first = ModbusServers(Fleet(seed=1, device=[pump], modbus=[listener]))
    try:
        taken = ModbusListener(community="c1", gateway="g1", port=first.ports["c1/g1"])
        with pytest.raises(SettingsError, match="modbus: cannot listen on"):
            ModbusServers(Fleet(seed=1, device=[pump], modbus=[taken]))
    finally:
        first.close()


@pytest.mark.slow
def test_a_replay_arrives_whole_and_in_order(settings, heard, tmp_path):
    rows = "".join(f"2014-01-01 {n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d},{n % 30}\n" for n in range(5000))
    (tmp_path / "a.csv").write_text("timestamp,value\n" + rows)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        'community = "c1"\ngateway = "g1"\n[[series]]\nfile = "a.csv"\nequipment = "m1"\nkind = "elevator"\n'
        'time_column = "timestamp"\ncolumn = [{ column = "value", metric = "machine_room_temperature" }]\n'
    )
    summary = player.replay(settings(mapping=mapping, data=tmp_path), Stop())
    assert summary["complete"]
    assert summary["readings_sent"] == summary["rows_read"] == 5000
    assert summary["span_s"] == 4999
    wait_for(lambda: sum(len(body["readings"]) for _, body in heard) == 5000)
    stamps = [reading[0] for _, body in heard for reading in body["readings"]]
    assert stamps == sorted(stamps)
    assert heard[0][1]["readings"][1][1:] == ["machine_room_temperature", 1.0]


def test_a_replay_keeps_its_pace_and_stops_when_told(settings, heard, tmp_path):
    (tmp_path / "a.csv").write_text("timestamp,value\n2014-01-01 00:00:00,1\n2014-01-01 02:00:00,2\n")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        'community = "c1"\ngateway = "g1"\n[[series]]\nfile = "a.csv"\nequipment = "m1"\nkind = "elevator"\n'
        'time_column = "timestamp"\ncolumn = [{ column = "value", metric = "machine_room_temperature" }]\n'
    )
    stop, found = Stop(), {}
    wanted = settings(mapping=mapping, data=tmp_path, speed=60.0)
    thread = threading.Thread(target=lambda: found.update(player.replay(wanted, stop)))
    thread.start()
    try:
        wait_for(lambda: heard)  # the second is due two minutes later
    finally:
        stop.set()
        thread.join(WAIT_S)
    assert not found["complete"]
    assert found["readings_not_sent"] == 1


def test_the_scenarios_can_be_listed():
    listed = json.loads(CliRunner().invoke(app, ["scenarios", "--json"]).stdout)
    assert {"elevator_entrapment", "clock_skew", "fire_alarm"} <= {row["id"] for row in listed}
    table = CliRunner().invoke(app, ["scenarios"], env={"COLUMNS": "200"}).stdout
    assert "电梯困人" in table
    assert "Residual chlorine low" in table


def test_a_fleet_can_be_checked(tmp_path):
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET)
    checked = json.loads(CliRunner().invoke(app, ["fleet-check", str(path)]).stdout)
    assert checked["points"] == 7
    assert checked["modbus_registers"] == {
        "c1/pump-1": {"pump_run_state": 0, "bearing_temperature": 2, "fault_code": 4}
    }
