"""Where a broker is, what comes from it, and what can go wrong with it: the values and errors of `mqtt`.

WatchkeepError
├── TransientError
│   ├── BrokerUnreachable    no connection, no answer, or a broker that is busy
│   └── TooManyOutstanding   the window of unacknowledged publishes is full: wait, then try again
└── PermanentError
    ├── BrokerRefused        the broker answered CONNECT with no; carries `reason`
    └── PublishRefused       the broker (MQTT 5) or a limit refused one publish; carries `topic`, `reason`
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from watchkeep_core.errors import PermanentError, SettingsError, TransientError

ProtocolVersion = Literal["5.0", "3.1.1"]


class BrokerUnreachable(TransientError):
    """No connection to the broker, no answer in time, or a broker that is too busy."""


class TooManyOutstanding(TransientError):
    """As many publishes as allowed wait for their PUBACK."""


class BrokerRefused(PermanentError):
    """The broker answered CONNECT with a refusal; `reason` is its name in the standard."""

    def __init__(self, address: "BrokerAddress", reason: str) -> None:
        super().__init__(f"the broker at {address} refused the connection: {reason}")
        self.reason = reason


class PublishRefused(PermanentError):
    """One publish was refused; it was not delivered to anyone."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"publish to {topic} refused: {reason}")
        self.topic = topic
        self.reason = reason


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens; it never holds a user name or password, so it may be printed."""

    host: str
    port: int
    tls: bool = False
    ca_file: Path | None = None
    """CA certificates for TLS; None = the system's."""

    @classmethod
    def parse(cls, url: str, ca_file: Path | None = None) -> Self:
        """Parse `mqtt://host[:1883]` or `mqtts://host[:8883]`; raises SettingsError, which never repeats the URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts"):
            raise SettingsError("mqtt_url: must begin with mqtt:// or mqtts://")
        if parts.username is not None or parts.password is not None:
            raise SettingsError("mqtt_url: user name and password have settings of their own, they do not belong here")
        try:
            port = parts.port
        except ValueError:
            raise SettingsError("mqtt_url: the port must be a number up to 65535") from None
        if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise SettingsError("mqtt_url: must look like mqtt://host:port")
        tls = parts.scheme == "mqtts"
        return cls(parts.hostname, port or (8883 if tls else 1883), tls, ca_file)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us, at QoS 1, when the connection ends without a farewell."""

    topic: str
    payload: bytes
    retain: bool = True


@dataclass(frozen=True, slots=True)
class Connected:
    """One accepted connection; `epoch` rises by one at each of them, beginning with 1."""

    session_present: bool
    """The broker kept a session. No proof that it is complete: after a crash it may be an older one."""
    epoch: int
    protocol: ProtocolVersion


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came in."""

    topic: str
    payload: bytes
    epoch: int
    """The connection it came through; an ack counts only there, as brokers reuse message ids."""
    mid: int
    """The broker's message id; 0 for QoS 0, which needs no ack."""
    received_at_ns: int
    """Wall clock, ns since 1970 UTC."""
    retain: bool
    duplicate: bool
