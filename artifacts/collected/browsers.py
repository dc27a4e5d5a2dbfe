"""Browser histories: Chromium's ``History`` and Firefox' ``places.sqlite`` into BrowserHistory and BrowserDownloads.

Times: Chromium counts microseconds since 1601 in UTC, Firefox since 1970.
https://source.chromium.org/chromium/chromium/src/+/main:base/time/time.h,
https://firefox-source-docs.mozilla.org/nspr/reference/date_and_time.html
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from artifacts.collected.sqlitefiles import SqliteBroken, SqliteTable
from kql.types import Column

HISTORY = "BrowserHistory"
DOWNLOADS = "BrowserDownloads"
_WHERE = (
    Column("DeviceName", "string"), Column("AccountName", "string"), Column("Browser", "string"),
    Column("Profile", "string"),
)  # fmt: skip
COLUMNS: Mapping[str, tuple[Column, ...]] = {
    HISTORY: (
        Column("Timestamp", "datetime"), *_WHERE, Column("Url", "string"), Column("Title", "string"),
        Column("Transition", "string"), Column("ReferrerUrl", "string"), Column("VisitCount", "long"),
        Column("TypedCount", "long"), Column("VisitDurationSeconds", "real"), Column("VisitId", "long"),
        Column("SourceFile", "string"),
    ),
    DOWNLOADS: (
        Column("Timestamp", "datetime"), *_WHERE, Column("EndTime", "datetime"), Column("Url", "string"),
        Column("ReferrerUrl", "string"), Column("TargetPath", "string"), Column("State", "string"),
        Column("DangerType", "string"), Column("ReceivedBytes", "long"), Column("TotalBytes", "long"),
        Column("MimeType", "string"), Column("Opened", "bool"), Column("SourceFile", "string"),
    ),
}  # fmt: skip
# https://source.chromium.org/chromium/chromium/src/+/main:ui/base/page_transition_types.h
_CHROMIUM_TRANSITIONS = (
    "link", "typed", "auto_bookmark", "auto_subframe", "manual_subframe", "generated", "auto_toplevel", "form_submit",
    "reload", "keyword", "keyword_generated",
)  # fmt: skip
# https://source.chromium.org/chromium/chromium/src/+/main:components/history/core/browser/download_constants.h
_STATES = {0: "in progress", 1: "complete", 2: "cancelled", 4: "interrupted"}
_DANGERS = {
    0: "not dangerous", 1: "dangerous file", 2: "dangerous url", 3: "dangerous content", 4: "maybe dangerous content",
    5: "uncommon content", 6: "user validated", 7: "dangerous host", 8: "potentially unwanted",
    9: "allowlisted by policy",
}  # fmt: skip
# https://searchfox.org/mozilla-central/source/toolkit/components/places/nsINavHistoryService.idl
_FIREFOX_TRANSITIONS = {
    1: "link", 2: "typed", 3: "bookmark", 4: "embed", 5: "redirect_permanent", 6: "redirect_temporary", 7: "download",
    8: "framed_link", 9: "reload",
}  # fmt: skip
_FIREFOX_STATES = {1: "complete", 2: "failed", 3: "cancelled", 4: "paused"}
_CHROMIUM_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_FIREFOX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH = 200

Rows = Iterator[tuple[str, dict[str, Any]]]


def browser_rows(connection: sqlite3.Connection, tables: Mapping[str, SqliteTable]) -> Rows:
    """Table name and row of each visit and download; nothing where the database is no browser's."""
    names = {name: {column for column, _ in table.columns} for name, table in tables.items()}
    if {"url", "title", "visit_count"} <= names.get("urls", set()) and "visit_time" in names.get("visits", set()):
        yield from _chromium(connection, names)
    elif {"url", "title"} <= names.get("moz_places", set()) and "visit_date" in names.get("moz_historyvisits", set()):
        yield from _firefox(connection, names)


_Names = Mapping[str, set[str]]


