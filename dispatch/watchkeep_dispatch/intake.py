"""Cases that no sensor found: test cases now, complaints and patrols by the same door."""

from datetime import datetime

from psycopg import Connection

from watchkeep_core import audit
from watchkeep_dispatch import casework, parties, planning
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.planning import Finding, Rules

TEST_CONDITION = "gateway_offline"
"""Class C and about the gateway itself: the order goes where a real one of this gateway would."""


def file_test(conn: Connection, community: str, gateway: str, now: datetime, rules: Rules, *, person_id: str) -> int:
    """A case with source `test`, its order and notifications, as trouble with this gateway would cause; returns it."""
    finding = Finding(
        community_id=community,
        equipment_id=None,
        condition=TEST_CONDITION,
        source="test",
        event_at=now,
        title_zh=f"测试：网关 {gateway}",
        title_en=f"Test: gateway {gateway}",
    )
    site = parties.read_site(conn, community, None, now, now)
    plan = planning.plan(conn, finding, site, now, rules)
    opened = casework.open_case(conn, plan, rules, now, text=f"test of gateway {gateway}", person_id=person_id)
    if opened is None:
        raise DispatchError(f"no test case for {community}/{gateway}")
    case = opened.case
    detail = {"gateway": gateway}
    audit.record(conn, "case.test", "case", str(case.case_id), person_id=person_id, detail=detail)
    return case.case_id
