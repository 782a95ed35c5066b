"""What is compiled: kept for later processes, made anew when it changes, and only where telemetry is judged."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numba import config
from numba.core.dispatcher import Dispatcher

import watchkeep_analytics
from tests.analytics.test_contract import PUMP, trained
from tests.analytics.world import T0, limit, point
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.engine import Engine, prepare
from watchkeep_analytics.feedback import STATISTICAL, Feedback
from watchkeep_analytics.models.fitted import Active
from watchkeep_analytics.suppression import Modes

SHAPES = {"PARTS", "BINS", "SLOTS", "prefetch"}
"""What shapes the records that a function is compiled for, or changes no result."""

compiles = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="NUMBA_DISABLE_JIT is set, as by make coverage")

TWICE = """
from watchkeep_analytics.compiled import compiled

@compiled
def twice(x):
    return 2 * x
"""


def test_what_a_compiled_function_uses_stands_in_its_file():
    """numba looks at that file alone to see whether what it has kept is still right."""
    looked_at = 0
    for path in Path(watchkeep_analytics.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        others = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("watchkeep_")
            for alias in node.names
        } - SHAPES
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "compiled" for d in node.decorator_list):
                used = {name.id for part in node.body for name in ast.walk(part) if isinstance(name, ast.Name)}
                assert not used & others, f"{path.name}: {node.name} uses {used & others}"
                looked_at += 1
    assert looked_at > 10


def test_who_does_not_judge_telemetry_does_not_load_the_compiler():
    modules = ("service", "event_lane", "commands", "desk", "models.nightly", "explanations", "rules")
    code = (
        f"import sys, {', '.join(f'watchkeep_analytics.{name}' for name in modules)};"
        "print([name for name in ('numba', 'sklearn') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=150, check=True)
    assert shown.stdout.strip() == "[]"


def load(path: Path) -> ModuleType:
    """As a new process would."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@compiles
@pytest.mark.slow
def test_a_torn_file_of_the_cache_is_none(tmp_path):
    path = tmp_path / "kernel.py"
    path.write_text(TWICE)
    assert load(path).twice(21) == 42
    kept = [*tmp_path.rglob("*.nbi"), *tmp_path.rglob("*.nbc")]
    assert len(kept) == 2
    again = load(path).twice
    assert again(21) == 42
    assert sum(again.stats.cache_hits.values()) == 1
    for file in kept:
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        assert load(path).twice(21) == 42


@compiles
@pytest.mark.slow
def test_without_a_folder_each_process_compiles_for_itself(tmp_path, monkeypatch):
    path = tmp_path / "kernel.py"
    path.write_text(TWICE)
    monkeypatch.setattr("numba.config.CACHE_LOCATOR_CLASSES", "ZipCacheLocator")  # finds none
    assert load(path).twice(21) == 42
    assert not list(tmp_path.rglob("*.nb?"))


@compiles
@pytest.mark.slow
def test_no_reading_waits_for_the_compiler():
    model = Active(1, trained())
    prepare()
    ready = kernels()
    made = Engine(Modes())
    made.update([point(n, "machine_temperature", equipment=f"E{n}") for n in range(4)], [limit(1, 0, "above", 60.0)])
    made.update([point(10 + k, name, "P2", kind="supply_pump") for k, name in enumerate(PUMP)], [])
    made.learn({("c1", "P2"): model})
    made.heed(Feedback({(n, name): 1.25 for n in (1, 2) for name in STATISTICAL}, {1: T0}))
    made.registry.hold(np.array([2]), T0, T0 + 3600 * SECOND)
    rng = np.random.default_rng(1)
    for k in range(40):
        series, t_us = np.arange(14) % 7, T0 + (2 * k + np.arange(14) // 7) * 300 * SECOND
        series = np.where(series < 4, series, series + 6)
        made.observe(series, t_us, 50 + 10 * rng.normal(size=14), np.zeros(14, np.int64))
    assert made.counts.failures == 0
    assert ready
    assert kernels() == ready


def kernels() -> dict[str, int]:
    """Compiled functions of the detectors, and for how many types of arguments each has been compiled."""
    return {
        f"{name}.{function}": len(found.signatures)
        for name, module in sys.modules.items()
        if name.startswith("watchkeep_analytics.")
        for function, found in vars(module).items()
        if isinstance(found, Dispatcher)
    }
