"""Watches: asked again by the clock, compared with all that was seen, and stopped for a reason. The clock is moved."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from hunting import watcher
from hunting.binding import attach_kql, moved
from hunting.models import HuntRun, Source, Watch, WatchTurn
from hunting.services import runs, turns, watching
from hunting.tasks import compare_turn
from ircase.models import Case, JobState, LogEntry, Notice
from ircase.services import cases
from tests.cast import CastTestCase
from tests.hunting.stage import FakeProvider, answering, columns_for, done_run, frozen_hunt, quiet_heart, work

START = datetime.fromisoformat("2026-11-20T18:00:00+00:00")
Rows = Sequence[Mapping[str, Any]]


def row(number: int, **more: Any) -> dict[str, Any]:
    device = {"DeviceName": f"ws{number}", "FileName": "a.exe", "ProcessId": number}
    return {"Timestamp": f"2026-11-20T17:0{number}:00Z", **device, **more}


class WatchCase(CastTestCase):
    def setUp(self) -> None:
        self.now = START
        moved_clock = mock.patch("django.utils.timezone.now", lambda: self.now)
        moved_clock.start()
        self.addCleanup(moved_clock.stop)
        self.run_ = done_run(self.case, self.bob, [row(1), row(2)])

    def watch(self, **more: Any) -> Watch:
        return watching.watch_run(run=self.run_, actor=self.bob, **{"every_hours": 6, "key": [], **more})

    @contextmanager
    def messages(self) -> Iterator[list[tuple[str, int]]]:
        sent: list[tuple[str, int]] = []
        with mock.patch("ircase.jobs.send", lambda task, pk: sent.append((task, pk))):
            yield sent

    def tick(self) -> list[tuple[str, int]]:
        with self.messages() as sent:
            turns.tick()
        return sent

    def answer(self, watch: Watch, rows: Rows, *, cut: bool = False) -> WatchTurn:
        """The turn that is due: asked, answered with these rows (`cut`: the service held some back), compared."""
        self.tick()
        turn = watch.turns.get(state=JobState.QUEUED)
        with answering(FakeProvider(columns_for(rows) if rows else (), rows)):
            work(HuntRun.objects.get(pk=turn.run_id))
        HuntRun.objects.filter(pk=turn.run_id).update(truncated=cut)
        assert ("hunting.compare_turn", turn.pk) in self.tick()
        with quiet_heart():
            compare_turn(turn.pk)
        turn.refresh_from_db()
        return turn

    def hours(self, number: float) -> None:
        self.now += timedelta(hours=number)


class ClockTests(WatchCase):
    def test_it_is_asked_when_it_is_due_and_not_before(self) -> None:
        watch = self.watch()
        self.hours(5.9)
        self.tick()
        assert not watch.turns.exists()
        self.hours(0.2)
        self.tick()
        turn = watch.turns.get()
        watch.refresh_from_db()
        assert (turn.number, turn.state, watch.turn_count) == (1, JobState.QUEUED, 1)
        assert watch.next_at == timezone.now() + timedelta(hours=6)
        assert turn.run.window_end == timezone.now()
        assert turn.run.requested_by == self.bob
        assert turn.run.priority == self.run_.priority + 5
        assert turn.run.activity.detail["watch"] == str(watch.uuid)

    def test_two_clocks_and_a_killed_one_ask_once(self) -> None:
        watch = self.watch()
        self.hours(7)
        with self.messages():
            first, second = turns.ask_again(watch.pk), turns.ask_again(watch.pk)
        assert first is not None and second is None
        # A clock that read the watch before another one moved it finds nothing to move.
        WatchTurn.objects.update(state=JobState.DONE)
        self.hours(7)
        stale = Watch.objects.with_people().get(pk=watch.pk)
        with self.messages():
            assert turns.ask_again(watch.pk) is not None
            WatchTurn.objects.update(state=JobState.DONE)
            with mock.patch.object(Watch.objects, "with_people", lambda: mock.Mock(get=lambda pk: stale)):
                assert turns.ask_again(watch.pk) is None
        assert watch.turns.count() == 2
        # Killed between the row of the run and the end of the transaction: nothing has happened.
        WatchTurn.objects.all().update(state=JobState.DONE)
        before = (HuntRun.objects.count(), watch.turns.count())
        self.hours(7)
        with pytest.raises(SystemExit), mock.patch.object(WatchTurn.objects, "create", side_effect=SystemExit):
            turns.ask_again(watch.pk)
        assert (HuntRun.objects.count(), watch.turns.count()) == before
        assert turns.ask_again(watch.pk) is not None

    def test_one_turn_at_a_time_and_a_long_sleep_is_made_up_by_one(self) -> None:
        watch = self.watch()
        self.hours(6)
        self.tick()
        self.hours(30)
        self.tick()
        assert watch.turns.count() == 1
        WatchTurn.objects.update(state=JobState.DONE)
        self.tick()
        assert watch.turns.count() == 2
        # The base window is a week long: no need to reach back further.
        run = watch.turns.get(number=2).run
        assert run.window_end - run.window_start == timedelta(days=7)

    def test_a_window_reaches_back_to_the_last_answer(self) -> None:
        frozen = frozen_hunt("registry-run-keys", SearchWindow="2h")
        assert frozen.window.end == START
        later = moved(frozen, end=START + timedelta(hours=6), since=START)
        assert later.window.start == START
        assert "let SearchWindow = time(06:00:00);" in later.prelude or "360m" in later.parameters["SearchWindow"]
        assert later.parameters["AsOf"] == "2026-11-21T00:00:00.0000000Z"
        assert later.kql == frozen.kql and "2026-11-21" in later.final_kql
        assert "2026-11-20T18" not in later.prelude
        same = moved(frozen, end=START + timedelta(hours=1), since=START)
        assert same.parameters["SearchWindow"] == "2h"
        assert same.window.start == START - timedelta(hours=1)

    def test_a_source_that_is_switched_off_is_said_and_asked_again_later(self) -> None:
        watch = self.watch()
        self.connection.enabled = False
        self.connection.save(update_fields=["enabled"])
        self.hours(6)
        self.tick()
        turn = watch.turns.get()
        assert turn.state == JobState.FAILED and "switched off" in turn.reason
        self.connection.enabled = True
        self.connection.save(update_fields=["enabled"])
        self.hours(6)
        assert self.answer(watch, [row(3)]).new_rows == 1


class ComparingTests(WatchCase):
    def test_new_is_what_no_turn_had_before(self) -> None:
        watch = self.watch()
        self.hours(6)
        turn = self.answer(watch, [row(1), row(3)])
        assert (turn.state, turn.new_rows) == (JobState.DONE, 1)
        assert turn.first == ["Timestamp: 2026-11-20T17:03:00.0000000Z, DeviceName: ws3, FileName: a.exe, ProcessId: 3"]
        self.hours(6)
        assert self.answer(watch, []).new_rows == 0
        self.hours(6)
        # 2 was in the first run only, 3 in the turn before the last: both were seen.
        assert self.answer(watch, [row(2), row(3)]).new_rows == 0
        watch.refresh_from_db()
        assert watch.new_total == 1

    def test_by_columns_a_row_is_new_once(self) -> None:
        watch = self.watch(key=["DeviceName"])
        self.hours(6)
        assert self.answer(watch, [row(1, ProcessId=77)]).new_rows == 0
        self.hours(6)
        turn = self.answer(watch, [row(9, Timestamp="2026-11-20T17:00:00Z"), row(1)])
        assert turn.new_rows == 1 and turn.first == ["DeviceName: ws9"]

    def test_what_was_seen_is_found_again_without_its_file(self) -> None:
        watch = self.watch()
        self.hours(6)
        self.answer(watch, [row(3)])
        Watch.objects.update(seen_file="gone.parquet")
        self.hours(6)
        assert self.answer(watch, [row(1), row(3), row(4)]).new_rows == 1

    def test_only_new_rows_are_told_and_once(self) -> None:
        watch = self.watch()
        self.hours(6)
        self.answer(watch, [row(1)])
        assert not Notice.objects.exists()
        self.hours(6)
        turn = self.answer(watch, [row(1), row(5, FileName="<script>alert(1)</script>")])
        assert {notice.person for notice in Notice.objects.all()} == {self.bob, self.alice}
        notice = Notice.objects.get(person=self.bob)
        assert notice.title.startswith("1 new row: ")
        compare_turn(turn.pk)  # the message comes again
        assert Notice.objects.count() == 2
        self.sign_in(self.bob)
        page = self.client.get(reverse("ircase:my_work"))
        self.assertContains(page, "&lt;script&gt;alert(1)")
        self.assertNotContains(page, "<script>alert(1)")
        rows = self.client.get(notice.path).context["rows"]
        assert [one.number for one in rows] == [2]
        self.client.post(reverse("ircase:notice", args=[notice.uuid]), {"act": "done"})
        self.assertNotContains(self.client.get(reverse("ircase:my_work")), "News for you")

    def test_who_lost_sight_of_the_case_is_not_told(self) -> None:
        watch = self.watch()
        self.hours(6)
        self.answer(watch, [row(5)])
        cases.set_confidential(case=self.case, actor=self.alice, confidential=True, reason="quiet")
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        self.sign_in(self.bob)
        self.assertNotContains(self.client.get(reverse("ircase:my_work")), "new row")

    def test_truncated_and_failed_runs_are_no_nothing_new(self) -> None:
        watch = self.watch()
        self.hours(6)
        turn = self.answer(watch, [row(1), row(6)], cut=True)
        assert turn.truncated and turn.new_rows == 1
        assert "TRUNCATED" in Notice.objects.get(person=self.bob).lines[-1]
        watch.refresh_from_db()
        assert watch.asked_until == self.run_.window_end
        self.hours(6)
        self.tick()
        turn = watch.turns.get(state=JobState.QUEUED)
        HuntRun.objects.filter(pk=turn.run_id).update(state=JobState.FAILED, reason="The service is away.")
        with quiet_heart():
            compare_turn(turn.pk)
        turn.refresh_from_db()
        assert turn.state == JobState.FAILED and turn.new_rows is None
        assert "not known" in turn.reason and "The service is away." in turn.reason
        self.sign_in(self.bob)
        self.assertContains(self.client.get(reverse("hunting:watches", args=[self.case.reference])), "Not known")

    def test_a_killed_worker_is_followed_by_another(self) -> None:
        watch = self.watch()
        self.hours(6)
        self.tick()
        turn = watch.turns.get()
        with answering(FakeProvider(columns_for([row(4)]), [row(4)])):
            work(HuntRun.objects.get(pk=turn.run_id))
        with mock.patch.object(watcher, "_keep", side_effect=SystemExit), pytest.raises(SystemExit), quiet_heart():
            compare_turn(turn.pk)
        assert WatchTurn.objects.get().state == JobState.RUNNING
        self.hours(0.1)
        assert ("hunting.compare_turn", turn.pk) in self.tick()
        with quiet_heart():
            compare_turn(turn.pk)
        turn.refresh_from_db()
        assert (turn.state, turn.new_rows, Notice.objects.count()) == (JobState.DONE, 1, 2)


class EndTests(WatchCase):
    def test_the_closed_case_stops_it_and_the_reopened_one_offers_to_resume(self) -> None:
        watch = self.watch()
        Case.objects.filter(pk=self.case.pk).update(classification="true_positive")
        closed = cases.close_case(case=self.case, actor=self.alice, reason="done")
        self.tick()
        watch.refresh_from_db()
        assert (watch.state, watch.stop) == (Watch.State.STOPPED, Watch.Stop.CLOSED)
        cases.reopen_case(case=closed, actor=self.alice, reason="it came back")
        self.hours(24)
        self.tick()
        assert not watch.turns.exists()
        self.sign_in(self.alice)
        self.assertContains(
            self.client.get(reverse("hunting:watches", args=[self.case.reference])), "stopped when the case was closed"
        )
        self.client.post(reverse("hunting:watches_resume", args=[self.case.reference]))
        watch.refresh_from_db()
        assert watch.is_active and watch.requested_by == self.alice
        assert self.answer(watch, [row(1), row(7)]).new_rows == 1

    def test_the_last_day_and_the_lost_right_stop_it(self) -> None:
        first = self.watch(until=START + timedelta(hours=10))
        second = self.watch()
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        self.hours(7)
        self.tick()
        first.refresh_from_db(), second.refresh_from_db()
        assert {first.stop, second.stop} == {Watch.Stop.RIGHT}
        assert "may no longer run hunts" in second.stopped_why
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role="analyst")
        third = self.watch(until=START + timedelta(hours=10))
        self.hours(6)
        self.tick()
        third.refresh_from_db()
        assert third.stop == Watch.Stop.UNTIL and not third.turns.exists()

    def test_paused_is_not_asked(self) -> None:
        watch = self.watch()
        watching.pause(watch=watch, actor=self.bob)
        self.hours(48)
        self.tick()
        assert not watch.turns.exists()
        watching.resume(watch=Watch.objects.with_people().get(pk=watch.pk), actor=self.bob)
        assert self.answer(watch, [row(8)]).new_rows == 1
        actions = list(
            LogEntry.objects.filter(case=self.case, action__startswith="watch.").values_list("action", flat=True)
        )
        assert sorted(actions) == ["watch.new", "watch.paused", "watch.resumed", "watch.started"]

    def test_what_cannot_be_watched(self) -> None:
        waiting = runs.queue_run(
            case=self.case, actor=self.bob, frozen=attach_kql(kql="DeviceInfo"), source=Source.DEFENDER
        )
        for wrong in (
            lambda: watching.watch_run(run=waiting, actor=self.bob),
            lambda: self.watch(every_hours=0),
            lambda: self.watch(every_hours=169),
            lambda: self.watch(key=["Nothing"]),
            lambda: self.watch(until=START - timedelta(hours=1)),
        ):
            with pytest.raises(ValidationError):
                wrong()
        assert not Watch.objects.exists()

    def test_from_the_page(self) -> None:
        self.sign_in(self.bob)
        url = reverse("hunting:watch_new", args=[self.case.reference, self.run_.uuid])
        self.assertContains(self.client.get(url), "Watch this")
        assert self.client.post(url, {"every_hours": "999"}).status_code == 422
        reply = self.client.post(url, {"every_hours": "12", "by": "key", "key": ["DeviceName", "FileName"]})
        watch = Watch.objects.get()
        assert reply["Location"] == reverse("hunting:watch", args=[self.case.reference, watch.uuid])
        assert (watch.every_hours, watch.key) == (12, ["DeviceName", "FileName"])
        self.assertContains(self.client.get(reply["Location"]), "DeviceName, FileName")
        self.client.post(reply["Location"], {"every_hours": "2"})
        watch.refresh_from_db()
        assert (watch.every_hours, watch.next_at) == (2, START + timedelta(hours=2))
        self.assertContains(self.client.get(reverse("hunting:my_watches")), self.run_.title)
        self.client.post(reverse("hunting:watch_act", args=[self.case.reference, watch.uuid]), {"act": "stop"})
        self.assertNotContains(self.client.get(reverse("hunting:my_watches")), self.run_.title)
