"""Every kind of report in every format, as the worker makes it; masked, read over and signed off."""

import io
import json
import os
import re
import shutil
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import docx
import pypdf
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from ircase import tasks
from ircase.models import (
    Activity,
    Asset,
    CaseIncident,
    CustodyEntry,
    Event,
    EventTechnique,
    Indicator,
    LogEntry,
    Milestone,
    Notice,
    ReportBuild,
    ReportLook,
    User,
)
from ircase.redaction import Level, Redaction
from ircase.report import fields, kinds, regimes
from ircase.report.data import collect
from ircase.report.markdown import visible
from ircase.report.mask import masked
from ircase.report.typeset import to_json
from ircase.services import activity, cases, reports
from ircase.services.analysis import findings
from ircase.services.casework import handovers, improvements
from ircase.services.reporting import looks, notifying, signoff
from ircase.services.reports import Wanted
from tests.cast import CastTestCase, make_evidence

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
# Set it to a folder to look at what is made.
KEEP = os.environ.get("IRCASE_KEEP_REPORTS")
NASTY = "العربية مرحبا \u202eexe.doc 日本語 <script>alert(1)</script> " + "W" * 300


def png(size: tuple[int, int] = (600, 200), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (20, 80, 160)).save(out, kind)
    return out.getvalue()


class RichCase(CastTestCase):
    """The cast's case with one of everything."""

    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        summary = "**WS-07** ran a loader. Anna Berg opened a mail.\n\n- 10.20.30.40 was reached\n- nothing left"
        cases.edit_case(
            case=cls.case, actor=cls.alice, summary=summary, classification="truePositive", lessons="Train."
        )
        by = {"case": cls.case, "added_by": cls.alice}
        details = {"displayName": "Anna Berg"}
        host = Asset.objects.create(kind="device", name="ws-07.corp.contoso.com", compromise="confirmed", **by)
        Asset.objects.create(kind="account", name="anna.berg@contoso.com", details=details, **by)
        event = Event.objects.create(
            at=NOW, title=r"Run key in C:\Users\anna.berg", precision="hour", technique="T1547.001", **by
        )
        event.assets.add(host)
        for technique, tactic in (("T1547.001", "persistence"), ("T1059.001", "execution")):
            EventTechnique.objects.create(event=event, technique=technique, tactic=tactic)
        Event.objects.create(at=NOW, title=NASTY[:290], description=NASTY, **by)
        for number, (value, tlp) in enumerate((("203.0.113.9", "amber"), ("198.51.100.7", "red"))):
            Indicator.objects.create(
                kind="ip", value=value, value_digest=str(number) * 64, verdict="malicious", tlp=tlp, **by
            )
        make_evidence(cls.case, cls.alice, content=b"rows", name="ws-07_triage.zip")
        improvements.add(case=cls.case, actor=cls.alice, title="Patch sooner", owner=cls.bob)
        handovers.offer(
            case=cls.case, actor=cls.alice, receiver=cls.bob, situation="WS-07 is isolated", next_steps="Image it"
        )

    def build(self, *, actor: User | None = None, **wanted: Any) -> ReportBuild:
        made = reports.request_report(case=self.case, actor=actor or self.alice, wanted=Wanted(**wanted))
        return self.run_build(made)

    def run_build(self, made: ReportBuild) -> ReportBuild:
        tasks.build_report(made.pk)
        made = ReportBuild.objects.select_related("final_of", "evidence", "case", "requested_by").get(pk=made.pk)
        assert made.state == "done", made.reason
        if KEEP:
            shutil.copytree(
                reports.folder_of(made), Path(KEEP) / f"{made.kind}{made.regime}{made.stage}-{made.label}-{made.uuid}"
            )
        return made

    def path(self, made: ReportBuild, suffix: str) -> Path:
        return reports.folder_of(made) / f"report.{suffix}"

    def texts(self, made: ReportBuild) -> dict[str, str]:
        """What a reader finds in each format, with what holds the format together left out."""
        pages = pypdf.PdfReader(self.path(made, "pdf")).pages
        with zipfile.ZipFile(self.path(made, "docx")) as packed:
            document = "\n".join(packed.read(name).decode() for name in packed.namelist() if name.endswith(".xml"))
        return {
            "pdf": "\n".join(page.extract_text() for page in pages),
            "docx": re.sub(r"<[^>]+>", "", document),
            "html": self.path(made, "html").read_text(encoding="utf-8"),
            "markdown": self.path(made, "md").read_text(encoding="utf-8"),
            "json": self.path(made, "json").read_text(encoding="ascii").encode().decode("unicode_escape", "replace"),
        }


