"""Bringing results home from a store and a service that are not quite ready, or never will be."""

from liveresponse.models import CollectionState
from liveresponse.runner.results import DAMAGED_LOOKS, RESULT_LOOKS
from msapi.errors import ApiError, LinkExpired, NotFound, Unauthorized
from tests.liveresponse.test_collections import CollectionTestCase


class ResultLinkTests(CollectionTestCase):
    def test_a_result_that_is_not_there_yet_is_asked_for_again(self) -> None:
        self.tenant.faults["live_response_result_link"] = [NotFound("Not yet.", status=404, permanent=True)] * 2
        row = self.finish(self.ask("get-file", Path="C:\\x.txt"))
        assert (row.state, row.failure) == (CollectionState.DONE, "")
        assert list(row.commands.filter(what="not_ready").values_list("text", flat=True)) == ["Not yet."] * 2
        assert len(self.tenant.submitted) == 1

    def test_a_result_that_never_comes_ends_the_job_and_says_where_it_is(self) -> None:
        missing: list[ApiError] = [NotFound("Defender does not know what was asked for.", status=404, permanent=True)]
        self.tenant.faults["live_response_result_link"] = missing * 40
        row = self.finish(self.ask("get-file", Path="C:\\x.txt"))
        assert row.state == CollectionState.FAILED
        assert row.commands.filter(what="not_ready").count() == RESULT_LOOKS
        assert row.failure.endswith("The session itself has ended: look for its result at machine action action-1.")

    def test_a_link_that_is_always_expired_does_not_ask_for_ever(self) -> None:
        self.tenant.faults["download"] = [LinkExpired("The download link has expired.", status=403)] * 40
        row = self.finish(self.ask("get-file", Path="C:\\x.txt"))
        assert row.state == CollectionState.FAILED
        assert "given up after" in row.failure and "clock" in row.failure
        assert row.commands.filter(what="link_expired").count() == RESULT_LOOKS


class StoppedPollingTests(CollectionTestCase):
    def test_a_session_that_is_no_longer_followed_is_not_said_to_have_ended(self) -> None:
        row = self.move(self.move(self.ask("get-file", Path="C:\\x.txt")))
        assert row.state == CollectionState.RUNNING
        self.tenant.faults["machine_action"] = [Unauthorized("The token is refused.", status=401)]
        row = self.move(row)
        assert row.state == CollectionState.FAILED
        assert row.failure == (
            "The token is refused. Defender still has machine action action-1: look at the device in the portal."
        )


class DamagedTests(CollectionTestCase):
    def test_bytes_that_are_not_the_stores_are_fetched_again(self) -> None:
        self.tenant.damaged = DAMAGED_LOOKS
        row = self.finish(self.ask("get-file", Path="C:\\x.txt"))
        assert (row.state, row.failure) == (CollectionState.DONE, "")
        assert row.commands.filter(what="trouble", text__contains="not those that the store keeps").count() == 3
        assert (row.evidence.count(), len(self.tenant.submitted)) == (1, 1)

    def test_bytes_that_never_are_the_stores_are_kept_and_said_to_be_so(self) -> None:
        self.tenant.damaged = 40
        row = self.finish(self.ask("get-file", Path="C:\\x.txt"))
        assert row.state == CollectionState.PARTIAL
        assert row.output is not None and row.output.partial
        assert row.output.name == "x.txt", "it could be unpacked"
        assert "not those that the store keeps" in row.output.manifest["fault"] and "not those" in row.failure
