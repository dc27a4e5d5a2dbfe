"""Exports of other sites that come in parts, over a line that may be cut."""

import tempfile
from pathlib import Path
from unittest import mock

from django.http import HttpResponse
from django.urls import reverse

from ircase import incoming, tasks
from ircase.dossier import write
from ircase.dossier.container import ZipWriter
from ircase.models import CaseImport, LogEntry, Upload
from ircase.services.transfer import caseimports
from ircase.services.vault import packing
from tests.cast import CastTestCase, make_evidence
from tests.ircase.test_resumable import PART, encoded


class ImportUploadTests(CastTestCase):
    def setUp(self) -> None:
        make_evidence(self.case, self.alice, b"a,b\n1,2\n", name="rows.csv")
        path = Path(tempfile.mkdtemp()) / "x.zip"
        with path.open("wb+") as file:
            wanted = write.Wanted(self.case, self.alice, "export", "Court", "Court")
            write.write(wanted, ZipWriter(file), check=lambda: None)
        self.content = path.read_bytes()
        self.sign_in(self.bob)
        self.url = reverse("ircase:import_uploads")

    def begin(self, size: int, **said: str) -> HttpResponse:
        named = encoded(filename="came.zip", fingerprint="f", **said)
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(size), "Upload-Metadata": named}
        return self.client.generic("POST", self.url, headers=headers)

    def patch(self, url: str, at: int, content: bytes) -> HttpResponse:
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(at)}
        return self.client.generic("PATCH", url, content, content_type=PART, headers=headers)

    def sent(self, content: bytes, **said: str) -> Upload:
        url = self.begin(len(content), **said)["Location"].removeprefix("http://testserver")
        half = len(content) // 2
        assert self.patch(url, 0, content[:half]).status_code == 204
        assert self.client.head(url, headers={"Tus-Resumable": "1.0.0"})["Upload-Offset"] == str(half)
        assert self.patch(url, half, content[half:])["Upload-Offset"] == str(len(content))
        upload = Upload.objects.get(case=None, state="queued")
        tasks.seal_upload(upload.pk)
        upload.refresh_from_db()
        return upload

    def test_an_export_in_two_parts_becomes_a_case(self) -> None:
        upload = self.sent(self.content, confidential="0")
        assert (upload.state, upload.reason) == ("done", "")
        job = CaseImport.objects.get()
        assert (upload.came_in, job.name, job.size, job.confidential) == (job, "came.zip", len(self.content), False)
        assert not incoming.path_of(upload.uuid).exists()
        tasks.import_case(job.pk)
        job.refresh_from_db()
        assert (job.state, job.faults) == ("done", [])
        facts = self.client.get(reverse("ircase:import_upload", args=[upload.uuid])).json()
        assert facts["evidence_url"] == reverse("ircase:case_import", args=[job.uuid])
        assert LogEntry.objects.filter(action="import.received", case=None).count() == 1

    def test_a_password_waits_encrypted_and_opens_the_zip(self) -> None:
        content = b"".join(packing.packed([self.content], name="x.zip", password="their word"))
        upload = self.sent(content, password="their word")
        assert upload.wish == {}
        job = CaseImport.objects.get()
        assert job.confidential and "their word" not in job.password
        tasks.import_case(job.pk)
        job.refresh_from_db()
        assert (job.state, job.password) == ("done", "")

    def test_a_worker_that_dies_between_file_and_row_is_replaced(self) -> None:
        url = self.begin(len(self.content))["Location"].removeprefix("http://testserver")
        self.patch(url, 0, self.content)
        upload = Upload.objects.get(case=None)
        with mock.patch.object(caseimports, "_keep", side_effect=RuntimeError("killed")):
            tasks.seal_upload(upload.pk)
        upload.refresh_from_db()
        assert upload.state == "queued" and incoming.path_of(upload.uuid).exists()
        Upload.objects.filter(pk=upload.pk).update(not_before=None)
        tasks.seal_upload(upload.pk)
        assert CaseImport.objects.count() == 1

    def test_what_is_wrong_is_said_before_a_byte_is_sent(self) -> None:
        refused = self.begin(10, expected_key="abc")
        assert refused.status_code == 422 and b"64 hexadecimal" in refused.content
        self.sign_in(self.carol)
        assert self.begin(10).status_code == 403
        assert not Upload.objects.exists()

    def test_who_may_no_longer_open_cases_brings_nothing_in(self) -> None:
        url = self.begin(len(self.content))["Location"].removeprefix("http://testserver")
        self.patch(url, 0, self.content)
        upload = Upload.objects.get(case=None)
        self.bob.site_role = "guest"
        self.bob.save(update_fields=["site_role"])
        tasks.seal_upload(upload.pk)
        upload.refresh_from_db()
        assert upload.state == "failed" and upload.reason
        assert not CaseImport.objects.exists()

    def test_it_is_its_owners_alone_and_shown_until_it_is_whole(self) -> None:
        url = self.begin(100)["Location"].removeprefix("http://testserver")
        upload = Upload.objects.get(case=None)
        page = self.client.get(reverse("ircase:case_imports")).content.decode()
        assert "came.zip" in page and f'data-interrupted="{url}"' in page
        assert self.client.get(self.url).json()["uploads"][0]["fingerprint"] == "f"
        self.sign_in(self.alice)
        assert self.client.get(url).status_code == 404
        assert "came.zip" not in self.client.get(reverse("ircase:case_imports")).content.decode()
        assert self.client.get(reverse("ircase:upload", args=[self.case.reference, upload.uuid])).status_code == 404
        self.sign_in(self.bob)
        self.client.post(reverse("ircase:import_upload_discard", args=[upload.uuid]))
        upload.refresh_from_db()
        assert upload.state == "cancelled"
