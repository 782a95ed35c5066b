"""Who may read and write which topic: one list of rules for every broker we start."""

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


def default_acl() -> list[AclRule]:
    """Watchkeep's rules: gateways (`community/gateway`), `ingest-{lane}-{pp}`, `analytics-{pp}`, `console`, `sim…`."""
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
    rules += [AclRule(user, "readwrite", "field/#") for user in SIM_USERS]
    return rules
