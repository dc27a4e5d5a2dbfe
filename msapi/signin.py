"""People's sign-in by Microsoft Entra ID: the authorization code flow with PKCE, and the ID token checked by ourselves.

msal makes the flow (state, nonce, PKCE) and redeems the code; it trusts the token because it came over TLS from the
token endpoint. We trust nothing but the tenant's signature: https://learn.microsoft.com/entra/identity-platform/id-tokens
and https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-tokens.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import jwt
import msal
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msal.exceptions import MsalServiceError

from msapi.endpoint import ApiLimits, Endpoint, Secret, is_guid
from msapi.errors import ApiError, NetworkError, SignInFailed, Unavailable
from msapi.tokens import SignInHttp

logger = logging.getLogger("msapi.signin")

ALGORITHMS: Final = ("RS256",)
LEEWAY_SECONDS: Final = 120
_KEYS_LIVE_SECONDS: Final = 24 * 3600
# Whoever sends tokens with made-up key ids must not make us ask for the keys each time.
_ASK_AGAIN_SECONDS: Final = 60
_LIMITS: Final = ApiLimits(connect_timeout=5.0, read_timeout=15.0)
_MICROSOFT: Final = frozenset({"login.microsoftonline.com", "login.microsoft.com", "login.windows.net"})
_SERVICE: Final = "Microsoft Entra ID"
MANY_TENANTS: Final = frozenset({"organizations", "common"})


@dataclass(frozen=True, slots=True)
class SignInApp:
    """The app registration that people sign in by. Either `secret` or `key` (PEM) with its `certificate` (PEM).

    `tenant` is a tenant's id, or `organizations`; only people of `tenants` (ids) are let in."""

    tenant: str
    client_id: str
    tenants: frozenset[str]
    secret: Secret = Secret("")
    key: Secret = Secret("")
    certificate: str = ""
    login_url: str = "https://login.microsoftonline.com"
    ca_pem: str | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(
            tenant_id=self.tenant,
            client_id=self.client_id,
            secret=self.secret or self.key,
            login_url=self.login_url,
            ca_pem=self.ca_pem,
            limits=_LIMITS,
        )

    @property
    def credential(self) -> Any:
        """As msal takes it."""
        if self.key:
            return {"private_key": self.key.reveal(), "public_certificate": self.certificate}
        return self.secret.reveal()

    def issuer(self, tid: str) -> str:
        """The v2 issuer of a tenant."""
        return f"{self.login_url.rstrip('/')}/{tid}/v2.0"

    def problems(self) -> tuple[str, ...]:
        """Everything wrong with these settings, each a sentence for the person who typed them."""
        found = list(self.endpoint.problems())
        if not self.tenants:
            found.append("Name at least one tenant that people may come from.")
        if any(not is_guid(tid) for tid in self.tenants):
            found.append("The tenants that people may come from are ids, as shown on Entra's overview page.")
        if self.tenant.lower() not in MANY_TENANTS and not is_guid(self.tenant):
            found.append("The tenant must be its id, or organizations.")
        if self.key and not self.certificate:
            found.append("A private key needs its certificate beside it.")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class EntraPerson:
    """What a valid ID token says. `tid` and `oid` together are who it is; the names are only to be shown."""

    tid: str
    oid: str
    username: str
    name: str
    email: str
    app_roles: frozenset[str]
    guest: bool | None  # None where the token lacks the optional claim acct
    sid: str
    proved_at: int | None = None  # when they last proved who they are (auth_time), in seconds since 1970, where it says


class Refused(SignInFailed):
    """An answer or a token that is not accepted. `code` says which check it failed."""


