"""The register from Excel and back: every wrong cell is named, and either all rows are taken in or none."""

from io import BytesIO
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from tests.console import world as w
from tests.console.staff import session_of, staff
from watchkeep_console import imports, register_excel
from watchkeep_console.errors import Invalid
from watchkeep_console.services import Services
from watchkeep_core.database import as_person
from watchkeep_core.vocabulary import load

__all__ = ["staff"]
HEADING = [column.field for column in register_excel.COLUMNS]
pytestmark = pytest.mark.usefixtures("staff")


def book(*rows: dict[str, Any], heading: list[str] = HEADING) -> bytes:
    made = Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.append(heading)
    for row in rows:
        sheet.append([row.get(name) for name in heading])
    with BytesIO() as stream:
        made.save(stream)
        return stream.getvalue()


def lift(number: int, **more: Any) -> dict[str, Any]:
    return {
        "community_id": "sunshine", "equipment_id": f"new-{number}", "kind": "电梯", "name": f"{number} 号新梯",
        "building_id": "b1", "level": 1, "metrics": "关门到位, machine_room_temperature", "gateway_id": "gw-1",
    } | more  # fmt: skip


def test_a_dry_run_writes_nothing_and_the_import_everything(house: Services, world: w.World) -> None:
    who = session_of(house, "manager")
    seen: list[tuple[str, int, int]] = []
    content = book(*(lift(n) for n in range(300)))
    dry = imports.import_register(house, who, content, dry_run=True)
    assert (dry.new, dry.wrong, dry.written) == (300, 0, False)
    assert world.rows("SELECT count(*) FROM equipment WHERE equipment_id LIKE 'new-%'") == [(0,)]
    done = imports.import_register(house, who, content, dry_run=False, progress=lambda *at: seen.append(at))
    assert done.written
    assert world.rows(
        "SELECT count(DISTINCT (e.equipment_id, e.kind)), count(*) FROM equipment e JOIN points p"
        " USING (community_id, equipment_id)"
        " WHERE equipment_id LIKE 'new-%' AND e.kind = 'elevator' AND gateway_id = 'gw-1'"
    ) == [(300, 600)]
    assert world.rows(
        "SELECT count(*) > 0 FROM point_limits l JOIN points p USING (series_id) WHERE equipment_id = 'new-7'"
    ) == [(True,)]
    assert seen == [("check", 250, 300), ("check", 300, 300), ("write", 250, 300), ("write", 300, 300)]
    again = imports.import_register(house, who, content, dry_run=False)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 300)
    entry = ("register.import", "register")
    assert entry in world.rows("SELECT action, object_kind FROM audit_entries")


def test_every_wrong_cell_is_named_and_nothing_is_written(house: Services, world: w.World) -> None:
    rows = [
        lift(1),
        lift(2, kind="飞机"),
        lift(3, level="地下"),
        lift(4, building_id="b9", installed_on="昨天"),
        lift(5, community_id="riverside"),
        lift(1),
        lift(7, metrics="关门到位, 海拔"),
        {"community_id": "sunshine", "equipment_id": "new 8"},
    ]
    found = imports.import_register(house, session_of(house, "manager"), book(*rows), dry_run=False)
    named = {(one.cell, one.column, one.problem.code) for one in found.errors}
    assert named == {
        ("C3", "kind", "word"),
        ("G4", "level", "level"),
        ("F5", "building_id", "building"),
        ("L5", "installed_on", "date"),
        ("A6", "community_id", "community"),
        ("B7", "equipment_id", "twice"),
        ("N8", "metrics", "word"),
        ("B9", "equipment_id", "id"),
        ("C9", "kind", "missing"),
        ("D9", "name", "missing"),
    }
    assert not found.written
    assert world.rows("SELECT count(*) FROM equipment WHERE equipment_id LIKE 'new-%'") == [(0,)]


def test_an_empty_cell_leaves_what_is_there(house: Services, world: w.World) -> None:
    row = {"community_id": "sunshine", "equipment_id": "lift-1", "maker": "新品牌", "model": None}
    try:
        found = imports.import_register(house, session_of(house, "manager"), book(row), dry_run=False)
        assert (found.changed, found.new) == (1, 0)
        kept = "SELECT name, model, maker FROM equipment WHERE (community_id, equipment_id) = ('sunshine', 'lift-1')"
        assert world.rows(kept) == [("1 号楼客梯", "MRL-1000", "新品牌")]
    finally:
        with world.admin() as conn:
            conn.execute("UPDATE equipment SET maker = '示例电梯' WHERE equipment_id = 'lift-1'")


@pytest.mark.parametrize("who", ["duty", "tech", "auditor"])
def test_others_may_not_import(house: Services, who: str) -> None:
    found = imports.import_register(house, session_of(house, who), book(lift(1)), dry_run=False)
    assert {one.problem.code for one in found.errors} == {"community"}


@pytest.mark.parametrize(
    "content",
    [b"", b"no workbook", book(heading=["a", "b"]), b"PK\x03\x04" + bytes(100)],
    ids=["empty", "text", "other headings", "broken zip"],
)
def test_what_is_no_register_is_one_clear_line(house: Services, content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        imports.import_register(house, session_of(house, "manager"), content, dry_run=True)
    assert refused.value.field == "file"


def test_what_is_exported_can_be_imported_again(house: Services, world: w.World) -> None:
    everything = dict.fromkeys(("community", "building", "kind", "status", "text"))
    with as_person(house.pool, world.people["manager"]) as conn:
        content = imports.export_register(conn, everything)
    sheet = load_workbook(BytesIO(content))[register_excel.SHEET]
    assert sheet.max_row == 6  # five pieces of equipment of sunshine, none of riverside
    found = imports.import_register(house, session_of(house, "manager"), content, dry_run=True)
    assert (found.rows, found.unchanged, found.wrong) == (5, 5, 0)


def test_the_template_has_the_vocabulary_and_texts_stay_texts() -> None:
    made = load_workbook(BytesIO(imports.template()))
    assert made[register_excel.SHEET]["A1"].value == "小区编号 *\nCommunity"
    assert "电梯" in [row[0].value for row in made[register_excel.WORDS].iter_rows()]
    written = register_excel.write([{"name": "=1+1"}], load())
    cell = load_workbook(BytesIO(written))[register_excel.SHEET]["D2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")
