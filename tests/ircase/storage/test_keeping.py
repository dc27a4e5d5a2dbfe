"""Holds, retention, destruction by two persons and its certificate; what other cases must not learn."""

import io
import json
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.exceptions import PermissionDenied, ValidationError
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from artifacts import LoadReport
from ircase import destroyer, store
from ircase.finder import cells
from ircase.finder.answering import answer
from ircase.models import (
    Approval,
    Case,
    CaseExport,
    CaseRole,
    CaseTable,
    CustodyEntry,
    Destruction,
    Evidence,
    LegalHold,
    LogEntry,
    RetentionPolicy,
    StoredBytes,
    TableIndexing,
    User,
)
from ircase.sentences import sentence_of
from ircase.services import approvals, cases, evidence
from ircase.services.analysis import tables
from ircase.services.transfer import caseexports
from ircase.services.vault import delivery, destruction, holds, quotas, removal, retention, verification
from ircase.store import digest_of
from ircase.tasks import destroy as destroy_now
from ircase.tasks import destruction_decided, export_case, hold_decided, parse_evidence
from tests.cast import CastTestCase, make_case, make_evidence, make_user
from tests.hunting.stage import make_table, quiet_heart

WHY = "The retention time of the contract is over"


def destroy(pk: int) -> None:
    with quiet_heart():
        destroy_now(pk)


def index_table(table: CaseTable) -> None:
    job = TableIndexing.objects.select_related("table__evidence").claim(table.indexing.pk, "me")
    assert job is not None
    with quiet_heart():
        cells.index_table(job)