class KindTests(RichCase):
    def test_every_kind_in_every_format(self) -> None:
        asked: list[dict[str, Any]] = [
            {"kind": kind} for kind in ("technical", "executive", "lessons", "handover", "register")
        ]
        asked.append({"kind": "notification", "regime": "gdpr", "stage": "initial"})
        wanted = {
            "technical": "opened the case", "executive": "Where it stands", "lessons": "Patch sooner",
            "handover": "Image it", "register": "sha256sum", "notification": "Likely consequences",
        }  # fmt: skip
        for one in asked:
            made = self.build(**one)
            for name, text in self.texts(made).items():
                flat = " ".join(text.replace("\u200b", "").split())
                assert wanted[made.kind] in flat, (made.kind, name)
                assert "TLP:AMBER" in text, (made.kind, name)
                assert name == "json" or "\u202e" not in text, (made.kind, name)
            self.pdf_is_an_archive_with_a_watermark(made)
            self.html_is_one_file(made)
            self.docx_has_headings_and_header_rows(made)

    def pdf_is_an_archive_with_a_watermark(self, made: ReportBuild) -> None:
        reader = pypdf.PdfReader(self.path(made, "pdf"))
        metadata = reader.trailer["/Root"]["/Metadata"].get_object().get_data().decode()  # type: ignore[index]
        assert re.search(r"<pdfaid:part>2</pdfaid:part>", metadata), made.kind
        assert re.search(r"<pdfaid:conformance>B</pdfaid:conformance>", metadata), made.kind
        assert all("DRAFT" in page.extract_text() for page in reader.pages), made.kind
        if made.kind == "executive":
            assert len(reader.pages) == 1

    def html_is_one_file(self, made: ReportBuild) -> None:
        text = self.path(made, "html").read_text(encoding="utf-8")
        assert 'http-equiv="Content-Security-Policy" content="default-src &#x27;none&#x27;' in text
        assert "<script" not in text and 'src="http' not in text and "@import" not in text and "<link" not in text
        assert "prefers-color-scheme:dark" in text and "@media print" in text

    def docx_has_headings_and_header_rows(self, made: ReportBuild) -> None:
        file = docx.Document(str(self.path(made, "docx")))
        styles = {paragraph.style.name for paragraph in file.paragraphs if paragraph.style is not None}
        assert any(name and name.startswith("Heading") for name in styles), made.kind
        with_header = [one for one in file.tables if one.style is not None and one.style.name == "Light Grid Accent 1"]
        assert all("w:tblHeader" in one.rows[0]._tr.xml for one in with_header)
        assert with_header or made.kind == "executive"

    def test_one_page_stays_one_page_however_much_there_is(self) -> None:
        cases.edit_case(case=self.case, actor=self.alice, summary=("Long words. " * 700) + "W" * 3000)
        by = {"case": self.case, "added_by": self.alice}
        Asset.objects.bulk_create(
            Asset(kind="device", name=f"host-{n}-{'x' * 200}", compromise="confirmed", **by) for n in range(40)
        )
        made = self.build(kind="executive")
        assert len(pypdf.PdfReader(self.path(made, "pdf")).pages) == 1

    def test_an_event_tells_what_is_known_of_its_time_and_all_its_techniques(self) -> None:
        held = collect(self.case, now=NOW)
        (event,) = (one for one in held.events if one.precision == "hour")
        assert event.time == "2 Mar 2026, 12h, within the hour"
        assert [(one.technique, one.tactic) for one in event.techniques] == [
            ("T1547.001", "persistence"), ("T1059.001", "execution"),
        ]  # fmt: skip
        assert [(row.receiver, row.state) for row in held.handovers] == [("Bob", "Offered")]

    def test_nothing_masked_survives_in_any_format(self) -> None:
        logo = SimpleUploadedFile("logo.png", png())
        looks.save_look(look=ReportLook(organisation="Contoso", footer="By Anna Berg"), actor=self.ada, logo=logo)
        wanted = Redaction.of(Level.ALL, tlp="amber", words=["contoso"])
        made = self.build(redaction=wanted, notebooks=(), comments=True)
        gone = ("anna", "berg", "ws-07", "contoso", "10.20.30.40", "198.51.100.7")
        for name, text in self.texts(made).items():
            text = text.replace("\u200b", "").lower()
            assert [word for word in gone if word in text] == [], name
            assert "host-01" in text and "account-01" in text and "203.0.113.9" in text, name
            assert not re.search(r"\b(alice|bob)\b", text), name
        kept = (reports.folder_of(made) / "data.json").read_text().lower()
        assert "anna" not in kept and "contoso" not in kept

    def test_a_mask_takes_out_whose_tenant_it_is(self) -> None:
        tenant = self.connection.tenant_id
        link = f"https://security.microsoft.com/incidents/29?tid={tenant}"
        cases.edit_case(case=self.case, actor=self.alice, summary=f"See [the incident]({link}).")
        CaseIncident.objects.create(
            case=self.case, number="29", title="Loader", url=link, via="opened", added_by=self.alice
        )
        activity.begin(
            case=self.case, kind=Activity.Kind.HUNT, title="Run keys", subject=uuid.uuid4(), url_name="hunting:run",
            actor=self.bob, detail={"source": "defender", "tenant": tenant},
        )  # fmt: skip
        held = collect(self.case, now=NOW)
        assert (held.hunts[0].tenant, held.incidents[0].url) == (tenant, link)
        assert tenant not in to_json(masked(self.case, held, Redaction.of(Level.NAMES)))

    def test_what_is_left_out_by_its_marking_is_in_no_appendix_either(self) -> None:
        given = {"case": self.case, "actor": self.alice, "kind": "ip"}
        findings.add_indicator(value="192.0.2.77", tlp="red", **given)
        findings.add_indicator(value="192.0.2.88", tlp="amber", **given)
        made = self.build(redaction=Redaction(tlp="amber"))
        for name, text in self.texts(made).items():
            assert "192.0.2.77" not in text and "[TLP:RED]" in text.replace("\\", ""), name
            assert "192.0.2.88" in text, name

    def test_half_of_a_name_at_the_end_of_a_cut_text_is_not_told(self) -> None:
        by = {"case": self.case, "added_by": self.alice}
        Asset.objects.create(kind="device", name="srv-finance-0421", **by)
        Event.objects.create(at=NOW, title="Long", description="x " * 1993 + "on srv-finance-0421 at night", **by)
        made = self.build(redaction=Redaction.of(Level.ALL))
        text = self.path(made, "md").read_text()
        assert "more characters" in text and "finance" not in text

    def test_the_one_page_names_its_zone_what_it_lacks_and_what_is_still_to_be_better(self) -> None:
        done = improvements.add(case=self.case, actor=self.alice, title="Long since there")
        improvements.move(item=done, actor=self.alice, state="done", result="Bought")
        lacks = ["The case is not classified", "The timeline is empty"]
        made = reports.request_report(case=self.case, actor=self.alice, wanted=Wanted(kind="executive"), missing=lacks)
        text = self.path(self.run_build(made), "md").read_text()
        assert "When (UTC)" in text and "Missing in this draft: The case is not classified; The" in text
        assert "Patch sooner" in text and "Long since there" not in text

    def test_pictures_of_exhibits_are_in_the_files_unless_names_are_masked(self) -> None:
        cases.edit_case(case=self.case, actor=self.alice, summary="See:\n\n![The mail](E1)\n\n![Gone](E9)")
        with mock.patch("ircase.services.vault.looking.picture", lambda item: png()):
            plain = self.build()
            masked = self.build(redaction=Redaction.of(Level.ALL))
        text = self.texts(plain)
        assert any(page.images for page in pypdf.PdfReader(self.path(plain, "pdf")).pages)
        assert 'alt="The mail"' in text["html"] and 'src="data:image/png;base64,' in text["html"]
        with zipfile.ZipFile(self.path(plain, "docx")) as packed:
            assert any(name.startswith("word/media/") for name in packed.namelist())
            assert 'descr="The mail"' in packed.read("word/document.xml").decode()
        for name in ("pdf", "docx", "html"):
            assert "Gone" in text[name], name
        assert not any(page.images for page in pypdf.PdfReader(self.path(masked, "pdf")).pages)
        item = self.case.evidence.get(number=1)
        assert CustodyEntry.objects.filter(evidence=item, action="viewed", actor=self.alice).count() == 1

    def test_the_data_of_a_short_report_is_not_behind_it(self) -> None:
        held = json.loads(self.path(self.build(kind="executive"), "json").read_text())
        assert set(held) == {"format", "report", "document"}
        assert "opened the case" not in json.dumps(held)


