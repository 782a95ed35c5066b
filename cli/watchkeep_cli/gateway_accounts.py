"""`watchkeep gateway enroll | revoke | enroller`: who may speak as a gateway. Run them where Mosquitto's files are.

Access rules are patterns on the user name (`community/gateway`), so a gateway's account is one line of the password
file, and SIGHUP is all the broker needs: a new one is in and a revoked one is out, its live connection too, in 0.1 s
(measured on 2.0.11).
"""

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from watchkeep_cli import enrolment, gateway_bundle
from watchkeep_cli.acl import site_acl
from watchkeep_cli.mosquitto_files import MosquittoFiles, broker_pid, reload_broker
from watchkeep_core import logs, mqtt, topics
from watchkeep_core.broker import BrokerAddress, BrokerNotTrusted, BrokerRefused, BrokerUnreachable, Received
from watchkeep_core.commands import print_json
from watchkeep_core.errors import PermanentError, SettingsError
from watchkeep_core.messages import State, encode
from watchkeep_core.mqtt_connection import Connection
from watchkeep_core.service import Stop
from watchkeep_core.topics import GatewayRef

log = logs.get_logger(__name__)

PASSWORD_BYTES = 24
LOOPBACK = ("localhost", "127.0.0.1", "::1")
RELOAD_TIMEOUT_S = 20.0
ASK_AGAIN_S = 0.1
SERVE_EVERY_S = 0.5

Community = Annotated[str, typer.Argument(help="Id of the community.")]
Gateway = Annotated[str, typer.Argument(help="Id of the gateway.")]
BrokerDir = Annotated[
    Path, typer.Option(help="Folder of Mosquitto's `passwords` and `mosquitto.acl`.", envvar="WATCHKEEP_BROKER_DIR")
]
PidFile = Annotated[
    Path, typer.Option(help="Mosquitto's pid_file, to have it read them anew.", envvar="WATCHKEEP_BROKER_PID_FILE")
]
MqttUrl = Annotated[str | None, typer.Option(help="The broker as gateways reach it: mqtts://host:port.")]
CaFile = Annotated[Path | None, typer.Option(help="The CA that signed the broker's certificate; the only one trusted.")]
AdminUrl = Annotated[
    str | None,
    typer.Option(help="libpq URL, to keep the register in step.", envvar="WATCHKEEP_DB_ADMIN_URL", show_default=False),
]
DIR = Path("/etc/mosquitto/watchkeep")
PID_FILE = Path("/run/mosquitto/mosquitto.pid")


class NotInEffect(PermanentError):
    """The files are written, but the broker does not act on them."""


def register(app: typer.Typer) -> None:
    """Put the verbs beside those of the gateway itself, which must not import any of this."""
    app.command("enroll")(enroll)
    app.command("revoke")(revoke)
    app.command("enroller")(enroller)


def enroll(
    community: Community,
    gateway: Gateway,
    mqtt_url: Annotated[str, typer.Option(help="The broker as the gateway reaches it: mqtts://host:port.")],
    out: Annotated[Path, typer.Option(help="New folder for what the box needs; its content goes to /etc/watchkeep.")],
    ca_file: CaFile = None,
    broker_dir: BrokerDir = DIR,
    pid_file: PidFile = PID_FILE,
    admin_url: AdminUrl = None,
    renew: Annotated[bool, typer.Option("--renew", help="A new password for a gateway that has one.")] = False,
) -> None:
    """Make a gateway's credentials, let it in at the broker, and write a bundle that is ready for the box."""
    ref = GatewayRef(community, gateway)
    address = BrokerAddress.parse(mqtt_url, ca_file)
    if not address.tls and address.host not in LOOPBACK:
        raise SettingsError("--mqtt-url: must be mqtts://, as the password would cross the network for all to read")
    files = MosquittoFiles(broker_dir)
    files.require_rules(site_acl())
    known = ref.user in files.users()
    if known and not renew:
        raise SettingsError(f"{ref.user} has a password already; --renew gives it another, the old one ends at once")
    broker_pid(pid_file)  # before anything is changed
    bundle = gateway_bundle.Bundle(out, ref, mqtt_url, ca_file)
    equipment = _registered(admin_url, ref)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    written, checked = bundle.write(password, equipment), True
    files.put(ref.user, password)
    reload_broker(pid_file)
    try:
        _await(lambda: _lets_in(address, ref.user, password), f"{address} does not let {ref.user} in")
    except BrokerUnreachable as error:  # the broker may have no way to its own public name
        log.warning("not_checked", why=str(error))
        checked = False
    print_json(
        {
            "user": ref.user,
            "renewed": known,
            "checked": checked,
            "equipment": len(equipment),
            "files": [str(file) for file in written],
            "next": f"copy {out} to /etc/watchkeep on the box, then: systemctl enable --now watchkeep-gateway",
        }
    )


