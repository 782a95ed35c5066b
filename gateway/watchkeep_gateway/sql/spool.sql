-- The spool of one gateway: SQLite, WAL, synchronous=FULL. Written by one thread; read by others.

-- name: create
CREATE TABLE owner (
    community TEXT NOT NULL,
    gateway   TEXT NOT NULL,
    connected INTEGER NOT NULL DEFAULT 0      -- 1: the broker let this spool's gateway in once
);
CREATE TABLE lanes (
    lane     TEXT PRIMARY KEY CHECK (lane IN ('data', 'event')),
    epoch    TEXT NOT NULL,
    next_seq INTEGER NOT NULL,                -- never lowered within an epoch
    messages INTEGER NOT NULL,                -- totals of the lane's table, kept so that nobody has to count
    readings INTEGER NOT NULL,
    bytes    INTEGER NOT NULL
);
CREATE TABLE data_messages (
    seq        INTEGER PRIMARY KEY,
    created_ms INTEGER NOT NULL,              -- wall clock, ms since 1970 UTC
    readings   INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    payload    BLOB NOT NULL                  -- the JSON of the message without its floor
);
CREATE TABLE event_messages (
    seq        INTEGER PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    readings   INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    payload    BLOB NOT NULL
);
CREATE TABLE aliases (
    alias     INTEGER PRIMARY KEY,
    equipment TEXT NOT NULL,
    metric    TEXT NOT NULL,
    unit      TEXT NOT NULL,
    UNIQUE (equipment, metric, unit)
);
CREATE TABLE digests (n INTEGER PRIMARY KEY, digest BLOB NOT NULL);
CREATE TABLE rejected (
    n       INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    origin  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE active_codes (                   -- conditions that a raw code raised and none has cleared yet
    equipment TEXT NOT NULL,
    condition TEXT NOT NULL,
    PRIMARY KEY (equipment, condition)
) WITHOUT ROWID;
CREATE TABLE links (                          -- as last seen by the running gateway
    name     TEXT PRIMARY KEY,
    up       INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    detail   TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = 1;

-- name: create_report
CREATE TABLE IF NOT EXISTS commands (         -- from the server, with what became of them
    n       INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    command TEXT NOT NULL,
    outcome TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS facts (            -- what the running gateway says of itself, JSON, for `status`
    name  TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- name: create_memory
CREATE TABLE IF NOT EXISTS driver_memory (    -- what drivers must know after a restart; not in `create`: spools of before have none
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID

-- name: memory
SELECT key, value FROM driver_memory ORDER BY key

-- name: remember
INSERT INTO driver_memory (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- name: forget
DELETE FROM driver_memory WHERE key = ?

-- name: create_unmapped
CREATE TABLE IF NOT EXISTS unmapped (         -- what foreign publishers name and no row maps, since the gateway started
    source   TEXT NOT NULL,
    name     TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (source, name)
) WITHOUT ROWID

-- name: insert_unmapped
INSERT OR IGNORE INTO unmapped (source, name, since_ms) VALUES (?, ?, ?)

-- name: delete_unmapped
DELETE FROM unmapped

-- name: count_unmapped
SELECT count(*) FROM unmapped

-- name: has_unmapped
SELECT 1 FROM sqlite_schema WHERE name = 'unmapped'

-- name: unmapped
SELECT source, name, since_ms FROM unmapped ORDER BY source, name LIMIT ?

-- name: insert_owner
INSERT INTO owner (community, gateway) VALUES (?, ?)

-- name: owner
SELECT community, gateway, connected FROM owner

-- name: set_connected
UPDATE owner SET connected = 1

-- name: insert_lane
INSERT INTO lanes (lane, epoch, next_seq, messages, readings, bytes) VALUES (?, ?, 0, 0, 0, 0)

-- name: lanes
SELECT lane, epoch, next_seq, messages, readings, bytes FROM lanes

-- name: save_lane
UPDATE lanes SET epoch = ?, next_seq = ?, messages = ?, readings = ?, bytes = ? WHERE lane = ?

-- name: insert_data
INSERT INTO data_messages (seq, created_ms, readings, bytes, payload) VALUES (?, ?, ?, ?, ?)

-- name: insert_event
INSERT INTO event_messages (seq, created_ms, readings, bytes, payload) VALUES (?, ?, ?, ?, ?)

-- name: newest
SELECT max(coalesce((SELECT created_ms FROM data_messages ORDER BY seq DESC LIMIT 1), 0),
           coalesce((SELECT created_ms FROM event_messages ORDER BY seq DESC LIMIT 1), 0))

-- name: oldest_data
SELECT seq, created_ms FROM data_messages ORDER BY seq LIMIT 1

-- name: oldest_event
SELECT seq, created_ms FROM event_messages ORDER BY seq LIMIT 1

-- name: sizes_data
SELECT seq, created_ms, readings, bytes FROM data_messages ORDER BY seq

-- name: totals_data
SELECT count(*), coalesce(sum(readings), 0), coalesce(sum(bytes), 0) FROM data_messages WHERE seq <= ?

-- name: totals_event
SELECT count(*), coalesce(sum(readings), 0), coalesce(sum(bytes), 0) FROM event_messages WHERE seq <= ?

-- name: delete_data
DELETE FROM data_messages WHERE seq <= ?

-- name: delete_event
DELETE FROM event_messages WHERE seq <= ?

-- name: read_data
SELECT seq, payload FROM data_messages WHERE seq >= ? ORDER BY seq LIMIT ?

-- name: read_event
SELECT seq, payload FROM event_messages WHERE seq >= ? ORDER BY seq LIMIT ?

-- Renumbering goes through negative numbers, as a row must never meet one that has not moved yet.
-- name: renumber_data_away
UPDATE data_messages SET seq = ? - 1 - seq

-- name: renumber_data_back
UPDATE data_messages SET seq = -1 - seq

-- name: renumber_event_away
UPDATE event_messages SET seq = ? - 1 - seq

-- name: renumber_event_back
UPDATE event_messages SET seq = -1 - seq

-- name: aliases
SELECT alias, equipment, metric, unit FROM aliases ORDER BY alias

-- name: insert_alias
INSERT INTO aliases (alias, equipment, metric, unit) VALUES (?, ?, ?, ?)

-- name: digests
SELECT n, digest FROM digests ORDER BY n

-- name: insert_digest
INSERT INTO digests (n, digest) VALUES (?, ?)

-- name: delete_digests
DELETE FROM digests WHERE n <= ?

-- name: insert_rejected
INSERT INTO rejected (at_ms, origin, reason, payload) VALUES (?, ?, ?, ?)

-- name: trim_rejected
DELETE FROM rejected WHERE n <= (SELECT max(n) FROM rejected) - ?

-- name: rejected
SELECT at_ms, origin, reason, payload FROM rejected ORDER BY n DESC LIMIT ?

-- name: count_rejected
SELECT count(*) FROM rejected

-- name: code_active
INSERT OR IGNORE INTO active_codes (equipment, condition) VALUES (?, ?)

-- name: code_cleared
DELETE FROM active_codes WHERE equipment = ? AND condition = ?

-- name: active_codes
SELECT equipment, condition FROM active_codes

-- name: save_link
INSERT INTO links (name, up, since_ms, detail) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET up = excluded.up, since_ms = excluded.since_ms, detail = excluded.detail

-- name: links
SELECT name, up, since_ms, detail FROM links ORDER BY name

-- name: delete_links
DELETE FROM links

-- name: insert_command
INSERT INTO commands (at_ms, command, outcome) VALUES (?, ?, ?)

-- name: trim_commands
DELETE FROM commands WHERE n <= (SELECT max(n) FROM commands) - ?

-- name: commands
SELECT at_ms, command, outcome FROM commands ORDER BY n DESC LIMIT ?

-- name: save_fact
INSERT INTO facts (name, at_ms, value) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms, value = excluded.value

-- name: facts
SELECT name, value FROM facts

-- name: has_report
SELECT 1 FROM sqlite_schema WHERE name = 'facts'
