"""What a format's reader finds before its queries are examined, and the candidates made of that."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from hunting.importing.facts import DEFENDER, LOG_ANALYTICS, Facts
from hunting.importing.fingerprint import fingerprint, same_but_time
from hunting.importing.model import (
    NO_LICENCE,
    Candidate,
    Format,
    ImportRefused,
    Licence,
    Origin,
    Outcome,
    PackCandidate,
    ParameterGuess,
    Part,
)  # fmt: skip
from hunting.importing.queries import Broken, Examined, examine
from hunting.importing.text import plain, prose, slug
from kql.catalogue import INFO
from kql.syntax import tree

MAX_TITLE: Final = 120
_SHOWN: Final = {DEFENDER: "Defender XDR", LOG_ANALYTICS: "Sentinel"}
_ENTITY_OF_FILL: Final = {
    "asset.device": "device", "asset.account": "account", "asset.mailbox": "account", "indicator.sha256": "file",
    "indicator.sha1": "file", "indicator.md5": "file", "indicator.file_name": "file",
}  # fmt: skip


@dataclass(frozen=True)
class About:
    """What a member says of a query beside its text; texts as they were written."""

    title: str = ""
    description: str = ""
    techniques: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    author: str = ""
    severity: str = ""
    frequency: str = ""
    meaning: str = ""
    false_positives: tuple[str, ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    entity: str = ""
    sources: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True)
class Draft:
    """A text that should be a query, and what is said about it.

    `declared`: parameters that the member itself declares; the text is then taken as it is. `doubtful`: it may as well
    be prose or shell, so that it must look like a query. `refusal`: why it is none, known without reading it.
    `titled_within`: its title is that of its first query, not of all that it holds.
    """

    place: str
    line: int
    text: str
    about: About
    changes: tuple[str, ...] = ()
    doubtful: bool = False
    refusal: str = ""
    ready: Candidate | None = None
    titled_within: bool = False


@dataclass(frozen=True)
class Reading:
    """What a reader makes of a member. `pack` names its hunts by place; `complete` builds the packs later."""

    format: Format
    drafts: tuple[Draft, ...] = ()
    packs: tuple[PackCandidate, ...] = ()
    changes: tuple[str, ...] = ()
    as_pack: str = ""


@dataclass(frozen=True)
class Context:
    """Where the candidates of a member come from."""

    origin: Origin
    licence: Licence = NO_LICENCE
    changes: tuple[str, ...] = field(default=())


def parts_of(draft: Draft, context: Context) -> Iterator[Part]:
    """The parts that a draft becomes: one for each query in it, or one that says why there is none."""
    if draft.refusal:
        yield Part(draft.place, draft.line, Outcome.REFUSED, draft.refusal)
        return
    if draft.ready is not None:
        yield _part(draft, draft.line, _placed(draft.ready, draft, context))
        return
    try:
        found = examine(draft.text, name=draft.about.title)
    except ImportRefused as error:
        line = draft.line + (error.line or 1) - 1
        reason = f"{error}" if not draft.doubtful else f"It is not marked as KQL, and: {error}"
        yield Part(draft.place, line, Outcome.REFUSED, reason)
        return
    for number, piece in enumerate(found, 1):
        place = draft.place if len(found) == 1 else f"{draft.place}, query {number}"
        line = draft.line + piece.line - 1
        if isinstance(piece, Broken):
            yield Part(place, line, Outcome.REFUSED, piece.reason)
        elif piece.found.facts.is_word or (draft.doubtful and not piece.found.facts.plausible):
            yield Part(place, line, Outcome.REFUSED, "It reads as a table's name, but does not look like a query.")
        else:
            yield _part(replace(draft, place=place), line, _candidate(draft, piece, line, context, number, len(found)))


def _part(draft: Draft, line: int, candidate: Candidate) -> Part:
    if candidate.changes:
        return Part(draft.place, line, Outcome.CHANGED, " ".join(candidate.changes), candidate)
    return Part(draft.place, line, Outcome.KEPT, "", candidate)


def _placed(ready: Candidate, draft: Draft, context: Context) -> Candidate:
    return replace(
        ready, changes=(*context.changes, *draft.changes, *ready.changes),
        origin=replace(context.origin, line=draft.line), licence=context.licence,
    )  # fmt: skip


def _candidate(draft: Draft, piece: Examined, line: int, context: Context, number: int, of: int) -> Candidate:
    about, found = draft.about, piece.found
    title = plain(about.title, MAX_TITLE) or "Untitled hunt"
    if of > 1:
        title = _title_among(title, _lead(found.text), number, within=draft.titled_within)
    parameters = tuple(found.parameters)
    references = tuple(dict.fromkeys(r for r in about.references if r.startswith("https://") and len(r) < 500))
    if about.address.startswith("https://"):
        references = tuple(dict.fromkeys((*references, about.address)))
    return Candidate(
        slug=slug(title),
        title=title,
        description=prose(about.description),
        kql=found.text.strip() + "\n",
        original=piece.original.strip() if piece.original.strip() != found.text.strip() else "",
        entity=about.entity or _entity(parameters, found.facts),
        tables=found.facts.tables,
        sources=_sources(found.facts, about.sources),
        time_column=found.facts.time_column,
        content_hash=fingerprint(found.text, parameters),
        parameters=parameters,
        techniques=tuple(dict.fromkeys(about.techniques)),
        references=references,
        meaning=prose(about.meaning, 4000),
        false_positives=tuple(plain(text, 1000) for text in about.false_positives if text.strip()),
        author=plain(about.author, 200),
        severity=plain(about.severity, 40),
        frequency=plain(about.frequency, 40),
        details=tuple((key, plain(value, 1000)) for key, value in about.details if value),
        changes=tuple(dict.fromkeys((*context.changes, *draft.changes, *piece.changes, *found.changes))),
        notes=(*found.notes, *_notes(found.facts)),
        origin=replace(context.origin, line=line, address=about.address or context.origin.address),
        licence=context.licence,
    )


def _title_among(title: str, lead: str, number: int, *, within: bool) -> str:
    if lead:
        # One that begins with a small letter goes on from the title of the page.
        return lead if within or not lead[0].islower() else plain(f"{title[:60]}: {lead}", MAX_TITLE)
    return f"{title[:110]} ({number})"


def _lead(text: str) -> str:
    """What the comment above a query says, as its title."""
    match = re.match(r"\s*//+[ \t]*(?i:(?:title|name|query|hunt)[ \t]*:[ \t]*)?([A-Za-z][^\n]{3,})", text)
    return plain(match[1].rstrip(" .:"), MAX_TITLE) if match else ""


def _notes(facts: Facts) -> Iterator[str]:
    if facts.functions:
        yield f"It needs saved functions of the workspace: {', '.join(facts.functions[:10])}."
    if strange := [t for t in facts.tables if t not in INFO and t not in facts.functions]:
        verb = "is no table" if len(strange) == 1 else "are no tables"
        yield f"{', '.join(strange[:10])} {verb} known here: see that the source has it and that it is spelled right."
    if any(isinstance(node, tree.ExternalData) for node in facts.nodes):
        yield "It fetches data from an address outside (externaldata): see that you trust it before you run it."
    if not facts.time_column:
        yield "No column of the result says when; name one before rows go on the timeline."


def _sources(facts: Facts, said: tuple[str, ...]) -> tuple[str, ...]:
    """Where it runs: the text decides where it speaks of one time column, else what the member says."""
    return facts.sources if len(facts.sources) == 1 or not said else said


def _entity(parameters: Iterable[ParameterGuess], facts: Facts) -> str:
    """By what the hunt asks for; one that asks for nothing, by its tables."""
    for parameter in parameters:
        for fill, entity in _ENTITY_OF_FILL.items():
            if parameter.fill.startswith(fill):
                return entity
    tables = facts.tables
    if tables and all(t.startswith("DeviceFile") for t in tables):
        return "file"
    if tables and all(
        t.startswith("Device") or t in ("SecurityEvent", "Event", "Syslog", "WindowsEvent") for t in tables
    ):
        return "device"
    account = (
        "Signin",
        "AADSignIn",
        "EntraIdSignIn",
        "Identity",
        "Email",
        "AuditLogs",
        "AADNon",
        "OfficeActivity",
        "Behavior",
    )
    return "account" if tables and all(t.startswith(account) for t in tables) else "tenant"


def with_twins(parts: list[Part]) -> list[Part]:
    """Pairs of one hunt for Defender XDR and for Log Analytics become one candidate with both texts."""
    found: list[Part] = []
    for part in parts:
        last = next((p for p in reversed(found[-3:]) if p.candidate), None)
        if part.candidate and last and last.candidate and not last.candidate.twin:
            merged = _twins(last.candidate, part.candidate)
            if merged:
                found[found.index(last)] = replace(last, candidate=merged)
                reason = f"The twin of the query in line {last.line}, kept with it as its text for the other source."
                found.append(replace(part, outcome=Outcome.KEPT, reason=reason, candidate=None))
                continue
        found.append(part)
    return found


def titled_apart(parts: list[Part]) -> list[Part]:
    """Candidates of one member that share a title are told apart: by their source, else by a number."""
    titles = [part.candidate.title for part in parts if part.candidate]
    found: list[Part] = []
    seen: dict[str, int] = {}
    for part in parts:
        candidate = part.candidate
        if candidate is not None and titles.count(candidate.title) > 1:
            base = candidate.title[:100]
            title = f"{base} ({_SHOWN[candidate.sources[0]]})" if len(candidate.sources) == 1 else base
            seen[title] = seen.get(title, 0) + 1
            title = title if seen[title] == 1 else f"{title} {seen[title]}"
            part = replace(part, candidate=replace(candidate, title=title, slug=slug(title)))
        found.append(part)
    return found


def _twins(one: Candidate, two: Candidate) -> Candidate | None:
    defender, sentinel = (one, two) if two.sources == (LOG_ANALYTICS,) else (two, one)
    if sentinel.sources != (LOG_ANALYTICS,) or "Timestamp" not in defender.kql or "TimeGenerated" not in sentinel.kql:
        return None
    if "TimeGenerated" in defender.kql or not same_but_time(defender.kql, sentinel.kql, one.parameters):
        return None
    if {p.name for p in one.parameters} != {p.name for p in two.parameters}:
        return None
    return replace(
        defender, twin=sentinel.kql, sources=(DEFENDER, LOG_ANALYTICS), slug=one.slug, title=one.title,
        changes=tuple(dict.fromkeys((*one.changes, *two.changes))),
    )  # fmt: skip
