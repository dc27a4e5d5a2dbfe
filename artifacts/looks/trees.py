"""JSON with its depth, its size and its numbers under a lid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from artifacts.limits import ArtifactError
from artifacts.looks.shown import visible
from artifacts.looks.texts import Say, encoding_of

MOST_BYTES: Final = 16 << 20
MOST_DOCUMENTS: Final = 200
MOST_NODES: Final = 4_000
DEEPEST: Final = 12
_LONGEST: Final = 2_000


class NoJson(ArtifactError):
    code = "look.no_json"


def tree(path: Path, name: str, out: Path, say: Say) -> dict[str, Any]:
    """``value`` is the document, or the first documents where each line is one; what is cut is named in its place."""
    size = path.stat().st_size
    with path.open("rb") as raw:
        data = raw.read(MOST_BYTES + 1)
    codec, words, skip = encoding_of(data)
    text = data[skip:].decode(codec, "replace").lstrip("\ufeff \t\r\n")
    budget = [MOST_NODES]
    if size <= MOST_BYTES:
        try:
            return {"value": _pruned(_parsed(text), DEEPEST, budget), "encoding": words, "cut": budget[0] <= 0}
        except RecursionError:
            raise NoJson("It is nested too deep to be read; its text and its bytes can be looked at.") from None
        except ValueError as error:
            whole = str(error)
    else:
        whole = f"It is larger than {MOST_BYTES >> 20} MB."
    documents = _documents(text)
    if not documents:
        raise NoJson(f"It is no JSON that can be shown: {visible(whole, 200)}")
    value = [_pruned(document, DEEPEST, budget) for document in documents]
    more = len(text.splitlines()[: MOST_DOCUMENTS + 2]) > len(documents)
    return {"value": value, "encoding": words, "cut": more or budget[0] <= 0, "lines": len(documents)}


def _parsed(text: str) -> Any:
    # Numbers stay as they are written: a million digits are neither computed nor rounded.
    return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=str)


def _number(text: str) -> int | float | str:
    return text if len(text) > 17 else (float(text) if any(c in text for c in ".eE") else int(text))


def _documents(text: str) -> list[Any]:
    found: list[Any] = []
    for line in text.split("\n", MOST_DOCUMENTS + 1)[: MOST_DOCUMENTS + 1]:
        if len(found) >= MOST_DOCUMENTS:
            break
        try:
            if line.strip():
                found.append(_parsed(line))
        except (ValueError, RecursionError):
            break
    return found


def _pruned(value: Any, depth: int, budget: list[int]) -> Any:
    budget[0] -= 1
    if isinstance(value, dict | list):
        if depth <= 0:
            return f"… {len(value):,} more inside, nested too deep to show"
        return _inside(value, depth, budget)
    return visible(value, _LONGEST) if isinstance(value, str) else value


def _inside(value: Any, depth: int, budget: list[int]) -> Any:
    kept: list[tuple[str, Any]] = []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if budget[0] <= 0:
            kept.append(("…", f"{len(value) - len(kept):,} more not shown"))
            break
        kept.append((visible(str(key), 200), _pruned(inner, depth - 1, budget)))
    return dict(kept) if isinstance(value, dict) else [inner for _, inner in kept]
