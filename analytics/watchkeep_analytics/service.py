"""The analytics service: sessions, two lanes, health; runs until it is told to stop."""

from watchkeep_analytics import events, register
from watchkeep_analytics.data_lane import DataLane
from watchkeep_analytics.event_lane import EventLane
from watchkeep_analytics.sessions import Inbox, Sessions
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_analytics.suppression import Modes
from watchkeep_core import database
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.errors import SettingsError, TransientError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import HealthServer, Stop
from watchkeep_core.topics import PARTITIONS

log = get_logger(__name__)

STOP_WITHIN_S = 8.0


class LaneDied(TransientError):
    """A lane ended by itself: the supervisor should start the service again."""


def run(settings: AnalyticsSettings, stop: Stop) -> None:
    """Block until `stop`. Raises a WatchkeepError when database or broker cannot be had at the start."""
    if not settings.partitions or any(not 0 <= number < PARTITIONS for number in settings.partitions):
        raise SettingsError(f"partitions: must be numbers from 0 to {PARTITIONS - 1}, at least one")
    modes = Modes()
    with database.connect(settings.database_url.get_secret_value(), "analytics") as conn:
        events.note_modes(register.last_modes(conn), modes)
    data_inbox, event_inbox = Inbox("data", settings.queue_size), Inbox("event", settings.queue_size)
    address = BrokerAddress.parse(settings.mqtt_url, settings.mqtt_ca_file)
    sessions = Sessions(
        address, settings.mqtt_password.get_secret_value(), settings.partitions, data_inbox, event_inbox
    )
    try:
        event_lane = EventLane(settings, event_inbox, stop, modes)
        data_lane = DataLane(settings, data_inbox, stop, modes, sessions.alive)
        _serve(settings, stop, sessions, (event_lane, data_lane))
    finally:
        sessions.close()


def _serve(settings: AnalyticsSettings, stop: Stop, sessions: Sessions, lanes: tuple[EventLane, DataLane]) -> None:
    checks = {"broker": sessions.alive}
    for lane in lanes:
        checks[f"database_{lane.lane}"] = lambda lane=lane: lane.database_ok  # type: ignore[misc]
        checks[f"caught_up_{lane.lane}"] = lane.ready.is_set
    health = HealthServer(settings.health_host, settings.health_port, checks) if settings.health_port else None
    log.info("started", partitions=list(settings.partitions))
    try:
        for lane in lanes:
            lane.thread.start()
        while not stop.wait(1.0) and all(lane.thread.is_alive() for lane in lanes):
            pass
        died = [lane.lane for lane in lanes if lane.failed]
        stop.set()
        for lane in lanes:
            lane.thread.join(STOP_WITHIN_S)
    finally:
        if health:
            health.close()
    if died:
        raise LaneDied(f"lane {died[0]} failed; see the log")
    log.info("stopped")
