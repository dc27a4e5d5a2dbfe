"""The services every app builds on: cases, evidence, chains, claims, approvals."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.utils import timezone

from ircase import access
from ircase.models import (
    AppendOnlyError,
    Approval,
    Case,
    ChainHead,
    CustodyEntry,
    Evidence,
    LogEntry,
    Milestone,
    PhaseEntry,
)
from ircase.services import approvals, cases, evidence, log
from ircase.services.writing import notes
from tests.cast import CastTestCase, make_case, make_evidence


class CaseAccessTests(CastTestCase):
    def test_ordinary_cases_are_read_by_analysts_and_managers_not_by_guests_or_administrators(self) -> None:
        seen = {
            u.username: Case.objects.visible_to(u).filter(pk=self.case.pk).exists()
            for u in (self.alice, self.bob, self.carol, self.mallory, self.ada)
        }
        assert seen == {"alice": True, "bob": True, "carol": True, "mallory": False, "ada": False}

    def test_a_confidential_case_is_for_its_members(self) -> None:
        for person in (self.bob, self.carol, self.mallory, self.ada):
            with pytest.raises(Http404):
                access.get_case(person, self.secret_case.reference)
        assert access.get_case(self.alice, self.secret_case.reference).my_role == "lead"

    def test_unknown_and_invisible_take_the_same_queries(self) -> None:
        def queries(reference: str) -> list[str]:
            with self.assertNumQueries(1) as seen, pytest.raises(Http404):
                access.get_case(self.mallory, reference)
            return [q["sql"].replace(reference, "?") for q in seen.captured_queries]

        assert queries(self.secret_case.reference) == queries("IR-2026-9999")

    def test_a_reader_who_writes_is_told_why_not(self) -> None:
        with pytest.raises(PermissionDenied, match="needs the role Analyst"):
            access.get_case(self.carol, self.case.reference, access.ANALYST)

    def test_confidential_references_leave_no_gap(self) -> None:
        after = make_case(self.alice)
        first, second = int(self.case.reference[-4:]), int(after.reference[-4:])
        assert second == first + 1
        assert self.secret_case.reference[8] == "X"


class PhaseTests(CastTestCase):
    def test_a_move_closes_the_stay_and_keeps_the_reason(self) -> None:
        cases.move_phase(case=self.case, actor=self.alice, phase="containment", reason="Attacker is on two hosts")
        stays = list(PhaseEntry.objects.filter(case=self.case))
        assert [(s.phase, s.left_at is None) for s in stays] == [("detection", False), ("containment", True)]
        assert LogEntry.objects.filter(case=self.case, action="case.phase_moved").count() == 1

    def test_a_move_without_reason_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="Say why"):
            cases.move_phase(case=self.case, actor=self.alice, phase="containment", reason=" ")

    def test_closing_needs_a_classification(self) -> None:
        with pytest.raises(ValidationError, match="classification"):
            cases.close_case(case=self.case, actor=self.alice, reason="done")
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        cases.close_case(case=self.case, actor=self.alice, reason="done")
        assert Milestone.objects.filter(case=self.case, kind="closed").exists()

    def test_the_last_lead_stays(self) -> None:
        with pytest.raises(ValidationError, match="needs a lead"):
            cases.remove_member(case=self.case, actor=self.alice, user=self.alice)


class NoteTests(CastTestCase):
    def test_a_late_save_overwrites_nothing_and_loses_nothing(self) -> None:
        note = notes.create_note(case=self.case, actor=self.alice, title="Findings", body="one")
        notes.save_note(note=note, actor=self.bob, title="Findings", body="two", version=1)
        with pytest.raises(notes.NoteConflict) as late:
            notes.save_note(note=note, actor=self.alice, title="Findings", body="three", version=1)
        note.refresh_from_db()
        assert note.body == "two"
        assert late.value.revision.body == "three"
        assert sorted(note.revisions.values_list("body", flat=True)) == ["one", "three", "two"]


class EvidenceTests(CastTestCase):
    def test_sealed_bytes_are_read_only_under_their_hash_with_custody(self) -> None:
        item = make_evidence(self.case, self.alice, b"abc")
        assert item.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert item.path.read_bytes() == b"abc"
        assert item.path.stat().st_mode & 0o777 == 0o440
        assert [c.action for c in item.custody.all()] == ["sealed"]
        assert evidence.verify(item) == Evidence.Integrity.VERIFIED

    def test_one_changed_byte_is_found_and_said_on_the_case(self) -> None:
        item = make_evidence(self.case, self.alice, b"to be changed")
        item.path.chmod(0o640)
        item.path.write_bytes(b"to be chanGed")
        assert evidence.verify(item) == Evidence.Integrity.ALTERED
        assert LogEntry.objects.filter(case=self.case, action="evidence.altered").exists()

    def test_the_same_bytes_in_two_cases_are_stored_once_and_known_apart(self) -> None:
        one = make_evidence(self.case, self.alice, b"twice")
        two = make_evidence(self.secret_case, self.alice, b"twice")
        assert one.path == two.path
        assert (one.number, two.number) == (1, 1)

    def test_an_altered_file_is_set_aside_when_the_true_bytes_come_again(self) -> None:
        item = make_evidence(self.case, self.alice, b"the truth")
        item.path.chmod(0o640)
        item.path.write_bytes(b"a lie!!!!")
        make_evidence(self.case, self.alice, b"the truth")
        assert item.path.read_bytes() == b"the truth"
        assert [f.read_bytes() for f in item.path.parent.glob("*.altered-*")] == [b"a lie!!!!"]


class ChainTests(CastTestCase):
    def test_rows_cannot_be_changed_or_deleted_by_any_door(self) -> None:
        entry = LogEntry.objects.filter(case=self.case).first()
        assert entry is not None
        entry.detail = {"changed": True}
        for act in (
            entry.save,
            entry.delete,
            LogEntry.objects.all().delete,
            lambda: LogEntry.objects.update(action="x"),
            lambda: CustodyEntry.objects.filter(pk=1).update(action="x"),
            lambda: LogEntry.objects.bulk_create([]),
        ):
            with pytest.raises(AppendOnlyError):
                act()

    def test_each_entry_holds_the_digest_of_the_one_before(self) -> None:
        log.record("test.one", case=self.case, actor=self.bob, word="Ünïcode \u2400")
        rows = list(LogEntry.objects.filter(case=self.case).order_by("sequence"))
        assert [r.sequence for r in rows] == list(range(1, len(rows) + 1))
        assert all(later.previous == earlier.digest for earlier, later in zip(rows, rows[1:], strict=False))
        assert all(r.digest == r.compute_digest() for r in rows)
        assert ChainHead.objects.get(key=f"case:{self.case.uuid}").digest == rows[-1].digest


class ApprovalTests(CastTestCase):
    def ask(self, digest: str = "d" * 64) -> Approval:
        return approvals.request(
            case=self.case,
            actor=self.bob,
            kind="liveresponse.script",
            subject=self.case.uuid,
            title="Run it",
            detail={},
            digest=digest,
            task="",
        )

    def test_a_second_person_who_leads_decides(self) -> None:
        approval = self.ask()
        with pytest.raises(PermissionDenied, match="asked for this yourself"):
            approvals.decide(approval=approval, actor=self.bob, approve=True)
        with pytest.raises(PermissionDenied, match="Only a lead"):
            approvals.decide(approval=approval, actor=self.carol, approve=True)
        approvals.decide(approval=approval, actor=self.alice, approve=True)
        assert approvals.find_valid(self.case.uuid, "d" * 64) is not None

    def test_a_yes_covers_exactly_what_was_asked(self) -> None:
        approvals.decide(approval=self.ask(), actor=self.alice, approve=True)
        assert approvals.find_valid(self.case.uuid, "e" * 64) is None

    def test_a_yes_ends_with_its_time_or_with_the_role_of_who_gave_it(self) -> None:
        approval = approvals.decide(approval=self.ask(), actor=self.alice, approve=True)
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role="lead")
        cases.set_member(case=self.case, actor=self.bob, user=self.alice, role="analyst")
        assert approvals.find_valid(self.case.uuid, "d" * 64) is None
        cases.set_member(case=self.case, actor=self.bob, user=self.alice, role="lead")
        Approval.objects.filter(pk=approval.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        assert approvals.find_valid(self.case.uuid, "d" * 64) is None

    def test_a_standing_approval_lasts_90_days_at_most(self) -> None:
        common = {
            "case": self.case,
            "actor": self.alice,
            "connection": self.connection,
            "script_name": "x.ps1",
            "script_sha256": "a" * 64,
            "reason": "tested",
        }
        with pytest.raises(ValidationError, match="90 days"):
            approvals.grant_standing(**common, days=91)
        approvals.grant_standing(**common, days=90)
        assert approvals.find_standing(self.connection, "A" * 64) is not None
        assert approvals.find_standing(self.connection, "b" * 64) is None
