"""Teams on cases: the highest role holds, everywhere, and goes when its reason goes."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from ircase import access
from ircase.models import AccessReview, Case, CaseMember, CaseRole, LogEntry, Notice, Team, User
from ircase.services import cases
from ircase.services.identity import accounts, teams
from tests.cast import CastTestCase, make_case, make_user


class TeamTestCase(CastTestCase):
    def setUp(self) -> None:
        self.dora = make_user("dora", User.SiteRole.GUEST)
        self.team = teams.save_team(team=Team(name="Night shift"), actor=self.ada)

    def role(self, user: User, case: Case | None = None) -> str:
        found = Case.objects.visible_to(user).filter(pk=(case or self.secret_case).pk).first()
        return found.my_role if found else ""

    def join(self, user: User) -> None:
        teams.add_person(team=self.team, user=user, actor=self.ada)

    def put(self, role: str, case: Case | None = None) -> None:
        teams.set_on_case(case=case or self.secret_case, team=self.team, role=role, actor=self.alice)


class RoleTests(TeamTestCase):
    def test_a_team_opens_a_confidential_case_and_closes_it_again(self) -> None:
        self.join(self.dora)
        assert self.role(self.dora) == ""
        self.put("analyst")
        assert self.role(self.dora) == "analyst"
        assert access.still_may(self.dora, self.secret_case, CaseRole.ANALYST)
        teams.take_off_case(case=self.secret_case, team=self.team, actor=self.alice)
        assert self.role(self.dora) == ""
        assert not CaseMember.objects.filter(user=self.dora).exists()

    def test_the_highest_role_holds_and_the_own_one_stays(self) -> None:
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.dora, role="viewer", duty="Scribe")
        self.join(self.dora)
        self.put("lead")
        assert self.role(self.dora) == "lead"
        self.put("viewer")
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.dora, role="analyst", duty="Scribe")
        assert self.role(self.dora) == "analyst"
        teams.remove_person(team=self.team, user=self.dora, actor=self.ada)
        assert self.role(self.dora) == "analyst"
        cases.remove_member(case=self.secret_case, actor=self.alice, user=self.dora)
        assert self.role(self.dora) == ""

    def test_taken_off_themselves_they_stay_by_the_team(self) -> None:
        self.join(self.dora)
        self.put("viewer")
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.dora, role="lead")
        cases.remove_member(case=self.secret_case, actor=self.alice, user=self.dora)
        assert self.role(self.dora) == "viewer"

    def test_several_cases_and_teams_at_once(self) -> None:
        other = make_case(self.alice, confidential=True)
        second = teams.save_team(team=Team(name="Malware"), actor=self.ada)
        self.put("viewer")
        self.put("analyst", other)
        teams.set_on_case(case=other, team=second, role="viewer", actor=self.alice)
        self.join(self.dora)
        teams.add_person(team=second, user=self.dora, actor=self.ada)
        assert (self.role(self.dora), self.role(self.dora, other)) == ("viewer", "analyst")
        teams.remove_person(team=self.team, user=self.dora, actor=self.ada)
        assert (self.role(self.dora), self.role(self.dora, other)) == ("", "viewer")

    def test_a_manager_reads_whatever_the_team_may(self) -> None:
        self.join(self.carol)
        self.put("lead")
        assert self.role(self.carol) == "viewer"
        accounts.edit_person(person=_with(self.carol, "analyst"), actor=self.ada)
        assert self.role(self.carol) == "lead"

    def test_a_case_keeps_a_lead_of_its_own(self) -> None:
        self.join(self.bob)
        self.put("lead")
        with pytest.raises(ValidationError, match="needs a lead"):
            cases.remove_member(case=self.secret_case, actor=self.bob, user=self.alice)

    def test_who_is_shut_out_is_off_and_comes_back(self) -> None:
        self.join(self.dora)
        self.put("viewer")
        accounts.set_active(person=self.dora, actor=self.ada, active=False)
        assert not CaseMember.objects.filter(user=self.dora).exists()
        self.dora.refresh_from_db()
        accounts.set_active(person=self.dora, actor=self.ada, active=True)
        assert self.role(self.dora) == "viewer"


def _with(user: User, role: str) -> User:
    user.site_role = role
    return user


class AdministratorTests(TeamTestCase):
    """Whoever keeps teams must not open cases with them."""

    def test_nobody_adds_themselves_and_no_administrator_is_in_a_team(self) -> None:
        other = make_user("second", User.SiteRole.ADMINISTRATOR)
        for user, words in ((self.ada, "Nobody adds themselves"), (other, "join a case with a reason")):
            with pytest.raises(ValidationError, match=words):
                self.join(user)
        self.join(self.dora)
        with pytest.raises(ValidationError, match="An administrator is in none"):
            accounts.edit_person(person=_with(self.dora, "administrator"), actor=self.ada)

    def test_the_cases_log_and_leads_are_told_of_each_newcomer(self) -> None:
        self.put("viewer")
        self.join(self.dora)
        entry = LogEntry.objects.get(case=self.secret_case, action="case.member", actor=self.ada)
        assert entry.detail == {"member": "dora", "role": "viewer", "team": "Night shift"}
        notice = Notice.objects.get(person=self.alice, case=self.secret_case)
        assert "through the team Night shift" in notice.title
        assert not Notice.objects.exclude(person=self.alice).exists()

    def test_a_team_on_cases_is_not_removed(self) -> None:
        self.put("viewer")
        with pytest.raises(ValidationError, match="on cases"):
            teams.remove_team(team=self.team, actor=self.ada)
        teams.take_off_case(case=self.secret_case, team=self.team, actor=self.alice)
        teams.remove_team(team=self.team, actor=self.ada)
        assert not Team.objects.exists()

    def test_the_pages_name_no_case(self) -> None:
        self.put("viewer")
        self.join(self.dora)
        self.sign_in(self.ada)
        for name, args in (("teams", []), ("team", [self.team.pk]), ("person", [self.dora.pk]), ("site_access", []),
                           ("site_log", []), ("audit", [])):  # fmt: skip
            page = self.client.get(reverse(f"ircase:{name}", args=args))
            assert page.status_code == 200, name
            text = page.content.decode()
            assert self.secret_case.reference not in text, name
            assert self.secret_case.title not in text, name

    def test_by_the_pages(self) -> None:
        self.sign_in(self.ada)
        self.client.post(reverse("ircase:teams"), {"name": "Cloud", "description": ""})
        team = Team.objects.get(name="Cloud")
        self.client.post(reverse("ircase:team_add", args=[team.pk]), {"person": self.dora.pk})
        assert team.members.get().user == self.dora
        assert self.client.post(reverse("ircase:teams"), {"name": "Cloud"}).status_code == 422
        self.client.post(reverse("ircase:team_remove", args=[team.pk, self.dora.pk]))
        assert not team.members.exists()


class CaseAccessTests(TeamTestCase):
    def test_who_sees_it_and_why(self) -> None:
        self.join(self.dora)
        self.put("analyst")
        self.put("viewer", self.case)
        self.sign_in(self.alice)
        secret = self.client.get(reverse("ircase:case_access", args=[self.secret_case.reference]))
        self.assertContains(secret, "Only the members below")
        self.assertContains(secret, "team Night shift")
        ordinary = self.client.get(reverse("ircase:case_access", args=[self.case.reference]))
        self.assertContains(ordinary, "1 more analysts and managers", msg_prefix="Carol; Alice and Bob are members")
        with self.assertNumQueries(13):
            self.client.get(reverse("ircase:case_access", args=[self.case.reference]))

    def test_leads_put_teams_on_and_review(self) -> None:
        self.sign_in(self.alice)
        url = reverse("ircase:case_team", args=[self.case.reference])
        self.client.post(url, {"team": self.team.pk, "role": "analyst"})
        assert self.case.teams.get().role == "analyst"
        late = timezone.now() - timedelta(days=100)
        Case.objects.filter(pk=self.case.pk).update(opened_at=late)
        page = reverse("ircase:case_access", args=[self.case.reference])
        assert self.client.get(page).context["late"]
        self.client.post(reverse("ircase:case_access_review", args=[self.case.reference]), {"note": "All known"})
        assert not self.client.get(page).context["late"]
        assert AccessReview.objects.get().by == self.alice
        self.client.post(reverse("ircase:case_team_remove", args=[self.case.reference, self.team.pk]))
        assert not self.case.teams.exists()
        self.sign_in(self.bob)
        assert self.client.post(url, {"team": self.team.pk, "role": "lead"}).status_code == 403
