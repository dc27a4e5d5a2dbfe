"""Reports: asked for, looked at before they are built, handed out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from ircase import access, jobs, textdiff
from ircase.models import (
    Activity,
    Case,
    ChecklistItem,
    Classification,
    Evidence,
    HandOver,
    Improvement,
    JobState,
    LogEntry,
    Milestone,
    Phase,
    ReportBuild,
    ReportKind,
    ReportLook,
    User,
)
from ircase.models.rows import Rows
from ircase.redaction import Redaction
from ircase.services import activity, log
from ircase.store import chunks_of, digest_of

TASK = "ircase.build_report"
# format: (suffix, media type)
FORMATS = {
    "pdf": ("pdf", "application/pdf"),
    "docx": ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "html": ("html", "text/html"),
    "markdown": ("md", "text/markdown"),
    "json": ("json", "application/json"),
}
# Entries of the log that tell of reading and reporting: the case is no other because of them.
_NO_CHANGE = ("report.", "redaction.", "export.", "statement.", "evidence.verified")


class ReportFileGone(Exception):
    """The file is not there, or no longer what was built. The message says what to do."""


@dataclass(frozen=True)
class Gap:
    """Something that a reader of the report would miss. `url_name` is where it is mended, given the reference."""

    text: str
    url_name: str
    serious: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a report is to be. `notebooks` are the uuids of those that it prints, `comments` with what people said
    beside things. `regime` and `stage` count for a notification alone."""

    kind: str = ReportKind.TECHNICAL.value
    regime: str = ""
    stage: str = ""
    language: str = "en"
    redaction: Redaction = field(default_factory=Redaction)
    seal: bool = False
    notebooks: Sequence[str] = ()
    comments: bool = False

    @property
    def title(self) -> str:
        name = ReportKind(self.kind).label
        return f"{name}, {self.regime.upper()} {self.stage}" if self.kind == ReportKind.NOTIFICATION else name


def folder_of(build: ReportBuild) -> Path:
    return settings.REPORTS_DIR / str(build.uuid)


def request_report(
    *, case: Case, actor: User, wanted: Wanted | None = None, missing: Sequence[str] = ()
) -> ReportBuild:
    """Build a draft in the background; with `seal` its PDF becomes an exhibit of the case. `missing`: what it lacks, in
    words, which the draft names.

    Raises ValidationError while one is under way, or where a closed case would take a new exhibit, and PermissionDenied
    where only a lead may choose what is masked.
    """
    wanted = wanted or Wanted()
    _check(case, actor, wanted)
    return begin(
        case=case,
        actor=actor,
        title=f"{wanted.title} of {case.reference}",
        kind=wanted.kind,
        regime=wanted.regime,
        stage=wanted.stage,
        language=wanted.language,
        redaction=wanted.redaction.as_json(),
        look=ReportLook.objects.order_by("-number").first(),
        missing=list(missing),
        seal=wanted.seal,
        notebooks=list(wanted.notebooks),
        comments=wanted.comments,
    )


def _check(case: Case, actor: User, wanted: Wanted) -> None:
    if wanted.kind not in ReportKind.values:
        raise ValidationError({"kind": f"There is no such report. Choose one of {', '.join(ReportKind.values)}."})
    if (wanted.kind == ReportKind.NOTIFICATION) != bool(wanted.regime and wanted.stage):
        raise ValidationError("A notification, and nothing else, has a law and a stage.")
    own = bool(wanted.redaction.words) or not wanted.redaction.allows(case.tlp)
    if own and not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Only a lead masks words of their own, and gives a report a wider TLP than the case's.")


