"""The life of a case under any order of steps: people, clocks and recurrences never break what must always hold."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from psycopg import Connection

from tests.dispatch.conftest import NOW, WRITTEN, World
from tests.dispatch.test_work_order import NOTE, SCAN
from watchkeep_dispatch import joint, work_order
from watchkeep_dispatch.clocks import DEFAULT_CALENDAR
from watchkeep_dispatch.dispatching import assign_waiting
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.escalation import escalate
from watchkeep_dispatch.lifecycle import FINAL, NOTES, next_state
from watchkeep_dispatch.work_order import Done, Request

WHO = st.sampled_from(["li", "wang", "zhao", "qian", "sun", "zhou", "wei", "zheng"])
ACTIONS: dict[str, Callable[..., Done]] = {
    "accept": work_order.accept,
    "arrive": partial(work_order.arrive, evidence=[SCAN]),
    "finish": partial(work_order.finish, evidence=[NOTE]),
    "return": work_order.return_order,
    "redispatch": work_order.redispatch,
    "suspend": work_order.suspend,
    "refuse_pause": work_order.refuse_pause,
    "resume": work_order.resume,
    "rework": work_order.rework,
    "verify": work_order.verify,
    "close": work_order.close,
    "dismiss": work_order.dismiss,
    "enter_ledger": work_order.enter_ledger,
    "strike": work_order.strike,
    "extend": work_order.extend,
    "assist": joint.assist,
    "call_back": partial(work_order.call_back, reached=True, satisfied=True),
}
PROPER = {
    "dispatched": ("li", "accept"),
    "accepted": ("li", "arrive"),
    "on_site": ("li", "finish"),
    "rework": ("li", "finish"),
    "suspended": ("li", "resume"),
    "resolved": ("qian", "verify"),
    "verified": ("sun", "close"),
    "returned": ("sun", "redispatch"),
    "ledger": ("zhou", "strike"),
}
"""What usually comes next, so that deep states are reached."""


class Life(RuleBasedStateMachine):
    """One case; `now` only goes forward."""

    world: ClassVar[World]
    look: ClassVar[Connection]
    now: datetime

    @initialize()
    def begin(self) -> None:
        with self.world.admin() as conn:
            conn.execute("SET LOCAL session_replication_role = replica")
            for table in WRITTEN.split():
                conn.execute(f"DELETE FROM {table}")
        self.now = NOW
        self.case = self.world.filed("lift-1", "door_close_fail", self.now)

    @rule(
        action=st.sampled_from(sorted(ACTIONS)), who=WHO, approver=WHO, org=st.sampled_from(["builder", "property-co"])
    )
    def act(self, action: str, who: str, approver: str, org: str) -> None:
        """Anybody tries anything; what is refused leaves no trace."""
        before = self._state()
        request = Request(
            person_id=self.world.people[who],
            now=self.now,
            reason="因故",
            org_id=org,
            approver_id=self.world.people[approver],
            due=self.now + timedelta(days=2),
        )
        try:
            with self.world.connect("watchkeep_console") as conn:
                conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [self.world.people[who]])
                done = ACTIONS[action](conn, self.case, request)
        except DispatchError:
            assert self._state() == before
        else:
            assert done.state == self._state()[0]
            stays = action in NOTES or (action == "suspend" and before[0] == done.state)  # it was only asked for
            assert done.state == (before[0] if stays else next_state(action, before[0]))

    @rule()
    def goes_on(self) -> None:
        if proper := PROPER.get(self._state()[0]):
            self.act(proper[1], proper[0], "wei", "builder")

    @rule(minutes=st.sampled_from([1, 20, 600, 3000]))
    def time_passes(self, minutes: int) -> None:
        """The service's chores run, twice: a second scheduler."""
        self.now += timedelta(minutes=minutes)
        for _ in range(2):
            with self.world.connect() as conn:
                assign_waiting(conn, self.now, DEFAULT_CALENDAR)
                escalate(conn, self.now, DEFAULT_CALENDAR)

    @rule()
    def sensor_clears(self) -> None:
        with self.world.connect("watchkeep_analytics") as conn:
            conn.execute("UPDATE warnings SET status = 'cleared', cleared_at = %s WHERE status = 'open'", [self.now])

    @rule()
    def it_comes_again(self) -> None:
        if not self._value("SELECT count(*) FROM warnings WHERE status = 'open'"):
            self.world.warn("lift-1", "door_close_fail", at=self.now)
            for outcome in self.world.file(self.now):  # none gets a case while it flaps
                self.case = outcome.case_id or self.case

    @invariant()
    def what_must_always_hold(self) -> None:
        state, closed, _, leads, lead_state, helpers = self._facts()
        assert closed == (state in FINAL)
        assert leads == (0 if state in (*FINAL, "filed", "returned", "ledger") else 1)
        assert lead_state in (None, state)
        assert not (helpers and (closed or state in ("resolved", "verified")))
        assert self._value("SELECT count(*) FROM cases WHERE closed_at IS NULL") <= 1
        steps = self._rows(
            "SELECT action, from_state, to_state FROM transitions WHERE case_id = %s ORDER BY transition_id", self.case
        )
        for (_, _, left), (action, entered, to) in pairwise(steps):
            assert entered == left, steps
            assert to == (entered if action in NOTES else next_state(action, entered))
        verifiers = {"verify", "close"} & {action for action, *_ in steps}
        own = "SELECT count(*) FROM transitions a JOIN transitions b USING (case_id, person_id) WHERE a.case_id = %s"
        own += " AND a.action IN ('verify', 'rework') AND b.action IN ('accept', 'arrive', 'finish')"
        own += " AND b.transition_id < a.transition_id"
        assert not verifiers or self._value(own, self.case) == 0
        assert self._value("SELECT count(*) FROM deadline_changes WHERE to_due < from_due") == 0

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.look.execute(query.encode(), values).fetchall()

    def _value(self, query: str, *values: object) -> Any:
        return self._rows(query, *values)[0][0]

    def _state(self) -> tuple[str, int]:
        ((state, version),) = self._rows("SELECT state, version FROM cases WHERE case_id = %s", self.case)
        return state, version

    def _facts(self) -> tuple[str, bool, int, int, str | None, int]:
        ((found),) = self._rows(
            "SELECT c.state, c.closed_at IS NOT NULL, c.version,"
            " count(*) FILTER (WHERE o.lead AND o.closed_at IS NULL)::integer,"
            " max(o.state) FILTER (WHERE o.lead AND o.closed_at IS NULL),"
            " count(*) FILTER (WHERE NOT o.lead AND o.closed_at IS NULL)::integer"
            " FROM cases c LEFT JOIN orders o USING (case_id) WHERE c.case_id = %s GROUP BY c.case_id",
            self.case,
        )
        return found


@pytest.mark.slow
def test_any_life_of_a_case(world: World) -> None:
    """The same lives each time, others with --hypothesis-profile=search."""
    Life.world = world
    with world.admin() as Life.look:
        Life.look.autocommit = True
        run_state_machine_as_test(
            Life,
            settings=settings(
                max_examples=6,
                stateful_step_count=25,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
