"""The audit: what is in it, for whom, paged by key, and exported."""

import csv
import io
import json
from datetime import timedelta

from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ircase.audit import Audit, Filters, Key
from ircase.models import CaseLook, LogEntry, User
from ircase.models.chain import AppendOnlyQuerySet
from ircase.services import cases, evidence, log
from ircase.services.identity import people
from ircase.services.vault import verification
from tests.cast import PASSWORD, CastTestCase, make_evidence


class AuditTestCase(CastTestCase):
    def setUp(self) -> None:
        cache.clear()

    def seen(self, reader: User, **asked: object) -> list[str]:
        entries, _ = Audit(reader, Filters(**asked)).page()  # type: ignore[arg-type]
        return [f"{entry.action} {entry.case}".strip() for entry in entries]


class WhoSeesWhatTests(AuditTestCase):
    def test_a_confidential_case_is_in_nobodys_list_but_its_members(self) -> None:
        item = make_evidence(self.secret_case, self.alice)
        secret = self.secret_case.reference
        for reader in (self.bob, self.carol, self.mallory, self.ada):
            assert not any(secret in line for line in self.seen(reader)), reader.username
            assert self.seen(reader, case=secret) == []
        mine = self.seen(self.alice, case=secret)
        assert f"evidence.sealed {secret}" in mine
        assert f"case.opened {secret}" in mine
        assert item.exhibit in str(Audit(self.alice, Filters(case=secret, source="custody")).page()[0][0].detail)

    def test_the_site_is_for_administrators_and_ones_own_sign_ins_for_everybody(self) -> None:
        for name in ("bob", "carol"):
            Client().post("/sign-in/", {"username": name, "password": PASSWORD})
        Client().post("/sign-in/", {"username": "bob", "password": "wrong"})
        Client().post("/sign-in/", {"username": "my-secret-password", "password": "x"})
        assert self.seen(self.bob, source="site") == ["sign_in.succeeded"]
        assert self.seen(self.mallory, source="site") == []
        every = Audit(self.ada, Filters(source="site", action="sign_in.")).page()[0]
        assert [entry.action for entry in every].count("sign_in.failed") == 2
        assert "my-secret-password" not in str(every), "people type passwords into the wrong field"
        assert self.seen(self.ada, person="bob", source="site", action="sign_in.") == ["sign_in.succeeded"]

    def test_the_sites_entries_need_the_scope_of_administration(self) -> None:
        Client().post("/sign-in/", {"username": "bob", "password": PASSWORD})

        def who(*scopes: str) -> set[str]:
            token = people.create_token(user=self.ada, name="audit", scopes=scopes)[1]
            reply = self.client.get("/api/v1/audit?source=site", headers={"Authorization": f"Bearer {token}"})
            return {entry["who"] for entry in reply.json()["items"]}

        assert who("read") == {"Ada"}, "its own person's entries, such as that the token was made"
        assert who("read", "administer") >= {"Ada", "Bob"}

    def test_an_administrator_sees_a_case_after_joining_it(self) -> None:
        cases.join_as_administrator(case=self.case, actor=self.ada, reason="A complaint")
        assert f"case.administrator_joined {self.case.reference}" in self.seen(self.ada, case=self.case.reference)

    def test_who_looked_is_kept_once_an_hour_and_told_to_leads(self) -> None:
        for user in (self.bob, self.carol):
            self.sign_in(user)
            for _ in range(3):
                self.client.get(reverse("ircase:case", args=[self.case.reference]))
                self.client.get(reverse("ircase:log", args=[self.case.reference]))
        self.client.get(reverse("ircase:case", args=[self.secret_case.reference]))
        assert sorted(CaseLook.objects.values_list("actor_name", "case__reference")) == [
            ("Bob", self.case.reference),
            ("Carol", self.case.reference),
        ]
        assert self.seen(self.alice, source="look") == [f"case.viewed {self.case.reference}"] * 2
        for reader in (self.bob, self.carol, self.ada):
            assert self.seen(reader, source="look") == []
        cache.clear()  # another process
        self.client.get(reverse("ircase:case", args=[self.case.reference]))
        assert CaseLook.objects.count() == 2
        assert list(verification.verify_site()) == []

    def test_looks_by_program_count_too(self) -> None:
        from ircase.services.identity import people  # noqa: PLC0415

        _, text = people.create_token(user=self.bob, name="script")
        self.client.get(f"/api/v1/cases/{self.case.reference}", headers={"Authorization": f"Bearer {text}"})
        assert CaseLook.objects.get().actor == self.bob


