"""A case's table copied to a cluster over real sockets, gone on with after a kill, hunted there, and removed."""

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from hunting.binding import attach, attach_kql
from hunting.catalogue import hunts
from hunting.models import HuntRun, Source, TablePush
from hunting.pushing import push_table
from hunting.services import batches, pushes, runs
from hunting.services.sources import missing_tables
from hunting.tasks import push_table as task
from ircase.models import Activity, CaseRole, CaseTable, Connection, LogEntry
from ircase.services import cases, sweep
from ircase.services.identity import people
from ircase.services.vault import destruction
from ircase.work import Stopped, new_owner
from msapi import kusto
from msapi.errors import Ambiguous, Forbidden, Unavailable
from msapi.kusto import ROW, SOURCE, Ingestion
from msapi.results import Column
from tests.hunting.cluster import SourcesTestCase
from tests.hunting.stage import make_table, quiet_heart, record_of, work

DAY = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"
"""Within every window that is asked about, whenever that is."""
ROWS = [
    {"Timestamp": f"{DAY}T10:00:{second:02d}.1234567Z", "DeviceName": "ws01", "FileName": f"{second}.exe"}
    for second in range(12)
]


class PushTestCase(SourcesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.forget)
        self.enterContext(quiet_heart())

    def forget(self) -> None:
        """The simulator outlives the test, and every test's case has the same reference."""
        client = self.client_of_cluster()
        for row in client.manage("Cases", ".show tables"):
            client.manage("Cases", f".drop table ['{row['TableName']}'] ifexists")

    def ask(self, name: str = "DeviceProcessEvents", **more: Any) -> TablePush:
        place = {"cluster": self.connection.kusto_cluster, "database": "Cases"} | more
        return pushes.request_push(case=self.case, actor=self.alice, name=name, **place)

    def copy(self, name: str = "DeviceProcessEvents") -> TablePush:
        push = self.ask(name)
        task(push.pk)
        return TablePush.objects.get(pk=push.pk)

    def copied(self, name: str) -> str:
        """What the copy of a table of the case is called on the cluster."""
        return f"Case_{self.case.reference.removeprefix('IR-').replace('-', '_')}_{name}"

    def on_cluster(self, name: str = "DeviceProcessEvents") -> list[list[Any]]:
        return self.rows_on_cluster("Cases", f"{pushes.target_of(self.case, name)} | sort by {ROW} asc")

    def run_there(self, kql: str) -> HuntRun:
        frozen = attach_kql(kql=kql, span="30d")
        run = runs.queue_run(case=self.case, actor=self.bob, frozen=frozen, source=Source.KUSTO_CASE)
        return work(run)