class PeopleSignIn:
    """One per process and app registration: msal's application and the tenant's keys live in it."""

    def __init__(
        self, app: SignInApp, *, session: requests.Session | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._app = app
        self._clock = clock
        self._lock = RLock()
        self._http = SignInHttp(app.endpoint, session, clock)
        self._msal: Any = None
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._keys_at = float("-inf")

    def begin(
        self, *, redirect_uri: str, prompt: str = "", login_hint: str = "", max_age: int | None = None
    ) -> dict[str, Any]:
        """The flow to be kept in the session; `auth_uri` in it is where the browser goes.

        `max_age`: a proof older than these seconds does not do. The browser carries the question and may have dropped
        it, as it may drop `prompt`: the caller looks at `proved_at` of the answer, which the tenant has signed.
        https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest"""
        flow: dict[str, Any] = self._guarded(
            lambda: self._built().initiate_auth_code_flow(
                scopes=[],
                redirect_uri=redirect_uri,
                prompt=prompt or None,
                login_hint=login_hint or None,
                max_age=max_age,
                # A posted answer would come without our cookie, which is SameSite=Lax; the code needs the verifier too.
                response_mode="query",
            )
        )
        flow.pop("max_age", None)  # by which msal would refuse without saying why
        return flow

    def finish(self, flow: Mapping[str, Any], answer: Mapping[str, str]) -> EntraPerson:
        """The person behind Entra's answer. Errors: Refused, SignInFailed, Unavailable, NetworkError."""
        if answer.get("error"):
            raise Refused(_cancelled(answer), code=str(answer["error"])[:60], service=_SERVICE)
        if not flow.get("state") or answer.get("state") != flow["state"]:
            raise Refused("This sign-in was not begun in this browser. Begin again.", code="state", service=_SERVICE)
        result = self._guarded(lambda: self._redeem(flow, answer))
        token = result.get("id_token") if isinstance(result, Mapping) else None
        if not isinstance(token, str):
            raise Refused(_unredeemed(result), code=_first_code(result), service=_SERVICE)
        return self.person_of(token, nonce=_nonce_of(flow))

    def _redeem(self, flow: Mapping[str, Any], answer: Mapping[str, str]) -> Any:
        return self._built().acquire_token_by_auth_code_flow(dict(flow), dict(answer))

    def person_of(self, token: str, *, nonce: str) -> EntraPerson:
        """Check an ID token by ourselves: signature, algorithm, issuer, audience, tenant, times and nonce."""
        return _person(self._verified(token, nonce))

    def logout_url(self, back_to: str) -> str:
        """Where the browser signs out of Microsoft too; it comes back to `back_to`."""
        return f"{self._app.endpoint.authority}/oauth2/v2.0/logout?{urlencode({'post_logout_redirect_uri': back_to})}"

    # --- the token ---------------------------------------------------------------------------------------------------

    def _verified(self, token: str, nonce: str) -> Mapping[str, Any]:
        key, owner = self._key_for(_header(token))
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key,
                algorithms=list(ALGORITHMS),
                audience=self._app.client_id,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "tid", "oid", "nonce"], "verify_iss": False},
            )
        except jwt.ExpiredSignatureError:
            raise _refuse("expired", "The sign-in has expired. Begin again.") from None
        except jwt.InvalidAudienceError:
            raise _refuse("audience", "The token is meant for another application.") from None
        except jwt.ImmatureSignatureError:
            raise _refuse("not_yet", "The token is not valid yet: check this server's clock.") from None
        except jwt.MissingRequiredClaimError as error:
            raise _refuse("claim", f"The token lacks the claim {error.claim}.") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise _refuse("signature", "The token is not one that the tenant signed.") from None
        self._check_origin(claims, owner)
        if not nonce or claims["nonce"] != nonce:
            raise _refuse("nonce", "The token belongs to another sign-in. Begin again.")
        return claims

    def _check_origin(self, claims: Mapping[str, Any], owner: str) -> None:
        tid = str(claims["tid"])
        if tid.lower() not in {one.lower() for one in self._app.tenants}:
            raise _refuse("tenant", "Your organisation is not one of those that may sign in here.")
        if claims["iss"] != self._app.issuer(tid):
            raise _refuse("issuer", "The token was issued by somebody else than the tenant it names.")
        if owner and owner.replace("{tenantid}", tid) != claims["iss"]:
            raise _refuse("issuer", "The token is signed with a key of another issuer.")
        if self._app.tenant.lower() not in MANY_TENANTS and tid.lower() != self._app.tenant.lower():
            raise _refuse("tenant", "The token is of another tenant than the one that was asked.")

    # --- the keys ----------------------------------------------------------------------------------------------------

    def _key_for(self, header: Mapping[str, Any]) -> tuple[RSAPublicKey, str]:
        """The key with the token's kid and the issuer it belongs to, after at most one look for new keys."""
        if header.get("alg") not in ALGORITHMS:
            raise _refuse("algorithm", "The token is not signed in the way that Microsoft signs.")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise _refuse("key", "The token does not say which key signed it.")
        with self._lock:
            age = self._clock() - self._keys_at
            if age > _KEYS_LIVE_SECONDS or (kid not in self._keys and age > _ASK_AGAIN_SECONDS):
                self._read_keys()
            found = self._keys.get(kid)
        if found is None:
            raise _refuse("key", "The token is signed with a key that the tenant does not publish.")
        key = jwt.PyJWK(dict(found), algorithm="RS256").key
        if not isinstance(key, RSAPublicKey):
            raise _refuse("key", "The key is of another kind than Microsoft uses.")
        return key, str(found.get("issuer", ""))

    def _read_keys(self) -> None:
        url = f"{self._app.endpoint.authority}/discovery/v2.0/keys"
        reply = self._guarded(lambda: self._http.get(url))
        if reply.status_code != 200:
            raise Unavailable("Microsoft's signing keys could not be read; try again.", service=_SERVICE)
        try:
            listed = json.loads(reply.content)["keys"]
            found = {str(key["kid"]): key for key in listed[:100] if key.get("kty") == "RSA"}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unavailable("Microsoft's signing keys could not be read; try again.", service=_SERVICE) from None
        self._keys, self._keys_at = found, self._clock()

    # --- msal --------------------------------------------------------------------------------------------------------

    def _built(self) -> Any:
        with self._lock:
            if self._msal is None:
                if problems := self._app.problems():
                    raise SignInFailed(" ".join(problems), code="BadProvider", service=_SERVICE)
                self._msal = self._build()
            return self._msal

    def _build(self) -> Any:
        host = (urlsplit(self._app.login_url).hostname or "").lower()
        return msal.ConfidentialClientApplication(
            self._app.client_id,
            client_credential=self._app.credential,
            authority=self._app.endpoint.authority,
            instance_discovery=None if host in _MICROSOFT else False,
            # We want to know who it is, once: no token is kept that would act for the person later.
            exclude_scopes=["offline_access"],
            http_client=self._http,
        )

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ApiError:
            raise
        except requests.RequestException as error:
            sentence = f"Microsoft's sign-in could not be reached ({type(error).__name__}). Try again."
            raise NetworkError(sentence, service=_SERVICE) from None
        except MsalServiceError:
            raise Unavailable("Microsoft's sign-in is not available now. Try again.", service=_SERVICE) from None
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            # What msal itself refuses (a nonce, an issuer, an end), and answers that are not what they should be.
            logger.warning("signin.refused", extra={"kind": type(error).__name__})
            raise Refused(
                "Microsoft's answer was not accepted. Begin again.", code="answer", service=_SERVICE
            ) from None


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > 100_000:
        raise _refuse("malformed", "The token is far too long to be one.")
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise _refuse("malformed", "The token cannot be read.") from None
    return header


