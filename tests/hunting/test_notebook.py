"""The notebook: order, texts that nobody loses, stale results, results by name, and all of it run over a crash."""

import json
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from hunting.models import Cell, CellRun, HuntRun, Notebook, NotebookRun, Source
from hunting.services import runs, sources
from hunting.services.notebooks import batches, editing, exchange
from hunting.services.notebooks.editing import CellConflict, Draft
from hunting.services.notebooks.running import Unchanged, is_behind, run_cell
from hunting.starters import fitting, starters
from hunting.tasks import step_notebook, sweep_runs
from ircase.models import CustodyEntry, LogEntry
from ircase.services import cases, reports
from ircase.tasks import build_report
from kql import Table
from kql.catalogue import TABLES
from tests.cast import CastTestCase
from tests.hunting.stage import FakeProvider, answering, columns_for, make_table, quiet_heart, record_of, work

LOGONS = [
    {"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": "ws-01", "AccountName": "bob", "ActionType": "LogonSuccess"},
    {"Timestamp": "2026-11-20T10:05:00Z", "DeviceName": "ws-02", "AccountName": "bob", "ActionType": "LogonFailed"},
    {"Timestamp": "2026-11-20T10:09:00Z", "DeviceName": "ws-02", "AccountName": "eve", "ActionType": "LogonFailed"},
]
FAILED = "DeviceLogonEvents | where ActionType == 'LogonFailed'"


class NotebookTestCase(CastTestCase):
    def setUp(self) -> None:
        self.table = make_table(self.case, self.bob, "DeviceLogonEvents", LOGONS)
        self.book = editing.create_notebook(case=self.case, actor=self.bob, title="Logons")

    def kql(self, text: str = FAILED, name: str = "", **more: str) -> Cell:
        return editing.add_cell(notebook=self.book, actor=self.bob, kind="kql", draft=Draft(text, name, **more))

    def note(self, text: str) -> Cell:
        return editing.add_cell(notebook=self.book, actor=self.bob, kind="markdown", draft=Draft(text))

    def texts(self) -> list[str]:
        return [cell.text for cell in self.book.cells.there()]

    def now(self, cell: Cell) -> Cell:
        return Cell.objects.with_results().get(pk=cell.pk)

    def save(self, cell: Cell, text: str, **more: str) -> Cell:
        cell = self.now(cell)
        draft = Draft(**{**vars(Draft.of(cell)), "text": text, **more})
        return editing.save_cell(cell=cell, actor=self.bob, draft=draft, version=cell.version)

    def run_now(self, cell: Cell, **more: bool) -> HuntRun:
        return work(run_cell(cell=cell, actor=self.bob, **more).run)


class OrderTests(NotebookTestCase):
    def test_cells_go_where_they_are_put(self) -> None:
        one, two = self.note("1"), self.note("2")
        add = {"notebook": self.book, "actor": self.bob, "kind": "markdown"}
        editing.add_cell(**add, draft=Draft("1b"), beside=one)
        editing.add_cell(**add, draft=Draft("0"), beside=one, above=True)
        editing.move_cell(cell=two, actor=self.bob, up=True)
        assert self.texts() == ["0", "1", "2", "1b"]
        editing.move_cell(cell=self.now(two), actor=self.bob, up=False)
        editing.move_cell(cell=self.now(two), actor=self.bob, up=False)
        assert self.texts() == ["0", "1", "1b", "2"]

    def test_there_is_always_a_place_between_two_cells(self) -> None:
        first, last = self.note("first"), self.note("last")
        for number in range(40):
            beside = Cell.objects.get(pk=first.pk)
            editing.add_cell(
                notebook=self.book, actor=self.bob, kind="markdown", draft=Draft(str(number)), beside=beside
            )
        assert self.texts() == ["first", *(str(number) for number in reversed(range(40))), "last"]
        assert Cell.objects.get(pk=last.pk).position > Cell.objects.get(pk=first.pk).position

    def test_a_deleted_cell_comes_back_where_it_was_with_its_results(self) -> None:
        self.note("1")
        cell = self.kql(name="Failed")
        self.note("3")
        run = self.run_now(cell)
        editing.remove_cell(cell=cell, actor=self.bob)
        assert self.texts() == ["1", "3"]
        editing.restore_cell(cell=self.now(cell), actor=self.bob)
        assert self.texts() == ["1", FAILED, "3"]
        last = self.now(cell).last
        assert last is not None and last.run == run and self.now(cell).name == "Failed"

    def test_a_name_taken_meanwhile_stays_with_its_new_owner(self) -> None:
        cell = self.kql(name="Failed")
        editing.remove_cell(cell=cell, actor=self.bob)
        self.kql("print 1", name="Failed")
        assert editing.restore_cell(cell=self.now(cell), actor=self.bob).name == ""


