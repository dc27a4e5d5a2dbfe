"""A table's rows as events, in SQL. Names are the file's own columns; what is from a mapping is quoted as text."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from ircase.grid.opened import NUMBER, Opened
from ircase.supertimeline.rules import HOLE, Condition, Rule
from kql.sql import quote_text

VALUE_LETTERS: Final = 400
MESSAGE_LETTERS: Final = 1_000
NAME_LETTERS: Final = 200
# Before this a time is a zero of some clock (1601, 1899, 1970); after it, a never.
FIRST: Final = "TIMESTAMP '1970-01-02'"
LAST: Final = "TIMESTAMP '2200-01-01'"
# Control characters, and those that turn the direction of text, would make a line of the list say something else.
_UNSEEN: Final = r"[\x00-\x1f\x7f-\x{9f}\x{200e}\x{200f}\x{2028}\x{2029}\x{202a}-\x{202e}\x{2066}-\x{2069}]+"
_IDS: Final = r"T\d{4}(?:\.\d{3})?"

Text = Callable[[str], str]


def events(table: Opened, rule: Rule, part: int) -> str:
    """SELECT of all events of a table: ts, part, row, nth, what_time, message, low, device, account, techniques. Times
    that are none of this world make no event."""
    text = _texts(table)
    times = ", ".join(
        f"{{'nth': {nth}, 'ts': {_moment(table, names)}, 'what_time': {_label(text, label)}}}"
        for nth, (names, label) in enumerate(rule.times)
    )
    kept = f"e.ts >= {FIRST} AND e.ts < {LAST}"
    if rule.differ:
        kept += " AND (e.nth = 0 OR e.ts IS DISTINCT FROM times[1].ts)"
    row = (
        f"SELECT {NUMBER} + 1 AS row, {_message(text, rule.message)} AS message,"
        f" {_name(text, rule.device)} AS device, {_name(text, rule.account)} AS account,"
        f" {_techniques(text, rule)} AS techniques, [{times}] AS times FROM {table.source}"
    )
    return (
        f"SELECT e.ts AS ts, {part}::INTEGER AS part, row, e.nth::UTINYINT AS nth, e.what_time AS what_time, message,"
        " lower(concat_ws(' ', message, device, account, e.what_time)) AS low, device, account, techniques"
        f" FROM (SELECT *, unnest(times) AS e FROM ({row})) WHERE {kept}"
    )


def offered(table: Opened, rule: Rule) -> str:
    """SELECT of how many times stand in the table, those of no use included."""
    counts = " + ".join(f"count({_moment(table, names)})" for names, _ in rule.times)
    return f"SELECT {counts} FROM {table.source}"


def _texts(table: Opened) -> Text:
    """The text of a column, the first of `A|B` that has one; null where the table has none of them or it is empty."""

    def text(names: str) -> str:
        there = [table.by_name[name] for name in names.split("|") if name in table.by_name and name in table.stored]
        found = [f"nullif(trim(left({table.text(column)}, {VALUE_LETTERS * 4})), '')" for column in there]
        return f"coalesce({', '.join(found)})" if found else "NULL::VARCHAR"

    return text


def _moment(table: Opened, names: str) -> str:
    found = [table.value(table.by_name[name]) for name in names.split("|") if name in table.stored]
    moments = [f"CASE WHEN isfinite({one}) THEN {one}::TIMESTAMP END" for one in found]
    return f"coalesce({', '.join(moments)}, NULL)" if moments else "NULL::TIMESTAMP"


def _clean(sql: str, letters: int) -> str:
    return f"left(trim(regexp_replace({sql}, {quote_text(_UNSEEN)}, ' ', 'g')), {letters})"


def _label(text: Text, label: str) -> str:
    if not HOLE.search(label):
        return quote_text(label)
    return f"coalesce({_clean(_piece(text, label), 100)}, 'Event time')"


def _piece(text: Text, piece: str, letters: int = VALUE_LETTERS) -> str:
    """The piece with its holes filled; null where one of them is empty, for null swallows a concatenation."""
    parts, at = [], 0
    for hole in HOLE.finditer(piece):
        parts += [quote_text(piece[at : hole.start()]), f"left({text(hole[1])}, {letters})"]
        at = hole.end()
    return " || ".join([*parts, quote_text(piece[at:])])


def _message(text: Text, pieces: Sequence[str]) -> str:
    # A message that is one piece is somebody's sentence, and is kept as long as the list allows.
    letters = MESSAGE_LETTERS if len(pieces) == 1 else VALUE_LETTERS
    filled = ", ".join(f"({_piece(text, piece, letters)})" for piece in pieces)
    whole = f"concat_ws(' ', {filled})" if filled else "''"
    return f"coalesce(nullif({_clean(whole, MESSAGE_LETTERS)}, ''), 'Row ' || ({NUMBER} + 1))"


def _name(text: Text, names: Sequence[str]) -> str:
    return f"coalesce(lower({_clean(text('|'.join(names)), NAME_LETTERS)}), '')" if names else "''"


def _techniques(text: Text, rule: Rule) -> str:
    """Ids, sorted, with a blank before, between and after: ` T1003 T1059.001 `. Empty without any."""
    lists = [f"[{', '.join(map(quote_text, rule.always))}]::VARCHAR[]"]
    lists += [_added(text, one) for one in rule.techniques]
    lists += [f"coalesce(regexp_extract_all({text(name)}, {quote_text(_IDS)}), [])" for name in rule.techniques_from]
    found = f"list_sort(list_distinct(flatten([{', '.join(lists)}])))"
    if not (rule.always or rule.techniques or rule.techniques_from):
        return "''"
    return f"list_aggregate([''] || {found} || [''], 'string_agg', ' ')[CASE WHEN len({found}) = 0 THEN 9 ELSE 1 END:]"


def _added(text: Text, one: Condition) -> str:
    tests = [f"lower({text(column)}) IN ({', '.join(map(quote_text, values))})" for column, values in one.when]
    tests += [f"contains(lower({text(column)}), {quote_text(part)})" for column, part in one.contains]
    techniques = ", ".join(map(quote_text, one.add))
    return f"CASE WHEN {' AND '.join(tests)} THEN [{techniques}] ELSE []::VARCHAR[] END"


def like_technique(technique: str) -> str:
    """A condition on `techniques` for a technique and its sub-techniques. Raises ValueError for no technique's id."""
    if not re.fullmatch(_IDS, technique):
        raise ValueError(technique)
    itself, below = quote_text(f" {technique} "), quote_text(f" {technique}.")
    return f"(contains(techniques, {itself}) OR contains(techniques, {below}))"
