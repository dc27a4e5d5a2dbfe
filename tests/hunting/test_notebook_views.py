"""The notebook's pages and its API: written, run, moved and read, with script and without, and by whom."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from hunting.models import Cell, HuntRun, Notebook, NotebookRun
from hunting.services.notebooks import editing
from hunting.services.notebooks.editing import Draft
from hunting.services.notebooks.exchange import MAX_FILE
from hunting.tasks import step_notebook
from ircase.models import CustodyEntry
from ircase.services.identity import people
from tests.cast import CastTestCase
from tests.hunting.stage import make_table, work
from tests.ircase.queries import at_most

HTMX = {"HX-Request": "true"}
ROWS = [
    {"Timestamp": f"2026-11-20T10:00:{number:02}Z", "DeviceName": f"ws-{number:02}", "AccountName": "<b>bob</b>"}
    for number in range(14)
]


def body(reply: HttpResponse) -> str:
    return reply.content.decode()


class NotebookPageTests(CastTestCase):
    def setUp(self) -> None:
        make_table(self.case, self.bob, "DeviceLogonEvents", ROWS)
        self.book = editing.create_notebook(case=self.case, actor=self.bob, title="Logons")
        self.sign_in(self.bob)

    def url(self, name: str, *args: object) -> str:
        return reverse(f"hunting:{name}", args=[self.case.reference, *args])

    def page(self) -> str:
        return self.url("notebook", self.book.uuid)

    def cell(self, text: str = "DeviceLogonEvents", kind: str = "kql", **more: str) -> Cell:
        return editing.add_cell(notebook=self.book, actor=self.bob, kind=kind, draft=Draft(text, **more))

    def door(self, name: str, cell: Cell) -> str:
        return self.url(name, self.book.uuid, cell.uuid)

    def form(self, cell: Cell, **more: str) -> dict[str, str]:
        cell.refresh_from_db()
        return {**vars(Draft.of(cell)), "version": str(cell.version), **more}

    def worked(self) -> None:
        """A worker takes what is queued."""
        while (run := HuntRun.objects.unfinished().first()) is not None:
            work(run)

    def test_an_empty_case_says_what_a_notebook_is(self) -> None:
        Notebook.objects.all().delete()
        page = self.client.get(self.url("notebooks"))
        self.assertContains(page, "No notebook yet")
        self.assertContains(page, "New notebook")

    def test_a_new_notebook_offers_what_the_tables_can_answer(self) -> None:
        answer = self.client.post(self.url("notebooks"), {"title": "  Second  "})
        made = Notebook.objects.get(title="Second")
        self.assertRedirects(answer, self.url("notebook", made.uuid))
        make_table(self.case, self.bob, "DeviceNetworkEvents", [{"RemoteIP": "192.0.2.1", "RemotePort": 443}])
        page = self.client.get(self.url("notebook", made.uuid))
        self.assertContains(page, "An empty notebook")
        self.assertNotContains(page, "Processes that started seldom")
        self.client.post(self.url("cell_add", made.uuid), {"kind": "kql", "starter": "activity-over-time"})
        assert made.cells.get().text.startswith("DeviceProcessEvents\n|")

    def test_a_notebook_without_a_title_is_refused(self) -> None:
        self.assertContains(self.client.post(self.url("notebooks"), {"title": " "}), "required", status_code=422)

    def test_text_is_rendered_and_queries_are_coloured_and_nothing_is_markup(self) -> None:
        self.cell("**Why** <script>alert(1)</script>", kind="markdown")
        self.cell('// <i>\nDeviceLogonEvents | where A == "<b>"')
        page = body(self.client.get(self.page()))
        assert "<strong>Why</strong>" in page and "<script>alert" not in page
        assert '<span class="k-comment">// &lt;i&gt;\n</span>' in page
        assert '<span class="k-string">&quot;&lt;b&gt;&quot;</span>' in page
        assert '<span class="k-operator">where</span>' in page
        assert "data-kql " not in page  # no editor until a cell is opened

    def test_a_cell_opens_alone_or_on_a_page_of_its_own(self) -> None:
        cell = self.cell(name="Logons")
        fragment = body(self.client.get(self.door("cell_edit", cell), headers=HTMX))
        assert fragment.count("data-kql ") == 1 and "<html" not in fragment
        assert f"?cell={cell.uuid}" in fragment
        page = body(self.client.get(self.door("cell_edit", cell)))
        assert "<html" in page and "data-kql " in page

    def test_save_and_run_without_script(self) -> None:
        cell = self.cell()
        answer = self.client.post(self.door("cell_edit", cell), self.form(cell, text="DeviceLogonEvents | take 3"))
        self.assertRedirects(answer, f"{self.page()}#cell-{cell.uuid}", fetch_redirect_response=False)
        assert 'hx-trigger="every 2s"' in body(self.client.get(self.page()))
        self.worked()
        page = self.client.get(self.page())
        self.assertContains(page, "ws-02")
        self.assertContains(page, "&lt;b&gt;bob&lt;/b&gt;")
        self.assertNotContains(page, "every 2s")

    def test_the_result_polls_until_it_is_final_then_shows_the_first_rows(self) -> None:
        cell = self.cell(name="Logons")
        fragment = body(self.client.post(self.door("cell_run", cell), headers=HTMX))
        assert 'hx-trigger="every 2s"' in fragment
        before = CustodyEntry.objects.filter(action="viewed").count()
        self.worked()
        final = body(self.client.get(self.door("cell_result", cell), headers=HTMX))
        assert "every 2s" not in final and "The first 10 of 14 rows" in final
        assert final.count("<tr data-row>") == 10
        assert 'id="notebook-tables" hx-swap-oob="true"' in final
        assert CustodyEntry.objects.filter(action="viewed").count() == before + 1

    def test_nothing_changed_is_offered(self) -> None:
        cell = self.cell()
        self.client.post(self.door("cell_run", cell))
        self.worked()
        offer = body(self.client.post(self.door("cell_run", cell), headers=HTMX))
        assert "Run it all the same" in offer and HuntRun.objects.count() == 1
        self.client.post(self.door("cell_run", cell), {"again": "1"}, headers=HTMX)
        assert HuntRun.objects.count() == 2

    def test_a_fault_is_said_in_the_cell(self) -> None:
        cell = self.cell("DeviceLogonEvents | where Nonsense == 1")
        fragment = body(self.client.post(self.door("cell_run", cell), headers=HTMX))
        assert "Not run" in fragment and "Nonsense" in fragment and not HuntRun.objects.exists()

    def test_a_changed_text_marks_the_result_stale(self) -> None:
        cell = self.cell()
        self.client.post(self.door("cell_run", cell))
        self.worked()
        form = self.form(cell, text="DeviceLogonEvents | take 1", action="save")
        fragment = body(self.client.post(self.door("cell_edit", cell), form, headers=HTMX))
        assert "Stale: the query has changed since" in fragment

    def test_two_people_at_once_see_both_texts(self) -> None:
        cell = self.cell("print 1")
        form = self.form(cell, text="print 'mine'", action="save")
        editing.save_cell(cell=cell, actor=self.alice, draft=Draft("print 'hers'"), version=1)
        answer = self.client.post(self.door("cell_edit", cell), form, headers=HTMX)
        assert answer.status_code == 422
        text = body(answer)
        assert "Two people wrote" in text and "&#x27;hers&#x27;</pre>" in text and "print &#x27;mine&#x27;" in text
        assert 'name="version" value="2"' in text
        self.client.post(self.door("cell_edit", cell), {**form, "version": "2"}, headers=HTMX)
        cell.refresh_from_db()
        assert cell.text == "print 'mine'"
        self.assertContains(self.client.get(self.door("cell_history", cell)), "Came late")

    def test_a_wrong_field_is_named_and_the_text_stays(self) -> None:
        cell = self.cell()
        form = self.form(cell, text="my long text", span="soon", name="1x", action="save")
        answer = self.client.post(self.door("cell_edit", cell), form, headers=HTMX)
        assert answer.status_code == 422 and "my long text" in body(answer) and "errorlist" in body(answer)

    def test_run_and_move_on_says_where_to(self) -> None:
        cell = self.cell()
        form = self.form(cell, action="run_next")
        answer = self.client.post(self.door("cell_edit", cell), form, headers=HTMX)
        assert json.loads(answer["HX-Trigger-After-Settle"]) == {"cellNext": {"cell": str(cell.uuid)}}

    def test_move_tells_the_page_before_which_cell(self) -> None:
        one, two, three = (self.cell(f"print {number}") for number in range(3))
        answer = self.client.post(self.door("cell_move", three), {"to": "up"}, headers=HTMX)
        assert json.loads(answer["HX-Trigger"]) == {"cellMoved": {"cell": str(three.uuid), "before": str(two.uuid)}}
        self.client.post(self.door("cell_move", one), {"to": "down"})
        assert [cell.text for cell in self.book.cells.there()] == ["print 2", "print 0", "print 1"]

    def test_cells_are_put_above_and_below(self) -> None:
        cell = self.cell("print 1")
        add = self.url("cell_add", self.book.uuid)
        fragment = body(self.client.post(add, {"kind": "markdown", "beside": cell.uuid, "above": "1"}, headers=HTMX))
        assert fragment.lstrip().startswith('<li class="cell card"') and "data-editing" in fragment
        self.client.post(add, {"kind": "kql", "beside": cell.uuid})
        assert [c.kind for c in self.book.cells.there()] == ["markdown", "kql", "kql"]
        assert self.client.post(add, {"kind": "python"}).status_code == 404

    def test_delete_and_undo(self) -> None:
        cell = self.cell("print 'gone'")
        gone = body(self.client.post(self.door("cell_remove", cell), headers=HTMX))
        assert "Undo" in gone and "print" not in gone
        self.assertContains(self.client.get(self.page()), "Deleted cells (1)")
        back = self.client.post(self.door("cell_restore", cell), headers=HTMX)
        self.assertContains(back, "gone")
        self.assertNotContains(self.client.get(self.page()), "Deleted cells")

    def test_run_all_brings_each_result_to_its_place(self) -> None:
        one, two = self.cell(name="Logons"), self.cell("Logons | count", name="Total")
        state = self.url("notebook_state", self.book.uuid)
        begun = body(self.client.post(self.url("notebook_run", self.book.uuid), headers=HTMX))
        assert f"{state}?seen=0" in begun
        batch = NotebookRun.objects.get()
        step_notebook(batch.pk)
        first = body(self.client.get(f"{state}?seen=0", headers=HTMX))
        assert f'id="result-{one.uuid}" hx-swap-oob="true"' in first and str(two.uuid) not in first.split("</form>")[-1]
        self.worked()
        last = body(self.client.get(f"{state}?seen=0", headers=HTMX))
        assert f'id="result-{two.uuid}" hx-swap-oob="true"' in last and "every 2s" not in last
        assert "Last run of all" in last and 'data-announce="The notebook has ended: Done"' in last
        self.assertContains(self.client.get(self.page()), "read Logons (")

    def test_a_failure_and_a_cancel_are_said(self) -> None:
        self.cell("DeviceLogonEvents | where Nonsense == 1", name="Bad")
        self.client.post(self.url("notebook_run", self.book.uuid))
        step_notebook(NotebookRun.objects.get().pk)
        self.assertContains(self.client.get(self.page()), "Stopped at cell 1")
        self.cell()
        self.client.post(self.url("notebook_run", self.book.uuid), {"go_on": "1"})
        self.assertContains(self.client.get(self.page()), "Stop</button>")
        self.client.post(self.url("notebook_cancel", self.book.uuid))
        step_notebook(NotebookRun.objects.first().pk)  # type: ignore[union-attr]
        assert NotebookRun.objects.first().state == "cancelled"  # type: ignore[union-attr]

    def test_an_empty_notebook_cannot_be_run_and_says_so(self) -> None:
        answer = self.client.post(self.url("notebook_run", self.book.uuid), headers=HTMX)
        self.assertContains(answer, "This notebook has no query to run.")
        self.assertContains(answer, 'id="run-all"')

    def test_the_list_of_tables_has_origin_rows_time_and_columns(self) -> None:
        page = body(self.client.get(self.page()))
        listed = page[page.index('id="notebook-tables"') :]
        assert 'data-insert="DeviceLogonEvents"' in listed and "2026-11-20 10:00:00 to 2026-11-20 10:00:13" in listed
        assert "14 rows" in listed and ">AccountName</dt>" in listed

    def test_the_editor_knows_the_results_above(self) -> None:
        first = self.cell(name="Logons")
        self.client.post(self.door("cell_run", first))
        self.worked()
        second = self.cell("Logons | where DeviceName == 'ws-01'")
        schema = json.loads(self.client.get(self.url("schema") + f"?cell={second.uuid}&source=case").content)
        assert schema["tables"][0]["name"] == "Logons"
        check = {"kql": second.text, "source": "case"}
        found = [json.loads(self.client.post(self.url("check") + tail, check).content)["findings"]
                 for tail in ("", f"?cell={second.uuid}", f"?cell={first.uuid}")]  # fmt: skip
        assert found[0] and not found[1] and found[2]

    def test_export_is_a_download_and_import_brings_it_back(self) -> None:
        self.cell("What **now**?", kind="markdown")
        self.cell(name="Logons")
        answer = self.client.get(self.url("notebook_export", self.book.uuid))
        assert isinstance(answer, StreamingHttpResponse) and "attachment" in answer["Content-Disposition"]
        text = b"".join(answer.streaming_content).decode()  # type: ignore[arg-type]
        self.client.post(self.url("notebook_import"), {"title": "Again", "text": text})
        made = Notebook.objects.get(title="Again")
        assert [(c.kind, c.name) for c in made.cells.there()][-1] == ("kql", "Logons")
        self.assertContains(self.client.post(self.url("notebook_import"), {}), "no text in it", status_code=422)

    def test_a_file_is_imported_as_a_browser_sends_it(self) -> None:
        text = "# From a file\n\n```kql\nDeviceEvents | take 1\n```\n".encode("utf-8-sig")
        file = SimpleUploadedFile("hunt.md", text, content_type="text/markdown")
        reply = self.client.post(self.url("notebook_import"), {"title": "", "file": file, "text": ""})
        made = Notebook.objects.get(title="From a file")
        assert reply.headers["Location"] == self.url("notebook", made.uuid)
        assert [cell.text for cell in made.cells.there()] == ["DeviceEvents | take 1"]
        for content, said in ((b"\xff\xfe", "not text in UTF-8"), (b"x" * (MAX_FILE + 2_000_000), "larger than")):
            file = SimpleUploadedFile("hunt.md", content)
            reply = self.client.post(self.url("notebook_import"), {"file": file})
            self.assertContains(reply, said, status_code=422)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(self.bob)
        assert strict.post(self.url("notebook_import"), {"text": "# A"}).status_code == 403

    def test_readers_read_and_write_nothing(self) -> None:
        cell = self.cell()
        self.client.post(self.door("cell_run", cell))
        self.worked()
        self.sign_in(self.carol)
        page = self.client.get(self.page())
        self.assertContains(page, "ws-03")
        for word in ("Run all", "hx-post", 'data-do="edit"', "Rename"):
            self.assertNotContains(page, word)
        assert self.client.post(self.door("cell_run", cell)).status_code == 403
        self.sign_in(self.mallory)
        assert self.client.get(self.page()).status_code == 404

    def test_a_cell_of_another_notebook_or_case_is_not_reached(self) -> None:
        other = editing.create_notebook(case=self.secret_case, actor=self.alice, title="Secret")
        hidden = editing.add_cell(notebook=other, actor=self.alice, kind="kql", draft=Draft("print 1"))
        assert self.client.get(self.url("notebook", other.uuid)).status_code == 404
        assert self.client.get(self.url("cell_edit", self.book.uuid, hidden.uuid)).status_code == 404

    def test_the_page_takes_few_queries_however_many_cells(self) -> None:
        for _ in range(6):
            self.cell("print 2")
        self.client.get(self.page())
        with at_most(10):
            self.client.get(self.page(), headers=HTMX)


class ApiTests(CastTestCase):
    def setUp(self) -> None:
        make_table(self.case, self.bob, "DeviceLogonEvents", ROWS)
        _, self.token = people.create_token(user=self.bob, name="test")
        self.base = f"/api/v1/cases/{self.case.reference}/notebooks"

    def call(self, method: str, path: str, data: Any = None) -> Any:
        answer = self.client.generic(
            method,
            self.base + path,
            json.dumps(data) if data is not None else "",
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        self.status = answer.status_code
        return json.loads(answer.content) if not answer.streaming else b"".join(answer.streaming_content)

    def test_from_markdown_to_the_results(self) -> None:
        text = "# Logons\nWho?\n```kql name=Logons\nDeviceLogonEvents\n```\n```kql\nLogons | count\n```\n"
        made = self.call("POST", "", {"markdown": text})
        assert self.status == 201 and made["title"] == "Logons"
        assert [cell["kind"] for cell in made["cells"]] == ["markdown", "kql", "kql"]
        book = f"/{made['uuid']}"
        begun = self.call("POST", f"{book}/run", {})
        assert (self.status, begun["state"], begun["total"]) == (202, "running", 2)
        step_notebook(NotebookRun.objects.get().pk)
        while (run := HuntRun.objects.unfinished().first()) is not None:
            work(run)
        whole = self.call("GET", book)
        assert whole["last_run_of_all"]["state"] == "done"
        assert [cell["row_count"] for cell in whole["cells"]] == [None, 14, 1]
        last = whole["cells"][2]
        results = self.call("GET", f"{book}/cells/{last['uuid']}/results")
        assert results["total"] == 1 and results["items"][0]["uuid"] == last["run"]
        same = self.call("POST", f"{book}/cells/{last['uuid']}/run", {})
        assert self.status == 200 and same["uuid"] == last["run"]
        assert b"| 14 |" in self.call("GET", f"{book}/markdown")

    def test_a_late_save_says_the_version(self) -> None:
        book = f"/{self.call('POST', '', {'title': 'x'})['uuid']}"
        cell = self.call("POST", f"{book}/cells", {"kind": "kql", "text": "print 1"})
        path = f"{book}/cells/{cell['uuid']}"
        assert self.call("PUT", path, {"text": "print 2", "version": 1})["version"] == 2
        late = self.call("PUT", path, {"text": "print 3", "version": 1})
        assert self.status == 422 and "The version is 2 now" in late["detail"]