def revoke(
    community: Community,
    gateway: Gateway,
    mqtt_url: MqttUrl = None,
    ca_file: CaFile = None,
    broker_dir: BrokerDir = DIR,
    pid_file: PidFile = PID_FILE,
    admin_url: AdminUrl = None,
) -> None:
    """Shut a gateway out: its connection ends at once and its password is void.

    With --mqtt-url the broker is also freed of its session and told, in its name, that it is offline: a broker that
    ends a connection for this reason fires no will.
    """
    ref = GatewayRef(community, gateway)
    files = MosquittoFiles(broker_dir)
    if ref.user not in files.users():
        raise SettingsError(f"{ref.user} is no user of the broker")
    broker_pid(pid_file)
    said_offline = False
    if mqtt_url is not None:
        last = secrets.token_urlsafe(PASSWORD_BYTES)
        files.put(ref.user, last)
        reload_broker(pid_file)
        address = BrokerAddress.parse(mqtt_url, ca_file)
        _await(
            lambda: _lets_in(address, ref.user, last, _farewell(ref)), f"{address} does not let us in to say farewell"
        )
        said_offline = True
    files.remove(ref.user)
    reload_broker(pid_file)
    if mqtt_url is not None:
        _await(lambda: not _lets_in(address, ref.user, last), f"{address} still lets {ref.user} in")
    in_register = _withdrawn(admin_url, ref)
    print_json({"user": ref.user, "revoked": True, "said_offline": said_offline, "register_updated": in_register})


def enroller(
    folder: Annotated[Path, typer.Option(help="WATCHKEEP_CONSOLE_ENROL_DIR of the console.")],
    broker_dir: BrokerDir = DIR,
    pid_file: PidFile = PID_FILE,
) -> None:
    """Serve the console's requests to let gateways in or out until SIGTERM, beside a broker of systemd or Docker."""
    logs.configure("enroller", "info")
    files = MosquittoFiles(broker_dir)
    files.require_rules(site_acl())
    if not folder.is_dir():
        raise SettingsError(f"--folder: {folder} is no folder")
    broker_pid(pid_file)

    def add(user: str, password: str) -> None:
        files.put(user, password)
        reload_broker(pid_file)

    def remove(user: str) -> None:
        files.remove(user)
        reload_broker(pid_file)

    stop = Stop().install()
    while not stop.wait(SERVE_EVERY_S):
        enrolment.serve(folder, add, remove)


def _registered(admin_url: str | None, ref: GatewayRef) -> list[gateway_bundle.Equipment]:
    """Enter the gateway and read its community's equipment; nothing without a database."""
    if admin_url is None:
        return []
    from watchkeep_cli import gateway_register

    return gateway_register.enter(admin_url, ref)


def _withdrawn(admin_url: str | None, ref: GatewayRef) -> bool:
    if admin_url is None:
        return False
    from watchkeep_cli import gateway_register

    return gateway_register.withdraw(admin_url, ref)


def _farewell(ref: GatewayRef) -> Callable[[Connection], None]:
    def say(connection: Connection) -> None:
        state = State(online=False, t=time.time_ns() // 1_000_000)
        connection.publish(topics.state(ref), encode(state), retain=True).result(RELOAD_TIMEOUT_S)

    return say


def _lets_in(
    address: BrokerAddress, user: str, password: str, then: Callable[[Connection], None] = lambda _: None
) -> bool:
    """Whether the broker takes this password now; without session expiry, which ends an older session of the user."""
    try:
        connection = mqtt.connect(address, client_id=user, user=user, password=password, on_message=_ignore)
    except BrokerNotTrusted:
        raise
    except BrokerRefused:
        return False
    with connection:
        then(connection)
    return True


def _await(there: Callable[[], bool], what: str) -> None:
    """Poll until Mosquitto has read its files, which it does some time after the signal."""
    deadline = time.monotonic() + RELOAD_TIMEOUT_S
    while not there():
        if time.monotonic() > deadline:
            raise NotInEffect(
                f"{what} {RELOAD_TIMEOUT_S:.0f} s after the reload; does it use the files of --broker-dir?"
            )
        time.sleep(ASK_AGAIN_S)


def _ignore(_message: Received) -> None:
    """Nothing is subscribed to."""
