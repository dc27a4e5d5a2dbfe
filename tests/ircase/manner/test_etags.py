"""What is read has an ETag; who has it already gets 304; who changes what has moved on gets 412."""

from typing import Any
from unittest import mock

from tests.cast import make_evidence
from tests.ircase.test_api import ApiTestCase


class ReadingTests(ApiTestCase):
    def test_what_is_had_is_not_sent_again(self) -> None:
        first = self.call("get", self.case_path())
        again = self.call("get", self.case_path(), headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        self.call("patch", self.case_path(), {"title": "Other"})
        assert self.call("get", self.case_path(), headers={"If-None-Match": first.headers["ETag"]}).status_code == 200

    def test_looking_again_is_looking(self) -> None:
        first = self.call("get", self.case_path())
        with mock.patch("ircase.middleware.looks.note") as noted:
            self.call("get", self.case_path(), headers={"If-None-Match": first.headers["ETag"]})
        noted.assert_called_once_with(reference=self.case.reference, user=self.alice)

    def test_two_people_share_no_answer(self) -> None:
        assert "Authorization" in self.call("get", self.case_path()).headers["Vary"]

    def test_a_download_has_none(self) -> None:
        item = make_evidence(self.case, self.alice)
        assert "ETag" not in self.call("get", self.case_path(f"/evidence/{item.uuid}/download")).headers


class ChangingTests(ApiTestCase):
    """The same story for every thing that can be changed under If-Match."""

    def changed_once(self, path: str, first: Any, second: Any, method: str = "patch") -> None:
        seen = {"If-Match": self.call("get", path).headers["ETag"]}
        assert self.call(method, path, first, headers=seen).status_code == 200
        late = self.call(method, path, second, headers=seen)
        assert (late.status_code, late.json()["type"]) == (412, "urn:ircase:problem:changed")
        now = {"If-Match": late.json()["etag"]}
        assert self.call(method, path, second, headers=now).status_code == 200

    def test_a_case(self) -> None:
        self.changed_once(self.case_path(), {"title": "One"}, {"title": "Two"})
        self.case.refresh_from_db()
        assert self.case.title == "Two"

    def test_an_event(self) -> None:
        made = self.call("post", self.case_path("/events"), {"at": "2026-01-02T03:04:05Z", "title": "It began"}).json()
        self.changed_once(self.case_path(f"/events/{made['uuid']}"), {"title": "One"}, {"title": "Two"})

    def test_an_indicator(self) -> None:
        made = self.call("post", self.case_path("/indicators"), {"kind": "domain", "value": "a.example"}).json()
        path = self.case_path(f"/indicators/{made['uuid']}")
        self.changed_once(path, {"description": "One"}, {"description": "Two"})

    def test_an_asset(self) -> None:
        made = self.call("post", self.case_path("/assets"), {"kind": "device", "name": "ws-1"}).json()
        path = self.case_path(f"/assets/{made['uuid']}")
        self.changed_once(path, {"compromise": "suspected"}, {"compromise": "confirmed"})

    def test_an_item_by_what_is_done_to_it(self) -> None:
        made = self.call("post", self.case_path("/checklist"), {"title": "Look", "phase": "detection"}).json()
        path = self.case_path(f"/checklist/{made['key']}")
        seen = {"If-Match": self.call("get", path).headers["ETag"]}
        assert self.call("post", f"{path}/start", headers=seen).status_code == 200
        assert self.call("post", f"{path}/wait", {"waiting_for": "Bob"}, headers=seen).status_code == 412
        assert self.call("get", path).json()["state"] == "in_work"

    def test_a_case_by_its_phase(self) -> None:
        seen = {"If-Match": self.call("get", self.case_path()).headers["ETag"]}
        self.call("patch", self.case_path(), {"title": "Other"})
        body = {"phase": "containment", "reason": "It spreads"}
        assert self.call("post", self.case_path("/phase"), body, headers=seen).status_code == 412
        assert self.call("post", self.case_path("/phase"), body, headers={"If-Match": "*"}).status_code == 200

    def test_where_it_means_nothing_it_is_refused(self) -> None:
        reply = self.call("post", self.case_path("/notes"), {"title": "N"}, headers={"If-Match": '"1"'})
        assert (reply.status_code, self.case.notes.count()) == (400, 0)
        assert self.call("patch", self.case_path(), {"title": "x"}, headers={"If-Match": "x"}).status_code == 400

    def test_a_stranger_learns_nothing_by_it(self) -> None:
        self.user = self.mallory
        for path in (f"/cases/{self.secret_case.reference}", "/cases/IR-2026-9999"):
            reply = self.call("patch", path, {"title": "x"}, headers={"If-Match": "*"})
            assert reply.status_code == 404

    def test_a_reader_is_refused_as_without_it(self) -> None:
        self.user = self.carol
        assert self.call("patch", self.case_path(), {"title": "x"}, headers={"If-Match": "*"}).status_code == 403
