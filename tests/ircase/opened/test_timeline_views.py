"""Saved filters and mappings of the super-timeline, and ATT&CK data of one's own, by the API."""

import json
import tempfile
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings

from ircase import attack, tasks
from ircase.models import AttackRelease, LogEntry, TimelineView
from tests.cast import make_evidence
from tests.ircase.test_api import ApiTestCase
from tests.ircase.test_attack_data import bundle
from tests.world import make_table

ROW = {"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": "ws-07"}


class ViewTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.case_path("/super-timeline/views")

    def test_a_filter_is_kept_replaced_and_removed(self) -> None:
        made = self.call("post", self.path, {"name": "C2", "q": "beacon", "device": ["ws-07", "ws-08"]})
        assert made.status_code == 201, made.content
        assert made.json()["asked"] == "device=ws-07&device=ws-08&q=beacon"
        again = self.call("post", self.path, {"name": "C2", "q": "other"}).json()
        assert again["uuid"] == made.json()["uuid"]
        (listed,) = self.call("get", self.path).json()["items"]
        assert (listed["asked"], listed["saved_by"]) == ("q=other", "alice")
        assert self.call("delete", f"{self.path}/{again['uuid']}").status_code == 204
        assert not TimelineView.objects.exists()
        assert LogEntry.objects.filter(case=self.case, action="timeline.view_removed").count() == 1

    def test_readers_keep_none_and_strangers_see_none(self) -> None:
        made = self.call("post", self.path, {"name": "C2"}).json()["uuid"]
        self.user = self.carol
        assert self.call("get", self.path).json()["total"] == 1
        assert self.call("post", self.path, {"name": "Mine"}).status_code == 403
        assert self.call("delete", f"{self.path}/{made}").status_code == 403
        self.user = self.mallory
        assert self.call("get", self.path).status_code == 404
        self.user = self.alice
        assert self.call("post", "/cases/IR-2000-0001/super-timeline/views", {"name": "x"}).status_code == 404
        assert (
            self.call("delete", f"/cases/{self.secret_case.reference}/super-timeline/views/{made}").status_code == 404
        )

    def test_what_makes_events_of_rows(self) -> None:
        table = make_table(make_evidence(self.case, self.alice, json.dumps(ROW).encode(), name="r.ndjson"), [ROW])
        said = self.call("get", self.case_path("/super-timeline/mappings")).json()
        (one,) = said["used"]
        assert (one["table"], one["exhibit"], one["events"]) == (str(table.uuid), "E001", None)
        assert one["rule"]["times"][0]["columns"] == "Timestamp"
        assert said["timeless"] == [] and said["every"]["DeviceEvents"]["guessed"] is False
        self.user = self.mallory
        assert self.call("get", self.case_path("/super-timeline/mappings")).status_code == 404


class AttackDataTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = self.ada
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(attack.forget)
        settings = override_settings(ATTACK_DIR=Path(folder.name))
        settings.enable()
        self.addCleanup(settings.disable)

    def test_newer_data_is_brought_used_and_withdrawn(self) -> None:
        before = self.call("get", "/attack-data").json()
        assert before["uuid"] is None and before["version"] == attack.release().version
        file = SimpleUploadedFile("enterprise-attack.json", bundle())
        made = self.call("post", "/attack-data/files", data={"file": file})
        assert made.status_code == 202, made.content
        tasks.load_attack(AttackRelease.objects.get().pk)
        now = self.call("get", "/attack-data").json()
        assert (now["uuid"], now["version"], now["techniques"]) == (made.json()["uuid"], "v99.1", 60)
        (listed,) = self.call("get", "/attack-data/files").json()["items"]
        assert (listed["state"], listed["uploaded_by"]) == ("done", "ada")
        path = f"/attack-data/files/{listed['uuid']}/withdrawal"
        assert self.call("post", path).json()["withdrawn_at"] is not None
        assert self.call("get", "/attack-data").json() == before
        assert self.call("post", path).status_code == 422, "it is not in use any more"

    def test_it_is_the_administrators(self) -> None:
        self.user = self.alice
        assert self.call("get", "/attack-data").status_code == 403
        file = SimpleUploadedFile("enterprise-attack.json", bundle())
        assert self.call("post", "/attack-data/files", data={"file": file}).status_code == 403
        assert not AttackRelease.objects.exists()
        self.user = self.ada
        assert self.call("post", "/attack-data/files", data={}).status_code == 422
        nothing = "/attack-data/files/00000000-0000-4000-8000-000000000000/withdrawal"
        assert self.call("post", nothing).status_code == 404
