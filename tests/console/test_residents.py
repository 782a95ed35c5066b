"""What residents reach without a login, and what the desk does with complaints."""

from datetime import UTC, datetime

import httpx
import psycopg
import pytest

from tests.console import world as w
from tests.console.conftest import Login
from tests.dispatch.camera import camera
from watchkeep_console.services import Services
from watchkeep_dispatch import complaints

JPEG = camera(400, 300)
FORM = {"condition": "resident_repair", "description": "电梯有异响", "contact_phone": "13900001111"}
CASE = {"source": "hotline_12345", "community_id": "sunshine", "description": "3 号楼北侧消防通道被堵"}


@pytest.fixture(autouse=True)
def _clean(world: w.World, house: Services) -> None:
    house.reports.forget()
    with world.admin() as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("DELETE FROM complaints")
        conn.execute("DELETE FROM notices")


def code(world: w.World, equipment: str = "lift-1") -> str:
    query = f"SELECT report_token::text FROM equipment WHERE (community_id, equipment_id) = ('sunshine', '{equipment}')"
    return str(world.rows(query)[0][0])


def dispatch_files(world: w.World, house: Services) -> None:
    """What the service does within a second."""
    with psycopg.connect(world.database.url("watchkeep_dispatch")) as conn:
        complaints.file_reports(conn, datetime.now(UTC), house.rules)
        complaints.answer_settled(conn, datetime.now(UTC), house.rules)


def test_from_the_code_to_the_rated_answer(client: httpx.Client, world: w.World, house: Services) -> None:
    here = f"/r/{code(world)}"
    page = client.get(here)
    assert page.status_code == 200
    assert "1 号楼客梯" in page.text
    assert "占用消防通道" not in page.text  # no matter of a lift
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    sent = client.post(here, data=FORM, files={"photo": ("a.jpg", JPEG, "image/jpeg")})
    assert sent.status_code == 303
    status = sent.headers["location"]
    assert "已受理" in client.get(status).text
    dispatch_files(world, house)
    assert "阳光物业" in client.get(status).text
    assert world.rows("SELECT media_type FROM evidence") == [("image/jpeg",)]
    with world.admin() as conn:
        conn.execute("UPDATE cases SET state = 'closed', closed_at = now()")
    dispatch_files(world, house)
    answered = client.get(status).text
    assert "结案" in answered
    assert "13900001111" not in answered
    assert client.post(status, data={"satisfied": "true"}).status_code == 303
    assert world.rows("SELECT satisfied FROM complaints") == [(True,)]
    assert "感谢您的评价" in client.get(status).text


