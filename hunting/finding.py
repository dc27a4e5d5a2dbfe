"""What hunts add to the search: the library's texts, runs' exact KQL, and cells of notebooks."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse

from hunting.catalogue import hunts
from hunting.models import Cell, HuntRun, HuntVersion
from ircase.finder.sources import place_url, techniques
from ircase.models import SearchEntry
from ircase.search import index
from ircase.search.sources import Draft, Source, numbered

LIBRARY = "library"
# A hunt of the library is as old as IRCase: it stands below what people wrote.
_SHIPPED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def register() -> None:
    """Called when Django starts."""
    for source in _SOURCES:
        index.register(source)


def _run(run: HuntRun) -> Draft:
    return Draft(
        run.case_id, run.uuid, run.title, run.queued_at, run.kql, also=(run.prelude,), status=run.state,
        owner_id=run.requested_by_id,
    )  # fmt: skip


def _cell(cell: Cell) -> Draft | None:
    if cell.deleted_at or not cell.text:
        return None
    title = f"{cell.notebook.title}: {cell}"
    return Draft(
        cell.notebook.case_id, cell.uuid, title, cell.updated_at, cell.text, owner_id=cell.updated_by_id,
        place=f"hunting:notebook {cell.notebook.uuid}",
    )  # fmt: skip


def _version(version: HuntVersion) -> Draft:
    content: dict[str, Any] = version.content
    return Draft(
        None, numbered(version.pk), f"{content.get('title', version.saved.slug)} (version {version.number})",
        version.created_at, _body(content.get("description", ""), content.get("meaning", ""), content.get("kql", "")),
        marks=techniques(content.get("techniques", [])), owner_id=version.author_id,
        place=f"hunting:hunt {version.saved.slug}",
    )  # fmt: skip


def _shipped() -> Iterator[Draft]:
    for hunt in hunts().values():
        yield Draft(
            None, uuid.uuid5(uuid.NAMESPACE_OID, f"hunt:{hunt.id}"), hunt.title, _SHIPPED_AT,
            _body(hunt.description, hunt.meaning, hunt.kql), marks=techniques(hunt.techniques),
            place=f"hunting:hunt {hunt.id}",
        )  # fmt: skip


def _body(*texts: str) -> str:
    return "\n".join(text for text in texts if text)


def _run_url(entry: SearchEntry) -> str:
    assert entry.case is not None
    return reverse("hunting:run", args=[entry.case.reference, entry.subject])


_SOURCES = (
    Source("hunt", "Hunts that ran", "Hunt run", "crosshair", HuntRun, _run, _run_url),
    Source("cell", "Notebooks", "Cell", "book-open", Cell, _cell, place_url, related=("notebook",)),
    Source(
        LIBRARY, "Hunt library", "Hunt", "crosshair", HuntVersion, _version, place_url, related=("saved",),
        extra=_shipped, shared=True, order=60,
    ),
)  # fmt: skip
