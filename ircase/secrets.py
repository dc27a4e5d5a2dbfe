"""Secrets at rest: Fernet under the keys of settings, newest first, so that keys can be rotated."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])


def encrypt(text: str) -> str:
    return _box().encrypt(text.encode()).decode() if text else ""


def decrypt(token: str) -> str:
    """The text. Raises ImproperlyConfigured when no key of IRCASE_FIELD_KEYS opens it."""
    if not token:
        return ""
    try:
        return _box().decrypt(token.encode()).decode()
    except InvalidToken:
        raise ImproperlyConfigured(
            "A stored secret cannot be opened with IRCASE_FIELD_KEYS. "
            "Put the old key behind the new one, or enter the secret again."
        ) from None
