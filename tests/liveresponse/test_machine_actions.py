"""Defender's action log: read as a list, kept once each, waking whoever waits, told in the cases it concerns."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.db.models import QuerySet
from django.utils import timezone

from ircase.models import LogEntry
from ircase.services.analysis import findings
from liveresponse import runner, tasks
from liveresponse.models import ActionRecord, ActionWatch, Collection, CollectionState
from liveresponse.services import machine_actions
from msapi.errors import Unavailable
from msapi.machines import MachineAction, read_action
from tests.cast import make_case
from tests.liveresponse.tenant import MACHINE
from tests.liveresponse.test_collections import CollectionTestCase

BEGUN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def action(number: int, **more: Any) -> MachineAction:
    """As a list of Defender's spells it: `lastUpdateTimeUtc`."""
    raw = {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "type": "Isolate",
        "status": "Pending",
        "requestor": "eve@contoso.com",
        "requestorComment": "Looks bad",
        "machineId": MACHINE,
        "computerDnsName": "ws-07.contoso.com",
        "creationDateTimeUtc": f"2026-11-20T10:{number:02}:00.1234567Z",
        "lastUpdateTimeUtc": "2026-11-20T11:00:00.1234567Z",
        "requestSource": "Portal",
        "commands": [],
        **more,
    }
    return read_action({name: value for name, value in raw.items() if value is not None})


class ActionTestCase(CollectionTestCase):
    def setUp(self) -> None:
        super().setUp()
        findings.add_asset(case=self.case, actor=self.bob, kind="device", name="WS-07.contoso.com")

    def read(self) -> int:
        """One reading, as if its time had come."""
        ActionWatch.objects.update(next_at=timezone.now(), whole_at=timezone.now())
        with patch("ircase.jobs.send"):
            return runner.watch(self.connection, self.tenant)

    def logged(self) -> QuerySet[LogEntry]:
        return LogEntry.objects.filter(action="device_action.elsewhere")


class LogTests(ActionTestCase):
    def test_what_was_begun_elsewhere_appears_once_with_who_and_when(self) -> None:
        self.tenant.listed = [
            action(1),
            action(2, type="RunAntiVirusScan", machineId="b" * 40, computerDnsName="dc-01"),
        ]
        for _ in range(3):
            assert self.read() == 2
        assert ActionRecord.objects.count() == 2
        (record,) = machine_actions.of_case(self.case)
        assert (record.requestor, record.source, record.ours) == ("eve@contoso.com", "Portal", False)
        assert record.created_at == BEGUN + timedelta(minutes=1, microseconds=123456)
        assert record.updated_at == datetime(2026, 11, 20, 11, 0, 0, 123456, tzinfo=UTC)
        entry = self.logged().get()
        assert (entry.case, entry.detail["by"]) == (self.case, "eve@contoso.com")
        assert entry.detail["title"] == "Isolate on ws-07.contoso.com" and entry.detail["at"].startswith(
            "2026-11-20T10:01"
        )

    def test_a_change_is_kept_and_both_spellings_of_its_time_are_read(self) -> None:
        self.tenant.listed = [action(1)]
        self.read()
        changed = {"lastUpdateTimeUtc": None, "lastUpdateDateTimeUtc": "2026-11-20T12:00:00Z"}
        self.tenant.listed = [action(1, status="Succeeded", **changed)]
        self.read()
        record = ActionRecord.objects.get()
        assert (record.status, record.updated_at) == ("Succeeded", datetime(2026, 11, 20, 12, tzinfo=UTC))
        assert self.logged().count() == 1

    def test_a_device_that_becomes_an_asset_later_brings_its_actions(self) -> None:
        self.tenant.listed = [action(1, machineId="c" * 40, computerDnsName="srv-9.contoso.com")]
        self.read()
        assert not machine_actions.of_case(self.case).exists()
        findings.add_asset(case=self.case, actor=self.bob, kind="device", name="srv-9")
        self.read()
        assert [r.device for r in machine_actions.of_device(self.case, "SRV-9")] == ["srv-9.contoso.com"]
        assert machine_actions.of_device(self.case, "c" * 40).count() == 1
        assert machine_actions.of_device(self.case, "ws-07").count() == 0

    def test_another_domains_device_of_that_name_is_not_ours(self) -> None:
        self.tenant.listed = [action(1, machineId="d" * 40, computerDnsName="ws-07.fabrikam.com")]
        self.read()
        assert not machine_actions.of_case(self.case).exists()

    def test_the_boundary_moves_and_goes_back_for_what_has_not_ended(self) -> None:
        old, new = timezone.now() - timedelta(days=2), timezone.now() - timedelta(minutes=10)
        self.tenant.listed = [
            action(1, creationDateTimeUtc=old.isoformat()),
            action(2, creationDateTimeUtc=new.isoformat(), status="Succeeded"),
        ]
        self.read()
        first, _ = self.tenant.filters[-1], self.read()
        assert first.startswith("creationDateTimeUtc ge ") and "'" not in first
        assert self.tenant.filters[-1] == f"creationDateTimeUtc ge {old - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
        self.tenant.listed[0] = action(1, creationDateTimeUtc=old.isoformat(), status="Cancelled")
        self.read()
        self.read()
        assert self.tenant.filters[-1] == f"creationDateTimeUtc ge {new - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"

    def test_hostile_values_are_kept_as_text_and_nonsense_is_left_out(self) -> None:
        self.tenant.listed = [
            action(
                1, requestor="<script>" * 200, requestorComment="IRCase 00000000-0000-4000-8000-000000000000 step 1"
            ),
            action(2, creationDateTimeUtc="never"),
        ]
        self.read()
        record = ActionRecord.objects.get()
        assert not record.ours, "a mark that no job of ours has is another's"
        self.sign_in(self.bob)
        page = self.client.get(f"/cases/{self.case.reference}/live-response/actions/").content.decode()
        assert "<script><script>" not in page and "&lt;script&gt;" in page

    def test_a_confidential_cases_job_is_not_shown_elsewhere(self) -> None:
        hidden = make_case(self.alice, connection=self.connection, confidential=True)
        row = self.ask("get-file", Path="C:\\x")
        Collection.objects.filter(pk=row.pk).update(case=hidden)
        self.tenant.listed = [action(1, type="LiveResponse", requestorComment=f"IRCase {row.uuid} step 1")]
        self.read()
        assert not machine_actions.of_case(self.case).exists()
        Collection.objects.filter(pk=row.pk).update(case=self.case)
        ActionRecord.objects.all().delete()
        self.read()
        assert [r.ours for r in machine_actions.of_case(self.case)] == [True]
        hidden.confidential = False
        assert not self.logged().exists(), "what is ours is in the log already"

    def test_the_page_is_for_readers_of_the_case(self) -> None:
        self.tenant.listed = [action(1)]
        self.read()
        url = f"/cases/{self.case.reference}/live-response/actions/"
        self.sign_in(self.carol)
        assert b"eve@contoso.com" in self.client.get(url, {"elsewhere": "1"}).content
        assert b"eve@contoso.com" not in self.client.get(url, {"device": "dc-01"}).content
        self.sign_in(self.mallory)
        assert self.client.get(url).status_code == 404


