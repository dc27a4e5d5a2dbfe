"""What stands on the cluster, what a source holds, and all watches at once, over the API."""

from typing import Any

from django.utils import timezone

from hunting.models import SourceSchema, TablePush, Watch
from hunting.services import watching
from ircase.models import CaseRole, JobState, LogEntry
from ircase.services import cases
from tests.hunting.stage import done_run, make_table
from tests.ircase.test_api import ApiTestCase

CLUSTER = "https://contoso.kusto.windows.net"
ROWS = [{"Timestamp": f"2026-11-20T10:00:0{n}Z", "DeviceName": "ws01"} for n in range(3)]


class ClusterApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.connection.kusto_cluster, self.connection.kusto_push_database = CLUSTER, "Cases"
        self.connection.save(update_fields=["kusto_cluster", "kusto_push_database"])
        make_table(self.case, self.bob, "DeviceEvents", ROWS)
        self.body = {"table": "DeviceEvents", "cluster": CLUSTER, "database": "Cases"}

    def cluster(self) -> Any:
        return self.call("get", self.case_path("/hunts/cluster")).json()

    def test_a_copy_is_seen_and_stopped(self) -> None:
        before = self.cluster()
        assert (before["cluster"], before["database"], before["why_not"]) == (CLUSTER, "Cases", "")
        (table,) = before["tables"]
        assert (table["name"], table["rows"], table["exhibits"], table["left"]) == ("DeviceEvents", 3, 1, False)
        made = self.call("post", self.case_path("/hunts/copies"), self.body).json()
        assert self.cluster()["tables"][0]["busy"]["uuid"] == made["uuid"]
        stopped = self.call("post", self.case_path(f"/hunts/copies/{made['uuid']}/cancel"), {})
        assert (stopped.status_code, stopped.json()["state"]) == (200, "cancelled"), stopped.content
        assert stopped.json()["outcome"] == "Cancelled by Alice"
        assert LogEntry.objects.filter(case=self.case, action="push.cancel_requested").count() == 1
        assert self.cluster()["tables"][0]["busy"] is None

    def test_a_copy_outlives_its_table_until_it_is_removed(self) -> None:
        made = self.call("post", self.case_path("/hunts/copies"), self.body).json()
        now = timezone.now()
        TablePush.objects.filter(uuid=made["uuid"]).update(
            state=JobState.DONE, row_count=3, started_at=now, finished_at=now
        )
        self.case.tables.all().delete()
        (table,) = self.cluster()["tables"]
        assert (table["rows"], table["left"], table["copy_there"]["uuid"]) == (None, True, made["uuid"])
        gone = self.call("post", self.case_path("/hunts/copies"), {**self.body, "remove": True})
        assert (gone.status_code, gone.json()["act"]) == (202, "remove")

    def test_leads_alone_stop_a_copy(self) -> None:
        made = self.call("post", self.case_path("/hunts/copies"), self.body).json()
        path = self.case_path(f"/hunts/copies/{made['uuid']}/cancel")
        for user, status in ((self.bob, 403), (self.carol, 403), (self.mallory, 404)):
            self.user = user
            assert self.call("post", path, {}).status_code == status
        self.user = self.alice
        assert self.call("post", self.case_path(f"/hunts/copies/{self.case.uuid}/cancel"), {}).status_code == 404
        assert TablePush.objects.get().state == JobState.QUEUED


class SourceApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = self.bob

    def tables(self, source: str, query: str = "") -> Any:
        return self.call("get", self.case_path(f"/hunts/sources/{source}/tables{query}"))

    def test_the_cases_own_and_microsofts(self) -> None:
        make_table(self.case, self.bob, "Odd_CL", [{"A": "x"}])
        own = self.tables("case").json()
        assert (own["complete"], own["readable"], own["items"][0]["name"]) == (True, False, "Odd_CL")
        assert own["items"][0]["columns"] == [["A", "string"]]
        known = self.tables("defender", "?q=processev&limit=1").json()
        assert (known["complete"], known["total"]) == (False, 1)
        assert known["items"][0]["name"] == "DeviceProcessEvents"
        assert self.tables("odd").status_code == 422

    def test_a_worker_reads_what_can_be_read(self) -> None:
        asked = self.call("post", self.case_path("/hunts/sources/loganalytics/reading"), {})
        assert asked.status_code == 202, asked.content
        assert [one["place"] for one in asked.json()] == [self.connection.workspace_id]
        SourceSchema.objects.update(
            tables=[{"name": "Own_CL", "about": "", "columns": [["A", "string"]]}], read_at=timezone.now()
        )
        seen = self.tables("loganalytics").json()
        assert (seen["complete"], seen["readings"][0]["tables"], seen["total"]) == (True, 1, 1)
        assert LogEntry.objects.filter(case=self.case, action="hunt.schema_asked").count() == 1
        assert self.call("post", self.case_path("/hunts/sources/defender/reading"), {}).status_code == 422

    def test_who_may(self) -> None:
        path = self.case_path("/hunts/sources/loganalytics/reading")
        self.user = self.mallory
        assert self.tables("case").status_code == self.call("post", path, {}).status_code == 404
        assert self.call("get", "/cases/IR-2000-0001/hunts/sources/case/tables").status_code == 404
        cases.set_member(case=self.case, actor=self.alice, user=self.mallory, role=CaseRole.VIEWER)
        assert (self.tables("case").status_code, self.call("post", path, {}).status_code) == (200, 403)
        assert not SourceSchema.objects.exists()


class WatchesApiTests(ApiTestCase):
    def watch(self) -> Watch:
        run = done_run(self.case, self.bob, ROWS)
        return watching.watch_run(run=run, actor=self.bob)

    def mine(self) -> Any:
        return self.call("get", "/watches").json()["items"]

    def test_what_i_watch_on_cases_that_i_see(self) -> None:
        watch = self.watch()
        self.user = self.bob
        (one,) = self.mine()
        assert (one["uuid"], one["case"], one["last_state"]) == (str(watch.uuid), self.case.reference, None)
        self.user = self.alice
        assert self.mine() == []
        self.user = self.bob
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        cases.set_confidential(case=self.case, actor=self.alice, confidential=True, reason="Quiet")
        assert self.mine() == []

    def test_all_that_the_closing_stopped_go_on(self) -> None:
        first, second, paused = self.watch(), self.watch(), self.watch()
        for one in (first, second):
            watching.end(one, Watch.Stop.CLOSED, "The case was closed.")
        watching.stop(watch=paused, actor=self.bob, reason="Enough")
        Watch.objects.filter(pk=second.pk).update(title="Second")
        path = self.case_path("/hunts/watch-resumption")
        for user, status in ((self.mallory, 404), (self.carol, 403)):
            self.user = user
            assert self.call("post", path, {}).status_code == status
        self.user = self.bob
        gone_on = self.call("post", path, {}).json()
        assert {(one["watch"], one["problem"]) for one in gone_on} == {(str(first.uuid), ""), (str(second.uuid), "")}
        assert set(Watch.objects.filter(state=Watch.State.ACTIVE)) == {first, second}
        assert LogEntry.objects.filter(case=self.case, action="watch.resumed").count() == 2
        assert self.call("post", path, {}).json() == []
