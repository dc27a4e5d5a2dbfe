"""Collections and actions on the dashboard: by state, and the time from ask to approval to done."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from ircase.models import Activity, Approval, Case
from liveresponse.models import Collection, ResponseAction
from tests.ircase.test_dashboard import panel, row, tile
from tests.liveresponse.test_actions import ActionTestCase

MINUTE = 60


class ResponsePanelTests(ActionTestCase):
    def an_action(self, kind: str, state: str, *, days: float = 1, approved: int = 0, ended: int = 0) -> ResponseAction:
        """Asked for `days` ago, approved and ended so many minutes later."""
        asked = timezone.now() - timedelta(days=days)
        batch = self.ask(kind)
        values = {"state": state, "requested_at": asked, "effect": "confirmed" if state == "done" else ""}
        ResponseAction.objects.filter(pk=batch.pk).update(**values)
        if ended:
            Activity.objects.filter(pk=batch.activity_id).update(ended_at=asked + timedelta(minutes=ended), state=state)
        if approved:
            Approval.objects.filter(subject=batch.batch).update(
                state="approved", decided_by=self.alice, decided_at=asked + timedelta(minutes=approved)
            )
        else:
            Approval.objects.filter(subject=batch.batch).update(state="withdrawn")
        return batch

    def test_actions_by_state_and_their_times(self) -> None:
        self.an_action("isolate", "done", approved=10, ended=40)
        self.an_action("isolate", "done", approved=30, ended=130)
        self.an_action("isolate", "failed", approved=50, ended=60)
        self.an_action("block", "refused")
        self.an_action("isolate", "done", days=100, approved=1, ended=2)
        found = panel(self.bob, "actions", compare="before")
        assert tile(found, "Asked for") == 4
        assert tile(found, "Ask to approval") == 30 * MINUTE
        # Of those that succeeded: 30 and 100 minutes, 40 and 130 minutes.
        assert tile(found, "Approval to done") == 65 * MINUTE
        assert tile(found, "Ask to done") == 85 * MINUTE
        cells = row(found, "outcomes", "Isolate from the network")
        assert [cells[n].value for n in ("Done", "Failed", "All", "Before", "Difference")] == [2, 1, 3, 1, 2]
        times = found.table("times")
        assert times is not None
        isolate = next(cells for cells in times.rows if cells[0].text == "Isolate from the network")
        # p90 of 10, 30, 50 minutes: rank 1.8.
        assert [cell.value for cell in isolate[1:4]] == [30 * MINUTE, 46 * MINUTE, 3]
        assert row(found, "effects", "Isolate from the network")["Confirmed"].value == 2

    def test_readers_see_their_own_and_the_rows_behind(self) -> None:
        self.an_action("isolate", "done", approved=10, ended=40)
        Case.objects.filter(pk=self.case.pk).update(confidential=True)
        assert [tile(panel(u, "actions"), "Asked for") for u in (self.bob, self.carol, self.mallory)] == [1, 0, 0]
        address = reverse("ircase:dashboard_behind", args=["actions"]) + "?name=isolate&state=done"
        for user, many in ((self.bob, 1), (self.carol, 0)):
            self.sign_in(user)
            reply = self.client.get(address)
            assert reply.context["page"].paginator.count == many
            assert (self.case.reference in reply.content.decode()) is (many == 1)

    def test_a_collection_of_a_batch_and_one_without_approval(self) -> None:
        now = timezone.now()
        for number, ended in enumerate((20, 30)):
            subject = f"00000000-0000-4000-8000-00000000000{number}"
            activity = Activity.objects.create(
                case=self.case, kind="collection", title="Get a file", subject=subject,
                url_name="liveresponse:collection", requested_by=self.bob, ended_at=now + timedelta(minutes=ended),
            )  # fmt: skip
            Collection.objects.create(
                case=self.case, activity=activity, connection=self.connection, definition="get-file", version=1,
                device="ws-07", requested_by=self.bob, requested_at=now, state="partial", uuid=activity.subject,
                deadline=now,
            )  # fmt: skip
        found = panel(self.bob, "collections")
        assert tile(found, "Asked for") == 2
        assert tile(found, "Ask to approval") is None
        assert tile(found, "Ask to done") == 25 * MINUTE
        assert row(found, "outcomes", "get-file")["Partly done"].value == 2
