"""What a report says, in all three formats, and that no text can stop it."""

import dataclasses
import io
import json
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pypdf
import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ircase.models import Activity, Approval, Asset, Case, Event, Indicator
from ircase.report import child, data, markdown, shape, typeset
from ircase.report.kinds import compose
from ircase.report.prose import prose
from ircase.report.words import moment, pairs, short, took
from ircase.services import activity, approvals, cases
from ircase.services.analysis import findings
from ircase.services.phases import checklist
from ircase.services.writing import comments, notes
from tests.cast import CastTestCase, make_case, make_evidence

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NASTY = "日本語 😀 العربية \x00\x1b[31m \u202eexe.doc \ufeff\U0010fffe `#*_<b>|$\\\n" + "x" * 300


def text_of(path: Path, pages: int = 40) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages[:pages])


def as_markdown(report: shape.ReportData) -> str:
    out = io.StringIO()
    markdown.write(compose(report), out)
    return out.getvalue()


def filled(value: object, text: str) -> object:
    """`value` with every text in it replaced, its codes aside."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fixed = ("tlp", "severity", "kind", "state", "format", "generated_at", "checked_at")
        parts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **{n: v if n in fixed else filled(v, text) for n, v in parts.items()})
    if isinstance(value, tuple):
        return tuple(filled(part, text) for part in value)
    return text if isinstance(value, str) else value


class ReportTests(CastTestCase):
    def full_case(self) -> Case:
        """One of everything."""
        case = make_case(
            self.alice,
            analysts=(self.bob,),
            title="Run key on WS-07",
            playbook="device-compromise",
            occurred=NOW - timedelta(days=2),
            detected=NOW - timedelta(hours=3),
        )
        cases.edit_case(
            case=case,
            actor=self.alice,
            summary="One device, **contained**.\n\n- Nobody else",
            lessons="Train.",
        )
        findings_by = {"added_by": self.alice, "case": case}
        asset = Asset.objects.create(kind="device", name="ws-07", compromise="confirmed", **findings_by)
        event = Event.objects.create(at=NOW, title="Run key set", technique="T1547.001", source="Sysmon", **findings_by)
        event.assets.add(asset)
        Event.objects.create(at=NOW, title="Not for the board", in_report=False, **findings_by)
        Indicator.objects.create(
            kind="ip", value="203.0.113.9", value_digest="0" * 64, verdict="malicious", **findings_by
        )
        sealed = make_evidence(case, self.alice, content=b"rows", name="rows.ndjson")
        self.hunt(case, sealed)
        self.collection(case)
        item = case.checklist.filter(phase="detection").first()
        checklist.add_proof(item=item, actor=self.alice, evidence=sealed)
        checklist.finish_item(item=item, actor=self.alice, result="It is real")
        notes.create_note(case=case, actor=self.bob, title="Scratch", body="# Idea\n\nLook at ws-08.")
        return Case.objects.visible_to(self.alice).get(pk=case.pk)

    def hunt(self, case: Case, sealed: object) -> None:
        detail = {
            "query": "DeviceRegistryEvents\n| take 3",
            "query_sha256": "ab" * 32,
            "source": "Defender XDR",
            "tenant": "t-1",
            "parameters": {"DeviceName": "ws-07"},
            "window": ["2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00"],
        }
        run = activity.begin(
            case=case,
            kind=Activity.Kind.HUNT,
            title="Run keys",
            subject=uuid.uuid4(),
            url_name="hunting:run",
            actor=self.bob,
            detail=detail,
        )
        activity.end(run, state="done", outcome="3 rows, cut off", row_count=3, partial=True, evidence=sealed)  # type: ignore[arg-type]
        activity.judge(activity=run, actor=self.bob, verdict="confirmed", sentence="It persists.")

    def collection(self, case: Case) -> None:
        subject = uuid.uuid4()
        asked = approvals.request(
            case=case,
            actor=self.bob,
            kind="liveresponse.script",
            subject=subject,
            title="DFIR triage on ws-07",
            detail={},
            digest="cd" * 32,
            task="",
        )
        approvals.decide(approval=asked, actor=self.alice, approve=True, comment="Go")
        activity.begin(
            case=case,
            kind=Activity.Kind.COLLECTION,
            title="DFIR triage on ws-07",
            subject=subject,
            url_name="liveresponse:collection",
            actor=self.bob,
            detail={"device": "ws-07", "script": "DFIR-Script.ps1"},
        )

    def collect(self, case: Case) -> shape.ReportData:
        return data.collect(case, now=NOW, prepared_by="Alice")

    def test_comments_are_an_appendix_where_they_are_wanted(self) -> None:
        note = notes.create_note(case=self.case, actor=self.alice, title="Minutes")
        said = comments.write(
            case=self.case, actor=self.bob, kind="note", subject=str(note.uuid), body=f"**Really?** {NASTY}"
        )
        comments.resolve(comment=said, actor=self.alice, resolved=True)
        assert data.collect(self.case, now=NOW).comments == ()
        report = data.collect(self.case, now=NOW, comments=True)
        (row,) = report.comments
        assert (row.about, row.author) == ("Note: Minutes", "Bob")
        assert "## Appendix: comments" in as_markdown(report)
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        pages = text_of(typeset.write_pdf(compose(report), folder, seconds=60))
        assert "Note: Minutes" in pages and "Really?" in pages and ", resolved" in pages

    def test_the_data_set_holds_one_of_everything(self) -> None:
        report = self.collect(self.full_case())
        assert [(m.name, m.took) for m in report.metrics][0] == ("MTTD", "1 d 21 h")
        assert report.metrics[2].seconds is None
        assert [(e.title, e.techniques[0].technique, e.assets, e.lane) for e in report.events] == [
            ("Run key set", "T1547.001", "ws-07", "Attacker")
        ]
        hunt = report.hunts[0]
        assert (hunt.window_start, hunt.window_end) == ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
        assert (hunt.work.partial, hunt.work.rows, hunt.work.exhibits) == (True, 3, ("E001",))
        assert (hunt.work.verdict, hunt.work.sentence, hunt.work.judged_by) == ("confirmed", "It persists.", "Bob")
        assert [(a.state, a.decided_by) for a in report.devices[0].approvals] == [("Approved", "Alice")]
        done = [i for i in report.checklist if i.state == "Done"]
        assert [(i.result, i.proofs, i.ended_by) for i in done] == [("It is real", ("E001 rows.ndjson",), "Alice")]
        assert (report.evidence[0].integrity, report.evidence[0].chain) == ("verified", "intact")
        assert report.integrity.sound
        assert [n.title for n in report.notes] == ["Scratch"]
        assert report.log[0].text.startswith("opened the case")
        assert report.log[-1].sequence == len(report.log) == report.integrity.log_entries

    def test_checklist_follows_the_phases(self) -> None:
        names = [item.phase for item in self.collect(self.full_case()).checklist]
        order = [
            "Preparation",
            "Detection and Analysis",
            "Containment, Eradication and Recovery",
            "Post-Incident Activity",
        ]
        assert list(dict.fromkeys(names)) == order

    def test_an_altered_and_a_missing_file_are_said_aloud_everywhere(self) -> None:
        case = self.full_case()
        gone = make_evidence(case, self.bob, content=b"gone", name="gone.txt")
        altered = case.evidence.get(number=1).path
        altered.chmod(0o640)
        altered.write_bytes(b"ROWS")
        gone.path.unlink()
        report = self.collect(case)
        assert not report.integrity.sound
        assert report.integrity.verdict == "2 of 2 exhibits FAILED verification: E001, E002. Do not rely on them."
        assert [row.integrity for row in report.evidence] == ["altered", "missing"]
        assert "VERIFICATION FAILED" in as_markdown(report)
        printed = text_of(self.pdf(report))
        assert "VERIFICATION FAILED" in printed.split("Contents")[0]
        assert "ALTERED" in printed
        assert "MISSING" in printed

    def test_a_broken_log_is_said_aloud(self) -> None:
        case = self.full_case()
        entry = case.log.order_by("sequence").first()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ircase_logentry SET actor_name = 'Mallory' WHERE id = %s", [entry.pk])
        report = self.collect(case)
        assert "The case log FAILED verification" in report.integrity.verdict
        assert report.evidence[0].chain == "intact"

    def pdf(self, report: shape.ReportData) -> Path:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        return typeset.write_pdf(compose(report), folder, seconds=60)

    def test_pdf_says_what_the_data_says(self) -> None:
        report = self.collect(self.full_case())
        path = self.pdf(report)
        printed = text_of(path)
        for wanted in (
            "Run key on WS-07",
            "TLP:AMBER",
            "Integrity: verified",
            "One device",
            "T1547.001",
            "203.0.113.9",
            "| take 3",
            report.evidence[0].sha256,
            "Approved by Alice",
            "It persists.",
            "DFIR-Script.ps1",
            "Truncated",
            "sha256sum",
        ):
            assert wanted in printed, wanted
        assert "Not for the board" not in printed
        reader = pypdf.PdfReader(path)
        pages = len(reader.pages)
        for number, page in enumerate(reader.pages, 1):
            text = page.extract_text()
            assert text.count("TLP:AMBER") >= 2, number
            assert f"Page {number} of {pages}" in text
        assert (float(reader.pages[0].mediabox.width), float(reader.pages[0].mediabox.height)) == pytest.approx(
            (595.3, 841.9), abs=0.1
        )

    def test_an_empty_case_says_what_is_missing(self) -> None:
        report = self.collect(self.secret_case)
        printed = text_of(self.pdf(report))
        for wanted in ("Not written yet", "No event is on the timeline yet", "No evidence is sealed", "CONFIDENTIAL"):
            assert wanted.lower() in printed.lower()

    def test_nasty_text_in_every_field_stops_nothing(self) -> None:
        report = filled(self.collect(self.full_case()), NASTY)
        assert isinstance(report, shape.ReportData)
        printed = text_of(self.pdf(report), pages=3)
        assert "[U+0000]" in printed
        assert "[U+202E]" in printed
        # Sets, for a failure would else compare two long texts letter by letter.
        assert not {"\u202e", "\x00", "\x1b"} & set(printed)
        assert not {"\u202e", "\x00", "\x1b"} & set(as_markdown(report))
        assert json.loads(typeset.to_json(report))["case"]["title"] == NASTY

    def test_lists_are_bounded_and_the_cut_is_said(self) -> None:
        case = self.full_case()
        events = [Event(case=case, at=NOW, title=f"Event {n}", added_by=self.alice) for n in range(30)]
        Event.objects.bulk_create(events)
        with mock.patch.dict(data.MOST, {"events": 10}):
            report = self.collect(case)
        assert len(report.events) == 10
        assert report.cuts == (shape.Cut("events", 10, 31),)
        assert "10 of 31 events" in text_of(self.pdf(report))
        assert "10 of 31 events." in as_markdown(report)

    def test_queries_do_not_grow_with_the_case(self) -> None:
        case = self.full_case()
        self.collect(case)
        with self.assertNumQueries(FEW):
            self.collect(case)
        rows = [Event(case=case, at=NOW, title=f"Event {n}", added_by=self.alice) for n in range(50)]
        Event.objects.bulk_create(rows)
        for number in range(5):
            findings.add_asset(case=case, actor=self.alice, kind="device", name=f"pc-{number}")
        for _ in range(5):
            approvals.request(
                case=case,
                actor=self.bob,
                kind="x",
                subject=uuid.uuid4(),
                title="x",
                detail={},
                digest="0" * 64,
                task="",
            )
        assert Approval.objects.filter(case=case).count() == 6
        with self.assertNumQueries(FEW):
            self.collect(case)

    def test_a_deadline_ends_the_typesetter_with_a_reason(self) -> None:
        report = self.collect(self.secret_case)
        with pytest.raises(typeset.TypesetError, match="took too long"):
            typeset.write_pdf(compose(report), Path(self.enterContext(tempfile.TemporaryDirectory())), seconds=0)

    def test_too_little_memory_ends_it_with_a_reason(self) -> None:
        report = self.collect(self.secret_case)
        with pytest.raises(typeset.TypesetError, match="memory|typeset"):
            typeset.write_pdf(compose(report), Path(self.enterContext(tempfile.TemporaryDirectory())), size=40)


FEW = 44


LETTERS = st.text(st.characters(exclude_categories=[]), max_size=60)


@given(texts=st.lists(LETTERS, min_size=1, max_size=8))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_unicode_is_typeset(texts: list[str], tmp_path: Path) -> None:
    """In the child's own process: no font, no direction, no control character is in its way."""
    (tmp_path / "template.typ").write_text('#let d = json("/clean.json")\n#for t in d.texts { par(t); raw(t) }')
    (tmp_path / "data.json").write_text(json.dumps({"texts": texts}), encoding="ascii")
    assert child.typeset(tmp_path) in ("a-2b", "")
    shown = json.loads((tmp_path / "clean.json").read_text())["texts"]
    assert not any(child.is_hidden(letter) for text in shown for letter in text.replace(child.ZERO_WIDTH_SPACE, ""))


