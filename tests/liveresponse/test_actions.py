"""Response actions, move by move: who may, what is sent, and that nothing is sent twice whatever dies."""

import json
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as PropertyTestCase

from ircase.models import Approval, Asset, CaseRole, Evidence, LogEntry, Notice, User
from ircase.services import approvals, cases
from liveresponse import runner, tasks
from liveresponse.kinds import KINDS
from liveresponse.models import ActionKind, ActionState, Effect, Freeze, ResponseAction
from liveresponse.services import actions, freezing
from liveresponse.services.wanted import Glass
from msapi.errors import Ambiguous, ApiError, Forbidden, NetworkError, Throttled, Unavailable
from tests.cast import CastTestCase, make_user
from tests.liveresponse.responder import NAME, FakeResponder, machine_action
from tests.liveresponse.tenant import MACHINE

VALUE = "evil.example.com"
WHY = "Hands on keyboard; nobody else is awake"


class ActionTestCase(CastTestCase):
    def setUp(self) -> None:
        self.tenant = FakeResponder()

    def ask(self, kind: str = "isolate", *targets: str, **parameters: Any) -> ResponseAction:
        glass = parameters.pop("glass", None)
        actor = parameters.pop("actor", self.bob)
        target = targets or ((NAME,) if KINDS[kind].is_for_devices else (VALUE,))
        rows = actions.request_actions(
            case=self.case, actor=actor, kind=kind, targets=target, parameters=parameters, reason="It spreads",
            glass=glass,
        )  # fmt: skip
        return rows[0]

    def approved(self, kind: str = "isolate", *targets: str, **parameters: Any) -> ResponseAction:
        row = self.ask(kind, *targets, **parameters)
        approvals.decide(approval=Approval.objects.get(subject=row.batch), actor=self.alice, approve=True)
        actions.decided(row.batch)
        return self.fresh(row)

    def fresh(self, row: ResponseAction) -> ResponseAction:
        return ResponseAction.objects.get(pk=row.pk)

    def move(self, row: ResponseAction) -> ResponseAction:
        """One poll, as if its time had come and no lease stood in the way."""
        ResponseAction.objects.filter(pk=row.pk).update(next_poll_at=timezone.now(), lease_owner="", lease_until=None)
        runner.act(row.pk, "worker", self.tenant)
        return self.fresh(row)

    def finish(self, row: ResponseAction, moves: int = 30) -> ResponseAction:
        for _ in range(moves):
            if row.is_final:
                break
            row = self.move(row)
        return row

    def past_grace(self, row: ResponseAction) -> None:
        ResponseAction.objects.filter(pk=row.pk).update(submitted_at=timezone.now() - timedelta(minutes=5))


class HappyPathTests(ActionTestCase):
    def test_isolation_from_approval_to_the_devices_own_word(self) -> None:
        row = self.finish(self.approved())
        assert (row.state, row.effect, row.failure) == (ActionState.DONE, Effect.CONFIRMED, "")
        assert "Defender reports the device isolated since" in row.effect_text
        assert [kind for kind, _ in self.tenant.changes] == ["Isolate"]
        assert f"IRCase {row.uuid}" in self.tenant.changes[0][1]
        assert row.machine_id == MACHINE
        assert row.approved_by == "Alice"

    def test_the_whole_exchange_is_sealed(self) -> None:
        row = self.finish(self.approved())
        assert row.record is not None
        record = json.loads(row.record.path.read_bytes())
        assert record["format"] == "ircase-action/1"
        assert record["approval"]["decided_by"] == "Alice"
        assert record["effect"]["state"] == "confirmed"
        assert {"submitting", "submitted", "succeeded"} <= {entry["what"] for entry in record["exchange"]}
        assert row.record.kind == Evidence.Kind.ACTION
        row.activity.refresh_from_db()
        assert row.activity.state == "done"
        assert list(row.activity.evidence.all()) == [row.record]

    def test_every_kind_on_a_device_sends_its_own_call_once(self) -> None:
        given: dict[str, dict[str, str]] = {"quarantine": {"sha1": "a" * 40}, "scan": {"scan": "Full"}}
        for kind in ("isolate", "release", "restrict", "unrestrict", "scan", "quarantine"):
            row = self.finish(self.approved(kind, **given.get(kind, {})))
            assert row.state == ActionState.DONE, (kind, row.failure)
            assert row.effect == (Effect.REPORTED if kind in ("scan", "quarantine") else Effect.CONFIRMED)
        assert [kind for kind, _ in self.tenant.changes] == [
            KINDS[kind].api_type for kind in ("isolate", "release", "restrict", "unrestrict", "scan", "quarantine")
        ]

    def test_several_devices_are_rows_of_their_own_under_one_question_that_names_all(self) -> None:
        self.tenant.name = "ws-07.contoso.com"
        first = self.ask("isolate", NAME, "ws-08.contoso.com")
        rows = list(ResponseAction.objects.filter(batch=first.batch))
        approval = Approval.objects.get(subject=first.batch)
        assert len(rows) == 2
        assert approval.detail["Devices"] == f"{NAME}, ws-08.contoso.com"
        approvals.decide(approval=approval, actor=self.alice, approve=True)
        actions.decided(first.batch)
        ended = [self.finish(self.fresh(row)).state for row in sorted(rows, key=lambda row: row.target)]
        assert ended == [ActionState.DONE, ActionState.FAILED], "the tenant knows only the first"

    def test_a_block_is_read_back_and_removed_by_its_id(self) -> None:
        row = self.finish(self.approved("block", VALUE, days=7))
        assert (row.state, row.effect) == (ActionState.DONE, Effect.CONFIRMED)
        made = self.tenant.indicators[VALUE]
        assert row.action_id == made.id
        assert made.type == "DomainName"
        assert self.case.reference in made.title
        assert f"IRCase {row.uuid}" in made.description
        undone = self.finish(self.approved("unblock", VALUE))
        assert (undone.state, undone.effect) == (ActionState.DONE, Effect.CONFIRMED)
        assert self.tenant.indicators == {}
        assert self.tenant.changes == [("put", VALUE), ("delete", made.id)]