class TextTests(NotebookTestCase):
    def test_a_late_save_overwrites_nothing_and_loses_nothing(self) -> None:
        cell = self.note("both read this")
        editing.save_cell(cell=cell, actor=self.alice, draft=Draft("Alice's"), version=1)
        with pytest.raises(CellConflict, match="Alice saved this cell meanwhile") as caught:
            editing.save_cell(cell=cell, actor=self.bob, draft=Draft("Bob's"), version=1)
        assert self.now(cell).text == "Alice's"
        assert (caught.value.revision.text, caught.value.revision.rejected) == ("Bob's", True)
        kept = [(one.text, one.version, one.rejected) for one in cell.revisions.order_by("pk")]
        assert kept == [("both read this", 1, False), ("Alice's", 2, False), ("Bob's", 1, True)]
        merged = editing.save_cell(cell=cell, actor=self.bob, draft=Draft("Alice's and Bob's"), version=2)
        assert (merged.text, merged.version) == ("Alice's and Bob's", 3)

    def test_the_same_text_again_is_no_version(self) -> None:
        cell = self.note("text\r\nmore")
        assert cell.text == "text\nmore"
        assert editing.save_cell(cell=cell, actor=self.bob, draft=Draft("text\nmore"), version=1).version == 1
        assert cell.revisions.count() == 1

    def test_what_a_cell_cannot_be_is_refused_with_the_field(self) -> None:
        cell = self.kql()
        for draft, field in (
            (Draft(FAILED, span="soon"), "span"),
            (Draft(FAILED, as_of="yesterdayish"), "as_of"),
            (Draft("a\x00b"), "text"),
            (Draft(FAILED, source="nowhere"), "source"),
        ):
            with pytest.raises(ValidationError) as caught:
                editing.save_cell(cell=cell, actor=self.bob, draft=draft, version=1)
            assert list(caught.value.message_dict) == [field]

    def test_names_are_checked_against_words_tables_and_cells(self) -> None:
        self.kql(name="Failed")
        make_table(self.case, self.bob, "Own_CL", [{"A": "1"}])
        for name in ("failed", "DeviceProcessEvents", "devicelogonevents", "own_cl", "let", "where", "1x", "a b", "ä"):
            with pytest.raises(ValidationError):
                self.kql("print 1", name=name)
        assert self.kql("print 1", name="_Failed2").name == "_Failed2"

    def test_each_change_is_in_the_log(self) -> None:
        cell = self.kql(name="Failed")
        self.save(cell, "print 1")
        editing.remove_cell(cell=cell, actor=self.bob)
        codes = LogEntry.objects.filter(case=self.case, action__startswith="notebook.").order_by("sequence")
        assert list(codes.values_list("action", flat=True)) == [
            "notebook.created",
            "notebook.cell_added",
            "notebook.cell_saved",
            "notebook.cell_removed",
        ]