@given(LETTERS)
@settings(max_examples=100, deadline=None)
def test_any_unicode_is_written_as_markdown_and_stays_one_cell(text: str) -> None:
    (line,) = list(markdown.table(("a",), [(text,)], ""))[2:-1]
    assert "\n" not in line
    assert line.replace("\\|", "").count("|") == 2
    line.encode("utf-8")
    blocks = "\n".join(markdown.prose_lines(prose(text).blocks))
    assert "<script" not in blocks.replace("\\<", "")


def test_a_table_that_a_person_wrote_is_one_in_markdown_too() -> None:
    text = "Before\n\n| a | b |\n|---|---|\n| 1 | x\\|y |\n\nAfter"
    html = MarkdownIt("commonmark").enable("table").render("\n".join(markdown.prose_lines(prose(text).blocks)))
    assert html.count("<tr>") == 2 and "<td>x|y</td>" in html and "<p>After</p>" in html


def test_missing_characters_are_named_and_shown_ones_stay(tmp_path: Path) -> None:
    show = child.shower({"a": "Ærø \U0010fffd \u0007 Жё"}, tmp_path)
    assert show("Ærø \U0010fffd \u0007 Жё") == "Ærø [U+10FFFD] [U+0007] Жё"


def test_hashes_are_never_broken_and_long_words_always() -> None:
    same = child.clean({"sha256": "a" * 64, "name": "b" * 64}, str)
    assert same["sha256"] == "a" * 64
    assert max(map(len, same["name"].split(child.ZERO_WIDTH_SPACE))) <= 13
    assert same["name"].replace(child.ZERO_WIDTH_SPACE, "") == "b" * 64