class PagingTests(AuditTestCase):
    def test_every_entry_once_in_order_across_sources_with_equal_times(self) -> None:
        item = make_evidence(self.case, self.alice)
        for _ in range(20):
            log.record("note.saved", case=self.case, actor=self.alice)
            evidence.verify(item)
        at = timezone.now() - timedelta(minutes=1)
        for model in (LogEntry, type(item.custody.first())):
            AppendOnlyQuerySet.__mro__[1](model).filter(actor=self.alice).update(at=at)
        audit, found, after = Audit(self.alice, Filters()), [], ""
        while True:
            entries, after = audit.page(after, 7)
            found += entries
            if not after:
                break
        keys = [entry.key for entry in found]
        assert len(keys) == len(set(keys))
        whole, _ = audit.page(size=1000)
        assert [entry.key for entry in whole] == keys
        assert [entry.at for entry in found] == sorted((entry.at for entry in found), reverse=True)

    def test_a_key_from_outside(self) -> None:
        for text in ("", "x", "a|b|c", "2026-01-01|case|1", "2026-01-01T00:00:00+00:00|nowhere|1",
                     "2026-01-01T00:00:00+00:00|case|99999999999999999999", "\x00|case|1"):  # fmt: skip
            assert Key.of(text) is None
        assert Key.of("2026-01-01T00:00:00+00:00|case|1") is not None
        self.sign_in(self.alice)
        assert self.client.get(reverse("ircase:audit"), {"after": "x|y"}).status_code == 200

    def test_few_queries_whatever_is_there(self) -> None:
        for _ in range(150):
            log.record("note.saved", case=self.case, actor=self.alice)
        self.sign_in(self.alice)
        with self.assertNumQueries(9):
            page = self.client.get(reverse("ircase:audit"))
        assert len(page.context["entries"]) == 100
        older = self.client.get(reverse("ircase:audit"), {"after": page.context["following"]})
        assert 50 <= len(older.context["entries"]) < 100

    def test_what_was_altered_is_said(self) -> None:
        entry = log.record("note.saved", case=self.case, actor=self.alice, title="before")
        AppendOnlyQuerySet.__mro__[1](LogEntry).filter(pk=entry.pk).update(detail={"title": "after"})
        newest = Audit(self.alice, Filters(case=self.case.reference, source="case")).page()[0][0]
        assert (newest.pk, newest.intact) == (entry.pk, False)
        self.sign_in(self.alice)
        self.assertContains(self.client.get(reverse("ircase:audit"), {"case": self.case.reference}), "Altered")

    def test_a_chain_that_was_cut_is_said(self) -> None:
        self.sign_in(self.alice)
        url, asked = reverse("ircase:audit"), {"case": self.case.reference}
        self.assertContains(self.client.get(url, asked), "Chain ends where its head says")
        last = LogEntry.objects.filter(case=self.case).latest("sequence")
        AppendOnlyQuerySet.__mro__[1](LogEntry).filter(pk=last.pk).delete()
        self.assertContains(self.client.get(url, asked), "Chain was cut or added to")


class ExportTests(AuditTestCase):
    def test_both_forms_and_the_export_itself_is_logged(self) -> None:
        log.record("note.saved", case=self.case, actor=self.bob, title='=cmd|" /c calc"!A0')
        self.sign_in(self.alice)
        url, asked = reverse("ircase:audit_export"), {"case": self.case.reference, "action": "note"}
        reply = self.client.post(url, asked | {"format": "csv"})
        rows = list(csv.DictReader(io.StringIO(b"".join(reply.streaming_content).decode())))
        assert [row["action"] for row in rows] == ["note.saved"]
        assert rows[0]["intact"] == "True"
        lines = b"".join(self.client.post(url, asked | {"format": "jsonl"}).streaming_content).decode().splitlines()
        assert json.loads(lines[0])["detail"]["title"].startswith("=cmd")
        entries = LogEntry.objects.filter(action="audit.exported", actor=self.alice)
        assert entries.count() == 2
        assert entries[0].detail["filters"] == {"case": self.case.reference, "action": "note."}
        assert reply.headers["X-Content-Type-Options"] == "nosniff"

    def test_an_outsider_exports_nothing_of_a_case(self) -> None:
        self.sign_in(self.mallory)
        reply = self.client.post(reverse("ircase:audit_export"), {"case": self.secret_case.reference})
        assert b"".join(reply.streaming_content) == b""