class RunTests(NotebookTestCase):
    def test_a_run_is_evidence_and_knows_its_cell(self) -> None:
        cell = self.kql(name="Failed")
        run = self.run_now(cell)
        assert [row["AccountName"] for row in record_of(run)] == ["bob", "eve"]
        assert run.evidence is not None
        said = run.evidence.manifest["notebook"]
        assert (said["title"], said["name"], said["version"], said["results_read"]) == ("Logons", "Failed", 1, [])
        assert run.activity.detail["notebook"] == "Logons"
        last = self.now(cell).last
        assert last is not None and last.run == run and not self.now(cell).is_stale

    def test_a_changed_question_makes_the_result_stale(self) -> None:
        cell = self.kql()
        self.run_now(cell)
        self.save(cell, f"{FAILED} | take 1")
        assert self.now(cell).is_stale
        self.save(cell, FAILED)
        assert not self.now(cell).is_stale
        self.save(cell, FAILED, span="7d")
        assert self.now(cell).is_stale

    def test_older_results_stay_in_reach(self) -> None:
        cell = self.kql()
        first = self.run_now(cell)
        self.save(cell, "print 1")
        second = self.run_now(cell)
        assert [one.run for one in cell.results.all()] == [second, first]

    def test_nothing_changed_is_offered_not_run(self) -> None:
        cell = self.kql()
        run = self.run_now(cell)
        with pytest.raises(Unchanged) as caught:
            run_cell(cell=cell, actor=self.bob)
        assert caught.value.run.run == run
        assert self.run_now(cell, again=True) != run

    def test_a_new_table_of_the_query_is_a_change_another_one_is_none(self) -> None:
        cell = self.kql()
        self.run_now(cell)
        make_table(self.case, self.bob, "DeviceProcessEvents", [{"DeviceName": "x"}])
        with pytest.raises(Unchanged):
            run_cell(cell=cell, actor=self.bob)
        make_table(self.case, self.bob, "DeviceLogonEvents", LOGONS[:1])
        assert run_cell(cell=cell, actor=self.bob)

    def test_what_looks_at_the_clock_is_asked_again(self) -> None:
        cell = self.kql("DeviceLogonEvents | where Timestamp > ago(30d) | take 1")
        self.run_now(cell)
        assert run_cell(cell=cell, actor=self.bob)

    def test_a_fault_is_said_before_anything_is_queued(self) -> None:
        cell = self.kql("DeviceLogonEvents\n| where Nonsense == 1")
        with pytest.raises(ValidationError, match="Line 2"):
            run_cell(cell=cell, actor=self.bob)
        assert not HuntRun.objects.exists()

    def test_one_run_of_a_cell_at_a_time(self) -> None:
        cell = self.kql()
        run_cell(cell=cell, actor=self.bob)
        with pytest.raises(ValidationError, match="still running"):
            run_cell(cell=cell, actor=self.bob)

    def test_a_cell_runs_on_the_tenant_like_any_hunt(self) -> None:
        cell = self.kql("DeviceLogonEvents", source=Source.DEFENDER.value)
        made = run_cell(cell=cell, actor=self.bob)
        with answering(FakeProvider(columns_for(LOGONS, "DeviceLogonEvents"), LOGONS)):
            run = work(made.run)
        assert (run.state, run.row_count, run.source) == ("done", 3, "defender")


class NameTests(NotebookTestCase):
    def test_a_later_cell_reads_a_result_by_its_name(self) -> None:
        first = self.kql(name="Failed")
        source = self.run_now(first)
        last = self.run_now(self.kql("Failed | summarize Tries = count() by DeviceName"))
        assert record_of(last) == [{"DeviceName": "ws-02", "Tries": 2}]
        assert source.evidence is not None and last.evidence is not None
        assert last.evidence.manifest["notebook"]["results_read"] == [
            {
                "name": "Failed",
                "run": str(source.uuid),
                "exhibit": source.evidence.exhibit,
                "sha256": source.evidence.sha256,
                "rows": 2,
                "truncated": False,
            }
        ]

    def test_the_run_reads_the_rows_that_stood_behind_the_name_when_it_was_queued(self) -> None:
        first = self.kql(name="Failed")
        self.run_now(first)
        later = run_cell(cell=self.kql("Failed | count"), actor=self.bob)
        self.save(first, "DeviceLogonEvents")
        self.run_now(first)
        assert record_of(work(later.run)) == [{"Count": 2}]
        assert is_behind(self.now(later.cell))

    def test_a_newer_result_behind_the_name_is_a_change(self) -> None:
        first, later = self.kql(name="Failed"), self.kql("Failed | count")
        self.run_now(first)
        self.run_now(later)
        with pytest.raises(Unchanged):
            run_cell(cell=later, actor=self.bob)
        self.run_now(first, again=True)
        assert self.run_now(later).row_count == 1

    def test_an_empty_result_is_an_empty_table(self) -> None:
        self.run_now(self.kql("DeviceLogonEvents | where DeviceName == 'none'", name="Nobody"))
        assert record_of(self.run_now(self.kql("Nobody | count"))) == [{"Count": 0}]

    def test_patterns_do_not_count_a_result_twice(self) -> None:
        self.run_now(self.kql(name="Failed"))
        assert record_of(self.run_now(self.kql("union * | count"))) == [{"Count": 3}]

    def test_what_a_name_cannot_stand_for_is_said(self) -> None:
        later, first = self.kql("Failed | count"), self.kql(name="Failed")
        with pytest.raises(ValidationError, match="a cell below"):
            run_cell(cell=later, actor=self.bob)
        editing.move_cell(cell=first, actor=self.bob, up=True)
        with pytest.raises(ValidationError, match="has no result yet"):
            run_cell(cell=later, actor=self.bob)
        run_cell(cell=first, actor=self.bob)
        with pytest.raises(ValidationError, match="still running"):
            run_cell(cell=later, actor=self.bob)

    def test_a_tenant_cannot_see_a_result(self) -> None:
        self.run_now(self.kql(name="Failed"))
        with pytest.raises(ValidationError, match="Defender XDR cannot see"):
            run_cell(cell=self.kql("Failed | count", source=Source.DEFENDER.value), actor=self.bob)

    def test_a_table_that_came_later_under_the_same_name_is_no_riddle(self) -> None:
        self.run_now(self.kql(name="Failed"))
        make_table(self.case, self.bob, "Failed", [{"A": "1"}])
        with pytest.raises(ValidationError, match="both a cell and a table"):
            run_cell(cell=self.kql("Failed | count"), actor=self.bob)

    def test_rows_that_are_gone_end_the_run_with_the_reason(self) -> None:
        first = self.run_now(self.kql(name="Failed"))
        later = run_cell(cell=self.kql("Failed | count"), actor=self.bob)
        assert first.table is not None
        first.table.path.unlink()
        run = work(later.run)
        assert run.state == "failed" and "Run that cell again" in run.reason


