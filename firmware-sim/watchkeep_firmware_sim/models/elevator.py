"""Passenger lifts: calls by the time of day, doors, rides, and what the machine feels of them.

A call makes a cycle of fourteen moments (perhaps an empty run to the caller, doors, ride, doors). A cycle is planned at
once, so that states are looked up by how many of its moments have passed: exact at any step, from 0.1 s to an hour.
"""

from collections.abc import Mapping

import numpy as np

from watchkeep_firmware_sim.models.base import NEVER, Group, Readings
from watchkeep_firmware_sim.models.surroundings import lift_use, use_of_each
from watchkeep_firmware_sim.signals import Bools, Floats, Ints, Lag, Wander, between, normal, sub, uniform

RIDES_PER_HOUR = 40.0
"""At the peak; a residential lift of about 60 households (common practice)."""

_LONGEST_WAIT_S = 2700.0
_FLOOR_S = 1.15
"""Per floor; with 33 floors a whole run stays below the motor's limit of 45 s."""

_FEATURES = (
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
"""Metric, mean of the fleet, standard deviation between rides."""

_EMPTY_ARRIVES, _OPENS, _STARTS, _ARRIVES, _OPENS_AGAIN, _SHUT = 3, 4, 7, 10, 11, 13
_MOMENTS = 14
#                    idle | empty run ......... | doors ........ | ride ............. | doors ........
_STATES: dict[str, Floats] = {
    "car_status": np.array([0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0], np.float64),
    "door_zone": np.array([1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1], np.float64),
    "door_status": np.array([1, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 2, 2, 1], np.float64),
}
_ABOARD = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0], np.bool_)


