"""How many queries the pages of a lived-in case take: 15 at most."""

from django.urls import reverse

from ircase.models import Case, CaseRole, User
from ircase.pages import TABS
from ircase.services import cases
from tests.cast import CastTestCase, make_user
from tests.ircase.queries import at_most
from tests.world import World, make_world

MOST = 15


class PageQueryTests(CastTestCase):
    world: World

    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        asker = make_user("asker", User.SiteRole.ANALYST)
        for name in ("outsider", "viewer"):
            make_user(name, User.SiteRole.GUEST)
        make_user("administrator", User.SiteRole.ADMINISTRATOR)
        cases.set_member(case=cls.case, actor=cls.alice, user=asker, role=CaseRole.ANALYST)
        cls.world = make_world(Case.objects.visible_to(cls.alice).get(pk=cls.case.pk), asker=asker)

    def setUp(self) -> None:
        self.sign_in(self.alice)

    def look(self, url: str) -> None:
        self.client.get(url)  # what is made once, such as a look at an exhibit, is made
        with at_most(MOST):
            assert self.client.get(url).status_code == 200

    def test_tabs(self) -> None:
        for tab, _, name in TABS:
            with self.subTest(tab):
                self.look(reverse(name, args=[self.case.reference]))

    def test_pages_over_many_cases(self) -> None:
        for name in ("my_work", "case_list", "dashboard", "intake", "search", "palette", "approvals"):
            with self.subTest(name):
                self.look(reverse(f"ircase:{name}"))

    def test_search(self) -> None:
        for query in ("?q=a+thing+to+find", "?q=ws-07", "?q=ws-07&in=log", "?q=kind:case+is:mine+has:evidence"):
            with self.subTest(query):
                self.look(reverse("ircase:search") + query)

    def test_exhibit(self) -> None:
        uuid = self.world.things["ircase:evidence.uuid"]
        self.look(reverse("ircase:evidence_item", args=[self.case.reference, uuid]))
