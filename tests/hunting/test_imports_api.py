"""Bringing hunts in and editing packs over the API: what the pages do, by the same people."""

import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings

from hunting.models import HuntImport, HuntVersion, PackVersion, SavedHunt, SavedPack
from hunting.tasks import bring_in
from ircase.models import JobState, LogEntry
from tests.hunting.stage import quiet_heart
from tests.hunting.test_import_pages import HUNT, zipped
from tests.ircase.test_api import ApiTestCase

PATH = "/hunt-imports"


def query(number: int) -> str:
    return f"DeviceEvents | where ActionType == 'kind{number}' | project Timestamp, DeviceName"


class ImportApiTests(ApiTestCase):
    def hand_over(self, *files: tuple[str, bytes], **more: str) -> Any:
        sent = [SimpleUploadedFile(name, content) for name, content in files]
        return self.call("post", PATH, None, data={"file": sent, **more})

    def work(self, uuid: str) -> Any:
        with quiet_heart():
            bring_in(HuntImport.objects.get(uuid=UUID(uuid)).pk)
        return self.call("get", f"{PATH}/{uuid}").json()

    def bring(self, *files: tuple[str, bytes], **more: str) -> Any:
        made = self.hand_over(*files, **more)
        assert made.status_code == 202, made.content
        (one,) = made.json()
        assert (one["state"], one["found"]) == ("queued", 0)
        return self.work(one["uuid"])

    def items(self, uuid: str, show: str = "") -> Any:
        return self.call("get", f"{PATH}/{uuid}/items?show={show}").json()["items"]

    def choose(self, uuid: str, **body: Any) -> Any:
        reply = self.call("put", f"{PATH}/{uuid}/choice", body)
        assert reply.status_code == 200, reply.content
        return reply.json()

    def test_from_the_files_to_the_drafts(self) -> None:
        files: dict[str, str | bytes] = {f"h{n}.kql": query(n) for n in range(1, 6)}
        found = self.bring(("many.zip", zipped({**files, "broken.kql": "where where"})), licence="MIT")
        assert (found["state"], found["kind"], found["found"], found["wanted"]) == ("done", "zip", 5, 5)
        (refused,) = self.items(found["uuid"], "not-kept")
        assert refused["member"].endswith("broken.kql") and refused["reason"] and not refused["may_be_kept"]
        numbers = [one["number"] for one in self.items(found["uuid"], "open")]
        assert self.choose(found["uuid"], leave=numbers[:1])["wanted"] == 4
        assert self.choose(found["uuid"], every=False, keep=numbers[1:3])["wanted"] == 2
        kept = self.call("post", f"{PATH}/{found['uuid']}/keeping", {})
        assert (kept.status_code, kept.json()["stage"], kept.json()["kept_by"]) == (202, "keep", "alice")
        done = self.work(found["uuid"])
        assert (done["state"], done["kept"], done["wanted"]) == ("done", 2, 0)
        there = {one["number"]: one["kept_as"] for one in self.items(found["uuid"]) if one["kept_as"]}
        assert set(there) == set(numbers[1:3])
        assert set(there.values()) == set(SavedHunt.objects.values_list("slug", flat=True))
        assert SavedHunt.objects.first().licence == "MIT"  # type: ignore[union-attr]
        assert LogEntry.objects.filter(action="library.imported").get().detail["kept"] == 2
        listed = self.call("get", PATH).json()
        assert [(one["uuid"], one["kept"]) for one in listed["items"]] == [(found["uuid"], 2)]

    def test_one_find_in_full_and_what_it_would_change(self) -> None:
        found = self.bring(("encoded.kql", HUNT.encode()))
        item = self.call("get", f"{PATH}/{found['uuid']}/items/1").json()
        assert "{Words}" in item["original"] and "Words" in item["content"]["kql"] and item["newest"] is None
        assert "Words" in [one["name"] for one in item["content"]["parameters"]]
        self.call("post", f"{PATH}/{found['uuid']}/keeping", {})
        self.work(found["uuid"])
        again = self.bring(("encoded.kql", HUNT.replace("Since = 7d", "Since = 9d").encode()))
        item = self.call("get", f"{PATH}/{again['uuid']}/items/1").json()
        if item["becomes"] == "version":
            assert item["newest"] == HuntVersion.objects.get(saved__slug=item["target"]).content
        assert self.call("get", f"{PATH}/{again['uuid']}/items/99").status_code == 404

    def test_several_files_and_a_cancel(self) -> None:
        made = self.hand_over(("a.kql", query(1).encode()), ("b.kql", query(2).encode()), ("c.zip", zipped({}))).json()
        assert sorted(one["source"] for one in made) == ["a.kql and 1 more", "c.zip"]
        stopped = self.call("post", f"{PATH}/{made[0]['uuid']}/cancel", {}).json()
        assert (stopped["state"], stopped["reason"]) == ("cancelled", "Cancelled by Alice")
        assert HuntImport.objects.filter(state=JobState.QUEUED).count() == 1

    def test_what_is_refused(self) -> None:
        assert self.call("post", PATH, None, data={"licence": "MIT"}).status_code == 422
        found = self.bring(("a.kql", query(1).encode()))
        self.choose(found["uuid"], every=False)
        nothing = self.call("post", f"{PATH}/{found['uuid']}/keeping", {})
        assert (nothing.status_code, nothing.json()["detail"]) == (422, "Tick at least one hunt to keep.")
        assert self.call("get", f"{PATH}/{found['uuid']}/items?show=odd").status_code == 422
        assert self.call("get", f"{PATH}/{self.case.uuid}").status_code == 404

    def test_who_may(self) -> None:
        found = self.bring(("a.kql", query(1).encode()))
        doors = [("get", PATH), ("get", f"{PATH}/{found['uuid']}"), ("get", f"{PATH}/{found['uuid']}/items"),
                 ("get", f"{PATH}/{found['uuid']}/items/1"), ("put", f"{PATH}/{found['uuid']}/choice"),
                 ("post", f"{PATH}/{found['uuid']}/keeping"), ("post", f"{PATH}/{found['uuid']}/cancel")]  # fmt: skip
        for user in (self.bob, self.carol, self.mallory):  # an analyst, a manager, a guest: nobody vouches for the site
            self.user = user
            for method, path in doors:
                assert self.call(method, path, None if method == "get" else {}).status_code == 403, (user, path)
            assert self.hand_over(("a.kql", b"x")).status_code == 403
            # What does not exist says the same to them.
            assert self.call("get", f"{PATH}/{self.case.uuid}").status_code == 403
        assert HuntImport.objects.count() == 1

    def test_a_folder_of_the_server_is_for_administrators(self) -> None:
        with tempfile.TemporaryDirectory() as folder, override_settings(HUNT_IMPORT_ROOTS=[folder]):
            (Path(folder) / "a.kql").write_text(query(1), encoding="utf-8")
            assert self.call("post", "/hunt-import-paths", {"path": folder}).status_code == 403
            self.user = self.ada
            made = self.call("post", "/hunt-import-paths", {"path": folder, "licence": "MIT"})
            assert made.status_code == 202, made.content
            assert (made.json()["said_licence"], folder in made.content.decode()) == ("MIT", False)
            for path in ("/etc/passwd", f"{folder}/../..", f"{folder}/none"):
                wrong = self.call("post", "/hunt-import-paths", {"path": path})
                assert wrong.status_code == 422, path
                assert wrong.json()["detail"] == "There is nothing of this name below the allowed folders."
            assert self.work(made.json()["uuid"])["found"] == 1


