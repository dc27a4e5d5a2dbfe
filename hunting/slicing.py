"""An answer that was cut, asked again in slices of time: which slice comes next, and when to stop.

Slices are half-open and follow each other, so no row is asked for twice and none is left out. Their width follows the
rows that came: halved when a slice was cut, widened towards most of the source's cap when it was not.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

from django.conf import settings

from hunting.providers import Question
from hunting.rowwise import Refusal, Rowwise, proof

TICK: Final = timedelta(microseconds=1)
"""The narrowest slice; Kusto's own clock has ten steps in it."""

SHORTEST_TIMED_OUT: Final = timedelta(seconds=1)
"""A slice this short that still times out is given up: the time goes elsewhere than into its rows."""

FILLED: Final = 0.7
"""How much of the source's cap a slice is meant to fill."""

WIDEST_STEP: Final = 4.0
CAREFUL_STEP: Final = 1.1


@dataclass(frozen=True)
class Budget:
    """What one run may spend on slices: calls, rows and bytes kept, seconds spent asking."""

    calls: int = 200
    rows: int = 5_000_000
    bytes: int = 2 * 2**30
    seconds: float = 3600.0

    @classmethod
    def from_settings(cls) -> Self:
        """HUNTING_SLICE_CALLS, _ROWS, _BYTES and _SECONDS of the settings, over the defaults."""
        names = cls.__dataclass_fields__
        found = {name: getattr(settings, f"HUNTING_SLICE_{name.upper()}", None) for name in names}
        return cls(**{name: value for name, value in found.items() if value is not None})


@dataclass(frozen=True)
class Slice:
    """One call: from `start` up to but not including `end`, and what became of it.

    `outcome`: "whole" and "kept, cut" gave `rows` to the record; "cut" and "failed" were thrown away and asked again in
    parts; "given up" gave none and could not be divided; "no room" was more than the record may hold.
    """

    start: datetime
    end: datetime
    rows: int
    outcome: str
    why: str = ""
    request_id: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        named = asdict(self)
        return {"from": named.pop("start").isoformat(), "to": named.pop("end").isoformat(), **named}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        named = {key: value for key, value in data.items() if key not in ("from", "to")}
        return cls(datetime.fromisoformat(data["from"]), datetime.fromisoformat(data["to"]), **named)

    @property
    def kept(self) -> bool:
        return self.outcome in ("whole", "kept, cut")


@dataclass
class Walk:
    """What is left to ask, from `start` up to `end`, and how wide the next slice is. `target` is in rows."""

    start: datetime
    end: datetime
    target: float
    width: timedelta
    descending: bool = False
    failed: timedelta | None = None
    """The width that last took too long or was too large, where nothing says by how much: neared with care."""

    @classmethod
    def over(cls, start: datetime, end: datetime, cap: int, descending: bool = False) -> Self:
        """All of it, once it has been cut as a whole: the first slice is half."""
        return cls(start, end, max(cap * FILLED, 1.0), max((end - start) / 2, TICK), descending)

    def next(self) -> tuple[datetime, datetime] | None:
        """The next slice; None when nothing is left."""
        if self.start >= self.end:
            return None
        width = min(self.width, self.end - self.start)
        return (self.end - width, self.end) if self.descending else (self.start, self.start + width)

    def keep(self, start: datetime, end: datetime, rows: int) -> None:
        """That slice is done with `rows` rows."""
        if end - start >= self.width:
            step = min(max(self.target / rows, 1 / WIDEST_STEP), WIDEST_STEP) if rows else WIDEST_STEP
            width = self.width * step
            if self.failed is not None:
                width = min(width, max(self.failed * 0.9, self.width * CAREFUL_STEP))
            # Never wider than what a datetime can be moved by.
            self.width = max(min(width, timedelta(days=3660)), TICK)
        if self.descending:
            self.end = start
        else:
            self.start = end

    def divide(self, start: datetime, end: datetime, *, by_rows: bool) -> bool:
        """That slice was cut; False where it cannot be divided any more. `by_rows`: the cap on rows was what cut it."""
        shortest = TICK if by_rows else SHORTEST_TIMED_OUT
        if end - start <= shortest:
            self.failed = None
            return False
        self.failed = self.failed if by_rows else end - start
        self.width = max((end - start) / 2, TICK)
        return True

    def as_json(self) -> dict[str, Any]:
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "target": self.target,
            "width": self.width // TICK,
            "descending": self.descending,
            "failed": self.failed // TICK if self.failed is not None else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        moments = {name: datetime.fromisoformat(data[name]) for name in ("start", "end")}
        failed = data["failed"] * TICK if data["failed"] is not None else None
        return cls(**{**data, **moments, "width": data["width"] * TICK, "failed": failed})


