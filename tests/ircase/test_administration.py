"""Administration: connections, people, the site log, health."""

from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase import secrets
from ircase.models import ApiToken, ChainHead, Connection, LogEntry, PreparationItem, User
from ircase.services import cases, preflights
from ircase.services.identity import accounts, people
from ircase.services.phases import preparation
from msapi.preflight import PreflightReport
from tests.cast import CastTestCase, make_user

GUID = "12345678-1234-1234-1234-1234567890ab"
CONNECTION = {
    "name": "Fabrikam", "enabled": "on", "tenant_id": GUID, "client_id": GUID, "workspace_id": "", "secret": "pa55",
    "login_url": "https://login.microsoftonline.com", "graph_url": "https://graph.microsoft.com",
    "defender_url": "https://api.security.microsoft.com", "loganalytics_url": "https://api.loganalytics.io",
    "portal_url": "https://security.microsoft.com", "blob_hosts": "files.example.com\n*.store.example",
    "ca_pem": "", "limits": '{"hunting_rows": 30000}',
}  # fmt: skip


class ConnectionTests(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.ada)

    def send(self, page: str = "connection_new", *args: object, **changes: str) -> Any:
        return self.client.post(reverse(f"ircase:{page}", args=args), {**CONNECTION, **changes})

    def test_a_new_connection_keeps_its_secret_encrypted_and_is_checked_at_once(self) -> None:
        with self.captureOnCommitCallbacks() as queued:
            reply = self.send()
        made = Connection.objects.get(name="Fabrikam")
        assert reply.headers["Location"] == reverse("ircase:connection_preflight", args=[made.pk])
        assert "pa55" not in made.secret_encrypted
        assert secrets.decrypt(made.secret_encrypted) == "pa55"
        assert made.blob_hosts == ["files.example.com", "*.store.example"]
        assert made.limits == {"hunting_rows": 30000}
        assert len(queued) == 1

    def test_the_secret_is_never_shown_nor_logged(self) -> None:
        self.send()
        made = Connection.objects.get(name="Fabrikam")
        page = self.client.get(reverse("ircase:connection", args=[made.pk])).content.decode()
        assert "pa55" not in page and made.secret_encrypted not in page
        assert "pa55" not in str(list(LogEntry.objects.values_list("detail", flat=True)))

    def test_an_empty_secret_keeps_the_one_there_is(self) -> None:
        self.send("connection", self.connection.pk, name="Contoso two", secret="")
        self.connection.refresh_from_db()
        assert self.connection.name == "Contoso two"
        assert secrets.decrypt(self.connection.secret_encrypted) == "s3cret"

    def test_what_cannot_work_is_said_on_the_form(self) -> None:
        for changes, words in (
            ({"secret": ""}, "needs the secret"),
            ({"tenant_id": "contoso"}, "A GUID"),
            ({"graph_url": "http://graph.example.com"}, "must begin with https://"),
            ({"ca_pem": "no certificate"}, "is not PEM text"),
            ({"limits": '{"hunting_rowz": 1}'}, "There is no limit"),
            ({"limits": '{"hunting_rows": "many"}'}, "a number above zero"),
            ({"limits": "[1]"}, "a JSON object"),
            ({"blob_hosts": "https://files.example.com/x"}, "Host names only"),
        ):
            reply = self.send(**changes)
            assert reply.status_code == 422, changes
            assert words in reply.content.decode().replace("&#x27;", "'"), changes
        assert not Connection.objects.filter(name="Fabrikam").exists()

    def test_the_preflight_page_polls_until_a_worker_has_answered(self) -> None:
        address = reverse("ircase:connection_preflight", args=[self.connection.pk])
        with self.captureOnCommitCallbacks() as queued:
            self.client.post(address)
        assert len(queued) == 1
        assert "every 2s" in self.client.get(address, headers={"HX-Request": "true"}).content.decode()
        with mock.patch(
            "ircase.services.preflights.check", return_value=PreflightReport(("Wrong <url>.",), (), (), ())
        ):
            preflights.run(self.connection)
        final = self.client.get(address, headers={"HX-Request": "true"}).content.decode()
        assert "hx-trigger" not in final
        assert "Wrong &lt;url&gt;." in final

    def test_a_secret_that_no_key_opens_is_an_answer_too(self) -> None:
        Connection.objects.filter(pk=self.connection.pk).update(secret_encrypted="gAAAAAnonsense")
        self.connection.refresh_from_db()
        preflights.run(self.connection)
        self.connection.refresh_from_db()
        assert "IRCASE_FIELD_KEYS" in self.connection.preflight["settings"][0]