def _chromium(connection: sqlite3.Connection, names: _Names) -> Rows:
    pick = _picker(names, "visits", "v")
    urls = _picker(names, "urls", "u")
    yield from _tagged(
        HISTORY,
        _chromium_visit,
        _selected(
            connection,
            f"SELECT v.visit_time, u.url, u.title, {urls('visit_count')}, {urls('typed_count')}, {pick('transition')}, "
            f"{pick('visit_duration')}, v.id, p.url FROM visits v JOIN urls u ON u.id = v.url "
            f"LEFT JOIN visits f ON f.id = {pick('from_visit')} LEFT JOIN urls p ON p.id = f.url",
        ),
    )
    if "downloads" not in names:
        return
    pick = _picker(names, "downloads", "d")
    chain = "NULL"
    if {"id", "chain_index", "url"} <= names.get("downloads_url_chains", set()):
        chain = "(SELECT c.url FROM downloads_url_chains c WHERE c.id = d.id ORDER BY c.chain_index DESC LIMIT 1)"
    yield from _tagged(
        DOWNLOADS,
        _chromium_download,
        _selected(
            connection,
            f"SELECT {pick('start_time')}, {pick('end_time')}, {chain}, {pick('tab_url')}, {pick('referrer')}, "
            f"{pick('target_path')}, {pick('current_path')}, {pick('state')}, {pick('danger_type')}, "
            f"{pick('received_bytes')}, {pick('total_bytes')}, {pick('mime_type')}, {pick('opened')} FROM downloads d",
        ),
    )


def _chromium_visit(cells: tuple[Any, ...]) -> dict[str, Any]:
    when, url, title, visits, typed, transition, duration, number, referrer = cells
    core = transition & 0xFF if isinstance(transition, int) else -1
    return {
        "Timestamp": chromium_time(when), "Url": url, "Title": title, "VisitCount": visits, "TypedCount": typed,
        "Transition": _CHROMIUM_TRANSITIONS[core] if 0 <= core < len(_CHROMIUM_TRANSITIONS) else "",
        "VisitDurationSeconds": duration / 1e6 if isinstance(duration, int) else None, "VisitId": number,
        "ReferrerUrl": referrer,
    }  # fmt: skip


def _chromium_download(cells: tuple[Any, ...]) -> dict[str, Any]:
    start, end, url, tab, referrer, target, current, state, danger, received, total, mime, opened = cells
    return {
        "Timestamp": chromium_time(start), "EndTime": chromium_time(end), "Url": url or tab, "ReferrerUrl": referrer,
        "TargetPath": target or current, "State": _word(_STATES, state), "DangerType": _word(_DANGERS, danger),
        "ReceivedBytes": received, "TotalBytes": total, "MimeType": mime,
        "Opened": bool(opened) if opened in (0, 1) else None,
    }  # fmt: skip


def _firefox(connection: sqlite3.Connection, names: _Names) -> Rows:
    pick = _picker(names, "moz_historyvisits", "v")
    places = _picker(names, "moz_places", "u")
    yield from _tagged(
        HISTORY,
        _firefox_visit,
        _selected(
            connection,
            f"SELECT v.visit_date, u.url, u.title, {places('visit_count')}, {places('typed')}, {pick('visit_type')}, "
            f"v.id, p.url FROM moz_historyvisits v JOIN moz_places u ON u.id = v.place_id "
            f"LEFT JOIN moz_historyvisits f ON f.id = {pick('from_visit')} LEFT JOIN moz_places p ON p.id = f.place_id",
        ),
    )
    if {"place_id", "anno_attribute_id", "content"} <= names.get("moz_annos", set()) and "moz_anno_attributes" in names:
        yield from _tagged(
            DOWNLOADS,
            _firefox_download,
            _selected(
                connection,
                "SELECT u.url, a.content, a.dateAdded, (SELECT m.content FROM moz_annos m "
                "JOIN moz_anno_attributes k ON k.id = m.anno_attribute_id "
                "WHERE m.place_id = a.place_id AND k.name = 'downloads/metaData' LIMIT 1) "
                "FROM moz_annos a JOIN moz_anno_attributes n ON n.id = a.anno_attribute_id "
                "JOIN moz_places u ON u.id = a.place_id WHERE n.name = 'downloads/destinationFileURI'",
            ),
        )


