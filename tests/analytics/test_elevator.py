"""State logic of elevators, with the timers of DOMAIN §3.3."""

from tests.analytics.world import batch, brief, limit, moment, point, registry
from watchkeep_analytics.detectors.elevator import Elevator

CAR, ZONE, DOOR, PERSON = range(4)


def lift(limits=()) -> Elevator:
    names = ("car_status", "door_zone", "door_status", "passenger_status")
    return Elevator(registry([point(11 + k, name) for k, name in enumerate(names)], limits))


def at(t: float, car=None, zone=None, door=None, person=None) -> list[tuple[int, float, float]]:
    return [(row, t, float(x)) for row, x in enumerate((car, zone, door, person)) if x is not None]


def run(detector: Elevator, *instants, until: float) -> list[tuple[str, bool, float]]:
    found = detector.observe(batch([row for instant in instants for row in instant]))
    return brief(found + detector.tick(moment(detector._registry, until, watermark_s=until + 2)))


def test_trapped_in_zone_after_90_s_freed_when_the_door_opens():
    found = run(
        lift(),
        at(0, car=1, zone=1, door=1, person=1),
        at(10, car=0),
        at(60, person=1),
        at(200, door=2),
        until=300,
    )
    assert found == [("entrapment_in_zone", True, 100), ("entrapment_in_zone", False, 200)]


def test_an_ordinary_stop_is_no_entrapment():
    assert run(lift(), at(0, car=0, zone=1, door=1, person=1), at(5, door=2), at(9, person=2, door=1), until=500) == []


def test_a_flickering_sensor_counts_its_sightings():
    instants = [at(0, car=0, zone=1, door=1, person=2)]
    for t in (10, 30, 50, 70):
        instants += [at(t, person=1), at(t + 1, person=2)]
    assert run(lift(), *instants, until=100) == [("entrapment_in_zone", True, 90)]
    assert run(lift(), *instants[:-2], until=100) == []


def test_trapped_between_landings_after_15_s_even_when_the_sensor_loses_the_person():
    found = run(
        lift(), at(0, car=0, zone=2, door=1, person=1), at(5, person=2), at(40, zone=1), at(50, door=2), until=60
    )
    assert found == [("entrapment_off_zone", True, 15), ("entrapment_off_zone", False, 50)]


def test_stop_off_zone_needs_45_s():
    assert run(lift(), at(0, car=0, zone=2, door=1, person=2), at(44, car=1), until=400) == []
    found = run(lift(), at(0, car=0, zone=2, door=1, person=2), at(60, car=1), until=400)
    assert found == [("stop_off_zone", True, 45), ("stop_off_zone", False, 60)]


def test_door_open_while_running_is_debounced():
    assert run(lift(), at(0, car=1, zone=2, door=2), at(29, door=1), until=100) == []
    assert run(lift(), at(0, car=1, zone=2, door=2), until=30) == [("door_open_running", True, 30)]


def test_a_limit_row_of_the_register_goes_before_the_rule():
    rows = [limit(1, 12, "equals", 2.0, condition="stop_off_zone", tier="alarm")]
    assert run(lift(rows), at(0, car=0, zone=2, door=1, person=2), until=400) == []
