"""`watchkeep dispatch notifications|channels`"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import psycopg
import typer
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.commands import print_json
from watchkeep_core.database import queries
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch.command_options import DatabaseUrl, connected
from watchkeep_dispatch.errors import ChannelRefused, DispatchError
from watchkeep_dispatch.notify.channels import open_channel
from watchkeep_dispatch.notify.guard import Egress
from watchkeep_dispatch.notify.outbox import announce_test
from watchkeep_dispatch.notify.receipts import Receipt, note_receipt, retry_dead
from watchkeep_dispatch.notify.texts import Language
from watchkeep_dispatch.notify.timing import span

notifications_app = typer.Typer(help="Who was told what, when and how; what did not get out.", no_args_is_help=True)
channels_app = typer.Typer(help="Where organisations and people want to be told.", no_args_is_help=True)

Numbers = Annotated[list[int] | None, typer.Argument(help="As `list` shows them.")]
Organisation = Annotated[str | None, typer.Option("--organisation", help="Id of an organisation.")]
Person = Annotated[str | None, typer.Option(help="Login of a person.")]
AtMost = Annotated[int, typer.Option(min=1, max=10_000, help="So many, the newest first.")]


class NoSuchRow(DispatchError):
    """What the command names is not there."""


@notifications_app.command("list")
def list_notifications(
    case: Annotated[int | None, typer.Option(help="Of this case only: who was told, when and how.")] = None,
    organisation: Organisation = None,
    status: Annotated[str | None, typer.Option(help="queued, sent, failed or read.")] = None,
    at_most: AtMost = 100,
    database_url: DatabaseUrl = None,
) -> None:
    """Notifications with their receipts, the newest first."""
    _print(database_url, "list", {"status": status, "case": case, "org": organisation, "at_most": at_most})


@notifications_app.command()
def dead(organisation: Organisation = None, at_most: AtMost = 100, database_url: DatabaseUrl = None) -> None:
    """What did not get out and is not tried any more, with the reason."""
    _print(database_url, "list", {"status": "failed", "case": None, "org": organisation, "at_most": at_most})


@notifications_app.command()
def retry(
    numbers: Numbers = None,
    all_dead: Annotated[bool, typer.Option("--all", help="All dead ones.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Try dead notifications again; the running service hands them over."""
    if bool(numbers) == all_dead:
        raise SettingsError("NUMBERS: name notifications, or --all")
    with connected(database_url) as conn:
        found = retry_dead(conn, None if all_dead else numbers, datetime.now(UTC))
    if missing := set(numbers or ()) - set(found):
        raise NoSuchRow(f"not dead: {', '.join(map(str, sorted(missing)))}")
    print_json({"queued": found})


@notifications_app.command()
def receipt(
    number: Annotated[int, typer.Argument(help="As `list` shows it.")],
    what: Annotated[Receipt, typer.Argument(help="delivered, read or acted.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Note what an SMS or voice service reports about a notification that was sent."""
    with connected(database_url) as conn:
        found = note_receipt(conn, [number], what, datetime.now(UTC))
    if not found:
        raise NoSuchRow(f"notification {number} was not sent")
    print_json({"notification_id": number, "receipt": what})


@channels_app.command("list")
def list_channels(organisation: Organisation = None, person: Person = None, database_url: DatabaseUrl = None) -> None:
    """Channels in the order of fallback; their URLs hold secrets and are never shown."""
    _print(database_url, "channels", {"org": organisation, "person": person})


@channels_app.command("add")
def add_channel(
    name: Annotated[str, typer.Argument(help="A name for people, such as 值班群.")],
    kind: Annotated[Literal["sms", "voice", "mail", "wecom", "dingtalk", "webhook"], typer.Option(help="What it is.")],
    organisation: Organisation = None,
    person: Person = None,
    url_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the apprise URL, - = stdin. Of a person: without it, the site's service or group."
        ),
    ] = None,
    rank: Annotated[int, typer.Option(min=1, max=99, help="Of a person: order of fallback, 1 first.")] = 1,
    language: Annotated[Language | None, typer.Option(help="zh or en; default the person's.")] = None,
    quiet_hours: Annotated[str | None, typer.Option(help="22:00-07:00; empty = none; default the site's.")] = None,
    per_minute: Annotated[int | None, typer.Option(min=1, help="More than these become one message.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Add a channel. A URL is read from a file, never from the command line, which others on the machine can see."""
    url = "" if url_file is None else _read(url_file)
    if (organisation is None) == (person is None):
        raise SettingsError("--organisation or --person: one of them")
    if not url and (person is None or kind == "webhook"):
        raise SettingsError("--url-file: must be given")
    try:
        span(quiet_hours or "")
        if url:
            open_channel(url, Egress())
    except ValueError as error:
        raise SettingsError(f"--quiet-hours: {error}") from None
    except ChannelRefused as error:
        raise SettingsError(f"--url-file: {error}") from None
    row = {"kind": kind, "name": name, "url": url, "rank": rank, "language": language, "per_minute": per_minute}
    with connected(database_url) as conn:
        person_id = None
        if person is not None:
            known = conn.execute(_sql("person_of"), [person]).fetchone()
            if known is None:
                raise NoSuchRow(f"--person: there is no {person!r}")
            person_id = known[0]
        try:
            owner = {"org": organisation, "person": person_id, "quiet_hours": quiet_hours}
            ((made,),) = conn.execute(_sql("add_channel"), row | owner).fetchall()
        except psycopg.errors.ForeignKeyViolation:
            raise NoSuchRow(f"--organisation: there is no {organisation!r}") from None
        except psycopg.errors.UniqueViolation:
            raise SettingsError(f"NAME: {name!r} is there already") from None
        detail = {"kind": kind, "organisation": organisation, "person": person_id, "own_url": bool(url)}
        audit.record(conn, "channel.add", "notification_channel", str(made), detail=detail)
    print_json({"channel_id": made})


@channels_app.command("remove")
def remove_channel(
    number: Annotated[int, typer.Argument(help="As `list` shows it.")], database_url: DatabaseUrl = None
) -> None:
    """Remove a channel; what still waits for it goes to the dead list."""
    with connected(database_url) as conn:
        if conn.execute(_sql("remove_channel"), [number]).fetchone() is None:
            raise NoSuchRow(f"there is no channel {number}")
        audit.record(conn, "channel.remove", "notification_channel", str(number))
    print_json({"removed": number})


@channels_app.command("test")
def try_channels(
    organisation: Annotated[str, typer.Option(help="Id of the organisation.")],
    language: Annotated[Language, typer.Option(help="zh or en.")] = "zh",
    database_url: DatabaseUrl = None,
) -> None:
    """A test notification through every channel of an organisation; `notifications list` shows what became of it."""
    with connected(database_url) as conn:
        try:
            number = announce_test(conn, organisation, datetime.now(UTC), language)
        except psycopg.errors.ForeignKeyViolation:
            raise NoSuchRow(f"--organisation: there is no {organisation!r}") from None
    print_json({"notification_id": number})


def _read(path: Path) -> str:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--url-file: cannot read {path}: {error}") from None
    if len(text.split()) != 1:
        raise SettingsError("--url-file: must hold one URL and nothing else")
    return text.strip()


def _print(database_url: str | None, name: str, values: dict[str, Any]) -> None:
    with connected(database_url) as conn, conn.cursor(row_factory=dict_row) as cursor:
        print_json(cursor.execute(_sql(name), values).fetchall())


def _sql(name: str) -> Any:
    return queries("watchkeep_dispatch", "sql/notify.sql")[name]
