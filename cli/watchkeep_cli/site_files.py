"""What a site needs on disk before its start: secrets, certificates, the broker's users, the boards of its walls.

`deploy/compose.yaml` mounts each file into the one container that needs it. Nothing that exists is ever overwritten, so
a second run completes the folder, and files of one's own (a bought certificate) may be put there before the first. The
boards alone are written anew each time: they belong to the version, not to the site.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from watchkeep_cli import mosquitto_files
from watchkeep_cli.acl import service_users, site_acl
from watchkeep_cli.tls import make
from watchkeep_core.database import SERVICE_LOGINS
from watchkeep_core.errors import SettingsError
from watchkeep_dashboards.packaged import Language
from watchkeep_dashboards.provisioning import export

OURS, POSTGRES, GRAFANA, PROMETHEUS = 10001, 70, 472, 65534
"""Users inside the containers: our images, TimescaleDB's on Alpine, Grafana's, Prometheus' (nobody)."""

DATABASE = "watchkeep"
BACKUPS, WALLS = "backups", "grafana"
FOLDERS = {
    "secrets": OURS,
    "broker": OURS,
    "broker-data": OURS,
    "broker-run": OURS,
    "enrol": OURS,
    BACKUPS: OURS,
    WALLS: GRAFANA,
    "prometheus/gateways": PROMETHEUS,
    "prometheus/alertmanagers": PROMETHEUS,
}


@dataclass(frozen=True, slots=True)
class Site:
    """`host`: name under which people and gateways reach it. `database`: host:port of the database for the services."""

    folder: Path
    host: str
    database: str = "db:5432"

    def login_url(self, login: str, password: str) -> str:
        """libpq URL that trusts the site's own database certificate only."""
        return (
            f"postgresql://{login}:{quote(password, safe='')}@{self.database}/{DATABASE}"
            "?sslmode=verify-full&sslrootcert=/run/watchkeep/database-ca.crt"
        )


def prepare(site: Site) -> list[Path]:
    """Make what is missing; returns what was made. Raises SettingsError."""
    try:
        for name, owner in FOLDERS.items():
            (site.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            _give(site.folder / name, owner)
        made = [*_certificates(site), *_secrets(site), *_broker(site)]
    except OSError as error:
        raise SettingsError(f"{site.folder}: {error.strerror}") from None
    return made


def write_walls(site: Site, language: Language) -> int:
    """The tree of boards, data source and alert rules that Grafana reads at its start; returns how many files.

    Raises ExportFailed.
    """
    files = export(site.folder / WALLS, language, console=f"https://{site.host}")
    for path in {folder for file in files for folder in (file, *file.parents) if site.folder / WALLS in folder.parents}:
        _give(path, GRAFANA)
    return len(files)


def broker_users(folder: Path) -> dict[str, str]:
    """Each service's users with the password the service is given; the console has its own."""
    return service_users(*(_read(folder, f"{part}_mqtt_password") for part in ("ingest", "analytics", "console")))


def login_passwords(folder: Path) -> dict[str, str]:
    """Service login → password. Raises SettingsError when the folder was not prepared."""
    return {login: _read(folder, f"{login}_password") for login in SERVICE_LOGINS}


def _secrets(site: Site) -> Iterator[Path]:
    """Random secrets, and URLs that hold them, each readable by its consumer only."""
    folder = site.folder / "secrets"
    random = [f"{login}_password" for login in SERVICE_LOGINS]
    random += ["postgres_password", "grafana_admin_password", "console_session_secret"]
    random += ["ingest_mqtt_password", "analytics_mqtt_password", "console_mqtt_password"]
    for name in random:
        owner = GRAFANA if name.startswith("grafana") else OURS
        yield from _once(folder / name, secrets.token_urlsafe(32), owner)
    for login in SERVICE_LOGINS:
        yield from _once(folder / f"{login}_url", site.login_url(login, _read(site.folder, f"{login}_password")), OURS)
    admin = site.login_url("postgres", _read(site.folder, "postgres_password"))
    yield from _once(folder / "admin_url", admin, OURS)


def _certificates(site: Site) -> Iterator[Path]:
    """One pair for what the world sees, and one for the database, whose name is known inside only."""
    pairs = {"tls": ([site.host, "localhost"], OURS), "database": ([site.database.partition(":")[0]], POSTGRES)}
    for name, (hosts, owner) in pairs.items():
        folder = site.folder / name
        if folder.is_dir():
            continue
        for file in make(folder, hosts, days=3650 if name == "database" else 365):
            _give(file, owner)
            yield file
        _give(folder, owner)
        for public in folder.glob("*.crt"):
            public.chmod(0o644)
        folder.chmod(0o755)


def _broker(site: Site) -> Iterator[Path]:
    passwords = "".join(
        f"{user}:{value}\n" for user, value in mosquitto_files.hashes(broker_users(site.folder)).items()
    )
    yield from _once(site.folder / "broker" / mosquitto_files.PASSWORDS, passwords, OURS)
    yield from _once(site.folder / "broker" / mosquitto_files.ACL, mosquitto_files.acl_text(site_acl()), OURS)


def _once(path: Path, text: str, owner: int) -> Iterator[Path]:
    with suppress(FileExistsError):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440), "w", encoding="utf-8") as file:
            file.write(text)
        _give(path, owner)
        yield path


def _give(path: Path, owner: int) -> None:
    """To its consumer; our own images may read it by their group. Only root can: others get files of their own."""
    if os.geteuid() == 0:
        os.chown(path, owner, OURS)


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / "secrets" / name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{folder / 'secrets' / name}: {error.strerror}; run `watchkeep deploy prepare`") from None
