"""Sealing what Defender said, over the API: once, by who may write, and only where it was asked."""

import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ircase.models import CaseRole, Evidence, LogEntry
from ircase.services import cases
from liveresponse.models import Lookup, LookupState
from liveresponse.services import lookups
from tests.ircase.test_api import ApiTestCase

DIGEST, MACHINE_ID, NAME = "a" * 64, "d" * 40, "ws-07.contoso.com"
ANSWER = {"state": "answered", "as_of": "2026-11-20T10:00:00Z", "said": ""}


class SealingApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = self.bob

    def told(self, kind: str, key: str, **data: Any) -> Lookup:
        row = lookups.ask(case=self.case, actor=self.bob, kind=kind, key=key)
        name = "file" if kind == "file" else "machine"
        row.answers, row.state = {name: {**ANSWER, "data": data}}, LookupState.DONE
        row.ended_at = timezone.now() + timedelta(seconds=1)
        row.save(update_fields=["answers", "state", "ended_at"])
        return row

    def seal(self, of: str) -> Any:
        return self.call("post", self.case_path(f"/{of}/seal"))

    def test_a_files_answers_once(self) -> None:
        row = self.told("file", DIGEST, sha1="b" * 40)
        made = self.seal(f"files/{DIGEST.upper()}")
        assert made.status_code == 201, made.content
        assert (made.json()["kind"], made.json()["partial"], made.json()["sealed_by"]) == ("answer", False, "bob")
        item = Evidence.objects.get(uuid=made.json()["uuid"])
        assert json.loads(item.path.read_bytes())["answers"] == row.answers
        assert LogEntry.objects.filter(case=self.case, action="evidence.sealed").count() == 1
        again = self.seal(f"files/{'b' * 40}")  # by its other hash, as Defender knows it
        assert (again.status_code, again.json()["uuid"]) == (200, made.json()["uuid"])
        shown = self.call("get", self.case_path(f"/files/{DIGEST}")).json()
        assert shown["lookup"]["evidence"] == made.json()["uuid"]

    def test_a_devices_answers_by_any_of_its_names(self) -> None:
        self.told("device", NAME, id=MACHINE_ID, dns_name=NAME)
        made = self.seal(f"devices/{MACHINE_ID}")
        assert made.status_code == 201, made.content
        assert made.json()["name"] == f"Defender on device {NAME}.json"
        # Asked by its other name, the answers stay in the one row.
        asked = self.call("post", self.case_path(f"/devices/{MACHINE_ID}/ask"), {})
        assert (asked.status_code, asked.json()["key"], Lookup.objects.count()) == (202, NAME, 1)

    def test_what_was_not_asked_or_not_answered(self) -> None:
        for of in (f"files/{DIGEST}", f"devices/{NAME}", "files/nonsense"):
            assert self.seal(of).status_code == 404
        lookups.ask(case=self.case, actor=self.bob, kind="file", key=DIGEST)
        early = self.seal(f"files/{DIGEST}")
        assert (early.status_code, early.json()["detail"]) == (422, "There is no answer to keep yet.")
        assert Evidence.objects.filter(case=self.case).count() == 0

    def test_who_may(self) -> None:
        self.told("file", DIGEST)
        self.user = self.mallory
        unknown = self.call("post", f"/cases/IR-2000-0001/files/{DIGEST}/seal")
        assert (self.seal(f"files/{DIGEST}").status_code, unknown.status_code) == (404, 404)
        cases.set_member(case=self.case, actor=self.alice, user=self.mallory, role=CaseRole.VIEWER)
        assert self.seal(f"files/{DIGEST}").status_code == 403
        assert Evidence.objects.filter(case=self.case).count() == 0
