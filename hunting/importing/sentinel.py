"""Sentinel's YAML: hunting queries and analytics rules.

https://github.com/Azure/Azure-Sentinel/wiki/Query-Style-Guide names the keys.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hunting.importing.data import text_of, texts
from hunting.importing.drafts import About, Draft, Reading
from hunting.importing.facts import DEFENDER, LOG_ANALYTICS
from hunting.importing.model import Format
from hunting.importing.words import addresses, techniques

_RULE_KEYS: Final = frozenset(
    {"kind", "queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold", "severity"}
)
_DETAILS: Final = (
    "id", "version", "kind", "status", "queryPeriod", "triggerOperator", "triggerThreshold", "suppressionDuration",
)  # fmt: skip
_ENTITIES: Final = {
    "host": "device", "account": "account", "mailbox": "account", "mailmessage": "account", "file": "file",
    "filehash": "file",
}  # fmt: skip


# A document with any of these is Sentinel's, even if its query is missing.
_QUERY_KEYS: Final = frozenset({"query", "relevantTechniques", "requiredDataConnectors", "entityMappings"})


def is_sentinel(document: Any) -> bool:
    """Whether a YAML document is a hunting query or a rule of Sentinel's."""
    return (
        isinstance(document, dict)
        and bool(_QUERY_KEYS & set(document))
        and ("name" in document or "displayName" in document)
    )


def read_sentinel(document: Mapping[str, Any], place: str, line: int, text: str) -> Reading:
    """The query of one document; `text` is the whole member, in which the query's line is looked for."""
    form = Format.SENTINEL_RULE if _RULE_KEYS & set(document) else Format.SENTINEL_HUNT
    query = document.get("query")
    if not isinstance(query, str) or not query.strip():
        return Reading(
            form,
            (Draft(place, line, "", About(), refusal="It has no query: its key query is missing or holds no text."),),
        )
    return Reading(form, (Draft(place, _query_line(text, line, query), query, _about(document)),))


def _about(document: Mapping[str, Any]) -> About:
    description = text_of(document.get("description")) or text_of(document.get("description-detailed"))
    tactics = ", ".join(texts(document.get("tactics")))
    metadata = document.get("metadata")
    author = metadata.get("author") if isinstance(metadata, dict) else None
    said = " ".join((*texts(document.get("relevantTechniques")), *texts(document.get("tags"))))
    return About(
        title=text_of(document.get("name")) or text_of(document.get("displayName")),
        description=description,
        techniques=techniques(said),
        references=addresses(f"{description}\n{' '.join(texts(document.get('tags')))}"),
        author=text_of(author.get("name")) if isinstance(author, dict) else text_of(document.get("author")),
        severity=text_of(document.get("severity")),
        frequency=text_of(document.get("queryFrequency")),
        details=tuple((key, text_of(document.get(key))) for key in _DETAILS if key in document)
        + (("tactics", tactics),),
        entity=_entity(document.get("entityMappings")),
        sources=_sources(document.get("requiredDataConnectors")),
    )


def _entity(mappings: Any) -> str:
    """What all mapped entities are; "" where they differ, for then the query's text tells more."""
    kinds = {
        _ENTITIES.get(text_of(item.get("entityType")).casefold(), "")
        for item in (mappings if isinstance(mappings, list) else [])
        if isinstance(item, dict)
    } - {""}
    return kinds.pop() if len(kinds) == 1 else ""


def _sources(connectors: Any) -> tuple[str, ...]:
    ids = {
        text_of(item.get("connectorId")).casefold()
        for item in (connectors if isinstance(connectors, list) else [])
        if isinstance(item, dict)
    }
    if "microsoftthreatprotection" in ids:
        return (DEFENDER, LOG_ANALYTICS)
    return (LOG_ANALYTICS,)


def _query_line(text: str, line: int, query: str) -> int:
    """The line of the member on which the query begins."""
    rows = text.split("\n")
    for number in range(line - 1, len(rows)):
        if match := re.match(r"['\"]?query['\"]?\s*:\s*(.*)", rows[number]):
            return number + (2 if re.match(r"[|>]", match[1]) or not match[1] else 1) + _blank_rows(rows, number + 1)
    return line


def _blank_rows(rows: list[str], start: int) -> int:
    return sum(1 for _ in _leading_blank(rows[start:]))


def _leading_blank(rows: list[str]) -> Iterator[str]:
    for row in rows:
        if row.strip():
            return
        yield row
