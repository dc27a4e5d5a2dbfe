"""Writes ``docs/kql.md`` from the registries: every operator, function, aggregate and plugin, with Microsoft's page.

``python -m kql.document`` writes the file; a test proves that it is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from kql.syntax.operators import OPERATOR_NAMES
from kql.translate.functions import registry
from kql.translate.functions.registry import PAGES, Kind
from kql.translate.operators.plain import way_round
from kql.translate.operators.plugins import REFUSED
from kql.translate.operators.registry import OPERATORS
from kql.translate.query import translate

PATH = Path(__file__).resolve().parent.parent / "docs" / "kql.md"
_HEAD = Path(__file__).with_name("document_head.md")
_KINDS: tuple[tuple[Kind, str], ...] = (
    ("scalar", "Scalar functions"),
    ("aggregate", "Aggregates"),
    ("several", "Functions that give several columns"),
    ("window", "Functions that look at neighbouring rows"),
    ("plugin", "Plugins of evaluate"),
)


def text() -> str:
    """The whole document."""
    assert translate is not None  # It has loaded the families.
    parts = [_HEAD.read_text(encoding="utf-8").rstrip(), "", *_operators()]
    for kind, title in _KINDS:
        parts += ["", f"## {title}", "", *_functions(kind)]
    parts += ["", "## What is refused", "", *_refused()]
    return "\n".join(parts) + "\n"


def _operators() -> Iterator[str]:
    yield "## Operators"
    yield ""
    rows = []
    for declared in OPERATORS.values():
        rows += [(name, declared.page, declared.note) for name in declared.names]
    yield from _table(rows)


def _functions(kind: Kind) -> Iterator[str]:
    yield from _table((each.name, each.page, each.note) for each in registry.REGISTRY[kind].values())


def _table(rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    yield "| name | reference | note |"
    yield "|---|---|---|"
    for name, page, note in sorted(rows):
        yield f"| `{name}` | [{page}]({PAGES}{page}) | {note} |"


def _refused() -> Iterator[str]:
    yield "| name | instead |"
    yield "|---|---|"
    known = {name for declared in OPERATORS.values() for name in declared.names}
    for name in sorted(OPERATOR_NAMES - known - {"mvexpand", "mvapply"}):
        yield f"| operator `{name}` | {way_round(name)} |"
    for name, hint in sorted(REFUSED.items()):
        yield f"| plugin `{name}` | {hint} |"
    for name, hint in sorted(registry.refusals().items()):
        yield f"| `{name}()` | {hint} |"


def main() -> None:
    """Write the document."""
    PATH.write_text(text(), encoding="utf-8")
    sys.stderr.write(f"wrote {PATH.name}\n")


if __name__ == "__main__":
    main()
