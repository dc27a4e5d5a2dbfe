"""The looks that a child makes, by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from artifacts.limits import ArtifactError
from artifacts.looks import facts, heads, listings, pictures, records, texts, trees
from artifacts.looks.texts import Say

VERSION: Final = 1
Look = Callable[[Path, str, Path, Say], dict[str, Any]]
LOOKS: Final[dict[str, Look]] = {
    "text": texts.text,
    "strings": texts.strings,
    "json": trees.tree,
    "image": pictures.picture,
    "archive": listings.listing,
    "events": records.events,
    "table": heads.head,
    "metadata": facts.facts,
}
_TOO_LONG: Final = 64 << 20


def look(kind: str, path: Path, name: str, out: Path, say: Say) -> dict[str, Any]:
    """Make one look into ``out``: ``look.json``, and the files that its maker names. ``{"failed": why}`` or its end."""
    try:
        found = LOOKS[kind](path, name, out, say)
    except ArtifactError as error:
        return {"failed": str(error)}
    except RecursionError:
        return {"failed": "It is nested too deep to be read."}
    text = json.dumps(found)
    if len(text) > _TOO_LONG:
        return {"failed": "What came of it is too large to be shown."}
    (out / "look.json").write_text(text, encoding="utf-8")
    return {"made": True}
