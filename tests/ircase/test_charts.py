"""Charts: true to their figures, and deaf to markup in labels."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from ircase import charts

NAMES = {"high": "High", "low": "Low"}


def test_bars_are_as_long_as_their_figures() -> None:
    drawing = charts.bars("Open cases", [charts.Bar("A", {"high": 2, "low": 1}), charts.Bar("B", {"high": 1})], NAMES)
    widths = [float(r.attrib["width"]) for r in ElementTree.fromstring(drawing.svg).iter("rect")]
    assert widths == [280.0, 140.0, 140.0]
    assert drawing.rows == (("A", "2", "1"), ("B", "1", "0"))


def test_every_mark_says_what_it_is() -> None:
    drawing = charts.bars("Open cases", [charts.Bar("Detection", {"high": 2})], NAMES)
    assert "Detection, High: 2" in drawing.svg
    assert 'role="img"' in drawing.svg


def test_a_missing_point_is_a_gap() -> None:
    drawing = charts.line("MTTC", [("Jan", 1.0), ("Feb", None), ("Mar", 3.0), ("Apr", 2.0)], "hours")
    tree = ElementTree.fromstring(drawing.svg)
    assert len(list(tree.iter("circle"))) == 3
    assert len(list(tree.iter("path"))) == 1
    assert drawing.rows[1] == ("Feb", "no data")


def test_nothing_to_draw_is_drawn_as_nothing() -> None:
    assert charts.bars("Empty", [], NAMES).rows == ()
    assert charts.line("Empty", [], "hours").rows == ()


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Cn"])))
def test_labels_never_become_markup(label: str) -> None:
    drawing = charts.bars(label, [charts.Bar(label, {"high": 1}, link="/cases/?x=1")], NAMES)
    tree = ElementTree.fromstring(drawing.svg)
    assert {e.tag for e in tree.iter()} == {"svg", "title", "a", "text", "rect"}
