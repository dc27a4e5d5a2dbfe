"""A claimed run, from the person's right to the sealed evidence; what stops it, and what survives a kill."""

import json
import threading
import time
import uuid
from datetime import timedelta
from unittest import mock

from django.conf import settings
from django.utils import timezone

from hunting import quota, runner
from hunting.models import HuntRun, Source
from hunting.services import runs
from hunting.spool import clear_abandoned
from hunting.tasks import run_hunt, sweep_runs
from ircase.models import Activity, CaseTable, Evidence, LogEntry
from ircase.services import cases, evidence
from ircase.store import StoreError
from ircase.work import new_owner
from kql import Column
from msapi.errors import (
    BadQuery,
    Forbidden,
    GovernorUnavailable,
    NetworkError,
    SignInFailed,
    Throttled,
    Unavailable,
)
from msapi.governor import Granted, Wait
from tests.cast import CastTestCase
from tests.hunting.stage import (
    FakeProvider,
    answering,
    done_run,
    make_table,
    queue_hunt,
    queue_kql,
    quiet_heart,
    record_of,
    work,
)

COLUMNS = [Column("Timestamp", "datetime"), Column("DeviceName", "string"), Column("Count", "long")]
ROWS = [
    {"Timestamp": "2026-11-20T17:00:00.1234567Z", "DeviceName": "ws01", "Count": 1},
    {"Timestamp": None, "DeviceName": "\ud800 half", "Count": 2},
]


