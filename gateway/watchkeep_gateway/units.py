"""Units that devices use, to the vocabulary's: one small table, so that nothing is converted by guesswork."""

from typing import NamedTuple


class Conversion(NamedTuple):
    """value in the vocabulary's unit = value × factor + offset."""

    factor: float
    offset: float = 0.0


SAME = Conversion(1.0)

CONVERSIONS: dict[tuple[str, str], Conversion] = {
    ("Pa", "kPa"): Conversion(0.001),
    ("MPa", "kPa"): Conversion(1000),
    ("bar", "kPa"): Conversion(100),
    ("mbar", "kPa"): Conversion(0.1),
    ("psi", "kPa"): Conversion(6.894757293168),
    ("kgf_per_cm2", "kPa"): Conversion(98.0665),
    ("mH2O", "kPa"): Conversion(9.80665),
    ("K", "celsius"): Conversion(1, -273.15),
    ("fahrenheit", "celsius"): Conversion(5 / 9, -160 / 9),
    ("fraction", "percent"): Conversion(100),
    ("permille", "percent"): Conversion(0.1),
    ("A", "mA"): Conversion(1000),
    ("mA", "A"): Conversion(0.001),
    ("mV", "V"): Conversion(0.001),
    ("kV", "V"): Conversion(1000),
    ("g", "m_per_s2"): Conversion(9.80665),
    ("mg", "m_per_s2"): Conversion(0.00980665),
    ("m_per_min", "m_per_s"): Conversion(1 / 60),
    ("mm_per_s", "m_per_s"): Conversion(0.001),
    ("m_per_s", "mm_per_s"): Conversion(1000),
    ("cm", "m"): Conversion(0.01),
    ("mm", "m"): Conversion(0.001),
    ("cm", "mm"): Conversion(10),
    ("m", "mm"): Conversion(1000),
    ("ms", "s"): Conversion(0.001),
    ("min", "s"): Conversion(60),
    ("s", "min"): Conversion(1 / 60),
    ("s", "h"): Conversion(1 / 3600),
    ("min", "h"): Conversion(1 / 60),
    ("day", "h"): Conversion(24),
    ("L", "m3"): Conversion(0.001),
    ("L_per_s", "m3_per_h"): Conversion(3.6),
    ("L_per_min", "m3_per_h"): Conversion(0.06),
    ("L_per_h", "m3_per_h"): Conversion(0.001),
    ("m3_per_s", "m3_per_h"): Conversion(3600),
    ("m3_per_h", "m3_per_min"): Conversion(1 / 60),
    ("m3_per_h", "L_per_s"): Conversion(1 / 3.6),
    ("ug_per_L", "mg_per_L"): Conversion(0.001),
}
"""(device's unit, vocabulary's unit). Factors of mH2O, kgf/cm², g: standard gravity 9.80665 m/s²; psi: NIST SP 811."""


def conversion(unit: str, wanted: str) -> Conversion | None:
    """How `unit` becomes `wanted`; None when it cannot."""
    return SAME if unit == wanted else CONVERSIONS.get((unit, wanted))


def convertible(wanted: str) -> tuple[str, ...]:
    """Units that a value of `wanted` may be declared in."""
    return (wanted, *(unit for unit, target in CONVERSIONS if target == wanted))
