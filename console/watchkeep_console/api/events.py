"""`/api/v1/events`: what changes, as server-sent events; only what the person may see, at most one burst in 2 s."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from watchkeep_console import reads
from watchkeep_console.api.access import Current, House
from watchkeep_console.errors import NotLoggedIn
from watchkeep_console.identity import Session
from watchkeep_console.live import Change
from watchkeep_console.services import Services

router = APIRouter(tags=["live"])
HEARTBEAT_S = 20.0
"""Below the idle limit of common proxies (60 s); the session is checked as often, so revocation takes < 60 s."""
PAUSE_S = 2.0


@router.get(
    "/events",
    summary="Live changes",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"example": 'event: change\ndata: {"table":"cases","id":7}\n\n'}}}
    },
)
async def events(request: Request, house: House, current: Current) -> StreamingResponse:
    """`change` names a table (`warnings`, `cases`, `orders`) and an id to read again; `reload` = some were missed."""
    return StreamingResponse(
        _stream(house, current), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _stream(house: Services, current: Session) -> AsyncIterator[str]:
    async with house.hub.watch() as watcher:
        yield "retry: 3000\n\n"
        while True:
            changes, missed = await watcher.take(HEARTBEAT_S)
            try:
                seen = await run_in_threadpool(_visible, house, current, changes)
            except NotLoggedIn:
                yield "event: end\ndata: {}\n\n"
                return
            if missed:
                yield "event: reload\ndata: {}\n\n"
            for change in seen:
                yield f"event: change\ndata: {msgspec.json.encode(change).decode()}\n\n"
            if not changes and not missed:
                yield ": still here\n\n"
            await asyncio.sleep(PAUSE_S if changes else 0)


def _visible(house: Services, current: Session, changes: Iterable[Change]) -> list[Change]:
    """Those of the changes the person may see. Raises NotLoggedIn when the session has ended."""
    if current.csrf_token is not None:
        house.identity.session_by_hash(current.token_hash, active=False)
    found: list[Change] = []
    wanted = list(changes)
    if not wanted:
        return found
    with house.identity.acting(current) as conn:
        for table in ("warnings", "cases", "orders"):
            of_table = [change for change in wanted if change.table == table]
            if of_table:
                ids = reads.visible(conn, table, [change.id for change in of_table])
                found += [change for change in of_table if change.id in ids]
    return found