class Elevators:
    """n cars."""

    metrics = frozenset(
        (*_STATES, "car_direction", "passenger_status", "car_floor", *(name for name, _, _ in _FEATURES))
    )
    metrics |= {"door_reopen_count", "motor_current_percent", "ride_count", "total_running_time", "machine_temperature"}
    metrics |= {"machine_room_temperature", "intercom_test_age", "supply_voltage_deviation"}

    def __init__(self, group: Group) -> None:
        self.group = group
        self._calls = group.keys("calls")
        self._feel = np.stack([group.keys(f"feel {name}") for name, _, _ in _FEATURES])
        self._means = np.array([[mean] for _, mean, _ in _FEATURES]) + np.array(
            [[sigma] for _, _, sigma in _FEATURES]
        ) * between(sub(self._feel, "mean"), -0.5, 0.5)
        self._reopens = group.keys("reopens")
        self._floors = np.floor(between(group.keys("floors"), 6, 34))
        self._idle = between(group.keys("idle"), 0.5, 1.5)
        self._base_rides = np.floor(between(group.keys("rides"), 80_000, 900_000))
        self._base_hours = self._base_rides * between(group.keys("hours"), 16, 22) / 3600
        self._intercom = between(group.keys("intercom"), 0, 24)
        self._noise = Wander(group.keys("machine room"), 1800)
        self._volts = Wander(group.keys("volts"), 300)
        self._machine = Lag(group.full(34), 1800, group.start)
        self._last = group.start
        n = group.size
        self._cycle = np.zeros(n, np.int64)
        self._times = np.full((_MOMENTS, n), group.start)
        self._goal = np.maximum(1.0, np.floor(uniform(group.keys("floor")) * self._floors) + 1)
        self._here, self._caller = self._goal.copy(), self._goal.copy()
        self._amps, self._directions = np.zeros((2, n)), np.zeros((2, n))
        self._runs, self._run_s = np.zeros((2, n), np.int64), np.zeros((2, n))
        self._aboard = np.ones(n, np.bool_)
        self._rides, self._hours = np.zeros(n, np.int64), np.zeros(n)
        self.halted: Bools = np.zeros(n, np.bool_)
        self._frozen: Readings = {}
        self._plan(np.arange(n), group.full(group.start))
        self._told_rides = self._rides.copy()
        self._told = self._now(group.start)

    def read(self, t: float) -> Readings:
        now = self.group.moment(t)
        use = lift_use(now)
        room = self.group.surroundings.indoor(now) + 4 + 5 * use + 0.5 * self._noise.at(t)
        states = self._now(max(t, self._last))
        rides, hours = self._counters(max(t, self._last))
        return {
            **states,
            "machine_room_temperature": room,
            "machine_temperature": self._machine.follow(room + 8 + 26 * use, t),
            "ride_count": self._base_rides + rides,
            "total_running_time": self._base_hours + hours,
            "intercom_test_age": (t / 3600 + self._intercom) % 24,
            "supply_voltage_deviation": self.group.surroundings.mains(now) + 0.3 * self._volts.at(t),
        }

    def next_change(self) -> Floats:
        later: Floats = np.where(self._times > self._last, self._times, NEVER).min(axis=0)
        return np.where(self.halted, NEVER, later)

    def changed(self, t: float) -> Readings:
        self._advance(t)
        states = self._now(t)
        values: Readings = {name: np.where(value != self._told[name], value, np.nan) for name, value in states.items()}
        rides, hours = self._counters(t)
        arrived = rides > self._told_rides
        if arrived.any():
            values |= {name: np.where(arrived, value, np.nan) for name, value in self._features(rides).items()}
            values["ride_count"] = np.where(arrived, self._base_rides + rides, np.nan)
            values["total_running_time"] = np.where(arrived, self._base_hours + hours, np.nan)
        self._told, self._told_rides = states, rides
        return values

    def halt(self, t: float, who: Bools) -> None:
        """Also between floors: the car stops where it is."""
        self._advance(t)
        now = self._now(t)
        still = {
            "car_status": self.group.full(0),
            "car_direction": self.group.full(0),
            "motor_current_percent": self._idle,
        }
        now |= still
        self._frozen = {name: np.where(who, now[name], self._frozen.get(name, now[name])) for name in now}
        self._rides, self._hours = self._counted(t, who)
        self.halted = self.halted | who

    def resume(self, t: float, who: Bools, states: Mapping[str, float]) -> None:
        """The car levels, the doors open, whoever is inside leaves: only then is an entrapment over."""
        index = np.flatnonzero(who & self.halted)
        if not len(index):
            return
        inside = self._frozen["passenger_status"][index] == 1
        self._aboard[index] = states.get("passenger_status", 0) == 1 if "passenger_status" in states else inside
        self._here[index] = self._caller[index] = self._goal[index] = self._frozen["car_floor"][index]
        self._times[:, index] = t
        self._doors(index, self._times[_ARRIVES, index] + 2, _OPENS_AGAIN)
        self._runs[:, index], self._run_s[:, index] = 0, 0
        self.halted = self.halted & ~who
        self._last = max(self._last, t)
        self._told = self._now(t)

    def _advance(self, t: float) -> None:
        self._last = max(self._last, t)
        while True:
            done = np.flatnonzero((self._times[_SHUT] <= t) & ~self.halted)
            if not len(done):
                return
            self._rides[done] += self._runs[:, done].sum(axis=0)
            self._hours[done] += self._run_s[:, done].sum(axis=0) / 3600
            self._plan(done, self._times[_SHUT, done].copy())

    def _plan(self, index: Ints, after: Floats) -> None:
        """The next call of these cars: perhaps an empty run to where it comes from, then doors, run, doors."""
        self._cycle[index] += 1
        calls, cycle = self._calls[index], self._cycle[index]
        draw = uniform(calls[None, :], 16 * cycle[None, :] + np.arange(8)[:, None])
        rate = RIDES_PER_HOUR * use_of_each(after, self.group.utc_offset_h) / 3600
        t = after + 3 + np.minimum(-np.log1p(-draw[0]) / rate, _LONGEST_WAIT_S)
        floors, here = self._floors[index], self._goal[index]
        anywhere = np.floor(draw[1] * floors) + 1
        caller = np.where((here != 1) & (draw[2] < 0.5), 1.0, anywhere)
        elsewhere = 2 + np.floor(draw[3] * (floors - 1))
        goal = np.where((caller == 1) | (draw[4] < 0.5), elsewhere, 1.0)
        goal = np.where(goal == caller, np.where(caller == 1, 2.0, 1.0), goal)
        self._here[index], self._caller[index], self._goal[index] = here, caller, goal
        t = self._run(index, 0, t, caller - here, np.zeros(len(index)), draw[5])
        t = self._doors(index, t + 0.8, _OPENS)
        t = self._run(index, 1, t + 0.8, goal - caller, 0.1 + 0.6 * draw[6], draw[7])
        self._doors(index, t + 0.8, _OPENS_AGAIN)
        self._times[0:_OPENS, index] = np.where(
            caller == here, self._times[_OPENS, index], self._times[0:_OPENS, index]
        )
        self._aboard[index] = True

    def _doors(self, index: Ints, t: Floats, first: int) -> Floats:
        """Doors open and close; somebody comes in or everybody leaves. Never open for 60 s."""
        dwell = between(self._calls[index], 3, 8, 16 * self._cycle[index] + 8 + first)
        self._times[first, index] = t
        self._times[first + 1, index] = t + 2.4 + dwell / 2
        self._times[first + 2, index] = t + 5.2 + dwell
        return t + 5.2 + dwell

    def _run(self, index: Ints, which: int, t: Floats, floors: Floats, load: Floats, draw: Floats) -> Floats:
        """One run between landings; `load` of rated. Up with load and down without cost the motor most."""
        up = floors > 0
        takes = np.where(floors != 0, 3 + _FLOOR_S * np.abs(floors), 0.0)
        self._amps[which, index] = 62 + np.where(up, 28, -22) * (load - 0.4) + 4 * draw - 2
        self._directions[which, index] = np.where(up, 1.0, 2.0)
        self._runs[which, index] = floors != 0
        self._run_s[which, index] = takes
        first = 0 if which == 0 else _STARTS
        self._times[first : first + 4, index] = np.stack([t, t + 1, t + takes - 1, t + takes])
        return t + takes

    def _now(self, t: float) -> Readings:
        stage = (self._times <= t).sum(axis=0)
        empty, ride = (stage >= 1) & (stage <= 3), (stage >= 8) & (stage <= 10)
        way = np.where(empty, self._directions[0], np.where(ride, self._directions[1], 0.0))
        amps = np.where(empty, self._amps[0], np.where(ride, self._amps[1], self._idle))
        floor = np.where(stage < 4, self._here, np.where(stage < 11, self._caller, self._goal))
        values = {name: table[stage] for name, table in _STATES.items()}
        values |= {"car_direction": way, "motor_current_percent": amps, "car_floor": floor}
        values["passenger_status"] = np.where(_ABOARD[stage] & self._aboard, 1.0, 2.0)
        if self.halted.any():
            values = {name: np.where(self.halted, self._frozen[name], value) for name, value in values.items()}
        return values

    def _counters(self, t: float) -> tuple[Ints, Floats]:
        """Rides and hours since the start."""
        passed = (self._times[[_EMPTY_ARRIVES, _ARRIVES]] <= t) & ~self.halted
        rides = self._rides + (self._runs * passed).sum(axis=0)
        hours = self._hours + (self._run_s * passed).sum(axis=0) / 3600
        return rides, hours

    def _counted(self, t: float, who: Bools) -> tuple[Ints, Floats]:
        rides, hours = self._counters(t)
        return np.where(who, rides, self._rides), np.where(who, hours, self._hours)

    def _features(self, rides: Ints) -> Readings:
        sigmas = np.array([[sigma] for _, _, sigma in _FEATURES])
        felt = self._means + sigmas * np.clip(normal(self._feel, rides), -3, 3)
        values = {name: felt[row] for row, (name, _, _) in enumerate(_FEATURES)}
        return values | {"door_reopen_count": (uniform(self._reopens, rides) < 0.08).astype(np.float64)}
