"""What makes `/m` an app on a phone: manifest, service worker, and who is logged in, for the queue of unsent posts."""

from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from watchkeep_console import plain
from watchkeep_console.api.access import COOKIE, House
from watchkeep_console.errors import NotLoggedIn

router = APIRouter(prefix="/m", include_in_schema=False)
_WORKER = (files("watchkeep_console") / "static" / "worker.js").read_bytes()


@router.get("/worker.js")
def worker() -> Response:
    """It lies below /m, so that it can see no other page; it is asked for anew at every visit."""
    headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": "/m"}
    return Response(_WORKER, media_type="text/javascript", headers=headers)


@router.get("/app.webmanifest")
def manifest(request: Request) -> Response:
    t = plain.language(request)
    icons = [
        {"src": f"/static/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for size, purpose in ((192, "any"), (512, "any"), (512, "maskable"))
    ]
    described = {
        "id": "/m",
        "name": f"{t('app.name')} · {t('m.my_orders')}",
        "short_name": t("m.my_orders"),
        "lang": "en" if t.language == "en" else "zh-CN",
        "start_url": "/m",
        "scope": "/m",
        "display": "standalone",
        "background_color": "#10222d",
        "theme_color": "#10222d",
        "icons": icons,
    }
    return JSONResponse(described, media_type="application/manifest+json")


@router.get("/session")
def whose(request: Request, house: House) -> Response:
    """Who is logged in on this phone and the token its posts need; 401 for nobody."""
    try:
        found = house.identity.session(request.cookies.get(COOKIE))
    except NotLoggedIn:
        return JSONResponse({}, 401)
    return JSONResponse({"person": found.person.person_id, "csrf": found.csrf_token})
