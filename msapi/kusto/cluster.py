"""Which cluster, by what URL, with a token for what, and how much may be asked of it."""

from dataclasses import dataclass, field, fields
from typing import Any, Final, Self
from urllib.parse import SplitResult, urlsplit

from msapi.endpoint import Audience, Endpoint, Resource, is_loopback
from msapi.errors import InvalidParameter
from msapi.governor import Bucket

SERVICE: Final = "Azure Data Explorer"

#: Where Microsoft runs clusters, by cloud, with the audience of clusters that do not name theirs.
#: https://learn.microsoft.com/azure/data-explorer/kusto/api/get-started/app-authentication-methods
CLOUDS: Final = {
    "kusto.windows.net": "https://kusto.kusto.windows.net",
    "kusto.data.microsoft.com": "https://kusto.kusto.windows.net",
    "kusto.fabric.microsoft.com": "https://kusto.kusto.windows.net",
    "kusto.azuresynapse.net": "https://kusto.kusto.windows.net",
    "kusto.usgovcloudapi.net": "https://kusto.kusto.usgovcloudapi.net",
    "kusto.chinacloudapi.cn": "https://kusto.kusto.chinacloudapi.cn",
    "kusto.azuresynapse.azure.cn": "https://kusto.kusto.chinacloudapi.cn",
    "kusto.sovcloud-api.fr": "https://kusto.kusto.sovcloud-api.fr",
    "kusto.sovcloud-api.de": "https://kusto.kusto.sovcloud-api.de",
    "kusto.sovcloud-api.sg": "https://kusto.kusto.sovcloud-api.sg",
}
#: Log Analytics and Application Insights, asked as if they were clusters.
#: https://learn.microsoft.com/azure/data-explorer/query-monitor-data
PROXIES: Final = frozenset(
    {"ade.loganalytics.io", "ade.applicationinsights.io", "adx.monitor.azure.com", "adx.monitor.azure.us",
     "adx.monitor.azure.cn"}
)  # fmt: skip
DEFAULT_RESOURCE: Final = CLOUDS["kusto.windows.net"]


@dataclass(frozen=True, slots=True)
class KustoLimits:
    """Azure Data Explorer's own limits, and ours on top. Times are seconds.

    Sources: https://learn.microsoft.com/azure/data-explorer/kusto/concepts/querylimits (rows, bytes, timeouts),
    https://learn.microsoft.com/azure/data-explorer/ingest-data-streaming (4 MB a request).
    """

    rows: int = 500_000
    bytes: int = 64 * 1024**2
    server_timeout: int = 240
    longest: int = 3600
    concurrency: int = 10
    per_minute: int = 0
    """0: the service documents no limit on calls in a time."""
    reply_bytes: int = 512 * 1024**2
    chunk_bytes: int = 4_000_000
    value_bytes: int = 1024**2
    """A string or dynamic value that is longer is cut, or made null, by the cluster."""
    settle: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    """How long to wait for rows whose arrival is in doubt before they are sent again."""


@dataclass(frozen=True, slots=True)
class KustoAudience:
    """A cluster's audience; a `Resource` that is known only when the cluster has been asked."""

    value: str = DEFAULT_RESOURCE

    @property
    def scope(self) -> str:
        """The client-credential scope."""
        return f"{self.value}/.default"

    @property
    def title(self) -> str:
        """The service's name for a person."""
        return SERVICE


@dataclass(frozen=True, slots=True)
class ClusterEndpoint(Endpoint):
    """A tenant's endpoint with one cluster beside its services. `cluster` is its URL, as the portal shows it."""

    cluster: str = ""
    kusto: KustoLimits = field(default=KustoLimits())

    @classmethod
    def of(cls, endpoint: Endpoint, cluster: str, limits: KustoLimits | None = None) -> Self:
        """`endpoint` with a cluster. Raises InvalidParameter where the URL is not one that a token may be sent to."""
        problem = cluster_problem(cluster, endpoint)
        if problem:
            raise InvalidParameter(problem, code="BadCluster", service=SERVICE)
        known: dict[str, Any] = {one.name: getattr(endpoint, one.name) for one in fields(Endpoint)}
        return cls(**known, cluster=cluster.rstrip("/"), kusto=limits or KustoLimits())

    def url(self, audience: Resource) -> str:
        """The base URL of a service: the cluster's for a cluster's audience."""
        # Named, because a dataclass with slots is another class than the one whose cell super() would look into.
        return self.cluster if isinstance(audience, KustoAudience) else Endpoint.url(self, audience)


def cluster_problem(url: str, endpoint: Endpoint | None = None) -> str:
    """What is wrong with a cluster's URL, as a sentence for the person who typed it; empty where nothing is.

    A token for one cluster opens every other that lets the app in, so none is sent to a host that is not Microsoft's,
    this machine, or the host of another service of the same connection.
    """
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "The cluster's address is not a URL."
    if not host or parts.query or parts.fragment or parts.username is not None:
        return "The cluster's URL is a scheme and a host, as https://name.region.kusto.windows.net."
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        return "The cluster's URL must begin with https://, for tokens are sent to it."
    if not (is_cluster_host(host) or is_loopback(host) or _is_sibling(parts, endpoint)):
        return f"{host} is not a host of Azure Data Explorer; no token is sent there."
    return ""


def is_cluster_host(host: str) -> bool:
    """Whether a host name is one that Microsoft gives to clusters."""
    return host in PROXIES or any(host.endswith(f".{suffix}") for suffix in CLOUDS)


def default_resource(host: str) -> str:
    """The audience of a cluster that does not say its own, by its cloud."""
    found = (resource for suffix, resource in CLOUDS.items() if host.endswith(f".{suffix}"))
    return next(found, DEFAULT_RESOURCE)


def kusto_bucket(endpoint: ClusterEndpoint) -> Bucket:
    """Queries of one cluster; the lease is the query. The cluster limits how many run at once, not how many a minute.
    https://learn.microsoft.com/azure/data-explorer/kusto/concepts/querylimits"""
    host = urlsplit(endpoint.cluster).hostname or "cluster"
    lease = float(endpoint.kusto.server_timeout) + 60.0
    return Bucket(
        endpoint.tenant_id,
        f"kusto.{host}",
        endpoint.kusto.per_minute,
        0,
        endpoint.kusto.concurrency,
        lease_seconds=lease,
    )


def _is_sibling(parts: SplitResult, endpoint: Endpoint | None) -> bool:
    if endpoint is None:
        return False
    return any(parts.hostname == urlsplit(endpoint.url(audience)).hostname for audience in Audience)
