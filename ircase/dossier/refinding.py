"""Assets, indicators and the timeline of an export as rows of a new case."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from ircase.attack import ID
from ircase.dossier.reading import Row, choice, data, moment, text, who
from ircase.models import Asset, Case, Event, EventTechnique, FindingTag, Indicator, Pap, Tlp, User
from ircase.models.findings import TAG

Rows = list[dict[str, Any]]


def rebuild(case: Case, actor: User, areas: Mapping[str, Rows], old: str) -> None:
    """`old` is the reference that the case had where it comes from."""
    assets = _assets(case, actor, areas["assets"], old)
    tags = _tags(case, [*areas["indicators"], *areas["timeline"]])
    indicators = _indicators(case, actor, areas["indicators"], tags, old)
    events = _timeline(case, actor, areas["timeline"], old)
    for row in areas["timeline"]:
        if event := events.get(text(row, "_id", 64)):
            event.assets.set(_known(row, "assets", assets))
            event.indicators.set(_known(row, "indicators", indicators))
            event.tags.set(_known(row, "tags", tags))
    _techniques(areas["event_techniques"], events)


def _known(row: Row, name: str, there: Mapping[str, Any]) -> list[Any]:
    return [there[str(key)] for key in data(row, name, list) if str(key) in there]


def _tags(case: Case, rows: Iterable[Row]) -> dict[str, FindingTag]:
    names = {str(name) for row in rows for name in data(row, "tags", list)}
    kept = sorted(filter(_is_tag, names))
    FindingTag.objects.bulk_create(FindingTag(case=case, name=name) for name in kept)
    return {tag.name: tag for tag in FindingTag.objects.filter(case=case)}


def _is_tag(name: str) -> bool:
    try:
        TAG(name)
    except ValidationError:
        return False
    return True


def _assets(case: Case, actor: User, rows: Rows, old: str) -> dict[str, Asset]:
    assets: dict[tuple[str, str], tuple[str, Asset]] = {}
    for row in rows:
        asset = Asset(
            case=case,
            kind=choice(row, "kind", Asset.Kind, Asset.Kind.OTHER),
            name=text(row, "name", 255),
            identifier=text(row, "identifier", 255),
            compromise=choice(row, "compromise", Asset.Compromise, Asset.Compromise.UNKNOWN),
            details=data(row, "details", dict),
            **_shared(row, actor, old),
        )
        assets.setdefault((asset.kind, asset.name), (text(row, "_id", 64), asset))
    made = Asset.objects.bulk_create(asset for _, asset in assets.values())
    return {key: asset for (key, _), asset in zip(assets.values(), made, strict=True)}


def _indicators(case: Case, actor: User, rows: Rows, tags: Mapping[str, FindingTag], old: str) -> dict[str, Indicator]:
    found: dict[tuple[str, str], tuple[Row, Indicator]] = {}
    for row in rows:
        value = text(row, "value", 2048)
        indicator = Indicator(
            case=case,
            kind=choice(row, "kind", Indicator.Kind, Indicator.Kind.OTHER),
            value=value,
            value_digest=hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest(),
            tlp=choice(row, "tlp", Tlp, Tlp.AMBER),
            pap=choice(row, "pap", Pap, Pap.AMBER),
            verdict=choice(row, "verdict", Indicator.Verdict, Indicator.Verdict.UNKNOWN),
            verdict_reason=text(row, "verdict_reason"),
            verdict_at=moment(row, "verdict_at"),
            first_seen=moment(row, "first_seen"),
            last_seen=moment(row, "last_seen"),
            expires_at=moment(row, "expires_at"),
            **_shared(row, actor, old),
        )
        if judge := who(row.get("verdict_by")):
            indicator.provenance["verdict_by_name"] = judge
        found.setdefault((indicator.kind, indicator.value_digest), (row, indicator))
    made = Indicator.objects.bulk_create(indicator for _, indicator in found.values())
    links = Indicator.tags.through
    links.objects.bulk_create(
        links(indicator_id=indicator.pk, findingtag_id=tag.pk)
        for (row, _), indicator in zip(found.values(), made, strict=True)
        for tag in dict.fromkeys(_known(row, "tags", tags))
    )
    return {text(row, "_id", 64): indicator for (row, _), indicator in zip(found.values(), made, strict=True)}


def _timeline(case: Case, actor: User, rows: Rows, old: str) -> dict[str, Event]:
    events: dict[str, Event] = {}
    for row in rows:
        at, until = moment(row, "at"), moment(row, "until")
        if at is None:
            continue
        precision = choice(row, "precision", Event.Precision, Event.Precision.EXACT)
        between = precision == Event.Precision.BETWEEN and until is not None and until > at
        if precision == Event.Precision.BETWEEN and not between:
            precision = Event.Precision.AFTER
        events[text(row, "_id", 64)] = Event.objects.create(
            case=case,
            at=at,
            until=until if between else None,
            precision=precision,
            zone=text(row, "zone", 64),
            given=text(row, "given", 120),
            discovered_at=moment(row, "discovered_at"),
            title=text(row, "title", 300),
            technique=text(row, "technique", 16),
            lane=choice(row, "lane", Event.Lane, Event.Lane.OTHER),
            source=text(row, "source", 64),
            row=data(row, "row", dict),
            in_report=row.get("in_report") is not False,
            **_shared(row, actor, old),
        )
    return events


def _techniques(rows: Rows, events: Mapping[str, Event]) -> None:
    """Those that the export lists; of an older export the one that each event names itself."""
    uses = {
        (text(row, "event", 64), text(row, "technique", 16), text(row, "tactic", 40)): text(row, "version", 40)
        for row in rows
    }
    listed = {key for key, _, _ in uses}
    uses |= {(key, event.technique, ""): "" for key, event in events.items() if key not in listed}
    EventTechnique.objects.bulk_create(
        EventTechnique(event=events[key], technique=number, tactic=tactic, version=version)
        for (key, number, tactic), version in uses.items()
        if key in events and ID.fullmatch(number)
    )


def _shared(row: Row, actor: User, old: str) -> dict[str, Any]:
    origin = {"imported": old, "by_name": who(row.get("added_by")), "was": data(row, "provenance", dict)}
    added = moment(row, "added_at") or timezone.now()
    return {"description": text(row, "description"), "provenance": origin, "added_by": actor, "added_at": added}
