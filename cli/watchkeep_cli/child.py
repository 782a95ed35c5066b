"""Start a helper process that ends when we do, even by kill -9, and that a Ctrl-C in our terminal does not reach.

`python -m watchkeep_cli.child PARENT SIGNAL USER COMMAND…` asks Linux for the signal, then becomes COMMAND. The bond is
to the *thread* that called `spawn`: call it from one that lives as long as the process. Other systems only have `end`.
"""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>; survives execve."""


def spawn(
    command: Sequence[str],
    log_file: Path,
    *,
    user: str | None = None,
    farewell: int = signal.SIGTERM,
    environ: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, as `user` (only root can), output appended to `log_file`.

    `farewell` is the signal it gets when we die; `environ` replaces ours.
    """
    bond = [str(os.getpid()), str(int(farewell)), user or ""]
    with log_file.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "watchkeep_cli.child", *bond, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environ,
        )


def end(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """SIGTERM, then SIGKILL when it has not ended within `timeout_s`; nothing when it has ended already."""
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    parent, farewell, user, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    if user:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":  # after setuid, which clears it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, farewell)
    if os.getppid() != parent:  # it died before we could ask
        sys.exit(1)
    os.chdir("/")
    os.execvp(command[0], command)  # noqa: S606 - the caller's fixed command line, no shell


if __name__ == "__main__":
    main()
