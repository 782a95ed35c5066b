"""`watchkeep gateway status` for people: what the spool's report says, in a few small tables."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text


def show(found: dict[str, Any]) -> None:
    """Print the report of `spool_reader.status`; nothing in it is taken for markup."""
    Console(highlight=False).print(render(found))


def render(found: dict[str, Any]) -> Group:
    parts: list[RenderableType] = [_head(found), _lanes(found["lanes"])]
    if found["links"]:
        parts.append(_links(found["links"]))
    if found["commands"]:
        parts.append(_commands(found["commands"]))
    return Group(*parts)


def _head(found: dict[str, Any]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    configuration = found.get("configuration") or "–"
    rows = {
        "gateway": f"{found['community']}/{found['gateway']}",
        "software": found.get("software", "–"),
        "configuration": configuration,
        "broker": found.get("broker", "–") + ("" if found["connected_once"] else "  (never let in)"),
        "clock": _clock(found.get("clock")),
        "spool": f"{_bytes(found['file_bytes'])} on disk, {found['points']} points, {found['rejected_kept']} rejected",
    }
    if found.get("unmapped"):
        rows["unmapped"] = f"{found['unmapped']} names that no row maps: watchkeep gateway unmapped"
    if found.get("telemetry_lost"):
        rows["lost"] = "telemetry was deleted before the database had it: a bound of [spool] was reached"
    for name, value in rows.items():
        grid.add_row(Text(name, style="bold"), Text(str(value)))
    return grid


def _clock(clock: dict[str, Any] | None) -> str:
    if clock is None:
        return "–"
    words = ["synchronised" if clock["synchronised"] else "NOT SYNCHRONISED"]
    if clock.get("offset_ms") is not None:
        words.append(f"{clock['offset_ms']:+.1f} ms to its time source")
    if clock.get("server_offset_ms") is not None:
        words.append(f"{clock['server_offset_ms']:+.0f} ms to the server (± {clock['server_error_ms']:.0f})")
    if clock.get("stamp_lead_ms"):
        words.append(f"was set: stamps are {clock['stamp_lead_ms'] / 1000:+.1f} s off it for now")
    return ", ".join(words)


def _lanes(lanes: dict[str, dict[str, Any]]) -> Table:
    table = Table("lane", "messages", "readings", "size", "oldest", "next seq", "floor", box=None, pad_edge=False)
    for name, lane in lanes.items():
        values = [lane["messages"], lane["readings"], _bytes(lane["bytes"]), _age(lane["oldest_s"])]
        table.add_row(name, *(str(value) for value in [*values, lane["next_seq"], lane["floor"]]))
    return table


def _links(links: list[dict[str, Any]]) -> Table:
    table = Table("link", "state", "since", "why", box=None, pad_edge=False)
    for link in links:
        state = Text("up", style="green") if link["up"] else Text("DOWN", style="red")
        table.add_row(Text(link["name"]), state, _age(link["since_s"]), Text(link["detail"]))
    return table


def _commands(commands: list[dict[str, Any]]) -> Table:
    table = Table("command", "when (UTC)", "outcome", box=None, pad_edge=False)
    for one in commands:
        when = datetime.fromtimestamp(one["at_ms"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(Text(one["command"]), when, Text(one["outcome"]))
    return table


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
