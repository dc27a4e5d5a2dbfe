"""What leaves IRCase: to whom, by what, when, how often, and what it says."""

import hashlib
import hmac
import json
from datetime import time, timedelta
from unittest import mock
from uuid import UUID, uuid4

from django.test import override_settings
from django.utils import timezone

from ircase import secrets
from ircase.models import Case, CaseRole, Delivery, Hook, Notice, NoticeCode, User
from ircase.outgoing import NotReached
from ircase.services import cases, notices
from ircase.services.telling import choosing, deliveries, hooks, sending
from tests.cast import CastTestCase
from tests.ircase.telling.support import mail_server, reachable, waits, wants
from tests.msapi.support import Answer, Server

CODES = [code.value for code in NoticeCode]
BARE = "Something in a case of yours waits"


class Sending(CastTestCase):
    def setUp(self) -> None:
        for person in (self.alice, self.bob, self.carol, self.mallory):
            reachable(person)
        self.outside = Server()
        self.addCleanup(self.outside.close)
        self.outside.on("POST", "/", Answer(202))
        switch = override_settings(HOOK_PRIVATE_HOSTS=["localhost"], PUBLIC_URL="https://ir.example.com")
        switch.enable()
        self.addCleanup(switch.disable)

    def tell(self, *people: User, case: Case | None = None, code: str = "mention", title: str = "Bob names you",
             subject: UUID | None = None, lines: tuple[str, ...] = ()) -> int:  # fmt: skip
        return notices.tell(
            code=NoticeCode(code), people=people, case=case or self.case, subject=subject or uuid4(), title=title,
            path="/cases/x/", lines=lines,
        )  # fmt: skip

    def hook(self, case: Case | None = None, kind: str = "webhook", path: str = "/hook") -> tuple[Hook, str]:
        hook = Hook(case=case, kind=kind, name="A hook", codes=CODES)
        return hook, hooks.save(hook=hook, actor=self.alice, url=self.outside.url + path)

    def states(self) -> list[str]:
        return list(Delivery.objects.order_by("pk").values_list("state", flat=True))

    def make_due(self) -> None:
        Delivery.objects.filter(state="waiting").update(next_at=timezone.now() - timedelta(seconds=1))


