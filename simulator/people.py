"""People of the tenant who may sign in, the login page, and the ID tokens that they get.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow,
https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
"""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from werkzeug.wrappers import Response

from simulator.http import Call
from simulator.tenant import Tenant
from simulator.tokens import b64url, sign, sign_as

CODE_SECONDS = 600


@dataclass(frozen=True)
class Person:
    """Somebody with an account. `roles` are the values of the app roles that they were given."""

    username: str
    name: str
    roles: tuple[str, ...]
    guest: bool = False

    def oid(self, tenant: Tenant) -> str:
        """Their object id, the same for the life of a tenant."""
        return str(uuid.uuid5(uuid.UUID(tenant.id), self.username))


PEOPLE = (
    Person("grace@northwind.example", "Grace Holm", ("IRCase.Analyst",)),
    Person("heidi@northwind.example", "Heidi Lund", ("IRCase.Administrator",)),
    Person("ivan@northwind.example", "Ivan Dahl", ()),
    Person("judy_partner#EXT#@northwind.example", "Judy Partner", ("IRCase.Analyst",), guest=True),
    Person("niels@northwind.example", "Niels Krag", ("IRCase.Manager",)),
)


@dataclass
class Grant:
    """An authorization code and what it was given for; it opens once."""

    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    person: Person
    roles: tuple[str, ...]
    ends: float
    max_age: str = ""


def authorize(call: Call) -> Response:
    """The login page; with `account` chosen on it, the way back with a code."""
    asked = {key: str(value) for key, value in call.request.values.items()}
    if problem := _problem(call, asked):
        return _page("Sorry, but we're having trouble signing you in.", html.escape(problem), 400)
    chosen = next((person for person in PEOPLE if person.username == asked.get("account")), None)
    if chosen is None:
        return _page("Pick an account", _choice(asked))
    code = secrets.token_urlsafe(40)
    with call.simulator.lock:
        call.simulator.codes[code] = Grant(
            asked["client_id"], asked["redirect_uri"], asked["code_challenge"], asked.get("nonce", ""), chosen,
            call.simulator.roles_given.get(chosen.username, chosen.roles), time.time() + CODE_SECONDS,
            asked.get("max_age", ""),
        )  # fmt: skip
    answer = {"code": code, "state": asked.get("state", ""), "session_state": str(uuid.uuid4())}
    return Response(status=302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"})


def _problem(call: Call, asked: Mapping[str, str]) -> str:
    if call.simulator.tenant.app(asked.get("client_id", "")) is None:
        return f"AADSTS700016: Application with identifier '{asked.get('client_id', '')[:60]}' was not found."
    target = urlsplit(asked.get("redirect_uri", ""))
    if target.hostname not in {"localhost", "127.0.0.1", "testserver"} or target.query or target.fragment:
        return "AADSTS50011: The redirect URI does not match the redirect URIs configured for the application."
    if asked.get("response_type") != "code":
        return "AADSTS700054: response_type is not enabled for the application."
    if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
        return "AADSTS9002325: Proof Key for Code Exchange is required."
    return ""


def _choice(asked: Mapping[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in asked.items()
        if name != "account"
    )
    buttons = "".join(
        f'<p><button name="account" value="{html.escape(one.username)}">{html.escape(one.name)}'
        f"<br><small>{html.escape(one.username)}</small></button></p>"
        for one in PEOPLE
    )
    return f'<form method="post">{hidden}{buttons}</form>'


def _page(title: str, body: str, status: int = 200) -> Response:
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<h1>{html.escape(title)}</h1>{body}<p>Simulated tenant</p>"
    )
    return Response(text, status, content_type="text/html; charset=utf-8")


def logout(call: Call) -> Response:
    """The sign-out page: a link back to where the application asked."""
    back = call.request.args.get("post_logout_redirect_uri", "")
    if urlsplit(back).hostname not in {"localhost", "127.0.0.1", "testserver"}:
        return _page("You signed out of your account", "")
    return Response(status=302, headers={"Location": back})


def redeem(call: Call, client_id: str) -> dict[str, Any] | tuple[int, str]:
    """The token endpoint's answer for a code, or (AADSTS number, text)."""
    form = call.request.form
    with call.simulator.lock:
        grant = call.simulator.codes.pop(form.get("code", ""), None)
    if grant is None or grant.client_id != client_id or grant.ends < time.time():
        return 70008, "The provided authorization code is invalid or has expired."
    if form.get("redirect_uri") != grant.redirect_uri:
        return 500112, "The reply address does not match the one of the authorization request."
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != grant.challenge:
        return 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request."
    info = f'{{"uid":"{grant.person.oid(call.simulator.tenant)}","utid":"{call.simulator.tenant.id}"}}'
    return {
        "token_type": "Bearer", "scope": "openid profile", "expires_in": 3599,
        "access_token": secrets.token_urlsafe(60), "id_token": _id_token(call, grant),
        "client_info": b64url(info.encode()),
    }  # fmt: skip


def _id_token(call: Call, grant: Grant) -> str:
    tenant, now = call.simulator.tenant, int(time.time())
    claims: dict[str, Any] = {
        "aud": grant.client_id, "iss": f"{call.simulator.base_url(call.request)}/{tenant.id}/v2.0",
        "iat": now, "nbf": now, "exp": now + 3900, "name": grant.person.name, "nonce": grant.nonce,
        "oid": grant.person.oid(tenant), "preferred_username": grant.person.username, "tid": tenant.id,
        "sub": secrets.token_urlsafe(24), "sid": str(uuid.uuid4()), "uti": secrets.token_urlsafe(16), "ver": "2.0",
        "acct": int(grant.person.guest),
    }  # fmt: skip
    if grant.roles:
        claims["roles"] = list(grant.roles)
    if grant.max_age:  # asked for, it is answered: https://openid.net/specs/openid-connect-core-1_0.html#IDToken
        claims["auth_time"] = now
    how = str(call.faults.get("id_token", {}).get("how", ""))
    return _spoilt(tenant, claims, how)


def _spoilt(tenant: Tenant, claims: dict[str, Any], how: str) -> str:
    """The token, or one with what an attacker or an accident would change."""
    other = str(uuid.uuid4())
    changes: dict[str, dict[str, Any]] = {
        "nonce": {"nonce": "another"},
        "expired": {"exp": claims["iat"] - 3600, "nbf": claims["nbf"] - 7200, "iat": claims["iat"] - 7200},
        "not_yet": {"nbf": claims["nbf"] + 3600},
        "audience": {"aud": other},
        "tenant": {"tid": other, "iss": claims["iss"].replace(tenant.id, other)},
        "issuer": {"iss": claims["iss"].replace(tenant.id, other)},
        "proved_earlier": {"auth_time": claims["iat"] - 3600},  # the browser knew them from an hour ago
        "proved_just_now": {"auth_time": claims["iat"]},
        "proved_never": {"auth_time": None},
    }
    claims = claims | changes.get(how, {})
    if how in ("none", "hs256", "stranger"):
        return sign_as(tenant, claims, how)
    return sign(tenant, claims)
