"""The job queue: procrastinate in a PostgreSQL schema of its own, `jobs`, owned by our owner.

Its statements name their tables without a schema, so every connection that uses it has `jobs` in its search path: the
worker for good, a caller's transaction until its end.
"""

from collections.abc import Callable, Iterable
from functools import cache

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.schema import SchemaManager, migrations_path
from procrastinate.types import JSONValue
from psycopg import Connection, sql

from watchkeep_core.database import OWNER, connect, queries
from watchkeep_dispatch.errors import JobsMissing

SCHEMA = "jobs"
SEARCH_PATH = f"public, {SCHEMA}"
TASK = "watchkeep.serve"
URGENT_QUEUE, QUEUE = "notify-urgent", "notify"
"""Life safety has a queue and workers of its own: slow services cannot keep it waiting."""
URGENT = 10
"""Priority of jobs for life safety; others have 0."""
_NOT_INSTALLED = "schema jobs is not installed; run `watchkeep db migrate`"


def install_jobs(admin_url: str) -> str:
    """Bring schema `jobs` to the installed procrastinate's version, with its grants; returns that version.

    Does nothing when it is there already. Raises DatabaseUnavailable, DatabaseRefused, JobsMissing (unknown version).
    """
    wanted = procrastinate.__version__
    with connect(admin_url, "jobs") as conn:
        conn.execute("SELECT pg_advisory_xact_lock(hashtext('watchkeep.jobs'))")
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS jobs AUTHORIZATION {}").format(sql.Identifier(OWNER)))
        conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(OWNER)))
        conn.execute("SET LOCAL search_path = jobs")
        found = conn.execute("SELECT obj_description('jobs'::regnamespace, 'pg_namespace')").fetchone()
        version = str(found[0]).rpartition(" ")[2] if found and found[0] else None
        if version != wanted:
            for script in [SchemaManager.get_schema()] if version is None else _scripts_after(version):
                conn.execute(script.encode())
            conn.execute(sql.SQL("COMMENT ON SCHEMA jobs IS {}").format(f"job queue: procrastinate {wanted}"))
        conn.execute(queries("watchkeep_dispatch", "sql/jobs.sql")["grants"])
    return wanted


def check_installed(conn: Connection) -> None:
    """Raises JobsMissing."""
    if conn.execute("SELECT to_regclass('jobs.procrastinate_jobs') IS NOT NULL").fetchone() != (True,):
        raise JobsMissing(_NOT_INSTALLED)


def wake(conn: Connection, channels: Iterable[tuple[int, bool]]) -> None:
    """Queue one job per (channel, urgent) in the caller's transaction: look what waits there. Raises JobsMissing."""
    wanted = sorted(channels, reverse=True)
    if not wanted:
        return
    conn.execute("SELECT set_config('search_path', %s, true)", [SEARCH_PATH])
    for urgent in (True, False):
        jobs: list[dict[str, JSONValue]] = [
            {"channel_id": channel, "urgent": urgent} for channel, is_urgent in wanted if is_urgent is urgent
        ]
        if jobs:
            _defer(conn, jobs, urgent=urgent)


def _defer(conn: Connection, jobs: list[dict[str, JSONValue]], *, urgent: bool) -> None:
    queue, priority = (URGENT_QUEUE, URGENT) if urgent else (QUEUE, 0)
    try:
        _queue().configure_task(TASK, queue=queue, priority=priority, connection=conn).batch_defer(*jobs)
    except ConnectorException as error:
        if isinstance(error.__cause__, psycopg.errors.UndefinedObject | psycopg.errors.InvalidSchemaName):
            raise JobsMissing(_NOT_INSTALLED) from error
        if isinstance(error.__cause__, psycopg.Error):
            raise error.__cause__ from None
        raise


def worker_app(url: str, serve: Callable[[int, bool], None]) -> procrastinate.App:
    """The application a worker runs; `serve(channel_id, urgent)`.

    A job only says where to look; when to try again stands in the notifications themselves.
    """
    connector = procrastinate.PsycopgConnector(
        conninfo=url,
        min_size=1,
        max_size=6,  # two of them listen
        kwargs={
            "application_name": "watchkeep-dispatch-jobs",
            "options": f"-c timezone=UTC -c search_path={SEARCH_PATH.replace(' ', '')}",
        },
    )
    app = procrastinate.App(connector=connector)

    @app.task(name=TASK, queue=QUEUE)
    def run(channel_id: int, urgent: bool) -> None:
        serve(channel_id, urgent)

    return app


@cache
def _queue() -> procrastinate.App:
    """Only ever given the caller's connection: it opens none itself."""
    return procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def _scripts_after(version: str) -> list[str]:
    """procrastinate's own migrations from a version on, oldest first; their names begin with the version's numbers."""
    try:
        padded = ".".join(f"{int(part):02d}" for part in version.split("."))
    except ValueError:
        raise JobsMissing(f"schema jobs: cannot tell which procrastinate made it ({version})") from None
    names = sorted(path for path in migrations_path.glob("*.sql") if path.name.partition("_")[0] > padded)
    return [path.read_text(encoding="utf-8") for path in names]
