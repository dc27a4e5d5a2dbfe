"""The triage queue: what waits, what it shares with cases, and the same for everybody who may not see a case."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from ircase.intake import queue, similar
from ircase.models import Case, CaseIncident, IncomingIncident, LogEntry
from ircase.services.analysis import findings
from ircase.services.incidents import incidentkeeping, intake, merging
from tests.cast import CastTestCase, make_case, make_connection
from tests.ircase.incidents import account, alert, device, file, ip, keep

A, B = "a" * 64, "b" * 64


def name(case: Case, actor: object, *, devices: tuple[str, ...] = (), hashes: tuple[str, ...] = ()) -> None:
    for one in devices:
        findings.add_asset(case=case, actor=actor, kind="device", name=one)  # type: ignore[arg-type]
    for one in hashes:
        findings.add_indicator(case=case, actor=actor, kind="sha256", value=one)  # type: ignore[arg-type]


class QueueTests(CastTestCase):
    def titles(self, sort: str = "", **filters: str) -> list[str]:
        return [row.title for row in queue.find(self.bob, queue.Filters(**filters), sort)]

    def test_filters_and_orders(self) -> None:
        other = make_connection(name="Fabrikam")
        keep(self.connection, "1", alert("1", device("ws-01.contoso.com")), severity="low", displayName="One")
        keep(self.connection, "2", alert("1", ip("192.0.2.1"), ip("192.0.2.2")), alert("2"), displayName="Two")
        keep(other, "3", severity="medium", displayName="Three", status="inProgress",
             createdDateTime=(timezone.now() - timedelta(days=9)).isoformat())  # fmt: skip
        keep(self.connection, "4", displayName="Four", status="resolved")
        assert self.titles() == ["Two", "Three", "One"]
        assert self.titles("age") == ["Three", "One", "Two"]
        assert self.titles("-alerts")[0] == self.titles("-entities")[0] == "Two"
        assert self.titles("title") == ["One", "Three", "Two"]
        assert self.titles("severity") == ["One", "Three", "Two"]
        assert self.titles(origin=f"c{other.pk}") == ["Three"]
        assert self.titles(severity="low") == ["One"]
        assert self.titles(status="inProgress") == ["Three"]
        assert self.titles(age="week") == ["Two", "One"]
        assert self.titles(q="ws-01") == ["One"]
        assert self.titles(q="192.0.2.2 tw") == ["Two"]
        assert self.titles(show="ended") == ["Four"]
        assert self.titles(origin="cx", show="all") == self.titles(show="all")

    def test_what_has_a_case_waits_only_for_those_who_cannot_see_it(self) -> None:
        incident = keep(self.connection, "1")
        case, _ = intake.accept(incident=incident, actor=self.alice, confidential=True)
        assert self.titles() == ["Incident 1"]
        assert self.titles(show="case") == []
        assert list(queue.find(self.alice, queue.Filters())) == []
        assert list(queue.find(self.alice, queue.Filters(show="case"))) == [incident]

    def test_an_opened_again_incident_waits_again_and_says_so(self) -> None:
        incident = keep(self.connection, "1", alert("1"))
        intake.dismiss(incident=incident, actor=self.bob, reason="A drill")
        keep(self.connection, "1", alert("1"), status="resolved", lastUpdateDateTime="2026-02-15T00:00:00Z")
        assert self.titles() == []
        keep(self.connection, "1", alert("1"), lastUpdateDateTime="2026-02-16T00:00:00Z")
        row = IncomingIncident.objects.get()
        assert (row.dismissed_at, row.returned) == (
            None, "Incident 1 was opened again, after it had been dismissed.")  # fmt: skip
        assert self.titles() == ["Incident 1"]
        assert LogEntry.objects.get(action="incident.returned").detail["dismissed_reason"] == "A drill"

    def test_a_version_that_comes_late_does_not_undo_a_newer_one(self) -> None:
        keep(self.connection, "1", displayName="New", lastUpdateDateTime="2026-02-16T00:00:00Z")
        keep(self.connection, "1", displayName="Old", lastUpdateDateTime="2026-02-15T00:00:00Z")
        assert self.titles() == ["New"]

    def test_the_page_keeps_to_its_queries(self) -> None:
        for number in range(30):
            row = keep(self.connection, str(number), alert("1", device(f"ws-{number}.contoso.com")))
            if number % 3 == 0:
                merging.merge(case=self.case, incident=row, actor=self.bob)
        self.sign_in(self.bob)
        with self.assertNumQueries(11):
            page = self.client.get(reverse("ircase:intake"), {"show": "all", "sort": "-entities"})
        self.assertContains(page, self.case.reference)
        self.assertContains(page, "sort=entities")

    def test_many_are_dismissed_with_one_reason(self) -> None:
        rows = [keep(self.connection, str(number)) for number in range(3)]
        self.sign_in(self.bob)
        url = reverse("ircase:intake_dismiss")
        picked = [row.pk for row in rows[:2]]
        self.client.post(url, {"incident": picked, "reason": ""})
        assert not IncomingIncident.objects.exclude(dismissed_at=None).exists()
        reply = self.client.post(url, {"incident": picked, "reason": "Red team", "next": "/incidents/?q=x"})
        assert reply.headers["Location"] == "/incidents/?q=x"
        assert set(IncomingIncident.objects.exclude(dismissed_at=None).values_list("pk", flat=True)) == set(picked)
        assert LogEntry.objects.filter(action="incident.dismissed").count() == 2
        reply = self.client.post(url, {"incident": picked, "reason": "x", "next": "https://evil.example/"})
        assert reply.headers["Location"] == reverse("ircase:intake")


class SimilarTests(CastTestCase):
    def test_the_rarer_the_closer(self) -> None:
        """Three cases name ws-01, one names the hash: of log2(1 + N/n) with N=4, hash weight 3 and device weight 2."""
        others = [make_case(self.bob, title=f"Case {n}") for n in range(3)]
        for case in others:
            name(case, self.bob, devices=("ws-01.contoso.com",))
        name(self.case, self.alice, hashes=(A,))
        incident = keep(self.connection, "1", alert("1", device("WS-01.contoso.com"), file(A)))
        found = similar.similar_cases(self.bob, similar.keys_of(incident))
        assert [one.case.pk for one in found][0] == self.case.pk
        # N = 4 visible: 3 * log2(1 + 4) = 6.966, 2 * log2(1 + 4/3) = 2.445; 6.966 / 9.411 = 0.740
        assert [one.percent for one in found] == [74, 26, 26, 26]
        assert [(thing.value, thing.cases) for thing in found[1].shared] == [("ws-01.contoso.com", 3)]
        assert not found[0].probable, "one thing in common is no story"

    def test_a_case_that_one_cannot_see_counts_nowhere(self) -> None:
        incident = keep(self.connection, "1", alert("1", device("ws-01.contoso.com"), file(A)))
        name(self.case, self.alice, devices=("ws-01.contoso.com",))
        before = similar.similar_cases(self.bob, similar.keys_of(incident))
        name(self.secret_case, self.alice, devices=("ws-01.contoso.com",), hashes=(A,))
        assert similar.similar_cases(self.bob, similar.keys_of(incident)) == before
        assert [one.case.pk for one in similar.similar_cases(self.alice, similar.keys_of(incident))][
            0
        ] == self.secret_case.pk
        self.sign_in(self.bob)
        page = self.client.get(reverse("ircase:intake_item", args=[incident.pk])).content.decode()
        assert self.case.reference in page
        assert self.secret_case.reference not in page

    def test_probable_duplicates_of_both_kinds(self) -> None:
        told = (device("ws-01.contoso.com"), file(A), account("ann@contoso.com"))
        case, _ = intake.accept(incident=keep(self.connection, "1", alert("1", *told)), actor=self.bob)
        again = keep(self.connection, "2", alert("2", *told, ip("192.0.2.1")))
        third = keep(self.connection, "3", alert("3", *told))
        keep(self.connection, "4", alert("4", ip("192.0.2.1")))
        found = similar.similar_cases(self.bob, similar.keys_of(again))
        assert found[0].case.pk == case.pk
        assert found[0].probable
        alike = similar.alike_incidents(again, similar.keys_of(again))
        assert third.pk in [one.incident.pk for one in alike]
        assert all(one.incident.incident_id != "4" for one in alike)

    def test_the_page_of_one_keeps_to_its_queries(self) -> None:
        for number in range(12):
            name(make_case(self.bob, title=f"Case {number}"), self.bob, devices=("ws-01.contoso.com",))
        incident = keep(self.connection, "1", alert("1", device("ws-01.contoso.com"), file(A)))
        keep(self.connection, "2", alert("1", device("ws-01.contoso.com"), file(A)))
        self.sign_in(self.bob)
        self.client.get(reverse("ircase:intake"))
        with self.assertNumQueries(16):
            page = self.client.get(reverse("ircase:intake_item", args=[incident.pk]))
        self.assertContains(page, "Merge into IR-", count=10)
        self.assertContains(page, "Probably the same incident")

    def test_what_was_judged_benign_likens_nothing(self) -> None:
        mark, _ = findings.add_indicator(case=self.case, actor=self.alice, kind="sha256", value=A)
        incident = keep(self.connection, "1", alert("1", file(A)))
        assert len(similar.similar_cases(self.bob, similar.keys_of(incident))) == 1
        findings.judge_indicator(indicator=mark, actor=self.alice, verdict="benign", description="Notepad")
        assert similar.similar_cases(self.bob, similar.keys_of(incident)) == []


class RedirectTests(CastTestCase):
    def test_a_redirect_that_the_record_does_not_tell_is_kept(self) -> None:
        row = keep(self.connection, "1")
        merging.merge(case=self.case, incident=row, actor=self.bob)
        incidentkeeping.keep_redirect(row, "9")
        row.refresh_from_db()
        assert (row.redirect_id, row.status) == ("9", "redirected")
        assert list(intake.cases_of(self.bob, keep(self.connection, "9"))) == [self.case]
        assert CaseIncident.objects.held().count() == 1
