"""Uploads in parts by the API: begun, fed at an offset, sealed; cut, altered, too large, somebody else's."""

import base64
import hashlib
from typing import Any

from django.test import override_settings

from ircase import tasks
from ircase.models import Case, Evidence, LogEntry, Upload
from tests.ircase.test_api import ApiTestCase

PART = "application/offset+octet-stream"
CONTENT = b"a,b\n1,2\n3,4\n"


class PartsTestCase(ApiTestCase):
    def part(self, path: str, at: int | None, content: bytes, kind: str = PART, **more: str) -> Any:
        headers = {**({} if at is None else {"Upload-Offset": str(at)}), **more}
        return self.call("patch", path, data=content, content_type=kind, headers=headers)


class UploadTests(PartsTestCase):
    def begin(self, size: int = len(CONTENT), **more: Any) -> str:
        made = self.call("post", self.case_path("/uploads"), {"name": "rows.csv", "size": size, **more})
        assert made.status_code == 201, made.content
        return self.case_path(f"/uploads/{made.json()['uuid']}")

    def test_two_parts_become_an_exhibit(self) -> None:
        path = self.begin(description="From the owner", fingerprint="mine")
        assert self.part(path, 0, CONTENT[:5]).json()["offset"] == 5
        assert self.call("get", path).json()["offset"] == 5
        assert self.call("get", self.case_path("/uploads")).json()["items"][0]["fingerprint"] == "mine"
        whole = self.part(path, 5, CONTENT[5:]).json()
        assert (whole["offset"], whole["state"]) == (len(CONTENT), "queued")
        tasks.seal_upload(Upload.objects.get().pk)
        item = Evidence.objects.get(case=self.case)
        assert item.sha256 == hashlib.sha256(CONTENT).hexdigest() and item.description == "From the owner"
        said = self.call("get", path).json()
        assert (said["state"], said["exhibit"], said["evidence"]) == ("done", item.exhibit, str(item.uuid))
        assert LogEntry.objects.filter(action="upload.begun", case=self.case).count() == 1
        assert self.call("delete", path).status_code == 409, "sealed evidence is not deleted"
        assert self.part(path, 0, CONTENT).status_code == 410

    def test_a_part_at_the_wrong_place_says_where_to_go_on(self) -> None:
        path = self.begin()
        self.part(path, 0, CONTENT[:4])
        wrong = self.part(path, 0, CONTENT)
        assert (wrong.status_code, wrong["Upload-Offset"], wrong.json()["offset"]) == (409, "4", 4)
        assert self.call("get", path).json()["offset"] == 4

    def test_a_part_with_a_checksum_counts_only_if_it_fits(self) -> None:
        path = self.begin()
        right = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
        wrong = base64.b64encode(hashlib.sha256(b"else").digest()).decode()
        altered = self.part(path, 0, CONTENT, **{"Upload-Checksum": f"sha256 {wrong}"})
        assert altered.status_code == 422 and "altered" in altered.json()["detail"]
        assert self.call("get", path).json()["offset"] == 0
        assert self.part(path, 0, CONTENT, **{"Upload-Checksum": "md5 x"}).status_code == 422
        assert self.part(path, 0, CONTENT, **{"Upload-Checksum": f"sha256 {right}"}).json()["offset"] == len(CONTENT)

    def test_what_is_no_part_is_refused(self) -> None:
        path = self.begin()
        assert self.part(path, None, CONTENT).status_code == 422
        assert self.part(path, 0, CONTENT, kind="multipart/form-data; boundary=x").status_code == 422
        assert self.part(path, -1, CONTENT).status_code == 422
        assert self.part(path, 0, CONTENT + b"beyond").status_code == 413
        assert self.call("get", path).json()["offset"] == 0

    @override_settings(UPLOAD_RESUMABLE_MAX_BYTES=10)
    def test_a_file_beyond_the_limit_is_not_begun(self) -> None:
        made = self.call("post", self.case_path("/uploads"), {"name": "a", "size": 11})
        assert made.status_code == 413 and Upload.objects.count() == 0

    @override_settings(UPLOAD_RESERVE_BYTES=2**62)
    def test_a_disk_without_room_says_so(self) -> None:
        made = self.call("post", self.case_path("/uploads"), {"name": "a", "size": 11})
        assert made.status_code == 507 and "no room" in made.json()["detail"]

    def test_it_is_given_up(self) -> None:
        path = self.begin()
        assert self.call("delete", path).status_code == 204
        assert self.call("get", path).json()["state"] == "cancelled"
        assert self.call("get", self.case_path("/uploads")).json()["total"] == 0
        assert LogEntry.objects.filter(action="upload.discarded").exists()

    def test_readers_begin_none_and_colleagues_do_not_see_it(self) -> None:
        path, wish = self.begin(), {"name": "a", "size": 1}
        self.user = self.bob
        assert self.call("get", path).status_code == 404
        assert self.part(path, 0, CONTENT).status_code == 404
        self.user = self.carol
        assert self.call("post", self.case_path("/uploads"), wish).status_code == 403
        assert self.call("get", self.case_path("/uploads")).json()["total"] == 0
        self.user = self.mallory
        for reference in (self.secret_case.reference, "IR-2000-0001"):
            assert self.call("post", f"/cases/{reference}/uploads", wish).status_code == 404
            assert self.call("get", f"/cases/{reference}/uploads").status_code == 404

    def test_a_case_closed_meanwhile_takes_no_more_bytes(self) -> None:
        path = self.begin()
        Case.objects.filter(pk=self.case.pk).update(phase="closed", closed_at="2026-01-01T00:00:00Z")
        assert self.part(path, 0, CONTENT).status_code == 403
        assert self.call("get", path).json()["offset"] == 0
