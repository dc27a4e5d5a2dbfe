"""Rows on their way to being evidence: newline-delimited JSON in a folder of the run's own, and a Parquet beside it."""

import json
import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from django.conf import settings

from hunting.models import HuntRun
from hunting.providers import Answer, Provider, Question
from ircase.services import evidence
from ircase.store import Stored
from kql import Column, KqlCancelled, ParquetInfo, write_parquet

logger = logging.getLogger(__name__)
_EVERY = 500


@dataclass(frozen=True)
class Gathered:
    """A whole answer, safely stored. `parquet` is None where there was nothing to make one from."""

    stored: Stored
    columns: tuple[Column, ...]
    row_count: int
    truncated_by: str
    request_id: str
    engine: dict[str, str]
    notes: tuple[str, ...]
    parquet: Path | None
    info: ParquetInfo | None
    asked_at: datetime
    answered_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@contextmanager
def folder_of(run: HuntRun) -> Iterator[Path]:
    """A folder for this attempt; what an earlier, killed attempt left is removed first."""
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True, mode=0o750)
    clear(run)
    folder: Path = settings.SPOOL_DIR / f"hunt-{run.uuid}-{run.attempt}"
    folder.mkdir(mode=0o750)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_abandoned(age: float = 3600.0) -> int:
    """Remove what killed workers left of runs that have ended since; how many folders. `age` is in seconds."""
    removed = 0
    for folder in settings.SPOOL_DIR.glob("hunt-*"):
        try:
            run = uuid.UUID(folder.name.removeprefix("hunt-").rpartition("-")[0])
            old = time.time() - folder.stat().st_mtime > age
        except (ValueError, OSError):
            continue
        if old and not HuntRun.objects.filter(uuid=run).unfinished().exists():
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def clear(run: HuntRun) -> None:
    for old in settings.SPOOL_DIR.glob(f"hunt-{run.uuid}-*"):
        shutil.rmtree(old, ignore_errors=True)


def gather(provider: Provider, question: Question, folder: Path, told: Callable[[str, int], None]) -> Gathered:
    """Ask, write the record while hashing it, store it, make the Parquet. Touches no database.

    `told(phase, rows)` hears how far it is. Raises ApiError, KqlError or StoreError.
    """
    asked, record = datetime.now(UTC), folder / "record.ndjson"
    told("querying", 0)
    with provider.ask(question) as answer:
        count = _write(answer, question, record, told)
    told("sealing", count)
    stored = evidence.put_file(record)
    info = _parquet(record, answer.columns, folder / "rows.parquet")
    return Gathered(
        stored=stored,
        columns=answer.columns,
        row_count=count,
        truncated_by=answer.truncated_by[:300],
        request_id=answer.request_id,
        engine=answer.engine,
        notes=tuple(answer.notes),
        parquet=folder / "rows.parquet" if info else None,
        info=info,
        asked_at=asked,
    )


def _write(answer: Answer, question: Question, record: Path, told: Callable[[str, int], None]) -> int:
    count, size = 0, 0
    with record.open("xb") as file:
        for row in answer.records:
            # A lone surrogate cannot be UTF-8; as JSON's own escape it is kept exactly.
            line = _line(row)
            size += len(line)
            if size > question.limits.bytes:
                answer.truncated_by = "bytes"
                break
            file.write(line)
            count += 1
            if count % _EVERY == 0:
                if question.cancel.is_set():
                    raise KqlCancelled("Cancelled while the rows were read.")
                told("reading", count)
    return count


def _line(row: dict[str, object]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _parquet(record: Path, columns: tuple[Column, ...], out: Path) -> ParquetInfo | None:
    """The grid's file. The record is what counts: without a Parquet the run still ends with its evidence."""
    if not columns:
        return None
    try:
        return write_parquet(record, columns, out)
    except (duckdb.Error, ValueError, OSError) as error:
        logger.warning("hunt.no_parquet", extra={"error": f"{type(error).__name__}: {error}"[:300]})
        return None