class KeepingTestCase(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.dora = make_user("dora", User.SiteRole.ANALYST)
        for case in (cls.case, cls.secret_case):
            cases.set_member(case=case, actor=cls.alice, user=cls.dora, role=CaseRole.LEAD)

    def setUp(self) -> None:
        # Files outlive the database of a test: each test has its own.
        self.item = make_evidence(self.case, self.alice, b"the bytes of the first", name="first.bin")
        self.other = make_evidence(self.case, self.alice, b"the bytes of the second", name="second.bin")

    def close(self, case: Case, days: int) -> None:
        Case.objects.filter(pk=case.pk).update(closed_at=timezone.now() - timedelta(days=days))

    def ask(self, *items: Evidence) -> Destruction:
        return destruction.request(case=items[0].case, actor=self.alice, exhibits=list(items), why=WHY)

    def approve(self, row: Destruction, approve: bool = True) -> None:
        approval = destruction.approval_of(row)
        assert approval is not None
        approvals.decide(approval=approval, actor=self.dora, approve=approve, comment="Agreed")
        destruction_decided(str(row.uuid))

    def destroyed(self, *items: Evidence) -> Destruction:
        row = self.ask(*items)
        self.approve(row)
        destroy(row.pk)
        return Destruction.objects.get(pk=row.pk)


class HoldTests(KeepingTestCase):
    def test_a_hold_is_placed_by_a_lead_alone_and_told(self) -> None:
        hold = holds.place(case=self.case, actor=self.alice, evidence=self.item, reason="Court order 7")
        assert LogEntry.objects.filter(case=self.case, action="hold.placed", detail__reason="Court order 7").exists()
        assert CustodyEntry.objects.filter(evidence=self.item, action="held").exists()
        with self.assertRaises(ValidationError):
            holds.place(case=self.case, actor=self.dora, evidence=self.item, reason="again")
        with self.assertRaises(PermissionDenied):
            holds.place(case=self.case, actor=self.bob, reason="x")
        with self.assertRaises(ValidationError):
            holds.place(case=self.case, actor=self.alice, reason="  ")
        kept = dict(Evidence.objects.filter(case=self.case).annotate(kept=holds.keeping()).values_list("pk", "kept"))
        assert (kept[self.item.pk], kept[self.other.pk]) == (hold.reason, None)

    def test_lifting_needs_a_second_person(self) -> None:
        hold = holds.place(case=self.case, actor=self.alice, reason="Court order 7")
        approval = holds.ask_to_lift(hold=hold, actor=self.alice, reason="The court is done")
        with self.assertRaises(ValidationError):
            holds.ask_to_lift(hold=hold, actor=self.dora, reason="me too")
        with self.assertRaises(PermissionDenied):
            approvals.decide(approval=approval, actor=self.alice, approve=True)
        hold_decided(str(hold.uuid))
        assert LegalHold.objects.get(pk=hold.pk).lifted_at is None
        approvals.decide(approval=approval, actor=self.dora, approve=True)
        hold_decided(str(hold.uuid))
        hold_decided(str(hold.uuid))
        lifted = LegalHold.objects.get(pk=hold.pk)
        assert lifted.lifted_by == self.dora and lifted.lift_reason == "The court is done"
        assert LogEntry.objects.filter(case=self.case, action="hold.lifted").count() == 1

    def test_what_is_rejected_stays_on_hold(self) -> None:
        hold = holds.place(case=self.case, actor=self.alice, reason="Court order 7")
        approval = holds.ask_to_lift(hold=hold, actor=self.alice, reason="The court is done")
        approvals.decide(approval=approval, actor=self.dora, approve=False, comment="Not yet")
        hold_decided(str(hold.uuid))
        assert LegalHold.objects.get(pk=hold.pk).lifted_at is None
        assert holds.waiting(hold) is None

    def test_nothing_on_hold_is_destroyed_also_where_the_hold_came_after_the_yes(self) -> None:
        holds.place(case=self.case, actor=self.alice, evidence=self.item, reason="Court order 7")
        with self.assertRaisesMessage(ValidationError, "legal hold on E001"):
            self.ask(self.item)
        row = self.ask(self.other)
        self.approve(row)
        holds.place(case=self.case, actor=self.alice, reason="Everything")
        destroy(row.pk)
        row.refresh_from_db()
        assert row.state == "failed" and "legal hold on the whole case" in row.reason
        assert store.exists(self.other.sha256)
        assert not Evidence.objects.get(pk=self.other.pk).is_destroyed

    def test_a_hold_that_comes_while_a_destruction_is_under_way_spares_what_is_still_there(self) -> None:
        row = self.ask(self.item, self.other)
        self.approve(row)
        release = removal.release

        def held_meanwhile(sha256: str) -> bool:
            if sha256 == self.item.sha256:
                holds.place(case=self.case, actor=self.alice, evidence=self.other, reason="Court order 9")
            return release(sha256)

        with mock.patch("ircase.destroyer.removal.release", held_meanwhile):
            destroy(row.pk)
        row.refresh_from_db()
        assert row.state == "done", row.reason
        assert [one["exhibit"] for one in row.certificate["exhibits"]] == ["E001"]
        assert store.exists(self.other.sha256) and not Evidence.objects.get(pk=self.other.pk).is_destroyed
        assert evidence.look(self.other) == Evidence.Integrity.VERIFIED
        spared = LogEntry.objects.get(case=self.case, action="destruction.spared")
        assert spared.detail["exhibit"] == "E002" and "E002" in sentence_of(spared).text
        assert list(verification.verify_case(self.case)) == []

    def test_a_hold_on_everything_before_anything_went_ends_it(self) -> None:
        row = self.ask(self.item)
        self.approve(row)
        begin = destroyer._begin

        def begin_and_hold(one: Destruction) -> Approval:
            found = begin(one)
            holds.place(case=self.case, actor=self.alice, reason="Court order 9")
            return found

        with mock.patch("ircase.destroyer._begin", begin_and_hold):
            destroy(row.pk)
        row.refresh_from_db()
        assert row.state == "failed" and "legal hold" in row.reason
        assert store.exists(self.item.sha256)

    def test_what_is_destroyed_cannot_be_held_any_more(self) -> None:
        self.destroyed(self.item)
        with self.assertRaisesMessage(ValidationError, "E001 was destroyed already"):
            holds.place(case=self.case, actor=self.alice, evidence=self.item, reason="Court order 9")


class RetentionTests(KeepingTestCase):
    def policy(self, days: int, **more: Any) -> RetentionPolicy:
        policy = RetentionPolicy(name=f"p{days}{more}"[:100], days=days, why="A rule", **more)
        return retention.save_policy(policy=policy, actor=self.ada)

    def due(self, user: User | None = None) -> set[int]:
        visible = Case.objects.visible_to(user or self.alice)
        return set(retention.due(visible).values_list("pk", flat=True))

    def test_without_a_policy_evidence_is_kept_for_ever(self) -> None:
        self.close(self.case, 10_000)
        assert self.due() == set()

    def test_an_open_case_is_never_due(self) -> None:
        self.policy(1)
        assert self.due() == set()

    def test_the_longest_policy_that_fits_counts(self) -> None:
        self.close(self.case, 100)
        self.policy(30)
        assert self.due() == {self.item.pk, self.other.pk}
        self.policy(200, tlp=self.case.tlp, kind="upload")
        assert self.due() == set()
        self.policy(400, kind="hunt")
        self.close(self.case, 201)
        assert self.due() == {self.item.pk, self.other.pk}

    def test_what_is_switched_off_or_does_not_fit_counts_for_nothing(self) -> None:
        self.close(self.case, 100)
        self.policy(10, enabled=False)
        self.policy(11, kind="hunt")
        self.policy(12, classification="truePositive")
        assert self.due() == set()
        Case.objects.filter(pk=self.case.pk).update(classification="truePositive")
        assert self.due() == {self.item.pk, self.other.pk}

    def test_a_hold_a_decision_and_a_question_take_it_off_the_list(self) -> None:
        self.close(self.case, 100)
        self.policy(30)
        retention.keep(case=self.case, actor=self.alice, exhibits=[self.item], days=10, reason="An appeal is open")
        assert self.due() == {self.other.pk}
        assert LogEntry.objects.filter(case=self.case, action="retention.kept").exists()
        hold = holds.place(case=self.case, actor=self.alice, reason="x")
        assert self.due() == set()
        LegalHold.objects.filter(pk=hold.pk).update(lifted_at=timezone.now())
        self.ask(self.other)
        assert self.due() == set()
        assert set(
            retention.due(Case.objects.all(), timezone.now() + timedelta(days=11)).values_list("pk", flat=True)
        ) == {self.item.pk}

    def test_a_confidential_case_is_on_nobodys_list_but_its_members(self) -> None:
        hidden = make_evidence(self.secret_case, self.alice, b"quiet", name="quiet.bin")
        self.close(self.secret_case, 100)
        self.policy(30)
        assert self.due(self.alice) == {hidden.pk}
        for person in (self.carol, self.ada, self.mallory, self.bob):
            assert self.due(person) == set()
            self.sign_in(person)
            page = self.client.get(reverse("ircase:retention")).content.decode()
            assert self.secret_case.reference not in page and "Nothing is due" in page
        self.sign_in(self.alice)
        assert self.secret_case.reference in self.client.get(reverse("ircase:retention")).content.decode()

    def test_policies_are_administrators(self) -> None:
        with self.assertRaises(PermissionDenied):
            retention.save_policy(policy=RetentionPolicy(name="x", days=1, why="y"), actor=self.alice)
        self.sign_in(self.ada)
        url = reverse("ircase:retention_policies")
        assert self.client.post(url, {"name": "Ten years", "days": 0, "why": "law"}).status_code == 422
        assert (
            self.client.post(url, {"name": "Ten years", "days": 3650, "why": "law", "enabled": "on"}).status_code == 302
        )
        row = RetentionPolicy.objects.get(name="Ten years")
        page = self.client.get(reverse("ircase:retention_policy", args=[row.pk]))
        assert page.status_code == 200
        self.client.post(
            reverse("ircase:retention_policy", args=[row.pk]), {"name": "Ten years", "days": 99, "why": "l"}
        )
        row.refresh_from_db()
        assert (row.days, row.enabled) == (99, False)


class DestructionTests(KeepingTestCase):
    def test_two_persons_destroy_and_a_certificate_says_so(self) -> None:
        row = self.destroyed(self.item)
        assert row.state == "done", row.reason
        item = Evidence.objects.get(pk=self.item.pk)
        assert item.is_destroyed and item.destroyed_at and not store.exists(item.sha256)
        assert store.exists(self.other.sha256)
        assert row.certificate["exhibits"][0]["sha256"] == item.sha256
        assert (row.certificate["asked_by"], row.certificate["approved_by"]) == (self.alice.name, self.dora.name)
        assert row.certificate_sha256 == evidence.manifest_digest(row.certificate)
        assert row.sealed is not None and row.sealed.manifest == row.certificate
        assert b"".join(store.chunks(row.sealed.sha256)).startswith(b"%PDF")
        assert item.custody.last().action == "destroyed"
        assert item.manifest and item.manifest_sha256
        assert [fault.code for fault in verification.verify_case(self.case)] == []
        assert Evidence.objects.get(pk=item.pk).is_destroyed

    def test_its_tables_go_and_nothing_reads_it_any_more(self) -> None:
        table = make_table(self.case, self.alice, "DeviceEvents", [{"DeviceName": "ws-07"}])
        item = table.evidence
        path = table.path
        assert path.is_file()
        self.destroyed(item)
        item.refresh_from_db()
        assert not path.exists()
        assert tables.tables_of(self.case) == []
        with self.assertRaises(evidence.Destroyed):
            list(evidence.deliver(item, actor=self.alice))
        with self.assertRaises(delivery.FileGone):
            delivery.response(item, actor=self.alice)
        with self.assertRaises(ValidationError):
            tables.queue_parse(evidence=item, actor=self.alice)

    def test_the_search_knows_its_cells_no_more(self) -> None:
        table = make_table(self.case, self.alice, "DeviceEvents", [{"DeviceName": "okapi"}])
        index_table(table)
        assert answer(self.bob, "okapi").found
        self.destroyed(table.evidence)
        assert not answer(self.bob, "okapi").found

    def test_tables_of_an_earlier_reading_are_not_left_on_the_disk(self) -> None:
        first = make_table(self.case, self.alice, "DeviceEvents", [{"DeviceName": "ws-07"}])
        rows = Path(tempfile.mkdtemp(dir=first.path.parent)) / "rows.parquet"
        shutil.copyfile(first.path, rows)
        again = tables.NewTable(first.name, rows, tables.columns_of(first), 1, None, None, "hand")
        with self.captureOnCommitCallbacks(execute=True):
            second = tables.keep(evidence=first.evidence, tables=[again])[0]
        assert second.path.is_file() and not first.path.exists()

    def test_what_is_destroyed_when_its_reading_is_about_to_be_kept_makes_no_table(self) -> None:
        item = make_evidence(self.case, self.alice, b"a,b\n1,2\n", name="rows.csv")
        job = tables.queue_parse(evidence=item, actor=self.alice)
        steps = iter([lambda: self.destroyed(item)])
        with (
            quiet_heart(),
            mock.patch("ircase.runner.load_in_child", return_value=LoadReport((), (), ())),
            mock.patch("ircase.work.Hold.check", lambda _: next(steps, lambda: None)()),
        ):
            parse_evidence(job.pk)
        job.refresh_from_db()
        assert job.state == "cancelled"
        assert job.activity.state == "cancelled"

    def test_an_export_that_holds_it_goes_and_others_stay(self) -> None:
        with_it, without = self.exported(1), self.exported(2)
        with self.captureOnCommitCallbacks(execute=True):
            self.destroyed(self.item)
        with self.assertRaises(caseexports.ExportGone):
            caseexports.require_file(CaseExport.objects.get(pk=with_it.pk))
        assert not caseexports.path_of(with_it).exists()
        assert caseexports.require_file(CaseExport.objects.get(pk=without.pk))
        assert LogEntry.objects.filter(case=self.case, action="export.removed").count() == 1

    def test_an_export_that_is_being_made_meanwhile_ends_without_a_file(self) -> None:
        export = caseexports.request_export(case=self.case, actor=self.alice, purpose="Court", receiver="Court")
        row = self.ask(self.item)
        self.approve(row)

        def slowly(path: Path) -> str:
            destroy(row.pk)
            return digest_of(path)

        with self.captureOnCommitCallbacks(execute=True), mock.patch("ircase.dossier.build.digest_of", slowly):
            export_case(export.pk)
        export.refresh_from_db()
        assert export.state == "failed" and "was destroyed while" in export.reason
        assert not caseexports.path_of(export).exists()

    def exported(self, number: int) -> CaseExport:
        export = caseexports.request_export(
            case=self.case, actor=self.alice, purpose="Court", receiver="Court", numbers=[number]
        )
        with quiet_heart():
            export_case(export.pk)
        export.refresh_from_db()
        assert export.state == "done", export.reason
        return export

    def test_the_same_bytes_in_another_case_stay_and_neither_case_learns_of_it(self) -> None:
        twin = make_evidence(self.secret_case, self.alice, b"the bytes of the first", name="mine.bin")
        alone = make_evidence(self.case, self.alice, b"nobody else has these", name="alone.bin")
        shared, single = self.destroyed(self.item), self.destroyed(alone)
        assert shared.state == single.state == "done"
        assert store.exists(twin.sha256) and not store.exists(alone.sha256)
        assert evidence.verify(twin) == Evidence.Integrity.VERIFIED
        assert b"".join(evidence.deliver(twin, actor=self.alice)) == b"the bytes of the first"
        item = Evidence.objects.get(pk=self.item.pk)
        with self.assertRaises(evidence.Destroyed):
            list(evidence.deliver(item, actor=self.alice))
        assert evidence.look(item) == Evidence.Integrity.DESTROYED
        telling = [json.dumps(row.certificate, sort_keys=True) for row in (shared, single)]
        assert self.secret_case.reference not in telling[0]
        assert shared.certificate["how"] == single.certificate["how"]
        assert set(shared.certificate["exhibits"][0]) == set(single.certificate["exhibits"][0])
        assert list(twin.custody.values_list("action", flat=True)).count("destroyed") == 0
        self.destroyed(twin)
        assert not store.exists(twin.sha256)

    def test_nobody_approves_what_they_asked_for_and_no_is_no(self) -> None:
        row = self.ask(self.item)
        approval = destruction.approval_of(row)
        assert approval is not None
        with self.assertRaises(PermissionDenied):
            approvals.decide(approval=approval, actor=self.alice, approve=True)
        destroy(row.pk)
        assert Destruction.objects.get(pk=row.pk).state == "requested"
        self.approve(row, approve=False)
        row.refresh_from_db()
        assert row.state == "cancelled" and "Agreed" in row.reason and store.exists(self.item.sha256)

    def test_the_yes_covers_exactly_what_was_asked(self) -> None:
        row = self.ask(self.item)
        row.exhibits.add(self.other)
        self.approve(row)
        row.refresh_from_db()
        assert row.state == "cancelled"
        assert store.exists(self.item.sha256) and store.exists(self.other.sha256)

    def test_what_cannot_be_asked_for(self) -> None:
        for actor, items, why, error in (
            (self.bob, [self.item], WHY, PermissionDenied),
            (self.alice, [], WHY, ValidationError),
            (self.alice, [self.item], "short", ValidationError),
            (self.dora, [make_evidence(self.secret_case, self.alice)], WHY, ValidationError),
        ):
            with self.assertRaises(error):
                destruction.request(case=self.case, actor=actor, exhibits=items, why=why)
        row = self.destroyed(self.item)
        assert row.sealed is not None
        with self.assertRaisesMessage(ValidationError, "destroyed already"):
            self.ask(Evidence.objects.get(pk=self.item.pk))
        with self.assertRaisesMessage(ValidationError, "is a certificate"):
            self.ask(row.sealed)
        with self.assertRaisesMessage(ValidationError, "asked for already"):
            self.ask(self.other)
            self.ask(self.other)

    def test_an_object_lock_is_respected_and_its_end_said(self) -> None:
        until = timezone.now() + timedelta(days=30)
        Evidence.objects.filter(pk=self.item.pk).update(locked_until=until)
        with self.assertRaisesMessage(ValidationError, f"keeps E001 until {until:%Y-%m-%d}"):
            self.ask(Evidence.objects.get(pk=self.item.pk))

    def test_a_worker_that_dies_at_any_step_loses_nothing_and_the_next_one_goes_on(self) -> None:
        row = self.ask(self.item, self.other)
        self.approve(row)
        for step in (
            "ircase.destroyer.removal.release",
            "ircase.destroyer.certificate.write_pdf",
            "ircase.destroyer.evidence.put_file",
            "ircase.destroyer.evidence.seal",
        ):
            with mock.patch(step, side_effect=SystemExit), self.assertRaises(SystemExit):
                destroy(row.pk)
            Destruction.objects.filter(pk=row.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
            destruction.tidy()
            assert Destruction.objects.get(pk=row.pk).state == "queued", step
        destroy(row.pk)
        row.refresh_from_db()
        assert row.state == "done", row.reason
        for item in (self.item, self.other):
            assert list(item.custody.values_list("action", flat=True)).count("destroyed") == 1
            assert not store.exists(item.sha256)
        assert self.case.evidence.filter(kind="report").count() == 1

    def test_a_store_that_is_away_is_waited_for(self) -> None:
        row = self.ask(self.item)
        self.approve(row)
        with mock.patch("ircase.destroyer.evidence.put_file", side_effect=store.StoreError("It is full.")):
            destroy(row.pk)
        row.refresh_from_db()
        assert row.state == "queued" and "It is full" in row.reason and row.not_before is not None

    def test_a_row_that_only_says_destroyed_is_a_fault(self) -> None:
        Evidence.objects.filter(pk=self.item.pk).update(integrity="destroyed")
        assert [fault.code for fault in verification.verify_case(self.case)] == ["not_certified"]


class RemovalTests(KeepingTestCase):
    def test_a_sealing_never_loses_its_file_to_a_removal(self) -> None:
        stored = evidence.put([b"twice"])
        StoredBytes.objects.create(sha256=stored.sha256, removing_at=timezone.now())
        removal.remove(stored.sha256)
        assert not store.exists(stored.sha256)
        with self.assertRaises(store.StoreError):
            evidence.seal(
                case=self.case, stored=stored, kind=Evidence.Kind.UPLOAD, name="x", manifest={}, actor=self.bob
            )
        StoredBytes.objects.filter(sha256=stored.sha256).update(removed_at=timezone.now() - timedelta(minutes=1))
        assert make_evidence(self.case, self.bob, b"twice").sha256 == stored.sha256
        removal.release(stored.sha256)
        assert store.exists(stored.sha256)
        assert StoredBytes.objects.get(sha256=stored.sha256).removing_at is None

    def test_what_the_store_refuses_to_remove_is_tried_again_when_it_may(self) -> None:
        stored = evidence.put([b"locked"])
        until = timezone.now() + timedelta(days=3)
        with mock.patch("ircase.store.delete", side_effect=store.StoreLocked("Locked.", until)):
            removal.release(stored.sha256)
        row = StoredBytes.objects.get(sha256=stored.sha256)
        assert row.removing_at and row.try_after == until and row.problem == "Locked."
        removal.tidy()
        assert store.exists(stored.sha256)
        StoredBytes.objects.update(try_after=timezone.now() - timedelta(seconds=1))
        removal.tidy()
        assert not store.exists(stored.sha256)

    def test_a_file_that_hunting_needs_is_not_an_orphan(self) -> None:
        from hunting.models import Feed, FeedFetch, HuntImport

        one, two = evidence.put([b"a feed"]), evidence.put([b"an import"])
        feed = Feed.objects.create(address="https://feeds.example.com/x.csv", allowed_by=self.ada)
        FeedFetch.objects.create(feed=feed, address=feed.address, sha256=one.sha256, bytes=one.size)
        HuntImport.objects.create(
            source="x", requested_by=self.ada, files=[{"name": "x", "sha256": two.sha256, "size": 9}]
        )
        removal.release(one.sha256)
        removal.release(two.sha256)
        assert store.exists(one.sha256) and store.exists(two.sha256)


class QuotaTests(KeepingTestCase):
    def test_the_quota_is_the_cases_own_whoever_else_has_the_bytes(self) -> None:
        lonely = make_case(self.alice, title="Small")
        with override_settings(CASE_QUOTA_BYTES=30):
            assert quotas.usage_of(lonely).left == 30
            make_evidence(lonely, self.alice, b"the bytes of the first")
            assert quotas.usage_of(lonely) == quotas.Usage(22, 30)
            with self.assertRaisesMessage(quotas.QuotaFull, "22"):
                make_evidence(lonely, self.alice, b"123456789")
            make_evidence(lonely, self.alice, b"12345678")
            assert lonely.evidence.count() == 2

    def test_it_is_said_on_the_page_and_refused_before_the_bytes_flow(self) -> None:
        self.sign_in(self.bob)
        with override_settings(CASE_QUOTA_BYTES=100):
            page = self.client.get(reverse("ircase:evidence", args=[self.case.reference])).content.decode()
            assert "45\xa0bytes of 100\xa0bytes of evidence used" in page
            reply = self.client.post(
                reverse("ircase:uploads", args=[self.case.reference]),
                headers={"Tus-Resumable": "1.0.0", "Upload-Length": "56", "Upload-Metadata": "filename YQ=="},
            )
            assert reply.status_code == 507 and "100\xa0bytes" in reply.content.decode()
            from django.core.files.uploadedfile import SimpleUploadedFile

            reply = self.client.post(
                reverse("ircase:evidence", args=[self.case.reference]),
                {"file": SimpleUploadedFile("a.bin", b"x" * 56)},
                follow=True,
            )
            assert "100\xa0bytes of evidence" in reply.content.decode()
        assert self.case.evidence.count() == 2

    def test_what_has_no_size_beforehand_is_refused_on_its_way(self) -> None:
        came = io.BytesIO()
        with override_settings(CASE_QUOTA_BYTES=100):
            sink = quotas.sink(self.case, came)
            sink.write(b"x" * 50)
            with self.assertRaises(quotas.QuotaFull):
                sink.write(b"x" * 6)
            with self.assertRaises(quotas.QuotaFull):
                evidence.put(quotas.metered(self.case, iter([b"y" * 50, b"y" * 6])))
        assert len(came.getvalue()) == 50
        assert quotas.sink(self.case, came) is came

    def test_a_certificate_is_sealed_whatever_the_quota(self) -> None:
        with override_settings(CASE_QUOTA_BYTES=10):
            assert self.destroyed(self.item).state == "done"


class PageTests(KeepingTestCase):
    def test_a_lead_goes_from_the_list_to_the_certificate(self) -> None:
        self.close(self.case, 100)
        retention.save_policy(policy=RetentionPolicy(name="p", days=9, why="law"), actor=self.ada)
        self.sign_in(self.alice)
        keeping = reverse("ircase:keeping", args=[self.case.reference])
        assert "first.bin" in self.client.get(f"{keeping}?due=1").content.decode()
        reply = self.client.post(keeping, {"exhibits": str(self.item.uuid), "why": WHY, "act": "destroy"}, follow=True)
        assert "Another lead of the case is asked" in reply.content.decode()
        row = Destruction.objects.get()
        approval = Approval.objects.get(subject=row.uuid)
        self.sign_in(self.dora)
        assert "first.bin" in self.client.get(reverse("ircase:approval", args=[approval.uuid])).content.decode()
        self.client.post(reverse("ircase:approval", args=[approval.uuid]), {"decision": "approve"})
        destruction_decided(str(row.uuid))
        page = self.client.get(reverse("ircase:destruction", args=[self.case.reference, row.uuid])).content.decode()
        assert "Approved by" in page
        destroy(row.pk)
        page = self.client.get(reverse("ircase:destruction", args=[self.case.reference, row.uuid])).content.decode()
        assert "as JSON" in page
        raw = self.client.get(reverse("ircase:certificate", args=[self.case.reference, row.uuid])).content
        assert json.loads(raw)["certificate"] == str(row.uuid)
        page = self.client.get(
            reverse("ircase:evidence_item", args=[self.case.reference, self.item.uuid])
        ).content.decode()
        assert "was destroyed, as certified" in page and "Download" not in page

    def test_a_hold_is_placed_seen_and_asked_to_be_lifted(self) -> None:
        self.sign_in(self.alice)
        here = [self.case.reference]
        self.client.post(reverse("ircase:hold_place", args=here), {"on": str(self.item.uuid), "reason": "Order 7"})
        hold = LegalHold.objects.get()
        assert hold.evidence == self.item
        page = self.client.get(reverse("ircase:evidence_item", args=[*here, self.item.uuid])).content.decode()
        assert "Under a legal hold" in page and "Order 7" in page
        self.client.post(reverse("ircase:hold_lift", args=[*here, hold.uuid]), {"reason": "over"})
        page = self.client.get(reverse("ircase:keeping", args=here)).content.decode()
        assert "Lifting it waits for a second person" in page

    def test_what_was_chosen_wrongly_is_said(self) -> None:
        self.sign_in(self.alice)
        url = reverse("ircase:keeping", args=[self.case.reference])
        assert "Why: This field is required" in self.client.post(url, {"act": "keep"}).content.decode()
        reply = self.client.post(
            url, {"act": "keep", "exhibits": str(self.item.uuid), "why": "appeal", "days": 5}, follow=True
        )
        assert "It is kept" in reply.content.decode()

    def test_the_page_asks_no_more_for_more_exhibits(self) -> None:
        self.sign_in(self.alice)
        url = reverse("ircase:keeping", args=[self.case.reference])
        self.client.get(url)
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        counts = []
        for number in range(2):
            with CaptureQueriesContext(
                connection,
            ) as found:
                self.client.get(url)
            counts.append(len(found))
            for more in range(5):
                make_evidence(self.case, self.alice, f"{number} {more}".encode())
        assert counts[0] == counts[1]
