"""One question on several sources: its runs, and their rows together, each marked by its source."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from hunting import results
from hunting.models import HuntRun, Source
from ircase import grid
from ircase.grid import Filter, GridPage
from ircase.models import Case, User
from ircase.services import log
from ircase.services.analysis.tables import columns_of
from ircase.services.transfer import exports

MARK = "Source"


@dataclass(frozen=True)
class Together:
    """The rows of the runs that have some, in one file; `columns` as `CaseTable.columns` writes them. `texts`: columns
    that hold text because the sources disagree about their type, with the types."""

    runs: tuple[HuntRun, ...]
    path: Path
    columns: list[list[str]]
    texts: dict[str, tuple[str, ...]]

    def page(self, *, offset: int, limit: int, sort: str = "", filters: Sequence[Filter] = ()) -> GridPage:
        """Raises GridError."""
        return grid.page(self.path, columns_of(self), offset=offset, limit=limit, sort=sort, filters=filters)

    def origin(self, number: int) -> tuple[HuntRun, int]:
        """The run and the row in it that row `number` (from 1) of all is: runs stand one after the other."""
        for run in self.runs:
            if number <= _rows(run):
                return run, number
            number -= _rows(run)
        raise LookupError(f"there is no row {number}")


def _rows(run: HuntRun) -> int:
    return run.table.row_count if run.table is not None else 0


def runs_of(case: Case, batch: UUID) -> list[HuntRun]:
    """The batch's runs in the order in which they were asked; of one that was run again, the last."""
    found = HuntRun.objects.for_case(case).filter(batch=batch, retries=None)
    runs = list(found.with_people().select_related("retry_of").order_by("pk"))
    for run in runs:
        run.case = run.activity.case = case
    return runs


def together(case: Case, batch: UUID) -> Together | None:
    """Their rows in one file, made when it is first asked for, without those that were destroyed; None while no run has
    any. Raises GridError."""
    runs = tuple(run for run in runs_of(case, batch) if _has_rows(run))
    if not runs:
        return None
    marks = marks_of(runs)
    parts = [grid.Part(mark, _path(run), results.columns_of(run)) for run, mark in zip(runs, marks, strict=True)]
    joined = grid.plan(parts, MARK)
    path = _file(case, batch, runs)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        grid.join(parts, joined, path)
        forget(case.pk, batch, but=path)
    return Together(runs, path, [[column.name, column.type] for column in joined.columns], joined.texts)


def _has_rows(run: HuntRun) -> bool:
    return results.has_rows(run) and run.evidence is not None and not run.evidence.is_destroyed


def marks_of(runs: Sequence[HuntRun]) -> list[str]:
    """What stands before each row: the source's name, with its place where there are several connections."""
    several = len({run.connection_id for run in runs if run.connection_id}) > 1
    names = []
    for run in runs:
        label = Source(run.source).label
        names.append(f"{label} ({run.connection.name})" if several and run.connection else label)
    return names


def _path(run: HuntRun) -> Path:
    assert run.table is not None
    return run.table.path


def _file(case: Case, batch: UUID, runs: Sequence[HuntRun]) -> Path:
    tables = hashlib.sha256("".join(str(run.table.uuid) for run in runs if run.table).encode()).hexdigest()[:16]
    return _folder(case.pk) / f"together-{batch}-{tables}.parquet"


def _folder(case: int) -> Path:
    return Path(settings.TABLES_DIR) / str(case)


def forget(case: int, batch: UUID, *, but: Path | None = None) -> None:
    """Files of this batch, as from before a further run ended; whoever reads one has it open. `case` is its key."""
    for old in _folder(case).glob(f"together-{batch}-*.parquet"):
        if old != but:
            with suppress(OSError):
                old.unlink()


def look(found: Together, actor: User) -> None:
    """Custody of each exhibit hears of it before its rows are shown."""
    for run in found.runs:
        results.look(run, actor)


def export(found: Together, kind: str, *, actor: User, wanted: exports.Wanted) -> Iterator[bytes]:
    """The rows that pass as a file. Raises GridError before the first byte and before custody is told."""
    chunks = exports.chunks_of(found, kind, wanted)
    first = next(chunks, b"")
    detail: dict[str, Any] = {"format": kind, "conditions": len(wanted.filters), "columns": len(found.columns)}
    for run in found.runs:
        assert run.evidence is not None
        log.record_custody(run.evidence, "exported", actor=actor, table="rows of several sources", **detail)
    yield first
    yield from chunks
