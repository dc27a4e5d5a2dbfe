"""Starred rows: from the grid and from a row, with notes, provably the same row, on a page and in the report."""

import hashlib
import io
import json
import tempfile
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase.models import CaseTable, Event, LogEntry, Star
from ircase.report import data, markdown, typeset
from ircase.report.kinds import compose
from ircase.services.analysis import stars, tablerows
from tests.cast import CastTestCase, make_evidence
from tests.hunting.stage import done_run
from tests.world import make_table

ROWS = [{"Timestamp": f"2026-11-20T10:00:0{n}Z", "DeviceName": f"ws-0{n}"} for n in range(1, 6)]
CANONICAL = '{"DeviceName":"ws-02","Timestamp":"2026-11-20T10:00:02.0000000Z"}'


class StarCase(CastTestCase):
    def setUp(self) -> None:
        self.item = make_evidence(self.case, self.bob)
        self.table = make_table(self.item, ROWS)
        self.sign_in(self.bob)

    def url(self, name: str, *more: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, *more])

    def press(self, number: int, on: int, **headers: str) -> object:
        url = self.url("table_star", self.table.uuid, number)
        return self.client.post(url, {"on": str(on)}, headers=headers)


class StarTests(StarCase):
    def test_a_star_holds_the_digest_of_its_row(self) -> None:
        (star,) = stars.star_rows(table=self.table, actor=self.bob, numbers=[2], note=" beacon ")
        assert star.row_sha256 == hashlib.sha256(CANONICAL.encode()).hexdigest()
        assert (star.note, star.noted_by) == ("beacon", self.bob)
        assert star.provenance["evidence"] == str(self.item.uuid) and star.provenance["row"] == 2
        assert stars.sameness(self.case, [star]) == {star.pk: True}
        entry = LogEntry.objects.get(case=self.case, action="row.starred")
        assert entry.detail["row_sha256"] == star.row_sha256 and entry.detail["comment"] == "beacon"

    def test_another_row_in_its_place_is_noticed(self) -> None:
        (star,) = stars.star_rows(table=self.table, actor=self.bob, numbers=[2])
        make_table(self.item, [ROWS[1], ROWS[0]])
        assert stars.sameness(self.case, [star]) == {star.pk: False}
        self.assertContains(self.client.get(self.url("stars")), "NOT the row that was starred")
        make_table(self.item, ROWS)
        assert stars.sameness(self.case, [star]) == {star.pk: True}
        CaseTable.objects.get(evidence=self.item).path.unlink()
        assert stars.sameness(self.case, [star]) == {star.pk: None}

    def test_notes_have_a_history_in_the_log(self) -> None:
        (star,) = stars.star_rows(table=self.table, actor=self.bob, numbers=[1])
        for actor, note in ((self.bob, "first"), (self.alice, "second"), (self.alice, "second"), (self.bob, "")):
            stars.annotate(star=star, actor=actor, note=note)
        found = LogEntry.objects.filter(case=self.case, action="row.noted").order_by("sequence")
        assert [(e.actor_name, e.detail["before"], e.detail["comment"]) for e in found] == [
            ("Bob", "", "first"), ("Alice", "first", "second"), ("Bob", "second", ""),
        ]  # fmt: skip
        with pytest.raises(ValidationError):
            stars.annotate(star=star, actor=self.bob, note="x" * 5001)

    def test_all_or_nothing_and_no_more_than_a_bound(self) -> None:
        with pytest.raises(ValidationError, match="no row 9"):
            stars.star_rows(table=self.table, actor=self.bob, numbers=[1, 9])
        assert not Star.objects.exists()
        again = [stars.star_rows(table=self.table, actor=self.bob, numbers=[1])[0].pk for _ in range(2)]
        assert again[0] == again[1] and Star.objects.count() == 1
        stars.MOST_OF_A_TABLE, before = 2, stars.MOST_OF_A_TABLE  # type: ignore[misc]
        try:
            with pytest.raises(ValidationError, match="At most 2"):
                stars.star_rows(table=self.table, actor=self.bob, numbers=[1, 2, 3])
        finally:
            stars.MOST_OF_A_TABLE = before  # type: ignore[misc]

    def test_an_event_of_a_starred_row_leads_back_to_the_star(self) -> None:
        (star,) = stars.star_rows(table=self.table, actor=self.bob, numbers=[3])
        event = tablerows.add_event(table=self.table, actor=self.bob, number=3)
        other = tablerows.add_event(table=self.table, actor=self.bob, number=4)
        assert event.provenance["star"] == str(star.uuid) and "star" not in other.provenance
        self.assertContains(self.client.get(self.url("event", event.uuid)), f"#star-{star.uuid}")
        page = self.client.get(self.url("stars"))
        assert [one.pk for one in page.context["stars"][0]["events"]] == [event.pk]

    def test_a_row_of_a_run_keeps_its_run(self) -> None:
        run = done_run(self.case, self.bob, [{"DeviceName": "ws-07", "FileName": "a.exe"}])
        (star,) = stars.star_rows(table=run.table, actor=self.bob, numbers=[1])
        assert run.evidence is not None
        expected = {"run": str(run.uuid), "exhibit": run.evidence.exhibit, "hunt": "", "row": 1}
        assert star.provenance == expected
        row = reverse("hunting:run_row", args=[self.case.reference, run.uuid, 1])
        self.assertContains(self.client.get(self.url("stars")), row)
        self.client.post(row, {"add": "timeline", "title": "Seen", "at": "2026-11-20T10:00:00Z", "lane": "attacker"})
        assert Event.objects.get(title="Seen").provenance == {**expected, "star": str(star.uuid)}


