"""Warnings and cases as rows of a table: plain values for the browser, and the templates that draw them."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from watchkeep_console import models as m
from watchkeep_console.texts import Words

WARNING_ROW = (files("watchkeep_console") / "templates/warning_row.vue").read_text(encoding="utf-8")

CASE_ROW = (files("watchkeep_console") / "templates/case_row.vue").read_text(encoding="utf-8")


def warning_row(t: Words, item: m.Warning, may_judge: bool) -> dict[str, Any]:
    chips = []
    if item.life_safety:
        chips.append({"text": t("board.life_safety"), "kind": "life"})
    if item.occurrences > 1:
        chips.append({"text": t("board.times", n=item.occurrences), "kind": ""})
    if item.replay:
        chips.append({"text": t("board.replay"), "kind": "replay"})
    if item.case_id is not None:
        chips.append({"text": t("board.case", id=item.case_id), "kind": "state"})
    elif item.verdict:
        chips.append({"text": t.maybe("verdict", item.verdict), "kind": ""})
    else:
        chips.append({"text": t("board.judging"), "kind": ""})
    equipment = f"/equipment/{item.community_id}/{item.equipment_id}"
    return {
        "id": item.warning_id,
        "class": item.proposed_class,
        "class_name": t.class_name(item.proposed_class),
        "status": item.status,
        "name": t.condition(item.condition),
        "href": f"/cases/{item.case_id}" if item.case_id is not None else f"/warnings/{item.warning_id}",
        "chips": chips,
        "equipment": t.name(item.equipment, item.equipment_en),
        "equipment_href": equipment,
        "community": t.name(item.community, item.community_en),
        "sentence": item.sentence_en if t.language == "en" else item.sentence_zh,
        "since": item.detected_at.isoformat(),
        "since_text": t.full(item.detected_at),
        "can_judge": may_judge and item.case_id is None and item.verdict != "dismissed",
        "confirm": t("board.confirm"),
        "confirm_label": t("board.confirm_long"),
        "dismiss": t("board.dismiss"),
        "dismiss_label": t("board.dismiss_long"),
        "label": f"{item.proposed_class} {t.condition(item.condition)} {t.name(item.equipment, item.equipment_en)}",
    }


def case_row(t: Words, item: m.Case, actions: Sequence[str] = ()) -> dict[str, Any]:
    """`actions` are those that the person may take; merging and dismissing can be done from the row."""
    chips = []
    if item.source == "test":
        chips.append({"text": t("case.test"), "kind": "replay"})
    if item.life_safety:
        chips.append({"text": t("board.life_safety"), "kind": "life"})
    if item.replay:
        chips.append({"text": t("board.replay"), "kind": "replay"})
    places = (t.name(item.equipment, item.equipment_en), t.name(item.community, item.community_en))
    return {
        "id": item.case_id,
        "class": item.case_class,
        "class_name": t.class_name(item.case_class),
        "title": t.condition(item.condition),
        "href": f"/cases/{item.case_id}",
        "chips": chips,
        "where": " · ".join(part for part in places if part),
        "responsible": t.name(item.responsible, item.responsible_en) or t("board.unassigned"),
        "state": t.maybe("state", item.state),
        "clock": t.maybe("clock", item.clock) if item.clock else "",
        "due": item.due_at.isoformat() if item.due_at else "",
        "due_text": t.full(item.due_at),
        "since": item.filed_at.isoformat(),
        "can_merge": "merge" in actions,
        "can_dismiss": "dismiss" in actions,
        "merge": t("duty.merge"),
        "dismiss": t("board.dismiss"),
        "dismiss_label": t("board.dismiss_long"),
        "label": f"{item.case_class} {t.condition(item.condition)} #{item.case_id}",
    }
