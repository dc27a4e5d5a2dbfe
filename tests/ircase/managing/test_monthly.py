"""The dashboard by mail on the first of the month: when, once, over what, and to whom with its file."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

import pypdf
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from ircase import tasks
from ircase.models import (
    CaseTelling,
    DashboardFile,
    Delivery,
    LogEntry,
    MonthlyMail,
    User,
)
from ircase.services import cases
from ircase.services.identity import people
from ircase.services.managing import monthly
from ircase.services.telling import confirming, deliveries, sending
from tests.cast import CastTestCase
from tests.ircase.telling.support import MailServer, mail_server, reachable


@contextmanager
def at(moment: str) -> Iterator[datetime]:
    now = datetime.fromisoformat(moment).astimezone(UTC)
    with mock.patch("django.utils.timezone.now", return_value=now):
        yield now


def pdf_of(message: EmailMessage) -> str:
    (part,) = message.iter_attachments()
    pages = pypdf.PdfReader(io.BytesIO(part.get_payload(decode=True))).pages  # type: ignore[arg-type]
    return "\n".join(page.extract_text() for page in pages)


def text_of(message: EmailMessage) -> str:
    body: Any = message.get_body(("plain",))
    return str(body.get_content())


class Mailed(CastTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = Path(folder.name)
        changed = override_settings(REPORTS_DIR=root / "r", SPOOL_DIR=root / "s", PUBLIC_URL="https://ir.example.com")
        changed.enable()
        self.addCleanup(changed.disable)
        context = mail_server()
        self.server: MailServer = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        reachable(self.carol)

    def begun(self, asked: str = "", when: str = "2026-10-15T12:00+00:00") -> MonthlyMail:
        with at(when):
            return monthly.begin(actor=self.carol, asked=asked)

    def make(self) -> None:
        for file in DashboardFile.objects.filter(state="queued"):
            tasks.make_dashboard_file(file.pk)

    def sent(self) -> list[EmailMessage]:
        self.make()
        Delivery.objects.filter(state="waiting").update(next_at=timezone.now() - timedelta(seconds=1))
        sending.send_due()
        return self.server.messages


class WhenTests(Mailed):
    def ticks(self, *moments: str) -> list[int]:
        found = []
        for moment in moments:
            with at(moment):
                found.append(monthly.tick())
        return found

    def test_on_the_first_in_the_morning_of_the_persons_zone_and_once(self) -> None:
        self.carol.time_zone = "Pacific/Auckland"  # UTC+13 in November
        self.carol.save()
        self.begun()
        assert self.ticks("2026-10-31T16:59+00:00", "2026-10-31T17:00+00:00", "2026-10-31T17:01+00:00",
                          "2026-11-20T00:00+00:00") == [0, 1, 0, 0]  # fmt: skip
        file = DashboardFile.objects.get()
        assert parse_qs(file.asked) == {"first": ["2026-10-01"], "last": ["2026-10-31"]}
        assert Delivery.objects.get().title == "Your dashboard of October 2026"
        assert self.ticks("2026-11-30T17:00+00:00") == [1]

    def test_behind_utc_and_where_the_clock_was_put_forward(self) -> None:
        self.carol.time_zone = "America/Sao_Paulo"
        self.carol.save()
        self.begun(when="2027-02-10T12:00+00:00")
        assert self.ticks("2027-03-01T08:59+00:00", "2027-03-01T09:00+00:00") == [0, 1]
        assert "last=2027-02-28" in DashboardFile.objects.get().asked
        # Athens puts its clock forward on 28 March 2027: its 1 April begins at 21:00 UTC, six o'clock is 03:00 UTC.
        self.carol.time_zone = "Europe/Athens"
        self.carol.save()
        assert self.ticks("2027-04-01T02:59+00:00", "2027-04-01T03:00+00:00") == [0, 1]

    def test_a_change_of_zone_sends_no_month_twice(self) -> None:
        self.carol.time_zone = "Pacific/Kiritimati"  # UTC+14
        self.carol.save()
        self.begun()
        assert self.ticks("2026-10-31T16:00+00:00") == [1]
        self.carol.time_zone = "Pacific/Pago_Pago"  # UTC-11
        self.carol.save()
        assert self.ticks("2026-10-31T16:10+00:00", "2026-11-01T17:00+00:00", "2026-12-01T16:59+00:00",
                          "2026-12-01T17:00+00:00") == [0, 0, 0, 1]  # fmt: skip

    def test_after_a_standstill_of_months_the_last_alone(self) -> None:
        self.begun()
        assert self.ticks("2027-03-09T00:00+00:00", "2027-03-09T00:01+00:00") == [1, 0]
        assert "first=2027-02-01&last=2027-02-28" in DashboardFile.objects.get().asked

    def test_chosen_on_the_first_before_six_it_comes_that_morning(self) -> None:
        self.begun(when="2026-11-01T05:00+00:00")
        assert self.ticks("2026-11-01T06:00+00:00") == [1]

    def test_two_ticks_with_the_same_row(self) -> None:
        row = self.begun()
        assert monthly._send(row, date(2026, 10, 1)) is True
        assert monthly._send(row, date(2026, 10, 1)) is False
        assert Delivery.objects.count() == 1

    def test_nothing_for_who_is_no_manager_or_has_no_account_any_more(self) -> None:
        self.begun()
        User.objects.filter(pk=self.carol.pk).update(is_active=False)
        assert self.ticks("2026-11-01T06:00+00:00") == [0]
        User.objects.filter(pk=self.carol.pk).update(is_active=True, site_role="analyst")
        assert self.ticks("2026-11-01T06:00+00:00") == [0]
        assert not Delivery.objects.exists()


class WhatTests(Mailed):
    def test_the_file_goes_to_the_proved_address_with_the_filters_kept(self) -> None:
        row = self.begun("severity=high&first=2020-01-01&last=2020-02-01&show=times&compare=before")
        assert row.asked == "compare=before&severity=high"
        monthly.send_now(mail=row, actor=self.carol)
        (message,) = self.sent()
        assert message["To"] == "carol@example.com"
        assert "is attached" in text_of(message)
        found = pdf_of(message)
        assert "Severity: High" in found and "confidential cases, unless" in found
        assert self.case.title not in text_of(message)
        entry = LogEntry.objects.get(action="dashboard.mailed")
        assert entry.actor == self.carol and entry.detail["attached"] is True
        assert Delivery.objects.get().state == "sent"

    def test_to_an_address_that_waits_to_be_confirmed_nothing_goes(self) -> None:
        row = self.begun()
        monthly.send_now(mail=row, actor=self.carol)
        self.carol.email = "carol@elsewhere.example"
        self.carol.save(update_fields=["email"])
        confirming.begin(self.carol)
        assert self.sent() == []
        gone = Delivery.objects.get()
        assert (gone.state, gone.problem) == ("dropped", "They have no confirmed address any more.")

    def test_no_confidential_case_is_counted_unless_its_lead_lets_it_be_named(self) -> None:
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.carol, role="viewer")
        Delivery.objects.all().delete()  # that she was put on it
        row = self.begun()
        monthly.send_now(mail=row, actor=self.carol)
        (first,) = self.sent()
        open_before = _open_cases(pdf_of(first))
        CaseTelling.objects.create(case=self.secret_case, names=True)
        monthly.send_now(mail=row, actor=self.carol)
        _, second = self.sent()
        assert (open_before, _open_cases(pdf_of(second))) == (1, 2)
        assert self.secret_case.title not in pdf_of(first)

    def test_who_may_see_less_by_then_gets_a_file_over_less(self) -> None:
        row = self.begun()
        monthly.send_now(mail=row, actor=self.carol)
        self.make()
        made = DashboardFile.objects.get().seen
        cases.set_confidential(case=self.case, actor=self.alice, confidential=True, reason="It is grave")
        assert self.sent() == []  # it is made again first
        file = DashboardFile.objects.get()
        assert (file.state, Delivery.objects.get().attempts) == ("queued", 0)
        (message,) = self.sent()
        assert _open_cases(pdf_of(message)) == 0
        file.refresh_from_db()
        assert file.seen != made

    def test_a_mail_server_that_is_away_gets_the_same_letter_later(self) -> None:
        row = self.begun()
        monthly.send_now(mail=row, actor=self.carol)
        self.server.refuse = 1
        assert self.sent() == []
        waiting = Delivery.objects.get()
        assert (waiting.state, waiting.attempts, waiting.problem) == ("waiting", 1, "The mail server answered 451.")
        (message,) = self.sent()
        assert message["Message-ID"] == f"<{waiting.uuid}@localhost>"
        assert self.sent() == [message]

    def test_a_file_that_cannot_be_made_ends_as_a_dead_letter_and_is_tried_again(self) -> None:
        row = self.begun()
        monthly.send_now(mail=row, actor=self.carol)
        with mock.patch("ircase.dashboard.paper.set_pdf", side_effect=OSError(28, "No space left on device")):
            for _ in range(12):
                assert self.sent() == []
        dead = Delivery.objects.get()
        assert dead.state == "dead" and "No space left" in dead.problem
        deliveries.again(delivery=dead, actor=self.ada)
        self.sign_in(self.ada)
        page = self.client.get(reverse("ircase:hooks"))
        self.assertContains(page, "Monthly dashboard")
        assert self.sent() == []  # the file first
        assert len(self.sent()) == 1

    def test_who_is_deactivated_stopped_it_or_is_no_manager_any_more_gets_nothing(self) -> None:
        for reason, act in (
            ("no manager", lambda row: User.objects.filter(pk=self.carol.pk).update(is_active=False)),
            ("no manager", lambda row: User.objects.filter(pk=self.carol.pk).update(site_role="analyst")),
            ("stopped", lambda row: monthly.stop(mail=row, actor=self.carol)),
        ):
            row = self.begun()
            monthly.send_now(mail=row, actor=self.carol)
            act(row)
            assert self.sent() == []
            gone = Delivery.objects.get()
            assert gone.state == "dropped" and reason in gone.problem
            User.objects.filter(pk=self.carol.pk).update(is_active=True, site_role="manager")
            MonthlyMail.objects.all().delete()
            DashboardFile.objects.all().delete()

    def test_not_for_ever_more(self) -> None:
        row = self.begun()
        with pytest.raises(ValidationError, match="already"):
            self.begun("first=2020-01-01")
        monthly.send_now(mail=row, actor=self.carol)
        with pytest.raises(ValidationError, match="being made"):
            monthly.send_now(mail=row, actor=self.carol)
        with pytest.raises(PermissionDenied):
            monthly.begin(actor=self.alice, asked="")
        with override_settings(EMAIL_HOST=""), pytest.raises(ValidationError, match="sends no mail"):
            self.begun("severity=low")


def _open_cases(text: str) -> int:
    """The figure of the tile."""
    lines = [line.strip() for line in text.splitlines()]
    return next(int(after) for line, after in pairwise(lines) if line == "Open cases" and after.isdigit())


class DoorTests(Mailed):
    def test_from_the_dashboard_to_the_letter_on_pages(self) -> None:
        self.sign_in(self.carol)
        self.assertContains(self.client.get(reverse("ircase:dashboard")), "Each month by mail")
        page = reverse("ircase:dashboard_monthly")
        self.client.post(page, {"asked": "severity=high&show=times"})
        row = MonthlyMail.objects.get()
        self.client.post(reverse("ircase:dashboard_monthly_send", args=[row.uuid]))
        with self.assertNumQueries(7):
            shown = self.client.get(page)
        self.assertContains(shown, "severity high")
        self.assertContains(shown, "Your dashboard of")
        self.assertContains(shown, "Confirmed")
        self.client.post(reverse("ircase:dashboard_monthly_stop", args=[row.uuid]))
        assert not MonthlyMail.objects.exists()

    def test_an_analyst_is_not_offered_it(self) -> None:
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get(reverse("ircase:dashboard")), "Each month by mail")

    def test_another_managers_is_not_there(self) -> None:
        row = self.begun()
        self.sign_in(self.ada)
        for name in ("stop", "send"):
            assert self.client.post(reverse(f"ircase:dashboard_monthly_{name}", args=[row.uuid])).status_code == 404

    def test_the_api_does_the_same(self) -> None:
        _, token = people.create_token(user=self.carol, name="test", scopes=["read", "write"])

        def call(method: str, path: str, body: Any = None) -> Any:
            send = getattr(self.client, method)
            headers = {"Authorization": f"Bearer {token}"}
            more = {} if method == "get" else {"data": body or {}, "content_type": "application/json"}
            return send(f"/api/v1/dashboard{path}", headers=headers, **more)

        made = call("post", "/monthly", {"severity": "high"})
        assert (made.status_code, made.json()["asked"]) == (201, "severity=high")
        assert call("post", "/monthly", {"severity": "high"}).status_code == 422
        sent = call("post", f"/monthly/{made.json()['uuid']}/letters")
        assert (sent.status_code, sent.json()["state"]) == (202, "waiting")
        assert len(call("get", "/monthly").json()["items"]) == len(call("get", "/monthly/letters").json()["items"]) == 1
        assert call("delete", f"/monthly/{made.json()['uuid']}").status_code == 204
