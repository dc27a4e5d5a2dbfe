"""Exports of a case or of some exhibits: asked for, judged, thrown away. The worker's part is ircase.dossier; they are
handed out by `delivery.export_response`."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import Activity, Case, CaseExport, Evidence, JobState, User
from ircase.services import activity, log
from ircase.services.vault import handling
from ircase.store import chunks_of

TASK: Final = "ircase.export_case"
_RANGE: Final = re.compile(r"E?0*([1-9]\d{0,6})(?:\s*-\s*E?0*([1-9]\d{0,6}))?", re.IGNORECASE)


class ExportGone(Exception):
    """The file is not there any more. The message says what to do."""


def path_of(export: CaseExport) -> Path:
    return settings.EXPORTS_DIR / f"{export.uuid}.zip"


def numbers_of(case: Case, text: str) -> list[int]:
    """`E001, E004-E007` as numbers of exhibits that the case has; [] for an empty text. Raises ValidationError."""
    wanted: set[int] = set()
    for part in filter(None, (one.strip() for one in re.split(r"[,;\n]", text))):
        found = _RANGE.fullmatch(part)
        if found is None:
            raise ValidationError(f"“{part[:40]}” is no exhibit. Write them as in: E001, E004-E007.")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last - first > 100_000:
            raise ValidationError(f"“{part[:40]}” is no range of exhibits.")
        wanted.update(range(first, last + 1))
    there = set(Evidence.objects.filter(case=case, number__in=wanted).values_list("number", flat=True))
    if missing := sorted(wanted - there):
        raise ValidationError(f"The case has no E{missing[0]:03d}.")
    return sorted(wanted)


@transaction.atomic
def request_export(*, case: Case, actor: User, purpose: str, receiver: str, numbers: Sequence[int] = ()) -> CaseExport:
    """Make an export in the background, of some exhibits or, without numbers, of the whole case.

    Raises ValidationError while one of the case is under way, and without purpose or receiver.
    """
    purpose, receiver = purpose.strip(), receiver.strip()
    if not purpose or not receiver:
        raise ValidationError("Say what the export is for and who receives it; custody keeps both.")
    Case.objects.select_for_update().get(pk=case.pk)
    if CaseExport.objects.filter(case=case).unfinished().exists():
        raise ValidationError("An export of this case is being made. Wait for it, or cancel it.")
    export = CaseExport(case=case, requested_by=actor, purpose=purpose, receiver=receiver, numbers=list(numbers))
    export.activity = activity.begin(
        case=case,
        kind=Activity.Kind.EXPORT,
        title=title_of(case, numbers),
        subject=export.uuid,
        url_name="ircase:case_export",
        actor=actor,
        detail={"purpose": purpose, "receiver": receiver, "exhibits": list(numbers)},
    )
    export.full_clean(exclude=["case", "activity", "requested_by"])
    export.save()
    jobs.enqueue(TASK, export.pk)
    return export


def title_of(case: Case, numbers: Sequence[int]) -> str:
    if not numbers:
        return f"Export of {case.reference}"
    return f"Export of E{numbers[0]:03d}" if len(numbers) == 1 else f"Export of {len(numbers)} exhibits"


@transaction.atomic
def cancel(*, export: CaseExport, actor: User) -> None:
    """A queued export ends at once, a running one within a second or so; a final one stays as it is."""
    if not CaseExport.objects.filter(pk=export.pk).unfinished().update(cancel_requested=True):
        return
    log.record("export.cancel_requested", case=export.case, actor=actor, subject=str(export.uuid))
    reason, owner = f"Cancelled by {actor.name}", f"cancel:{actor.pk}"
    # Through RUNNING, so that a worker which claims meanwhile loses.
    if CaseExport.objects.filter(pk=export.pk, state="queued").update(state="running", owner=owner):
        CaseExport.objects.end(export.pk, owner, JobState.CANCELLED, reason=reason)
        activity.end(export.activity, state="cancelled", outcome=reason, actor=actor)


def require_file(export: CaseExport) -> Path:
    """Where its zip lies. Raises ExportGone."""
    path = path_of(export)
    if export.state != JobState.DONE or export.removed_at or not path.is_file():
        raise ExportGone("The file is not here any more. Make the export again.")
    return path


def chunks(*, export: CaseExport, actor: User, **said: str) -> Iterator[bytes]:
    """The zip's bytes; first the log entry is written, with what is `said` of the way they leave. Raises ExportGone."""
    path = require_file(export)
    log.record(
        "export.downloaded", case=export.case, actor=actor, title=export.activity.title, receiver=export.receiver,
        sha256=export.sha256, **said,
    )  # fmt: skip
    return chunks_of(path)


