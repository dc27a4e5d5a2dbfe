"""What is asked of a response action, checked: the targets, the parameters, and what was typed to break the glass."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils import timezone

from liveresponse.kinds import Kind
from liveresponse.models import ActionKind

MOST_TARGETS: Final = 50
GLASS_REASON: Final = 20
"""Characters that a break-glass reason and its review have at least."""
_SHA1: Final = re.compile(r"[0-9a-fA-F]{40}")
_DEVICE: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?")
_DOMAIN: Final = re.compile(r"(?=.{4,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}")
_HEX: Final = {"sha256": 64, "sha1": 40, "md5": 32}
ACTIONS_FOR_FILES: Final = ("Block", "BlockAndRemediate", "Audit")
ACTIONS_FOR_NETWORK: Final = ("Block", "Warn", "Audit")


@dataclass(frozen=True)
class Glass:
    """What a person types to act without approval: why, and the target's name once more."""

    reason: str
    name: str


def targets_of(plan: Kind, given: Sequence[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(_one_target(plan, text) for text in given if text.strip()))
    if not found:
        raise ValidationError("Choose a device." if plan.is_for_devices else "Choose an indicator.")
    if len(found) > MOST_TARGETS:
        raise ValidationError(f"At most {MOST_TARGETS} at once.")
    return found


def _one_target(plan: Kind, text: str) -> str:
    value = text.strip()
    if not plan.is_for_devices:
        return value if indicator_kind(value) == "url" else value.lower()
    if not _DEVICE.fullmatch(value) or ".." in value:
        raise ValidationError(f"{value[:80]!r} is no DNS name of a device.")
    return value.lower()


def indicator_kind(value: str) -> str:
    """Which of the kinds that Defender can block a value is, as INDICATOR_TYPES names them. Raises ValidationError."""
    if found := next((kind for kind, size in _HEX.items() if re.fullmatch(f"[0-9a-fA-F]{{{size}}}", value)), ""):
        return found
    if re.match(r"https?://[^\s/]", value, re.IGNORECASE) and len(value) <= 2048 and not re.search(r"\s", value):
        return "url"
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if _DOMAIN.fullmatch(value):
            return "domain"
    else:
        return "ip"
    raise ValidationError(
        f"{value[:80]!r} cannot be blocked: Defender takes a hash, one IP address, a domain or a URL, and no range."
    )


def parameters_of(plan: Kind, given: Mapping[str, Any], targets: Sequence[str]) -> dict[str, Any]:
    """The parameters of a kind and no others. Raises ValidationError."""
    if plan.id == ActionKind.ISOLATE:
        return {"isolation": _choice(given, "isolation", ("Full", "Selective"))}
    if plan.id == ActionKind.SCAN:
        return {"scan": _choice(given, "scan", ("Quick", "Full"))}
    if plan.id == ActionKind.QUARANTINE:
        sha1 = str(given.get("sha1") or "").strip().lower()
        if not _SHA1.fullmatch(sha1):
            raise ValidationError("Give the file's SHA-1: 40 hex digits. Defender takes no other hash here.")
        return {"sha1": sha1}
    if plan.id == ActionKind.BLOCK:
        return _clean_block(given, targets)
    return {}


def _clean_block(given: Mapping[str, Any], targets: Sequence[str]) -> dict[str, Any]:
    kinds = {indicator_kind(target) for target in targets}
    allowed = [
        action
        for action in ("Block", "BlockAndRemediate", "Warn", "Audit")
        if all(action in (ACTIONS_FOR_FILES if kind in _HEX else ACTIONS_FOR_NETWORK) for kind in kinds)
    ]
    action = _choice(given, "action", allowed)
    try:
        days = int(given.get("days") or 90)
    except (TypeError, ValueError):
        raise ValidationError("For how many days? A whole number.") from None
    if not 1 <= days <= 365:
        raise ValidationError("A block lasts 1 to 365 days.")
    return {"action": action, "expires": f"{timezone.now() + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"}


def _choice(given: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    value = str(given.get(name) or choices[0])
    if value not in choices:
        raise ValidationError(f"{name.capitalize()} must be one of {', '.join(choices)}.")
    return value


def typed(glass: Glass | None, targets: Sequence[str]) -> Glass | None:
    """Break-glass as it must be typed. Raises ValidationError."""
    if glass is None:
        return None
    if len(targets) != 1:
        raise ValidationError("Without approval one target at a time: its name has to be typed.")
    if len(glass.reason.strip()) < GLASS_REASON:
        raise ValidationError(f"Say in at least {GLASS_REASON} characters why this cannot wait for a second person.")
    if glass.name.strip().lower() != targets[0].lower():
        raise ValidationError(f"Type the name exactly as it is here to act without approval: {targets[0]}")
    return Glass(glass.reason.strip()[:2000], glass.name.strip())
