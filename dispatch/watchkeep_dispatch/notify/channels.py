"""Ways out: the seam to whatever carries a notification to people."""

from typing import Protocol

import apprise

from watchkeep_dispatch.errors import ChannelRefused, ChannelUnavailable
from watchkeep_dispatch.notify.texts import Text


class Channel(Protocol):
    """Carries one text. Raises ChannelUnavailable (try again) or ChannelRefused (no use)."""

    def send(self, text: Text) -> None: ...


class AppriseChannel:
    """Any service that apprise knows (webhooks, WeCom, DingTalk, mail, SMS …), by its URL."""

    def __init__(self, url: str) -> None:
        """Raises ChannelRefused for an unknown service; the text never holds the URL, which carries secrets."""
        self._target = apprise.Apprise()
        if not self._target.add(url):
            raise ChannelRefused(f"no notification service for URL scheme {url.partition(':')[0]!r}")

    def send(self, text: Text) -> None:
        if not self._target.notify(title=text.title, body=text.body):
            raise ChannelUnavailable("the notification service did not take it")


class MemoryChannel:
    """The in-memory twin: keeps what it was given, fails as told."""

    def __init__(self) -> None:
        self.sent: list[Text] = []
        self.failures: list[Exception] = []

    def send(self, text: Text) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(text)
