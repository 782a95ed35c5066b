"""What routes and pages need, built once at start and handed to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from ipaddress import ip_network

from psycopg import Connection
from psycopg_pool import ConnectionPool

from watchkeep_console.enrol import Enroller, enroller
from watchkeep_console.identity import Identity
from watchkeep_console.limiter import Limiter, SharedLimiter
from watchkeep_console.live import Hub
from watchkeep_console.oidc import Provider
from watchkeep_console.settings import ConsoleSettings
from watchkeep_console.shared import Shared
from watchkeep_core.clock import Clock, SystemClock
from watchkeep_core.database import as_person, open_pool
from watchkeep_core.vocabulary import load
from watchkeep_dispatch.duties import Lists
from watchkeep_dispatch.notify.guard import Egress
from watchkeep_dispatch.planning import Rules

LOGINS_PER_MINUTE = 10
REPORTS_PER_HOUR = 20
"""From one address without a login: a whole house may share one."""
STRANGERS_PER_MINUTE = 600
EXPORTS_PER_MINUTE = 10
WEBHOOK_S = 8.0
"""Longest one message may take."""


@dataclass(frozen=True, slots=True)
class Services:
    settings: ConsoleSettings
    pool: ConnectionPool[Connection]
    identity: Identity
    hub: Hub
    shared: Shared
    """Pictures of the board, by scope."""
    enroller: Enroller
    clock: Clock
    rules: Rules
    """How cases that people file are judged and timed; nothing waits."""
    egress: Egress
    """Where webhooks may go."""
    oidc: Provider | None
    """Where people may log in besides; None = nowhere."""
    logins: SharedLimiter
    """By `address` and by `account` from an address."""
    reports: SharedLimiter
    """Of residents, by `address`."""
    requests: Limiter
    """By session or token."""
    strangers: Limiter
    """Requests without a live session or token, by address: nobody guesses tokens."""
    exports: Limiter
    """Lists as files, by session or token."""

    @contextmanager
    def acting(self, person_id: str) -> Iterator[Connection]:
        """A transaction under a person's identity: row-level security shows what that person may see."""
        with as_person(self.pool, person_id) as conn:
            yield conn

    def forget(self) -> None:
        """A session, a token, an account, a role or a duty to set something up has changed: nobody is remembered."""
        self.identity.forget()
        self.shared.forget()


def build(settings: ConsoleSettings, clock: Clock | None = None, enrolling: Enroller | None = None) -> Services:
    """Connects; raises DatabaseUnavailable or DatabaseRefused."""
    clock = clock or SystemClock()
    url = settings.database_url.get_secret_value()
    pool = open_pool(url, "console", min_size=2, max_size=settings.pool_size, autocommit=True)
    hub = Hub(url)
    return Services(
        settings=settings,
        pool=pool,
        identity=Identity(
            pool,
            settings.session_secret.get_secret_value(),
            clock,
            timedelta(hours=settings.session_hours),
            timedelta(minutes=settings.idle_minutes),
            settings.totp_roles,
        ),
        hub=hub,
        shared=Shared(partial(as_person, pool), lambda: hub.heard),
        enroller=enrolling or enroller(settings.enrol_dir),
        clock=clock,
        rules=Rules(load(), Lists(), {}, calendar=settings.calendar()),
        egress=Egress(tuple(ip_network(str(network)) for network in settings.webhook_networks), WEBHOOK_S),
        oidc=_provider(settings),
        logins=SharedLimiter(pool, 60, {"address": LOGINS_PER_MINUTE * 3, "account": LOGINS_PER_MINUTE}),
        reports=SharedLimiter(pool, 3600, {"address": REPORTS_PER_HOUR}),
        requests=Limiter(settings.requests_per_minute, 60),
        strangers=Limiter(STRANGERS_PER_MINUTE, 60),
        exports=Limiter(EXPORTS_PER_MINUTE, 60),
    )


def _provider(settings: ConsoleSettings) -> Provider | None:
    if not settings.oidc_issuer:
        return None
    secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None
    signing = settings.session_secret.get_secret_value()
    return Provider(settings.oidc_issuer, settings.oidc_client_id, secret, signing)
