"""Who may read and write which topic: one list of rules for every broker we start."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from watchkeep_core import topics
from watchkeep_core.errors import SettingsError

Access = Literal["read", "write", "readwrite"]


@dataclass(frozen=True, slots=True)
class AclRule:
    """What the users that match `user_pattern` may do.

    `user_pattern` is a user name or, with `+` for a level, a pattern of them (`+/+`); then the topic must hold `%u`,
    which stands for the whole user name: Mosquitto applies such rules to every user.
    """

    user_pattern: str
    access: Access
    topic: str

    def __post_init__(self) -> None:
        texts = self.user_pattern + self.topic
        if not self.user_pattern or not self.topic or any(character.isspace() for character in texts):
            raise SettingsError(f"acl: user and topic must be non-empty and without blanks: {self}")
        if self.is_pattern and "%u" not in self.topic:
            raise SettingsError(f"acl: a rule for a pattern of users needs %u in its topic: {self}")

    @property
    def is_pattern(self) -> bool:
        return "+" in self.user_pattern.split("/")


SIM_USERS = ("sim", "sim-inject", "sim-replay")
"""One for each that may run at the same time: a user name is a client id, the second would end the first."""


LOAD_USER = "sim-load"
"""Speaks for all gateways of a load run over one connection (`watchkeep sim fleet`). It stands in no default: whoever
lets it in names the communities, which must be simulated ones."""


def load_acl(communities: Iterable[str]) -> list[AclRule]:
    """For the broker of a demo, bench or test only: `sim-load` may be any gateway of these communities."""
    rules: list[AclRule] = []
    for community in communities:
        root = f"wk/1/{topics.partition_of(community)}/{community}/+"
        rules += [AclRule(LOAD_USER, "write", f"{root}/{leaf}") for leaf in ("birth", "state", "data/+/+", "event/+/+")]
        rules += [AclRule(LOAD_USER, "read", f"{root}/{leaf}") for leaf in ("ack/+", "cmd")]
    return rules


def service_users(ingest: str, analytics: str, console: str) -> dict[str, str]:
    """Broker user → password: one for each lane and partition of ingest, each partition of analytics, the console."""
    partitions = range(topics.PARTITIONS)
    users = {f"ingest-{lane}-{pp}": ingest for lane in topics.LANES for pp in partitions}
    return users | {f"analytics-{pp}": analytics for pp in partitions} | {"console": console}


def site_acl() -> list[AclRule]:
    """A site's rules: gateways (`community/gateway`), `ingest-{lane}-{pp}`, `analytics-{pp}`, `console`."""
    own = "wk/1/+/%u"
    rules = [AclRule("+/+", "write", f"{own}/{leaf}") for leaf in ("birth", "state", "data/+/+", "event/+/+")]
    rules += [AclRule("+/+", "read", f"{own}/{leaf}") for leaf in ("ack/+", "cmd")]
    rules.append(AclRule("+/+", "readwrite", "field/%u/#"))
    for partition in range(topics.PARTITIONS):
        root = f"wk/1/{partition}/+/+"
        for lane in topics.LANES:
            user = f"ingest-{lane}-{partition}"
            rules += [AclRule(user, "read", topic) for topic in topics.ingest_filters(lane, partition)]
            rules += [AclRule(user, "write", f"{root}/{leaf}") for leaf in ("ack/+", "cmd")]
            rules.append(AclRule(user, "write", topics.rows(partition)))
        rules.append(AclRule(f"analytics-{partition}", "read", topics.rows(partition)))
    rules.append(AclRule("console", "write", "wk/1/+/+/+/cmd"))
    return rules


def default_acl() -> list[AclRule]:
    """The same for demo and tests, where simulated devices speak too."""
    return [*site_acl(), *(AclRule(user, "readwrite", "field/#") for user in SIM_USERS)]
