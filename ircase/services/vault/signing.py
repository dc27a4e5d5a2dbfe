"""The site's Ed25519 keys (https://www.rfc-editor.org/rfc/rfc8032): made at first use, or given by the settings."""

import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import secrets
from ircase.models import SigningKey, User
from ircase.services import log


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8: what every digest and signature is made of."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def key_id_of(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16]


def active_key() -> SigningKey:
    """The key that signs now. Raises ImproperlyConfigured where the settings hold none that can be used."""
    if settings.SIGNING_KEY:
        return _row_of(_from_settings(), keep=False)
    return SigningKey.objects.filter(retired_at=None).exclude(private_encrypted="").first() or _make()


def sign(message: bytes) -> tuple[str, SigningKey]:
    """The signature, 128 hexadecimal digits, and the key that made it."""
    key = active_key()
    return _private(key).sign(message).hex(), key


def holds(key: SigningKey, message: bytes, signature: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public_key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


@transaction.atomic
def rotate(*, actor: User | None) -> SigningKey:
    """A new key signs from now on; the old ones stay for what they have signed. Raises ValidationError."""
    if settings.SIGNING_KEY:
        raise ValidationError("The key is given by IRCASE_SIGNING_KEY. Change it there; the old one stays known.")
    SigningKey.objects.filter(retired_at=None).update(retired_at=timezone.now())
    key = _make()
    log.record("signing.rotated", actor=actor, key=key.key_id, public_key=key.public_key)
    return key


def _make() -> SigningKey:
    key = _row_of(Ed25519PrivateKey.generate(), keep=True)
    log.record("signing.key_made", key=key.key_id, public_key=key.public_key)
    return key


def _row_of(private: Ed25519PrivateKey, *, keep: bool) -> SigningKey:
    public = private.public_key().public_bytes_raw()
    kept = secrets.encrypt(private.private_bytes_raw().hex()) if keep else ""
    values = {"public_key": public.hex(), "private_encrypted": kept}
    return SigningKey.objects.get_or_create(key_id=key_id_of(public), defaults=values)[0]


def _private(key: SigningKey) -> Ed25519PrivateKey:
    if not key.private_encrypted:
        return _from_settings()
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secrets.decrypt(key.private_encrypted)))


def _from_settings() -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(settings.SIGNING_KEY))
    except ValueError:
        raise ImproperlyConfigured("IRCASE_SIGNING_KEY is 32 bytes, written as 64 hexadecimal digits.") from None
