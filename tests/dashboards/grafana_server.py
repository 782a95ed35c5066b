"""The routes of the loopback Grafana: what its documented HTTP API of versions 10 to 13 answers."""

import copy

from tests.dashboards.grafana_state import ADMIN, PASSWORD, FakeGrafana, Organisation, Refused, known, route, serve

__all__ = ["ADMIN", "PASSWORD", "FakeGrafana", "Organisation", "serve"]

APIS = "/apis/playlist.grafana.app/v1/namespaces"


@route("GET", "/api/org")
def _(server, org, parts, body, query):
    return {"id": org.id, "name": org.name}


@route("GET", "/api/orgs/name/(.+)")
def _(server, org, parts, body, query):
    for other in server.organisations.values():
        if other.name == parts[0]:
            return {"id": other.id, "name": other.name}
    raise Refused(404, "Organization not found")


@route("POST", "/api/orgs")
def _(server, org, parts, body, query):
    if not server.server_admin:
        raise Refused(403, "You'll need additional permissions to perform this action. Permissions needed: orgs:create")
    if any(other.name == body["name"] for other in server.organisations.values()):
        raise Refused(409, "Organization name taken")
    number = max(server.organisations) + 1
    server.organisations[number] = Organisation(number, body["name"], {ADMIN})
    return {"orgId": number, "message": "Organization created"}


@route("POST", r"/api/orgs/(\d+)/users")
def _(server, org, parts, body, query):
    server.organisations[int(parts[0])].members.add(body["loginOrEmail"])
    return {"message": "User added to organization"}


@route("GET", "/api/user/orgs")
def _(server, org, parts, body, query):
    return [{"orgId": o.id, "name": o.name} for o in server.organisations.values() if ADMIN in o.members]


@route("GET", "/api/plugins/(.+)/settings")
def _(server, org, parts, body, query):
    if parts[0] != server.plugin:
        raise Refused(404, "Plugin not found, no installed plugin with that id")
    return {"id": parts[0]}


@route("GET", "/api/datasources/uid/(.+)")
def _(server, org, parts, body, query):
    found = dict(known(org.of("datasource"), parts[0], "Data source"))
    return {
        **found,
        "id": 7,
        "readOnly": False,
        "secureJsonFields": dict.fromkeys(found.pop("secureJsonData", {}), True),
    }


@route("POST", "/api/datasources")
def _(server, org, parts, body, query):
    if any(body["name"] == other["name"] for other in org.of("datasource").values()):
        raise Refused(409, "data source with the same name already exists")
    org.of("datasource")[body["uid"]] = body
    return {"message": "Datasource added"}


@route("PUT", "/api/datasources/uid/(.+)")
def _(server, org, parts, body, query):
    old = known(org.of("datasource"), parts[0], "Data source")
    org.of("datasource")[parts[0]] = {"secureJsonData": old.get("secureJsonData", {}), **body}
    return {"message": "Datasource updated"}


@route("POST", "/api/ds/query")
def _(server, org, parts, body, query):
    known(org.of("datasource"), body["queries"][0]["datasource"]["uid"], "Data source")
    if server.database_error:
        raise Refused(400, server.database_error)
    columns = [list(column) for column in zip(*server.communities, strict=True)] or [[], []]
    return {"results": {"A": {"status": 200, "frames": [{"schema": {}, "data": {"values": columns}}]}}}


@route("GET", "/api/folders/(.+)")
def _(server, org, parts, body, query):
    return known(org.of("folder"), parts[0], "folder")


@route("POST", "/api/folders")
def _(server, org, parts, body, query):
    org.of("folder")[body["uid"]] = {**body, "id": 3, "version": 1}
    return body


@route("PUT", "/api/folders/(.+)")
def _(server, org, parts, body, query):
    known(org.of("folder"), parts[0], "folder")["title"] = body["title"]
    return {}


@route("GET", "/api/dashboards/uid/([^/]+)")
def _(server, org, parts, body, query):
    saves = known(org.of("dashboard"), parts[0], "Dashboard")
    board = copy.deepcopy(saves[-1]["dashboard"])
    board |= {"id": 11, "version": len(saves)}
    if server.adds_on_read:
        board["panels"][0]["options"]["migrated"] = True
    return {"dashboard": board, "meta": {"folderUid": saves[-1]["folderUid"], "version": len(saves)}}


@route("GET", "/api/dashboards/uid/([^/]+)/versions")
def _(server, org, parts, body, query):
    saves = known(org.of("dashboard"), parts[0], "Dashboard")
    rows = [{"version": n, "message": save["message"]} for n, save in enumerate(saves, 1)][::-1]
    return {"continueToken": "", "versions": rows} if server.versions_in_object else rows


@route("POST", "/api/dashboards/db")
def _(server, org, parts, body, query):
    board, boards = body["dashboard"], org.of("dashboard")
    if not 0 < len(board["uid"]) <= 40:
        raise Refused(400, "uid too long, max 40 characters")
    known(org.of("folder"), body["folderUid"], "folder")
    if board["uid"] in boards and not body["overwrite"] and board.get("version") != len(boards[board["uid"]]):
        raise Refused(412, "The dashboard has been changed by someone else")
    same = [uid for uid, saves in boards.items() if saves[-1]["dashboard"]["title"] == board["title"]]
    if server.same_title_conflicts and same and board["uid"] not in boards and not body["overwrite"]:
        raise Refused(412, "A dashboard with the same name in the folder already exists")
    boards.setdefault(board["uid"], []).append(copy.deepcopy(body))
    return {"uid": board["uid"], "status": "success", "version": len(boards[board["uid"]])}


