"""What is copied from one case into another, for splitting and for merging: a copy says all that its origin says, and
where it came from. Written in bulk, so that the search is told here."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ircase.models import Asset, Case, ChecklistItem, Event, EventTechnique, FindingTag, Indicator, User
from ircase.search import index

FIELDS: Final[dict[Any, tuple[str, ...]]] = {
    Asset: ("kind", "name", "identifier", "description", "compromise", "details"),
    Indicator: (
        "kind", "value", "value_digest", "tlp", "pap", "verdict", "verdict_reason", "verdict_by", "verdict_at",
        "expires_at", "first_seen", "last_seen", "description",
    ),
    Event: (
        "at", "until", "precision", "zone", "given", "discovered_at", "title", "technique", "lane", "source", "row",
        "in_report", "description",
    ),
    ChecklistItem: (
        "phase", "title", "guidance", "r2_step", "csf_outcome", "required", "proof_rule", "suggested_hunts",
        "suggested_collections", "suggested_actions",
    ),
}  # fmt: skip
_KINDS: Final = {Asset: "asset", Indicator: "indicator", Event: "event", ChecklistItem: "item"}


def values_of(row: Any) -> dict[str, Any]:
    """What a copy of the row says."""
    return {name: getattr(row, name) for name in FIELDS[type(row)]}


def keep(model: Any, rows: Iterable[Any]) -> list[Any]:
    """New rows of one kind, findable at once."""
    made: list[Any] = model.objects.bulk_create(rows, batch_size=500)
    index.write_many(_KINDS[model], made)
    return made


def findings(model: Any, rows: Iterable[Any], into: Case, actor: User, way: str, link: str) -> dict[int, Any]:
    """Key of the origin -> its copy. `way` is "split" or "merge", `link` the uuid of the link between the cases."""
    origins = list(rows)
    copies = keep(
        model,
        [
            model(case=into, added_by=actor, provenance={way: link, "finding": str(row.uuid)}, **values_of(row))
            for row in origins
        ],
    )
    return {row.pk: copy for row, copy in zip(origins, copies, strict=True)}


def join(
    events: Iterable[Event], copies: Mapping[int, Event], assets: Mapping[int, Asset],
    indicators: Mapping[int, Indicator],
) -> None:  # fmt: skip
    """What an event says of techniques, assets and indicators, its copy says too. `assets` and `indicators` are what
    stands for each in the other case, by the origin's key. Prefetch what the events are linked with."""
    techniques, of_assets, of_indicators = [], [], []
    for event in events:
        copy = copies[event.pk]
        techniques += [
            EventTechnique(event=copy, technique=one.technique, tactic=one.tactic, version=one.version)
            for one in event.techniques.all()
        ]
        of_assets += [Event.assets.through(event=copy, asset=assets[one.pk]) for one in event.assets.all()]
        of_indicators += [
            Event.indicators.through(event=copy, indicator=indicators[one.pk]) for one in event.indicators.all()
        ]
    EventTechnique.objects.bulk_create(techniques, batch_size=500)
    Event.assets.through.objects.bulk_create(of_assets, batch_size=500)
    Event.indicators.through.objects.bulk_create(of_indicators, batch_size=500)


def tags(into: Case, through: Any, name: str, copies: Mapping[int, Any]) -> None:
    """The copies bear the words that their origins bear, as tags of their own case."""
    pairs = list(through.objects.filter(**{f"{name}__in": list(copies)}).values_list(name, "findingtag__name"))
    for word in {word for _, word in pairs}:
        FindingTag.objects.get_or_create(case=into, name=word)
    known = {tag.name: tag for tag in FindingTag.objects.filter(case=into)} if pairs else {}
    through.objects.bulk_create(
        (through(**{name: copies[pk], "findingtag": known[word]}) for pk, word in pairs), batch_size=500
    )
