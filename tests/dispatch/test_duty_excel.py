"""A list as Excel and back: nothing lost, every wrong cell named, nothing half imported; a past month under a draft."""

import json
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.dispatch.conftest import NOW, World
from tests.dispatch.test_service import command
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import duties, duty_excel, duty_replay
from watchkeep_dispatch.duty_columns import COLUMNS
from watchkeep_dispatch.duty_excel import SHEET, CellError
from watchkeep_dispatch.duty_file import default_list
from watchkeep_dispatch.errors import DutyListError
from watchkeep_dispatch.routing import Duty

ROWS = default_list()[1]
AT = {column.field: number for number, column in enumerate(COLUMNS, 1)}


def workbook(rows: tuple[Duty, ...] = ROWS[:3], **cells: object) -> bytes:
    """A workbook of these rows; `cells` such as `responsible_3="nobody"` are written over them."""
    book = load_workbook(BytesIO(duty_excel.write(rows, load())))
    for name, value in cells.items():
        field, _, row = name.rpartition("_")
        book[SHEET].cell(int(row), AT[field]).value = value
    with BytesIO() as stream:
        book.save(stream)
        return stream.getvalue()


def test_the_default_list_survives_excel() -> None:
    found = duty_excel.read(duty_excel.write(ROWS, load()), load())
    assert found.errors == ()
    assert found.rows == ROWS


def test_the_template_has_lists_notes_and_no_rows() -> None:
    book = load_workbook(BytesIO(duty_excel.write((), load())))
    sheet = book[SHEET]
    assert sheet.max_row == 1
    assert len(sheet.data_validations.dataValidation) == sum(c.kind in ("choice", "yes_no") for c in COLUMNS)
    assert all(cell.comment for cell in sheet[1])
    found = duty_excel.read(duty_excel.write((), load()), load())
    assert found.errors == (CellError("A2", "title", "the list has no rows"),)


@pytest.mark.parametrize(
    ("cells", "cell", "problem"),
    [
        ({"responsible_3": "nobody"}, "M3", "'nobody' is not in the vocabulary"),
        ({"responsible_3": None}, "M3", "must be set"),
        ({"title_2": None}, "A2", "must be set"),
        ({"respond_4": "soon"}, "P4", "deadline 'soon'"),
        ({"finish_4": 24}, "R4", "deadline '24'"),
        ({"urban_2": "perhaps"}, "J2", "expected 是 or 否"),
        ({"copied_2": "rescue_96333，nobody"}, "O2", "'nobody' is not"),
        ({"evidence_2": "hearsay"}, "V2", "'hearsay' is not"),
        ({"clear_for_2": "3 weeks"}, "U2", "expected a number"),
        ({"basis_2": "=1+1"}, "W2", "is a formula"),
        ({"condition_2": "headache"}, "E2", "'headache'"),
        ({"area_id_2": "moon"}, "I2", "no area of the register"),
        ({"condition_4": "entrapment"}, "A4", "matches the same as row 2"),
    ],
)
def test_wrong_cells_are_named(cells: dict[str, object], cell: str, problem: str) -> None:
    rows = (ROWS[0], *(replace(row, urban=None) for row in ROWS[2:5] if row.condition != ROWS[0].condition))
    rows = (rows[0], rows[1], replace(rows[1], condition="door_close_fail"))
    found = duty_excel.read(workbook(rows, **cells), load(), ["city"])
    assert found.rows == ()
    assert [(error.cell, problem in error.problem) for error in found.errors] == [(cell, True)]


def test_people_may_write_names_and_leave_rows_empty() -> None:
    cells: dict[str, object] = {"responsible_2": "电梯维保单位", "supervising_2": "subdistrict 镇街", "urban_2": "否"}
    found = duty_excel.read(workbook(ROWS[:3], **cells, **{f"{column.field}_3": None for column in COLUMNS}), load())
    assert [row.row_no for row in found.rows] == [1, 2]
    assert (found.rows[0].responsible, found.rows[0].supervising, found.rows[0].urban) == (
        "lift_maintainer",
        "subdistrict",
        False,
    )


def test_every_wrong_cell_is_reported_at_once() -> None:
    found = duty_excel.read(workbook(ROWS[:2], mark_2=None, responsible_3="x", domain_3="y"), load())
    assert {error.cell for error in found.errors} == {"X2", "M3", "C3"}


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"title,condition\n", b"x" * (duty_excel.MAX_BYTES + 1)])
def test_what_is_no_workbook_is_one_clear_line(content: bytes) -> None:
    with pytest.raises(DutyListError, match="workbook: "):
        duty_excel.read(content, load())


def test_missing_and_unknown_columns_are_named() -> None:
    book = load_workbook(BytesIO(workbook()))
    book[SHEET].cell(1, 1).value = "heading"
    with BytesIO() as stream:
        book.save(stream)
        with pytest.raises(DutyListError, match=r"missing title; unknown heading"):
            duty_excel.read(stream.getvalue(), load())


