"""HTTP sessions that trust the connection's own certificate authority, take proxies from the environment, nothing else.

Two traps of `requests` are closed here. REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE win over `Session.verify`, so a
connection's own CA is put into the TLS context itself. And a `.netrc` entry replaces the Authorization header, and adds
one where there must be none, so the environment is not trusted beyond its proxies.
https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification
"""

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from msapi.errors import InvalidParameter

USER_AGENT: Final = "IRCase"


def machine_ca_bundle() -> str:
    """The file or folder of authorities this machine trusts: the environment's, else certifi's."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()


def tls_context(ca_pem: str | None) -> ssl.SSLContext:
    """A verifying context that trusts the machine's authorities and, where given, the connection's own.

    Raises InvalidParameter where the bundle that the environment names cannot be read.
    """
    return _context(machine_ca_bundle(), ca_pem)


@lru_cache(maxsize=32)
def _context(bundle: str, ca_pem: str | None) -> ssl.SSLContext:
    # Kept: reading some 150 authorities takes longer than a call.
    try:
        folder = Path(bundle).is_dir()
        context = ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)
    except OSError as error:
        raise InvalidParameter(
            f"The certificate bundle {bundle} named by REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE cannot be read "
            f"({type(error).__name__}). Correct the variable or unset it.",
            code="BadBundle",
        ) from error
    if ca_pem is not None:
        context.load_verify_locations(cadata=ca_pem)
    return context


def is_untrusted(error: BaseException) -> bool:
    """Whether a call failed for the host's certificate; other TLS errors are broken connections."""
    return isinstance(error, requests.exceptions.SSLError) and "certificate verify failed" in str(error).lower()


class ContextAdapter(HTTPAdapter):
    """Connections made with one given TLS context, whatever `verify` the session was led to believe in."""

    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        self._context = context
        super().__init__(max_retries=0, **options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # The context holds the authorities already; naming a file here would load it again for every connection.
        conn.cert_reqs = "CERT_REQUIRED" if url.lower().startswith("https") else "CERT_NONE"
        conn.ca_certs = None
        conn.ca_cert_dir = None

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        return super().build_connection_pool_key_attributes(request, True, cert)


class ConnectionSession(requests.Session):
    """A session of one connection; `timeout` (connect, read) holds wherever a call names none."""

    def __init__(
        self, context: ssl.SSLContext, timeout: tuple[float, float], adapter: HTTPAdapter | None = None
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["User-Agent"] = USER_AGENT
        # No cookie is kept: nothing here needs one, and a download must carry nothing that names us.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._timeout = timeout
        self.mount("https://", adapter or ContextAdapter(context))
        if adapter is not None:
            self.mount("http://", adapter)

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        if options.get("timeout") is None:
            options["timeout"] = self._timeout
        return super().request(method, url, *args, **options)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        merged = super().merge_environment_settings(url, proxies, stream, True, cert)
        chosen: Mapping[str, str] = proxies or self.proxies
        return {**merged, "proxies": {**get_environ_proxies(url), **chosen}}
