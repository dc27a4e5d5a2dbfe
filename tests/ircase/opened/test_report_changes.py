"""What changed between two reports, and the logo, by the API."""

import io
from typing import Any
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from ircase import tasks
from ircase.models import ReportBuild, ReportLook
from ircase.services.reporting import looks
from tests.cast import make_evidence
from tests.ircase.test_api import ApiTestCase
from tests.ircase.test_report_build import instead_of_typst


class ChangesTests(ApiTestCase):
    def build(self) -> str:
        made: str = self.call("post", self.case_path("/reports"), {"kind": "register"}).json()["uuid"]
        with mock.patch("ircase.report.build.write_pdf", instead_of_typst):
            tasks.build_report(ReportBuild.objects.get(uuid=made).pk)
        return made

    def test_line_by_line_against_the_one_before(self) -> None:
        first = self.build()
        alone = self.call("get", self.case_path(f"/reports/{first}/changes")).json()
        assert (alone["before"], alone["readable"], alone["changed"], alone["lines"]) == (None, False, False, [])
        make_evidence(self.case, self.alice, content=b"more", name="later.txt")
        path = self.case_path(f"/reports/{self.build()}/changes")
        said = self.call("get", path).json()
        assert (said["before"], said["before_label"], said["label"]) == (first, "R01", "R02")
        assert said["readable"] and said["changed"]
        new = ["".join(part["text"] for part in line["right"]) for line in said["lines"] if line["kind"] == "added"]
        assert any("later.txt" in line for line in new)
        assert any(line["kind"] == "skipped" and line["skipped"] > 0 for line in said["lines"])
        self.user = self.carol
        assert self.call("get", path).status_code == 200
        self.user = self.mallory
        assert self.call("get", path).status_code == 404
        assert self.call("get", f"/cases/IR-2000-0001/reports/{first}/changes").status_code == 404


class LogoTests(ApiTestCase):
    def test_the_logo_is_fetched_by_administrators(self) -> None:
        self.user = self.ada
        assert self.call("get", "/report-look/logo").status_code == 404
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), "navy").save(picture, "PNG")
        logo = SimpleUploadedFile("logo.png", picture.getvalue())
        looks.save_look(look=ReportLook(organisation="Contoso"), actor=self.ada, logo=logo)
        reply = self.call("get", "/report-look/logo")
        assert reply["Content-Type"] == "image/png" and reply.content.startswith(b"\x89PNG")
        self.user = self.alice
        assert self.call("get", "/report-look/logo").status_code == 403

    def test_it_is_set_and_taken_away_like_the_rest_of_the_look(self) -> None:
        def send(content: bytes) -> Any:
            return self.call("post", "/report-look/logo", data={"file": SimpleUploadedFile("logo.png", content)})

        picture = io.BytesIO()
        Image.new("RGB", (8, 8), "navy").save(picture, "PNG")
        assert send(picture.getvalue()).status_code == 403
        self.user = self.ada
        assert self.call("put", "/report-look", {"organisation": "Contoso"}).json()["number"] == 1
        made = send(picture.getvalue())
        assert made.status_code == 200, made.content
        assert [made.json()[name] for name in ("number", "organisation", "logo_name")] == [2, "Contoso", "logo.png"]
        assert send(b"<svg/>").status_code == 422
        assert self.call("delete", "/report-look/logo").status_code == 204
        assert self.call("get", "/report-look").json()["logo_name"] == ""
        assert self.call("delete", "/report-look/logo").status_code == 404
