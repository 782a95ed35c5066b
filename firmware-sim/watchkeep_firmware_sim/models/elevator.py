"""A passenger lift: calls by the time of day, doors, rides, and what the machine feels of them."""

from collections import deque

from watchkeep_firmware_sim.models.base import NEVER, Site, Values
from watchkeep_firmware_sim.signals import LIFT_USE, WARMTH, Lag, Wander, at_hour, local_hour

RIDES_PER_HOUR = 40.0
"""At the peak; a residential lift of about 60 households (common practice)."""

_FLOOR_S = 1.15
"""Per floor; with 33 floors a whole run stays below the motor's limit of 45 s."""

_RIDE_FEATURES = (
    ("running_speed_percent", 99.5, 0.7),
    ("peak_acceleration", 0.95, 0.08),
    ("car_vibration_horizontal", 0.085, 0.008),
    ("car_vibration_vertical", 0.14, 0.015),
    ("levelling_error", 0.0, 1.6),
    ("door_open_time", 2.4, 0.09),
    ("door_close_time", 2.8, 0.09),
    ("car_noise", 49.0, 0.9),
    ("door_noise", 58.0, 1.0),
    ("machine_room_noise", 68.0, 1.2),
    ("brake_release_time", 0.22, 0.02),
    ("brake_engage_time", 0.28, 0.02),
)
"""Metric, mean of the fleet, standard deviation between rides; cut off at 3."""

_REST: Values = {"car_status": 0, "car_direction": 0, "door_zone": 1, "door_status": 1, "passenger_status": 2}


class Elevator:
    """One car; a ride is planned as a list of moments, each with what it changes."""

    metrics = frozenset(
        (*_REST, *(name for name, _, _ in _RIDE_FEATURES), "car_floor", "door_reopen_count", "motor_current_percent")
    ) | {"ride_count", "total_running_time", "machine_temperature", "machine_room_temperature", "intercom_test_age"}

    def __init__(self, site: Site) -> None:
        self._rng = rng = site.rng("rides")
        self._utc_offset_h = site.utc_offset_h
        self._floors = rng.randint(6, 33)
        self._means = {name: mean + 0.5 * sigma * rng.uniform(-1, 1) for name, mean, sigma in _RIDE_FEATURES}
        self._now: Values = {**_REST, "car_floor": float(rng.randint(1, self._floors))}
        self._idle = rng.uniform(0.5, 1.5)
        self._amps = self._idle
        self._rides = float(rng.randint(80_000, 900_000))
        self._hours = self._rides * rng.uniform(16, 22) / 3600
        self._intercom_phase = rng.uniform(0, 24)
        self._noise = Wander(site.rng("machine room"), 0.4, 1800)
        self._machine = Lag(32, 1800, site.start)
        self._plan: deque[tuple[float, Values]] = deque()
        self._plan_ride(site.start)

    def read(self, t: float) -> Values:
        hour = local_hour(t, self._utc_offset_h)
        room = 19 + 9 * at_hour(WARMTH, hour) + self._noise.at(t)
        running = self._now["car_status"] == 1
        use = 40.0 if running else 6 + 14 * at_hour(LIFT_USE, hour)
        return {
            **self._now,
            "motor_current_percent": self._amps * self._rng.uniform(0.98, 1.02),
            "machine_room_temperature": room,
            "machine_temperature": self._machine.follow(room + use, t),
            "ride_count": self._rides,
            "total_running_time": self._hours,
            "intercom_test_age": (t / 3600 + self._intercom_phase) % 24,
        }

    def next_change(self) -> float:
        return self._plan[0][0] if self._plan else NEVER

    def changed(self, t: float) -> Values:
        values: Values = {}
        while self._plan and self._plan[0][0] <= t:
            moment, change = self._plan.popleft()
            values |= change
            self._now |= {name: value for name, value in change.items() if name in self._now}
            self._amps = change.get("motor_current_percent", self._amps)
            self._rides = change.get("ride_count", self._rides)
            self._hours = change.get("total_running_time", self._hours)
            if not self._plan:
                self._plan_ride(moment)
        return values

    def halt(self, _t: float) -> None:
        self._plan.clear()
        self._now |= {"car_status": 0, "car_direction": 0}
        self._amps = self._idle

    def resume(self, t: float, states: Values) -> None:
        """The car levels, the doors open, whoever is inside leaves: only then is an entrapment over."""
        self._now |= {name: value for name, value in states.items() if name in self._now}
        self._now |= {"car_status": 0, "car_direction": 0, "door_zone": 1}
        self._plan_ride(self._visit(t + 2, leaving=True))

    def _plan_ride(self, after: float) -> None:
        """The next call: perhaps an empty run to where it comes from, then doors, run, doors."""
        rng = self._rng
        use = at_hour(LIFT_USE, local_hour(after, self._utc_offset_h))
        t = after + 3 + rng.expovariate(RIDES_PER_HOUR * use / 3600)
        here, home = int(self._now["car_floor"]), 1
        caller = home if here != home and rng.random() < 0.5 else rng.randint(1, self._floors)
        if caller != here:
            t = self._run(t, here, caller, load=0.0)
        t = self._visit(t + 0.8, leaving=False)
        away = [floor for floor in (home, rng.randint(2, self._floors)) if floor != caller]
        t = self._run(t + 0.8, caller, rng.choice(away or [home + 1]), load=rng.uniform(0.1, 0.7))
        self._visit(t + 0.8, leaving=True)

    def _visit(self, t: float, *, leaving: bool) -> float:
        """Doors open and close; somebody comes in or everybody leaves. Never open for 60 s."""
        dwell = self._rng.uniform(3, 8)
        self._plan.append((t, {"door_status": 2}))
        self._plan.append((t + 2.4 + dwell / 2, {"passenger_status": 2 if leaving else 1}))
        self._plan.append((t + 2.4 + dwell + 2.8, {"door_status": 1}))
        return t + 5.2 + dwell

    def _run(self, t: float, start: int, goal: int, load: float) -> float:
        """One run between landings; `load` of rated. Up with load and down without cost the motor most."""
        up = goal > start
        amps = 62 + (28 if up else -22) * (load - 0.4) + self._rng.uniform(-2, 2)
        takes = 3 + _FLOOR_S * abs(goal - start)
        self._plan.append((t, {"car_status": 1, "car_direction": 1 if up else 2, "motor_current_percent": amps}))
        self._plan.append((t + 1, {"door_zone": 2}))
        self._plan.append((t + takes - 1, {"door_zone": 1}))
        rides, hours = self._last_count()
        arrival: Values = {"car_status": 0, "car_direction": 0, "car_floor": float(goal)}
        arrival |= {"motor_current_percent": self._idle, "ride_count": rides + 1}
        arrival |= {"total_running_time": hours + takes / 3600, **self._feel()}
        self._plan.append((t + takes, arrival))
        return t + takes

    def _last_count(self) -> tuple[float, float]:
        """Counters after what is planned already."""
        for _, change in reversed(self._plan):
            if "ride_count" in change:
                return change["ride_count"], change["total_running_time"]
        return self._rides, self._hours

    def _feel(self) -> Values:
        rng = self._rng
        felt = {
            name: self._means[name] + sigma * max(-3.0, min(3.0, rng.gauss(0, 1))) for name, _, sigma in _RIDE_FEATURES
        }
        return felt | {"door_reopen_count": 1.0 if rng.random() < 0.08 else 0.0}
