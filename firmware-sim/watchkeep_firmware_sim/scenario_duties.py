"""Who must get the order for a condition, and of which class: ground truth after DOMAIN §5.3 (scenario_duties.toml).

Written down here a second time on purpose: what dispatch does is measured against it. A test holds it and the default
responsibility list together.
"""

import tomllib
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

from watchkeep_core.vocabulary import load

_ELSE = "*"


class Duty(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"case_class": "class"},
):
    """What is expected for some conditions; parties are ids of the vocabulary."""

    case_class: Literal["A", "B", "C"]
    party: str
    """Responsible, when nothing below says otherwise."""
    by_kind: dict[str, str] = {}
    by_domain: dict[str, str] = {}
    """Domain of the kind of equipment → party."""
    handed_over: str | None = None
    """When the installation was handed over to a utility."""
    by_ownership: dict[str, str] = {}
    in_warranty: str | None = None
    conditions: list[str] = []
    domains: list[str] = []
    """Of conditions without a row of their own."""

    def responsible(self, *, ownership: str, handed_over: bool, in_warranty: bool) -> str:
        """The party for one piece of equipment, by the facts of the register."""
        if handed_over and self.handed_over:
            return self.handed_over
        if in_warranty and self.in_warranty:
            return self.in_warranty
        return self.by_ownership.get(ownership, self.party)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    duty: list[Duty]


def expected(condition: str, kind: str) -> Duty:
    """The duty for this condition at equipment of this kind."""
    rows, words = _rows(), load()
    domains = [row.domain for row in (words.kinds.get(kind), words.conditions.get(condition)) if row]
    duty = rows.get(condition) or next(
        (row for name in domains[::-1] if (row := rows.get(f"domain {name}"))), rows[_ELSE]
    )
    party = duty.by_kind.get(kind) or next((duty.by_domain[name] for name in domains if name in duty.by_domain), None)
    plain = msgspec.structs.replace(duty, conditions=[], domains=[], by_kind={}, by_domain={})
    if party is None:
        return plain
    return msgspec.structs.replace(plain, party=party, handed_over=None, by_ownership={}, in_warranty=None)


@cache
def _rows() -> dict[str, Duty]:
    text = resources.files("watchkeep_firmware_sim").joinpath("scenario_duties.toml").read_text(encoding="utf-8")
    rows: dict[str, Duty] = {}
    for duty in msgspec.convert(tomllib.loads(text), _File).duty:
        rows |= dict.fromkeys(duty.conditions, duty) | {f"domain {name}": duty for name in duty.domains}
        if not duty.conditions and not duty.domains:
            rows[_ELSE] = duty
    return rows