def name_of(export: CaseExport) -> str:
    return f"{export.case.reference}_export_{export.queued_at:%Y%m%d-%H%M}.zip"


@dataclass(frozen=True)
class Outlook:
    """What of a case may leave only in an encrypted zip, and how much of it nobody looked at yet."""

    harmful: tuple[Evidence, ...]
    unseen: int


def outlook(case: Case) -> Outlook:
    """How an export that is made now would leave, without a look at bytes that nobody recognised."""
    items = list(Evidence.objects.filter(case=case, destroyed_at=None).order_by("number"))
    rules = _rules(case, items)
    unseen = [item for item in items if [why.code for why in rules[item.pk].open_whys] == [handling.UNSEEN]]
    harmful = tuple(item for item in items if rules[item.pk].packed and item not in unseen)
    return Outlook(harmful, len(unseen))


def judge(case: Case, exports: Sequence[CaseExport]) -> None:
    """Put on each of the case's finished exports, as `harmful`, the exhibits for which it leaves only in an encrypted
    zip as things stand now. Bytes that could not be looked at count among them."""
    there = [one for one in exports if one.state == JobState.DONE and not one.removed_at]
    if not there:
        return
    items = list(Evidence.objects.filter(case=case).order_by("number"))
    rules = _rules(case, items)
    packed = [item for item in items if rules[item.pk].packed]
    for export in there:
        export.harmful = [item for item in packed if _holds(export, item)]


def _holds(export: CaseExport, item: Evidence) -> bool:
    """Whether its bytes are in the export; one that came while it was made may be counted as well."""
    chosen = not export.numbers or item.number in export.numbers
    since = export.finished_at is None or item.sealed_at <= export.finished_at
    return chosen and since and (item.destroyed_at is None or item.destroyed_at > export.queued_at)


def _rules(case: Case, items: Sequence[Evidence]) -> dict[int, handling.Rule]:
    for item in items:
        item.case = case
    return handling.rules_of(items, look=False)


@transaction.atomic
def remove(*, export: CaseExport, actor: User | None) -> None:
    """Take the file away; the row, custody and log stay."""
    if export.state != JobState.DONE or export.removed_at:
        return
    export.removed_at = timezone.now()
    export.save(update_fields=["removed_at"])
    log.record("export.removed", case=export.case, actor=actor, title=export.activity.title, sha256=export.sha256)
    transaction.on_commit(lambda: path_of(export).unlink(missing_ok=True))


@transaction.atomic
def drop(item: Evidence) -> None:
    """An exhibit was destroyed: the zips go that hold its bytes. One that is being made ends without a file."""
    # The lock that the end of an export takes too: it sees that the exhibit is gone, or is seen here.
    Case.objects.select_for_update().get(pk=item.case_id)
    there = CaseExport.objects.filter(case=item.case_id, state=JobState.DONE, removed_at=None)
    for export in there.select_related("case", "activity"):
        if _holds(export, item):
            remove(export=export, actor=None)


def tidy() -> None:
    """Beat's tick: files that were kept long enough go."""
    limit = timezone.now() - timedelta(days=settings.EXPORT_KEEP_DAYS)
    old = CaseExport.objects.filter(state=JobState.DONE, removed_at=None, finished_at__lt=limit)
    for export in old.select_related("case", "activity")[:20]:
        remove(export=export, actor=None)
