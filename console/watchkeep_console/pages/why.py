"""Beside a warning's chart: what was expected, what its peers do, what helped before; and whether it was right."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui
from psycopg import Connection

from watchkeep_console import explained, feedback
from watchkeep_console import models as m
from watchkeep_console.identity import Session
from watchkeep_console.pages.dialogs import ask
from watchkeep_console.pages.frame import text
from watchkeep_console.pages.tabs import Tab
from watchkeep_console.texts import Words

Again = Callable[[], Awaitable[None]]
"""Reads and draws the page anew."""


@dataclass(frozen=True, slots=True)
class Why:
    """Explanation (None while analytics has not written it) and what people said."""

    explanation: explained.Explanation | None
    opinion: feedback.Opinion


def read(conn: Connection, warning_id: int) -> Why:
    """Raises NotFound."""
    return Why(explained.explanation(conn, warning_id), feedback.opinion(conn, warning_id))


def summary(t: Words, warning: m.WarningDetail, found: explained.Explanation | None) -> str:
    """Its sentence, with what peers and the past add to it."""
    told = (found.summary_en if t.language == "en" else found.summary_zh) if found else ""
    return told or (warning.sentence_en if t.language == "en" else warning.sentence_zh)


def facts(t: Words, found: explained.Explanation | None) -> None:
    """Figures that the chart does not show, and cases that were alike."""
    if found is None:
        return
    with ui.element("ul").classes("wk-why"):
        for line in _figures(t, found):
            text("li", line)
    if found.similar:
        text("h3", t("why.similar")).classes("wk-caption")
        with ui.element("ul").classes("wk-past"):
            for one in found.similar:
                with ui.element("li"), ui.element("div").classes("wk-one"):
                    text("a", f"#{one.case_id}").props(f'href="/cases/{one.case_id}"')
                    text("span", t("why.same_equipment" if one.same_equipment else "why.same_model")).classes("wk-chip")
                    text("span", t.local(one.closed_at)).classes("wk-age")
                    text("span", one.fixed or t("why.no_note"))


def _figures(t: Words, found: explained.Explanation) -> list[str]:
    """Pure."""
    lines: list[str] = []
    metric, peers = found.metric or "", found.peers
    if peers is not None:
        values = {"median": peers.median, "low": peers.low, "high": peers.high}
        told = t("why.peers", count=peers.count, **{name: t.value(metric, value) for name, value in values.items()})
        lines.append(f"{told} · {t('why.alone' if peers.alone else 'why.alike')}")
    lines.append(t("why.earlier", n=found.earlier_90_days))
    if found.bar > 1:
        lines.append(t("why.bar", factor=f"{found.bar:.3g}"))
    return lines


def opinion(tab: Tab, warning: m.WarningDetail, found: feedback.Opinion, again: Again) -> None:
    """Three words with a reason, what they changed, and the way back; or why there is nothing to say."""
    t = tab.t
    may = tab.session.person.may("warning:judge", warning.community_id)
    with ui.element("div").classes("wk-opinion").mark(f"opinion-{warning.warning_id}"):
        if found.fixed is not None:
            text("p", t.maybe("fixed", found.fixed)).classes("wk-note plain")
        elif may and found.in_force(warning.warning_id) is None:
            text("h3", t("why.ask")).classes("wk-caption")
            with ui.element("div").classes("wk-acts"):
                for said in feedback.SAID:
                    button = ui.button(t.maybe("said", said), color=None)
                    button.classes("wk-plain").props("unelevated no-caps")
                    button.on_click(lambda _, said=said: _say(tab, warning.warning_id, said, again))
            text("p", t("why.ask_hint")).classes("wk-hint")
        for one in found.items:
            _entry(tab, warning, one, again, may=may)


def _entry(tab: Tab, warning: m.WarningDetail, one: feedback.Feedback, again: Again, *, may: bool) -> None:
    t = tab.t
    with ui.element("div").classes("wk-orderline"):
        with ui.element("div").classes("wk-one"):
            text("strong", t.maybe("said", one.said))
            effect = t(f"effect.{one.effect}", factor=f"{one.factor or 1:.3g}")
            text("span", effect).classes("wk-chip" + (" off" if one.effect == "revoked" else ""))
            who = one.said_by or t("why.system" if one.said == "budget" else "why.somebody")
            text("span", f"{who} · {t.local(one.said_at)}").classes("wk-age")
            if one.warning_id is not None and one.warning_id != warning.warning_id:
                text("a", t("why.others")).props(f'href="/warnings/{one.warning_id}"')
            elif may and one.revoked_at is None and one.said != "budget":
                button = ui.button(t("why.revoke"), color=None).classes("wk-plain").props("unelevated no-caps dense")
                button.on_click(lambda: _revoke(tab, warning.warning_id, one.feedback_id, again))
        text("p", one.reason).classes("wk-sub")
        if one.revoked_at is not None:
            values = {"who": one.revoked_by, "at": t.local(one.revoked_at), "why": one.revoked_why}
            text("p", t("why.revoked_by", **values)).classes("wk-sub")


async def _say(tab: Tab, warning_id: int, said: feedback.Said, again: Again) -> None:
    def send(who: Session, reason: str) -> object:
        return feedback.say(tab.house, who, warning_id, said, reason)

    await _with_reason(tab, tab.t.maybe("said", said), send, tab.t("why.noted"), again)


async def _revoke(tab: Tab, warning_id: int, feedback_id: int, again: Again) -> None:
    def send(who: Session, reason: str) -> object:
        return feedback.revoke(tab.house, who, warning_id, feedback_id, reason)

    await _with_reason(tab, tab.t("why.revoke_title"), send, tab.t("why.revoked"), again)


async def _with_reason(tab: Tab, title: str, send: Callable[[Session, str], object], done: str, again: Again) -> None:
    answer = await ask(tab, title, [("reason", tab.t("why.reason"), True)])
    if answer is None:
        return
    if await tab.act(lambda who: send(who, answer["reason"])) is not None:
        tab.say(done)
    await again()
