"""Builds the committed boards with grafana-foundation-sdk: the only package that imports it."""

import warnings
from importlib import import_module
from pathlib import Path

from watchkeep_dashboards.packaged import LANGUAGES, NAMES, path_of

with warnings.catch_warnings():
    # Classic JSON is meant: the one form that Grafana 10 to 13 reads.
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    _BUILDERS = {
        name: getattr(import_module(f"watchkeep_dashboards.generate.{name.replace('-', '_')}"), name.replace("-", "_"))
        for name in NAMES
    }


def generate() -> dict[Path, str]:
    """Each board in each language: its file relative to the package, and its classic JSON."""
    return {path_of(name, language): build(language) for name, build in _BUILDERS.items() for language in LANGUAGES}
