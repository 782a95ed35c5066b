"""`watchkeep dispatch score | indicators | behind | report | ranking … | credit … | schemes …`: supervision."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer
from psycopg import Connection

from watchkeep_core import settings
from watchkeep_core.commands import print_json
from watchkeep_core.database import queries
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch import credit, indicators, ranking, scores, supervision_report
from watchkeep_dispatch.command_options import DatabaseUrl, connected
from watchkeep_dispatch.complaints_commands import AsShape, Font, Language, Out, Shape, span, write
from watchkeep_dispatch.indicators import By, Scope
from watchkeep_dispatch.settings import DispatchSettings

ranking_app = typer.Typer(help="红灰榜: red and grey lists, appeals, grants.", no_args_is_help=True)
credit_app = typer.Typer(help="Credit events and inspections.", no_args_is_help=True)
schemes_app = typer.Typer(help="Score schemes: weights, bands, vetoes.", no_args_is_help=True)

Period = Annotated[str, typer.Option(help="Such as 2026-11, 2026-H2 or 2026.")]
Area = Annotated[str | None, typer.Option(help="Id of an area; without it, all.")]
AsOf = Annotated[str | None, typer.Option("--date", help="As known at the end of this day, YYYY-MM-DD; default now.")]
Dimension = Annotated[By, typer.Option(help="What to group by.")]
Who = Annotated[str | None, typer.Option("--as", help="Login of the person who does it.")]
Number = Annotated[int, typer.Argument(help="As `ranking list` shows it.")]


def score(
    day: Annotated[str, typer.Option("--date", help="YYYY-MM-DD: the score as it stood at the end of this day.")],
    scheme: Annotated[str, typer.Option(help="Id of a scheme.")] = "property_quality",
    period: Annotated[str | None, typer.Option(help="Default: the scheme's period that the day lies in.")] = None,
    area: Area = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Scores as they stood at the end of a day: the same for ever, whatever has happened since."""
    zone = _zone(database_url)
    end = scores.end_of_day(_day(day, "--date"), zone).astimezone(UTC)
    with connected(database_url) as conn:
        spec = scores.in_force(conn, scheme, end, end, zone)
        wanted = period or scores.period_of(spec, _day(day, "--date"))
        since, until = scores.span_of(wanted, zone)
        found = scores.scores(conn, scheme, since, until, end, zone, area)
    print_json({"scheme": scheme, "period": wanted, "as_of": end, "scores": found})


