"""An export of another IRCase, brought in by the API."""

import tempfile
from pathlib import Path
from typing import Any

from ircase import tasks
from ircase.dossier import write
from ircase.dossier.container import ZipWriter
from ircase.models import Case, CaseImport, Upload
from ircase.services.vault import packing
from tests.cast import make_evidence
from tests.ircase.opened.test_parts import PartsTestCase

ROOM = "/case-import-uploads"


class CaseImportTests(PartsTestCase):
    def setUp(self) -> None:
        super().setUp()
        make_evidence(self.case, self.alice, b"a,b\n1,2\n", name="rows.csv")
        path = Path(tempfile.mkdtemp()) / "x.zip"
        with path.open("wb+") as file:
            wanted = write.Wanted(self.case, self.alice, "export", "Court", "Court")
            write.write(wanted, ZipWriter(file), check=lambda: None)
        self.content = path.read_bytes()
        self.user = self.bob

    def sent(self, content: bytes, **more: Any) -> dict[str, Any]:
        """What is said of the upload once a worker has taken it."""
        made = self.call("post", ROOM, {"name": "came.zip", "size": len(content), **more}).json()
        path, half = f"{ROOM}/{made['uuid']}", len(content) // 2
        assert self.part(path, 0, content[:half]).json()["offset"] == half
        assert self.call("get", ROOM).json()["items"][0]["offset"] == half
        assert self.part(path, half, content[half:]).status_code == 200
        tasks.seal_upload(Upload.objects.get(uuid=made["uuid"]).pk)
        said: dict[str, Any] = self.call("get", path).json()
        return said

    def test_two_parts_become_a_case(self) -> None:
        job = self.sent(self.content, confidential=False)["case_import"]
        tasks.import_case(CaseImport.objects.get(uuid=job).pk)
        said = self.call("get", f"/case-imports/{job}").json()
        assert (said["state"], said["faults"], said["reference"]) == ("done", [], self.case.reference)
        assert Case.objects.get(reference=said["case"]).confidential is False
        assert self.call("get", "/case-imports").json()["total"] == 1
        self.user = self.alice
        assert self.call("get", f"/case-imports/{job}").status_code == 404
        assert self.call("get", "/case-imports").json()["total"] == 0

    def test_one_with_faults_is_taken_over_for_a_reason(self) -> None:
        job = CaseImport.objects.get(uuid=self.sent(self.content, expected_key="a" * 64)["case_import"])
        tasks.import_case(job.pk)
        path = f"/case-imports/{job.uuid}"
        said = self.call("get", path).json()
        assert said["state"] == "failed" and said["faults"]
        assert self.call("post", f"{path}/acceptance", {"reason": ""}).status_code == 422
        taken = self.call("post", f"{path}/acceptance", {"reason": "The sender told us of a new key"})
        assert (taken.status_code, taken.json()["state"]) == (202, "queued")
        assert self.call("post", f"{path}/acceptance", {"reason": "again"}).status_code == 422

    def test_one_in_a_locked_zip_waits_for_its_password(self) -> None:
        content = b"".join(packing.packed([self.content], name="x.zip", password="their word"))
        job = CaseImport.objects.get(uuid=self.sent(content)["case_import"])
        tasks.import_case(job.pk)
        path = f"/case-imports/{job.uuid}"
        said = self.call("get", path)
        assert said.json()["locked"] is True and "password" not in said.json()
        assert self.call("post", f"{path}/password", {"password": "their word"}).json()["state"] == "queued"
        tasks.import_case(job.pk)
        assert self.call("get", path).json()["state"] == "done"

    def test_who_opens_no_cases_brings_none_in(self) -> None:
        self.user = self.mallory
        for method, path, body in (
            ("get", "/case-imports", None), ("get", ROOM, None), ("post", ROOM, {"name": "a.zip", "size": 1}),
        ):  # fmt: skip
            assert self.call(method, path, body).status_code == 403
        assert self.call("get", f"{ROOM}/00000000-0000-4000-8000-000000000000").status_code == 404

    def test_it_is_given_up_before_it_is_whole(self) -> None:
        made = self.call("post", ROOM, {"name": "came.zip", "size": 10}).json()
        self.user = self.alice
        assert self.call("delete", f"{ROOM}/{made['uuid']}").status_code == 404
        self.user = self.bob
        assert self.call("delete", f"{ROOM}/{made['uuid']}").status_code == 204
        assert Upload.objects.get().state == "cancelled"
