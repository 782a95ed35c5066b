"""Complaints: intake by function and file, duplicates, residents' reports, answers, the study, labels."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from tests.dispatch.camera import camera
from tests.dispatch.conftest import NOW, World, standard_rules
from watchkeep_core.database import open_pool
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import complaint_file, complaints, labels, study
from watchkeep_dispatch.complaint_file import FileRefused
from watchkeep_dispatch.complaints import Complaint, ComplaintRefused, Taken
from watchkeep_dispatch.errors import ChannelRefused, ChannelUnavailable
from watchkeep_dispatch.notify.channels import MemoryChannel, Services
from watchkeep_dispatch.notify.delivery import How
from watchkeep_dispatch.notify.reporters import Reporters
from watchkeep_dispatch.notify.timing import Timing, span
from watchkeep_dispatch.reports import period_span, to_html
from watchkeep_dispatch.reports_pdf import NoFont, to_pdf

ZONE = ZoneInfo("Asia/Shanghai")
HOTLINE = Complaint(
    source="hotline_12345",
    channel_no="WH-1",
    community_id="garden",
    condition="hotline_case",
    description="楼道灯不亮",
    contact_name="张女士",
    contact_phone="13800001234",
    received_at=NOW - timedelta(hours=1),
    property_org_id="property-co",
)
HEADING = "工单编号,受理时间,小区,设备,事项,诉求内容,联系电话"


def take(world: World, complaint: Complaint = HOTLINE, now: datetime = NOW) -> Taken:
    with world.connect() as conn:
        return complaints.take(conn, complaint, now, standard_rules(), person_id=None)


def resident(
    world: World, condition: str = "resident_repair", equipment: str = "lift-1", photo: bytes | None = None
) -> str:
    """A report as the public page makes it; its token."""
    with world.connect("watchkeep_console") as conn:
        row = conn.execute(
            "SELECT report_problem(%s, %s, '电梯异响', '', '', '', %s, %s, 30)::text",
            [code_of(world, equipment), condition, photo, "image/jpeg" if photo else ""],
        ).fetchone()
    assert row is not None
    return str(row[0])


def code_of(world: World, equipment: str) -> str:
    query = "SELECT report_token::text FROM equipment WHERE (community_id, equipment_id) = ('garden', %s)"
    return str(world.value(query, equipment))


def file_reports(world: World, now: datetime = NOW) -> int:
    with world.connect() as conn:
        return complaints.file_reports(conn, now, standard_rules())


def end_case(world: World, case_id: int, state: str = "closed", at: datetime = NOW) -> None:
    with world.admin() as conn:
        conn.execute("UPDATE cases SET state = %s, closed_at = %s WHERE case_id = %s", [state, at, case_id])


def test_a_hotline_case_gets_the_deadlines_of_its_duty(world: World) -> None:
    taken = take(world)
    assert (taken.attached, taken.repeated) == (False, False)
    source, case_class, responsible = world.rows("SELECT source, class, responsible_org_id FROM cases")[0]
    assert (source, case_class, responsible) == ("hotline_12345", "C", "property-co")
    respond, finish = world.rows("SELECT respond_due, finish_due FROM orders")[0]
    ends = [moment.astimezone(ZONE).strftime("%m-%d %H:%M") for moment in (respond, finish)]
    assert ends == ["11-25 17:30", "11-30 17:30"]  # 2 and 5 working days after Monday the 23rd
    note = world.value("SELECT note FROM transitions WHERE action = 'file'")
    assert "楼道灯不亮" in note
    assert "13800001234" not in note


def test_the_same_number_of_a_channel_is_taken_in_once(world: World) -> None:
    first = take(world)
    assert take(world) == replace(first, repeated=True)
    assert world.value("SELECT count(*) FROM cases") == 1


def test_unspecific_reports_join_what_is_open_about_the_machine(world: World) -> None:
    case_id = world.filed("lift-1", "door_close_fail")
    taken = take(world, replace(HOTLINE, equipment_id="lift-1"))
    assert (taken.case_id, taken.attached) == (case_id, True)
    assert world.value("SELECT count(*) FROM orders") == 1
    assert world.value("SELECT count(*) FROM transitions WHERE action = 'recur'") == 1


def test_a_trapped_person_is_never_just_attached(world: World) -> None:
    case_id = world.filed("lift-1", "door_close_fail")
    taken = take(world, replace(HOTLINE, equipment_id="lift-1", condition="entrapment"))
    assert taken.case_id != case_id
    assert world.rows("SELECT class, life_safety FROM cases WHERE condition = 'entrapment'") == [("A", True)]


def test_two_matters_at_one_place_are_two_cases(world: World) -> None:
    first = take(world, replace(HOTLINE, condition="fire_lane_occupied"))
    second = take(world, replace(HOTLINE, condition="ebike_charging_violation", channel_no="WH-2"))
    assert first.case_id != second.case_id
    assert {row[0] for row in world.rows("SELECT class FROM cases")} == {"C"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source": "qr_code"}, "source"),
        ({"condition": "door_close_fail"}, "condition"),
        ({"description": "  "}, "description"),
        ({"received_at": NOW + timedelta(seconds=1)}, "received_at"),
        ({"contact_phone": "1" * 255}, "contact_phone"),
        ({"equipment_id": "nothing"}, "equipment_id"),
    ],
)
def test_what_is_wrong_is_named(world: World, change: dict[str, object], field: str) -> None:
    with pytest.raises(ComplaintRefused) as refused:
        take(world, replace(HOTLINE, **change))  # type: ignore[arg-type]  # one field each
    assert refused.value.field == field
    assert world.value("SELECT count(*) FROM complaints") == 0


def test_a_photo_that_cannot_be_read_holds_up_no_complaint(world: World) -> None:
    resident(world, photo=b"\xff\xd8\xffphoto")
    assert file_reports(world) == 1
    ((kind, note),) = world.rows("SELECT kind, note FROM evidence")
    assert kind == "note"
    assert "no readable" in note


def test_a_residents_report_becomes_a_case_with_its_photo(world: World) -> None:
    token = resident(world, photo=camera())
    assert file_reports(world) == 1
    assert world.rows("SELECT source, condition, equipment_id FROM cases") == [("qr_code", "resident_repair", "lift-1")]
    ((kind, media_type, content, original, latitude, taken_at),) = world.rows(
        "SELECT kind, media_type, content, original_sha256, latitude, taken_at FROM evidence"
    )
    assert (kind, media_type, original) == ("photo_before", "image/jpeg", hashlib.sha256(camera()).digest())
    assert len(content) < len(camera())
    assert (round(latitude, 4), taken_at) == (37.1625, "2026:11:23 10:05:00")
    assert world.rows("SELECT photo, case_id IS NOT NULL FROM complaints WHERE token = %s", token) == [(None, True)]
    resident(world)
    assert file_reports(world) == 1
    assert world.value("SELECT count(*) FROM cases") == 1


def test_the_public_reaches_nothing_but_the_own_report(world: World) -> None:
    token = resident(world)
    with world.connect("watchkeep_console") as conn:
        assert conn.execute("SELECT count(*) FROM complaints").fetchone() == (0,)
        status = "SELECT community, equipment, state FROM report_status(%s)"
        assert conn.execute(status, [token]).fetchone() == ("花园小区", "1号梯", None)
        assert conn.execute("SELECT count(*) FROM report_place(gen_random_uuid())").fetchone() == (0,)
        code = [code_of(world, "lift-1")]
        again = "SELECT report_problem(%s, 'resident_repair', 'x', '', '', '', NULL, '', 1)"
        assert conn.execute(again, code).fetchone() == (None,)  # the bound of the hour


def test_one_report_that_cannot_be_filed_holds_up_no_other(world: World) -> None:
    bad, good = resident(world, condition="resident_repair"), resident(world, equipment="pump")
    with world.admin() as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE complaints SET community_id = 'gone' WHERE token = %s", [bad])
    assert file_reports(world) == 2
    refusal = "SELECT refusal <> '' FROM complaints WHERE token = %s"
    assert (world.value(refusal, bad), world.value(refusal, good)) == (True, False)
    assert file_reports(world) == 0


def test_the_reporter_gets_the_result_and_rates_it_once(world: World) -> None:
    token = resident(world)
    file_reports(world)
    case_id = world.value("SELECT case_id FROM cases")
    end_case(world, case_id)
    with world.connect() as conn:
        assert complaints.answer_settled(conn, NOW, standard_rules()) == 1
        assert complaints.answer_settled(conn, NOW, standard_rules()) == 0
    with world.connect("watchkeep_console") as conn:
        answer = conn.execute("SELECT answer_zh, answer_en FROM report_status(%s)", [token]).fetchone()
        assert answer is not None
        assert "2026-11-23 10:00" in answer[0]
        assert "closed" in answer[1]
        assert conn.execute("SELECT rate_answer(%s, true, '')", [token]).fetchone() == (True,)
        assert conn.execute("SELECT rate_answer(%s, false, '')", [token]).fetchone() == (False,)
    assert world.value("SELECT satisfied FROM complaints") is True


def told_by(world: World, memory: MemoryChannel, urls: list[str], at: datetime = NOW) -> int:
    """How many reporters were tried to be told."""

    def opened(url: str) -> MemoryChannel:
        urls.append(url)
        return memory

    services = Services(sms="sms://gateway/{to}", mail="mailto://{to}")
    how = How(opened, services, Timing(quiet=span("22:00-07:00")), "https://watch.example")
    with open_pool(world.database.url("watchkeep_dispatch"), "test", max_size=2) as pool:
        reporters = Reporters(pool, how)
        return sum(1 for _ in takewhile(bool, (reporters.tell_one(at) for _ in range(20))))


def answered(world: World, *contacts: str) -> None:
    """Complaints whose cases are closed and answered."""
    for number, contact in enumerate(contacts):
        taken = take(world, replace(HOTLINE, channel_no=f"T-{number}", contact_phone=contact))
        assert taken.case_id is not None
        end_case(world, taken.case_id)
    with world.connect() as conn:
        complaints.answer_settled(conn, NOW, standard_rules())


def test_the_reporter_is_told_where_an_address_was_left_and_only_once(world: World, caplog) -> None:
    memory, urls = MemoryChannel(), list[str]()
    answered(world, "138 0013-8000", "a.resident.with.quite.a.long.name@example.org", "0512-1234", "")
    assert told_by(world, memory, urls, NOW + timedelta(hours=14)) == 0  # midnight there
    assert told_by(world, memory, urls) == 2
    assert told_by(world, memory, urls) == 0
    assert sorted(urls) == ["mailto://a.resident.with.quite.a.long.name%40example.org", "sms://gateway/13800138000"]
    token = world.value("SELECT token::text FROM complaints WHERE channel_no = 'T-0'")
    (text,) = (text for text in memory.sent if token in text.body)
    assert "结案" in text.body
    assert "closed" in text.body
    assert text.body.endswith(f"https://watch.example/r/status/{token}")
    assert "13800138000" not in caplog.text
    assert "long.name@" not in caplog.text


def test_a_reporter_is_not_flooded_and_a_failure_is_tried_again(world: World) -> None:
    memory, urls = MemoryChannel(), list[str]()
    memory.failures = [ChannelUnavailable("busy"), ChannelRefused("no such number")]
    answered(world, *["13800138000"] * 5, "13900139000")
    told_by(world, memory, urls)
    told_by(world, memory, urls, NOW + timedelta(hours=1))
    counted = "SELECT contact_phone, count(told_at) FROM complaints GROUP BY 1 ORDER BY 1"
    assert world.rows(counted) == [("13800138000", 3), ("13900139000", 1)]
    assert len(memory.sent) == 4
    dead = "SELECT count(*) FROM complaints WHERE tell_error = 'no such number' AND tell_attempts = 6"
    assert world.value(dead) == 1


def test_an_answer_is_taken_back_when_the_case_opens_again(world: World) -> None:
    taken = take(world)
    assert taken.case_id is not None
    end_case(world, taken.case_id)
    with world.connect() as conn:
        complaints.answer_settled(conn, NOW, standard_rules())
    with world.admin() as conn:
        conn.execute("UPDATE cases SET state = 'dispatched', closed_at = NULL")
    with world.connect() as conn:
        complaints.answer_settled(conn, NOW, standard_rules())
    assert world.value("SELECT answered_at FROM complaints") is None


def imported(world: World, text: str, source: str = "hotline_12345", encoding: str = "utf-8-sig", **how):
    with world.connect() as conn:
        content = text.encode(encoding)
        return complaint_file.import_csv(conn, content, source, NOW, standard_rules(), **how)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_file_is_taken_in_once(world: World, encoding: str) -> None:
    lines = "\n".join(
        [
            HEADING,
            "A1,2026-11-20 08:30,花园小区,1号梯,,电梯不停二楼,13800001234",
            "A2,2026/11/20 09:00,lake,,占用消防通道,车辆堵塞消防通道,",
        ]
    )
    done = imported(world, lines, encoding=encoding)
    assert (done.rows, done.taken, done.repeated, done.errors) == (2, 2, 0, ())
    expected = [("hotline_case", "lift-1", "garden"), ("fire_lane_occupied", None, "lake")]
    assert world.rows("SELECT condition, equipment_id, community_id FROM cases ORDER BY case_id") == expected
    received = world.value("SELECT received_at FROM complaints WHERE channel_no = 'A1'")
    assert received == datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
    again = imported(world, lines, encoding=encoding)
    assert (again.taken, again.repeated) == (0, 2)


def test_one_wrong_row_and_nothing_is_taken_in(world: World) -> None:
    lines = [
        HEADING,
        "B1,2026-11-20 08:30,花园小区,,,正常,",
        "B2,昨天,花园小区,,,时间不对,",
        "B3,2026-11-20 08:30,不存在,,,小区不对,",
        "B4,2026-11-20 08:30,garden,99号梯,,设备不对,",
        "B1,2026-11-20 08:30,garden,,,重复,",
        "B6,2026-11-20 08:30,garden,,飞碟,事项不对,",
        "B7,2026-11-20 08:30,garden,,,,",
    ]
    done = imported(world, "\n".join(lines))
    found = [(error.line, error.column) for error in done.errors]
    assert found == [(3, "受理时间"), (4, "小区"), (5, "设备"), (6, "工单编号"), (7, "事项"), (8, "诉求内容")]
    assert (done.taken, world.value("SELECT count(*) FROM complaints")) == (0, 0)
    assert imported(world, "\n".join(lines[:2]), dry_run=True).errors == ()
    assert world.value("SELECT count(*) FROM complaints") == 0


@pytest.mark.parametrize("text", ["", "工单编号,小区\n", f'{HEADING}\n"open'])
def test_what_is_no_such_file_is_refused(world: World, text: str) -> None:
    with pytest.raises(FileRefused, match=r"line 1|column|line 2"):
        imported(world, text)


def test_the_study_counts_by_community_and_cause(world: World) -> None:
    solved = take(world)
    take(world, replace(HOTLINE, channel_no="WH-2", condition="fire_lane_occupied"))
    take(world, replace(HOTLINE, channel_no="WH-3", community_id="lake", source="minxin", condition="resident_repair"))
    take(world, replace(HOTLINE, channel_no="WH-4", received_at=NOW - timedelta(days=40)))
    assert solved.case_id is not None
    end_case(world, solved.case_id)
    with world.connect() as conn:
        complaints.answer_settled(conn, NOW, standard_rules())
        since, until = period_span("2026-11", ZONE)
        found = study.study(conn, since, until)
        town = study.study(conn, since, until, "town")
    assert sum(row["complaints"] for row in found.rows) == 3
    assert sum(row["answered"] for row in found.rows) == 1
    assert len(found.unsolved) == 3  # the old one still is
    assert dict(found.channels) == {"hotline_12345": 2, "minxin": 1}
    assert {row["community_id"] for row in town.rows} == {"garden"}
    for language, title in (("zh", "月度研判"), ("en", "Monthly study")):
        report = study.report(found, load(), ZONE, language)  # type: ignore[arg-type]  # a literal of the loop
        assert title in to_html(report)
        assert "占用消防通道" in to_html(report) or language == "en"


@pytest.mark.slow
def test_reports_and_labels_are_pdf_with_their_font(world: World, tmp_path) -> None:
    take(world)
    with world.connect() as conn:
        found = study.study(conn, *period_span("2026-H2", ZONE))
        sheet = labels.sheet(labels.labels(conn, "garden"), "https://wk.example.cn")
        assert [label.number for label in labels.labels(conn, "garden", ["lift-1"])] == ["lift-1"]
        with pytest.raises(Exception, match="lift-9"):
            labels.labels(conn, "garden", ["lift-1", "lift-9"])
    report = study.report(found, load(), ZONE, "zh")
    for content in (sheet, to_pdf(report)):
        assert content.startswith(b"%PDF-")
        assert b"/FontFile" in content  # embedded: prints the same everywhere
    with pytest.raises(NoFont, match="fonts-noto-cjk"):
        to_pdf(report, tmp_path / "no.ttf")


def test_periods() -> None:
    assert period_span("2026-12", ZONE)[1] == datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert period_span("2026-H2", ZONE)[0] == datetime(2026, 6, 30, 16, tzinfo=UTC)
    for wrong in ("2026-13", "2026-H3", "26", "november"):
        with pytest.raises(ValueError, match=r".+"):
            period_span(wrong, ZONE)
