"""Many rows as one parameter: a JSON array that SQL takes apart with `jsonb_to_recordset`. One statement, one trip."""

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

_encode = msgspec.json.Encoder().encode


def rowset(rows: Sequence[dict[str, Any]]) -> Jsonb:
    """Rows with their columns by name; datetimes are UTC and aware."""
    return Jsonb(rows, dumps=_encode)