class CaseTablesTests(CastTestCase):
    def test_own_kql_over_the_case_ends_as_evidence(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", [
            {"Timestamp": "2026-11-20T17:00:00.1234567Z", "DeviceName": "ws01", "FileName": "cmd.exe"},
            {"Timestamp": "2026-11-20T17:00:01Z", "DeviceName": "ws02", "FileName": "whoami.exe"},
        ])  # fmt: skip
        kql = "DeviceProcessEvents | where Timestamp > ago(2h) and DeviceName == 'ws02' | project FileName, AccountName"
        run = work(queue_kql(self.case, self.bob, kql))
        assert (run.state, run.row_count, run.reason) == ("done", 1, "")
        assert record_of(run) == [{"FileName": "whoami.exe", "AccountName": ""}]
        assert run.table is not None and not run.table.queryable
        assert run.activity.outcome == "1 row"
        assert run.evidence is not None
        manifest = run.evidence.manifest
        assert manifest["source"]["tables"][0]["name"] == "DeviceProcessEvents"
        assert manifest["query"] == kql
        assert {"duckdb", "kql"} <= set(manifest["engine"])

    def test_a_kql_error_fails_with_its_place_and_what_to_do(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", [{"DeviceName": "ws01"}])
        run = work(queue_kql(self.case, self.bob, "DeviceProcessEvents\n| where DeviceNam == 'x'"))
        assert run.state == "failed"
        assert run.reason.startswith("line 2, column 9")
        assert "DeviceName" in run.reason
        assert run.activity.state == "failed" and run.activity.outcome == run.reason
        assert not Evidence.objects.filter(kind="hunt").exists()

    def test_a_hunt_without_any_of_its_tables_says_which(self) -> None:
        run = work(queue_hunt(self.case, self.bob, "device-logons", TargetDevice="ws01"))
        assert run.state == "failed"
        assert "DeviceLogonEvents" in run.reason

    def test_a_hunt_that_lacks_some_tables_runs_and_says_so(self) -> None:
        make_table(self.case, self.bob, "DeviceNetworkEvents", [
            {"Timestamp": "2026-11-20T17:00:00Z", "DeviceName": "ws01", "ActionType": "InboundConnectionAccepted",
             "RemoteIP": "203.0.113.5", "LocalPort": 3389},
        ])  # fmt: skip
        run = work(queue_hunt(self.case, self.bob, "device-inbound-connections", TargetDevice="ws01"))
        assert (run.state, run.row_count) == ("done", 1)
        assert run.activity.outcome == "1 row; the case has no DeviceLogonEvents"
        assert run.evidence is not None and run.evidence.manifest["tables_missing"] == ["DeviceLogonEvents"]

    def test_a_hunt_does_not_find_its_own_results(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", [{"DeviceName": "ws01"}])
        work(queue_kql(self.case, self.bob, "DeviceProcessEvents"))
        run = work(queue_kql(self.case, self.bob, "union withsource=T * | distinct T"))
        assert run.reason == ""
        assert [row["T"] for row in record_of(run)] == ["DeviceProcessEvents"]

    def test_a_cut_result_is_said_aloud_everywhere(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", [{"DeviceName": f"ws{n}"} for n in range(5)])
        run = queue_kql(self.case, self.bob, "DeviceProcessEvents")
        HuntRun.objects.filter(pk=run.pk).update(limits={**run.limits, "rows": 3})
        run = work(run)
        assert (run.state, run.row_count, run.truncated, run.truncated_by) == ("done", 3, True, "rows")
        assert "TRUNCATED" in run.activity.outcome and run.activity.partial
        assert run.evidence is not None and run.evidence.partial and run.evidence.manifest["truncated"] is True


class TenantTests(CastTestCase):
    def test_the_record_keeps_every_digit_and_even_half_characters(self) -> None:
        run = queue_kql(self.case, self.bob, "DeviceEvents", Source.DEFENDER)
        with answering(FakeProvider(COLUMNS, ROWS)) as provider:
            run = work(run)
        assert (run.state, run.row_count, run.request_ids) == ("done", 2, ["req-1"])
        assert record_of(run) == ROWS
        question = provider.asked[0]
        assert question.endpoint is not None and question.endpoint.tenant_id == self.connection.tenant_id
        assert (question.end - question.start).days == 7
        assert run.evidence is not None
        source = run.evidence.manifest["source"]
        assert (source["tenant"], source["identity"]) == (self.connection.tenant_id, self.connection.client_id)
        assert evidence.verify(run.evidence) == Evidence.Integrity.VERIFIED

    def test_nothing_found_is_evidence_too(self) -> None:
        run = done_run(self.case, self.bob, [])
        assert (run.state, run.row_count, run.activity.outcome) == ("done", 0, "0 rows")
        assert run.evidence is not None and run.evidence.size == 0

    def test_the_services_own_word_for_partial_is_kept(self) -> None:
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        with answering(FakeProvider(COLUMNS, ROWS, truncated_by="E_QUERY_RESULT_SET_TOO_LARGE")):
            run = work(run)
        assert run.truncated and run.truncated_by == "E_QUERY_RESULT_SET_TOO_LARGE"

    def test_too_many_bytes_cut_the_record(self) -> None:
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        HuntRun.objects.filter(pk=run.pk).update(limits={**run.limits, "bytes": 100})
        with answering(FakeProvider(COLUMNS, ROWS * 3)):
            run = work(run)
        assert (run.state, run.row_count, run.truncated_by) == ("done", 1, "bytes")

    def fail_with(self, error: Exception, kql: str = "x") -> HuntRun:
        run = queue_kql(self.case, self.bob, kql, Source.DEFENDER)
        with answering(FakeProvider(error=error)), mock.patch("hunting.quota.governor") as book:
            run = work(run)
        self.book = book
        return run

    def test_permanent_errors_end_the_run_with_what_to_do(self) -> None:
        for error in (
            Forbidden("The app lacks ThreatHunting.Read.All.", needed=("ThreatHunting.Read.All",)),
            SignInFailed("The client secret has expired; make a new one."),
            BadQuery("Failed to resolve scalar expression named 'x'", line=1, position=7),
        ):
            run = self.fail_with(error)
            assert run.state == "failed", error
            assert str(error) in run.reason
        assert run.reason.startswith("line 1, column 7: ")

    def test_the_place_in_a_hunt_is_counted_from_its_own_text(self) -> None:
        run = queue_hunt(self.case, self.bob, "device-logons", Source.DEFENDER, TargetDevice="ws01")
        assert run.prelude.count("\n") == 3
        with answering(FakeProvider(error=BadQuery("no", line=5, position=3))):
            assert work(run).reason == "line 2, column 3: no"

    def test_passing_errors_wait_and_the_same_row_goes_on(self) -> None:
        for error in (Unavailable("503"), NetworkError("no route"), GovernorUnavailable("Redis is down")):
            run = self.fail_with(error)
            assert (run.state, run.attempt, run.tries, run.owner) == ("queued", 0, 1, "")
            assert run.reason == str(error)
            assert run.not_before is not None and run.not_before > timezone.now()
            assert run.activity.state == "queued"
        HuntRun.objects.filter(pk=run.pk).update(not_before=None)
        with answering(FakeProvider(COLUMNS, ROWS)):
            run = work(run)
        assert (run.state, run.row_count, run.attempt) == ("done", 2, 1)

    def test_a_429_waits_as_told_and_tells_the_other_workers(self) -> None:
        run = self.fail_with(Throttled("Quota.", retry_after=120, request_id="req-9"))
        assert run.state == "queued" and run.request_ids == ["req-9"]
        assert run.not_before is not None
        assert 100 < (run.not_before - timezone.now()).total_seconds() <= 120
        (bucket, seconds), _ = self.book.return_value.penalise.call_args
        assert (bucket.tenant_id, bucket.api, seconds) == (self.connection.tenant_id, "hunting", 120)

    def test_patience_ends(self) -> None:
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        HuntRun.objects.filter(pk=run.pk).update(tries=runner.TRIES - 1)
        with answering(FakeProvider(error=Unavailable("still 503"))):
            run = work(run)
        assert run.state == "failed" and run.reason == "Given up after 6 tries: still 503"

    def test_a_fault_of_ours_is_no_silent_death(self) -> None:
        run = self.fail_with(RuntimeError("s3cret"))
        assert run.state == "failed" and "s3cret" not in run.reason

    def test_a_full_store_makes_a_run_wait_for_a_day_at_most(self) -> None:
        full = StoreError("The evidence store could not write: No space left on device.")
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        with (
            answering(FakeProvider(COLUMNS, ROWS)),
            mock.patch("hunting.gathering.evidence.put_file", side_effect=full),
        ):
            run = work(run)
            assert run.state == "queued" and "No space left" in run.reason and run.not_before is not None
            HuntRun.objects.filter(pk=run.pk).update(queued_at=timezone.now() - timedelta(hours=25), not_before=None)
            run = work(run)
        assert run.state == "failed" and "No space left" in run.reason
        assert not run.case.evidence.exists()

    def test_the_record_is_sealed_even_where_no_table_can_be_made(self) -> None:
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        with answering(FakeProvider(COLUMNS, ROWS)), mock.patch("hunting.gathering.write_parquet", side_effect=OSError):
            run = work(run)
        assert (run.state, run.table, run.row_count) == ("done", None, 2)


class RightTests(CastTestCase):
    def test_a_right_that_was_taken_away_stops_the_run(self) -> None:
        run = queue_kql(self.case, self.bob, "print 1")
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        run = work(run)
        assert run.state == "failed" and run.reason == "Bob may no longer run hunts on this case."

    def test_so_does_a_connection_that_was_switched_off(self) -> None:
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        self.connection.enabled = False
        self.connection.save(update_fields=["enabled"])
        with answering(FakeProvider(COLUMNS, ROWS)) as provider:
            assert "switched off" in work(run).reason
        assert provider.asked == []


class QueueTests(CastTestCase):
    """The line at a tenant's API."""

    def take_turn(self, *answers: object) -> HuntRun:
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        book = mock.Mock()
        granted = Granted(mock.Mock(), str(run.uuid), "n")
        book.acquire.side_effect = [*answers, granted]
        book.first.return_value = []
        self.book = book
        provider = FakeProvider(COLUMNS, ROWS)
        with (
            mock.patch("hunting.runner.PROVIDERS", {"defender": provider}),
            mock.patch("hunting.quota.governor", return_value=book),
            mock.patch("hunting.quota.NAP", 0.01),
        ):
            return work(run)

    def test_a_short_wait_is_sat_through(self) -> None:
        run = self.take_turn(Wait(0.01, 2, 0.02), Wait(0.01, 1, 0.01))
        assert run.state == "done"
        (_, ticket, priority, flow), _ = self.book.acquire.call_args
        assert (ticket, priority) == (str(run.uuid), 1)
        assert flow.startswith(f"{self.case.pk}|")
        assert self.book.release.called

    def test_a_long_wait_gives_the_worker_back_and_keeps_place_and_eta(self) -> None:
        run = self.take_turn(Wait(60, 17, quota.PATIENCE + 240))
        assert run.state == "queued" and run.attempt == 0
        assert run.progress == {"phase": "waiting", "place": 17, "eta": 300}
        assert run.reason == "Waiting for the tenant's hunting quota."
        assert run.tries == 0

    def test_only_the_front_of_the_line_is_sat_beside(self) -> None:
        run = self.take_turn(Wait(2, quota.SITTERS + 1, 2))
        assert run.state == "queued" and run.progress["place"] == quota.SITTERS + 1

    def test_a_worker_that_waits_makes_way_for_somebody_more_urgent(self) -> None:
        urgent = queue_kql(self.case, self.bob, "DeviceInfo", Source.DEFENDER)
        HuntRun.objects.filter(pk=urgent.pk).update(priority=9)

        def acquire(_: object, ticket: str, *__: object) -> Wait:
            asked.append(ticket)
            HuntRun.objects.filter(pk=urgent.pk).update(priority=0)
            return Wait(60, 17, 300) if ticket == str(urgent.uuid) else Wait(30, 1, 30)

        asked: list[str] = []
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        with mock.patch("hunting.quota.governor") as governor:
            governor.return_value.acquire.side_effect = acquire
            governor.return_value.first.return_value = []
            run = work(run)
        assert run.state == "queued" and run.reason == "Waiting for the tenant's hunting quota."
        assert asked == [str(run.uuid), str(urgent.uuid)], "the worker went over to the urgent one at once"

    def test_a_message_takes_the_urgent_first_and_then_the_head_of_the_line(self) -> None:
        runs_ = [queue_kql(self.case, self.bob, f"DeviceInfo | where {n} == {n}", Source.DEFENDER) for n in range(4)]
        mine, urgent, head, later = runs_
        HuntRun.objects.filter(pk=urgent.pk).update(priority=0)
        HuntRun.objects.filter(pk=head.pk).update(not_before=timezone.now() + timedelta(hours=1))
        line = [str(uuid.uuid4()), str(head.uuid)]
        provider = FakeProvider(COLUMNS, ROWS)
        with (
            answering(provider),
            mock.patch("hunting.quota.first", side_effect=[line, []]),
        ):
            work(mine)
        assert [question.kql[-1] for question in provider.asked] == ["1", "0", "2"]
        assert HuntRun.objects.get(pk=later.pk).state == "queued"

    def test_who_ended_otherwise_is_taken_out_of_the_line(self) -> None:
        gone, mine = (queue_kql(self.case, self.bob, "DeviceInfo", Source.DEFENDER) for _ in range(2))
        runs.cancel(run=gone, actor=self.bob)
        with (
            answering(FakeProvider(COLUMNS, ROWS)),
            mock.patch("hunting.quota.first", side_effect=[[str(gone.uuid)], []]),
            mock.patch("hunting.quota.leave") as leave,
        ):
            work(mine)
        assert [call.args[0].pk for call in leave.call_args_list] == [gone.pk]


class CancelTests(CastTestCase):
    def test_a_queued_run_ends_at_once(self) -> None:
        run = queue_kql(self.case, self.bob, "print 1")
        runs.cancel(run=run, actor=self.alice)
        run = work(run)
        assert (run.state, run.reason, run.attempt) == ("cancelled", "Cancelled by Alice", 0)
        assert run.activity.state == "cancelled"
        assert LogEntry.objects.filter(case=self.case, action="hunt.cancel_requested").count() == 1

    def test_a_running_one_stops_though_the_service_holds_the_call(self) -> None:
        """The provider hangs for ten seconds; the run ends long before."""
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        freed = threading.Event()

        class Hanging(FakeProvider):
            def ask(self, question):  # type: ignore[no-untyped-def]
                freed.wait(10)
                return super().ask(question)

        watched = runner._watcher
        looks = []

        def watcher(found, held):  # type: ignore[no-untyped-def]
            look = watched(found, held)

            def count() -> None:
                looks.append(1)
                if len(looks) == 2:
                    HuntRun.objects.filter(pk=found.pk).update(cancel_requested=True)
                look()

            return count

        began = time.monotonic()
        with answering(Hanging(COLUMNS, ROWS)), mock.patch("hunting.runner._watcher", watcher):
            run = work(run)
        freed.set()
        assert run.state == "cancelled"
        assert time.monotonic() - began < 9
        assert not Evidence.objects.filter(kind="hunt").exists()

    def test_a_final_run_stays_as_it_is(self) -> None:
        run = done_run(self.case, self.bob, ROWS[:1])
        runs.cancel(run=run, actor=self.bob)
        run.refresh_from_db()
        assert run.state == "done" and not run.cancel_requested


class KillTests(CastTestCase):
    """A worker may die anywhere. Once another takes the row, the run ends with exactly one piece of evidence."""

    def revive(self, run: HuntRun) -> None:
        """As the sweep does after the silence."""
        long_ago = timezone.now() - timedelta(hours=1)
        HuntRun.objects.filter(pk=run.pk).update(heartbeat_at=long_ago)
        with mock.patch("ircase.jobs.send") as sent:
            sweep_runs()
        assert mock.call("hunting.run_hunt", run.pk) in sent.call_args_list

    def killed_at(self, place: str) -> HuntRun:
        """The first worker dies (as by kill -9: nothing of it runs on) when it comes to `place`."""

        class Killed(BaseException):
            pass

        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        with answering(FakeProvider(COLUMNS, ROWS[:1])):
            try:
                with mock.patch(place, side_effect=Killed):
                    work(run)
            except Killed:
                pass
            else:
                raise AssertionError(f"{place} was not reached")
            run.refresh_from_db()
            assert run.state == "running"
            self.revive(run)
            return work(run)

    def test_every_place(self) -> None:
        for place in (
            "hunting.runner.gather",
            "hunting.gathering.evidence.put_file",
            "hunting.gathering.write_parquet",
            "hunting.runner._seal",
            "hunting.runner.evidence.seal",
            "hunting.runner.tables.keep",
            "hunting.runner.activity.end",
        ):
            before = Evidence.objects.filter(kind="hunt").count()
            run = self.killed_at(place)
            assert (run.state, run.attempt) == ("done", 2), place
            assert Evidence.objects.filter(kind="hunt").count() == before + 1, place
            assert CaseTable.objects.filter(evidence=run.evidence).count() == 1, place
            assert Activity.objects.get(pk=run.activity_id).state == "done", place

    def test_two_deliveries_of_one_message_give_one_run(self) -> None:
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        with answering(FakeProvider(COLUMNS, ROWS)) as provider, quiet_heart():
            run_hunt(run.pk)
            run_hunt(run.pk)
        assert len(provider.asked) == 1
        assert Evidence.objects.filter(kind="hunt").count() == 1

    def test_a_worker_thought_dead_changes_nothing(self) -> None:
        """It comes back after another has taken the row: its result is dropped, the other's stays."""
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        late = HuntRun.objects.claim(run.pk, new_owner())
        assert late is not None
        self.revive(run)
        with answering(FakeProvider(COLUMNS, ROWS)), quiet_heart():
            run = work(run)
            runner.run_hunt(late)
        run.refresh_from_db()
        assert (run.state, run.attempt) == ("done", 2)
        assert Evidence.objects.filter(kind="hunt").count() == 1

    def test_what_a_killed_attempt_left_in_the_spool_is_removed(self) -> None:
        run = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        left = settings.SPOOL_DIR / f"hunt-{run.uuid}-7"
        left.mkdir(parents=True)
        (left / "record.ndjson").write_text(json.dumps(ROWS[0]))
        with answering(FakeProvider(COLUMNS, ROWS)):
            work(run)
        assert not list(settings.SPOOL_DIR.glob(f"hunt-{run.uuid}-*"))

    def test_what_the_dead_left_of_ended_runs_is_swept(self) -> None:
        waiting = queue_kql(self.case, self.bob, "x", Source.DEFENDER)
        ended = queue_kql(self.case, self.bob, "y", Source.DEFENDER)
        runs.cancel(run=ended, actor=self.bob)
        folders = [settings.SPOOL_DIR / name for name in (f"hunt-{waiting.uuid}-1", f"hunt-{ended.uuid}-1", "hunt-x")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        assert clear_abandoned() == 0
        assert clear_abandoned(age=-1) == 1
        assert [folder.exists() for folder in folders] == [True, False, True]
