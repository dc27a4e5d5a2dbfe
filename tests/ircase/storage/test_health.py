"""The scheduled hashing, the look through the store, the commands, and what an administrator is shown."""

import base64
import os
import tempfile
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from ircase import checks, store
from ircase.models import CustodyEntry, Evidence, LogEntry, StoreSurvey, Turn
from ircase.services import evidence
from ircase.services.vault import storehealth, verification
from ircase.tasks import survey_store
from tests.cast import CastTestCase, make_evidence

KEY = "k1:" + base64.b64encode(os.urandom(32)).decode()
NEWER = "k2:" + base64.b64encode(os.urandom(32)).decode()


class StoreTestCase(CastTestCase):
    """Each test has a store of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="store-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        own = override_settings(
            EVIDENCE_DIR=self.folder / "e", SPOOL_DIR=self.folder / "s", STORE_CACHE_DIR=self.folder / "c"
        )
        own.enable()
        self.addCleanup(own.disable)
        self.item = make_evidence(self.case, self.alice, b"first", name="first.bin")
        self.quiet = make_evidence(self.secret_case, self.alice, b"quiet", name="quiet.bin")

    def command(self, *args: str) -> str:
        out = StringIO()
        call_command(*args, stdout=out, no_color=True)
        return out.getvalue()

    def tamper(self, item: Evidence) -> None:
        item.path.chmod(0o640)
        item.path.write_bytes(b"x" * item.size)

    def age(self, item: Evidence, days: int) -> None:
        Evidence.objects.filter(pk=item.pk).update(checked_at=timezone.now() - timedelta(days=days))


class RehashTests(StoreTestCase):
    def test_what_was_not_seen_for_long_is_hashed_again_the_oldest_first(self) -> None:
        self.age(self.item, 26)
        self.age(self.quiet, 90)
        assert [item.pk for item in storehealth.due()] == [self.quiet.pk, self.item.pk]
        assert storehealth.rehash(5) == 2
        assert list(storehealth.due()) == []
        assert storehealth.rehash(5) == 0

    def test_a_look_that_finds_nothing_new_writes_no_custody_and_a_change_does(self) -> None:
        evidence.verify(self.item)
        before = CustodyEntry.objects.filter(evidence=self.item).count()
        self.age(self.item, 90)
        storehealth.rehash(5)
        assert CustodyEntry.objects.filter(evidence=self.item).count() == before
        self.tamper(self.item)
        self.age(self.item, 90)
        storehealth.rehash(5)
        self.item.refresh_from_db()
        assert self.item.integrity == "altered"
        assert LogEntry.objects.filter(case=self.case, action="evidence.altered").exists()

    def test_a_store_that_is_away_marks_nothing_as_missing(self) -> None:
        self.age(self.item, 90)
        self.age(self.quiet, 60)
        away = store.StoreError("It does not answer.")
        with (
            mock.patch("ircase.store.disk.DiskStore.size", side_effect=away) as asked,
            mock.patch("ircase.store.disk.DiskStore.check", side_effect=away),
        ):
            assert storehealth.rehash(5) == 0
            assert asked.call_count == 1  # no file after file is asked of a store that is away
        with mock.patch("ircase.store.disk.DiskStore.size", side_effect=away):
            assert storehealth.rehash(5) == 0
            assert [fault.code for fault in verification.verify_case(self.case)] == ["not_checked"]
        self.item.refresh_from_db()
        assert self.item.integrity == "unchecked"
        assert self.item in storehealth.due()

    def test_one_file_that_cannot_be_read_keeps_no_other_from_being_hashed(self) -> None:
        self.age(self.item, 900)
        self.age(self.quiet, 90)
        whole = store.Store.digest

        def bad_sector(place: store.Store, sha256: str) -> tuple[str, int]:
            if sha256 == self.item.sha256:
                raise store.StoreError("The evidence store could not read: Input/output error.")
            return whole(place, sha256)

        with mock.patch.object(store.Store, "digest", bad_sector):
            assert storehealth.rehash(5) == 1
        assert list(storehealth.due()) == [self.item]
        self.item.refresh_from_db()
        assert self.item.integrity == "unchecked"

    def test_one_worker_at_a_time_and_a_dead_ones_turn_ends(self) -> None:
        assert storehealth.take_turn("x", 60) and not storehealth.take_turn("x", 60)
        Turn.objects.filter(name="x").update(until=timezone.now() - timedelta(seconds=1))
        assert storehealth.take_turn("x", 60)

    @override_settings(REHASH_DAYS=0)
    def test_it_can_be_switched_off(self) -> None:
        self.age(self.item, 900)
        assert storehealth.rehash(5) == 0


class SurveyTests(StoreTestCase):
    def make_orphan(self, content: bytes, *, old: bool = True) -> Path:
        stored = evidence.put([content])
        path = self.folder / "e" / stored.sha256[:2] / stored.sha256[2:4] / stored.sha256
        if old:
            os.utime(path, (1, 1))
        return path

    def test_orphans_are_counted_and_only_they_are_removed(self) -> None:
        orphan, young = self.make_orphan(b"orphan"), self.make_orphan(b"young", old=False)
        os.utime(self.item.path, (1, 1))
        draft = self.folder / "e" / "incoming" / "dead"
        draft.write_bytes(b"x")
        os.utime(draft, (1, 1))
        seen = storehealth.survey(StoreSurvey.objects.create())
        assert (seen.files, seen.orphans, seen.orphan_size, seen.leftovers, seen.removed) == (4, 1, 6, 1, 0)
        assert orphan.exists()
        assert "1 removed" in self.command("clean_store", "--remove")
        assert not orphan.exists() and not draft.exists()
        assert young.exists() and self.item.path.exists() and self.quiet.path.exists()
        assert "0 objects without a record" in self.command("clean_store")

    def test_an_administrator_sees_faults_of_cases_they_may_see_and_a_number_of_the_others(self) -> None:
        for item in (self.item, self.quiet):
            self.tamper(item)
            evidence.verify(item)
        self.sign_in(self.ada)
        page = self.client.get(reverse("ircase:storage")).content.decode()
        assert self.case.reference not in page and self.secret_case.reference not in page
        assert "2 in cases that you are no member of" in page
        assert len(storehealth.picture(self.alice).faults) == 2
        assert storehealth.picture(self.carol).hidden_faults == 1

    def test_a_look_is_asked_for_on_the_page_and_done_by_a_worker(self) -> None:
        self.make_orphan(b"orphan")
        self.sign_in(self.ada)
        url = reverse("ircase:storage")
        assert "Nobody has looked yet" in self.client.get(url).content.decode()
        with self.captureOnCommitCallbacks(), mock.patch("ircase.jobs.send") as send:
            self.client.post(url)
            self.client.post(url)
        row = StoreSurvey.objects.get()
        assert "A worker looks through the store" in self.client.get(url).content.decode()
        survey_store(row.pk)
        page = self.client.get(url).content.decode()
        assert "Remove what no record needs" in page and send is not None
        self.client.post(url, {"act": "clean"})
        survey_store(StoreSurvey.objects.get(at=None).pk, True)
        assert "Removed by this look" in self.client.get(url).content.decode()

    def test_a_store_that_is_away_is_said(self) -> None:
        self.sign_in(self.ada)
        with mock.patch("ircase.store.disk.DiskStore.check", side_effect=store.StoreError("It does not answer.")):
            page = self.client.get(reverse("ircase:storage")).content.decode()
        assert "It does not answer." in page


class KeyTests(StoreTestCase):
    def test_keys_change_and_every_exhibit_still_verifies(self) -> None:
        with override_settings(STORE_KEYS=KEY):
            secret = make_evidence(self.case, self.alice, b"under a key")
            assert storehealth.picture(self.ada).keys == {"k1": 1}
        with override_settings(STORE_KEYS=f"{NEWER},{KEY}"):
            assert "1 files put under k2" in self.command("rewrap_evidence")
            assert "0 files put under k2" in self.command("rewrap_evidence")
        with override_settings(STORE_KEYS=NEWER):
            assert evidence.verify(secret) == evidence.verify(self.item) == Evidence.Integrity.VERIFIED
            assert storehealth.picture(self.ada).keys == {"k2": 1}
            assert b"".join(evidence.deliver(secret, actor=self.alice)) == b"under a key"
        with self.assertRaises(CommandError):
            self.command("rewrap_evidence")

    def test_a_download_names_the_plain_size(self) -> None:
        with override_settings(STORE_KEYS=KEY):
            secret = make_evidence(self.case, self.alice, b"z" * 70_000)
            self.sign_in(self.alice)
            reply = self.client.get(reverse("ircase:evidence_download", args=[self.case.reference, secret.uuid]))
            assert reply.headers["Content-Length"] == "70000"
            assert b"".join(reply.streaming_content) == b"z" * 70_000  # type: ignore[attr-defined]


class CheckTests(StoreTestCase):
    def ids(self, **settings: Any) -> list[str]:
        with override_settings(**settings):
            return [str(one.id) for one in (*checks.store_can_be_used(), *checks.store_answers())]

    def test_settings_that_do_not_fit_are_named(self) -> None:
        from django.conf import settings

        assert self.ids() == []
        assert "ircase.E004" in self.ids(STORE_KEYS="k:short")
        assert "ircase.E004" in self.ids(STORE="tape")
        assert "ircase.E006" in self.ids(S3=settings.S3 | {"lock_mode": "GOVERNANCE"})
        assert "ircase.E007" in self.ids(S3=settings.S3 | {"sse": "rot13"})
        assert "ircase.E008" in self.ids(CASE_QUOTA_BYTES=-1)
        assert self.ids(REHASH_DAYS=0) == ["ircase.W004"]
        away = settings.S3 | {"endpoint": "http://127.0.0.1:9", "timeout": 1.0, "tries": 1, "access_key": "a"}
        found = self.ids(STORE="s3", S3=away | {"secret_key": "b"})
        assert found == ["ircase.E005", "ircase.W003", "ircase.E009"]

    def test_settings_of_a_container_that_do_not_fit_are_named(self) -> None:
        from django.conf import settings

        def found(**azure: Any) -> list[str]:
            with mock.patch("ircase.store.azure.AzureStore.check"):
                return self.ids(STORE="azure", AZURE=settings.AZURE | azure)

        fit = {"container": "evidence", "account": "ircase", "key": "YQ=="}
        assert found(**fit) == []
        assert found() == ["ircase.E011", "ircase.E012"]
        assert found(**fit | {"identity": "system"}) == ["ircase.E012"]
        assert found(**fit | {"key": "", "client_secret": "x"}) == ["ircase.E013"]
        assert found(**fit | {"lock_mode": "GOVERNANCE", "lock_days": 3}) == ["ircase.E014"]
        assert found(**fit | {"lock_mode": "Locked"}) == ["ircase.E014"]
        assert found(**fit | {"endpoint": "http://10.0.0.1/ircase"}) == ["ircase.W005"]
