"""Tokens for an app registration, by msal: made lazily, shared by threads, renewed on demand.

msal's own book-keeping is left in charge: it serves a token until five minutes before its end and holds back repeated
calls after a refusal (60 s after a 400, Retry-After after a 429, 5 s after a 5xx).
https://learn.microsoft.com/entra/msal/python/
"""

import base64
import binascii
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import RLock
from typing import Any, Final
from urllib.parse import urlsplit

import msal
import requests
import urllib3.exceptions
from msal.exceptions import MsalServiceError

from msapi.endpoint import Endpoint, Resource, Secret
from msapi.errors import ApiError, NetworkError, SignInFailed, Throttled, Unavailable
from msapi.reading import text
from msapi.retry import parse_retry_after
from msapi.sessions import ConnectionSession, is_untrusted, tls_context

_SERVICE: Final = "Microsoft Entra ID"
_MICROSOFT_LOGIN: Final = frozenset(
    {"login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net"}
)
_CODE: Final = re.compile(r"AADSTS(\d{4,8})")
_REPLY_BYTES: Final = 2 * 1024**2

#: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_REASONS: Final[Mapping[int, str]] = {
    7000215: "The client secret is wrong. Paste the secret's value (not its id) into the connection.",
    7000222: "The client secret has expired. Make a new one in the app registration and paste its value.",
    7000112: "The application is disabled in the tenant. Enable it under Enterprise applications.",
    700016: "The tenant does not know this client id. Check both, and that the app is registered or consented there.",
    90002: "No such tenant. Check the tenant id or domain name.",
    900023: "The tenant is neither an id nor a domain name. Check it.",
    70011: "The scope is not valid. The service's resource may not exist in this cloud.",
    500011: "The service has no principal in the tenant: it may never have been licensed or opened there.",
    65001: "An administrator has not consented to the app's permissions. Grant admin consent in the app registration.",
    53003: "A Conditional Access policy for workload identities blocks the app. Exempt it or allow this address.",
    50059: "No tenant could be found from the request. Check the tenant id.",
}


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, its end in epoch seconds, and the application roles it carries."""

    value: Secret
    expires_at: float
    roles: frozenset[str]


class TokenProvider:
    """Tokens of one connection. One instance per process and connection: the token cache lives in it."""

    def __init__(
        self, endpoint: Endpoint, *, session: requests.Session | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._lock = RLock()
        self._http = SignInHttp(endpoint, session, clock)
        self._app: Any = None

    def token(self, audience: Resource) -> Token:
        """A token for `audience`, from the cache while it lasts. Errors: SignInFailed, Throttled, Unavailable,
        NetworkError, InvalidParameter."""
        with self._lock:
            return self._acquire(audience)

    def refresh(self, audience: Resource, stale: Token | None = None) -> Token:
        """A token newly issued. Where another thread has renewed since `stale` was handed out, that one is given."""
        with self._lock:
            if stale is not None:
                current = self._acquire(audience)
                if current.value != stale.value:
                    return current
            self._built().remove_tokens_for_client()
            return self._acquire(audience)

    def _acquire(self, audience: Resource) -> Token:
        result = self._guarded(lambda: self._built().acquire_token_for_client(scopes=[audience.scope]))
        value = result.get("access_token") if isinstance(result, Mapping) else None
        if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
            raise self._failure(result)
        lifetime = result.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else 0.0
        return Token(Secret(value), self._clock() + seconds, roles_in(value))

    def _built(self) -> Any:
        if self._app is None:
            self._endpoint.verify()
            self._app = self._guarded(self._build)
        return self._app

    def _build(self) -> Any:
        host = urlsplit(self._endpoint.login_url).hostname or ""
        return msal.ConfidentialClientApplication(
            self._endpoint.client_id,
            client_credential=self._endpoint.secret.reveal(),
            authority=self._endpoint.authority,
            # Discovery asks login.microsoftonline.com about hosts it does not know; ours is named by the connection.
            instance_discovery=None if host.lower() in _MICROSOFT_LOGIN else False,
            http_client=self._http,
        )

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ApiError:
            raise
        except requests.RequestException as error:
            raise _unreached(error) from None
        except MsalServiceError:
            raise Unavailable(
                f"{_SERVICE} is not available now; sign-in will work again by itself.",
                retry_after=self._http.pause(),
                service=_SERVICE,
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # msal's answer to a discovery document or a token reply that is not what it should be.
            raise self._discovery_failure(error) from None

    def _discovery_failure(self, error: Exception) -> ApiError:
        if self._http.pause() is not None:
            return Throttled(f"{_SERVICE} asks to wait.", retry_after=self._http.pause(), service=_SERVICE)
        return SignInFailed(
            "Sign-in was not possible: the tenant is unknown there, or the address is not that of a sign-in service. "
            f"Check the tenant and the sign-in URL. {self._clean(str(error))[:300]}",
            code=_code_in(str(error)),
            service=_SERVICE,
        )

    def _failure(self, result: Any) -> ApiError:
        description = text(result, "error_description")
        pause = self._http.pause()
        if pause is not None:
            return Throttled(
                f"{_SERVICE} asks to wait {pause:.0f} s before the next sign-in.", retry_after=pause, service=_SERVICE
            )
        codes = [code for code in _codes(result, description) if code in _REASONS]
        reason = _REASONS[codes[0]] if codes else f"Sign-in failed: {self._clean(description)[:500]}"
        return SignInFailed(
            reason,
            code=f"AADSTS{codes[0]}" if codes else (_code_in(description) or text(result, "error")),
            request_id=text(result, "trace_id", "correlation_id"),
            service=_SERVICE,
        )

    def _clean(self, message: str) -> str:
        return message.replace(self._endpoint.secret.reveal(), "***") if self._endpoint.secret else message


def _unreached(error: requests.RequestException) -> NetworkError:
    if is_untrusted(error):
        sentence = "The sign-in host's certificate is not trusted. Add its authority to the connection as PEM text."
        return NetworkError(sentence, code="Certificate", permanent=True, service=_SERVICE)
    sentence = f"Sign-in could not be reached ({type(error).__name__}). Check the sign-in URL, network and proxy."
    return NetworkError(sentence, service=_SERVICE)


class SignInHttp:
    """The door msal goes through: sign-in hosts only, no redirects, replies capped, Retry-After remembered."""

    def __init__(self, endpoint: Endpoint, session: requests.Session | None, clock: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._given = session
        self._clock = clock
        self._paused_until = 0.0

    def pause(self) -> float | None:
        """Seconds that sign-in asked us to stay away, as of now; None where it did not."""
        left = self._paused_until - self._clock()
        return left if left > 0 else None

    def get(self, url: str, params: Any = None, headers: Any = None, **options: Any) -> requests.Response:
        return self._send("GET", url, params=params, headers=headers)

    def post(
        self, url: str, params: Any = None, data: Any = None, headers: Any = None, **options: Any
    ) -> requests.Response:
        return self._send("POST", url, params=params, data=data, headers=headers)

    def close(self) -> None:
        if self._given is not None:
            self._given.close()

    def _session(self) -> requests.Session:
        if self._given is None:
            limits = self._endpoint.limits
            context = tls_context(self._endpoint.ca_pem)
            self._given = ConnectionSession(context, (limits.connect_timeout, limits.read_timeout))
        return self._given

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        self._refuse_strangers(url)
        reply = self._session().request(method, url, allow_redirects=False, stream=True, **options)
        try:
            with reply:
                body = reply.raw.read(_REPLY_BYTES + 1, decode_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(type(error).__name__) from None
        if len(body) > _REPLY_BYTES:
            raise SignInFailed("The sign-in host sent an answer far too long to be one.", service=_SERVICE)
        reply._content = body
        wait = parse_retry_after(reply.headers.get("Retry-After"), self._clock())
        if reply.status_code == 429 or reply.status_code >= 500:
            # msal itself stays away for 5 s where the header is absent.
            self._paused_until = self._clock() + min(5.0 if wait is None else wait, 3600.0)
        else:
            self._paused_until = 0.0
        return reply

    def _refuse_strangers(self, url: str) -> None:
        # The token endpoint comes from a document; the secret goes to no host but the connection's own.
        home, target = urlsplit(self._endpoint.login_url), urlsplit(url)
        same = (home.hostname, home.port) == (target.hostname, target.port)
        microsoft = home.hostname in _MICROSOFT_LOGIN and target.hostname in _MICROSOFT_LOGIN
        if target.scheme != "https" or not (same or microsoft):
            raise SignInFailed(
                f"The sign-in service points to another host ({target.hostname}); the secret is not sent there.",
                service=_SERVICE,
            )


def roles_in(token: str) -> frozenset[str]:
    """The application roles named in a JWT, unverified: for display, never for a decision. Empty where unreadable."""
    parts = token.split(".")
    if len(parts) != 3 or len(parts[1]) > 1_000_000:
        return frozenset()
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return frozenset()
    roles = payload.get("roles") if isinstance(payload, dict) else None
    return frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset()


def _codes(result: Any, description: str) -> list[int]:
    listed = result.get("error_codes") if isinstance(result, Mapping) else None
    found = [code for code in listed if isinstance(code, int)] if isinstance(listed, list) else []
    return found + [int(code) for code in _CODE.findall(description)]


def _code_in(message: str) -> str:
    match = _CODE.search(message)
    return match.group(0) if match else ""
