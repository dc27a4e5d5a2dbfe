"""An incident joins a case, brings its rows, and leaves again with those that nobody made their own."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse

from ircase.models import Asset, CaseIncident, CustodyEntry, Event, IncidentSync, Indicator, LogEntry, Notice
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.incidents import incidentsync, intake, merging
from ircase.services.phases import checklist, servicelevels
from tests.cast import CastTestCase
from tests.ircase.incidents import account, alert, device, file, ip, keep

A, B = "a" * 64, "b" * 64


class MergeTests(CastTestCase):
    def merged(self, number: str = "11", *alerts: dict[str, Any]) -> CaseIncident:
        told = alerts or (
            alert("1", device("ws-07.contoso.com"), account("ann@contoso.com"), file(A), ip("192.0.2.1")),
        )
        return merging.merge(case=self.case, incident=keep(self.connection, number, *told), actor=self.bob)

    def test_its_entities_alerts_and_sealed_json_join_the_case(self) -> None:
        link = self.merged()
        assert set(Asset.objects.filter(case=self.case).values_list("name", flat=True)) == {
            "ws-07.contoso.com", "ann@contoso.com"}  # fmt: skip
        assert set(Indicator.objects.filter(case=self.case).values_list("value", flat=True)) == {A, "192.0.2.1"}
        assert Event.objects.get(case=self.case).title == "Alert: Alert 1"
        rows = [*self.case.assets.all(), *self.case.indicators.all(), *self.case.events.all()]
        assert {row.provenance["link"] for row in rows} == {str(link.uuid)}
        assert {row.provenance["incident"] for row in rows} == {"11"}
        assert set(link.brought) == {str(row.uuid) for row in rows}
        assert link.evidence is not None and link.evidence.kind == "incident"
        assert LogEntry.objects.get(action="incident.merged").detail["assets"] == 2

    def test_what_nobody_touched_leaves_again(self) -> None:
        mine, _ = findings.add_indicator(case=self.case, actor=self.bob, kind="ip", value="198.51.100.1")
        link = self.merged()
        taken = merging.unmerge(link=link, actor=self.bob, reason="Another department's")
        assert (taken.left, taken.stayed) == (5, ())
        assert list(self.case.indicators.all()) == [mine]
        assert not self.case.assets.exists() and not self.case.events.exists()
        link.refresh_from_db()
        assert (link.removed_by, link.removed_reason) == (self.bob, "Another department's")
        exhibit = link.evidence
        assert exhibit is not None and exhibit.path.is_file()
        assert CustodyEntry.objects.filter(evidence=exhibit, action="incident_taken_out").exists()
        assert not intake.cases_of(self.bob, keep(self.connection, "11")).exists()

    def test_an_event_with_a_technique_leaves_as_any_other(self) -> None:
        link = self.merged("11", alert("1", ip("192.0.2.1")) | {"mitreTechniques": ["T1078"]})
        assert self.case.events.get().techniques.get().technique == "T1078"
        taken = merging.unmerge(link=link, actor=self.bob, reason="Another department's")
        assert taken.stayed == () and not self.case.events.exists()

    def test_what_was_touched_stays_and_is_said(self) -> None:
        link = self.merged()
        marked = self.case.indicators.get(value=A)
        findings.judge_indicator(indicator=marked, actor=self.bob, verdict="malicious", description="Seen it")
        on = self.case.assets.get(kind="device")
        mine = findings.add_event(case=self.case, actor=self.bob, at=self.case.opened_at, title="Logon", assets=[on])
        step = checklist.add_item(case=self.case, actor=self.bob, title="Look", phase="detection")
        checklist.add_proof(item=step, actor=self.bob, event=self.case.events.get(title="Alert: Alert 1"))
        taken = merging.unmerge(link=link, actor=self.bob, reason="Wrong")
        why = {str(one.row): one.why for one in taken.stayed}
        assert set(why) == {A, "ws-07.contoso.com", "Alert: Alert 1"}
        assert why[A] == "somebody changed it since"
        assert "event" in why["ws-07.contoso.com"]
        assert taken.left == 2
        assert set(self.case.events.all()) == {mine, self.case.events.get(title="Alert: Alert 1")}
        assert {name for name, _ in LogEntry.objects.get(action="incident.unmerged").detail["stayed"]} == {
            f"indicator {A}", "asset ws-07.contoso.com", "event Alert: Alert 1"}  # fmt: skip

    def test_what_another_incident_names_too_becomes_its_own(self) -> None:
        first = self.merged("11", alert("1", device("ws-07.contoso.com"), ip("192.0.2.1")))
        second = self.merged("12", alert("2", device("ws-07.contoso.com"), ip("192.0.2.2")))
        taken = merging.unmerge(link=first, actor=self.bob, reason="Not ours")
        assert [str(one.row) for one in taken.stayed] == ["ws-07.contoso.com"]
        shared = self.case.assets.get()
        assert (shared.provenance["incident"], shared.provenance["link"]) == ("12", str(second.uuid))
        second.refresh_from_db()
        taken = merging.unmerge(link=second, actor=self.bob, reason="Not ours either")
        assert taken.stayed == ()
        assert not self.case.assets.exists() and not self.case.indicators.exists()

    def test_a_newer_version_brings_only_what_is_new_and_nothing_that_was_thrown_out(self) -> None:
        link = self.merged("11", alert("1", device("ws-07.contoso.com")))
        findings.remove_event(event=self.case.events.get(), actor=self.bob, reason="Noise")
        with self.assertRaisesMessage(ValidationError, "newest version"):
            merging.merge(case=self.case, incident=link.incoming, actor=self.bob)  # type: ignore[arg-type]
        newer = keep(
            self.connection, "11", alert("1", device("ws-07.contoso.com")), alert("2", ip("192.0.2.9")),
            lastUpdateDateTime="2026-02-15T00:00:00Z",
        )  # fmt: skip
        again = merging.merge(case=self.case, incident=newer, actor=self.bob)
        assert again.pk == link.pk
        assert [event.title for event in self.case.events.all()] == ["Alert: Alert 2"]
        assert self.case.evidence.count() == 2
        told = Notice.objects.get(person=self.alice, code="incident")
        assert told.title == "Incident 11 has 1 new alert"
        assert merging.unmerge(link=again, actor=self.bob, reason="x").left == 3

    def test_an_event_that_two_incidents_name_is_there_once(self) -> None:
        self.merged("11", alert("1", ip("192.0.2.1")))
        self.merged("12", alert("1", ip("192.0.2.1")))
        assert self.case.events.count() == self.case.indicators.count() == 1

    def test_a_severity_taken_over_from_defender_brings_its_promises(self) -> None:
        values = {"starts_from": "detected", "met_by": "contained", "amount": 4, "unit": "hours", "deliver": "x"}
        servicelevels.save(actor=self.ada, name="Low", severity="low", **values)
        servicelevels.save(actor=self.ada, name="High", severity="high", **values)
        IncidentSync.objects.create(connection=self.connection, enabled=True, fields=["severity"])
        link = self.merged("11", alert("1", ip("192.0.2.1")))
        incidentsync.reconcile(link)
        raw = {"lastUpdateDateTime": "2026-02-15T00:00:00Z", "severity": "low"}
        keep(self.connection, "11", alert("1", ip("192.0.2.1")), **raw)
        incidentsync.reconcile(CaseIncident.objects.get(pk=link.pk))
        self.case.refresh_from_db()
        states = dict(self.case.clocks.values_list("title", "state"))
        assert (self.case.severity, states) == ("low", {"Low": "running"})

    def test_what_cannot_be_merged_says_why(self) -> None:
        incident = keep(self.connection, "11")
        with self.assertRaises(PermissionDenied):
            merging.merge(case=self.case, incident=incident, actor=self.carol)
        gone = keep(self.connection, "13", redirectIncidentId="14", status="redirected")
        with self.assertRaisesMessage(ValidationError, "into 14"):
            merging.merge(case=self.case, incident=gone, actor=self.bob)
        opened, _ = intake.accept(incident=incident, actor=self.bob)
        with self.assertRaisesMessage(ValidationError, "opened from this incident"):
            merging.unmerge(link=opened.incidents.get(), actor=self.bob, reason="x")
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        cases.close_case(case=self.case, actor=self.alice, reason="done")
        self.case.refresh_from_db()
        with self.assertRaisesMessage(ValidationError, "closed"):
            merging.merge(case=self.case, incident=keep(self.connection, "15"), actor=self.bob)

    def test_the_case_of_a_redirected_incident_is_the_case_of_the_one_it_went_into(self) -> None:
        link = self.merged("11")
        keep(self.connection, "11", redirectIncidentId="20", status="redirected",
             lastUpdateDateTime="2026-02-15T00:00:00Z")  # fmt: skip
        target = keep(self.connection, "20")
        assert list(intake.cases_of(self.bob, target)) == [link.case]
        assert intake.cases_of_page(self.bob, [target])[target.pk] == link.case
        assert "into 20" in Notice.objects.get(person=self.alice).title


class PageTests(CastTestCase):
    def test_merge_and_unmerge_in_the_browser(self) -> None:
        incident = keep(self.connection, "11", alert("1", device("ws-07.contoso.com"), file(B)))
        self.sign_in(self.bob)
        url = reverse("ircase:intake_item", args=[incident.pk])
        assert self.client.post(url, {"action": "merge", "case": self.secret_case.reference}).status_code == 422
        assert self.client.post(url, {"action": "merge", "case": "IR-1-1"}).status_code == 422
        reply = self.client.post(url, {"action": "merge", "case": self.case.reference.lower()})
        page_url = reverse("ircase:case_incidents", args=[self.case.reference])
        assert reply.headers["Location"] == page_url
        page = self.client.get(page_url)
        self.assertContains(page, "Take it out of the case")
        link = CaseIncident.objects.get(case=self.case)
        item = reverse("ircase:case_incident", args=[self.case.reference, link.uuid])
        self.client.post(item, {"action": "unmerge", "reason": ""})
        link.refresh_from_db()
        assert link.removed_at is None
        page = self.client.post(item, {"action": "unmerge", "reason": "Another story"}, follow=True)
        self.assertContains(page, "3 rows left with it")
        self.assertContains(page, "Taken out")
        self.assertContains(self.client.get(reverse("ircase:case", args=[self.case.reference])), "None")

    def test_a_confidential_case_says_the_same_as_one_that_does_not_exist(self) -> None:
        incident = keep(self.connection, "11")
        self.sign_in(self.bob)
        url = reverse("ircase:intake_item", args=[incident.pk])
        bodies = []
        for reference in (self.secret_case.reference, "IR-2026-XAAAAAA"):
            page = self.client.post(url, {"action": "merge", "case": reference}).content.decode()
            bodies.append(page.count("There is no such case, or it is not yours to see."))
        assert bodies[0] == bodies[1] > 0
