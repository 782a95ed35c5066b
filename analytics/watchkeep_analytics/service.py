"""The analytics service: a parent, one process for events and one or more for telemetry; runs until told to stop."""

import socket
from collections.abc import Callable, Mapping
from functools import partial

from watchkeep_analytics import gathering
from watchkeep_analytics.desk import Desk
from watchkeep_analytics.event_lane import EventLane
from watchkeep_analytics.gathering import Place
from watchkeep_analytics.lanes import LaneWorker
from watchkeep_analytics.models.nightly import Nightly
from watchkeep_analytics.sessions import Inbox, Sessions
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_core import database
from watchkeep_core.broker import BrokerAddress, BrokerUnreachable
from watchkeep_core.errors import SettingsError, TransientError
from watchkeep_core.logs import get_logger
from watchkeep_core.processes import Child, run_children
from watchkeep_core.service import Stop
from watchkeep_core.topics import PARTITIONS

log = get_logger(__name__)

STOP_WITHIN_S = 8.0
_CONNECT_S = 5.0


class LaneDied(TransientError):
    """A lane ended by itself: the parent starts its process again."""


def run(settings: AnalyticsSettings, stop: Stop) -> None:
    """Block until `stop`. Raises a WatchkeepError when database or broker cannot be had at the start."""
    _check(settings)
    places = [Place("event"), *(Place(f"data-{number}") for number in range(settings.workers))]
    works: list[Callable[[AnalyticsSettings, Place, Stop], None]] = [run_events, *[run_data] * settings.workers]
    children = [
        Child(f"analytics-{place.name}", partial(work, settings, place), settings.log_level)
        for place, work in zip(places, works, strict=True)
    ]
    health = gathering.serve(settings.health_host, settings.health_port, places) if settings.health_port else None
    desk = Desk(settings, stop)
    desk.thread.start()
    nightly = Nightly(settings, stop)
    nightly.thread.start()
    try:
        run_children(children, stop)
    finally:
        stop.set()
        desk.thread.join(STOP_WITHIN_S)
        nightly.thread.join(STOP_WITHIN_S)
        if health is not None:
            health.close()


def run_events(settings: AnalyticsSettings, place: Place, stop: Stop) -> None:
    """The event lane alone. Blocks until `stop`; raises LaneDied."""
    _serve(EventLane(settings, stop), place, stop, {})


def run_data(settings: AnalyticsSettings, place: Place, stop: Stop) -> None:
    """A share of the telemetry. Blocks until `stop`; raises LaneDied."""
    from watchkeep_analytics.data_lane import DataLane  # numba: 100 MB that the other processes need not have

    address = BrokerAddress.parse(settings.mqtt_url, settings.mqtt_ca_file)
    inbox = Inbox(settings.queue_bytes)
    sessions = Sessions(address, settings.mqtt_password.get_secret_value(), inbox)
    try:
        _serve(DataLane(settings, inbox, stop, sessions), place, stop, {"broker": sessions.alive})
    finally:
        sessions.close()


def _serve(lane: LaneWorker, place: Place, stop: Stop, checks: Mapping[str, Callable[[], bool]]) -> None:
    ours = {"database": lambda: lane.database_ok, "caught_up": lane.ready.is_set}
    health = place.serve({**ours, **checks})
    log.info("started", lane=lane.lane)
    try:
        lane.thread.start()
        while not stop.wait(1.0) and lane.thread.is_alive():
            pass
        stop.set()
        lane.thread.join(STOP_WITHIN_S)
    finally:
        health.close()
    if lane.failed:
        raise LaneDied(f"lane {lane.lane} failed; see the log")
    log.info("stopped")


def _check(settings: AnalyticsSettings) -> None:
    """What the processes would only tell in their logs."""
    if not settings.partitions or any(not 0 <= number < PARTITIONS for number in settings.partitions):
        raise SettingsError(f"partitions: must be numbers from 0 to {PARTITIONS - 1}, at least one")
    database.connect(settings.database_url.get_secret_value(), "analytics").close()
    address = BrokerAddress.parse(settings.mqtt_url, settings.mqtt_ca_file)
    wrong = [_unreachable(*server) for server in ((address.host, address.port), *address.others)]
    if all(wrong):
        raise BrokerUnreachable(f"broker {address}: {wrong[0]}")


def _unreachable(host: str, port: int) -> str:
    """Why it cannot be reached; "" = it can."""
    try:
        socket.create_connection((host, port), _CONNECT_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
