"""Feeds, places of addresses and file profiles over the API, for administrators alone."""

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from hunting.models import Feed, FeedFetch, PlacesFile, ProfilesFile
from hunting.services import supplies
from ircase.models import LogEntry
from tests.ircase.test_api import ApiTestCase
from tests.mmdb import city, write_mmdb

ADDRESS = "https://feeds.example/list.csv"


class FeedApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = self.ada

    def allow(self, **more: Any) -> Any:
        return self.call("post", "/feeds", {"address": ADDRESS, **more})

    def test_allowed_changed_and_fetched(self) -> None:
        with mock.patch("ircase.jobs.send") as sent, self.captureOnCommitCallbacks(execute=True):
            made = self.allow(megabytes=5, refresh_hours=6, why="a test")
        sent.assert_called_once_with("hunting.fetch_feeds")
        assert made.status_code == 201, made.content
        one = made.json()
        assert (one["megabytes"], one["allowed_by"], one["last_at"]) == (5, "ada", None)
        feed = Feed.objects.get(pk=one["id"])
        assert (feed.max_bytes, feed.refresh_hours) == (5 * 2**20, 6)
        FeedFetch.objects.create(feed=feed, address=ADDRESS, at=timezone.now(), error="No answer")
        (listed,) = self.call("get", "/feeds").json()["items"]
        assert (listed["last_sha256"], listed["last_error"]) == ("", "No answer")
        changed = self.call("put", f"/feeds/{feed.pk}", {"address": ADDRESS, "enabled": False})
        assert (changed.json()["enabled"], changed.json()["megabytes"]) == (False, 20)
        off = self.call("post", f"/feeds/{feed.pk}/fetch", {})
        assert (off.status_code, "switched off" in off.json()["detail"]) == (422, True)
        self.call("put", f"/feeds/{feed.pk}", {"address": ADDRESS})
        assert self.call("post", f"/feeds/{feed.pk}/fetch", {}).json()["fetch_asked_at"] is not None
        fetches = self.call("get", f"/feeds/{feed.pk}/fetches").json()["items"]
        assert [one["error"] for one in fetches] == ["No answer"]
        actions = list(LogEntry.objects.filter(action__startswith="feed.").values_list("action", flat=True))
        assert sorted(actions) == ["feed.allowed", "feed.changed", "feed.changed", "feed.fetch_asked"]

    def test_what_is_refused(self) -> None:
        for wrong in (
            {"address": "http://feeds.example/a"}, {"address": "https://u:p@feeds.example/"}, {"address": "list.csv"},
            {"is_prefix": True}, {"megabytes": 201}, {"megabytes": 0}, {"refresh_hours": 8761}, {"format": "odd"},
        ):  # fmt: skip
            assert self.allow(**wrong).status_code == 422, wrong
        assert not Feed.objects.exists()
        self.allow()
        assert self.allow().status_code == 422  # one address, one feed
        assert self.call("get", "/feeds/999999").status_code == 404

    def test_administrators_alone(self) -> None:
        pk = self.allow().json()["id"]
        doors = [
            *(("get", path) for path in ("/feeds", f"/feeds/{pk}", f"/feeds/{pk}/fetches", "/feeds/999999")),
            *(("get", "/supplies"), ("post", f"/feeds/{pk}/fetch"), ("delete", "/supplies/places/1")),
        ]
        for user in (self.alice, self.bob, self.carol, self.mallory):
            self.user = user
            for method, path in doors:
                assert self.call(method, path, None if method != "post" else {}).status_code == 403, path
            assert self.allow(address="https://feeds.example/b").status_code == 403
            assert self.call("put", f"/feeds/{pk}", {"address": ADDRESS, "enabled": False}).status_code == 403
        assert Feed.objects.get().enabled


class InstalledApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = self.ada
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def upload(self, what: str, content: bytes, name: str = "file") -> Any:
        return self.call("post", f"/supplies/{what}", None, data={"file": SimpleUploadedFile(name, content)})

    def places(self, country: str) -> bytes:
        return write_mmdb(self.folder / f"{country}.mmdb", {"8.8.8.0/24": city(country)}).read_bytes()

    def test_a_database_of_places(self) -> None:
        assert self.call("get", "/supplies").json()["database"] is None
        first = self.upload("places", self.places("One"), "one.mmdb")
        assert first.status_code == 201, first.content
        second = self.upload("places", self.places("Two"), "two.mmdb").json()
        used = self.call("get", "/supplies").json()
        assert (used["database"]["sha256"], used["places"]["id"]) == (second["sha256"], second["id"])
        gone = self.call("delete", f"/supplies/places/{second['id']}")
        assert (gone.status_code, gone.json()["withdrawn_at"] is None) == (200, False)
        assert self.call("get", "/supplies").json()["database"]["name"] == "one.mmdb"
        self.call("delete", f"/supplies/places/{second['id']}")  # once more changes nothing
        assert LogEntry.objects.filter(action="places.withdrawn").count() == 1
        assert self.upload("places", b"no database").status_code == 422
        assert self.call("post", "/supplies/places", None, data={}).status_code == 422
        assert PlacesFile.objects.count() == 2

    def test_a_table_of_file_profiles(self) -> None:
        made = self.upload("profiles", b"SHA1,GlobalPrevalence\n" + b"a" * 40 + b",7\n", "profiles.csv")
        assert made.status_code == 201, made.content
        assert self.call("get", "/supplies").json()["profiles"]["sha256"] == made.json()["sha256"]
        assert self.call("delete", f"/supplies/profiles/{made.json()['id']}").status_code == 200
        assert supplies.profiles_file() is None
        assert self.upload("profiles", b"Name,Size\na,1\n").status_code == 422
        with mock.patch.object(supplies, "PROFILES_BYTES", 10):
            assert self.upload("profiles", b"SHA1,GlobalPrevalence\n" * 60_000).status_code == 422
        assert ProfilesFile.objects.count() == 1

    def test_administrators_alone(self) -> None:
        for user in (self.alice, self.carol, self.mallory):
            self.user = user
            assert self.upload("places", self.places("One")).status_code == 403
            assert self.upload("profiles", b"SHA1,GlobalPrevalence\n").status_code == 403
        assert not PlacesFile.objects.exists() and not ProfilesFile.objects.exists()
