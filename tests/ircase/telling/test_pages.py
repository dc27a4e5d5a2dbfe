"""The pages: the bell, all news, how a person is told, hooks of a case and of the site, deliveries."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.test import override_settings
from django.urls import reverse

from ircase.models import CaseMute, CaseRole, CaseTelling, Delivery, Hook, LogEntry, Notice, NoticeCode, NoticeSettings
from ircase.services import cases, notices
from ircase.services.managing import monthly
from ircase.services.telling import trying
from tests.cast import CastTestCase
from tests.ircase.queries import at_most
from tests.ircase.telling.support import mail_server, reachable, wants

TEAMS = "https://prod-1.example.logic.azure.com/workflows/1?sig=verysecret"


class Pages(CastTestCase):
    def setUp(self) -> None:
        Notice.objects.all().delete()
        self.sign_in(self.bob)

    def tell(self, title: str = "Zebra", code: str = "mention", **more: Any) -> Notice:
        fields = {"people": [self.bob], "case": self.case, "path": "/work/", **more}
        subject = uuid.uuid4()
        notices.tell(code=NoticeCode(code), subject=subject, title=title, **fields)
        return Notice.objects.get(subject=subject)

    def get(self, name: str, *arguments: Any, **query: str) -> str:
        return self.client.get(reverse(f"ircase:{name}", args=arguments), query).content.decode()

    def post(self, page: str, /, *arguments: Any, **form: Any) -> HttpResponse:
        return self.client.post(reverse(f"ircase:{page}", args=arguments), form)


class NewsTests(Pages):
    def test_the_bell_counts_lists_and_changes_nothing(self) -> None:
        for number in range(10):
            self.tell(f"Zebra {number}")
        page = self.get("notices_bell")
        assert '<span class="count">10</span>' in page and "The newest of 10" in page
        assert "Zebra 9" in page and "Zebra 1<" not in page
        assert Notice.objects.filter(read_at=None).count() == 10
        assert '<span class="count">10</span>' in self.get("my_work")

    def test_the_list_filters_and_marks_both_ways(self) -> None:
        one, two = self.tell("Zebra"), self.tell("Giraffe", "comment")
        page = self.get("notices")
        assert "Zebra" in page and "Giraffe" in page
        assert "Zebra" not in self.get("notices", code="comment")
        assert "Nothing fits" in self.get("notices", case="IR-2000-0001")
        back = reverse("ircase:notices") + "?unread=on"
        reply = self.post("notice", one.uuid, act="done", next=back)
        assert reply.headers["Location"] == back
        page = self.get("notices", unread="on")
        assert "Zebra" not in page and "Giraffe" in page
        self.post("notice", one.uuid, act="unread", next=back)
        assert "Zebra" in self.get("notices", unread="on")
        assert self.post("notice", two.uuid).headers["Location"] == "/work/"
        assert Notice.objects.get(pk=two.pk).read_at is not None
        self.post("notices_read")
        assert not Notice.objects.filter(read_at=None).exists()

    def test_nobody_is_sent_elsewhere(self) -> None:
        for place in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1"):
            reply = self.post("notice", self.tell().uuid, act="done", next=place)
            assert reply.headers["Location"] == reverse("ircase:my_work"), place

    def test_what_they_lost_sight_of_vanishes_everywhere(self) -> None:
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.bob, role=CaseRole.VIEWER)
        found = self.tell("Secret zebra", case=self.secret_case)
        assert "Secret zebra" in self.get("notices")
        cases.remove_member(case=self.secret_case, actor=self.alice, user=self.bob)
        for page in (self.get("notices"), self.get("notices_bell"), self.get("my_work")):
            assert "Secret zebra" not in page and self.secret_case.reference not in page
        assert self.post("notice", found.uuid).status_code == 404
        self.sign_in(self.mallory)
        assert self.post("notice", self.tell().uuid).status_code == 404

    def test_queries_are_bounded(self) -> None:
        for number in range(30):
            self.tell(f"Zebra {number}")
        with at_most(15):
            self.get("notices")
        with at_most(6):
            self.client.get(reverse("ircase:notices_bell"), headers={"HX-Request": "true"})


class SettingsTests(Pages):
    def form(self, **more: Any) -> dict[str, Any]:
        return {
            "teams": "", "digest_hour": "9", "digest_days": ["0", "6"], "quiet": "on", "quiet_from": "22:00",
            "quiet_until": "06:30", "clock_passes": "on", "mention_mail": "digest", "phase_teams": "now", **more,
        }  # fmt: skip

    def test_what_is_chosen_is_kept_and_shown(self) -> None:
        assert "As usual (at once)" in self.get("notifications")
        assert self.post("notifications", **self.form(teams=TEAMS)).status_code == 302
        row = NoticeSettings.objects.get(person=self.bob)
        assert row.choices == {"mention": {"mail": "digest"}, "phase": {"teams": "now"}}
        assert (row.digest_hour, row.digest_days, row.quiet, row.alarm_passes, row.clock_passes) == (
            9, [0, 6], True, False, True,
        )  # fmt: skip
        page = self.get("notifications")
        assert "prod-1.example.logic.azure.com" in page
        for secret in ("verysecret", "workflows/1"):
            assert secret not in page + row.teams_encrypted + str(LogEntry.objects.last().__dict__)
        self.post("notifications", **self.form())
        assert NoticeSettings.objects.get(person=self.bob).teams_encrypted
        self.post("notifications", **self.form(teams_forget="on"))
        assert NoticeSettings.objects.get(person=self.bob).teams_encrypted == ""

    def test_what_cannot_be_is_said_and_nothing_is_kept(self) -> None:
        for wrong in ({"teams": "http://example.com/"}, {"quiet_from": "25:00"}, {"mention_mail": "soon"},
                      {"digest_hour": "24"}, {"digest_days": ["9"]}):  # fmt: skip
            assert self.post("notifications", **self.form(**wrong)).status_code == 422, wrong
        assert not NoticeSettings.objects.exists()

    def test_a_test_message_says_how_it_ended(self) -> None:
        reachable(self.bob)
        with mail_server() as server:
            self.post("notifications_test", channel="mail")
            assert "A test is on its way" in self.get("notifications", part="1")
            trying.send(self.bob, "mail")
            trying.send(self.bob, "mail")  # a second delivery of the same message
            assert len(server.messages) == 1
            assert "The test arrived" in self.get("notifications", part="1")
            server.refuse = 1
            self.post("notifications_test", channel="mail")
            trying.send(self.bob, "mail")
            assert "The mail server answered 451." in self.get("notifications")
        self.post("notifications_test", channel="teams")
        assert "teams" not in NoticeSettings.objects.get(person=self.bob).tried

    def test_queries_are_bounded(self) -> None:
        wants(self.bob)
        with at_most(15):
            self.get("notifications")

    def test_managers_find_the_monthly_mail_and_the_way_back(self) -> None:
        there, here = reverse("ircase:dashboard_monthly"), reverse("ircase:notifications")
        assert there not in self.get("notifications")
        self.sign_in(self.carol)
        page = self.get("notifications")
        assert f'href="{there}"' in page and "None comes to you" in page
        assert f'href="{here}#monthly"' in self.get("dashboard_monthly")
        reachable(self.carol)
        with mail_server():
            monthly.begin(actor=self.carol, asked="")
        assert "1 dashboard comes to you" in self.get("notifications")

    def test_muting_a_case(self) -> None:
        self.post("case_mute", self.case.reference, on="on")
        assert CaseMute.objects.filter(person=self.bob, case=self.case).exists()
        assert self.case.reference in self.get("notifications")
        assert "Tell me again" in self.get("case_telling", self.case.reference)
        self.post("case_mute", self.case.reference)
        assert not CaseMute.objects.exists()
        assert self.post("case_mute", self.secret_case.reference, on="on").status_code == 404


class HookPageTests(Pages):
    URL = "https://hooks.example.com/in?key=verysecret"

    def form(self, **more: Any) -> dict[str, Any]:
        return {
            "kind": "webhook",
            "name": "SOAR",
            "url": self.URL,
            "codes": ["phase", "alarm"],
            "enabled": "on",
            **more,
        }

    def test_a_lead_makes_changes_and_removes_a_hook(self) -> None:
        self.sign_in(self.alice)
        reference = self.case.reference
        page = self.post("case_hook_new", reference, **self.form()).content.decode()
        hook = Hook.objects.get()
        assert "it is shown this once" in page and "no-store" in page or "Its secret" in page
        assert (hook.case, hook.codes, hook.created_by) == (self.case, ["phase", "alarm"], self.alice)
        page = self.get("case_hook", reference, hook.uuid)
        assert "hooks.example.com" in page and "verysecret" not in page and "Its secret" not in page
        self.post("case_hook", reference, hook.uuid, name="SOAR 2", url="", codes=["phase"])
        hook.refresh_from_db()
        assert (hook.name, hook.codes, hook.enabled) == ("SOAR 2", ["phase"], False)
        assert "Its secret" in self.post("case_hook_secret", reference, hook.uuid).content.decode()
        assert "The secret before signs too" in self.get("case_hook", reference, hook.uuid)
        self.post("case_hook_remove", reference, hook.uuid)
        assert not Hook.objects.exists()
        log = self.client.get(reverse("ircase:log", args=[reference])).content.decode()
        assert "has another system told, at hooks.example.com, by the hook" in log and "verysecret" not in log

    def test_addresses_that_no_hook_can_have(self) -> None:
        self.sign_in(self.alice)
        for url in ("http://hooks.example.com/", "https://a:b@hooks.example.com/", "", "file:///etc/passwd"):
            assert self.post("case_hook_new", self.case.reference, **self.form(url=url)).status_code == 422, url
        assert self.post("case_hook_new", self.case.reference, **self.form(codes=[])).status_code == 422
        assert not Hook.objects.exists()

    def test_hooks_are_not_to_be_had_by_another_case_or_the_sites_pages(self) -> None:
        self.sign_in(self.alice)
        self.post("case_hook_new", self.case.reference, **self.form())
        hook = Hook.objects.get()
        assert self.client.get(reverse("ircase:case_hook", args=[self.secret_case.reference, hook.uuid])
                               ).status_code == 404  # fmt: skip
        self.sign_in(self.ada)
        assert self.client.get(reverse("ircase:hook", args=[hook.uuid])).status_code == 404
        assert self.post("hook_remove", hook.uuid).status_code == 404

    def test_a_lead_says_what_messages_may_name(self) -> None:
        self.sign_in(self.alice)
        self.post("case_telling", self.secret_case.reference, names="on")
        assert CaseTelling.objects.get().names
        assert 'name="names" value="on" checked' in self.get("case_telling", self.secret_case.reference)
        self.post("case_telling", self.secret_case.reference)
        assert not CaseTelling.objects.get().names

    def test_deliveries_tell_an_administrator_no_content(self) -> None:
        self.sign_in(self.alice)
        self.post("case_hook_new", self.case.reference, **self.form(name="Zebra hook"))
        fields = {"path": "/", "state": "dead"}
        Delivery.objects.create(
            channel="mail", person=self.bob, case=self.case, code="phase", subject=uuid.uuid4(), title="Giraffe",
            problem="It answered with status 500.", **fields,
        )  # fmt: skip
        Delivery.objects.create(
            channel="webhook", hook=Hook.objects.get(), case=self.secret_case, code="custody", subject=uuid.uuid4(),
            title="Lion", **fields,
        )  # fmt: skip
        self.sign_in(self.ada)
        with at_most(15):
            page = self.get("hooks")
        assert "2 messages could not be delivered" in page and "It answered with status 500." in page
        for word in ("Zebra", "Giraffe", "Lion", self.case.reference, self.secret_case.reference, "An exhibit is"):
            assert word not in page, word
        row = Delivery.objects.get(title="Giraffe")
        self.post("delivery_again", row.uuid)
        row.refresh_from_db()
        assert (row.state, row.attempts) == ("waiting", 0)
        self.post("delivery_again", row.uuid)
        assert "It is not given up" in self.get("hooks", state="dead")

    @override_settings(EMAIL_HOST="mail.example.com")
    def test_where_mail_goes_is_said(self) -> None:
        self.sign_in(self.ada)
        assert "Mail goes by mail.example.com:587" in self.get("hooks")
