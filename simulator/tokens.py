"""RS256 JSON web tokens: signing and verifying, by RFC 7515 and RFC 7519."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from simulator.tenant import Tenant

LIFETIME_SECONDS = 3599


class TokenError(Exception):
    """A token that is not accepted; `code` is `malformed`, `signature` or `expired`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Grant:
    """What a verified token says."""

    client_id: str
    app_name: str
    audience: str
    roles: frozenset[str]


def b64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(tenant: Tenant, claims: dict[str, Any]) -> str:
    """A compact signed token."""
    header = {"typ": "JWT", "alg": "RS256", "kid": tenant.key_id, "x5t": tenant.key_id}
    body = f"{b64url(json.dumps(header).encode())}.{b64url(json.dumps(claims).encode())}"
    return f"{body}.{b64url(tenant.key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def sign_as(tenant: Tenant, claims: dict[str, Any], how: str) -> str:
    """A token as a forger makes it: `none` unsigned, `hs256` keyed with the public key, `stranger` by another key."""
    names = {"none": "none", "hs256": "HS256", "stranger": "RS256"}
    header = {"typ": "JWT", "alg": names[how], "kid": "stranger" if how == "stranger" else tenant.key_id}
    body = f"{b64url(json.dumps(header).encode())}.{b64url(json.dumps(claims).encode())}"
    if how == "none":
        return f"{body}."
    if how == "hs256":
        public = tenant.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return f"{body}.{b64url(hmac.digest(public, body.encode(), 'sha256'))}"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return f"{body}.{b64url(key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def verify(tenant: Tenant, token: str, now: datetime) -> Grant:
    """The grant of a token of this tenant; raises TokenError. Only RS256 with this tenant's key is accepted."""
    try:
        head, payload, signature = token.split(".")
        header, claims = json.loads(_unb64url(head)), json.loads(_unb64url(payload))
        if header["alg"] != "RS256":
            raise TokenError("malformed")
        tenant.key.public_key().verify(
            _unb64url(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        grant = Grant(claims["appid"], claims["app_displayname"], claims["aud"], frozenset(claims["roles"]))
        expires = float(claims["exp"])
    except InvalidSignature as error:
        raise TokenError("signature") from error
    except (ValueError, KeyError, TypeError, binascii.Error, UnicodeDecodeError) as error:
        raise TokenError("malformed") from error
    if now.timestamp() >= expires:
        raise TokenError("expired")
    return grant


def jwks(tenant: Tenant) -> dict[str, Any]:
    """The key set document."""
    numbers = tenant.key.public_key().public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)
    key = {
        "kty": "RSA", "use": "sig", "kid": tenant.key_id, "x5t": tenant.key_id, "alg": "RS256",
        "n": b64url(modulus), "e": b64url(numbers.e.to_bytes(3)),
    }  # fmt: skip
    return {"keys": [key]}
