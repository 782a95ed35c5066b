"""One board in one language: its SQL, its words, and the classic JSON that Grafana 10 to 13 reads."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from watchkeep_core.database import queries
from watchkeep_dashboards.generate.lists import vocabulary_lists
from watchkeep_dashboards.generate.panels import DATASOURCE, Panel
from watchkeep_dashboards.packaged import CONSOLE, Language, constant, uid_of

CONSOLE_URL = "${console:raw}"
"""Constant of every board; `apply` and `export` put the console's address in."""


@dataclass(frozen=True, slots=True)
class Wall:
    """One board in one language."""

    name: str
    language: Language

    def say(self, zh: str, en: str) -> str:
        return zh if self.language == "zh" else en

    def sql(self, name: str, **words: str) -> str:
        """A statement of this board's SQL file, else of shared.sql, in its language, without comment lines.

        `words` and the lists of `vocabulary_lists` take the places that stand in braces.
        """
        own = queries("watchkeep_dashboards", f"sql/{self.name.replace('-', '_')}.sql")
        text = (own if name in own else queries("watchkeep_dashboards", "sql/shared.sql"))[name].as_string(None)
        for place, value in (vocabulary_lists(self.language) | words).items():
            text = text.replace(f"{{{place}}}", value)
        return "\n".join(line for line in text.splitlines() if not line.startswith("--"))

    def board(self, name: str) -> str:
        """Address of another board in this language, for links."""
        return f"/d/{uid_of(name, self.language)}"

    def equipment(self) -> str:
        """Address of the board of the equipment in the row."""
        return (
            f"{self.board('equipment')}?var-community=${{__data.fields.community_id}}"
            "&var-equipment=${__data.fields.equipment_id}"
        )


def assemble(
    wall: Wall,
    title: str,
    panels: Sequence[Panel],
    *,
    variables: Sequence[builders.QueryVariable] = (),
    annotations: str = "",
    span: str = "now-24h",
) -> str:
    """Classic JSON with sorted keys. `annotations` names the statement that gives them; `span` is what is shown."""
    board = (
        builders.Dashboard(title)
        .uid(uid_of(wall.name, wall.language))
        .tags(["watchkeep", wall.language])
        .timezone("Asia/Shanghai")
        .refresh("30s")
        .time(span, "now")
    )
    for link_name, zh, en in (
        ("city-overview", "全市总览", "City overview"),
        ("orders", "预警与工单", "Warnings, orders"),
    ):
        if link_name != wall.name:
            board.link(_link(wall.say(zh, en), wall.board(link_name), "dashboard"))
    board.link(_link(wall.say("工作台", "Console"), CONSOLE_URL, "external link"))
    for variable in variables:
        board.with_variable(variable)
    for panel in panels:
        board.with_panel(panel)
    built = board.build()
    for number, built_panel in enumerate(built.panels or [], start=1):  # the SDK gives none; links and alerts need them
        built_panel.id_val = number
    document = json.loads(JSONEncoder(sort_keys=True).encode(built))
    document.setdefault("templating", {}).setdefault("list", []).append(constant(CONSOLE, "http://127.0.0.1:8080"))
    if annotations:
        document["annotations"] = {"list": [_annotation(wall, annotations)]}
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def assemble_equipment(wall: Wall, title: str, panels: Sequence[Panel]) -> str:
    """A board of one community's equipment of one domain: half a day, its warnings on the charts."""
    community = [choose_community(wall)]
    return assemble(wall, title, panels, variables=community, annotations="warnings_on_charts", span="now-12h")


def _link(title: str, url: str, icon: str) -> builders.DashboardLink:
    return builders.DashboardLink(title).url(url).type(dashboard.DashboardLinkType.LINK).icon(icon)


def _annotation(wall: Wall, statement: str) -> dict[str, object]:
    """Warnings as marks on charts, read from the wall schema: nothing is written to Grafana."""
    source = {"type": DATASOURCE.type_val, "uid": DATASOURCE.uid}
    return {
        "name": wall.say("预警", "Warnings"),
        "datasource": source,
        "enable": True,
        "hide": False,
        "iconColor": "orange",
        "target": {
            "datasource": source,
            "editorMode": "code",
            "format": "table",
            "rawQuery": True,
            "rawSql": wall.sql(statement),
            "refId": "Anno",
        },
    }


def choose(wall: Wall, name: str, zh: str, en: str, *, several: bool = False) -> builders.QueryVariable:
    """A variable asked by the statement of its name. `several`: all at first."""
    variable = (
        builders.QueryVariable(name)
        .label(wall.say(zh, en))
        .datasource(DATASOURCE)
        .query(wall.sql(f"choose_{name}"))
        .refresh(dashboard.VariableRefresh.ON_DASHBOARD_LOAD)
        .multi(several)
        .include_all(several)
    )
    if several:
        variable.current(dashboard.VariableOption(selected=True, text=["All"], value=["$__all"]))
    return variable


def choose_community(wall: Wall, *, several: bool = False) -> builders.QueryVariable:
    """The variable that `apply` fixes in the boards of one community."""
    return choose(wall, "community", "小区", "Community", several=several)