class PeopleTests(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.ada)

    def test_a_new_person_gets_a_link_that_is_shown_once_and_opens_once(self) -> None:
        values = {"username": "dora", "first_name": "Dora", "site_role": "analyst", "time_zone": "Europe/Copenhagen"}
        reply = self.client.post(reverse("ircase:person_new"), values)
        url = reply.context["url"]
        assert url in reply.content.decode()
        assert "no-store" in reply.headers["Cache-Control"]
        assert url.rsplit("/", 2)[1] not in str(list(LogEntry.objects.values_list("detail", flat=True)))
        browser, new = self.client_class(), "staple battery horse"
        form = browser.get(url)
        assert form.status_code == 302, "the token leaves the address before the form is shown"
        assert browser.post(form["Location"], {"new_password1": "short", "new_password2": "short"}).status_code == 200
        assert browser.post(form["Location"], {"new_password1": new, "new_password2": new}).status_code == 302
        assert User.objects.get(username="dora").check_password(new)
        assert "has been used" in self.client_class().get(url).content.decode()

    def test_a_reset_ends_the_old_password(self) -> None:
        bobs = self.client_class()
        bobs.force_login(self.bob)
        reply = self.client.post(reverse("ircase:person_password", args=[self.bob.pk]))
        self.bob.refresh_from_db()
        assert not self.bob.has_usable_password()
        assert bobs.get(reverse("ircase:my_work")).status_code == 302, "every session has ended"
        assert self.client_class().get(reply.context["url"]).status_code == 302
        assert LogEntry.objects.filter(action="person.password_reset", actor=self.ada).exists()
        assert "API token" not in reply.content.decode()

    def test_a_reset_says_which_tokens_go_on_working(self) -> None:
        people.create_token(user=self.bob, name="night script")
        ended, _ = people.create_token(user=self.bob, name="ended")
        ApiToken.objects.filter(pk=ended.pk).update(expires_at=timezone.now())
        reply = self.client.post(reverse("ircase:person_password", args=[self.bob.pk]))
        self.assertContains(reply, "1 API token still works: night script.")

    def test_shut_out_means_at_once(self) -> None:
        bobs = self.client_class()
        bobs.force_login(self.bob)
        self.client.post(reverse("ircase:person_active", args=[self.bob.pk]), {"active": "0"})
        assert bobs.get(reverse("ircase:my_work")).status_code == 302
        self.client.post(reverse("ircase:person_active", args=[self.bob.pk]), {"active": "1"})
        self.bob.refresh_from_db()
        assert self.bob.is_active

    def test_the_last_administrator_stays(self) -> None:
        with pytest.raises(ValidationError, match="needs an administrator"):
            accounts.set_active(person=self.ada, actor=self.alice, active=False)
        self.ada.site_role = User.SiteRole.GUEST
        with pytest.raises(ValidationError, match="needs an administrator"):
            accounts.edit_person(person=self.ada, actor=self.alice)
        make_user("second", User.SiteRole.ADMINISTRATOR)
        accounts.edit_person(person=self.ada, actor=self.alice)

    def test_nobody_shuts_themselves_out(self) -> None:
        make_user("second", User.SiteRole.ADMINISTRATOR)
        with pytest.raises(ValidationError, match="yourself"):
            accounts.set_active(person=self.ada, actor=self.ada, active=False)

    def test_who_writes_in_cases_does_not_become_a_manager(self) -> None:
        reply = self.client.post(
            reverse("ircase:person", args=[self.alice.pk]), {"site_role": "manager", "time_zone": "UTC"}
        )
        assert reply.status_code == 422
        self.alice.refresh_from_db()
        assert self.alice.site_role == "analyst"

    def test_a_form_cannot_set_what_it_does_not_show(self) -> None:
        values = {"site_role": "analyst", "time_zone": "UTC", "is_superuser": "on", "username": "root", "password": "x"}
        self.client.post(reverse("ircase:person", args=[self.bob.pk]), values)
        self.bob.refresh_from_db()
        assert (self.bob.username, self.bob.is_superuser, self.bob.check_password("x")) == ("bob", False, False)

    def test_a_link_lasts_a_day(self) -> None:
        link = accounts.reset_password(person=self.bob, actor=self.ada)
        url = reverse("ircase:set_password", args=[link.uid, link.token])
        later = datetime.now() + timedelta(hours=25)
        with mock.patch("django.contrib.auth.tokens.PasswordResetTokenGenerator._now", return_value=later):
            assert "its day is over" in self.client_class().get(url).content.decode()


