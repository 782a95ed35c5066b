"""`watchkeep audit`: read the audit trail and check its hash chain."""

from typing import Annotated

import typer
from psycopg.rows import dict_row

from watchkeep_cli.admin import AdminUrl, admin
from watchkeep_core import audit
from watchkeep_core.commands import print_json
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import SettingsError

app = typer.Typer(no_args_is_help=True)

_RECENT = """
SELECT audit_id, at::text, service, person_id::text, action, object_kind, object_id, detail, s.seal_no
FROM audit_entries e LEFT JOIN audit_seals s USING (audit_id)
WHERE (%(object)s::text IS NULL OR object_kind || '/' || object_id = %(object)s)
ORDER BY audit_id DESC LIMIT %(limit)s"""


@app.command()
def verify(
    expect: Annotated[
        str | None,
        typer.Option(help="`head` of an earlier run, kept elsewhere: shows a chain that was cut or made anew."),
    ] = None,
    admin_url: AdminUrl = None,
) -> None:
    """Recompute the hash chain; exit code 1 and the first broken seal when an entry was changed."""
    with connect(admin(admin_url), "audit", role=OWNER) as conn:
        try:
            result = audit.verify(conn, expect)
        except ValueError:
            raise SettingsError(f"--expect: {expect!r} is no head, which looks like 17:0a1b…") from None
    print_json(
        {"sealed": result.sealed, "unsealed": result.unsealed, "broken_at": result.broken_at, "head": result.head}
    )
    if result.broken_at is not None:
        raise typer.Exit(1)


@app.command("list")
def list_entries(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    about: Annotated[str | None, typer.Option(help="Only entries about one object: KIND/ID.")] = None,
    admin_url: AdminUrl = None,
) -> None:
    """The newest entries: who did what to what."""
    with connect(admin(admin_url), "audit", role=OWNER) as conn:
        rows = conn.cursor(row_factory=dict_row).execute(_RECENT, {"object": about, "limit": limit}).fetchall()
    print_json(rows)
