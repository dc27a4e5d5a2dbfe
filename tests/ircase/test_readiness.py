"""Readiness as the case knows it: roles, settings, the plan with its case, reminders, and who may see and keep it."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase.models import Case, CaseMember, LogEntry, Notice, ReadinessPlan, SettingAnswer
from ircase.readiness import board, proofs
from ircase.readiness.board import State
from ircase.readiness.settings import settings
from ircase.services import cases, preflights
from ircase.services.readiness import contacts, plans, reminding
from msapi.endpoint import Audience
from msapi.preflight import FEATURES, AudienceReport, FeatureReport, PreflightReport, ProbeReport
from tests.cast import CastTestCase, make_connection
from tests.ircase.queries import at_most


def report(roles: dict[Audience, tuple[str, ...]], probes: tuple[ProbeReport, ...] = ()) -> dict[str, Any]:
    """A preflight of a token that carries these roles, as the row keeps it."""
    audiences = tuple(AudienceReport(audience, True, roles.get(audience, ())) for audience in Audience)
    features = []
    for feature in FEATURES:
        lacking = feature.lacking(frozenset(roles.get(feature.audience, ())))
        features.append(FeatureReport(feature, not lacking, lacking, "Add it." if lacking else ""))
    return preflights.as_json(PreflightReport((), audiences, tuple(features), probes))


EVERYTHING = {
    audience: tuple({group[0] for feature in FEATURES if feature.audience is audience for group in feature.needs})
    for audience in Audience
}


class ReadinessCase(CastTestCase):
    def part(self, key: str, reader: Any = None) -> dict[str, board.Check]:
        parts = board.of([self.connection], reader)[self.connection.pk]
        return {check.key: check for check in next(part for part in parts if part.key == key).checks}

    def keep(self, roles: dict[Audience, tuple[str, ...]], age: timedelta = timedelta(), *probes: ProbeReport) -> None:
        self.connection.preflight = report(roles, probes)
        self.connection.preflight_at = timezone.now() - age
        self.connection.save()

    def plan(self, **values: Any) -> ReadinessPlan:
        return plans.save(connection=self.connection, actor=self.ada, **{"owner": self.alice, **values})


class RolesTests(ReadinessCase):
    def test_a_connection_that_nobody_looked_at_is_not_known(self) -> None:
        assert [check.state for check in self.part("roles").values()] == [State.UNKNOWN]

    def test_all_granted_is_ready(self) -> None:
        self.keep(EVERYTHING)
        assert {check.state for check in self.part("roles").values()} == {State.OK}

    def test_what_hunts_need_is_red_and_the_rest_is_to_be_looked_at(self) -> None:
        without = {Audience.GRAPH: ("ThreatHunting.Read.All",), Audience.DEFENDER: EVERYTHING[Audience.DEFENDER]}
        without[Audience.DEFENDER] = tuple(set(without[Audience.DEFENDER]) - {"Machine.Isolate"})
        self.keep(without)
        found = self.part("roles")
        assert found["role-hunting"].state == State.OK
        assert found["role-incidents.read"].state == State.RED
        assert "SecurityIncident.Read.All or SecurityIncident.ReadWrite.All" in found["role-incidents.read"].text
        assert found["role-isolate"].state == State.AMBER

    def test_more_than_needed_is_named(self) -> None:
        more = EVERYTHING | {Audience.GRAPH: (*EVERYTHING[Audience.GRAPH], "Directory.ReadWrite.All")}
        self.keep(more)
        found = self.part("roles")
        (excess,) = [check for key, check in found.items() if key.startswith("excess")]
        assert excess.state == State.AMBER
        assert excess.text == "Granted and not used: Directory.ReadWrite.All."

    def test_on_a_connection_for_hunting_only_device_roles_are_too_much(self) -> None:
        self.connection.read_only = True
        self.keep(EVERYTHING)
        (excess,) = [check for key, check in self.part("roles").items() if key.startswith("excess")]
        assert "Machine.LiveResponse" in excess.text
        assert "Machine.Read.All" not in excess.text

    def test_an_old_look_and_a_failing_call_are_said(self) -> None:
        failing = ProbeReport("library", "Live Response library", False, "It answered 403.")
        self.keep(EVERYTHING, timedelta(days=8), failing, ProbeReport("loganalytics", "Logs", None, "Not tried."))
        found = self.part("roles")
        assert found["age"].text == "Looked at 8 days ago."
        assert found["probe-Live Response library"].state == State.RED
        assert found["probe-Logs"].state == State.UNKNOWN


class SettingTests(ReadinessCase):
    def test_every_setting_has_its_page_at_microsoft(self) -> None:
        assert len(settings()) >= 8
        assert all(one.source.startswith("https://learn.microsoft.com/") for one in settings().values())
        assert "tamper_protection" in settings()

    def test_an_answer_is_kept_with_its_person_and_grows_old(self) -> None:
        self.plan()
        key = "edr_block_mode"
        assert self.part("settings")[key].state == State.UNKNOWN
        plans.answer(connection=self.connection, key=key, value="yes", note="Since May", actor=self.alice)
        assert self.part("settings")[key].state == State.OK
        assert self.part("settings")[key].text == "As it should be, says Alice. Since May"
        SettingAnswer.objects.update(answered_at=timezone.now() - timedelta(days=settings()[key].review_days, hours=1))
        assert self.part("settings")[key].state == State.AMBER
        plans.answer(connection=self.connection, key=key, value="no", actor=self.alice)
        assert self.part("settings")[key].state == State.RED
        assert LogEntry.objects.filter(action="readiness.answered").count() == 2

    def test_the_api_does_not_talk_over_a_person_for_a_day(self) -> None:
        self.plan()
        plans.answer(connection=self.connection, key="sensor", value="no", actor=self.alice)
        assert plans.answer(connection=self.connection, key="sensor", value="yes") is None
        SettingAnswer.objects.update(answered_at=timezone.now() - timedelta(days=2))
        assert plans.answer(connection=self.connection, key="sensor", value="yes") is not None
        assert self.part("settings")["sensor"].text == "As it should be, says the API."

    def test_only_who_keeps_it_ready_answers(self) -> None:
        self.plan()
        for person in (self.bob, self.carol, self.mallory):
            with pytest.raises(PermissionDenied):
                plans.answer(connection=self.connection, key="sensor", value="yes", actor=person)
        with pytest.raises(ValidationError):
            plans.answer(connection=self.connection, key="no_such", value="yes", actor=self.ada)


class PlanTests(ReadinessCase):
    def test_the_case_is_an_exercise_that_its_owner_leads_and_the_administrator_left(self) -> None:
        case = self.plan(probe_device="LAB-01.contoso.com").case
        assert case is not None
        assert case.exercise
        assert case.connection == self.connection
        assert [(one.user, one.role) for one in CaseMember.objects.filter(case=case)] == [(self.alice, "lead")]
        assert not Case.objects.visible_to(self.ada).filter(pk=case.pk).exists()
        assert ReadinessPlan.objects.get().probe_device == "lab-01.contoso.com"

    def test_a_new_owner_takes_the_place_of_the_old(self) -> None:
        case = self.plan().case
        assert case is not None
        assert self.plan(owner=self.bob).case == case
        assert [one.user for one in CaseMember.objects.filter(case=case)] == [self.bob]

    def test_a_closed_case_gets_a_successor(self) -> None:
        case = self.plan().case
        assert case is not None
        cases.edit_case(case=case, actor=self.alice, classification="informationalExpectedActivity")
        cases.close_case(case=case, actor=self.alice, reason="Tidied up")
        assert self.plan(gap_days=5).case != case

    def test_it_stays_an_exercise(self) -> None:
        case = self.plan().case
        assert case is not None
        with pytest.raises(ValidationError, match="stays an exercise"):
            cases.edit_case(case=case, actor=self.alice, exercise=False)

    def test_owners_are_analysts_and_administrators_plan(self) -> None:
        with pytest.raises(ValidationError, match="an analyst"):
            self.plan(owner=self.carol)
        with pytest.raises(PermissionDenied):
            plans.save(connection=self.connection, actor=self.alice, owner=self.alice)
        with pytest.raises(ValidationError):
            self.plan(gap_days=31)


class ReminderTests(ReadinessCase):
    def test_the_owner_hears_of_what_is_red_once_a_week(self) -> None:
        self.plan()
        plans.answer(connection=self.connection, key="tamper_protection", value="no", actor=self.alice)
        now = timezone.now()
        assert reminding.remind(now) == 0  # made a moment ago
        assert reminding.remind(now + timedelta(days=1, minutes=1)) == 1
        assert reminding.remind(now + timedelta(days=2)) == 0
        notice = Notice.objects.get(person=self.alice, code="due", title__contains="Readiness")
        assert notice.title.startswith("EXERCISE: Readiness of Contoso: ")
        assert any("Tamper protection" in line for line in notice.lines)
        assert reminding.remind(now + timedelta(days=9)) == 1

    def test_nobody_is_told_of_a_connection_that_is_switched_off(self) -> None:
        self.plan()
        self.connection.enabled = False
        self.connection.save()
        assert reminding.remind(timezone.now() + timedelta(days=30)) == 0


class ProofTests(ReadinessCase):
    def test_what_shows_an_item(self) -> None:
        shown = {row.item.key: row for row in proofs.shown({})}
        assert (shown["contacts"].state, shown["training"].state) == (State.RED, State.RED)
        assert shown["policy"].state is None
        contacts.save(actor=self.ada, name="Night desk", role="On call", phone="+31 10 555 0100")
        parts = board.of([self.connection], self.alice)
        shown = {row.item.key: row for row in proofs.shown(parts)}
        assert shown["contacts"].state == State.OK
        assert shown["defender"].state == State.UNKNOWN
        late = {row.item.key: row for row in proofs.shown(parts, timezone.now() + timedelta(days=91))}
        assert late["contacts"].state == State.AMBER


class PageTests(ReadinessCase):
    def test_pages_say_what_is_red_and_cost_a_bounded_number_of_queries(self) -> None:
        self.plan(probe_device="lab-01")
        self.keep({})
        for number in range(4):
            make_connection(name=f"Other {number}")
        self.sign_in(self.alice)
        for url in (
            reverse("ircase:readiness"),
            reverse("ircase:readiness_connection", args=[self.connection.pk]),
            reverse("ircase:readiness_part", args=[self.connection.pk, "roles"]),
            reverse("ircase:readiness_setting", args=[self.connection.pk, "sensor"]),
        ):
            with self.subTest(url), at_most(19):
                page = self.client.get(url)
            self.assertEqual(page.status_code, 200)
        page = self.client.get(reverse("ircase:readiness_connection", args=[self.connection.pk]))
        self.assertContains(page, "Lacks ThreatHunting.Read.All.")
        self.assertNotContains(page, reverse("ircase:connection_preflight", args=[self.connection.pk]))

    def test_guests_see_none_of_it(self) -> None:
        self.sign_in(self.mallory)
        for name in ("readiness", "contacts", "exercises", "contacts_pdf"):
            assert self.client.get(reverse(f"ircase:{name}")).status_code == 403

    def test_an_administrator_plans_in_the_browser(self) -> None:
        self.sign_in(self.ada)
        url = reverse("ircase:readiness_plan", args=[self.connection.pk])
        values = {"owner": self.alice.pk, "probe_device": "lab-01", "probe": "get-file", "probe_days": 30,
                  "hunt_days": 30, "gap_days": 7, "is_test": "on"}  # fmt: skip
        assert self.client.post(url, values).status_code == 302
        assert ReadinessPlan.objects.get().is_test
        assert self.client.post(url, values | {"gap_days": 99}).status_code == 422
