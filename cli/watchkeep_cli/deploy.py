"""`watchkeep deploy`: a site of its own, step by step; docs/deploy.md is the guide, deploy/compose.yaml its example."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from watchkeep_cli import site_files
from watchkeep_cli.admin import AdminUrl, admin
from watchkeep_cli.upgrade import upgrade
from watchkeep_core.commands import print_json
from watchkeep_core.database import OWNER, connect
from watchkeep_core.schema.migrate import set_password, storage
from watchkeep_dashboards.packaged import Language

app = typer.Typer(no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Folder of the site's secrets, certificates and broker files.")]


@app.command()
def prepare(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Name under which people and gateways reach the site.")],
    database: Annotated[str, typer.Option(help="host:port of the database, as the services reach it.")] = "db:5432",
    language: Annotated[Language, typer.Option(help="Language of the walls.")] = "zh",
) -> None:
    """Make secrets, certificates and the broker's users; what is there already stays. Write this version's walls.

    Run it before the first start and at each upgrade. The certificate for `--host` is one for trials: put your own into
    FOLDER/tls (ca.crt, server.crt, server.key) first.
    """
    site = site_files.Site(folder, host, database)
    made = [str(path.relative_to(folder)) for path in site_files.prepare(site)]
    print_json({"folder": str(folder), "made": made, "walls": site_files.write_walls(site, language)})


@app.command()
def database(folder: Folder, admin_url: AdminUrl = None) -> None:
    """Bring the database to the present schema, give each login its password, publish the default responsibility list.

    A second run changes nothing; run it before the services at each upgrade. A database in use is first written to
    FOLDER/backups, which is what `watchkeep db rollback` takes.
    """
    from watchkeep_dispatch.duties import load_default
    from watchkeep_dispatch.notify.jobs import install_jobs

    url = admin(admin_url)
    passwords = site_files.login_passwords(folder)
    done = upgrade(url, folder / site_files.BACKUPS, datetime.now(UTC))
    install_jobs(url)
    for login, password in passwords.items():
        set_password(url, login, password)
    with connect(url, "deploy", role=OWNER) as conn:
        loaded = load_default(conn, datetime.now(UTC))
    told = {"applied": done.applied, "backup": done.backup and str(done.backup), "storage": storage(url)}
    print_json(told | {"responsibility_list": loaded.name})
