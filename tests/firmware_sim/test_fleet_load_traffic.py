"""What the server and the broker may say to a load run, without either: commands, refusals, a line that comes back."""

from concurrent.futures import Future

import pytest

from watchkeep_core import mqtt, topics, vocabulary
from watchkeep_core.broker import BrokerAddress, PublishRefused, Received, TooManyOutstanding
from watchkeep_core.messages import Ack, Birth, Cmd, Data, Message, State, decode, encode
from watchkeep_firmware_sim.fleet_load.links import Links, Login
from watchkeep_firmware_sim.fleet_load.options import FleetOptions
from watchkeep_firmware_sim.fleet_load.plan import Plan, plan
from watchkeep_firmware_sim.fleet_load.traffic import FleetRefused, Traffic

EPOCH = "L1-abc"
BODY = b'"t0":1,"alias":[0],"dt_ms":[0],"value":[1.5]}'
WORDS = vocabulary.load()


class Connection:
    """Takes everything, or says why not."""

    def __init__(self) -> None:
        self.connected = True
        self.epoch = 1
        self.outstanding = 0
        self.took: list[tuple[str, bytes]] = []
        self.refuses: BaseException | None = None
        self.raises: BaseException | None = None

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        if self.raises:
            raise self.raises
        self.took.append((topic, payload))
        done: Future[None] = Future()
        if self.refuses:
            done.set_exception(self.refuses)
        else:
            done.set_result(None)
        return done

    def subscribe(self, _topics: list[str]) -> None: ...

    def close(self) -> None: ...


class World:
    """Two gateways over one line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connection = Connection()
        monkeypatch.setattr(mqtt, "connect", lambda *_, **__: self.connection)
        self.plan: Plan = plan(FleetOptions(points=40, gateways=2, communities=1, rate=10))
        self.links = Links(self.plan, Login(BrokerAddress("127.0.0.1", 1), "secret"))
        self.traffic = Traffic(self.plan, EPOCH, self.links, WORDS)

    def hear(self, topic: str, message: Message | bytes) -> None:
        payload = message if isinstance(message, bytes) else encode(message)
        self.links.inbox.append(Received(topic, payload, 1, 1, 0, retain=False, duplicate=False))

    def took(self, leaf: str) -> list[bytes]:
        """Of gateway 0; forgets all."""
        found = [payload for topic, payload in self.connection.took if topic.startswith(f"{self.root}/{leaf}")]
        self.connection.took.clear()
        return found

    @property
    def root(self) -> str:
        return self.plan.gateways[0].root


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(monkeypatch)
    made.traffic.greet()
    made.traffic.step(10.0)
    return made


def test_every_gateway_is_announced(world: World) -> None:
    births = [payload for topic, payload in world.connection.took if topic.endswith("/birth")]
    assert [len(decode(Birth, payload).points) for payload in births] == [20, 20]


def test_a_rebirth_and_a_resend_are_obeyed(world: World) -> None:
    lane = world.traffic.lanes[0]["data"]
    for _ in range(3):
        world.traffic.put(lane, BODY, 1, 10.0)
    world.traffic.step(11.0)
    world.hear(topics.ack(world.plan.gateways[0], "data"), Ack(epoch=EPOCH, seq=0))
    world.hear(topics.ack(world.plan.gateways[0], "data"), Ack(epoch="of-another-run", seq=2))
    world.traffic.step(11.5)
    assert len(world.took("data")) == 3
    assert world.traffic.counts.unacked == 2
    world.hear(topics.cmd(world.plan.gateways[0]), Cmd(action="rebirth"))
    world.hear(topics.cmd(world.plan.gateways[0]), Cmd(action="resend"))
    world.traffic.step(12.0)
    assert world.traffic.counts.rebirths == 1
    took = world.connection.took
    assert [topic.rpartition("/")[2] for topic, _ in took] == ["birth", "state", "1", "2"]
    assert [decode(Data, payload).floor for topic, payload in took if "/data/" in topic] == [1, 1]


def test_what_is_not_understood_or_is_nobody_s_stops_nothing(world: World) -> None:
    world.hear(f"{world.root}/cmd", b"{")
    world.hear(f"{world.root}/ack/data", b"[]")
    world.hear("wk/1/0/somebody/else/cmd", encode(Cmd(action="rebirth")))
    world.traffic.put(world.traffic.lanes[0]["data"], BODY, 1, 11.0)
    world.traffic.step(12.0)
    assert world.traffic.counts.rebirths == 0
    assert len(world.took("data")) == 1


def test_a_full_line_puts_off_a_rebirth_and_keeps_messages(world: World) -> None:
    world.traffic.put(world.traffic.lanes[0]["data"], BODY, 1, 11.0)
    world.hear(topics.cmd(world.plan.gateways[0]), Cmd(action="rebirth"))
    world.connection.raises = TooManyOutstanding("full")
    world.connection.connected = False  # it is away while the command is looked at
    world.traffic.step(12.0)
    world.connection.connected, world.connection.raises = True, None
    world.connection.took.clear()
    world.traffic.step(13.0)
    assert len(world.took("data")) == 1
    assert world.traffic.counts.unacked == 1


def test_what_the_broker_never_takes_is_given_up_and_the_floor_tells_it(world: World) -> None:
    lane = world.traffic.lanes[0]["data"]
    world.traffic.put(lane, BODY, 1, 11.0)
    world.connection.raises = PublishRefused("t", "too large")
    world.traffic.step(12.0)
    world.connection.raises = None
    assert (world.traffic.counts.given_up, world.traffic.counts.unacked) == (1, 0)
    assert (str(lane.lost), lane.bytes, lane.readings) == ("{[0,1)}", 0, 0)
    world.connection.took.clear()
    world.traffic.put(lane, BODY, 1, 13.0)
    world.traffic.step(14.0)
    assert [decode(Data, payload).floor for payload in world.took("data")] == [1]


def test_a_line_that_came_back_is_greeted_and_all_is_sent_again(world: World) -> None:
    world.traffic.put(world.traffic.lanes[0]["data"], BODY, 1, 11.0)
    world.traffic.step(12.0)
    world.connection.took.clear()
    world.connection.epoch = 2
    world.connection.raises = TooManyOutstanding("what waited since the loss goes first")
    world.traffic.step(13.0)
    assert world.traffic.counts.reconnects == 0
    world.connection.raises = None
    world.traffic.step(14.0)
    assert world.traffic.counts.reconnects == 1
    assert not [topic for topic, _ in world.connection.took if "/data/" in topic], "the retained acks are read first"
    world.traffic.step(16.0)
    assert len(world.took("data")) == 1


def test_farewells(world: World) -> None:
    world.connection.took.clear()
    world.traffic.say_offline()
    assert [decode(State, payload).online for _, payload in world.connection.took] == [False, False]
    world.connection.raises = TooManyOutstanding("full")
    world.traffic.say_offline()


def test_a_user_that_may_not_speak_for_the_communities_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.connection.refuses = PublishRefused("t", "Not authorized")
    with pytest.raises(FleetRefused, match="sim-load may not publish"):
        world.traffic.greet()
