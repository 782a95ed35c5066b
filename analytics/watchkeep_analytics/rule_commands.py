"""`watchkeep analytics rules …`, `try` and `backtest`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import Connection

from watchkeep_analytics import backtest as backtesting
from watchkeep_analytics import register, rule_store, truth
from watchkeep_analytics import rules as rule_table
from watchkeep_analytics.backtest import Player, Span
from watchkeep_analytics.rulebook import Row, Rulebook, RuleError, parse
from watchkeep_analytics.settings import RulesSettings
from watchkeep_core import database
from watchkeep_core.commands import print_json
from watchkeep_core.settings import load
from watchkeep_core.topics import PARTITIONS

app = typer.Typer(help="Rules: what is in force, to a file and back.", invoke_without_command=True)

DatabaseUrl = Annotated[str | None, typer.Option(help="PostgreSQL URL of the login watchkeep_analytics.")]
Since = Annotated[datetime | None, typer.Option("--from", help="UTC; absent = 30 days before the end.")]
Until = Annotated[datetime | None, typer.Option("--to", help="UTC; absent = now.")]
Communities = Annotated[list[str] | None, typer.Option("--community", help="Absent = all.")]
KnownFaults = Annotated[Path | None, typer.Option("--truth", help="Known faults, as the simulator's faults.jsonl.")]
WarmUp = Annotated[float, typer.Option(min=0, help="Days before the span that are only learnt from.")]


@contextmanager
def _connection(url: str | None) -> Iterator[Connection]:
    settings = load(RulesSettings, database_url=url)
    with database.connect(settings.database_url.get_secret_value(), "analytics-rules", autocommit=True) as conn:
        yield conn


def _read(file: Path) -> list[Row]:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{file}: {error}") from None
    except RuleError as error:
        raise RuleError(f"{file}: {error}") from None


@app.callback()
def rules(
    context: typer.Context,
    missing: Annotated[bool, typer.Option("--missing", help="Only conditions that nothing finds yet.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the page RULES.md.")] = False,
) -> None:
    """Print every condition with the rule or detector that finds it, and its basis."""
    if context.invoked_subcommand is None:
        rows = [row for row in rule_table.table() if not (missing and row.covered_by)]
        if markdown:
            sys.stdout.write(rule_table.markdown(rows))
        else:
            print_json([row._asdict() for row in rows])


@app.command("export")
def export(database_url: DatabaseUrl = None) -> None:
    """Print all rules, limits and figures in force as TOML; edit, `try`, then `rules import`."""
    with _connection(database_url) as conn:
        sys.stdout.write(rule_store.export(register.rulebook(conn)))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="TOML as `export` prints it, or only the rows to change.")],
    by: Annotated[str, typer.Option(help="Who changes it.")],
    why: Annotated[str, typer.Option(help="Why; kept for ever.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    untested: Annotated[bool, typer.Option("--untested", help="Do not try it on stored readings first.")] = False,
    since: Since = None,
    until: Until = None,
    community: Communities = None,
    warm_up_days: WarmUp = 8.0,
    database_url: DatabaseUrl = None,
) -> None:
    """Try rules on the last month, then set them; what came of the trial is kept with the reason.

    A row that says what is shipped takes an earlier change back. In force within `refresh_s`.
    """
    if not by.strip() or not why.strip():
        raise RuleError("by, why: must not be empty")
    span = _span(since, until, warm_up_days)
    rows = _read(file)
    with _connection(database_url) as conn:
        book = register.rulebook(conn)
        found = rule_store.changes(book, rows)
        tried = None
        if found and not dry_run:
            if not untested:
                tried = backtesting.summary(span, _play(conn, [book, with_rows(book, rows)], span, community))
            with conn.transaction():
                rule_store.save(conn, found, by, f"{why} ({_told(span, tried)})")
    print_json({"changes": [change._asdict() for change in found], "tried": tried})


@app.command("history")
def history(
    at_most: Annotated[int, typer.Option(min=1, help="Newest changes.")] = 50, database_url: DatabaseUrl = None
) -> None:
    """Print who changed which rule when and why."""
    with _connection(database_url) as conn:
        print_json(rule_store.history(conn, at_most))


def try_(
    draft: Annotated[Path, typer.Argument(help="TOML with the rows to change.")],
    since: Since = None,
    until: Until = None,
    community: Communities = None,
    warm_up_days: WarmUp = 8.0,
    known_faults: KnownFaults = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Test a draft of rules on stored readings: warnings a day by condition, before and after."""
    _backtest(draft, since, until, community, warm_up_days, database_url, known_faults)


def backtest(
    since: Since = None,
    until: Until = None,
    rules_file: Annotated[Path | None, typer.Option("--rules", help="A draft to compare with.")] = None,
    community: Communities = None,
    warm_up_days: WarmUp = 8.0,
    known_faults: KnownFaults = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Judge stored readings again: warnings a day by condition; with known faults recall, precision and delay."""
    _backtest(rules_file, since, until, community, warm_up_days, database_url, known_faults)


def _backtest(
    draft: Path | None,
    since: datetime | None,
    until: datetime | None,
    community: list[str] | None,
    warm_up_days: float,
    url: str | None,
    known_faults: Path | None,
) -> None:
    span = _span(since, until, warm_up_days)
    rows = _read(draft) if draft else []
    faults = truth.read(known_faults) if known_faults else None
    with _connection(url) as conn:
        book = register.rulebook(conn)
        found = rule_store.changes(book, rows)
        books = [book, with_rows(book, rows)] if draft else [book]
        players = _play(conn, books, span, community)
    print_json(backtesting.summary(span, players, faults) | {"changes": [change._asdict() for change in found]})


def _span(since: datetime | None, until: datetime | None, warm_up_days: float) -> Span:
    end = (until or datetime.now(UTC)).replace(tzinfo=UTC)
    begin = since.replace(tzinfo=UTC) if since else end - timedelta(days=30)
    if begin >= end:
        raise RuleError(f"from: {begin:%Y-%m-%d %H:%M} is not before to, {end:%Y-%m-%d %H:%M}")
    return Span(begin, end, timedelta(days=warm_up_days))


def _play(conn: Connection, books: list[Rulebook], span: Span, community: list[str] | None) -> list[Player]:
    """With a progress bar on stderr. Raises RuleError for a community that is not there."""
    known = register.communities(conn, range(PARTITIONS))
    if strange := sorted(set(community or ()) - known.keys()):
        raise RuleError(f"community: no community {strange[0]!r}")
    with typer.progressbar(length=1000, label="backtest", file=sys.stderr) as bar:
        return backtesting.run(
            conn, community or sorted(known), span, books, lambda share: bar.update(round(1000 * share) - bar.pos)
        )


def _told(span: Span, tried: dict[str, Any] | None) -> str:
    """What the history says of the trial."""
    if tried is None:
        return "untested"
    total = tried["total"]
    return f"tried on {span.since:%Y-%m-%d} to {span.until:%Y-%m-%d}: {total['before']} → {total['after']} warnings"


def with_rows(book: Rulebook, rows: list[Row]) -> Rulebook:
    """The book as it would be with these rows imported."""
    edits = {row.scope: row for row in (*book.edits, *rows)}
    shipped = rule_store.defaults()
    return Rulebook([row for row in edits.values() if row != shipped.get(row.id)])
