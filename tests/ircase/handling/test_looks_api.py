"""Looks at exhibits over the API: asked for, made by a worker, read page by page, strings taken into the case."""

from typing import Any

from ircase.models import CustodyEntry, Evidence, Indicator, Preview
from ircase.tasks import make_preview
from tests.cast import make_evidence
from tests.ircase.handling.test_looking import LOADER
from tests.ircase.test_api import ApiTestCase


class LooksApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.item: Evidence = make_evidence(self.case, self.alice, LOADER, name="loader.bin")
        self.path = self.case_path(f"/evidence/{self.item.uuid}/looks")
        self.user = self.bob

    def made(self, kind: str, query: str = "") -> Any:
        first = self.call("get", f"{self.path}/{kind}")
        assert (first.status_code, first.json()["content"]) == (202, None)
        make_preview(Preview.objects.get(evidence=self.item, kind=kind).pk)
        return self.call("get", f"{self.path}/{kind}{query}")

    def test_which_there_are(self) -> None:
        looks = {one["kind"]: one["fits"] for one in self.call("get", self.path).json()["items"]}
        assert looks["strings"] and looks["hex"] and "events" in looks and not looks["events"]

    def test_strings_are_made_read_and_taken(self) -> None:
        early = self.call("get", f"{self.path}/strings/indicators")
        assert (early.status_code, "not read yet" in early.json()["detail"]) == (422, True)
        reply = self.made("strings", "?q=evil")
        assert (reply.status_code, reply.json()["matched"], reply.json()["state"]) == (200, 1, "done")
        assert reply.json()["content"][0][2] == "http://evil.example.com/a?b=1"
        assert self.call("get", f"{self.path}/strings?page=99999").json()["content"] is not None
        seen = {
            one["value"]: one["number"] for one in self.call("get", f"{self.path}/strings/indicators").json()["items"]
        }
        body = {"numbers": [seen["198.51.100.7"]], "verdict": "suspicious"}
        assert self.call("post", f"{self.path}/strings/indicators", body).json() == {"added": 1, "known": 0}
        assert self.call("post", f"{self.path}/strings/indicators", body).json() == {"added": 0, "known": 1}
        assert Indicator.objects.get(case=self.case, kind="ip").verdict == "suspicious"
        self.user = self.carol
        assert self.call("post", f"{self.path}/strings/indicators", body).status_code == 403

    def test_custody_knows_first(self) -> None:
        assert self.call("get", f"{self.path}/hex").status_code == 200
        entry = CustodyEntry.objects.filter(evidence=self.item).latest("sequence")
        assert "preview: hex" in str(entry.detail)

    def test_hex_from_an_offset(self) -> None:
        (first, *_) = self.call("get", f"{self.path}/hex").json()["content"]
        assert first["digits"].startswith("4d 5a")
        assert self.call("get", f"{self.path}/hex?at=half").status_code == 422
        assert self.call("post", f"{self.path}/hex").status_code == 422

    def test_no_such_look_and_an_exhibit_that_is_gone(self) -> None:
        assert self.call("get", f"{self.path}/dance").status_code == 404
        Evidence.objects.filter(pk=self.item.pk).update(integrity=Evidence.Integrity.DESTROYED)
        assert self.call("get", f"{self.path}/strings").status_code == 422

    def test_one_that_failed_is_made_again(self) -> None:
        self.call("get", f"{self.path}/metadata")
        Preview.objects.filter(kind="metadata").update(state="failed", reason="It broke")
        said = self.call("get", f"{self.path}/metadata")
        assert (said.status_code, said.json()["state"], said.json()["reason"]) == (200, "failed", "It broke")
        again = self.call("post", f"{self.path}/metadata")
        assert (again.status_code, again.json()["state"]) == (202, "queued")
