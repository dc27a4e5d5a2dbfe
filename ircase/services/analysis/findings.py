"""Assets, indicators and events: added once, with where they were learnt."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import attack
from ircase.models import Asset, Case, ChecklistItem, Event, EventTechnique, Indicator, Pap, User
from ircase.services import log
from ircase.services.analysis import tagging
from ircase.services.phases import repeats

_TECHNIQUE = re.compile(r"^T\d{4}(\.\d{3})?$")


@dataclass(frozen=True)
class Use:
    """A technique as an event has it; `tactic` is what it served, in ATT&CK's words ("Privilege escalation")."""

    technique: str
    tactic: str = ""


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
    pap: str = Pap.AMBER,
    verdict: str = Indicator.Verdict.UNKNOWN,
    verdict_reason: str = "",
    first_seen: datetime | None = None,
    last_seen: datetime | None = None,
    expires_at: datetime | None = None,
    tags: Iterable[str] = (),
    provenance: dict[str, Any] | None = None,
) -> tuple[Indicator, bool]:
    """The indicator and whether it is new. A person's verdict is theirs; one that came with an alert is nobody's."""
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
        pap=pap,
        verdict=verdict,
        verdict_reason=clean(verdict_reason),
        first_seen=first_seen,
        last_seen=last_seen,
        expires_at=expires_at,
        provenance=provenance or {"by": "hand"},
        added_by=actor,
    )
    if verdict != Indicator.Verdict.UNKNOWN and indicator.provenance.get("by") == "hand":
        indicator.verdict_by, indicator.verdict_at = actor, timezone.now()
    indicator.full_clean(exclude=["case", "added_by", "verdict_by"])
    indicator.save()
    if names := list(tags):
        indicator.tags.set(tagging.tags_of(case, names))
    log.record("indicator.added", case=case, actor=actor, kind=kind, value=value[:200], provenance=indicator.provenance)
    return indicator, True


_HASH_LENGTHS = {Indicator.Kind.SHA256: 64, Indicator.Kind.SHA1: 40, Indicator.Kind.MD5: 32}
_DEFANGED: Final = (Indicator.Kind.IP, Indicator.Kind.DOMAIN, Indicator.Kind.URL, Indicator.Kind.EMAIL)
_LOWER: Final = (*_HASH_LENGTHS, Indicator.Kind.DOMAIN, Indicator.Kind.EMAIL, Indicator.Kind.ACCOUNT)
_THUMBPRINT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_AS: Final = re.compile(r"(?i)(as)?\s*([0-9]{1,10})")


def refang(value: str) -> str:
    """Defanged text (`hxxp`, `[.]`, `(dot)`, `[@]`) made whole."""
    value = re.sub(r"(?i)\[\.\]|\(\.\)|\{\.\}|[\[({] ?dot ?[\])}]|\[\.|\.\]", ".", value)
    value = re.sub(r"(?i)\[@\]|\(@\)|[\[({] ?at ?[\])}]", "@", value)
    value = re.sub(r"\[(:|://)\]", r"\1", value).replace("[/]", "/")
    return re.sub(r"(?i)^(h(?:xx|tt|\*\*)p(s?)|fxp(s?))(?=\s*:)", _scheme, value)


def _scheme(found: re.Match[str]) -> str:
    return ("ftp" if found[0][0] in "fF" else "http") + (found[2] or found[3] or "").lower()


def normalise(kind: str, value: str) -> str:
    """One spelling per thing: hashes, domains, addresses in one form, defanged text made whole. Raises
    ValidationError for what cannot be of this kind."""
    value = clean(value).strip()
    if kind in _DEFANGED:
        value = refang(value)
    if kind in _LOWER:
        value = value.lower()
    if kind == Indicator.Kind.CERTIFICATE:
        value = re.sub(r"[\s:]", "", value).lower()
        if not _THUMBPRINT.fullmatch(value):
            raise ValidationError("A certificate's thumbprint is 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.")
    if kind == Indicator.Kind.ASN:
        number = _AS.fullmatch(value)
        if number is None or int(number[2]) >= 2**32:
            raise ValidationError("An AS number is written AS64500: digits up to 4,294,967,295.")
        value = f"AS{int(number[2])}"
    length = _HASH_LENGTHS.get(Indicator.Kind(kind))
    if length and not re.fullmatch(rf"[0-9a-f]{{{length}}}", value):
        raise ValidationError(f"A {Indicator.Kind(kind).label} is {length} hexadecimal digits.")
    return value


@transaction.atomic
def judge_indicator(
    *, indicator: Indicator, actor: User, verdict: str, description: str | None = None, reason: str | None = None
) -> Indicator:
    """Say what it is and why. None leaves the words as they are; a verdict that is given again is this person's now."""
    indicator.verdict = Indicator.Verdict(verdict)
    if description is not None:
        indicator.description = clean(description)
    if reason is not None:
        indicator.verdict_reason = clean(reason)
    indicator.verdict_by, indicator.verdict_at = actor, timezone.now()
    indicator.save(update_fields=["verdict", "description", "verdict_reason", "verdict_by", "verdict_at"])
    log.record(
        "indicator.judged",
        case=indicator.case,
        actor=actor,
        value=indicator.value[:200],
        verdict=verdict,
        reason=indicator.verdict_reason[:500],
    )
    return indicator


_DETAILS: Final = frozenset({"tlp", "pap", "first_seen", "last_seen", "expires_at", "description", "tags"})


