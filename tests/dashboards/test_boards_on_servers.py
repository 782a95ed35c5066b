"""Every SQL of every board, macros expanded as Grafana's source does it, over a seeded city on each kind of server."""

import os
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from tests import servers
from tests.dashboards import boards
from watchkeep_core.schema.migrate import migrate, set_password
from watchkeep_dashboards import alerts
from watchkeep_dashboards.bench import measure
from watchkeep_dashboards.generate.panels import SIGNS
from watchkeep_dashboards.macros import expand
from watchkeep_dashboards.packaged import NAMES
from watchkeep_dashboards.seed import Size, seed
from watchkeep_dispatch import indicators
from watchkeep_dispatch.indicators import Scope

PASSWORD = "only-in-tests"
CHOSEN = {"community": ["c0"], "equipment": ["elevator-1"], "metric": ["machine_room_temperature"]}
NUMBERS = (int, float, Decimal)


@pytest.fixture(scope="module")
def grafana_ro(postgres_url):
    """URL of Grafana's login in a seeded city."""
    with seeded(postgres_url, f"walls_{os.getpid()}") as url:
        yield url


@contextmanager
def seeded(url, database, *, timescaledb=False):
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)".encode())
        conn.execute(f"CREATE DATABASE {database}".encode())
    admin = make_conninfo(url, dbname=database)
    if timescaledb:
        with psycopg.connect(admin, autocommit=True) as conn:
            conn.execute("CREATE EXTENSION timescaledb")
    migrate(admin)
    set_password(admin, "grafana_ro", PASSWORD)
    seed(admin, Size())
    yield make_conninfo(admin, user="grafana_ro", password=PASSWORD)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


def ask(url, sql, hours, variables=CHOSEN):
    now = datetime.now(UTC)
    with psycopg.connect(url, row_factory=dict_row) as conn:
        cursor = conn.execute(expand(sql, now - timedelta(hours=hours), now, variables).encode())
        return [column.name for column in cursor.description or ()], cursor.fetchall()


@pytest.mark.parametrize(("name", "language"), boards.ALL)
def test_every_panel_gets_what_it_needs(grafana_ro, name, language):
    check_board(grafana_ro, boards.board(name, language))


@pytest.mark.slow
@pytest.mark.parametrize("server", servers.OTHER_SERVERS)
def test_every_board_on_other_servers(server):
    with (
        servers.start(server) as url,
        seeded(url, "walls", timescaledb=server.startswith("timescaledb")) as grafana_ro,
    ):
        for name in NAMES:
            check_board(grafana_ro, boards.board(name, "zh"))
        check_alerts(grafana_ro)


def check_board(grafana_ro, document):
    for panel in document["panels"]:
        (target,) = panel["targets"]
        columns, rows = ask(grafana_ro, target["rawSql"], boards.hours(document, panel))
        assert rows, panel["title"]
        CHECKS[panel["type"]](panel, target, columns, rows)


def check_series(panel, target, columns, rows):
    assert target["format"] == "time_series"
    assert columns == ["time", "metric", "value"]
    assert all(isinstance(row["time"], (datetime, *NUMBERS)) for row in rows)
    assert all(isinstance(row["value"], NUMBERS) for row in rows)
    times = [row["time"] for row in rows]
    assert times == sorted(times), panel["title"]
    assert len({(row["time"], row["metric"]) for row in rows}) == len(rows), "two values of a line at one time"
    assert len({row["metric"] for row in rows}) <= 20
    if named := boards.named_columns(panel):
        assert {row["metric"] for row in rows} <= named


def check_states(panel, target, columns, rows):
    check_series(panel, target, columns, rows)
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    assert {f"{row['value']:g}" for row in rows} <= mapping["options"].keys()


def check_figures(panel, target, columns, rows):
    assert target["format"] == "table"
    assert len(rows) == 1
    assert set(columns) == boards.named_columns(panel)
    assert all(isinstance(value, NUMBERS) for value in rows[0].values())


def check_table(panel, target, columns, rows):
    assert target["format"] == "table"
    assert set(columns) == boards.named_columns(panel), panel["title"]
    # 38 px a grid row; 84 for margin, title and head; 36 a row of the table
    limit = re.search(r"LIMIT (\d+)\s*\Z", target["rawSql"])
    assert (int(limit[1]) if limit else len(rows)) <= (panel["gridPos"]["h"] * 38 - 84) // 36, (
        f"{panel['title']} would have to be scrolled"
    )
    for override in panel["fieldConfig"]["overrides"]:
        properties = {item["id"]: item["value"] for item in override["properties"]}
        column = override["matcher"]["options"]
        if "mappings" in properties and column not in ("condition", "kind"):  # the seed's conditions are made up
            told = {row[column] for row in rows} - {None}
            assert {f"{x:g}" if isinstance(x, NUMBERS) else x for x in told} <= properties["mappings"][0][
                "options"
            ].keys()


