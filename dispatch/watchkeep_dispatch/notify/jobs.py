"""The job queue: procrastinate in a PostgreSQL schema of its own, `jobs`, owned by our owner.

Its statements name their tables without a schema, so every connection that uses it has `jobs` in its search path: the
worker for good, a caller's transaction until its end.
"""

from collections.abc import Callable, Sequence
from functools import cache

import procrastinate
import psycopg
from procrastinate import retry
from procrastinate.exceptions import ConnectorException
from procrastinate.schema import SchemaManager, migrations_path
from procrastinate.types import JSONValue
from psycopg import Connection, sql

from watchkeep_core.database import OWNER, connect, queries
from watchkeep_core.errors import TransientError
from watchkeep_dispatch.errors import JobsMissing

SCHEMA = "jobs"
SEARCH_PATH = f"public, {SCHEMA}"
TASK = "watchkeep.deliver"
QUEUE = "notify"
URGENT = 10
"""Priority of life-safety notifications; others have 0."""
MAX_ATTEMPTS = 6
"""First try and retries after 3, 9, 27, 81 and 243 s: beyond six minutes a person has to look."""
_WAIT_BASE_S = 3
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


def defer(conn: Connection, notification_ids: Sequence[int], *, priority: int = 0) -> None:
    """Queue the hand-over of notifications in the caller's transaction. Raises JobsMissing."""
    if not notification_ids:
        return
    conn.execute("SELECT set_config('search_path', %s, true)", [SEARCH_PATH])
    deferrer = _queue().configure_task(TASK, queue=QUEUE, priority=priority, connection=conn)
    jobs: list[dict[str, JSONValue]] = [{"notification_id": number} for number in notification_ids]
    try:
        deferrer.batch_defer(*jobs)
    except ConnectorException as error:
        if isinstance(error.__cause__, psycopg.errors.UndefinedObject | psycopg.errors.InvalidSchemaName):
            raise JobsMissing(_NOT_INSTALLED) from error
        if isinstance(error.__cause__, psycopg.Error):
            raise error.__cause__ from None
        raise


def worker_app(url: str, deliver: Callable[[int, int], None]) -> procrastinate.App:
    """The application a worker runs; `deliver(notification_id, attempt)`, attempts counted from 1.

    Only a TransientError is tried again.
    """
    connector = procrastinate.PsycopgConnector(
        conninfo=url,
        min_size=1,
        max_size=4,
        kwargs={
            "application_name": "watchkeep-dispatch-jobs",
            "options": f"-c timezone=UTC -c search_path={SEARCH_PATH.replace(' ', '')}",
        },
    )
    app = procrastinate.App(connector=connector)
    strategy = retry.RetryStrategy(
        max_attempts=MAX_ATTEMPTS - 1, exponential_wait=_WAIT_BASE_S, retry_exceptions=[TransientError]
    )

    @app.task(name=TASK, queue=QUEUE, retry=strategy, pass_context=True)
    def run(context: procrastinate.JobContext, notification_id: int) -> None:
        deliver(notification_id, context.job.attempts + 1)

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