@transaction.atomic
def edit_indicator(*, indicator: Indicator, actor: User, **changes: Any) -> Indicator:
    """Change TLP, PAP, times, words or tags. What it is and where it was learnt stay. Raises ValidationError."""
    if set(changes) - _DETAILS:
        raise ValidationError("An indicator's kind and value stay as they were added.")
    fields = sorted(changes)
    tags = changes.pop("tags", None)
    for name, value in changes.items():
        setattr(indicator, name, clean(value) if isinstance(value, str) else value)
    if indicator.first_seen and indicator.last_seen and indicator.last_seen < indicator.first_seen:
        raise ValidationError({"last_seen": "It was last seen before it was first seen."})
    indicator.full_clean(exclude=["case", "added_by", "verdict_by"])
    if changes:
        indicator.save(update_fields=list(changes))
    if tags is not None:
        indicator.tags.set(tagging.tags_of(indicator.case, tags))
    log.record("indicator.edited", case=indicator.case, actor=actor, value=indicator.value[:200], fields=fields)
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
    indicators: Iterable[Indicator] = (),
    techniques: Iterable[Use] = (),
    tags: Iterable[str] = (),
    in_report: bool = True,
    until: datetime | None = None,
    precision: str = Event.Precision.EXACT,
    zone: str = "",
    given: str = "",
    discovered_at: datetime | None = None,
) -> Event:
    """An event on the timeline. `row` is the source row as it was, `provenance` leads back to it. `technique` is one
    more of `techniques`. Raises ValidationError."""
    uses = uses_of([technique, *techniques])
    event = Event(
        case=case,
        at=at,
        until=until,
        precision=precision,
        zone=clean(zone)[:64],
        given=clean(given)[:120],
        discovered_at=discovered_at,
        in_report=in_report,
        title=clean(title)[:300],
        description=clean(description),
        technique=uses[0].technique if uses else "",
        lane=lane,
        source=clean(source)[:64],
        row=clean_json(row or {}),
        provenance=provenance or {"by": "hand"},
        added_by=actor,
    )
    event.full_clean(exclude=["case", "added_by"])
    event.save()
    event.assets.set(assets)
    event.indicators.set(indicators)
    event.tags.set(tagging.tags_of(case, tags))
    keep_techniques(event, uses)
    log.record("event.added", case=case, actor=actor, at=at.isoformat(), title=event.title, provenance=event.provenance)
    return event


_OWN: Final = frozenset(
    {"at", "until", "precision", "zone", "given", "discovered_at", "title", "description", "lane", "in_report"}
)
_SETS: Final = frozenset({"assets", "indicators", "tags", "techniques"})


@transaction.atomic
def edit_event(*, event: Event, actor: User, **changes: Any) -> Event:
    """Change an event's time, words, lane, techniques, tags, what it names, or whether the report shows it. `technique`
    replaces all `techniques`. The source row and provenance stay. Raises ValidationError."""
    fields = sorted(changes)
    if "technique" in changes:
        changes["techniques"] = [changes.pop("technique")]
    if set(changes) - _OWN - _SETS:
        raise ValidationError("Only the event's own words and time can be edited; its source row stays as it was.")
    own = {name: value for name, value in changes.items() if name in _OWN}
    for name, value in own.items():
        setattr(event, name, clean(value) if isinstance(value, str) else value)
    event.full_clean(exclude=["case", "added_by"])
    if own:
        event.save(update_fields=list(own))
    if "techniques" in changes:
        keep_techniques(event, uses_of(changes["techniques"]))
    if "tags" in changes:
        event.tags.set(tagging.tags_of(event.case, changes["tags"]))
    for name in ("assets", "indicators"):
        if name in changes:
            getattr(event, name).set(changes[name])
    log.record("event.edited", case=event.case, actor=actor, event=str(event.uuid), fields=fields)
    return event


def uses_of(techniques: Iterable[str | Use]) -> list[Use]:
    """Each technique once, in order; without what is empty. Raises ValidationError for what is no technique's id."""
    uses = [Use(one) if isinstance(one, str) else one for one in techniques if one]
    if any(not _TECHNIQUE.match(use.technique) for use in uses):
        raise ValidationError("An ATT&CK technique is written T1547 or T1547.001.")
    said = {use.technique for use in uses if use.tactic}
    return list(dict.fromkeys(use for use in uses if use.tactic or use.technique not in said))


def keep_techniques(event: Event, uses: Sequence[Use]) -> None:
    """Make these the event's techniques. What stays keeps the version of ATT&CK that named it."""
    there = {Use(one.technique, one.tactic): one for one in event.techniques.all()}
    if list(there) != list(uses):
        version = attack.release().version[:40]
        rows = [(use, there[use].version if use in there else version) for use in uses]
        event.techniques.all().delete()
        EventTechnique.objects.bulk_create(
            EventTechnique(event=event, technique=use.technique, tactic=use.tactic, version=named)
            for use, named in rows
        )
    first = uses[0].technique if uses else ""
    if event.technique != first:
        event.technique = first
        event.save(update_fields=["technique"])


@transaction.atomic
def remove_event(*, event: Event, actor: User, reason: str) -> None:
    """Take an event off the timeline. The log keeps what it said. Raises ValidationError where it is all that proves
    an item that was closed with it: the gate would stand open on nothing."""
    proven = ChecklistItem.objects.filter(
        proofs__event=event, required=True, state=ChecklistItem.State.DONE, proof_rule=ChecklistItem.ProofRule.LINK
    )
    bare = [item.title for item in proven.distinct() if not item.proofs.exclude(event=event).exists()]
    if bare:
        raise ValidationError(
            f"It is the proof of what was done: {'; '.join(bare[:5])}. Link another proof there, or open that again."
        )
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
