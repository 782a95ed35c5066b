"""`watchkeep dispatch score | indicators | behind | protected | report`, and where the rest of supervision hangs."""

from datetime import UTC
from typing import Annotated

import typer

from watchkeep_core.commands import print_json
from watchkeep_dispatch import indicators, scores, supervision_report
from watchkeep_dispatch.command_options import DatabaseUrl, Shown, connected, known, print_table, zone_of
from watchkeep_dispatch.complaints_commands import AsShape, Font, Language, Out, Shape, write
from watchkeep_dispatch.credit_commands import credit_app, schemes_app
from watchkeep_dispatch.indicators import By
from watchkeep_dispatch.ranking_commands import ranking_app
from watchkeep_dispatch.reports import number, percent
from watchkeep_dispatch.supervision_options import Area, AsOf, Period, day_of, scope_of

_SHOWN = ("respond_rate", "on_time_rate", "close_rate", "rework_rate", "online_rate")
"""What has room in a table of 80 columns."""

Dimension = Annotated[By, typer.Option(help="What to group by.")]


def score(
    day: Annotated[str, typer.Option("--date", help="YYYY-MM-DD: the score as it stood at the end of this day.")],
    scheme: Annotated[str, typer.Option(help="Id of a scheme.")] = "property_quality",
    period: Annotated[str | None, typer.Option(help="Default: the scheme's period that the day lies in.")] = None,
    area: Area = None,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Scores as they stood at the end of a day: the same for ever, whatever has happened since."""
    zone = zone_of(database_url)
    end = scores.end_of_day(day_of(day, "--date"), zone).astimezone(UTC)
    with connected(database_url) as conn:
        known(conn, area=area)
        spec = scores.in_force(conn, scheme, end, end, zone)
        wanted = period or scores.period_of(spec, day_of(day, "--date"))
        since, until = scores.span_of(wanted, zone)
        found = scores.scores(conn, scheme, since, until, end, zone, area)
    if format == "json":
        print_json({"scheme": scheme, "period": wanted, "as_of": end, "scores": found})
        return
    names = ("subject", "name", "score", "band", "ranked", "orders")
    print_table(f"{scheme} {wanted}", names, [[getattr(one, name) for name in names] for one in found])


def show_indicators(
    period: Period,
    by: Dimension = "company",
    area: Area = None,
    day: AsOf = None,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Indicators with numerator and denominator, what is left out, and whether there are enough orders to rank."""
    zone = zone_of(database_url)
    asked = scope_of(period, by, area, day, zone)
    with connected(database_url) as conn:
        known(conn, area=area)
        found = indicators.figures(conn, asked)
    if format == "table":
        rows = [[one.name, one.counts.get("due_d", 0), *(percent(one.rate(name)) for name in _SHOWN)] for one in found]
        print_table("", ("name", "due_d", *_SHOWN), rows)
        return
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
    asked = scope_of(period, by, None, day, zone_of(database_url))
    with connected(database_url) as conn:
        found = indicators.behind(conn, asked, subject, flag)
    print_json([{"order_id": order, "case_id": case} for order, case in found])


def show_protected(
    period: Period,
    community: Annotated[str | None, typer.Option(help="Id of a community; without it, all.")] = None,
    day: AsOf = None,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Protected minutes per building: all watched equipment heard of, and no class-A warning open."""
    asked = scope_of(period, "community", None, day, zone_of(database_url))
    with connected(database_url) as conn:
        known(conn, community=community)
        found = [one for one in indicators.protected(conn, asked) if community in (None, one.community_id)]
    if format == "json":
        names = (*indicators.Protected.__dataclass_fields__, "protected")
        print_json([{name: getattr(one, name) for name in names} for one in found])
        return
    rows = [
        [one.community, one.building, one.equipment, number(one.protected), percent(one.protected, one.minutes)]
        for one in found
    ]
    print_table("", ("community", "building", "equipment", "protected min", "share"), rows)


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
    zone = zone_of(database_url)
    asked = scope_of(period, "all", area, day, zone)
    with connected(database_url) as conn:
        known(conn, area=area)
        found = supervision_report.gather(conn, asked.since, asked.until, asked.as_of, area)
    if shape is Shape.json:
        print_json(found)
        return
    write(supervision_report.report(found, zone, language), shape, out, font)


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
