"""A webhook's other side for `watchkeep bench dispatch`, in a process of its own: takes what comes and says 204."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

_ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


@contextmanager
def webhook_sink() -> Iterator[str]:
    """The apprise URL of a sink that runs meanwhile, on loopback."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=[theirs], daemon=True)
    process.start()
    try:
        yield f"json://127.0.0.1:{ours.recv()}/"
    finally:
        process.terminate()
        process.join(30)


def _run(told: Connection) -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(told))


async def _serve(told: Connection) -> None:
    server = await asyncio.start_server(_take, "127.0.0.1", 0)
    told.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, _, length = head.partition(b"content-length:")
        await reader.readexactly(int(length.split(b"\r\n")[0] or 0))
        writer.write(_ANSWER)
        await writer.drain()
    writer.close()
