"""``load``: files and folders into tables, one Parquet each, and a report that names whatever could not be read."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from artifacts.archives import Member, Unpacker, folder_members
from artifacts.choices import Choice, Dialect
from artifacts.collected.reader import Collected
from artifacts.csvfiles import CsvFile
from artifacts.dfir import reading_rank
from artifacts.eventcsv import is_event_csv
from artifacts.events import EventTables
from artifacts.evtxfiles import EvtxFile
from artifacts.jsonfiles import JsonFile
from artifacts.limits import ArtifactError, Budget, Limits, LoadStopped
from artifacts.naming import identifier, shown
from artifacts.printedfiles import is_printed_file, tables_in
from artifacts.reading import Reading
from artifacts.records import from_evtx, from_json
from artifacts.report import FileReport, LoadReport, Problem
from artifacts.rowsets import FileRows, parquet_rows
from artifacts.shapes import MAX_SHAPES, Shape, Survey
from artifacts.snapshots import TABLES as SNAPSHOTS
from artifacts.sniff import ARCHIVE_NAMES, Kind, kind_of, packed_as
from artifacts.spool import Spools
from artifacts.text import TextSource, open_text
from artifacts.xlsxfiles import XlsxBroken, sheets
from kql.catalogue import TABLES

_Row = TypeVar("_Row", bound=Mapping[str, Any])
_PROBLEMS = 5_000
_FILES = 50_000
_SAMPLED = 2_000_000  # characters of first rows that a report carries
_PROGRESS_EVERY = 0.5
_ARCHIVES: tuple[Kind, ...] = ("zip", "tar", "gzip")


@dataclass(frozen=True)
class ProgressNote:
    """Where a load is: ``stage`` ``reading`` or ``writing``, the file or table at hand, records read so far."""

    stage: str
    name: str
    records: int
    bytes: int


OnProgress = Callable[[ProgressNote], None]


def load(
    paths: Iterable[Path],
    out: Path,
    *,
    limits: Limits | None = None,
    progress: OnProgress | None = None,
    names: Mapping[Path, str] | None = None,
    only: Collection[str] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    survey: bool = False,
    choices: Iterable[Choice] = (),
) -> LoadReport:
    """Read files and folders into tables and write each as ``out/<Table>.parquet``.

    EVTX, exported Windows events and rows as JSON, CSV, Parquet, and zip, tar and gzip of them; a DFIR zip becomes
    ``DFIR_*`` tables. ``names`` gives the name by which a path is shown and by which a table is called where nothing
    in the file says it (evidence is stored under its hash). ``only``: make no other tables than these. ``survey``: find
    out the types of texts in files of rows, and report what each file looks like; ``choices``: how a person wants some
    of them read, by their member name.

    Nothing in the input raises: what cannot be read is a Problem, what can is kept; where a cap or ``cancelled`` stops
    the load, ``complete`` is False. Raises OSError only where ``out`` cannot be written or a given path does not exist.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".load-{os.getpid()}-", dir=out) as scratch:
        loader = _Loader(Path(scratch), Budget(limits or Limits(), cancelled), progress, only, survey, choices)
        complete = True
        try:
            for path in paths:
                loader.read(path, (names or {}).get(path) or _given_name(path))
        except LoadStopped as stop:
            loader.problem("", stop.code, str(stop))
            complete = False
        return loader.finish(out, complete)


def _given_name(path: Path) -> str:
    """A path's own name, with its folder's where that names a table: one part of several may be given alone."""
    resolved = path.resolve()
    return f"{resolved.parent.name}/{resolved.name}" if resolved.parent.name in TABLES else resolved.name


