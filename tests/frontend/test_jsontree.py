"""JSON as nodes: complete when small, capped when hostile, and it always ends."""

from hypothesis import given, settings
from hypothesis import strategies as st

from frontend.jsontree import MAX_TEXT, Node, nodes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=6),
    max_leaves=60,
)


def count(tree: list[Node] | tuple[Node, ...]) -> int:
    return sum(1 + count(node.children) for node in tree)


def values(value: object) -> int:
    if isinstance(value, dict):
        return sum(1 + values(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(1 + values(inner) for inner in value)
    return 0


def test_scalars_and_containers() -> None:
    tree = nodes({"a": True, "b": 2, "c": None, "d": [], "e": {"f": ["x"]}})
    assert [(n.key, n.kind, n.text) for n in tree] == [
        ("a", "boolean", "true"),
        ("b", "number", "2"),
        ("c", "null", "null"),
        ("d", "array", "[0]"),
        ("e", "object", "{1}"),
    ]
    assert tree[4].children[0].children == (Node("0", "string", "x"),)
    assert nodes("alone") == [Node("", "string", "alone")]


def test_caps_are_said() -> None:
    wide = nodes(list(range(50)), max_nodes=10)
    assert len(wide) == 11
    assert wide[-1] == Node("", "note", "40 more not shown")
    deep: object = "end"
    for _ in range(500):
        deep = [deep]
    assert "nested too deep" in repr(nodes(deep, max_depth=4))
    long = nodes({"k": "x" * (MAX_TEXT + 1)})[0].text
    assert long == "x" * MAX_TEXT + "… (4,001 characters)"


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_small_values_come_back_whole(value: object) -> None:
    expected = values(value) if isinstance(value, dict | list) else 1
    assert count(nodes(value, max_depth=100)) == expected


@given(JSON, st.integers(0, 20), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_never_much_more_than_the_cap(value: object, max_nodes: int, max_depth: int) -> None:
    tree = nodes(value, max_nodes=max_nodes, max_depth=max_depth)
    notes = sum(1 for _ in _walk(tree) if _.kind == "note")
    assert count(tree) - notes <= max(max_nodes, 1)


def _walk(tree: list[Node] | tuple[Node, ...]) -> list[Node]:
    return [found for node in tree for found in (node, *_walk(node.children))]
