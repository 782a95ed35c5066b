"""Lines to brokers of the site: tables with the same url and user share one, as a user is a client id there, too."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from watchkeep_core.broker import BrokerAddress, Will
from watchkeep_core.errors import SettingsError
from watchkeep_gateway.line import Line, Login

NoteLink = Callable[[str, bool, str], None]
"""Name, up, why."""


class BrokerFields(Protocol):
    """What `[[mqtt_bridge]]`, `[[sparkplug]]` and `[[mapped_json]]` have in common."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def password_file(self) -> str: ...
    @property
    def ca_file(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Shared:
    name: str
    line: Line


class SiteLines:
    """Makes them when they are first asked for; the caller starts and closes them."""

    def __init__(self, own: Line, reconnect_jitter_s: float, note_link: NoteLink, clock_ms: Callable[[], int]) -> None:
        """`own`: the gateway's one connection to its own broker, for tables without a url."""
        self._own = own
        self._reconnect_jitter_s = reconnect_jitter_s
        self._note_link = note_link
        self._clock_ms = clock_ms
        self._made: dict[tuple[str, str], _Shared] = {}

    def __iter__(self) -> Iterator[tuple[str, Line]]:
        """Name and line of each that was made."""
        return iter([(shared.name, shared.line) for shared in self._made.values()])

    def of(self, driver: str, table: BrokerFields, will: Will | None = None) -> Line:
        """The line of a table; `will` counts for the first table of a line. Raises SettingsError."""
        if not table.url:
            return self._own
        key = (table.url, table.user)
        if key not in self._made:
            name = f"{driver}-{table.name}"
            self._made[key] = _Shared(name, self._line(driver, name, table, will))
        return self._made[key].line

    def _line(self, driver: str, name: str, table: BrokerFields, will: Will | None) -> Line:
        address = BrokerAddress.parse(table.url, Path(table.ca_file) if table.ca_file else None)
        try:
            password = Path(table.password_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{driver} {table.name}: password_file: {error.strerror}") from None
        login = Login(address, table.user, password)
        line = Line(login, will=will, reconnect_jitter_s=self._reconnect_jitter_s, clock_ms=self._own.clock_ms)
        line.watch(lambda up, why: self._note_link(name, up, why))
        return line
