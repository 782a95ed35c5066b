"""Builds the committed dashboards with grafana-foundation-sdk: the only package that imports it."""

import warnings
from pathlib import Path

from watchkeep_dashboards.packaged import LANGUAGES, path_of

with warnings.catch_warnings():
    # Classic JSON is meant: the one form that Grafana 10 to 13 reads.
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    from watchkeep_dashboards.generate.community_wall import community_wall
    from watchkeep_dashboards.generate.platform_health import platform_health


def generate() -> dict[Path, str]:
    """Each dashboard in each language: its file relative to the package, and its classic JSON."""
    builders = {"community-wall": community_wall, "platform-health": platform_health}
    return {path_of(name, language): build(language) for name, build in builders.items() for language in LANGUAGES}
