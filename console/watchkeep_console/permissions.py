"""Which role may do what, within the scope of its membership; row-level security decides what is seen at all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from watchkeep_console.errors import Forbidden
from watchkeep_core.vocabulary import load
from watchkeep_dispatch.lifecycle import TRANSITIONS

Permission = Literal[
    "warning:judge", "case:act", "case:file", "gateway:enrol", "estate:edit", "rota:plan", "visits:plan", "notice:post",
    "supervise", "duties:edit", "limits:edit", "channels:edit", "people:edit", "audit:read", "ranking:appeal",
    "data:share",
]  # fmt: skip
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
READ = "read"
"""What a token needs to read; people need no permission for it, row-level security decides what they see."""
SCOPES = (READ, "warning:judge", "case:act", "case:file", "gateway:enrol", "estate:edit", "data:share")
"""What a token may have: nothing that administers people or supervises."""

JUDGES = frozenset({"duty_officer", "property_manager", "safety_manager", "supervisor"})
FILERS = frozenset({"duty_officer", "property_manager", "safety_manager", "grid_worker", "subdistrict_office"})
ENROLLERS = frozenset({"property_manager", "sys_admin"})
MANAGERS = frozenset({"property_manager", "maintainer_manager"})
SUPERVISORS = frozenset({"supervisor", "subdistrict_office", "city_office", "authority_officer"})
"""Who draws up, publishes and decides, in the area of the membership."""
ADMINISTRATORS = frozenset({"sys_admin", "sec_admin"})
ACTORS = frozenset(role for row in TRANSITIONS for role in row.actors) - {"system"}
"""Which act in which state is dispatch's table; here only who acts at all."""

HOLDERS: dict[Permission, frozenset[str]] = {
    "warning:judge": JUDGES,
    "case:act": ACTORS,
    "case:file": FILERS,
    "gateway:enrol": ENROLLERS,
    "estate:edit": ENROLLERS,
    "rota:plan": MANAGERS,
    "visits:plan": frozenset({"property_manager", "safety_manager"}),
    "notice:post": frozenset({"property_manager", "subdistrict_office"}),
    "supervise": SUPERVISORS,
    "duties:edit": frozenset({"supervisor", "city_office", "authority_officer", "sys_admin"}),
    "limits:edit": frozenset({"property_manager", "safety_manager", "sys_admin"}),
    "channels:edit": MANAGERS | ADMINISTRATORS,
    "people:edit": ADMINISTRATORS,
    "audit:read": frozenset({"auditor"}),
    "ranking:appeal": MANAGERS,
    "data:share": SUPERVISORS | {"sec_admin"},
}
ROLES: dict[str, frozenset[Permission]] = {
    role: frozenset(permission for permission, holders in HOLDERS.items() if role in holders) for role in load().roles
}
"""Deny by default: a role without an entry may look, no more. 等保: sec_admin and auditor do no business."""


@dataclass(frozen=True, slots=True)
class Membership:
    """`communities` are those the scope covers as a whole; a maintainer's organisation covers none."""

    role: str
    scope_kind: str
    scope_id: str
    communities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts, as read at this request. `scopes` None = everything the roles allow (a session, not a token)."""

    person_id: str
    login: str
    name: str
    org_id: str | None
    language: str
    memberships: tuple[Membership, ...]
    scopes: frozenset[str] | None = None

    @property
    def organisations(self) -> frozenset[str]:
        return frozenset(item.scope_id for item in self.memberships if item.scope_kind == "organisation")

    @property
    def communities(self) -> frozenset[str]:
        return frozenset(name for item in self.memberships for name in item.communities)

    def may(self, permission: Permission, community: str, organisations: Iterable[str | None] = ()) -> bool:
        """Whether a membership with such a role covers the community, or one of the organisations concerned."""
        if self.scopes is not None and permission not in self.scopes:
            return False
        concerned = set(organisations)
        return any(
            permission in ROLES.get(item.role, frozenset())
            and (community in item.communities or (item.scope_kind == "organisation" and item.scope_id in concerned))
            for item in self.memberships
        )

    def roles(self, community: str, organisations: Iterable[str | None]) -> frozenset[str]:
        """Roles that count for a case: as dispatch sees it, by area, community or an organisation concerned."""
        concerned = set(organisations)
        return frozenset(
            item.role
            for item in self.memberships
            if (item.scope_id in concerned if item.scope_kind == "organisation" else community in item.communities)
        )

    def may_somewhere(self, permission: Permission) -> bool:
        """For menus only; the act itself asks `may`."""
        return any(permission in ROLES.get(item.role, frozenset()) for item in self.memberships)

    def require(self, permission: Permission, community: str, organisations: Iterable[str | None] = ()) -> None:
        """Raises Forbidden."""
        if not self.may(permission, community, organisations):
            raise Forbidden(permission)
