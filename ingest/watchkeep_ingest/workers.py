"""Several workers on one machine, kept alive by a parent; they share the partitions as those of several machines do."""

from functools import partial

from watchkeep_core.database import connect
from watchkeep_core.processes import Child, run_children
from watchkeep_core.service import Stop
from watchkeep_ingest.service import run as run_worker
from watchkeep_ingest.settings import IngestSettings


def run(settings: IngestSettings, stop: Stop) -> None:
    """Blocks until the stop. Raises WatchkeepError when the database cannot be had at the start."""
    if settings.workers == 1:
        run_worker(settings, stop)
        return
    settings.session_password()
    connect(settings.database_url.get_secret_value(), "ingest-parent").close()
    run_children([_child(settings, number) for number in range(settings.workers)], stop)


def _child(settings: IngestSettings, number: int) -> Child:
    """Each has its own `/health` and `/metrics`, on ports one behind the other."""
    port = settings.health_port + number if settings.health_port else 0
    own = settings.model_copy(update={"health_port": port, "workers": 1})
    return Child(f"ingest-{number}", partial(run_worker, own), settings.log_level)
