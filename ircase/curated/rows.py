"""The timeline as a list: events, and what the case's own records say of the defenders, in one order of time.

Records stay where they are: a milestone, a phase, an action or a collection is shown among the events and never copied.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce
from django.urls import NoReverseMatch, reverse

from ircase.curated.asking import Filter, events
from ircase.models import Activity, Case, Event, EventTechnique, ItemChange, Milestone, PhaseEntry

WORK: Final = (Activity.Kind.ACTION, Activity.Kind.COLLECTION)
MOST: Final = 20_000
OFFERED: Final = 200


class Key(NamedTuple):
    """One line, before it is read: `what` it is ("event", or one of `EXTRAS`), and its row's `pk`."""

    moment: datetime
    what: str
    pk: int
    lane: str


@dataclass
class Names:
    """What an event names, as the list shows it: (uuid, words) and (technique, tactic)."""

    assets: list[tuple[str, str]] = field(default_factory=list)
    indicators: list[tuple[str, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    techniques: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One line: an `event`, or a record of the case with its `title`. `moment` is the time it is ordered by."""

    moment: datetime
    lane: str
    event: Event | None = None
    names: Names = field(default_factory=Names)
    title: str = ""
    detail: str = ""
    url: str = ""
    icon: str = "shield"


def keys(case: Case, asked: Filter) -> list[Key]:
    """Everything that is shown, in order, in one query; the first `MOST` of it."""
    parts: list[QuerySet[Any, Any]] = [_keys(events(case, asked).order_by(), "event", F("lane"))]
    if not asked.only_events:
        lane = Value(Event.Lane.DEFENDER.value, CharField())
        parts += [_keys(found, name, lane) for name, found in _records(case, asked).items() if name in asked.extras]
    found = parts[0].union(*parts[1:], all=True) if parts[1:] else parts[0]
    return [Key(*row) for row in found.order_by("moment", "what", "pk")[:MOST]]


def _keys(found: QuerySet[Any], what: str, lane: Any) -> QuerySet[Any, Any]:
    made: QuerySet[Any, Any] = found.annotate(what=Value(what, CharField()), of_lane=lane)
    keyed: QuerySet[Any, Any] = made.values_list("moment", "what", "pk", "of_lane")
    return keyed


def _records(case: Case, asked: Filter) -> dict[str, QuerySet[Any]]:
    work = Activity.objects.filter(case=case, kind__in=WORK)
    found: dict[str, tuple[QuerySet[Any], tuple[str, ...]]] = {
        "milestones": (Milestone.objects.filter(case=case).annotate(moment=F("at")), ("kind", "note")),
        "phases": (PhaseEntry.objects.filter(case=case).annotate(moment=F("entered_at")), ("phase", "reason")),
        "checklist": (ItemChange.objects.filter(item__case=case).annotate(moment=F("at")), ("item__title", "note")),
        "work": (work.annotate(moment=Coalesce("started_at", "requested_at")), ("title", "outcome")),
    }
    return {name: _narrow(rows, texts, asked) for name, (rows, texts) in found.items()}


def _narrow(rows: QuerySet[Any], texts: Sequence[str], asked: Filter) -> QuerySet[Any]:
    for word in asked.q.split():
        said = Q()
        for text in texts:
            said |= Q(**{f"{text}__icontains": word})
        rows = rows.filter(said)
    if asked.since:
        rows = rows.filter(moment__gte=asked.since)
    if asked.until:
        rows = rows.filter(moment__lt=asked.until)
    return rows.order_by()


def page(case: Case, found: Sequence[Key], number: Any, per_page: int) -> Any:
    """A Django page of `keys` whose `object_list` is rows. One query for each kind of thing on it, and its own."""
    shown: Any = Paginator(found, per_page).get_page(number)
    shown.object_list = rows_of(case, list(shown.object_list))
    return shown


def rows_of(case: Case, found: Sequence[Key]) -> list[Row]:
    """The rows of some keys; what was taken away since they were read is left out."""
    wanted: dict[str, list[int]] = {}
    for key in found:
        wanted.setdefault(key.what, []).append(key.pk)
    things: Mapping[str, Mapping[int, Any]] = {
        what: {one.pk: one for one in _things(what).filter(pk__in=pks)} for what, pks in wanted.items()
    }
    names = names_of(wanted.get("event", []))
    return [_row(case, key, things[key.what][key.pk], names) for key in found if key.pk in things[key.what]]


def names_of(events: Sequence[int]) -> dict[int, Names]:
    """What these events name, by their pk: one query."""
    text = CharField()
    none = Value("", text)
    assets, indicators = Event.assets.through.objects, Event.indicators.through.objects
    parts: list[tuple[str, QuerySet[Any], Any, Any]] = [
        ("asset", assets.all(), Cast("asset__uuid", text), F("asset__name")),
        ("indicator", indicators.all(), Cast("indicator__uuid", text), F("indicator__value")),
        ("tag", Event.tags.through.objects.all(), F("findingtag__name"), none),
        ("technique", EventTechnique.objects.all(), F("technique"), F("tactic")),
    ]
    rows = [
        rows.filter(event__in=events)
        .annotate(what=Value(what, text), a=a, b=b)
        .order_by()
        .values_list("event_id", "what", "pk", "a", "b")
        for what, rows, a, b in parts
    ]
    found: dict[int, Names] = defaultdict(Names)
    for event, what, _, a, b in rows[0].union(*rows[1:], all=True).order_by("what", "pk") if events else ():
        match what:
            case "asset":
                found[event].assets.append((str(UUID(a)), b))
            case "indicator":
                found[event].indicators.append((str(UUID(a)), b))
            case "tag":
                found[event].tags.append(a)
            case _:
                found[event].techniques.append((a, b))
    return found


def of_events(case: Case, events: Sequence[Event]) -> list[Row]:
    """These events as lines, in their own order."""
    names = names_of([one.pk for one in events])
    return [Row(one.at, one.lane, event=one, names=names.get(one.pk, Names())) for one in events]


def _things(what: str) -> QuerySet[Any]:
    match what:
        case "event":
            return Event.objects.defer("row")
        case "milestones":
            return Milestone.objects.select_related("set_by")
        case "phases":
            return PhaseEntry.objects.select_related("moved_by")
        case "checklist":
            return ItemChange.objects.select_related("item", "by")
    return Activity.objects.select_related("requested_by")


def _row(case: Case, key: Key, thing: Any, names: Mapping[int, Names]) -> Row:
    lane, at = Event.Lane.DEFENDER, key.moment
    match key.what:
        case "event":
            return Row(at, thing.lane, event=thing, names=names.get(thing.pk, Names()))
        case "milestones":
            said = f"{thing.note} – {thing.set_by.name}" if thing.note else thing.set_by.name
            return Row(at, lane, title=f"Milestone: {thing.get_kind_display()}", detail=said, icon="flag",
                       url=reverse("ircase:case", args=[case.reference]))  # fmt: skip
        case "phases":
            said = f"{thing.reason} – {thing.moved_by.name}" if thing.reason else thing.moved_by.name
            return Row(at, lane, title=f"Phase: {thing.get_phase_display()}", detail=said, icon="list-checks",
                       url=reverse("ircase:checklist", args=[case.reference]))  # fmt: skip
        case "checklist":
            said = " – ".join(filter(None, [thing.note, thing.by.name if thing.by else ""]))
            url = reverse("ircase:checklist_item", args=[case.reference, thing.item_id])
            title = f"{thing.get_state_display()}: {thing.item.title}"
            return Row(at, lane, title=title, detail=said, icon="square-check", url=url)
    detail = " – ".join(filter(None, [thing.get_kind_display(), thing.outcome, thing.requested_by.name]))
    icon = "zap" if thing.kind == Activity.Kind.ACTION else "package"
    return Row(at, lane, title=thing.title, detail=detail, icon=icon, url=_page_of(case, thing))


def _page_of(case: Case, activity: Activity) -> str:
    try:
        return reverse(activity.url_name, args=[case.reference, activity.subject])
    except NoReverseMatch:
        return ""


@dataclass(frozen=True)
class Others:
    """What the filter offers of the case, by what its events name: (value of the address, words)."""

    techniques: list[str]
    assets: list[tuple[str, str]]
    indicators: list[tuple[str, str]]
    tags: list[str]


def others(case: Case) -> Others:
    """One query. Of each kind the first 200 by name."""
    text = CharField()
    parts: dict[str, QuerySet[Any]] = {
        "assets": case.assets.filter(events__case=case).annotate(named=Cast("uuid", text), words=F("name")),
        "indicators": case.indicators.filter(events__case=case).annotate(named=Cast("uuid", text), words=F("value")),
        "tags": case.finding_tags.filter(events__case=case).annotate(named=F("name"), words=F("name")),
        "techniques": EventTechnique.objects.filter(event__case=case).annotate(
            named=F("technique"), words=F("technique")
        ),
    }
    rows = [
        found.annotate(what=Value(what, text)).order_by().values_list("what", "words", "named").distinct()
        for what, found in parts.items()
    ]
    lists: dict[str, list[tuple[str, str]]] = {what: [] for what in parts}
    for what, words, key in rows[0].union(*rows[1:]).order_by("what", "words")[:MOST]:
        if len(lists[what]) < OFFERED:
            lists[what].append((str(UUID(key)) if what in ("assets", "indicators") else key, words))
    return Others(
        [key for key, _ in lists["techniques"]], lists["assets"], lists["indicators"], [key for key, _ in lists["tags"]]
    )
