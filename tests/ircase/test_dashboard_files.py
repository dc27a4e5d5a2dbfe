"""The dashboard as CSV, JSON and PDF: the same figures, for nobody else's eyes."""

import csv
import io
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pypdf
import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ircase import dashboard, tasks
from ircase.dashboard.files import bare
from ircase.dashboard.shape import Cell, Panel, Table, Tile, columns, words
from ircase.models import DashboardFile, LogEntry, PhaseEntry, Team, User
from ircase.services import cases
from ircase.services.identity import people
from ircase.services.managing import papers
from tests.cast import CastTestCase, make_case, make_user
from tests.ircase.test_dashboard import scope_of

NASTY = "日本語 😀 العربية \x00\x1b[31m \u202eexe.doc #`*_<b>|$\\\n" + "x" * 200


def rows_of(reply: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(reply.streaming_content).decode("utf-8-sig"))))


class CsvTests(CastTestCase):
    def test_cases_of_the_period_with_their_times(self) -> None:
        detected = timezone.now() - timedelta(hours=9)
        case = make_case(self.bob, title='=HYPERLINK("http://x")', detected=detected)
        cases.set_milestone(case=case, actor=self.bob, kind="contained", at=detected + timedelta(hours=2))
        self.sign_in(self.carol)
        reply = self.client.get(reverse("ircase:dashboard_export"))
        rows = {row["title"]: row for row in rows_of(reply)}
        assert set(rows) == {self.case.title, '\'=HYPERLINK("http://x")'}
        found = rows['\'=HYPERLINK("http://x")']
        assert (found["MTTC"], found["MTTR"]) == ("7200", "")
        assert found["detected"] == detected.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert reply["Content-Disposition"].startswith("attachment")

    def test_days_are_the_readers_own_and_times_are_utc_in_files_too(self) -> None:
        reader = make_user("aroha", User.SiteRole.MANAGER, time_zone="Pacific/Auckland")
        night = datetime(2025, 11, 9, 12, 30, tzinfo=UTC)  # 01:30 of the tenth there
        make_case(self.bob, title="By night", detected=night)
        PhaseEntry.objects.filter(case__title="By night").update(entered_at=night)
        self.sign_in(reader)
        day = {"first": "2025-11-10", "last": "2025-11-10"}
        page = self.client.get(reverse("ircase:dashboard"), day).context["panels"]
        standing = next(one for one in page if one.key == "standing")
        assert next(one.number for one in standing.tiles if one.label == "Detected in the period") == 1
        (row,) = rows_of(self.client.get(reverse("ircase:dashboard_export"), day))
        assert (row["title"], row["detected"]) == ("By night", "2025-11-09T12:30:00Z")
        address = reverse("ircase:dashboard_behind_csv", args=["phases"])
        (row,) = rows_of(self.client.get(address, {**day, "of": "detection"}))
        assert row["Stays"] == "2025-11-09T12:30:00Z to now"

    def test_every_table_and_every_list_behind_it(self) -> None:
        self.sign_in(self.alice)
        for code, _ in dashboard.sections():
            for panel in dashboard.panels(scope_of(self.alice, "before"), code):
                for table in panel.tables:
                    address = reverse("ircase:dashboard_table", args=[panel.key, table.key])
                    rows = rows_of(self.client.get(f"{address}?compare=before"))
                    assert len(rows) == len(table.rows), (panel.key, table.key)
        behind = rows_of(self.client.get(reverse("ircase:dashboard_behind_csv", args=["standing"])))
        assert {row["Case"] for row in behind} == {self.case.reference, self.secret_case.reference}
        assert self.client.get(reverse("ircase:dashboard_table", args=["times", "nope"])).status_code == 404

    def test_what_left_is_in_the_log(self) -> None:
        self.sign_in(self.carol)
        self.client.get(reverse("ircase:dashboard_table", args=["times", "measures"]))
        assert LogEntry.objects.filter(action="dashboard.exported", actor=self.carol).exists()

    def test_a_guest_without_cases_gets_a_header(self) -> None:
        self.sign_in(make_user("nobody", User.SiteRole.GUEST))
        assert rows_of(self.client.get(reverse("ircase:dashboard_export"))) == []


