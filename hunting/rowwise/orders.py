"""What an operator makes of the time column's name in the rows: "" where it is gone."""

from collections.abc import Collection

from kql.syntax import tree


def after_extend(items: Collection[tree.Named], order: str) -> str:
    changed = any(_writes(item, order) and item.value != tree.Name(order) for item in items)
    return "" if changed else order


def after_project(items: Collection[tree.Named], order: str) -> str:
    kept = [item.names[0] if item.names else order for item in items if order and item.value == tree.Name(order)]
    others = [item for item in items if item.value != tree.Name(order)]
    return kept[0] if kept and not any(_writes(item, kept[0]) for item in others) else ""


def _writes(item: tree.Named, name: str) -> bool:
    """Whether a column of that name may come of an item. A call without a name may be named after its argument."""
    return name in item.names or (not item.names and isinstance(item.value, tree.Call))


def after_rename(pairs: Collection[tuple[str, tree.Name]], order: str) -> str:
    renamed = [new for new, old in pairs if old.text == order]
    return renamed[0] if renamed else ("" if order in [new for new, _ in pairs] else order)
