"""Every SQL of every dashboard, as Grafana sends it, on PostgreSQL under Grafana's own login."""

from decimal import Decimal

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.dashboards import boards
from tests.dashboards.conftest import ago
from tests.dashboards.macros import expand

EVERYWHERE = {"community": ["c1", "c2"]}


def ask(database, sql, variables=EVERYWHERE):
    """Column names and rows (dicts) of one statement for the last 24 hours."""
    with psycopg.connect(database.url("grafana_ro"), row_factory=dict_row) as conn:
        cursor = conn.execute(expand(sql, ago(days=1), ago(minutes=-1), variables).encode())
        return [column.name for column in cursor.description or ()], cursor.fetchall()


def answer(database, name, number, language="en", variables=EVERYWHERE):
    """Rows of the panel with this id."""
    (panel,) = [panel for panel in boards.board(name, language)["panels"] if panel["id"] == number]
    return ask(database, panel["targets"][0]["rawSql"], variables)[1]


@pytest.mark.parametrize(("name", "language"), boards.ALL)
def test_every_panel_gets_what_it_needs(city, name, language):
    for panel in boards.board(name, language)["panels"]:
        (target,) = panel["targets"]
        columns, rows = ask(city, target["rawSql"])
        assert rows, panel["title"]
        if panel["type"] == "timeseries":
            assert target["format"] == "time_series"
            assert columns == ["time", "metric", "value"]
            assert boards.named_columns(panel) == {row["metric"] for row in rows}
            assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
            assert all(isinstance(row[field], Decimal) for row in rows for field in ("time", "value"))
        else:
            assert target["format"] == "table"
            assert set(columns) == boards.named_columns(panel), panel["title"]
        if panel["type"] == "stat":
            assert len(rows) == 1
            assert all(isinstance(value, int) for value in rows[0].values())


@pytest.mark.parametrize(("name", "language"), boards.ALL)
def test_every_statement_runs_on_an_empty_database(database, name, language):
    for _, sql in boards.statements(boards.board(name, language)):
        ask(database, sql)


def test_values_with_a_mark_are_all_marked(city):
    """A state, lane, class or clock that a view can give has its words."""
    for name, language in boards.ALL:
        for panel in boards.board(name, language)["panels"]:
            _, rows = ask(city, panel["targets"][0]["rawSql"])
            for override in panel["fieldConfig"]["overrides"]:
                properties = {item["id"]: item["value"] for item in override["properties"]}
                column = override["matcher"]["options"]
                if "mappings" in properties and column != "condition":  # the seed's conditions are not the vocabulary's
                    assert {row[column] for row in rows} <= properties["mappings"][0]["options"].keys()


def test_figures_of_the_community_wall(city):
    assert answer(city, "community-wall", 1) == [{"a": 1, "b": 2, "c": 1}]
    assert answer(city, "community-wall", 2) == [{"open": 6, "short": 1, "overdue": 1}]
    assert answer(city, "community-wall", 3) == [{"online": 1, "offline": 1}]
    assert answer(city, "community-wall", 1, variables={"community": ["c2"]}) == [{"a": 0, "b": 1, "c": 0}]


def test_latest_warnings_put_open_and_urgent_ones_first(city):
    rows = answer(city, "community-wall", 4, "zh")
    assert [(row["status"], row["class"]) for row in rows] == [
        ("open", "A"),
        ("open", "B"),
        ("open", "B"),
        ("open", "C"),
        ("cleared", "A"),
    ]
    assert [row["equipment"] for row in rows] == ["1号楼1号梯", "unregistered", "生活泵房", "1号楼1号梯", "1号楼1号梯"]
    assert {row["sentence"] for row in rows} == {"温度过高"}
    assert {row["sentence"] for row in answer(city, "community-wall", 4, "en")} == {"Too hot"}


def test_clocks_stop_while_suspended_and_once_finished(city):
    rows = answer(city, "community-wall", 5)
    assert [(row["condition"], row["clock_state"], row["clock"]) for row in rows] == [
        ("overdue", "overdue", "respond"),
        ("short", "short", "respond"),
        ("running", "running", "finish"),
        ("complaint_without_equipment", "running", "finish"),
    ]
    assert rows[0]["minutes_left"] in range(-12, -9)
    assert rows[1]["minutes_left"] in range(7, 11)


def test_platform_health_tells_the_truth(city):
    assert answer(city, "platform-health", 1) == [{"ranges": 2, "missing": 3, "lost": 2}]
    assert answer(city, "platform-health", 2) == [{"open": 2, "recent": 1}]
    assert answer(city, "platform-health", 3) == [{"online": 1, "offline": 1, "skewed": 1}]
    data, event = answer(city, "platform-health", 4)
    assert (data["received"], data["messages_difference"], data["readings_difference"]) == (15, 1, 0)
    assert (event["messages_difference"], event["readings_difference"]) == (0, 0)
    values = {(row["metric"], float(row["value"])) for row in answer(city, "platform-health", 5)}
    assert values == {("data", 2.0), ("data", 3.0), ("event", 0.01)}
    assert [(row["reason"], row["letters"]) for row in answer(city, "platform-health", 6)] == [("undecodable", 2)]
    assert [(row["lane"], row["missing"], row["lost"]) for row in answer(city, "platform-health", 7)] == [
        ("data", 3, 2)
    ]
    assert [(row["state"], row["skew_s"]) for row in answer(city, "platform-health", 8)] == [
        ("offline", None),
        ("skewed", -301.0),
    ]


def test_the_gaps_of_the_wall_are_the_gap_ledger(city):
    with psycopg.connect(city.admin_url) as conn:
        ledger = conn.execute(
            "SELECT community_id, gateway_id, lane, state, last_seq - first_seq + 1, updated_at FROM gaps"
        )
        wall = conn.execute("SELECT community_id, gateway_id, lane, state, messages, updated_at FROM wall.gap")
        assert sorted(wall.fetchall()) == sorted(ledger.fetchall()) != []
