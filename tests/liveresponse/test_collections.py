"""Collections, move by move: the happy paths, every fault, and a kill at every point where it could hurt."""

import json
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase.models import Approval, CaseMember, Evidence, LogEntry, ParseJob, User
from ircase.services import approvals, cases, evidence
from ircase.services.writing import comments
from liveresponse import runner, tasks
from liveresponse.models import Collection, CollectionState, LibraryScript, LibraryWatch
from liveresponse.runner.polling import Lost
from liveresponse.services import collections, going_on, library
from msapi.errors import ActiveRequestExists, Ambiguous, Forbidden, LinkExpired, NotFound, Throttled, Unavailable
from msapi.machines import LibraryFile
from tests.cast import CastTestCase
from tests.liveresponse.tenant import MACHINE, SCRIPT_SHA, ZIP_PATH, FakeGovernor, FakeTenant, transcript


class CollectionTestCase(CastTestCase):
    def setUp(self) -> None:
        self.tenant, self.governor = FakeTenant(), FakeGovernor()
        LibraryScript.objects.create(connection=self.connection, name="DFIR-Script.ps1", sha256=SCRIPT_SHA)
        patcher = patch("ircase.quota.governor", lambda: self.governor)
        patcher.start()
        self.addCleanup(patcher.stop)

    def ask(self, definition: str = "dfir-triage", **parameters: object) -> Collection:
        return collections.request_collection(
            case=self.case,
            actor=self.bob,
            definition=definition,
            device="WS-07.contoso.com",
            parameters=parameters,
            reason="RDP at night",
        )

    def approved(self) -> Collection:
        row = self.ask()
        approval = Approval.objects.get(subject=row.uuid)
        approvals.decide(approval=approval, actor=self.alice, approve=True)
        collections.approval_decided(row.uuid)
        return self.fresh(row)

    def fresh(self, row: Collection) -> Collection:
        return Collection.objects.get(pk=row.pk)

    def move(self, row: Collection) -> Collection:
        """One poll, as if its time had come and no lease stood in the way."""
        Collection.objects.filter(pk=row.pk).update(next_poll_at=timezone.now(), lease_owner="", lease_until=None)
        runner.advance(row.pk, "worker", self.tenant)
        return self.fresh(row)

    def finish(self, row: Collection, moves: int = 30) -> Collection:
        for _ in range(moves):
            if row.is_final:
                break
            row = self.move(row)
        return row

    def standing(self, giver: User) -> None:
        """The script approved in advance."""
        approvals.grant_standing(
            case=self.case, actor=giver, connection=self.connection, script_name="DFIR-Script.ps1",
            script_sha256=SCRIPT_SHA, reason="tested", days=30,
        )  # fmt: skip


