"""Readiness as hunting knows it: hunts' last clean runs, tables asked over real sockets, techniques without data."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils import timezone

from hunting.models import HuntRun, Source, TableCheck
from hunting.services import runs, tablechecks
from ircase.models import JobState, SettingAnswer
from ircase.readiness import board
from ircase.readiness.board import State
from ircase.services.analysis import findings
from ircase.services.readiness import plans
from msapi.errors import BadRequest, Throttled
from msapi.governor import Granted, Wait
from tests.cast import CastTestCase, make_evidence
from tests.hunting.cluster import SourcesTestCase
from tests.hunting.stage import FakeProvider, frozen_hunt
from tests.liveresponse.tenant import FakeGovernor


class Parts(CastTestCase):
    def part(self, key: str, reader: Any = None) -> dict[str, board.Check]:
        parts = board.of([self.connection], reader)[self.connection.pk]
        return {check.key: check for check in next(part for part in parts if part.key == key).checks}

    def ran(self, hunt: str, state: str, days: int, *, truncated: bool = False, version: int = 1) -> None:
        """A run of the hunt that ended so many days ago."""
        given = {"TargetDevice": "ws-07"}
        run = runs.queue_run(case=self.secret_case if days % 2 else self.case, actor=self.alice,
                             frozen=frozen_hunt(hunt, **given), source=Source.CASE)  # fmt: skip
        at = timezone.now() - timedelta(days=days)
        with mock.patch.object(HuntRun._meta, "constraints", []):
            HuntRun.objects.filter(pk=run.pk).update(
                source=Source.DEFENDER, connection=self.connection, finished_at=at, hunt_version=version,
                truncated=truncated, state=JobState.FAILED if state == "failed" else JobState.QUEUED,
            )  # fmt: skip
        if state == "done":
            self.seal(run.pk)

    def seal(self, pk: int) -> None:
        item = make_evidence(self.case, self.alice, str(pk).encode(), name=f"{pk}.ndjson")
        HuntRun.objects.filter(pk=pk).update(evidence=item, state=JobState.DONE)


class HuntTests(Parts):
    def test_never_clean_old_and_failing(self) -> None:
        key = "device-logons.defender"
        assert (self.part("hunts")[key].state, self.part("hunts")[key].text) == (State.UNKNOWN, "Never run.")
        self.ran("device-logons", "done", 40)
        assert self.part("hunts")[key].text == "No clean run for 40 days."
        self.ran("device-logons", "done", 4, truncated=True)
        assert self.part("hunts")[key].state == State.AMBER
        self.ran("device-logons", "done", 3)
        assert self.part("hunts")[key].state == State.OK
        since = timezone.now() - timedelta(days=2)
        self.ran("device-logons", "failed", 2)
        self.ran("device-logons", "failed", 1)
        failing = self.part("hunts")[key]
        assert failing.state == State.RED
        assert failing.text.startswith(f"Fails since {since:%Y-%m-%d}; ")
        assert self.part("hunts")["device-logons.loganalytics"].state == State.UNKNOWN

    def test_no_case_is_named_and_the_time_is_a_day(self) -> None:
        self.ran("device-logons", "done", 1)  # on the confidential case
        check = self.part("hunts")["device-logons.defender"]
        assert (check.state, check.by_day) == (State.OK, True)
        self.sign_in(self.carol)
        page = self.client.get(reverse("ircase:readiness_part", args=[self.connection.pk, "hunts"]) + "?page=1")
        self.assertNotContains(page, self.secret_case.reference)
        self.assertNotContains(page, self.secret_case.title)

    def test_a_version_that_was_never_tried_is_said(self) -> None:
        self.ran("device-logons", "done", 1, version=0)
        assert "was not tried yet" in self.part("hunts")["device-logons.defender"].text


class TechniqueTests(Parts):
    def check(self, table: str, rows: int | None, problem: str = "") -> None:
        for source in (Source.DEFENDER, Source.LOG_ANALYTICS):
            TableCheck.objects.update_or_create(
                connection=self.connection, source=source, table=table,
                defaults={"row_count": rows, "checked_at": timezone.now(), "problem": problem},
            )  # fmt: skip

    def test_no_data_is_red_data_without_a_run_is_amber(self) -> None:
        technique = "T1547.001"  # Run keys: DeviceRegistryEvents alone
        assert self.part("techniques")[technique].state == State.AMBER
        self.check("DeviceRegistryEvents", 0)
        assert self.part("techniques")[technique].state == State.RED
        assert self.part("tables")["defender.DeviceRegistryEvents"].state == State.RED
        self.check("DeviceRegistryEvents", 7)
        assert self.part("techniques")[technique].state == State.AMBER
        self.ran("registry-run-keys", "done", 1)
        assert self.part("techniques")[technique].state == State.OK
        self.check("DeviceRegistryEvents", 7, "No such table.")
        assert self.part("techniques")[technique].state == State.RED

    def test_a_technique_that_no_hunt_looks_for_is_told_to_who_may_see_its_case(self) -> None:
        findings.add_event(case=self.case, actor=self.bob, at=timezone.now(), title="Wiped", technique="T1561.001")
        assert "T1561.001" in self.part("techniques", self.alice)
        assert "T1561.001" not in self.part("techniques", self.mallory)
        assert "T1561.001" not in self.part("techniques")


class AskingTests(Parts):
    def setUp(self) -> None:
        self.governor = FakeGovernor()
        self.enterContext(mock.patch("hunting.services.tablechecks.governor", lambda: self.governor))
        plans.save(connection=self.connection, actor=self.ada, owner=self.alice)

    def asked(self, provider: FakeProvider) -> int:
        with mock.patch("hunting.services.tablechecks.PROVIDERS", {s.value: provider for s in Source}):
            return tablechecks.run(self.connection.pk)

    def test_who_keeps_it_ready_asks(self) -> None:
        for person in (self.bob, self.carol):
            with pytest.raises(PermissionDenied):
                tablechecks.ask(connection=self.connection, actor=person)
        number = tablechecks.ask(connection=self.connection, actor=self.alice)
        rows = TableCheck.objects.filter(connection=self.connection)
        assert rows.count() == number > 10
        # A workspace's own table is not asked of Defender XDR, nor the other way round.
        assert not rows.filter(source=Source.DEFENDER, table="SigninLogs").exists()
        assert rows.filter(source=Source.LOG_ANALYTICS, table="SigninLogs").exists()
        assert tablechecks.ask(connection=self.connection, actor=self.alice) == number

    def test_rows_none_and_trouble_are_kept_with_their_time(self) -> None:
        number = tablechecks.ask(connection=self.connection, actor=self.alice)
        answer = FakeProvider(rows=[{"Found": 12, "Newest": "2026-11-20T10:00:00.1234567Z"}])
        assert self.asked(answer) == number
        row = TableCheck.objects.get(source=Source.DEFENDER, table="DeviceLogonEvents")
        assert (row.row_count, row.problem, row.has_rows) == (12, "", True)
        assert row.newest_at is not None
        assert row.newest_at.microsecond == 123456
        assert "DeviceLogonEvents | where Timestamp > ago(7d)" in " ".join(one.final_kql for one in answer.asked)
        assert self.asked(answer) == 0  # not due again
        TableCheck.objects.update(next_at=timezone.now())
        assert self.asked(FakeProvider(error=BadRequest("No table of that name."))) == number
        row.refresh_from_db()
        assert (row.row_count, row.problem, row.has_rows) == (12, "No table of that name.", False)

    def test_it_waits_for_its_turn_and_goes_on(self) -> None:
        tablechecks.ask(connection=self.connection, actor=self.alice)
        with mock.patch.object(self.governor, "acquire", lambda *_, **__: Wait(30, 4, 30)):
            assert self.asked(FakeProvider(rows=[{"Found": 1}])) == 0
        assert TableCheck.objects.filter(next_at__gt=timezone.now()).count() == 1
        tickets: list[Any] = []
        with mock.patch.object(self.governor, "acquire", lambda bucket, ticket, *more: tickets.append(more) or
                               Granted(bucket, ticket, "1")):  # fmt: skip
            assert self.asked(FakeProvider(rows=[{"Found": 1}])) > 10
        assert {more[0] for more in tickets} == {9}, "after everybody who waits for something"

    def test_too_many_calls_are_no_answer(self) -> None:
        tablechecks.ask(connection=self.connection, actor=self.alice)
        self.asked(FakeProvider(error=Throttled("Too many.", retry_after=120)))
        assert not TableCheck.objects.exclude(checked_at=None).exists()
        assert not TableCheck.objects.filter(next_at__lt=timezone.now() + timedelta(seconds=60)).exists()

    def test_the_clock_asks_what_somebody_keeps_ready(self) -> None:
        with mock.patch("ircase.jobs.send") as sent:
            tablechecks.tick()
            assert [call.args for call in sent.call_args_list] == [("hunting.check_tables", self.connection.pk)]
            TableCheck.objects.update(next_at=timezone.now() + timedelta(hours=1))
            sent.reset_mock()
            tablechecks.tick()
            assert not sent.called

    def test_settings_are_answered_from_the_assessment(self) -> None:
        rows = [{"ConfigurationId": "scid-2003", "Devices": 40, "Failing": 3},
                {"ConfigurationId": "scid-2000", "Devices": 40, "Failing": 0},
                {"ConfigurationId": "scid-2001", "Devices": 40, "Failing": 0}]  # fmt: skip
        assert tablechecks.keep_settings(self.connection, rows) == 2
        found = {row.key: (row.answer, row.note, row.answered_by) for row in SettingAnswer.objects.all()}
        assert found == {
            "tamper_protection": ("no", "Not so on 3 of 40 assessed devices.", None),
            "sensor": ("yes", "So on all 40 assessed devices.", None),
        }


class SocketTests(SourcesTestCase):
    def test_a_tenant_is_really_asked(self) -> None:
        plans.save(connection=self.connection, actor=self.ada, owner=self.alice, gap_days=30)
        with mock.patch("hunting.services.tablechecks.governor", FakeGovernor):
            tablechecks.ask(connection=self.connection, actor=self.alice)
            TableCheck.objects.exclude(table__in=["DeviceLogonEvents", tablechecks.ASSESSMENT]).delete()
            assert tablechecks.run(self.connection.pk) == 4
        found = {(row.source, row.table): row for row in TableCheck.objects.all()}
        for source in ("defender", "loganalytics", "kusto"):
            row = found[source, "DeviceLogonEvents"]
            assert row.has_rows, (source, row.problem)
            assert row.newest_at is not None
        page = board.of([self.connection], self.alice)[self.connection.pk]
        tables = next(part for part in page if part.key == "tables")
        assert tables.count(State.OK) >= 3
