"""The same by the API: build, read over, sign off, answer an authority, the key, the look."""

from typing import Any
from unittest import mock

from ircase import tasks
from ircase.models import Asset, ReportBuild
from ircase.redaction import Level, Redaction
from ircase.services import cases
from ircase.services.writing import redacting
from tests.ircase.test_api import ApiTestCase
from tests.ircase.test_report_build import instead_of_typst


class ReportApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = f"/cases/{self.case.reference}"

    def build(self, body: dict[str, Any]) -> dict[str, Any]:
        made = self.call("post", f"{self.path}/reports", body)
        assert made.status_code == 202, made.content
        return self.built(made.json()["uuid"])

    def built(self, uuid: str) -> dict[str, Any]:
        with mock.patch("ircase.report.build.write_pdf", instead_of_typst):
            tasks.build_report(ReportBuild.objects.get(uuid=uuid).pk)
        found: dict[str, Any] = self.call("get", f"{self.path}/reports/{uuid}").json()
        assert found["state"] == "done", found["reason"]
        return found

    def test_from_the_draft_to_the_signature(self) -> None:
        made = self.build({"kind": "register", "level": "names"})
        assert (made["label"], made["final_of"], made["signature"], made["superseded"]) == ("R01", None, None, False)
        assert [one["format"] for one in made["files"]] == ["pdf", "docx", "html", "markdown", "json"]
        one = f"{self.path}/reports/{made['uuid']}"
        assert self.call("post", f"{one}/reviews", {"answer": "accepted"}).status_code == 403
        assert self.call("post", f"{one}/signature").status_code == 422
        self.user = self.bob
        assert self.call("post", f"{one}/reviews", {"answer": "accepted", "words": "Good"}).status_code == 201
        assert self.call("post", f"{one}/signature").status_code == 403
        self.user = self.alice
        assert [said["by"] for said in self.call("get", f"{one}/reviews").json()["items"]] == ["bob"]
        final = self.built(self.call("post", f"{one}/signature").json()["uuid"])
        assert (final["final_of"], final["signature"]["holds"]) == (made["uuid"], True)
        assert final["evidence"] is not None
        cases.edit_case(case=self.case, actor=self.alice, summary="Other")
        listed = self.call("get", f"{self.path}/reports").json()["items"]
        assert [one["superseded"] for one in listed] == [True, True]

    def test_what_cannot_be_built_is_refused_with_words(self) -> None:
        for body in (
            {"kind": "poem"},
            {"kind": "notification"},
            {"regime": "gdpr", "stage": "final"},
            {"words": ["ab"]},
        ):
            assert self.call("post", f"{self.path}/reports", body).status_code == 422, body
        self.user = self.bob
        assert self.call("post", f"{self.path}/reports", {"words": ["contoso"]}).status_code == 403
        assert self.call("post", f"{self.path}/reports", {"tlp": "clear"}).status_code == 403

    def test_an_authority_is_answered(self) -> None:
        place = f"{self.path}/notifications/gdpr/initial"
        assert self.call("put", place, {"answers": {"subjects": "Staff"}}).status_code == 200
        rows = {row["field"]: row["answer"] for row in self.call("get", place).json()["items"]}
        assert (rows["subjects"], rows["records"]) == ("Staff", "")
        assert self.call("put", place, {"answers": {"nonsense": "x"}}).status_code == 422
        assert (
            "Likely consequences"
            in self.build({"kind": "notification", "regime": "gdpr", "stage": "initial"})["missing"]
        )

    def test_the_key_is_the_leads(self) -> None:
        Asset.objects.create(case=self.case, kind="device", name="ws-07", added_by=self.alice)
        redacting.mask_of(self.case, Redaction.of(Level.ALL))
        assert self.call("get", f"{self.path}/redaction-words").json() == {"words": []}
        assert self.call("get", f"{self.path}/redaction-key").json()["items"][0] == {
            "alias": "host-01", "kind": "host", "names": ["ws-07"],
        }  # fmt: skip
        self.user = self.bob
        assert self.call("get", f"{self.path}/redaction-key").status_code == 403

    def test_the_look_is_the_administrators(self) -> None:
        assert self.call("get", "/report-look").status_code == 403
        self.user = self.ada
        assert self.call("get", "/report-look").json()["number"] == 0
        body = {"organisation": "Contoso", "accent": "#0f766e", "footer": "For {case.reference}"}
        assert self.call("put", "/report-look", body).json()["number"] == 1
        for wrong in ({"footer": "{case.__class__}"}, {"accent": "#ffff00"}, {"accent": "blue"}):
            assert self.call("put", "/report-look", body | wrong).status_code == 422, wrong
