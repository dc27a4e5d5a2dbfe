"""One question on several sources, and several workspaces as one: queued together, shown together, marked by source."""

import json
import uuid
from collections import Counter
from typing import Any

from django.core.exceptions import ValidationError
from django.urls import reverse

from hunting import results
from hunting.binding import attach_kql
from hunting.models import HuntRun, Source
from hunting.services import batches, runs
from ircase.models import CaseRole, Connection, CustodyEntry, User
from ircase.services import approvals, cases
from ircase.services.identity import people
from ircase.services.vault import destruction
from ircase.tasks import destroy, destruction_decided
from kql import Column
from msapi.errors import Forbidden
from tests.cast import CastTestCase, make_user
from tests.hunting.cluster import SourcesTestCase, simulator
from tests.hunting.stage import FakeProvider, answering, make_table, record_of, work

LOG_ROWS = [{"TimeGenerated": "2026-11-20T10:00:00Z", "DeviceName": "ws02", "Count": 3}]
DEFENDER_ROWS = [
    {"Timestamp": "2026-11-20T11:00:00Z", "DeviceName": "ws01", "Count": "seven"},
    {"Timestamp": "2026-11-20T12:00:00Z", "DeviceName": "=cmd", "Count": "8"},
]
LOG_COLUMNS = [Column("TimeGenerated", "datetime"), Column("DeviceName", "string"), Column("Count", "long")]
DEFENDER_COLUMNS = [Column("Timestamp", "datetime"), Column("DeviceName", "string"), Column("Count", "string")]