class PageTests(StarCase):
    def test_from_the_grid_and_only_starred_rows(self) -> None:
        reply = self.press(2, 1, **{"HX-Request": "true", "HX-Target": "star-2"})
        assert 'aria-pressed="true"' in reply.content.decode()
        assert json.loads(reply["HX-Trigger"]) == {"starred": {"number": 2, "on": True}}
        assert self.press(4, 1).status_code == 302
        page = self.client.get(self.url("table", self.table.uuid), {"only": "starred"})
        assert [row.number for row in page.context["rows"]] == [2, 4]
        narrowed = {"only": "starred", "c": "DeviceName", "o": "equals", "v": "ws-04", "sort": "-DeviceName"}
        page = self.client.get(self.url("table", self.table.uuid), narrowed)
        assert [row.number for row in page.context["rows"]] == [4]
        export = self.client.get(self.url("table_export", self.table.uuid), {"only": "starred", "format": "ndjson"})
        names = [json.loads(line)["DeviceName"] for line in b"".join(export.streaming_content).splitlines()]
        assert names == ["ws-02", "ws-04"]
        asked = {"only": "starred", "column": "DeviceName"}
        facts = self.client.get(self.url("table_statistics", self.table.uuid), asked)
        assert facts.context["facts"].rows == 2
        self.press(2, 0), self.press(4, 0)
        page = self.client.get(self.url("table", self.table.uuid), {"only": "starred"})
        assert page.context["rows"] == [] and page.context["grid"].total == 5
        assert self.client.get(self.url("table", self.table.uuid), {"only": "new"}).status_code == 422
        assert self.client.post(self.url("table_star", self.table.uuid, 1), {"on": "x"}).status_code == 404

    def test_picked_rows_and_the_page_of_all(self) -> None:
        self.client.post(self.url("table_stars", self.table.uuid), {"rows": ["1", "3"]})
        assert sorted(Star.objects.values_list("number", flat=True)) == [1, 3]
        star = Star.objects.get(number=3)
        self.client.post(self.url("star", star.uuid), {"act": "note", "note": "<img src=x onerror=1>"})
        self.assertContains(self.client.get(self.url("stars")), "&lt;img src=x onerror=1&gt;")
        self.client.post(self.url("star", star.uuid), {"act": "remove"})
        assert Star.objects.count() == 1
        self.sign_in(self.carol)
        page = self.client.get(self.url("stars"))
        self.assertContains(page, "Row 1 of")
        self.assertNotContains(page, "Take the star off")
        assert "star-1" not in self.client.get(self.url("table", self.table.uuid)).content.decode()

    def test_in_the_open_row(self) -> None:
        url = self.url("table_star", self.table.uuid, 1)
        headers = {"HX-Request": "true", "HX-Target": "row-star"}
        reply = self.client.post(url, {"on": "1", "note": "odd"}, headers=headers)
        self.assertContains(reply, "Note on this row")
        assert Star.objects.get().note == "odd"
        self.assertContains(self.client.get(self.url("table_row", self.table.uuid, 1)), "odd</textarea>")


class ReportTests(StarCase):
    def test_row_note_and_provenance_are_printed(self) -> None:
        run = done_run(self.case, self.bob, [{"DeviceName": "ws-07", "FileName": "evil|`.exe"}])
        stars.star_rows(table=run.table, actor=self.bob, numbers=[1], note="The loader\nof *everything*")
        stars.star_rows(table=self.table, actor=self.bob, numbers=[2])
        make_table(self.item, [ROWS[0]])
        found = data.collect(self.case, now=timezone.now())
        by_number = {star.number: star for star in found.stars}
        assert (by_number[1].same, by_number[1].run, by_number[2].same) == ("same", run.title, "differs")
        out = io.StringIO()
        markdown.write(compose(found), out)
        text = out.getvalue()
        assert "## Starred rows" in text and "The loader of \\*everything\\* (Bob)" in text
        assert "evil\\|\\`.exe" in text and "NOT the row that was starred" in text

    def test_the_pdf_is_set(self) -> None:
        stars.star_rows(table=self.table, actor=self.bob, numbers=[1, 2], note="#strike[x]")
        with tempfile.TemporaryDirectory() as folder:
            pdf = typeset.write_pdf(compose(data.collect(self.case, now=timezone.now())), Path(folder))
            assert pdf.read_bytes()[:5] == b"%PDF-"
