"""A trained model of one piece of equipment as the running service has it, and how it goes to the database and back."""

import io
from typing import Any, NamedTuple

import numpy as np

from watchkeep_analytics.batch import Bools, Floats
from watchkeep_analytics.detectors.equipment_model import Model
from watchkeep_core.errors import PermanentError

STEP_S = 300.0
"""A row: fine enough for a pump cycle's effects, coarse enough for points that report every few minutes."""

FORMAT = "1"
"""Of the stored parameters; another one is not read."""


class ModelError(PermanentError):
    """A model cannot be used, or what was asked of models cannot be done; the text says why."""


class Fitted(NamedTuple):
    """A regression of each channel on the others, and from where on a deviation is worth a warning."""

    channels: tuple[str, ...]
    """Metrics, in the order of all columns."""
    step_s: float
    """A row is the mean of so many seconds."""
    model: Model
    bound: Floats
    """[channels]: of the smoothed residual; infinite = the others do not explain this channel, it is never judged."""
    tail: Floats
    """[3]: excess that one row in twenty reaches, mean size beyond it, rows seen: for how rare something is."""


class Active(NamedTuple):
    """The version in force."""

    version: int
    fitted: Fitted


class Frame(NamedTuple):
    """Means of one piece of equipment on a grid without holes."""

    community: str
    equipment: str
    channels: tuple[str, ...]
    values: Floats
    """[n, channels]; NaN = no good reading in that step."""
    usable: Bools
    """[n]: not in maintenance, no warning stood."""
    step_s: float = STEP_S


class Outcome(NamedTuple):
    """What came of one frame."""

    community: str
    equipment: str
    fitted: Fitted | None
    why: str
    """Why there is none; "" = there is one."""
    figures: dict[str, Any]


def pack(fitted: Fitted) -> bytes:
    """Arrays only: reading it can run no code."""
    buffer = io.BytesIO()
    columns = {f"model_{name}": value for name, value in fitted.model._asdict().items()}
    columns |= {"channels": np.array(fitted.channels), "step_s": np.array(fitted.step_s)}
    columns |= {"bound": fitted.bound, "tail": fitted.tail, "format": np.array(FORMAT)}
    np.savez_compressed(buffer, **columns)
    return buffer.getvalue()


def unpack(data: bytes) -> Fitted:
    """Raises ModelError for what `pack` has not written, or another version of it has."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as saved:
            if str(saved["format"]) != FORMAT:
                raise ModelError(f"stored model: format {saved['format']!s}, this version reads {FORMAT}")
            parts = {name: saved[f"model_{name}"] for name in Model._fields}
            model = Model(**(parts | {"kind": str(parts["kind"])}))
            channels = tuple(str(name) for name in saved["channels"])
            return Fitted(channels, float(saved["step_s"]), model, saved["bound"], saved["tail"])
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise ModelError(f"stored model: {error}") from None


def rarity(tail: Floats, excess: float) -> float:
    """Once in how many rows an excess like this is to be expected, at most a million."""
    level, beyond, rows = tail.tolist()
    most = min(max(rows, 20.0) * 100, 1e6)
    steps = min(max((excess - level) / max(beyond, 1e-6), 0.0), np.log(most))
    return float(min(20.0 * np.exp(steps), most))
