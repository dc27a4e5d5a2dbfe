"""What the tests of hunting stand on: case tables made by hand, providers that answer what they are told."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from hunting.binding import Frozen, attach, attach_kql
from hunting.catalogue import hunts
from hunting.models import HuntRun, Source
from hunting.providers import Answer, Question
from hunting.services import runs
from hunting.tasks import run_hunt
from ircase.models import Case, CaseTable, User
from ircase.services.analysis import tables
from ircase.work import Hold
from kql import Column, write_parquet
from kql.catalogue import TABLES
from tests.cast import make_evidence

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
"""The moment the hand-made tables are about; the hunts look back from here."""


def make_table(case: Case, actor: User, name: str, rows: Sequence[Mapping[str, Any]]) -> CaseTable:
    """A table of the case with the columns that the rows name, typed as Microsoft's catalogue has them."""
    types = {column.name: column for column in TABLES.get(name, ())}
    named = dict.fromkeys(key for row in rows for key in row)
    columns = [types.get(key, Column(key, "string")) for key in named]
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "rows.ndjson", Path(folder) / "rows.parquet"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        info = write_parquet(source, columns, out)
        assert info.misfits == info.skipped == 0
        item = make_evidence(case, actor, source.read_bytes(), f"{name}.ndjson")
        new = tables.NewTable(name, out, info.columns, info.rows, info.first_time, info.last_time, "hand")
        return tables.keep(evidence=item, tables=[new])[0]


def frozen_hunt(hunt_id: str, **given: Any) -> Frozen:
    return attach(hunt=hunts()[hunt_id], given={"AsOf": "2026-11-20T18:00:00Z", **given}, now=NOW)


def queue_kql(case: Case, actor: User, kql: str, source: Source = Source.CASE) -> HuntRun:
    frozen = attach_kql(kql=kql, span="7d", as_of="2026-11-20T18:00:00Z", now=NOW)
    return runs.queue_run(case=case, actor=actor, frozen=frozen, source=source)


def queue_hunt(case: Case, actor: User, hunt_id: str, source: Source = Source.CASE, **given: Any) -> HuntRun:
    return runs.queue_run(case=case, actor=actor, frozen=frozen_hunt(hunt_id, **given), source=source)


@contextmanager
def quiet_heart() -> Iterator[None]:
    """No heartbeat thread: inside a test's transaction another thread cannot write."""
    with (
        mock.patch.object(Hold, "__enter__", lambda self: self),
        mock.patch.object(Hold, "__exit__", lambda self, *_: None),
    ):
        yield


def work(run: HuntRun) -> HuntRun:
    """Let a worker take the run, as the task does."""
    with quiet_heart():
        run_hunt(run.pk)
    return HuntRun.objects.with_people().get(pk=run.pk)


def record_of(run: HuntRun) -> list[dict[str, Any]]:
    """The rows that were sealed."""
    assert run.evidence is not None
    return [json.loads(line) for line in run.evidence.path.read_text(encoding="utf-8").splitlines()]


class FakeProvider:
    """A source that gives these rows, or raises this error once it is asked."""

    name = "fake"

    def __init__(
        self,
        columns: Sequence[Column] = (),
        rows: Sequence[Mapping[str, Any]] = (),
        *,
        error: Exception | None = None,
        truncated_by: str = "",
        request_id: str = "req-1",
    ) -> None:
        self.columns, self.rows, self.error = tuple(columns), rows, error
        self.truncated_by, self.request_id = truncated_by, request_id
        self.asked: list[Question] = []

    @contextmanager
    def ask(self, question: Question) -> Iterator[Answer]:
        self.asked.append(question)
        if self.error is not None:
            raise self.error
        answer = Answer(columns=self.columns, records=iter(()), request_id=self.request_id)
        answer.records = self._records(answer)
        yield answer

    def _records(self, answer: Answer) -> Iterator[dict[str, Any]]:
        yield from (dict(row) for row in self.rows)
        answer.truncated_by = self.truncated_by


@contextmanager
def answering(provider: FakeProvider, source: Source = Source.DEFENDER) -> Iterator[FakeProvider]:
    """The tenant answers by `provider`, at once: no queue, no network."""
    with (
        mock.patch("hunting.runner.PROVIDERS", {source.value: provider}),
        mock.patch("hunting.quota.turn", lambda *_: nullcontext()),
        mock.patch("hunting.quota.first", lambda *_: []),
    ):
        yield provider


def columns_for(rows: Sequence[Mapping[str, Any]], table: str = "DeviceProcessEvents") -> list[Column]:
    types = {column.name: column for column in TABLES[table]}
    return [types.get(key, Column(key, "string")) for key in dict.fromkeys(key for row in rows for key in row)]


def done_run(case: Case, actor: User, rows: Sequence[Mapping[str, Any]], kql: str = "DeviceProcessEvents") -> HuntRun:
    """A run on the tenant that gave these rows."""
    run = queue_kql(case, actor, kql, Source.DEFENDER)
    with answering(FakeProvider(columns_for(rows), rows)):
        return work(run)