@route("DELETE", "/api/dashboards/uid/(.+)")
def _(server, org, parts, body, query):
    known(org.of("dashboard"), parts[0], "Dashboard")
    del org.of("dashboard")[parts[0]]
    return {}


@route("GET", "/api/search")
def _(server, org, parts, body, query):
    newest = [saves[-1]["dashboard"] for saves in org.of("dashboard").values()]
    return [{"uid": b["uid"], "title": b["title"]} for b in newest if set(query["tag"]) <= set(b["tags"])]


@route("GET", "/api/playlists")
def _(server, org, parts, body, query):
    old(server)
    return [{key: row[key] for key in ("uid", "name", "interval")} for row in org.of("playlist").values()]


@route("GET", "/api/playlists/(.+)")
def _(server, org, parts, body, query):
    found = known(org.of("playlist"), parts[0], "Playlist")
    return {**found, "items": [{**item, "title": item["value"]} for item in found["items"]]}


@route("POST", "/api/playlists")
def _(server, org, parts, body, query):
    old(server)
    uid = f"made-{len(org.of('playlist')) + 1}"
    org.of("playlist")[uid] = {**body, "uid": uid}
    return {"uid": uid}


@route("PUT", "/api/playlists/(.+)")
def _(server, org, parts, body, query):
    known(org.of("playlist"), parts[0], "Playlist").update(body)
    return {}


@route("DELETE", "/api/playlists/(.+)")
def _(server, org, parts, body, query):
    known(org.of("playlist"), parts[0], "Playlist")
    del org.of("playlist")[parts[0]]
    return ""


def old(server):
    if not server.old_playlists:
        raise Refused(404, "Not found")


@route("GET", f"{APIS}/([^/]+)/playlists")
def _(server, org, parts, body, query):
    return {"kind": "PlaylistList", "items": list(resources(org, parts[0]).values())}


@route("POST", f"{APIS}/([^/]+)/playlists")
def _(server, org, parts, body, query):
    found = resources(org, parts[0])
    name = body["metadata"].get("name") or body["metadata"]["generateName"] + str(len(found))
    found[name] = {**body, "metadata": {"name": name, "resourceVersion": "1"}}
    return found[name]


@route("PUT", f"{APIS}/([^/]+)/playlists/(.+)")
def _(server, org, parts, body, query):
    row = known(resources(org, parts[0]), parts[1], "playlist")
    if body["metadata"]["resourceVersion"] != row["metadata"]["resourceVersion"]:
        raise Refused(409, "the object has been modified")
    row |= {"spec": body["spec"], "metadata": {"name": parts[1], "resourceVersion": "2"}}
    return row


@route("DELETE", f"{APIS}/([^/]+)/playlists/(.+)")
def _(server, org, parts, body, query):
    del resources(org, parts[0])[parts[1]]
    return {}


def resources(org, namespace):
    if namespace != ("default" if org.id == 1 else f"org-{org.id}"):
        raise Refused(403, "namespace mismatch")
    return org.of("playlist resource")


@route("GET", "/api/serviceaccounts/search")
def _(server, org, parts, body, query):
    rows = [row for row in org.of("account").values() if query["query"][0] in row["name"]]
    return {"totalCount": len(rows), "serviceAccounts": rows}


@route("POST", "/api/serviceaccounts")
def _(server, org, parts, body, query):
    row = {"id": 40 + len(org.of("account")), "tokens": [], **body}
    org.of("account")[str(row["id"])] = row
    return row


@route("GET", r"/api/serviceaccounts/(\d+)/tokens")
def _(server, org, parts, body, query):
    return [{"name": name} for name in known(org.of("account"), parts[0], "service account")["tokens"]]


@route("POST", r"/api/serviceaccounts/(\d+)/tokens")
def _(server, org, parts, body, query):
    known(org.of("account"), parts[0], "service account")["tokens"].append(body["name"])
    key = f"glsa_{org.id}_{body['name']}"
    server.tokens[key] = org.id
    return {"id": 1, "name": body["name"], "key": key}


@route("GET", "/api/v1/provisioning/alert-rules")
def _(server, org, parts, body, query):
    return list(org.of("rule").values())


@route("GET", "/api/v1/provisioning/alert-rules/(.+)")
def _(server, org, parts, body, query):
    return known(org.of("rule"), parts[0], "alert rule")


@route("POST", "/api/v1/provisioning/alert-rules")
def _(server, org, parts, body, query):
    known(org.of("folder"), body["folderUID"], "folder")
    if body["uid"] in org.of("rule"):
        raise Refused(409, "alert rule already exists")
    org.of("rule")[body["uid"]] = {**body, "id": 5, "orgID": org.id, "isPaused": False}
    return body


@route("PUT", "/api/v1/provisioning/alert-rules/(.+)")
def _(server, org, parts, body, query):
    known(org.of("rule"), parts[0], "alert rule").update(body)
    return body


@route("DELETE", "/api/v1/provisioning/alert-rules/(.+)")
def _(server, org, parts, body, query):
    org.of("rule").pop(parts[0], None)
    return