class TogetherTests(CastTestCase):
    def asked(self, *sources: Source) -> list[HuntRun]:
        frozen = attach_kql(kql="DeviceProcessEvents | take 5", title="Odd processes")
        return runs.queue_runs(case=self.case, actor=self.bob, frozen=frozen, sources=sources)

    def answered(self) -> uuid.UUID:
        """A batch whose second source has answered before the first."""
        defender, logs = self.asked(Source.DEFENDER, Source.LOG_ANALYTICS)
        with answering(FakeProvider(LOG_COLUMNS, LOG_ROWS), Source.LOG_ANALYTICS):
            work(logs)
        with answering(FakeProvider(DEFENDER_COLUMNS, DEFENDER_ROWS)):
            work(defender)
        assert defender.batch is not None
        return defender.batch

    def get(self, name: str, batch: uuid.UUID, **query: str) -> Any:
        self.client.force_login(self.bob)
        return self.client.get(reverse(f"hunting:{name}", args=[self.case.reference, batch]), query)

    def test_one_source_has_no_batch_and_several_share_one(self) -> None:
        (alone,) = self.asked(Source.DEFENDER)
        assert alone.batch is None
        both = self.asked(Source.DEFENDER, Source.LOG_ANALYTICS, Source.DEFENDER)
        assert [run.source for run in both] == ["defender", "loganalytics"]
        assert len({run.batch for run in both}) == 1 and both[0].batch is not None
        assert len({run.kql_sha256 for run in both}) == 1

    def test_where_one_source_refuses_nothing_is_queued(self) -> None:
        Connection.objects.update(workspace_id="")
        self.case.connection.refresh_from_db()  # type: ignore[union-attr]
        with self.assertRaises(ValidationError):
            self.asked(Source.DEFENDER, Source.LOG_ANALYTICS)
        assert not HuntRun.objects.exists()

    def test_rows_stand_together_with_their_source_first(self) -> None:
        found = batches.together(self.case, self.answered())
        assert found is not None
        assert found.columns == [
            ["Source", "string"], ["Timestamp", "datetime"], ["DeviceName", "string"], ["Count", "string"],
            ["TimeGenerated", "datetime"],
        ]  # fmt: skip
        assert found.texts == {"Count": ("string", "long")}
        page = found.page(offset=0, limit=10)
        assert [row.cells for row in page.rows] == [
            ("Defender XDR", "2026-11-20T11:00:00.0000000Z", "ws01", "seven", None),
            ("Defender XDR", "2026-11-20T12:00:00.0000000Z", "=cmd", "8", None),
            ("Log Analytics", None, "ws02", "3", "2026-11-20T10:00:00.0000000Z"),
        ]

    def test_a_row_leads_back_to_its_own_run(self) -> None:
        batch = self.answered()
        found = batches.together(self.case, batch)
        assert found is not None
        defender, logs = found.runs
        assert [found.origin(number) for number in (1, 2, 3)] == [(defender, 1), (defender, 2), (logs, 1)]
        answer = self.get("batch", batch, sort="-Source")
        self.assertContains(answer, reverse("hunting:run_row", args=[self.case.reference, logs.uuid, 1]))
        self.assertContains(answer, "Types differ between the sources")
        self.assertContains(answer, "Count: string, long")

    def test_the_page_shows_what_came_so_far_and_asks_for_the_rest(self) -> None:
        defender, logs = self.asked(Source.DEFENDER, Source.LOG_ANALYTICS)
        assert defender.batch is not None
        self.assertContains(self.get("batch", defender.batch), "hx-trigger")
        with answering(FakeProvider(DEFENDER_COLUMNS, DEFENDER_ROWS)):
            work(defender)
        self.assertContains(self.get("batch", defender.batch), "ws01")
        with answering(FakeProvider(error=Forbidden("No such role.")), Source.LOG_ANALYTICS):
            work(logs)
        answer = self.get("batch", defender.batch)
        self.assertContains(answer, "No such role.")
        self.assertNotContains(answer, "every 2s")

    def test_what_was_run_again_counts_once(self) -> None:
        defender, logs = self.asked(Source.DEFENDER, Source.LOG_ANALYTICS)
        assert defender.batch is not None
        with answering(FakeProvider(error=Forbidden("No.")), Source.LOG_ANALYTICS):
            work(logs)
        again = runs.retry(run=HuntRun.objects.get(pk=logs.pk), actor=self.bob)
        assert [run.pk for run in batches.runs_of(self.case, defender.batch)] == [defender.pk, again.pk]

    def test_the_file_is_made_anew_when_another_run_ends_and_the_old_one_goes(self) -> None:
        batch = self.answered()
        first = batches.together(self.case, batch)
        assert first is not None
        again = runs.retry(run=first.runs[1], actor=self.bob)
        with answering(FakeProvider(LOG_COLUMNS, LOG_ROWS * 2), Source.LOG_ANALYTICS):
            work(again)
        second = batches.together(self.case, batch)
        assert second is not None and second.page(offset=0, limit=10).total == 4
        assert second.path.is_file() and not first.path.is_file()

    def test_with_an_exhibit_that_is_destroyed_its_rows_go_from_here_too(self) -> None:
        batch = self.answered()
        found = batches.together(self.case, batch)
        assert found is not None and found.path.is_file()
        gone, stays = found.runs[0].evidence, found.runs[1].evidence
        assert gone is not None and stays is not None
        dora = make_user("dora", User.SiteRole.ANALYST)
        cases.set_member(case=self.case, actor=self.alice, user=dora, role=CaseRole.LEAD)
        row = destruction.request(case=self.case, actor=self.alice, exhibits=[gone], why="A person asked for it.")
        approval = destruction.approval_of(row)
        assert approval is not None
        approvals.decide(approval=approval, actor=dora, approve=True, comment="Agreed")
        destruction_decided(str(row.uuid))
        destroy(row.pk)
        assert not found.path.is_file()
        page = self.get("batch", batch)
        self.assertContains(page, "ws02")
        self.assertNotContains(page, "ws01")

    def test_a_column_called_source_keeps_its_name(self) -> None:
        columns = [Column("source", "string")]
        defender, logs = self.asked(Source.DEFENDER, Source.LOG_ANALYTICS)
        with answering(FakeProvider(columns, [{"source": "theirs"}])):
            work(defender)
        assert defender.batch is not None
        found = batches.together(self.case, defender.batch)
        assert found is not None
        assert [name for name, _ in found.columns] == ["Source_", "source"]

    def test_every_type_comes_through(self) -> None:
        kinds = {
            "T": ("timespan", "1.02:03:04.5000000"), "D": ("dynamic", {"a": [1]}), "R": ("real", 0.5),
            "G": ("guid", "74be27de-1e4e-49d9-b579-fe0b331d3642"), "B": ("bool", True), "N": ("decimal", "1.25"),
        }  # fmt: skip
        columns = [Column(name, kind) for name, (kind, _) in kinds.items()]  # type: ignore[arg-type]
        defender, logs = self.asked(Source.DEFENDER, Source.LOG_ANALYTICS)
        with answering(FakeProvider(columns, [{name: value for name, (_, value) in kinds.items()}])):
            work(defender)
        with answering(FakeProvider(LOG_COLUMNS, LOG_ROWS), Source.LOG_ANALYTICS):
            work(logs)
        assert defender.batch is not None
        found = batches.together(self.case, defender.batch)
        assert found is not None
        first, second = found.page(offset=0, limit=10).rows
        alone = results.page(found.runs[0], offset=0, limit=1).rows[0]
        assert first.cells[1:7] == alone.cells
        assert first.cells[1:6] == tuple(value for _, value in kinds.values())[:5]
        assert set(second.cells[1:7]) == {None}

    def test_exports_are_written_in_each_exhibits_custody_and_safe(self) -> None:
        batch = self.answered()
        answer = self.get("batch_export", batch, format="csv", sort="Source")
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        assert text.splitlines()[0] == "Source,Timestamp,DeviceName,Count,TimeGenerated"
        assert "'=cmd" in text
        assert CustodyEntry.objects.filter(action="exported").count() == 2
        assert self.get("batch_export", batch, format="nonsense").status_code == 302

    def test_a_faulty_condition_is_said_and_shows_the_way_back(self) -> None:
        answer = self.get("batch", self.answered(), c="Nothing", o="equals", v="1")
        self.assertContains(answer, "There is no column")

    def test_the_api_asks_several_and_reads_them_together(self) -> None:
        _, token = people.create_token(user=self.bob, name="t")
        head = {"Authorization": f"Bearer {token}"}
        base = f"/api/v1/cases/{self.case.reference}/hunts"
        body = json.dumps({"sources": ["defender", "loganalytics"], "kql": "DeviceProcessEvents"})
        asked = self.client.post(f"{base}/runs", body, content_type="application/json", headers=head)
        assert asked.status_code == 202, asked.content
        batch = asked.json()["batch"]
        listed = self.client.get(f"{base}/batches/{batch}", headers=head).json()
        assert [run["source"] for run in listed["runs"]] == ["defender", "loganalytics"]
        for run in HuntRun.objects.filter(batch=batch):
            with answering(FakeProvider(LOG_COLUMNS, LOG_ROWS), Source(run.source)):
                work(run)
        rows = self.client.get(f"{base}/batches/{batch}/rows", headers=head).json()
        assert [row["Source"] for row in rows["rows"]] == ["Defender XDR", "Log Analytics"]
        none = self.client.post(f"{base}/runs", json.dumps({"kql": "x"}), content_type="application/json", headers=head)
        assert none.status_code == 422


