"""`python -m watchkeep_dispatch` = `watchkeep dispatch`."""

from watchkeep_core.commands import run_app
from watchkeep_dispatch.commands import app

if __name__ == "__main__":
    run_app(app)
