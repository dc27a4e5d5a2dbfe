"""Reports: asked for, looked at before they are built, handed out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q

from ircase import jobs
from ircase.models import Activity, Case, Classification, Evidence, JobState, Milestone, ReportBuild, User
from ircase.services import activity, log
from ircase.services.phases import checklist
from ircase.store import chunks_of, digest_of

TASK = "ircase.build_report"
# format: (suffix, media type)
FORMATS = {
    "pdf": ("pdf", "application/pdf"),
    "markdown": ("md", "text/markdown"),
    "json": ("json", "application/json"),
}


class ReportFileGone(Exception):
    """The file is not there, or no longer what was built. The message says what to do."""


@dataclass(frozen=True)
class Gap:
    """Something that a reader of the report would miss. `url_name` is where it is mended, given the reference."""

    text: str
    url_name: str
    serious: bool = False


def folder_of(build: ReportBuild) -> Path:
    return settings.REPORTS_DIR / str(build.uuid)


@transaction.atomic
def request_report(
    *, case: Case, actor: User, seal: bool = False, notebooks: Sequence[str] = (), comments: bool = False
) -> ReportBuild:
    """Build a report in the background; with `seal` the PDF becomes an exhibit of the case. `notebooks`: the uuids of
    those that it prints; `comments`: with what people said beside things, as an appendix.

    Raises ValidationError while one is under way, or where a closed case would take a new exhibit.
    """
    if seal and not case.is_open:
        raise ValidationError("The case is closed: nothing more can be sealed. Build the report without sealing it.")
    Case.objects.select_for_update().get(pk=case.pk)
    if ReportBuild.objects.filter(case=case).unfinished().exists():
        raise ValidationError("A report of this case is being built. Wait for it, or cancel it.")
    build = ReportBuild(case=case, requested_by=actor, seal=seal, notebooks=list(notebooks), comments=comments)
    build.activity = activity.begin(
        case=case,
        kind=Activity.Kind.REPORT,
        title=f"Report of {case.reference}",
        subject=build.uuid,
        url_name="ircase:report",
        actor=actor,
        detail={"seal": seal},
    )
    build.full_clean(exclude=["case", "activity", "requested_by"])
    build.save()
    jobs.enqueue(TASK, build.pk)
    return build


@transaction.atomic
def cancel(*, build: ReportBuild, actor: User) -> None:
    """A queued build ends at once, a running one within a second or so; a final one stays as it is."""
    if not ReportBuild.objects.filter(pk=build.pk).unfinished().update(cancel_requested=True):
        return
    log.record("report.cancel_requested", case=build.case, actor=actor, subject=str(build.uuid))
    reason = f"Cancelled by {actor.name}"
    # Through RUNNING, so that a worker which claims meanwhile loses.
    if ReportBuild.objects.filter(pk=build.pk, state="queued").update(state="running", owner=f"cancel:{actor.pk}"):
        ReportBuild.objects.end(build.pk, f"cancel:{actor.pk}", JobState.CANCELLED, reason=reason)
        activity.end(build.activity, state="cancelled", outcome=reason, actor=actor)


def gaps(case: Case) -> list[Gap]:
    """What is missing before the report is built, the serious first."""
    states = Evidence.objects.filter(case=case).aggregate(
        broken=Count("pk", filter=Q(integrity__in=["altered", "missing"])),
        unchecked=Count("pk", filter=Q(integrity=Evidence.Integrity.UNCHECKED)),
    )
    steps = len(checklist.open_required(case))
    unjudged = Activity.objects.filter(case=case, kind=Activity.Kind.HUNT, state="done", verdict="").count()
    found = [
        (states["broken"], f"{_exhibits(states['broken'])} ALTERED or MISSING", "ircase:evidence", True),
        (not case.summary.strip(), "The executive summary is not written yet", "ircase:case_summary", True),
        (case.classification == Classification.UNKNOWN, "The case is not classified", "ircase:case_edit", False),
        (steps, f"{steps} required checklist item{'s are' if steps != 1 else ' is'} open", "ircase:checklist", False),
        (
            states["unchecked"],
            f"{_exhibits(states['unchecked'])} not verified yet: building the report hashes every file again",
            "ircase:evidence",
            False,
        ),
        (
            unjudged,
            f"{unjudged} finished hunt{'s have' if unjudged != 1 else ' has'} no verdict",
            "hunting:panel",
            False,
        ),
        (not case.events.filter(in_report=True).exists(), "The timeline is empty", "ircase:timeline", False),
        (_missing(case), f"Milestones are not set: {_missing(case)}", "ircase:case", False),
    ]
    return [Gap(text, url_name, serious) for wanting, text, url_name, serious in found if wanting]


def _exhibits(count: int) -> str:
    return f"{count} exhibit{'s are' if count != 1 else ' is'}"


def _missing(case: Case) -> str:
    kinds = Milestone.Kind
    wanted = [kinds.OCCURRED, kinds.DETECTED, kinds.CONTAINED, kinds.RECOVERED]
    there = set(case.milestones.values_list("kind", flat=True))
    return ", ".join(kind.label.lower() for kind in wanted if kind not in there)


def open_file(*, build: ReportBuild, kind: str, actor: User) -> tuple[Iterator[bytes], str, int]:
    """The bytes of one format, its file name and its size; the log entry is written first. Raises ReportFileGone."""
    entry = next((file for file in build.files if file["format"] == kind), None)
    if entry is None or kind not in FORMATS:
        raise ReportFileGone("This build has no such file.")
    path = folder_of(build) / f"report.{FORMATS[kind][0]}"
    if not path.is_file() or digest_of(path) != entry["sha256"]:
        raise ReportFileGone("The file is no longer what was built. Build the report again.")
    log.record("report.downloaded", case=build.case, actor=actor, name=path.name, sha256=entry["sha256"])
    name = f"{build.case.reference}_report_{build.queued_at:%Y%m%d-%H%M}.{FORMATS[kind][0]}"
    return chunks_of(path), name, int(entry["size"])
