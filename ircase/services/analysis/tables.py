"""Case tables: rows made from evidence, there to be queried, always rebuildable."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from ircase import jobs
from ircase.models import Activity, Case, CaseTable, Evidence, ParseJob, User
from ircase.services import activity, log, waking
from ircase.services.analysis import tablesearch
from kql import Column, Table
from kql.types import KqlType


@dataclass(frozen=True)
class NewTable:
    """A finished Parquet file that is to become a case table. The file is moved, not copied."""

    name: str
    path: Path
    columns: tuple[Column, ...]
    row_count: int
    first_time: datetime | None
    last_time: datetime | None
    origin: str
    queryable: bool = True
    wildcard: bool = True


@transaction.atomic
def keep(*, evidence: Evidence, tables: Sequence[NewTable]) -> list[CaseTable]:
    """Make the files case tables of `evidence`, in place of those it had, and one version on from them."""
    had = CaseTable.objects.filter(evidence=evidence)
    version = (had.aggregate(last=Max("version"))["last"] or 0) + 1
    old = [table.path for table in had]
    had.delete()
    # Without a row nobody would find these files again, not even to destroy them. Who reads one has it open.
    transaction.on_commit(lambda: _unlink(old))
    waking.wake(evidence.case_id)
    return [_keep_one(evidence, table, version) for table in tables]


def _unlink(paths: Sequence[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _keep_one(evidence: Evidence, table: NewTable, version: int) -> CaseTable:
    row = CaseTable(
        case_id=evidence.case_id,
        evidence=evidence,
        name=table.name[:128],
        columns=[[column.name, column.type] for column in table.columns],
        version=version,
        row_count=table.row_count,
        first_time=table.first_time,
        last_time=table.last_time,
        origin=table.origin[:200],
        queryable=table.queryable,
        wildcard=table.wildcard,
    )
    row.path.parent.mkdir(parents=True, exist_ok=True)
    table.path.replace(row.path)
    row.full_clean(exclude=["case", "evidence"])
    row.save()
    tablesearch.queue(row)
    return row


class Rows(Protocol):
    """A Parquet file with its columns as `CaseTable.columns` writes them."""

    @property
    def path(self) -> Path: ...

    @property
    def columns(self) -> Any: ...


def columns_of(table: Rows) -> tuple[Column, ...]:
    return tuple(Column(name, cast(KqlType, kind)) for name, kind in table.columns)


def tables_of(case: Case) -> list[Table]:
    """Everything of the case that KQL may read, one entry per name, over all evidence that has rows of it.

    A table is a second view only where it is one in all evidence: else patterns would miss rows.
    """
    paths: dict[str, list[Path]] = defaultdict(list)
    columns: dict[str, dict[str, Column]] = defaultdict(dict)
    wildcard: set[str] = set()
    for row in CaseTable.objects.filter(case=case, queryable=True).order_by("name", "pk"):
        if row.path.is_file():
            paths[row.name].append(row.path)
            wildcard |= {row.name} if row.wildcard else set()
            for column in columns_of(row):
                columns[row.name].setdefault(column.name, column)
    return [
        Table(name, tuple(files), "parquet", tuple(columns[name].values()), name in wildcard)
        for name, files in paths.items()
    ]


@transaction.atomic
def queue_parse(*, evidence: Evidence, actor: User) -> ParseJob:
    """Read the evidence into case tables, in the background. A second call on the same evidence starts it over.

    Raises ValidationError where its bytes were destroyed, or were never here.
    """
    if evidence.is_record:
        raise ValidationError(f"{evidence.exhibit} lies elsewhere: only its record is held here, which holds no rows.")
    if evidence.is_destroyed:
        raise ValidationError(f"{evidence.exhibit} was destroyed; there is nothing left to read.")
    job = ParseJob.objects.filter(evidence=evidence).first()
    if job is not None:
        if job.is_final:
            ParseJob.objects.filter(pk=job.pk).update(
                state="queued", attempt=0, reason="", finished_at=None, problems=[], cancel_requested=False
            )
            activity.progress(job.activity, "queued")
            jobs.enqueue("ircase.parse_evidence", job.pk)
        return job
    job = ParseJob(evidence=evidence)
    job.activity = activity.begin(
        case=evidence.case,
        kind=Activity.Kind.IMPORT,
        title=f"Read {evidence.exhibit} {evidence.name} into tables",
        subject=job.uuid,
        url_name="ircase:import",
        actor=actor,
        detail={"evidence": evidence.exhibit, "name": evidence.name},
    )
    job.save()
    jobs.enqueue("ircase.parse_evidence", job.pk)
    return job


def cancel_parse(*, job: ParseJob, actor: User) -> None:
    """Ask a running import to stop; a queued one ends at once."""
    with transaction.atomic():
        ParseJob.objects.filter(pk=job.pk).unfinished().update(cancel_requested=True)
        if ParseJob.objects.filter(pk=job.pk, state="queued").update(
            state="cancelled", reason=f"Cancelled by {actor.name}"
        ):
            activity.end(job.activity, state="cancelled", outcome=f"Cancelled by {actor.name}", actor=actor)
        log.record("import.cancel_requested", case=job.evidence.case, actor=actor, exhibit=job.evidence.exhibit)