def check_bars(panel, target, columns, rows):
    assert target["format"] == "table"
    assert columns == ["name", "value"]
    assert all(isinstance(row["name"], str) and isinstance(row["value"], NUMBERS) for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    if len(steps) > 1:  # the colour judges: its sign stands before the name
        for row in rows:
            color = [step["color"] for step in steps if step["value"] is None or row["value"] >= step["value"]][-1]
            assert row["name"].startswith(f"{SIGNS[color]} ")


CHECKS = {
    "timeseries": check_series,
    "state-timeline": check_states,
    "stat": check_figures,
    "table": check_table,
    "bargauge": check_bars,
}


@pytest.mark.parametrize("hours", [1, 6, 24, 80])
def test_every_span_has_its_level(grafana_ro, hours):
    """Raw, minutes or hours: each span finds the values, in order, and never more than a screen can show."""
    sql = (
        "SELECT s.ts, s.mean, s.min, s.max FROM wall.series(ARRAY['c0'], ARRAY['supply_pump_set'],"
        " ARRAY['outlet_pressure'], $__timeFrom(), $__timeTo(), ARRAY['supply_pump_set-1']) AS s ORDER BY 1"
    )
    _, rows = ask(grafana_ro, sql, hours)
    assert 20 <= len(rows) <= 1500
    assert all(row["min"] <= row["mean"] <= row["max"] for row in rows)
    assert len({row["ts"] for row in rows}) == len(rows)


@pytest.mark.parametrize(("name", "language"), boards.ALL)
def test_variables_and_annotations(grafana_ro, name, language):
    document = boards.board(name, language)
    for variable in boards.asked(document):
        columns, rows = ask(grafana_ro, variable["query"], 1)
        assert columns == ["__value", "__text"]
        assert rows
        assert all(isinstance(row["__text"], str) for row in rows)
    for annotation in document.get("annotations", {}).get("list", []):
        columns, rows = ask(grafana_ro, annotation["target"]["rawSql"], 24 * 60)
        assert columns == ["time", "timeend", "text", "tags"]
        assert rows
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
        assert all(row["time"] <= row["timeend"] for row in rows)


def test_alert_rules_ask_one_value(grafana_ro):
    check_alerts(grafana_ro)


def check_alerts(grafana_ro):
    """Grafana's alerting takes time series only; the seed is in order but for its dead letters and gateways."""
    firing = set()
    for rule in alerts.RULES:
        columns, rows = ask(grafana_ro, rule.sql, 1)
        assert columns == ["time", "value"]
        assert len(rows) == 1
        assert isinstance(rows[0]["value"], float)
        if rows[0]["value"] > rule.above:
            firing.add(rule.uid)
    assert firing == {"wk-dead-letters", "wk-gateways"}


def test_no_temporary_tables(grafana_ro):
    """They would be a way to fill the disk; not in test_boundary, as a cloned database forgets it."""
    with psycopg.connect(grafana_ro) as conn:
        conn.execute("SET default_transaction_read_only = off")
        conn.commit()
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute("CREATE TEMPORARY TABLE mine (x integer)")


@pytest.mark.slow
def test_the_bench_asks_every_panel(grafana_ro, postgres_url):
    del grafana_ro  # its city is what is asked
    measures = list(measure(make_conninfo(postgres_url, dbname=f"walls_{os.getpid()}"), Size(), runs=2))
    asked = [one.name for one in measures if one.goal == 100]
    assert len(asked) == sum(len(boards.board(name, "zh")["panels"]) for name in NAMES)
    assert measures[-1].name.startswith("6 screens of 12 panels")


def test_names_of_equipment_are_told_apart(grafana_ro):
    sql = "SELECT name_zh FROM wall.equipment WHERE community_id = 'c0'"
    _, rows = ask(grafana_ro, sql, 1)
    assert len({row["name_zh"] for row in rows}) == len(rows)


def test_indicators_of_the_wall_are_those_of_dispatch(grafana_ro, postgres_url):
    """Two ways to the same figure: the view that walls ask, and the statement that scores are made of."""
    now = datetime.now(UTC)
    (panel,) = [p for p in boards.board("companies", "en")["panels"] if p["title"].startswith("Indicators")]
    _, shown = ask(grafana_ro, panel["targets"][0]["rawSql"], 24)
    with psycopg.connect(make_conninfo(postgres_url, dbname=f"walls_{os.getpid()}")) as conn:
        scopes = [
            Scope(since=now - timedelta(days=30), until=now, as_of=now, by=by) for by in ("company", "maintainer")
        ]
        found = {figures.name: figures for scope in scopes for figures in indicators.figures(conn, scope)}
    assert len(shown) >= 5
    names = {"Property": "物业", "Lift works": "维保"}
    for row in shown:
        word, number = row["organisation"].rsplit(" ", 1)
        truth = found[names[word] + number]
        assert row["orders"] == truth.counts["due_d"]
        for rate in ("respond", "on_time", "rework"):
            assert float(row[f"{rate}_percent"]) == pytest.approx(100 * (truth.rate(f"{rate}_rate") or 0)), rate
        assert float(row["closed_percent"]) == pytest.approx(100 * (truth.rate("close_rate") or 0))
