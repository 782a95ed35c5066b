"""`watchkeep tls`: certificates for tests and trials. For a broker that people rely on, use your own CA."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import trustme
import typer

from watchkeep_core.commands import print_json
from watchkeep_core.errors import SettingsError

app = typer.Typer(no_args_is_help=True)

DEFAULT_HOSTS = ("localhost", "127.0.0.1", "::1")


@app.callback()
def _group() -> None:
    """Keeps `dev` a verb of its own though it is the only one."""


@app.command()
def dev(
    directory: Annotated[Path, typer.Argument(help="Folder for the files; made when missing.")],
    host: Annotated[list[str] | None, typer.Option(help="Name or address of the broker; may be repeated.")] = None,
    days: Annotated[float, typer.Option(help="How long the certificates hold.")] = 365.0,
    client: Annotated[str | None, typer.Option(help="Also a client certificate with this name in it.")] = None,
) -> None:
    """Make a test CA, and a broker's certificate and key that it signed; nothing is ever overwritten."""
    files = make(directory, host or DEFAULT_HOSTS, days, client)
    print_json({"files": [str(file) for file in files], "hosts": list(host or DEFAULT_HOSTS)})


def make(
    directory: Path, hosts: Sequence[str] = DEFAULT_HOSTS, days: float = 365.0, client: str | None = None
) -> list[Path]:
    """Write ca.crt, server.crt and server.key, and client.crt and client.key when wanted; all mode 0600.

    The CA's own key is thrown away: nobody can make a further certificate with it. Raises SettingsError.
    """
    ca = trustme.CA(organization_name="Watchkeep test CA")
    now = datetime.now(UTC)
    span = {"not_before": now - timedelta(days=2), "not_after": now + timedelta(days=days)}
    try:
        certificates = {"server": ca.issue_cert(*hosts, **span)}  # type: ignore[arg-type]  # a dict of keywords
    except ValueError as error:
        raise SettingsError(f"--host: {error}") from None
    if client is not None:
        certificates["client"] = ca.issue_cert(common_name=client, **span)  # type: ignore[arg-type]
    contents = {"ca.crt": ca.cert_pem.bytes()}
    for name, certificate in certificates.items():
        contents[f"{name}.crt"] = b"".join(part.bytes() for part in certificate.cert_chain_pems)
        contents[f"{name}.key"] = certificate.private_key_pem.bytes()
    files = [directory / name for name in contents]
    if there := next((file for file in files if file.exists()), None):
        raise SettingsError(f"{there} is there already; choose another folder")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, content in zip(files, contents.values(), strict=True):
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
                handle.write(content)
    except OSError as error:
        raise SettingsError(f"{directory}: {error.strerror}") from None
    return files