class RunAllTests(NotebookTestCase):
    def start(self, **more: bool) -> NotebookRun:
        batch = batches.start(notebook=self.book, actor=self.bob, **more)
        step_notebook(batch.pk)
        return batch

    def under_way(self) -> HuntRun | None:
        return HuntRun.objects.unfinished().first()

    def work_off(self) -> list[str]:
        """A worker takes run after run, as the tasks do; their titles in order."""
        done = []
        while (run := self.under_way()) is not None:
            done.append(run.title)
            work(run)
        return done

    def test_top_to_bottom_one_after_the_other(self) -> None:
        self.kql(name="Failed")
        self.note("text between")
        self.kql("Failed | summarize Tries = count() by AccountName", name="ByAccount")
        self.kql("ByAccount | where AccountName == 'eve'", name="Eve")
        batch = self.start()
        assert HuntRun.objects.count() == 1
        assert self.work_off() == ["Failed", "ByAccount", "Eve"]
        batch.refresh_from_db()
        assert (batch.state, batch.at, batch.failures, batch.reason) == ("done", 3, 0, "")
        eve = Cell.objects.with_results().get(name="Eve").last
        assert eve is not None and record_of(eve.run) == [{"AccountName": "eve", "Tries": 1}]

    def test_it_stops_at_the_first_failure(self) -> None:
        self.kql("DeviceLogonEvents | where Nonsense == 1", name="Bad")
        self.kql(name="Failed")
        batch = self.start()
        assert self.work_off() == []
        batch.refresh_from_db()
        assert batch.state == "failed" and batch.reason.startswith("Stopped at cell 1:")

    def test_it_goes_on_where_that_was_wanted_and_names_what_failed(self) -> None:
        bad = self.kql("DeviceLogonEvents | where Nonsense == 1", name="Bad")
        needs = self.kql("Bad | count")
        self.kql(name="Failed")
        batch = self.start(go_on=True)
        assert self.work_off() == ["Failed"]
        batch.refresh_from_db()
        assert (batch.state, batch.failures, batch.reason) == ("failed", 2, "2 of 3 cells failed.")
        assert [one["cell"] for one in batch.notes] == [bad.pk, needs.pk]

    def test_what_has_not_changed_is_kept_unless_asked(self) -> None:
        self.run_now(self.kql(name="Failed"))
        self.kql("Failed | count", name="Count")
        self.start()
        assert self.work_off() == ["Count"]
        self.start(again=True)
        assert self.work_off() == ["Failed", "Count"]

    def test_a_worker_killed_between_two_cells_costs_nothing(self) -> None:
        self.kql(name="Failed")
        self.kql("Failed | count", name="Count")
        batch = self.start()
        run = self.under_way()
        assert run is not None
        with mock.patch("hunting.tasks.batches.after", side_effect=SystemExit), pytest.raises(SystemExit):
            work(run)
        run.refresh_from_db()
        assert run.state == "done" and self.under_way() is None
        with mock.patch("ircase.jobs.send"):
            sweep_runs()
            sweep_runs()
        assert HuntRun.objects.count() == 2
        assert self.work_off() == ["Count"]
        batch.refresh_from_db()
        assert batch.state == "done"

    def test_a_step_taken_often_queues_a_cell_once(self) -> None:
        self.kql(name="Failed")
        batch = self.start()
        for _ in range(3):
            step_notebook(batch.pk)
        assert HuntRun.objects.count() == CellRun.objects.filter(batch=batch).count() == 1

    def test_two_steps_in_one_moment_cannot_both_queue(self) -> None:
        cell = self.kql(name="Failed")
        batch = self.start()
        made = CellRun.objects.get(batch=batch)
        with mock.patch.object(CellRun.objects, "filter", return_value=CellRun.objects.none()), transaction.atomic():
            HuntRun.objects.filter(pk=made.run_id).update(state="cancelled")
            step_notebook(batch.pk)
        assert CellRun.objects.filter(cell=cell).count() == 1

    def test_cancel_stops_the_run_under_way_and_the_rest(self) -> None:
        self.kql(name="Failed")
        self.kql("Failed | count", name="Count")
        batch = self.start()
        batches.cancel(batch=batch, actor=self.alice)
        step_notebook(batch.pk)
        batch.refresh_from_db()
        assert batch.state == "cancelled" and HuntRun.objects.get().state == "cancelled"

    def test_a_cancelled_run_ends_the_notebooks_run(self) -> None:
        self.kql(name="Failed")
        self.kql("Failed | count", name="Count")
        batch = self.start()
        runs.cancel(run=HuntRun.objects.get(), actor=self.bob)
        with mock.patch("ircase.jobs.send"):
            sweep_runs()
        batch.refresh_from_db()
        assert batch.state == "cancelled" and HuntRun.objects.count() == 1

    def test_a_right_taken_away_stops_it(self) -> None:
        self.kql(name="Failed")
        self.kql("Failed | count", name="Count")
        batch = self.start()
        run = self.under_way()
        assert run is not None
        work(run)
        runs.cancel(run=HuntRun.objects.unfinished().get(), actor=self.bob)
        NotebookRun.objects.filter(pk=batch.pk).update(state="cancelled")
        again = batches.start(notebook=self.book, actor=self.bob, again=True)
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        step_notebook(again.pk)
        again.refresh_from_db()
        assert again.state == "failed" and "may no longer run hunts" in again.reason

    def test_one_at_a_time_and_never_nothing(self) -> None:
        with pytest.raises(ValidationError, match="no query"):
            batches.start(notebook=self.book, actor=self.bob)
        self.kql()
        self.start()
        with pytest.raises(ValidationError, match="is being run"):
            batches.start(notebook=self.book, actor=self.bob)

    def test_a_cell_deleted_meanwhile_is_passed_over(self) -> None:
        self.kql(name="Failed")
        gone = self.kql("print 1", name="Gone")
        batch = self.start()
        editing.remove_cell(cell=gone, actor=self.bob)
        assert self.work_off() == ["Failed"]
        batch.refresh_from_db()
        assert batch.state == "done" and batch.notes == [{"cell": gone.pk, "text": "deleted meanwhile"}]


