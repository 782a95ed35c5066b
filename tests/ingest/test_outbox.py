"""What is said after a commit."""

import time

from watchkeep_core import topics
from watchkeep_core.messages import Ack, decode
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest.accounts import Tally
from watchkeep_ingest.outbox import Herald, MemoryOutbox
from watchkeep_ingest.transaction import Outcome

SOURCE = GatewayRef("garden", "gw-1")


def test_an_ack_tells_the_servers_clock_so_that_gateways_can_measure_theirs() -> None:
    outbox = MemoryOutbox()
    Herald("data", outbox, now_s=lambda: 1_795_000_000.25).announce(Outcome(Tally(), acks={(SOURCE, "e1"): 41}))
    (payload,) = outbox.of(topics.ack(SOURCE, "data"))
    assert decode(Ack, payload) == Ack(epoch="e1", seq=41, t=1_795_000_000_250)


def test_only_the_newest_ack_of_a_gateway_counts() -> None:
    outbox = MemoryOutbox()
    herald = Herald("data", outbox, ack_every_s=3600)
    for seq in (1, 2, 3):
        herald.announce(Outcome(Tally(), acks={(SOURCE, "e1"): seq}))
    assert [decode(Ack, payload).seq for payload in outbox.of(topics.ack(SOURCE, "data"))] == [1]
    herald._flushed_s = float("-inf")
    herald.flush()
    assert [decode(Ack, payload).seq for payload in outbox.of(topics.ack(SOURCE, "data"))] == [1, 3]


def test_many_acks_wait_longer_for_each_other() -> None:
    outbox = MemoryOutbox()
    herald = Herald("data", outbox, ack_every_s=100.0)
    herald.flush()
    fleet = [GatewayRef("garden", f"gw-{number}") for number in range(200)]
    herald.announce(Outcome(Tally(), acks={(source, "e1"): 1 for source in fleet}))
    for ago_s, sent in ((399.0, 0), (401.0, 200)):
        herald._flushed_s = time.monotonic() - ago_s
        herald.flush()
        assert len(outbox.sent) == sent