class _Loader:
    def __init__(
        self,
        scratch: Path,
        budget: Budget,
        progress: OnProgress | None,
        only: Collection[str] | None,
        survey: bool,
        choices: Iterable[Choice],
    ) -> None:
        self._survey = survey
        self._choices = {choice.member: choice for choice in choices}
        self._shapes: list[Shape] = []
        self._sampled = 0
        self.budget = budget
        self._progress = progress or (lambda note: None)
        self._said = 0.0
        self._problems: list[Problem] = []
        self._dropped = 0
        self._files: list[FileReport] = []
        (scratch / "members").mkdir()
        (scratch / "spools").mkdir()
        self._scratch = scratch
        self._unpacker = Unpacker(scratch / "members", budget, self.problem, reading_rank)
        self.spools = Spools(scratch / "spools", budget, only)
        self.events = EventTables.of(self.spools, scratch)
        self._records = 0
        self._collected = Collected(self)
        self._notes: list[Problem] = []

    def problem(self, member: str, code: str, message: str) -> None:
        if len(self._problems) < _PROBLEMS:
            self._problems.append(Problem(shown(member), code, shown(message, length=1_000)))
        else:
            self._dropped += 1

    def note(self, member: str, code: str, message: str) -> None:
        """An assumption that the reading of a file rests on."""
        if len(self._notes) < _PROBLEMS:
            self._notes.append(Problem(shown(member), code, shown(message, length=1_000)))

    def read(self, path: Path, name: str) -> None:
        """One path that the caller gave."""
        if path.is_dir():
            for member in folder_members(path, name, self.budget, self.problem, reading_rank):
                self._member(member)
        else:
            self.budget.take_entry()
            path.stat()
            self._member(Member(shown(name), path, 0))

    def finish(self, out: Path, complete: bool) -> LoadReport:
        if self._dropped:
            self._problems.append(Problem("", "report.problems", f"{self._dropped:,} more problems are not listed"))
        tables = self.spools.finish(out, self.problem, lambda name: self._say("writing", name, force=True))
        not_made = tuple(sorted(self.spools.not_made))
        return LoadReport(
            tables,
            tuple(self._problems),
            tuple(self._files),
            complete,
            not_made,
            tuple(self._shapes),
            tuple(self._notes),
        )

    def _member(self, member: Member) -> None:
        """One file, whatever it is. Only LoadStopped leaves this."""
        self._say("reading", member.name)
        try:
            kind = kind_of(member.path, member.name)
            if kind in _ARCHIVES:
                self._archive(member, kind)
            else:
                self._plain(member, kind)
        except LoadStopped as stop:
            raise LoadStopped(f"{member.name}: {stop}", code=stop.code) from stop
        except ArtifactError as error:
            self.problem(member.name, error.code, str(error))
        except OSError as error:
            self.problem(member.name, "file.unreadable", f"cannot be read: {error.strerror or error}")
        except MemoryError:
            raise
        except Exception as error:  # a parser of hostile bytes may raise anything; the other files stand
            said = f"a fault stopped its reading, the rows before it are kept ({type(error).__name__}: {error})"
            self.problem(member.name, "file.fault", said)

    def _archive(self, member: Member, kind: Kind) -> None:
        members = {
            "zip": self._unpacker.zip_members,
            "tar": self._unpacker.tar_members,
            "gzip": self._unpacker.gzip_member,
        }[kind](member)
        count = 0
        for inner in members:
            count += 1
            self._member(inner)
        self.file(member, kind, count)

    def _plain(self, member: Member, kind: Kind) -> None:
        readers: dict[Kind, Callable[[Member], None]] = {
            "evtx": self._evtx,
            "json": self._json,
            "csv": self._csv,
            "parquet": self._parquet,
            "xlsx": self._xlsx,
        }
        chosen = member.name in self._choices and not member.package
        if not chosen and kind in ("json", "other") and is_printed_file(open_text(member.path)):
            self._printed(member)
            return
        if not chosen and self._collected.takes(member, kind):
            return
        if kind in readers:
            readers[kind](member)
        elif kind == "packed":
            word = packed_as(member.path)
            self.problem(member.name, "archive.unsupported", f"a {word} archive is not read; unpack it, load its files")
            self.file(member, "packed")
        else:
            if kind == "other" and member.name.lower().endswith(ARCHIVE_NAMES):
                said = "is no archive, whatever its name says: nothing in it was read"
                self.problem(member.name, "archive.none", said)
            self.file(member, kind)

    def _evtx(self, member: Member) -> None:
        source = EvtxFile(member.path, self._scratch)
        events, computer = self.events.for_file(member.name), ""
        try:
            for row in self.counted(source.rows(), member):
                record = from_evtx(row)
                if record is None:
                    source.records_bad += 1
                else:
                    computer = record.computer
                    events.add(row, record)
        finally:
            events.finish()
            self._evtx_problems(member, source, events.records)
            if events.records:
                self._collected.event_log(member, computer)
            self.file(member, "evtx", events.records, source.records_bad)

    def _evtx_problems(self, member: Member, source: EvtxFile, kept: int) -> None:
        why = f" ({'; '.join(source.examples)})" if source.examples else ""
        if source.chunks_bad:
            self.problem(
                member.name, "evtx.chunk", f"{source.chunks_bad:,} chunks cannot be read, {kept:,} records kept{why}"
            )
        if source.records_bad:
            self.problem(
                member.name, "evtx.record", f"{source.records_bad:,} records cannot be read, {kept:,} kept{why}"
            )
        if source.cut or source.missing_chunks:
            lost = f", {source.missing_chunks:,} chunks of 64 KiB are missing" if source.missing_chunks else ""
            self.problem(member.name, "evtx.cut", f"the file is cut short{lost}; {kept:,} records kept")

    def _json(self, member: Member) -> None:
        source = self.text(member)
        reader = JsonFile(source)
        events = self.events.for_file(member.name)
        rows = FileRows(self.spools, member.name, reading=self.reading(member.name, typed=True))
        try:
            for row in self.counted(reader.rows(), member):
                record = from_json(row)
                if record is None:
                    rows.add(row)
                else:
                    events.add(row, record)
        finally:
            events.finish()
            self.rows_end(member.name, rows, "json", Dialect(encoding=source.encoding))
            if reader.bad:
                self.problem(
                    member.name,
                    "json.line",
                    f"{reader.bad:,} lines are no JSON object, the first is {reader.first_bad:,}",
                )
            if events.timeless:
                self.problem(member.name, "event.time", f"{events.timeless:,} events carry no time")
            if events.unzoned:
                self.problem(
                    member.name,
                    "event.zone",
                    f"{events.unzoned:,} events carry only a wall clock of unknown zone, which was taken as UTC",
                )
            self.text_problems(member, source)
            self.file(member, "json", events.records + rows.records, reader.bad)

    def _csv(self, member: Member) -> None:
        choice = self._choices.get(member.name)
        if choice is None and self._is_event_csv(member):
            self._collected.event_csv(member)
            return
        source = self.text(member)
        reader = CsvFile(source, choice.dialect if choice else Dialect())
        rows = FileRows(self.spools, member.name, reading=self.reading(member.name))
        try:
            for row in self.counted(reader.rows(), member):
                rows.add(row)
        finally:
            found = replace(
                reader.dialect, delimiter=reader.delimiter, encoding=source.encoding, header=not reader.guessed
            )
            self.rows_end(member.name, rows, "csv", found)
            self._csv_problems(member, reader)
            self.text_problems(member, source)
            self.file(member, "csv", rows.records)

    @staticmethod
    def _is_event_csv(member: Member) -> bool:
        first = CsvFile(open_text(member.path))
        next(islice(first.rows(), 1), None)
        return is_event_csv(first.header)

    def reading(self, member: str, *, typed: bool = False) -> Reading:
        return Reading(self._choices.get(member), Survey(typed=typed) if self._survey else None)

    def dialect(self, member: Member, otherwise: Dialect) -> Dialect:
        """The layout that a person chose for a file, else ``otherwise``."""
        choice = self._choices.get(member.name)
        return choice.dialect if choice else otherwise

    def rows_end(self, member: str, rows: FileRows, kind: str, dialect: Dialect) -> None:
        """After the last row of a file: its types, what did not fit, and what it looks like."""
        shape = rows.finish(kind, dialect)
        for code, message in rows.problems():
            self.problem(member, code, message)
        if shape is not None and shape.columns and len(self._shapes) < MAX_SHAPES:
            self._sampled += sum(len(cell) for row in shape.sample for cell in row)
            self._shapes.append(shape if self._sampled < _SAMPLED else replace(shape, sample=()))

    def _xlsx(self, member: Member) -> None:
        """Each sheet a table: by the workbook's name alone where there is one."""
        prefix = f"{member.name}!"
        dialects = {name[len(prefix) :]: c.dialect for name, c in self._choices.items() if name.startswith(prefix)}
        stem, count = PurePosixPath(member.name.replace("!", "/")).stem, 0
        for sheet in sheets(member.path, self.budget, dialects):
            label = prefix + shown(sheet.name)
            name = f"{stem}_{sheet.name}" if sheet.several else stem
            rows = FileRows(self.spools, label, reading=self.reading(label), name=name)
            try:
                for row in self.counted(sheet.rows(), member):
                    rows.add(row)
            except XlsxBroken as error:
                self.problem(label, error.code, str(error))
            finally:
                count += rows.records
                self.rows_end(label, rows, "xlsx", replace(sheet.dialect, header=not sheet.guessed))
        self.file(member, "xlsx", count)

    def _csv_problems(self, member: Member, reader: CsvFile) -> None:
        if reader.guessed:
            self.problem(
                member.name,
                "csv.header",
                f"the first line is data, not names: columns are called Column1 to Column{len(reader.header)}",
            )
        if reader.ragged:
            self.problem(
                member.name, "csv.ragged", f"{reader.ragged:,} rows have more cells than the header; see ExtraCells"
            )

    def _printed(self, member: Member) -> None:
        """What a library script printed: its own tables, or one by the file's name."""
        found = tables_in(open_text(member.path), identifier(PurePosixPath(member.name.replace("!", "/")).stem))
        count = 0
        for name, rows in found.rows.items():
            spool = self.spools.named(name, "snapshot" if name in SNAPSHOTS else "printed", SNAPSHOTS.get(name, ()))
            for row in self.counted(iter(rows), member):
                self.spools.count(1)
                spool.add(row, self.spools.limits.columns)
                count += 1
        for fault in found.faults:
            self.problem(member.name, fault.code, fault.message)
        self.file(member, "json", count)

    def _parquet(self, member: Member) -> None:
        rows = FileRows(self.spools, member.name, reading=self.reading(member.name, typed=True))
        try:
            for row in self.counted(parquet_rows(member.path), member):
                rows.add(row)
        finally:
            self.rows_end(member.name, rows, "parquet", Dialect())
            self.file(member, "parquet", rows.records)

    def text(self, member: Member) -> TextSource:
        choice = self._choices.get(member.name)
        source = open_text(member.path, choice.dialect.encoding if choice else "")
        if source.assumed:
            self.problem(
                member.name,
                "text.encoding",
                f"no byte-order mark and not UTF-8: read as {source.encoding}; characters outside ASCII may be wrong",
            )
        return source

    def text_problems(self, member: Member, source: TextSource) -> None:
        if source.nuls:
            self.problem(member.name, "text.nul", f"{source.nuls:,} NUL characters were dropped")
        if source.long_lines:
            self.problem(
                member.name, "text.long", f"{source.long_lines:,} lines of over 16 Mi characters were left out"
            )

    def counted(self, rows: Iterator[_Row], member: Member) -> Iterator[_Row]:
        for number, row in enumerate(rows):
            self._records += 1
            if not number % 512:
                self.budget.check_time()
                self._say("reading", member.name)
            yield row

    def file(self, member: Member, kind: str, records: int = 0, skipped: int = 0) -> None:
        if len(self._files) < _FILES:
            self._files.append(FileReport(member.name, kind, records, skipped))

    def _say(self, stage: str, name: str, *, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._said >= _PROGRESS_EVERY:
            self._said = now
            self._progress(ProgressNote(stage, name, self._records, self.budget.total_bytes))