class HappyPathTests(CollectionTestCase):
    def test_dfir_triage_from_approval_to_sealed_zip_and_parse(self) -> None:
        row = self.finish(self.approved())
        assert row.state == CollectionState.DONE, row.failure
        transcript_item, zip_item = row.evidence.order_by("number")
        assert zip_item == row.output
        assert zip_item.path.read_bytes() == b"PK the zip of " + ZIP_PATH.encode()
        assert zip_item.name == "DFIR-WS07-2026-01-18.zip"
        assert zip_item.manifest["download"]["gzip"] is True
        assert transcript_item.manifest["script_sha256"] == SCRIPT_SHA
        assert row.approved_by == "Alice"
        assert ParseJob.objects.filter(evidence=zip_item).exists()
        row.activity.refresh_from_db()
        assert (row.activity.state, row.activity.partial) == ("done", False)
        assert [type(command).__name__ for command, _ in self.tenant.submitted] == ["RunScript", "GetFile"]
        assert all(f"IRCase {row.uuid}" in comment for _, comment in self.tenant.submitted)
        assert len(self.governor.released) == 2
        assert any("RunScript ScriptName=DFIR-Script.ps1" in step for step in row.activity.detail["steps"])
        assert row.activity.detail["approved_by"] == "Alice"

    def test_get_file_needs_nobody(self) -> None:
        row = self.finish(self.ask("get-file", Path=r"C:\Users\eve\loader.exe"))
        assert row.state == CollectionState.DONE
        assert not Approval.objects.filter(subject=row.uuid).exists()
        assert row.output is not None
        assert row.output.name == "loader.exe"

    def test_a_standing_approval_lets_it_start(self) -> None:
        self.standing(self.alice)
        row = self.ask()
        assert row.state == CollectionState.REQUESTED or self.fresh(row).state == CollectionState.APPROVED
        assert self.finish(self.fresh(row)).state == CollectionState.DONE

    def test_ones_own_standing_approval_is_no_second_persons(self) -> None:
        CaseMember.objects.filter(case=self.case, user=self.bob).update(role="lead", own_role="lead")
        self.standing(self.bob)
        row = self.ask()
        assert self.fresh(row).state == CollectionState.REQUESTED
        assert Approval.objects.get(subject=row.uuid).requested_by == self.bob
        self.sign_in(self.bob)
        page = self.client.get(f"/cases/{self.case.reference}/live-response/request/dfir-triage/")
        self.assertContains(page, "Ask for approval")
        collections.start(row, approved_by="by nobody")
        assert self.finish(self.fresh(row)).state == CollectionState.REFUSED, "the worker asks again"
        assert self.tenant.submitted == []

    def test_no_link_or_signature_is_kept_anywhere(self) -> None:
        row = self.finish(self.approved())
        kept = json.dumps(
            [list(row.commands.values_list("text", "detail")), list(row.evidence.values_list("manifest", flat=True))]
        )
        assert "sig=" not in kept


