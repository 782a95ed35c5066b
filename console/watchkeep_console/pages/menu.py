"""The menu: groups of pages, and of them what this person may open."""

from dataclasses import dataclass

from watchkeep_console.permissions import Permission, Person


@dataclass(frozen=True, slots=True)
class Entry:
    """A page by its name in the catalogue's `nav`; `needs` = any of these permissions, none = everybody."""

    name: str
    path: str
    needs: tuple[Permission, ...] = ()
    member: bool = False
    """For members of an organisation."""

    def shown(self, person: Person) -> bool:
        if self.member and not person.organisations:
            return False
        return not self.needs or any(person.may_somewhere(permission) for permission in self.needs)


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    entries: tuple[Entry, ...]


MENU = (
    Group("g_watch", (Entry("board", "/"), Entry("mine", "/m", ("case:act",)))),
    Group(
        "g_operate",
        (
            Entry("equipment", "/equipment"),
            Entry("gateways", "/gateways"),
            Entry("orders", "/orders"),
            Entry("calendar", "/calendar"),
            Entry("plans", "/plans"),
        ),
    ),
    Group(
        "g_property",
        (
            Entry("rota", "/rota", member=True),
            Entry("complaints", "/complaints", ("case:file", "supervise")),
            Entry("dutylog", "/duty-log", ("case:file", "supervise")),
            Entry("notices", "/notices", ("notice:post", "supervise")),
            Entry("reports", "/reports", ("notice:post", "rota:plan", "supervise")),
        ),
    ),
    Group(
        "g_supervise",
        (
            Entry("overview", "/supervise", ("supervise",)),
            Entry("indicators", "/supervise/indicators", ("supervise", "rota:plan")),
            Entry("rankings", "/supervise/rankings", ("supervise", "rota:plan")),
            Entry("ledger", "/supervise/ledger", ("supervise", "case:file")),
            Entry("agenda", "/supervise/agenda", ("supervise",)),
        ),
    ),
    Group(
        "g_system",
        (
            Entry("duties", "/duties", ("duties:edit", "supervise", "rota:plan")),
            Entry("limits", "/limits", ("limits:edit", "supervise")),
            Entry("channels", "/channels", ("channels:edit",)),
            Entry("people", "/people", ("people:edit",)),
            Entry("organisations", "/organisations", ("people:edit", "supervise")),
            Entry("audit", "/audit", ("audit:read", "people:edit", "supervise")),
        ),
    ),
)


def menu(person: Person) -> list[Group]:
    """Groups with at least one page for this person."""
    mine = [Group(group.name, tuple(one for one in group.entries if one.shown(person))) for group in MENU]
    return [group for group in mine if group.entries]


def entry(name: str) -> Entry:
    """Raises KeyError."""
    return next(one for group in MENU for one in group.entries if one.name == name)
