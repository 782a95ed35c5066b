"""Install what the tests need beyond Python and can have here, and say plainly what is missing and why.

Only root on Debian may install packages; everywhere else the tests that need them are skipped with a reason.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "mosquitto": lambda: shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists(),
    "chromium": lambda: shutil.which("chromium"),
    "fonts-noto-cjk": lambda: Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc").exists(),
    "postgresql-15": lambda: Path("/usr/lib/postgresql/15/bin/postgres").exists(),
    "nats-server": lambda: shutil.which("nats-server") or Path("/usr/sbin/nats-server").exists(),
    "mmdebstrap": lambda: shutil.which("mmdebstrap"),
    "iproute2": lambda: shutil.which("tc") or Path("/usr/sbin/tc").exists(),
    "libfaketime": lambda: sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")),
}


NPM = {"sparkplug-client": "3.2.4"}
"""Independent implementations that ours is tested against, by version; kept outside the repository."""

NPM_CACHE = Path.home() / ".cache" / "watchkeep" / "npm"


def main() -> None:
    missing = [name for name, there in PACKAGES.items() if not there()]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        install(missing)
    for name, there in PACKAGES.items():
        if not there():
            say(f"{name} is not installed: the tests that need it will be skipped (apt-get install {name})")
    for name in NPM:
        if why := install_from_npm(name):
            say(f"{name}: the tests that need it will be skipped: {why}")
    if not (Path(os.environ["WATCHKEEP_TEST_DATA"]) / "nab").is_dir():
        say("no recorded series (WATCHKEEP_TEST_DATA): the replay tests will be skipped")


def install(names: list[str]) -> None:
    say(f"installing {', '.join(names)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], environment)
    for name in names:  # one by one: a package that a release lacks must not stop the others
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", name], environment)


def install_from_npm(name: str) -> str:
    """Install a package when it is not there; returns why it cannot be had, or nothing."""
    target = NPM_CACHE / f"{name}-{NPM[name]}"
    if (target / "node_modules" / name / "package.json").exists():
        return ""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        return "node and npm are not installed"
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(fresh)]
    try:
        fresh.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [*command, f"{name}@{NPM[name]}"], capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode:
            return f"npm: {done.stderr.strip()[-200:]}"
        if not target.exists():
            fresh.rename(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"npm: {error}"
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return ""


def run(command: list[str], environment: dict[str, str]) -> None:
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        say(f"{' '.join(command)} failed: {result.stderr.strip()[-300:]}")


def say(text: str) -> None:
    sys.stdout.write(f"prepare: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