class SiteTests(CastTestCase):
    def test_every_page_is_for_administrators(self) -> None:
        names = ("administration", "health", "connections", "connection_new", "people", "person_new", "site_log")
        for person, status in ((self.alice, 403), (self.carol, 403), (self.mallory, 403), (self.ada, 200)):
            self.sign_in(person)
            for name in names:
                assert self.client.get(reverse(f"ircase:{name}")).status_code == status, name

    def test_the_site_log_holds_no_case(self) -> None:
        accounts.reset_password(person=self.bob, actor=self.ada)
        self.sign_in(self.ada)
        page = self.client.get(reverse("ircase:site_log"), {"action": "person."})
        assert [entry.action for entry in page.context["page"].object_list] == ["person.password_reset"]
        assert self.case.reference not in self.client.get(reverse("ircase:site_log")).content.decode()

    def test_preparation_is_kept_in_the_data_pages_and_logged(self) -> None:
        self.sign_in(self.ada)
        values = {"key": "phones", "position": "99", "title": "Telephone list", "result": ""}
        more = {f"{name}_{part}": "" for name in ("due_at", "done_at") for part in (0, 1)}
        reply = self.client.post(reverse("admin:ircase_preparationitem_add"), {**values, **more})
        assert reply.status_code == 302
        assert PreparationItem.objects.filter(key="phones").exists()
        assert LogEntry.objects.filter(action="preparation.added", actor=self.ada).exists()

    def test_the_data_pages_change_and_delete_nothing_else(self) -> None:
        self.sign_in(self.ada)
        accounts.reset_password(person=self.bob, actor=self.ada)
        row = LogEntry.objects.filter(chain="site").latest("pk")
        for model, pk in (("logentry", row.pk), ("user", self.bob.pk), ("connection", self.connection.pk)):
            assert self.client.get(reverse(f"admin:ircase_{model}_delete", args=[pk])).status_code == 403
            change = reverse(f"admin:ircase_{model}_change", args=[pk])
            assert self.client.get(change).status_code == 200
            assert self.client.post(change, {"username": "x", "name": "x", "action": "x"}).status_code == 403
        page = self.client.get(reverse("admin:ircase_connection_change", args=[self.connection.pk])).content.decode()
        assert self.connection.secret_encrypted not in page
        assert ChainHead.objects.filter(key="site").exists()


