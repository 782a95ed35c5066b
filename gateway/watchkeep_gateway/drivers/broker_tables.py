"""Fields of every driver that hears a broker: the gateway's own, or one of the site with a login of its own."""

from collections.abc import Iterator, Sequence

from watchkeep_core.broker import BrokerAddress
from watchkeep_core.errors import SettingsError
from watchkeep_gateway.tables import Name, Path, Problem, Table


class BrokerTable(Table, frozen=True):
    name: Name
    url: str = ""
    """Broker of the site, mqtt://host:port; absent = the gateway's own broker, over its one connection."""
    user: str = ""
    """Also the client id: tables with the same url and user share one connection."""
    password_file: str = ""
    ca_file: str = ""


def broker_problems(path: Path, table: BrokerTable) -> Iterator[Problem]:
    if table.url:
        try:
            BrokerAddress.parse(table.url)
        except SettingsError as error:
            yield Problem((*path, "url"), str(error).removeprefix("mqtt_url: "))
        for field in ("user", "password_file"):
            if not getattr(table, field):
                yield Problem((*path, field), "is needed with a url of its own")
    elif table.user or table.password_file or table.ca_file:
        yield Problem((*path, "url"), "is needed with user, password_file or ca_file")


def name_problems(driver: str, tables: Sequence[BrokerTable]) -> Iterator[Problem]:
    seen = set[str]()
    for number, table in enumerate(tables):
        if table.name in seen:
            yield Problem((driver, number, "name"), f"{table.name!r} is there twice")
        seen.add(table.name)
