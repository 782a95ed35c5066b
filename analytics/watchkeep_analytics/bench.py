"""`watchkeep bench detect`: recorded benchmarks, the simulated fleet, the cost of a sample, the way of an event.

No threshold is chosen on what it is scored on: NAB's and SKAB's come from the other half of the files, BATADAL's from
its clean year, the fleet's are constants of the detectors.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from watchkeep_analytics import bench_events
from watchkeep_analytics import bench_nab as nab
from watchkeep_analytics import bench_recorded as recorded
from watchkeep_analytics.bench_account import Found, Outcome
from watchkeep_analytics.bench_cost import measure
from watchkeep_analytics.bench_fleet import Fleet, run_fleet, run_fleets
from watchkeep_core.bench import Measure, Result, at_least, at_most, machine, versions
from watchkeep_core.errors import SettingsError

GROUPS = ("nab", "skab", "batadal", "fleet", "rules", "cost", "events")


def run_bench(
    data: Path | None,
    fleets: Sequence[Fleet],
    learnt: set[str],
    *,
    every_rule: Fleet | None = None,
    seed: int,
    groups: Sequence[str] = GROUPS,
    say: Callable[[str], None] = lambda _: None,
    target: bench_events.Target | None = None,
) -> Result:
    """`data` holds nab, skab and batadal; `learnt` are the fleets' scenarios that only statistics can see.

    `every_rule` has each of the others, from just beyond the limit to the full fault, for a few days of each kind.

    Raises SettingsError without `data` or `target` when it is needed, SeriesError for a file that cannot be read.
    """
    measures: list[Measure] = []
    for group in groups:
        say(group)
        if group == "fleet":
            measures += _fleet(run_fleets(fleets, learnt, say), say)
        elif group == "rules":
            measures += _rules(every_rule or {}, learnt, say)
        elif group == "cost":
            measures += _cost(seed)
        elif group == "events":
            measures += _events(target)
        elif data is None:
            raise SettingsError(f"data: {group} needs the folder of recorded data (--data or WATCHKEEP_TEST_DATA)")
        else:
            measures += {"nab": _nab, "skab": _skab, "batadal": _batadal}[group](data, seed)
    return Result(
        bench="detect",
        machine=machine() | {"seed": seed},
        versions=versions("numba", "numpy", "scikit-learn"),
        measures=measures,
    )


def _nab(data: Path, seed: int) -> list[Measure]:
    series = nab.load(data)
    found = []
    for name, price, goal in (("standard", nab.FALSE_STANDARD, 64.0), ("low_fp", nab.FALSE_LOW_FP, 54.0)):
        splits = nab.held_out(series, price, seed)
        mean = sum(split.score for split in splits) / len(splits)
        own = nab.tally(series, nab.best_level(series, price), price)
        found += [
            at_least(f"nab_{name}_held_out", "points", goal, [mean]),
            at_least(f"nab_{name}_own_threshold", "points", None, [own.score]),
            at_least(f"nab_{name}_windows_hit", f"of {sum(s.windows for s in series)}", None, [float(own.hit)]),
            at_most(f"nab_{name}_false_points", "points", None, [float(own.false)]),
        ]
    return found


def _skab(data: Path, seed: int) -> list[Measure]:
    splits = recorded.skab(data, nab.SPLITS, seed)

    def mean(column: int) -> list[float]:
        return [sum(split[column] for split in splits) / len(splits)]

    return [
        at_least("skab_f1_held_out", "ratio", 0.82, mean(0)),
        at_most("skab_far", "ratio", 0.20, mean(1)),
        at_most("skab_mar", "ratio", None, mean(2)),
    ]


def _batadal(data: Path, seed: int) -> list[Measure]:
    found = recorded.batadal(data)
    return [
        at_least("batadal_s", "ratio", 0.95, [found.s]),
        at_least("batadal_found", f"of {found.attacks}", None, [float(found.found)]),
        at_most("batadal_false_episodes", "episodes", 2.0, [float(found.false_episodes)]),
    ]


def _fleet(outcome: Outcome, say: Callable[[str], None]) -> list[Measure]:
    for name, count in sorted(outcome.false.items(), key=lambda item: -item[1]):
        say(f"false: {count} {name}")
    for name, (hit, count) in sorted(outcome.by_scenario().items()):
        say(f"found: {hit} of {count} {name}")
    _name(outcome, say)
    return [
        at_most("fleet_false_per_series_month", "warnings", 0.004, [outcome.false_rate]),
        at_most("fleet_beside_a_fault", "warnings", None, [float(outcome.beside)]),
        at_most("fleet_false_hints", "notices", None, [float(sum(outcome.hints.values()))]),
        at_least("fleet_recall_rules", "ratio", 1.0, [outcome.recall(learnt=False)]),
        at_most("fleet_rule_delay", "s", 1.0, [outcome.rule_delay_s()]),
        at_most("fleet_not_shown", "faults", None, [float(len(outcome.not_shown()))]),
        at_least("fleet_recall_statistical", "ratio", 0.75, [outcome.recall(learnt=True)]),
        at_least("fleet_statistical_any_condition", "ratio", None, [outcome.noticed()]),
        at_most("fleet_gradual_delay_share", "ratio", 0.4, [outcome.share()]),
        at_least("fleet_explained", "ratio", 1.0, [outcome.explained / max(outcome.warnings, 1)]),
        at_least("fleet_series_months", "months", None, [outcome.series_months]),
        at_most("fleet_detector_failures", "calls", 0.0, [float(outcome.failures)]),
        at_least("fleet_faults", "faults", None, [float(len(outcome.faults))]),
    ]


def _rules(every_rule: Fleet, learnt: set[str], say: Callable[[str], None]) -> list[Measure]:
    faults: list[Found] = []
    failures = 0
    for kind, run in every_rule.items():
        say(f"rules: {kind}")
        outcome = run_fleet({kind: run}, learnt, warm_up_s=0.0)
        faults, failures = faults + outcome.faults, failures + outcome.failures
    whole = Outcome(faults)
    _name(whole, say)
    return [
        at_least("rules_recall_every_severity", "ratio", 1.0, [whole.recall(learnt=False)]),
        at_most("rules_delay", "s", 1.0, [whole.rule_delay_s()]),
        at_least("rules_faults", "faults", None, [float(len(faults))]),
        at_most("rules_not_shown", "faults", None, [float(len(whole.not_shown()))]),
        at_most("rules_detector_failures", "calls", 0.0, [float(failures)]),
    ]


def _name(outcome: Outcome, say: Callable[[str], None]) -> None:
    for fault in outcome.missed():
        say(f"missed by rules: {fault.line()}")
    for fault in outcome.not_shown():
        say(f"never beyond a limit for long enough, not counted: {fault.line()}")


def _events(target: bench_events.Target | None) -> list[Measure]:
    if target is None:
        raise SettingsError("events: needs a database and a broker of its own")
    found = bench_events.measure(target)
    return [
        at_most("event_to_warning_p99", "ms", 300.0, [found.p99_ms]),
        at_most("event_to_warning_p50", "ms", None, [found.p50_ms]),
        at_least("event_flood", "rows/s", None, [found.rows_per_s]),
        at_least("event_data_lane_behind", "rows", 1.0, [float(found.backlog_rows)]),
    ]


def _cost(seed: int) -> list[Measure]:
    runs = [measure(100_000, 20_000, 20, seed + run) for run in range(3)]
    return [
        at_most("cost_layers_1_to_3", "µs/sample", 0.8, [run.three_layers_us for run in runs]),
        at_most("cost_all_layers", "µs/sample", None, [run.all_us for run in runs]),
        at_most("cost_learned_levels", "µs/sample", None, [run.learned_us for run in runs]),
        at_most("state_per_series", "bytes", 1000.0, [run.bytes_per_series for run in runs]),
    ]
