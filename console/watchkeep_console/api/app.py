"""The `api` app: everything but the NiceGUI pages."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from importlib.resources import as_file, files

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware

from watchkeep_console import upkeep
from watchkeep_console.api import (
    account,
    account_pages,
    complaints,
    events,
    feedback,
    gateways,
    health,
    ledger,
    login,
    offline,
    open_data,
    preventive,
    problems,
    register,
    residents,
    sessions,
    supervision,
    technician,
    visit_plans,
    webhooks,
    work,
)
from watchkeep_console.api.contract import contract
from watchkeep_console.api.guard import Guard
from watchkeep_console.api.health import Measured
from watchkeep_console.services import Services

UPKEEP_ENDS_S = 3.0
"""A message that is on its way to a slow webhook is not waited for; its lease runs out and it is sent again."""
DESCRIPTION = """\
Log in with `POST /api/v1/session` (cookie, and `X-CSRF-Token` on requests that change something) or send
`Authorization: Bearer TOKEN`. What is outside one's scope answers 404. Refusals are `application/problem+json` and
name the `field`. Acts take an `Idempotency-Key` and the `version` that was read: 409 when somebody was faster.
Lists answer `next`, the cursor of the following page. Times are UTC."""


def create_app(house: Services | None) -> FastAPI:
    """Without services only the OpenAPI document can be had."""
    app = FastAPI(
        title="Watchkeep",
        version="1",
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.services = house
    app.openapi = lambda: contract(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    problems.install(app)
    v1 = APIRouter(prefix="/api/v1")
    for router in (
        sessions.router,
        account.router,
        register.router,
        work.router,
        feedback.router,
        complaints.router,
        supervision.router,
        preventive.router,
        visit_plans.router,
        ledger.router,
        gateways.router,
        events.router,
        webhooks.router,
        open_data.router,
    ):
        v1.include_router(router)
    app.include_router(v1)
    for router in (
        health.router,
        login.router,
        account_pages.router,
        technician.router,
        offline.router,
        residents.router,
    ):
        app.include_router(router)
    with as_file(files("watchkeep_console") / "static") as folder:
        app.mount("/static", StaticFiles(directory=folder), name="static")
    app.add_middleware(Measured)
    app.add_middleware(Guard, secure=house is not None and house.settings.secure_cookies)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Listener and upkeep live as long as the app."""
    house: Services = app.state.services
    task = asyncio.create_task(house.hub.run(), name="listener")
    stop = threading.Event()
    keeper = threading.Thread(target=upkeep.run, args=(house, stop), name="upkeep", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        await asyncio.to_thread(keeper.join, UPKEEP_ENDS_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
