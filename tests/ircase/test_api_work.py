"""The checklist's states, the gate, playbooks, work across cases and preparation over HTTP."""

from typing import Any

from ircase import catalogue
from ircase.models import CaseMember, PlaybookVersion
from ircase.services import cases
from tests.cast import make_case
from tests.ircase.test_api import ApiTestCase
from tests.ircase.test_playbook_library import CONTENT


class ChecklistApiTests(ApiTestCase):
    def test_an_item_goes_through_its_states_and_the_gate_is_asked_before(self) -> None:
        case = make_case(self.alice, playbook="device-compromise", analysts=(self.bob,))
        path = f"/cases/{case.reference}"
        self.user = self.bob
        item = f"{path}/checklist/validate"
        assert self.call("post", f"{item}/start").json()["state"] == "in_work"
        waits = self.call("post", f"{item}/wait", {"waiting_for": "The plant"}).json()
        assert (waits["state"], waits["waiting_for"]) == ("waiting", "The plant")
        assert self.call("post", f"{item}/review", {"reviewer": "mallory"}).status_code == 422
        assert (
            self.call("post", f"{item}/review", {"reviewer": "alice", "result": "Real"}).json()["reviewer"] == "alice"
        )
        assert self.call("post", f"{item}/finish", {"result": "Real"}).status_code == 422, "the review is Alice's"
        self.user = self.alice
        assert self.call("post", f"{item}/finish", {"result": "Real"}).json()["state"] == "done"
        assert [one["state"] for one in self.call("get", f"{item}/changes").json()["items"]] == [
            "in_work", "waiting", "review", "done",
        ]  # fmt: skip
        held = self.call("get", f"{path}/gate?phase=containment").json()["items"]
        assert {one["phase"] for one in held} == {"detection"}
        move = {"phase": "containment", "reason": "It spreads"}
        assert self.call("post", f"{path}/phase", move).status_code == 422
        assert self.call("post", f"{path}/phase", move | {"despite": "No time"}).json()["phase"] == "containment"
        gaps = {one["outcome"]: one["state"] for one in self.call("get", f"{path}/gaps").json()["items"]}
        assert (gaps["RS.MA-02"], gaps["RS.AN-03"], gaps["RC.CO-04"]) == ("done", "open", "none")

    def test_an_asset_goes_with_a_reason(self) -> None:
        made = self.call("post", self.case_path("/assets"), {"kind": "device", "name": "ws-99"}).json()
        path = self.case_path(f"/assets/{made['uuid']}/removal")
        assert self.call("post", path, {"reason": ""}).status_code == 422
        assert self.call("post", path, {"reason": "A printer"}).status_code == 204
        assert "ws-99" not in {one["name"] for one in self.call("get", self.case_path("/assets")).json()["items"]}


class PlaybookApiTests(ApiTestCase):
    def put(self, edited_from: int = 0, **more: Any) -> Any:
        body = {"content": {**CONTENT, **more}, "edited_from": edited_from}
        return self.call("put", "/playbooks/lost-laptop", body)

    def test_from_a_draft_to_a_case(self) -> None:
        self.user = self.bob
        assert self.put().json()["stage"] == "draft"
        assert self.put(title="Other").status_code == 422, "there is one of that id"
        assert self.put(1, items=[]).status_code == 422
        assert self.call("get", "/playbooks/lost-laptop").json()["content"]["title"] == "Lost laptop"
        version = "/playbooks/lost-laptop/versions/1"
        assert self.call("post", f"{version}/review", {"words": "Mine"}).status_code == 422
        self.user = self.alice
        assert self.call("post", f"{version}/approval").status_code == 422, "not reviewed yet"
        assert self.call("post", f"{version}/review", {"words": "Good"}).json()["reviewed_by"] == "alice"
        assert self.call("post", f"{version}/approval").json()["stage"] == "approved"
        assert "lost-laptop" in {one["id"] for one in self.call("get", "/playbooks").json()["items"]}
        case = make_case(self.alice, title="Empty")
        path = f"/cases/{case.reference}/playbook"
        shown = self.call("get", f"{path}?playbook=lost-laptop").json()
        assert (shown["missing"], shown["given"]) == (["validate", "wipe"], 0)
        added = self.call("post", path, {"playbook": "lost-laptop", "version": 1}).json()
        assert added == {"added": ["validate", "wipe"]}
        assert self.call("get", path).status_code == 204
        assert self.call("post", f"{version}/restoration").json()["number"] == 1, "it says the same as the newest"
        assert self.call("post", "/playbooks/lost-laptop/retirement", {}).status_code == 204
        assert "lost-laptop" not in {one["id"] for one in self.call("get", "/playbooks").json()["items"]}
        assert self.call("delete", "/playbooks/lost-laptop/retirement").status_code == 204
        assert [one["number"] for one in self.call("get", "/playbooks/lost-laptop/versions").json()["items"]] == [1]
        assert PlaybookVersion.objects.count() == 1

    def test_a_shipped_one_is_read_and_not_written(self) -> None:
        found = self.call("get", "/playbooks/phishing").json()
        assert found["content"]["items"] == list(catalogue.playbooks()["phishing"].content["items"])
        assert self.call("get", "/playbooks/phishing?version=77").status_code == 404
        assert self.call("put", "/playbooks/phishing", {"content": CONTENT}).status_code == 422


class WorkApiTests(ApiTestCase):
    def test_many_items_are_planned(self) -> None:
        case = make_case(self.alice, playbook="phishing", analysts=(self.bob,))
        self.user = self.bob
        assert self.call("get", "/work").json()["total"] == 0
        refs = [{"case": case.reference, "key": key} for key in ("validate", "record")]
        refs.append({"case": self.secret_case.reference, "key": "validate"})
        done = self.call("post", "/work/plan", {"items": refs, "owner": "bob"}).json()
        assert done == {"planned": 2, "refused": []}
        mine = self.call("get", "/work?q=record").json()
        assert [(one["case"], one["key"]) for one in mine["items"]] == [(case.reference, "record")]
        assert self.call("get", "/work?whose=everything").status_code == 422
        cases.set_member(case=case, actor=self.alice, user=self.bob, role="viewer")
        assert CaseMember.objects.get(case=case, user=self.bob).role == "viewer"
        refused = self.call("post", "/work/plan", {"items": refs[:1], "owner": "bob"}).json()
        assert refused["planned"] == 0

    def test_preparation_is_the_administrators(self) -> None:
        assert self.call("get", "/preparation").status_code == 403
        self.user = self.ada
        made = self.call("post", "/preparation", {"title": "Spare laptops", "review_days": 30}).json()
        path = f"/preparation/{made['key']}"
        kept = self.call("put", path, {"title": "Spare laptops", "owner": "bob", "done_at": "2026-11-01T00:00:00Z",
                                       "review_days": 30}).json()  # fmt: skip
        assert (kept["owner"], kept["review_at"]) == ("bob", "2026-12-01T00:00:00Z")
        assert self.call("post", f"{path}/removal", {"reason": "Leased"}).status_code == 204
        assert made["key"] not in {one["key"] for one in self.call("get", "/preparation").json()["items"]}
