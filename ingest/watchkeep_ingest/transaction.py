"""The one transaction of a batch: ledger, content, dead letters and accounts, all or nothing (ARCHITECTURE §4).

Order of locks, the same for every writer: accounts of the partitions, ledger rows, content, then what lanes share.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.clock import to_us
from watchkeep_core.database import queries
from watchkeep_core.errors import PermanentError
from watchkeep_core.topics import GatewayRef, Lane
from watchkeep_ingest import accounts, dead_letters, ledger
from watchkeep_ingest.accounts import Tally
from watchkeep_ingest.batches import RowsMessage, hand_over
from watchkeep_ingest.dead_letters import NoSuchDeadLetter
from watchkeep_ingest.incoming import Decoded, Incoming, Problem, decode
from watchkeep_ingest.lane import LaneWork
from watchkeep_ingest.ledger import UNRECORDED, Entry, Key, Verdict
from watchkeep_ingest.streams import Stream


@dataclass(slots=True)
class Outcome:
    """What to tell the world once the transaction is committed."""

    tally: Tally
    acks: dict[Key, int] = field(default_factory=dict)
    """Gateway and epoch → contiguous seq; −1 when seq 0 is missing."""
    rows: list[RowsMessage] = field(default_factory=list)
    rebirths: list[GatewayRef] = field(default_factory=list)
    dead: Counter[str] = field(default_factory=Counter)
    """Reason → dead letters."""


class AlreadyReplayed(PermanentError):
    """The dead letter has been replayed with success before."""


def write(conn: Connection, work: LaneWork, messages: Sequence[Decoded]) -> Outcome:
    """Write one batch in the caller's transaction; also without messages, when `work` has something waiting."""
    tally = accounts.new_tally()
    conn.execute("SET LOCAL synchronous_commit = on")
    accounts.lock(conn, work.lane, {message.incoming.partition for message in messages} | work.waiting())
    streams = {message.stream for message in messages if message.stream is not None}
    entries = ledger.lock(conn, work.lane, {stream.key for stream in streams})
    accepted, dead = _judge(messages, entries, tally)
    handled = work.handle(conn, accepted, tally) if messages else work.resume(conn, tally)
    dead += handled.dead
    reasons = _bury(conn, dead, tally)
    gone = Counter(message.incoming.partition for message in handled.dead)
    for partition, count in Counter([message.incoming.partition for message in accepted]).items():
        tally[partition]["processed"] += count - gone[partition]
    acks = ledger.save(conn, work.lane, entries)
    accounts.save(conn, work.lane, tally)
    work.finish(conn)
    return Outcome(tally, acks, handled.rows, handled.rebirths, reasons)


def replay(conn: Connection, work_of: dict[Lane, LaneWork], number: int) -> str:
    """Process a dead letter again, in the caller's transaction, at its old receive time; returns the result.

    `processed` and `duplicate` close it; anything else is the problem it still has. In the accounts it moves from
    dead_lettered to processed or duplicate. Its seq was recorded when it died, so the ledger is asked only where it was
    not (`UNRECORDED`). Raises NoSuchDeadLetter, AlreadyReplayed.
    """
    row = conn.execute(_sql("lock_dead_letter"), {"id": number}).fetchone()
    if row is None:
        raise NoSuchDeadLetter(f"there is no dead letter {number}")
    received_at, topic, payload, reason, replayed_at = row
    if replayed_at is not None:
        raise AlreadyReplayed(f"dead letter {number} was replayed at {replayed_at:%Y-%m-%d %H:%M:%S} UTC")
    conn.execute("SET LOCAL synchronous_commit = on")
    message = decode(Incoming("data", 0, topic, payload, to_us(received_at), 0, len))
    result = message.problem or _again(conn, work_of, message, recorded=reason not in UNRECORDED)
    text = result if isinstance(result, str) else f"{result.reason}: {result.detail}"
    conn.execute(_sql("mark_dead_letter"), {"id": number, "done": isinstance(result, str), "result": text})
    return text


