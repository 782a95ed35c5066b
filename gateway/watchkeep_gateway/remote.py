"""Commands from the server. What each of them may do stands in one table, and none can reach a device.

Every command is kept with its outcome, in the log and on the spool: `watchkeep gateway status` shows the last ones.
"""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from watchkeep_core.errors import MessageError
from watchkeep_core.logs import get_logger
from watchkeep_core.messages import Cmd, decode
from watchkeep_core.topics import LANES, Lane

log = get_logger(__name__)

MAX_SHOWN = 200
"""Characters kept of a command that cannot be understood."""


class Desk(Protocol):
    """All that a command can move: what this gateway says of itself, and what it sends again."""

    @property
    def configuration(self) -> str:
        """Version of the configuration that runs."""
        ...

    def rebirth(self) -> None: ...

    def resend(self, lane: Lane, seq: int) -> int:
        """From which seq it will be, as lower ones may be gone."""
        ...


def _rebirth(desk: Desk, _: Cmd) -> str:
    desk.rebirth()
    return "done"


def _resend(desk: Desk, command: Cmd) -> str:
    lanes = [command.lane] if command.lane else LANES
    return ", ".join(f"{lane} from {desk.resend(lane, command.seq or 0)}" for lane in lanes)


def _configuration(desk: Desk, command: Cmd) -> str:
    if command.version == desk.configuration:
        return "runs here"
    return f"refused: {desk.configuration or 'a file without version'} runs here; a technician must install the file"


ACTIONS: Mapping[Literal["rebirth", "resend", "configuration"], Callable[[Desk, Cmd], str]] = {
    "rebirth": _rebirth,
    "resend": _resend,
    "configuration": _configuration,
}
"""Command → what it does; returns the outcome in words."""


def obey(payload: bytes, retained: bool, desk: Desk) -> tuple[str, str]:
    """The command and its outcome, both as text to be kept; what is not in the table is refused."""
    try:
        command = decode(Cmd, payload)
    except MessageError as error:
        return _note(payload[:MAX_SHOWN].decode(errors="replace"), f"refused: {error}")
    words = [command.action, command.lane, command.seq, command.version]
    text = " ".join(str(word) for word in words if word not in (None, ""))
    if retained:  # it would be obeyed again at every connect
        return _note(text, "refused: retained")
    return _note(text, ACTIONS[command.action](desk, command))


def _note(command: str, outcome: str) -> tuple[str, str]:
    write = log.warning if outcome.startswith("refused") else log.info
    write("command", command=command, outcome=outcome)
    return command, outcome
