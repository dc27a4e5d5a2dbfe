"""The kill switch over collections: no session is started while it stands, and none is lost by it."""

from unittest.mock import patch

from liveresponse import tasks
from liveresponse.models import CollectionState
from liveresponse.services import freezing
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
