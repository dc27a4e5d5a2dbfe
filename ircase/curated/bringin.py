"""Events of a file onto the timeline: all of them or, where one cannot be, none."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from ircase import attack
from ircase.curated import files, times
from ircase.curated.files import FileError, Record
from ircase.models import Asset, Case, Event, EventTechnique, FindingTag, Indicator, User
from ircase.models.findings import TAG
from ircase.search import index
from ircase.services import log
from ircase.services.analysis import findings

_TITLES: Final = ("message", "title", "event")
_TIMES: Final = ("datetime", "time", "timestamp", "date", "at")
_MICROSECONDS: Final = re.compile(r"[0-9]{15,17}")
_HOW: Final = "A timeline needs a column `message` and a column `datetime`."


@dataclass(frozen=True)
class Outcome:
    """`doubles` were on the timeline, or stood in the file twice."""

    added: int
    doubles: int


@dataclass(frozen=True)
class _Draft:
    event: Event
    uses: list[findings.Use]
    tags: list[str]
    assets: list[tuple[str, str]]
    indicators: list[tuple[str, str]]


def bring_in(*, case: Case, actor: User, data: bytes, name: str, zone: str = "") -> Outcome:
    """Put the events of a file on the timeline. A time that names no zone is one of `zone`; without a `zone` the file
    is refused. Raises ValidationError with the lines that cannot be read; then nothing was added."""
    try:
        records = files.read(data)
        if len(records) > files.MOST_EVENTS:
            raise FileError(f"The file has more than {files.MOST_EVENTS:,} events. Cut it into parts.")
        if not any(record.texts.get(title) for title in _TITLES for record in records[:1]):
            raise FileError(f"The first event has no words. {_HOW}")
    except FileError as error:
        raise ValidationError(str(error)) from None
    drafts, problems = _drafts(case, actor, records, zone)
    if problems:
        more = len(problems) - files.MOST_PROBLEMS
        raise ValidationError(problems[: files.MOST_PROBLEMS] + ([f"And {more} more lines."] if more > 0 else []))
    return _keep(case, actor, drafts, name, hashlib.sha256(data).hexdigest())


def _drafts(case: Case, actor: User, records: Sequence[Record], zone: str) -> tuple[list[_Draft], list[str]]:
    drafts, problems = [], []
    for record in records:
        try:
            drafts.append(_draft(case, actor, record, zone))
        except ValidationError as error:
            problems.append(f"Line {record.line}: {' '.join(error.messages)}")
    return drafts, problems


def _draft(case: Case, actor: User, record: Record, zone: str) -> _Draft:
    texts = record.texts
    title = findings.clean(_first(texts, _TITLES)).strip()
    if not title:
        raise ValidationError(f"It has no words. {_HOW}")
    at, given_zone, given = _time(texts, zone)
    description = findings.clean(texts.get("description", ""))
    event = Event(
        case=case,
        at=at,
        title=title[:300],
        description=(description or (title if len(title) > 300 else ""))[:20_000],
        lane=_choice(texts.get("lane", ""), Event.Lane.values, Event.Lane.OTHER),
        source=findings.clean(texts.get("source", ""))[:64],
        zone=given_zone,
        given=given,
        in_report=texts.get("in_report", "yes") != "no",
        discovered_at=_moment(texts.get("discovered", ""), zone),
        provenance={"file": record.line},
        added_by=actor,
        **_span(texts, zone),
    )
    if uuid := _uuid(texts.get("event_uuid", "")):
        event.uuid = uuid
    event.clean_fields(exclude=["case", "added_by"])
    if event.until and event.until <= event.at:
        raise ValidationError("It ends before it begins.")
    lists = record.lists
    return _Draft(
        event, _uses(lists.get("techniques", [])), [tag for tag in lists.get("tag", []) if _is_tag(tag)][:20],
        _pairs(lists.get("devices_and_accounts", []), Asset.Kind.values),
        _pairs(lists.get("indicators", []), Indicator.Kind.values),
    )  # fmt: skip


def _first(texts: Mapping[str, str], names: Iterable[str]) -> str:
    return next((texts[name] for name in names if texts.get(name, "").strip()), "")


def _time(texts: Mapping[str, str], zone: str) -> tuple[datetime, str, str]:
    said = _first(texts, _TIMES).strip()
    if not said:
        raise ValidationError(f"It has no time. {_HOW}")
    if _MICROSECONDS.fullmatch(said):
        said = f"{datetime.fromtimestamp(int(said) / 1_000_000, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    when = times.read(said.replace(" UTC", "Z"), zone=zone)
    # What was exported names the zone that a person wrote it in.
    own = "event_uuid" in texts
    named = texts.get("zone", "") if own else when.zone
    return when.at, findings.clean(named)[:64], findings.clean(texts.get("given", "") if own else when.given)[:120]


def _span(texts: Mapping[str, str], zone: str) -> dict[str, Any]:
    precision = _choice(texts.get("precision", ""), Event.Precision.values, Event.Precision.EXACT)
    until = _moment(texts.get("until", ""), zone) if precision == Event.Precision.BETWEEN else None
    return {"precision": precision if until or precision != Event.Precision.BETWEEN else "exact", "until": until}


def _moment(text: str, zone: str) -> datetime | None:
    return times.parse(text, zone)[0] if text.strip() else None


def _choice(text: str, known: Sequence[str], otherwise: str) -> str:
    return text if text in known else otherwise


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _is_tag(text: str) -> bool:
    try:
        TAG(text.lower())
    except ValidationError:
        return False
    return True


def _uses(texts: Sequence[str]) -> list[findings.Use]:
    uses = []
    for text in texts[:20]:
        number, _, tactic = text.partition(" ")
        if attack.ID.fullmatch(number):
            uses.append(findings.Use(number, tactic[:40] if tactic in attack.release().tactics else ""))
    return findings.uses_of(uses)


def _pairs(texts: Sequence[str], kinds: Sequence[str]) -> list[tuple[str, str]]:
    pairs = (text.partition(":") for text in texts[:50])
    return [(kind, value.strip()) for kind, _, value in pairs if kind in kinds and value.strip()]


@transaction.atomic
def _keep(case: Case, actor: User, drafts: list[_Draft], name: str, sha256: str) -> Outcome:
    Case.objects.select_for_update().get(pk=case.pk)  # two imports of one file at the same time
    there = set(Event.objects.filter(case=case).values_list("at", "title"))
    # A uuid that is another case's is not this event's: a copy of it gets one of its own.
    taken = dict(Event.objects.filter(uuid__in=[one.event.uuid for one in drafts]).values_list("uuid", "case_id"))
    new: list[_Draft] = []
    for draft in drafts:
        event = draft.event
        if taken.get(event.uuid) == case.pk or (event.at, event.title) in there:
            continue
        if event.uuid in taken:
            event.uuid = Event._meta.get_field("uuid").get_default()
        taken[event.uuid] = case.pk
        there.add((event.at, event.title))
        event.technique = draft.uses[0].technique if draft.uses else ""
        event.provenance = {"file": name[:255], "row": event.provenance["file"], "file_sha256": sha256}
        new.append(draft)
    index.write_many("event", Event.objects.bulk_create([draft.event for draft in new], batch_size=500))
    _link(case, actor, new)
    if new:
        log.record("event.imported", case=case, actor=actor, title=name[:255], count=len(new), sha256=sha256)
    return Outcome(len(new), len(drafts) - len(new))


def _link(case: Case, actor: User, new: Sequence[_Draft]) -> None:
    version = attack.release().version[:40]
    used = [(draft.event, use) for draft in new for use in draft.uses]
    rows = (EventTechnique(event=e, technique=u.technique, tactic=u.tactic, version=version) for e, u in used)
    EventTechnique.objects.bulk_create(rows, batch_size=500)
    names = list(dict.fromkeys(tag.lower() for draft in new for tag in draft.tags))
    FindingTag.objects.bulk_create([FindingTag(case=case, name=one) for one in names], ignore_conflicts=True)
    tags: dict[str, Any] = {tag.name: tag.pk for tag in FindingTag.objects.filter(case=case, name__in=names)}
    _through(Event.tags.through, "findingtag_id", [(d.event, tags[tag.lower()]) for d in new for tag in d.tags])
    assets, indicators = _things(case, actor, new)
    _through(Event.assets.through, "asset_id", [(d.event, assets[p]) for d in new for p in d.assets if p in assets])
    named = [(d.event, indicators[p]) for d in new for p in d.indicators if p in indicators]
    _through(Event.indicators.through, "indicator_id", named)


def _through(model: Any, field: str, pairs: Iterable[tuple[Event, int]]) -> None:
    rows = dict.fromkeys((event.pk, pk) for event, pk in pairs)
    model.objects.bulk_create([model(**{"event_id": event, field: pk}) for event, pk in rows], batch_size=500)


def _things(
    case: Case, actor: User, new: Sequence[_Draft]
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """The assets and indicators that the file names, those that are new to the case added; what is no such thing is
    left out."""
    assets, indicators = {}, {}
    for kind, name in dict.fromkeys(pair for draft in new for pair in draft.assets):
        try:
            assets[kind, name] = findings.add_asset(case=case, actor=actor, kind=kind, name=name)[0].pk
        except ValidationError:
            continue
    for kind, value in dict.fromkeys(pair for draft in new for pair in draft.indicators):
        try:
            indicators[kind, value] = findings.add_indicator(case=case, actor=actor, kind=kind, value=value)[0].pk
        except ValidationError:
            continue
    return assets, indicators
