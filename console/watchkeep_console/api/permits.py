"""What each route of `/api/v1` needs, in one table: a route that is not in it is refused to everybody.

A permission asks for a role that has it somewhere (the act itself checks the scope again) and, of a token, for the
scope of the same name. READ is open to every person, shows what row-level security lets through, and asks a token for
the scope `read`. OWN concerns nobody but the person who asks, by a session and not by a token. PUBLIC needs no person.
"""

from collections.abc import Mapping

from watchkeep_console.errors import Forbidden
from watchkeep_console.permissions import PERMISSIONS, READ, Permission, Person

OWN = "own"
PUBLIC = "public"
ME = "GET /me"
"""A program may always ask whose token it has."""

_READS = """
/communities /equipment /equipment/workbook /communities/{community}/equipment/{equipment_id}
/series/{series_id}/readings /series/{series_id}/window /duties /summary /warnings /warnings/{warning_id}
/warnings/{warning_id}/explanation /warnings/{warning_id}/feedback /cases /cases/{case_id} /orders /orders/{order_id}
/complaints /complaints/study /complaints/{complaint_id} /indicators /indicators/orders /protected-minutes /rankings
/rankings/{ranking_id} /rankings/{ranking_id}/grants /credit-events /reports/supervision
/communities/{community}/notices /visits /visit-plans /visits-ahead /communities/{community}/handovers
/cases/{case_id}/told /ledger /areas/{area}/agenda /cases/{case_id}/fund /gateways
/communities/{community}/gateways/{gateway_id} /events /open-data /data-shares
"""
_ACTS: Mapping[str, str] = {
    "POST /warnings/{warning_id}/confirm": "warning:judge",
    "POST /warnings/{warning_id}/dismiss": "warning:judge",
    "POST /warnings/{warning_id}/feedback": "warning:judge",
    "POST /warnings/{warning_id}/feedback/{feedback_id}/revocation": "warning:judge",
    "POST /cases/{case_id}/actions/{action}": "case:act",
    "POST /orders/{order_id}/actions/{action}": "case:act",
    "POST /visits/{visit_id}": "case:act",
    "POST /communities/{community}/visit-plans": "visits:plan",
    "PUT /visit-plans/{plan_id}": "visits:plan",
    "POST /ledger/{case_id}/studies": "case:act",
    "POST /cases/{case_id}/fund": "case:act",
    "POST /fund/{request_id}/actions/{action}": "case:act",
    "POST /communities/{community}/handovers": "case:file",
    "POST /handovers/{handover_id}/acknowledgement": "case:file",
    "POST /complaints": "case:file",
    "POST /complaints/import": "case:file",
    "GET /complaints/{complaint_id}/contact": "case:file",
    "POST /equipment/import": "estate:edit",
    "POST /gateways": "gateway:enrol",
    "POST /communities/{community}/gateways/{gateway_id}/password": "gateway:enrol",
    "POST /communities/{community}/gateways/{gateway_id}/revocation": "gateway:enrol",
    "POST /communities/{community}/gateways/{gateway_id}/test-alarm": "gateway:enrol",
    "POST /test-notification": "gateway:enrol",
    "GET /scores": "supervise",
    "POST /rankings": "supervise",
    "POST /rankings/{ranking_id}/publish": "supervise",
    "POST /rankings/{ranking_id}/appeals": "ranking:appeal",
    "POST /rankings/{ranking_id}/appeals/{appeal_id}/decision": "supervise",
    "POST /credit-events": "supervise",
    "POST /inspections": "supervise",
    "PUT /communities/{community}/notices/{section}": "notice:post",
    "POST /open-data/{dataset}": "data:share",
    "POST /people/{person_id}/reset": "people:edit",
    "GET /people/{person_id}/data": "people:edit",
    "POST /people/{person_id}/erasure": "people:edit",
    "POST /people/{person_id}/erasure/approval": "people:edit",
}
_OWN = """
GET /me, DELETE /session, POST /me/password, GET /me/data, POST /me/totp, PUT /me/totp, DELETE /me/totp,
GET /me/sessions, DELETE /me/sessions/{session_id}, GET /me/tokens, POST /me/tokens, DELETE /me/tokens/{token_id},
GET /webhooks, POST /webhooks, DELETE /webhooks/{webhook_id},
GET /webhooks/{webhook_id}/deliveries, POST /webhooks/{webhook_id}/test
"""
PERMITS: Mapping[str, str] = {
    "POST /session": PUBLIC,
    **{f"GET {path}": READ for path in _READS.split()},
    **{entry.strip(): OWN for entry in _OWN.split(",")},
    **_ACTS,
}


def needed(method: str, path: str) -> str | None:
    """`path` is the route's template without `/api/v1`. None = not declared."""
    return PERMITS.get(f"{method} {path}")


def check(person: Person, method: str, path: str) -> None:
    """Raises Forbidden."""
    wanted = needed(method, path)
    if wanted is None:
        raise Forbidden(f"that nobody has: {method} {path} is not declared in console/watchkeep_console/api/permits.py")
    if wanted == PUBLIC or f"{method} {path}" == ME:
        return
    if person.scopes is not None and wanted not in person.scopes:
        raise Forbidden("session" if wanted == OWN else wanted)
    if wanted in PERMISSIONS and not person.may_somewhere(_permission(wanted)):
        raise Forbidden(wanted)


def _permission(name: str) -> Permission:
    return next(found for found in PERMISSIONS if found == name)
