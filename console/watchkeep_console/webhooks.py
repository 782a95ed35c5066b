"""Messages to other programs: signed, tried again for a day, and only about what their owner may see at that moment."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
from cryptography.fernet import InvalidToken
from psycopg import Connection
from psycopg.rows import class_row
from pydantic import BaseModel

from watchkeep_console import exchange_models as x
from watchkeep_console import reads
from watchkeep_console.errors import Conflict, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_core import audit
from watchkeep_core.database import as_person, queries
from watchkeep_core.logs import get_logger
from watchkeep_dispatch.notify.guard import guarded

log = get_logger(__name__)
_READ: dict[str, Callable[[Connection, int], BaseModel]] = {
    "warning": reads.warning,
    "case": reads.case,
    "order": reads.order,
}
EVENTS = ("warning.opened", "warning.changed", "case.filed", "case.changed", "order.dispatched", "order.changed")
TEST = "test"
MAX_HOOKS = 20
BATCH = 20
LEASE = timedelta(minutes=5)
TRIES = 10
_SQL = queries("watchkeep_console", "sql/webhooks.sql")


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One claimed message."""

    delivery_id: int
    event: str
    object_id: int
    at: datetime
    tries: int
    webhook_id: int
    person_id: str
    url: str
    secret: bytes
    live: bool


def make(house: Services, session: Session, url: str, events: Sequence[str]) -> x.NewWebhook:
    """`secret` keys the signature and is shown this once. Raises Invalid, Conflict."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or len(url) > 500:
        raise Invalid("url", "must be https://HOST/… without a login in it")
    if parts.scheme == "http" and not house.egress.allowed:
        raise Invalid("url", "must be https")
    if not events or set(events) - set(EVENTS):
        raise Invalid("events", f"must be some of {', '.join(EVENTS)}")
    secret = secrets.token_hex(32)
    with house.identity.acting(session) as conn:
        if len(conn.execute(_SQL["listing"], {"id": None}).fetchall()) >= MAX_HOOKS:
            raise Conflict("too_many_webhooks", f"at most {MAX_HOOKS}")
        row = {"url": url, "secret": house.identity.box.seal(secret), "events": sorted(set(events))}
        made = conn.execute(_SQL["make"], row).fetchone()
        webhook_id = int(made[0]) if made else 0
        _record(conn, session, "webhook_made", webhook_id)
    return x.NewWebhook(webhook_id=webhook_id, url=url, events=sorted(set(events)), secret=secret)


def listing(conn: Connection, webhook_id: int | None = None) -> list[x.Webhook]:
    return conn.cursor(row_factory=class_row(x.Webhook)).execute(_SQL["listing"], {"id": webhook_id}).fetchall()


def remove(house: Services, session: Session, webhook_id: int) -> None:
    """Raises NotFound."""
    with house.identity.acting(session) as conn:
        if conn.execute(_SQL["remove"], {"id": webhook_id}).fetchone() is None:
            raise NotFound("webhook", webhook_id)
        _record(conn, session, "webhook_removed", webhook_id)


def deliveries(conn: Connection, webhook_id: int) -> list[x.Delivery]:
    """The newest hundred. Raises NotFound."""
    if not listing(conn, webhook_id):
        raise NotFound("webhook", webhook_id)
    return conn.cursor(row_factory=class_row(x.Delivery)).execute(_SQL["deliveries"], {"id": webhook_id}).fetchall()


def send_test(house: Services, session: Session, webhook_id: int) -> None:
    """A message of the event `test`, sent with the others. Raises NotFound."""
    with house.identity.acting(session) as conn:
        if not listing(conn, webhook_id):
            raise NotFound("webhook", webhook_id)
        conn.execute(
            "INSERT INTO webhook_deliveries (webhook_id, event, object_id) VALUES (%s, %s, 0)", [webhook_id, TEST]
        )


def send_due(house: Services, now: datetime) -> int:
    """Hand over what is due, one after the other; returns how many were tried."""
    with house.pool.connection() as conn:
        wanted = {"now": now, "until": now + LEASE, "limit": BATCH}
        claimed = [_Delivery(*row) for row in conn.execute(_SQL["claim"], wanted).fetchall()]
    for delivery in claimed:
        status, answer = _send(house, delivery, now)
        again = status == "waiting"
        if again and delivery.tries >= TRIES:
            status = "failed"
        with house.pool.connection() as conn:
            next_at = house.clock.now() + pause(delivery.tries)
            row = {"id": delivery.delivery_id, "status": status, "answer": answer[:300], "next_at": next_at}
            conn.execute(_SQL["outcome"], row)
    return len(claimed)


def pause(tries: int) -> timedelta:
    """Before the next try: 10 s, 30 s, 90 s … at most 6 h. Pure."""
    return min(timedelta(seconds=10 * 3 ** (tries - 1)), timedelta(hours=6))


def sign(secret: str, body: bytes, at_s: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`; the receiver refuses what is older than 5 minutes."""
    proof = hmac.digest(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hex()
    return f"t={at_s},v1={proof}"


def _send(house: Services, delivery: _Delivery, now: datetime) -> tuple[str, str]:
    """Status and what to note; `waiting` = try again."""
    if not delivery.live:
        return "failed", "the webhook was removed"
    try:
        body = _body(house, delivery)
        secret = house.identity.box.open(delivery.secret)
    except NotFound:
        return "not_visible", "its owner may not see it"
    except InvalidToken:
        return "failed", "the console's session_secret has changed: make the webhook anew"
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Watchkeep",
        "Watchkeep-Event": delivery.event,
        "Watchkeep-Delivery": str(delivery.delivery_id),
        "Watchkeep-Signature": sign(secret, body, int(now.timestamp())),
    }
    with guarded(house.egress) as exchange:
        try:
            answer = requests.post(
                delivery.url, body, headers=headers, timeout=house.egress.deadline_s, allow_redirects=False
            )
        except (requests.RequestException, OSError) as error:
            if exchange.refused:
                return "failed", "the target is in a private network (webhook_networks)"
            return "waiting", type(error).__name__
    if 200 <= answer.status_code < 300:
        return "sent", str(answer.status_code)
    return ("failed" if answer.status_code == 410 else "waiting"), str(answer.status_code)


def _body(house: Services, delivery: _Delivery) -> bytes:
    """Read now, as the owner: raises NotFound for what that person may not see."""
    found: Any = None
    if delivery.event != TEST:
        with as_person(house.pool, delivery.person_id) as conn:
            found = _READ[delivery.event.partition(".")[0]](conn, delivery.object_id).model_dump(
                mode="json", by_alias=True
            )
    message = {"delivery": delivery.delivery_id, "event": delivery.event, "at": delivery.at, "object": found}
    return msgspec.json.encode(message)


def _record(conn: Connection, session: Session, action: str, webhook_id: int) -> None:
    audit.record(conn, action, "webhook", str(webhook_id), person_id=session.person.person_id)
