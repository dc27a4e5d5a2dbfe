"""One box over everything, and nothing of what may not be seen."""

from django.urls import reverse
from django.utils import timezone

from ircase import finder
from ircase.services import cases, findings, notes
from tests.cast import CastTestCase
from tests.ircase.queries import at_most


class SearchTests(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        for case in (cls.case, cls.secret_case):
            notes.create_note(case=case, actor=cls.alice, title="Zebra note", body="a zebrafish swam by")
            findings.add_asset(case=case, actor=cls.alice, kind="device", name="zebra-01")
            findings.add_indicator(case=case, actor=cls.alice, kind="domain", value="zebra.example.com")
            findings.add_event(case=case, actor=cls.alice, at=timezone.now(), title="Zebra process started")
            cases.edit_case(case=case, actor=cls.alice, summary="A zebra did it")

    def search(self, text: str) -> str:
        return self.client.get(reverse("ircase:search"), {"q": text}).content.decode()

    def test_every_kind_is_found_by_who_may_see_it(self) -> None:
        self.sign_in(self.carol)
        page = self.search("ZEBRA")
        for kind in ("Cases", "Assets", "Indicators", "Timeline", "Notes"):
            assert f'aria-label="{kind}"' in page
        assert self.case.reference in page
        assert self.secret_case.reference not in page
        assert "Quiet one" not in page

    def test_what_is_hidden_is_neither_shown_nor_counted(self) -> None:
        seen = {
            user.username: finder.search(user, "zebra") for user in (self.alice, self.carol, self.mallory, self.ada)
        }
        counts = {name: sum(group.shown for group in groups) for name, groups in seen.items()}
        assert counts == {"alice": 10, "carol": 5, "mallory": 0, "ada": 0}

    def test_a_reference_leads_straight_to_its_case_or_nowhere(self) -> None:
        self.sign_in(self.alice)
        reply = self.client.get(reverse("ircase:search"), {"q": f" {self.case.reference.lower()} "})
        assert reply.headers["Location"] == reverse("ircase:case", args=[self.case.reference])
        self.sign_in(self.carol)
        assert "Nothing found" in self.search(self.secret_case.reference)

    def test_defanged_text_finds_the_whole(self) -> None:
        self.sign_in(self.carol)
        assert "zebra.example.com" in self.search("zebra[.]example[.]com")

    def test_short_empty_strange_and_long(self) -> None:
        self.sign_in(self.carol)
        assert "A little more" in self.search("z")
        assert "What are you looking for" in self.search("")
        for text in ("\x00\x00", "%", "' OR 1=1 --", "x" * 5000, "\\"):
            assert self.client.get(reverse("ircase:search"), {"q": text}).status_code == 200

    def test_queries_are_bounded(self) -> None:
        self.sign_in(self.carol)
        with at_most(12):
            self.search("zebra")
