"""Connections: kept, opened as an `msapi` endpoint, and checked before they are relied on."""

from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from ircase import jobs, secrets
from ircase.models import Connection, User
from ircase.services import log
from msapi.endpoint import ApiLimits, Endpoint, Secret
from msapi.kusto import ClusterEndpoint, KustoLimits


def endpoint(connection: Connection) -> Endpoint:
    """What `msapi` needs to talk to this tenant. It holds the secret: keep it out of logs and task arguments."""
    return Endpoint(
        tenant_id=connection.tenant_id,
        client_id=connection.client_id,
        secret=Secret(secrets.decrypt(connection.secret_encrypted)),
        login_url=connection.login_url,
        graph_url=connection.graph_url,
        defender_url=connection.defender_url,
        loganalytics_url=connection.loganalytics_url,
        ca_pem=connection.ca_pem or None,
        blob_hosts=("*.blob.core.windows.net", *connection.blob_hosts),
        limits=limits(connection),
    )


def limits(connection: Connection) -> ApiLimits:
    known = ApiLimits.__dataclass_fields__
    return ApiLimits(**{name: value for name, value in connection.limits.items() if name in known})


def cluster(connection: Connection) -> ClusterEndpoint:
    """The same with the connection's cluster. Raises InvalidParameter where a token may not be sent there."""
    known = {"rows": "kusto_rows", "concurrency": "kusto_concurrency", "per_minute": "kusto_per_minute"}
    known |= {"server_timeout": "kusto_seconds"}
    own: dict[str, Any] = {name: int(connection.limits[key]) for name, key in known.items() if key in connection.limits}
    return ClusterEndpoint.of(endpoint(connection), connection.kusto_cluster, KustoLimits(**own))


@transaction.atomic
def save_connection(*, connection: Connection, actor: User, secret: str = "") -> Connection:
    """Create or change a connection. An empty `secret` keeps the one there is."""
    if secret:
        connection.secret_encrypted = secrets.encrypt(secret)
    connection.full_clean()
    new = connection.pk is None
    connection.preflight, connection.preflight_at = {}, None
    connection.save()
    hosts = {
        name: urlsplit(getattr(connection, f"{name}_url")).hostname
        for name in ("login", "graph", "defender", "loganalytics")
    }
    if connection.kusto_cluster:
        hosts["kusto"] = urlsplit(connection.kusto_cluster).hostname
    log.record(
        "connection.created" if new else "connection.changed",
        actor=actor,
        name=connection.name,
        tenant=connection.tenant_id,
        hosts=hosts,
    )
    jobs.enqueue("ircase.preflight", connection.pk)
    return connection


def keep_preflight(connection: Connection, report: dict[str, Any]) -> None:
    Connection.objects.filter(pk=connection.pk).update(preflight=report, preflight_at=timezone.now())
