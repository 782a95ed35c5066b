"""What a newcomer does: the demo runs, a seeded fault becomes a warning and an order at the right party."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.system.demo import running, until
from tests.system.house import processes_of
from watchkeep_cli.broker import mosquitto_installed
from watchkeep_core import mqtt, topics
from watchkeep_core.broker import BrokerAddress

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("demo")]

ENTRAPMENT = """
SELECT w.warning_id, o.order_id, o.org_id, c.class
FROM warnings w JOIN case_warnings cw USING (warning_id) JOIN cases c USING (case_id) JOIN orders o USING (case_id)
WHERE (w.community_id, w.equipment_id) = ('harbour', 'lift1-b03') AND w.life_safety ORDER BY 1 LIMIT 1"""


@pytest.fixture(scope="module")
def demo():
    with running() as started:
        yield started


def test_a_seeded_fault_becomes_an_order_at_the_right_party(demo):
    ((warning, order, org, case_class),) = until(lambda: demo.query(ENTRAPMENT), 170)
    assert (org, case_class) == ("anda", "A")
    with demo.api("officer") as officer:
        assert str(warning) in officer.get("/api/v1/warnings").text
    with demo.api("technician") as technician:
        orders = technician.get("/api/v1/orders").json()["items"]
        assert order in [item["order_id"] for item in orders]
    with demo.api("orchard") as stranger:
        assert stranger.get(f"/api/v1/warnings/{warning}").status_code == 404


def test_each_warning_has_at_most_one_case_and_each_case_one_lead_order(demo):
    until(lambda: demo.query("SELECT 1 FROM orders"), 170)
    assert (
        demo.query("SELECT case_id FROM orders WHERE lead AND closed_at IS NULL GROUP BY 1 HAVING count(*) > 1") == []
    )
    assert demo.query("SELECT warning_id FROM case_warnings GROUP BY 1 HAVING count(*) > 1") == []


def test_a_lying_message_ends_in_the_dead_letter_and_stops_nothing(demo):
    """From a gateway that was connected through the console, whose credentials the broker knows at once."""
    with demo.api("manager") as manager:
        answer = manager.post("/api/v1/gateways", json={"community_id": "harbour", "gateway_id": "gw-liar"})
        assert answer.status_code == 201, answer.text
        credentials = answer.json()
    source = topics.GatewayRef("harbour", "gw-liar")
    broker = BrokerAddress.parse(demo.environment()["WATCHKEEP_MQTT_URL"])
    lies = [b"\xff\x00", b"{}", b'{"floor":0,"t0":1,"alias":[1],"dt_ms":[0],"value":["x"]}']
    with mqtt.connect(
        broker, client_id="liar", user=source.user, password=credentials["mqtt_password"], on_message=lambda _: None
    ) as liar:
        for seq, payload in enumerate(lies):
            liar.publish(topics.message(source, "data", "liar", seq), payload).result(60)
    found = until(lambda: len(letters := demo.query("SELECT reason FROM dead_letters")) >= 3 and letters, 120)
    assert {"undecodable", "bad_shape"} <= {reason for (reason,) in found}
    assert len(json.loads(demo.run("ingest", "deadletter", "list").stdout)) >= 3
    before = demo.query("SELECT sum(stored) FROM ingest_accounts")[0][0]
    until(lambda: demo.query("SELECT sum(stored) FROM ingest_accounts")[0][0] > before, 120)


def test_both_accounting_identities_hold(demo):
    audit = demo.run("ingest", "audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr


@pytest.mark.parametrize("service", ["ingest", "analytics", "dispatch", "gateway"])
def test_a_killed_service_comes_back_and_nothing_is_lost(demo, service):
    before = demo.query("SELECT sum(stored) FROM ingest_accounts")[0][0] or 0
    for process in processes_of(demo.directory, f"watchkeep_cli {service} run"):
        os.kill(process, signal.SIGKILL)
    until(lambda: len(processes_of(demo.directory, f"watchkeep_cli {service} run")) >= 1, 120)
    until(lambda: (demo.query("SELECT sum(stored) FROM ingest_accounts")[0][0] or 0) > before, 120)
    # A gateway that was killed while a message was on its way sends it again; ingest knows it by its seq.
    until(lambda: not demo.query("SELECT 1 FROM gaps WHERE lane = 'data' AND epoch <> 'liar'"), 120)
    audit = demo.run("ingest", "audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_the_audit_trail_is_sealed_and_whole(demo):
    until(lambda: demo.query("SELECT 1 FROM audit_seals"), 120)
    verified = demo.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_dispatch_explains_who_is_responsible(demo):
    told = demo.run(
        "dispatch", "explain", "--community", "harbour", "--equipment", "lift1-b03", "--condition", "entrapment"
    )
    assert told.returncode == 0, told.stderr
    assert "anda" in told.stdout


def test_a_recorded_failure_becomes_a_warning_and_an_order(demo, recorded_data):
    """NAB machine_temperature_system_failure through gateway, broker, ingest, analytics and dispatch."""
    mapping = Path(__file__).parents[2] / "firmware-sim" / "replay-nab.toml"
    played = demo.run(
        "sim", "replay", "--mapping", str(mapping), "--data", str(recorded_data), "--speed", "0", timeout=240
    )
    assert played.returncode == 0, played.stderr
    labels = json.loads((recorded_data / "nab/labels/combined_windows.json").read_text())
    windows = labels["realKnownCause/machine_temperature_system_failure.csv"]
    inside = " OR ".join(f"w.event_at BETWEEN '{start}Z' AND '{end}Z'" for start, end in windows)
    rows = until(
        lambda: demo.query(
            "SELECT w.warning_id, o.order_id, c.replay FROM warnings w JOIN case_warnings USING (warning_id)"
            " JOIN cases c USING (case_id) JOIN orders o USING (case_id)"
            f" WHERE w.community_id = 'replay' AND w.equipment_id = 'machine-1' AND ({inside})"
        ),
        170,
    )
    assert all(replay for *_, replay in rows)
    assert (
        demo.query("SELECT 1 FROM notifications n JOIN cases c USING (case_id) WHERE c.replay AND n.status = 'sent'")
        == []
    )


@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
def test_headless_run_stores_what_was_sent_and_a_second_start_keeps_the_data(broker):
    if broker == "mosquitto" and not mosquitto_installed():
        pytest.skip("mosquitto is not installed")
    with running("--for", "40s", "--json", "--broker", broker) as first:
        out, err = first.process.communicate(timeout=300)
        assert first.process.returncode == 0, err
        report = json.loads(out)
        assert report["broker"] == broker
        assert report["readings_sent"] > 2_000
        assert report["readings_stored"] == report["readings_sent"]
        assert report["events_stored"] == report["events_sent"]
        assert report["restarts"] == 0
        assert not processes_of(first.directory)
        with running("--broker", broker, directory=first.directory) as again:
            assert (
                again.query("SELECT sum(stored) FROM ingest_accounts WHERE lane = 'data'")[0][0]
                >= report["readings_stored"]
            )
            assert len(again.query("SELECT 1 FROM orders")) >= report["work_orders"]
            until(lambda: again.query("SELECT 1 FROM orders"), 170)  # of either run: a busy machine takes its time
            code, _, err = again.stop()
            assert code == 0, err


def test_ctrl_c_stops_everything():
    with running("--broker", "amqtt") as demo:
        code, _, err = demo.stop()
        assert code == 0, err
        assert not processes_of(demo.directory)