class NotificationTests(RichCase):
    def test_what_is_missing_is_named_and_what_was_answered_is_printed(self) -> None:
        rows = {row.field: row.answer for row in regimes.answers(self.case, "gdpr", "initial")}
        assert rows["subjects"] == "" and "loader" in rows["description"]
        known = frozenset(regimes.fields())
        answers = {"subjects": "Staff, about 40", "consequences": "  "}
        assert notifying.answer(case=self.case, actor=self.bob, answers=answers, known=known) == 1
        with pytest.raises(ValidationError, match="No authority asks for nonsense"):
            notifying.answer(case=self.case, actor=self.bob, answers={"nonsense": "x"}, known=known)
        Milestone.objects.create(case=self.case, kind="aware", at=NOW, set_by=self.alice)
        made = self.build(kind="notification", regime="gdpr", stage="initial")
        text = self.path(made, "md").read_text()
        assert "Staff, about 40" in text and "2026-03-02 12:00:00 UTC" in text
        assert "| **Likely consequences** · Article 33(3)(c) | **Missing** |" in text

    def test_a_table_of_the_summary_and_a_long_answer_reach_the_authority_whole(self) -> None:
        summary = "We know:\n\n| Server | State |\n|---|---|\n| FS-1 | **wiped** |\n| | |\n\nNo more."
        cases.edit_case(case=self.case, actor=self.alice, summary=summary)
        long = "Staff. " * 1_400 + "End."
        notifying.answer(case=self.case, actor=self.bob, answers={"subjects": long}, known=frozenset(regimes.fields()))
        rows = {row.field: row.answer for row in regimes.answers(self.case, "gdpr", "initial")}
        assert rows["description"] == "We know:\nServer · State\nFS-1 · wiped\nNo more."
        assert rows["subjects"] == long

    def test_the_contact_that_is_told_has_its_fields_filled_in(self) -> None:
        looks.save_look(look=ReportLook(contact="{case.lead}, about {case.reference}"), actor=self.ada)
        rows = {row.field: row.answer for row in regimes.answers(self.case, "gdpr", "initial")}
        assert rows["dpo"] == f"Alice, about {self.case.reference}"

    def test_every_stage_of_every_law_has_its_articles(self) -> None:
        for regime in regimes.regimes().values():
            assert tuple(regime.stages) == regimes.STAGES
            for stage in regime.stages.values():
                assert all(field.articles.get(regime.id) for field in stage.fields), (regime.id, stage.id)

    def test_indicators_that_stay_inside_are_not_told(self) -> None:
        rows = {row.field: row.answer for row in regimes.answers(self.case, "nis2", "update")}
        assert rows["indicators"] == "IP address: 203.0.113.9"