@transaction.atomic
def begin(*, case: Case, actor: User, title: str, seal: bool, **more: object) -> ReportBuild:
    """The row of a build, its activity and its message. Raises ValidationError, as `request_report` does."""
    if seal and not case.is_open:
        raise ValidationError("The case is closed: nothing more can be sealed. Build the report without sealing it.")
    Case.objects.select_for_update().get(pk=case.pk)
    if ReportBuild.objects.filter(case=case).unfinished().exists():
        raise ValidationError("A report of this case is being built. Wait for it, or cancel it.")
    last = ReportBuild.objects.filter(case=case).aggregate(last=Max("number"))["last"] or 0
    build = ReportBuild(case=case, requested_by=actor, seal=seal, number=last + 1, **more)
    build.activity = activity.begin(
        case=case,
        kind=Activity.Kind.REPORT,
        title=title,
        subject=build.uuid,
        url_name="ircase:report",
        actor=actor,
        detail={"seal": seal, "report": build.label},
    )
    build.full_clean(exclude=["case", "activity", "requested_by", "look", "final_of"])
    build.save()
    jobs.enqueue(TASK, build.pk)
    return build


def changed_at(case: Case) -> int:
    """The newest entry of the log that changed the case: a report that was read before it is superseded."""
    found = LogEntry.objects.filter(case=case).order_by()
    for start in _NO_CHANGE:
        found = found.exclude(action__startswith=start)
    sealed = Evidence.objects.filter(case=case, kind=Evidence.Kind.REPORT).values_list("number", flat=True)
    reports = [f"E{number:03d}" for number in sealed]
    found = found.exclude(action="evidence.sealed", detail__exhibit__in=reports)
    return int(found.aggregate(last=Max("sequence"))["last"] or 0)


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


@dataclass(frozen=True)
class _State:
    """What a case holds, as far as gaps are made of it; read in one query."""

    broken: int
    unchecked: int
    milestones: frozenset[str]
    open_steps: int
    unjudged: int
    has_events: bool


def _state(case: Case) -> _State:
    exhibits, own = Evidence.objects.filter(case=OuterRef("pk")), {"case": OuterRef("pk")}
    steps = ChecklistItem.objects.live().filter(**own, required=True).exclude(phase=Phase.PREPARATION)
    hunts = Activity.objects.filter(**own, kind=Activity.Kind.HUNT, state="done", verdict="")
    found = Case.objects.filter(pk=case.pk).values(
        broken=_many(exhibits.filter(integrity__in=["altered", "missing"])),
        unchecked=_many(exhibits.filter(integrity=Evidence.Integrity.UNCHECKED)),
        moments=Rows(case.milestones.all(), kind="kind"),
        open_steps=_many(steps),
        unjudged=_many(hunts),
        has_events=Exists(case.events.filter(in_report=True)),
    )
    row = found.get()
    return _State(
        broken=row["broken"],
        unchecked=row["unchecked"],
        milestones=frozenset(one["kind"] for one in row["moments"]),
        open_steps=row["open_steps"],
        unjudged=row["unjudged"],
        has_events=row["has_events"],
    )


def _many(rows: QuerySet[Any]) -> Coalesce:
    """How many rows of the case, each with a foreign key `case`."""
    return Coalesce(Subquery(rows.order_by().values("case").annotate(many=Count("pk")).values("many")), 0)


def gaps(case: Case, kind: str = ReportKind.TECHNICAL) -> list[Gap]:
    """What is missing before the report is built, the serious first. What an authority still asks for is told by
    `ircase.report.regimes`."""
    state = _state(case)
    broken = (state.broken, f"{_exhibits(state.broken)} ALTERED or MISSING", "ircase:evidence", True)
    unchecked = (
        state.unchecked,
        f"{_exhibits(state.unchecked)} not verified yet: building the report hashes every file again",
        "ircase:evidence",
        False,
    )
    about = _of_case(case, state) if kind != ReportKind.REGISTER else ()
    found = [broken, *about, *_of_kind(case, kind, state), unchecked]
    return sorted(
        (Gap(text, url_name, serious) for wanting, text, url_name, serious in found if wanting),
        key=lambda gap: not gap.serious,
    )


_Finding = tuple[object, str, str, bool]


def _of_case(case: Case, state: _State) -> list[_Finding]:
    missing = _missing(state)
    return [
        (not case.summary.strip(), "The executive summary is not written yet", "ircase:case_summary", True),
        (case.classification == Classification.UNKNOWN, "The case is not classified", "ircase:case_edit", False),
        (missing, f"Milestones are not set: {missing}", "ircase:case", False),
    ]


