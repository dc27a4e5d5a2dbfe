"""A device with passkeys, in software: what a browser and a security key make together (ES256, attestation none).

It does what it is told, wrong things too: another origin, another relying party, no user verification, a count of its
own choosing. https://www.w3.org/TR/webauthn-3/#sctn-authenticator-data"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

PRESENT, VERIFIED, WITH_KEY = 0x01, 0x04, 0x40


@dataclass(frozen=True)
class Credential:
    id: bytes
    handle: bytes
    key: ec.EllipticCurvePrivateKey
    account: str = ""


@dataclass
class Authenticator:
    """`counts`: whether it has a counter; synced passkeys have none and always say 0."""

    origin: str = "http://localhost"
    rp_id: str = "localhost"
    verifies: bool = True
    counts: bool = True
    count: int = 0
    held: list[Credential] = field(default_factory=list)

    def but(self, **other: Any) -> "Authenticator":
        """The same device with something changed."""
        return replace(self, **other)

    def create(self, options: dict[str, Any]) -> str:
        """navigator.credentials.create(): a new passkey, and the answer that registers it, as JSON."""
        made = Credential(
            secrets.token_bytes(32),
            base64url_to_bytes(options["user"]["id"]),
            ec.generate_private_key(ec.SECP256R1()),
            options["user"]["name"],
        )
        self.held.append(made)
        point = made.key.public_key().public_numbers()
        key = encode_cbor({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
        attested = bytes(16) + len(made.id).to_bytes(2, "big") + made.id + key
        data = self._data(WITH_KEY) + attested
        response = {
            "clientDataJSON": _text(self._client("webauthn.create", options)),
            "attestationObject": _text(encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})),
        }
        return _answer(made, response)

    def get(self, options: dict[str, Any], *, which: int = -1, **changed: Any) -> str:
        """navigator.credentials.get(): the answer of one of its passkeys, as JSON; `changed` replaces parts of it."""
        used = self.held[which]
        client, data = self._client("webauthn.get", options), self._data()
        signature = used.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": _text(client),
            "authenticatorData": _text(data),
            "signature": _text(signature),
            "userHandle": _text(used.handle),
        }
        return _answer(used, {name: value for name, value in (response | changed).items() if value is not None})

    def _data(self, flags: int = 0) -> bytes:
        self.count += self.counts
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        count = self.count if self.counts else 0
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()


def _text(data: bytes) -> str:
    return str(bytes_to_base64url(data))


def _answer(used: Credential, response: dict[str, str]) -> str:
    name = _text(used.id)
    return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
