"""What a client needs to know of one tenant: where it is, who we are there, and how much we may ask."""

import hmac
import re
import ssl
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Any, Final, NoReturn, Protocol
from urllib.parse import SplitResult, urlsplit

from msapi.errors import InvalidParameter

_TENANT: Final = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]{0,252}[0-9A-Za-z])?")
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

#: Hosts that serve the same API with the same token, so that a link of one may be followed from another.
#: https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list
_DEFENDER_FAMILY: Final = (
    "api.securitycenter.microsoft.com",
    "api.security.microsoft.com",
    "*.api.security.microsoft.com",
)


class Secret:
    """A text that shows itself only when asked: `repr`, `str`, formatting, copying and pickling never reveal it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one call that has to send it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is never pickled: hand over the connection's id and read it again.")


class Resource(Protocol):
    """What a token is for: one of `Audience`, or a cluster's own, known only when the cluster has been asked."""

    @property
    def scope(self) -> str:
        """The client-credential scope."""

    @property
    def title(self) -> str:
        """The service's name for a person."""


class Audience(Enum):
    """A resource tokens are issued for. The scope is Microsoft's name of it, whatever URL it is reached by."""

    GRAPH = "https://graph.microsoft.com"
    DEFENDER = "https://api.securitycenter.microsoft.com"
    LOG_ANALYTICS = "https://api.loganalytics.io"

    @property
    def scope(self) -> str:
        """The client-credential scope: every application permission that an administrator granted."""
        return f"{self.value}/.default"

    @property
    def title(self) -> str:
        """The service's name for a person."""
        return _TITLES[self]


