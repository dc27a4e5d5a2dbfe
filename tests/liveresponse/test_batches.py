"""One definition on many devices: who is in, one approval, the line, stopping, asking again, the board."""

from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ircase.models import Activity, Approval, Asset, LogEntry
from ircase.services import approvals, cases
from ircase.services.analysis import findings
from liveresponse import runner, tasks
from liveresponse.models import Batch, BatchState, Collection, CollectionState
from liveresponse.runner import giving_way
from liveresponse.services import batches, board, collections
from msapi.errors import BadRequest, Unavailable
from msapi.machines import Machine
from tests.cast import make_evidence
from tests.liveresponse.tenant import SCRIPT_SHA, machine
from tests.liveresponse.test_collections import CollectionTestCase
from tests.world import make_table

PATH = {"Path": r"C:\x.log"}


def device(number: int, **more: object) -> Machine:
    made = replace(machine(), id=f"{number:040x}", dns_name=f"pc-{number:03}.contoso.com")
    return replace(made, **more)  # type: ignore[arg-type]


class BatchTestCase(CollectionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.tenant.fleet = [device(number) for number in range(30)]

    def ask_many(self, *names: str, definition: str = "get-file", **more: object) -> Batch:
        values = {"parameters": PATH if definition == "get-file" else {}, "reason": "Loader seen", **more}
        if "origin" not in values:
            values |= {"origin": "names", "names": names}
        return batches.request_batch(case=self.case, actor=self.bob, definition=definition, **values)

    def drafted(self, *names: str, **more: object) -> Batch:
        batch = self.ask_many(*names, **more)
        runner.find_devices(batch.pk, self.tenant)
        return Batch.objects.get(pk=batch.pk)

    def started(self, *names: str, **more: object) -> Batch:
        batch = batches.start(batch=self.drafted(*names, **more), actor=self.bob)
        return Batch.objects.get(pk=batch.pk)

    def verdicts(self, batch: Batch) -> dict[str, str]:
        return {one["asked"]: one["verdict"] for one in batch.devices}

    def rows(self, batch: Batch) -> list[Collection]:
        return list(Collection.objects.filter(batch=batch).order_by("device"))


class LookUpTests(BatchTestCase):
    def test_each_device_is_known_unknown_elsewhere_or_the_same(self) -> None:
        self.tenant.fleet[1] = device(1, onboarding="CanBeOnboarded")
        self.tenant.fleet[2] = device(2, os_platform="iOS")
        batch = self.drafted(
            "PC-000", "pc-001.contoso.com", "pc-002", "nobody", "x y;z", "pc-000.contoso.com", "0" * 40
        )
        assert batch.state == BatchState.DRAFT
        assert self.verdicts(batch) == {
            "pc-000": "in",
            "pc-001.contoso.com": "not_onboarded",
            "pc-002": "platform",
            "nobody": "unknown",
            "x y;z": "unknown",
            "pc-000.contoso.com": "twice",
            "0" * 40: "twice",
        }
        assert all("x y" not in asked for asked in self.tenant.filters), "what is no name is not asked for"
        assert batch.included[0]["id"] == "0" * 40

    def test_of_two_devices_of_one_name_the_onboarded_one_is_taken(self) -> None:
        again = device(77, dns_name="pc-003.contoso.com", last_seen="2026-11-20T00:00:00Z")
        gone = replace(self.tenant.fleet[3], onboarding="InsufficientInfo", last_seen="2026-11-22T00:00:00Z")
        self.tenant.fleet += [again]
        self.tenant.fleet[3] = gone
        assert self.drafted("pc-003").included[0]["id"] == again.id

    def test_devices_come_from_the_assets_a_tag_or_a_table(self) -> None:
        findings.add_asset(case=self.case, actor=self.bob, kind="device", name="pc-004.contoso.com")
        Asset.objects.create(case=self.case, kind="device", name="renamed", identifier=f"{5:040x}", added_by=self.bob)
        batch = self.drafted(origin="assets")
        assert [one["name"] for one in batch.included] == ["pc-004.contoso.com", "pc-005.contoso.com"]
        self.tenant.fleet[6] = device(6, tags=("IR-1",))
        assert [one["name"] for one in self.drafted(origin="tag", tag="IR-1").included] == ["pc-006.contoso.com"]
        found = [{"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": f"pc-00{n % 3}"} for n in range(50)]
        table = make_table(make_evidence(self.case, self.bob, b"rows"), found)
        batch = self.drafted(origin="table", table=str(table.uuid))
        assert [one["name"] for one in batch.included] == [f"pc-00{n}.contoso.com" for n in range(3)]

    def test_what_cannot_be_asked_for_is_refused_with_what_to_mend(self) -> None:
        for values, text in (
            ({"origin": "assets"}, "no device among its assets"),
            ({"origin": "tag", "tag": " "}, "Name the tag"),
            ({"origin": "names", "names": ["", " "]}, "at least one"),
            ({"origin": "names", "names": [f"d{n}" for n in range(1001)]}, "too many"),
            ({"origin": "table", "table": "x"}, "Choose a table"),
            ({"origin": "all"}, "where the devices come from"),
        ):
            with pytest.raises(ValidationError, match=text):
                self.ask_many(**values)

    def test_an_unreachable_tenant_is_asked_again_and_then_given_up_aloud(self) -> None:
        batch = self.ask_many("pc-000")
        for _ in range(batches.LOOKS):
            self.tenant.faults["machines"] = [Unavailable("Defender is not available.", status=503)]
            Batch.objects.filter(pk=batch.pk).update(look_until=None)
            runner.find_devices(batch.pk, self.tenant)
        batch.refresh_from_db()
        assert batch.state == BatchState.DRAFT and "not available" in batch.problem
        with pytest.raises(ValidationError, match="No device"):
            batches.start(batch=batch, actor=self.bob)

    def test_a_dead_worker_is_followed_by_another(self) -> None:
        batch = self.ask_many("pc-000")
        assert batches.claim_look(batch.pk) is not None
        assert batches.claim_look(batch.pk) is None
        Batch.objects.filter(pk=batch.pk).update(look_until=timezone.now() - timedelta(seconds=1))
        with patch("ircase.jobs.send") as send:
            tasks.poll()
        assert ("liveresponse.find_devices", batch.pk) in [call.args for call in send.call_args_list]
        runner.find_devices(batch.pk, self.tenant)
        assert Batch.objects.get(pk=batch.pk).state == BatchState.DRAFT


class ApprovalTests(BatchTestCase):
    def decide(self, batch: Batch, *, approve: bool = True, comment: str = "") -> None:
        approval = Approval.objects.get(subject=batch.uuid)
        approvals.decide(approval=approval, actor=self.alice, approve=approve, comment=comment)
        tasks.approval_decided(str(batch.uuid))

    def triage(self) -> Batch:
        return self.started(*[f"pc-{n:03}" for n in range(3)], definition="dfir-triage")

    def test_one_yes_covers_all_and_the_worker_checks_it_for_each(self) -> None:
        batch = self.triage()
        assert {row.state for row in self.rows(batch)} == {CollectionState.REQUESTED}
        assert Approval.objects.filter(case=self.case).count() == 1
        self.decide(batch)
        rows = [self.finish(row, 40) for row in self.rows(batch)]
        assert [row.state for row in rows] == ["done"] * 3, [row.failure for row in rows]
        assert {row.approved_by for row in rows} == {"Alice"}

    def test_a_device_that_was_not_in_it_is_refused(self) -> None:
        batch = self.triage()
        self.decide(batch)
        row = self.rows(batch)[0]
        Collection.objects.filter(pk=row.pk).update(device="dc-01", machine_id="f" * 40)
        assert self.finish(self.fresh(row)).state == CollectionState.REFUSED
        other = self.rows(batch)[1]
        assert self.finish(other).state == CollectionState.DONE, "the others go on"

    def test_another_list_is_not_what_was_approved(self) -> None:
        batch = self.triage()
        self.decide(batch)
        batch.refresh_from_db()
        batch.devices.append({**batch.devices[0], "name": "dc-01", "id": "f" * 40})
        batch.save(update_fields=["devices"])
        assert self.finish(self.rows(batch)[0]).state == CollectionState.REFUSED
        assert self.tenant.submitted == []

    def test_a_no_ends_all_with_the_leads_words(self) -> None:
        batch = self.triage()
        self.decide(batch, approve=False, comment="isolate first")
        batch.refresh_from_db()
        assert batch.state == BatchState.REFUSED and "isolate first" in batch.problem
        assert {row.state for row in self.rows(batch)} == {CollectionState.REFUSED}
        assert set(Activity.objects.filter(kind="collection").values_list("state", flat=True)) == {"refused"}

    def test_the_yes_lasts_as_long_as_an_offline_device_is_waited_for(self) -> None:
        batch = self.triage()
        assert Approval.objects.get(subject=batch.uuid).expires_at > timezone.now() + timedelta(hours=71)

    def test_the_devices_are_waited_for_from_the_yes_on(self) -> None:
        self.connection.limits = {"live_response_queue_hours": 2}
        self.connection.save(update_fields=["limits"])
        self.case.refresh_from_db()
        batch = self.triage()
        late = timezone.now() + timedelta(hours=3)
        with patch("django.utils.timezone.now", return_value=late):
            self.decide(batch)
        batch.refresh_from_db()
        assert abs(batch.deadline - late - timedelta(hours=2)) < timedelta(seconds=1)
        assert {row.deadline for row in self.rows(batch)} == {batch.deadline}

    def test_a_standing_approval_starts_it(self) -> None:
        approvals.grant_standing(
            case=self.case, actor=self.alice, connection=self.connection, script_name="DFIR-Script.ps1",
            script_sha256=SCRIPT_SHA, reason="tested", days=3,
        )  # fmt: skip
        assert self.triage().state == BatchState.STARTED


class LineTests(BatchTestCase):
    def test_rows_sleep_until_their_turn_can_come_and_each_call_wakes_another(self) -> None:
        with patch("django.utils.timezone.now", return_value=timezone.now()):  # a slow machine starts them just as well
            batch = self.started(*[f"pc-{n:03}" for n in range(30)])
            begun = timezone.now()
        waits = [max((row.next_poll_at - begun).total_seconds(), 0) for row in self.rows(batch)]
        assert [round(wait) for wait in (waits[0], waits[19], waits[20], waits[29])] == [0, 0, 60, 60]
        with self.captureOnCommitCallbacks(), patch("ircase.jobs.enqueue") as enqueue:
            self.move(self.rows(batch)[0])
        sleeper = self.rows(batch)[20]
        assert ("liveresponse.step", sleeper.pk) in [call.args for call in enqueue.call_args_list]

    def test_two_jobs_on_one_device_take_turns_without_asking_defender(self) -> None:
        first, second = (self.rows(self.started("pc-000"))[0] for _ in range(2))
        first = self.move(first)
        assert first.state == CollectionState.RUNNING
        second = self.move(second)
        assert second.state == CollectionState.QUEUED and "Another job of ours" in second.status_text
        assert len(self.tenant.submitted) == len(self.governor.asked) == 1
        assert self.finish(first).state == CollectionState.DONE
        assert self.finish(second).state == CollectionState.DONE

    def test_without_a_turn_for_reading_nothing_fails(self) -> None:
        row = self.move(self.rows(self.started("pc-000"))[0])
        self.governor.reads_allowed = 0
        for _ in range(60):
            row = self.move(row)
        assert row.state == CollectionState.RUNNING and "quota is used up" in row.status_text
        assert row.trouble == 0
        self.governor.reads_allowed = 1_000_000
        assert self.finish(row).state == CollectionState.DONE

    def test_without_a_turn_for_submitting_the_session_is_given_back(self) -> None:
        row = self.rows(self.started("pc-000"))[0]
        self.governor.reads_allowed = self.governor.reads
        row = self.move(row)
        assert (row.state, row.turn, self.tenant.submitted) == (CollectionState.QUEUED, "", [])
        assert len(self.governor.released) == 1

    def test_a_silent_device_gives_its_session_to_others_and_is_asked_again(self) -> None:
        row = self.move(self.rows(self.started("pc-000"))[0])
        self.tenant.looks_needed = 1000
        Collection.objects.filter(pk=row.pk).update(submitted_at=timezone.now() - timedelta(minutes=11))
        row = self.move(row)
        assert row.state == CollectionState.RUNNING and row.waits_for_device, "nobody else waits"
        self.governor.held, self.governor.waiting = 25, 4
        row = self.move(row)
        assert (row.state, row.attempt, row.action_id) == (CollectionState.QUEUED, 2, "")
        assert self.tenant.cancelled == ["action-1"] and row.next_poll_at > timezone.now() + timedelta(minutes=25)
        self.governor.held, self.tenant.looks_needed = 3, 2
        assert self.finish(row).state == CollectionState.DONE
        assert self.tenant.submitted[1][1] == f"IRCase {row.uuid} step 1 attempt 2"

    def test_killed_while_giving_way_it_lines_up_again_and_one_that_just_began_stays(self) -> None:
        row = self.move(self.rows(self.started("pc-000"))[0])
        self.tenant.looks_needed = 1000
        self.governor.held, self.governor.waiting = 25, 4
        Collection.objects.filter(pk=row.pk).update(submitted_at=timezone.now() - timedelta(minutes=11))
        self.tenant.faults["cancel"] = [BadRequest("It has ended.", status=400, permanent=True)]
        row = self.move(row)
        assert (row.state, row.attempt) == (CollectionState.RUNNING, 1)
        with (
            patch("liveresponse.runner.collections._line_up_again", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            self.move(row)
        comment = f"{row.marker}: {giving_way.WHY}"
        ended = replace(self.tenant.actions["action-1"], status="Cancelled", cancel_comment=comment)
        self.tenant.actions["action-1"] = ended
        row = self.move(row)
        assert (row.state, row.attempt) == (CollectionState.QUEUED, 2)


class StopTests(BatchTestCase):
    def test_what_was_not_sent_ends_at_once_and_the_rest_in_defender(self) -> None:
        batch = self.started(*[f"pc-{n:03}" for n in range(5)])
        running = self.move(self.rows(batch)[0])
        with self.captureOnCommitCallbacks(execute=True), patch("ircase.jobs.send"):
            batches.cancel(batch=batch, actor=self.bob)
        rows = self.rows(batch)
        assert [row.state for row in rows] == ["running", *["cancelled"] * 4]
        before = board.counts_of(batch)
        assert self.move(running).state == CollectionState.CANCELLED
        assert self.tenant.cancelled == ["action-1"]
        assert len(self.governor.left) == 4
        assert board.is_over(batch, board.counts_of(batch))
        assert not board.is_over(batch, before), "over by newer rows than those counted"
        assert LogEntry.objects.filter(case=self.case, action="collection.batch_cancelled").count() == 1

    def test_a_worker_that_holds_a_cancelled_row_sends_nothing(self) -> None:
        batch = self.started("pc-000")
        row = self.rows(batch)[0]
        cancel = patch(
            "liveresponse.runner.collections._same_files",
            side_effect=lambda work: batches.cancel(batch=batch, actor=self.bob),
        )
        with cancel:
            row = self.move(row)
        assert (row.state, self.tenant.submitted) == (CollectionState.CANCELLED, [])
        assert len(self.governor.released) == 1

    def test_those_that_failed_are_asked_for_again_as_a_new_batch(self) -> None:
        batch = self.started(*[f"pc-{n:03}" for n in range(3)])
        first, second, _ = self.rows(batch)
        collections.end(first, CollectionState.FAILED, "no")
        collections.end(second, CollectionState.EXPIRED, "offline")
        again = batches.retry(batch=batch, actor=self.bob)
        runner.find_devices(again.pk, self.tenant)
        again.refresh_from_db()
        assert [one["name"] for one in again.included] == ["pc-000.contoso.com", "pc-001.contoso.com"]
        assert again.retry_of == batch


class BoardTests(BatchTestCase):
    def test_counts_and_estimate_are_computed_from_what_is_left(self) -> None:
        batch = self.started(*[f"pc-{n:03}" for n in range(25)])
        self.move(self.rows(batch)[0])
        silent = self.rows(batch)[1]
        Collection.objects.filter(pk=silent.pk).update(state="running", waits_for_device=True)
        counts = board.counts_of(batch)
        assert counts.sentence == "0 of 25 ended: 23 in line, 1 running, 1 not answering"
        eta = board.eta_of(batch)
        assert eta is not None
        # 23 calls at 10 a minute are 138 s, and a session's half minute.
        assert eta.left == timedelta(seconds=168)
        assert eta.how == (
            "23 calls left at 10 a minute, and one session of 30 s; 1 device that does not answer is not counted"
        )

    def test_no_end_is_told_while_nobody_has_said_yes(self) -> None:
        self.sign_in(self.bob)
        batch = self.started("pc-000", definition="dfir-triage")
        url = f"/cases/{self.case.reference}/live-response/batches/{batch.uuid}/"
        assert batch.state == BatchState.REQUESTED
        assert b"until about" not in self.client.get(url).content
        batches.begin(batch, approved_by="Alice")
        assert b"until about" in self.client.get(url).content

    def test_long_sessions_hold_up_the_line_more_than_the_quota(self) -> None:
        batch = self.started(*[f"pc-{n:03}" for n in range(30)])
        done = self.finish(self.rows(batch)[0])
        begun = done.ended_at - timedelta(minutes=20)  # type: ignore[operator]
        Collection.objects.filter(pk=done.pk).update(submitted_at=begun)
        eta = board.eta_of(batch)
        assert eta is not None
        # 29 sessions of 20 min, 25 at a time, and the last one: the quota alone would take 3 min.
        assert eta.left == timedelta(minutes=29 * 20 / 25 + 20)
        assert "25 sessions at a time" in eta.how

    def test_packages_wait_for_their_links_two_a_minute(self) -> None:
        batch = self.started(*[f"pc-{n:03}" for n in range(30)], definition="investigation-package")
        eta = board.eta_of(batch)
        assert eta is not None
        assert eta.left == timedelta(minutes=15, seconds=30)
        assert eta.how.startswith("30 packages left, their links 2 a minute")

    def test_the_page_takes_no_query_per_row_and_changes_are_few(self) -> None:
        self.sign_in(self.bob)
        url = "/cases/{}/live-response/batches/{}/"
        numbers = []
        for many in (3, 30):
            batch = self.started(*[f"pc-{n:03}" for n in range(many)])
            with CaptureQueriesContext(
                database,
            ) as queries:
                page = self.client.get(url.format(self.case.reference, batch.uuid))
            assert page.status_code == 200 and page.content.count(b'id="row-') == many
            numbers.append(len(queries))
        assert numbers[0] == numbers[1]
        Collection.objects.filter(batch=batch).update(changed_at=timezone.now() - timedelta(minutes=1))
        row = self.move(self.rows(batch)[4])
        since = (timezone.now() - timedelta(seconds=2)).isoformat()
        query = {"part": "changes", "since": since, "from": "pc-000", "to": "pc-999"}
        changes = self.client.get(url.format(self.case.reference, batch.uuid), query).content.decode()
        assert changes.count('id="row-') == 1 and f'id="row-{row.uuid}" hx-swap-oob="true"' in changes
        assert "data-announce" not in changes and "said=0" in changes
        Collection.objects.filter(batch=batch, device__lte="pc-003").update(state="failed")
        changes = self.client.get(url.format(self.case.reference, batch.uuid), query | {"said": "0"}).content.decode()
        assert 'data-announce="3 of 30 ended: ' in changes and "said=3" in changes

    def test_a_filter_shows_its_rows_only(self) -> None:
        batch = self.started("pc-000", "pc-001")
        self.move(self.rows(batch)[0])
        assert [row.device for row in board.rows_of(batch, "queued")] == ["pc-001.contoso.com"]
        assert [row.device for row in board.rows_of(batch, "running")] == ["pc-000.contoso.com"]
        assert board.rows_of(batch, "nonsense").count() == 2

    def test_in_the_browser_from_the_form_to_the_board(self) -> None:
        self.sign_in(self.bob)
        base = f"/cases/{self.case.reference}/live-response/"
        url = f"{base}batches/new/get-file/"
        assert b"On many devices" in self.client.get(base).content
        assert self.client.post(url, {"origin": "names", "names": "", **PATH}).status_code == 422
        reply = self.client.post(url, {"origin": "names", "names": "pc-000\npc-001, pc-002\nnobody", **PATH})
        assert reply.status_code == 302
        batch = Batch.objects.get()
        assert b"Looking the devices up" in self.client.get(reply.headers["Location"]).content
        runner.find_devices(batch.pk, self.tenant)
        page = self.client.get(reply.headers["Location"]).content.decode()
        assert "3 devices are in, 1 is not" in page and "knows no such device" in page
        self.client.post(f"{base}batches/{batch.uuid}/start/", {"without": [f"{2:040x}"]})
        assert [row.device for row in self.rows(batch)] == ["pc-000.contoso.com", "pc-001.contoso.com"]
        assert b"0 of 2 ended" in self.client.get(base).content
        self.sign_in(self.carol)
        assert self.client.post(f"{base}batches/{batch.uuid}/cancel/").status_code == 403

    def test_a_large_draft_is_paged_and_devices_are_left_out_page_by_page(self) -> None:
        self.sign_in(self.bob)
        batch = self.drafted(*[f"pc-{n:03}" for n in range(4)])
        one = batch.devices[0]
        batch.devices = [{**one, "name": f"pc-{n:03}.contoso.com", "id": f"{n:040x}"} for n in range(250)]
        batch.save(update_fields=["devices"])
        page = f"/cases/{self.case.reference}/live-response/batches/{batch.uuid}/"
        shown = self.client.get(page, {"p": "3"}).content.decode()
        assert "250 devices are in" in shown and shown.count('name="without"') == 50
        ticked = {"without": [f"{n:040x}" for n in (200, 201)], "act": "leave_out"}
        reply = self.client.post(f"{page}start/?p=3", ticked)
        assert reply.headers["Location"] == f"{page}?p=3"
        shown = self.client.get(page, {"p": "3"}).content.decode()
        assert "248 devices are in, 2 are not" in shown and "Left out by Bob" in shown
        batch.refresh_from_db()
        assert batch.state == BatchState.DRAFT and not self.rows(batch)
        batch.state = BatchState.STARTED
        batch.save(update_fields=["state"])
        with pytest.raises(ValidationError, match="already"):
            batches.leave_out(batch=batch, actor=self.bob, without=[f"{5:040x}"])

    def test_a_requester_who_left_is_refused_and_a_started_batch_is_not_started_twice(self) -> None:
        batch = self.started("pc-000")
        with pytest.raises(ValidationError, match="already started"):
            batches.start(batch=batch, actor=self.bob)
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role="viewer")
        assert self.finish(self.rows(batch)[0]).state == CollectionState.REFUSED
