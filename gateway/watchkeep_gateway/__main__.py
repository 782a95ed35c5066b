"""`python -m watchkeep_gateway`."""

from watchkeep_core.commands import run_app
from watchkeep_gateway.commands import app

run_app(app)
