"""Reads what collections hold, file by file, into tables: the part of the loader that knows scripts and packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeVar

from artifacts.archives import Member
from artifacts.choices import Dialect
from artifacts.collected import listings
from artifacts.collected.browsers import COLUMNS, browser_rows, profile_of
from artifacts.collected.package import OLE, REPORT, TEXT, Part, folder_table, host_of, known_log, package_text
from artifacts.collected.sqlitefiles import SqliteBroken, SqliteFile, SqliteTable
from artifacts.csvfiles import CsvBroken, CsvFile
from artifacts.culture import Judgement
from artifacts.dfir import DfirFile, DfirMember, Twins, dfir_member, dfir_root, order_words
from artifacts.eventcsv import record_of, time_order
from artifacts.events import EventTables, device
from artifacts.limits import Budget
from artifacts.naming import shown
from artifacts.reading import Reading
from artifacts.rowsets import FileRows
from artifacts.sniff import Kind
from artifacts.spool import Spools
from artifacts.text import TextSource, open_text
from kql.types import Column

_Row = TypeVar("_Row", bound=Mapping[str, Any])
_TEXTS: tuple[Kind, ...] = ("csv", "other", "json")
_WHERE = ("DeviceName", "SourceFile")


class Desk(Protocol):
    """What the loader offers to those who read for it."""

    spools: Spools
    events: EventTables
    budget: Budget

    def problem(self, member: str, code: str, message: str) -> None: ...
    def note(self, member: str, code: str, message: str) -> None: ...
    def text(self, member: Member) -> TextSource: ...
    def text_problems(self, member: Member, source: TextSource) -> None: ...
    def counted(self, rows: Iterator[_Row], member: Member) -> Iterator[_Row]: ...
    def file(self, member: Member, kind: str, records: int = 0, skipped: int = 0) -> None: ...
    def dialect(self, member: Member, otherwise: Dialect) -> Dialect: ...
    def reading(self, member: str, *, typed: bool = False) -> Reading: ...
    def rows_end(self, member: str, rows: FileRows, kind: str, dialect: Dialect) -> None: ...


@dataclass
class Collected:
    """Files of DFIR zips and investigation packages, logs known by their names, and SQLite databases."""

    desk: Desk
    twins: Twins = field(default_factory=Twins)
    security_logs: set[str] = field(default_factory=set)
    package_hosts: dict[str, str] = field(default_factory=dict)

    def takes(self, member: Member, kind: Kind) -> bool:
        """Read the file if it is one of these; False where it is none."""
        if kind == "sqlite":
            self._sqlite(member)
        elif kind == "wal":
            self._wal(member)
        elif kind not in _TEXTS:
            return False
        elif part := known_log(member.name):
            self._text(member, part)
        elif found := dfir_member(member.name):
            self._dfir(member, found)
        elif member.package:
            return self._package(member, kind)
        else:
            return False
        return True

    def event_log(self, member: Member, computer: str) -> None:
        """Remember that an event log was read: its device is the collection's."""
        root = dfir_root(member.name)
        if root is not None and PurePosixPath(root.path).name.casefold() == "security.evtx":
            self.security_logs.add(root.root)
        if member.package and computer:
            self.package_hosts.setdefault(member.package, device(computer)[0])

    def event_csv(self, member: Member) -> None:
        """A log that Get-EventLog wrote: into the event tables as far as its columns and its message go."""
        found = dfir_member(member.name)
        judged = time_order(CsvFile(open_text(member.path)).rows(), found.collected() if found else None)
        source = self.desk.text(member)
        kept = skipped = fieldless = 0
        try:
            for row in self.desk.counted(CsvFile(source).rows(), member):
                record = record_of(row, judged.order)
                if record is None:
                    skipped += 1
                    continue
                kept += 1
                fieldless += bool(record.message.count("\n") > 2 and not record.data)
                self.desk.events.write(record, member.name)
        finally:
            self._event_csv_said(member, judged, kept, fieldless)
            self.desk.text_problems(member, source)
            self.desk.file(member, "csv", kept, skipped)

    def _event_csv_said(self, member: Member, judged: Judgement, kept: int, fieldless: int) -> None:
        """How the times of a log as CSV were read, and whether its messages could be."""
        if judged.order is None and kept:
            self.desk.problem(
                member.name,
                "csv.culture",
                "day and month cannot be told apart: TimeGenerated is empty, TimeSource keeps the text",
            )
        elif kept and judged.order is not None:
            words = order_words(judged.order)
            message = f"TimeGenerated read as {words}: {judged.why}. Local time of the device, its zone is not said"
            self.desk.note(member.name, "note.culture", message)
        if fieldless:
            self.desk.problem(
                member.name,
                "csv.language",
                f"{fieldless:,} messages are in a language whose words are not known: no fields, the text is kept",
            )

    def _dfir(self, member: Member, found: DfirMember) -> None:
        if self.twins.superfluous(found):
            self.desk.file(member, "twin")
            return
        computer = self.desk.events.full_name(found.host)
        file = DfirFile(found, member.name, device(computer)[0], lambda: open_text(member.path), self.twins)
        source = self.desk.text(member)
        broken: CsvBroken | None = None
        try:
            file.write(source, self.desk.spools)
        except CsvBroken as error:
            broken = error
        finally:
            for code, message in file.problems:
                self.desk.problem(member.name, code, message)
            for code, message in file.notes:
                self.desk.note(member.name, code, message)
            self.desk.text_problems(member, source)
            self.desk.file(member, "dfir", file.count)
        if found.base.casefold() == "securityevents" and file.count and not found.print:
            self._dfir_security(member, found.root)
        if broken is not None:
            raise broken

    def _dfir_security(self, member: Member, root: str) -> None:
        if root in self.security_logs:
            self.desk.problem(
                member.name,
                "dfir.twin",
                "the Security.evtx beside it holds the same events and more of them: SecurityEvent is made from that",
            )
        else:
            self.event_csv(member)

    def _device(self, member: Member) -> str:
        root = dfir_root(member.name)
        if root is not None:
            return device(self.desk.events.full_name(root.host))[0]
        if not member.package:
            return ""
        host = self.package_hosts.get(member.package) or host_of(member.package)
        return device(self.desk.events.full_name(host))[0] if host else ""

    def _text(self, member: Member, part: Part) -> None:
        """A text into its table; line by line into ``Package_Text`` where nothing in it was recognised."""
        source = self.desk.text(member)
        count = self._put(member, part.table, part.read(source.lines()), part.account)
        if not count and member.package:
            source = open_text(member.path)
            count = self._put(member, TEXT, listings.numbered(source.lines()), "")
            if count:
                self.desk.note(member.name, "note.lines", f"its layout is not known: kept line by line in {TEXT}")
        if not count:
            self.desk.note(member.name, "note.empty", "no line of it was recognised")
        self.desk.text_problems(member, source)
        self.desk.file(member, "text", count)

    def _put(self, member: Member, table: str, rows: Iterator[Mapping[str, Any]], account: str) -> int:
        names = (*_WHERE, *(("AccountName",) if account else ()))
        spools = self.desk.spools
        cells = {"DeviceName": self._device(member), "SourceFile": member.name}
        if account:
            cells["AccountName"] = account
        spool = spools.named(table, "collection", tuple(Column(name, "string") for name in _WHERE))
        spool.expect(names, spools.limits.columns)
        count = 0
        for row in self.desk.counted(rows, member):
            spool.add({**cells, **row}, spools.limits.columns)
            spools.count(1)
            count += 1
        return count

    def _package(self, member: Member, kind: Kind) -> bool:
        if PurePosixPath(member.name.replace("!", "/")).name.casefold() == REPORT:
            self._report(member)
        elif kind == "csv":
            self._package_csv(member, folder_table(member.name), Dialect())
        elif part := package_text(member.name):
            self._text(member, part)
        else:
            return False
        return True

    def _report(self, member: Member) -> None:
        """The summary is called .xls and is text with tabs, where it is not a workbook after all."""
        with member.path.open("rb") as raw:
            old = raw.read(8) == OLE
        if old:
            self.desk.problem(member.name, "package.xls", "a workbook of Excel 97, which is not read; save it as .xlsx")
            self.desk.file(member, "other")
        else:
            self._package_csv(member, "Package_CollectionSummary", Dialect(delimiter="\t"))

    def _package_csv(self, member: Member, table: str, dialect: Dialect) -> None:
        source = self.desk.text(member)
        reader = CsvFile(source, self.desk.dialect(member, dialect))
        cells = {"DeviceName": self._device(member), "SourceFile": member.name}
        rows = FileRows(self.desk.spools, member.name, reading=self.desk.reading(member.name), name=table)
        try:
            for row in self.desk.counted(reader.rows(), member):
                rows.add({**cells, **row})
        finally:
            found = Dialect(delimiter=reader.delimiter, encoding=source.encoding, header=not reader.guessed)
            self.desk.rows_end(member.name, rows, "csv", found)
            self.desk.text_problems(member, source)
            self.desk.file(member, "csv", rows.records)

    def _sqlite(self, member: Member) -> None:
        """Every table, and the visits and downloads of a browser's history once more in tables of their own."""
        source = SqliteFile(member.path, self.desk.budget)
        count = 0
        try:
            with source.open() as connection:
                tables = {table.name: table for table in source.tables(connection)}
                count += self._browser(member, browser_rows(connection, tables))
                for table in tables.values():
                    count += self._sqlite_table(member, table, several=len(tables) > 1)
        finally:
            for code, message in source.problems:
                self.desk.problem(member.name, code, message)
            self.desk.file(member, "sqlite", count)

    def _sqlite_table(self, member: Member, table: SqliteTable, *, several: bool) -> int:
        label = f"{member.name}!{shown(table.name)}"
        stem = PurePosixPath(member.name.replace("!", "/")).stem
        name = f"{stem}_{table.name}" if several else stem
        rows = FileRows(self.desk.spools, label, reading=self.desk.reading(label, typed=True), name=name)
        try:
            for row in self.desk.counted(table.rows(), member):
                rows.add({**row, "SourceFile": member.name})
        except SqliteBroken as error:
            self.desk.problem(label, error.code, str(error))
        finally:
            rows.declare(dict(table.columns))
            self.desk.rows_end(label, rows, "sqlite", Dialect())
        return rows.records

    def _browser(self, member: Member, found: Iterator[tuple[str, dict[str, Any]]]) -> int:
        profile = {"DeviceName": self._device(member), **profile_of(member.name), "SourceFile": member.name}
        count = 0
        try:
            for name, row in found:
                spool = self.desk.spools.named(name, "collection", COLUMNS[name])
                spool.add({**profile, **row}, self.desk.spools.limits.columns)
                self.desk.spools.count(1)
                count += 1
        except SqliteBroken as error:
            self.desk.problem(member.name, error.code, str(error))
        return count

    def _wal(self, member: Member) -> None:
        self.desk.problem(
            member.name,
            "sqlite.wal",
            "a database's write-ahead log: what it holds is not in the database's tables here; open both together with "
            "sqlite3, run PRAGMA wal_checkpoint, and load the database again",
        )
        self.desk.file(member, "other")
