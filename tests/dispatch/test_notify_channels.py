"""Real services on loopback: what arrives, what fails, what is refused; none of them can hold us up or fill us up."""

import ipaddress
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller
from hypothesis import example, given
from hypothesis import strategies as st

from tests.dispatch.conftest import World, eventually
from tests.dispatch.notifying import add_channel, outcomes
from watchkeep_cli.ports import free_port
from watchkeep_core import settings
from watchkeep_core.errors import SettingsError
from watchkeep_core.service import Stop
from watchkeep_dispatch.errors import ChannelRefused, ChannelUnavailable
from watchkeep_dispatch.notify.channels import AppriseChannel, WeComChannel, open_channel
from watchkeep_dispatch.notify.guard import ANSWER_BYTES, Egress, Exchange, guarded, permitted
from watchkeep_dispatch.notify.texts import Text
from watchkeep_dispatch.service import run
from watchkeep_dispatch.settings import DispatchSettings

# apprise imports what Python will drop
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

ENDLESS_S = 60.0
LOOPBACK = Egress((ipaddress.ip_network("127.0.0.1/32"),), deadline_s=ENDLESS_S)
HURRIED = replace(LOOPBACK, deadline_s=1.0)
TEXT = Text("标题", "正文")


@dataclass
class Service:
    """What a webhook's other side was sent, and how it answers."""

    port: int = 0
    paths: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    status: int = 200
    answer: bytes = b"{}"
    location: str = ""
    endless: bool = False
    slow: str = ""
    sent: int = 0
    closing: Event = field(default_factory=Event)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        self.paths.append(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.bodies.append(json.loads(body) if body else None)
        if self.slow == "head":
            self.closing.wait(ENDLESS_S)
            return
        handler.send_response(self.status)
        if self.location:
            handler.send_header("Location", self.location)
        if not (self.endless or self.slow):
            handler.send_header("Content-Length", str(len(self.answer)))
        handler.end_headers()
        try:
            while (self.endless and self.sent < 10_000_000) or (self.slow and not self.closing.wait(0.05)):
                self.sent += handler.wfile.write(b"x" * (10_000 if self.endless else 1))
            handler.wfile.write(self.answer)
        except OSError:
            return  # the other side has had enough


@contextmanager
def serve() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            service.take(self)

        do_GET = do_POST

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    with serve() as found:
        yield found


def channel(service: Service, egress: Egress = LOOPBACK) -> AppriseChannel:
    return AppriseChannel(f"json://127.0.0.1:{service.port}/hook", egress)


def test_a_webhook_gets_title_and_body(service: Service) -> None:
    channel(service).send(TEXT)
    assert (service.bodies[0]["title"], service.bodies[0]["message"]) == ("标题", "正文")


@pytest.mark.parametrize(
    ("status", "error", "why"),
    [
        (500, ChannelUnavailable, "status 500"),
        (429, ChannelUnavailable, "status 429"),
        (404, ChannelRefused, "status 404"),
        (401, ChannelRefused, "status 401"),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(
    service: Service, status: int, error: type[Exception], why: str
) -> None:
    service.status = status
    with pytest.raises(error, match=why):
        channel(service).send(TEXT)


def test_nobody_there_can_be_tried_again() -> None:
    with pytest.raises(ChannelUnavailable, match="cannot be reached"):
        AppriseChannel(f"json://127.0.0.1:{free_port('127.0.0.1')}/", LOOPBACK).send(TEXT)


def test_an_answer_of_ten_megabytes_is_not_read(service: Service) -> None:
    service.endless = True
    with guarded(LOOPBACK) as exchange:
        requests.post(f"http://127.0.0.1:{service.port}/", timeout=60)
    assert (exchange.status, len(exchange.body)) == (200, ANSWER_BYTES)
    channel(service).send(TEXT)  # taken all the same: the status said so
    assert service.sent < 2 * 10_000_000


@pytest.mark.slow
@pytest.mark.parametrize("slow", ["head", "body"])
def test_a_slow_service_is_cut_off_at_the_deadline(service: Service, slow: str) -> None:
    service.slow = slow
    began = time.monotonic()
    if slow == "head":
        with pytest.raises(ChannelUnavailable, match="too long"):
            channel(service, HURRIED).send(TEXT)
    else:
        channel(service, replace(HURRIED, deadline_s=3.0)).send(TEXT)  # 200 came before the body that never ends
    assert HURRIED.deadline_s <= time.monotonic() - began < ENDLESS_S


def test_a_target_inside_the_house_is_refused_before_it_hears_of_us(service: Service) -> None:
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(ChannelRefused, match="private network"):
            AppriseChannel(f"json://{host}:{service.port}/", Egress()).send(TEXT)
    assert service.paths == []


def test_a_redirect_into_the_house_is_refused(service: Service) -> None:
    with socket.create_server(("127.0.0.2", 0)) as inside:
        inside.setblocking(False)
        service.status, service.location = 307, f"http://127.0.0.2:{inside.getsockname()[1]}/secret"
        with pytest.raises(ChannelRefused, match="private network"):
            channel(service).send(TEXT)
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert service.paths == ["/hook"]


def test_a_redirect_to_where_it_may_go_is_followed(service: Service) -> None:
    with serve() as other:
        service.status, service.location = 307, f"http://127.0.0.1:{other.port}/moved"
        channel(service).send(TEXT)
        assert other.paths == ["/moved"]


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),  # 6to4 of 127.0.0.1
        ("64:ff9b::7f00:1", False),  # NAT64 of it
        ("::ffff:8.8.8.8", True),
    ],
)
def test_only_public_addresses_are_targets(address: str, allowed: bool) -> None:
    assert permitted(ipaddress.ip_address(address), ()) is allowed


