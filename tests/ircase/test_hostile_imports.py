"""An export that somebody made up: what it says of other things than its own case is refused or kept aside, and a case
is made whole or not at all."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ircase import tasks
from ircase.dossier import write
from ircase.dossier.container import FolderWriter
from ircase.dossier.recalling import rebuild as rebuilding
from ircase.dossier.recalling.values import DEEPEST, plain_json
from ircase.models import (
    Case,
    CaseImport,
    CaseTag,
    Clock,
    Comment,
    CustodyEntry,
    Decision,
    Handling,
    LogEntry,
    Milestone,
    Notice,
    Proof,
    RecordBefore,
    User,
)
from ircase.services.transfer import caseimports
from ircase.services.vault import verification
from ircase.services.writing import comments
from tests.cast import CastTestCase, make_evidence
from tests.ircase.test_exporting import resign
from tests.ircase.test_round_trip import packed

AT = "2026-01-02T03:04:05+00:00"
WHO = {"username": "alice", "name": "Alice"}


class HostileImportTests(CastTestCase):
    def setUp(self) -> None:
        self.item = make_evidence(self.case, self.alice, b"a,b\n1,2\n", name="rows.csv")
        root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        self.folder = root / "x"
        wanted = write.Wanted(self.case, self.alice, "export", "Court", "Court")
        write.write(wanted, FolderWriter(self.folder), check=lambda: None)

    def say(self, area: str, rows: Any) -> None:
        (self.folder / "case" / f"{area}.json").write_text(json.dumps(rows))

    def bring(self) -> CaseImport:
        resign(self.folder)
        job = caseimports.receive(actor=self.bob, wish=caseimports.Wish("x.zip"), chunks=[packed(self.folder)])
        tasks.import_case(job.pk)
        return CaseImport.objects.get(pk=job.pk)

    def brought(self) -> Case:
        job = self.bring()
        assert (job.state, job.reason) == ("done", "")
        assert job.case is not None
        assert list(verification.verify_case(job.case)) == []
        return job.case

    def reasons(self, case: Case, area: str) -> list[str]:
        return list(
            RecordBefore.objects.filter(case=case, area=area).exclude(reason="").values_list("reason", flat=True)
        )

    def test_unknown_areas_and_kinds_are_kept_aside_with_the_reason(self) -> None:
        self.say("star_charts", [{"_id": "1", "x": [1, {"y": "z"}]}])
        self.say("comments", [
            {"_id": "a", "kind": "galaxy", "subject": "x", "body": "A", "author": WHO, "at": AT},
            {"_id": "b", "kind": "case", "subject": "x", "body": "B", "author": WHO, "at": AT},
        ])  # fmt: skip
        self.say("clocks", [{"_id": "c", "kind": "sundial", "rule": "r", "title": "T"}])
        case = self.brought()
        assert self.reasons(case, "star_charts") == ["This IRCase does not know such rows."]
        assert self.reasons(case, "comments") == ["nothing of that kind can be commented here"]
        assert [said.body for said in Comment.objects.filter(case=case)] == ["B"]
        assert len(self.reasons(case, "clocks")) == 1

    def test_ids_of_another_case_lead_nowhere(self) -> None:
        secret = make_evidence(self.secret_case, self.alice, b"quiet", name="quiet.txt")
        said = comments.write(
            case=self.secret_case, actor=self.alice, kind="evidence", subject=str(secret.uuid), body="Quiet words"
        )
        entries = CustodyEntry.objects.count(), LogEntry.objects.filter(case=self.secret_case).count()
        self.say("comments", [
            {"_id": str(said.uuid), "uuid": str(said.uuid), "kind": "evidence", "subject": str(secret.uuid),
             "body": "C", "author": WHO, "at": AT, "case": self.secret_case.pk, "id": said.pk, "pk": said.pk},
        ])  # fmt: skip
        self.say(
            "comment_revisions", [{"_id": "9", "comment": str(said.uuid), "version": 7, "body": "C", "saved_at": AT}]
        )
        self.say("decisions", [
            {"_id": "d", "number": 1, "what": "W", "why": "Y", "decided_by": "X", "decided_at": AT, "written_by": WHO,
             "written_at": AT, "evidence": ["E001", "E777", str(secret.uuid)], "items": ["nowhere"]},
        ])  # fmt: skip
        self.say("proofs", [{"_id": "1", "item": "nowhere", "evidence": "E001", "added_by": WHO}])
        self.say("stars", [{"_id": "s", "evidence": "E777", "table_name": "T", "number": 1, "row_sha256": "a" * 64}])
        case = self.brought()
        assert self.reasons(case, "comments") == ["what it is about did not come"]
        assert len(self.reasons(case, "comment_revisions")) == len(self.reasons(case, "stars")) == 1
        assert "E777" in self.reasons(case, "decisions")[0] + self.reasons(case, "decisions")[1]
        decision = Decision.objects.get(case=case)
        assert [item.case_id for item in decision.evidence.all()] == [case.pk]
        assert not Proof.objects.filter(item__case=case).exists()
        assert said.revisions.count() == 0
        assert Comment.objects.filter(case=self.secret_case).get().body == "Quiet words"
        assert LogEntry.objects.filter(case=self.secret_case).count() == entries[1]

    def test_twins_and_contradictions_leave_one(self) -> None:
        row = {"kind": "law", "rule": "gdpr", "title": "T", "deliver": "D", "counted": "C", "basis": "B",
               "state": "running", "started_at": AT, "due_at": AT}  # fmt: skip
        self.say(
            "clocks", [{"_id": "1", **row}, {"_id": "2", **row}, {"_id": "3", **row, "rule": "sla:1", "kind": "sla"}]
        )
        self.say("tags", [{"_id": "1", "name": "west", "added_by": WHO}, {"_id": "2", "name": "west"},
                          {"_id": "3", "name": "Not A Tag"}])  # fmt: skip
        self.say("milestones", [{"_id": "1", "kind": "closed", "at": AT}, {"_id": "2", "kind": "detected", "at": AT}])
        self.say("phases", [{"_id": str(n), "phase": "detection", "entered_at": AT, "left_at": None} for n in range(3)])
        self.say("handling", [{"_id": "1", "evidence": "E001", "mark": "safe", "reason": "Trust me"}])
        told = Notice.objects.count()
        case = self.brought()
        assert sorted(Clock.objects.filter(case=case).values_list("rule", flat=True)) == ["before:sla:1", "gdpr"]
        assert [tag.name for tag in CaseTag.objects.filter(case=case)] == ["west"]
        assert [one.kind for one in Milestone.objects.filter(case=case)] == ["detected"]
        assert case.phase_entries.filter(left_at=None).count() == 1
        assert not Handling.objects.filter(evidence__case=case, mark="safe").exists()
        assert "safe" in self.reasons(case, "handling")[0]
        assert Notice.objects.count() == told

    def test_many_rows_come_and_too_many_make_no_case(self) -> None:
        rows = [
            {"_id": str(n), "kind": "case", "subject": "x", "body": f"Said {n}", "author": WHO, "at": AT}
            for n in range(3_000)
        ]
        self.say("comments", rows)
        case = self.brought()
        assert Comment.objects.filter(case=case).count() == 3_000
        before = Case.objects.count()
        self.say("comments", [{"_id": "1"}] * 100_001)
        job = self.bring()
        assert (job.state, job.case, Case.objects.count()) == ("failed", None, before)
        assert "at most 100,000 rows" in job.reason

    def test_people_are_capped_and_are_nobody_here(self) -> None:
        self.say("comments", [
            {"_id": str(n), "kind": "case", "subject": "x", "body": "A", "at": AT,
             "author": {"username": f"u{n}", "name": "Alice"}}
            for n in range(700)
        ])  # fmt: skip
        there = User.objects.filter(elsewhere=None).count()
        case = self.brought()
        authors = set(Comment.objects.filter(case=case).values_list("author__first_name", flat=True))
        assert len(authors) <= 501
        assert all(name.endswith(", elsewhere") for name in authors)
        assert "Others, elsewhere" in authors
        assert User.objects.filter(elsewhere=None).count() == there
        assert not User.objects.exclude(elsewhere=None).filter(is_active=True).exists()

    def test_a_fault_half_way_leaves_nothing(self) -> None:
        before = (Case.objects.count(), User.objects.count(), RecordBefore.objects.count())
        with mock.patch.object(rebuilding, "_stay", side_effect=RuntimeError("A fault of ours")):
            job = self.bring()
        assert (job.state, job.case) == ("failed", None)
        assert (Case.objects.count(), User.objects.count(), RecordBefore.objects.count()) == before

    def test_an_area_that_cannot_be_read_is_a_fault_and_not_silently_empty(self) -> None:
        (self.folder / "case" / "notes.json").write_text("[{")
        job = self.bring()
        assert (job.state, job.case) == ("failed", None)
        assert [fault["place"] for fault in job.faults] == ["case/notes.json"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=20,
    )
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_json_from_outside_can_be_kept_by_every_database(value: Any) -> None:
    kept = json.dumps(plain_json(value), allow_nan=False)
    assert "\\u0000" not in kept
    kept.encode()
    assert plain_json(plain_json(value)) == plain_json(value)


def test_json_that_is_nested_without_end_is_cut() -> None:
    value: Any = "deep"
    for _ in range(500):
        value = [value]
    assert json.dumps(plain_json(value)).count("[") == DEEPEST + 1
