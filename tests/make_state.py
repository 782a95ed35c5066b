"""Keep what a released version leaves in a database, for the upgrade test: rows of every table, small enough to read.

    python -m tests.make_state URL tests/upgrade/VERSION     # URL: administrator's, of a database that it filled

Takes a few rows of each table with all that they refer to; a table that is still empty gets one made-up row.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

FEW = 12
LONG = 2_000
"""Characters of a row, such as a detector's state, that is left out where there are shorter ones."""

TABLES = """
SELECT c.relname, array_agg(a.attname::text ORDER BY attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND relname !~ 'yoyo' GROUP BY c.relname ORDER BY 1
"""
KEYS = """
SELECT conrelid::regclass::text, confrelid::regclass::text,
    (SELECT array_agg(attname::text ORDER BY n) FROM unnest(conkey) WITH ORDINALITY k (no, n)
     JOIN pg_attribute ON attrelid = conrelid AND attnum = no),
    (SELECT array_agg(attname::text ORDER BY n) FROM unnest(confkey) WITH ORDINALITY k (no, n)
     JOIN pg_attribute ON attrelid = confrelid AND attnum = no)
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conparentid = 0
"""
PARTITIONS = """
SELECT inhparent::regclass::text, c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits
JOIN pg_class c ON c.oid = inhrelid WHERE c.relnamespace = 'public'::regnamespace AND c.relispartition
  AND c.relkind = 'r' ORDER BY 2
"""
NUMBERED = """
SELECT c.relname, attname FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attidentity <> ''
  AND relname !~ 'yoyo' ORDER BY 1
"""
COLUMNS = """
SELECT attname::text, format_type(atttypid, atttypmod), attnotnull AND NOT atthasdef AND attidentity = '',
    (SELECT string_agg(pg_get_constraintdef(oid), ' ') FROM pg_constraint WHERE conrelid = attrelid AND contype = 'c' AND attnum = ANY (conkey))
FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""  # noqa: E501
VALUES: Mapping[str, Any] = {
    "timestamp with time zone": "2026-11-22T08:00:00Z",
    "date": "2026-11-22",
    "time without time zone": "08:00",
    "interval": "1 day",
    "boolean": True,
    "jsonb": {},
    "bytea": "\\x00",
    "daterange": "[2026-11-22,2026-11-23)",
    "tstzrange": "[2026-11-22,2026-11-23)",
    "int4range": "[1,2)",
    "int8range": "[1,2)",
    "int8multirange": "{[1,2)}",
    "inet": "192.0.2.1",
    "uuid": "00000000-0000-4000-8000-000000000001",
}
"""A value of each type that is not a number or a text."""

OF_TABLE: Mapping[str, Mapping[str, Any]] = {
    "ledger_studies": {"month": "2026-11-01"},
    "notification_channels": {"org_id": "lanhai", "url": "json://192.0.2.1/"},
    "rankings": {"until": "2026-12-22T08:00:00Z"},
    "visit_plans": {"every": "30 days"},
}
"""Where checks look at several columns."""

Row = dict[str, Any]
Key = tuple[str, str, list[str], list[str]]


def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with psycopg.connect(url) as conn:
        tables = {str(name): list(columns) for name, columns in conn.execute(TABLES)}
        keys: list[Key] = conn.execute(KEYS).fetchall()
        conn.execute("SET session_replication_role = replica")  # what guards history refuses even an administrator
        conn.execute("UPDATE people SET password_hash = 'removed' WHERE password_hash IS NOT NULL")
        parents = {name: {to for own, to, *_ in keys if own == name != to} for name in tables}
        for name in TopologicalSorter(parents).static_order():
            fill(conn, name, keys)
        everything = {name: read(conn, name, columns) for name, columns in tables.items()}
        chosen = choose(everything, keys)
        text = "\n".join(statements(conn, tables, chosen))
        known = [str(name) for (name,) in conn.execute("SELECT migration_id FROM _yoyo_migration ORDER BY 1")]
        conn.rollback()
    (folder / "rows.sql").write_text(text + "\n", encoding="utf-8")
    migrations = files("watchkeep_core.schema") / "migrations"
    lines = [f"{hashlib.sha256((migrations / f'{name}.sql').read_bytes()).hexdigest()} {name}\n" for name in known]
    (folder / "migrations.txt").write_text("".join(lines), encoding="utf-8")


def read(conn: psycopg.Connection[Any], name: str, columns: list[str]) -> list[Row]:
    fields = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL("SELECT row_to_json(r) FROM (SELECT {} FROM {}) r").format(fields, sql.Identifier(name))
    return [row for (row,) in conn.execute(query)]


def choose(everything: Mapping[str, list[Row]], keys: list[Key]) -> dict[str, list[Row]]:
    """A few of each, and all that they refer to."""
    chosen = {name: sorted(rows, key=lambda row: len(str(row)) > LONG)[:FEW] for name, rows in everything.items()}
    chosen = {name: [row for row in rows if len(str(row)) <= LONG] or rows[:1] for name, rows in chosen.items()}
    index = {
        (to, tuple(theirs)): {tuple(map(str, map(row.get, theirs))): row for row in everything[to]}
        for _, to, _, theirs in keys
    }
    grown = True
    while grown:
        grown = False
        for name, to, ours, theirs in keys:
            there = {id(row) for row in chosen[to]}
            for row in chosen[name]:
                wanted = index[to, tuple(theirs)].get(tuple(map(str, map(row.get, ours))))
                if wanted is not None and id(wanted) not in there:
                    chosen[to] = [*chosen[to], wanted]
                    there.add(id(wanted))
                    grown = True
    return chosen


def statements(
    conn: psycopg.Connection[Any], tables: Mapping[str, list[str]], chosen: Mapping[str, list[Row]]
) -> Iterator[str]:
    yield "-- Written by tests/make_state.py."
    yield "SET session_replication_role = replica;"
    yield "SET ROLE watchkeep_owner;"
    for parent, name, bound in conn.execute(PARTITIONS):
        yield f'CREATE TABLE IF NOT EXISTS "{name}" PARTITION OF {parent} {bound};'
    yield "RESET ROLE;"
    for name, rows in chosen.items():
        if rows:
            columns = ", ".join(f'"{column}"' for column in tables[name])
            lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
            yield f'DELETE FROM "{name}";'  # what a migration or bootstrap puts in
            yield f'INSERT INTO "{name}" ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns}'
            yield f'FROM json_populate_recordset(NULL::"{name}", $rows$[\n{lines}\n]$rows$);'
    for name, column in conn.execute(NUMBERED):
        place = f"pg_get_serial_sequence('{name}', '{column}')"
        yield f'SELECT setval({place}, greatest(1, max("{column}"))) FROM "{name}";'
    yield "RESET session_replication_role;"


def fill(conn: psycopg.Connection[Any], name: str, keys: list[Key]) -> None:
    """One made-up row in an empty table: real where it refers to others, else any value that its checks allow."""
    if conn.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(name))).fetchone() == (True,):
        return
    row: Row = {}
    for column, kind, needed, checks in conn.execute(COLUMNS, [name]).fetchall():
        if needed:
            row[column] = value(kind, checks or "")
    for place, (_, to, ours, theirs) in enumerate(key for key in keys if key[0] == name != key[1]):
        if set(ours) <= set(row):
            fields = sql.SQL(", ").join(map(sql.Identifier, theirs))
            query = sql.SQL("SELECT {} FROM {} ORDER BY 1 OFFSET {} % greatest(1, (SELECT count(*) FROM {})) LIMIT 1")
            names = (fields, sql.Identifier(to), sql.Literal(place), sql.Identifier(to))  # giver and taker differ
            found = conn.execute(query.format(*names)).fetchone()
            row |= {mine: it for mine, it in zip(ours, found or (), strict=False) if mine in row}
    row |= OF_TABLE.get(name, {})
    insert = sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM json_populate_record(NULL::{0}, %s::json)")
    columns = sql.SQL(", ").join(map(sql.Identifier, row))
    try:
        with conn.transaction():
            conn.execute(insert.format(sql.Identifier(name), columns), [json.dumps(row, default=str)])
    except psycopg.Error as error:
        sys.stderr.write(f"{name}: no row can be made up: {error}\n")


def value(kind: str, checks: str) -> Any:
    """Of this type, and one of the words that a check lists."""
    if "ARRAY['" in checks and kind == "text":
        return checks.split("ARRAY['")[1].split("'")[0]
    if kind.endswith("[]"):
        return [] if kind != "text[]" else ["x"]
    if kind in VALUES:
        return VALUES[kind]
    return "x" if kind.startswith(("text", "char")) else 1


if __name__ == "__main__":
    main()
