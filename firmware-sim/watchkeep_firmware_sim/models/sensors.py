"""What a sensor makes of the truth: noise, steps of its converter, a small error of its own, lost radio frames."""

from collections.abc import Sequence

import numpy as np

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.models.base import Group, Readings
from watchkeep_firmware_sim.models.generic import WHOLE
from watchkeep_firmware_sim.signals import Bools, normal, uniform

_STEP_BY_UNIT = {
    "kPa": 0.1,
    "celsius": 0.1,
    "percent": 0.05,
    "mA": 0.5,
    "A": 0.01,
    "V": 0.005,
    "Hz": 0.02,
    "mm_per_s": 0.02,
    "mg_per_L": 0.002,
    "NTU": 0.002,
    "pH": 0.005,
    "m3_per_h": 0.02,
    "dBm": 1.0,
    "lel_percent": 0.02,
    "degree": 0.05,
    "dBA": 0.1,
    "mm": 0.1,
    "m3": 0.01,
    "m": 0.005,
    "s": 0.01,
    "L_per_s": 0.01,
    "m3_per_min": 0.1,
    "m_per_s": 0.05,
}
"""Resolution of usual field instruments, in the metric's unit; noise has the size of one step. Others: no noise."""

_EXACT = frozenset(("outlet_pressure_setpoint", "battery_level", "sensor_age", "intercom_test_age", "tank_volume"))
"""Set or counted rather than measured."""

_GAIN = 0.002
"""Standard deviation of a sensor's own gain: class 0.2."""

FRAME_LOSS = 0.002
"""Share of the periodic messages of a battery radio that never arrive, at usual signal strength (common practice)."""


class Sensors:
    """Of n devices with the same metrics; noise is a function of the device, the metric and the moment."""

    def __init__(self, group: Group, metrics: Sequence[str], vocabulary: Vocabulary) -> None:
        rows = [vocabulary.metrics[name] for name in metrics if name not in _EXACT]
        self._metrics = vocabulary.metrics
        self._names = [r.id for r in rows if r.value == "number" and r.unit not in WHOLE and r.unit in _STEP_BY_UNIT]
        self._row = {name: row for row, name in enumerate(self._names)}
        self._step = np.array([[_STEP_BY_UNIT[vocabulary.metrics[name].unit]] for name in self._names])
        if self._names:
            self._keys = np.stack([group.keys(f"sensor {name}") for name in self._names])
            self._gain = 1 + _GAIN * np.clip(normal(self._keys, -1), -2.5, 2.5)
        self._frames = group.keys("frames")
        self._radio = "signal_strength" in metrics

    def measure(self, t: float, truth: Readings) -> Readings:
        """As told: exact zero stays zero (nothing flows, nothing turns), and nothing leaves what physics allow."""
        shown = dict(truth)
        names = [name for name in truth if name in self._row]
        if names:
            rows = [self._row[name] for name in names]
            step = self._step[rows]
            values = np.stack([truth[name] for name in names])
            noisy = values * self._gain[rows] + step * normal(self._keys[rows], round(t * 1000))
            told = np.where(values == 0, 0.0, np.round(noisy / step) * step)
            for name, value in zip(names, told, strict=True):
                metric = self._metrics[name]
                shown[name] = np.minimum(np.maximum(value, metric.min), metric.max)
        return shown

    def lost(self, t: float) -> Bools:
        """Whose periodic message of this moment the radio loses."""
        if not self._radio:
            return np.zeros(len(self._frames), np.bool_)
        return uniform(self._frames, round(t * 1000)) < FRAME_LOSS
