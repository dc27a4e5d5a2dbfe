"""What a report holds: one data set, from which the PDF, the Markdown and the JSON are written.

Every value is text, a number, true or false, or a tuple of these, so that `dataclasses.asdict` is JSON. Times are ISO
8601 in UTC to the second ("2026-03-01T09:30:00Z"), "" where there is none.
"""

from dataclasses import dataclass, field

from ircase.report.lifeshape import (
    ClockRow,
    DecisionRow,
    FactRow,
    HandOverRow,
    ImprovementRow,
    IncidentRow,
    OpenWork,
    PictureRow,
    ReportHead,
    TechniqueRow,
)

FORMAT = "ircase-report/2"


@dataclass(frozen=True)
class Pair:
    name: str
    value: str


@dataclass(frozen=True)
class Span:
    """A stretch of text in one style: "", "strong", "emph", "code"; `url` where it is a link."""

    text: str
    style: str = ""
    url: str = ""


@dataclass(frozen=True)
class Block:
    """A piece of prose: heading (level 1-3), paragraph, item (level = depth, `marker`), quote, code, rule, row,
    picture (`marker` is the exhibit)."""

    kind: str
    spans: tuple[Span, ...] = ()
    level: int = 0
    marker: str = ""
    cells: tuple[tuple[Span, ...], ...] = ()


@dataclass(frozen=True)
class Prose:
    """Text as a person wrote it (markdown), and the same as blocks."""

    text: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Member:
    name: str
    role: str
    duty: str


@dataclass(frozen=True)
class CaseFacts:
    """`severity` and `tlp` are codes (`high`, `amber+strict`); the words beside them are for people."""

    reference: str
    title: str
    description: str
    status: str
    severity: str
    severity_words: str
    tlp: str
    tlp_words: str
    classification: str
    determination: str
    confidential: bool
    exercise: bool
    phase: str
    playbook: str
    tenant: str
    tenant_id: str
    incident_id: str
    incident_url: str
    opened_at: str
    opened_by: str
    closed_at: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Integrity:
    """What re-hashing every file and walking every chain found. `faults` are sentences; none when `sound`."""

    sound: bool
    verdict: str
    exhibits: int
    faults: tuple[str, ...]
    checked_at: str
    log_entries: int
    log_digest: str


@dataclass(frozen=True)
class MilestoneRow:
    label: str
    at: str
    set_by: str
    note: str


@dataclass(frozen=True)
class MetricRow:
    """`seconds` is None where a milestone is missing or the two are in the wrong order."""

    name: str
    words: str
    seconds: int | None
    took: str


@dataclass(frozen=True)
class PhaseRow:
    name: str
    state: str
    took: str
    ended: int
    items: int


@dataclass(frozen=True)
class PhaseMove:
    phase: str
    entered_at: str
    left_at: str
    by: str
    reason: str


@dataclass(frozen=True)
class EventRow:
    """`at` is the place in the list; what is known of the time is in `precision` and, in words, in `time`."""

    at: str
    until: str
    precision: str
    time: str
    title: str
    description: str
    techniques: tuple[TechniqueRow, ...]
    lane: str
    source: str
    assets: str


@dataclass(frozen=True)
class AssetRow:
    kind: str
    name: str
    identifier: str
    compromise: str
    compromise_words: str
    description: str


@dataclass(frozen=True)
class IndicatorRow:
    kind: str
    value: str
    tlp: str
    verdict: str
    verdict_words: str
    first_seen: str
    last_seen: str
    description: str


@dataclass(frozen=True)
class ApprovalRow:
    title: str
    state: str
    requested_by: str
    requested_at: str
    decided_by: str
    decided_at: str
    reason: str
    comment: str
    binding: str


@dataclass(frozen=True)
class Work:
    """What every activity says of itself. `partial` is true for a truncated or incomplete result."""

    title: str
    kind: str
    state: str
    requested_by: str
    requested_at: str
    started_at: str
    ended_at: str
    outcome: str
    rows: int | None
    partial: bool
    verdict: str
    verdict_words: str
    sentence: str
    judged_by: str
    exhibits: tuple[str, ...]
    proves: tuple[str, ...]


@dataclass(frozen=True)
class HuntEntry:
    work: Work
    query: str
    query_sha256: str
    source: str
    tenant: str
    window_start: str
    window_end: str
    parameters: tuple[Pair, ...]
    more: tuple[Pair, ...]


