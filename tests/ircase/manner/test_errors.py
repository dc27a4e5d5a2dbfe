"""Every error is a problem with its request's id, wherever it was made; text that no database keeps is refused."""

import json
from typing import Any

from django.test import override_settings

from ircase.api.manner import errors
from ircase.models import Event
from ircase.services.identity import people
from tests.ircase.test_api import ApiTestCase

MEMBERS = {"type", "title", "status", "detail", "instance", "advice"}


class ProblemTests(ApiTestCase):
    def assert_problem(self, reply: Any, status: int) -> dict[str, Any]:
        assert (reply.status_code, reply.headers["Content-Type"]) == (status, errors.CONTENT_TYPE), reply.content
        said: dict[str, Any] = reply.json()
        assert said.keys() >= MEMBERS
        assert (said["status"], said["type"]) == (status, f"urn:ircase:problem:{errors.KINDS[status].name}")
        assert said["instance"] == f"urn:ircase:request:{reply.headers['X-Request-ID']}"
        return said

    def test_an_address_that_is_none(self) -> None:
        self.assert_problem(self.client.get("/api/v1/nothing/here"), 404)
        self.assert_problem(self.client.get("/api/v1/"), 404)

    def test_a_method_that_is_none(self) -> None:
        reply = self.call("delete", self.case_path())
        self.assert_problem(reply, 405)
        assert {one.strip() for one in reply.headers["Allow"].split(",")} == {"GET", "PATCH"}

    def test_no_token(self) -> None:
        assert self.assert_problem(self.client.get("/api/v1/me"), 401)["advice"].startswith("Send `Authorization")

    def test_no_scope_and_no_role(self) -> None:
        token = people.create_token(user=self.alice, name="reads", scopes=["read"])[1]
        headers = {"Authorization": f"Bearer {token}"}
        reply = self.client.post("/api/v1/cases", {}, content_type="application/json", headers=headers)
        assert "lacks the scope write" in self.assert_problem(reply, 403)["detail"]

    def test_a_body_that_is_no_json(self) -> None:
        for body in (
            "{",
            "[" * 5000,
            '{"title": 99999999999999999999}',
            '{"title": NaN}',
            '{"title": "a\\u0000b"}',
            '{"title": "\\ud800"}',
            "\udcff",
        ):
            token = people.create_token(user=self.alice, name="b")[1]
            reply = self.client.generic(
                "POST", "/api/v1/cases", body.encode("utf-8", "surrogateescape"), content_type="application/json",
                headers={"Authorization": f"Bearer {token}"},
            )  # fmt: skip
            self.assert_problem(reply, 400)

    def test_an_address_with_thousands_of_fields(self) -> None:
        self.assert_problem(self.call("get", self.case_path("/evidence?" + "x=1&" * 1001)), 400)

    def test_a_time_far_from_greenwich_is_kept_in_utc(self) -> None:
        for at, status in (("2026-11-20T10:00:00+20:00", 201), ("0001-01-01T00:00:00+10:00", 422)):
            event = {"at": at, "title": "Logon"}
            assert self.call("post", f"{self.case_path()}/events", event).status_code == status
        assert Event.objects.get(title="Logon").at.isoformat() == "2026-11-19T14:00:00+00:00"

    def test_nested_deeper_than_anything_of_ours(self) -> None:
        deep: Any = "x"
        for _ in range(60):
            deep = [deep]
        self.assert_problem(self.call("post", "/cases", {"title": deep}), 400)

    def test_text_that_is_none_in_an_address(self) -> None:
        self.assert_problem(self.call("get", "/cases/IR%00"), 404)
        self.assert_problem(self.call("get", "/cases?q=%00"), 400)

    def test_a_host_that_is_not_ours(self) -> None:
        with override_settings(ALLOWED_HOSTS=["ircase.example"]):
            self.assert_problem(self.client.get("/api/v1/me"), 400)

    def test_a_body_that_is_too_large(self) -> None:
        with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100):
            self.assert_problem(self.call("post", "/cases", {"title": "x" * 200}), 413)

    def test_pages_keep_their_own_errors(self) -> None:
        assert self.client.get("/nothing").headers["Content-Type"].startswith("text/html")


class RequestIdTests(ApiTestCase):
    def test_a_callers_own_comes_back(self) -> None:
        reply = self.call("get", "/me", headers={"X-Request-ID": "trace-42.a"})
        assert reply.headers["X-Request-ID"] == "trace-42.a"

    def test_one_that_could_harm_a_log_is_replaced(self) -> None:
        for given in ("", "a b", "x" * 65, "<b>", 'a"b'):
            assert len(self.call("get", "/me", headers={"X-Request-ID": given}).headers["X-Request-ID"]) == 32

    def test_the_log_has_it(self) -> None:
        with self.assertLogs("ircase.request", "INFO") as seen:
            self.call("get", "/me", headers={"X-Request-ID": "trace-43"})
        assert seen.records[0].request_id == "trace-43"  # type: ignore[attr-defined]


class PageTests(ApiTestCase):
    def link(self, reply: Any) -> dict[str, str]:
        parts = [one.split("; rel=") for one in reply.headers["Link"].split(", ")]
        return {rel.strip('"'): url.strip("<>") for url, rel in parts}

    def test_the_neighbours_of_a_page(self) -> None:
        for number in range(5):
            self.call("post", self.case_path("/notes"), {"title": f"N{number}"})
        first = self.call("get", self.case_path("/notes?limit=2&archived=false"))
        base = f"/api/v1{self.case_path('/notes')}?limit=2&archived=false&offset="
        assert self.link(first) == {"first": f"{base}0", "next": f"{base}2"}
        token = people.create_token(user=self.alice, name="next")[1]
        headers = {"Authorization": f"Bearer {token}"}
        second = self.client.get(self.link(first)["next"], headers=headers)
        assert self.link(second) == {"first": f"{base}0", "prev": f"{base}0", "next": f"{base}4"}
        third = self.client.get(self.link(second)["next"], headers=headers)
        assert (len(third.json()["items"]), "next" in self.link(third)) == (1, False)

    def test_a_list_that_was_whole_is_a_page_now(self) -> None:
        said = self.call("get", self.case_path("/members?limit=1&offset=1"))
        body = said.json()
        assert (len(body["items"]), body["total"], body["limit"], body["offset"]) == (1, 2, 1, 1)
        assert self.call("get", self.case_path("/members?limit=1001")).status_code == 422
        assert json.loads(self.call("get", self.case_path("/members?offset=5")).content)["items"] == []
