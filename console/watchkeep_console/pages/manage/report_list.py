"""`/reports`: the reports of a month or half-year, to read, print or send."""

from nicegui import ui

from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE

MONTHS = 12


def register(tabs: Tabs) -> None:
    route(tabs, "/reports", "reports", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    """The files themselves come from the API, which checks who asks."""
    t = tab.t
    now = tab.house.clock.now().astimezone(ZONE)
    periods = periods_back(now.year, now.month)
    period = asked.one_of("period", periods) or periods[0]
    with frame(tab, "reports", t("reports.title")), ui.element("div").classes("wk-wizard"):
        kit.headline(t("reports.title"), sub=t("reports.intro"))
        with ui.element("section").classes("wk-panel"):
            field = kit.Filter("period", t("reports.period"), {one: one for one in periods})
            kit.filters(t, "/reports", [field], {"period": period})
        with panel(f"{t('reports.documents')} · {period}"), ui.element("ul").classes("wk-linklist"):
            language = t.language
            for name, path in (
                ("supervision", f"/api/v1/reports/supervision?period={period}&language={language}"),
                ("study", f"/api/v1/complaints/study?month={period}&language={language}"),
            ):
                with ui.element("li"):
                    with ui.element("div").classes("wk-grow"):
                        text("strong", t.maybe("reports", name))
                        text("div", t.maybe("reports", f"{name}_hint")).classes("wk-hint")
                    kit.tag("a", t("reports.open"), "wk-mini", href=f"{path}&format=html", target="_blank")
                    pdf = {"href": f"{path}&format=pdf", "download": f"{name}-{period}.pdf"}
                    kit.tag("a", "PDF", "wk-mini primary", **pdf)
        with panel(t("reports.tables")), ui.element("ul").classes("wk-linklist"):
            for name, href in (
                ("orders", "/orders?shown=all"), ("equipment", "/equipment"), ("indicators", "/supervise/indicators"),
            ):  # fmt: skip
                with ui.element("li"):
                    text("strong", t.maybe("reports", name)).classes("wk-grow")
                    kit.tag("a", t("reports.go"), "wk-mini", href=href)


def periods_back(year: int, month: int) -> list[str]:
    """The last months, this one first, with the half-years that are among them. Pure."""
    found: list[str] = []
    for back in range(MONTHS):
        y, m = divmod(year * 12 + month - 1 - back, 12)
        if m in (5, 11) and back:
            found.append(f"{y}-H{1 if m == 5 else 2}")
        found.append(f"{y}-{m + 1:02d}")
    return found
