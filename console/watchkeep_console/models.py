"""What the API answers and the pages show: only the fields named here leave the house."""

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Class = Literal["A", "B", "C"]
Clock = Literal["respond", "arrive", "finish"]
T = TypeVar("T")


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(Model, Generic[T]):
    """One page of a list; `next` is the cursor of the following one, absent at the end."""

    items: list[T]
    next: str | None = None


class Membership(Model):
    role: str
    scope_kind: str
    scope_id: str


class Me(Model):
    person_id: str
    login: str
    name: str
    org_id: str | None
    language: str
    memberships: list[Membership]
    permissions: list[str]
    """What the roles allow somewhere; each act is checked against its own object again."""


class Community(Model):
    community_id: str
    name: str
    name_en: str
    area_id: str
    property_org_id: str | None
    timezone: str
    mode: str
    households: int
    longitude: float | None
    latitude: float | None


class Equipment(Model):
    community_id: str
    equipment_id: str
    kind: str
    name: str
    name_en: str
    building_id: str | None
    building: str | None
    level: int | None
    status: str
    open_warnings: int
    worst_class: Class | None


class Limit(Model):
    condition: str
    side: str
    value: float
    tier: str
    basis: str
    mark: str


class Point(Model):
    """One time series, its limits and its last good value within a day (event time)."""

    series_id: int
    metric: str
    unit: str
    period_s: float | None
    gateway_id: str | None
    limits: list[Limit]
    at: datetime | None = None
    value: float | None = None
    quality: int | None = None


class EquipmentDetail(Equipment):
    ownership: str
    maker: str
    model: str
    registration_code: str
    installed_on: date | None
    now: datetime
    """The present in this community's event time: in a community that replays recorded data, its watermark."""
    points: list[Point]


class Reading(Model):
    at: datetime
    value: float
    quality: int


class Series(Model):
    """Readings, oldest first. `complete` false = there are more in the window than were asked for: the newest ones."""

    series_id: int
    readings: list[Reading]
    complete: bool


class Bucket(Model):
    """Readings of one series from `at` on, for `bucket_s` seconds; 0 = one reading. Bad ones are counted, not used."""

    at: datetime
    count: int
    bad: int
    min: float | None
    max: float | None
    mean: float | None
    last: float | None
    increase: float | None
    level: str
    bucket_s: float


class SeriesWindow(Model):
    """A window of a series in few buckets that keep its extremes; `increase` is of counters, over resets."""

    series_id: int
    buckets: list[Bucket]


class Warning(Model):
    warning_id: int
    community_id: str
    community: str
    community_en: str
    equipment_id: str
    equipment: str
    equipment_en: str
    kind: str | None
    condition: str
    tier: str
    proposed_class: Class
    life_safety: bool
    status: str
    event_at: datetime
    detected_at: datetime
    last_seen_at: datetime
    cleared_at: datetime | None
    occurrences: int
    replay: bool
    sentence_zh: str
    sentence_en: str
    case_id: int | None
    verdict: str | None


class Verdict(Model):
    verdict: str
    rule: str
    reason: str
    at: datetime


class WarningDetail(Warning):
    series_id: int | None
    detector: str
    version: str
    evidence: dict[str, Any]
    verdicts: list[Verdict]


class Case(Model):
    case_id: int
    community_id: str
    community: str
    community_en: str
    equipment_id: str | None
    equipment: str | None
    equipment_en: str
    condition: str
    source: str
    case_class: Annotated[Class, Field(serialization_alias="class", validation_alias="class")]
    life_safety: bool
    state: str
    title_zh: str
    title_en: str
    responsible_org_id: str | None
    responsible: str | None
    responsible_en: str
    event_at: datetime
    filed_at: datetime
    closed_at: datetime | None
    replay: bool
    version: int
    first_responder_id: str | None
    supervising_org_id: str | None
    order_id: int | None
    order_org_id: str | None
    clock: Clock | None
    """The clock that runs on the lead order."""
    due_at: datetime | None


