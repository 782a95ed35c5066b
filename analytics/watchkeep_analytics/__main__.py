"""`python -m watchkeep_analytics`."""

from watchkeep_analytics.commands import app
from watchkeep_core.commands import run_app

run_app(app)