def test_a_code_block_cannot_be_closed_from_inside() -> None:
    lines = list(markdown.fenced("a\n````\nb"))
    assert lines[0] == lines[4] == "`````"


def test_prose_keeps_structure_and_no_markup() -> None:
    blocks = prose(
        "# T\n\nA **b** [c](https://x.example) [d](javascript:alert(1)) <b>\n\n2. one\n3. two\n\n> q\n\n---\n"
    ).blocks
    assert [(b.kind, b.level, b.marker) for b in blocks] == [
        ("heading", 1, ""),
        ("paragraph", 0, ""),
        ("item", 1, "2."),
        ("item", 1, "3."),
        ("quote", 0, ""),
        ("rule", 0, ""),
    ]
    urls = [span.url for span in blocks[1].spans if span.url]
    assert urls == ["https://x.example"]
    assert "<b>" in "".join(span.text for span in blocks[1].spans)


def test_words() -> None:
    assert took(timedelta(days=1, hours=2, minutes=3)) == "1 d 2 h"
    assert took(timedelta(seconds=59)) == "59 s"
    assert took(timedelta(0)) == "0 s"
    assert took(timedelta(hours=2, seconds=5)) == "2 h"
    assert moment("2026-03-01T01:00:00+01:00") == "2026-03-01T00:00:00Z"
    assert moment("yesterday") == "yesterday"
    assert short(["a", 1]) == "a, 1"
    assert [p.name for p in pairs({f"k{n}": n for n in range(50)})][-1] == "…"
    assert pairs("no object") == ()
    assert timezone.now().tzinfo is not None
