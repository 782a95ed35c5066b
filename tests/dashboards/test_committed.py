"""The committed JSON: what the functions give, and free of the traps of SURFACES §A."""

import json
import re
from itertools import combinations

import pytest

from tests.dashboards import boards
from watchkeep_dashboards.generate import generate
from watchkeep_dashboards.packaged import path_of, text_of

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
    assert ("预警" in text or "死信" in text) == (language == "zh")


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
    for variable in document.get("templating", {}).get("list", []):
        assert variable["datasource"] == DATASOURCE
        assert "allValue" not in variable  # Grafana does not quote it
    assert document["timezone"] == "Asia/Shanghai"
    assert document["refresh"] == "30s"


@every_board
def test_panels_do_not_overlap_and_need_no_scrolling(name, language):
    places = [panel["gridPos"] for panel in boards.board(name, language)["panels"]]
    for place in places:
        assert place["x"] + place["w"] <= 24
        assert place["y"] + place["h"] <= 28  # 28 rows of 38 px: a 1080p screen
    for a, b in combinations(places, 2):
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart_x or apart_y


@every_board
def test_sql_uses_known_macros_and_never_quotes_a_variable(name, language):
    document = boards.board(name, language)
    variables = {variable["name"] for variable in document.get("templating", {}).get("list", [])}
    for where, sql in boards.statements(document):
        assert set(re.findall(r"\$(\w+)\(", sql)) <= MACROS, where
        used = re.findall(r"\$\{(\w+)(:\w+)?\}", sql)
        assert {found for found, _ in used} <= variables, where
        assert {form for _, form in used} <= {":sqlstring"}, where
        assert not re.search(r"""['"]\s*\$|\$\{[^}]*\}\s*['"]""", sql), where
        assert not re.search(r"\$__\w+\([^)]*\(", sql), where  # no nested call: Grafana stops at the first bracket
        assert "{language}" not in sql, where
        assert "{skew" not in sql, where


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
                        assert re.match(r"[▲◆●■○✕✓] ", result["text"])
            if panel["type"] == "stat" and "thresholds" in properties:
                seen += 1
                assert re.match(r"[▲◆●■○✕✓] ", properties["displayName"])
    assert seen >= 6


@pytest.mark.parametrize("name", sorted({name for name, _ in boards.ALL}))
def test_both_languages_differ_in_words_only(name):
    zh, en = ([_shape(panel) for panel in boards.board(name, language)["panels"]] for language in ("zh", "en"))
    assert zh == en


def _shape(panel):
    return panel["id"], panel["type"], panel["gridPos"], boards.named_columns(panel)
