"""Trains the models of many pieces of equipment: read a chunk, fit it on all cores or a cluster, write it, go on."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import joblib
from psycopg import Connection

from watchkeep_analytics.models import frames, store
from watchkeep_analytics.models.fitted import ModelError, Outcome
from watchkeep_analytics.models.frames import Item, Span

Backend = Literal["joblib", "dask"]

CHUNK = 32
"""Frames in memory at once: 28 days of 60 channels are 4 MB."""

_LOCK = 0x574B_414D  # "WKAM": one training at a time in an installation


@contextmanager
def workers(backend: Backend, jobs: int, cluster: str | None) -> Iterator[joblib.Parallel]:
    """Processes of this machine, or a Dask cluster: that of the address, else one of `jobs` processes here.

    Raises ModelError when dask is wanted and not installed, or its scheduler cannot be reached.
    """
    if backend == "joblib":
        with joblib.Parallel(n_jobs=jobs) as parallel:
            yield parallel
        return
    try:
        from distributed import Client
    except ImportError:
        raise ModelError('backend dask: not installed; pip install "watchkeep[dask]"') from None
    try:
        local = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
        client: Any = Client(cluster, timeout=30) if cluster else Client(**local)  # type: ignore[no-untyped-call] # untyped
    except OSError as error:
        raise ModelError(f"cluster {cluster}: {error}") from None
    with client, joblib.parallel_config(backend="dask"), joblib.Parallel() as parallel:
        yield parallel


def run(
    conn: Connection,
    items: Sequence[Item],
    span: Span,
    parallel: joblib.Parallel,
    *,
    keep: bool = True,
    progress: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """Train and, with `keep`, store and activate; `conn` in autocommit. What came of it, in figures.

    `progress` is told how many are done. Raises ModelError while another training runs.
    """
    if conn.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
        raise ModelError("another training is running")
    counts: Counter[str] = Counter()
    done = 0
    try:
        for chunk in (items[at : at + CHUNK] for at in range(0, len(items), CHUNK)):
            outcomes = _chunk(conn, chunk, span, parallel)
            if keep:
                with conn.transaction():
                    store.put(conn, outcomes, span)
            counts.update(outcome.why or "trained" for outcome in outcomes)
            done += len(chunk)
            progress(done)
    finally:
        conn.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    trained = counts.pop("trained", 0)
    refused = [{"why": why, "equipment": count} for why, count in counts.most_common()]
    return {"from": span.since, "to": span.until, "equipment": len(items), "trained": trained, "refused": refused}


def _chunk(conn: Connection, chunk: Sequence[Item], span: Span, parallel: joblib.Parallel) -> list[Outcome]:
    from watchkeep_analytics.models.fitting import attempt  # scikit-learn and numba, which no other verb wants

    busy = "its model warns now: what it shows is nothing to learn from"
    outcomes = [Outcome(item.community, item.equipment, None, busy, {}) for item in chunk if item.warns]
    free = [frames.read(conn, item, span) for item in chunk if not item.warns]
    return outcomes + list(parallel(joblib.delayed(attempt)(frame) for frame in free))
