"""What storing readings owes the storage back-end: its settings before the COPY, marks for late hours after it."""

from collections.abc import Sequence

import numpy as np
from psycopg import Connection

from watchkeep_core.storage.backends import Backend, backend_of
from watchkeep_core.storage.late import HOUR_US, mark_late
from watchkeep_ingest.columns import Rows


class Keeping:
    """One per writer; the back-end of a database never changes while we run."""

    def __init__(self) -> None:
        self._backend: Backend | None = None

    def before_copy(self, conn: Connection, rows: Rows) -> None:
        """`rows` sorted by series."""
        if self._backend is None:
            self._backend = backend_of(conn)
        series = 1 + int(np.count_nonzero(rows.series[1:] != rows.series[:-1]))
        self._backend.before_copy(conn, len(rows), series)

    def after_copy(self, conn: Connection, rows: Rows) -> None:
        """In the transaction of the COPY; `rows` sorted by series, then time."""

        def late_hours(sealed_us: int) -> tuple[Sequence[int], Sequence[int]]:
            late = rows.where(rows.time_us < sealed_us)
            hours = late.time_us // HOUR_US
            known = (late.series[1:] == late.series[:-1]) & (hours[1:] == hours[:-1])
            first = np.append(True, ~known)[: len(late)]
            return late.series[first].tolist(), hours[first].tolist()

        mark_late(conn, late_hours)
