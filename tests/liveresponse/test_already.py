"""Before a response action is asked for, the page says what is so already, from what was read before."""

from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from ircase.services.analysis import findings
from liveresponse.kinds import KINDS
from liveresponse.models import ActionRecord, ActionState, Effect, ResponseAction
from liveresponse.services import already
from tests.cast import CastTestCase

NAME = "ws-07.contoso.com"


class AlreadyTests(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.bob)
        self.now = timezone.now()

    def record(self, type: str, status: str, minutes: int, **more: Any) -> ActionRecord:
        at = self.now - timedelta(minutes=minutes)
        device = more.pop("device", NAME)
        return ActionRecord.objects.create(
            connection=self.case.connection, action_id=f"{type}-{minutes}-{device}", type=type, status=status,
            machine_id=more.pop("machine_id", "f" * 40), device=device, host=device.split(".")[0],
            requestor="soc@contoso.com", created_at=at, updated_at=at, **more,
        )  # fmt: skip

    def known(self, kind: str = "isolate", *targets: str) -> list[already.Already]:
        return already.known(self.case, KINDS[kind], targets or (NAME,))

    def test_nothing_known_says_nothing(self) -> None:
        self.record("Isolate", "Succeeded", 5, device="ws-08.contoso.com", machine_id="e" * 40)
        self.record("Isolate", "Failed", 5)
        assert self.known() == []

    def test_isolated_before_by_somebody_else(self) -> None:
        self.record("Isolate", "Succeeded", 60)
        (one,) = self.known()
        assert (one.device, one.waits) == (NAME, False)
        assert one.text == "Isolate by soc@contoso.com succeeded and was not taken back since"
        assert self.known("restrict") == [] == self.known("release")

    def test_taken_back_since(self) -> None:
        self.record("Isolate", "Succeeded", 60)
        self.record("Unisolate", "Succeeded", 30)
        assert self.known() == []
        assert [one.waits for one in self.known("release")] == [False]

    def test_one_that_waits_counts_whatever_was_before(self) -> None:
        self.record("Unisolate", "Succeeded", 10)
        self.record("Isolate", "Pending", 5)
        (one,) = self.known()
        assert one.waits and one.text == "Isolate by soc@contoso.com has not ended yet"

    def test_a_scan_that_ended_is_no_reason_one_that_runs_is(self) -> None:
        self.record("RunAntiVirusScan", "Succeeded", 60)
        assert self.known("scan") == []
        self.record("RunAntiVirusScan", "InProgress", 5)
        assert [one.waits for one in self.known("scan")] == [True]

    def test_by_its_id_and_by_its_host_name(self) -> None:
        findings.add_asset(
            case=self.case, actor=self.bob, kind="device", name="renamed.contoso.com", identifier="A" * 40
        )
        self.record("Isolate", "Succeeded", 5, device="old-name", machine_id="a" * 40)
        assert [one.device for one in self.known("isolate", "renamed.contoso.com")] == ["renamed.contoso.com"]
        self.record("Isolate", "Succeeded", 5, device="ws-09", machine_id="d" * 40)
        assert [one.device for one in self.known("isolate", "ws-09.contoso.com")] == ["ws-09.contoso.com"]
        self.record("Isolate", "Succeeded", 5, device="ws-10.fabrikam.com", machine_id="c" * 40)
        assert self.known("isolate", "ws-10.contoso.com") == []

    def test_what_a_confidential_case_began_is_not_told_elsewhere(self) -> None:
        self.record("Isolate", "Succeeded", 5, case=self.secret_case, ours=True)
        assert self.known() == []

    def test_what_this_case_did_counts_without_the_log(self) -> None:
        self.ask(go_on="")
        ResponseAction.objects.update(state=ActionState.DONE, effect=Effect.CONFIRMED, effect_at=self.now)
        (one,) = self.known()
        assert one.text == "Isolate by Bob succeeded and was not taken back since"

    def test_a_fixed_number_of_queries(self) -> None:
        names = [f"ws-{n}.contoso.com" for n in range(40)]
        for name in names:
            self.record("Isolate", "Succeeded", 5, device=name, machine_id=name.encode().hex()[:40])
        with self.assertNumQueries(3):
            assert len(self.known("isolate", *names)) == 40

    def ask(self, **form: str) -> Any:
        values = {"other": NAME, "reason": "It spreads", "isolation": "Full", **form}
        return self.client.post(reverse("liveresponse:action_ask", args=[self.case.reference, "isolate"]), values)

    def test_the_page_asks_before_it_asks(self) -> None:
        self.record("Isolate", "Succeeded", 60)
        reply = self.ask()
        assert reply.status_code == 422
        page = reply.content.decode()
        assert "Isolate by soc@contoso.com succeeded" in page and "It spreads" in page
        assert not ResponseAction.objects.exists()
        assert self.ask(go_on="1").status_code == 302
        assert ResponseAction.objects.get().target == NAME

    def test_the_page_says_it_of_a_device_that_it_was_opened_for(self) -> None:
        self.record("Isolate", "Succeeded", 60)
        url = reverse("liveresponse:action_ask", args=[self.case.reference, "isolate"])
        assert "may need it no more" in self.client.get(url, {"target": NAME}).content.decode()
        assert "may need it no more" not in self.client.get(url).content.decode()