@dataclass(frozen=True)
class NotebookCell:
    """A cell: `prose` for text; for a query (`kind` "kql") the rest. `rows` are the first of `total`, in the first of
    the result's columns: `columns_left_out` stand beyond them. `read` names the results that it used as tables."""

    number: int
    kind: str
    prose: Prose
    name: str = ""
    query: str = ""
    source: str = ""
    window_start: str = ""
    window_end: str = ""
    state: str = ""
    outcome: str = ""
    stale: bool = False
    truncated: bool = False
    run: str = ""
    exhibit: str = ""
    sha256: str = ""
    read: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    total: int = 0
    columns_left_out: int = 0


@dataclass(frozen=True)
class NotebookEntry:
    title: str
    cells: tuple[NotebookCell, ...]


@dataclass(frozen=True)
class DeviceEntry:
    """A collection or a response action on one device."""

    work: Work
    device: str
    reason: str
    script: str
    script_sha256: str
    more: tuple[Pair, ...]
    approvals: tuple[ApprovalRow, ...]


@dataclass(frozen=True)
class ChecklistRow:
    phase: str
    title: str
    state: str
    required: bool
    late: bool
    owner: str
    due_at: str
    ended_at: str
    ended_by: str
    result: str
    proofs: tuple[str, ...]
    r2_step: str
    csf_outcome: str


@dataclass(frozen=True)
class CustodyRow:
    sequence: int
    at: str
    action: str
    actor: str
    digest: str


@dataclass(frozen=True)
class ExhibitRow:
    """`integrity` is what was found while this report was built; `chain` is "intact" or "broken". `record`: the thing
    lies elsewhere, and size, hash and integrity are those of the record of it; `stated_sha256` was never checked."""

    exhibit: str
    name: str
    kind: str
    description: str
    media_type: str
    size: int
    sha256: str
    record: bool
    stated_sha256: str
    manifest_sha256: str
    partial: bool
    sealed_at: str
    sealed_by: str
    integrity: str
    checked_at: str
    chain: str
    custody_entries: int
    custody: tuple[CustodyRow, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class StarRow:
    """A starred row: `where` it stands and in which run, and its `cells`. `same`: "same" where the table holds that
    very row still, "differs" where it does not, "gone" where there is no table to look into."""

    exhibit: str
    where: str
    run: str
    number: int
    note: str
    noted_by: str
    starred_by: str
    starred_at: str
    row_sha256: str
    same: str
    cells: tuple[Pair, ...]


@dataclass(frozen=True)
class NoteRow:
    title: str
    updated_at: str
    updated_by: str
    version: int
    prose: Prose


@dataclass(frozen=True)
class CommentRow:
    """`about` names the thing as it was called when the comment was written."""

    about: str
    author: str
    at: str
    edited_at: str
    resolved: str
    prose: Prose


@dataclass(frozen=True)
class LogRow:
    sequence: int
    at: str
    actor: str
    action: str
    text: str


@dataclass(frozen=True)
class Cut:
    """A list that is longer than a report prints: `shown` of `total`."""

    what: str
    shown: int
    total: int


@dataclass(frozen=True)
class ReportData:
    format: str
    generated_at: str
    prepared_by: str
    case: CaseFacts
    integrity: Integrity
    summary: Prose
    lessons: Prose
    milestones: tuple[MilestoneRow, ...]
    metrics: tuple[MetricRow, ...]
    phases: tuple[PhaseRow, ...]
    phase_moves: tuple[PhaseMove, ...]
    events: tuple[EventRow, ...]
    assets: tuple[AssetRow, ...]
    indicators: tuple[IndicatorRow, ...]
    stars: tuple[StarRow, ...]
    hunts: tuple[HuntEntry, ...]
    notebooks: tuple[NotebookEntry, ...]
    devices: tuple[DeviceEntry, ...]
    imports: tuple[Work, ...]
    checklist: tuple[ChecklistRow, ...]
    evidence: tuple[ExhibitRow, ...]
    approvals: tuple[ApprovalRow, ...]
    decisions: tuple[DecisionRow, ...]
    clocks: tuple[ClockRow, ...]
    improvements: tuple[ImprovementRow, ...]
    handovers: tuple[HandOverRow, ...]
    open_work: tuple[OpenWork, ...]
    incidents: tuple[IncidentRow, ...]
    facts: tuple[FactRow, ...]
    notes: tuple[NoteRow, ...]
    comments: tuple[CommentRow, ...]
    log: tuple[LogRow, ...]
    cuts: tuple[Cut, ...]
    pictures: tuple[PictureRow, ...] = ()
    report: ReportHead = field(default_factory=ReportHead)