@pytest.mark.parametrize(
    ("change", "photo", "said"),
    [
        ({"condition": "fire_alarm"}, b"", "请选择事项"),
        ({"description": " "}, b"", "请选择事项"),
        ({}, b"<svg/>", "JPEG"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_stored(
    client: httpx.Client, world: w.World, change: dict[str, str], photo: bytes, said: str
) -> None:
    answer = client.post(f"/r/{code(world)}", data=FORM | change, files={"photo": ("a", photo)} if photo else None)
    assert answer.status_code == 422
    assert said in answer.text
    assert world.rows("SELECT count(*) FROM complaints") == [(0,)]


def test_programs_fall_into_the_trap(client: httpx.Client, world: w.World) -> None:
    answer = client.post(f"/r/{code(world)}", data=FORM | {"website": "https://spam"})
    assert answer.status_code == 200
    assert world.rows("SELECT count(*) FROM complaints") == [(0,)]


def test_too_many_from_one_address(client: httpx.Client, world: w.World, house: Services) -> None:
    for _ in range(20):
        house.reports.hit(address="127.0.0.1")
    refused = client.post(f"/r/{code(world)}", data=FORM)
    assert refused.status_code == 429
    assert "过于频繁" in refused.text


@pytest.mark.parametrize(
    "path", ["/r/00000000-0000-0000-0000-000000000000", "/r/nonsense", "/r/status/00000000-0000-0000-0000-000000000000"]
)
def test_guessed_codes_lead_nowhere(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code in (404, 422)


def test_the_code_of_a_community_offers_more(client: httpx.Client, world: w.World, house: Services) -> None:
    token = world.rows("SELECT report_token::text FROM communities WHERE community_id = 'sunshine'")[0][0]
    assert "占用消防通道" in client.get(f"/r/{token}").text
    assert client.post(f"/r/{token}", data=FORM | {"condition": "fire_lane_occupied"}).status_code == 303
    dispatch_files(world, house)
    assert world.rows("SELECT condition, equipment_id FROM cases") == [("fire_lane_occupied", None)]


def test_the_desk_takes_in_a_complaint(as_: Login, world: w.World) -> None:
    desk = as_("duty")
    body = CASE | {"condition": "fire_lane_occupied", "channel_no": "WH-7", "contact_phone": "13800002222"}
    taken = desk.post("/api/v1/complaints", json=body)
    assert taken.status_code == 201, taken.text
    assert desk.post("/api/v1/complaints", json=body).json() == taken.json() | {"repeated": True}
    number = taken.json()["complaint_id"]
    shown = desk.get(f"/api/v1/complaints/{number}").json()
    assert (shown["contact_masked"], shown["case_id"]) == ("138****2222", taken.json()["case_id"])
    assert desk.get("/api/v1/complaints?answered=false").json()["items"] == [shown]
    looked = f"SELECT count(*) FROM audit_entries WHERE (action, object_id) = ('complaint.contact', '{number}')"
    assert world.rows(looked) == [(0,)]
    contact = desk.get(f"/api/v1/complaints/{number}/contact")
    assert contact.json()["contact_phone"] == "13800002222"
    assert world.rows(looked) == [(1,)]
    other = as_("other")
    assert other.get(f"/api/v1/complaints/{number}").status_code == 404
    assert other.post("/api/v1/complaints", json=body).status_code == 404
    assert as_("verifier").post("/api/v1/complaints", json=body).status_code == 403
    assert desk.post("/api/v1/complaints", json=body | {"source": "gossip"}).json()["field"] == "source"


def test_a_channels_file_by_api(as_: Login, world: w.World) -> None:
    desk = as_("duty")
    heading = "工单编号,受理时间,小区,诉求内容"
    text = f"{heading}\nX1,2026-01-05 08:30,阳光花园,楼道灯不亮\nX2,2026-01-05 08:30,滨河家园,不归我管\n"
    headers = {"Content-Type": "text/csv"}
    path = "/api/v1/complaints/import?source=hotline_12345"
    done = desk.post(path, content=text.encode(), headers=headers).json()
    assert [(error["line"], error["column"]) for error in done["errors"]] == [(3, "小区")]
    first = "\n".join(text.splitlines()[:2]).encode("gb18030")
    assert desk.post(f"{path}&dry_run=true", content=first, headers=headers).json()["taken"] == 0
    assert desk.post(path, content=first, headers=headers).json()["taken"] == 1
    assert world.rows("SELECT source FROM cases") == [("hotline_12345",)]
    study = desk.get("/api/v1/complaints/study?month=2026-01").json()
    assert [(row["community"], row["complaints"]) for row in study["rows"]] == [("阳光花园", 1)]
    page = desk.get("/api/v1/complaints/study?month=2026-01&format=html")
    assert "月度研判" in page.text
    assert desk.get("/api/v1/complaints/study?month=whenever").status_code == 422


def test_the_notice_board_is_public(client: httpx.Client, world: w.World) -> None:
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO notices (community_id, section, title, amount_yuan, period, saved_at) VALUES "
            "('sunshine', 'income', '广告收入 <b>', 1200.5, '2026 Q3', now())"
        )
    page = client.get("/board/sunshine").text
    for said in ("阳光物业", "迅捷维保", "广告收入 &lt;b&gt;", "¥ 1,200.50"):
        assert said in page
    assert client.get("/board/nowhere").status_code == 404
