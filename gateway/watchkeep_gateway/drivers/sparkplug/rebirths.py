"""When a node is asked to be born again: at once, then ever more rarely, never a whole city together; pure."""

from collections import OrderedDict
from dataclasses import dataclass, field

from watchkeep_gateway.drivers.sparkplug.nodes import MAX_NODES
from watchkeep_gateway.drivers.sparkplug.targets import Source
from watchkeep_gateway.window import Pace

FIRST_WAIT_S = 10.0
LAST_WAIT_S = 600.0
"""Between two requests to one node; doubles while it does not answer with a birth."""

MAX_PER_S = 20.0
"""Of all nodes: a birth is a hundred times a data message."""


@dataclass(slots=True)
class Rebirths:
    """Times are monotonic seconds."""

    _asked: OrderedDict[Source, tuple[float, float]] = field(default_factory=OrderedDict)
    """Node → not before, next wait."""
    _pace: Pace = field(default_factory=lambda: Pace(MAX_PER_S))

    def ask(self, node: Source, now_s: float) -> bool:
        """Whether to ask now; counts as asked."""
        not_before_s, wait_s = self._asked.get(node, (now_s, FIRST_WAIT_S))
        if now_s < not_before_s or self._pace.allowance(now_s) < 1:
            return False
        self._pace.spend(1)
        self._asked[node] = (now_s + wait_s, min(2 * wait_s, LAST_WAIT_S))
        self._asked.move_to_end(node)
        if len(self._asked) > MAX_NODES:
            self._asked.popitem(last=False)
        return True

    def born(self, node: Source) -> None:
        """It answered: the next wait is the first again. The one that runs goes on, so that no two births chase."""
        if node in self._asked:
            self._asked[node] = (self._asked[node][0], FIRST_WAIT_S)
