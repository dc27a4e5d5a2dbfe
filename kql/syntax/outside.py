"""What a query asks for that is in none of its tables: feeds, file profiles, places of addresses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kql.syntax.names import nodes_in
from kql.syntax.parser import parse
from kql.syntax.tree import Call, ExternalData, Invoke, Json, Let
from kql.types import Column

FEED_FORMATS = ("csv", "tsv", "psv", "scsv", "txt", "raw", "json", "multijson")
"""The formats of ``externaldata`` that are read here:
https://learn.microsoft.com/en-us/kusto/management/data-ingestion/ingestion-supported-formats"""


@dataclass(frozen=True)
class FeedUse:
    """One ``externaldata`` of a query.

    ``key``: names its table in ``Supplies.feeds``. ``format``: as written, in lower case; "" where it says none.
    ``ignore_first``: the first record of every file is left out. ``line``, ``column``: where it stands, from 1.
    """

    key: str
    addresses: tuple[str, ...]
    columns: tuple[Column, ...]
    format: str
    ignore_first: bool
    line: int
    column: int


@dataclass(frozen=True)
class Needs:
    """What a query asks for beside its tables."""

    feeds: tuple[FeedUse, ...] = ()
    profiles: bool = False
    places: bool = False

    def __bool__(self) -> bool:
        return bool(self.feeds or self.profiles or self.places)


def needs(text: str) -> Needs:
    """What a query asks for beside its tables. Raises KqlError where the text is no KQL."""
    tree = parse(text)
    found = list(nodes_in(tree))
    own = {node.name for node in found if isinstance(node, Let)}
    invoked = {node.call.name for node in found if isinstance(node, Invoke)}
    called = {node.name.lower() for node in found if isinstance(node, Call)}
    return Needs(
        feeds=_once(_uses(found)),
        profiles="FileProfile" in invoked - own,
        places="geo_info_from_ip_address" in called,
    )


def _uses(nodes: Iterable[object]) -> Iterator[FeedUse]:
    return (feed_use(node) for node in nodes if isinstance(node, ExternalData))


def _once(uses: Iterable[FeedUse]) -> tuple[FeedUse, ...]:
    """Each once, where it stands first."""
    found: dict[str, FeedUse] = {}
    for use in uses:
        found.setdefault(use.key, use)
    return tuple(found.values())


def feed_use(node: ExternalData) -> FeedUse:
    """An ``externaldata`` as the outside sees it."""
    said = {name.lower(): value for name, value in node.properties}
    written = said.get("format")
    return FeedUse(
        key=feed_key(node),
        addresses=node.addresses,
        columns=tuple(Column(each.name, each.type) for each in node.columns),
        format=written.strip().lower() if isinstance(written, str) else "",
        ignore_first=said.get("ignorefirstrecord") in (True, "true"),
        line=node.span.line,
        column=node.span.column,
    )


def feed_key(node: ExternalData) -> str:
    """The same for every ``externaldata`` that reads the same addresses in the same way."""
    properties: list[list[Json]] = [[name, value] for name, value in node.properties]
    columns = [[each.name, each.type] for each in node.columns]
    return json.dumps([node.addresses, columns, properties], default=str)
