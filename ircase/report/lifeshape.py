"""What a report says of decisions, deadlines, improvements, hand-overs, incidents and answers to an authority.

Values are as `ircase.report.shape` has them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DecisionRow:
    """`superseded_by` is the label of the later decision that took its place, "" where it stands."""

    label: str
    what: str
    why: str
    alternatives: str
    decided_by: str
    decided_at: str
    told: str
    supersedes: str
    superseded_by: str
    links: tuple[str, ...]


@dataclass(frozen=True)
class ClockRow:
    """A deadline: `outcome` is running, missed, delivered in time, delivered late, or does not apply."""

    title: str
    law: str
    source: str
    counted: str
    basis: str
    started_at: str
    due_at: str
    outcome: str
    delivered_at: str
    proof: str


@dataclass(frozen=True)
class ImprovementRow:
    title: str
    outcome: str
    owner: str
    due_on: str
    state: str
    result: str
    description: str = ""


@dataclass(frozen=True)
class HandOverRow:
    giver: str
    receiver: str
    offered_at: str
    state: str
    answered_at: str
    situation: str
    next_steps: str
    answer: str
    moved: str
    exhibit: str


@dataclass(frozen=True)
class OpenWork:
    """What is under way or waits when the report is written: a checklist item, a run, an approval."""

    kind: str
    title: str
    who: str
    since: str
    due_at: str


@dataclass(frozen=True)
class IncidentRow:
    """An incident in the case; `removed_at` where it was taken out again, `why` then says so."""

    number: str
    title: str
    origin: str
    url: str
    via: str
    added_by: str
    added_at: str
    removed_at: str
    why: str


@dataclass(frozen=True)
class TechniqueRow:
    technique: str
    name: str
    tactic: str


@dataclass(frozen=True)
class FactRow:
    """A field of a notification: what the law asks, where, and the answer, "" where it is missing."""

    field: str
    label: str
    article: str
    answer: str


@dataclass(frozen=True)
class PictureRow:
    """A picture of an exhibit as a worker drew it anew, a PNG in Base64: no byte of it is the exhibit's."""

    exhibit: str
    png: str


@dataclass(frozen=True)
class ReportHead:
    """Which report this is. `watermark` is "" for a version that was signed off; `signed` then says by whom."""

    label: str = ""
    kind: str = "technical"
    regime: str = ""
    stage: str = ""
    language: str = "en"
    redaction: str = ""
    watermark: str = ""
    missing: tuple[str, ...] = ()
    signed: tuple[tuple[str, str], ...] = ()
