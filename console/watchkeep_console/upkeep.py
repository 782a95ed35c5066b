"""What the console does on its own: hands messages to webhooks, forgets what has had its time."""

import threading
from datetime import timedelta

import psycopg
from psycopg_pool import PoolTimeout

from watchkeep_console import once, webhooks
from watchkeep_console.services import Services
from watchkeep_core.database import queries
from watchkeep_core.logs import get_logger

log = get_logger(__name__)
FORGET_EVERY = timedelta(minutes=15)
SESSIONS_KEPT = timedelta(days=30)
"""After their end, for the export of a person's data; the audit trail keeps logins for longer."""
DELIVERIES_KEPT = timedelta(days=30)
_SQL = queries("watchkeep_console", "sql/identity.sql")


def forget(house: Services) -> None:
    """Answers to keyed requests after 48 h, ended sessions and finished messages after 30 days, hits at once."""
    now = house.clock.now()
    with house.pool.connection() as conn:
        conn.execute(_SQL["forget_answers"], {"before": now - once.KEPT})
        conn.execute(_SQL["forget_sessions"], {"before": now - SESSIONS_KEPT})
        conn.execute(_SQL["forget_deliveries"], {"before": now - DELIVERIES_KEPT})
        conn.execute(_SQL["forget_hits"])


def run(house: Services, stop: threading.Event) -> None:
    """Until `stop`; several processes may do it at a time."""
    due = house.clock.now()
    quiet = False
    every_s = house.settings.webhook_every_s
    while not stop.wait(every_s or FORGET_EVERY.total_seconds()):
        try:
            if house.clock.now() >= due:
                due = house.clock.now() + FORGET_EVERY
                forget(house)
            while every_s and webhooks.send_due(house, house.clock.now()) == webhooks.BATCH and not stop.is_set():
                pass
            quiet = False
        except (psycopg.Error, PoolTimeout) as error:
            if not quiet:
                log.warning("upkeep_failed", reason=type(error).__name__)
            quiet = True
        except Exception:  # the thread must live: without it no webhook is ever told again
            log.exception("upkeep_failed")
