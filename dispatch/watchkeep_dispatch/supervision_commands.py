"""`watchkeep dispatch score | indicators | behind | protected | report`, and where the rest of supervision hangs."""

from datetime import UTC
from typing import Annotated

import typer

from watchkeep_core.commands import print_json
from watchkeep_dispatch import indicators, scores, supervision_report
from watchkeep_dispatch.command_options import DatabaseUrl, connected
from watchkeep_dispatch.complaints_commands import AsShape, Font, Language, Out, Shape, write
from watchkeep_dispatch.credit_commands import credit_app, schemes_app
from watchkeep_dispatch.indicators import By
from watchkeep_dispatch.ranking_commands import ranking_app
from watchkeep_dispatch.supervision_options import Area, AsOf, Period, day_of, scope_of, zone_of

Dimension = Annotated[By, typer.Option(help="What to group by.")]


def score(
    day: Annotated[str, typer.Option("--date", help="YYYY-MM-DD: the score as it stood at the end of this day.")],
    scheme: Annotated[str, typer.Option(help="Id of a scheme.")] = "property_quality",
    period: Annotated[str | None, typer.Option(help="Default: the scheme's period that the day lies in.")] = None,
    area: Area = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Scores as they stood at the end of a day: the same for ever, whatever has happened since."""
    zone = zone_of(database_url)
    end = scores.end_of_day(day_of(day, "--date"), zone).astimezone(UTC)
    with connected(database_url) as conn:
        spec = scores.in_force(conn, scheme, end, end, zone)
        wanted = period or scores.period_of(spec, day_of(day, "--date"))
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
    zone = zone_of(database_url)
    asked = scope_of(period, by, area, day, zone)
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
    asked = scope_of(period, by, None, day, zone_of(database_url))
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
    asked = scope_of(period, "community", None, day, zone_of(database_url))
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
    zone = zone_of(database_url)
    asked = scope_of(period, "all", area, day, zone)
    with connected(database_url) as conn:
        found = supervision_report.gather(conn, asked.since, asked.until, asked.as_of, area)
    if shape is Shape.json:
        print_json(found)
        return
    write(supervision_report.report(found, zone, "en" if language == "en" else "zh"), shape, out, font)


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
