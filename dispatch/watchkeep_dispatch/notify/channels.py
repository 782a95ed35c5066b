"""Ways out: the seam to whatever carries a notification to people."""

import json
import logging
import sys
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import apprise
import requests

from watchkeep_dispatch.errors import ChannelRefused, ChannelUnavailable
from watchkeep_dispatch.notify.guard import Egress, Exchange, guarded
from watchkeep_dispatch.notify.texts import Text

PER_MINUTE = {"wecom": 20, "dingtalk": 20, "sms": 10, "voice": 4, "mail": 30}
"""Messages a minute to one target. WeCom and DingTalk robots refuse more than 20; the others spare the person (CP)."""
WECOM_API = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
_WECOM = "wecombot://"
_WECOM_LETTERS = 680
"""A robot takes 2,048 bytes of text, three per Chinese character."""
_TRY_AGAIN = (408, 425, 429)
"""Refusals of HTTP that pass; so does everything from 500 on."""


class Channel(Protocol):
    """Carries one text. Raises ChannelUnavailable (try again) or ChannelRefused (no use)."""

    def send(self, text: Text, mention: str = "") -> None: ...


@dataclass(frozen=True, slots=True, repr=False)
class Services:
    """The site's own services for people's phones and mailboxes: apprise URLs with `{to}`; empty = none."""

    sms: str = ""
    voice: str = ""
    mail: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """One row of `notification_channels` with what its person is reached by."""

    kind: str
    enabled: bool
    personal: bool
    quiet_hours: str | None
    per_minute: int | None
    language: str
    phone: str
    email: str
    url: str


def address(target: Target, services: Services) -> str:
    """The URL that reaches a target. Raises ChannelRefused that says what is missing. Pure."""
    if not target.enabled:
        raise ChannelRefused("the channel is switched off")
    if target.url:
        return target.url
    if target.kind in ("wecom", "dingtalk"):
        raise ChannelRefused(f"the person's organisation has no {target.kind} group")
    template = {"sms": services.sms, "voice": services.voice, "mail": services.mail}.get(target.kind, "")
    if not template:
        raise ChannelRefused(f"no service is set up for {target.kind}: notify_{target.kind}_url")
    to = target.email if target.kind == "mail" else target.phone
    if not to:
        raise ChannelRefused("the person has no " + ("mail address" if target.kind == "mail" else "phone number"))
    return template.replace("{to}", quote(to, safe=""))


def open_channel(url: str, egress: Egress) -> Channel:
    """The channel behind a URL. Raises ChannelRefused for an unknown service; its text never shows the URL."""
    if url.startswith(_WECOM):
        return WeComChannel(url.removeprefix(_WECOM).partition("/")[0].partition("?")[0], egress)
    return AppriseChannel(url, egress)


class AppriseChannel:
    """Any service that apprise reaches by HTTP or mail, within the bounds of `guard`."""

    def __init__(self, url: str, egress: Egress) -> None:
        """Raises ChannelRefused for an unknown service; the text never holds the URL, which carries secrets."""
        for name in ("apprise", "urllib3"):  # both would log URLs
            logging.getLogger(name).setLevel(logging.CRITICAL)
        scheme = url.partition(":")[0]
        found = apprise.Apprise()
        if not found.add(url) or len(found) != 1:
            raise ChannelRefused(f"no notification service for URL scheme {scheme!r}")
        self._service: Any = found[0]
        if not hasattr(sys.modules[type(self._service).__module__], "requests") and scheme not in ("mailto", "mailtos"):
            raise ChannelRefused(f"URL scheme {scheme!r} is carried neither by HTTP nor by mail")
        self._service.request_rate_per_sec = 0  # it would sleep; how many go out is our decision
        self._egress = egress

    def send(self, text: Text, mention: str = "") -> None:
        body = text.body
        if mention and self._service.service_name == "DingTalk":
            self._service.targets = [mention]
            body = f"{body}\n@{mention}"
        with guarded(self._egress) as exchange:
            # the service itself, in this thread: Apprise.notify would hand it to a pool of its own
            taken = self._service.notify(body=body, title=text.title, notify_type=apprise.NotifyType.INFO)
        judge(exchange, taken=bool(taken))


class WeComChannel:
    """A WeCom group robot; apprise knows it, but not how to name somebody."""

    def __init__(self, key: str, egress: Egress, api: str = WECOM_API) -> None:
        self._key = key
        self._egress = egress
        self._api = api

    def send(self, text: Text, mention: str = "") -> None:
        content = {
            "content": f"{text.title}\n{text.body}"[:_WECOM_LETTERS],
            "mentioned_mobile_list": [mention] if mention else [],
        }
        with guarded(self._egress) as exchange:
            try:
                answer = requests.post(
                    self._api, params={"key": self._key}, json={"msgtype": "text", "text": content}, timeout=(4.0, 4.0)
                )
                taken = answer.ok
            except requests.RequestException:
                taken = False
        judge(exchange, taken=taken)


def judge(exchange: Exchange, *, taken: bool) -> None:
    """What a hand-over came to. Raises ChannelUnavailable, ChannelRefused. Texts hold no URL, only what was answered.

    Robots of WeCom and DingTalk answer 200 and say in the body that they did not take it.
    """
    if exchange.refused:
        raise ChannelRefused("the target is in a private network (notify_allow)")
    code = _error_code(exchange.body)
    if taken and not code:
        return
    status = exchange.status
    if taken:
        raise ChannelUnavailable(f"the service refused it with error code {code}")
    if exchange.over:
        raise ChannelUnavailable("it took too long")
    if status is None:
        raise ChannelUnavailable("the service cannot be reached, or did not take it")
    if 400 <= status < 500 and status not in _TRY_AGAIN:
        raise ChannelRefused(f"the service refused it with status {status}")
    raise ChannelUnavailable(f"the service answered with status {status}")


def _error_code(body: bytes) -> int:
    """`errcode` of an answer in JSON; 0 where there is none."""
    if b'"errcode"' not in body:
        return 0
    try:
        found = json.loads(body)
    except ValueError:
        return 0
    code = found.get("errcode", 0) if isinstance(found, dict) else 0
    return code if isinstance(code, int) else 1


class MemoryChannel:
    """The in-memory twin: keeps what it was given, fails as told."""

    def __init__(self) -> None:
        self.sent: list[Text] = []
        self.mentioned: list[str] = []
        self.failures: list[Exception] = []

    def send(self, text: Text, mention: str = "") -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(text)
        self.mentioned.append(mention)
