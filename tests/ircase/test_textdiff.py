"""Two texts side by side, and constants of a text taken out of it."""

from hypothesis import given
from hypothesis import strategies as st

from hunting.constants import adopt, constants_of
from ircase.textdiff import Line, Part, changed, side_by_side
from kql.syntax.parser import parse

LINES = st.lists(st.sampled_from(["a", "b", "c b", "", "| where X == 1"]), max_size=12).map("\n".join)


def _side(lines: list[Line], left: bool) -> list[str]:
    numbered = [(line.left_number, line.left) if left else (line.right_number, line.right) for line in lines]
    return ["".join(part.text for part in parts) for number, parts in numbered if number is not None]


class TestSideBySide:
    def test_a_changed_word_is_marked_and_nothing_else(self) -> None:
        (same, line) = side_by_side("T\n| where A == 1 and B == 2", "T\n| where A == 1 and C == 2")
        assert (same.kind, same.left_number, same.right_number) == ("same", 1, 1)
        assert line.kind == "changed"
        assert [part.text for part in line.left if part.marked] == ["B"]
        assert [part.text for part in line.right if part.marked] == ["C"]

    def test_lines_that_came_and_went_stand_alone(self) -> None:
        found = side_by_side("a\nb\nc", "a\nc\nd")
        assert [(line.kind, line.left_number, line.right_number) for line in found] == [
            ("same", 1, 1), ("removed", 2, None), ("same", 3, 2), ("added", None, 3),
        ]  # fmt: skip

    def test_lines_with_nothing_in_common_are_not_picked_apart(self) -> None:
        (line,) = side_by_side("alpha beta", "123-456")
        assert line.left == (Part("alpha beta", marked=True),)

    def test_far_from_a_change_lines_are_counted(self) -> None:
        before = "\n".join(map(str, range(20)))
        found = side_by_side(before, before.replace("10", "ten"), context=2)
        assert [(line.kind, line.skipped) for line in found if line.kind == "skipped"] == [
            ("skipped", 8),
            ("skipped", 7),
        ]
        assert len(found) == 7

    def test_equal_texts_have_no_change(self) -> None:
        assert not changed(side_by_side("a\nb", "a\nb"))
        assert changed(side_by_side("", "a"))

    def test_a_text_of_thousands_of_lines_is_compared_as_one(self) -> None:
        found = side_by_side("x\n" * 4000, "y\n" * 4000)
        assert len(found) == 4000

    @given(LINES, LINES)
    def test_nothing_is_lost_on_either_side(self, left: str, right: str) -> None:
        found = side_by_side(left, right)
        assert _side(found, left=True) == left.splitlines()
        assert _side(found, left=False) == right.splitlines()
        assert changed(found) == (left.splitlines() != right.splitlines())


class TestConstants:
    def test_a_let_of_the_same_name_leaves_and_one_of_another_takes_the_parameter(self) -> None:
        text = (
            'let Device = "ws01"; // the host\nlet Days = 7d;\nT | where DeviceName == Device and Timestamp > ago(Days)'
        )
        keys = {one.guess.name: one.key for one in constants_of(text)}
        assert adopt(text, {keys["Device"]: "Device"}).startswith("let Days = 7d;\nT |")
        assert "let Device = TargetDevice; // the host" in adopt(text, {keys["Device"]: "TargetDevice"})
        assert adopt(text, {}) == text

    def test_placeholders_and_compared_constants(self) -> None:
        text = 'T | where Host == "{DeviceName}" or AccountUpn == "a@b.example" or X == "{DeviceName}"'
        keys = {one.key: "P1" if one.guess.found_as == "placeholder" else "P2" for one in constants_of(text)}
        taken = adopt(text, keys)
        assert taken == "T | where Host == P1 or AccountUpn == P2 or X == P1"
        parse(taken)

    def test_lets_on_one_line_are_taken_one_by_one(self) -> None:
        text = 'let Aa = "ws01"; let Bb = "ws02"; T | where DeviceName in (Aa, Bb)'
        first = constants_of(text)[0]
        assert adopt(text, {first.key: first.let}) == ' let Bb = "ws02"; T | where DeviceName in (Aa, Bb)'

    def test_an_unknown_key_and_a_text_that_is_no_kql_change_nothing(self) -> None:
        assert adopt("T | where (((", {"let:X": "X"}) == "T | where ((("
        assert adopt("", {"let:X": "X"}) == ""