class SignOffTests(RichCase):
    def test_a_draft_is_read_over_then_signed_sealed_and_later_superseded(self) -> None:
        draft = self.build(kind="register")
        with pytest.raises(PermissionDenied):
            signoff.review(build=draft, actor=self.alice, answer="accepted")
        with pytest.raises(ValidationError, match="second person"):
            signoff.sign_off(build=draft, actor=self.alice)
        with pytest.raises(ValidationError, match="what has to change"):
            signoff.review(build=draft, actor=self.bob, answer="changes")
        signoff.review(build=draft, actor=self.bob, answer="accepted", words="Complete")
        assert Notice.objects.filter(person=self.alice, title__contains="read R01").count() == 1
        with pytest.raises(PermissionDenied):
            signoff.sign_off(build=draft, actor=self.bob)
        final = self.run_build(signoff.sign_off(build=draft, actor=self.alice))
        self.it_is_the_same_without_the_watermark(draft, final)
        assert final.evidence is not None
        assert final.evidence.sha256 == final.files[0]["sha256"]
        assert signoff.holds(final.signed, final.downloads)
        forged = [{**file, "sha256": "0" * 64} for file in final.downloads]
        assert not signoff.holds(final.signed, forged)
        assert final.log_sequence >= reports.changed_at(self.case), "its own seal does not make it superseded"
        cases.edit_case(case=self.case, actor=self.alice, summary="Other.")
        assert final.log_sequence < reports.changed_at(self.case)
        with pytest.raises(ValidationError, match="signed off already"):
            signoff.sign_off(build=ReportBuild.objects.get(pk=draft.pk), actor=self.alice)

    def it_is_the_same_without_the_watermark(self, draft: ReportBuild, final: ReportBuild) -> None:
        text = "".join(page.extract_text() for page in pypdf.PdfReader(self.path(final, "pdf")).pages)
        assert "DRAFT" not in text and "Signed off" in text and "Read over" in text
        before = self.path(draft, "md").read_text().split("## Evidence register")[1]
        assert self.path(final, "md").read_text().split("## Evidence register")[1] == before

    def test_a_draft_that_was_changed_on_disk_is_not_signed(self) -> None:
        draft = self.build(kind="register")
        signoff.review(build=draft, actor=self.bob, answer="accepted")
        (reports.folder_of(draft) / "data.json").write_text("{}")
        final = signoff.sign_off(build=draft, actor=self.alice)
        tasks.build_report(final.pk)
        final.refresh_from_db()
        assert (final.state, final.evidence) == ("failed", None)
        assert "no longer what was read over" in final.reason

    def test_who_took_it_stands_in_log_and_custody(self) -> None:
        made = self.build(kind="register", seal=True)
        chunks, name, _ = reports.open_file(build=made, kind="docx", actor=self.bob)
        assert b"".join(chunks).startswith(b"PK") and name.endswith(".docx")
        entry = LogEntry.objects.get(action="report.downloaded")
        assert (entry.actor, entry.detail["build"], entry.detail["format"]) == (self.bob, str(made.uuid), "docx")
        assert CustodyEntry.objects.filter(evidence=made.evidence, action="downloaded", actor=self.bob).count() == 1

    def test_only_a_lead_masks_own_words_or_widens_the_tlp(self) -> None:
        for redaction in (Redaction(words=("contoso",)), Redaction(tlp="green")):
            with pytest.raises(PermissionDenied):
                reports.request_report(case=self.case, actor=self.bob, wanted=Wanted(redaction=redaction))