class CopyTests(PushTestCase):
    def test_every_row_arrives_with_its_types_and_custody_says_so(self) -> None:
        table = make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        push = self.copy()
        assert (push.state, push.row_count, push.sent, push.reason) == ("done", 12, 12, "")
        assert push.target == self.copied("DeviceProcessEvents")
        query = (
            f"{push.target} | where {SOURCE} == '{table.uuid}' | summarize count(), min(Timestamp), dcount(FileName)"
        )
        assert self.rows_on_cluster("Cases", query) == [[12, f"{DAY}T10:00:00.1234560Z", 12]]
        entry = table.evidence.custody.get(action="copied")
        assert entry.detail["cluster"] == self.connection.kusto_cluster
        assert entry.detail["target"] == push.target
        act = Activity.objects.get(subject=push.uuid)
        assert (act.state, act.row_count, act.outcome) == ("done", 12, f"12 rows in {push.target}")
        codes = set(LogEntry.objects.filter(case=self.case).values_list("action", flat=True))
        assert {"push.queued", "push.done"} <= codes

    def test_a_second_copy_sends_only_what_is_new(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        self.copy()
        again = self.copy()
        assert (again.sent, again.row_count) == (0, 12)
        more = make_table(self.case, self.bob, "DeviceProcessEvents", [{**ROWS[0], "AccountName": "eve"}])
        third = self.copy()
        assert (third.sent, third.row_count) == (1, 13)
        assert more.evidence.custody.filter(action="copied").count() == 1

    def test_rows_that_were_read_anew_replace_the_old_ones(self) -> None:
        table = make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        self.copy()
        CaseTable.objects.filter(pk=table.pk).delete()
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS[:3])
        push = self.copy()
        assert (push.state, push.row_count) == ("done", 3), push.reason
        assert len(self.on_cluster()) == 3

    def test_what_stands_on_the_cluster_is_removed_before_its_exhibit_is_destroyed(self) -> None:
        item = make_table(self.case, self.bob, "DeviceProcessEvents", ROWS).evidence
        other = make_table(self.case, self.bob, "DeviceEvents", ROWS).evidence
        assert destruction.obstacles(self.case, [item, other]) == []
        target = self.copy().target
        (said,) = destruction.obstacles(self.case, [item, other])
        assert target in said and item.exhibit in said and "remove that copy first" in said
        place = {"cluster": self.connection.kusto_cluster, "database": "Cases"}
        task(pushes.request_removal(case=self.case, actor=self.alice, name="DeviceProcessEvents", **place).pk)
        assert destruction.obstacles(self.case, [item, other]) == []

    def test_evidence_that_disagrees_about_a_type_makes_text(self) -> None:
        make_table(self.case, self.bob, "Odd", [{"A": "x"}])
        table = make_table(self.case, self.bob, "Odd", [{"A": "7"}])
        CaseTable.objects.filter(pk=table.pk).update(columns=[["A", "long"]])
        push = self.copy("Odd")
        assert push.state == "done", push.reason
        assert [column for column in push.columns if column[0] == "A"] == [["A", "string"]]

    def test_a_request_in_doubt_is_not_sent_twice(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        real, tries = kusto.Kusto.send, []

        def lost(self: kusto.Kusto, *args: Any) -> None:
            real(self, *args)
            tries.append(1)
            if len(tries) == 1:
                raise Ambiguous("The answer was lost.")

        with mock.patch.object(kusto.Kusto, "send", lost):
            push = self.copy()
        assert (push.state, push.row_count, push.duplicates, len(tries)) == ("done", 12, 0, 1)

    def test_a_cluster_that_is_not_well_is_waited_for(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        with mock.patch.object(kusto.Kusto, "send", side_effect=Unavailable("Not now.", retry_after=5)):
            push = self.copy()
        assert (push.state, push.reason, push.tries, push.attempt) == ("queued", "Not now.", 1, 0)
        TablePush.objects.update(not_before=None)
        task(push.pk)
        assert TablePush.objects.get(pk=push.pk).state == "done"

    def test_a_killed_worker_is_gone_on_from(self) -> None:
        """`kill -9` of a child after its first request; then the clock, and another worker."""
        table = make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        push = self.ask()
        claimed = TablePush.objects.claim(push.pk, new_owner())
        assert claimed is not None
        child = os.fork()
        if child == 0:  # pragma: no cover - dies
            client = self.client_of_cluster()
            ingestion = Ingestion(client)
            columns = [Column(name, kind) for name, kind in table.columns]
            target = ingestion.prepare("Cases", push.target, columns)
            ingestion.push(target, ROWS[:5], str(table.uuid))
            os.kill(os.getpid(), signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        with self.settings(STALE_SECONDS=-1):
            sweep.sweep(TablePush.objects.all(), "hunting.push_table")
        task(push.pk)
        push.refresh_from_db()
        assert (push.state, push.row_count, push.sent, push.attempt) == ("done", 12, 7, 2), push.reason
        assert [
            row for (row,) in self.rows_on_cluster("Cases", f"{push.target} | project {ROW} | sort by {ROW} asc")
        ] == [*range(12)]

    def test_cancelled_in_the_middle_what_arrived_stays(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        push = self.ask()
        claimed = TablePush.objects.claim(push.pk, new_owner())
        assert claimed is not None
        pushes.cancel(push=push, actor=self.alice)
        with mock.patch("hunting.pushing.Hold.check", side_effect=Stopped):
            push_table(claimed)
        push.refresh_from_db()
        assert push.state == "cancelled" and "goes on from there" in push.reason

    def test_a_queued_one_is_cancelled_at_once(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        push = self.ask()
        pushes.cancel(push=push, actor=self.alice)
        push.refresh_from_db()
        assert push.state == "cancelled"

    def test_a_removed_copy_is_gone_and_logged(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        copied = self.copy()
        place = {"cluster": self.connection.kusto_cluster, "database": "Cases"}
        removal = pushes.request_removal(case=self.case, actor=self.alice, name="DeviceProcessEvents", **place)
        task(removal.pk)
        removal.refresh_from_db()
        copied.refresh_from_db()
        assert removal.state == "done" and copied.removed_at is not None
        assert pushes.pushed(self.case) == []
        assert self.client_of_cluster().manage("Cases", ".show tables") == []
        assert LogEntry.objects.filter(case=self.case, action="push.done").count() == 2

    def test_what_a_failed_copy_left_is_shown_and_removed(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        with mock.patch.object(kusto.Kusto, "send", side_effect=Forbidden("No.")):
            assert self.copy().state == "failed"
        assert (pushes.pushed(self.case), pushes.left(self.case)) == ([], {"DeviceProcessEvents"})
        self.client.force_login(self.alice)
        page = reverse("hunting:cluster", args=[self.case.reference])
        self.assertContains(self.client.get(page), "A part, of a copy that did not end")
        place = {"cluster": self.connection.kusto_cluster, "database": "Cases"}
        task(pushes.request_removal(case=self.case, actor=self.alice, name="DeviceProcessEvents", **place).pk)
        assert pushes.left(self.case) == set()
        self.assertContains(self.client.get(page), "Not there")


class RightsTests(PushTestCase):
    def test_the_confirmed_place_must_still_be_the_connections(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        for more in ({"cluster": "https://other.kusto.windows.net"}, {"database": "Telemetry"}):
            with self.assertRaisesMessage(ValidationError, "another cluster"):
                self.ask(**more)

    def test_what_hinders_is_said(self) -> None:
        with self.assertRaisesMessage(ValidationError, "no table"):
            self.ask("Nothing")
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        self.ask()
        with self.assertRaisesMessage(ValidationError, "just now"):
            self.ask()
        with self.assertRaisesMessage(ValidationError, "No copy"):
            place = {"cluster": self.connection.kusto_cluster, "database": "Cases"}
            pushes.request_removal(case=self.case, actor=self.alice, name="Other", **place)
        Connection.objects.update(kusto_push_database="")
        self.case.connection.refresh_from_db()  # type: ignore[union-attr]
        assert "names no database" in pushes.why_not(self.case)

    def test_a_lead_who_is_none_any_more_copies_nothing(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        push = self.ask()
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role=CaseRole.LEAD)
        cases.set_member(case=self.case, actor=self.bob, user=self.alice, role=CaseRole.ANALYST)
        task(push.pk)
        push.refresh_from_db()
        assert (push.state, "may no longer" in push.reason) == ("failed", True)
        assert self.client_of_cluster().manage("Cases", ".show tables") == []

    def test_an_app_without_the_role_fails_with_what_to_give(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        Connection.objects.update(kusto_push_database="Telemetry")
        self.case.connection.refresh_from_db()  # type: ignore[union-attr]
        push = self.ask(database="Telemetry")
        task(push.pk)
        push.refresh_from_db()
        assert push.state == "failed"
        assert "Admin" in push.reason

    def test_an_analyst_reads_and_a_lead_confirms(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        confirm = reverse("hunting:push_new", args=[self.case.reference])
        self.client.force_login(self.bob)
        assert self.client.get(confirm, {"table": "DeviceProcessEvents"}).status_code == 403
        self.assertContains(self.client.get(reverse("hunting:cluster", args=[self.case.reference])), "Not there")
        self.client.force_login(self.alice)
        page = self.client.get(confirm, {"table": "DeviceProcessEvents"})
        self.assertContains(page, self.connection.kusto_cluster)
        self.assertContains(page, self.copied("DeviceProcessEvents"))
        self.assertContains(page, "12 in")
        body = {"table": "DeviceProcessEvents", "cluster": self.connection.kusto_cluster, "database": "Cases"}
        answer = self.client.post(confirm, body)
        push = TablePush.objects.get()
        self.assertRedirects(answer, reverse("hunting:push", args=[self.case.reference, push.uuid]))
        task(push.pk)
        self.assertContains(self.client.get(answer["Location"]), f"12 rows in {self.copied('DeviceProcessEvents')}")
        self.assertContains(
            self.client.get(reverse("hunting:cluster", args=[self.case.reference])), "Hunt on the cluster"
        )
        _, token = people.create_token(user=self.alice, name="t")
        head = {"Authorization": f"Bearer {token}"}
        path = f"/api/v1/cases/{self.case.reference}/hunts/copies"
        listed = self.client.get(path, headers=head).json()
        assert [one["row_count"] for one in listed["items"]] == [12]
        gone = self.client.post(path, {**body, "remove": True}, content_type="application/json", headers=head)
        assert gone.status_code == 202
        assert gone.json()["act"] == "remove"


class HuntThereTests(PushTestCase):
    def test_the_cases_own_names_find_the_copies(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        self.copy()
        run = self.run_there("DeviceProcessEvents | where FileName == '7.exe' | project TimeGenerated, DeviceName")
        assert (run.state, run.row_count) == ("done", 1), run.reason
        assert record_of(run) == [{"TimeGenerated": f"{DAY}T10:00:07.1234560Z", "DeviceName": "ws01"}]
        assert run.prelude.startswith(f"let DeviceProcessEvents = {self.copied('DeviceProcessEvents')}")
        assert run.evidence is not None
        assert run.evidence.manifest["source"]["database"] == "Cases"
        every = self.run_there("DeviceProcessEvents | take 1")
        assert SOURCE not in record_of(every)[0]

    def test_the_same_hunt_gives_the_same_there_as_on_the_case(self) -> None:
        rows = [
            {**row, "ProcessCommandLine": "x", "AccountName": "eve", "ActionType": "ProcessCreated"} for row in ROWS
        ]
        make_table(self.case, self.bob, "DeviceProcessEvents", rows)
        self.copy()
        values = {"TargetDevice": "ws01", "AsOf": f"{DAY}T18:00:00Z"}
        frozen = attach(hunt=hunts()["device-process-list"], given=values)
        wanted = [Source.CASE, Source.KUSTO_CASE]
        queued = runs.queue_runs(case=self.case, actor=self.bob, frozen=frozen, sources=wanted)
        here, there = (work(run) for run in queued)
        assert (here.state, there.state) == ("done", "done"), (here.reason, there.reason)
        assert here.row_count == there.row_count == 12
        assert record_of(here) == record_of(there)
        assert queued[0].batch is not None and batches.together(self.case, queued[0].batch) is not None

    def test_a_repetition_does_not_bind_the_names_twice(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        self.copy()
        first = self.run_there("DeviceProcessEvents | count")
        again = work(runs.retry(run=first, actor=self.bob))
        assert (again.state, again.final_kql) == ("done", first.final_kql), again.reason

    def test_what_was_never_copied_is_said_and_stands_empty_beside_what_was(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        hunt = hunts()["device-process-list"]
        assert missing_tables(self.case, hunt, Source.KUSTO_CASE) == hunt.tables
        self.copy()
        assert missing_tables(self.case, hunt, Source.KUSTO_CASE) == ()
        text = pushes.prelude(self.case, "union DeviceProcessEvents, DeviceEvents", ("DeviceEvents",))
        assert "let DeviceEvents = datatable(" in text
        assert pushes.prelude(self.case, "let DeviceProcessEvents = T; DeviceProcessEvents") == ""

    def test_other_cases_tables_are_out_of_reach(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        self.copy()
        other = pushes.target_of(self.secret_case, "DeviceProcessEvents")
        for text in (
            "union withsource=T * | summarize count() by T",
            "union DeviceProcessEvents, Case_*",
            "search 'ws01'",
            "find where DeviceName == 'ws01'",
            f"{other} | take 1",
            f"['{other}'] | take 1",
            f"let x = {other}; x | take 1",
            f"DeviceProcessEvents | join ({other}) on DeviceName",
            f"DeviceProcessEvents | where DeviceName has_any ({other})",
            f"table('{other}')",
            "let n = strcat('Case_', '2026_X'); table(n)",
            f"database('Cases').{other}",
            f"DeviceProcessEvents | partition by DeviceName ({other} | take 1)",
        ):
            with self.subTest(text), pytest.raises(ValidationError, match="other cases' tables"):
                self.run_there(text)
        own = pushes.target_of(self.case, "DeviceProcessEvents")
        run = self.run_there(f"{own} | count")
        assert (run.state, record_of(run)) == ("done", [{"Count": 12}]), run.reason

    def test_nor_are_they_from_the_database_beside(self) -> None:
        other = pushes.target_of(self.secret_case, "DeviceProcessEvents")
        for place in ("'Cases'", '"cases"', "'*'", "strcat('Ca', 'ses')", '"Ca\\u0073es"', "// so\n 'Cases'"):
            frozen = attach_kql(kql=f"database ({place}).{other} | take 1", span="1d")
            with self.subTest(place), pytest.raises(ValidationError, match="other cases' tables"):
                runs.queue_run(case=self.case, actor=self.bob, frozen=frozen, source=Source.KUSTO)
        fine = attach_kql(kql="database('Other').T | where database == 'x' | take 1", span="1d")
        assert runs.queue_run(case=self.case, actor=self.bob, frozen=fine, source=Source.KUSTO).state == "queued"
        Connection.objects.filter(pk=self.connection.pk).update(kusto_database="Cases")
        self.case.connection.refresh_from_db()
        with pytest.raises(ValidationError, match="other cases' tables"):
            runs.queue_run(case=self.case, actor=self.bob, frozen=attach_kql(kql="union *"), source=Source.KUSTO)

    def test_without_a_copy_the_source_is_not_offered(self) -> None:
        choice = next(one for one in runs.sources_of(self.case) if one.source == Source.KUSTO_CASE)
        assert "No table" in choice.why_not

    def test_names_of_two_tables_never_meet(self) -> None:
        assert pushes.target_of(self.case, "a-b") != pushes.target_of(self.case, "a_b")
        assert pushes.target_of(self.case, "a_b") == self.copied("a_b")