class PreparationTests(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.ada)
        self.item, _ = PreparationItem.objects.get_or_create(
            key="contacts", defaults={"title": "Contact lists are current"}
        )
        self.page = reverse("ircase:preparation_item", args=[self.item.pk])
        self.same = {
            "title": self.item.title,
            "csf_outcome": self.item.csf_outcome,
            "review_days": self.item.review_days or "",
        }

    def test_an_item_gets_an_owner_a_date_and_an_end(self) -> None:
        reply = self.client.post(
            self.page,
            {
                **self.same,
                "owner": str(self.bob.pk),
                "due_at": "2026-12-01T09:00",
                "done_at": "2026-11-20T08:30",
                "result": "In the safe",
            },
        )
        assert reply.headers["Location"] == reverse("ircase:preparation")
        self.item.refresh_from_db()
        assert (self.item.owner, self.item.result) == (self.bob, "In the safe")
        assert self.item.done_at is not None and self.item.done_at.isoformat() == "2026-11-20T08:30:00+00:00"
        shown = self.client.get(reverse("ircase:preparation")).content.decode()
        assert self.bob.name in shown and "2026-11-20 08:30" in shown
        entry = LogEntry.objects.filter(chain="site").latest("sequence")
        assert (entry.action, entry.detail["item"]) == ("preparation.changed", "contacts")
        assert entry.detail["fields"] == ["done_at", "due_at", "owner", "result"]

    def test_a_case_keeps_the_copy_it_was_opened_with(self) -> None:
        before = cases.open_case(actor=self.alice, title="Before")
        self.client.post(self.page, {**self.same, "done_at": f"{timezone.now() - timedelta(days=2):%Y-%m-%dT08:30}"})
        after = cases.open_case(actor=self.alice, title="After")
        states = [c.checklist.get(key="prep_contacts").state for c in (before, after)]
        assert states == ["open", "done"]

    def test_nothing_changed_is_nothing_logged_and_nonsense_is_said(self) -> None:
        self.client.post(self.page, {**self.same, "result": ""})
        assert not LogEntry.objects.filter(action="preparation.changed").exists()
        assert self.client.post(self.page, {**self.same, "due_at": "soon"}).status_code == 422

    def test_what_is_done_is_looked_at_again_and_counts_as_open_meanwhile(self) -> None:
        done = timezone.now() - timedelta(days=91)
        PreparationItem.objects.filter(pk=self.item.pk).update(done_at=done, review_days=90)
        page = self.client.get(reverse("ircase:preparation"))
        self.assertContains(page, "Review due")
        self.assertContains(page, "1 item has to be looked at again")
        case = cases.open_case(actor=self.alice, title="Late")
        assert case.checklist.get(key="prep_contacts").state == "open"
        PreparationItem.objects.filter(pk=self.item.pk).update(review_days=92)
        self.assertNotContains(self.client.get(reverse("ircase:preparation")), "Review due")

    def test_items_come_move_and_go_and_each_keeps_its_history(self) -> None:
        url = reverse("ircase:preparation")
        assert self.client.post(url, {"title": "x"}).status_code == 422
        assert self.client.post(url, {"title": "Spare laptops", "review_days": "30"}).status_code == 302
        own = PreparationItem.objects.get(title="Spare laptops")
        assert list(PreparationItem.objects.all())[-1] == own
        page = reverse("ircase:preparation_item", args=[own.pk])
        self.client.post(page, {"act": "up"})
        assert list(PreparationItem.objects.all())[-2] == own
        self.client.post(page, {"title": "Spare devices", "csf_outcome": "ID.AM-01", "review_days": "60"})
        history = self.client.get(page)
        self.assertContains(history, "added to the preparation")
        assert [entry.detail["fields"] for entry in preparation.history(own) if "fields" in entry.detail] == [
            ["csf_outcome", "review_days", "title"],
            ["position"],
        ]
        assert self.client.post(page, {"act": "remove", "reason": " "}).headers["Location"] == page
        self.client.post(page, {"act": "remove", "reason": "Leased now"})
        assert not PreparationItem.objects.filter(pk=own.pk).exists()
        gone = LogEntry.objects.get(action="preparation.removed")
        assert (gone.detail["title"], gone.detail["reason"]) == ("Spare devices", "Leased now")
