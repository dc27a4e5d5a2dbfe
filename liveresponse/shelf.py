"""Every collection as people have it: what IRCase ships (liveresponse.catalogue) together with what the team saved.

Of a saved one the version in use is the newest that is approved, or that needs no review because it runs nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from liveresponse.catalogue import Definition, DefinitionError, definition_from
from liveresponse.catalogue import definitions as shipped
from liveresponse.models import Batch, Collection, CollectionVersion, SavedCollection


class Review(StrEnum):
    """Where a collection stands, in the hunts' words."""

    SHIPPED = "shipped"
    APPROVED = "approved"
    DRAFT = "draft"
    RETIRED = "retired"


@dataclass(frozen=True)
class Entry:
    """A collection in the library. `used` is the version that may be asked for, None while nobody has approved one;
    `newest` the last one saved, both None where no version can be read by this IRCase. `waits` says that the newest
    waits for a second person."""

    id: str
    review: Review
    newest: Definition | None
    used: Definition | None
    waits: bool = False
    author: str = ""

    @property
    def shown(self) -> Definition | None:
        """What a list tells of it."""
        return self.used or self.newest

    @property
    def saved(self) -> bool:
        return self.review is not Review.SHIPPED


def entries(*, retired: bool = False) -> list[Entry]:
    """The whole library: the shipped ones, then the saved ones by id. Two queries."""
    own = [Entry(plan.id, Review.SHIPPED, plan, plan) for plan in shipped().values()]
    return own + [entry for entry in _saved() if retired or entry.review is not Review.RETIRED]


def entry(collection_id: str) -> Entry | None:
    """One collection by id, a retired one too."""
    plan = shipped().get(collection_id)
    if plan is not None:
        return Entry(plan.id, Review.SHIPPED, plan, plan)
    return next(iter(_saved(collection_id)), None)


def definitions() -> Mapping[str, Definition]:
    """Every collection that may be asked for now, by id."""
    return MappingProxyType({each.id: each.used for each in entries() if each.used is not None})


def definition(name: str) -> Definition | None:
    """A collection that may be asked for now, by id. A shipped one costs no query."""
    found = entry(name)
    return None if found is None or found.review is Review.RETIRED else found.used


def version(collection_id: str, number: int) -> Definition | None:
    """A saved collection as one of its versions has it."""
    row = CollectionVersion.objects.filter(saved__slug=collection_id, number=number).select_related("saved").first()
    return _read(row) if row is not None else None


def plan_of(row: Collection | Batch) -> Definition | None:
    """The definition a job was asked with: it keeps its own, so that an edit changes nothing that runs. None where it
    cannot be read by this IRCase."""
    if not row.plan:
        found = shipped().get(row.definition)
        return found if found is not None and found.version == row.version else None
    try:
        return definition_from(row.plan)
    except DefinitionError:
        return None


def using(names: Iterable[str]) -> dict[str, list[Definition]]:
    """Which collections that may be asked for use each library file, by the file's name in lower case."""
    wanted = {name.lower() for name in names}
    found: dict[str, list[Definition]] = {}
    for plan in definitions().values():
        for name in plan.files:
            if name.lower() in wanted:
                found.setdefault(name.lower(), []).append(plan)
    return found


def _saved(slug: str = "") -> list[Entry]:
    rows = SavedCollection.objects.filter(slug=slug) if slug else SavedCollection.objects.all()
    return [_entry_of(row, list(row.versions.all())) for row in rows.prefetch_related("versions__author")]


def _entry_of(saved: SavedCollection, versions: list[CollectionVersion]) -> Entry:
    newest = versions[0] if versions else None
    used = next((row for row in versions if row.is_usable), None)
    review = Review.RETIRED if saved.retired_at else Review.APPROVED if used is not None else Review.DRAFT
    return Entry(
        saved.slug,
        review,
        _read(newest, saved.slug),
        _read(used, saved.slug),
        waits=newest is not None and not newest.is_usable,
        author=newest.author.name if newest is not None else "",
    )


def _read(row: CollectionVersion | None, slug: str = "") -> Definition | None:
    if row is None:
        return None
    try:
        return definition_from({**row.content, "id": slug or row.saved.slug, "version": row.number})
    except DefinitionError:
        return None  # a version that a later IRCase does not take; its page says so
