"""docs/lifecycle.md, written from the tables that the code goes by: `watchkeep dispatch lifecycle --format page`."""

from collections.abc import Iterable, Sequence

from watchkeep_dispatch.escalation import CASE_LEVELS, DISPATCH_WITHIN, LEVELS, VERIFY_LEVELS, Level
from watchkeep_dispatch.fund import STEPS
from watchkeep_dispatch.lifecycle import NOTES, RANKS, markdown, mermaid


def page() -> str:
    """The whole page."""
    parts = (
        "# The life of a case\n\nWritten by `watchkeep dispatch lifecycle --format page`; a test compares.\n",
        f"```mermaid\n{mermaid()}```\n",
        f"## Steps\n\n{markdown()}",
        f"## Recorded without a change of state\n\n{_table(('what', 'meaning'), NOTES.items())}",
        f"## Who may grant a pause or more time\n\n{_table(('role', 'rank'), RANKS.items())}"
        "\nIt takes a higher rank than that of whoever asks, and nobody grants it to himself. A pause"
        " that nobody has decided on within 24 hours has lapsed.\n",
        f"## Clocks and the chain of escalation\n\n{_chains()}",
        f"## Emergency use of the maintenance fund\n\n{_fund()}",
    )
    return "\n".join(parts)


def _chains() -> str:
    minutes = int(DISPATCH_WITHIN.total_seconds() // 60)
    return "\n".join(
        (
            f"respond, arrive, finish (as the duty says, from dispatch):\n\n{_rungs(LEVELS)}",
            f"verify (1 working day from the handler's report):\n\n{_rungs(VERIFY_LEVELS)}",
            f"dispatch ({minutes} min from filing or return) and call-back (1 working day from closing):\n\n"
            f"{_rungs(CASE_LEVELS)}",
        )
    )


def _rungs(rungs: tuple[Level, ...]) -> str:
    rows = ((str(rung.level), rung.card, _moment(rung), rung.to_party, ", ".join(rung.roles)) for rung in rungs)
    return _table(("level", "card", "when", "organisation", "people"), rows)


def _moment(rung: Level) -> str:
    if rung.after < 0:
        return "75 % of the time, or one working day before"
    return f"{rung.after:.0%} of the time after the deadline" if rung.after else "at the deadline"


def _fund() -> str:
    rows = (
        (step.action, ", ".join(step.from_states) or "–", step.to, ", ".join(step.actors), "yes" if step.apart else "")
        for step in STEPS
    )
    return _table(("step", "from", "to", "by", "another person than before"), rows)


def _table(heading: tuple[str, ...], rows: Iterable[Sequence[object]]) -> str:
    lines: list[Iterable[str]] = [heading, ["---"] * len(heading)]
    lines += [[str(cell) for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