class FormTests(CastTestCase):
    def post(self, name: str, body: dict[str, Any], *more: str) -> Any:
        self.client.force_login(self.bob)
        return self.client.post(reverse(f"hunting:{name}", args=[self.case.reference, *more]), body)

    def test_own_kql_is_asked_of_all_that_were_ticked(self) -> None:
        body = {"kql": "DeviceInfo", "source": ["defender", "loganalytics"], "span": "7d", "action": "run"}
        answer = self.post("own_kql", body)
        queued = HuntRun.objects.order_by("pk")
        assert [run.source for run in queued] == ["defender", "loganalytics"]
        self.assertRedirects(answer, reverse("hunting:batch", args=[self.case.reference, queued[0].batch]))

    def test_a_hunt_is_asked_of_all_that_were_ticked(self) -> None:
        body = {"TargetDevice": "ws01", "source": ["defender", "loganalytics"], "action": "run"}
        self.post("attach", body, "device-logons")
        assert HuntRun.objects.exclude(batch=None).count() == 2

    def test_nothing_ticked_is_said(self) -> None:
        answer = self.post("own_kql", {"kql": "DeviceInfo", "span": "7d", "action": "run"})
        self.assertContains(answer, "Tick at least one source.", status_code=422)


class WorkspacesTests(SourcesTestCase):
    """Several workspaces in one query; the second one of the simulator holds the same rows again."""

    def count(self) -> int:
        run = work(queue_recent(self, "SigninLogs | count", Source.LOG_ANALYTICS))
        assert run.state == "done", run.reason
        return int(record_of(run)[0]["Count"])

    def test_further_workspaces_are_read_in_the_same_query_and_named_in_the_manifest(self) -> None:
        alone = self.count()
        other = simulator().ready["other_workspace_id"]
        Connection.objects.filter(pk=self.connection.pk).update(workspaces=[other])
        self.case.connection.refresh_from_db()  # type: ignore[union-attr]
        assert alone > 0
        assert self.count() == 2 * alone
        run = HuntRun.objects.latest("pk")
        assert run.evidence is not None
        assert run.evidence.manifest["source"]["further_workspaces"] == [other]
        assert "2 workspaces" in next(c.where for c in runs.sources_of(self.case) if c.source == Source.LOG_ANALYTICS)

    def test_a_workspace_that_is_not_there_fails_with_words(self) -> None:
        Connection.objects.filter(pk=self.connection.pk).update(workspaces=[str(uuid.uuid4())])
        self.case.connection.refresh_from_db()  # type: ignore[union-attr]
        run = work(queue_recent(self, "SigninLogs | count", Source.LOG_ANALYTICS))
        assert run.state == "failed"
        assert "workspace could not be found" in run.reason

    def test_three_sources_answer_one_question(self) -> None:
        make_table(self.case, self.bob, "DeviceInfo", [{"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": "mine"}])
        frozen = attach_kql(kql="DeviceInfo | distinct DeviceName", span="7d")
        wanted = [Source.DEFENDER, Source.KUSTO, Source.CASE]
        queued = runs.queue_runs(case=self.case, actor=self.bob, frozen=frozen, sources=wanted)
        ended = [work(run) for run in queued]
        assert [run.state for run in ended] == ["done"] * 3, [run.reason for run in ended]
        assert queued[0].batch is not None
        found = batches.together(self.case, queued[0].batch)
        assert found is not None
        page = found.page(offset=0, limit=500)
        marks = Counter(str(row.cells[0]) for row in page.rows)
        assert marks == Counter({Source(run.source).label: run.row_count for run in ended})
        assert ("The case's own tables", "mine") in {(row.cells[0], row.cells[1]) for row in page.rows}


def queue_recent(test: SourcesTestCase, kql: str, source: Source) -> HuntRun:
    frozen = attach_kql(kql=kql, span="7d")
    return runs.queue_run(case=test.case, actor=test.bob, frozen=frozen, source=source)