class RequestTests(ActionTestCase):
    def test_what_is_asked_must_be_sound(self) -> None:
        wrong: list[tuple[str, str, dict[str, Any], str]] = [
            ("isolate", "not a name", {}, "no DNS name"),
            ("isolate", NAME, {"isolation": "Half"}, "must be one of"),
            ("quarantine", NAME, {"sha1": "b" * 64}, "SHA-1"),
            ("block", "10.0.0.0/8", {}, "no range"),
            ("block", "a" * 64, {"action": "Warn"}, "must be one of"),
            ("block", VALUE, {"days": 400}, "1 to 365"),
            ("unblock", VALUE, {}, "no block of"),
            ("explode", NAME, {}, "no response action"),
        ]
        for kind, target, parameters, words in wrong:
            with pytest.raises(ValidationError, match=words):
                actions.request_actions(
                    case=self.case, actor=self.bob, kind=kind, targets=[target], parameters=parameters, reason="x"
                )
        with pytest.raises(ValidationError, match="Say why"):
            actions.request_actions(
                case=self.case, actor=self.bob, kind="isolate", targets=[NAME], parameters={}, reason=" "
            )
        assert not ResponseAction.objects.exists()

    def test_pressing_twice_asks_once(self) -> None:
        self.ask()
        with pytest.raises(ValidationError, match="already asked for"):
            self.ask()
        assert ResponseAction.objects.count() == 1
        assert Approval.objects.count() == 1

    def test_two_files_of_one_device_are_two_acts_and_the_same_file_is_one(self) -> None:
        first = self.ask("quarantine", sha1="a" * 40)
        self.ask("quarantine", sha1="b" * 40)
        with pytest.raises(ValidationError, match="already asked for"):
            self.ask("quarantine", sha1="A" * 40)
        ResponseAction.objects.filter(pk=first.pk).update(state="done")
        assert self.ask("quarantine", sha1="a" * 40).state == "requested"

    def test_a_read_only_connection_changes_nothing(self) -> None:
        self.connection.read_only = True
        self.connection.save(update_fields=["read_only"])
        self.case.refresh_from_db()
        with pytest.raises(ValidationError, match="read-only"):
            self.ask()

    def test_readers_and_strangers_may_not_ask(self) -> None:
        for person in (self.carol, self.mallory, self.ada):
            with pytest.raises(PermissionDenied):
                self.ask(actor=person)


