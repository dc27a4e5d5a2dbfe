"""What can be found: a source for each kind, registered when Django starts. The case does not know those of the apps
above; they register theirs."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Model, QuerySet
from django.db.models.signals import post_delete, post_save

from ircase.models import SearchEntry

MARK_NAMES: Final = ("kind", "technique")


@dataclass(frozen=True)
class Draft:
    """What the search is to know of one thing. `also` is found, but never shown; `marks` are pairs of MARK_NAMES and a
    value in small letters. `case_id` None: everybody may find it."""

    case_id: int | None
    subject: uuid.UUID
    title: str
    at: datetime
    body: str = ""
    also: tuple[str, ...] = ()
    marks: tuple[tuple[str, str], ...] = ()
    status: str = ""
    owner_id: int | None = None
    place: str = ""
    part: int = 0


@dataclass(frozen=True)
class Source:
    """One kind. `draft` makes of a row of `model` what is kept, None where it is not to be found. `url` is the page of
    a find; its `case` is loaded. `related` is what `draft` follows, for many rows at once."""

    kind: str
    label: str
    one: str
    icon: str
    model: type[Model]
    draft: Callable[[Any], Draft | None]
    url: Callable[[SearchEntry], str]
    related: tuple[str, ...] = ()
    rows: Callable[[], QuerySet[Any]] | None = None
    extra: Callable[[], Iterable[Draft]] | None = None  # of what has no row: read from files when the site is set up
    shared: bool = False  # its entries are everybody's: they have no case
    order: int = 50  # where it stands on the page

    def all_rows(self) -> QuerySet[Any]:
        """Every row that may have an entry."""
        found = self.rows() if self.rows else self.model._base_manager.all()
        return found.select_related(*self.related) if self.related else found


_sources: dict[str, Source] = {}


def register(source: Source, write: Callable[[Source, Any], None], drop: Callable[[Source, Any], None]) -> None:
    """From now on every save of a row of the source's model writes its entry, in the same transaction."""
    _sources[source.kind] = source
    uid = f"search:{source.kind}"

    def saved(instance: Any, raw: bool = False, **_: Any) -> None:
        if not raw:
            write(source, instance)

    def deleted(instance: Any, **_: Any) -> None:
        drop(source, instance)

    post_save.connect(saved, sender=source.model, weak=False, dispatch_uid=uid)
    post_delete.connect(deleted, sender=source.model, weak=False, dispatch_uid=uid)


def source_of(kind: str) -> Source | None:
    return _sources.get(kind)


def sources() -> Iterator[Source]:
    """In the order of the page."""
    yield from sorted(_sources.values(), key=lambda source: source.order)


def numbered(pk: int) -> uuid.UUID:
    """The subject of a row that has a number and no uuid."""
    return uuid.UUID(int=pk)


def subject_of(row: Any) -> uuid.UUID:
    found: uuid.UUID = getattr(row, "uuid", None) or numbered(row.pk)
    return found