class ApiTests(CastTestCase):
    def call(self, user: User, method: str, path: str, body: Any = None, **query: str) -> Any:
        _, text = people.create_token(user=user, name="test")
        headers = {"Authorization": f"Bearer {text}"}
        address = f"/api/v1{path}"
        if method == "GET":
            return self.client.get(address, query, headers=headers)
        send = getattr(self.client, method.lower())
        return send(address, json.dumps(body), content_type="application/json", headers=headers)

    def test_the_same_figures_as_on_the_page(self) -> None:
        got = self.call(self.carol, "GET", "/dashboard", section="overview").json()
        standing = next(panel for panel in got["panels"] if panel["key"] == "standing")
        assert next(tile["number"] for tile in standing["tiles"] if tile["label"] == "Open cases") == 1
        assert got["sections"][0] == "overview"
        for code, _ in dashboard.sections():
            reply = self.call(self.alice, "GET", "/dashboard", section=code, compare="year")
            assert reply.status_code == 200
            made = dashboard.panels(scope_of(self.alice, "year"), code)
            assert [panel["key"] for panel in reply.json()["panels"]] == [panel.key for panel in made]

    def test_the_rows_behind_are_the_readers_own(self) -> None:
        for user, many in ((self.alice, 2), (self.carol, 1), (self.mallory, 0)):
            got = self.call(user, "GET", "/dashboard/behind/standing").json()
            assert (got["total"], len(got["items"])) == (many, many)
        one = self.call(self.alice, "GET", "/dashboard/behind/standing", limit="1", offset="1").json()
        assert len(one["items"]) == 1
        for path in ("/dashboard/behind/nothing", "/dashboard/behind/times"):
            assert self.call(self.alice, "GET", path).status_code == 404
        assert self.call(self.alice, "GET", "/dashboard", section="nowhere").status_code == 422

    def test_targets_are_set_by_administrators(self) -> None:
        body = [{"measure": "MTTC", "severity": "high", "hours": 4.5}]
        assert self.call(self.carol, "PUT", "/dashboard/targets", body).status_code == 403
        got = self.call(self.ada, "PUT", "/dashboard/targets", body).json()
        assert got["targets"] == body
        body[0]["hours"] = None  # type: ignore[assignment]
        assert self.call(self.ada, "PUT", "/dashboard/targets", body).json()["targets"] == []
        assert self.call(self.ada, "PUT", "/dashboard/assumption", {"minutes": 5}).status_code == 422
        got = self.call(self.ada, "PUT", "/dashboard/assumption", {"minutes": 5, "reason": "So"}).json()
        assert got["assumption"] == {"minutes": 5, "reason": "So"}

    def test_a_pdf_from_asking_to_fetching(self) -> None:
        with tempfile.TemporaryDirectory() as folder, override_settings(REPORTS_DIR=Path(folder)):
            made = self.call(self.carol, "POST", "/dashboard/files", {"severity": "high"})
            assert made.status_code == 202
            row = DashboardFile.objects.get(requested_by=self.carol)
            tasks.make_dashboard_file(row.pk)
            got = self.call(self.carol, "GET", f"/dashboard/files/{row.uuid}").json()
            assert (got["state"], got["reason"]) == ("done", "")
            reply = self.call(self.carol, "GET", f"/dashboard/files/{row.uuid}/content")
            assert b"".join(reply.streaming_content).startswith(b"%PDF")
            assert self.call(self.alice, "GET", f"/dashboard/files/{row.uuid}/content").status_code == 404


class PaperTests(CastTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        changed = override_settings(REPORTS_DIR=Path(folder.name) / "r", SPOOL_DIR=Path(folder.name) / "s")
        changed.enable()
        self.addCleanup(changed.disable)

    def made(self, user: User, asked: str = "") -> tuple[DashboardFile, str]:
        row = papers.ask(actor=user, asked=asked)
        tasks.make_dashboard_file(row.pk)
        row.refresh_from_db()
        assert row.state == "done", row.reason
        pages = pypdf.PdfReader(papers.folder_of(row) / "dashboard.pdf").pages
        return row, "\n".join(page.extract_text() for page in pages)

    def test_it_counts_with_the_eyes_of_who_asked(self) -> None:
        Team.objects.create(name="Blue")
        _, alices = self.made(self.alice, "compare=before")
        row, carols = self.made(self.carol, "severity=high")
        for words_ in ("Overview", "Times", "Work", "Hunts", "Response", "Patterns", "Alice"):
            assert words_ in alices
        assert "Severity: High" in carols
        assert self.secret_case.reference not in carols
        self.sign_in(self.alice)
        for name in ("dashboard_file", "dashboard_file_download"):
            assert self.client.get(reverse(f"ircase:{name}", args=[row.uuid])).status_code == 404
        self.sign_in(self.carol)
        reply = self.client.get(reverse("ircase:dashboard_file_download", args=[row.uuid]))
        assert b"".join(reply.streaming_content).startswith(b"%PDF")  # type: ignore[arg-type]
        assert LogEntry.objects.filter(action="dashboard.downloaded", actor=self.carol).count() == 1

    def test_one_at_a_time_and_not_for_ever(self) -> None:
        row = papers.ask(actor=self.carol, asked="")
        with pytest.raises(ValidationError, match="Wait for it"):
            papers.ask(actor=self.carol, asked="")
        DashboardFile.objects.filter(pk=row.pk).update(state="failed", queued_at=timezone.now() - timedelta(days=31))
        papers.tick()
        assert not DashboardFile.objects.exists()

    def test_an_altered_file_is_not_handed_out(self) -> None:
        row, _ = self.made(self.carol)
        (papers.folder_of(row) / "dashboard.pdf").write_bytes(b"other")
        self.sign_in(self.carol)
        reply = self.client.get(reverse("ircase:dashboard_file_download", args=[row.uuid]), follow=True)
        self.assertContains(reply, "no longer what was made")

    def test_who_has_no_account_any_more_gets_nothing(self) -> None:
        row = papers.ask(actor=self.carol, asked="")
        User.objects.filter(pk=self.carol.pk).update(is_active=False)
        tasks.make_dashboard_file(row.pk)
        row.refresh_from_db()
        assert (row.state, row.sha256) == ("failed", "")
        assert "no account in use" in row.reason

    def test_no_text_can_stop_it(self) -> None:
        table = Table("t", NASTY, columns(NASTY, "#n"), ((words(NASTY), Cell(NASTY, 1, late=True)),), note=NASTY)
        panel = Panel("nasty", NASTY, NASTY, tiles=(Tile(NASTY, NASTY, NASTY),), tables=(table,))
        with mock.patch("ircase.dashboard.paper.panels", return_value=[panel]):
            _, text = self.made(self.carol, "team=%23%24%5B&owner=%00")
        assert "[U+001B]" in text


@given(st.text(max_size=40))
@example("Version 2.0")
@settings(max_examples=60, deadline=None)
def test_any_text_stays_itself_as_a_bare_cell(text: str) -> None:
    assert bare(words(text)) == text


@pytest.mark.parametrize(("value", "text"), [(None, ""), (3, "3"), (3.0, "3"), (66.7, "66.7"), (86400, "86400")])
def test_bare_figures(value: float | None, text: str) -> None:
    assert bare(Cell("x", value)) == text
