"""Queueing alone and in packs, repeating, judging, and rows becoming findings."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from hunting import rowfacts
from hunting.binding import attach_kql
from hunting.catalogue import hunts, packs
from hunting.models import HuntRun, Source
from hunting.services import rows, runs
from hunting.services.packs import queue_pack
from hunting.services.sources import missing_tables
from ircase.grid import Filter, GridError, page
from ircase.models import Activity, Asset, Case, LogEntry
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.analysis.tables import columns_of
from ircase.services.transfer.exports import safe_cell
from tests.cast import CastTestCase, make_case, make_user
from tests.hunting.stage import done_run, frozen_hunt, make_table, queue_hunt, queue_kql

ROW = {
    "Timestamp": "2026-11-20T17:00:00.1234567Z", "DeviceName": "WS01.contoso.com", "ActionType": "ProcessCreated",
    "FileName": "loader.exe", "SHA256": "AB" * 32, "AccountName": "bob", "ProcessCommandLine": "loader.exe -x",
}  # fmt: skip


class QueueTests(CastTestCase):
    def test_a_queued_run_is_frozen_and_known_to_the_case(self) -> None:
        with self.captureOnCommitCallbacks(execute=False) as wakened:
            run = queue_hunt(self.case, self.bob, "registry-run-keys", Source.DEFENDER, TargetDevice="ws01")
        assert len(wakened) == 1
        assert (run.state, run.hunt_id, run.hunt_version, run.priority) == ("queued", "registry-run-keys", 1, 1)
        assert run.final_kql == run.prelude + run.kql
        assert (run.identity, run.connection) == (self.connection.client_id, self.connection)
        activity = Activity.objects.get(subject=run.uuid)
        assert (activity.kind, activity.state, activity.url_name) == ("hunt", "queued", "hunting:run")
        assert activity.detail["query"] == run.final_kql
        assert LogEntry.objects.filter(case=self.case, action="hunt.queued").count() == 1

    def test_urgent_cases_go_first(self) -> None:
        ranks = [runs.priority_of(Case(severity=s)) for s in ("critical", "high", "medium", "low", "informational")]
        assert ranks == [0, 1, 2, 3, 4]

    def test_sources_that_cannot_be_used_say_why(self) -> None:
        bare = make_case(self.alice)
        with pytest.raises(ValidationError, match="no connection"):
            queue_kql(bare, self.alice, "x", Source.DEFENDER)
        self.connection.workspace_id = ""
        self.connection.save(update_fields=["workspace_id"])
        self.case.refresh_from_db()
        with pytest.raises(ValidationError, match="workspace"):
            queue_kql(self.case, self.bob, "x", Source.LOG_ANALYTICS)
        assert runs.best_source(bare) == Source.CASE
        assert not HuntRun.objects.exists()

    def test_a_closed_case_takes_none(self) -> None:
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        cases.close_case(case=self.case, actor=self.alice, reason="over")
        self.case.refresh_from_db()
        with pytest.raises(ValidationError, match="closed"):
            queue_kql(self.case, self.bob, "x")

    def test_what_must_never_be_is_refused_by_the_database(self) -> None:
        run = queue_kql(self.case, self.bob, "x")
        for fields in ({"state": "done"}, {"source": "defender"}, {"window_start": run.window_end}):
            with pytest.raises(IntegrityError), transaction.atomic():
                HuntRun.objects.filter(pk=run.pk).update(**fields)

    def test_a_repetition_asks_exactly_the_same(self) -> None:
        run = queue_hunt(self.case, self.bob, "device-logons", TargetDevice="ws01")
        with pytest.raises(ValidationError, match="has not ended"):
            runs.retry(run=run, actor=self.bob)
        runs.cancel(run=run, actor=self.bob)
        run.refresh_from_db()
        again = runs.retry(run=run, actor=self.alice)
        assert again.retry_of == run and again.requested_by == self.alice
        for name in ("final_kql", "kql_sha256", "window_start", "window_end", "parameters", "source", "hunt_id"):
            assert getattr(again, name) == getattr(run, name), name

    def test_a_conclusion_needs_a_word_and_a_reason(self) -> None:
        run = done_run(self.case, self.bob, [])
        for verdict, sentence in (("", "x"), ("nonsense", "x"), ("confirmed", " ")):
            with pytest.raises(ValidationError):
                runs.conclude(run=run, actor=self.bob, verdict=verdict, sentence=sentence)
        assert runs.conclude(run=run, actor=self.bob, verdict="no_data", sentence="").judged_by == self.bob
        waiting = queue_kql(self.case, self.bob, "x")
        with pytest.raises(ValidationError, match="Wait"):
            runs.conclude(run=waiting, actor=self.bob, verdict="benign", sentence="x")


class PackTests(CastTestCase):
    def test_a_pack_is_queued_whole(self) -> None:
        pack = packs()["device-triage"]
        queued = queue_pack(
            case=self.case, actor=self.bob, pack=pack, given={"TargetDevice": "ws01"}, source=Source.DEFENDER
        )
        assert [run.hunt_id for run in queued.runs] == [hunt.id for hunt in pack.hunts]
        assert {run.pack for run in queued.runs} == {"device-triage"}
        assert len({run.window_end for run in queued.runs}) == 1
        assert queued.skipped == []

    def test_or_not_at_all(self) -> None:
        pack = packs()["device-triage"]
        for wrong in ({}, {"TargetDevice": "a b"}, {"TargetDevice": "ws01", "Nope": "1"}):
            with pytest.raises(ValidationError):
                queue_pack(case=self.case, actor=self.bob, pack=pack, given=wrong, source=Source.DEFENDER)
        assert not HuntRun.objects.exists() and not Activity.objects.filter(kind="hunt").exists()

    def test_hunts_without_any_table_on_the_case_are_left_out_and_named(self) -> None:
        pack = packs()["device-triage"]
        ask = {"case": self.case, "actor": self.bob, "pack": pack, "given": {"TargetDevice": "ws01"}}
        with pytest.raises(ValidationError, match="can answer no hunt of this pack"):
            queue_pack(**ask, source=Source.CASE)
        make_table(self.case, self.bob, "DeviceLogonEvents", [{"DeviceName": "ws01"}])
        queued = queue_pack(**ask, source=Source.CASE)
        assert {run.hunt_id for run in queued.runs} == {
            "device-logons", "device-inbound-connections", "lateral-movement",
        }  # fmt: skip
        skipped = {one.hunt.id: one.why for one in queued.skipped}
        assert skipped["registry-run-keys"] == "the case has no DeviceRegistryEvents."
        assert len(queued.runs) + len(skipped) == len(pack.hunts)

    def test_the_case_fills_in_what_it_knows(self) -> None:
        findings.add_asset(case=self.case, actor=self.bob, kind="account", name="bob@contoso.com")
        pack = packs()["account-triage"]
        queued = queue_pack(case=self.case, actor=self.bob, pack=pack, given={}, source=Source.DEFENDER)
        assert {run.parameters["TargetAccount"] for run in queued.runs} == {"bob@contoso.com"}

    def test_missing_tables_are_known_before(self) -> None:
        make_table(self.case, self.bob, "DeviceLogonEvents", [{"DeviceName": "ws01"}])
        assert missing_tables(self.case, hunts()["device-inbound-connections"]) == ("DeviceNetworkEvents",)


class RowTests(CastTestCase):
    def test_a_row_on_the_timeline_keeps_the_row_and_the_way_back(self) -> None:
        known, _ = findings.add_asset(case=self.case, actor=self.bob, kind="device", name="ws01.contoso.com")
        run = done_run(self.case, self.bob, [ROW])
        event = rows.add_row_to_timeline(run=run, actor=self.bob, number=1)
        assert event.at.isoformat() == "2026-11-20T17:00:00.123456+00:00"
        assert event.title == "ProcessCreated: loader.exe on WS01.contoso.com"
        assert event.row == ROW
        assert event.provenance == {"run": str(run.uuid), "row": 1, "exhibit": "E001", "hunt": ""}
        assert list(event.assets.all()) == [known]
        assert run.evidence is not None
        assert "viewed" in [entry.action for entry in run.evidence.custody.all()]

    def test_a_hunts_technique_comes_along(self) -> None:
        run = done_run(self.case, self.bob, [ROW])
        HuntRun.objects.filter(pk=run.pk).update(hunt_id="lsass-access")
        run.refresh_from_db()
        assert rows.add_row_to_timeline(run=run, actor=self.bob, number=1).technique == "T1003.001"
        assert rows.add_row_to_timeline(run=run, actor=self.bob, number=1, technique="").technique == ""

    def test_rows_that_are_not_there_or_have_no_time(self) -> None:
        run = done_run(self.case, self.bob, [{"FileName": "x"}])
        for number in (0, 2, -1, 10**9):
            with pytest.raises(ValidationError, match="no row"):
                rows.add_row_to_timeline(run=run, actor=self.bob, number=number)
        with pytest.raises(ValidationError, match="names no time"):
            rows.add_row_to_timeline(run=run, actor=self.bob, number=1)
        with pytest.raises(ValidationError, match="no row"):
            rows.add_row_to_timeline(run=queue_kql(self.case, self.bob, "x"), actor=self.bob, number=1)

    def test_assets_and_indicators_are_added_once(self) -> None:
        run = done_run(self.case, self.bob, [ROW])
        asset, new = rows.add_row_as_asset(run=run, actor=self.bob, number=1, kind="device", name="WS01")
        assert (asset.name, new) == ("ws01", True)
        assert rows.add_row_as_asset(run=run, actor=self.bob, number=1, kind="device", name="ws01") == (asset, False)
        indicator, new = rows.add_row_as_indicator(
            run=run, actor=self.bob, number=1, kind="sha256", value=str(ROW["SHA256"]), verdict="malicious"
        )
        assert (indicator.value, new, indicator.verdict) == ("ab" * 32, True, "malicious")
        with pytest.raises(ValidationError):
            rows.add_row_as_indicator(run=run, actor=self.bob, number=1, kind="nonsense", value="x")


def test_what_a_row_speaks_of() -> None:
    proposal = rowfacts.propose(
        {
            **ROW,
            "RemoteIP": "127.0.0.1",
            "RemoteUrl": "Evil.example",
            "Devices": ["a", None, 5],
            "AccountName": "SYSTEM",
        },
        hunts()["registry-run-keys"],
    )
    assert proposal.technique == "T1547.001"
    assert proposal.assets == (("device", "ws01.contoso.com"), ("device", "a"))
    assert proposal.indicators == (
        ("sha256", "ab" * 32),
        ("domain", "evil.example"),
        ("file_name", "loader.exe"),
        ("process", "loader.exe -x"),
    )


_CELL = st.none() | st.integers() | st.text(max_size=20)
_NAME = st.sampled_from(["DeviceName", "RemoteIP", "SHA256", "Timestamp", "AccountName"]) | st.text(max_size=10)


@given(st.dictionaries(_NAME, _CELL | st.lists(_CELL, max_size=3), max_size=6))
@settings(max_examples=100, deadline=None)
def test_any_row_gives_a_proposal(record: dict[str, object]) -> None:
    proposal = rowfacts.propose(record, None)
    assert len(proposal.title) <= 300
    kinds = set(Asset.Kind.values)
    assert all(kind in kinds and name for kind, name in proposal.assets)


@given(st.text(max_size=50))
@settings(max_examples=100, deadline=None)
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    cell = safe_cell(text)
    assert cell.endswith(text)
    if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        float(cell)


class GridTests(HypothesisTestCase):
    """The grid over a hunt's result: whatever is typed, it is a condition or an error, never SQL."""

    @classmethod
    def setUpTestData(cls) -> None:
        alice = make_user("alice", "analyst")
        case = make_case(alice)
        cls.table = make_table(case, alice, "DeviceEvents", [
            {"DeviceName": name, "ReportId": number, "AdditionalFields": {"a": name}}
            for number, name in enumerate(["b", "a", "'; DROP TABLE x; --", "", "100%", "a_b"])
        ])  # fmt: skip

    @given(
        column=st.sampled_from(["DeviceName", "ReportId", "AdditionalFields", "file_row_number", '"', "1=1"])
        | st.text(),
        operator=st.sampled_from(["contains", "equals", "not", "empty", "present", "LIKE"]) | st.text(max_size=5),
        text=st.text(max_size=40) | st.sampled_from(["' OR '1'='1", "%", "_", "\\", "a"]),
        sort=st.sampled_from(["", "DeviceName", "-ReportId", "1; SELECT 1", "-"]) | st.text(max_size=20),
    )
    @settings(max_examples=60, deadline=None)
    def test_any_question_is_answered_or_refused(self, column: str, operator: str, text: str, sort: str) -> None:
        columns = columns_of(self.table)
        try:
            found = page(self.table.path, columns, sort=sort, filters=[Filter(column, text, operator)])  # type: ignore[arg-type]
        except GridError:
            return
        assert column in {c.name for c in columns} and found.total == 6
        names = [row.cells[0] for row in found.rows]
        if column == "DeviceName" and operator == "contains":
            all_names = ["b", "a", "'; DROP TABLE x; --", "", "100%", "a_b"]
            assert sorted(map(str, names)) == sorted(n for n in all_names if text.lower() in n.lower())


def test_own_kql_is_kept_as_it_was_written() -> None:
    text = "  DeviceEvents\r\n| take 1 // ünï\t"
    assert attach_kql(kql=text).final_kql == text
    assert frozen_hunt("device-logons", TargetDevice="ws01").prelude.count("let ") == 3
