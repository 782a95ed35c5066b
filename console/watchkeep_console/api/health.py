"""`/health/live`, `/health/ready`, `/metrics`."""

import time

import psycopg
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from psycopg_pool import PoolTimeout
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeep_console.api.access import House
from watchkeep_console.services import Services

router = APIRouter(include_in_schema=False)

REQUESTS = Counter("watchkeep_console_requests", "Requests to API and plain pages", ["method", "route", "status"])
SECONDS = Histogram("watchkeep_console_request_seconds", "Time to answer them", ["route"])
WATCHERS = Gauge("watchkeep_console_watchers", "Open pages and event streams that get live changes")
LOGINS = Counter("watchkeep_console_logins", "Logins by outcome", ["outcome"])


class Measured:
    """Around everything: counts requests, and the time until their answers begin.

    Not Starlette's `http` middleware, which starts two tasks and copies each answer through a queue.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                REQUESTS.labels(scope["method"], route, str(message["status"])).inc()
                SECONDS.labels(route).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counted)


@router.get("/health/live")
def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/health")
@router.get("/health/ready")
def ready(house: House) -> JSONResponse:
    missing = [name for name, there in (("database", _answers(house)), ("listener", house.hub.listening)) if not there]
    return JSONResponse({"status": "failing" if missing else "ok", "missing": missing}, 503 if missing else 200)


@router.get("/metrics")
def metrics(house: House) -> Response:
    WATCHERS.set(house.hub.watchers)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _answers(house: Services) -> bool:
    try:
        with house.pool.connection(timeout=2) as conn:
            conn.execute("SELECT 1")
    except (psycopg.Error, PoolTimeout):
        return False
    return True
