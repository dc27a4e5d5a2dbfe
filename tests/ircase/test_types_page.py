"""How a file of rows is read: shown as found, corrected by a person, read again, and said in log and custody."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from artifacts.choices import Choice, ColumnChoice
from ircase.models import CaseTable, Evidence, LogEntry, ParseJob
from ircase.sentences import sentence_of
from ircase.services.analysis import interpreting, tables
from ircase.tasks import parse_evidence
from tests.cast import CastTestCase, make_evidence

PLAIN = b"When;Host;Count\n2026-07-15 12:00:00;ws-1;5\n2026-07-15 12:00:01;ws-2;n/a\n"
DATES = b"When\n03/04/2026 10:00\n04/04/2026 11:00\n"
TYPES = {
    "action": "types", "table": "Firewall log", "zone": "Europe/Berlin", "order": "", "time_column": "When",
    "keep_0": "on", "name_0": "When", "type_0": "datetime", "keep_1": "on", "name_1": "DeviceName",
    "type_1": "string", "keep_2": "on", "name_2": "Count", "type_2": "long",
}  # fmt: skip
LAYOUT = {"action": "layout", "delimiter": ";", "quote": "none", "encoding": "utf-8", "header": "no", "skip": "1"}


class TypesTestCase(CastTestCase):
    item: Evidence
    job: ParseJob

    def read(self, content: bytes = PLAIN, name: str = "fw.csv") -> None:
        self.item = make_evidence(self.case, self.bob, content, name=name)
        self.job = tables.queue_parse(evidence=self.item, actor=self.bob)
        self.again()
        self.sign_in(self.bob)

    def again(self) -> None:
        parse_evidence(self.job.pk)
        self.job.refresh_from_db()
        assert self.job.state == "done", self.job.reason

    def url(self, number: int = 1) -> str:
        return reverse("ircase:import_types", args=[self.case.reference, self.job.uuid, number])

    def post(self, said: dict[str, Any]) -> HttpResponse:
        return self.client.post(self.url(), said)


class PageTests(TypesTestCase):
    def test_the_import_asks_for_the_zone_and_leads_to_the_page(self) -> None:
        self.read()
        page = self.client.get(reverse("ircase:import", args=[self.case.reference, self.job.uuid])).content.decode()
        assert "In which time zone are the times" in page
        assert self.url() in page
        page = self.client.get(self.url()).content.decode()
        for shown in ("When", "No zone", "2026-07-15 12:00:00", "ws-1", "Read again with these types", "Semicolon"):
            assert shown in page
        # A time without a zone was not taken for UTC.
        assert dict(self.item.tables.get().columns)["When"] == "string"

    def test_the_zone_must_be_said(self) -> None:
        self.read()
        reply = self.post({**TYPES, "zone": ""})
        assert reply.status_code == 422
        assert "Say where the clock stood" in reply.content.decode()
        self.job.refresh_from_db()
        assert (self.job.state, self.job.choices) == ("done", {})

    def test_the_order_of_day_and_month_must_be_said(self) -> None:
        self.read(DATES)
        said = {key: value for key, value in TYPES.items() if not key.endswith(("_1", "_2"))}
        assert "Say which comes first" in self.post(said).content.decode()
        assert self.post({**said, "order": "dmy"}).status_code == 302
        self.again()
        assert self.item.tables.get().first_time.isoformat() == "2026-04-03T08:00:00+00:00"

    def test_names_are_told_apart_and_one_column_is_kept(self) -> None:
        self.read()
        assert "Two columns have this name" in self.post({**TYPES, "name_1": "when"}).content.decode()
        none = {key: value for key, value in TYPES.items() if not key.startswith("keep")}
        assert "Keep at least one column" in self.post(none).content.decode()

    def test_what_is_chosen_is_done_and_kept_with_the_evidence(self) -> None:
        self.read()
        before = (self.item.tables.get().version, self.item.path.read_bytes())
        assert self.post(TYPES).status_code == 302
        self.again()
        table = CaseTable.objects.get(evidence=self.item)
        assert (table.name, table.version) == ("Firewall_log", 2)
        columns = dict(table.columns)
        assert columns == {
            "Timestamp": "datetime", "When": "datetime", "DeviceName": "string", "Count": "long",
            "Count_text": "string",
        }  # fmt: skip
        assert table.first_time is not None
        assert table.first_time.isoformat() == "2026-07-15T10:00:00+00:00"
        assert [problem["code"] for problem in self.job.problems] == ["typed.misfit"]
        assert (1, self.item.path.read_bytes()) == before
        tables.queue_parse(evidence=self.item, actor=self.bob)
        self.again()
        assert CaseTable.objects.get(evidence=self.item).version == 3
        assert "In which time zone" not in self.client.get(self.url()).content.decode()

    def test_log_and_custody_say_it(self) -> None:
        self.read()
        self.post(TYPES)
        entry = LogEntry.objects.filter(case=self.case, action="evidence.typed").get()
        assert entry.detail["choice"]["zone"] == "Europe/Berlin"
        assert sentence_of(entry).text == f"chose how {self.item.exhibit} is read, times in Europe/Berlin:"
        custody = self.item.custody.latest("sequence")
        assert (custody.action, custody.actor, custody.detail["zone"]) == ("interpreted", self.bob, "Europe/Berlin")

    def test_a_layout_is_read_again(self) -> None:
        self.read()
        assert self.post(LAYOUT).status_code == 302
        self.again()
        (found,) = interpreting.found(self.job)
        assert (found.shape.dialect.header, found.shape.dialect.skip) == (False, 1)
        assert [column.source for column in found.shape.columns] == ["Column1", "Column2", "Column3"]
        assert found.shape.rows == 2

    def test_nothing_is_chosen_while_it_is_being_read(self) -> None:
        self.read()
        ParseJob.objects.filter(pk=self.job.pk).update(state="running")
        assert self.post(TYPES).status_code == 422
        self.job.refresh_from_db()
        assert self.job.choices == {}

    def test_hostile_forms_are_answered_with_words(self) -> None:
        self.read()
        for wrong in (
            {**TYPES, "type_0": "blob"}, {**TYPES, "zone": "../../etc"}, {**LAYOUT, "skip": "-1"},
            {**LAYOUT, "encoding": "rot13"}, {**LAYOUT, "delimiter": "xx"}, {"action": "other"}, {},
        ):  # fmt: skip
            assert self.post(wrong).status_code == 422, wrong
        assert self.client.get(self.url(2)).status_code == 404
        choice = Choice("other.csv", columns=(ColumnChoice("a", "a", "long"),))
        with self.assertRaisesMessage(Exception, "no such file"):
            interpreting.choose(job=self.job, actor=self.bob, choice=choice)

    def test_names_from_outside_are_shown_as_text(self) -> None:
        self.read(b"<script>a,b\n<img src=x>,1\n", name="<b>.csv")
        page = self.client.get(self.url()).content.decode()
        assert "<script>a" not in page
        assert "<img src=x>" not in page

    def test_readers_look_and_do_not_choose(self) -> None:
        self.read()
        self.sign_in(self.carol)
        page = self.client.get(self.url())
        assert page.status_code == 200
        assert "Read again with" not in page.content.decode()
        assert self.post(TYPES).status_code == 403
        self.sign_in(self.mallory)
        assert self.client.get(self.url()).status_code == 404