class LookTests(RichCase):
    def save(self, **more: Any) -> ReportLook:
        given = {name: more.pop(name) for name in ("logo", "drop_logo") if name in more}
        return looks.save_look(look=ReportLook(**more), actor=self.ada, **given)

    def test_a_look_is_printed_with_its_fields_and_its_logo(self) -> None:
        logo = SimpleUploadedFile("logo.png", png())
        self.save(organisation="Contoso", cover="About {case.reference}", disclaimer="Ours alone", logo=logo)
        made = self.build(kind="register")
        text = self.texts(made)
        for name in ("pdf", "docx", "html", "markdown"):
            assert f"About {self.case.reference}" in text[name] and "Ours alone" in text[name], name
        assert 'src="data:image/png;base64,' in text["html"]
        assert any(page.images for page in pypdf.PdfReader(self.path(made, "pdf")).pages)

    def test_versions_are_kept_and_the_logo_stays_until_it_is_taken_away(self) -> None:
        first = self.save(accent="#1D4ED8", logo=SimpleUploadedFile("a.jpg", png(kind="JPEG")))
        second = self.save(accent="#0f766e")
        third = self.save(drop_logo=True)
        assert [one.number for one in (first, second, third)] == [1, 2, 3]
        assert bytes(second.logo) == bytes(first.logo) != b"" and third.logo == b""
        assert bytes(first.logo).startswith(b"\x89PNG")

    def test_what_is_no_picture_no_colour_or_no_field_is_refused(self) -> None:
        svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'
        for content in (svg, b"", b"GIF89a", png()[:60], b"\x89PNG\r\n\x1a\n" + b"0" * 40):
            with pytest.raises(ValidationError, match="no PNG"):
                self.save(logo=SimpleUploadedFile("x.png", content))
        with pytest.raises(ValidationError, match="at most 1,000 kB"):
            self.save(logo=SimpleUploadedFile("x.png", b"0" * 1_000_001))
        with pytest.raises(ValidationError, match=r"contrast is 1\.\d to 1"):
            self.save(accent="#ffff00")
        with pytest.raises(ValidationError, match="six hexadecimal"):
            self.save(accent="red; background: url(//x)")
        for text in ("{case.__class__}", "{0}", "{case.title!r}", "{", "{settings.SECRET_KEY}", "{}"):
            with pytest.raises(fields.UnknownFieldError):
                fields.check(text)
        fields.check("Report of {case.reference}, {report.date}")

    def test_a_contrast_by_hand(self) -> None:
        assert looks.contrast_with_white("#ffffff") == pytest.approx(1)
        assert looks.contrast_with_white("#000000") == pytest.approx(21)
        assert looks.contrast_with_white("#767676") == pytest.approx(4.54, abs=0.01)