def _firefox_visit(cells: tuple[Any, ...]) -> dict[str, Any]:
    when, url, title, visits, typed, kind, number, referrer = cells
    return {
        "Timestamp": firefox_time(when), "Url": url, "Title": title, "VisitCount": visits, "TypedCount": typed,
        "Transition": _word(_FIREFOX_TRANSITIONS, kind), "VisitId": number, "ReferrerUrl": referrer,
    }  # fmt: skip


def _firefox_download(cells: tuple[Any, ...]) -> dict[str, Any]:
    url, target, added, described = cells
    try:
        about = json.loads(described) if isinstance(described, str) else {}
    except (ValueError, RecursionError):
        about = {}
    about = about if isinstance(about, dict) else {}
    end, size = about.get("endTime"), about.get("fileSize")
    return {
        "Timestamp": firefox_time(added), "EndTime": firefox_time(end * 1000) if isinstance(end, int) else None,
        "Url": url, "TargetPath": target,
        "State": _word(_FIREFOX_STATES, about.get("state")),
        "TotalBytes": size if isinstance(size, int) else None,
    }  # fmt: skip


def _picker(names: _Names, table: str, alias: str) -> Callable[[str], str]:
    """A column where this version of the browser has it, else NULL."""
    return lambda column: f"{alias}.{column}" if column in names.get(table, set()) else "NULL"


def _selected(connection: sqlite3.Connection, statement: str) -> Iterator[tuple[Any, ...]]:
    try:
        cursor = connection.execute(statement)
        while batch := cursor.fetchmany(_BATCH):
            yield from batch
    except (sqlite3.Error, MemoryError, OverflowError) as error:
        raise SqliteBroken(f"the history breaks off: {error}; the rows before are kept") from error


def _tagged(table: str, build: Callable[[tuple[Any, ...]], dict[str, Any]], found: Iterator[tuple[Any, ...]]) -> Rows:
    for cells in found:
        yield table, {name: value for name, value in build(cells).items() if value not in (None, "")}


def _word(words: Mapping[int, str], number: Any) -> str:
    return words.get(number, str(number)) if isinstance(number, int) else ""


def chromium_time(microseconds: Any) -> str | None:
    """WebKit time as UTC text; 0 is no time."""
    return _moment(_CHROMIUM_EPOCH, microseconds)


def firefox_time(microseconds: Any) -> str | None:
    """PRTime as UTC text; 0 is no time."""
    return _moment(_FIREFOX_EPOCH, microseconds)


def _moment(epoch: datetime, microseconds: Any) -> str | None:
    if not isinstance(microseconds, int) or microseconds <= 0:
        return None
    try:
        moment = epoch + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}0Z"


_CHROMIUM_PLACE = re.compile(r"(?:\A|/)([^/]+)/([^/]+)/(?:User Data/)?([^/]+)/History\Z")
_USER = re.compile(r"(?:\A|[/!])Users/([^/]+)/", re.IGNORECASE)


def profile_of(name: str) -> dict[str, str]:
    """Browser, profile and account as far as the path says them."""
    path = name.replace("\\", "/").replace("!", "/")
    cells = {"AccountName": found.group(1).lower()} if (found := _USER.search(path)) else {}
    parts = path.split("/")
    if parts[-1].lower() == "places.sqlite":
        return {**cells, "Browser": "Firefox", "Profile": parts[-2] if len(parts) > 1 else ""}
    if found := _CHROMIUM_PLACE.search(path):
        vendor, product, profile = found.groups()
        return {**cells, "Browser": f"{vendor} {product}", "Profile": profile}
    return cells
