"""Three texts become one, by hand-worked examples and by laws that hold for any texts."""

from hypothesis import given
from hypothesis import strategies as st

from ircase.textmerge import MAX_LINES, conflicts_of, has_marks, merge, rows, text_of

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "d e", "<<<<<<< x"]), max_size=12).map("\n".join)


def test_changes_in_different_places_merge_by_themselves() -> None:
    pieces = merge("one\ntwo\nthree\nfour", "ONE\ntwo\nthree\nfour", "one\ntwo\nthree\nFOUR\nfive")
    assert conflicts_of(pieces) == []
    assert text_of(pieces, {}) == "ONE\ntwo\nthree\nFOUR\nfive"
    assert [piece.kind for piece in pieces] == ["theirs", "same", "mine"]


def test_the_same_change_on_both_sides_is_no_conflict() -> None:
    pieces = merge("a\nb", "a\nB", "a\nB")
    assert [piece.kind for piece in pieces] == ["same", "both"]
    assert text_of(pieces, {}) == "a\nB"


def test_a_conflict_is_marked_and_chosen() -> None:
    pieces = merge("a\nb\nc", "a\ntheir b\nc", "a\nmy b\nc")
    (conflict,) = conflicts_of(pieces)
    assert (conflict.number, conflict.base, conflict.theirs, conflict.mine) == (1, ("b",), ("their b",), ("my b",))
    marked = text_of(pieces, {}, "Alice", "Bob")
    assert marked == "a\n<<<<<<< Alice\ntheir b\n=======\nmy b\n>>>>>>> Bob\nc"
    assert has_marks(marked)
    assert text_of(pieces, {1: "theirs"}) == "a\ntheir b\nc"
    assert text_of(pieces, {1: "mine"}) == "a\nmy b\nc"
    assert text_of(pieces, {1: "both"}) == "a\ntheir b\nmy b\nc"


def test_one_takes_out_what_the_other_changes() -> None:
    (conflict,) = conflicts_of(merge("a\nb\nc", "a\nc", "a\nB\nc"))
    assert (conflict.theirs, conflict.mine) == ((), ("B",))


def test_rows_fold_what_is_equal() -> None:
    base = "\n".join(str(n) for n in range(20))
    found = list(rows(merge(base, base + "\nx", base), context=2))
    assert [row.skipped for row in found if row.skipped] == [18]
    assert (found[-1].kind, found[-1].theirs, found[-1].first) == ("theirs", "x", True)


def test_very_long_texts_end_soon() -> None:
    base = ["x", "y"] * MAX_LINES
    theirs, mine = ["first", *base], [*base, "last"]
    pieces = merge("\n".join(base), "\n".join(theirs), "\n".join(mine))
    assert text_of(pieces, {}).splitlines() == ["first", *base, "last"]


@given(LINES, LINES, LINES)
def test_no_line_is_lost(base: str, theirs: str, mine: str) -> None:
    pieces = merge(base, theirs, mine)
    for name, text in (("base", base), ("theirs", theirs), ("mine", mine)):
        assert [line for piece in pieces for line in getattr(piece, name)] == text.split("\n")
    numbers = [piece.number for piece in conflicts_of(pieces)]
    assert numbers == list(range(1, len(numbers) + 1))


@given(LINES, LINES)
def test_where_one_wrote_nothing_the_other_wins(base: str, changed: str) -> None:
    assert text_of(merge(base, changed, base), {}) == changed
    assert text_of(merge(base, base, changed), {}) == changed
    assert text_of(merge(base, changed, changed), {}) == changed