class ApprovalTests(ActionTestCase):
    def test_nobody_approves_their_own(self) -> None:
        row = self.ask(actor=self.alice)
        with pytest.raises(PermissionDenied):
            approvals.decide(approval=Approval.objects.get(subject=row.batch), actor=self.alice, approve=True)
        assert self.move(row).state == ActionState.REQUESTED

    def test_of_two_who_decide_the_second_is_told(self) -> None:
        cases.set_member(case=self.case, actor=self.alice, user=self.ada, role=CaseRole.LEAD)
        row = self.ask()
        approval = Approval.objects.get(subject=row.batch)
        stale = Approval.objects.get(pk=approval.pk)
        approvals.decide(approval=approval, actor=self.alice, approve=True)
        with pytest.raises(ValidationError, match="approved"):
            approvals.decide(approval=stale, actor=self.ada, approve=False, comment="no")
        actions.decided(row.batch)
        actions.decided(row.batch)
        assert self.finish(self.fresh(row)).state == ActionState.DONE
        assert len(self.tenant.changes) == 1

    def test_a_no_ends_it_with_the_leads_words(self) -> None:
        row = self.ask()
        approvals.decide(
            approval=Approval.objects.get(subject=row.batch), actor=self.alice, approve=False, comment="It is the CEO's"
        )
        actions.decided(row.batch)
        row = self.fresh(row)
        assert row.state == ActionState.REFUSED
        assert "It is the CEO's" in row.failure
        assert row.record is None

    def test_whatever_the_yes_was_bound_to_must_be_the_same(self) -> None:
        changes: list[dict[str, Any]] = [
            {"target": "dc-01.contoso.com"}, {"kind": "release"}, {"parameters": {"isolation": "Selective"}},
            {"device_id": "b" * 40},
        ]  # fmt: skip
        for change in changes:
            row = self.approved()
            ResponseAction.objects.filter(pk=row.pk).update(**change)
            row = self.finish(self.fresh(row))
            assert row.state == ActionState.REFUSED, change
        assert self.tenant.changes == []

    def test_an_approver_who_is_no_lead_any_more_approves_nothing(self) -> None:
        row = self.approved()
        cases.set_member(case=self.case, actor=self.alice, user=self.ada, role=CaseRole.LEAD)
        cases.set_member(case=self.case, actor=self.ada, user=self.alice, role=CaseRole.ANALYST)
        assert self.finish(row).state == ActionState.REFUSED
        assert self.tenant.changes == []

    def test_what_changes_between_the_look_and_the_call_is_seen(self) -> None:
        """The row is prepared; while the device is looked up the requester loses the right."""
        row = self.approved()

        def lose(*_: object) -> object:
            cases.set_member(case=self.case, actor=self.alice, user=self.bob, role=CaseRole.VIEWER)
            return list(self.tenant.actions)

        with patch.object(FakeResponder, "actions_of", lose):
            row = self.move(row)
        assert row.state == ActionState.REFUSED
        assert "may no longer act" in row.failure
        assert self.tenant.changes == []

    def test_a_connection_turned_read_only_or_a_closed_case_stop_it(self) -> None:
        row = self.approved()
        type(self.connection).objects.filter(pk=self.connection.pk).update(read_only=True)
        assert "read-only" in self.finish(row).failure
        type(self.connection).objects.filter(pk=self.connection.pk).update(read_only=False)
        row = self.approved("scan")
        type(self.case).objects.filter(pk=self.case.pk).update(closed_at=timezone.now())
        assert "closed" in self.finish(row).failure
        assert self.tenant.changes == []

    def test_a_yes_that_ran_out_does_not_hold(self) -> None:
        row = self.approved()
        Approval.objects.filter(subject=row.batch).update(expires_at=timezone.now() - timedelta(seconds=1))
        assert self.finish(row).state == ActionState.REFUSED

    def test_an_id_that_is_another_device_is_refused(self) -> None:
        Asset.objects.create(case=self.case, kind="device", name=NAME, identifier=MACHINE, added_by=self.bob)
        self.tenant.name = "dc-01.contoso.com"
        row = self.finish(self.approved())
        assert row.state == ActionState.REFUSED
        assert "not what was approved" in row.failure

    def test_a_decision_whose_message_was_lost_is_heard_at_the_next_tick(self) -> None:
        """The broker was away for a moment: an approved isolation must not wait for ever."""
        row = self.ask()
        approval = Approval.objects.get(subject=row.batch)
        approvals.decide(approval=approval, actor=self.alice, approve=True)
        heard = ("liveresponse.action_decided", str(row.batch))
        with patch("ircase.jobs.send") as send:
            tasks.poll()
        assert heard not in [call.args for call in send.call_args_list], "the message itself may still be on its way"
        Approval.objects.filter(pk=approval.pk).update(decided_at=timezone.now() - timedelta(minutes=1))
        with patch("ircase.jobs.send") as send:
            tasks.poll()
        assert heard in [call.args for call in send.call_args_list]
        tasks.action_decided(str(row.batch))
        assert self.finish(self.fresh(row)).state == ActionState.DONE
        with patch("ircase.jobs.send") as send:
            tasks.poll()
        assert heard not in [call.args for call in send.call_args_list]