@given(st.ip_addresses(v=4), st.sampled_from(["10.0.0.0/8", "192.168.3.0/24"]))
@example(ipaddress.ip_address("10.255.0.1"), "10.0.0.0/8")
def test_what_the_operator_allows_is_allowed_in_every_form(address: ipaddress.IPv4Address, network: str) -> None:
    allowed = (ipaddress.ip_network(network),)
    mapped = ipaddress.ip_address(f"::ffff:{address}")
    assert permitted(address, allowed) == permitted(mapped, allowed)
    assert permitted(address, allowed) or not address.is_global or address.is_multicast
    if address in allowed[0]:
        assert permitted(address, allowed)


def test_anything_but_an_ip_connection_is_refused() -> None:
    exchange = Exchange(LOOPBACK)
    with socket.socket(socket.AF_UNIX) as line, pytest.raises(OSError, match="only connections to IP"):
        exchange.connecting(line, "/run/docker.sock")
    assert exchange.refused


def test_without_a_guard_nothing_is_watched(service: Service) -> None:
    with guarded(LOOPBACK):
        pass
    with socket.create_connection(("127.0.0.1", service.port), 2):
        pass


def test_the_named_person_is_called_in_a_dingtalk_group(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    found = AppriseChannel("dingtalk://abc123", LOOPBACK)
    monkeypatch.setattr(
        type(found._service), "notify_url", f"http://127.0.0.1:{service.port}/robot?access_token={{token}}"
    )
    found.send(TEXT, "13800138000")
    assert service.bodies[0]["at"] == {"atMobiles": ["13800138000"], "isAtAll": False}
    assert "@13800138000" in service.bodies[0]["text"]["content"]
    service.answer = b'{"errcode": 310000, "errmsg": "keywords not in content"}'
    with pytest.raises(ChannelUnavailable, match="error code 310000"):  # though the status is 200
        found.send(TEXT)


def test_the_named_person_is_called_in_a_wecom_group(service: Service) -> None:
    service.answer = b'{"errcode": 0, "errmsg": "ok"}'
    found = WeComChannel("k-e-y", LOOPBACK, f"http://127.0.0.1:{service.port}/send")
    found.send(Text("标题", "正" * 3000), "13800138000")
    text = service.bodies[0]["text"]
    assert (service.paths, text["mentioned_mobile_list"]) == (["/send?key=k-e-y"], ["13800138000"])
    assert len(text["content"].encode()) <= 2048
    service.answer = b'{"errcode": 93000, "errmsg": "invalid webhook url"}'
    with pytest.raises(ChannelUnavailable, match="93000"):
        found.send(TEXT)
    assert isinstance(open_channel("wecombot://abc/", LOOPBACK), WeComChannel)


class Mailbox:
    """What a mail server was given; refuses when told to."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        return self.answer


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port("127.0.0.1")
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def mail(port: int, egress: Egress = LOOPBACK) -> AppriseChannel:
    return AppriseChannel(
        f"mailto://127.0.0.1:{port}?from=watch@house.example&to=li@lift.example&mode=insecure", egress
    )


def test_mail_reaches_a_real_server(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    mail(port).send(TEXT)
    (envelope,) = box.mails
    assert envelope.rcpt_tos == ["li@lift.example"]
    box.answer = "451 try later"
    with pytest.raises(ChannelUnavailable):
        mail(port).send(TEXT)


def test_mail_inside_the_house_has_to_be_allowed(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    with pytest.raises(ChannelRefused, match="private network"):
        mail(port, Egress()).send(TEXT)
    assert box.mails == []


@pytest.mark.slow
def test_a_mail_server_that_says_nothing_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(ChannelUnavailable, match="too long"):
            mail(silent.getsockname()[1], HURRIED).send(TEXT)
        assert time.monotonic() - began < ENDLESS_S


def test_services_that_cannot_be_bounded_or_are_unknown_are_refused_without_showing_the_url(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for url in (
        "carrierpigeon://secret@loft",
        "mqtt://secret@broker/topic",
        "syslog://secret",
        "dingtalk://se%20cret-/",
    ):
        with pytest.raises(ChannelRefused) as refused:
            open_channel(url, LOOPBACK)
        assert "cret" not in str(refused.value).removeprefix(url.partition(":")[0])
    assert "cret" not in caplog.text


def test_secrets_are_not_logged_when_a_service_fails(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.status = 500
    with pytest.raises(ChannelUnavailable) as error:
        AppriseChannel(f"json://user:secret@127.0.0.1:{service.port}/token-secret", LOOPBACK).send(TEXT)
    assert "secret" not in caplog.text + str(error.value)


@pytest.mark.slow
def test_from_warning_to_webhook_through_the_service(world: World, service: Service) -> None:
    add_channel(world, org="lift-co", url=f"json://127.0.0.1:{service.port}/hook")
    add_channel(world, org="property-co", url="json://127.0.0.2/inside")
    found = settings.load(
        DispatchSettings,
        {},
        database_url=world.database.url("watchkeep_dispatch"),
        notify_allow="127.0.0.1/32",
        public_url="https://watch.example",
    )
    stop = Stop()
    thread = Thread(target=run, args=(found, stop), daemon=True)
    thread.start()
    try:
        world.warn("lift-1", "entrapment", at=datetime.now(UTC))
        eventually(lambda: [row[0] for row in outcomes(world)] == ["sent", "failed"])
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    (body,) = service.bodies
    assert body["title"].startswith("【A类】新工单：")
    assert body["message"].endswith(f"https://watch.example/cases/{world.value('SELECT case_id FROM cases')}")
    assert "private network" in outcomes(world)[1][2]


@pytest.mark.parametrize(
    ("name", "value"), [("notify_allow", "10.0.0.0/33"), ("quiet_hours", "22:00"), ("digest_at", "8.30")]
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        settings.load(DispatchSettings, {}, database_url="postgresql://x@y/z", **{name: value})
