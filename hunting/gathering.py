"""A whole answer, from the first call to the stored record: at once where the source gives it whole, else in slices."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb

from hunting.providers import Answer, Provider, Question
from hunting.rowwise import Refusal
from hunting.slicing import Slice, Slicing, Walk, provable
from hunting.spool import RECORD, Record, line_of, read_state, save_state
from ircase.services import evidence
from ircase.store import Stored
from kql import Column, KqlCancelled, ParquetInfo, write_parquet
from msapi.errors import BadReply, QueryTimeout, ResultTooLarge

logger = logging.getLogger(__name__)
_EVERY: Final = 500
OURS: Final = "bytes"
"""`truncated_by` where it was our own limit on the record, which slices would not lift."""

ADVICE: Final = (
    "Narrow the window, filter earlier, or project fewer columns; or write it with row-wise steps only (where, extend, "
    "project, parse, mv-expand, union) and do the counting on the case's own copy."
)


class Told(Protocol):
    """Hears how far it is."""

    def __call__(self, phase: str, rows: int, slices: int = 0) -> None: ...


@dataclass(frozen=True)
class Gathered:
    """A whole answer, safely stored. `parquet` is None where there was nothing to make one from; `slicing` is what the
    manifest says of its slices, or of why there are none, and None where the answer was whole at once."""

    stored: Stored
    columns: tuple[Column, ...]
    row_count: int
    truncated_by: str
    request_ids: tuple[str, ...]
    engine: dict[str, str]
    notes: tuple[str, ...]
    parquet: Path | None
    info: ParquetInfo | None
    asked_at: datetime
    slices: int = 0
    slicing: dict[str, Any] | None = None
    answered_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class _Part:
    """What one call gave to the record."""

    columns: tuple[Column, ...]
    rows: int
    truncated_by: str
    request_id: str
    engine: dict[str, str]
    notes: list[str]
    full: bool
    """Our own limit on the record was reached."""


@dataclass
class _Gathering:
    """One run's answer on its way."""

    provider: Provider
    question: Question
    folder: Path
    told: Told
    again: Callable[[], None]
    record: Record
    asked_at: datetime
    columns: tuple[Column, ...] = ()
    engine: dict[str, str] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    request_ids: list[str] = field(default_factory=list)
    truncated_by: str = ""
    slicing: Slicing | None = None
    refusal: Refusal | None = None

    # --- at once

    def at_once(self) -> None:
        """The first call, for all of it. Where it was cut and may be sliced, what came is thrown away."""
        self.told("querying", 0)
        try:
            part = self.ask(self.question)
        except (ResultTooLarge, QueryTimeout) as error:
            if not self.may_slice(error.message):
                raise
            self.record.rollback()
            self.remember(error.request_id)
            return
        if part.truncated_by and not part.full and self.may_slice(part.truncated_by):
            self.record.rollback()
            self.take(part)
            return
        self.take(part)
        self.truncated_by = part.truncated_by

    def may_slice(self, why: str) -> bool:
        if not self.question.time_columns:
            return False
        found = provable(self.question)
        if isinstance(found, Refusal):
            self.refusal = found
            return False
        logger.info("hunt.sliced", extra={"why": why[:200], "column": found.time_column})
        self.slicing = Slicing.of(self.question, found)
        return True

    # --- in slices

    def in_slices(self, slicing: Slicing, *, has_turn: bool) -> None:
        """Slice after slice until the answer is whole or the budget is spent. `has_turn`: nothing was asked yet in the
        turn that this worker waited for."""
        self.save(slicing)
        while not self.truncated_by and (span := slicing.walk.next()) is not None:
            if spent := slicing.spent(self.record.rows, self.record.size):
                self.truncated_by = spent
                break
            if not has_turn:
                self.again()
            has_turn = False
            self.one_slice(slicing, *span)
            self.save(slicing)
            self.told("reading", self.record.rows, slicing.kept)
        problems = slicing.problems
        self.truncated_by = "; ".join(part for part in (self.truncated_by, problems) if part)

    def one_slice(self, slicing: Slicing, start: datetime, end: datetime) -> None:
        began, before = time.monotonic(), self.record.rows
        question = replace(self.question, final_kql=slicing.text(start, end))
        part: _Part | None = None
        try:
            part = self.ask(question)
            why, request_id = part.truncated_by, part.request_id
        except (ResultTooLarge, QueryTimeout) as error:
            self.record.rollback()
            self.remember(error.request_id)
            why, request_id = error.message, error.request_id
        seconds = round(time.monotonic() - began, 3)
        if part is not None:
            self.take(part)
        outcome = self.settle(slicing, start, end, part, seconds)
        slicing.note(Slice(start, end, part.rows if part else 0, outcome, why[:200], request_id, seconds))
        if slicing.slices[-1].kept or outcome == "given up":
            slicing.walk.keep(start, end, self.record.rows - before)

    def settle(self, slicing: Slicing, start: datetime, end: datetime, part: _Part | None, seconds: float) -> str:
        """Keep what came, or make way for smaller slices. Nothing is thrown away that could not be asked again."""
        if part is not None and not part.truncated_by:
            self.record.commit()
            return "whole"
        if part is not None and part.full:
            self.record.rollback()
            self.truncated_by = "the limit on the size of the record is reached"
            return "no room"
        last_call = slicing.calls + 1 >= slicing.budget.calls or slicing.seconds + seconds >= slicing.budget.seconds
        if not last_call and slicing.walk.divide(start, end, by_rows=part is not None):
            self.record.rollback()
            return "cut" if part is not None else "failed"
        if part is None:
            return "given up"
        self.record.commit()
        return "kept, cut"

    # --- both

    def ask(self, question: Question) -> _Part:
        before = self.record.rows
        with self.provider.ask(question) as answer:
            full = self.read(answer)
            return _Part(
                columns=answer.columns,
                rows=self.record.rows - before,
                truncated_by=OURS if full else answer.truncated_by,
                request_id=answer.request_id,
                engine=answer.engine,
                notes=list(answer.notes),
                full=full,
            )

    def read(self, answer: Answer) -> bool:
        """The answer's rows into the record; True where the record's own limit ended it."""
        limit = self.question.limits.bytes
        for row in answer.records:
            line = line_of(row)
            if self.record.size + len(line) > limit:
                return True
            self.record.add(line)
            if self.record.rows % _EVERY == 0:
                if self.question.cancel.is_set():
                    raise KqlCancelled("Cancelled while the rows were read.")
                self.told("reading", self.record.rows, self.slicing.kept if self.slicing else 0)
        return False

    def take(self, part: _Part) -> None:
        """What a call says of itself; its rows are in the record."""
        if self.columns and part.columns and part.columns != self.columns:
            raise BadReply("Two slices of one query came with different columns. Run the query again.")
        self.columns = self.columns or part.columns
        self.engine.update(part.engine)
        self.notes.update(dict.fromkeys(part.notes))
        self.remember(part.request_id)

    def remember(self, request_id: str) -> None:
        if request_id and request_id not in self.request_ids:
            self.request_ids.append(request_id)

    # --- from one worker to the next

    def save(self, slicing: Slicing) -> None:
        save_state(
            self.folder,
            {
                "query": self.question.final_kql,
                "rows": self.record.rows,
                "size": self.record.size,
                "columns": [[column.name, column.type] for column in self.columns],
                "engine": self.engine,
                "notes": list(self.notes),
                "request_ids": self.request_ids,
                "asked_at": self.asked_at.isoformat(),
                "seconds": slicing.seconds,
                "walk": slicing.walk.as_json(),
                "slices": [one.as_json() for one in slicing.slices],
            },
        )

    def resume(self, state: dict[str, Any]) -> None:
        """Go on where an earlier worker stopped. The proof is made anew; only what was asked is believed."""
        found = provable(self.question)
        if isinstance(found, Refusal):
            raise ValueError(f"what was sliced before cannot be: {found}")
        slicing = Slicing.of(self.question, found)
        slicing.walk = Walk.from_json(state["walk"])
        slicing.slices = [Slice.from_json(one) for one in state["slices"]]
        slicing.seconds = float(state["seconds"])
        # Where the window reaches to "now", the first worker's now holds.
        last = max([slicing.walk.end, *(one.end for one in slicing.slices)])
        slicing.whole = (slicing.whole[0], last)
        self.columns = tuple(Column(name, kind) for name, kind in state["columns"])
        self.engine, self.notes = dict(state["engine"]), dict.fromkeys(state["notes"])
        self.request_ids = list(state["request_ids"])
        self.asked_at = datetime.fromisoformat(state["asked_at"])
        self.slicing = slicing

    def said(self) -> dict[str, Any] | None:
        """What the manifest says of slices."""
        if self.slicing is not None:
            return self.slicing.as_json()
        if not self.truncated_by:
            return None
        return {"why_not": str(self.refusal) if self.refusal else "", "advice": ADVICE}


