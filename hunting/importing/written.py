"""A preview as JSON, a line for each thing, and a candidate as the library would keep it."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from hunting.importing.model import Candidate, Licence, Member, Origin, PackCandidate, ParameterGuess, Part, Preview
from hunting.values import NOW, ParameterError, parse, typed
from kql import KqlError, TypedValue, prelude, validate
from kql.catalogue import TABLES

CASE: Final = "case"
"""The source that no other team's hunt names: the case's own tables."""
TRYING_SECONDS: Final = 120
"""Spent on finding out which hunts the local engine can run; the others keep the sources that they came with."""


def lines(preview: Preview) -> Iterator[dict[str, Any]]:
    """First the whole (`source`, `kind`, `licence`, `commit`, `address`, `notes`, `counts`), then its items in order:
    `kind` hunt, pack or none, what the member is, and for a candidate its `content`, `facts`, `origin` and `slug`."""
    yield {
        "source": preview.source,
        "kind": preview.kind,
        "licence": preview.licence.name,
        "commit": preview.commit,
        "address": preview.address,
        "notes": list(preview.notes),
        "counts": preview.counts,
    }
    until = time.monotonic() + TRYING_SECONDS
    for member in preview.members:
        yield from _member(member, until)


def _member(member: Member, until: float) -> Iterator[dict[str, Any]]:
    about = {"member": member.path, "format": member.format.value, "sha256": member.sha256}
    for part in member.parts:
        yield about | _part(part, until)
    for pack in member.packs:
        yield about | _pack(pack)
    if not member.parts and not member.packs:
        yield about | {
            "kind": "none", "place": "", "line": member.line, "outcome": member.outcome.value, "reason": member.reason,
        }  # fmt: skip


def _part(part: Part, until: float) -> dict[str, Any]:
    found = {"place": part.place, "line": part.line, "outcome": part.outcome.value, "reason": part.reason}
    if part.candidate is None:
        return found | {"kind": "none"}
    one = part.candidate
    content, facts = content_of(one), _facts(one)
    if CASE not in one.sources and time.monotonic() < until:
        if why_not := not_on_a_case(one):
            facts["notes"].append(f"It does not run on a case's own tables: {why_not}")
        else:
            content["sources"].append(CASE)
    return found | {
        "kind": "hunt",
        "slug": one.slug,
        "title": one.title,
        "content": content,
        "content_hash": one.content_hash,
        "facts": facts,
        "origin": _origin(one.origin, one.slug),
        "licence": _licence(one.licence),
    }


def content_of(candidate: Candidate) -> dict[str, Any]:
    """The candidate as a file of the library holds it, without `id` and `version`."""
    content = {
        # The library wants a title of two letters at least; a hunt is not lost for that.
        "title": candidate.title if len(candidate.title) > 1 else f"Hunt {candidate.title}".strip(),
        "description": candidate.description,
        "entity": candidate.entity,
        "sources": list(candidate.sources),
        "tables": list(candidate.tables),
        "parameters": [_parameter(p) for p in candidate.parameters],
        "kql": candidate.kql,
        "time_column": candidate.time_column,
        "techniques": list(candidate.techniques),
        "meaning": candidate.meaning,
        "false_positives": list(candidate.false_positives),
        "references": list(candidate.references),
    }
    return content | ({"require_any": list(candidate.require_any)} if candidate.require_any else {})


def not_on_a_case(candidate: Candidate) -> str:
    """What keeps the local engine from running it over the tables that IRCase knows, "" where nothing does."""
    if strange := [table for table in candidate.tables if table not in TABLES]:
        return f"it reads {', '.join(strange[:5])}, which IRCase does not know."
    try:
        lets = prelude({p.name: _any_value(p) for p in candidate.parameters})
        found = validate(candidate.kql, {name: TABLES[name] for name in candidate.tables}, prelude=lets)
    except (KqlError, ParameterError) as error:
        return str(error)
    return next((f"line {one.line}: {one.message}" for one in found if one.severity == "error"), "")


def _any_value(guess: ParameterGuess) -> TypedValue:
    default = list(guess.default) if isinstance(guess.default, tuple) else guess.default
    value = parse(guess.kind, "" if default is None else default)
    # A moment that is pinned when it runs is any moment here.
    return typed(guess.kind, "" if value == NOW and guess.kind.kql == "datetime" else value)


def _parameter(guess: ParameterGuess) -> dict[str, Any]:
    found: dict[str, Any] = {"name": guess.name, "type": str(guess.kind), "required": guess.required}
    if guess.default is not None:
        found["default"] = list(guess.default) if isinstance(guess.default, tuple) else guess.default
    return found | {key: value for key, value in (("fill", guess.fill), ("help", guess.help)) if value}


def _facts(one: Candidate) -> dict[str, Any]:
    """What people are shown beside the content."""
    said = {"author": one.author, "severity": one.severity, "frequency": one.frequency, **dict(one.details)}
    return {
        "changes": list(one.changes),
        "notes": list(one.notes),
        "original": one.original,
        "twin": one.twin,
        "said": {key: value for key, value in said.items() if value},
        "replaced": {p.name: p.original for p in one.parameters if p.original},
    }


def _pack(pack: PackCandidate) -> dict[str, Any]:
    steps = [{"hunt": s.hunt, "only_if": s.only_if} if s.only_if else s.hunt for s in pack.hunts]
    return {
        "kind": "pack",
        "place": "",
        "line": None,
        "outcome": "kept",
        "reason": "",
        "slug": pack.id,
        "title": pack.title,
        "content": {
            "title": pack.title, "description": pack.description, "entity": pack.entity, "hunts": steps,
        },
        "content_hash": "",
        "facts": {},
        "origin": _origin(pack.origin, pack.id),
        "licence": _licence(pack.licence),
    }  # fmt: skip


def _origin(origin: Origin, slug: str) -> dict[str, Any]:
    return asdict(origin) | {"slug": slug}


def _licence(licence: Licence) -> str:
    return licence.name
