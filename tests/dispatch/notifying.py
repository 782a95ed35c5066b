"""What several tests of notifications need."""

from datetime import datetime, timedelta
from typing import Any

from tests.dispatch.conftest import NOW, World
from watchkeep_dispatch.notify.chores import Pulse
from watchkeep_dispatch.notify.outbox import announce

PULSE = Pulse(timedelta(minutes=5), lambda at: at)


def add_channel(world: World, *, org: str | None = None, person: str | None = None, **more: Any) -> int:
    row = {"name": "main", "url": "memory://", "kind": "webhook"} | more
    row |= {"org_id": org, "person_id": world.people[person] if person else None}
    columns, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    query = f"INSERT INTO notification_channels ({columns}) VALUES ({places}) RETURNING channel_id"
    with world.admin() as conn:
        found = conn.execute(query.encode(), row).fetchone()
    assert found is not None
    return int(found[0])


def tell(world: World, key: str = "k", *, kind: str = "test", org: str = "lift-co", **more: Any) -> None:
    """Announce a test, or about a case: `case_id`, `order_id`, `urgent`, `people`."""
    values = {"at": key} | dict.fromkeys(("class", "title", "community", "case", "respond", "finish", "reason"), "x")
    with world.connect() as conn:
        announce(conn, kind, [org], values, key=key, now=NOW, **more)


def outcomes(world: World) -> list[tuple[Any, ...]]:
    """Of all that went to channels."""
    return world.rows(
        "SELECT status, attempts, error FROM notifications WHERE channel <> 'in_app'"
        " ORDER BY attempts, channel_id, notification_id"
    )


def waiting_until(world: World) -> list[datetime]:
    return [
        row[0]
        for row in world.rows(
            "SELECT due_at FROM notifications WHERE channel <> 'in_app' AND status = 'queued' ORDER BY notification_id"
        )
    ]
