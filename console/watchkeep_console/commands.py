"""Commands: `watchkeep console run | add-person | openapi`, and those of operator_commands."""

import sys
from typing import Annotated

import typer

from watchkeep_console import operator_commands
from watchkeep_core import logs
from watchkeep_core.commands import print_json
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import SettingsError
from watchkeep_core.service import Stop
from watchkeep_core.settings import load

app = typer.Typer(help="REST API and web pages: what people see and touch.", no_args_is_help=True)
operator_commands.register(app)


@app.command()
def run(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 = any free one.")] = None,
) -> None:
    """Serve pages, API, health and metrics until SIGTERM. Settings: WATCHKEEP_CONSOLE_*."""
    from watchkeep_console.settings import ConsoleSettings

    settings = load(ConsoleSettings, host=host, port=port)  # before the pages, whose import takes a second
    logs.configure("console", settings.log_level)
    from watchkeep_console.service import run as serve

    serve(settings, Stop().install())


@app.command("add-person")
def add_person(
    login: Annotated[str, typer.Argument(help="Login: small letters, digits, . _ -")],
    name: Annotated[str, typer.Option(help="Name as others see it.")],
    admin_url: Annotated[str, typer.Option(envvar="WATCHKEEP_DB_ADMIN_URL", help="Database URL of an administrator.")],
    org: Annotated[str | None, typer.Option(help="Organisation the person belongs to.")] = None,
    membership: Annotated[
        list[str] | None, typer.Option(help="ROLE@SCOPE:ID, e.g. technician@organisation:lift-co; repeat for more.")
    ] = None,
    language: Annotated[str, typer.Option(help="zh or en")] = "zh",
) -> None:
    """Create a person or bring one up to date; the password is read from standard input, or asked for.

    Ends the person's sessions.
    """
    from watchkeep_console.people import NewMembership, create_person

    memberships = [NewMembership.parse(text) for text in membership or []]
    password = _password()
    with connect(admin_url, "console", role=OWNER) as conn:
        person_id = create_person(conn, login, name, password, org, memberships, language=language)
    print_json({"person_id": person_id, "login": login.lower()})


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of `/api/v1`."""
    from watchkeep_console.api.app import create_app

    print_json(create_app(None).openapi())


def _password() -> str:
    if sys.stdin.isatty():
        answer: str = typer.prompt("Password (at least 12 characters)", hide_input=True, confirmation_prompt=True)
        return answer
    password = sys.stdin.readline().rstrip("\n")
    if not password:
        raise SettingsError("password: give it on standard input")
    return password
