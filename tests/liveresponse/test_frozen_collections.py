"""The kill switch over collections: no session is started while it stands, and none is lost by it."""

from datetime import timedelta
from unittest.mock import patch

from django.utils import timezone

from liveresponse import tasks
from liveresponse.models import Collection, CollectionState
from liveresponse.services import collections, freezing
from tests.liveresponse.test_collections import CollectionTestCase


class FrozenCollectionTests(CollectionTestCase):
    def test_a_freeze_holds_the_session_and_takes_no_turn_of_the_line(self) -> None:
        row = self.move(self.ask("get-file", Path=r"C:\loader.exe"))
        frozen = freezing.freeze(actor=self.alice, connection=self.connection, reason="Wrong devices")
        row = self.move(row)
        assert row.state == CollectionState.QUEUED
        assert row.status_text.startswith("Frozen: Contoso was frozen by Alice")
        assert (self.tenant.submitted, self.governor.released) == ([], [])
        freezing.thaw(frozen=frozen, actor=self.ada, reason="Checked")
        with patch("ircase.jobs.send") as sent:
            tasks.wake()
        sent.assert_called_once_with("liveresponse.step", row.pk)
        assert self.finish(row).state == CollectionState.DONE

    def test_a_freeze_between_turn_and_call_gives_the_turn_back(self) -> None:
        row = self.move(self.ask("get-file", Path=r"C:\loader.exe"))
        answers = iter(["", "Frozen: now"])
        with patch("liveresponse.services.freezing.hold_on", lambda connection: next(answers)):
            row = self.move(row)
        assert (row.state, row.turn) == (CollectionState.QUEUED, "")
        assert self.tenant.submitted == []
        assert len(self.governor.released) == 1
        assert self.finish(row).state == CollectionState.DONE

    def test_cancelling_in_defender_waits_for_the_thaw(self) -> None:
        row = self.move(self.move(self.ask("get-file", Path=r"C:\loader.exe")))
        frozen = freezing.freeze(actor=self.alice, connection=self.connection, reason="Wrong devices")
        collections.cancel(collection=row, actor=self.bob)
        row = self.move(row)
        assert (row.state, self.tenant.cancelled) == (CollectionState.RUNNING, [])
        assert row.status_text.startswith("Frozen:") and row.cancel_requested
        freezing.thaw(frozen=frozen, actor=self.ada, reason="Checked")
        assert self.move(row).state == CollectionState.CANCELLED
        assert self.tenant.cancelled == ["action-1"]

    def test_neither_a_silent_device_nor_a_deadline_sends_anything_out(self) -> None:
        row = self.move(self.move(self.ask("get-file", Path=r"C:\loader.exe")))
        self.tenant.looks_needed = 1000
        freezing.freeze(actor=self.alice, connection=self.connection, reason="Wrong devices")
        self.governor.held, self.governor.waiting = 25, 4
        Collection.objects.filter(pk=row.pk).update(submitted_at=timezone.now() - timedelta(minutes=11))
        assert self.move(row).state == CollectionState.RUNNING
        Collection.objects.filter(pk=row.pk).update(deadline=timezone.now())
        row = self.move(row)
        assert (row.state, self.tenant.cancelled) == (CollectionState.RUNNING, [])
        assert row.status_text.startswith("Frozen:")
