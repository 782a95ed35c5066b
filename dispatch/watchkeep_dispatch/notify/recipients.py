"""Which people of an organisation hear of what, besides the organisation's own channels.

Asked in this order: who is named, the assignee, who is on call, who has one of these roles there; the first that has a
channel is told, for life safety all of them (`address_notifications` in the schema).
"""

_HANDLERS = ("technician", "maintainer_manager", "property_manager")
_HEADS = ("maintainer_manager", "property_manager", "safety_manager", "subdistrict_office", "city_office")
_DESK = ("duty_officer", "property_manager", "subdistrict_office")

ROLES: dict[str, tuple[str, ...]] = {
    "order_dispatched": (*_HANDLERS, "subdistrict_office", "authority_officer"),
    "case_copied": ("property_manager", "safety_manager", "grid_worker", "subdistrict_office", "authority_officer"),
    "class_raised": (*_HANDLERS, "subdistrict_office"),
    "order_returned": _DESK,
    "to_verify": ("verifier", "property_manager"),
    "rework": _HANDLERS,
    "pause_asked": (*_HEADS, "duty_officer", "supervisor"),
    "pause_approved": _HANDLERS,
    "pause_refused": _HANDLERS,
    "closed": ("property_manager",),
    "dismissed": ("property_manager",),
    "merged": _HANDLERS,
    "same_event": _HANDLERS,
    "storm": ("property_manager", "duty_officer", "subdistrict_office"),
    "ledger": ("property_manager", "subdistrict_office"),
    "yellow": _HANDLERS,
    "red": _HEADS,
    "reminder": (*_HANDLERS, "safety_manager"),
}
"""Kinds that are not here go to the organisation's channels, and to people only by name."""


def roles_for(kind: str) -> tuple[str, ...]:
    """Roles that stand in when nobody is named, assigned or on call."""
    return ROLES.get(kind, ())