class ApprovalTests(CollectionTestCase):
    def test_it_waits_for_a_lead_and_is_refused_with_the_leads_words(self) -> None:
        row = self.ask()
        assert not Collection.objects.all().due().filter(pk=row.pk).exists()
        approvals.decide(
            approval=Approval.objects.get(subject=row.uuid), actor=self.alice, approve=False, comment="isolate first"
        )
        collections.approval_decided(row.uuid)
        row = self.fresh(row)
        assert row.state == CollectionState.REFUSED
        assert "isolate first" in row.failure

    def test_a_decision_whose_message_was_lost_is_heard_at_the_next_tick(self) -> None:
        row = self.ask()
        approval = Approval.objects.get(subject=row.uuid)
        approvals.decide(approval=approval, actor=self.alice, approve=True)
        Approval.objects.filter(pk=approval.pk).update(decided_at=timezone.now() - timedelta(minutes=1))
        with patch("ircase.jobs.send") as send:
            tasks.poll()
        assert ("liveresponse.approval_decided", str(row.uuid)) in [call.args for call in send.call_args_list]

    def test_the_device_is_waited_for_from_the_yes_on(self) -> None:
        """A limit shorter than the lead took to answer must not end the job before it began."""
        self.connection.limits = {"live_response_queue_hours": 2}
        self.connection.save(update_fields=["limits"])
        self.case.refresh_from_db()
        row = self.ask()
        late = timezone.now() + timedelta(hours=3)
        with patch("django.utils.timezone.now", return_value=late):
            approvals.decide(approval=Approval.objects.get(subject=row.uuid), actor=self.alice, approve=True)
            collections.approval_decided(row.uuid)
            assert self.fresh(row).deadline == late + (row.deadline - row.requested_at)
            assert self.move(row).state == CollectionState.QUEUED
        longest = self.approved()
        assert longest.deadline <= Approval.objects.get(subject=longest.uuid).expires_at

    def test_nobody_is_covered_by_an_approval_in_advance_of_their_own(self) -> None:
        self.standing(self.alice)
        mine = collections.request_collection(
            case=self.case, actor=self.alice, definition="dfir-triage", device="ws-07.contoso.com", parameters={}
        )
        assert self.fresh(mine).state == CollectionState.REQUESTED
        assert self.fresh(self.ask()).state == CollectionState.APPROVED
        for person, said in ((self.bob, True), (self.alice, False)):
            self.sign_in(person)
            page = self.client.get(f"/cases/{self.case.reference}/live-response/request/dfir-triage/").content.decode()
            assert ("Approved in advance" in page) is said, person

    def test_an_approval_in_advance_ends_with_the_role_of_who_gave_it(self) -> None:
        self.standing(self.alice)
        row = self.fresh(self.ask())
        assert row.state == CollectionState.APPROVED
        cases.set_member(case=self.case, actor=self.alice, user=self.ada, role="lead")
        cases.set_member(case=self.case, actor=self.ada, user=self.alice, role="analyst")
        assert approvals.find_standing(self.connection, SCRIPT_SHA) is None
        row = self.finish(row)
        assert (row.state, self.tenant.submitted) == (CollectionState.REFUSED, [])
        assert [held.standing for held in library.held(self.connection) if held.name == "DFIR-Script.ps1"] == [()]

    def test_a_changed_script_is_refused_by_the_worker(self) -> None:
        row = self.approved()
        self.tenant.scripts["DFIR-Script.ps1"] = "0" * 64
        row = self.finish(row)
        assert row.state == CollectionState.REFUSED
        assert "not the file that was approved" in row.failure
        assert self.tenant.submitted == []

    def test_a_changed_device_is_not_covered(self) -> None:
        row = self.approved()
        Collection.objects.filter(pk=row.pk).update(device="dc-01.contoso.com")
        row = self.finish(self.fresh(row))
        assert row.state == CollectionState.REFUSED
        assert self.tenant.submitted == []

    def test_the_requester_must_still_be_an_analyst(self) -> None:
        row = self.approved()
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role="viewer")
        row = self.finish(row)
        assert row.state == CollectionState.REFUSED
        assert "may no longer act" in row.failure

    def test_a_script_the_library_lacks_is_refused_when_asked(self) -> None:
        with pytest.raises(ValidationError, match="not in the tenant's Live Response library"):
            self.ask("windows-security-events")

    def test_a_read_only_connection_touches_no_device(self) -> None:
        self.connection.read_only = True
        self.connection.save(update_fields=["read_only"])
        self.case.refresh_from_db()
        with pytest.raises(ValidationError, match="hunting only"):
            self.ask("get-file", Path=r"C:\x")

    def test_characters_the_service_refuses_are_refused_when_asked(self) -> None:
        with pytest.raises(ValidationError):
            self.ask("get-file", Path=r"C:\x; Remove-Item C:\y")