class PageTests(RichCase):
    def test_from_the_page_to_the_signature(self) -> None:
        page = reverse("ircase:report", args=[self.case.reference])
        self.sign_in(self.alice)
        self.assertContains(self.client.get(f"{page}?kind=notification&regime=dora&stage=final"), "Costs and losses")
        self.client.post(page, {"kind": "register", "level": "all", "tlp": "red", "words": "contoso"})
        made = self.run_build(ReportBuild.objects.get())
        assert made.redaction["words"] == ["contoso"] and made.kind == "register"
        place = reverse("ircase:report", args=[self.case.reference, made.uuid])
        self.assertNotContains(self.client.get(place), "Accept</button>")
        self.sign_in(self.bob)
        self.assertContains(self.client.get(place), "Changes wanted")
        self.client.post(f"{place}review/", {"answer": "accepted"})
        self.sign_in(self.alice)
        self.assertContains(self.client.get(place), "Sign off")
        self.client.post(f"{place}sign/")
        final = self.run_build(ReportBuild.objects.get(final_of=made))
        shown = self.client.get(reverse("ircase:report", args=[self.case.reference, final.uuid]))
        self.assertContains(shown, "Holds")
        self.assertContains(self.client.post(reverse("ircase:report_key", args=[self.case.reference])), "host-01")
        self.assertContains(self.client.get(page), "Signed off")
        with CaptureQueriesContext(connection) as asked:
            self.client.get(page)
        assert len(asked) <= 30, "with the case's head around it"

    def test_what_changed_since_the_last(self) -> None:
        self.build(kind="register")
        make_evidence(self.case, self.alice, content=b"more", name="later.txt")
        second = self.build(kind="register")
        self.sign_in(self.carol)
        shown = self.client.get(reverse("ircase:report_changes", args=[self.case.reference, second.uuid]))
        self.assertContains(shown, "later.txt")
        self.assertContains(shown, "R01 and R02")

    def test_an_authority_is_answered(self) -> None:
        self.sign_in(self.bob)
        page = reverse("ircase:report_answers", args=[self.case.reference])
        self.assertContains(self.client.get(page), "Whether there is or may be an impact across borders")
        sent = {"kind": "notification", "regime": "nis2", "stage": "initial", "cross_border": "No"}
        self.client.post(page, sent)
        rows = {row.field: row.answer for row in regimes.answers(self.case, "nis2", "initial")}
        assert rows["cross_border"] == "No"


def test_a_language_that_there_is() -> None:
    assert "en" in kinds.LANGUAGES


def test_characters_that_xml_refuses_stop_no_word_file(tmp_path: Path) -> None:
    shown = visible("a\x00\x0b\ufffe\uffff\ud800b")
    document = docx.Document()
    document.add_paragraph(shown)
    document.save(str(tmp_path / "x.docx"))
    assert shown.startswith("a[U+0000]")
