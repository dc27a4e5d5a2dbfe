"""Feeds, file profiles and places of addresses, from the administrators' page to a run's manifest."""

import gzip
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from hunting.models import Feed, FeedFetch, HuntRun, KnownFile, PlacesFile, ProfilesFile
from hunting.services import feeds, supplies
from hunting.tasks import fetch_feeds
from ircase import store
from ircase.models import Connection, JobState, LogEntry
from msapi.errors import Forbidden, NotFound, Unavailable
from msapi.files import read_file_profile
from msapi.governor import Granted, Wait
from simulator.story import images
from tests.cast import CastTestCase, make_case
from tests.hunting.stage import make_table, queue_kql, record_of, work
from tests.mmdb import BUILT, city, write_mmdb
from tests.msapi.support import Answer, Server
from tests.simulator.conftest import start, stop

ONE, TWO, THREE = "a1" * 20, "b2" * 20, "c3" * 20
KNOWN = {"sha1": ONE, "globalPrevalence": 7, "signer": "Contoso", "isValidCertificate": True, "isPeFile": True}


class FeedTests(CastTestCase):
    def setUp(self) -> None:
        self.server = Server()
        self.addCleanup(self.server.close)
        self.enterContext(override_settings(FEEDS_MAY_USE_LOOPBACK=True))
        self.url = f"{self.server.url}/list.csv"

    def allow(self, address: str = "", **more: Any) -> Feed:
        return feeds.save_feed(feed=Feed(address=address or self.url, **more), actor=self.ada)

    def run_kql(self, kql: str) -> HuntRun:
        make_table(self.case, self.alice, "DeviceInfo", [{"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": "ws-07"}])
        return work(queue_kql(self.case, self.alice, kql))

    def feed_kql(self, address: str = "", more: str = "") -> str:
        return f"externaldata (ip:string, n:long) [h@'{address or self.url}']{more}"

    def test_a_query_reads_an_allowed_feed_and_its_manifest_names_it(self) -> None:
        feed = self.allow()
        self.server.on("GET", "/list.csv", Answer(200, b"10.0.0.1,1\n10.0.0.2,2\n"))
        run = self.run_kql(f"{self.feed_kql()} | where n > 1")
        self.assertEqual(run.state, JobState.DONE, run.reason)
        self.assertEqual(record_of(run), [{"ip": "10.0.0.2", "n": 2}])
        assert run.evidence is not None
        (named,) = run.evidence.manifest["supplies"]["feeds"]
        kept = feed.fetches.get()
        self.assertEqual((named["sha256"], named["bytes"], named["stale"]), (kept.sha256, 22, ""))
        self.assertEqual(store.opened(named["sha256"]).read(), b"10.0.0.1,1\n10.0.0.2,2\n")

    def test_a_fresh_copy_is_read_again_and_an_old_one_fetched_anew(self) -> None:
        feed = self.allow(refresh_hours=1)
        self.server.on("GET", "/list.csv", Answer(200, b"a,1\n"), Answer(200, b"b,2\n"))
        self.assertEqual(record_of(self.run_kql(self.feed_kql()))[0]["ip"], "a")
        self.assertEqual(record_of(self.run_kql(self.feed_kql()))[0]["ip"], "a")
        feed.fetches.update(at=timezone.now() - timedelta(hours=2))
        self.assertEqual(record_of(self.run_kql(self.feed_kql()))[0]["ip"], "b")
        self.assertEqual(len(self.server.requests), 2)

    def test_where_it_cannot_be_fetched_again_the_old_copy_is_read_and_that_is_said(self) -> None:
        feed = self.allow()
        self.server.on("GET", "/list.csv", Answer(200, b"a,1\n"), Answer(503, b""))
        self.run_kql(self.feed_kql())
        feed.fetches.update(at=timezone.now() - timedelta(days=3))
        run = self.run_kql(self.feed_kql())
        assert run.evidence is not None
        self.assertIn("status 503", run.evidence.manifest["notes"][0])
        self.assertIn("status 503", run.evidence.manifest["supplies"]["feeds"][0]["stale"])
        self.client.force_login(self.alice)
        page = self.client.get(reverse("hunting:run", args=[self.case.reference, run.uuid]))
        self.assertContains(page, "could not be fetched again")

    def test_a_run_whose_feed_is_not_to_be_had_fails_with_line_and_reason(self) -> None:
        self.allow()
        self.server.on("GET", "/list.csv", Answer(404, b""))
        run = self.run_kql(f"let a = 1;\n{self.feed_kql()}")
        self.assertEqual(run.state, JobState.FAILED)
        self.assertIn("line 2, column 1", run.reason)
        self.assertIn("status 404", run.reason)

    def test_nothing_is_fetched_where_one_address_is_not_allowed(self) -> None:
        self.allow()
        run = self.run_kql(f"union ({self.feed_kql()}), ({self.feed_kql('https://other.example/x.csv')})")
        self.assertEqual(run.state, JobState.FAILED)
        self.assertIn("https://other.example/x.csv: it is no feed that an administrator has allowed", run.reason)
        self.assertEqual(self.server.requests, [])

    def test_a_packed_bomb_is_no_copy(self) -> None:
        feed = self.allow(max_bytes=100_000)
        self.server.on("GET", "/list.csv", Answer(200, gzip.compress(b"0" * 5_000_000)))
        fetch = feeds.fetch(feed, self.url)
        self.assertEqual(fetch.sha256, "")
        self.assertIn("unpacks to more than", fetch.error)

    def test_several_addresses_of_one_query(self) -> None:
        self.allow(f"{self.server.url}/lists/", is_prefix=True)
        self.server.on("GET", "/lists/a", Answer(200, b"head,0\na,1\n"))
        self.server.on("GET", "/lists/b", Answer(200, b"head,0\nb,2\n"))
        both = f"'{self.server.url}/lists/a', '{self.server.url}/lists/b'"
        run = self.run_kql(f"externaldata (ip:string, n:long) [{both}] with (ignoreFirstRecord=true)")
        self.assertEqual([row["ip"] for row in record_of(run)], ["a", "b"])
        assert run.evidence is not None
        self.assertEqual(len(run.evidence.manifest["supplies"]["feeds"]), 2)

    def test_below_a_prefix_nothing_climbs(self) -> None:
        prefix = "https://feeds.example/lists/"
        self.allow(prefix, is_prefix=True)
        self.assertIsNotNone(feeds.feed_for(f"{prefix}a.csv?x=1"))
        self.assertIsNotNone(feeds.feed_for("https://FEEDS.example/lists/a"))
        for address in (
            f"{prefix}../secret", f"{prefix}%2e%2e/secret", f"{prefix}%252e%252e/secret", f"{prefix}..\\secret",
            "https://feeds.example/listsa", "https://feeds.example.evil/lists/a", "https://feeds.example:444/lists/a",
            "https://x@feeds.example/lists/a", "http://feeds.example/lists/a",
        ):  # fmt: skip
            self.assertIsNone(feeds.feed_for(address), address)

    def test_a_feed_that_is_switched_off_is_refused(self) -> None:
        self.allow("https://feeds.example/a.csv", enabled=False)
        found = supplies.offered(self.case, self.feed_kql("https://feeds.example/a.csv"))
        self.assertEqual(found.refused, {"https://feeds.example/a.csv": "the feed is switched off."})

    def test_other_addresses_cannot_be_allowed(self) -> None:
        for address in ("http://feeds.example/a", "https://u:p@feeds.example/", "file:///etc/passwd", "list.csv"):
            with self.assertRaises(ValidationError):
                self.allow(address)
        with self.assertRaises(ValidationError):
            self.allow("https://feeds.example/a?x=1", is_prefix=True)
        with override_settings(FEEDS_MAY_USE_LOOPBACK=False), self.assertRaises(ValidationError):
            self.allow(self.url)

    def test_in_production_this_machine_is_never_asked(self) -> None:
        feed = self.allow("https://localhost/a.csv")
        with override_settings(FEEDS_MAY_USE_LOOPBACK=False):
            self.assertIn("not on the public internet", feeds.fetch(feed, feed.address).error)

    # --- the page

    def test_an_administrator_allows_a_feed_and_a_worker_fetches_it(self) -> None:
        self.sign_in(self.ada)
        self.server.on("GET", "/list.csv", Answer(200, b"a,1\n"))
        filled = self.client.get(reverse("hunting:feed_new"), {"address": self.url})
        self.assertContains(filled, f'value="{self.url}"')
        data = {"address": self.url, "megabytes": 5, "refresh_hours": 6, "enabled": "on", "why": "a test"}
        with mock.patch("ircase.jobs.send") as sent, self.captureOnCommitCallbacks(execute=True):
            reply = self.client.post(reverse("hunting:feed_new"), data)
        sent.assert_called_once_with("hunting.fetch_feeds")
        feed = Feed.objects.get()
        self.assertRedirects(reply, reverse("hunting:feed", args=[feed.pk]))
        self.assertEqual((feed.max_bytes, feed.refresh_hours, feed.allowed_by), (5 * 2**20, 6, self.ada))
        self.assertEqual(self.server.requests, [], "the web process fetches nothing")
        fetch_feeds()
        fetch_feeds()
        self.assertEqual(len(self.server.requests), 1)
        page = self.client.get(reverse("hunting:feed", args=[feed.pk]))
        self.assertContains(page, FeedFetch.objects.get().sha256)
        self.assertContains(self.client.get(reverse("hunting:supplies")), "At hand")
        entry = LogEntry.objects.get(action="feed.allowed")
        self.assertEqual((entry.detail["address"], entry.actor), (self.url, self.ada))

    def test_switching_off_and_fetching_now_are_logged(self) -> None:
        feed = self.allow()
        self.sign_in(self.ada)
        self.client.post(reverse("hunting:feed_fetch", args=[feed.pk]))
        self.client.post(
            reverse("hunting:feed", args=[feed.pk]), {"address": self.url, "megabytes": 1, "refresh_hours": 1}
        )
        feed.refresh_from_db()
        self.assertFalse(feed.enabled)
        self.client.post(reverse("hunting:feed_fetch", args=[feed.pk]))
        codes = (
            LogEntry.objects.filter(action__startswith="feed.").order_by("sequence").values_list("action", flat=True)
        )
        self.assertEqual(list(codes), ["feed.allowed", "feed.fetch_asked", "feed.changed"])

    def test_a_bad_address_is_said_on_the_form(self) -> None:
        self.sign_in(self.ada)
        data = {"address": "http://feeds.example/a", "megabytes": 5, "refresh_hours": 6}
        reply = self.client.post(reverse("hunting:feed_new"), data)
        self.assertContains(reply, "must begin with https://", status_code=422)

    def test_the_editor_says_it_before_the_run_and_who_can_allow_it(self) -> None:
        self.sign_in(self.alice)
        make_table(self.case, self.alice, "DeviceInfo", [{"DeviceName": "ws-07"}])
        kql = f"DeviceInfo\n| join ({self.feed_kql('https://other.example/x.csv')}) on $left.DeviceName == $right.ip"
        url = reverse("hunting:check", args=[self.case.reference])
        (found,) = self.client.post(url, {"source": "case", "kql": kql}).json()["findings"]
        self.assertEqual((found["line"], found["column"], found["code"]), (2, 9, "kql.feed"))
        self.assertIn("An administrator can allow it", found["hint"])
        own = reverse("hunting:own_kql", args=[self.case.reference])
        page = self.client.post(own, {"source": "case", "kql": kql, "span": "7d", "as_of": "now", "action": "run"})
        self.assertContains(page, "no feed that an administrator has allowed", status_code=422)
        self.assertNotContains(page, "Allow this feed", status_code=422)


