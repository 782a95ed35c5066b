"""Which messages of a batch the flood guard lets pass."""

from collections.abc import Sequence

import numpy as np

from watchkeep_core.logs import get_logger
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest import metrics
from watchkeep_ingest.columns import Bools, Columns, Portion
from watchkeep_ingest.flood import BACKLOG_US, FloodGuard

log = get_logger(__name__)


class Gate:
    """The guard asked for whole batches; `now_s` is any clock that only rises."""

    def __init__(self, guard: FloodGuard) -> None:
        self._guard = guard

    def beyond(self, portions: Sequence[Portion], columns: Columns, now_s: float) -> Bools:
        """Which portions are too much. A gateway is asked for its whole share of the batch first, as that is cheap."""
        before = self._guard.flooding
        beyond = np.zeros(len(portions), np.bool_)
        old = columns.newest_us < columns.arrival_us - BACKLOG_US
        backlog = np.bincount(columns.stream, columns.sizes * old, len(columns.streams))
        fresh = np.bincount(columns.stream, columns.sizes * ~old, len(columns.streams))
        for number, stream in enumerate(columns.streams):
            if not self._guard.lets_all_pass(stream.source, int(fresh[number]), int(backlog[number]), now_s):
                for place in np.flatnonzero(columns.stream == number).tolist():
                    size, is_old = int(columns.sizes[place]), bool(old[place])
                    beyond[place] = not self._guard.lets_pass(stream.source, size, now_s, backlog=is_old)
        for source in self._guard.flooding - before:
            log.warning("flood", gateway=source.user)
        return beyond

    def over(self, now_s: float) -> list[GatewayRef]:
        """Gateways whose flood has ended since the last call."""
        ended = self._guard.over(now_s)
        for source in ended:
            log.info("flood_over", gateway=source.user)
        metrics.FLOODING.set(len(self._guard.flooding))
        return ended
