"""CSV files of incidents: kept as they came, previewed, and read by a worker when a person has seen the preview."""

import hashlib
import json
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import jobs
from ircase.intake import csvfile, mapped
from ircase.models import IncidentFile, IncidentSource, IncomingIncident, JobState, User
from ircase.services import log
from ircase.services.incidents import incidentdoors
from ircase.services.incidents.intake import require_inbox
from ircase.work import Stopped, hold

_PROBLEMS_KEPT: Final = csvfile.MOST_ROWS


@transaction.atomic
def keep_file(*, actor: User, source: IncidentSource, name: str, content: bytes) -> IncidentFile:
    """The file, with a mapping guessed by its columns where its source has none. Raises ValidationError."""
    require_inbox(actor)
    if len(content) > csvfile.MOST_BYTES:
        raise ValidationError(f"A file of incidents may have {csvfile.MOST_BYTES // 2**20} MiB. Split it.")
    try:
        columns = csvfile.columns_of(content)
    except csvfile.BadFile as error:
        raise ValidationError(str(error)) from error
    if not source.mapping:
        source.mapping = csvfile.guess(columns)
        source.save(update_fields=["mapping"])
    return IncidentFile.objects.create(
        source=source,
        name=name.replace("\x00", "")[:255] or "incidents.csv",
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        uploaded_by=actor,
    )


@transaction.atomic
def map_columns(*, file: IncidentFile, actor: User, mapping: dict[str, Any]) -> IncidentSource:
    """Say which column is which; the next file of the same source begins with it. Raises ValidationError."""
    require_inbox(actor)
    if file.asked_at is not None:
        raise ValidationError("The file is being read, or was read already. Upload it again to map it otherwise.")
    file.source.mapping = mapping
    return incidentdoors.save_source(source=file.source, actor=actor)


@transaction.atomic
def ask(*, file: IncidentFile, actor: User) -> None:
    """Have a worker read it. Raises ValidationError."""
    require_inbox(actor)
    problems = mapped.problems_of(file.source.mapping)
    if problems:
        raise ValidationError(problems)
    if IncidentFile.objects.filter(pk=file.pk, asked_at=None).update(asked_at=timezone.now()) != 1:
        raise ValidationError("The file is being read, or was read already.")
    log.record("incident.file_asked", actor=actor, name=file.name, source=file.source.name, sha256=file.sha256)
    jobs.enqueue("ircase.read_incident_file", file.pk)


def read(file: IncidentFile) -> None:
    """What the worker does with a claimed file. Rows that were taken before it died are found again as they are."""
    rows = IncidentFile.objects.all()
    with hold(rows, file) as held:
        taken = same = 0
        problems: list[dict[str, Any]] = []
        try:
            content = bytes(file.content)
            for row in csvfile.rows_of(content, file.source.mapping, name=file.source.name, at=file.uploaded_at):
                held.check()
                before = _known(file.source, row)
                problem = row.problem or incidentdoors.keep_item(file.source, row.cells, _origin(file))
                if problem:
                    problems.append({"line": row.line, "problem": problem, "cells": row.cells})
                elif before:
                    same += 1
                else:
                    taken += 1
                held.progress(taken=taken, same=same, problems=len(problems))
        except Stopped:
            rows.end(file.pk, file.owner, JobState.CANCELLED, reason="Stopped.", taken=taken, same=same)
            return
        except csvfile.BadFile as error:
            rows.end(file.pk, file.owner, JobState.FAILED, reason=str(error), taken=taken, same=same, problems=problems)
            return
        with transaction.atomic():
            kept = json.loads(json.dumps(problems[:_PROBLEMS_KEPT]))
            if rows.end(file.pk, file.owner, JobState.DONE, taken=taken, same=same, problems=kept):
                IncidentSource.objects.filter(pk=file.source_id).update(taken_at=timezone.now())
                log.record("incident.file_taken", actor=file.uploaded_by, name=file.name, taken=taken, same=same,
                           problems=len(problems))  # fmt: skip


def _origin(file: IncidentFile) -> mapped.Origin:
    return mapped.Origin(file.source.name, file.uploaded_at, plain=True)


def _known(source: IncidentSource, row: csvfile.Row) -> bool:
    number = row.raw["id"] if row.raw else ""
    return bool(number) and IncomingIncident.objects.filter(source=source, incident_id=number).exists()


def sweep() -> None:
    """Beat's tick: files whose worker died or whose message was lost go on."""
    rows = IncidentFile.objects.filter(asked_at__isnull=False)
    for job in rows.silent().defer("content"):
        if job.attempt >= settings.MAX_ATTEMPTS:
            rows.end(job.pk, job.owner, JobState.FAILED, reason=f"Given up: {job.attempt} workers died while at it.")
        else:
            rows.hand_back(job.pk, job.owner, reason="The worker stopped answering; queued again.")
    for pk in rows.due().values_list("pk", flat=True)[:50]:
        jobs.send("ircase.read_incident_file", pk)
