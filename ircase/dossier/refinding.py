"""Assets, indicators and the timeline of an export as rows of a new case."""

import hashlib
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.utils import timezone

from ircase.attack import ID
from ircase.dossier.reading import Row, choice, data, moment, text, who
from ircase.dossier.recalling import origins
from ircase.dossier.recalling.scene import Rows, Scene, name_of, new_uuid
from ircase.dossier.recalling.values import plain_json
from ircase.models import Asset, Case, Event, EventTechnique, FindingTag, Indicator, Pap, Tlp
from ircase.models.findings import TAG


def rebuild(scene: Scene) -> None:
    """They are in `scene.known` afterwards, for what names them."""
    tags = _tags(scene.case, [*scene.rows("indicators"), *scene.rows("timeline")])
    known = scene.known
    known["assets"].update(_assets(scene))
    known["indicators"].update(_indicators(scene, tags))
    known["timeline"].update(_timeline(scene))
    events = known["timeline"]
    there = {"assets": known["assets"], "indicators": known["indicators"], "tags": tags}
    for name, found in there.items():
        _tie(name, scene.rows("timeline"), events, found)
    _techniques(scene.rows("event_techniques"), events)


def _tie(name: str, rows: Rows, events: Mapping[str, Event], there: Mapping[str, Any]) -> None:
    through = getattr(Event, name).through
    other = Event._meta.get_field(name).m2m_reverse_field_name()  # type: ignore[union-attr]
    links = (
        through(event_id=events[name_of(row)].pk, **{f"{other}_id": one.pk})
        for row in rows
        if name_of(row) in events
        for one in {found.pk: found for found in _known(row, name, there)}.values()
    )
    while part := list(islice(links, 500)):
        through.objects.bulk_create(part, ignore_conflicts=True)


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


def _assets(scene: Scene) -> dict[str, Asset]:
    assets: dict[tuple[str, str], tuple[str, Asset]] = {}
    for row in scene.rows("assets"):
        asset = Asset(
            kind=choice(row, "kind", Asset.Kind, Asset.Kind.OTHER),
            name=text(row, "name", 255),
            identifier=text(row, "identifier", 255),
            compromise=choice(row, "compromise", Asset.Compromise, Asset.Compromise.UNKNOWN),
            details=plain_json(data(row, "details", dict)),
            **_shared(row, scene),
        )
        if not asset.name or (asset.kind, asset.name) in assets:
            scene.aside("assets", row, "It has no name, or there is another of that kind and name.")
        else:
            assets[asset.kind, asset.name] = (name_of(row), asset)
    made = Asset.objects.bulk_create([asset for _, asset in assets.values()], batch_size=500)
    return {key: asset for (key, _), asset in zip(assets.values(), made, strict=True)}


def _indicators(scene: Scene, tags: Mapping[str, FindingTag]) -> dict[str, Indicator]:
    found: dict[tuple[str, str], tuple[Row, Indicator]] = {}
    for row in scene.rows("indicators"):
        value = text(row, "value", 2048)
        indicator = Indicator(
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
            verdict_by=scene.people.of(row.get("verdict_by")),
            **_shared(row, scene),
        )
        if not value or (indicator.kind, indicator.value_digest) in found:
            scene.aside("indicators", row, "It has no value, or there is another of that kind and value.")
        else:
            found[indicator.kind, indicator.value_digest] = (row, indicator)
    made = Indicator.objects.bulk_create([indicator for _, indicator in found.values()], batch_size=500)
    links = Indicator.tags.through
    links.objects.bulk_create(
        [
            links(indicator_id=indicator.pk, findingtag_id=tag.pk)
            for (row, _), indicator in zip(found.values(), made, strict=True)
            for tag in dict.fromkeys(_known(row, "tags", tags))
        ],
        batch_size=500,
    )
    return {text(row, "_id", 64): indicator for (row, _), indicator in zip(found.values(), made, strict=True)}


def _timeline(scene: Scene) -> dict[str, Event]:
    events: dict[str, Event] = {}
    for row in scene.rows("timeline"):
        at, until = moment(row, "at"), moment(row, "until")
        if at is None or name_of(row) in events:
            scene.aside("timeline", row, "It has no time that can be read, or there is another of that name.")
            continue
        precision = choice(row, "precision", Event.Precision, Event.Precision.EXACT)
        between = precision == Event.Precision.BETWEEN and until is not None and until > at
        if precision == Event.Precision.BETWEEN and not between:
            precision = Event.Precision.AFTER
        events[name_of(row)] = Event(
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
            row=plain_json(data(row, "row", dict)),
            in_report=row.get("in_report") is not False,
            **_shared(row, scene),
        )
    Event.objects.bulk_create(events.values(), batch_size=500)
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


def _shared(row: Row, scene: Scene) -> dict[str, Any]:
    return {
        "case": scene.case,
        "uuid": new_uuid(scene.case, name_of(row)) if name_of(row) else uuid4(),
        "description": text(row, "description"),
        "provenance": _provenance(row, scene),
        "added_by": scene.people.of(row.get("added_by")) or scene.people.somebody(),
        "added_at": moment(row, "added_at") or timezone.now(),
    }


def _provenance(row: Row, scene: Scene) -> dict[str, Any]:
    """Where the fact was read, and which case it came from."""
    was = origins.here(plain_json(data(row, "provenance", dict)), scene)
    return {**was, "imported": scene.old_reference, "by_name": was.get("by_name") or who(row.get("added_by"))}
