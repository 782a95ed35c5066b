"""Lists of the vocabulary as SQL: what stands in braces in the statements of the boards."""

from collections.abc import Iterable
from functools import cache

from watchkeep_core import vocabulary
from watchkeep_core.vocabulary_rows import Metric
from watchkeep_dashboards.packaged import Language

MIN_ORDERS = 10
"""Below so many orders a company is not compared (DOMAIN §7.2, as in dispatch's indicators; a test compares)."""


@cache
def vocabulary_lists(language: Language) -> dict[str, str]:
    """Place → SQL. `elevator_conditions`, `elevator_kinds`: ids of a domain; `…_names`: rows of VALUES with words."""
    words = vocabulary.load()
    zh = language == "zh"
    found = {"language": language, "min_orders": str(MIN_ORDERS)}
    found["skew_tolerance_s"] = f"{words.parameters['clock_skew_tolerance'].value:g}"
    for domain in words.domains:
        found[f"{domain}_conditions"] = _quoted(id for id, term in words.conditions.items() if term.domain == domain)
        found[f"{domain}_kinds"] = _quoted(id for id, term in words.kinds.items() if term.domain == domain)
    platform = [(id, term) for id, term in words.conditions.items() if term.domain == "platform"]
    found["platform_condition_names"] = _rows((id, term.zh if zh else term.en) for id, term in platform)
    domains = {id: term.zh if zh else term.en for id, term in words.domains.items()}
    found["condition_domains"] = _rows((id, domains[term.domain]) for id, term in words.conditions.items())
    symbols = {id: f" ({unit.symbol})" if unit.symbol else "" for id, unit in words.units.items()}
    found["metric_names"] = _rows((id, (m.zh if zh else m.en) + symbols[m.unit]) for id, m in words.metrics.items())
    states = state_metrics()
    found["state_metrics"] = _quoted(states)
    found["state_bases"] = ", ".join(f"('{id}', {base_of(id)})" for id in states)
    found["state_names"] = ", ".join(
        f"('{id}', {code}, {_literal(state.zh if zh else state.en)})"
        for id, metric in states.items()
        for code, state in metric.states.items()
    )
    return found


def state_metrics() -> dict[str, Metric]:
    """Metrics whose values are codes of states."""
    return {id: metric for id, metric in vocabulary.load().metrics.items() if metric.value == "state"}


def base_of(metric: str) -> int:
    """The hundred at which a state metric's codes begin on the equipment board."""
    return 100 * list(state_metrics()).index(metric)


def _quoted(ids: Iterable[str]) -> str:
    return ", ".join(_literal(id) for id in ids)


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"({_literal(id)}, {_literal(text)})" for id, text in pairs)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
