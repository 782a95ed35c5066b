"""Time labels (8.2.2): second, minute, hour, day, month, year - 2000, one byte each, in local time."""

from datetime import UTC, datetime, tzinfo

TIME_BYTES = 6

_NO_TIME = bytes(TIME_BYTES)


def decode_time(label: bytes, zone: tzinfo, bcd: bool = False) -> datetime | None:
    """The moment, UTC; None when the six bytes are no date, as devices without a clock send."""
    if len(label) != TIME_BYTES:
        return None
    digits = [_from_bcd(byte) for byte in label] if bcd else list(label)
    second, minute, hour, day, month, year = digits
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def encode_time(moment: datetime | None, zone: tzinfo, bcd: bool = False) -> bytes:
    """Six bytes; fractions of a second are cut off. Raises ValueError outside the years 2000 to 2099."""
    if moment is None:
        return _NO_TIME
    local = moment.astimezone(zone)
    if not 2000 <= local.year <= 2099:
        raise ValueError(f"year {local.year} is not between 2000 and 2099")
    digits = (local.second, local.minute, local.hour, local.day, local.month, local.year - 2000)
    return bytes(digit // 10 * 16 + digit % 10 for digit in digits) if bcd else bytes(digits)


def _from_bcd(byte: int) -> int:
    """255 (no date has it) when a half is no decimal digit."""
    high, low = divmod(byte, 16)
    return high * 10 + low if high < 10 and low < 10 else 255