class MailTests(Sending):
    def test_a_mail_in_text_and_html_to_who_wants_it(self) -> None:
        with mail_server() as server:
            self.tell(self.bob, title="Alice <b>names</b> you\r\nBcc: x@example.com", lines=("<script>1</script>",))
            assert sending.send_due() == 1
            assert sending.send_due() == 0
        (message,) = server.messages
        assert server.receivers == ["bob@example.com"]
        assert message["Subject"] == f"{self.case.reference}: Alice <b>names</b> you Bcc: x@example.com"
        assert message["Bcc"] is None
        assert message["List-Unsubscribe"] == "<https://ir.example.com/profile/notifications/>"
        assert message["Message-ID"] == f"<{Delivery.objects.get().uuid}@localhost>"
        text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
        assert "https://ir.example.com/cases/x/" in text and "<script>1</script>" in text
        assert "&lt;b&gt;names" in html and "<script>" not in html
        assert self.states() == ["sent"]

    def test_nobody_without_an_address_a_server_or_the_wish(self) -> None:
        self.tell(self.bob)
        assert self.states() == []  # no server
        with mail_server():
            self.bob.email = ""
            self.bob.save(update_fields=["email"])
            self.tell(self.bob)
            assert self.states() == []
            self.tell(self.alice, code="finished")  # usually not by mail
            wants(self.alice, choices={"mention": {"mail": "off"}})
            self.tell(self.alice)
            assert self.states() == []
            wants(self.alice, choices={"finished": {"mail": "now"}})
            self.tell(self.alice, code="finished")
        assert self.states() == ["waiting"]

    def test_what_is_usual_depends_on_who_they_are(self) -> None:
        with mail_server():
            self.tell(self.alice, self.bob, self.carol, code="clock")
        found = {row.person.username: row.digest for row in Delivery.objects.select_related("person") if row.person}
        assert found == {"alice": False, "bob": True, "carol": True}

    def test_a_muted_case_is_told_in_the_app_alone_an_alarm_all_the_same(self) -> None:
        choosing.mute(person=self.bob, case=self.case, on=True)
        with mail_server():
            self.tell(self.bob)
            assert (self.states(), Notice.objects.filter(person=self.bob, title="Bob names you").count()) == ([], 1)
            self.tell(self.bob, code="alarm")
            assert self.states() == ["waiting"]
            choosing.mute(person=self.bob, case=self.case, on=False)
            self.tell(self.bob)
            choosing.mute(person=self.bob, case=self.case, on=True)
            assert sending.send_due() == 1
        assert self.states() == ["sent", "dropped"]

    def test_a_digest_is_one_mail_when_its_hour_comes(self) -> None:
        wants(self.bob, choices={"mention": {"mail": "digest"}})
        with mail_server() as server:
            for number in range(3):
                self.tell(self.bob, title=f"Thing {number}")
            assert sending.send_due() == 0
            assert all(row.digest and row.next_at > timezone.now() for row in Delivery.objects.all())
            self.make_due()
            assert sending.send_due() == 1
        (message,) = server.messages
        assert message["Subject"] == "IRCase: 3 pieces of news"
        text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert [text.index(f"Thing {n}") for n in range(3)] == sorted(text.index(f"Thing {n}") for n in range(3))
        assert self.states() == ["sent"] * 3

    def test_quiet_hours_put_off_also_a_later_try(self) -> None:
        row = wants(self.bob, quiet=True, quiet_from=time(0), quiet_until=time(23, 59, 59))
        with mail_server() as server:
            self.tell(self.bob)
            self.tell(self.bob, code="alarm", title="Alarm")
            assert sending.send_due() == 1
            assert server.messages[0]["Subject"].endswith("Alarm")
            self.make_due()
            assert sending.send_due() == 0  # looked at, put off again
            assert len(server.messages) == 1
            waiting = Delivery.objects.get(state="waiting")
            assert (waiting.attempts, waiting.next_at > timezone.now()) == (0, True)
            row.quiet = False
            row.save(update_fields=["quiet"])
            self.make_due()
            sending.send_due()
        assert len(server.messages) == 2

    def test_a_server_that_refuses_is_tried_again_and_delivered_once(self) -> None:
        with mail_server() as server:
            server.refuse = 1
            self.tell(self.bob)
            assert sending.send_due() == 0
            row = Delivery.objects.get()
            assert (row.state, row.attempts, row.problem) == ("waiting", 1, "The mail server answered 451.")
            assert row.next_at > timezone.now()
            self.make_due()
            assert sending.send_due() == 1
            self.make_due()
            assert sending.send_due() == 0
        assert len(server.messages) == 1

    def test_told_twice_is_sent_once(self) -> None:
        with mail_server() as server:
            subject = uuid4()
            assert (self.tell(self.bob, subject=subject), self.tell(self.bob, subject=subject)) == (1, 0)
            sending.send_due()
        assert len(server.messages) == 1

    def test_what_ended_long_ago_goes_and_dead_letters_stay(self) -> None:
        with mail_server():
            for _ in range(3):
                self.tell(self.bob)
        old, new, dead = Delivery.objects.order_by("pk")
        long_ago = timezone.now() - timedelta(days=91)
        Delivery.objects.filter(pk__in=(old.pk, dead.pk)).update(at=long_ago)
        Delivery.objects.filter(pk__in=(old.pk, new.pk)).update(state="sent")
        Delivery.objects.filter(pk=dead.pk).update(state="dead")
        sending.remind()
        assert set(Delivery.objects.values_list("pk", flat=True)) == {new.pk, dead.pk}

    def test_of_two_workers_one_sends(self) -> None:
        with mail_server() as server:
            self.tell(self.bob)
            stale = sending._parcels(Delivery.objects.all(), "other")
            assert sending.send_due() == 1
            assert sending._claimed(stale[0]).rows == ()
        assert len(server.messages) == 1


