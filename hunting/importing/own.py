"""Our own YAML: hunts of the library and packs (docs/adding-a-hunt.md). A hunt's text is taken as it stands."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hunting.importing.data import text_of, texts
from hunting.importing.drafts import About, Draft, Reading
from hunting.importing.facts import Facts
from hunting.importing.fingerprint import fingerprint
from hunting.importing.model import Candidate, Default, Format, ImportRefused, PackCandidate, PackStep, ParameterGuess
from hunting.importing.text import plain, prose
from hunting.values import Kind, ParameterError, parse, parse_type
from kql.errors import KqlError
from kql.syntax.parser import parse as parse_kql

ENTITIES: Final = ("device", "account", "file", "tenant")
SOURCES: Final = ("defender", "loganalytics", "kusto", "case", "kusto_case")
_ID: Final = re.compile(r"[a-z0-9-]{2,64}\Z")
_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{1,63}\Z")
_FILL: Final = re.compile(r"(asset\.(device|account|mailbox)\.(name|identifier)|indicator\.[a-z0-9_]+)\Z")
MAX_HUNTS: Final = 500


def is_own_hunt(document: Any) -> bool:
    """Whether a YAML document is a hunt of ours."""
    return isinstance(document, dict) and "kql" in document and "title" in document


def is_own_pack(document: Any) -> bool:
    """Whether a YAML document is a pack of ours."""
    return isinstance(document, dict) and "hunts" in document and "title" in document


def read_own_hunt(document: Mapping[str, Any], place: str, line: int) -> Reading:
    """A hunt as the library has it, word for word."""
    try:
        hunt = _hunt(document)
    except ImportRefused as error:
        return Reading(Format.OWN_HUNT, (Draft(place, line, "", About(), refusal=str(error)),))
    return Reading(Format.OWN_HUNT, (Draft(place, line, "", About(title=hunt.title), ready=hunt),))


def _hunt(document: Mapping[str, Any]) -> Candidate:
    kql = document["kql"]
    if not isinstance(kql, str) or not kql.strip():
        raise ImportRefused("Its key kql holds no text.")
    try:
        facts = Facts(parse_kql(kql))
    except KqlError as error:
        raise ImportRefused(f"Its kql is not read here: {error}") from error
    parameters = tuple(_parameters(document.get("parameters"), facts))
    names = [p.name for p in parameters]
    identifier = text_of(document.get("id"))
    if not _ID.match(identifier):
        raise ImportRefused(f"The id {identifier[:70]!r} is not 2 to 64 lower-case letters, digits and hyphens.")
    return Candidate(
        slug=identifier,
        title=plain(text_of(document["title"]), 120),
        description=prose(text_of(document.get("description"))),
        kql=kql,
        entity=_one_of("entity", document.get("entity"), ENTITIES),
        tables=facts.tables,
        sources=tuple(_one_of("sources", s, SOURCES) for s in texts(document.get("sources"))) or facts.sources,
        time_column=text_of(document.get("time_column")) or facts.time_column,
        content_hash=fingerprint(kql, parameters),
        parameters=parameters,
        require_any=tuple(n for n in texts(document.get("require_any")) if n in names),
        techniques=tuple(t for t in texts(document.get("techniques")) if re.fullmatch(r"T\d{4}(\.\d{3})?", t)),
        references=tuple(r for r in texts(document.get("references")) if r.startswith("https://")),
        meaning=prose(text_of(document.get("meaning"))),
        false_positives=tuple(plain(t, 1000) for t in texts(document.get("false_positives"))),
        details=(("version", text_of(document.get("version")) or "1"),),
    )


def _one_of(key: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ImportRefused(f"Its {key} is {str(value)[:40]!r}; it is one of {', '.join(allowed)}.")
    return str(value)


def _parameters(declared: Any, facts: Facts) -> Iterator[ParameterGuess]:
    seen: set[str] = set()
    for item in declared if isinstance(declared, list) else []:
        name = text_of(item.get("name")) if isinstance(item, dict) else ""
        if not _NAME.match(name) or name in seen:
            raise ImportRefused(f"The parameter {name[:70]!r} has a name that is not allowed, or stands there twice.")
        if name.casefold() in facts.columns:
            raise ImportRefused(f"The parameter {name} has the name of a column; the column would hide it.")
        if name not in facts.words:
            raise ImportRefused(f"The parameter {name} is not used in the query.")
        seen.add(name)
        yield _parameter(name, item)


def _parameter(name: str, item: Mapping[str, Any]) -> ParameterGuess:
    fill = text_of(item.get("fill"))
    try:
        kind: Kind = parse_type(text_of(item.get("type")))
        default = item.get("default")
        if default is not None:
            parse(kind, default)
    except ParameterError as error:
        raise ImportRefused(f"The parameter {name}: {error}") from error
    if fill and not _FILL.match(fill):
        raise ImportRefused(f"The parameter {name} is filled from {fill[:60]!r}, which no case has.")
    value: Default | None = tuple(str(v) for v in default) if isinstance(default, list) else default
    return ParameterGuess(
        name=name, kind=kind, required=item.get("required") is True, default=value, fill=fill,
        help=plain(text_of(item.get("help")), 300), found_as="declared",
    )  # fmt: skip


# --- packs


def read_own_pack(document: Mapping[str, Any]) -> Reading:
    """A pack; its hunts are named by id and need not be part of the import. Raises ImportRefused."""
    steps = document["hunts"]
    if not isinstance(steps, list) or not 0 < len(steps) <= MAX_HUNTS:
        raise ImportRefused(f"A pack names 1 to {MAX_HUNTS} hunts.")
    identifier = text_of(document.get("id"))
    if not _ID.match(identifier):
        raise ImportRefused(f"The id {identifier[:70]!r} is not 2 to 64 lower-case letters, digits and hyphens.")
    version = document.get("version", 1)
    return Reading(
        Format.OWN_PACK,
        packs=(
            PackCandidate(
                id=identifier,
                title=plain(text_of(document["title"]), 120),
                description=prose(text_of(document.get("description"))),
                entity=_one_of("entity", document.get("entity"), ENTITIES),
                hunts=_steps(steps),
                version=version if isinstance(version, int) and version > 0 else 1,
            ),
        ),
    )


def _steps(steps: list[Any]) -> tuple[PackStep, ...]:
    found: list[PackStep] = []
    for step in steps:
        given = step if isinstance(step, dict) else {"hunt": step}
        hunt, only_if = text_of(given.get("hunt")), text_of(given.get("only_if"))
        if not _ID.match(hunt) or set(given) - {"hunt", "only_if"}:
            raise ImportRefused(f"The step {str(step)[:80]!r} names no hunt: write its id, or hunt and only_if.")
        if any(s.hunt == hunt for s in found):
            raise ImportRefused(f"The hunt {hunt} stands in the pack twice.")
        if only_if and not any(s.hunt == only_if for s in found):
            raise ImportRefused(f"{hunt} waits for {only_if}, which does not stand before it.")
        found.append(PackStep(hunt, only_if))
    return tuple(found)