def gather(
    provider: Provider, question: Question, folder: Path, told: Told, again: Callable[[], None] = lambda: None
) -> Gathered:
    """Ask, write the record, store it, make the Parquet. Touches no database.

    `again` is called before every further call: it waits for a turn. Raises ApiError, KqlError or StoreError, and what
    `again` raises; in the middle of slices the folder then holds what is whole, and the next call goes on with it.
    """
    state = _resumable(folder, question)
    rows, size = (int(state["rows"]), int(state["size"])) if state else (0, 0)
    with Record(folder / RECORD, rows, size) as record:
        work = _Gathering(provider, question, folder, told, again, record, datetime.now(UTC))
        if state:
            work.resume(state)
        else:
            work.at_once()
        if work.slicing is not None:
            work.in_slices(work.slicing, has_turn=state is not None)
        record.commit()
    return _stored(work)


def _resumable(folder: Path, question: Question) -> dict[str, Any] | None:
    state = read_state(folder)
    return state if state is not None and state.get("query") == question.final_kql else None


def _stored(work: _Gathering) -> Gathered:
    work.told("sealing", work.record.rows, work.slicing.kept if work.slicing else 0)
    stored = evidence.put_file(work.record.path)
    info = _parquet(work.record.path, work.columns, work.folder / "rows.parquet")
    return Gathered(
        stored=stored,
        columns=work.columns,
        row_count=work.record.rows,
        truncated_by=work.truncated_by[:300],
        request_ids=tuple(work.request_ids),
        engine=work.engine,
        notes=tuple(work.notes),
        parquet=work.folder / "rows.parquet" if info else None,
        info=info,
        asked_at=work.asked_at,
        slices=work.slicing.kept if work.slicing else 0,
        slicing=work.said(),
    )


def _parquet(record: Path, columns: tuple[Column, ...], out: Path) -> ParquetInfo | None:
    """The grid's file. The record is what counts: without a Parquet the run still ends with its evidence."""
    if not columns:
        return None
    try:
        return write_parquet(record, columns, out)
    except (duckdb.Error, ValueError, OSError) as error:
        logger.warning("hunt.no_parquet", extra={"error": f"{type(error).__name__}: {error}"[:300]})
        return None
