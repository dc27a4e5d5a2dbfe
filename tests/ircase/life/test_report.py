"""The report tells of decisions, deadlines and improvements."""

import io
import tempfile
from dataclasses import asdict
from pathlib import Path

import pypdf
from django.utils import timezone

from ircase.report import data, markdown, typeset
from ircase.report.kinds import compose
from ircase.services.casework import decisions, improvements
from ircase.services.phases import clocks
from tests.cast import CastTestCase, make_evidence


class LifeChapterTests(CastTestCase):
    def test_they_stand_in_the_data_and_in_the_text(self) -> None:
        proof = make_evidence(self.case, self.alice)
        first = decisions.record(case=self.case, actor=self.alice, what="Wait", why="Unclear", evidence=[proof])
        decisions.record(case=self.case, actor=self.alice, what="Isolate", why="It spreads", supersedes=first,
                         alternatives="Watch on", told="The CIO")  # fmt: skip
        made = clocks.start(case=self.case, actor=self.alice, rule="gdpr-notification", reason="Mail was read")
        clocks.deliver(clock=made, actor=self.alice, words="Reference 77", evidence=proof)
        clocks.start(case=self.case, actor=self.alice, rule="sec-8k-105", reason="Material")
        improvements.add(case=self.case, actor=self.alice, title="Patch sooner", owner=self.bob)
        held = data.collect(self.case, now=timezone.now())
        said = [(d.label, d.superseded_by, d.links) for d in held.decisions]
        assert said == [("D01", "D02", ("E001",)), ("D02", "", ())]
        outcomes = {c.title: (c.outcome, c.proof) for c in held.clocks}
        assert outcomes["GDPR notification of a personal data breach"] == ("delivered in time", "E001 Reference 77")
        assert outcomes["SEC Form 8-K, Item 1.05"] == ("running", "")
        assert [(i.title, i.owner) for i in held.improvements] == [("Patch sooner", "Bob")]
        out = io.StringIO()
        markdown.write(compose(held), out)
        text = out.getvalue()
        for words in ("## Decision log", "Superseded by D02", "## Deadlines", "Reference 77", "## Improvements"):
            assert words in text
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        pages = pypdf.PdfReader(typeset.write_pdf(compose(held), folder, seconds=120)).pages
        printed = " ".join(" ".join(page.extract_text() for page in pages).split())
        for words in ("Decision log", "Superseded by D02", "Deadlines", "Reference 77", "Improvements", "Patch sooner"):
            assert words in printed
        assert asdict(held)["decisions"][1]["supersedes"] == "D01"