class ExchangeTests(NotebookTestCase):
    def test_out_and_in_again(self) -> None:
        self.note("Who failed, and *why*?")
        first = self.kql(name="Failed", span="7d")
        self.kql("print s = ```three```", source=Source.DEFENDER.value, as_of="2026-11-20T18:00:00+00:00")
        self.run_now(first)
        text = "\n".join(exchange.to_markdown(self.book, self.carol))
        last = self.now(first).last
        assert last is not None and last.run.evidence is not None
        assert f"run {last.run.uuid}".replace("_", "\\_") in text and last.run.evidence.sha256 in text
        assert "| ws-02 | eve |" in text
        assert CustodyEntry.objects.filter(evidence=last.run.evidence, actor=self.carol, action="viewed").exists()
        made = exchange.import_markdown(case=self.secret_case, actor=self.alice, title="", text=text)
        assert made.title == "Logons"
        was, now = (
            [(c.kind, c.name, c.text, c.source, c.span, c.as_of) for c in book.cells.there()]
            for book in (self.book, made)
        )
        assert was == now

    def test_fences_are_queries_and_the_rest_is_text(self) -> None:
        text = "# Title\nLead\n\n```kusto\nprint 1\n```\n~~~python\nx\n~~~\n\n```KQL name=where\nprint 2\n"
        made = exchange.import_markdown(case=self.case, actor=self.bob, title="", text=text)
        assert made.title == "Title"
        cells = [(cell.kind, cell.text) for cell in made.cells.there()]
        assert cells[0] == ("markdown", "Lead")
        assert cells[1:3] == [("kql", "print 1"), ("markdown", "~~~python\nx\n~~~")]
        assert cells[3][0] == "markdown" and "word of KQL" in cells[3][1]
        assert cells[4] == ("kql", "print 2")

    def test_what_cannot_be_a_notebook_makes_none(self) -> None:
        for text in ("", "a\x00b", "\n".join(["```kql", "print 1", "```"] * (editing.MAX_CELLS + 1))):
            with pytest.raises(ValidationError):
                exchange.import_markdown(case=self.case, actor=self.bob, title="x", text=text)
        assert Notebook.objects.filter(case=self.case).count() == 1


