"""`python -m watchkeep_ingest`: the part alone, as `watchkeep ingest`."""

from watchkeep_core.commands import run_app
from watchkeep_ingest.commands import app

if __name__ == "__main__":
    run_app(app)
