"""Every SQL of every dashboard, as Grafana sends it, on PostgreSQL under Grafana's own login."""

import psycopg
from psycopg.rows import dict_row

from tests.dashboards import boards
from tests.dashboards.conftest import ago
from watchkeep_dashboards.macros import expand
from watchkeep_dashboards.packaged import NAMES

EVERYWHERE = {"community": ["c1", "c2"], "equipment": ["lift-1"], "metric": ["machine_room_temperature"]}


def ask(database, sql, variables=EVERYWHERE):
    """Column names and rows (dicts) of one statement for the last 24 hours."""
    with psycopg.connect(database.url("grafana_ro"), row_factory=dict_row) as conn:
        cursor = conn.execute(expand(sql, ago(days=1), ago(minutes=-1), variables).encode())
        return [column.name for column in cursor.description or ()], cursor.fetchall()


def answer(database, name, title, language="en", variables=EVERYWHERE):
    """Rows of the panel with this title."""
    (panel,) = [panel for panel in boards.board(name, language)["panels"] if panel["title"] == title]
    return ask(database, panel["targets"][0]["rawSql"], variables)[1]


def test_every_statement_runs_on_an_empty_database(database):
    for name in NAMES:
        for _, sql in boards.statements(boards.board(name, "zh")):
            ask(database, sql)


def test_figures_of_the_community_wall(city):
    assert answer(city, "community-wall", "Open warnings") == [{"a": 1, "b": 2, "c": 1}]
    assert answer(city, "community-wall", "Orders") == [{"open": 6, "short": 1, "overdue": 1}]
    assert answer(city, "community-wall", "Gateways") == [{"online": 1, "offline": 1}]
    assert answer(city, "community-wall", "Open warnings", variables=EVERYWHERE | {"community": ["c2"]}) == [
        {"a": 0, "b": 1, "c": 0}
    ]


def test_latest_warnings_put_open_and_urgent_ones_first(city):
    rows = answer(city, "community-wall", "最新预警（未解除的在前）", "zh")
    assert [(row["status"], row["class"]) for row in rows] == [
        ("open", "A"),
        ("open", "B"),
        ("open", "B"),
        ("open", "C"),
        ("cleared", "A"),
    ]
    assert [row["equipment"] for row in rows] == ["1号楼1号梯", "unregistered", "生活泵房", "1号楼1号梯", "1号楼1号梯"]
    assert {row["sentence"] for row in rows} == {"温度过高"}
    assert {row["sentence"] for row in answer(city, "community-wall", "Latest warnings (open ones first)", "en")} == {
        "Too hot"
    }


def test_clocks_stop_while_suspended_and_once_finished(city):
    rows = answer(city, "community-wall", "Clocks of orders (first due first)")
    assert [(row["condition"], row["clock_state"], row["clock"]) for row in rows] == [
        ("overdue", "overdue", "respond"),
        ("short", "short", "respond"),
        ("running", "running", "finish"),
        ("complaint_without_equipment", "running", "finish"),
    ]
    assert rows[0]["minutes_left"] in range(-12, -9)
    assert rows[1]["minutes_left"] in range(7, 11)


def test_platform_health_tells_the_truth(city):
    def told(title):
        return answer(city, "platform-health", title)

    assert told("Gaps") == [{"ranges": 2, "missing": 3, "lost": 2}]
    assert told("Dead letters") == [{"open": 2, "recent": 1}]
    assert told("Gateways") == [{"online": 1, "offline": 1, "skewed": 1}]
    data, event = told("Ingest accounts (nothing may be unaccounted)")
    assert (data["received"], data["messages_difference"], data["readings_difference"]) == (15, 1, 0)
    assert (event["messages_difference"], event["readings_difference"]) == (0, 0)
    per_second = told("Records committed per second, 1 hour")
    values = {(row["metric"], float(row["value"])) for row in per_second}
    assert values == {("data", 10.0), ("data", 15.0), ("event", 0.05)}
    reasons = told("Waiting dead letters by reason")
    assert [(row["reason"], row["letters"]) for row in reasons] == [("undecodable", 2)]
    gaps = told("Gateways with most gaps")
    assert [(row["lane"], row["missing"], row["lost"]) for row in gaps] == [("data", 3, 2)]
    clocks = told("Gateways and their clocks (worst first)")
    assert [(row["state"], row["skew_s"]) for row in clocks] == [("offline", None), ("skewed", -301.0)]


def test_the_gaps_of_the_wall_are_the_gap_ledger(city):
    with psycopg.connect(city.admin_url) as conn:
        ledger = conn.execute(
            "SELECT community_id, gateway_id, lane, state, last_seq - first_seq + 1, updated_at FROM gaps"
        )
        wall = conn.execute("SELECT community_id, gateway_id, lane, state, messages, updated_at FROM wall.gap")
        assert sorted(wall.fetchall()) == sorted(ledger.fetchall()) != []
