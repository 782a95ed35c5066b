"""`python -m watchkeep_firmware_sim` is `watchkeep sim`."""

from watchkeep_core.commands import run_app
from watchkeep_firmware_sim.commands import app

if __name__ == "__main__":
    run_app(app)
