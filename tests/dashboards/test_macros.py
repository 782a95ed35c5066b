"""Our copy of Grafana's macros says what Grafana's source says."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from watchkeep_dashboards.macros import UnknownMacroError, expand

SINCE = datetime(2026, 4, 12, 18, 0, tzinfo=UTC)
UNTIL = SINCE + timedelta(minutes=5, milliseconds=250)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select $__time(ts)", 'select ts AS "time"'),
        ("$__timeFilter(w.ts)", "w.ts BETWEEN '2026-04-12T18:00:00Z' AND '2026-04-12T18:05:00.25Z'"),
        ("ts > $__timeFrom() and ts < $__timeTo()", "ts > '2026-04-12T18:00:00Z' and ts < '2026-04-12T18:05:00.25Z'"),
        ("ORDER BY $__timeGroup(ts,'5m')", "ORDER BY floor(extract(epoch from ts)/300)*300"),
        ("$__timeGroup(ts,5m), x", 'floor(extract(epoch from ts)/300)*300 AS "time", x'),
        ("$__timeGroupAlias(ts, 1h, 0), x", 'floor(extract(epoch from ts)/3600)*3600 AS "time", x'),
        ("c IN (${c:sqlstring})", "c IN ('a','b''c')"),
    ],
)
def test_expands_as_grafana_does(sql, expected):
    assert expand(sql, SINCE, UNTIL, {"c": ["a", "b'c"]}) == expected


def test_time_bucket_where_the_data_source_says_timescaledb():
    assert expand("$__timeGroup(ts,5m)", SINCE, UNTIL, timescaledb=True) == "time_bucket('300.000s',ts)"


def test_times_are_utc():
    east = SINCE.astimezone(timezone(timedelta(hours=8)))
    assert expand("$__timeFrom()", east, UNTIL) == "'2026-04-12T18:00:00Z'"


@pytest.mark.parametrize(
    "sql", ["$__timeFliter(ts)", "$nonsense(1)", "$__timeGroup(ts)", "$__timeGroup(ts,soon)", "${c}"]
)
def test_refuses_what_grafana_refuses(sql):
    with pytest.raises(UnknownMacroError):
        expand(sql, SINCE, UNTIL, {"c": ["a"]})