class StarterTests(NotebookTestCase):
    def test_only_what_the_tables_can_answer_is_offered(self) -> None:
        offered = {one.id for one in fitting(sources.tables_for(self.case, None)[0])}
        assert "logons-by-kind" in offered and "rare-processes" not in offered
        assert fitting(()) == []

    def test_every_starter_runs_on_microsofts_tables(self) -> None:
        tables = [Table(name, (), columns=columns) for name, columns in TABLES.items()]
        assert {one.id for one in fitting(tables)} == {one.id for one in starters()}

    def test_a_starter_runs(self) -> None:
        starter = next(one for one in starters() if one.id == "logons-by-kind")
        with quiet_heart():
            run = self.run_now(self.kql(starter.kql))
        assert run.state == "done" and run.row_count == 3


class ReportTests(NotebookTestCase):
    def build(self, *books: Notebook) -> tuple[str, bytes, dict[str, Any]]:
        chosen = [str(book.uuid) for book in books]
        build = reports.request_report(case=self.case, actor=self.bob, wanted=reports.Wanted(notebooks=chosen))
        with quiet_heart():
            build_report(build.pk)
        build.refresh_from_db()
        assert build.state == "done", build.reason
        folder = reports.folder_of(build)
        data = json.loads((folder / "report.json").read_text())
        return (folder / "report.md").read_text(), (folder / "report.pdf").read_bytes(), data

    def test_a_chosen_notebook_is_printed_with_its_rows_and_where_they_are_sealed(self) -> None:
        self.note("Who **failed**? <script>alert(1)</script> #panic()")
        first = self.kql(name="Failed")
        run = self.run_now(first)
        self.run_now(self.kql("Failed | summarize Tries = count() by AccountName"))
        self.save(first, f"{FAILED} | take 1 // #set text(red) ```")
        text, pdf, data = self.build(self.book)
        assert pdf.startswith(b"%PDF")
        (book,) = data["notebooks"]
        assert [cell["kind"] for cell in book["cells"]] == ["markdown", "kql", "kql"]
        named, reader = book["cells"][1:]
        assert run.evidence is not None
        assert (named["exhibit"], named["sha256"]) == (run.evidence.exhibit, run.evidence.sha256)
        assert (named["stale"], named["total"], named["columns"][0]) == (True, 2, "Timestamp")
        assert reader["rows"] == [["bob", "1"], ["eve", "1"]] and reader["read"] == f"Failed ({run.evidence.exhibit})"
        assert "## Notebooks" in text and "| bob | 1 |" in text
        assert CustodyEntry.objects.filter(evidence=run.evidence, actor=self.bob, action="viewed").exists()

    def test_one_that_was_not_chosen_or_is_another_cases_is_not(self) -> None:
        self.kql(name="Failed")
        other = editing.create_notebook(case=self.secret_case, actor=self.alice, title="Secret")
        text, _, data = self.build(other)
        assert data["notebooks"] == [] and "Notebooks" not in text