def _again(conn: Connection, work_of: dict[Lane, LaneWork], message: Decoded, *, recorded: bool) -> str | Problem:
    topic = message.topic
    if topic is None:
        raise ValueError("a message without a topic has a problem")
    lane: Lane = "event" if topic.lane == "event" or topic.kind == "state" else "data"
    work, counts = work_of[lane], accounts.new_tally()
    message = replace(message, incoming=replace(message.incoming, lane=lane, partition=topic.partition))
    accounts.lock(conn, lane, {topic.partition} | work.waiting())
    entries = {} if recorded or message.stream is None else ledger.lock(conn, lane, [message.stream.key])
    result: str | Problem = "processed"
    for entry in entries.values():
        verdict = entry.judge(topic.seq, message.floor)
        if verdict in UNRECORDED:
            return _refusal(verdict, topic.seq)
        if verdict == "duplicate":
            result = "duplicate"
    if result == "processed":
        handled = work.handle(conn, [message], counts)
        hand_over(conn, lane, handled.rows)
        result = handled.dead[0].problem or result if handled.dead else result
    if isinstance(result, str):
        counts[topic.partition]["dead_lettered"] -= 1
        counts[topic.partition][result] += 1
        ledger.save(conn, lane, entries)
    accounts.save(conn, lane, counts)
    work.finish(conn)
    return result


def _judge(messages: Sequence[Decoded], entries: dict[Key, Entry], tally: Tally) -> tuple[list[Decoded], list[Decoded]]:
    """New messages that can be processed, and those for the dead letter; counts all, and the duplicates."""
    for partition, count in Counter([message.incoming.partition for message in messages]).items():
        tally[partition]["received"] += count
    verdicts = _verdicts(messages, entries)
    if not verdicts and all(message.problem is None for message in messages):  # as nearly always
        return list(messages), []
    accepted: list[Decoded] = []
    dead: list[Decoded] = []
    for place, message in enumerate(messages):
        counts = tally[message.incoming.partition]
        topic, verdict = message.topic, verdicts.get(place)
        if verdict == "duplicate":
            counts["duplicate"] += 1
            continue
        if verdict is not None and topic is not None:
            message = message.refused(_refusal(verdict, topic.seq))
        elif message.problem and topic is not None and topic.kind == "birth" and message.incoming.lane == "event":
            counts["processed"] += 1  # the data lane has it too, and buries it
            continue
        (dead if message.problem else accepted).append(message)
    return accepted, dead


def _verdicts(messages: Sequence[Decoded], entries: dict[Key, Entry]) -> dict[int, Verdict]:
    """What the ledger says of the messages, by place; those that are missing are new, or have no seq."""
    places: defaultdict[Stream, list[int]] = defaultdict(list)
    for place, message in enumerate(messages):
        if message.stream is not None:
            places[message.stream].append(place)
    found: dict[int, Verdict] = {}
    for stream, some in places.items():
        mine = [messages[place] for place in some]
        seqs = [message.topic.seq for message in mine if message.topic]
        verdicts = entries[stream.key].judge_all(seqs, [message.floor for message in mine])
        found.update((some[place], verdict) for place, verdict in verdicts.items())
    return found


def _bury(conn: Connection, dead: Sequence[Decoded], tally: Tally) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for letter, saved in zip(dead, dead_letters.save(conn, dead), strict=True):
        tally[letter.incoming.partition]["dead_lettered" if saved else "duplicate"] += 1
        if saved and letter.problem:
            reasons[letter.problem.reason] += 1
    return reasons


def _refusal(verdict: str, seq: int) -> Problem:
    texts = {
        "seq_jump": f"seq {seq} is more than {ledger.MAX_JUMP} above the highest known one",
        "too_many_ranges": f"seq {seq} would make more than {ledger.MAX_RANGES} gaps",
    }
    return Problem(verdict, texts[verdict])


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/ledger.sql")[name]
