"""Reading the report's data set from a case. Every list is bounded, and a list that is cut says so."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from ircase import attack, casehead, shelf
from ircase.curated import times
from ircase.grid import cell_text
from ircase.models import (
    Activity,
    Approval,
    Asset,
    Case,
    CaseRole,
    ChecklistItem,
    Comment,
    Event,
    Indicator,
    LogEntry,
    Note,
    Phase,
    PhaseEntry,
    Proof,
    Star,
)
from ircase.report import life, lifeshape, register, shape
from ircase.report.prose import prose
from ircase.report.words import LONGEST_QUERY, clip, label, moment, pairs, took, when
from ircase.sentences import sentence_of
from ircase.services.analysis.stars import sameness
from ircase.services.writing.comments import label_of
from ircase.wording import source_words

# Of each list, at most this many go into a report.
MOST = {
    "events": 10_000,
    "assets": 5_000,
    "indicators": 10_000,
    "activities": 2_000,
    "checklist items": 2_000,
    "exhibits": 5_000,
    "approvals": 2_000,
    "decisions": 2_000,
    "deadlines": 1_000,
    "improvements": 1_000,
    "hand-overs": 200,
    "incidents": 500,
    "open items": 500,
    "running work": 500,
    "waiting approvals": 500,
    "notes": 500,
    "comments": 5_000,
    "starred rows": 500,
    "log entries": 10_000,
}
_CHUNK = 1_000
MOST_CELLS = 40
_HUNT_KEYS = ("query", "query_sha256", "parameters", "source", "tenant", "window")
_DEVICE_KEYS = ("device", "reason", "script", "script_sha256")
Row = TypeVar("Row")


class _Reader:
    """Takes lists up to their bound and remembers which were cut."""

    def __init__(self) -> None:
        self.cuts: list[shape.Cut] = []

    def take(self, what: str, rows: QuerySet[Any], make: Callable[[Any], Row]) -> tuple[Row, ...]:
        most = MOST[what]
        taken = tuple(make(row) for row in rows[: most + 1].iterator(chunk_size=_CHUNK))
        if len(taken) > most:
            self.cuts.append(shape.Cut(what, most, rows.count()))
        return taken[:most]


def collect(
    case: Case,
    *,
    now: datetime,
    prepared_by: str = "IRCase",
    notebooks: tuple[shape.NotebookEntry, ...] = (),
    comments: bool = False,
    facts: tuple[lifeshape.FactRow, ...] = (),
) -> shape.ReportData:
    """Everything the report says of `case` at `now`. Hashes every exhibit again, and keeps what was found.

    `notebooks` were chosen and read before (ircase.report.chapters), so that custody's entries of it are in here.
    `comments`: with what people said beside things. `facts`: a notification's fields (ircase.report.regimes).
    """
    check = register.examine(case, now)
    reader = _Reader()
    head = casehead.head_of(case, now)
    activities = reader.take("activities", _activities(case), lambda row: row)
    approvals = reader.take("approvals", _approvals(case), lambda row: row)
    return shape.ReportData(
        format=shape.FORMAT,
        generated_at=when(now),
        prepared_by=prepared_by,
        case=facts_of(case, head),
        integrity=check.integrity,
        summary=prose(case.summary),
        lessons=prose(case.lessons),
        milestones=tuple(_milestone(row) for row in head.milestones),
        metrics=tuple(_metric(row) for row in head.metrics),
        phases=tuple(_phase(row) for row in head.phases),
        phase_moves=tuple(_move(row) for row in PhaseEntry.objects.filter(case=case).select_related("moved_by")),
        events=reader.take("events", _events(case), _event),
        assets=reader.take("assets", Asset.objects.filter(case=case).defer("details"), _asset),
        indicators=reader.take("indicators", Indicator.objects.filter(case=case), _indicator),
        stars=_stars(case, reader),
        hunts=tuple(_hunt(row) for row in activities if row.kind == Activity.Kind.HUNT),
        notebooks=notebooks,
        devices=_devices(activities, approvals),
        imports=tuple(work_of(row) for row in activities if row.kind == Activity.Kind.IMPORT),
        checklist=_checklist(case, reader, now),
        evidence=reader.take("exhibits", register.exhibits(case), check.row),
        approvals=tuple(_approval(row) for row in approvals),
        decisions=reader.take("decisions", life.decisions(case), life.decision),
        clocks=reader.take("deadlines", life.clocks(case), lambda row: life.clock(row, now)),
        improvements=reader.take("improvements", life.improvements(case), life.improvement),
        handovers=reader.take("hand-overs", life.handovers(case), life.handover),
        open_work=(
            *reader.take("open items", life.open_items(case), life.open_item),
            *reader.take("running work", life.running(case), life.running_work),
            *reader.take("waiting approvals", life.waiting(case, now), life.waiting_approval),
        ),
        incidents=reader.take("incidents", life.incidents(case), life.incident),
        facts=facts,
        notes=reader.take("notes", Note.objects.there().filter(case=case).select_related("updated_by"), _note),
        comments=_comments(case, reader) if comments else (),
        log=reader.take("log entries", LogEntry.objects.filter(case=case).order_by("sequence"), _entry),
        cuts=tuple(reader.cuts),
    )


def facts_of(case: Case, head: casehead.CaseHead) -> shape.CaseFacts:
    """What the cover says of the case."""
    connection = case.connection
    return shape.CaseFacts(
        reference=case.reference,
        title=case.title,
        description=clip(case.description, 20_000),
        status="Open" if case.is_open else "Closed",
        severity=case.severity,
        severity_words=case.get_severity_display(),
        tlp=case.tlp,
        tlp_words=case.get_tlp_display(),
        classification=case.get_classification_display(),
        determination=case.get_determination_display(),
        confidential=case.confidential,
        exercise=case.exercise,
        phase=case.get_phase_display(),
        playbook=_playbook(case),
        tenant=connection.name if connection else "",
        tenant_id=connection.tenant_id if connection else "",
        incident_id=", ".join(head.incidents),
        incident_url=case.incident_url,
        opened_at=when(case.opened_at),
        opened_by=case.opened_by.name,
        closed_at=when(case.closed_at),
        members=tuple(shape.Member(m.user.name, CaseRole(m.role).label, m.duty) for m in head.members),
    )


def _playbook(case: Case) -> str:
    """Its title, else its id where this installation no longer has it, and the version that the case was given."""
    if not case.playbook:
        return ""
    return f"{shelf.title(case.playbook)} (version {case.playbook_version})"


def _milestone(row: Any) -> shape.MilestoneRow:
    return shape.MilestoneRow(row.get_kind_display(), when(row.at), row.set_by.name, row.note)


def _metric(row: casehead.Metric) -> shape.MetricRow:
    seconds = round(row.took.total_seconds()) if row.took is not None else None
    return shape.MetricRow(row.name, f"Time {row.words}", seconds, took(row.took))


def _phase(row: casehead.PhaseStay) -> shape.PhaseRow:
    return shape.PhaseRow(row.phase.label, row.state, took(row.spent) if row.stayed else "", row.ended, row.items)


def _why_moved(row: PhaseEntry) -> str:
    """The reason; and where the gate was passed with required items open, which they were and why."""
    if not row.passed_open:
        return row.reason
    number = "1 required item" if len(row.passed_open) == 1 else f"{len(row.passed_open)} required items"
    return f"{row.reason} Passed with {number} not done ({'; '.join(row.passed_open)}), because: {row.despite}"


def _move(row: PhaseEntry) -> shape.PhaseMove:
    return shape.PhaseMove(
        row.get_phase_display(), when(row.entered_at), when(row.left_at), row.moved_by.name, clip(_why_moved(row))
    )


def _events(case: Case) -> QuerySet[Event]:
    shown = Event.objects.filter(case=case, in_report=True).defer("row", "provenance")
    return shown.order_by("at", "pk").prefetch_related("assets", "techniques")


def _event(row: Event) -> shape.EventRow:
    return shape.EventRow(
        at=when(row.at),
        until=when(row.until),
        precision=row.precision,
        time=_time_words(row),
        title=row.title,
        description=clip(row.description),
        techniques=_techniques(row),
        lane=row.get_lane_display(),
        source=source_words(row.source),
        assets=clip(", ".join(asset.name for asset in row.assets.all())),
    )


def _time_words(row: Event) -> str:
    """What is known of the time, in UTC; a time that is known to the second is its own words."""
    if row.precision == Event.Precision.EXACT:
        return ""
    with timezone.override(UTC):
        return times.words(row)


def _techniques(row: Event) -> tuple[lifeshape.TechniqueRow, ...]:
    """All of them; the first alone where an event was written before there were several."""
    found = [(one.technique, one.tactic) for one in row.techniques.all()] or [(row.technique, "")]
    known = attack.techniques()
    return tuple(
        lifeshape.TechniqueRow(one, known[one].name if one in known else "", tactic) for one, tactic in found if one
    )


def _asset(row: Asset) -> shape.AssetRow:
    return shape.AssetRow(
        row.get_kind_display(),
        row.name,
        row.identifier,
        row.compromise,
        row.get_compromise_display(),
        clip(row.description),
    )


def _indicator(row: Indicator) -> shape.IndicatorRow:
    return shape.IndicatorRow(
        kind=row.get_kind_display(),
        value=row.value,
        tlp=row.get_tlp_display(),
        verdict=row.verdict,
        verdict_words=row.get_verdict_display(),
        first_seen=when(row.first_seen),
        last_seen=when(row.last_seen),
        description=clip(row.description),
    )


def _activities(case: Case) -> QuerySet[Activity]:
    found = Activity.objects.filter(case=case).exclude(kind=Activity.Kind.REPORT).order_by("requested_at", "pk")
    proofs = Prefetch("proofs", Proof.objects.select_related("item"))
    return found.select_related("requested_by", "judged_by").prefetch_related("evidence", proofs)


def work_of(row: Activity) -> shape.Work:
    """What an activity of any kind says of itself. Wants people selected and evidence prefetched."""
    return shape.Work(
        title=row.title,
        kind=row.get_kind_display(),
        state=row.state,
        requested_by=row.requested_by.name,
        requested_at=when(row.requested_at),
        started_at=when(row.started_at),
        ended_at=when(row.ended_at),
        outcome=clip(row.outcome),
        rows=row.row_count,
        partial=row.partial,
        verdict=row.verdict,
        verdict_words=row.get_verdict_display(),
        sentence=clip(row.sentence),
        judged_by=row.judged_by.name if row.judged_by else "",
        exhibits=tuple(item.exhibit for item in row.evidence.all()),
        proves=tuple(proof.item.title for proof in row.proofs.all()),
    )


def _hunt(row: Activity) -> shape.HuntEntry:
    detail = row.detail if isinstance(row.detail, dict) else {}
    window = detail.get("window")
    start, end = window if isinstance(window, list) and len(window) == 2 else ("", "")
    return shape.HuntEntry(
        work=work_of(row),
        query=clip(str(detail.get("query", "")), LONGEST_QUERY),
        query_sha256=str(detail.get("query_sha256", "")),
        source=str(detail.get("source", "")),
        tenant=str(detail.get("tenant", "")),
        window_start=moment(start),
        window_end=moment(end),
        parameters=pairs(detail.get("parameters")),
        more=pairs(detail, without=_HUNT_KEYS),
    )


def _devices(activities: Iterable[Activity], approvals: Iterable[Approval]) -> tuple[shape.DeviceEntry, ...]:
    """Collections and actions, each with the answers that were given to it."""
    answers: dict[UUID, list[shape.ApprovalRow]] = defaultdict(list)
    for approval in approvals:
        answers[approval.subject].append(_approval(approval))
    kinds = (Activity.Kind.COLLECTION, Activity.Kind.ACTION)
    return tuple(_device(row, tuple(answers[_asked_as(row)])) for row in activities if row.kind in kinds)


def _asked_as(row: Activity) -> UUID:
    """The subject of its approval: several response actions that were asked for together share one."""
    batch = row.detail.get("batch") if isinstance(row.detail, dict) else None
    return UUID(batch) if batch else row.subject


def _device(row: Activity, answers: tuple[shape.ApprovalRow, ...]) -> shape.DeviceEntry:
    detail = row.detail if isinstance(row.detail, dict) else {}
    texts = {key: clip(str(detail.get(key) or "")) for key in _DEVICE_KEYS}
    return shape.DeviceEntry(work=work_of(row), more=pairs(detail, without=_DEVICE_KEYS), approvals=answers, **texts)


def _approvals(case: Case) -> QuerySet[Approval]:
    found = Approval.objects.filter(case=case).order_by("requested_at", "pk")
    return found.select_related("requested_by", "decided_by")


def _approval(row: Approval) -> shape.ApprovalRow:
    return shape.ApprovalRow(
        title=row.title,
        state=row.get_state_display(),
        requested_by=row.requested_by.name,
        requested_at=when(row.requested_at),
        decided_by=row.decided_by.name if row.decided_by else "",
        decided_at=when(row.decided_at),
        reason=clip(row.reason),
        comment=clip(row.comment),
        binding=row.binding,
    )


def _checklist(case: Case, reader: _Reader, now: datetime) -> tuple[shape.ChecklistRow, ...]:
    """In order of phase, then of the playbook."""
    proofs: dict[int, list[str]] = defaultdict(list)
    found = Proof.objects.filter(item__case=case).select_related("evidence", "activity", "event", "decided")
    for proof in found.defer("evidence__manifest", "activity__detail", "event__row"):
        proofs[proof.item_id].append(clip(_proof(proof), 400))
    items = ChecklistItem.objects.filter(case=case).select_related("owner", "ended_by")
    rows = reader.take("checklist items", items, lambda row: (row, _item(row, proofs[row.pk], now)))
    order = {phase: rank for rank, phase in enumerate(Phase.values)}
    return tuple(made for _, made in sorted(rows, key=lambda pair: order[pair[0].phase]))


def _proof(proof: Proof) -> str:
    if proof.activity is not None:
        return f"{proof.activity.get_kind_display()}: {proof.activity.title}"
    if proof.event is not None:
        return f"Event of {when(proof.event.at)}: {proof.event.title}"
    return str(proof.evidence) if proof.evidence is not None else f"Decision: {proof.decided or proof.decision}"


def _item(row: ChecklistItem, proofs: list[str], now: datetime) -> shape.ChecklistRow:
    return shape.ChecklistRow(
        phase=row.get_phase_display(),
        title=row.title,
        state=row.get_state_display(),
        required=row.required,
        late=row.due_at is not None and row.due_at < (row.ended_at or now),
        owner=row.owner.name if row.owner else "",
        due_at=when(row.due_at),
        ended_at=when(row.ended_at),
        ended_by=row.ended_by.name if row.ended_by else "",
        result=clip(row.result),
        proofs=tuple(proofs),
        r2_step=row.r2_step,
        csf_outcome=row.csf_outcome,
    )


def _stars(case: Case, reader: _Reader) -> tuple[shape.StarRow, ...]:
    """With the run that gave each, and whether each is still the row that was starred."""
    rows = Star.objects.filter(case=case).select_related("evidence", "starred_by", "noted_by")
    found = reader.take("starred rows", rows, lambda row: row)
    same = sameness(case, found)
    wanted = [UUID(run) for row in found if (run := row.provenance.get("run"))]
    titles = {
        str(one): title for one, title in Activity.objects.filter(subject__in=wanted).values_list("subject", "title")
    }
    return tuple(_star(row, same[row.pk], titles.get(row.provenance.get("run", ""), "")) for row in found)


def _star(row: Star, same: bool | None, run: str) -> shape.StarRow:
    cells = ((name, cell) for name, cell in row.row.items() if cell not in (None, "", [], {}))
    return shape.StarRow(
        exhibit=row.evidence.exhibit,
        where=row.table_name,
        run=run,
        number=row.number,
        note=clip(row.note),
        noted_by=row.noted_by.name if row.noted_by and row.note else "",
        starred_by=row.starred_by.name,
        starred_at=when(row.starred_at),
        row_sha256=row.row_sha256,
        same={True: "same", False: "differs", None: "gone"}[same],
        cells=tuple(shape.Pair(name, clip(cell_text(cell) or "", 500)) for name, cell in list(cells)[:MOST_CELLS]),
    )


def _note(row: Note) -> shape.NoteRow:
    return shape.NoteRow(row.title, when(row.updated_at), row.updated_by.name, row.version, prose(row.body))


def _comments(case: Case, reader: _Reader) -> tuple[shape.CommentRow, ...]:
    """What each is about is read from the log: the thing itself may have gone, and is not asked for one by one."""
    written = LogEntry.objects.filter(case=case, action="comment.written").values_list("detail", flat=True)
    titles = {str(detail.get("uuid")): str(detail.get("title")) for detail in written}
    rows = Comment.objects.filter(case=case).select_related("author", "resolved_by").order_by("kind", "subject", "at")

    def row_of(row: Comment) -> shape.CommentRow:
        about = f"{label_of(row.kind)}: {titles.get(str(row.uuid), row.subject)}"
        by = row.resolved_by.name if row.resolved_by else ""
        resolved = f"{by} {when(row.resolved_at)}".strip()
        return shape.CommentRow(
            clip(about, 400), row.author.name, when(row.at), when(row.edited_at), resolved, prose(row.body)
        )

    return reader.take("comments", rows, row_of)


def _entry(row: LogEntry) -> shape.LogRow:
    said = sentence_of(row)
    words = " ".join(part for part in (said.text, said.object) if part)
    text = f"{words}: “{said.quote}”" if said.quote else words
    return shape.LogRow(row.sequence, when(row.at), row.actor_name or label("system"), row.action, clip(text, 1_000))
