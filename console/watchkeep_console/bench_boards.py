"""Open boards as browsers have them, for `watchkeep bench console`: the page, its WebSocket, what is pushed, a press.

The protocol is that of NiceGUI's own script: Engine.IO 4 and Socket.IO 5 over one WebSocket. Messages are searched, not
decoded: the browsers of fifty people are not on the server's machine, so their work is kept small here.
"""

import ast
import asyncio
import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect

from watchkeep_console.api.access import COOKIE
from watchkeep_core.errors import TransientError

OPEN_S = 30.0
ACK_EVERY_S = 3.0
"""As NiceGUI's script does; without it the server keeps what it has sent."""
MOST_BYTES = 64 * 1024 * 1024
_ELEMENTS = re.compile(r"parseElements\(String\.raw`(.*?)`\)", re.DOTALL)
_QUERY = re.compile(r"query: (\{.*?\}),\n")
_ID = re.compile(r'"_id":(\d+)')
_ESCAPED = (("&#36;", "$"), ("&#96;", "`"), ("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&"))


class NoBoard(TransientError):
    """The page is not the board, or its WebSocket was refused."""


@dataclass(slots=True)
class Board:
    """One open tab. `heard` gets each message as it came."""

    client_id: str
    confirm: tuple[int, str]
    """Element and listener of the table of warnings."""
    line: ClientConnection
    heard: Callable[["Board", str], None]
    next_id: int = 0
    received: int = 0
    """Characters, unpacked."""
    _acked: float = field(default_factory=time.monotonic)

    async def listen(self) -> None:
        """Until cancelled, or until the server ends it."""
        async for message in self.line:
            text = message if isinstance(message, str) else ""
            if text == "2":
                await self.line.send("3")
                continue
            self.received += len(text)
            if text.startswith("42"):
                self._count(text)
                self.heard(self, text)
            if time.monotonic() - self._acked > ACK_EVERY_S:
                self._acked = time.monotonic()
                await self._emit("ack", {"client_id": self.client_id, "next_message_id": self.next_id})

    def _count(self, text: str) -> None:
        found = _ID.findall(text, max(0, len(text) - 40))
        if found:
            self.next_id = int(found[-1]) + 1

    async def press_confirm(self, warning_id: int) -> None:
        element, listener = self.confirm
        event = {"id": element, "client_id": self.client_id, "listener_id": listener, "args": [str(warning_id)]}
        await self._emit("event", event)

    async def _emit(self, name: str, data: dict[str, Any]) -> None:
        await self.line.send("42" + json.dumps([name, data], separators=(",", ":")))


async def open_board(http: httpx.AsyncClient, token: str, heard: Callable[[Board, str], None]) -> Board:
    """Ask for the page and connect. Raises NoBoard, httpx.HTTPError, OSError."""
    page = await http.get("/", cookies={COOKIE: token}, timeout=OPEN_S)
    elements, query = _ELEMENTS.search(page.text), _QUERY.search(page.text)
    if page.status_code != 200 or elements is None or query is None:
        raise NoBoard(f"GET / answered {page.status_code}, not a board")
    asked: dict[str, Any] = ast.literal_eval(query[1])  # a Python dict, as NiceGUI writes it
    address = urlsplit(str(http.base_url))
    told = {
        **asked, "implicit_handshake": "true", "document_id": str(uuid.uuid4()), "tab_id": str(uuid.uuid4()),
        "EIO": "4", "transport": "websocket",
    }  # fmt: skip
    line = await connect(
        f"ws://{address.netloc}/_nicegui_ws/socket.io/?{urlencode(told)}",
        additional_headers={"Cookie": f"{COOKIE}={token}"},
        max_size=MOST_BYTES,
        open_timeout=OPEN_S,
        ping_interval=None,  # Engine.IO has its own
    )
    async with asyncio.timeout(OPEN_S):
        await line.recv()
        await line.send("40")
        answer = await line.recv()
    if not str(answer).startswith("40"):
        raise NoBoard(f"the WebSocket answered {str(answer)[:100]}")
    return Board(str(asked["client_id"]), _confirm(elements[1]), line, heard, int(asked["next_message_id"]))


def _confirm(raw: str) -> tuple[int, str]:
    for name, character in _ESCAPED:
        raw = raw.replace(name, character)
    for number, element in json.loads(raw).items():
        for event in element.get("events", []):
            if event["type"] == "confirm":
                return int(number), str(event["listener_id"])
    raise NoBoard("no table of warnings on the page")
