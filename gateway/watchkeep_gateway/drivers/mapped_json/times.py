"""The time a foreign publisher gives, in one of its formats, to ms since 1970 UTC; pure."""

from datetime import UTC, datetime
from typing import Any

from watchkeep_core.errors import MessageError
from watchkeep_gateway.drivers.mapped_json.tables import TimeFormat

_MS_ABOVE = 1e11  # seconds reach it in the year 5138, milliseconds have had it since 1973


def time_ms(value: Any, form: TimeFormat) -> int:
    """Raises MessageError `bad_time`. ISO 8601 without an offset is UTC."""
    if form == "auto":
        form = (
            "iso" if isinstance(value, str) else ("ms" if isinstance(value, int | float) and value > _MS_ABOVE else "s")
        )
    try:
        if form == "iso":
            moment = datetime.fromisoformat(value)
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        if isinstance(value, bool):
            raise TypeError("a boolean")
        return int(float(value) * (1 if form == "ms" else 1000))
    except (TypeError, ValueError, OverflowError) as error:
        raise MessageError("bad_time", f"{value!r:.80} is no time ({form}): {str(error)[:80]}") from None