class PackApiTests(ApiTestCase):
    PATH = "/packs/spreading"
    STEPS = ({"hunt": "device-logons"}, {"hunt": "device-process-list", "only_if": "device-logons"})

    def save(self, **more: Any) -> Any:
        body = {"title": "Spreading", "entity": "device", "steps": list(self.STEPS), **more}
        return self.call("post", f"{self.PATH}/versions", body)

    def test_written_in_versions(self) -> None:
        made = self.save(description="In order.")
        assert made.status_code == 201, made.content
        assert (made.json()["number"], made.json()["author"]) == (1, "alice")
        shown = self.call("get", self.PATH).json()
        assert (shown["shipped"], shown["version"], shown["steps"]) == (
            False, 1, [{"hunt": "device-logons", "only_if": ""}, dict(self.STEPS[1])],
        )  # fmt: skip
        same = self.save(description="In order.", edited_from=1)
        assert same.json()["number"] == 1 and PackVersion.objects.count() == 1
        assert self.save(title="Other", edited_from=1, change="Better").json()["number"] == 2
        late = self.save(title="Mine", edited_from=1)
        assert (late.status_code, late.json()["type"]) == (409, "urn:ircase:problem:conflict")
        versions = self.call("get", f"{self.PATH}/versions").json()["items"]
        assert [(one["number"], one["change"]) for one in versions] == [(2, "Better"), (1, "")]
        assert LogEntry.objects.filter(action="library.pack_saved").count() == 2
        assert "spreading" in [one["id"] for one in self.call("get", "/packs").json()["items"]]

    def test_as_a_file_that_comes_in_again(self) -> None:
        self.save()
        text = b"".join(self.call("get", f"{self.PATH}/file")).decode()
        assert "only_if: device-logons" in text and text.startswith("id: spreading")
        assert "device-logons" in b"".join(self.call("get", "/packs/device-triage/file")).decode()

    def test_retired_and_back(self) -> None:
        self.save()
        gone = self.call("post", f"{self.PATH}/retirement", {}).json()
        assert gone["retired_at"] and gone["retired_by"] == "alice"
        assert "spreading" not in [one["id"] for one in self.call("get", "/packs").json()["items"]]
        assert self.call("post", f"{self.PATH}/retirement", {}).status_code == 422
        assert self.call("delete", f"{self.PATH}/retirement").json()["retired_at"] is None
        actions = set(LogEntry.objects.filter(action__startswith="library.pack_").values_list("action", flat=True))
        assert actions == {"library.pack_saved", "library.pack_retired", "library.pack_restored"}

    def test_what_is_refused(self) -> None:
        for wrong in ({"steps": []}, {"steps": [{"hunt": "nope"}]}, {"title": "x" * 121}, {"edited_from": 3},
                      {"steps": [dict(self.STEPS[1])]}, {"entity": "odd"}):  # fmt: skip
            assert self.save(**wrong).status_code == 422, wrong
        body = {"title": "T", "entity": "device", "steps": [{"hunt": "device-logons"}]}
        for slug in ("device-triage", "new", "No", "x"):
            assert self.call("post", f"/packs/{slug}/versions", body).status_code == 422, slug
        for path in ("/packs/none", "/packs/none/file", "/packs/none/versions", "/packs/device-triage/versions"):
            assert self.call("get", path).status_code == 404, path
        assert self.call("post", "/packs/device-triage/retirement", {}).status_code == 404
        assert not SavedPack.objects.exists()

    def test_who_may(self) -> None:
        self.save()
        for user in (self.bob, self.carol, self.mallory):
            self.user = user
            assert self.call("get", self.PATH).status_code == 200
            assert self.save(title="Theirs", edited_from=1).status_code == 403
            assert self.call("post", f"{self.PATH}/retirement", {}).status_code == 403
            assert self.call("delete", f"{self.PATH}/retirement").status_code == 403
        assert PackVersion.objects.count() == 1
