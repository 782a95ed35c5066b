"""`python -m watchkeep_dashboards`: the part alone, as `watchkeep dashboards`."""

from watchkeep_core.commands import run_app
from watchkeep_dashboards.commands import app

if __name__ == "__main__":
    run_app(app)
