"""What a report says of decisions, deadlines and improvements. Values are as `ircase.report.shape` has them."""

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
