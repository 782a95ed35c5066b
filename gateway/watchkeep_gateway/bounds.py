"""How much telemetry must go when the spool is over a bound, and how the loss is told: pure decisions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from watchkeep_core.messages import AttributeValue
from watchkeep_gateway.config import SpoolTable
from watchkeep_gateway.values import DeviceEvent

ROW_BYTES = 100
"""What a message takes in the file beside its payload, about."""

REPORT_EVERY_S = 60.0
"""A spool that overflows steadily tells it once a minute, with the whole range since it last did."""

QUIET_S = 600.0
"""Without a further loss for this long, the condition is told as cleared."""

CONDITION = "telemetry_lost"


@dataclass(frozen=True, slots=True)
class Loss:
    """Messages that were deleted without an ack."""

    first_seq: int
    last_seq: int
    messages: int
    readings: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LossReport:
    """What was lost since it was last told. Times are monotonic seconds."""

    pending: Loss | None = None
    last_loss_s: float | None = None
    """Of a loss that was told, or is pending, and not yet told as cleared."""
    told_s: float | None = None


def to_evict(
    rows: Iterable[tuple[int, int, int, int]], spool_bytes: int, free_bytes: int, now_ms: int, bounds: SpoolTable
) -> Loss | None:
    """The oldest messages that must go; `rows` are (seq, created_ms, readings, bytes), oldest first.

    `free_bytes` counts the pages inside the file that can be used again.
    """
    excess = max(spool_bytes - bounds.max_bytes, bounds.min_free_bytes - free_bytes)
    oldest_ms = now_ms - int(bounds.max_age_days * 86_400_000)
    loss: Loss | None = None
    for seq, created_ms, readings, size in rows:
        if (loss.bytes if loss else 0) >= excess and created_ms >= oldest_ms:
            break
        loss = add(loss, Loss(seq, seq, 1, readings, size + ROW_BYTES))
    return loss


def add(known: Loss | None, more: Loss) -> Loss:
    if known is None:
        return more
    return Loss(
        min(known.first_seq, more.first_seq),
        max(known.last_seq, more.last_seq),
        known.messages + more.messages,
        known.readings + more.readings,
        known.bytes + more.bytes,
    )


def note(report: LossReport, loss: Loss, now_s: float) -> LossReport:
    return replace(report, pending=add(report.pending, loss), last_loss_s=now_s)


def due(
    report: LossReport, now_s: float, now_ms: int, equipment: str, epoch: str
) -> tuple[LossReport, DeviceEvent | None]:
    """The event that must be told now, if any."""
    if report.pending and (report.told_s is None or now_s - report.told_s >= REPORT_EVERY_S):
        loss = report.pending
        attributes: dict[str, AttributeValue] = {
            "epoch": epoch,
            "first_seq": float(loss.first_seq),
            "last_seq": float(loss.last_seq),
            "messages": float(loss.messages),
            "readings": float(loss.readings),
        }
        event = DeviceEvent(now_ms, equipment, CONDITION, True, attributes=attributes)
        return replace(report, pending=None, told_s=now_s), event
    if report.pending is None and report.last_loss_s is not None and now_s - report.last_loss_s >= QUIET_S:
        return LossReport(), DeviceEvent(now_ms, equipment, CONDITION, False)
    return report, None
