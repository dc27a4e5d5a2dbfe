"""The administration's pages: each opens, is found from the hub, is an administrator's only, and asks little."""

import re

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ircase.models import LogEntry, Team, User
from ircase.services.identity import people, teams
from tests.cast import CastTestCase, make_user

PAGES = ("people", "teams", "site_access", "signin_provider", "policies", "retention_policies", "connections", "audit")


class HubTests(CastTestCase):
    def test_everything_is_found_from_one_page(self) -> None:
        self.sign_in(self.ada)
        hub = self.client.get(reverse("ircase:administration")).content.decode()
        links = set(re.findall(r'href="([^"]+)"', hub))
        for name in PAGES:
            url = reverse(f"ircase:{name}")
            assert url in links, name
            assert self.client.get(url).status_code == 200, name

    def test_fifteen_queries_are_enough_with_many_people(self) -> None:
        team = teams.save_team(team=Team(name="All"), actor=self.ada)
        for number in range(30):
            user = make_user(f"person{number}", User.SiteRole.ANALYST)
            teams.add_person(team=team, user=user, actor=self.ada)
        for number in range(5):
            people.create_token(user=self.bob, name=str(number))
        self.sign_in(self.ada)
        for name, args in (("people", []), ("teams", []), ("team", [team.pk]), ("site_access", []),
                           ("person", [self.bob.pk]), ("policies", []), ("signin_provider", [])):  # fmt: skip
            url = reverse(f"ircase:{name}", args=args)
            with self.subTest(name), CaptureQueriesContext(connection) as asked:
                self.client.get(url)
            assert len(asked) <= 15, f"{url}: {len(asked)}"

    def test_rules_are_changed_by_the_page_and_logged(self) -> None:
        self.sign_in(self.ada)
        values = {
            "local_passwords": "everybody",
            "password_length": "14",
            "second_factor_for": ["administrator", "lead"],
            "token_days": "90",
            "review_days": "30",
        }
        assert self.client.post(reverse("ircase:policies"), values).status_code == 302
        changes = LogEntry.objects.get(action="policy.changed").detail["changes"]
        assert changes["second_factor_for"] == [[], ["administrator", "lead"]]
        assert changes["password_length"] == [12, 14]
        for wrong in ({"password_length": "8"}, {"token_days": "400"}, {"second_factor_for": ["king"]}):
            assert self.client.post(reverse("ircase:policies"), values | wrong).status_code == 422