class SecrecyTests(Sending):
    def test_a_confidential_case_is_not_named_outside_unless_a_lead_allows_it(self) -> None:
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.bob, role=CaseRole.ANALYST)
        Delivery.objects.all().delete()
        wants(self.bob, teams_encrypted=secrets.encrypt(self.outside.url + "/teams"),
              choices={"mention": {"mail": "now", "teams": "now"}})  # fmt: skip
        self.hook(self.secret_case)
        with mail_server() as server:
            self.tell(self.bob, case=self.secret_case, title="Zebra", lines=("Giraffe",))
            assert sending.send_due() == 3
            sent = [str(m) for m in server.messages] + [r.body.decode() for r in self.outside.requests]
            assert len(sent) == 3
            for text in sent:
                assert BARE.lower() in text.lower()
                for word in ("Zebra", "Giraffe", self.secret_case.reference, "Quiet", "mention", "/cases/"):
                    assert word not in text, (word, text)
            hooks.set_names(case=self.secret_case, actor=self.alice, names=True)
            self.tell(self.bob, case=self.secret_case, title="Zebra")
            assert sending.send_due() == 3
            assert "Zebra" in str(server.messages[-1]["Subject"])
            assert all("Zebra" in request.body.decode() for request in self.outside.requests[-2:])

    def test_a_digest_says_once_that_something_waits(self) -> None:
        wants(self.alice, choices={"mention": {"mail": "digest"}})
        with mail_server() as server:
            for _ in range(3):
                self.tell(self.alice, case=self.secret_case, title="Zebra")
            self.tell(self.alice, title="Open thing")
            self.make_due()
            assert sending.send_due() == 1
        text = str(server.messages[0])
        assert "Zebra" not in text and "Open thing" in text and self.secret_case.reference not in text
        assert server.messages[0]["Subject"] == "IRCase: 2 pieces of news"

    def test_a_site_hook_is_never_told_of_a_confidential_case(self) -> None:
        self.hook()
        self.tell(self.alice, case=self.secret_case)
        assert self.states() == []
        self.tell(self.alice)
        assert self.states() == ["waiting"]
        cases.set_confidential(case=self.case, actor=self.alice, confidential=True, reason="It grows")
        sending.send_due()
        assert (self.states(), self.outside.requests) == (["dropped"], [])

    def test_mallory_gets_nothing_by_any_door(self) -> None:
        wants(self.mallory, teams_encrypted=secrets.encrypt(self.outside.url + "/teams"),
              choices={code: {"mail": "now", "teams": "now"} for code in CODES}, every_case=True)  # fmt: skip
        with mail_server() as server:
            for case in (self.case, self.secret_case):
                for code in CODES:
                    assert self.tell(self.mallory, case=case, code=code) == 0
            cases.move_phase(case=self.case, actor=self.alice, phase="containment", reason="On", despite="Drill")
            sending.send_due()
        assert "mallory@example.com" not in server.receivers
        assert self.outside.requests == []
        assert not Notice.objects.filter(person=self.mallory).exists()
        assert not Delivery.objects.filter(person=self.mallory).exists()

    def test_what_was_queued_for_a_member_who_left_is_dropped(self) -> None:
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.bob, role=CaseRole.ANALYST)
        wants(self.bob, choices={"mention": {"mail": "digest"}, "comment": {"mail": "now"}})
        with mail_server() as server:
            self.tell(self.bob, case=self.secret_case)
            self.tell(self.bob, case=self.secret_case, code="comment")
            self.tell(self.bob, title="Ordinary")
            cases.remove_member(case=self.secret_case, actor=self.alice, user=self.bob)
            self.make_due()
            sending.send_due()
        assert [m["Subject"] for m in server.messages] == [f"{self.case.reference}: Ordinary"]
        gone = Delivery.objects.filter(case=self.secret_case, title="Bob names you")
        assert {row.state for row in gone} == {"dropped"}
        assert {row.problem for row in gone} == {"They may not see the case any more."}

    def test_somebody_shut_out_gets_no_more_mail(self) -> None:
        with mail_server() as server:
            self.tell(self.bob)
            User.objects.filter(pk=self.bob.pk).update(is_active=False)
            sending.send_due()
        assert (server.messages, self.states()) == ([], ["dropped"])


