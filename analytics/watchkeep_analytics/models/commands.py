"""`watchkeep analytics train`, `models`, `rollback`."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from watchkeep_analytics import register
from watchkeep_analytics.feedback_commands import DatabaseUrl, connection
from watchkeep_analytics.models import frames, store, training
from watchkeep_analytics.models.fitted import ModelError
from watchkeep_core.commands import print_json
from watchkeep_core.topics import PARTITIONS

Community = Annotated[str | None, typer.Option(help="Only this community.")]
Equipment = Annotated[str | None, typer.Option(help="Only this equipment.")]

DAYS = 28.0
"""Learnt from: four whole weeks."""


def train(
    community: Community = None,
    equipment: Equipment = None,
    days: Annotated[float, typer.Option(min=1, max=365, help="Days of readings to learn from.")] = DAYS,
    until: Annotated[datetime | None, typer.Option("--to", help="Their end, UTC; absent = now.")] = None,
    backend: Annotated[training.Backend, typer.Option(help="Processes of this machine, or a Dask cluster.")] = "joblib",
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    cluster: Annotated[str | None, typer.Option(help="Dask scheduler, tcp://host:port; absent = a local one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store and activate nothing.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Train the models of equipment from stored readings; those that pass their own check are in force at once."""
    if cluster and backend != "dask":
        raise ModelError("cluster: only with --backend dask")
    end = (until or datetime.now(UTC)).replace(tzinfo=UTC)
    span = frames.Span(end - timedelta(days=days), end)
    with connection(database_url) as conn:
        known = sorted(register.communities(conn, range(PARTITIONS)))
        if community and community not in known:
            raise ModelError(f"community: no community {community!r}")
        items = frames.items(conn, [community] if community else known, equipment)
        with (
            training.workers(backend, jobs, cluster) as parallel,
            typer.progressbar(length=max(len(items), 1), label="train", file=sys.stderr) as bar,
        ):
            keep = not dry_run
            found = training.run(conn, items, span, parallel, keep=keep, progress=lambda n: bar.update(n - bar.pos))
    print_json(found)


def models(
    community: Community = None,
    equipment: Equipment = None,
    every: Annotated[bool, typer.Option("--all", help="All versions that are kept.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    database_url: DatabaseUrl = None,
) -> None:
    """Print the models in force, and those lately refused with the reason."""
    with connection(database_url) as conn:
        print_json(store.listing(conn, community=community, equipment=equipment, every=every, at_most=limit))


def rollback(
    community: Annotated[str, typer.Argument(help="Community.")],
    equipment: Annotated[str, typer.Argument(help="Equipment.")],
    by: Annotated[str, typer.Option(help="Who does it.")],
    why: Annotated[str, typer.Option(help="Why; kept for ever.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Put the version before the one in force back in force; without one the equipment has no model."""
    with connection(database_url) as conn, conn.transaction():
        print_json(store.rollback(conn, community, equipment, by=by, why=why))


def register_verbs(app: typer.Typer) -> None:
    """Beside the other verbs of analytics."""
    for verb in (train, models, rollback):
        app.command()(verb)