class PlacesTests(CastTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = write_mmdb(self.folder / "GeoLite2-City.mmdb", {"8.8.8.0/24": city("United States")})

    def upload(self, content: bytes, name: str = "GeoLite2-City.mmdb", what: str = "places") -> Any:
        self.sign_in(self.ada)
        file = SimpleUploadedFile(name, content)
        return self.client.post(reverse(f"hunting:{what}"), {"file": file}, follow=True)

    def run_geo(self) -> HuntRun:
        rows = [{"Timestamp": "2026-11-20T10:00:00Z", "RemoteIP": "8.8.8.8"}]
        self.case.tables.all().delete()
        make_table(self.case, self.alice, "DeviceNetworkEvents", rows)
        kql = "DeviceNetworkEvents | project Country = tostring(geo_info_from_ip_address(RemoteIP).country)"
        return work(queue_kql(self.case, self.alice, kql))

    def test_an_uploaded_database_answers_and_the_manifest_names_it(self) -> None:
        self.assertIn("none is installed", self.run_geo().reason)
        page = self.upload(self.file.read_bytes())
        self.assertContains(page, "is used from now on")
        self.assertContains(page, "1 Nov 2026")
        run = self.run_geo()
        self.assertEqual(record_of(run), [{"Country": "United States"}])
        assert run.evidence is not None
        row = PlacesFile.objects.get()
        said = {"name": row.name, "type": "GeoLite2-City", "built_at": BUILT.isoformat(), "sha256": row.sha256}
        self.assertEqual(run.evidence.manifest["supplies"]["places"], said)
        self.assertEqual(LogEntry.objects.get(action="places.installed").detail["sha256"], row.sha256)

    def test_a_withdrawn_database_answers_no_more_and_the_one_before_does(self) -> None:
        self.upload(self.file.read_bytes())
        newer = write_mmdb(self.folder / "new.mmdb", {"8.8.8.0/24": city("Elsewhere")})
        self.upload(newer.read_bytes(), "new.mmdb")
        self.assertEqual(record_of(self.run_geo()), [{"Country": "Elsewhere"}])
        self.client.post(reverse("hunting:places_withdraw", args=[PlacesFile.objects.first().pk]))  # type: ignore[union-attr]
        self.assertEqual(record_of(self.run_geo()), [{"Country": "United States"}])

    def test_an_old_database_is_said(self) -> None:
        old = write_mmdb(self.folder / "old.mmdb", {"8.8.8.0/24": city("X")}, built=BUILT - timedelta(days=900))
        self.assertContains(self.upload(old.read_bytes()), "older than 60 days")
        run = self.run_geo()
        assert run.evidence is not None
        self.assertIn("addresses may have moved", run.evidence.manifest["notes"][0])

    def test_other_files_are_refused(self) -> None:
        self.assertContains(self.upload(b"no database at all"), "no MaxMind database")
        asn = write_mmdb(self.folder / "asn.mmdb", {"8.8.8.0/24": {}}, kind="GeoLite2-ASN")
        self.assertContains(self.upload(asn.read_bytes()), "City or a Country database is needed")
        self.assertFalse(PlacesFile.objects.exists())

    def test_the_setting_names_a_file_that_goes_first(self) -> None:
        self.upload(self.file.read_bytes())
        mine = write_mmdb(self.folder / "mine.mmdb", {"8.8.8.0/24": city("Mine")})
        with override_settings(PLACES_FILE=str(mine)):
            self.assertEqual(record_of(self.run_geo()), [{"Country": "Mine"}])
            self.assertContains(self.client.get(reverse("hunting:supplies")), "named by IRCASE_MMDB")
        with override_settings(PLACES_FILE=str(self.folder / "gone.mmdb")):
            self.assertContains(self.client.get(reverse("hunting:supplies")), "cannot be read")
            self.assertIn("none is installed", self.run_geo().reason)

    def test_uploads_need_the_forms_token_and_an_administrator(self) -> None:
        self.sign_in(self.alice)
        file = SimpleUploadedFile("x.mmdb", self.file.read_bytes())
        self.assertEqual(self.client.post(reverse("hunting:places"), {"file": file}).status_code, 403)
        self.client.handler.enforce_csrf_checks = True
        self.sign_in(self.ada)
        file = SimpleUploadedFile("x.mmdb", self.file.read_bytes())
        self.assertEqual(self.client.post(reverse("hunting:places"), {"file": file}).status_code, 403)
        self.assertFalse(PlacesFile.objects.exists())


class Book:
    """A quota book that gives a turn so many times."""

    def __init__(self, turns: int = 10_000) -> None:
        self.turns = turns

    def acquire(self, bucket: Any, ticket: str, *_: Any) -> Granted | Wait:
        self.turns -= 1
        return Granted(bucket, ticket, "n") if self.turns >= 0 else Wait(60, 1, 3600)

    def release(self, granted: Granted) -> bool:
        return True

    def leave(self, bucket: Any, ticket: str) -> bool:
        return True


class DefenderSays:
    """Defender's files, by hash: a resource, or the error to raise."""

    def __init__(self, **files: Any) -> None:
        self.files, self.asked = files, list[str]()
        self.defender = self

    def file(self, digest: str) -> Any:
        self.asked.append(digest)
        found = self.files.get(f"h{digest}", NotFound("unknown"))
        if isinstance(found, Exception):
            raise found
        return read_file_profile(found)


@contextmanager
def saying(book: Book | None = None, **files: Any) -> Iterator[DefenderSays]:
    defender = DefenderSays(**files)
    with (
        mock.patch("hunting.knownfiles.clients_for", lambda _: defender),
        mock.patch("hunting.knownfiles.governor", lambda: book or Book()),
    ):
        yield defender


class ProfileTests(CastTestCase):
    kql = (
        "DeviceProcessEvents | invoke FileProfile(SHA1)"
        " | project SHA1, GlobalPrevalence, Signer, SignatureState, ProfileAvailability | sort by SHA1 asc"
    )

    def run_files(self, *hashes: str, kql: str = "") -> HuntRun:
        rows = [{"Timestamp": "2026-11-20T10:00:00Z", "SHA1": digest} for digest in hashes]
        self.case.tables.filter(name="DeviceProcessEvents").delete()
        make_table(self.case, self.alice, "DeviceProcessEvents", rows)
        return work(queue_kql(self.case, self.alice, kql or self.kql))

    def facts(self, run: HuntRun) -> dict[str, Any]:
        self.assertEqual(run.state, JobState.DONE, run.reason)
        assert run.evidence is not None
        found: dict[str, Any] = run.evidence.manifest["supplies"]["file_profiles"]
        return found

    def test_defender_is_asked_once_about_each_file(self) -> None:
        with saying(**{f"h{ONE}": KNOWN}) as defender:
            run = self.run_files(ONE.upper(), TWO, ONE, "no hash")
            again = self.run_files(ONE, TWO)
        self.assertEqual(defender.asked, [ONE, TWO])
        rows = {row["SHA1"]: row for row in record_of(run)}
        known = rows[ONE]
        self.assertEqual((known["GlobalPrevalence"], known["Signer"]), (7, "Contoso"))
        self.assertEqual((known["SignatureState"], known["ProfileAvailability"]), ("SignedValid", "Available"))
        self.assertEqual((rows[TWO]["GlobalPrevalence"], rows[TWO]["ProfileAvailability"]), (None, "Missing"))
        self.assertEqual(rows["no hash"]["ProfileAvailability"], "")
        facts = self.facts(run)
        self.assertEqual((facts["files"], facts["known"], facts["asked_of_defender"]), (2, 1, 2))
        self.assertEqual((facts["unknown_to_defender"], facts["not_asked"]), (1, 0))
        self.assertEqual(self.facts(again)["from_earlier_answers"], 2)
        self.assertIn("1 of 2 files known", run.activity.outcome)

    def test_an_old_answer_is_asked_for_again(self) -> None:
        with saying(**{f"h{ONE}": KNOWN}) as defender:
            self.run_files(ONE)
            KnownFile.objects.update(fetched_at=timezone.now() - timedelta(hours=200))
            self.run_files(ONE)
        self.assertEqual(defender.asked, [ONE, ONE])
        self.assertEqual(KnownFile.objects.count(), 1)

    def test_one_run_asks_about_so_many_files_and_the_next_about_the_others(self) -> None:
        with override_settings(FILE_PROFILE_CALLS=1), saying(**{f"h{ONE}": KNOWN}):
            first, second = self.run_files(ONE, TWO), self.run_files(ONE, TWO)
        self.assertEqual(self.facts(first)["not_asked"], 1)
        self.assertIn("Run it again", self.facts(first)["why_not_asked"])
        self.assertEqual(self.facts(second)["not_asked"], 0)
        self.client.force_login(self.alice)
        page = self.client.get(reverse("hunting:run", args=[self.case.reference, first.uuid]))
        self.assertContains(page, "knows 1 of 2 files")
        self.assertContains(page, "Not asked")

    def test_a_used_up_quota_ends_the_asking_not_the_run(self) -> None:
        with saying(Book(turns=1), **{f"h{ONE}": KNOWN}) as defender:
            run = self.run_files(ONE, TWO)
        self.assertEqual(defender.asked, [ONE])
        self.assertIn("quota is used up", self.facts(run)["why_not_asked"])

    def test_a_missing_permission_is_said_once(self) -> None:
        denied = Forbidden("The app lacks File.Read.All.", needed=("File.Read.All",))
        with saying(**{f"h{ONE}": denied}) as defender:
            run = self.run_files(ONE, TWO)
        self.assertEqual(defender.asked, [ONE])
        self.assertIn("File.Read.All", self.facts(run)["why_not_asked"])
        self.assertFalse(KnownFile.objects.exists())

    def test_an_ill_service_marks_the_row_and_is_not_remembered(self) -> None:
        with saying(**{f"h{ONE}": Unavailable("ill"), f"h{TWO}": {**KNOWN, "sha1": TWO}}):
            run = self.run_files(ONE, TWO)
        rows = {row["SHA1"]: row["ProfileAvailability"] for row in record_of(run)}
        self.assertEqual(rows, {ONE: "Error", TWO: "Available"})
        self.assertEqual(list(KnownFile.objects.values_list("hash", flat=True)), [TWO])

    def test_the_cases_own_table_goes_before_the_table_for_all_and_both_before_defender(self) -> None:
        make_table(self.case, self.alice, "FileProfiles", [{"SHA1": ONE.upper(), "Signer": "of the case"}])
        self.sign_in(self.ada)
        table = f"SHA1,Signer,GlobalPrevalence,Other\n{ONE},of all,1,x\n{TWO},of all,2,x\n"
        file = SimpleUploadedFile("profiles.csv", table.encode())
        self.client.post(reverse("hunting:profiles"), {"file": file})
        with saying(**{f"h{THREE}": {**KNOWN, "sha1": THREE}}) as defender:
            run = self.run_files(ONE, TWO, THREE)
        self.assertEqual(defender.asked, [THREE])
        self.assertEqual([row["Signer"] for row in record_of(run)], ["of the case", "of all", "Contoso"])
        facts = self.facts(run)
        self.assertEqual([facts["from_case_table"], facts["from_table"], facts["asked_of_defender"]], [1, 1, 1])
        self.assertEqual(LogEntry.objects.get(action="profiles.installed").actor, self.ada)

    def test_a_table_without_hashes_is_refused(self) -> None:
        self.sign_in(self.ada)
        file = SimpleUploadedFile("profiles.csv", b"Name,Signer\nx,y\n")
        page = self.client.post(reverse("hunting:profiles"), {"file": file}, follow=True)
        self.assertContains(page, "first line names the columns")
        self.assertFalse(ProfilesFile.objects.exists())

    def test_a_case_without_a_tenant_has_its_table_or_is_refused(self) -> None:
        self.case = make_case(self.alice, title="Offline")
        run = self.run_files(ONE)
        self.assertIn("Nothing is known of files", run.reason)
        make_table(self.case, self.alice, "FileProfiles", [{"SHA1": ONE, "Signer": "of the case"}])
        facts = self.facts(self.run_files(ONE, TWO))
        self.assertEqual((facts["known"], facts["not_asked"]), (1, 1))
        self.assertIn("no tenant to ask", facts["why_not_asked"])

    def test_a_call_after_a_filter_on_the_first_is_answered_too(self) -> None:
        pair = {**KNOWN, "sha256": "d4" * 32}
        with saying(**{f"h{ONE}": pair, f"h{'d4' * 32}": pair}) as defender:
            run = self.run_files(
                ONE,
                kql="DeviceProcessEvents | project SHA1 | invoke FileProfile() | where GlobalPrevalence < 10"
                " | project InitiatingProcessSHA256 = SHA256 | invoke FileProfile(InitiatingProcessSHA256)"
                " | project Signer",
            )
        self.assertEqual(record_of(run), [{"Signer": "Contoso"}])
        self.assertEqual(defender.asked, [ONE, "d4" * 32])

    def test_a_check_knows_the_columns_where_anything_is_known(self) -> None:
        make_table(self.case, self.alice, "DeviceProcessEvents", [{"SHA1": ONE}])
        self.sign_in(self.alice)
        url = reverse("hunting:check", args=[self.case.reference])
        kql = "DeviceProcessEvents | invoke FileProfile(SHA1) | where GlobalPrevalence < 5"
        self.assertEqual(self.client.post(url, {"source": "case", "kql": kql}).json()["findings"], [])


class SimulatorTests(CastTestCase):
    """The whole way over sockets: sign-in, governor aside, the simulator's Defender, the cache, the sealed rows."""

    def test_defender_answers_about_the_files_of_its_story(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        running = start(folder, "--devices", "10", "--days", "2")
        self.addCleanup(stop, running)
        app = running.ready["apps"]["ircase"]
        connection = self.case.connection
        assert connection is not None
        Connection.objects.filter(pk=connection.pk).update(
            tenant_id=running.ready["tenant_id"],
            client_id=app["client_id"],
            login_url=running.url,
            defender_url=running.url,
            ca_pem=Path(running.ready["ca"]).read_text(encoding="utf-8"),
        )
        connection.refresh_from_db()
        with (
            mock.patch("ircase.secrets.decrypt", lambda _: app["client_secret"]),
            mock.patch("hunting.knownfiles.governor", lambda: Book()),
        ):
            run = self.run_story()
        rows = {row["FileName"]: row for row in record_of(run)}
        self.assertEqual(rows["edgehelper.exe"]["ThreatName"], "Backdoor:Win64/Edgehelp.A")
        self.assertLess(rows["edgehelper.exe"]["GlobalPrevalence"], 10)
        self.assertEqual(rows["cmd.exe"]["SignatureState"], "SignedValid")
        self.assertGreater(rows["cmd.exe"]["GlobalPrevalence"], 1000)
        self.assertEqual(rows["unknown.exe"]["ProfileAvailability"], "Missing")
        self.assertEqual(KnownFile.objects.filter(connection=connection).count(), 3)

    def run_story(self) -> HuntRun:
        files = [("edgehelper.exe", images.IMPLANT.sha1), ("cmd.exe", images.CMD.sha1), ("unknown.exe", ONE)]
        rows = [{"Timestamp": "2026-11-20T10:00:00Z", "FileName": name, "SHA1": digest} for name, digest in files]
        make_table(self.case, self.alice, "DeviceProcessEvents", rows)
        return work(queue_kql(self.case, self.alice, "DeviceProcessEvents | invoke FileProfile()"))


def test_what_the_manifest_says_is_json() -> None:
    assert json.dumps(read_file_profile({"size": "x", "isPeFile": 1, "sha1": None}).sha1) == '""'
