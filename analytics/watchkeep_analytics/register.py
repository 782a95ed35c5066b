"""The estate as analytics sees it, read from the database."""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from psycopg import Connection

from watchkeep_analytics.batch import NEVER
from watchkeep_analytics.detectors.clocks import Refused, Told
from watchkeep_analytics.registry import LimitRow, PointRow
from watchkeep_analytics.rulebook import Row, Rulebook, RuleError, convert
from watchkeep_analytics.signals import GatewayState, Signal
from watchkeep_analytics.suppression import Window, mode_reason
from watchkeep_analytics.warnings import Named
from watchkeep_core import vocabulary
from watchkeep_core.clock import to_us
from watchkeep_core.database import queries
from watchkeep_core.logs import get_logger
from watchkeep_core.rows import CommittedEvent
from watchkeep_core.topics import partition_of

log = get_logger(__name__)

_SQL = queries("watchkeep_analytics", "register.sql")


def communities(conn: Connection, partitions: Collection[int]) -> dict[str, bool]:
    """Communities of these partitions → is it a replay."""
    return {name: replay for name, replay in conn.execute(_SQL["communities"]) if partition_of(name) in partitions}


def changes(conn: Connection) -> int | None:
    """Differs when the register has been written to since; None where the server does not count."""
    row = conn.execute(_SQL["changes"]).fetchone()
    return None if row is None else row[0]


def newest(conn: Connection, names: Sequence[str]) -> int:
    """Highest series id of these communities; 0 = none."""
    row = conn.execute(_SQL["newest"], {"communities": list(names)}).fetchone()
    return 0 if row is None or row[0] is None else int(row[0])


def points(conn: Connection, names: Sequence[str]) -> list[PointRow]:
    return [_point(row) for row in conn.execute(_SQL["points"], {"communities": list(names)})]


def limits(conn: Connection, names: Sequence[str]) -> list[LimitRow]:
    return [LimitRow(*row) for row in conn.execute(_SQL["limits"], {"communities": list(names)})]


def equipment(
    conn: Connection, replays: dict[str, bool]
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], Named]]:
    """(community, equipment) → kind, and → names, of these communities."""
    kinds: dict[tuple[str, str], str] = {}
    names: dict[tuple[str, str], Named] = {}
    for community, item, kind, name, name_en in conn.execute(_SQL["equipment"], {"communities": list(replays)}):
        kinds[community, item] = kind
        names[community, item] = Named(name, name_en, replays.get(community, False))
    return kinds, names


def gateway_states(conn: Connection) -> dict[tuple[str, str], GatewayState]:
    return {
        (community, gateway): GatewayState(online, _us(heard), _us(offline))
        for community, gateway, online, heard, offline in conn.execute(_SQL["gateway_states"])
    }


def clocks(conn: Connection, after: int) -> tuple[Told, int]:
    """What is known of clocks, and up to which refused reading; `after` is that of the last look, 0 = none yet."""
    refused: dict[tuple[str, str], Refused] = {}
    for community, item, received_s, skew_s, quarantine_id in conn.execute(_SQL["refused"], {"after": after}):
        refused[community, item] = Refused(skew_s, round(received_s * 1e6))
        after = max(after, quarantine_id)
    devices = {(community, item): skew_s for community, item, skew_s in conn.execute(_SQL["device_clocks"])}
    gateways = {(community, gateway): skew_s for community, gateway, skew_s in conn.execute(_SQL["gateway_clocks"])}
    return Told(devices, gateways, refused), after


def rulebook(conn: Connection) -> Rulebook:
    """The rules as they are set now; a row that is no longer one (an older version wrote it) is left out, and told."""
    edits: list[Row] = []
    for section, definition in conn.execute(_SQL["rules"]):
        try:
            edits.append(convert(section, definition))
        except RuleError as error:
            log.warning("rule_left_out", why=str(error))
    return Rulebook(edits)


def windows(conn: Connection) -> tuple[Window, ...]:
    return tuple(
        Window(community, item, to_us(begin), to_us(end), reason)
        for community, item, begin, end, reason in conn.execute(_SQL["windows"])
    )


def standing(conn: Connection, names: Sequence[str], detectors: Sequence[str]) -> list[Signal]:
    """Openings of these detectors that hold warnings open."""
    found = conn.execute(_SQL["standing"], {"communities": list(names), "detectors": list(detectors)})
    return [
        Signal(
            community=community,
            equipment=item,
            condition=condition,
            tier=tier,
            active=True,
            detector=detector,
            version=version,
            event_us=to_us(at),
            source=str(evidence.get("source", "")),
            text="forgotten",
            series=series,
            evidence={name: value for name, value in evidence.items() if name != "source"},
        )
        for community, item, series, condition, tier, detector, version, at, evidence in found
    ]


def last_modes(conn: Connection) -> list[CommittedEvent]:
    """The last event of each mode that suppresses, per piece of equipment."""
    telling = [condition.id for condition in vocabulary.load().conditions.values() if condition.suppresses]
    return [
        CommittedEvent(
            event_id=event_id,
            community=community,
            equipment=item,
            condition=condition,
            active=active,
            t_us=to_us(ts),
            received_us=to_us(received),
            trusted=trusted,
        )
        for event_id, community, item, condition, active, ts, received, trusted in conn.execute(
            _SQL["last_modes"], {"conditions": telling}
        )
    ]


def mode_readings(conn: Connection, items: Collection[tuple[str, str]]) -> Iterator[tuple[str, str, str, int, str]]:
    """(community, equipment, metric, µs, reason or "") of the last reading of each point that tells a mode."""
    metrics = vocabulary.load().metrics
    telling = [name for name, metric in metrics.items() if any(state.suppresses for state in metric.states.values())]
    named = {"communities": [c for c, _ in items], "equipment": [e for _, e in items], "metrics": telling}
    for community, item, metric, at, value in conn.execute(_SQL["mode_readings"], named):
        yield community, item, metric, to_us(at), mode_reason(metric, value)


def _point(row: tuple[Any, ...]) -> PointRow:
    series, community, item, kind, name, name_en, metric, unit, period_s, gateway, own, replay, model = row
    word = vocabulary.load().metrics.get(metric)
    default = math.nan if word is None else word.period_s  # 0 in the vocabulary: silence says nothing
    return PointRow(
        series=series,
        community=community,
        equipment=item,
        kind=kind,
        name=name,
        name_en=name_en,
        metric=metric,
        unit=unit,
        gateway=gateway,
        gateway_equipment=own,
        replay=replay,
        period_s=default if default == 0 or not period_s else period_s,
        value="number" if word is None else word.value,
        lower=-math.inf if word is None else word.min,
        upper=math.inf if word is None else word.max,
        model=model,
    )


def _us(moment: Any) -> int:
    return NEVER if moment is None else to_us(moment)