@dataclass
class Slicing:
    """The slices of one run so far. `rowwise` is the proof that they may be asked."""

    rowwise: Rowwise
    now: datetime
    budget: Budget
    walk: Walk
    whole: tuple[datetime, datetime]
    slices: list[Slice] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def of(cls, question: Question, rowwise: Rowwise) -> Self:
        """Over all that the question looks at. Whether a window's last moment belongs to it is not documented, so the
        slices go one step beyond it; the service's own window still stands around them."""
        start, end = question.start, question.reaches + TICK
        walk = Walk.over(start, end, question.limits.rows, rowwise.descending)
        return cls(rowwise, question.end, Budget.from_settings(), walk, (start, end))

    @property
    def calls(self) -> int:
        return len(self.slices)

    @property
    def kept(self) -> int:
        """How many slices the record is made of."""
        return sum(one.kept for one in self.slices)

    def spent(self, rows: int, size: int) -> str:
        """Which part of the budget is used up, in words; "" while there is some of each."""
        budget = self.budget
        if self.calls >= budget.calls:
            return f"the budget of {budget.calls:,} calls is spent"
        if rows >= budget.rows:
            return f"the budget of {budget.rows:,} rows is spent"
        if size >= budget.bytes:
            return f"the budget of {budget.bytes:,} bytes is spent"
        return f"the budget of {budget.seconds:,.0f} seconds is spent" if self.seconds >= budget.seconds else ""

    def note(self, one: Slice) -> None:
        self.slices.append(one)
        self.seconds += one.seconds

    def text(self, start: datetime, end: datetime) -> str:
        return self.rowwise.between(start, end, self.now)

    @property
    def problems(self) -> str:
        """What the slices could not bring home, in words; "" where they are whole."""
        parts = [f"{_moment(one)}: {one.why}" for one in self.slices if one.outcome in ("kept, cut", "given up")]
        said = ["; ".join([*parts[:3], f"and {len(parts) - 3} more" if len(parts) > 3 else ""]).strip("; ")]
        if self.walk.start < self.walk.end:
            said.append(f"not asked: {self.walk.start.isoformat()} to {self.walk.end.isoformat()}")
        return "; ".join(part for part in said if part)

    def as_json(self) -> dict[str, Any]:
        """For the manifest: every slice, the pinned `now`, the text with the places where each slice's ends stand."""
        start, end = self.whole
        left = self.walk.start < self.walk.end
        return {
            "time_column": self.rowwise.time_column,
            "ordered_by": self.rowwise.order,
            "descending": self.rowwise.descending,
            "now": self.now.isoformat(),
            "from": start.isoformat(),
            "to": end.isoformat(),
            "query_of_first": self.text(self.slices[0].start, self.slices[0].end) if self.slices else "",
            "budget": asdict(self.budget),
            "calls": self.calls,
            "kept": self.kept,
            "slices": [one.as_json() for one in self.slices],
            "not_asked": [self.walk.start.isoformat(), self.walk.end.isoformat()] if left else None,
        }


def provable(question: Question) -> Rowwise | Refusal:
    """The proof for the first time column that the question's source allows and its tables have."""
    refusal: Refusal | None = None
    for column in question.time_columns:
        found = proof(question.final_kql, column, question.known)
        if isinstance(found, Rowwise):
            return found
        refusal = refusal or found
    return refusal or Refusal("This source is not asked in slices.", 1, 1)


def _moment(one: Slice) -> str:
    if one.end - one.start <= SHORTEST_TIMED_OUT:
        return f"the instant {one.start.isoformat()}"
    return f"{one.start.isoformat()} to {one.end.isoformat()}"