class HookTests(Sending):
    def test_a_signed_webhook_can_be_verified(self) -> None:
        _, secret = self.hook()
        self.tell(self.bob, title="Zebra", lines=("Giraffe",))
        assert sending.send_due() == 1
        (request,) = self.outside.requests
        headers = {name.lower(): value for name, value in request.headers.items()}
        stamp, signature = headers["x-ircase-timestamp"], headers["x-ircase-signature"]
        wanted = hmac.new(secret.encode(), f"{stamp}.".encode() + request.body, hashlib.sha256).hexdigest()
        assert signature == f"sha256={wanted}"
        body = json.loads(request.body)
        delivery = Delivery.objects.get()
        assert body == {
            "id": str(delivery.uuid), "code": "mention", "time": body["time"], "case": self.case.reference,
            "title": "Zebra", "url": "https://ir.example.com/cases/x/",
        }  # fmt: skip
        assert headers["x-ircase-delivery"] == str(delivery.uuid)

    def test_while_a_secret_changes_both_sign(self) -> None:
        hook, old = self.hook()
        new = hooks.new_secret(hook=hook, actor=self.alice)
        self.tell(self.bob)
        sending.send_due()
        request = self.outside.requests[0]
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = f"{headers['x-ircase-timestamp']}.".encode() + request.body
        both = [f"sha256={hmac.new(one.encode(), signed, hashlib.sha256).hexdigest()}" for one in (new, old)]
        assert headers["x-ircase-signature"] == ", ".join(both)
        Hook.objects.update(secret_before_until=timezone.now() - timedelta(seconds=1))
        self.tell(self.bob)
        sending.send_due()
        last = {name.lower(): value for name, value in self.outside.requests[1].headers.items()}
        assert last["x-ircase-signature"].count("sha256=") == 1

    def test_a_hook_is_told_once_however_many_people_are(self) -> None:
        self.hook(self.case)
        subject = uuid4()
        self.tell(self.alice, self.bob, subject=subject)
        self.tell(self.carol, subject=subject)
        assert sending.send_due() == 1
        assert len(self.outside.requests) == 1

    def test_only_of_the_chosen_kinds_and_of_its_own_case(self) -> None:
        hook, _ = self.hook(self.secret_case)
        Hook.objects.filter(pk=hook.pk).update(codes=["phase"])
        self.tell(self.alice)
        self.tell(self.alice, case=self.secret_case)
        assert self.states() == []
        self.tell(self.alice, case=self.secret_case, code="phase")
        assert self.states() == ["waiting"]

    def test_down_tried_again_by_the_waits_and_given_up_then_sent_again_by_hand(self) -> None:
        self.outside.on("POST", "/hook", Answer(500))
        self.hook()
        self.tell(self.bob)
        for attempt, wait in enumerate(waits(), 1):
            before = timezone.now()
            assert sending.send_due() == 0
            row = Delivery.objects.get()
            assert (row.state, row.attempts, row.problem) == ("waiting", attempt, "It answered with status 500.")
            assert timedelta(0) <= row.next_at - before - timedelta(seconds=wait) < timedelta(seconds=60)
            self.make_due()
        assert sending.send_due() == 0
        row.refresh_from_db()
        assert (row.state, row.attempts) == ("dead", 9)
        self.make_due()
        assert sending.send_due() == 0
        self.outside.on("POST", "/hook", Answer(204))
        deliveries.again(delivery=row, actor=self.ada)
        assert sending.send_due() == 1
        assert self.states() == ["sent"]
        ids = {json.loads(request.body)["id"] for request in self.outside.requests}
        assert ids == {str(row.uuid)}

    def test_who_asks_to_be_left_alone_is(self) -> None:
        self.outside.on("POST", "/hook", Answer(429, headers={"Retry-After": "7200"}))
        self.hook()
        self.tell(self.bob)
        sending.send_due()
        assert Delivery.objects.get().next_at - timezone.now() > timedelta(seconds=7100)

    def test_a_dead_address_does_not_hold_up_the_others(self) -> None:
        self.outside.on("POST", "/dead", Answer(500))
        self.hook(path="/dead")
        self.hook(path="/alive")
        for _ in range(3):
            self.tell(self.bob)
        assert sending.send_due() == 3
        assert len(self.outside.seen("/dead")) == 1
        assert len(self.outside.seen("/alive")) == 3

    def test_a_redirect_is_not_followed_and_private_addresses_are_refused(self) -> None:
        self.outside.on("POST", "/hook", Answer(302, headers={"Location": self.outside.url + "/other"}))
        self.hook()
        self.tell(self.bob)
        sending.send_due()
        assert (Delivery.objects.get().problem, len(self.outside.requests)) == ("It answered with status 302.", 1)
        with override_settings(HOOK_PRIVATE_HOSTS=[]), self.assertRaises(NotReached):
            sending.post("https://localhost/x", b"{}", {})

    def test_a_teams_card_shows_hostile_text_as_it_is(self) -> None:
        self.hook(kind="teams")
        hostile = "[Click](https://evil.example) **now**"
        self.tell(self.bob, title=hostile, lines=("# Big",))
        assert sending.send_due() == 1
        message = json.loads(self.outside.requests[0].body)
        (attachment,) = message["attachments"]
        card = attachment["content"]
        assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
        assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
        runs = [run for block in card["body"] for run in block["inlines"]]
        assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
        assert runs[0] == {"type": "TextRun", "text": hostile, "weight": "Bolder"}
        assert card["actions"][0]["url"] == "https://ir.example.com/cases/x/"
        assert "X-IRCase-Signature" not in self.outside.requests[0].headers

    def test_a_message_that_cannot_be_made_holds_up_no_other(self) -> None:
        self.hook()
        with mail_server() as server:
            self.tell(self.bob)
            with mock.patch.object(sending.payload, "event", side_effect=RuntimeError("broken")):
                assert sending.send_due() == 1
        assert len(server.messages) == 1
        assert Delivery.objects.get(hook__isnull=False).problem.startswith("It could not be made (RuntimeError)")

    def test_a_persons_own_teams_workflow(self) -> None:
        wish = choosing.Wish(choices={"mention": {"teams": "now"}}, teams=self.outside.url + "/own")
        row = choosing.choose(person=self.bob, wish=wish)
        assert "/own" not in row.teams_encrypted
        self.tell(self.bob)
        assert sending.send_due() == 1
        assert len(self.outside.seen("/own")) == 1
        choosing.choose(person=self.bob, wish=choosing.Wish(choices={}, teams=""))
        self.tell(self.bob)
        assert Delivery.objects.filter(channel="teams").count() == 1
