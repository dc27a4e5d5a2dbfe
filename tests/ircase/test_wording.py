"""Keys, kinds, origins and details in words; ids and sources are in test_words."""

import pytest

from ircase import wording
from ircase.models import ChecklistItem, Phase
from ircase.templatetags.case_tags import waits_for
from tests.cast import CastTestCase


def test_keys_and_kinds() -> None:
    assert [wording.key_words(key) for key in ("display_name", "sid", "")] == ["Display name", "SID", ""]
    assert wording.evidence_kind("cloudApplicationEvidence") == "cloud application"
    assert wording.evidence_kind("") == ""
    assert wording.source_words("analyzedMessageEvidence") == "Analyzed message evidence"
    assert wording.origin_words("hunt") == "Hunt result"
    assert wording.origin_words("else") == "else"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"login": "a.example", "graph": "b.example"}, "login a.example, graph b.example"),
        ("2027-02-20T03:10:02.590069+01:00", "2027-02-20 02:10:02 UTC"),
        ("abcdefghijTklmnopqrstuv", "abcdefghijTklmnopqrstuv"),
        ([1, True, None], "1, yes, –"),
    ],
)
def test_details(value: object, words: str) -> None:
    assert wording.detail_words(value) == words


def test_counted() -> None:
    assert [wording.counted(n, "row") for n in (0, 1, 2007)] == ["0 rows", "1 row", "2,007 rows"]


class WaitsForTests(CastTestCase):
    def step(self, key: str, state: str = "open") -> ChecklistItem:
        return ChecklistItem.objects.create(case=self.case, key=key, title=key, phase=Phase.CONTAINMENT, state=state)

    def test_open_items_are_named_and_ended_ones_not(self) -> None:
        last = self.step("last")
        assert waits_for(last) == ""
        last.depends_on.add(self.step("A"))
        assert waits_for(last) == "“A”"
        last.depends_on.add(self.step("B"), self.step("C"), self.step("D", "done"))
        assert waits_for(last) == "“A”, “B” and “C”"
