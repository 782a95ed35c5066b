"""Puts the estate of a load run into the register, so that its points are known, claimed and have limits."""

from collections.abc import Callable

from watchkeep_core import estate, vocabulary
from watchkeep_core.database import OWNER, connect
from watchkeep_firmware_sim.fleet_load.options import FleetOptions
from watchkeep_firmware_sim.fleet_load.plan import AREA, plan


def register(url: str, options: FleetOptions, done: Callable[[int], None] = lambda _: None) -> estate.Saved:
    """`url` is an administrator's; one transaction per community, after which `done` gets the points so far.

    Raises DatabaseUnavailable, DatabaseRefused and EstateError.
    """
    words = vocabulary.load()
    area = estate.Area(area_id=AREA, kind="city", name="模拟城区", name_en="Simulated city")
    communities = equipment = points = 0
    with connect(url, "sim-fleet", role=OWNER, autocommit=True) as conn:
        estate.save(conn, estate.Estate(areas=[area]), words)
        for community in plan(options).communities_of_estate():
            with conn.transaction():
                saved = estate.save(conn, estate.Estate(communities=[community]), words)
            communities += saved.communities
            equipment += saved.equipment
            points += saved.points
            done(points)
    return estate.Saved(communities=communities, equipment=equipment, points=points)
