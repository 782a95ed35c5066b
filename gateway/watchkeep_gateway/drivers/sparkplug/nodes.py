"""The life of edge nodes: born, counted by seq, silent, dead; what each message means in that light. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from watchkeep_core.errors import MessageError
from watchkeep_gateway.drivers.mapping import SILENT, Edges
from watchkeep_gateway.drivers.sparkplug.births import Birth, bd_seq_of, read_birth
from watchkeep_gateway.drivers.sparkplug.payload import Payload, decode
from watchkeep_gateway.drivers.sparkplug.targets import Source, Targets
from watchkeep_gateway.drivers.sparkplug.values import Outcome, ValueReader

Kind = Literal["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SEQS = 256

MAX_TAGS = 1_000_000
"""Aliases and names kept in mind, of all nodes: about 200 MB; what is born beyond it is refused."""


MAX_NODES = 20_000


@dataclass(slots=True)
class Node:
    """One edge node with its devices."""

    source: Source
    born: bool = False
    """Between its birth and its death."""
    complete: bool = False
    """No message is missing since its birth, so that aliases mean what the births say."""
    bd_seq: int | None = None
    next_seq: int | None = None
    newest_ms: int = -1
    """Of all values taken."""
    births: dict[str, Birth] = field(default_factory=dict)
    """By device; "" = the node itself."""
    before: dict[str, Birth] = field(default_factory=dict)
    """Of lives that ended: times of values go on."""


class Nodes:
    """All nodes that one bridge hears."""

    def __init__(self, targets: Targets, edges: Edges) -> None:
        self._targets = targets
        self._values = ValueReader(edges)
        self._nodes: dict[Source, Node] = {}
        self._tags = 0

    def restore(self, births: Mapping[str, bytes], counts: Mapping[str, str]) -> dict[Source, tuple[str, ...]]:
        """Take up what an earlier run knew, by source; returns what each names that is unmapped."""
        unmapped: dict[Source, tuple[str, ...]] = {}
        for name, data in births.items():
            source = Source(*name.split("/"))
            node = self._nodes.setdefault(source.node, Node(source.node, born=True, complete=True))
            unmapped[source] = self._be_born(node, source, decode(data)).unmapped
        for name, count in counts.items():
            known = self._nodes.get(Source(*name.split("/")))
            if known is not None:
                known.next_seq, bd_seq, known.newest_ms, complete = (int(word) for word in count.split())
                known.bd_seq, known.complete = None if bd_seq < 0 else bd_seq, bool(complete)
                for birth in known.births.values():
                    for tag in birth.by_name.values():
                        tag.t_ms = known.newest_ms
        return unmapped

    def take(self, kind: Kind, source: Source, data: bytes, received_ms: int, duplicate: bool) -> Outcome:
        """Raises MessageError when the message as a whole cannot be understood."""
        payload = decode(data)
        outcome = Outcome(own_time=payload.t_ms is not None)
        node = self._nodes.get(source.node)
        if kind == "NBIRTH":
            self._node_birth(source, payload, data, received_ms, outcome)
        elif kind == "NDEATH":
            self._node_death(node, payload, received_ms, outcome)
        elif node is None or not node.born:
            outcome.rebirth = "it was not born"
            outcome.refuse(MessageError("no_birth", f"{source}: {kind} of a node that was not born"))
        else:
            again = self._count(node, payload, duplicate, outcome)
            if kind == "DBIRTH":
                self._device_birth(node, source, payload, data, received_ms, outcome)
            elif kind == "DDEATH":
                t_ms = received_ms if payload.t_ms is None else payload.t_ms
                self._end(node, source.device, t_ms, kind, outcome)
            else:
                self._data(node, source, payload, received_ms, again, outcome)
            self._note_count(node, outcome)
        return outcome

    def _node_birth(self, source: Source, payload: Payload, data: bytes, received_ms: int, outcome: Outcome) -> None:
        if source not in self._nodes and len(self._nodes) >= MAX_NODES:
            raise MessageError("too_many_nodes", f"{source}: more than {MAX_NODES} nodes")
        node = self._nodes.setdefault(source, Node(source))
        for device in list(node.births):
            self._forget(node, device, outcome)
        node.born = node.complete = True
        node.bd_seq = bd_seq_of(payload)
        node.next_seq = None if payload.seq is None else (payload.seq + 1) % SEQS
        outcome.link = True
        self._birth(node, source, payload, data, received_ms, "NBIRTH", outcome)
        self._note_count(node, outcome)

    def _device_birth(
        self, node: Node, source: Source, payload: Payload, data: bytes, received_ms: int, outcome: Outcome
    ) -> None:
        if source.device in node.births:
            self._forget(node, source.device, outcome)
        self._birth(node, source, payload, data, received_ms, "DBIRTH", outcome)

    def _birth(
        self, node: Node, source: Source, payload: Payload, data: bytes, received_ms: int, kind: str, outcome: Outcome
    ) -> None:
        birth = self._be_born(node, source, payload)
        self._values.of_birth(source, birth, payload, received_ms, outcome)
        t_ms = received_ms if payload.t_ms is None else payload.t_ms
        outcome.events += self._values.silent(source, list(birth.equipment), t_ms, SILENT, kind)
        outcome.unmapped = birth.unmapped
        outcome.births[str(source)] = data

    def _node_death(self, node: Node | None, payload: Payload, received_ms: int, outcome: Outcome) -> None:
        """Its time is when it was heard: a will was written when the node connected."""
        if node is None or not node.born:
            return
        bd_seq = bd_seq_of(payload)
        if None not in (bd_seq, node.bd_seq) and bd_seq != node.bd_seq:
            outcome.refuse(MessageError("stale_death", f"{node.source}: bdSeq {bd_seq}, born with {node.bd_seq}"))
            return
        for device in list(node.births):
            self._end(node, device, received_ms, "NDEATH", outcome)
        node.born = node.complete = False
        node.next_seq = None
        outcome.link = False

    def _end(self, node: Node, device: str, t_ms: int, kind: Kind, outcome: Outcome) -> None:
        """A node or device is gone: its points fall silent, and nothing stamps their last values anew."""
        birth = node.births.get(device)
        if birth is None:
            return
        source = Source(node.source.group, node.source.edge, device)
        outcome.events += self._values.silent(source, list(birth.equipment), t_ms, SILENT, kind)
        self._forget(node, device, outcome)

    def _data(
        self, node: Node, source: Source, payload: Payload, received_ms: int, again: bool, outcome: Outcome
    ) -> None:
        birth = node.births.get(source.device)
        if birth is None:
            outcome.rebirth = outcome.rebirth or "a device was not born"
            outcome.refuse(MessageError("no_birth", f"{source} was not born"))
            return
        if again and None not in (payload.t_ms, birth.t_ms) and (payload.t_ms or 0) < (birth.t_ms or 0):
            outcome.refuse(MessageError("no_birth", f"{source}: delivered again, and older than the birth we know"))
            return
        self._values.of_data(source, birth, payload, received_ms, outcome, by_alias=node.complete)

    def _count(self, node: Node, payload: Payload, duplicate: bool, outcome: Outcome) -> bool:
        """Check seq; true when it is one that the broker delivers again."""
        seq, expected = payload.seq, node.next_seq
        if seq is None:
            return duplicate
        if expected is not None and seq != expected:
            if duplicate:  # what was unacknowledged comes again in order, up to 500 back; seq tells only 256 apart
                return True
            node.complete = False
            outcome.rebirth = f"seq {seq} instead of {expected}"
        elif not node.complete:
            outcome.rebirth = "births may be missing"
        node.next_seq = (seq + 1) % SEQS
        return False

    def _be_born(self, node: Node, source: Source, payload: Payload) -> Birth:
        before = node.before.pop(source.device, None)
        birth = read_birth(source, payload, self._targets, before)
        self._tags -= before.size if before else 0
        if self._tags + birth.size > MAX_TAGS:
            raise MessageError("too_many_metrics", f"{source}: more than {MAX_TAGS} metrics of all nodes")
        self._tags += birth.size
        node.births[source.device] = birth
        return birth

    def _forget(self, node: Node, device: str, outcome: Outcome) -> None:
        node.before[device] = node.births.pop(device)
        outcome.births[str(Source(node.source.group, node.source.edge, device))] = None

    def _note_count(self, node: Node, outcome: Outcome) -> None:
        node.newest_ms = max([node.newest_ms, *(reading.t_ms for reading in outcome.readings)])
        if node.next_seq is not None:
            bd_seq = -1 if node.bd_seq is None else node.bd_seq
            outcome.count = f"{node.next_seq} {bd_seq} {node.newest_ms} {node.complete:d}"
