"""What shall be in Grafana, what is, and the writes between them: none when nothing differs."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from watchkeep_dashboards import alerts, contents, organisation, packaged, playlists
from watchkeep_dashboards.contents import COMMUNITIES_TITLE, COMMUNITIES_UID, FOLDER_TITLE, FOLDER_UID, Community
from watchkeep_dashboards.errors import GrafanaRefused
from watchkeep_dashboards.grafana import Grafana
from watchkeep_dashboards.playlists import Playlist
from watchkeep_dashboards.resources import Board, Datasource, Resource, alert_rule, folder
from watchkeep_dashboards.settings import DashboardsSettings

_MOST_DIFFERENCES = 8
"""Paths shown of one thing: who looks at it sees the rest there."""


class Change(msgspec.Struct, frozen=True):
    """One thing that differs from what shall be."""

    kind: str
    uid: str
    title: str
    action: Literal["create", "update", "delete"]
    differs: list[str] = []


def datasource(settings: DashboardsSettings, plugin: str, *, renew: bool = False) -> Datasource:
    """As provisioning/datasource.yaml, with the addresses from our settings (a test compares)."""
    body = {
        "name": "Watchkeep",
        "uid": packaged.DATASOURCE_UID,
        "type": plugin,
        "access": "proxy",
        "url": settings.database_address,
        "user": "grafana_ro",
        "jsonData": {
            "database": settings.database_name,
            "sslmode": settings.database_sslmode,
            "postgresVersion": 1500,
            "timescaledb": False,
            "maxOpenConns": 10,
            "maxIdleConns": 2,
            "connMaxLifetime": 14400,
            "timeInterval": "1m",
        },
    }
    return Datasource(body, password=settings.database_password.get_secret_value(), renew=renew)


def of_the_city(settings: DashboardsSettings, plugin: str) -> list[Resource]:
    """What does not depend on which communities there are; the data source is already there."""
    boards = contents.city_boards(settings.language, settings.console_url)
    return [
        folder(FOLDER_UID, FOLDER_TITLE),
        *(Board(_typed(board, plugin), folder_uid=FOLDER_UID) for board in boards),
        Playlist(contents.city_playlist(settings.language)),
        *(alert_rule(body) for body in alerts.documents()),
    ]


def of_communities(settings: DashboardsSettings, plugin: str, communities: Sequence[Community]) -> list[Resource]:
    """Boards with the community in them, and a playlist of them, for each."""
    language = settings.language
    found: list[Resource] = [folder(COMMUNITIES_UID, COMMUNITIES_TITLE)] if communities else []
    for one in communities:
        boards = contents.community_boards(one, language, settings.console_url)
        found += [Board(_typed(board, plugin), folder_uid=COMMUNITIES_UID) for board in boards]
        found.append(Playlist(contents.community_playlist(one, language)))
    return found


def communities(grafana: Grafana, settings: DashboardsSettings, only: Sequence[str] = ()) -> list[Community]:
    """Live communities, asked through Grafana itself: so its data source is known to work. Raises GrafanaRefused."""
    sql = contents.live_communities(settings.language)
    query = {"refId": "A", "datasource": {"uid": packaged.DATASOURCE_UID}, "rawSql": sql, "format": "table"}
    answer = grafana.ask("/ds/query", {"queries": [query], "from": "now-1h", "to": "now"})["results"]["A"]
    if answer.get("error"):
        raise GrafanaRefused(f"Grafana cannot ask the database: {answer['error']}")
    frames = answer.get("frames") or []
    values = frames[0]["data"]["values"] if frames else []
    return contents.chosen(zip(*values, strict=True), only)


def everything(grafana: Grafana, settings: DashboardsSettings, only: Sequence[str] | None) -> list[Resource]:
    """What shall be there but the data source; `only` these communities, all when empty, none when None."""
    plugin = organisation.plugin(grafana)
    there = [] if only is None else communities(grafana, settings, only)
    return of_the_city(settings, plugin) + of_communities(settings, plugin, there)


def drift(grafana: Grafana, settings: DashboardsSettings, only: Sequence[str] | None) -> list[Change]:
    """What `write` and `delete` would change; without a data source there is nobody to ask for communities."""
    found = [change for change, _, _ in changes(grafana, [datasource(settings, organisation.plugin(grafana))])]
    if any(change.action == "create" for change in found):
        only = None
    wanted = everything(grafana, settings, only)
    found += [change for change, _, _ in changes(grafana, wanted)]
    return found + strangers(grafana, settings, wanted)


def addresses(grafana: Grafana, settings: DashboardsSettings) -> dict[str, str]:
    """Playlist of ours → what a kiosk opens."""
    return {
        known.name: f"{grafana.url}/playlists/play/{known.uid}?kiosk&autofitpanels"
        for known in playlists.playlists(grafana)
        if known.name.startswith(contents.playlist_title(settings.language))
    }


def changes(grafana: Grafana, resources: Sequence[Resource]) -> Iterator[tuple[Change, Resource, Any]]:
    """What differs, in the order in which it must be written."""
    for resource in resources:
        found = resource.read(grafana)
        if found is None:
            yield Change(resource.kind, resource.uid, resource.title, "create"), resource, None
        elif differs := resource.drift(grafana, found):
            shown = differs[:_MOST_DIFFERENCES]
            yield Change(resource.kind, resource.uid, resource.title, "update", shown), resource, found


def write(grafana: Grafana, resources: Sequence[Resource]) -> list[Change]:
    """Make Grafana so; returns what was done."""
    done = []
    for change, resource, found in changes(grafana, resources):
        if change.action == "create":
            resource.create(grafana)
        else:
            resource.update(grafana, found)
        done.append(change)
    return done


def strangers(grafana: Grafana, settings: DashboardsSettings, wanted: Sequence[Resource]) -> list[Change]:
    """What is ours, in this language, and no longer wanted."""
    keep = {(resource.kind, resource.uid) for resource in wanted}
    boards = grafana.ask(f"/search?type=dash-db&tag=watchkeep&tag={settings.language}&limit=5000") or []
    rules = grafana.ask("/v1/provisioning/alert-rules") or []
    mine = contents.playlist_title(settings.language)
    found = [
        *(("dashboard", row["uid"], row["title"]) for row in boards if row["uid"].startswith(("wk-", "watchkeep-"))),
        *(("playlist", row.name, row.name) for row in playlists.playlists(grafana) if row.name.startswith(mine)),
        *(("alert rule", row["uid"], row["title"]) for row in rules if row.get("ruleGroup") == alerts.GROUP),
    ]
    return [Change(kind, uid, title, "delete") for kind, uid, title in found if (kind, uid) not in keep]


def delete(grafana: Grafana, change: Change) -> None:
    """Take one of `strangers` away."""
    if change.kind == "dashboard":
        grafana.write("DELETE", f"/dashboards/uid/{change.uid}")
    elif change.kind == "alert rule":
        grafana.write("DELETE", f"/v1/provisioning/alert-rules/{change.uid}", X_Disable_Provenance="true")
    else:
        for known in playlists.playlists(grafana):
            if known.name == change.uid:
                playlists.delete(grafana, known.uid)


def _typed(board: dict[str, Any], plugin: str) -> dict[str, Any]:
    """For the Grafana whose plug-in has the older name."""
    if plugin == organisation.PLUGIN:
        return board
    text = json.dumps(board).replace(f'"{organisation.PLUGIN}"', f'"{plugin}"')
    return dict(json.loads(text))
