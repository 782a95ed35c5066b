"""The installed gateway as a process, looked at through its own /metrics."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from watchkeep_gateway.bench.target import BenchFailed, Target

START_S = 60.0

Figures = dict[str, float]


@dataclass(frozen=True)
class RunningGateway:
    process: "subprocess.Popen[bytes]"
    metrics_url: str

    def scrape(self) -> Figures:
        """Series by name, with labels as they stand; empty while it does not answer."""
        with suppress(OSError):
            text = urlopen(self.metrics_url, timeout=5).read().decode()  # noqa: S310 - our own process on loopback
            return {name: float(value) for name, value in re.findall(r"^(\w+(?:{.*})?) (\S+)$", text, re.MULTILINE)}
        return {}

    def wait_for(self, series: str, above: float = 0.0) -> None:
        """Until this series has risen above that. Raises BenchFailed."""
        deadline = time.monotonic() + START_S
        while self.scrape().get(series, above) <= above:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchFailed(f"the gateway did not come up, or stands still: {series} is not above {above:g}")
            time.sleep(0.05)


@contextmanager
def running_gateway(
    target: Target, folder: Path, config: str, more: Mapping[str, str] | None = None
) -> Iterator[RunningGateway]:
    """`config` is written to a file below `folder`, where the spool is as well; `more` settings by name."""
    file = folder / "gateway.toml"
    file.write_text(config, encoding="utf-8")
    health = target.free_port()
    given = {
        "CONFIG_FILE": str(file),
        "SPOOL_DIR": str(folder / "spool"),
        "MQTT_URL": str(target.broker),
        "MQTT_PASSWORD": target.password,
        "HEALTH_PORT": str(health),
        "LOG_LEVEL": "error",
    } | dict(more or {})
    environment = os.environ | {f"WATCHKEEP_GATEWAY_{name}": value for name, value in given.items()}
    with subprocess.Popen([sys.executable, "-m", "watchkeep_gateway", "run"], env=environment) as process:
        try:
            yield RunningGateway(process, f"http://127.0.0.1:{health}/metrics")
        finally:
            process.terminate()
