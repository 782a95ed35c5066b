"""Parts of the case page that stand for themselves: what comes next, who was told, what happened here before."""

from collections.abc import Sequence

from nicegui import ui

from watchkeep_console import models as m
from watchkeep_console.dossier import Past, Told
from watchkeep_console.outlook import Coming
from watchkeep_console.pages.frame import empty, panel, text
from watchkeep_console.pages.wording import said
from watchkeep_console.texts import Words


def coming(t: Words, case: m.CaseDetail, found: Sequence[Coming]) -> None:
    """The next step of the case's life by itself, and when."""
    with panel(t("dossier.next")), ui.element("div").classes("wk-body"):
        if not found:
            text("span", t("dossier.over") if case.closed_at else t("duty.next_none")).classes("wk-sub")
        for item in found:
            with ui.element("div").classes("wk-nextline"):
                text("time", t.local(item.at)).props(f'datetime="{item.at.isoformat()}"')
                text("span", said(t, item))
                text("span", "").classes("wk-clock").props(f'data-due="{item.at.isoformat()}"')


def told(t: Words, found: Sequence[Told]) -> None:
    """Every notification, with how far it got."""
    with panel(t("dossier.told")) as head:
        with head:
            text("span", str(len(found))).classes("wk-count")
        if not found:
            empty(t("dossier.told_none"))
            return
        with ui.element("div").classes("wk-body wk-scroll"), ui.element("table").classes("wk-tableline"):
            with ui.element("thead"), ui.element("tr"):
                for name in ("recipient", "channel", "sent", "receipt"):
                    text("th", t.maybe("dossier", name)).props('scope="col"')
            with ui.element("tbody"):
                for item in found:
                    receipt, at = item.receipt
                    with ui.element("tr"):
                        to = text("td", t.name(item.recipient, item.recipient_en) or "–")
                        to.props["title"] = item.title
                        text("td", t.maybe("channel", item.channel))
                        text("td", t.local(item.sent_at or item.created_at))
                        with ui.element("td"):
                            look = " off" if receipt == "failed" else " ok" if receipt in ("read", "acted") else ""
                            text("span", t.maybe("receipt", receipt)).classes("wk-chip" + look)
                            text("span", t.local(at) if at and receipt != "sent" else "").classes("wk-age")


def past(t: Words, case: m.CaseDetail, found: Sequence[Past]) -> None:
    """What happened to this equipment before, and what put it right."""
    if case.equipment_id is None:
        return
    with panel(t("dossier.past")), ui.element("div").classes("wk-body"):
        if not found:
            text("span", t("dossier.past_none")).classes("wk-sub")
            return
        with ui.element("ul").classes("wk-past"):
            for item in found:
                with ui.element("li"):
                    with ui.element("div").classes("wk-one"):
                        text("a", t.condition(item.condition)).props(f'href="/cases/{item.case_id}"')
                        if item.condition == case.condition:
                            text("span", t("dossier.same")).classes("wk-chip state")
                        text("span", t.maybe("state", item.state)).classes("wk-chip")
                        text("span", t.local(item.closed_at or item.filed_at)).classes("wk-age")
                    if item.fixed_by:
                        text("p", t("dossier.fixed_by", note=item.fixed_by))
