"""Who we are in Grafana, the organisation of the walls, its service account, and where anonymous viewers land."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from watchkeep_core.errors import SettingsError
from watchkeep_dashboards.errors import GrafanaConflict, GrafanaForbidden, GrafanaLogin, GrafanaRefused
from watchkeep_dashboards.grafana import Grafana
from watchkeep_dashboards.settings import DashboardsSettings

ACCOUNT = "watchkeep-apply"
PLUGIN, OLD_PLUGIN = "grafana-postgresql-datasource", "postgres"
INI = """[auth.anonymous]
enabled = true
org_name = {name}
org_role = Viewer
hide_version = true
"""
"""What no API can set: it must stand in grafana.ini (deploy/grafana/grafana.ini has the whole)."""


def connect(settings: DashboardsSettings) -> Grafana:
    """The login, not yet in an organisation. Raises SettingsError, GrafanaUnreachable."""
    if settings.grafana_ca_file and not settings.grafana_ca_file.is_file():
        raise SettingsError(f"dashboards.grafana_ca_file: {settings.grafana_ca_file} is not a file")
    password, token = settings.grafana_password.get_secret_value(), settings.grafana_token.get_secret_value()
    if bool(settings.grafana_user and password) == bool(token):  # never Grafana's default login
        raise SettingsError("dashboards: give either grafana_token, or grafana_user with grafana_password")
    credential = token or (settings.grafana_user, password)
    return Grafana(
        settings.grafana_url, credential, timeout_s=settings.grafana_timeout_s, ca_file=settings.grafana_ca_file
    )


def enter(grafana: Grafana, settings: DashboardsSettings) -> bool:
    """Go into the organisation of the walls; False when it is not there, or the login is no member yet."""
    name = settings.organisation
    if not settings.grafana_user:  # a token belongs to one organisation
        own = grafana.ask("/org")
        if own["name"] != name:
            raise GrafanaConflict(f"the token is of organisation {own['name']!r}, the walls are in {name!r}")
        grafana.organisation_id = own["id"]
        return True
    found = grafana.find(f"/orgs/name/{quote(name)}")
    if found is None or all(row["orgId"] != found["id"] for row in grafana.ask("/user/orgs")):
        return False
    grafana.within(found["id"])
    return True


def make(grafana: Grafana, settings: DashboardsSettings) -> None:
    """The organisation, with the login as a member who may write. Needs a server administrator."""
    found = grafana.find(f"/orgs/name/{quote(settings.organisation)}")
    if found is None:  # who makes it is its Admin
        grafana.within(grafana.write("POST", "/orgs", {"name": settings.organisation})["orgId"])
        return
    member = {"loginOrEmail": settings.grafana_user, "role": "Admin"}
    grafana.write("POST", f"/orgs/{found['id']}/users", member)
    grafana.within(found["id"])


def plugin(grafana: Grafana) -> str:
    """Type of the PostgreSQL data source here: its name changed within Grafana 10. Raises GrafanaRefused."""
    for known in (PLUGIN, OLD_PLUGIN):
        if grafana.find(f"/plugins/{known}/settings") is not None:
            return known
    raise GrafanaRefused(
        "Grafana has no PostgreSQL data source plug-in: see [paths] bundled_plugins in docs/dashboards.md"
    )


def account(grafana: Grafana) -> dict[str, Any] | None:
    """The service account that later applies can use."""
    found = grafana.ask(f"/serviceaccounts/search?query={ACCOUNT}").get("serviceAccounts", [])
    return next((dict(row) for row in found if row["name"] == ACCOUNT), None)


def token_to(grafana: Grafana, path: Path) -> None:
    """Make the service account and write a token of it into a new file that only its owner reads."""
    known = account(grafana) or grafana.write("POST", "/serviceaccounts", {"name": ACCOUNT, "role": "Admin"})
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise SettingsError(f"--token-file: cannot write {path}: {error.strerror}") from None
    _fill(handle, path, lambda: _token(grafana, known["id"]))


def _token(grafana: Grafana, number: int) -> str:
    taken = {row["name"] for row in grafana.ask(f"/serviceaccounts/{number}/tokens") or []}
    name = next(name for n in range(1, 1000) if (name := f"{ACCOUNT}-{n}") not in taken)
    return str(grafana.write("POST", f"/serviceaccounts/{number}/tokens", {"name": name})["key"])


def _fill(handle: int, path: Path, key: Callable[[], str]) -> None:
    """Nothing is left behind when Grafana refuses the token."""
    written = False
    try:
        os.write(handle, key().encode())
        written = True
    finally:
        os.close(handle)
        if not written:
            path.unlink()


def anonymous(grafana: Grafana, settings: DashboardsSettings) -> str:
    """`on`, `off`, or in which wrong organisation anonymous viewers land."""
    nobody = Grafana(grafana.url, None, timeout_s=settings.grafana_timeout_s, ca_file=settings.grafana_ca_file)
    try:
        with nobody:
            seen = nobody.ask("/org")
    except GrafanaForbidden:
        return "on"  # logged in as a viewer, who may not ask for the name
    except GrafanaLogin:
        return "off"
    return "on" if seen["name"] == settings.organisation else f"on, but in organisation {seen['name']!r}"
