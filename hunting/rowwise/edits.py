"""What a proof comes to: the changes that make a slice's text of a query's, or why it may not be sliced."""

from dataclasses import dataclass
from datetime import datetime

from kql.types import datetime_text


@dataclass(frozen=True)
class Refusal:
    """Why a query is not sliced: a sentence, and where (from 1) in the text."""

    reason: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.reason}"


@dataclass(frozen=True)
class Edit:
    """A change of the text: `length` characters at `offset` give way to `text`, in which `{start}`, `{end}` and `{now}`
    stand for datetime literals."""

    offset: int
    length: int
    text: str


@dataclass(frozen=True)
class Rowwise:
    """A query that may be sliced by `time_column`.

    `order`: the time column's name in the answer, "" where the answer lacks it; then rows are in order of time from
    slice to slice, and inside a slice as the service gives them. `descending`: the query sorts the latest first.
    """

    text: str
    time_column: str
    edits: tuple[Edit, ...]
    order: str
    descending: bool = False

    def between(self, start: datetime, end: datetime, now: datetime) -> str:
        """The text for the half-open slice from `start` to `end`, with every `now()` and `ago()` meaning `now`."""
        words = {"start": _literal(start), "end": _literal(end), "now": _literal(now)}
        parts, at = [], 0
        for edit in self.edits:
            parts += [self.text[at : edit.offset], edit.text.format(**words)]
            at = edit.offset + edit.length
        return "".join([*parts, self.text[at:]])


def _literal(moment: datetime) -> str:
    return f"datetime({datetime_text(moment)})"


class Refused(Exception):
    """What a walk ends with at the place that prevents the proof."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def plain(text: str) -> str:
    """A text that `str.format` leaves as it is."""
    return text.replace("{", "{{").replace("}", "}}")
