"""Packs: saved in versions, frozen at once, going on by what a step found, whatever dies meanwhile."""

from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from hunting import catalogue, shelf
from hunting.catalogue import HuntError, Pack, pack_from
from hunting.importing import export_pack, read
from hunting.models import HuntRun, PackRun, PackStep, Source
from hunting.services import packbook, packs, runs, steps
from hunting.services.packs import QueuedPack, progress
from hunting.tasks import advance_pack
from ircase.models import CaseMember, JobState, LogEntry
from tests.cast import CastTestCase
from tests.hunting.stage import FakeProvider, answering, columns_for, work

ROW = {"Timestamp": "2026-11-20T17:00:00Z", "DeviceName": "ws01", "ActionType": "x"}
LOGONS, RUN_KEYS, LSASS = "device-logons", "registry-run-keys", "lsass-access"


def content(*hunts: Any, **more: Any) -> dict[str, Any]:
    return {"title": "Spreading", "description": "In order.", "entity": "device", "hunts": list(hunts), **more}


def chain() -> Pack:
    """The second only if the first had hits, the third only if the second had."""
    found = content(LOGONS, {"hunt": RUN_KEYS, "only_if": LOGONS}, {"hunt": LSASS, "only_if": RUN_KEYS})
    return pack_from({**found, "id": "spreading", "version": 1}, catalogue.hunts())


def answered(run: HuntRun, *rows: dict[str, Any], error: Exception | None = None) -> HuntRun:
    with answering(FakeProvider(columns_for([ROW], "DeviceLogonEvents"), rows, error=error)):
        return work(run)


class PackCase(CastTestCase):
    def queue(self, pack: Pack | None = None) -> QueuedPack:
        return packs.queue_pack(
            case=self.case, actor=self.bob, pack=pack or chain(), given={"TargetDevice": "ws01"}, source=Source.DEFENDER
        )

    def states(self, pack_run: PackRun) -> list[tuple[str, str]]:
        return list(pack_run.steps.order_by("position").values_list("state", "why"))


class ConditionTests(PackCase):
    def test_only_what_has_no_condition_begins_and_all_ask_about_one_window(self) -> None:
        queued = self.queue()
        assert [run.hunt_id for run in queued.runs] == [LOGONS]
        assert [step.hunt_id for step in queued.waiting] == [RUN_KEYS, LSASS]
        run = answered(queued.runs[0], ROW)
        [second] = packs.advance(queued.pack_run.pk)
        assert (second.hunt_id, second.pack) == (RUN_KEYS, "spreading")
        assert second.window_end == run.window_end and second.parameters["TargetDevice"] == "ws01"
        assert second.queued_at > second.window_end

    def test_no_hits_end_all_that_waits_for_them_and_say_so(self) -> None:
        queued = self.queue()
        answered(queued.runs[0])
        assert packs.advance(queued.pack_run.pk) == []
        title = catalogue.hunts()[LOGONS].title
        second = catalogue.hunts()[RUN_KEYS].title
        assert self.states(queued.pack_run) == [
            ("started", ""),
            ("not_run", f"{title} had no hits"),
            ("not_run", f"{second} was not run"),
        ]
        said = LogEntry.objects.filter(case=self.case, action="hunt.step_not_run").order_by("sequence")
        assert [entry.detail["reason"] for entry in said] == [f"{title} had no hits", f"{second} was not run"]
        [how] = progress([queued.pack_run])
        assert (how.total, how.ended, how.with_hits, how.waiting, how.not_run) == (3, 3, 0, 0, 2)
        assert not how.is_open

    def test_a_failed_and_a_cancelled_run_are_no_hits_and_say_which(self) -> None:
        queued = self.queue()
        answered(queued.runs[0], error=RuntimeError("gone"))
        packs.advance(queued.pack_run.pk)
        assert self.states(queued.pack_run)[1][1].endswith(" failed")
        other = self.queue()
        runs.cancel(run=other.runs[0], actor=self.bob)
        packs.advance(other.pack_run.pk)
        assert self.states(other.pack_run)[1][1].endswith(" was cancelled")

    def test_a_step_that_the_source_cannot_answer_takes_what_waits_for_it_along(self) -> None:
        pack = pack_from(
            {**content(LOGONS, {"hunt": LSASS, "only_if": LOGONS}, RUN_KEYS), "id": "mixed", "version": 1},
            catalogue.hunts(),
        )
        with mock.patch("hunting.services.packs._why_not", lambda _c, hunt, _s: "no." if hunt.id == LOGONS else ""):
            queued = self.queue(pack)
        assert [run.hunt_id for run in queued.runs] == [RUN_KEYS]
        assert [one.hunt.id for one in queued.skipped] == [LOGONS]
        assert [state for state, _ in self.states(queued.pack_run)] == ["not_run", "not_run", "started"]

    def test_the_end_of_a_run_wakes_a_worker_for_the_step_that_waits(self) -> None:
        queued = self.queue()
        with self.captureOnCommitCallbacks() as wakened:
            answered(queued.runs[0], ROW)
        with mock.patch("ircase.jobs.current_app.send_task") as send:
            for wake in wakened:
                wake()
        assert ("hunting.advance_pack", [queued.pack_run.pk]) in [
            (c.args[0], c.kwargs["args"]) for c in send.mock_calls
        ]


