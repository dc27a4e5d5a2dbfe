"""A person's address for news: nothing but a link goes there before they confirmed it."""

import re
from datetime import timedelta
from typing import Any

from django.core import mail
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from ircase import tasks
from ircase.models import Channel, Delivery, LogEntry, NoticeCode, NoticeSettings, User
from ircase.services import notices
from ircase.services.identity import accounts, people
from ircase.services.telling import choosing, confirming, outbox
from tests.cast import CastTestCase

LINK = re.compile(r"/profile/address/(\S+)/")


@override_settings(EMAIL_HOST="mail.example")
class AddressTests(CastTestCase):
    def setUp(self) -> None:
        User.objects.filter(pk=self.bob.pk).update(email="bob@contoso.example")
        self.bob.refresh_from_db()
        self.sign_in(self.bob)

    def move(self, email: str = "bob@elsewhere.example") -> None:
        values = {"first_name": "Bob", "last_name": "", "email": email, "time_zone": "UTC"}
        assert self.client.post(reverse("ircase:profile"), values).status_code == 302
        self.bob.refresh_from_db()

    def link(self) -> str:
        """The link of a mail that is sent now."""
        mail.outbox.clear()
        tasks.confirm_address(self.bob.pk)
        (letter,) = mail.outbox
        assert letter.to == [self.bob.email] and "confirm" in letter.subject
        found = LINK.search(str(letter.body))
        assert found is not None and found[0] in str(letter.alternatives[0][0])
        return found[1]

    def confirm(self, token: str) -> Any:
        return self.client.post(reverse("ircase:address_confirm", args=[token]), follow=True)

    def tell(self, title: str) -> None:
        subject = notices.about(self.case.uuid, title)
        notices.tell(
            code=NoticeCode.ALARM, people=[self.bob], case=self.case, subject=subject, title=title, path="/"
        )  # fmt: skip

    def can(self) -> bool:
        return outbox.can_be_told(self.bob, choosing.of(self.bob), Channel.MAIL)

    def test_nothing_but_the_link_goes_to_an_address_that_a_person_typed(self) -> None:
        assert self.can(), "an administrator gave it"
        self.tell("Queued before")
        assert Delivery.objects.filter(person=self.bob, channel="mail").count() == 1
        self.move()
        self.tell("Told after")
        assert Delivery.objects.filter(person=self.bob, channel="mail").count() == 1
        mail.outbox.clear()
        tasks.send_deliveries()
        assert mail.outbox == [] and Delivery.objects.get(person=self.bob, channel="mail").state == "dropped"
        token = self.link()
        assert not self.can(), "the link alone is no answer"
        assert self.client.get(reverse("ircase:address_confirm", args=[token])).status_code == 200
        assert not self.can(), "a mail filter opens links, too"
        self.assertContains(self.confirm(token), "Your address is confirmed")
        assert self.can()
        assert LogEntry.objects.filter(action="person.address_confirmed", actor=self.bob).count() == 1
        self.assertContains(self.confirm(token), "This link is over")
        mail.outbox.clear()
        tasks.confirm_address(self.bob.pk)
        assert mail.outbox == [], "nothing waits any more"

    def test_a_link_is_the_persons_own_and_ends_after_a_day_and_with_the_next_one(self) -> None:
        self.move()
        token = self.link()
        self.sign_in(self.alice)
        self.assertContains(self.confirm(token), "This link is over")
        self.sign_in(self.bob)
        for wrong in (token[:-1], "x", "%00", token.replace(":", "")):
            self.assertContains(self.confirm(wrong), "This link is over")
        again = reverse("ircase:address_again")
        self.assertContains(self.client.post(again, follow=True), "a moment ago")
        NoticeSettings.objects.update(mail_asked_at=timezone.now() - timedelta(hours=24, minutes=1))
        late = confirming.token_of(NoticeSettings.objects.get(person=self.bob))
        self.assertContains(self.confirm(late), "This link is over")
        NoticeSettings.objects.update(mail_asked_at=timezone.now() - timedelta(minutes=2))
        self.assertContains(self.client.post(again, follow=True), "A link is on its way to bob@elsewhere.example")
        self.assertContains(self.confirm(token), "This link is over")
        assert not self.can()
        newer = self.link()
        self.move("third@elsewhere.example")
        self.assertContains(self.confirm(newer), "This link is over")
        self.confirm(self.link())
        assert self.can()

    def test_a_saved_profile_with_the_same_address_asks_nothing(self) -> None:
        self.move("Bob@contoso.example")
        assert self.can()
        self.move("")
        assert not self.can() and not choosing.of(self.bob).waits_for_address

    def test_an_administrator_s_address_is_taken_as_it_is(self) -> None:
        self.move()
        assert not self.can()
        self.bob.email = "bob@by-ada.example"
        accounts.edit_person(person=self.bob, actor=self.ada)
        assert self.can()

    def test_the_page_says_so_and_the_api_does_the_same(self) -> None:
        page = reverse("ircase:notifications")
        self.assertNotContains(self.client.get(page), "Send the link again")
        self.move()
        shown = self.client.get(page)
        self.assertContains(shown, "bob@elsewhere.example is not confirmed yet")
        self.assertContains(shown, "Send the link again")
        _, key = people.create_token(user=self.bob, name="t", scopes=["read", "write"])
        bearer: dict[str, Any] = {"content_type": "application/json", "headers": {"Authorization": f"Bearer {key}"}}
        path = "/api/v1/notification-settings"
        assert self.client.get(path, **bearer).json()["address_waits"] is True
        assert self.client.post(f"{path}/address", **bearer).status_code == 422, "a moment ago"
        wrong = self.client.post(f"{path}/address/confirmation", {"token": "x"}, **bearer)
        assert wrong.status_code == 422 and "This link is over" in wrong.content.decode()
        token = self.link()
        assert self.client.post(f"{path}/address/confirmation", {"token": token}, **bearer).status_code == 204
        assert self.client.get(path, **bearer).json()["address_waits"] is False
