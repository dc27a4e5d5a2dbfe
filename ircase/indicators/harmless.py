"""The organisation's list of what is its own or harmless: kept, matched, and never a reason to hide anything."""

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from ircase.models import FalsePositive, Indicator, User
from ircase.services import log
from ircase.services.analysis import findings

Match = FalsePositive.Match
MOST: Final = 20_000
_WIDEST: Final = {4: 8, 6: 16}


def digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def active() -> QuerySet[FalsePositive]:
    """The entries that hold today."""
    return FalsePositive.objects.filter(withdrawn_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))


@transaction.atomic
def add(
    *, actor: User, match: str, value: str, reason: str, expires_at: datetime | None = None
) -> tuple[FalsePositive, bool]:
    """The entry and whether it is new; one that has expired is withdrawn and made anew. Raises ValidationError."""
    value = spelled(match, value)
    if not reason.strip():
        raise ValidationError({"reason": "Say why it is harmless: whoever meets the mark reads it."})
    if expires_at and expires_at <= timezone.now():
        raise ValidationError({"expires_at": "It would be over already."})
    there = FalsePositive.objects.filter(match=match, value_digest=digest(value), withdrawn_at=None).first()
    if there is not None and there.is_active:
        return there, False
    if there is not None:
        withdraw(entry=there, actor=actor)
    if FalsePositive.objects.filter(withdrawn_at=None).count() >= MOST:
        raise ValidationError(f"The list has {MOST:,} entries. Withdraw some first.")
    entry = FalsePositive(
        match=Match(match), value=value, value_digest=digest(value), reason=findings.clean(reason).strip(),
        expires_at=expires_at, added_by=actor,
    )  # fmt: skip
    entry.clean_fields(exclude=["added_by"])
    entry.save()
    log.record("harmless.added", actor=actor, match=match, value=value[:200], reason=entry.reason)
    return entry, True


def spelled(match: str, value: str) -> str:
    """One spelling per entry. Raises ValidationError."""
    value = findings.refang(findings.clean(value).strip()).lower()
    if not value:
        raise ValidationError({"value": "Write what is harmless."})
    if match == Match.CIDR:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValidationError({"value": "Write the network as 192.0.2.0/24 or 2001:db8::/32."}) from None
        if network.prefixlen < _WIDEST[network.version]:
            raise ValidationError({"value": f"/{network.prefixlen} is too wide: it would mark half of the internet."})
        return str(network)
    if match == Match.SUFFIX:
        value = value.strip(".*@")
        if "." not in value or any(letter in value for letter in " /:@"):
            raise ValidationError({"value": "Write the domain with all below it as example.com."})
    return value


@transaction.atomic
def withdraw(*, entry: FalsePositive, actor: User) -> None:
    """It marks nothing any more."""
    if entry.withdrawn_at is None:
        entry.withdrawn_by, entry.withdrawn_at = actor, timezone.now()
        entry.save(update_fields=["withdrawn_by", "withdrawn_at"])
        log.record("harmless.withdrawn", actor=actor, match=entry.match, value=entry.value[:200])


@dataclass(frozen=True)
class Known:
    """The list, ready to be asked. Made by `known()`."""

    values: dict[str, FalsePositive]
    networks: tuple[tuple[Any, FalsePositive], ...]
    suffixes: dict[str, FalsePositive]

    def of(self, kind: str, value: str) -> FalsePositive | None:
        """The entry that knows this indicator; the plainest one."""
        lowered = value.lower()
        if found := self.values.get(lowered):
            return found
        if kind == Indicator.Kind.IP:
            return self._network(value)
        host = _host(kind, lowered)
        if host and (found := self._network(host)):
            return found
        labels = host.split(".")
        tails = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self.suffixes[tail] for tail in tails if tail in self.suffixes), None)

    def _network(self, value: str) -> FalsePositive | None:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return None
        return next((entry for network, entry in self.networks if address in network), None)


def known() -> Known:
    """The list as it holds now: one query."""
    entries = list(active().select_related("added_by"))
    networks = [(ipaddress.ip_network(e.value), e) for e in entries if e.match == Match.CIDR]
    networks.sort(key=lambda one: -one[0].prefixlen)
    return Known(
        {e.value: e for e in entries if e.match == Match.VALUE},
        tuple(networks),
        {e.value: e for e in entries if e.match == Match.SUFFIX},
    )


def _host(kind: str, value: str) -> str:
    if kind == Indicator.Kind.URL:
        try:
            return urlsplit(value).hostname or ""
        except ValueError:
            return ""
    if kind == Indicator.Kind.EMAIL:
        return value.rsplit("@", 1)[-1]
    return value if kind == Indicator.Kind.DOMAIN else ""


def mark(indicators: Iterable[Indicator]) -> dict[int, FalsePositive]:
    """Which of these the list knows, by pk: one query."""
    entries = known()
    found = ((one.pk, entries.of(one.kind, one.value)) for one in indicators)
    return {pk: entry for pk, entry in found if entry is not None}
