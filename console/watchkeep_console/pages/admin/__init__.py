"""Pages of administration: who there is and what they may, lists, limits, channels, the audit trail."""

from watchkeep_console.pages.admin import (
    audit_trail,
    channel_list,
    duty_list,
    limit_list,
    organisation_list,
    people_list,
)

PAGES = (duty_list, limit_list, channel_list, people_list, organisation_list, audit_trail)