class WakingTests(ActionTestCase):
    def running(self) -> Collection:
        row = self.ask("get-file", Path="C:\\x.txt")
        for _ in range(2):
            row = self.move(row)
        assert row.state == CollectionState.RUNNING
        Collection.objects.filter(pk=row.pk).update(next_poll_at=timezone.now() + timedelta(minutes=3))
        return row

    def listed(self, row: Collection, status: str = "InProgress", command: str = "Created") -> MachineAction:
        commands = [{"index": 0, "commandStatus": command, "command": {"type": "GetFile", "params": []}}]
        now = timezone.now().isoformat()
        return action(
            1, id=row.action_id, type="LiveResponse", status=status, commands=commands, creationDateTimeUtc=now
        )

    def test_one_call_wakes_those_that_changed_and_they_ask_nothing_more(self) -> None:
        row = self.running()
        looks = dict(self.tenant.looks)
        self.tenant.listed = [self.listed(row)]
        self.read()
        assert self.fresh(row).next_poll_at <= timezone.now()
        row = self.move(row)
        assert row.status_text.endswith("InProgress on the device")
        Collection.objects.filter(pk=row.pk).update(next_poll_at=timezone.now() + timedelta(minutes=3))
        self.read()
        assert self.fresh(row).next_poll_at > timezone.now(), "nothing has changed"
        self.tenant.listed = [self.listed(row, "Succeeded", "Completed")]
        self.read()
        assert self.finish(row).state == CollectionState.DONE
        assert self.tenant.looks == looks, "the list was enough"

    def test_a_worker_killed_between_keeping_and_waking_loses_nothing(self) -> None:
        row = self.running()
        machine_actions.keep(self.connection, [self.listed(row, "Succeeded", "Completed")])
        self.tenant.listed = [self.listed(row, "Succeeded", "Completed")]
        self.read()
        assert self.fresh(row).next_poll_at <= timezone.now()

    def test_one_worker_reads_at_a_time_and_only_when_there_is_something_to_read_for(self) -> None:
        self.read()
        asked = len(self.tenant.filters)
        assert runner.watch(self.connection, self.tenant) == 0
        assert len(self.tenant.filters) == asked
        ActionWatch.objects.update(next_at=timezone.now())
        assert runner.watch(self.connection, self.tenant) == 0, "no job is under way, and all was just read"
        assert len(self.tenant.filters) == asked

    def test_a_list_that_fails_is_said_and_the_jobs_ask_for_themselves(self) -> None:
        row = self.running()
        self.tenant.faults["machine_actions"] = [Unavailable("Defender is not available.", status=503)]
        self.read()
        assert "not available" in ActionWatch.objects.get().problem
        assert self.finish(row).state == CollectionState.DONE
        assert self.tenant.looks[row.action_id] >= 2

    def test_the_clock_sends_a_reader_to_each_tenant_that_needs_one(self) -> None:
        with patch("ircase.jobs.send") as send:
            tasks.poll()
        assert ("liveresponse.watch_actions", self.connection.pk) in [call.args for call in send.call_args_list]
        self.read()
        with patch("ircase.jobs.send") as send:
            tasks.poll()
        assert "liveresponse.watch_actions" not in [call.args[0] for call in send.call_args_list]