_TITLES: Final = {
    Audience.GRAPH: "Microsoft Graph",
    Audience.DEFENDER: "Defender for Endpoint",
    Audience.LOG_ANALYTICS: "Log Analytics",
}


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """How much to ask and how long to wait. Defaults are Microsoft's documented limits; times are seconds.

    Sources: https://learn.microsoft.com/defender-xdr/advanced-hunting-limits (hunting),
    https://learn.microsoft.com/defender-endpoint/api/run-live-response (Live Response),
    https://learn.microsoft.com/azure/azure-monitor/service-limits (Log Analytics).
    """

    hunting_per_minute: int = 45
    hunting_per_hour: int = 1500
    hunting_rows: int = 100_000
    defender_per_minute: int = 100
    defender_per_hour: int = 1500
    live_response_per_minute: int = 10
    live_response_sessions: int = 25
    minute_seconds: float = 60.0  # Defender's minute; shorter only where a simulated tenant's clock runs faster
    loganalytics_concurrency: int = 5
    loganalytics_per_minute: int = 400  # 200 per 30 s
    loganalytics_rows: int = 500_000

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    hunting_timeout: float = 200.0  # the service stops a query after 180
    loganalytics_timeout: int = 180  # asked of the server; it allows 600
    reply_deadline: float = 900.0  # a reply that drips for longer is given up
    download_deadline: float = 6 * 3600.0

    attempts: int = 3
    backoff: float = 1.0
    backoff_cap: float = 30.0
    max_retry_after: float = 60.0  # a longer wait is handed to the caller, who has other work

    reply_bytes: int = 32 * 1024**2
    hunting_bytes: int = 512 * 1024**2
    download_bytes: int = 4 * 1024**3
    upload_bytes: int = 20 * 1000**2
    pages: int = 1000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One tenant, one app registration, and the URLs to reach them by.

    `ca_pem` is the connection's own certificate authority as PEM text; where it is given, it is trusted for these
    URLs besides the machine's. `blob_hosts` are the host patterns that results may be downloaded from.
    """

    tenant_id: str
    client_id: str
    secret: Secret
    login_url: str = "https://login.microsoftonline.com"
    graph_url: str = "https://graph.microsoft.com"
    defender_url: str = "https://api.security.microsoft.com"
    loganalytics_url: str = "https://api.loganalytics.io"
    ca_pem: str | None = field(default=None, repr=False)
    blob_hosts: tuple[str, ...] = ("*.blob.core.windows.net",)
    limits: ApiLimits = ApiLimits()

    def url(self, audience: Resource) -> str:
        """The base URL of a service, without a slash at its end. InvalidParameter for one that is not of a tenant."""
        urls: dict[Resource, str] = {
            Audience.GRAPH: self.graph_url,
            Audience.DEFENDER: self.defender_url,
            Audience.LOG_ANALYTICS: self.loganalytics_url,
        }
        if audience not in urls:
            raise InvalidParameter(f"This connection has no URL of {audience.title}.", code="BadConnection")
        return urls[audience].rstrip("/")

    @property
    def authority(self) -> str:
        """The sign-in authority of the tenant."""
        return f"{self.login_url.rstrip('/')}/{self.tenant_id}"

    def allows(self, audience: Resource, url: str) -> bool:
        """Whether a token for `audience` may be sent to `url`: its own origin, or a twin of it at Microsoft."""
        base, target = urlsplit(self.url(audience)), urlsplit(url)
        if target.username is not None or target.password is not None:
            return False
        if _origin(base) == _origin(target):
            return True
        twins = audience is Audience.DEFENDER and _in_family(base.hostname) and _in_family(target.hostname)
        return twins and target.scheme == "https" and target.port in (None, 443)

    def allows_blob(self, url: str) -> bool:
        """Whether a result may be downloaded from `url`: https (or http on this machine), from a listed host."""
        try:
            target = urlsplit(url)
            host = (target.hostname or "").lower()
        except ValueError:
            return False
        if target.username is not None or target.password is not None:
            return False
        listed = any(fnmatchcase(host, pattern.lower()) for pattern in self.blob_hosts)
        return listed and (target.scheme == "https" or (target.scheme == "http" and is_loopback(host)))

    def problems(self) -> tuple[str, ...]:
        """Everything wrong with these settings, each a sentence for the person who typed them. Empty: nothing."""
        found = [
            *_identity_problems(self),
            *_url_problem("The sign-in URL", self.login_url, plain_on_loopback=False),
            *_url_problem("The Graph URL", self.graph_url),
            *_url_problem("The Defender URL", self.defender_url),
            *_url_problem("The Log Analytics URL", self.loganalytics_url),
            *_ca_problem(self.ca_pem),
        ]
        if any(not pattern.replace("*", "").replace(".", "") for pattern in self.blob_hosts):
            found.append("A download host pattern must name a host: a bare * would allow every one.")
        return tuple(found)

    def verify(self) -> None:
        """Raise `InvalidParameter` with every problem of these settings; do nothing where there is none."""
        problems = self.problems()
        if problems:
            raise InvalidParameter(" ".join(problems), code="BadConnection")


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_guid(text: str) -> bool:
    """Whether a text is a GUID in its usual, hyphenated form."""
    return _GUID.fullmatch(text) is not None


def _origin(url: SplitResult) -> tuple[str, str, int | None]:
    port = url.port or {"https": 443, "http": 80}.get(url.scheme)
    return url.scheme, (url.hostname or "").lower(), port


def _in_family(host: str | None) -> bool:
    return any(fnmatchcase((host or "").lower(), pattern) for pattern in _DEFENDER_FAMILY)


def _identity_problems(endpoint: Endpoint) -> list[str]:
    found = []
    if not _TENANT.fullmatch(endpoint.tenant_id) or ".." in endpoint.tenant_id:
        found.append("The tenant must be its id (a GUID) or one of its domain names.")
    if not is_guid(endpoint.client_id):
        found.append("The client id must be the application (client) id of the app registration, a GUID.")
    if not endpoint.secret:
        found.append("The client secret is empty: paste the secret's value, not its id.")
    return found


def _url_problem(what: str, url: str, *, plain_on_loopback: bool = True) -> list[str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return [f"{what} is not a URL."]
    if not host or parts.query or parts.fragment or parts.username is not None:
        return [f"{what} must be a scheme, a host and at most a path."]
    if parts.scheme == "https" or (parts.scheme == "http" and plain_on_loopback and is_loopback(host)):
        return []
    return [f"{what} must begin with https://, for secrets and tokens are sent to it."]


def _ca_problem(pem: str | None) -> list[str]:
    if pem is None:
        return []
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        return ["The certificate authority is not PEM text: it begins with -----BEGIN CERTIFICATE-----."]
    return []
