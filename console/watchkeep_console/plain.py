"""Templates of the plain pages, and what a visitor prefers: language and theme, kept in cookies."""

from datetime import timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from watchkeep_console.texts import LANGUAGES, Words, words

LANGUAGE_COOKIE = "watchkeep_language"
THEME_COOKIE = "watchkeep_theme"
THEMES = ("light", "dark")
_YEAR_S = int(timedelta(days=365).total_seconds())
TEMPLATES = Environment(
    loader=PackageLoader("watchkeep_console", "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def language(request: Request, of_person: str | None = None) -> Words:
    """The cookie's language, else the person's, else what the browser asks for, else Chinese."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return words(chosen)
    if of_person:
        return words(of_person)
    return words("en" if request.headers.get("accept-language", "").lower().startswith("en") else "zh")


def theme(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else "light"


def prefer(response: Response, cookie: str, value: str) -> None:
    response.set_cookie(cookie, value, max_age=_YEAR_S, samesite="lax", httponly=True, path="/")


def render(request: Request, template: str, t: Words, status: int = 200, **values: Any) -> HTMLResponse:
    here = request.url.path if request.method == "GET" else "/"
    page = TEMPLATES.get_template(template).render(t=t, theme=theme(request), here=here, **values)
    return HTMLResponse(page, status)


def local_path(target: str | None, otherwise: str = "/") -> str:
    """Where to go next, if it is a path of ours: nothing with a host, a scheme or a backslash."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target or "\n" in target:
        return otherwise
    return target