class CrashTests(PackCase):
    def test_a_lost_message_is_sent_again_by_the_clock_until_nothing_is_due(self) -> None:
        queued = self.queue()
        with mock.patch("ircase.jobs.current_app.send_task") as send:
            assert steps.nudge_due() == 0
            answered(queued.runs[0], ROW)
            assert steps.nudge_due() == 1
            assert send.call_args == mock.call("hunting.advance_pack", args=[queued.pack_run.pk])
            advance_pack(queued.pack_run.pk)
            assert steps.nudge_due() == 0
        assert HuntRun.objects.filter(pack="spreading").count() == 2

    def test_a_worker_that_dies_between_leaves_the_step_waiting_and_the_next_starts_it_once(self) -> None:
        queued = self.queue()
        answered(queued.runs[0], ROW)
        with (
            mock.patch("hunting.services.runs.jobs.enqueue", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            packs.advance(queued.pack_run.pk)
        assert self.states(queued.pack_run)[1][0] == "waiting"
        assert HuntRun.objects.filter(pack="spreading").count() == 1
        assert [run.hunt_id for run in packs.advance(queued.pack_run.pk)] == [RUN_KEYS]
        assert packs.advance(queued.pack_run.pk) == []
        assert HuntRun.objects.filter(pack="spreading").count() == 2

    def test_two_workers_at_once_start_a_step_once(self) -> None:
        queued = self.queue()
        answered(queued.runs[0], ROW)
        seen = steps.waiting(queued.pack_run)
        packs.advance(queued.pack_run.pk)
        with mock.patch("hunting.services.steps.waiting", lambda _: seen):
            assert packs.advance(queued.pack_run.pk) == []
        assert HuntRun.objects.filter(hunt_id=RUN_KEYS).count() == 1

    def test_a_right_that_was_taken_away_meanwhile_is_missed_where_it_is_used(self) -> None:
        queued = self.queue()
        answered(queued.runs[0], ROW)
        CaseMember.objects.filter(case=self.case, user=self.bob).delete()
        assert packs.advance(queued.pack_run.pk) == []
        state, why = self.states(queued.pack_run)[1]
        assert state == "not_run" and "may no longer run hunts" in why


class RetryTests(PackCase):
    def test_a_retry_with_hits_goes_on_where_the_first_try_ended(self) -> None:
        queued = self.queue()
        first = answered(queued.runs[0], error=RuntimeError("gone"))
        packs.advance(queued.pack_run.pk)
        again = runs.retry(run=first, actor=self.bob)
        assert [state for state, _ in self.states(queued.pack_run)] == ["started", "waiting", "waiting"]
        answered(again, ROW)
        [second] = packs.advance(queued.pack_run.pk)
        assert second.hunt_id == RUN_KEYS and second.window_end == first.window_end
        assert queued.pack_run.steps.get(position=1).run == again

    def test_what_has_run_already_is_not_run_again(self) -> None:
        queued = self.queue()
        first = answered(queued.runs[0], ROW)
        packs.advance(queued.pack_run.pk)
        answered(runs.retry(run=first, actor=self.bob), ROW)
        assert packs.advance(queued.pack_run.pk) == []
        assert HuntRun.objects.filter(hunt_id=RUN_KEYS).count() == 1


class StopTests(PackCase):
    def test_stopping_ends_what_waits_and_cancels_what_runs(self) -> None:
        queued = self.queue()
        packs.stop(pack_run=queued.pack_run, actor=self.alice)
        assert [why for _, why in self.states(queued.pack_run)[1:]] == ["Alice stopped the pack"] * 2
        run = HuntRun.objects.get(pk=queued.runs[0].pk)
        assert run.state == JobState.CANCELLED
        assert LogEntry.objects.filter(case=self.case, action="hunt.pack_stopped").count() == 1
        # Stopped by a person: a retry of the first starts nothing that the person stopped.
        answered(runs.retry(run=run, actor=self.bob), ROW)
        assert packs.advance(queued.pack_run.pk) == []


class SavedPackTests(CastTestCase):
    def save(self, *hunts: Any, edited_from: int = 0, **more: Any) -> Any:
        return packbook.save_pack(
            actor=self.alice, slug="spreading", content=content(*hunts, **more), edited_from=edited_from
        )

    def test_a_saved_pack_is_found_beside_the_shipped_ones_and_runs(self) -> None:
        self.save(LOGONS, {"hunt": RUN_KEYS, "only_if": LOGONS})
        pack = shelf.pack("spreading")
        assert pack is not None and [s.only_if for s in pack.steps] == ["", LOGONS]
        assert set(shelf.packs()) == {*catalogue.packs(), "spreading"}
        queued = packs.queue_pack(
            case=self.case, actor=self.bob, pack=pack, given={"TargetDevice": "ws01"}, source=Source.DEFENDER
        )
        assert (queued.pack_run.pack_version, len(queued.runs), len(queued.waiting)) == (1, 1, 1)

    def test_a_new_version_is_not_what_a_pack_at_work_goes_on_with(self) -> None:
        self.save(LOGONS, {"hunt": RUN_KEYS, "only_if": LOGONS})
        pack = shelf.pack("spreading")
        assert pack is not None
        queued = packs.queue_pack(
            case=self.case, actor=self.bob, pack=pack, given={"TargetDevice": "ws01"}, source=Source.DEFENDER
        )
        assert self.save(LOGONS, LSASS, edited_from=1).number == 2
        answered(queued.runs[0], ROW)
        assert [run.hunt_id for run in packs.advance(queued.pack_run.pk)] == [RUN_KEYS]

    def test_what_does_not_hold_together_is_refused_with_words(self) -> None:
        for hunts, says in (
            (["no-such-hunt"], "not in the library"),
            ([LOGONS, LOGONS], "twice"),
            ([{"hunt": LOGONS, "only_if": RUN_KEYS}, RUN_KEYS], "does not stand before"),
            ([{"hunt": LOGONS, "only_if": LOGONS}], "does not stand before"),
            ([], "hunts"),
        ):
            with pytest.raises(ValidationError, match=says):
                self.save(*hunts)
        with pytest.raises(ValidationError, match="taken"):
            packbook.save_pack(actor=self.alice, slug="device-triage", content=content(LOGONS))
        with pytest.raises(HuntError):
            pack_from({"id": "x", "version": 1, "hunts": [LOGONS]}, catalogue.hunts())
        assert not PackStep.objects.exists()

    def test_who_was_slower_loses_nothing(self) -> None:
        self.save(LOGONS)
        self.save(LOGONS, RUN_KEYS, edited_from=1)
        with pytest.raises(ValidationError, match="saved version 2 while"):
            self.save(LSASS, edited_from=1)
        assert self.save(LOGONS, RUN_KEYS, edited_from=2).number == 2

    def test_an_analyst_who_leads_nothing_saves_no_pack(self) -> None:
        with pytest.raises(PermissionDenied):
            packbook.save_pack(actor=self.bob, slug="spreading", content=content(LOGONS))

    def test_a_retired_pack_is_gone_from_lists_and_comes_back(self) -> None:
        saved = self.save(LOGONS).saved
        packbook.retire(saved=saved, actor=self.ada)
        assert "spreading" not in shelf.packs() and shelf.pack("spreading") is not None
        packbook.restore(saved=saved, actor=self.ada)
        assert "spreading" in shelf.packs()

    def test_its_yaml_is_read_back_as_it_was(self) -> None:
        self.save(LOGONS, {"hunt": RUN_KEYS, "only_if": LOGONS})
        pack = shelf.pack("spreading")
        assert pack is not None
        [again] = read(export_pack(pack).encode(), name="spreading.yaml").packs()
        assert [(s.hunt, s.only_if) for s in again.hunts] == [(LOGONS, ""), (RUN_KEYS, LOGONS)]
