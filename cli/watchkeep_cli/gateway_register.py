"""The database's side of enrolment: gateways as registered, equipment of their community, and the audit trail."""

from watchkeep_cli.gateway_bundle import Equipment
from watchkeep_core import audit
from watchkeep_core.database import OWNER, connect, queries
from watchkeep_core.errors import SettingsError
from watchkeep_core.topics import GatewayRef

_SQL = queries("watchkeep_cli", "enroll.sql")


def enter(admin_url: str, ref: GatewayRef) -> list[Equipment]:
    """Register the gateway, or take a revocation back; returns its community's equipment. Raises SettingsError."""
    key = {"community": ref.community, "gateway": ref.gateway}
    with connect(admin_url, "enroll", role=OWNER) as conn:
        if conn.execute(_SQL["community"], key).fetchone() is None:
            raise SettingsError(f"community {ref.community} is not in the register")
        conn.execute(_SQL["save_gateway"], key | {"name": ref.gateway})
        audit.record(conn, "gateway_enrolled", "gateway", ref.user)
        return [Equipment(*row) for row in conn.execute(_SQL["equipment"], key).fetchall()]


def withdraw(admin_url: str, ref: GatewayRef) -> bool:
    """Note the revocation; false when the register does not know the gateway, or knew of it."""
    key = {"community": ref.community, "gateway": ref.gateway}
    with connect(admin_url, "revoke", role=OWNER) as conn:
        changed = conn.execute(_SQL["revoke"], key).rowcount > 0
        if changed:
            audit.record(conn, "gateway_revoked", "gateway", ref.user)
        return changed
