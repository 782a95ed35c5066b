"""What the API answers about accounts and what leaves the house: sessions, tokens, webhooks, open data, imports."""

from datetime import datetime
from typing import Any, Literal

from watchkeep_console.models import Model


class OwnSession(Model):
    """One of my sessions; `current` = this one."""

    session_id: int
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    user_agent: str
    address: str | None
    current: bool


class Token(Model):
    """An API token without its secret."""

    token_id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class NewToken(Model):
    """The only time the token itself is shown."""

    token_id: int
    token: str
    name: str
    scopes: list[str]
    expires_at: datetime


class Webhook(Model):
    """Where a program wants to be told."""

    webhook_id: int
    url: str
    events: list[str]
    created_at: datetime


class NewWebhook(Model):
    """The only time the secret is shown."""

    webhook_id: int
    url: str
    events: list[str]
    secret: str


class Delivery(Model):
    """A message to a webhook; `answer` is a status or the kind of failure."""

    delivery_id: int
    event: str
    object_id: int
    at: datetime
    tries: int
    status: Literal["waiting", "sent", "failed", "not_visible"]
    answer: str
    next_at: datetime | None


class Dataset(Model):
    """What can be given away."""

    dataset: str
    title_zh: str
    title_en: str
    fields: list[str]


class Share(Model):
    """One entry of the register: what was given to whom, when, which fields."""

    share_id: int
    at: datetime
    person_id: str | None
    recipient: str
    purpose: str
    dataset: str
    fields: list[str]
    area_id: str | None
    since: datetime | None
    until: datetime | None
    row_count: int
    sha256: str


class WrongCell(Model):
    """A cell of an imported sheet that cannot be taken, by its address such as `C7`."""

    cell: str
    column: str
    code: str
    values: dict[str, Any]


class RegisterImport(Model):
    """With `wrong` cells nothing has been written; `errors` holds the first 500."""

    rows: int
    new: int
    changed: int
    unchanged: int
    points: int
    wrong: int
    written: bool
    errors: list[WrongCell]
