"""Gateways: register, make a password, have the broker know it, say everything once; and shut one out again."""

import secrets

from watchkeep_console import models as m
from watchkeep_console.enrol import Outcome
from watchkeep_console.errors import Conflict, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_core.topics import GatewayRef, is_id

PASSWORD_BYTES = 24
_ESTATE = queries("watchkeep_core", "estate.sql")

_TOML = """\
# {name}
# WATCHKEEP_GATEWAY_MQTT_PASSWORD_FILE=password.txt \\
#   watchkeep gateway run --config gateway.toml --spool-dir spool --mqtt-url {mqtt_url}
version = "1"

[gateway]
community = "{community}"
id = "{gateway}"

# Devices publish JSON to {field_topic}/EQUIPMENT
[[mqtt_bridge]]
name = "field"
undeclared = "accept"
"""


def create(house: Services, session: Session, community: str, gateway_id: str, name: str) -> m.Credentials:
    """Register a gateway and make its broker user. Raises Invalid, NotFound, Forbidden, Conflict(`exists`)."""
    if not is_id(gateway_id):
        raise Invalid("gateway_id", "may hold up to 64 letters, digits, - and _")
    with house.identity.acting(session) as conn:
        known = conn.execute("SELECT name FROM communities WHERE community_id = %s", [community]).fetchone()
        if known is None:
            raise NotFound("community", community)
        session.person.require("gateway:enrol", community)
        key = [community, gateway_id]
        there = conn.execute("SELECT FROM gateways WHERE (community_id, gateway_id) = (%s, %s)", key).fetchone()
        if there is not None:
            raise Conflict("exists", f"{community} has a gateway {gateway_id} already", "gateway_id")
        row = {"community_id": community, "gateway_id": gateway_id, "name": name, "equipment_id": None}
        conn.execute(_ESTATE["save_gateway"], row)
        who = session.person.person_id
        audit.record(conn, "gateway_created", "gateway", f"{community}/{gateway_id}", person_id=who)
    return _credentials(house, GatewayRef(community, gateway_id), name)


def renew(house: Services, session: Session, community: str, gateway_id: str) -> m.Credentials:
    """A new password for a gateway whose old one is lost. Raises NotFound, Forbidden."""
    with house.identity.acting(session) as conn:
        key = [community, gateway_id]
        there = conn.execute("SELECT name FROM gateways WHERE (community_id, gateway_id) = (%s, %s)", key).fetchone()
        if there is None:
            raise NotFound("gateway", f"{community}/{gateway_id}")
        session.person.require("gateway:enrol", community)
        who = session.person.person_id
        conn.execute("UPDATE gateways SET revoked_at = NULL WHERE (community_id, gateway_id) = (%s, %s)", key)
        audit.record(conn, "gateway_password_renewed", "gateway", f"{community}/{gateway_id}", person_id=who)
    return _credentials(house, GatewayRef(community, gateway_id), there[0])


def revoke(house: Services, session: Session, community: str, gateway_id: str) -> m.Revoked:
    """Shut a gateway out: register first, then the broker. Raises NotFound, Forbidden, Conflict(`revoked`)."""
    key = [community, gateway_id]
    with house.identity.acting(session) as conn:
        there = conn.execute(
            "SELECT revoked_at FROM gateways WHERE (community_id, gateway_id) = (%s, %s) FOR UPDATE", key
        ).fetchone()
        if there is None:
            raise NotFound("gateway", f"{community}/{gateway_id}")
        session.person.require("gateway:enrol", community)
        if there[0] is not None:
            raise Conflict("revoked", f"{community}/{gateway_id} was revoked already")
        now = house.clock.now()
        conn.execute("UPDATE gateways SET revoked_at = %s WHERE (community_id, gateway_id) = (%s, %s)", [now, *key])
        who = session.person.person_id
        audit.record(conn, "gateway_revoked", "gateway", f"{community}/{gateway_id}", person_id=who)
    outcome = house.enroller.revoke(GatewayRef(community, gateway_id))
    return m.Revoked(community_id=community, gateway_id=gateway_id, revoked_at=now, broker_user=outcome)


def _credentials(house: Services, source: GatewayRef, name: str) -> m.Credentials:
    """After the commit: the broker must not know a gateway that the register does not."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    outcome: Outcome = house.enroller.enrol(source, password)
    return m.Credentials(
        community_id=source.community,
        gateway_id=source.gateway,
        mqtt_url=house.settings.mqtt_url,
        mqtt_user=source.user,
        mqtt_password=password,
        topic=f"{source.root}/#",
        field_topic=f"field/{source.user}/EQUIPMENT",
        configuration=_TOML.format(
            name=(name or source.gateway).replace("\n", " "),
            mqtt_url=house.settings.mqtt_url or "mqtt://BROKER",
            community=source.community,
            gateway=source.gateway,
            field_topic=f"field/{source.user}",
        ),
        broker_user=outcome,
    )
