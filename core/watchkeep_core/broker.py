"""Where a broker is, what comes from it, and what can go wrong with it: the values and errors of `mqtt`.

WatchkeepError
├── TransientError
│   ├── BrokerUnreachable    no connection, no answer, or a broker that is busy
│   └── TooManyOutstanding   the window of unacknowledged publishes is full: wait, then try again
└── PermanentError
    ├── BrokerRefused        the broker answered CONNECT with no; carries `reason`
    │   └── BrokerNotTrusted its certificate is not what we trust: wrong CA, wrong host name, expired
    └── PublishRefused       the broker (MQTT 5) or a limit refused one publish; carries `topic`, `reason`
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
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


class BrokerNotTrusted(BrokerRefused):
    """We refuse the broker: its certificate is of another CA, for another host name, or expired; nothing was sent."""

    def __init__(self, address: "BrokerAddress", reason: str) -> None:
        PermanentError.__init__(self, f"the broker at {address} is not trusted: {reason}")
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
    """The only CA certificates trusted for TLS; None = the system's."""
    cert_file: Path | None = None
    key_file: Path | None = None
    """Our own certificate (PEM chain) and its key, for a broker that asks for one; both or none."""
    others: tuple[tuple[str, int], ...] = ()
    """Further servers (host, port) of a clustered broker, tried in turn when one does not answer."""

    @classmethod
    def parse(
        cls, url: str, ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None
    ) -> Self:
        """Parse `mqtt://host[:1883]` or `mqtts://host[:8883]`, for a cluster `mqtts://one,two:8884,three`.

        Raises SettingsError, which never repeats the URL.
        """
        scheme, separator, rest = url.partition("://")
        if scheme not in ("mqtt", "mqtts") or not separator:
            raise SettingsError("mqtt_url: must begin with mqtt:// or mqtts://")
        tls = scheme == "mqtts"
        if not tls and (ca_file or cert_file or key_file):
            raise SettingsError("mqtt_url: certificates are given, but only mqtts:// uses them")
        if (cert_file is None) != (key_file is None):
            raise SettingsError("mqtt_cert_file, mqtt_key_file: need each other")
        (host, port), *others = [_server(part, 8883 if tls else 1883) for part in rest.removesuffix("/").split(",")]
        return cls(host, port, tls, ca_file, cert_file, key_file, tuple(others))

    def each(self) -> Iterator[Self]:
        """This address once for each server, that server first and the others after it."""
        servers = ((self.host, self.port), *self.others)
        for number, (host, port) in enumerate(servers):
            yield replace(self, host=host, port=port, others=servers[number + 1 :] + servers[:number])

    @property
    def next(self) -> Self:
        """The address with the next server first; itself when there is only one."""
        return list(self.each())[1 % (1 + len(self.others))]

    def tls_context(self) -> ssl.SSLContext | None:
        """TLS 1.2 or newer, certificate and host name checked; None for mqtt://.

        With `ca_file` nothing but it is trusted, the system's store neither. Raises SettingsError that names the file.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)  # loads the system's store only without a file
        except OSError as error:
            raise SettingsError(f"mqtt_ca_file: {self.ca_file}: {_file_problem(error)}") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = _TlsSocket
        if self.cert_file and self.key_file:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password="")  # never ask at a terminal
            except OSError as error:
                files = f"{self.cert_file}, {self.key_file}"
                raise SettingsError(f"mqtt_cert_file, mqtt_key_file: {files}: {_file_problem(error)}") from None
        return context

    def why(self, error: OSError) -> str:
        """Why there is no connection, as a line an operator can act on; OpenSSL's own texts name functions."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {error.verify_message}"
        if self.tls and isinstance(error, ssl.SSLError | ConnectionResetError):
            reason = (getattr(error, "reason", None) or "connection closed").replace("_", " ").lower()
            return f"no TLS there ({reason}); is it a plain mqtt:// listener?"
        return error.strerror or str(error)

    def __str__(self) -> str:
        servers = ((self.host, self.port), *self.others)
        names = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in servers)
        return f"{'mqtts' if self.tls else 'mqtt'}://{','.join(names)}"


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


class _TlsSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails: paho would leave it to the garbage collector, at every reconnect."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _server(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if parts.username is not None or parts.password is not None:
        raise SettingsError("mqtt_url: user name and password have settings of their own, they do not belong here")
    try:
        port = parts.port
    except ValueError:
        raise SettingsError("mqtt_url: the port must be a number up to 65535") from None
    if not parts.hostname or parts.path or parts.query or parts.fragment:
        raise SettingsError("mqtt_url: must look like mqtt://host:port")
    return parts.hostname, port or default_port


def _file_problem(error: OSError) -> str:
    """ssl tells "no certificate in it" by an error whose text is OpenSSL's."""
    return "holds no usable PEM" if isinstance(error, ssl.SSLError) else error.strerror or str(error)
