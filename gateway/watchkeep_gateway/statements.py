"""The named statements of spool.sql (core's loader for PostgreSQL needs psycopg, which a gateway does not have)."""

import re
from importlib import resources

_TEXT = resources.files("watchkeep_gateway").joinpath("sql/spool.sql").read_text(encoding="utf-8")
_PARTS = re.split(r"^-- name: (\w+)$", _TEXT, flags=re.MULTILINE)

SQL = {name: body.strip() for name, body in zip(_PARTS[1::2], _PARTS[2::2], strict=True)}
"""Name → statement; `create` is a script."""