class KillTests(CollectionTestCase):
    """`kill -9` is a move whose end is never written: the lease lapses and another worker makes it again."""

    def test_after_the_intent_and_before_the_call_it_is_submitted_once(self) -> None:
        row = self.move(self.approved())
        with (
            patch("liveresponse.runner.collections._submit", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            self.move(row)
        row = self.fresh(row)
        assert (row.state, row.action_id) == (CollectionState.SUBMITTED, "")
        row = self.move(row)
        assert row.state == CollectionState.SUBMITTED, "a twin may still appear"
        Collection.objects.filter(pk=row.pk).update(submitted_at=timezone.now() - timedelta(minutes=2))
        assert self.finish(self.fresh(row)).state == CollectionState.DONE
        assert len(self.tenant.submitted) == 2

    def test_after_the_call_and_before_the_answer_the_twin_is_found(self) -> None:
        row = self.move(self.approved())
        with (
            patch("liveresponse.runner.collections._running_now", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            self.move(row)
        assert self.finish(self.fresh(row)).state == CollectionState.DONE
        assert len(self.tenant.submitted) == 2, "one for each step, none twice"

    def test_between_file_and_row_the_evidence_is_sealed_once(self) -> None:
        row = self.ask("get-file", Path=r"C:\loader.exe")
        while self.fresh(row).state != CollectionState.FETCHING:
            row = self.move(row)
        with patch("liveresponse.runner.results._finish", side_effect=Lost):
            row = self.move(row)
        assert not Evidence.objects.filter(case=self.case).exists()
        row = self.finish(row)
        assert row.state == CollectionState.DONE
        assert Evidence.objects.filter(case=self.case).count() == 1

    def test_a_twin_that_shows_up_late_is_found_before_anything_is_sent_again(self) -> None:
        row = self.move(self.ask("get-file", Path="C:\\x"))
        self.tenant.submit_then_fail = [Ambiguous("The connection broke.")]
        row = self.move(row)
        Collection.objects.filter(pk=row.pk).update(submitted_at=timezone.now() - timedelta(minutes=2))
        with patch.object(FakeTenant, "find_action", return_value=None):
            row = self.move(row)
        assert row.state == CollectionState.QUEUED
        assert self.finish(row).state == CollectionState.DONE
        assert len(self.tenant.submitted) == 1

    def test_a_second_delivery_finds_nothing_to_do(self) -> None:
        row = self.move(self.approved())
        Collection.objects.filter(pk=row.pk).update(
            next_poll_at=timezone.now(), lease_owner="other", lease_until=timezone.now() + timedelta(minutes=1)
        )
        runner.advance(row.pk, "worker", self.tenant)
        assert self.fresh(row).state == CollectionState.QUEUED
        assert self.tenant.submitted == []

    def test_a_lease_of_a_dead_worker_lapses(self) -> None:
        row = self.approved()
        Collection.objects.filter(pk=row.pk).update(
            lease_owner="dead", lease_until=timezone.now() - timedelta(seconds=1)
        )
        assert Collection.objects.all().due().filter(pk=row.pk).exists()


class FaultTests(CollectionTestCase):
    def test_an_ambiguous_submission_is_never_repeated_blindly(self) -> None:
        self.tenant.submit_then_fail = [Ambiguous("The connection broke before Defender answered.")]
        row = self.finish(self.approved())
        assert row.state == CollectionState.DONE
        assert len(self.tenant.submitted) == 2

    def test_a_busy_device_waits_its_turn(self) -> None:
        self.tenant.faults["run_live_response"] = [ActiveRequestExists("Busy.", status=400, permanent=True)]
        row = self.move(self.move(self.approved()))
        assert row.state == CollectionState.QUEUED
        assert "Another session" in row.status_text
        assert self.finish(row).state == CollectionState.DONE

    def test_throttling_is_obeyed_and_shared(self) -> None:
        self.tenant.faults["run_live_response"] = [Throttled("Too many calls.", status=429, retry_after=42)]
        row = self.move(self.move(self.approved()))
        assert row.state == CollectionState.QUEUED
        assert self.governor.penalties == [42]
        assert row.next_poll_at > timezone.now() + timedelta(seconds=30)

    def test_the_line_is_shown(self) -> None:
        self.governor.waits = 1
        row = self.move(self.move(self.approved()))
        assert row.status_text.startswith("In line for Live Response: place 3")

    def test_an_unreachable_service_is_tried_again(self) -> None:
        self.tenant.faults["machine"] = [
            Unavailable("Defender is not available.", status=503),
            Unavailable("Again.", status=503),
        ]
        row = self.approved()
        row = self.move(self.move(row))
        assert (row.state, row.trouble) == (CollectionState.APPROVED, 2)
        assert self.finish(row).state == CollectionState.DONE

    def test_a_missing_role_fails_with_its_name(self) -> None:
        self.tenant.faults["run_live_response"] = [
            Forbidden("The app lacks Machine.LiveResponse.", status=403, permanent=True)
        ]
        row = self.finish(self.approved())
        assert row.state == CollectionState.FAILED
        assert "Machine.LiveResponse" in row.failure
        assert self.governor.released != []

    def test_an_unknown_device_fails(self) -> None:
        row = collections.request_collection(
            case=self.case, actor=self.bob, definition="get-file", device="nowhere", parameters={"Path": "C:\\x"}
        )
        assert self.finish(row).state == CollectionState.FAILED

    def test_an_offline_device_is_waited_for_until_the_deadline(self) -> None:
        self.tenant.looks_needed = 1000
        row = self.move(self.move(self.move(self.ask("get-file", Path="C:\\x"))))
        assert "offline" in row.status_text
        Collection.objects.filter(pk=row.pk).update(deadline=timezone.now() - timedelta(seconds=1))
        row = self.move(row)
        assert row.state == CollectionState.EXPIRED
        assert self.tenant.cancelled == ["action-1"]

    def test_a_failed_command_says_why(self) -> None:
        self.tenant.final, self.tenant.command_status, self.tenant.errors = "Failed", "Failed", ("File not found",)
        row = self.finish(self.ask("get-file", Path=r"C:\missing.txt"))
        assert row.state == CollectionState.FAILED
        assert "File not found" in row.failure

    def test_a_script_that_fails_keeps_its_transcript(self) -> None:
        self.tenant.results = [transcript("boom", 1, "Access denied")]
        row = self.finish(self.approved())
        assert row.state == CollectionState.FAILED
        assert "exit code 1" in row.failure
        assert "Access denied" in row.failure
        assert row.evidence.count() == 1

    def test_a_script_with_an_exit_code_that_still_wrote_its_zip_is_partial(self) -> None:
        self.tenant.results = [transcript(exit_code=3)]
        row = self.finish(self.approved())
        assert row.state == CollectionState.PARTIAL
        assert row.output is not None

    def test_an_expired_link_is_asked_for_anew(self) -> None:
        self.tenant.faults["download"] = [LinkExpired("The link has run out.", status=403)]
        row = self.finish(self.ask("get-file", Path="C:\\x.txt"))
        assert row.state == CollectionState.DONE
        assert len(self.tenant.submitted) == 1

    def test_a_cut_off_blob_is_kept_as_it_came_and_said(self) -> None:
        self.tenant.results = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03cut"]
        row = self.finish(self.ask("get-file", Path="C:\\x.txt"))
        assert row.state == CollectionState.PARTIAL
        assert row.output is not None
        assert row.output.partial
        assert row.output.name == "x.txt.gz"

    def test_a_vanished_action_fails(self) -> None:
        row = self.move(self.move(self.ask("get-file", Path="C:\\x.txt")))
        self.tenant.faults["machine_action"] = [NotFound("Gone.", status=404, permanent=True)]
        row = self.move(row)
        assert row.state == CollectionState.FAILED
        assert "no longer knows" in row.failure

    def test_cancelled_in_the_portal_and_timed_out(self) -> None:
        self.tenant.final = "Cancelled"
        assert self.finish(self.ask("get-file", Path="C:\\x")).state == CollectionState.CANCELLED
        self.tenant.final = "TimeOut"
        assert self.finish(self.ask("get-file", Path="C:\\y")).state == CollectionState.EXPIRED

    def test_a_person_cancels_before_and_after_submission(self) -> None:
        waiting = self.ask()
        collections.cancel(collection=waiting, actor=self.bob)
        assert self.fresh(waiting).state == CollectionState.CANCELLED
        assert Approval.objects.get(subject=waiting.uuid).state == "withdrawn"
        running = self.move(self.move(self.ask("get-file", Path="C:\\x")))
        collections.cancel(collection=running, actor=self.bob)
        assert self.move(running).state == CollectionState.CANCELLED
        assert self.tenant.cancelled == ["action-1"]

    def overdue(self, row: Collection) -> Collection:
        Collection.objects.filter(pk=row.pk).update(deadline=timezone.now() - timedelta(seconds=1))
        return self.fresh(row)

    def test_what_the_device_has_done_is_fetched_past_the_deadline(self) -> None:
        """The workers were away over the weekend: Defender has the result, and the device did answer."""
        running = self.move(self.move(self.ask("get-file", Path="C:\\x")))
        self.tenant.looks_needed = 1
        row = self.finish(self.overdue(running))
        assert row.state == CollectionState.DONE, row.failure
        assert self.tenant.cancelled == []
        fetching = self.ask("get-file", Path="C:\\y")
        while fetching.state != CollectionState.FETCHING:
            fetching = self.move(fetching)
        row = self.finish(self.overdue(fetching))
        assert row.state == CollectionState.DONE, row.failure

    def test_what_cannot_be_fetched_for_a_day_longer_fails_and_can_be_gone_on_with(self) -> None:
        row = self.ask("get-file", Path="C:\\y")
        while row.state != CollectionState.FETCHING:
            row = self.move(row)
        Collection.objects.filter(pk=row.pk).update(deadline=timezone.now() - timedelta(hours=25))
        row = self.move(row)
        assert row.state == CollectionState.FAILED
        assert "machine action action-1" in row.failure and "come online" not in row.failure
        assert going_on.stopped_in(row) == "fetching"

    def test_at_the_deadline_a_doubtful_submission_is_looked_for_and_not_left_to_run(self) -> None:
        row = self.move(self.ask("get-file", Path="C:\\x"))
        self.tenant.submit_then_fail = [Ambiguous("The connection broke.")]
        row = self.move(row)
        assert (row.state, row.action_id) == (CollectionState.SUBMITTED, "")
        self.tenant.looks_needed = 1000
        row = self.finish(self.overdue(row))
        assert (row.state, self.tenant.cancelled) == (CollectionState.EXPIRED, ["action-1"])

    def test_given_up_between_two_steps_it_is_not_said_that_the_device_was_away(self) -> None:
        row = self.approved()
        while row.step == 0:
            row = self.move(row)
        row = self.move(self.overdue(row))
        assert row.state == CollectionState.EXPIRED
        assert "after step 1 of 2" in row.failure and "come online" not in row.failure

    def test_given_up_while_nobody_knew_it_says_where_to_look(self) -> None:
        row = self.move(self.ask("get-file", Path="C:\\x"))
        self.tenant.submit_then_fail = [Ambiguous("The connection broke.")]
        row = self.move(row)
        self.tenant.faults["find_action"] = [Forbidden("No Machine.Read.All.", status=403)]
        row = self.move(row)
        assert row.state == CollectionState.FAILED
        assert "not certain whether Defender took the request" in row.failure and "portal" in row.failure

    def test_one_in_line_ends_at_once_and_leaves_the_line(self) -> None:
        row = self.move(self.ask("get-file", Path="C:\\x"))
        assert row.state == CollectionState.QUEUED
        with self.captureOnCommitCallbacks(execute=True), patch("ircase.jobs.send"):
            collections.cancel(collection=row, actor=self.bob)
        row = self.fresh(row)
        assert (row.state, row.failure) == (CollectionState.CANCELLED, "Cancelled by Bob")
        assert self.governor.left == [row.step_marker]

    def test_one_cancelled_while_a_worker_prepares_it_is_not_sent(self) -> None:
        row = self.move(self.approved())

        def cancel(tenant: FakeTenant) -> Any:
            collections.cancel(collection=self.fresh(row), actor=self.bob)
            return iter([LibraryFile("DFIR-Script.ps1", SCRIPT_SHA, "", "", "", "ada", None, "", {})])

        with patch.object(FakeTenant, "library_files", cancel):
            row = self.move(row)
        assert (row.state, self.tenant.submitted) == (CollectionState.CANCELLED, [])

    def test_a_cancel_during_a_poll_does_not_wait_for_the_next_one(self) -> None:
        row = self.move(self.move(self.ask("get-file", Path="C:\\x")))
        self.tenant.looks_needed = 1000
        look = FakeTenant.machine_action

        def cancel(tenant: FakeTenant, action_id: str) -> Any:
            collections.cancel(collection=self.fresh(row), actor=self.bob)
            return look(tenant, action_id)

        with patch.object(FakeTenant, "machine_action", cancel), patch("ircase.jobs.send") as send:
            row = self.move(row)
        assert row.cancel_requested and row.next_poll_at <= timezone.now()
        assert ("liveresponse.step", row.pk) in [call.args for call in send.call_args_list]
        assert self.move(row).state == CollectionState.CANCELLED

    def test_what_can_no_longer_be_cancelled_in_defender_is_said(self) -> None:
        row = self.move(self.move(self.ask("get-file", Path="C:\\x")))
        collections.cancel(collection=row, actor=self.bob)
        self.tenant.faults["cancel"] = [Forbidden("It has ended.", status=400, permanent=True)]
        row = self.move(row)
        assert row.state == CollectionState.CANCELLED
        assert row.failure == (
            "Cancelled here. Defender did not cancel machine action action-1, which may run to its end: It has ended."
        )

    def test_through_a_connection_for_hunting_only_nothing_is_cancelled(self) -> None:
        row = self.move(self.move(self.ask("get-file", Path="C:\\x")))
        type(self.connection).objects.filter(pk=self.connection.pk).update(read_only=True)
        collections.cancel(collection=row, actor=self.bob)
        row = self.move(row)
        assert (row.state, self.tenant.cancelled) == (CollectionState.CANCELLED, [])
        assert "hunting only" in row.failure and "portal" in row.failure

    def test_evidence_of_a_collection_verifies(self) -> None:
        row = self.finish(self.approved())
        assert {evidence.verify(item) for item in row.evidence.all()} == {Evidence.Integrity.VERIFIED}
        assert LogEntry.objects.filter(case=self.case, action="collection.done").count() == 1


class LibraryTests(CollectionTestCase):
    def test_the_list_becomes_what_the_tenant_has(self) -> None:
        self.tenant.scripts = {"New.ps1": "9" * 64}
        assert runner.sync_library(self.connection, self.tenant) == 1
        assert list(LibraryScript.objects.values_list("name", "sha256")) == [("New.ps1", "9" * 64)]


class ViewTests(CollectionTestCase):
    def urls(self, row: Collection) -> list[str]:
        base = f"/cases/{self.case.reference}/live-response/"
        return [base, f"{base}scripts/", f"{base}{row.uuid}/", f"{base}{row.uuid}/?part=1", f"{base}?part=list"]

    def test_members_and_readers_see_outsiders_do_not(self) -> None:
        row = self.ask()
        for person, status in (
            (self.alice, 200),
            (self.bob, 200),
            (self.carol, 200),
            (self.mallory, 404),
            (self.ada, 404),
        ):
            self.sign_in(person)
            assert {self.client.get(url).status_code for url in self.urls(row)} == {status}, person

    def test_readers_cannot_ask_or_stop(self) -> None:
        row = self.ask()
        base = f"/cases/{self.case.reference}/live-response/"
        for person, status in ((self.carol, 403), (self.mallory, 404)):
            self.sign_in(person)
            assert self.client.get(f"{base}request/get-file/").status_code == status
            for url in (
                f"{base}request/get-file/",
                f"{base}{row.uuid}/cancel/",
                f"{base}{row.uuid}/retry/",
                f"{base}scripts/read/",
            ):
                assert self.client.post(url, {"device": "x", "Path": "C:\\x"}).status_code == status, url

    def test_asking_in_the_browser(self) -> None:
        self.sign_in(self.bob)
        url = f"/cases/{self.case.reference}/live-response/request/get-file/"
        assert self.client.post(url, {"device": "ws-07", "Path": "a;b"}).status_code == 422
        reply = self.client.post(url, {"device": "ws-07", "Path": r"C:\x.txt"})
        assert reply.status_code == 302
        assert Collection.objects.get().parameters == {"Path": r"C:\x.txt"}

    def test_the_list_says_how_many_comments_a_collection_has(self) -> None:
        row = self.ask()
        there = reverse("ircase:comments", args=[self.case.reference, "collection", row.uuid])
        self.sign_in(self.carol)
        for url in (f"/cases/{self.case.reference}/live-response/", self.urls(row)[-1]):
            self.assertNotContains(self.client.get(url), there)
        comments.write(case=self.case, actor=self.bob, kind="collection", subject=str(row.uuid), body="Tonight?")
        for url in (f"/cases/{self.case.reference}/live-response/", self.urls(row)[-1]):
            self.assertContains(self.client.get(url), f'href="{there}" title="1 comment"')

    def test_another_cases_collection_is_not_found(self) -> None:
        row = self.ask()
        self.sign_in(self.alice)
        assert self.client.get(f"/cases/{self.secret_case.reference}/live-response/{row.uuid}/").status_code == 404

    def test_the_pages_say_who_could_approve_and_that_nobody_could(self) -> None:
        self.sign_in(self.alice)  # she alone leads the case
        door = f"/cases/{self.case.reference}/live-response/"
        mine = collections.request_collection(
            case=self.case, actor=self.alice, definition="dfir-triage", device="ws", parameters={}, reason="x"
        )
        for url in (f"{door}request/dfir-triage/", f"{door}batches/new/dfir-triage/", f"{door}{mine.uuid}/"):
            self.assertContains(self.client.get(url), "Nobody can approve it yet", msg_prefix=url)
        row = self.ask()
        page = self.client.get(f"{door}{row.uuid}/")
        self.assertContains(page, f"Who can approve: {self.alice.name}.")
        self.assertNotContains(page, "Nobody can approve it yet")
        self.assertNotContains(self.client.get(f"{door}request/get-file/"), "an approve")

    def test_only_leads_approve_in_advance(self) -> None:
        script = LibraryScript.objects.get()
        url = f"/cases/{self.case.reference}/live-response/scripts/{script.pk}/approve/"
        self.sign_in(self.bob)
        assert self.client.post(url, {"days": 30, "reason": "x"}).status_code == 403
        self.sign_in(self.alice)
        self.client.post(url, {"days": 30, "reason": "tested in the lab"})
        assert approvals.find_standing(self.connection, SCRIPT_SHA) is not None

    def test_hostile_transcripts_are_only_text(self) -> None:
        self.tenant.results = [transcript(f"<script>alert(1)</script>\x1b[31m\x00 Write results to {ZIP_PATH}...\n")]
        row = self.finish(self.approved())
        self.sign_in(self.bob)
        page = self.client.get(f"/cases/{self.case.reference}/live-response/{row.uuid}/").content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
        assert MACHINE in page


class ClockTests(CollectionTestCase):
    def test_a_library_never_read_and_an_old_one_are_read_a_fresh_one_is_not(self) -> None:
        def sent() -> list[tuple[object, ...]]:
            with patch("ircase.jobs.send") as send:
                tasks.poll()
            return [call.args for call in send.call_args_list if call.args[0] == "liveresponse.sync_library"]

        assert sent() == []
        LibraryScript.objects.update(seen_at=timezone.now() - timedelta(hours=1))
        assert sent() == [("liveresponse.sync_library", self.connection.pk)]
        assert sent() == []
        LibraryWatch.objects.update(next_at=timezone.now())
        assert sent() == [("liveresponse.sync_library", self.connection.pk)]

    def test_an_empty_library_is_read_in_calm_intervals(self) -> None:
        LibraryScript.objects.all().delete()
        now = timezone.now()
        assert library.due(now) == [self.connection.pk]
        assert library.due(now + timedelta(seconds=5)) == []
        with self.assertNumQueries(3):
            assert library.due(now + timedelta(minutes=6)) == [self.connection.pk]

    def test_due_collections_get_a_worker(self) -> None:
        row = self.ask("get-file", Path="C:\\x")
        with patch("ircase.jobs.send") as send:
            tasks.poll()
        assert ("liveresponse.step", row.pk) in [call.args for call in send.call_args_list]
