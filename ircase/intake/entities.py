"""What an incident names, in the spelling of a case's assets and indicators, so that the two can be compared."""

from collections.abc import Iterator

from django.core.exceptions import ValidationError

from ircase.models import Asset, Indicator
from ircase.services.analysis.findings import clean, normalise
from msapi.evidence import (
    AlertEvidence,
    DeviceEvidence,
    FileEvidence,
    FileFacts,
    IpEvidence,
    MailboxEvidence,
    MessageEvidence,
    ProcessEvidence,
    UrlEvidence,
    UserEvidence,
    read_evidence,
)
from msapi.incidents import Incident
from msapi.mentions import Mentions

MOST = 200
_LONGEST = 255
_DEPTH = 3
Key = tuple[str, str]


def entities_of(incident: Incident) -> list[Key]:
    """(kind, value) of what the alerts name, each once, at most `MOST`: devices, accounts and mailboxes first."""
    found: dict[Key, None] = {}
    for alert in incident.alerts:
        for item in alert.evidence:
            for kind, value in _of(item, 0):
                key = _key(kind, value)
                if key is not None:
                    found[key] = None
    first = {kind: place for place, kind in enumerate((Asset.Kind.DEVICE, Asset.Kind.ACCOUNT, Asset.Kind.MAILBOX))}
    return sorted(found, key=lambda key: first.get(Asset.Kind(key[0]), 9) if key[0] in Asset.Kind.values else 9)[:MOST]


def _key(kind: str, value: str) -> Key | None:
    value = value.strip()
    if not value:
        return None
    if kind in Asset.Kind.values:
        value = clean(value).lower() if kind != Asset.Kind.APPLICATION else clean(value)
        return (kind, value) if len(value) <= _LONGEST else None
    try:
        value = normalise(kind, value)
    except ValidationError:
        return None
    return (kind, value) if value and len(value) <= _LONGEST else None


def _of(item: AlertEvidence, depth: int) -> Iterator[Key]:
    match item.detail:
        case DeviceEvidence(device_id=known, dns_name=dns, host_name=host):
            yield Asset.Kind.DEVICE, dns or host or known
        case UserEvidence(account):
            yield Asset.Kind.ACCOUNT, account.upn or _local(account.domain, account.name)
        case MailboxEvidence(address=address):
            yield Asset.Kind.MAILBOX, address
        case FileEvidence(file):
            yield from _file(file)
        case ProcessEvidence(image=image, account=account):
            if item.verdict.lower() == "malicious":
                yield from _file(image)
            yield Asset.Kind.ACCOUNT, account.upn
        case IpEvidence(address=address):
            yield Indicator.Kind.IP, address
        case UrlEvidence(url):
            yield Indicator.Kind.URL, url
        case MessageEvidence():
            yield Indicator.Kind.EMAIL, item.detail.sender
            yield Indicator.Kind.IP, item.detail.sender_ip
            yield Asset.Kind.MAILBOX, item.detail.recipient
            yield from ((Indicator.Kind.URL, url) for url in item.detail.urls[:25])
        case Mentions():
            yield from _mentions(item.detail, depth)


def _mentions(found: Mentions, depth: int) -> Iterator[Key]:
    for thing in found.things:
        if thing.application:
            yield Asset.Kind.APPLICATION, thing.name
        elif thing.what == "Mailbox":
            yield Asset.Kind.MAILBOX, thing.name
    for one in found.observables:
        yield one.kind, one.value
    for raw in found.inside if depth < _DEPTH else ():
        yield from _of(read_evidence(raw), depth + 1)


def _local(domain: str, name: str) -> str:
    return f"{domain}\\{name}" if domain and name else name


def _file(file: FileFacts) -> Iterator[Key]:
    for kind, value in ((Indicator.Kind.SHA256, file.sha256), (Indicator.Kind.SHA1, file.sha1)):
        if value:
            yield kind, value
            return
