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
    "mmdebstrap": lambda: shutil.which("mmdebstrap"),
}


def main() -> None:
    missing = [name for name, there in PACKAGES.items() if not there()]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        install(missing)
    for name, there in PACKAGES.items():
        if not there():
            say(f"{name} is not installed: the tests that need it will be skipped (apt-get install {name})")
    if not (Path(os.environ["WATCHKEEP_TEST_DATA"]) / "nab").is_dir():
        say("no recorded series (WATCHKEEP_TEST_DATA): the replay tests will be skipped")


def install(names: list[str]) -> None:
    say(f"installing {', '.join(names)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], environment)
    for name in names:  # one by one: a package that a release lacks must not stop the others
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", name], environment)


def run(command: list[str], environment: dict[str, str]) -> None:
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        say(f"{' '.join(command)} failed: {result.stderr.strip()[-300:]}")


def say(text: str) -> None:
    sys.stdout.write(f"prepare: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
