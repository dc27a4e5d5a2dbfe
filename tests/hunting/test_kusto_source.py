"""A database of a cluster as a source: hunts over real sockets, slices, the schema, what is missing, the connection."""

from datetime import timedelta
from unittest import mock

from django.urls import reverse
from django.utils import timezone

from hunting.binding import attach, attach_kql
from hunting.catalogue import hunts
from hunting.models import HuntRun, Source, SourceSchema
from hunting.quota import bucket_of
from hunting.services import packs, runs, schemas
from hunting.services.sources import missing_tables
from ircase.forms.administration import ConnectionForm
from ircase.models import Connection, LogEntry
from ircase.services import connections, preflights
from tests.hunting.cluster import SourcesTestCase, simulator
from tests.hunting.stage import record_of, work


class ClusterRunTests(SourcesTestCase):
    def queue(self, kql: str, source: Source = Source.KUSTO, span: str = "7d") -> HuntRun:
        frozen = attach_kql(kql=kql, span=span)
        return runs.queue_run(case=self.case, actor=self.bob, frozen=frozen, source=source)

    def test_own_kql_runs_in_the_database_and_the_manifest_says_where(self) -> None:
        run = work(self.queue("DeviceInfo | summarize Devices = dcount(DeviceId)"))
        assert (run.state, run.row_count) == ("done", 1), run.reason
        assert record_of(run)[0]["Devices"] > 0
        assert run.evidence is not None
        source = run.evidence.manifest["source"]
        assert (source["cluster"], source["database"]) == (simulator().url, "Telemetry")
        assert run.request_ids
        assert any("put on Timestamp" in note for note in run.evidence.manifest["notes"])

    def test_the_window_is_put_on_the_tables(self) -> None:
        every = work(self.queue("DeviceProcessEvents | count"))
        none = work(self.queue("DeviceProcessEvents | count", span="1m"))
        assert record_of(every)[0]["Count"] > record_of(none)[0]["Count"]

    def test_a_shipped_hunt_runs_there(self) -> None:
        host = record_of(work(self.queue("DeviceInfo | take 1 | project DeviceName")))[0]["DeviceName"]
        frozen = attach(hunt=hunts()["device-process-list"], given={"TargetDevice": host, "SearchWindow": "7d"})
        run = work(runs.queue_run(case=self.case, actor=self.bob, frozen=frozen, source=Source.KUSTO))
        assert run.state == "done", run.reason
        assert run.row_count

    def test_a_cut_row_wise_query_comes_home_in_slices(self) -> None:
        kql = "set truncationmaxrecords=60; DeviceProcessEvents | project Timestamp, FileName"
        whole = record_of(work(self.queue("DeviceProcessEvents | count")))[0]["Count"]
        run = work(self.queue(kql.removeprefix("set truncationmaxrecords=60; ")))
        assert (run.row_count, run.slices) == (whole, 0)
        assert self.connection.limits == {}
        with mock.patch.dict(self.connection.limits, {"kusto_rows": max(40, whole // 5)}):
            self.case.connection = self.connection
            run = self.queue(kql.removeprefix("set truncationmaxrecords=60; "))
        run = work(run)
        assert run.state == "done", run.reason
        assert (run.row_count, run.truncated) == (whole, False)
        assert run.slices >= 3
        times = [row["Timestamp"] for row in record_of(run)]
        assert times == sorted(times)

    def test_an_engine_error_names_the_place_in_the_text(self) -> None:
        run = work(self.queue("DeviceInfo\n| where Nonsense == 1"))
        assert run.state == "failed"
        assert "line 2" in run.reason and "Nonsense" in run.reason

    def test_a_command_is_refused(self) -> None:
        run = work(self.queue(".drop table DeviceInfo"))
        assert run.state == "failed"
        assert "management command" in run.reason

    def test_a_database_without_the_role_says_what_to_give(self) -> None:
        app = simulator().ready["apps"]["ircase-readonly"]
        Connection.objects.filter(pk=self.connection.pk).update(kusto_database="Cases", client_id=app["client_id"])
        self.case.connection.refresh_from_db()  # type: ignore[union-attr]
        run = self.queue("print 1")
        with mock.patch("ircase.secrets.decrypt", lambda _: app["client_secret"]):
            run = work(run)
        assert run.state == "failed"
        assert "viewers" in run.reason

    def test_a_window_before_the_connections_retention_is_refused(self) -> None:
        Connection.objects.filter(pk=self.connection.pk).update(limits={"kusto_retention_days": 3})
        self.case.connection.refresh_from_db()  # type: ignore[union-attr]
        self.client.force_login(self.bob)
        body = {"kql": "DeviceInfo", "source": "kusto", "span": "7d", "action": "run"}
        answer = self.client.post(reverse("hunting:own_kql", args=[self.case.reference]), body)
        assert answer.status_code == 422
        self.assertContains(answer, "keeps 3 days", status_code=422)

    def test_the_bucket_is_the_clusters_and_settable(self) -> None:
        run = self.queue("print 1")
        bucket = bucket_of(run, connections.endpoint(self.connection))
        assert (bucket.concurrency, bucket.per_minute) == (10, 0)
        self.connection.limits = {"kusto_concurrency": 3, "kusto_per_minute": 30}
        run.connection = self.connection
        bucket = bucket_of(run, connections.endpoint(self.connection))
        assert (bucket.api, bucket.concurrency, bucket.per_minute) == ("kusto.localhost", 3, 30)


class SchemaTests(SourcesTestCase):
    def read(self, source: Source = Source.KUSTO) -> list[SourceSchema]:
        schemas.ask(self.connection, source)
        rows = schemas.of(self.connection, source)
        for row in rows:
            schemas.read(row.pk)
        return schemas.of(self.connection, source)

    def test_a_cluster_is_read(self) -> None:
        (row,) = self.read()
        assert (row.problem, row.place, row.is_asked) == ("", "Telemetry", False)
        columns = dict(schemas.tables(self.connection, Source.KUSTO)["DeviceProcessEvents"]["columns"])
        assert columns["Timestamp"] == "datetime" and columns["FileName"] == "string"
        assert "Timestamp" in schemas.datetimes(self.connection, Source.KUSTO)["DeviceProcessEvents"]

    def test_a_workspace_is_read(self) -> None:
        (row,) = self.read(Source.LOG_ANALYTICS)
        assert row.problem == ""
        assert "SigninLogs" in schemas.tables(self.connection, Source.LOG_ANALYTICS)

    def test_a_failed_reading_keeps_what_there_was_and_says_why(self) -> None:
        (before,) = self.read()
        Connection.objects.filter(pk=self.connection.pk).update(ca_pem="")
        schemas.read(before.pk)
        (after,) = schemas.of(self.connection, Source.KUSTO)
        assert "certificate" in after.problem.lower()
        assert after.tables == before.tables

    def test_a_hunt_whose_table_is_missing_says_so_before_it_runs(self) -> None:
        hunt = hunts()["device-process-list"]
        assert missing_tables(self.case, hunt, Source.KUSTO) == ()
        (row,) = self.read()
        row.tables = [table for table in row.tables if table["name"] != "DeviceProcessEvents"]
        row.save()
        assert missing_tables(self.case, hunt, Source.KUSTO) == ("DeviceProcessEvents",)
        self.client.force_login(self.bob)
        url = reverse("hunting:attach", args=[self.case.reference, hunt.id])
        answer = self.client.post(url, {"TargetDevice": "ws01", "source": "kusto", "action": "preview"})
        self.assertContains(answer, "Azure Data Explorer has none of this hunt")
        assert "DeviceProcessEvents" in packs._why_not(self.case, hunt, Source.KUSTO)

    def test_the_clock_reads_once_a_day_and_asks_again_for_what_was_lost(self) -> None:
        with mock.patch("hunting.services.schemas.jobs.enqueue") as sent:
            schemas.keep_fresh()
            assert {call.args[0] for call in sent.call_args_list} == {"hunting.read_schema"}
            first = sent.call_count
            schemas.keep_fresh()
            assert sent.call_count == first
            old = timezone.now() - timedelta(hours=25)
            SourceSchema.objects.update(read_at=old, asked_at=old)
            schemas.keep_fresh()
            assert sent.call_count == 2 * first

    def test_the_editor_and_the_page_show_what_was_read(self) -> None:
        self.read()
        self.client.force_login(self.bob)
        found = self.client.get(reverse("hunting:schema", args=[self.case.reference]), {"source": "kusto"}).json()
        assert found["complete"] and "DeviceInfo" in {table["name"] for table in found["tables"]}
        page = reverse("hunting:source_tables", args=[self.case.reference, "kusto"])
        self.assertContains(self.client.get(page), "DeviceProcessEvents")
        with self.captureOnCommitCallbacks(), mock.patch("hunting.services.schemas.jobs.enqueue") as sent:
            self.client.post(page)
        assert sent.call_count == 1
        assert LogEntry.objects.filter(case=self.case, action="hunt.schema_asked").exists()

    def test_a_source_that_does_not_exist_is_not_found(self) -> None:
        self.client.force_login(self.bob)
        answer = self.client.get(reverse("hunting:source_tables", args=[self.case.reference, "nonsense"]))
        assert answer.status_code == 404


class ConnectionTests(SourcesTestCase):
    def form(self, **values: str) -> ConnectionForm:
        kept = ConnectionForm(instance=self.connection).initial
        data = {name: "" if value is None else value for name, value in kept.items()}
        data |= {"limits": "{}", "blob_hosts": "", "workspaces": "", "enabled": "on", **values}
        return ConnectionForm(data, instance=Connection.objects.get(pk=self.connection.pk))

    def test_a_cluster_must_be_microsofts_or_this_connections(self) -> None:
        assert self.form().is_valid()
        assert self.form(kusto_cluster="https://ir.westeurope.kusto.windows.net").is_valid()
        for wrong in ("https://evil.example", "https://kusto.windows.net.evil.example", "http://10.0.0.1", "ftp://x"):
            form = self.form(kusto_cluster=wrong)
            assert not form.is_valid(), wrong
            assert "kusto_cluster" in form.errors

    def test_a_database_needs_its_cluster_and_a_name_that_kusto_takes(self) -> None:
        assert "kusto_cluster" in self.form(kusto_cluster="").errors
        assert "kusto_database" in self.form(kusto_database="a'] | x").errors
        assert "kusto_database" in self.form(kusto_database="", kusto_push_database="").errors

    def test_workspaces_are_guids_each_once(self) -> None:
        one = simulator().ready["other_workspace_id"]
        form = self.form(workspaces=f"{one}\n{one.upper()}\n")
        assert form.is_valid(), form.errors
        assert form.cleaned_data["workspaces"] == [one]
        assert "workspaces" in self.form(workspaces="my-workspace").errors

    def test_the_preflight_tries_each_database(self) -> None:
        preflights.run(self.connection)
        self.connection.refresh_from_db()
        probes = {one["title"]: one for one in self.connection.preflight["probes"]}
        assert probes["Azure Data Explorer, Telemetry: print 1"]["ok"]
        assert probes["Azure Data Explorer, Cases: print 1"]["ok"]
        Connection.objects.filter(pk=self.connection.pk).update(kusto_database="Nothing")
        self.connection.refresh_from_db()
        preflights.run(self.connection)
        self.connection.refresh_from_db()
        probe = next(one for one in self.connection.preflight["probes"] if "Nothing" in one["title"])
        assert probe["ok"] is False and "Nothing" in probe["problem"]
