"""A building as a stack of storeys with its equipment in it: the figures that templates/house.vue draws."""

from typing import Any

from watchkeep_console.sites import Block, Standing
from watchkeep_console.texts import Words

STOREY, WIDTH, SHAFT = 5.0, 116.0, 13.0
"""Units of the drawing: height of a storey, width of a building, width of a lift's shaft."""
FEWEST = 6
"""A low house is drawn as if it had so many storeys, so that its marks do not overlap."""
EDGE = 6.0
"""How near a mark may come to the outline."""
SHAFTS = ("elevator",)
"""Kinds that go through the whole building; what else has no storey is drawn on the first."""
LISTED = 5
"""Pieces of equipment named below a building; the picture shows them all."""


def stack(t: Words, community: str, block: Block) -> dict[str, Any]:
    """One building as a row of a table: outline, floors, shafts, marks, and the names of what is not well."""
    storeys, lowest = (block.house.storeys, block.house.lowest) if block.house else (0, 0)
    shafts = [item for item in block.equipment if item.level is None and item.kind in SHAFTS]
    placed = [(item.level if item.level is not None else 1, item) for item in block.equipment if item not in shafts]
    levels = [level for level, _ in placed]
    top, lowest = max([storeys, *levels]), min([lowest, *levels])
    drawn = max(FEWEST, top - lowest)
    ground, height = top * STOREY, drawn * STOREY
    deep = max(ground, 24.0)
    bad = [item for item in block.equipment if item.worst_class]
    marks = []
    for n, item in enumerate(shafts):
        x = EDGE + n * (SHAFT + 3)
        if x + SHAFT <= WIDTH - 2:  # what has no room in the picture is named below it when it is not well
            marks.append(_mark(t, community, item, x + SHAFT / 2, deep / 2) | {"shaft": {"x": x, "height": deep - 5}})
    left = EDGE + min(len(shafts), 6) * (SHAFT + 3) + 8
    for level in sorted(set(levels)):
        y = (top - level + (0 if level < 0 else 1) - 0.5) * STOREY
        for n, item in enumerate(item for at, item in placed if at == level):
            if left + n * 13 <= WIDTH - EDGE:
                marks.append(_mark(t, community, item, left + n * 13, min(max(y, EDGE), height - EDGE)))
    return {
        "id": block.house.building_id if block.house else "",
        "name": block.house.name if block.house else t("duty.outside"),
        "width": WIDTH,
        "height": height,
        "ground": ground,
        "under": -lowest * STOREY,
        "floors": [n * STOREY for n in range(2, drawn, 2)],
        "marks": marks,
        "bad": [_mark(t, community, item, 0, 0) for item in bad[:LISTED]],
        "fine": "" if bad else t("equipment.ok"),
    }


def _mark(t: Words, community: str, item: Standing, x: float, y: float) -> dict[str, Any]:
    state = t.class_name(item.worst_class) if item.worst_class else t("equipment.ok")
    name = t.name(item.name, item.name_en)
    return {
        "id": item.equipment_id,
        "x": x,
        "y": y,
        "class": item.worst_class or "",
        "class_name": state,
        "name": name,
        "label": " · ".join(part for part in (name, t.level(item.level), state) if part),
        "href": f"/equipment/{community}/{item.equipment_id}",
        "shaft": None,
    }
