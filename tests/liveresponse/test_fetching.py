"""Bringing results home from a store and a service that are not quite ready, or never will be."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from liveresponse.models import Collection, CollectionState
from liveresponse.runner.results import DAMAGED_LOOKS, RESULT_LOOKS
from liveresponse.services import going_on
from msapi.errors import ApiError, Forbidden, LinkExpired, NotFound, Unauthorized
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


class GoingOnTests(CollectionTestCase):
    """A right that was lacking for a while: what the device did is fetched once it is there again, and run once."""

    def stopped(self, fault: ApiError, moves: int) -> Collection:
        row = self.ask("get-file", Path="C:\\x.txt")
        for _ in range(moves):
            row = self.move(row)
        self.tenant.faults["machine_action"] = self.tenant.faults["live_response_result_link"] = [fault]
        row = self.finish(row)
        self.tenant.faults.clear()
        assert row.state == CollectionState.FAILED, row.failure
        return row

    def test_what_failed_for_a_lacking_right_goes_on_and_runs_once(self) -> None:
        for fault in (
            Unauthorized("The token is refused.", status=401),
            Forbidden("No Machine.LiveResponse.", status=403),
        ):
            row = self.stopped(fault, moves=2)
            self.sign_in(self.bob)
            page = reverse("liveresponse:collection", args=[self.case.reference, row.uuid])
            address = reverse("liveresponse:go_on", args=[self.case.reference, row.uuid])
            self.assertContains(self.client.get(page), address)
            submitted = len(self.tenant.submitted)
            self.client.post(address)
            row = self.finish(self.fresh(row))
            assert (row.state, row.failure) == (CollectionState.DONE, ""), row.failure
            assert len(self.tenant.submitted) == submitted, "nothing was run a second time"
            row.activity.refresh_from_db()
            assert (row.activity.state, row.evidence.count()) == ("done", 1)
            assert row.commands.filter(what="resumed", text__contains="fetched anew").count() == 1
            self.assertNotContains(self.client.get(page), address)
            with pytest.raises(ValidationError, match="nothing of it to go on with"):
                going_on.go_on(collection=row, actor=self.bob)

    def test_what_never_reached_the_device_is_asked_for_again_instead(self) -> None:
        row = self.ask("get-file", Path="C:\\x.txt")
        self.tenant.faults["machine"] = [Forbidden("No Machine.Read.All.", status=403, permanent=True)]
        row = self.finish(row)
        assert (row.state, going_on.stopped_in(row)) == (CollectionState.FAILED, "")

    def test_readers_and_strangers_do_not(self) -> None:
        row = self.stopped(Unauthorized("The token is refused.", status=401), moves=2)
        address = reverse("liveresponse:go_on", args=[self.case.reference, row.uuid])
        for who, code in ((self.carol, 403), (self.mallory, 404)):
            self.sign_in(who)
            assert self.client.post(address).status_code == code


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
