"""Contacts: kept encrypted, in order, confirmed, printed, and shown to who works on a case."""

from datetime import timedelta
from unittest import mock

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from ircase.models import CaseRole, Contact, LogEntry
from ircase.report.sheets import pdf_of
from ircase.services import cases
from ircase.services.readiness import contacts
from tests.cast import CastTestCase

PHONE, EMAIL = "+31 10 555 0142", "night@northwharf.example"


class ContactTests(CastTestCase):
    def add(self, name: str = "Night desk", **more: str) -> Contact:
        values = {"role": "On call", "phone": PHONE, "email": EMAIL, "hours": "18:00-06:00 CET", **more}
        return contacts.save(actor=self.ada, name=name, **values)

    def test_number_and_address_are_nowhere_in_the_database_or_the_log(self) -> None:
        row = self.add()
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM ircase_contact")
            stored = str(cursor.fetchall())
        for text in (PHONE, EMAIL):
            assert text not in stored
            assert text not in str(list(LogEntry.objects.values_list("detail", flat=True)))
        (line,) = contacts.lines()
        assert (line.phone, line.email, line.dial) == (PHONE, EMAIL, "+31105550142")
        assert contacts.opened(row.phone_encrypted) == PHONE

    def test_a_lost_key_hides_numbers_and_not_the_list(self) -> None:
        self.add()
        with mock.patch("django.conf.settings.FIELD_KEYS", ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]):
            (line,) = contacts.lines()
        assert line.name == "Night desk"
        assert PHONE not in line.phone

    def test_order_confirmation_and_removal(self) -> None:
        first, second = self.add("First"), self.add("Second")
        contacts.move(actor=self.ada, contact=second, by=-1)
        contacts.move(actor=self.ada, contact=second, by=-1)
        assert [line.name for line in contacts.lines()] == ["Second", "First"]
        Contact.objects.update(confirmed_at=timezone.now() - timedelta(days=91))
        assert all(line.is_old for line in contacts.lines())
        assert contacts.confirm(actor=self.ada, contacts=[first]) == 1
        assert [line.is_old for line in contacts.lines()] == [True, False]
        contacts.remove(actor=self.ada, contact=second)
        assert [line.name for line in contacts.lines()] == ["First"]

    def test_what_nobody_can_be_reached_by_is_refused(self) -> None:
        for values in ({"phone": "", "email": ""}, {"phone": "", "email": "no address"}, {"phone": "1" * 61}):
            with self.subTest(values), pytest.raises(ValidationError):
                self.add(**values)
        assert not Contact.objects.exists()

    def test_only_keepers_write(self) -> None:
        row = self.add()
        for person in (self.alice, self.bob, self.carol, self.mallory):
            with pytest.raises(PermissionDenied):
                contacts.confirm(actor=person, contacts=[row])

    def test_the_pdf_holds_the_list_and_hostile_text_is_text(self) -> None:
        self.add('#panic("x")')
        data = contacts.printed(contacts.lines(), timezone.now())
        assert pdf_of("contacts", data).startswith(b"%PDF-")
        self.sign_in(self.bob)
        reply = self.client.get(reverse("ircase:contacts_pdf"))
        assert (reply["Content-Type"], reply["Cache-Control"]) == ("application/pdf", "no-store")
        assert LogEntry.objects.filter(action="contact.printed").count() == 1

    def test_members_see_it_on_their_case_and_outsiders_learn_nothing(self) -> None:
        self.add()
        url = reverse("ircase:case_contacts", args=[self.secret_case.reference])
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.mallory, role=CaseRole.VIEWER)
        for person, status in ((self.alice, 200), (self.mallory, 200), (self.bob, 404), (self.ada, 404)):
            self.sign_in(person)
            reply = self.client.get(url)
            assert reply.status_code == status
            assert (PHONE in reply.content.decode()) == (status == 200)

    def test_the_pages_of_a_keeper(self) -> None:
        self.sign_in(self.ada)
        values = {"name": "Host", "role": "Hosting provider", "phone": PHONE}
        assert self.client.post(reverse("ircase:contact_new"), values).status_code == 302
        row = Contact.objects.get()
        self.assertContains(self.client.get(reverse("ircase:contact", args=[row.uuid])), PHONE)
        assert self.client.post(reverse("ircase:contact", args=[row.uuid]), {"name": "Host"}).status_code == 422
        act = reverse("ircase:contact_act", args=[row.uuid])
        for what in ("confirm", "up", "down"):
            assert self.client.post(act, {"act": what}).status_code == 302
        assert Contact.objects.exists()
        self.client.post(act, {"act": "remove"})
        assert not Contact.objects.exists()
