"""All settings of all parts as a table, for `watchkeep settings` and docs/operate.md."""

from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_cli.admin import AdminSettings
from watchkeep_console.settings import ConsoleSettings
from watchkeep_core.errors import SettingsError
from watchkeep_core.settings import PartSettings, describe
from watchkeep_dashboards.settings import DashboardsSettings
from watchkeep_dispatch.settings import DispatchSettings
from watchkeep_firmware_sim.settings import SimSettings
from watchkeep_gateway.settings import GatewaySettings
from watchkeep_ingest.settings import IngestSettings

KINDS: tuple[type[PartSettings], ...] = (
    GatewaySettings,
    IngestSettings,
    AnalyticsSettings,
    DispatchSettings,
    ConsoleSettings,
    DashboardsSettings,
    SimSettings,
    AdminSettings,
)


def table(part: str | None = None) -> str:
    """Markdown; of one part or of all. Raises SettingsError for an unknown part."""
    kinds = [kind for kind in KINDS if part in (None, kind.part)]
    if not kinds:
        raise SettingsError(f"{part}: has no settings; those that have: {', '.join(kind.part for kind in KINDS)}")
    return "\n".join(_one(kind) for kind in kinds)


def _one(kind: type[PartSettings]) -> str:
    lines = [f"### {kind.part}", "", "| variable | default | meaning |", "|---|---|---|"]
    for variable, default, meaning in describe(kind):
        lines.append(f"| `{variable}` | {f'`{default}`' if default else ''} | {meaning.replace('|', '/')} |")
    return "\n".join([*lines, ""])
