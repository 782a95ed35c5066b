"""What an operator does at the machine: tokens, resets, a person's data and its end, data given away."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from psycopg import Connection

from watchkeep_core import audit
from watchkeep_core.commands import print_json
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import SettingsError
from watchkeep_core.settings import load

if TYPE_CHECKING:
    from watchkeep_console.services import Services

Login = Annotated[str, typer.Argument(help="Login of the person.")]
AdminUrl = Annotated[str, typer.Option(envvar="WATCHKEEP_DB_ADMIN_URL", help="Database URL of an administrator.")]
token_app = typer.Typer(help="API tokens of a person; settings as for `run`.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Put the verbs beside `run`."""
    app.add_typer(token_app, name="token")
    app.command("reset-person")(reset_person)
    app.command("export-person")(export_person)
    app.command("anonymise-person")(anonymise_person)
    app.command("share-data")(share_data)
    app.command("data-shares")(data_shares)


@token_app.command("create")
def create_token(
    login: Login,
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="read, or a permission such as case:act; repeat for more.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="Days until it expires.")] = 90,
) -> None:
    """Make a token that acts as this person; shown this once."""
    from watchkeep_console import accounts

    with _house() as house:
        made = accounts.make_token(house, house.identity.operator(login), name, scope, days)
    print_json(made.model_dump(mode="json"))


@token_app.command("list")
def list_tokens(login: Login) -> None:
    """Tokens in force, with their last use."""
    from watchkeep_console import accounts

    with _house() as house:
        found = accounts.tokens(house, house.identity.operator(login))
    print_json([one.model_dump(mode="json") for one in found])


@token_app.command("revoke")
def revoke_token(login: Login, token_id: Annotated[int, typer.Argument(help="As `token list` shows it.")]) -> None:
    """End a token; programs that use it are out at their next request."""
    from watchkeep_console import accounts

    with _house() as house:
        accounts.revoke_token(house, house.identity.operator(login), token_id)
    print_json({"revoked": token_id})


def reset_person(login: Login, admin_url: AdminUrl) -> None:
    """A password for once; sessions, tokens and second factor end."""
    from watchkeep_console import passwords

    password = "-".join(secrets.token_urlsafe(4) for _ in range(3))
    with connect(admin_url, "console", role=OWNER) as conn:
        person_id = _person(conn, login)
        conn.execute("SELECT close_account(%s)", [person_id])
        conn.execute(
            "UPDATE people SET password_hash = %s, password_due = true, failed_logins = 0, locked_until = NULL"
            " WHERE person_id = %s",
            [passwords.hash_password(password), person_id],
        )
        audit.record(conn, "account_reset", "person", person_id)
    print_json({"login": login, "password": password})


def export_person(login: Login, admin_url: AdminUrl) -> None:
    """Everything held on a person, as JSON; the export is in the audit trail."""
    with connect(admin_url, "console", role=OWNER) as conn:
        person_id = _person(conn, login)
        row = conn.execute("SELECT person_data(%s)", [person_id]).fetchone()
        audit.record(conn, "person_data_exported", "person", person_id)
    print_json(row[0] if row else None)


def anonymise_person(
    login: Login,
    reason: Annotated[str, typer.Option(help="Why; kept with the request.")],
    admin_url: AdminUrl,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: it cannot be undone.")] = False,
) -> None:
    """Take name, login, phone and address away for ever; ids in evidence and audit trail stay."""
    if not yes:
        typer.confirm(f"Anonymise {login}? This cannot be undone.", abort=True)
    with connect(admin_url, "console", role=OWNER) as conn:
        person_id = _person(conn, login)
        conn.execute("INSERT INTO erasures (person_id, reason, done_at) VALUES (%s, %s, now())", [person_id, reason])
        conn.execute("SELECT anonymise(%s)", [person_id])
        audit.record(conn, "person_anonymised", "person", person_id)
    print_json({"person_id": person_id, "anonymised": True})


def share_data(
    dataset: Annotated[str, typer.Argument(help="communities, equipment, warnings, cases or orders.")],
    recipient: Annotated[str, typer.Option(help="Who gets it.")],
    purpose: Annotated[str, typer.Option(help="What for.")],
    since: Annotated[datetime, typer.Option(help="From this day (UTC).", formats=["%Y-%m-%d"])],
    until: Annotated[datetime, typer.Option(help="Before this day (UTC).", formats=["%Y-%m-%d"])],
    out: Annotated[Path, typer.Option(help="File to write, JSON.")],
    admin_url: AdminUrl,
    field: Annotated[list[str] | None, typer.Option(help="Only these fields; repeat for more.")] = None,
    area: Annotated[str | None, typer.Option(help="Only this area.")] = None,
) -> None:
    """Write data for the city's data centre to a file and enter it in the register; no personal data."""
    from watchkeep_console import open_data

    if out.exists():
        raise SettingsError(f"--out: {out} exists")
    wanted = open_data.Wanted(
        dataset=dataset,
        recipient=recipient,
        purpose=purpose,
        since=since.replace(tzinfo=UTC),
        until=until.replace(tzinfo=UTC),
        fields=field or (),
        area=area,
    )
    with connect(admin_url, "console", role=OWNER) as conn:
        content = open_data.share(conn, wanted, datetime.now(UTC), person_id=None, communities=None)
        out.write_bytes(content)  # before the commit: what is not written is not in the register
    print_json({"file": str(out), "bytes": len(content)})


def data_shares(
    admin_url: AdminUrl, limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 100
) -> None:
    """The register of data given away."""
    from watchkeep_console import open_data

    with connect(admin_url, "console", role=OWNER) as conn:
        found = open_data.shares(conn, limit=limit)
    print_json([one.model_dump(mode="json") for one in found.items])


def _person(conn: Connection, login: str) -> str:
    row = conn.execute("SELECT person_id::text FROM people WHERE login = lower(%s)", [login]).fetchone()
    if row is None:
        raise SettingsError(f"login: nobody is called {login!r}")
    return str(row[0])


@contextmanager
def _house() -> "Iterator[Services]":
    from watchkeep_console import services
    from watchkeep_console.settings import ConsoleSettings

    house = services.build(load(ConsoleSettings))
    try:
        yield house
    finally:
        house.pool.close()
