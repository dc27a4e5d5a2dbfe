"""Assets, indicators and events: added once, with where they were learnt."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from ircase.models import Asset, Case, Event, Indicator, User
from ircase.services import log, repeats

_TECHNIQUE = re.compile(r"^T\d{4}(\.\d{3})?$")


def clean(text: str) -> str:
    """Text from outside as a database keeps it: PostgreSQL knows no NUL, so it is shown as U+2400."""
    return text.replace("\x00", "\u2400")


@transaction.atomic
def add_asset(
    *,
    case: Case,
    actor: User,
    kind: str,
    name: str,
    identifier: str = "",
    description: str = "",
    compromise: str = Asset.Compromise.UNKNOWN,
    details: dict[str, Any] | None = None,
    provenance: dict[str, Any] | None = None,
) -> tuple[Asset, bool]:
    """The asset and whether it is new. One that is there keeps its judgement and gains an identifier it lacked."""
    name = clean(name).strip()
    if kind in (Asset.Kind.DEVICE, Asset.Kind.ACCOUNT, Asset.Kind.MAILBOX):
        name = name.lower()
    asset = Asset.objects.filter(case=case, kind=kind, name=name).first()
    if asset is not None:
        if identifier and not asset.identifier:
            asset.identifier = identifier
            asset.save(update_fields=["identifier"])
        return asset, False
    asset = Asset(
        case=case,
        kind=kind,
        name=name,
        identifier=clean(identifier),
        description=clean(description),
        compromise=compromise,
        details=details or {},
        provenance=provenance or {"by": "hand"},
        added_by=actor,
    )
    asset.full_clean(exclude=["case", "added_by"])
    asset.save()
    log.record("asset.added", case=case, actor=actor, kind=kind, name=name, provenance=asset.provenance)
    repeats.judged(asset=asset, actor=actor)
    return asset, True


@transaction.atomic
def judge_asset(*, asset: Asset, actor: User, compromise: str, description: str) -> Asset:
    asset.compromise, asset.description = Asset.Compromise(compromise), clean(description)
    asset.save(update_fields=["compromise", "description"])
    log.record("asset.judged", case=asset.case, actor=actor, name=asset.name, compromise=compromise)
    repeats.judged(asset=asset, actor=actor)
    return asset


@transaction.atomic
def remove_asset(*, asset: Asset, actor: User, reason: str) -> None:
    """Take an asset off the case: it was noted by mistake. Its steps are skipped with the reason; the log keeps it."""
    if not reason.strip():
        raise ValidationError("Say why the asset goes; the log and the report show it.")
    repeats.leave(asset=asset, actor=actor, reason=f"{asset.name} was taken off the case: {reason.strip()}")
    log.record(
        "asset.removed",
        case=asset.case,
        actor=actor,
        kind=asset.kind,
        name=asset.name,
        identifier=asset.identifier,
        reason=reason.strip(),
    )
    asset.delete()


@transaction.atomic
def add_indicator(
    *,
    case: Case,
    actor: User,
    kind: str,
    value: str,
    description: str = "",
    tlp: str = "amber",
    verdict: str = Indicator.Verdict.UNKNOWN,
    first_seen: datetime | None = None,
    last_seen: datetime | None = None,
    provenance: dict[str, Any] | None = None,
) -> tuple[Indicator, bool]:
    """The indicator and whether it is new."""
    value = normalise(kind, value)
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    found = Indicator.objects.filter(case=case, kind=kind, value_digest=digest).first()
    if found is not None:
        return found, False
    indicator = Indicator(
        case=case,
        kind=kind,
        value=value,
        value_digest=digest,
        description=clean(description),
        tlp=tlp,
        verdict=verdict,
        first_seen=first_seen,
        last_seen=last_seen,
        provenance=provenance or {"by": "hand"},
        added_by=actor,
    )
    indicator.full_clean(exclude=["case", "added_by"])
    indicator.save()
    log.record("indicator.added", case=case, actor=actor, kind=kind, value=value[:200], provenance=indicator.provenance)
    return indicator, True


_HASH_LENGTHS = {Indicator.Kind.SHA256: 64, Indicator.Kind.SHA1: 40, Indicator.Kind.MD5: 32}


def normalise(kind: str, value: str) -> str:
    """One spelling per thing: hashes and domains in lower case, defanged text (`hxxp`, `[.]`) made whole."""
    value = clean(value).strip()
    if kind in (Indicator.Kind.IP, Indicator.Kind.DOMAIN, Indicator.Kind.URL, Indicator.Kind.EMAIL):
        value = re.sub(r"\[\.\]|\(\.\)|\[dot\]", ".", value).replace("[:]", ":").replace("[@]", "@")
        value = re.sub(r"^hxxp", "http", value, flags=re.IGNORECASE)
    if kind in (*_HASH_LENGTHS, Indicator.Kind.DOMAIN, Indicator.Kind.EMAIL):
        value = value.lower()
    length = _HASH_LENGTHS.get(Indicator.Kind(kind))
    if length and not re.fullmatch(rf"[0-9a-f]{{{length}}}", value):
        raise ValidationError(f"A {Indicator.Kind(kind).label} is {length} hexadecimal digits.")
    return value


@transaction.atomic
def judge_indicator(*, indicator: Indicator, actor: User, verdict: str, description: str) -> Indicator:
    indicator.verdict, indicator.description = Indicator.Verdict(verdict), clean(description)
    indicator.save(update_fields=["verdict", "description"])
    log.record("indicator.judged", case=indicator.case, actor=actor, value=indicator.value[:200], verdict=verdict)
    return indicator


@transaction.atomic
def add_event(
    *,
    case: Case,
    actor: User,
    at: datetime,
    title: str,
    description: str = "",
    technique: str = "",
    lane: str = Event.Lane.ATTACKER,
    source: str = "",
    row: dict[str, Any] | None = None,
    provenance: dict[str, Any] | None = None,
    assets: Iterable[Asset] = (),
) -> Event:
    """An event on the timeline. `row` is the source row as it was, `provenance` leads back to it."""
    if technique and not _TECHNIQUE.match(technique):
        raise ValidationError("An ATT&CK technique is written T1547 or T1547.001.")
    event = Event(
        case=case,
        at=at,
        title=clean(title)[:300],
        description=clean(description),
        technique=technique,
        lane=lane,
        source=clean(source)[:64],
        row=clean_json(row or {}),
        provenance=provenance or {"by": "hand"},
        added_by=actor,
    )
    event.full_clean(exclude=["case", "added_by"])
    event.save()
    event.assets.set(assets)
    log.record("event.added", case=case, actor=actor, at=at.isoformat(), title=event.title, provenance=event.provenance)
    return event


@transaction.atomic
def edit_event(*, event: Event, actor: User, **changes: Any) -> Event:
    """Change at, title, description, technique, lane or in_report. The source row and provenance stay."""
    allowed = {"at", "title", "description", "technique", "lane", "in_report"}
    if set(changes) - allowed:
        raise ValidationError("Only the event's own words and time can be edited; its source row stays as it was.")
    if changes.get("technique") and not _TECHNIQUE.match(changes["technique"]):
        raise ValidationError("An ATT&CK technique is written T1547 or T1547.001.")
    for name, value in changes.items():
        setattr(event, name, clean(value) if isinstance(value, str) else value)
    event.full_clean(exclude=["case", "added_by"])
    event.save(update_fields=list(changes))
    log.record("event.edited", case=event.case, actor=actor, event=str(event.uuid), fields=sorted(changes))
    return event


@transaction.atomic
def remove_event(*, event: Event, actor: User, reason: str) -> None:
    """Take an event off the timeline. The log keeps what it said."""
    log.record(
        "event.removed",
        case=event.case,
        actor=actor,
        at=event.at.isoformat(),
        title=event.title,
        reason=reason,
        row=event.row,
    )
    event.delete()


def clean_json(value: Any) -> Any:
    """JSON from outside as PostgreSQL's jsonb keeps it: it refuses NUL, and so do lone surrogates."""
    if isinstance(value, str):
        return clean(value).encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {clean_json(key): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value