def show_indicators(
    period: Period,
    by: Dimension = "company",
    area: Area = None,
    day: AsOf = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Indicators with numerator and denominator, what is left out, and whether there are enough orders to rank."""
    zone = _zone(database_url)
    asked = _scope(period, by, area, day, zone)
    with connected(database_url) as conn:
        found = indicators.figures(conn, asked)
    print_json(
        [
            {
                "subject": one.subject,
                "name": one.name,
                "ranked": one.ranked,
                "rates": {name: one.rate(name) for name in indicators.RATES},
                "excluded": one.excluded(),
                "counts": one.counts,
            }
            for one in found
        ]
    )


def behind(
    period: Period,
    flag: Annotated[str, typer.Option(help="A count of `indicators`, such as on_time_n, due_d or returned.")],
    by: Dimension = "company",
    subject: Annotated[str | None, typer.Option(help="Id of the subject; without it, all.")] = None,
    day: AsOf = None,
    database_url: DatabaseUrl = None,
) -> None:
    """The orders that a figure is made of."""
    asked = _scope(period, by, None, day, _zone(database_url))
    with connected(database_url) as conn:
        found = indicators.behind(conn, asked, subject, flag)
    print_json([{"order_id": order, "case_id": case} for order, case in found])


def show_protected(
    period: Period,
    community: Annotated[str | None, typer.Option(help="Id of a community; without it, all.")] = None,
    day: AsOf = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Protected minutes per building: all watched equipment heard of, and no class-A warning open."""
    asked = _scope(period, "community", None, day, _zone(database_url))
    with connected(database_url) as conn:
        found = indicators.protected(conn, asked)
    print_json(
        [
            {name: getattr(one, name) for name in (*indicators.Protected.__dataclass_fields__, "protected")}
            for one in found
            if community in (None, one.community_id)
        ]
    )


def make_report(
    period: Period,
    area: Area = None,
    day: AsOf = None,
    shape: AsShape = Shape.html,
    out: Out = None,
    language: Language = "zh",
    font: Font = None,
    database_url: DatabaseUrl = None,
) -> None:
    """The monthly or half-yearly report of supervision."""
    zone = _zone(database_url)
    asked = _scope(period, "all", area, day, zone)
    with connected(database_url) as conn:
        found = supervision_report.gather(conn, asked.since, asked.until, asked.as_of, area)
    if shape is Shape.json:
        print_json(found)
        return
    write(supervision_report.report(found, zone, "en" if language == "en" else "zh"), shape, out, font)


@ranking_app.command("draw")
def draw(
    period: Period,
    scheme: Annotated[str, typer.Option(help="Id of a scheme.")] = "property_quality",
    area: Area = None,
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Draw up the list of a period that is over."""
    zone = _zone(database_url)
    with connected(database_url) as conn:
        person = _person(conn, who)
        number = ranking.draw(conn, scheme, period, datetime.now(UTC), zone, area=area, person_id=person)
        print_json(ranking.rankings(conn, number)[0])


@ranking_app.command("list")
def list_rankings(
    number: Annotated[int | None, typer.Option("--id", help="With its rows and appeals.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Lists drawn up so far, newest first."""
    with connected(database_url) as conn:
        print_json(ranking.rankings(conn, number))


@ranking_app.command("publish")
def publish(number: Number, who: Who = None, database_url: DatabaseUrl = None) -> None:
    """Publish a list; not by who drew it up. Appeals are open for 30 days from now."""
    with connected(database_url) as conn:
        ranking.publish(conn, number, datetime.now(UTC), person_id=_person(conn, who))


@ranking_app.command("appeal")
def appeal(
    number: Number,
    subject: Annotated[str, typer.Option(help="Id of the company.")],
    reason: Annotated[str, typer.Option(help="What is wrong, and where the evidence is.")],
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Appeal against a place on a published list."""
    with connected(database_url) as conn:
        made = ranking.appeal(conn, number, subject, reason, datetime.now(UTC), person_id=_person(conn, who))
    print_json({"appeal_id": made})


@ranking_app.command("decide")
def decide(
    appeal_id: Annotated[int, typer.Argument(help="Number of the appeal.")],
    upheld: Annotated[bool, typer.Option("--upheld/--rejected")],
    decision: Annotated[str, typer.Option(help="Reasons.")],
    to: Annotated[
        Literal["red", "grey", "none", "not_ranked"], typer.Option(help="Where the company stands after all.")
    ] = "none",
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Decide an appeal; not by who made it."""
    now = datetime.now(UTC)
    with connected(database_url) as conn:
        person = _person(conn, who)
        ranking.decide(conn, appeal_id, now, upheld=upheld, decision=decision, to=to, person_id=person)


@ranking_app.command("grants")
def grants(
    number: Number,
    pool: Annotated[int, typer.Option(min=0, help="Sum to share out, in whole yuan.")],
    database_url: DatabaseUrl = None,
) -> None:
    """奖补: a sum shared out by band and households among those not on the grey list."""
    zone = _zone(database_url)
    with connected(database_url) as conn:
        print_json(ranking.grants(conn, number, pool, zone))


@credit_app.command("add")
def add_credit(
    org: Annotated[str, typer.Option(help="Id of the organisation.")],
    kind: Annotated[Literal["good", "bad", "veto", "withdrawal"], typer.Option()],
    code: Annotated[str, typer.Option(help="What it is, such as safety_accident.")],
    reason: Annotated[str, typer.Option(help="What happened.")],
    evidence: Annotated[str, typer.Option(help="Where the evidence is: number of a document or file.")],
    on: Annotated[str, typer.Option(help="Day it occurred, YYYY-MM-DD.")],
    points: Annotated[float, typer.Option(min=0)] = 0.0,
    case: Annotated[int | None, typer.Option(help="Case it belongs to.")] = None,
    person: Annotated[str, typer.Option(help="Name of a person; only with --judgment.")] = "",
    judgment: Annotated[str, typer.Option(help="Number of the judgment that is in force.")] = "",
    withdraws: Annotated[int | None, typer.Option(help="Number of the event that was wrong.")] = None,
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Record a credit event; one that was wrong is withdrawn, never changed."""
    event = credit.CreditEvent(
        org_id=org,
        kind=kind,
        code=code,
        reason=reason,
        evidence_ref=evidence,
        occurred_on=_day(on, "--on"),
        points=points,
        case_id=case,
        person_name=person,
        judgment_no=judgment,
        withdraws_id=withdraws,
    )
    with connected(database_url) as conn:
        print_json({"event_id": credit.record(conn, event, datetime.now(UTC), person_id=_person(conn, who))})


@credit_app.command("export")
def export_credit(period: Period, database_url: DatabaseUrl = None) -> None:
    """Events recorded in a period with their evidence, for the city's credit system."""
    since, until = span(period, "--period", _zone(database_url))
    with connected(database_url) as conn:
        print_json(credit.export(conn, since, until))


@credit_app.command("inspect")
def inspect(
    kind: Annotated[Literal["half_year", "monthly_patrol"], typer.Option()],
    of: Annotated[Literal["company", "community", "subdistrict"], typer.Option(help="What was inspected.")],
    subject: Annotated[str, typer.Option(help="Its id.")],
    heading: Annotated[str, typer.Option(help="Such as 责任落实.")],
    points: Annotated[float, typer.Option(min=0)],
    possible: Annotated[float, typer.Option(min=0.01)],
    on: Annotated[str, typer.Option(help="Day, YYYY-MM-DD.")],
    note: Annotated[str, typer.Option()] = "",
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Record one heading of a patrol or half-year inspection."""
    found = credit.Inspection(
        kind=kind,
        subject_kind=of,
        subject_id=subject,
        heading=heading,
        points=points,
        possible=possible,
        inspected_on=_day(on, "--on"),
        note=note,
    )
    with connected(database_url) as conn:
        print_json({"inspection_id": credit.inspect(conn, found, datetime.now(UTC), person_id=_person(conn, who))})


@schemes_app.command("list")
def list_schemes(database_url: DatabaseUrl = None) -> None:
    """Packaged schemes, and versions loaded from files."""
    with connected(database_url) as conn:
        rows = conn.execute(queries("watchkeep_dispatch", "sql/scores.sql")["schemes"]).fetchall()
    print_json(
        {
            "packaged": scores.packaged(),
            "loaded": [{"scheme": row[0], "from": row[1], "saved_at": row[2]} for row in rows],
        }
    )


@schemes_app.command("load")
def load_schemes(
    file: Annotated[Path, typer.Argument(help="TOML, as score_schemes.toml in the package.")],
    start: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD; never in the past.")],
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Put schemes in force from a day on; what was scored before stays as it was."""
    try:
        found = scores.parse(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    with connected(database_url) as conn:
        person = _person(conn, who)
        print_json(scores.save_schemes(conn, found, _day(start, "--from"), datetime.now(UTC), person_id=person))


def register(app: typer.Typer) -> None:
    """Hang the verbs into `watchkeep dispatch`."""
    app.command(name="score")(score)
    app.command(name="indicators")(show_indicators)
    app.command(name="behind")(behind)
    app.command(name="protected")(show_protected)
    app.command(name="report")(make_report)
    app.add_typer(ranking_app, name="ranking")
    app.add_typer(credit_app, name="credit")
    app.add_typer(schemes_app, name="schemes")


def _scope(period: str, by: By, area: str | None, day: str | None, zone: ZoneInfo) -> Scope:
    since, until = span(period, "--period", zone)
    as_of = scores.end_of_day(_day(day, "--date"), zone).astimezone(UTC) if day else datetime.now(UTC)
    return Scope(since=since, until=until, as_of=as_of, by=by, area=area)


def _zone(database_url: str | None) -> ZoneInfo:
    return settings.load(DispatchSettings, database_url=database_url).calendar().zone


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option}: {text!r} is no day such as 2026-11-22") from None


def _person(conn: Connection, login: str | None) -> str | None:
    if login is None:
        return None
    found = conn.execute(queries("watchkeep_dispatch", "sql/scores.sql")["person_of"], [login]).fetchone()
    if found is None:
        raise SettingsError(f"--as: no active person {login!r}")
    return str(found[0])