def _of_kind(case: Case, kind: str, state: _State) -> list[_Finding]:
    match kind:
        case ReportKind.TECHNICAL:
            return _of_work(state)
        case ReportKind.LESSONS:
            plans = Improvement.objects.filter(case=case).aggregate(all=Count("pk"), lone=Count("pk", Q(owner=None)))
            return [
                (not case.lessons.strip(), "No lessons are written down yet", "ircase:case_summary", True),
                (not plans["all"], "No improvement is written down", "ircase:case_improvements", False),
                (
                    plans["lone"],
                    f"{plans['lone']} of the improvements have no owner",
                    "ircase:case_improvements",
                    False,
                ),
            ]
        case ReportKind.HANDOVER:
            there = HandOver.objects.filter(case=case, state=HandOver.State.OFFERED).exists()
            return [
                (not there, "No hand-over is offered: the report prints those of before", "ircase:handovers", False)
            ]
    return []


def _of_work(state: _State) -> list[_Finding]:
    steps, unjudged = state.open_steps, state.unjudged
    verdicts = f"{unjudged} finished hunt{'s have' if unjudged != 1 else ' has'} no verdict"
    return [
        (steps, f"{steps} required checklist item{'s are' if steps != 1 else ' is'} open", "ircase:checklist", False),
        (unjudged, verdicts, "hunting:panel", False),
        (not state.has_events, "The timeline is empty", "ircase:timeline", False),
    ]


def _exhibits(count: int) -> str:
    return f"{count} exhibit{'s are' if count != 1 else ' is'}"


def _missing(state: _State) -> str:
    kinds = Milestone.Kind
    wanted = [kinds.OCCURRED, kinds.DETECTED, kinds.CONTAINED, kinds.RECOVERED]
    return ", ".join(kind.label.lower() for kind in wanted if kind not in state.milestones)


def open_file(*, build: ReportBuild, kind: str, actor: User) -> tuple[Iterator[bytes], str, int]:
    """The bytes of one format, its file name and its size; log and, where it is an exhibit, custody are written first.

    Raises ReportFileGone."""
    entry = next((file for file in build.files if file["format"] == kind), None)
    if entry is None or kind not in FORMATS:
        raise ReportFileGone("This build has no such file.")
    path = folder_of(build) / f"report.{FORMATS[kind][0]}"
    if not path.is_file() or digest_of(path) != entry["sha256"]:
        raise ReportFileGone("The file is no longer what was built. Build the report again.")
    told = {"build": str(build.uuid), "report": build.label, "format": kind, "sha256": entry["sha256"]}
    with transaction.atomic():
        log.record("report.downloaded", case=build.case, actor=actor, name=path.name, **told)
        if build.evidence is not None:
            log.record_custody(build.evidence, "downloaded", actor=actor, by="report", form=kind)
    name = f"{build.case.reference}_{build.kind}_{build.queued_at:%Y%m%d-%H%M}.{FORMATS[kind][0]}"
    return chunks_of(path), name, int(entry["size"])


@dataclass(frozen=True)
class Changes:
    """What is other than in `before`, the report of the same kind before it; None: it is the first one. Not `readable`:
    a text of the two is not there."""

    before: ReportBuild | None
    readable: bool
    lines: list[textdiff.Line]


def changes(build: ReportBuild, *, context: int) -> Changes:
    """Compared line by line, with so many equal lines around each change."""
    same = {"case": build.case, "kind": build.kind, "regime": build.regime, "state": "done", "final_of": None}
    before = ReportBuild.objects.filter(**same, number__lt=build.number).order_by("-number").first()
    left, right = (text_of(one) if one else "" for one in (before, build))
    if before is None or not left or not right:
        return Changes(before, False, [])
    return Changes(before, True, textdiff.side_by_side(left, right, context=context))


def text_of(build: ReportBuild) -> str:
    """Its Markdown, for a comparison; "" where it is not there."""
    path = folder_of(build) / "report.md"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
