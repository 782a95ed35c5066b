"""ASGI middleware around everything: security headers, size of bodies, origin of WebSockets."""

import re
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeep_dispatch import evidence_files

MAX_BODY = 1024 * 1024
MAX_PHOTO_BODY = evidence_files.MAX_BYTES + 64 * 1024
"""A resident's form with one photo as a phone takes it."""
MAX_WORKBOOK_BODY = 10 * 1024 * 1024 + 64 * 1024
"""A register of 10,000 rows, as pages and programs upload it."""
_WORKBOOK = re.compile(r"/_nicegui/client/[0-9a-f-]+/upload/\d+|/api/v1/equipment/import")
_PHOTO = re.compile(r"/r/[0-9a-fA-F-]{36}")
MAX_ORDER_BODY = 2 * evidence_files.MAX_BYTES + 1024 * 1024
"""A technician's form with two photos as a phone takes them and a signature; no script, no shrinking."""
_ORDER = re.compile(r"/m/orders/\d+/(arrive|finish)")

PLAIN_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGES_CSP = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""NiceGUI compiles Vue templates in the browser ('unsafe-eval') and Quasar sets style attributes ('unsafe-inline'
for styles); inline scripts carry a nonce."""
_PLAIN_PREFIXES = (
    "/api/", "/account", "/m/", "/r/", "/board/", "/login", "/logout", "/health", "/metrics", "/static/",
    "/preferences",
)  # fmt: skip
_SCRIPT = re.compile(rb"<script(?=[\s>])")


class Guard:
    """Wraps the whole app."""

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self._app = app
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["path"].startswith("/_nicegui_ws") and not _same_origin(headers):
            await _refuse(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        limit = _limit(scope["path"])
        if int(headers.get("content-length") or 0) > limit:
            answer = PlainTextResponse("body too large", 413, {"Connection": "close"})
            await answer(scope, receive, self._with_headers(scope, send))
            return
        await self._app(scope, _limited(receive, limit), self._with_headers(scope, send))

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        plain = scope["path"] == "/m" or scope["path"].startswith(_PLAIN_PREFIXES)
        nonce = "" if plain else secrets.token_urlsafe(16)
        start: Message | None = None  # of an HTML page, held back until its length with nonces is known
        body = bytearray()

        async def guarded(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                self._set(headers, PLAIN_CSP if plain else PAGES_CSP.format(nonce=nonce))
                if nonce and headers.get("content-type", "").startswith("text/html"):
                    start = message
                    return
            elif start is not None and message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                signed = _SCRIPT.sub(f'<script nonce="{nonce}"'.encode(), bytes(body))
                MutableHeaders(scope=start)["content-length"] = str(len(signed))
                await send(start)
                start = None
                message = {"type": "http.response.body", "body": signed}
            await send(message)

        return guarded

    def _set(self, headers: MutableHeaders, csp: str) -> None:
        headers["Content-Security-Policy"] = csp
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(self), geolocation=(self), microphone=(), payment=()"
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if "cache-control" not in headers:
            headers["Cache-Control"] = "no-store"


def _limit(path: str) -> int:
    """Bytes that a body sent there may have."""
    if _PHOTO.fullmatch(path):
        return MAX_PHOTO_BODY
    if _ORDER.fullmatch(path):
        return MAX_ORDER_BODY
    return MAX_WORKBOOK_BODY if _WORKBOOK.fullmatch(path) else MAX_BODY


def _limited(receive: Receive, limit: int) -> Receive:
    """A body without Content-Length is counted as it comes."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, f"the body may have at most {limit} bytes")
        return message

    return counted


def _same_origin(headers: Headers) -> bool:
    """NiceGUI itself lets every origin in (SURFACES §C3.6). No Origin = no browser."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    else:
        await PlainTextResponse("foreign origin", 403)(scope, receive, send)
