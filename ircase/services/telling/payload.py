"""The bytes that are posted: a card, or an event with its signature."""

import json
import time
from collections.abc import Sequence
from datetime import UTC

from django.utils import timezone

from ircase import secrets
from ircase.models import Delivery, Hook
from ircase.telling import cards, signing
from ircase.telling.words import Word


def card(told: Sequence[Word]) -> bytes:
    return json.dumps(cards.message(told)).encode()


def event(delivery: Delivery, word: Word) -> bytes:
    """{"id", "code", "time", "case", "title", "url"}: `id` is the same for every try, `case` null where it may not be
    named."""
    body = {
        "id": str(delivery.uuid),
        "code": word.code,
        "time": word.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "case": word.case or None,
        "title": word.title,
        "url": word.url,
    }
    return json.dumps(body).encode()


def signed(hook: Hook, delivery: Delivery, body: bytes) -> dict[str, str]:
    """The headers of a signed delivery. While a secret is being changed both sign."""
    stamp = str(int(time.time()))
    return {
        signing.TIMESTAMP: stamp,
        signing.SIGNATURE: signing.header(secrets_of(hook), stamp, body),
        signing.DELIVERY: str(delivery.uuid),
    }


def secrets_of(hook: Hook) -> list[str]:
    """The newest first."""
    held = [hook.secret_encrypted]
    if hook.secret_before_until is not None and hook.secret_before_until > timezone.now():
        held.append(hook.secret_before_encrypted)
    return [secrets.decrypt(one) for one in held if one]
