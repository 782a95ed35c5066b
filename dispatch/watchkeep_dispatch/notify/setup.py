"""From settings to the worker that hands notifications over."""

from datetime import timedelta
from functools import partial
from ipaddress import ip_network

from psycopg import Connection
from psycopg_pool import ConnectionPool

from watchkeep_dispatch.notify.channels import Services, open_channel
from watchkeep_dispatch.notify.chores import Pulse
from watchkeep_dispatch.notify.delivery import Delivery, How
from watchkeep_dispatch.notify.guard import Egress
from watchkeep_dispatch.notify.jobs import QUEUE
from watchkeep_dispatch.notify.timing import Timing, hours, span
from watchkeep_dispatch.notify.worker import NotifyWorker
from watchkeep_dispatch.settings import NotifySettings


def notify_worker(settings: NotifySettings, pool: ConnectionPool[Connection], queue: str) -> NotifyWorker:
    """A worker of one queue by the settings, not yet started; that of the ordinary one sees to the clock of both."""
    every = timedelta(seconds=settings.remind_every_s) or None
    pulse = Pulse(every, lambda at: at.astimezone(settings.calendar().zone)) if queue == QUEUE else None
    delivery = Delivery(pool, how(settings))
    return NotifyWorker(
        settings.database_url.get_secret_value(), pool, delivery, pulse, settings.notify_workers, (queue,)
    )


def how(settings: NotifySettings) -> How:
    """Channels, services and timing of a site."""
    networks = tuple(ip_network(part.strip()) for part in settings.notify_allow.split(",") if part.strip())
    urls = (settings.notify_sms_url, settings.notify_voice_url, settings.notify_mail_url)
    seconds = (settings.fallback_life_safety_s, settings.fallback_a_s, settings.fallback_s)
    return How(
        partial(open_channel, egress=Egress(networks, settings.notify_deadline_s)),
        Services(*(url.get_secret_value() for url in urls)),
        Timing(
            settings.calendar().zone,
            span(settings.quiet_hours),
            hours(settings.digest_at),
            (timedelta(seconds=seconds[0]), timedelta(seconds=seconds[1]), timedelta(seconds=seconds[2])),
        ),
        settings.public_url,
    )