def test_export_import_publish_on_the_command_line(world: World, tmp_path: Path) -> None:
    file = tmp_path / "list.xlsx"
    assert command(world, "duties", "export", str(file))["rows"] == len(ROWS)
    about = ("duties", "import", str(file), "--name", "ours", "--person", "sun")
    tried = command(world, *about, "--dry-run")
    assert (tried["written"], tried["rows"]) == (False, len(ROWS))
    assert tried["difference"] == {"added": [], "removed": [], "changed": []}
    assert world.value("SELECT count(*) FROM duty_lists") == 1
    list_id = str(command(world, *about)["list_id"])
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO memberships (person_id, role, scope_kind, scope_id, valid) SELECT person_id, 'supervisor',"
            " 'organisation', 'market', tstzrange('2020-01-01', NULL) FROM people WHERE login IN ('sun', 'qian')"
        )
    for who, problem in (("zhou", "none of the roles"), ("sun", "second person"), ("nobody", "no person")):
        assert problem in command(world, "duties", "publish", list_id, "--person", who, fails=True)
    command(world, "duties", "publish", list_id, "--person", "qian", "--from", "2099-01-01", prints=False)
    dates = world.rows(
        "SELECT name = 'ours', (lower(valid) AT TIME ZONE 'Asia/Shanghai')::date::text,"
        " (upper(valid) AT TIME ZONE 'Asia/Shanghai')::date::text FROM duty_lists ORDER BY 1"
    )
    assert dates == [(False, "2026-01-01", "2099-01-01"), (True, "2099-01-01", None)]
    again = "is there already"
    assert again in command(world, *about, fails=True)


def test_nothing_is_half_imported(world: World, tmp_path: Path) -> None:
    file = tmp_path / "list.xlsx"
    file.write_bytes(workbook(ROWS[:5], responsible_6="nobody"))
    arguments = ("duties", "import", str(file), "--name", "ours", "--person", "sun")
    found = json.loads(command(world, *arguments, fails=True))
    assert (found["written"], [error["cell"] for error in found["errors"]]) == (False, ["M6"])
    assert world.value("SELECT count(*) FROM duty_lists") == 1
    assert world.value("SELECT count(*) FROM audit_entries WHERE action = 'duties.draft'") == 0


def test_a_draft_can_be_put_aside(world: World) -> None:
    with world.connect() as conn:
        draft = duties.save_draft(conn, "ours", ROWS[:3], created_by=None)
    command(world, "duties", "withdraw", str(draft), "--person", "sun", prints=False)
    assert "is no draft" in command(world, "duties", "withdraw", str(draft), "--person", "sun", fails=True)


def test_a_list_for_later_ends_when_the_next_begins(world: World) -> None:
    with world.connect() as conn:
        late = duties.save_draft(conn, "late", ROWS[:3], created_by=None)
        soon = duties.save_draft(conn, "soon", ROWS[:3], created_by=None)
        duties.publish(conn, late, NOW, person_id=None, since=NOW + timedelta(days=20))
        duties.publish(conn, soon, NOW, person_id=None, since=NOW + timedelta(days=10))
        with pytest.raises(DutyListError, match="in the past"):
            duties.publish(conn, duties.save_draft(conn, "x", ROWS[:1], created_by=None), NOW, person_id=None,
                           since=NOW - timedelta(1))  # fmt: skip
        names = [
            in_force.name for days in (9, 10, 19, 20) if (in_force := duties.in_force(conn, NOW + timedelta(days)))
        ]
    assert names[1:] == ["soon", "soon", "late"]
    assert names[0] not in ("soon", "late")


def test_a_past_month_under_a_draft(world: World) -> None:
    world.filed("lift-1", "door_close_fail", NOW)
    world.filed("lift-1", "entrapment", NOW)
    world.filed("pump", "supply_pressure_deviation", NOW)
    world.warn("m-1", "machine_temperature_high", community="old")  # recorded data is no load
    world.file()
    other = tuple(
        replace(row, responsible="property_company", case_class="C")
        if row.condition == "door_close_fail"
        else replace(row, respond=None)
        if row.condition == "entrapment"
        else row
        for row in ROWS
    )
    with world.connect() as conn:
        found = duty_replay.replay(conn, ROWS, other, NOW - timedelta(days=30), NOW + timedelta(seconds=1), load())
    assert (found.cases, found.changed) == (3, 2)
    assert (found.changed_party, found.changed_class, found.changed_deadline) == (1, 1, 1)
    loads = {load.org_id: (load.before, load.after, load.urgent_before, load.urgent_after) for load in found.load}
    assert loads == {"lift-co": (2, 1, 1, 1), "property-co": (1, 2, 0, 0)}
    door, trapped = found.changes
    assert (door.differs, door.before.org_id, door.after.org_id) == (("party", "class"), "lift-co", "property-co")
    assert (trapped.differs, trapped.after.deadlines.startswith("– / ")) == (("deadline",), True)


def test_replay_and_tables_on_the_command_line(world: World) -> None:
    case = world.filed("lift-1", "door_close_fail", NOW)
    with world.connect() as conn:
        draft = duties.save_draft(conn, "ours", ROWS[:3], created_by=None)
    about = ("duties", "replay", str(draft), "--from", "2026-11-01", "--until", "2026-12-01")
    found = command(world, *about)
    assert [change["case_id"] for change in found["changes"]] == [case]
    assert "lift-co" in command(world, *about, "--format", "table", text=True)
    assert "ours" in command(world, "duties", "list", "--format", "table", text=True)
    assert "no owner" in command(world, "duties", "coverage", "--list-id", str(draft), "--format", "table", fails=True)
    explained = ("explain", "--community", "garden", "--equipment", "lift-1", "--condition", "entrapment")
    assert "more specific" in command(world, *explained, "--format", "table", text=True)
