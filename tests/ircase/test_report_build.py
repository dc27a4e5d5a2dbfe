"""Reports from the button to the file: the row, the files, the exhibit, the pages and who may use them."""

import hashlib
import json
import uuid
from datetime import timedelta
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone

from ircase import jobs, tasks
from ircase.models import Activity, Case, CaseMember, Evidence, JobState, LogEntry, ReportBuild
from ircase.report import typeset
from ircase.services import activity, cases, reports
from tests.cast import CastTestCase, make_evidence


def instead_of_typst(report: object, folder: object, **_: object) -> object:
    """What stands in for the typesetter where the test is not about the PDF."""
    out = folder / "report.pdf"  # type: ignore[operator]
    out.write_bytes(b"%PDF-1.7 report")
    return out


class BuildTests(CastTestCase):
    def request(self, *, seal: bool = False) -> ReportBuild:
        return reports.request_report(case=self.case, actor=self.alice, wanted=reports.Wanted(seal=seal))

    def run_task(self, build: ReportBuild) -> ReportBuild:
        with mock.patch("ircase.report.build.write_pdf", instead_of_typst):
            tasks.build_report(build.pk)
        return ReportBuild.objects.select_related("activity", "evidence").get(pk=build.pk)

    def test_a_request_is_a_row_an_activity_and_a_message(self) -> None:
        with (
            mock.patch.object(jobs, "send") as send,
            self.captureOnCommitCallbacks(execute=True),
        ):
            build = self.request()
        send.assert_called_once_with("ircase.build_report", build.pk)
        assert (build.state, build.activity.kind, build.activity.url_name) == ("queued", "report", "ircase:report")
        assert LogEntry.objects.filter(case=self.case, action="report.queued").count() == 1

    def test_one_build_at_a_time(self) -> None:
        self.request()
        with pytest.raises(ValidationError, match="being built"):
            self.request()

    def test_every_format_and_its_hash(self) -> None:
        build = self.run_task(self.request())
        assert (build.state, build.reason, build.activity.state) == ("done", "", "done")
        assert [file["format"] for file in build.downloads] == ["pdf", "docx", "html", "markdown", "json"]
        names = ("report.pdf", "report.docx", "report.html", "report.md", "report.json")
        for file, name in zip(build.downloads, names, strict=True):
            content = (reports.folder_of(build) / name).read_bytes()
            assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert json.loads((reports.folder_of(build) / "report.json").read_text())["case"]["title"] == self.case.title

    def test_the_real_typesetter_makes_a_pdf(self) -> None:
        build = self.request()
        tasks.build_report(build.pk)
        assert (reports.folder_of(build) / "report.pdf").read_bytes().startswith(b"%PDF-")

    def test_sealed_the_pdf_is_an_exhibit_that_names_the_others(self) -> None:
        sealed = make_evidence(self.case, self.alice)
        build = self.run_task(self.request(seal=True))
        exhibit = build.evidence
        assert exhibit is not None
        assert (exhibit.kind, exhibit.media_type, exhibit.exhibit) == ("report", "application/pdf", "E002")
        assert exhibit.sha256 == build.files[0]["sha256"]
        assert exhibit.manifest["exhibits"] == {"E001": sealed.sha256}
        assert list(build.activity.evidence.all()) == [exhibit]
        assert build.activity.outcome == "Built, sealed as E002"

    def test_broken_evidence_is_in_the_outcome(self) -> None:
        make_evidence(self.case, self.alice).path.unlink()
        assert "FAILED verification: E001" in self.run_task(self.request()).activity.outcome

    def test_who_lost_the_right_meanwhile_gets_no_report(self) -> None:
        build = self.request()
        CaseMember.objects.filter(case=self.case, user=self.alice).update(role="viewer")
        build = self.run_task(build)
        assert (build.state, build.files) == ("failed", [])
        assert "may no longer" in build.reason

    def test_a_failure_says_why_and_leaves_nothing_sealed(self) -> None:
        build = self.request(seal=True)
        with mock.patch("ircase.report.build.write_pdf", side_effect=typeset.TypesetError("No memory.")):
            tasks.build_report(build.pk)
        build.refresh_from_db()
        assert (build.state, build.reason) == (JobState.FAILED, "No memory.")
        assert Activity.objects.get(pk=build.activity_id).state == "failed"
        assert not Evidence.objects.filter(case=self.case).exists()

    def test_a_fault_of_ours_ends_the_row_too(self) -> None:
        build = self.request()
        with mock.patch("ircase.report.build.collect", side_effect=ZeroDivisionError), self.assertLogs("ircase.report"):
            tasks.build_report(build.pk)
        build.refresh_from_db()
        assert build.state == JobState.FAILED
        assert "fault in IRCase" in build.reason

    def test_a_worker_that_lost_the_row_changes_nothing(self) -> None:
        build = self.request(seal=True)

        def stolen(*_: object, **__: object) -> object:
            ReportBuild.objects.filter(pk=build.pk).update(owner="another")
            return instead_of_typst(*_, **__)

        with mock.patch("ircase.report.build.write_pdf", stolen):
            tasks.build_report(build.pk)
        build.refresh_from_db()
        assert (build.state, build.owner) == (JobState.RUNNING, "another")
        assert not Evidence.objects.filter(case=self.case).exists()

    def test_the_sweep_takes_up_a_build_whose_worker_died_and_it_ends_once(self) -> None:
        build = self.request(seal=True)
        ReportBuild.objects.claim(build.pk, "dead")
        ReportBuild.objects.filter(pk=build.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
        with mock.patch.object(jobs, "send") as send:
            tasks.sweep_all()
        assert mock.call("ircase.build_report", build.pk) in send.call_args_list
        build = self.run_task(build)
        assert (build.state, build.attempt) == ("done", 2)
        self.run_task(build)
        assert Evidence.objects.filter(case=self.case, kind="report").count() == 1

    def test_cancel_ends_a_queued_build_at_once(self) -> None:
        build = self.request()
        reports.cancel(build=build, actor=self.bob)
        build = self.run_task(build)
        assert (build.state, build.reason, build.activity.state) == ("cancelled", "Cancelled by Bob", "cancelled")

    def test_cancel_stops_a_running_build(self) -> None:
        build = self.request()

        def cancelled(*_: object, **__: object) -> object:
            reports.cancel(build=ReportBuild.objects.get(pk=build.pk), actor=self.bob)
            return instead_of_typst(*_, **__)

        with mock.patch("ircase.report.build.write_pdf", cancelled):
            tasks.build_report(build.pk)
        build.refresh_from_db()
        assert (build.state, build.files) == (JobState.CANCELLED, [])

    def test_gaps_name_what_a_reader_would_miss_and_close(self) -> None:
        make_evidence(self.case, self.alice)
        texts = [gap.text for gap in reports.gaps(self.case)]
        assert texts == [
            "The executive summary is not written yet",
            "The case is not classified",
            "Milestones are not set: occurred, contained, recovered",
            "The timeline is empty",
            "1 exhibit is not verified yet: building the report hashes every file again",
        ]
        cases.edit_case(case=self.case, actor=self.alice, summary="Done.", classification="truePositive")
        self.run_task(self.request())
        assert len(reports.gaps(Case.objects.get(pk=self.case.pk))) == 2


class PageTests(CastTestCase):
    def setUp(self) -> None:
        self.page = reverse("ircase:report", args=[self.case.reference])

    def built(self) -> ReportBuild:
        build = reports.request_report(case=self.case, actor=self.alice)
        with mock.patch("ircase.report.build.write_pdf", instead_of_typst):
            tasks.build_report(build.pk)
        return ReportBuild.objects.get(pk=build.pk)

    def file(self, build: ReportBuild, kind: str = "pdf") -> str:
        return reverse("ircase:report_file", args=[self.case.reference, build.uuid, kind])

    def test_the_tab_before_and_after(self) -> None:
        self.sign_in(self.bob)
        response = self.client.get(self.page)
        self.assertContains(response, "No report yet")
        self.assertContains(response, "The executive summary is not written yet")
        assert self.client.post(self.page, {"seal": "on"}).status_code == 302
        build = ReportBuild.objects.get()
        assert (build.seal, build.requested_by) == (True, self.bob)
        response = self.client.get(self.page)
        self.assertContains(response, 'hx-trigger="every 2s"')
        self.client.post(self.page)
        assert ReportBuild.objects.count() == 1

    def test_a_build_polls_until_it_is_final(self) -> None:
        self.sign_in(self.bob)
        build = self.built()
        place = reverse("ircase:report", args=[self.case.reference, build.uuid])
        response = self.client.get(f"{place}?part=1", headers={"HX-Request": "true"})
        self.assertNotContains(response, "hx-trigger")
        for kind in reports.FORMATS:
            self.assertContains(response, self.file(build, kind))
        self.assertContains(self.client.get(place), "All reports")

    def test_downloads_are_attachments_with_a_log_entry(self) -> None:
        self.sign_in(self.carol)
        build = self.built()
        response = self.client.get(self.file(build))
        assert isinstance(response, StreamingHttpResponse)
        assert b"".join(response) == b"%PDF-1.7 report"  # type: ignore[arg-type]
        assert response["Content-Disposition"].startswith(f'attachment; filename="{self.case.reference}_technical_')
        assert response["X-Content-Type-Options"] == "nosniff"
        assert LogEntry.objects.get(case=self.case, action="report.downloaded").actor == self.carol

    def test_a_file_that_was_changed_is_not_handed_out(self) -> None:
        self.sign_in(self.alice)
        build = self.built()
        (reports.folder_of(build) / "report.pdf").write_bytes(b"forged")
        response = self.client.get(self.file(build), follow=True)
        self.assertContains(response, "no longer what was built")
        assert not LogEntry.objects.filter(action="report.downloaded").exists()

    def test_the_activity_leads_to_the_build(self) -> None:
        build = self.built()
        row = build.activity
        address = reverse(row.url_name, args=[self.case.reference, row.subject])
        self.sign_in(self.alice)
        assert self.client.get(address).status_code == 200

    def test_mallory_learns_nothing_and_carol_only_reads(self) -> None:
        build = self.built()
        cancel = reverse("ircase:report_cancel", args=[self.case.reference, build.uuid])
        place = reverse("ircase:report", args=[self.case.reference, build.uuid])
        self.sign_in(self.mallory)
        for address in (self.page, place, self.file(build)):
            assert self.client.get(address).status_code == 404
        for address in (self.page, cancel):
            assert self.client.post(address).status_code == 404
        self.sign_in(self.carol)
        assert self.client.get(self.page).status_code == 200
        for address in (self.page, cancel):
            assert self.client.post(address).status_code == 403
        self.assertNotContains(self.client.get(self.page), "Build report")

    def test_a_build_of_another_case_is_not_reached_through_this_one(self) -> None:
        build = self.built()
        self.sign_in(self.alice)
        for name, more in (("report", ()), ("report_file", ("pdf",))):
            address = reverse(f"ircase:{name}", args=[self.secret_case.reference, build.uuid, *more])
            assert self.client.get(address).status_code == 404
        assert self.client.get(self.file(build, "exe")).status_code == 404

    def test_a_closed_case_is_reported_on_but_nothing_sealed(self) -> None:
        Case.objects.filter(pk=self.case.pk).update(closed_at=timezone.now())
        self.sign_in(self.alice)
        response = self.client.post(self.page, {"seal": "on"}, follow=True)
        self.assertContains(response, "nothing more can be sealed")
        self.client.post(self.page)
        assert ReportBuild.objects.filter(case=self.case, seal=False).count() == 1

    def test_a_hunt_without_verdict_is_a_gap_with_a_link(self) -> None:
        run = activity.begin(
            case=self.case,
            kind=Activity.Kind.HUNT,
            title="Run keys",
            subject=uuid.uuid4(),
            url_name="hunting:run",
            actor=self.bob,
        )
        activity.end(run, state="done", outcome="0 rows", row_count=0)
        self.sign_in(self.bob)
        self.assertContains(self.client.get(self.page), "1 finished hunt has no verdict")