class KillTests(ActionTestCase):
    """`kill -9` between any two statements: KeyboardInterrupt flies through every `except ApiError`."""

    def killed(self, row: ResponseAction, what: str) -> ResponseAction:
        with patch(what, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            self.move(row)
        return self.fresh(row)

    def test_before_the_intent(self) -> None:
        row = self.killed(self.approved(), "liveresponse.runner.actions._send")
        assert row.state == ActionState.APPROVED
        assert self.finish(row).state == ActionState.DONE
        assert len(self.tenant.changes) == 1

    def test_between_intent_and_call(self) -> None:
        row = self.killed(self.approved(), "liveresponse.runner.actions._call")
        assert row.state == ActionState.SUBMITTED
        row = self.move(row)
        assert row.state == ActionState.SUBMITTED, "too early to say that Defender has not taken it"
        self.past_grace(row)
        assert self.finish(self.fresh(row)).state == ActionState.DONE
        assert len(self.tenant.changes) == 1

    def test_between_call_and_answer(self) -> None:
        row = self.approved()
        self.tenant.after = [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            self.move(row)
        assert self.finish(self.fresh(row)).state == ActionState.DONE
        assert len(self.tenant.changes) == 1

    def test_between_answer_and_row(self) -> None:
        row = self.killed(self.approved(), "liveresponse.runner.actions._running_now")
        assert self.finish(row).state == ActionState.DONE
        assert len(self.tenant.changes) == 1

    def test_while_it_runs_and_while_it_is_confirmed(self) -> None:
        self.tenant.looks_needed = 1
        row = self.killed(self.move(self.approved()), "liveresponse.runner.actions._final")
        assert row.state == ActionState.RUNNING
        row = self.killed(self.move(row), "liveresponse.runner.effects._judge")
        assert row.state == ActionState.CONFIRMING
        assert self.finish(row).state == ActionState.DONE
        assert len(self.tenant.changes) == 1

    def test_between_the_sealed_file_and_the_row(self) -> None:
        row = self.approved()
        while self.fresh(row).state != ActionState.CONFIRMING:
            row = self.move(row)
        row = self.killed(row, "liveresponse.services.exchange.seal")
        assert row.state == ActionState.CONFIRMING
        assert not Evidence.objects.filter(case=self.case).exists()
        row = self.finish(row)
        assert row.state == ActionState.DONE
        assert Evidence.objects.filter(case=self.case).count() == 1

    def test_a_block_and_its_removal(self) -> None:
        row = self.approved("block")
        self.tenant.after = [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            self.move(row)
        row = self.finish(self.fresh(row))
        assert (row.state, len(self.tenant.changes)) == (ActionState.DONE, 1)
        undone = self.approved("unblock")
        self.tenant.after = [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            self.move(undone)
        assert self.finish(self.fresh(undone)).state == ActionState.DONE
        assert len(self.tenant.changes) == 2


class FaultTests(ActionTestCase):
    def test_an_ambiguous_answer_is_never_repeated_blindly(self) -> None:
        self.tenant.after = [Ambiguous("The connection broke before Defender answered.")]
        row = self.finish(self.approved())
        assert row.state == ActionState.DONE
        assert len(self.tenant.changes) == 1

    def test_an_ambiguous_answer_that_was_not_taken_is_sent_again_only_after_a_while(self) -> None:
        self.tenant.faults["change"] = [NetworkError("Reset.")]
        row = self.move(self.approved())
        assert row.state == ActionState.SUBMITTED
        assert self.move(row).state == ActionState.SUBMITTED
        self.past_grace(row)
        assert self.finish(self.fresh(row)).state == ActionState.DONE
        assert len(self.tenant.changes) == 1

    def test_another_s_pending_action_is_named_and_left_alone(self) -> None:
        self.tenant.actions = [machine_action(1, "Isolate", "Pending", "by hand", by="eve@contoso.com")]
        row = self.finish(self.approved())
        assert row.state == ActionState.FAILED
        assert "eve@contoso.com has asked Defender for Isolate already" in row.failure
        assert row.action_id == ""
        assert self.tenant.changes == []

    def test_another_s_action_that_came_between_is_named_too(self) -> None:
        row = self.approved()
        real = FakeResponder._change

        def late(tenant: FakeResponder, kind: str, comment: str, scope: str = "") -> Any:
            tenant.actions.append(machine_action(1, "Isolate", "InProgress", "by hand", by="eve@contoso.com"))
            return real(tenant, kind, comment, scope)

        with patch.object(FakeResponder, "_change", late):
            row = self.finish(row)
        assert row.state == ActionState.FAILED
        assert "eve@contoso.com" in row.failure

    def test_what_is_so_already_is_said_and_nothing_sent(self) -> None:
        self.tenant.actions = [machine_action(1, "Isolate", "Succeeded", "by hand", by="eve@contoso.com", scope="Full")]
        self.tenant.isolated = True
        row = self.finish(self.approved())
        assert (row.state, row.effect) == (ActionState.DONE, Effect.CONFIRMED)
        assert "Nothing was sent" in row.effect_text
        assert "eve@contoso.com" in row.effect_text
        assert self.tenant.changes == []
        assert row.record is None

    def test_a_foreign_indicator_is_never_replaced(self) -> None:
        other = {"title": "Partner", "description": "keep", "expires": ""}
        self.tenant.put_indicator(VALUE, "DomainName", "Allowed", **other)
        self.tenant.changes.clear()
        row = self.finish(self.approved("block"))
        assert row.state == ActionState.REFUSED
        assert "not ours" in row.failure
        self.tenant.put_indicator(VALUE, "DomainName", "Block", **other)
        self.tenant.changes.clear()
        row = self.finish(self.approved("block"))
        assert (row.state, row.action_id) == (ActionState.DONE, "")
        assert "blocks this already" in row.activity.detail.get("steps", [""])[-1] or row.effect_text
        assert self.tenant.changes == []

    def test_a_block_that_somebody_replaced_is_not_removed(self) -> None:
        self.finish(self.approved("block"))
        self.tenant.put_indicator(VALUE, "DomainName", "Block", title="theirs", description="theirs")
        self.tenant.changes.clear()
        row = self.finish(self.approved("unblock"))
        assert row.state == ActionState.REFUSED
        assert "was replaced" in row.failure
        assert self.tenant.changes == []

    def test_permanent_errors_end_it_and_others_are_tried_again(self) -> None:
        errors: list[tuple[ApiError, str]] = [
            (Forbidden("The app lacks Machine.Isolate.", status=403), ActionState.FAILED),
            (Throttled("Too many calls.", status=429, retry_after=9), ActionState.DONE),
        ]
        for error, state in errors:
            self.tenant = FakeResponder(faults={"change": [error]})
            assert self.finish(self.approved()).state == state
        self.tenant = FakeResponder(faults={"machine": [Unavailable("Down.", status=503)]})
        assert self.finish(self.approved()).state == ActionState.DONE

    def test_cancelled_failed_and_timed_out_in_defender(self) -> None:
        for final, state in (("Cancelled", "cancelled"), ("Failed", "failed"), ("TimeOut", "expired")):
            self.tenant = FakeResponder(final=final)
            row = self.finish(self.approved())
            assert row.state == state
            assert row.record is not None

    def test_cancelling_before_and_after_it_was_sent(self) -> None:
        row = self.ask()
        actions.cancel(row=row, actor=self.bob)
        assert self.fresh(row).state == ActionState.CANCELLED
        assert Approval.objects.get(subject=row.batch).state == "withdrawn"
        row = self.move(self.approved())
        actions.cancel(row=row, actor=self.bob)
        row = self.finish(row)
        assert (row.state, self.tenant.cancelled) == (ActionState.CANCELLED, ["action-1"])

    def test_what_can_no_longer_be_cancelled_ends_as_it_ended(self) -> None:
        row = self.move(self.approved())
        self.tenant.looks_needed = 1
        self.tenant.faults["cancel"] = [Forbidden("It has ended.", status=400)]
        actions.cancel(row=row, actor=self.bob)
        row = self.finish(row)
        assert row.state == ActionState.DONE, "the device is isolated, whatever somebody wished"

    def test_a_block_cancelled_while_nobody_knew_is_not_sent_again(self) -> None:
        self.tenant.faults["change"] = [NetworkError("Reset.")]
        row = self.move(self.approved("block"))
        assert row.state == ActionState.SUBMITTED
        actions.cancel(row=row, actor=self.bob)
        self.past_grace(row)
        row = self.finish(self.fresh(row))
        assert row.state == ActionState.CANCELLED, row.failure
        assert self.tenant.changes == []

    def test_a_block_that_was_taken_ends_as_it_is_whatever_somebody_wished(self) -> None:
        self.tenant.after = [Ambiguous("The connection broke.")]
        row = self.move(self.approved("block"))
        actions.cancel(row=row, actor=self.bob)
        assert self.finish(self.fresh(row)).state == ActionState.DONE

    def test_given_up_while_nobody_knew_it_says_where_to_look(self) -> None:
        self.tenant.after = [Ambiguous("The connection broke.")]
        row = self.move(self.approved())
        self.tenant.faults["find_action"] = [Forbidden("No Machine.Read.All.", status=403)]
        row = self.finish(row)
        assert row.state == ActionState.FAILED
        assert row.failure == (
            "No Machine.Read.All. It is not certain whether Defender took the request: look at the device's actions in "
            "the portal before you ask again."
        )
        self.tenant = FakeResponder(faults={"change": [Forbidden("The app lacks Machine.Isolate.", status=403)]})
        assert self.finish(self.approved()).failure == "The app lacks Machine.Isolate.", "that is certain"

    def test_a_release_under_way_is_no_isolation(self) -> None:
        """It was isolated and somebody's release has not reached the device yet: "so already" would not last."""
        self.tenant.actions = [
            machine_action(1, "Isolate", "Succeeded", "by hand", scope="Full"),
            machine_action(2, "Unisolate", "Pending", "by hand", by="eve@contoso.com"),
        ]
        self.tenant.isolated = True
        row = self.finish(self.approved())
        assert [kind for kind, _ in self.tenant.changes] == ["Isolate"]
        assert row.state == ActionState.DONE

    def test_through_a_connection_that_was_closed_to_changes_nothing_is_cancelled(self) -> None:
        row = self.move(self.approved())
        type(self.connection).objects.filter(pk=self.connection.pk).update(read_only=True)
        actions.cancel(row=row, actor=self.bob)
        row = self.move(self.fresh(row))
        assert self.tenant.cancelled == []
        assert not row.cancel_requested and "read-only now" in row.status_text and "portal" in row.status_text
        ResponseAction.objects.filter(pk=row.pk).update(deadline=timezone.now())
        self.tenant.looks_needed = 1000
        row = self.finish(row)
        assert (row.state, self.tenant.cancelled) == (ActionState.EXPIRED, [])
        assert "was not asked to cancel" in row.failure

    def test_the_deadline_gives_it_up(self) -> None:
        self.tenant.looks_needed = 1000
        row = self.move(self.approved())
        ResponseAction.objects.filter(pk=row.pk).update(deadline=timezone.now())
        row = self.finish(row)
        assert row.state == ActionState.EXPIRED
        assert self.tenant.cancelled == ["action-1"]


class EffectTests(ActionTestCase):
    def confirming(self) -> ResponseAction:
        row = self.approved()
        while row.state != ActionState.CONFIRMING:
            row = self.move(row)
        return row

    def test_not_confirmed_until_the_device_says_so(self) -> None:
        self.tenant.reports = False
        row = self.move(self.confirming())
        assert (row.state, row.effect) == (ActionState.CONFIRMING, Effect.UNCONFIRMED)
        assert "Not confirmed yet" in row.status_text
        assert row.looked_at is not None
        self.tenant.reports = True
        row = self.move(row)
        assert (row.state, row.effect) == (ActionState.DONE, Effect.CONFIRMED)

    def test_the_limit_ends_the_asking_and_says_so(self) -> None:
        self.tenant.reports = False
        row = self.confirming()
        ResponseAction.objects.filter(pk=row.pk).update(confirm_until=timezone.now())
        row = self.move(row)
        assert (row.state, row.effect) == (ActionState.DONE, Effect.UNCONFIRMED)
        row.activity.refresh_from_db()
        assert row.activity.partial

    def test_without_the_right_to_hunt_the_last_action_wins_and_is_called_that(self) -> None:
        self.tenant.faults["mitigation"] = [Forbidden("No ThreatHunting.Read.All.", status=403)]
        row = self.move(self.confirming())
        assert (row.state, row.effect) == (ActionState.DONE, Effect.REPORTED)
        assert "last successful action" in row.effect_text
        assert "ThreatHunting" in row.effect_text

    def test_an_error_while_asking_the_device_does_not_make_a_success_a_failure(self) -> None:
        row = self.confirming()
        self.tenant.faults["actions_of"] = [Forbidden("No Machine.Read.All.", status=403)]
        row = self.move(row)
        assert (row.state, row.effect) == (ActionState.DONE, Effect.UNCONFIRMED)
        assert "No Machine.Read.All." in row.effect_text

    def test_a_release_meanwhile_is_seen(self) -> None:
        self.tenant.reports = False
        row = self.confirming()
        self.tenant.actions.append(machine_action(9, "Unisolate", "Succeeded", "by hand", by="eve@contoso.com"))
        row = self.move(row)
        assert (row.state, row.effect) == (ActionState.DONE, Effect.REVERSED)
        assert "eve@contoso.com" in row.effect_text


class BreakGlassTests(ActionTestCase):
    def glass(self, reason: str = WHY, name: str = NAME) -> Glass:
        return Glass(reason, name)

    def test_it_acts_at_once_and_everybody_is_told(self) -> None:
        row = self.ask(glass=self.glass())
        assert self.fresh(row).state == ActionState.APPROVED
        assert not Approval.objects.filter(subject=row.batch).exists()
        told = set(Notice.objects.filter(subject=row.uuid).values_list("person__username", flat=True))
        assert told == {"alice", "carol"}
        assert LogEntry.objects.filter(case=self.case, action="action.break_glass").count() == 1
        row = self.finish(self.fresh(row))
        assert row.state == ActionState.DONE
        assert row.record is not None
        assert row.record.manifest["break_glass"] == WHY
        assert json.loads(row.record.path.read_bytes())["break_glass"]["by"] == "Bob"

    def test_it_must_be_typed(self) -> None:
        for reason, name, words in (("too short", NAME, "at least 20"), (WHY, "ws-08", "Type the name exactly")):
            with pytest.raises(ValidationError, match=words):
                self.ask(glass=self.glass(reason, name))
        with pytest.raises(ValidationError, match="one target at a time"):
            self.ask("isolate", NAME, "ws-08", glass=self.glass())
        assert not ResponseAction.objects.exists()

    def test_what_was_typed_is_what_is_done(self) -> None:
        row = self.ask(glass=self.glass())
        ResponseAction.objects.filter(pk=row.pk).update(target="ws-08.contoso.com")
        assert self.finish(self.fresh(row)).state == ActionState.REFUSED
        assert self.tenant.changes == []

    def test_managers_who_may_not_know_the_case_are_not_told(self) -> None:
        self.secret_case.connection = self.connection
        self.secret_case.save(update_fields=["connection"])
        rows = actions.request_actions(
            case=self.secret_case, actor=self.alice, kind="isolate", targets=[NAME], parameters={}, reason="x",
            glass=self.glass(),
        )  # fmt: skip
        told = set(Notice.objects.filter(subject=rows[0].uuid).values_list("person__username", flat=True))
        assert told == {"alice"}

    def test_a_lead_who_did_not_act_reviews_it(self) -> None:
        row = self.ask(glass=self.glass())
        assert row.activity.detail["unreviewed"] is True
        with pytest.raises(PermissionDenied):
            actions.review(row=row, actor=self.bob, sentence="It was right to do so at once.")
        with pytest.raises(ValidationError, match="at least"):
            actions.review(row=row, actor=self.alice, sentence="ok")
        actions.review(row=row, actor=self.alice, sentence="It was right to do so at once.")
        row = self.fresh(row)
        assert row.reviewed_by == self.alice
        assert "unreviewed" not in row.activity.detail
        with pytest.raises(ValidationError, match="nothing to review"):
            actions.review(row=row, actor=self.alice, sentence="It was right to do so at once.")

    def test_the_database_keeps_review_and_act_apart(self) -> None:
        row = self.ask(glass=self.glass())
        with pytest.raises(IntegrityError), transaction.atomic():
            ResponseAction.objects.filter(pk=row.pk).update(reviewed_by=self.bob)


class FreezeTests(ActionTestCase):
    def test_a_freeze_holds_before_and_in_the_middle_and_a_thaw_lets_go(self) -> None:
        row = self.approved()
        frozen = freezing.freeze(actor=self.alice, connection=None, reason="Wrong devices")
        row = self.move(row)
        assert row.state == ActionState.APPROVED
        assert row.status_text.startswith("Frozen: Everything was frozen by Alice")
        assert self.tenant.changes == []
        freezing.thaw(frozen=frozen, actor=self.ada, reason="Checked")
        tasks.wake()
        assert self.finish(row).state == ActionState.DONE

    def test_a_freeze_between_intent_and_call_is_seen(self) -> None:
        row = self.approved()
        real = freezing.hold_on
        answers = iter(["", "Frozen: now"])
        with patch("liveresponse.runner.actions.freezing.hold_on", lambda connection: next(answers)):
            row = self.move(row)
        assert (row.state, row.submitted_at) == (ActionState.APPROVED, None)
        assert self.tenant.changes == []
        assert real(self.connection) == ""
        assert self.finish(row).state == ActionState.DONE

    def test_a_freeze_of_another_connection_holds_nothing_here(self) -> None:
        other = type(self.connection).objects.create(
            name="Other", tenant_id=self.connection.tenant_id, client_id=self.connection.client_id
        )
        freezing.freeze(actor=self.ada, connection=other, reason="theirs")
        assert freezing.may_send(self.connection)
        assert not freezing.may_send(other)
        assert self.finish(self.approved()).state == ActionState.DONE

    def test_cancelling_in_defender_waits_too(self) -> None:
        row = self.move(self.approved())
        freezing.freeze(actor=self.alice, connection=self.connection, reason="x")
        actions.cancel(row=row, actor=self.bob)
        row = self.move(row)
        assert self.tenant.cancelled == []
        assert row.status_text.startswith("Frozen:")

    def test_break_glass_does_not_break_a_freeze(self) -> None:
        freezing.freeze(actor=self.alice, connection=None, reason="x")
        row = self.ask(glass=Glass(WHY, NAME))
        assert self.move(self.fresh(row)).state == ActionState.APPROVED
        assert self.tenant.changes == []

    def test_who_freezes_and_who_thaws(self) -> None:
        for person in (self.bob, self.carol, self.mallory):
            with pytest.raises(PermissionDenied):
                freezing.freeze(actor=person, connection=None, reason="x")
        frozen = freezing.freeze(actor=self.alice, connection=None, reason="")
        with pytest.raises(ValidationError, match="frozen already"):
            freezing.freeze(actor=self.ada, connection=None, reason="again")
        assert Freeze.objects.count() == 1
        assert freezing.thaw(frozen=frozen, actor=self.alice, reason="ok") is False
        with pytest.raises(ValidationError, match="second lead"):
            freezing.thaw(frozen=frozen, actor=self.alice, reason="ok")
        with pytest.raises(PermissionDenied):
            freezing.thaw(frozen=frozen, actor=self.bob, reason="ok")
        dan = make_user("dan", User.SiteRole.ANALYST)
        cases.set_member(case=self.case, actor=self.alice, user=dan, role=CaseRole.LEAD)
        assert freezing.thaw(frozen=frozen, actor=dan, reason="agreed") is True
        said = LogEntry.objects.filter(chain="site", action__startswith="site.").order_by("sequence")
        assert [entry.action for entry in said] == ["site.frozen", "site.thaw_asked", "site.thawed"]
        again = freezing.freeze(actor=self.ada, connection=None, reason="again")
        assert freezing.thaw(frozen=again, actor=self.ada, reason="ok") is True

    def test_a_first_lead_who_lost_the_right_is_not_one_of_two(self) -> None:
        dan = make_user("dan", User.SiteRole.ANALYST)
        cases.set_member(case=self.case, actor=self.alice, user=dan, role=CaseRole.LEAD)
        frozen = freezing.freeze(actor=self.alice, connection=None, reason="x")
        freezing.thaw(frozen=frozen, actor=dan, reason="ok")
        cases.set_member(case=self.case, actor=self.alice, user=dan, role=CaseRole.VIEWER)
        assert freezing.thaw(frozen=frozen, actor=self.alice, reason="ok") is False


class RuleTests(PropertyTestCase):
    """Whoever is what, and whatever happens between: nothing is sent unless every rule holds at the last moment."""

    @settings(max_examples=25, deadline=None)
    @given(
        requester=st.sampled_from(["analyst", "lead", "viewer"]),
        approver=st.sampled_from(["lead", "analyst", "viewer", None]),
        frozen=st.booleans(), read_only=st.booleans(), closed=st.booleans(), expired=st.booleans(),
        kind=st.sampled_from([kind.value for kind in ActionKind if KINDS[kind.value].is_for_devices]),
    )  # fmt: skip
    def test_a_call_goes_out_exactly_when_every_rule_holds(
        self,
        requester: str,
        approver: str | None,
        frozen: bool,
        read_only: bool,
        closed: bool,
        expired: bool,
        kind: str,
    ) -> None:
        CastTestCase.setUpTestData.__func__(type(self))  # type: ignore[attr-defined]
        case, tenant = self.case, FakeResponder()
        cases.set_member(case=case, actor=self.alice, user=self.ada, role=CaseRole.LEAD)
        row = actions.request_actions(
            case=case, actor=self.bob, kind=kind, targets=[NAME], parameters={"sha1": "a" * 40}, reason="x"
        )[0]
        if approver is not None:
            approvals.decide(approval=Approval.objects.get(subject=row.batch), actor=self.alice, approve=True)
            actions.decided(row.batch)
            cases.set_member(case=case, actor=self.ada, user=self.alice, role=approver)
        cases.set_member(case=case, actor=self.ada, user=self.bob, role=requester)
        if expired:
            Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        type(self.connection).objects.update(read_only=read_only)
        type(case).objects.filter(pk=case.pk).update(closed_at=timezone.now() if closed else None)
        if frozen:
            freezing.freeze(actor=self.ada, connection=None, reason="x")
        for _ in range(4):
            ResponseAction.objects.update(next_poll_at=timezone.now(), lease_owner="", lease_until=None)
            runner.act(row.pk, "worker", tenant)
        holds = requester != "viewer" and approver == "lead" and not (frozen or read_only or closed or expired)
        assert len(tenant.changes) == (1 if holds else 0)


def test_every_kind_is_explained() -> None:
    assert set(KINDS) == {kind.value for kind in ActionKind}
    assert all(kind.does and kind.notices and kind.undo for kind in KINDS.values())
