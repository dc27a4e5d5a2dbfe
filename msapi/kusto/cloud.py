"""What a cluster says of its cloud: for whom tokens are issued, and by whom.

https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/authentication
"""

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from msapi.endpoint import Endpoint
from msapi.errors import ApiError, BadReply, NetworkError, SignInFailed, Unavailable
from msapi.kusto.cluster import SERVICE, ClusterEndpoint, KustoAudience, default_resource, is_cluster_host
from msapi.reading import mapping, text
from msapi.sessions import is_untrusted

PATH: Final = "/v1/rest/auth/metadata"
_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cluster's cloud: the audience of its tokens and, where it says so, the address of sign-in."""

    audience: KustoAudience
    login_url: str = ""


def cloud_of(endpoint: ClusterEndpoint, session: requests.Session) -> Cloud:
    """Ask the cluster, without a token; one that does not answer this question belongs to the cloud of its name.

    Raises SignInFailed where it names an audience that is not a cluster's, or another cloud's sign-in than ours.
    """
    parts = urlsplit(endpoint.cluster)
    status, body = _fetched(f"{parts.scheme}://{parts.netloc}{PATH}", session)
    if status == 404:
        return Cloud(KustoAudience(default_resource(parts.hostname or "")))
    if status >= 500 or status == 429:
        raise Unavailable(f"{SERVICE} is not available now (status {status}).", status=status, service=SERVICE)
    if status != 200:
        raise BadReply(f"{SERVICE} answered with status {status} when asked who issues its tokens.", service=SERVICE)
    return _read(body, endpoint)


def _read(body: bytes, endpoint: ClusterEndpoint) -> Cloud:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadReply(f"{SERVICE} says unreadably who issues its tokens. Is the URL a cluster's?") from None
    known = mapping(document, "AzureAD")
    resource = text(known, "KustoServiceResourceId").rstrip("/")
    login = text(known, "LoginEndpoint").rstrip("/")
    if resource and not _is_kusto(resource, endpoint):
        # A token for Graph would go to whoever answers at this address.
        raise SignInFailed(
            f"The cluster asks for a token that is not a cluster's ({resource[:200]}). Check its URL.",
            code="ForeignAudience",
            service=SERVICE,
        )
    if login and not _same_cloud(login, endpoint):
        raise SignInFailed(
            f"The cluster's cloud signs in at {login[:200]}, this connection at {endpoint.login_url}. "
            "Make a connection with that sign-in URL for it.",
            code="OtherCloud",
            service=SERVICE,
        )
    host = urlsplit(endpoint.cluster).hostname or ""
    return Cloud(KustoAudience(resource or default_resource(host)), login)


def _is_kusto(resource: str, endpoint: ClusterEndpoint) -> bool:
    try:
        parts, own = urlsplit(resource), urlsplit(endpoint.cluster)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    # An audience of this machine is nobody's but the simulator's; as a cluster's own it is no stranger's either.
    return parts.scheme == "https" and (is_cluster_host(host) or host == (own.hostname or "").lower())


def _same_cloud(login: str, endpoint: Endpoint) -> bool:
    try:
        given, ours = urlsplit(login).hostname or "", urlsplit(endpoint.login_url).hostname or ""
    except ValueError:
        return False
    public = {"login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net"}
    return given.lower() == ours.lower() or {given.lower(), ours.lower()} <= public


def _fetched(url: str, session: requests.Session) -> tuple[int, bytes]:
    try:
        with session.get(url, headers={"Accept": "application/json"}, allow_redirects=False, stream=True) as reply:
            return reply.status_code, reply.raw.read(_BYTES, decode_content=True)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _unreached(error) from None


def _unreached(error: Exception) -> ApiError:
    if is_untrusted(error):
        sentence = f"The certificate of {SERVICE} is not trusted. Add its authority to the connection as PEM text."
        return NetworkError(sentence, code="Certificate", permanent=True, service=SERVICE)
    sentence = f"The cluster could not be reached ({type(error).__name__}). Check its URL, the network and the proxy."
    return NetworkError(sentence, service=SERVICE)