class Order(Model):
    order_id: int
    case_id: int
    community_id: str
    community: str
    community_en: str
    equipment_id: str | None
    equipment: str | None
    equipment_en: str
    building: str | None
    level: int | None
    condition: str
    case_class: Annotated[Class, Field(serialization_alias="class", validation_alias="class")]
    life_safety: bool
    title_zh: str
    title_en: str
    org_id: str
    org: str
    org_en: str
    lead: bool
    assignee_id: str | None
    state: str
    case_state: str
    dispatched_at: datetime
    responded_at: datetime | None
    arrived_at: datetime | None
    finished_at: datetime | None
    respond_due: datetime | None
    arrive_due: datetime | None
    finish_due: datetime | None
    closed_at: datetime | None
    clock: Clock | None
    due_at: datetime | None
    version: int
    """The version of the case, which acts on the order expect."""


class Transition(Model):
    order_id: int | None
    action: str
    from_state: str | None
    to_state: str
    person: str | None
    at: datetime
    note: str


class Escalation(Model):
    order_id: int
    clock: Clock
    level: int
    to_party: str
    due_at: datetime
    fired_at: datetime


class Evidence(Model):
    evidence_id: int
    order_id: int | None
    kind: str
    note: str
    media_type: str
    bytes: int
    at: datetime


class Duty(Model):
    duty_id: int
    title: str
    title_en: str
    domain: str | None
    kind: str | None
    condition: str | None
    duty_class: Annotated[Class, Field(serialization_alias="class", validation_alias="class")]
    first_responder: str
    responsible: str
    supervising: str
    respond_in: str | None
    arrive_in: str | None
    finish_in: str | None
    closing_condition: str
    evidence: list[str]
    basis: str
    mark: str


class CaseDetail(Case):
    first_responder: str | None
    first_responder_en: str
    supervising: str | None
    supervising_en: str
    duty: Duty | None
    warnings: list[Warning]
    orders: list[Order]
    transitions: list[Transition]
    escalations: list[Escalation]
    evidence: list[Evidence]
    actions: list[str]
    """What this person may do to the case now."""


class OrderDetail(Order):
    actions: list[str]
    warnings: list[Warning]
    evidence: list[Evidence]
    evidence_needed: list[str]


class Gateway(Model):
    community_id: str
    community: str
    gateway_id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None
    online: bool
    last_message_at: datetime | None
    born_at: datetime | None
    software: str
    skew_ms: float | None
    points: int


class FirstReading(Model):
    series_id: int
    equipment_id: str
    metric: str
    unit: str
    at: datetime
    value: float


class GatewayDetail(Gateway):
    first_readings: list[FirstReading]
    """Newest value of up to ten of its points."""


class Credentials(Model):
    """Shown once: the console keeps no copy."""

    community_id: str
    gateway_id: str
    mqtt_url: str
    mqtt_user: str
    mqtt_password: str
    topic: str
    field_topic: str
    configuration: str
    broker_user: Literal["added", "pending", "failed", "by_hand"]
    """Whether the broker knows the user already."""


class Revoked(Model):
    """A gateway that is shut out; `broker_user` as in Credentials: `added` = the broker has done it."""

    community_id: str
    gateway_id: str
    revoked_at: datetime
    broker_user: Literal["added", "pending", "failed", "by_hand"]


class Summary(Model):
    """Counts over what the person may see; readings per second over the whole house."""

    warnings: dict[str, int]
    """Open warnings by proposed class."""
    cases_open: int
    orders_open: int
    orders_overdue: int
    gateways: int
    gateways_online: int
    readings_per_s: float


class Started(Model):
    person_id: str
    csrf_token: str
    expires_at: datetime


class Done(Model):
    """Where the thing stands after an act."""

    kind: Literal["warning", "case", "order"]
    id: int
    state: str
    version: int | None = None
    case_id: int | None = None
