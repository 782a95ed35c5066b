"""The fleet as load: many gateways at once straight to MQTT in the wire format, with a ledger of what was sent."""

from watchkeep_firmware_sim.fleet_load.links import LOAD_USER, Login
from watchkeep_firmware_sim.fleet_load.options import FleetOptions
from watchkeep_firmware_sim.fleet_load.run import Snapshot, run_fleet

__all__ = ["LOAD_USER", "FleetOptions", "Login", "Snapshot", "run_fleet"]
