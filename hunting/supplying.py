"""What one run's query is given beside the case's tables: fetched, looked up and written as files before it runs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

import kql
from hunting.feedfiles import FeedBroken, FeedFile, make_table
from hunting.knownfiles import Finder, Known, profiles_table
from hunting.providers import Question
from hunting.services import feeds, supplies
from hunting.services.feeds import FeedUnavailable
from ircase.models import Case
from kql import FeedUse, KqlResourceError, Table

logger = logging.getLogger(__name__)

ROUNDS: Final = 4
"""How often the query is asked which files it wants: a call after a filter on what one before it adds needs more."""

T = TypeVar("T")


@dataclass
class Supplied:
    """A question with its supplies, and what the manifest and people are told of them."""

    question: Question
    manifest: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Help:
    """How blocking work is done beside a run that is watched. `aside` does work that touches no database, in a thread;
    `watch` raises where the run is to end; `ticket` stands in the line for Defender's quota."""

    aside: Callable[[Callable[[], Any]], Any]
    watch: Callable[[], None]
    ticket: str


def supply(case: Case, question: Question, folder: Path, help: Help) -> Supplied:
    """What the question needs, made ready in `folder`. What is not to be had is left to the engine to refuse, with its
    place in the text. Raises KqlError, and what `help` raises."""
    found = Supplied(question)
    wanted = supplies.needs_of(question.prelude + question.kql)
    if not wanted:
        return found
    _feeds(found, wanted.feeds, folder)
    if wanted.places:
        _places(found)
    if wanted.profiles and supplies.knows_files(case):
        _profiles(found, case, folder, help)
    return found


def _with(found: Supplied, **more: Any) -> None:
    found.question = replace(found.question, supplies=replace(found.question.supplies, **more))


# --- feeds


def _feeds(found: Supplied, uses: tuple[FeedUse, ...], folder: Path) -> None:
    """Nothing is fetched where one of the addresses is not allowed: the query will not run, and names that one."""
    refused = {address: why for use in uses for address in use.addresses if (why := feeds.why_not(address))}
    tables = {
        use.key: Table("feed", (), columns=use.columns) for use in uses if not refused.keys() & set(use.addresses)
    }
    if not refused:
        files: dict[str, FeedFile] = {}
        for number, use in enumerate(uses):
            try:
                _fetch(found, use, files)
                tables[use.key] = _table(found, use, files, folder, f"feed{number}")
            except (FeedUnavailable, FeedBroken) as error:
                del tables[use.key]
                refused[next((a for a in use.addresses if a not in files), use.addresses[0])] = str(error)
    _with(found, feeds=tables, refused=refused)


def _fetch(found: Supplied, use: FeedUse, files: dict[str, FeedFile]) -> None:
    for address in use.addresses:
        feed = feeds.feed_for(address)
        if address in files or feed is None:
            continue
        copy = feeds.copy_of(feed, address)
        files[address] = copy.file
        found.manifest.setdefault("feeds", []).append(copy.as_json())
        if copy.stale:
            said = copy.as_json()
            found.notes.append(
                f"{said['address']} could not be fetched again: {copy.stale} The copy of {said['fetched_at']} was read"
            )


def _table(found: Supplied, use: FeedUse, files: dict[str, FeedFile], folder: Path, name: str) -> Table:
    try:
        table, rows = make_table(use, [files[address] for address in use.addresses], folder, name)
    except (duckdb.Error, KqlResourceError) as error:
        raise FeedBroken("The file could not be made a table.") from error
    logger.info("hunt.feed_read", extra={"rows": rows})
    return table


# --- places


def _places(found: Supplied) -> None:
    database = supplies.database()
    if database is None:
        return
    _with(found, places=database.local())
    found.manifest["places"] = database.as_json()
    if database.is_old:
        found.notes.append(
            f"The database of places is of {database.built_at:%Y-%m-%d}; addresses may have moved since."
        )


# --- file profiles


def _profiles(found: Supplied, case: Case, folder: Path, help: Help) -> None:
    """Run the part before FileProfile() to learn its files, find out about them, and again while more come up."""
    finder = Finder(case, found.question.tables, help.ticket, help.watch)
    _with(found, profiles=profiles_table(finder.known, folder))
    for _ in range(ROUNDS):
        known = len(finder.known.rows)
        finder.find(help.aside(lambda: _wanted(found.question)))
        _with(found, profiles=profiles_table(finder.known, folder))
        if len(finder.known.rows) == known:
            break
    found.manifest["file_profiles"] = finder.known.as_json()
    found.notes += _said(finder.known)


def _wanted(question: Question) -> tuple[kql.Wanted, ...]:
    return kql.wanted_profiles(
        question.kql,
        question.tables,
        limits=question.limits,
        now=question.end,
        cancel=question.cancel,
        prelude=question.prelude,
        supplies=question.supplies,
    )


def _said(known: Known) -> list[str]:
    facts = known.as_json()
    unknown = facts["files"] - facts["known"]
    if not unknown:
        return []
    why = f" {known.why}" if known.why else ""
    return [f"FileProfile() knows {facts['known']:,} of {facts['files']:,} files; the others' columns are empty.{why}"]
