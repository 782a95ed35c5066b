"""ETags, kept answers, files, limits, webhooks, open data, revocation of gateways, readiness, upkeep."""

import csv
import hashlib
import hmac
import io
import ipaddress
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psycopg
import pytest
from openpyxl import load_workbook

from tests.console import world as w
from tests.console.conftest import Login, until
from tests.console.test_isolation import _person
from tests.console.world import World
from watchkeep_console import upkeep, webhooks
from watchkeep_console.enrol import MemoryEnroller
from watchkeep_console.limiter import Limiter
from watchkeep_console.services import Services
from watchkeep_dispatch.notify.guard import Egress


def filed(world: World, equipment: str = "lift-1", **given: str) -> None:
    w.warning(world, equipment, **given)  # type: ignore[arg-type]  # texts only
    w.judge_all(world)


# ---------------------------------------------------------------- ETag, If-Match, Idempotency-Key


def test_if_match_is_the_version_one_has_seen(as_: Login, world: World) -> None:
    filed(world)
    tech = as_("tech")
    order = tech.get("/api/v1/orders/1")
    again = tech.get("/api/v1/orders/1", headers={"If-None-Match": order.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    act = "/api/v1/orders/1/actions/"
    done = tech.post(act + "accept", json={}, headers={"If-Match": order.headers["etag"]})
    assert done.status_code == 200, done.text
    stale = tech.post(act + "arrive", json={}, headers={"If-Match": order.headers["etag"]})
    assert (stale.status_code, stale.json()["field"], stale.json()["version"]) == (
        412,
        "If-Match",
        done.json()["version"],
    )
    assert tech.post(act + "arrive", json={}, headers={"If-Match": "nonsense"}).json()["field"] == "If-Match"
    changed = tech.get("/api/v1/orders/1", headers={"If-None-Match": order.headers["etag"]})
    assert changed.status_code == 200


def test_a_repeated_key_gets_the_first_answer_and_acts_once(as_: Login, world: World) -> None:
    duty = as_("duty")
    body = {"source": "walk_in", "community_id": "sunshine", "description": "电梯异响"}
    key = {"Idempotency-Key": "k-1"}
    first = duty.post("/api/v1/complaints", json=body, headers=key)
    assert first.status_code == 201
    again = duty.post("/api/v1/complaints", json=body, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    taken = world.rows("SELECT count(*) FROM complaints WHERE description = '电梯异响'")
    assert taken == [(1,)]
    other = duty.post("/api/v1/complaints", json=body | {"description": "x"}, headers=key)
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    assert as_("manager").post("/api/v1/complaints", json=body, headers=key).status_code == 201, (
        "a key is a person's own"
    )


def test_a_refused_request_does_not_use_up_its_key(as_: Login) -> None:
    duty = as_("duty")
    key = {"Idempotency-Key": "k-2"}
    bad = {"source": "walk_in", "community_id": "nowhere", "description": "x"}
    assert duty.post("/api/v1/complaints", json=bad, headers=key).status_code == 404
    assert duty.post("/api/v1/complaints", json=bad | {"community_id": "sunshine"}, headers=key).status_code == 201
    assert duty.post("/api/v1/complaints", json=bad, headers={"Idempotency-Key": "x" * 101}).status_code == 422


def test_an_answer_with_a_secret_is_not_kept(as_: Login, world: World) -> None:
    manager = as_("manager")
    key = {"Idempotency-Key": "k-3"}
    body = {"name": "x", "scopes": ["read"]}
    token = manager.post("/api/v1/me/tokens", json=body, headers=key).json()["token"]
    again = manager.post("/api/v1/me/tokens", json=body, headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "shown_once")
    assert token not in str(world.rows("SELECT response FROM idempotency_keys"))


def test_a_key_whose_request_never_ended_is_said_so(as_: Login, world: World) -> None:
    duty = as_("duty")
    body = b'{"source": "walk_in", "community_id": "sunshine", "description": "x"}'
    digest = hashlib.sha256(b"POST /api/v1/complaints?\n" + body).digest()
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO idempotency_keys (person_id, key, request_hash, status, response)"
            " VALUES (%s, 'k', %s, 0, 'null')",
            [world.people["duty"], digest],
        )
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = duty.post("/api/v1/complaints", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "in_progress")


def test_upkeep_forgets_what_has_had_its_time(as_: Login, house: Services, world: World) -> None:
    duty = as_("duty")
    body = {"source": "walk_in", "community_id": "sunshine", "description": "x"}
    for key in ("old", "young"):
        duty.post("/api/v1/complaints", json=body, headers={"Idempotency-Key": key})
    with world.admin() as conn:
        conn.execute("UPDATE idempotency_keys SET created_at = now() - interval '49 h' WHERE key = 'old'")
    upkeep.forget(house)
    assert world.rows("SELECT key FROM idempotency_keys") == [("young",)]
    assert duty.get("/api/v1/me").status_code == 200


# ---------------------------------------------------------------- files, limits


@pytest.fixture
def formula(world: World) -> Iterator[None]:
    """A lift whose name and maker are formulas; the register is not made anew between tests."""
    ((maker, name),) = world.rows("SELECT maker, name_en FROM equipment WHERE equipment_id = 'lift-2'")
    change = "UPDATE equipment SET maker = %s, name_en = %s WHERE equipment_id = 'lift-2'"
    with world.admin() as conn:
        conn.execute(change, ["=cmd()", "=1+1"])
    yield
    with world.admin() as conn:
        conn.execute(change, [maker, name])


def test_lists_come_as_csv_and_excel_and_run_no_formulas(as_: Login, formula: None) -> None:
    duty = as_("duty")
    answer = duty.get("/api/v1/equipment?format=csv&limit=3&q=lift")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["equipment_id"] for row in rows] == ["lift-1", "lift-2", "lift-3"]
    assert rows[1]["name_en"] == "'=1+1"
    by_accept = duty.get("/api/v1/communities", headers={"Accept": "text/csv"})
    assert by_accept.text.count("\n") == 2
    book = load_workbook(io.BytesIO(duty.get("/api/v1/equipment?format=xlsx").content))
    assert [cell.value for cell in next(book.active.iter_rows())][:2] == ["community_id", "equipment_id"]
    paged = duty.get("/api/v1/equipment?format=csv&limit=1")
    assert paged.headers["x-next-cursor"] == duty.get("/api/v1/equipment?limit=1").json()["next"]
    assert duty.get("/api/v1/summary?format=csv").json()["field"] == "format"
    assert duty.get("/api/v1/equipment?format=pdf").json()["field"] == "format"


def test_exports_requests_and_strangers_are_limited(as_: Login, client: httpx.Client, house: Services) -> None:
    duty = as_("duty")
    statuses = [duty.get("/api/v1/communities?format=csv").status_code for _ in range(11)]
    assert (statuses[9], statuses[10]) == (200, 429)
    kept = house.requests, house.strangers
    object.__setattr__(house, "requests", Limiter(3, 60))
    object.__setattr__(house, "strangers", Limiter(3, 60))
    try:
        answers = [duty.get("/api/v1/me") for _ in range(4)]
        assert answers[2].status_code == 200
        assert answers[3].status_code == 429
        assert 0 < int(answers[3].headers["retry-after"]) <= 60
        assert as_("manager").get("/api/v1/me").status_code == 200, "each on their own"
        guesses = [client.get("/api/v1/me", headers={"Authorization": f"Bearer wk_{n}"}).status_code for n in range(5)]
        assert guesses == [401, 401, 401, 429, 429]
    finally:
        object.__setattr__(house, "requests", kept[0])
        object.__setattr__(house, "strangers", kept[1])


def test_the_register_is_imported_all_or_nothing(as_: Login, world: World) -> None:
    manager = as_("manager")
    book = load_workbook(io.BytesIO(manager.get("/api/v1/equipment/workbook?community=sunshine").content))
    sheet = book.active
    assert sheet is not None
    heads = [str(cell.value) for cell in sheet[1]]
    column = next(n for n, head in enumerate(heads, 1) if "型号" in head or "model" in head.lower())

    def send(value: object, **query: bool) -> httpx.Response:
        sheet.cell(2, column).value = value
        content = io.BytesIO()
        book.save(content)
        kind = {"Content-Type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
        return manager.post("/api/v1/equipment/import", params=query, content=content.getvalue(), headers=kind)

    dry = send("MRL-2000", dry_run=True).json()
    assert (dry["changed"], dry["written"], dry["errors"]) == (1, False, [])
    wrong = send("x" * 500).json()
    assert (wrong["written"], wrong["wrong"], wrong["errors"][0]["cell"][1:]) == (False, 1, "2")
    assert send("MRL-1000").json()["written"]
    assert manager.post("/api/v1/equipment/import", content=b"no workbook").json()["field"] == "content-type"
    assert as_("duty").post("/api/v1/equipment/import", content=b"x").status_code == 403


# ---------------------------------------------------------------- webhooks


class Receiver:
    """A program that is told; `status` is what it answers."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.seen.append((dict(self.headers), body))
                self.send_response(receiver.status)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver(house: Services) -> Iterator[Receiver]:
    found = Receiver()
    before = house.egress
    object.__setattr__(house, "egress", Egress((ipaddress.ip_network("127.0.0.0/8"),), 8.0))
    yield found
    object.__setattr__(house, "egress", before)
    found.server.shutdown()
    found.server.server_close()


def test_a_webhook_is_told_signed_what_its_owner_sees(as_: Login, receiver: Receiver, world: World) -> None:
    manager = as_("manager")
    made = manager.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["case.filed", "case.changed"]}).json()
    assert made["secret"] not in manager.get("/api/v1/webhooks").text
    filed(world)
    filed(world, community="riverside")
    path = f"/api/v1/webhooks/{made['webhook_id']}/deliveries"
    until(lambda: {one["status"] for one in manager.get(path).json()} == {"sent", "not_visible"}, poll_s=0.5)
    headers, body = receiver.seen[0]
    at, proof = (part.partition("=")[2] for part in headers["Watchkeep-Signature"].split(","))
    expected = hmac.digest(made["secret"].encode(), f"{at}.".encode() + body, "sha256").hex()
    assert proof == expected
    told = json.loads(body)
    assert (told["event"], told["object"]["case_id"], told["object"]["community_id"]) == ("case.filed", 1, "sunshine")
    assert not any("riverside" in text.decode() for _, text in receiver.seen), "of another community nothing is told"
    assert as_("duty").get(path).status_code == 404
    assert manager.delete(f"/api/v1/webhooks/{made['webhook_id']}").status_code == 204
    before = len(receiver.seen)
    filed(world, "lift-2")
    assert world.rows("SELECT count(*) FROM webhook_deliveries WHERE status = 'waiting'") == [(0,)]
    assert len(receiver.seen) == before


def test_a_message_is_tried_again_and_goes_nowhere_else(
    as_: Login, receiver: Receiver, world: World, house: Services
) -> None:
    manager = as_("manager")
    receiver.status = 302
    hook = manager.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["case.filed"]}).json()["webhook_id"]
    assert manager.post(f"/api/v1/webhooks/{hook}/test").status_code == 202
    path = f"/api/v1/webhooks/{hook}/deliveries"
    until(lambda: manager.get(path).json()[0]["answer"] == "302", poll_s=0.5)
    assert manager.get(path).json()[0]["tries"] == 1
    assert manager.get(path).json()[0]["status"] == "waiting", "a redirect is not followed"
    receiver.status = 200
    with world.admin() as conn:
        conn.execute("UPDATE webhook_deliveries SET next_at = now()")
    until(lambda: manager.get(path).json()[0]["status"] == "sent", poll_s=0.5)
    numbers = {headers["Watchkeep-Delivery"] for headers, _ in receiver.seen}
    assert len(numbers) == 1, "the same number when it comes again"
    object.__setattr__(house, "egress", Egress((), 8.0))
    manager.post(f"/api/v1/webhooks/{hook}/test")
    until(lambda: manager.get(path).json()[0]["status"] == "failed", poll_s=0.5)
    assert "private network" in manager.get(path).json()[0]["answer"]


def test_bad_webhooks_are_refused_by_field(as_: Login) -> None:
    manager = as_("manager")
    for url, events, field in (
        ("http://hooks.example.org/x", ["case.filed"], "url"),
        ("https://user:pw@hooks.example.org/x", ["case.filed"], "url"),
        ("ftp://hooks.example.org/x", ["case.filed"], "url"),
        ("https://hooks.example.org/x", ["case.exploded"], "events"),
    ):
        answer = manager.post("/api/v1/webhooks", json={"url": url, "events": events})
        assert (answer.status_code, answer.json()["field"]) == (422, field), url


def test_pauses_grow_to_six_hours() -> None:
    assert [webhooks.pause(tries) for tries in (1, 2, 3)] == [timedelta(seconds=s) for s in (10, 30, 90)]
    assert webhooks.pause(10) == timedelta(hours=6)


# ---------------------------------------------------------------- open data


def test_what_is_given_away_is_entered_in_the_register(as_: Login, world: World) -> None:
    filed(world)
    filed(world, community="riverside")
    _person(world, "w.super", "supervisor@area:street-1")
    supervisor = as_("w.super")
    now = datetime.now(UTC)
    body = {
        "recipient": "市大数据中心",
        "purpose": "月报",
        "fields": ["case_id", "condition", "class"],
        "since": (now - timedelta(days=1)).isoformat(),
        "until": (now + timedelta(days=1)).isoformat(),
    }
    given = supervisor.post("/api/v1/open-data/cases", json=body)
    assert given.json() == [{"case_id": 1, "condition": "door_close_fail", "class": "B"}], "of the own area only"
    entry = supervisor.get("/api/v1/data-shares").json()["items"][0]
    assert (entry["recipient"], entry["fields"], entry["row_count"]) == (body["recipient"], body["fields"], 1)
    assert entry["sha256"] == hashlib.sha256(given.content).hexdigest()
    assert supervisor.post("/api/v1/open-data/people", json=body).status_code == 404
    assert supervisor.post("/api/v1/open-data/cases", json=body | {"fields": ["title_zh"]}).json()["field"] == "fields"
    assert supervisor.post("/api/v1/open-data/cases", json=body | {"until": body["since"]}).json()["field"] == "until"
    assert as_("duty").post("/api/v1/open-data/cases", json=body).status_code == 403
    assert as_("duty").get("/api/v1/data-shares").json()["items"] == []
    assert len(as_("auditor").get("/api/v1/data-shares").json()["items"]) == 1
    for dataset in supervisor.get("/api/v1/open-data").json():
        answer = supervisor.post(f"/api/v1/open-data/{dataset['dataset']}", json=body | {"fields": []})
        assert answer.status_code == 200, answer.text
        for row in answer.json():
            assert list(row) == dataset["fields"]
    with world.admin() as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("UPDATE data_shares SET recipient = 'x'")


# ---------------------------------------------------------------- gateways, readiness


def test_a_revoked_gateway_is_out_and_may_come_back(as_: Login, house: Services) -> None:
    broker = house.enroller
    assert isinstance(broker, MemoryEnroller)
    manager = as_("manager")
    manager.post("/api/v1/gateways", json={"community_id": "sunshine", "gateway_id": "gw-7"})
    assert "sunshine/gw-7" in broker.users
    path = "/api/v1/communities/sunshine/gateways/gw-7/"
    assert as_("duty").post(path + "revocation").status_code == 403
    assert as_("other").post(path + "revocation").status_code == 404
    done = manager.post(path + "revocation")
    assert (done.status_code, done.json()["broker_user"]) == (200, "added")
    assert "sunshine/gw-7" not in broker.users
    assert manager.post(path + "revocation").status_code == 409
    listed = {one["gateway_id"]: one for one in manager.get("/api/v1/gateways").json()}
    assert listed["gw-7"]["revoked_at"] is not None
    manager.post(path + "password")
    assert "sunshine/gw-7" in broker.users
    listed = {one["gateway_id"]: one for one in manager.get("/api/v1/gateways").json()}
    assert listed["gw-7"]["revoked_at"] is None


def test_ready_means_the_listener_too(client: httpx.Client, world: World) -> None:
    until(lambda: client.get("/health/ready").status_code == 200)

    def cut_off() -> bool:
        world.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'watchkeep-console-listen'"
        )
        return "listener" in client.get("/health/ready").json()["missing"]

    until(cut_off)
    until(lambda: client.get("/health/ready").status_code == 200)
