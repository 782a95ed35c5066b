"""`python -m watchkeep_console`: the console's commands without the `watchkeep` command line."""

from watchkeep_console.commands import app
from watchkeep_core.commands import run_app

run_app(app)
