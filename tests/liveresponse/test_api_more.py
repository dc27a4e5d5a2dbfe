"""Response actions that are so already, standing approvals and a collection once more, over the API."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from ircase.models import StandingApproval
from liveresponse.models import ActionRecord, LibraryScript, ResponseAction
from tests.ircase.test_api import ApiTestCase

NAME = "ws-07.contoso.com"


class AlreadyApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = self.bob
        at = timezone.now() - timedelta(hours=1)
        ActionRecord.objects.create(
            connection=self.case.connection, action_id="1", type="Isolate", status="Succeeded", machine_id="f" * 40,
            device=NAME, host="ws-07", requestor="soc@contoso.com", created_at=at, updated_at=at,
        )  # fmt: skip

    def ask(self, **more: Any) -> Any:
        body = {"kind": "isolate", "targets": [NAME], "reason": "It spreads", **more}
        return self.call("post", self.case_path("/actions"), body)

    def test_it_says_so_and_asks_for_nothing(self) -> None:
        self.call("post", self.case_path("/assets"), {"kind": "device", "name": NAME, "identifier": "f" * 40})
        refused = self.ask()
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ircase:problem:conflict")
        assert refused.json()["already"][0]["device"] == NAME
        assert "succeeded and was not taken back since" in refused.json()["detail"]
        assert ResponseAction.objects.count() == 0
        asked = self.ask(anyway=True)
        assert asked.status_code == 202, asked.content
        assert ResponseAction.objects.count() == 1

    def test_it_can_be_asked_before(self) -> None:
        path = self.case_path(f"/actions/already?kind=isolate&target={NAME}&target=ws-99")
        (one,) = self.call("get", path).json()["items"]
        assert (one["device"], one["waits"]) == (NAME, False)
        assert self.call("get", self.case_path("/actions/already?kind=dance")).status_code == 422


class StandingApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.case_path("/standing-approvals")
        self.script = LibraryScript.objects.create(
            connection=self.connection, name="triage.ps1", sha256="a" * 64, seen_at=timezone.now()
        )

    def test_a_lead_approves_a_script_before_and_takes_it_back(self) -> None:
        body = {"script": "triage.ps1", "reason": "Every Friday", "days": 30}
        made = self.call("post", self.path, body)
        assert made.status_code == 201, made.content
        assert (made.json()["script_sha256"], made.json()["granted_by"]) == ("a" * 64, "alice")
        assert self.call("post", self.path, {**body, "days": 91}).status_code == 422
        assert self.call("post", self.path, {**body, "script": "other.ps1"}).status_code == 404
        self.user = self.bob
        assert self.call("post", self.path, body).status_code == 403
        assert len(self.call("get", self.path).json()["items"]) == 1
        assert self.call("delete", f"{self.path}/{made.json()['id']}").status_code == 403
        self.user = self.alice
        assert self.call("delete", f"{self.path}/{made.json()['id']}").status_code == 204
        assert StandingApproval.objects.get().revoked_at is not None
        assert self.call("get", self.path).json()["items"] == []
