"""Writing the index. A save of a registered model writes its entry by itself; what is written in bulk says so here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from ircase.models import Case, SearchEntry
from ircase.search import sources, words
from ircase.search.sources import Draft, Source

T = TypeVar("T")
_BATCH = 500
_BODY = 20_000  # characters that are kept to be shown; all words are found
_WRITTEN = ("case", "title", "body", "words", "status", "owner", "place", "at", "updated_at")


def register(source: Source) -> None:
    """Make a kind of thing findable; called when Django starts."""
    sources.register(source, _write_one, _drop_one)


def _write_one(source: Source, row: Any) -> None:
    draft = source.draft(row)
    if draft is None:
        _drop_one(source, row)
    else:
        keep([entry_of(source.kind, draft)])


def _drop_one(source: Source, row: Any) -> None:
    SearchEntry.objects.filter(kind=source.kind, subject=sources.subject_of(row)).delete()


def entry_of(kind: str, draft: Draft) -> SearchEntry:
    """The row of `draft`, not saved."""
    title, body = _whole(draft.title), _whole(draft.body)
    marks = [f"kind={kind}", *(f"{name}={value}" for name, value in draft.marks)]
    tokens: Any = words.tokens([title, body, *map(_whole, draft.also)], marks)
    return SearchEntry(
        case_id=draft.case_id,
        kind=kind,
        subject=draft.subject,
        part=draft.part,
        title=title[:300],
        body=body[:_BODY],
        words=tokens,
        status=draft.status[:16],
        owner_id=draft.owner_id,
        place=draft.place[:140],
        at=draft.at,
        updated_at=timezone.now(),
    )


def _whole(text: str) -> str:
    """Neither database keeps lone surrogates, and PostgreSQL no NUL."""
    return text.replace("\x00", "\u2400").encode("utf-8", "replace").decode()


def keep(entries: Iterable[SearchEntry]) -> None:
    """Write entries, in place of those of the same subject and part."""
    SearchEntry.objects.bulk_create(
        entries,
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["kind", "subject", "part"],
        update_fields=list(_WRITTEN),
    )


def write_many(kind: str, rows: Iterable[Any]) -> None:
    """The entries of rows that were written without `save()`, in the caller's transaction."""
    source = sources.source_of(kind)
    if source is not None:
        drafts = (source.draft(row) for row in rows)
        keep(entry_of(kind, draft) for draft in drafts if draft is not None)


def write_status(kind: str, rows: Iterable[Any], status: str) -> None:
    """The state of things has moved on, without a `save()`."""
    subjects = [sources.subject_of(row) for row in rows]
    SearchEntry.objects.filter(kind=kind, subject__in=subjects).update(status=status, updated_at=timezone.now())


@transaction.atomic
def index_case(case: Case) -> None:
    """Everything of one case anew: it was written past the models, as an import does."""
    for source in sources.sources():
        if any(field.name == "case" for field in source.model._meta.concrete_fields):
            write_many(source.kind, source.all_rows().filter(case=case).iterator(chunk_size=_BATCH))


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of `size`, the last one shorter."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part


@dataclass(frozen=True)
class Difference:
    """What of one kind the index lacked, had otherwise, and had too much."""

    kind: str
    rows: int
    missing: int
    stale: int
    orphans: int

    @property
    def is_sound(self) -> bool:
        return not (self.missing or self.stale or self.orphans)


def compare(kind: str, *, mend: bool) -> Difference:
    """The index of one kind against its rows, everything read once; with `mend` made good on the way."""
    source = sources.source_of(kind)
    assert source is not None
    rows = missing = stale = 0
    seen: set[Any] = set()
    for batch in batched(_drafts(source), _BATCH):
        drafts = {draft.subject: draft for draft in batch}
        wrong, absent = _wrong(kind, drafts)
        rows, missing, stale = rows + len(drafts), missing + absent, stale + len(wrong) - absent
        seen.update(subject.int for subject in drafts)
        if mend:
            keep(entry_of(kind, draft) for draft in wrong)
    orphans = list(_orphans(kind, seen))
    if mend:
        for some in batched(orphans, _BATCH):
            SearchEntry.objects.filter(pk__in=some).delete()
    return Difference(kind, rows, missing, stale, len(orphans))


def _drafts(source: Source) -> Iterator[Draft]:
    for row in source.all_rows().order_by("pk").iterator(chunk_size=_BATCH):
        draft = source.draft(row)
        if draft is not None:
            yield draft
    yield from source.extra() if source.extra else ()


def write_extra() -> None:
    """What has no row; when a site is set up or brought up to date."""
    for source in sources.sources():
        if source.extra is not None:
            keep(entry_of(source.kind, draft) for draft in source.extra())


def _wrong(kind: str, drafts: dict[Any, Draft]) -> tuple[list[Draft], int]:
    """Those that the index lacks or has otherwise, and how many it lacks."""
    found = SearchEntry.objects.filter(kind=kind, subject__in=drafts, part=0).defer("words")
    known = {entry.subject: _shown(entry) for entry in found}
    wrong = [draft for draft in drafts.values() if known.get(draft.subject) != _shown(entry_of(kind, draft))]
    return wrong, sum(draft.subject not in known for draft in wrong)


def _shown(entry: SearchEntry) -> tuple[Any, ...]:
    return (entry.case_id, entry.title, entry.body, entry.status, entry.owner_id, entry.place, entry.at)


def _orphans(kind: str, seen: set[int]) -> Iterator[int]:
    for pk, subject in SearchEntry.objects.filter(kind=kind).values_list("pk", "subject").iterator():
        if subject.int not in seen:
            yield pk