def _nonce_of(flow: Mapping[str, Any]) -> str:
    """msal sends the SHA-256 of its nonce, so that the session's cookie alone does not hold what the token says."""
    nonce = str(flow.get("nonce", ""))
    return hashlib.sha256(nonce.encode("ascii", "replace")).hexdigest() if nonce else ""


def _person(claims: Mapping[str, Any]) -> EntraPerson:
    roles: Sequence[Any] = claims.get("roles") if isinstance(claims.get("roles"), list) else []  # type: ignore[assignment]
    acct = claims.get("acct")
    return EntraPerson(
        tid=str(claims["tid"]).lower(),
        oid=str(claims["oid"]).lower(),
        username=str(claims.get("preferred_username", ""))[:254],
        name=str(claims.get("name", ""))[:300],
        email=str(claims.get("email", ""))[:254],
        app_roles=frozenset(str(role)[:120] for role in roles[:100]),
        guest=None if acct is None else str(acct) != "0",
        sid=str(claims.get("sid", ""))[:64],
        proved_at=proved if type(proved := claims.get("auth_time")) is int and proved > 0 else None,
    )


def _refuse(code: str, sentence: str) -> Refused:
    return Refused(sentence, code=code, service=_SERVICE)


def _cancelled(answer: Mapping[str, str]) -> str:
    if answer["error"] == "access_denied":
        return "Microsoft says that you may not use this application, or the sign-in was cancelled."
    return f"Microsoft refused the sign-in: {str(answer.get('error_description', answer['error']))[:300]}"


def _unredeemed(result: Any) -> str:
    text = str(result.get("error_description", "")) if isinstance(result, Mapping) else ""
    return f"Microsoft did not accept the sign-in. {text[:300]}"


def _first_code(result: Any) -> str:
    return str(result.get("error", ""))[:60] if isinstance(result, Mapping) else "answer"
