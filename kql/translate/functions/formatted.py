"""Texts in formats of their own: CSV and command lines.

Where SQL has no parser for a format, one pattern finds its words, and they are put together one by one.
https://learn.microsoft.com/en-us/kusto/query/parse-csv-function
"""

from __future__ import annotations

from kql.sql import quote_text
from kql.translate.functions.dynamics import bound, texts
from kql.translate.functions.registry import Invocation, refuse, scalar
from kql.translate.values import Sql

_CELL = r"""(?:"(?:[^"]|"")*"|[^,\r\n]*)"""


@scalar("parse_csv", 1)
def parse_csv(call: Invocation) -> Sql:
    """The cells of a text's first record as texts."""
    record = f"regexp_extract({call.text(0)}, {quote_text(f'^{_CELL}(?:,{_CELL})*')})"
    cells = f"regexp_extract_all(',' || {record}, {quote_text(f',({_CELL})')}, 1)"
    plain = (
        "CASE WHEN starts_with(c, '\"') AND ends_with(c, '\"') AND length(c) > 1"
        " THEN replace(c[2:-2], '\"\"', '\"') ELSE c END"
    )
    return texts(f"list_transform({cells}, lambda c: {plain})", *call.values)


_FIRST = r'^(?:"([^"]*)"?|([^ \t]*))'
_WORDS = r'\\*"+|\\+|[ \t]+|[^\\" \t]+'


@scalar("parse_command_line", 2, note="By the rules of CommandLineToArgvW; an empty text is an empty array.")
def parse_command_line(call: Invocation) -> Sql:
    """A Windows command line's arguments.

    Backslashes mean themselves but before a quotation mark; the first argument, the program, knows none of that.
    https://learn.microsoft.com/en-us/windows/win32/api/shellapi/nf-shellapi-commandlinetoargvw
    """
    if call.constant_text(1).lower() != "windows":
        raise call.unsupported('parse_command_line() knows only "windows".', 'Write parse_command_line(x, "windows").')
    source = call.text(0)
    first = f"regexp_extract(s.t, {quote_text(_FIRST)}, ['quoted', 'plain'])"
    rest = f"substring(s.t, length(regexp_extract(s.t, {quote_text(_FIRST)})) + 1)"
    words = f"regexp_extract_all({rest}, {quote_text(_WORDS)})"
    state = "{'done': []::VARCHAR[], 'now': '', 'some': false, 'marks': 0}"
    folded = bound(
        "CASE WHEN s.r.some THEN s.r.done || [s.r.now] ELSE s.r.done END",
        r=f"list_reduce({words}, lambda a, w: {_argument_step()}, {state})",
    )
    arguments = f"[s.f.quoted || s.f.plain] || {folded}"
    text = bound(bound(f"CASE WHEN s.t = '' THEN []::VARCHAR[] ELSE {arguments} END", t="s.t", f=first), t=source)
    return texts(text, *call.values)


def _argument_step() -> str:
    """What a word does to the arguments so far: backslashes and marks, blanks, other characters."""
    slashes = "length(regexp_extract(w, '^\\\\*'))"
    odd = f"{slashes} % 2"
    marks = f"a.marks + length(w) - {slashes} - {odd}"
    # Of three marks in a row, counted from the one that opened, the last is a character; two leave the quotation.
    added = f"repeat('\\', {slashes} // 2) || repeat('\"', {odd} + ({marks}) // 3)"
    left = f"CASE WHEN ({marks}) % 3 = 1 THEN 1 ELSE 0 END"
    quotes = f"{{'done': a.done, 'now': a.now || {added}, 'some': true, 'marks': {left}}}"
    ends = "{'done': CASE WHEN a.some THEN a.done || [a.now] ELSE a.done END, 'now': '', 'some': false, 'marks': 0}"
    plain = "{'done': a.done, 'now': a.now || w, 'some': true, 'marks': a.marks}"
    return (
        f"CASE WHEN contains(w, '\"') THEN {quotes}"
        f" WHEN a.marks = 0 AND w[1] IN (' ', chr(9)) THEN {ends} ELSE {plain} END"
    )


refuse(
    "parse_user_agent",
    "The reference page: it is built on a huge number of predefined patterns, which are not published;"
    " use extract() or has_any for the browsers you look for.",
)
