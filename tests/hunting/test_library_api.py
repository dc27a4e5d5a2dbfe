"""The library over HTTP: versions, review, and what a script is told when somebody was faster."""

import json
from typing import Any

from hunting import shelf
from hunting.models import HuntVersion
from hunting.services import library
from ircase.models import User
from ircase.services.identity import people
from tests.cast import CastTestCase
from tests.hunting.test_library import PARAMETER, TEXT, content

BODY = {
    "title": "Ours", "kql": TEXT, "entity": "device", "sources": ["case"], "parameters": [PARAMETER],
    "techniques": ["T1059"],
}  # fmt: skip


class LibraryApiTests(CastTestCase):
    def setUp(self) -> None:
        self.act_as(self.bob)

    def act_as(self, user: User) -> None:
        _, text = people.create_token(user=user, name="test")
        self.headers = {"Authorization": f"Bearer {text}"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        sent = json.dumps(body) if body is not None else ""
        return self.client.generic(
            method, f"/api/v1/hunts{path}", sent, content_type="application/json", headers=self.headers
        )

    def test_saved_listed_changed(self) -> None:
        first = self.call("POST", "/ours/versions", BODY)
        assert first.status_code == 201
        assert (first.json()["number"], first.json()["author"]) == (1, "bob")
        assert first.json()["content"] == content(
            sources=["case"], techniques=["T1059"], description="", time_column="", meaning="", false_positives=[],
            references=[], tables=["DeviceProcessEvents"],
        )  # fmt: skip
        listed = self.call("GET", "?review=draft").json()["items"]
        assert [(hunt["id"], hunt["review"], hunt["kql"]) for hunt in listed] == [("ours", "draft", TEXT)]
        second = self.call("POST", "/ours/versions", {**BODY, "title": "Better", "change": "why", "edited_from": 1})
        assert second.json()["change"] == "why"
        numbers = [version["number"] for version in self.call("GET", "/ours/versions").json()["items"]]
        assert numbers == [2, 1]
        late = self.call("POST", "/ours/versions", {**BODY, "title": "Late", "edited_from": 1})
        assert late.status_code == 409
        assert "version 2" in late.json()["detail"]
        assert HuntVersion.objects.count() == 2

    def test_faults_are_said(self) -> None:
        for body, status in (
            ({**BODY, "parameters": [{"name": "Unused"}]}, 422), ({**BODY, "kql": ""}, 422),
            ({**BODY, "entity": "planet"}, 422), ({**BODY, "edited_from": 7}, 422),
        ):  # fmt: skip
            assert self.call("POST", "/ours/versions", body).status_code == status, body
        assert self.call("POST", "/device-logons/versions", BODY).status_code == 422
        assert self.call("GET", "/device-logons/versions").status_code == 404
        assert self.call("GET", "/nothing/versions").status_code == 404

    def test_approved_and_retired_by_whom_it_is(self) -> None:
        library.save_hunt(actor=self.bob, slug="ours", content=content())
        assert self.call("POST", "/ours/approval", {"version": 1}).status_code == 403
        self.act_as(self.alice)
        assert self.call("POST", "/ours/approval", {"version": 2}).status_code == 404
        assert self.call("POST", "/ours/approval", {"version": 1}).json()["approved_by"] == "alice"
        assert self.call("POST", "/ours/approval", {"version": 1}).status_code == 422
        assert self.call("POST", "/ours/retirement", {"reason": "noise"}).json()["review"] == "retired"
        assert "ours" not in shelf.hunts()
        assert self.call("GET", "/ours").json()["review"] == "retired"
        assert self.call("DELETE", "/ours/retirement").json()["review"] == "approved"

    def test_a_retired_hunt_is_not_run(self) -> None:
        saved = library.save_hunt(actor=self.bob, slug="ours", content=content()).saved
        library.retire(saved=saved, actor=self.bob)
        body = {"source": "case", "hunt": "ours", "parameters": {"TargetDevice": "ws-07"}}
        path = f"/api/v1/cases/{self.case.reference}/hunts/runs"
        reply = self.client.post(path, json.dumps(body), content_type="application/json", headers=self.headers)
        assert reply.status_code == 422
        assert "retired" in reply.content.decode()
