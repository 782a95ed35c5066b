"""What Grafana makes of a query before PostgreSQL sees it: variables in the browser, then macros in its back end.

Follows `pkg/tsdb/grafana-postgresql-datasource/macros.go`: one regular expression, arguments up to the first `)`, split
at commas; an unknown `$name(` is an error; `$__timeGroup(…)` with a comma right behind it acts as the Alias form.
What a third argument (fill) does, Grafana does to the result; it leaves no trace in the SQL.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from watchkeep_core.errors import PermanentError

_MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class UnknownMacroError(PermanentError):
    """Grafana would answer `unknown macro`."""


def expand(
    sql: str,
    since: datetime,
    until: datetime,
    variables: Mapping[str, Sequence[str]] | None = None,
    *,
    timescaledb: bool = False,
) -> str:
    """The statement as PostgreSQL gets it. Raises UnknownMacroError, KeyError for an unknown variable."""
    sql = _VARIABLE.sub(lambda found: _variable(found, variables or {}), sql)

    def replace(found: re.Match[str]) -> str:
        name, arguments = found[1], [argument.strip(" ") for argument in found[2].split(",")]
        if name == "__timeGroup" and sql[found.end() : found.end() + 1] == ",":
            name = "__timeGroupAlias"
        return _macro(name, arguments, (since, until), timescaledb)

    return _MACRO.sub(replace, sql)


def _variable(found: re.Match[str], variables: Mapping[str, Sequence[str]]) -> str:
    if found[2] != "sqlstring":
        raise UnknownMacroError(f"{found[0]}: only :sqlstring quotes the same way in all versions")
    return ",".join("'" + value.replace("'", "''") + "'" for value in variables[found[1]])


def _macro(name: str, arguments: Sequence[str], span: tuple[datetime, datetime], timescaledb: bool) -> str:
    since, until = (f"'{_rfc3339(moment)}'" for moment in span)
    match name, arguments:
        case "__time", [column]:
            return f'{column} AS "time"'
        case "__timeFilter", [column]:
            return f"{column} BETWEEN {since} AND {until}"
        case "__timeFrom", _:
            return since
        case "__timeTo", _:
            return until
        case "__timeGroup", [column, interval, *_]:
            seconds = _seconds(interval)
            if timescaledb:
                return f"time_bucket('{seconds:.3f}s',{column})"
            return f"floor(extract(epoch from {column})/{seconds:g})*{seconds:g}"
        case "__timeGroupAlias", [_, _, *_]:
            return _macro("__timeGroup", arguments, span, timescaledb) + ' AS "time"'
    raise UnknownMacroError(f"${name}({', '.join(arguments)})")


def _seconds(interval: str) -> float:
    found = re.fullmatch(r"(\d+)([smhd])", interval.strip("'"))
    if not found:
        raise UnknownMacroError(f"error parsing interval {interval}")
    return float(found[1]) * _SECONDS[found[2]]


def _rfc3339(moment: datetime) -> str:
    """As Go writes RFC3339Nano: UTC, fractions without closing zeros."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"
