"""The committed JSON: what the functions give, and free of the traps of SURFACES §A."""

import json
import re
from itertools import combinations

import pytest

from tests.dashboards import boards
from watchkeep_dashboards.generate import generate
from watchkeep_dashboards.generate.board import Wall
from watchkeep_dashboards.generate.equipment import case_states
from watchkeep_dashboards.generate.lists import MIN_ORDERS
from watchkeep_dashboards.generate.panels import SIGNS
from watchkeep_dashboards.packaged import OF_ONE_COMMUNITY, path_of, text_of
from watchkeep_dispatch import indicators, lifecycle

MACROS = {"__timeFilter", "__timeFrom", "__timeTo", "__timeGroup", "__timeGroupAlias", "__time"}
DATASOURCE = {"type": "grafana-postgresql-datasource", "uid": "watchkeep"}
every_board = pytest.mark.parametrize(("name", "language"), boards.ALL)


def test_committed_is_what_the_functions_give():
    committed = {path_of(name, language): text_of(name, language) for name, language in boards.ALL}
    generated = generate()
    assert generated.keys() == committed.keys()
    stale = [path for path in generated if generated[path] != committed[path]]
    assert not stale, "run `watchkeep dashboards generate`"


@every_board
def test_json_is_stable_and_readable(name, language):
    text = text_of(name, language)
    assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    assert bool(re.search("[一-鿿]{2}", json.loads(text)["title"])) == (language == "zh")


def test_uids_and_titles_are_unique():
    documents = [boards.board(*key) for key in boards.ALL]
    for field in ("uid", "title"):
        assert len({document[field] for document in documents}) == len(documents)
    assert all(len(document["uid"]) <= 40 for document in documents)  # Grafana's limit


@every_board
def test_panels_have_ids_and_one_data_source(name, language):
    document = boards.board(name, language)
    panels = document["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    for item in (*panels, *(target for panel in panels for target in panel["targets"])):
        assert item["datasource"] == DATASOURCE
    for variable in boards.asked(document):
        assert variable["datasource"] == DATASOURCE
        assert "allValue" not in variable  # Grafana does not quote it
    assert document["timezone"] == "Asia/Shanghai"
    assert document["refresh"] == "30s"


@every_board
def test_panels_do_not_overlap_and_need_no_scrolling(name, language):
    places = [panel["gridPos"] for panel in boards.board(name, language)["panels"]]
    for place in places:
        assert place["x"] + place["w"] <= 24
        assert place["y"] + place["h"] <= 24  # 24 rows of 38 px and Grafana's own frame: a 1080p screen
    for a, b in combinations(places, 2):
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart_x or apart_y


@every_board
def test_sql_uses_known_macros_and_never_quotes_a_variable(name, language):
    document = boards.board(name, language)
    variables = {variable["name"] for variable in document["templating"]["list"]}
    for where, sql in boards.statements(document):
        assert set(re.findall(r"\$(\w+)\(", sql)) <= MACROS, where
        used = re.findall(r"\$\{(\w+)(:\w+)?\}", sql)
        assert {found for found, _ in used} <= variables, where
        assert {form for _, form in used} <= {":sqlstring"}, where
        assert not re.search(r"""['"]\s*\$|\$\{[^}]*\}\s*['"]""", sql), where
        assert not re.search(r"\$__\w+\([^)]*\(", sql), where  # no nested call: Grafana stops at the first bracket
        assert not re.search(r"(?<!\$)\{\w+\}", sql), where  # every place in braces was filled


@every_board
def test_colour_is_never_the_only_cue(name, language):
    """A value with a colour of its own has a text that begins with a sign; so has a figure that turns red."""
    seen = 0
    for panel in boards.board(name, language)["panels"]:
        for override in panel["fieldConfig"]["overrides"]:
            properties = {item["id"]: item["value"] for item in override["properties"]}
            for mapping in properties.get("mappings", []):
                for result in mapping["options"].values():
                    if "color" in result:
                        seen += 1
                        assert re.match(r"[▲◆●■○✕✓]+ ", result["text"])
            fixed = properties.get("color", {}).get("fixedColor", "blue")  # blue says nothing
            if "thresholds" in properties or (panel["type"] == "stat" and fixed != "blue"):
                seen += 1
                assert re.match(r"[▲◆●■○✕✓] ", properties["displayName"])
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        if panel["type"] == "bargauge" and len(steps) > 1:
            seen += 1
            assert all(f"'{SIGNS[step['color']]} '" in panel["targets"][0]["rawSql"] for step in steps)
        for mapping in panel["fieldConfig"]["defaults"].get("mappings", []):
            for result in mapping["options"].values():
                seen += 1
                assert re.match(r"[▲◆●■○✕✓] ", result["text"])
    assert seen >= 2


@pytest.mark.parametrize("name", sorted({name for name, _ in boards.ALL}))
def test_both_languages_differ_in_words_only(name):
    zh, en = ([_shape(panel) for panel in boards.board(name, language)["panels"]] for language in ("zh", "en"))
    assert zh == en


def _shape(panel):
    columns = boards.named_columns(panel) if panel["type"] != "timeseries" else len(boards.named_columns(panel))
    return panel["id"], panel["type"], panel["gridPos"], columns


@every_board
def test_boards_fit_a_wall_of_twelve_panels(name, language):
    assert 5 <= len(boards.board(name, language)["panels"]) <= 12


@pytest.mark.parametrize("name", OF_ONE_COMMUNITY)
def test_boards_of_one_community_ask_for_it_everywhere(name):
    """Else a community's own wall would show all of them."""
    for where, sql in boards.statements(boards.board(name, "zh")):
        assert "${community:sqlstring}" in sql or where == "variable community", where


@every_board
def test_links_find_their_columns_and_boards(name, language):
    """A link speaks of columns that its query gives, of the console's constant, and of boards that exist."""
    document = boards.board(name, language)
    uids = {boards.board(*key)["uid"] for key in boards.ALL}
    for panel in document["panels"]:
        for override in panel["fieldConfig"]["overrides"]:
            for link in (link for item in override["properties"] if item["id"] == "links" for link in item["value"]):
                used = set(re.findall(r"\$\{__data\.fields\.(\w+)\}", link["url"]))
                assert used <= boards.named_columns(panel), link
                board = link["url"].split("?")[0].removeprefix("/d/")
                assert link["url"].startswith("${console:raw}/") or board in uids
    assert {link["url"] for link in document["links"]} >= {"${console:raw}"}
    assert [item["name"] for item in document["templating"]["list"]].count("console") == 1


def test_every_board_with_charts_of_equipment_shows_warnings_on_them():
    with_charts = {"elevators", "fire", "water", "equipment"}
    for name, language in boards.ALL:
        found = boards.board(name, language).get("annotations", {}).get("list", [])
        assert [item["target"]["refId"] for item in found] == ["Anno"] * (name in with_charts)


def test_words_of_dispatch_are_the_same():
    assert MIN_ORDERS == indicators.MIN_ORDERS
    assert case_states(Wall("equipment", "zh")).keys() == lifecycle.STATES.keys() - {"filed"}
