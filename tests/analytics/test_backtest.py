"""Rules through the command line: import, history, and a draft tried on stored readings, against a real database."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from watchkeep_analytics import register, rule_store
from watchkeep_analytics.commands import app
from watchkeep_analytics.rulebook import Rulebook, RuleError, parse
from watchkeep_core.database import connect

HOT = "elevator.machine_temperature.machine_temperature_high.above.warning"
DRAFT = f'[[limit]]\nid = "{HOT}"\nvalue = 70\nclear = 65\nfor_s = 0\nbasis = "cabinet"\nmark = "CP"\n'
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


@pytest.fixture
def rules(home):
    for table in ("detection_rules", "detection_rule_changes"):
        home.admin.execute(f"DELETE FROM {table}")
    return home


def call(home, *words: str):
    result = CliRunner().invoke(app, [*words, "--database-url", home.url])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_import_history_and_taking_back(rules, tmp_path):
    draft = tmp_path / "draft.toml"
    draft.write_text(DRAFT)
    words = ("rules", "import", str(draft), "--by", "Wang", "--why", "hot room")
    assert [change["id"] for change in call(rules, *words, "--dry-run")["changes"]] == [HOT]
    assert rules.count("detection_rules") == 0
    assert call(rules, *words, "--untested")["tried"] is None
    assert call(rules, *words)["changes"] == []  # nothing to change any more
    with connect(rules.url, "test") as conn:
        edit = register.rulebook(conn).limit(HOT, "alpha", "lift-1")
    assert edit is not None
    assert (edit.value, edit.clear) == (70, 65)
    (told,) = call(rules, "rules", "history")
    assert (told["id"], told["by"], told["why"], told["before"]) == (HOT, "Wang", "hot room (untested)", None)
    exported = CliRunner().invoke(app, ["rules", "export", "--database-url", rules.url]).stdout
    assert rule_store.changes(Rulebook(), parse(exported))[0].id == HOT
    draft.write_text(rule_store.export(Rulebook()))  # all as it is shipped
    assert [change["after"] for change in call(rules, *words)["changes"]] == [None]
    assert rules.count("detection_rules") == 0
    assert rules.count("detection_rule_changes") == 2


def test_a_row_that_is_none_any_more_is_left_out(rules):
    rules.admin.execute("INSERT INTO detection_rules VALUES ('gone', '', '', 'parameter', '{\"value\": 1}')")
    with connect(rules.url, "test") as conn:
        assert register.rulebook(conn).edits == ()


def test_a_bad_file_names_file_and_field(rules, tmp_path):
    draft = tmp_path / "draft.toml"
    draft.write_text(DRAFT.replace("clear = 65", "clear = 75"))
    with pytest.raises(RuleError, match=r"draft.toml: limit elevator\.machine.*: clear: 75 is on the wrong side"):
        call(rules, "rules", "import", str(draft), "--by", "x", "--why", "y")


def test_a_draft_is_tried_on_stored_readings(rules, tmp_path):
    series = rules.series["alpha", "lift-1", "machine_temperature"]
    values = [60, 75, 60, 95, 95, 95, 60, 75, 75, 60]
    rows = [(series, START + timedelta(minutes=5 * k), x) for k, x in enumerate(values)]
    with rules.admin.cursor() as cursor:
        cursor.executemany("INSERT INTO readings VALUES (%s, %s, %s, 0)", rows)
    draft = tmp_path / "draft.toml"
    draft.write_text(DRAFT.replace('basis = "cabinet"', 'clear_for_s = 0\nbasis = "cabinet"'))
    span = ("--from", f"{START:%Y-%m-%dT%H:%M:%S}", "--to", f"{START + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}")
    found = call(rules, "try", str(draft), *span, "--community", "alpha")
    hot = found["conditions"]["machine_temperature_high"]
    assert (hot["before"]["warnings"], hot["after"]["warnings"]) == (1, 3)
    assert hot["after"]["per_day"] == 72
    assert found["rows"] == 10
    assert rules.count("warnings") == rules.count("signals") == 0
    words = ("rules", "import", str(draft), "--by", "Wang", "--why", "hot room", *span, "--community", "alpha")
    assert call(rules, *words)["tried"]["conditions"] == found["conditions"]
    (told,) = call(rules, "rules", "history")
    days = f"{START:%Y-%m-%d} to {START + timedelta(hours=1):%Y-%m-%d}"
    total = found["total"]
    assert told["why"] == f"hot room (tried on {days}: {total['before']} → {total['after']} warnings)"
    rules.admin.execute("DELETE FROM detection_rules")
    plain = call(rules, "backtest", *span)
    assert plain["conditions"]["machine_temperature_high"] == {"before": hot["before"]}


def test_a_span_that_ends_before_it_begins(rules):
    with pytest.raises(RuleError, match="from: 2026-02-01 00:00 is not before to, 2026-01-01 00:00"):
        call(rules, "backtest", "--from", "2026-02-01", "--to", "2026-01-01")
    with pytest.raises(RuleError, match="no community 'nowhere'"):
        call(rules, "backtest", "--community", "nowhere")
