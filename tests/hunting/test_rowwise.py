"""Which queries may be asked in slices of time, and that slices put together are the answer."""

import json
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kql
from hunting.catalogue import hunts
from hunting.rowwise import Refusal, Rowwise, proof
from kql import Column, Table

T0 = datetime(2026, 11, 1, tzinfo=UTC)
NOW = T0 + timedelta(hours=12)
END = T0 + timedelta(hours=10)
COLUMNS = (
    Column("Timestamp", "datetime"),
    Column("DeviceName", "string"),
    Column("FileName", "string"),
    Column("ReportId", "long"),
    Column("AdditionalFields", "string"),
)


def proved(text: str, column: str = "Timestamp") -> Rowwise:
    found = proof(text, column)
    assert isinstance(found, Rowwise), found
    return found


def refused(text: str, column: str = "Timestamp") -> Refusal:
    found = proof(text, column)
    assert isinstance(found, Refusal), found
    return found


def test_the_filter_stands_behind_each_table_and_now_is_pinned() -> None:
    text = "let W = 2h;\nDeviceEvents | where Timestamp > ago(W) | project Timestamp, X = now(-1d)"
    assert proved(text).between(T0, END, NOW) == (
        "let W = 2h;\n"
        "(DeviceEvents | where Timestamp >= datetime(2026-11-01T00:00:00.0000000Z) and "
        "Timestamp < datetime(2026-11-01T10:00:00.0000000Z))"
        " | where Timestamp > (datetime(2026-11-01T12:00:00.0000000Z) - (W))"
        " | project Timestamp, X = (datetime(2026-11-01T12:00:00.0000000Z) + (-1d)) | sort by Timestamp asc "
    )


def test_texts_and_comments_are_left_alone() -> None:
    text = "DeviceEvents // DeviceEvents ago(1h)\n| where FileName == 'DeviceEvents | {now} ago(1h)' // {x}"
    sliced = proved(text).between(T0, END, NOW)
    assert "// DeviceEvents ago(1h)\n" in sliced and "'DeviceEvents | {now} ago(1h)'" in sliced
    assert sliced.endswith("| sort by Timestamp asc  // {x}") and sliced.count("Timestamp >=") == 1


@pytest.mark.parametrize(
    "step",
    [
        "summarize count() by DeviceName", "summarize arg_max(Timestamp, *) by DeviceName", "distinct DeviceName",
        "join kind=inner (DeviceInfo) on DeviceId", "lookup (DeviceInfo) on DeviceId", "top 5 by Timestamp", "take 5",
        "limit 5", "sample 5", "sample-distinct 5 of DeviceName", "count", "serialize", "sort by DeviceName",
        "sort by Timestamp asc, DeviceName", "order by ReportId",
        "extend R = row_number()", "extend P = prev(FileName)",
        "make-series count() on Timestamp step 1h", "invoke FileProfile(SHA1, 100)", "evaluate bag_unpack(a)",
        "where ReportId == rand()", "extend G = new_guid()", "where DeviceId in (DeviceInfo | project DeviceId)",
        "where DeviceName in (DeviceInfo)", "where ReportId > toscalar(DeviceInfo | count)", "as X", "getschema",
        "extend C = row_cumsum(ReportId)", "where SomethingSaved(FileName)", "render timechart", "consume",
        "partition by DeviceName (take 1)", "mv-apply x = parse_json(AdditionalFields) on (take 1)", "scan with "
        "(step s: true;)", "top-nested 1 of DeviceName by count()", "top-hitters 3 of DeviceName", "reduce by FileName",
        "union Device*", "union (print x = 1)", "union SavedFunction", "search 'x'",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_needs_more_than_a_row_is_refused_wherever_it_stands(step: str, place: int) -> None:
    around = ["where FileName != ''", "extend A = tolower(FileName)"]
    around.insert(place, step)
    text = "\n".join(["DeviceProcessEvents", *(f"| {one}" for one in around)])
    found = refused(text)
    assert found.line == place + 2 and found.column > 1, found
    # Hidden in a let, a union's branch or a function, it is found there.
    for wrapped in (
        f"let X = DeviceProcessEvents | {step};\nX",
        f"union DeviceEvents, (DeviceProcessEvents | {step})",
        f"let F = (a: string) {{ DeviceProcessEvents | {step} }};\nF('x')",
    ):
        assert isinstance(proof(wrapped, "Timestamp"), Refusal), wrapped


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SavedFunction", "saved function"),
        ("SavedFunction()", "not in the text"),
        ("Device*", "only the service knows"),
        ("set notruncation; DeviceEvents", "set statement"),
        ("let Timestamp2 = 1; SigninLogs", "no time column Timestamp"),
        ("print x = now()", "no table"),
        ("datatable(Timestamp: datetime)[datetime(2026-01-01)]", "no table"),
        ("externaldata(a: string)['https://example.com/x']", "fetched anew"),
        ("cluster('c').database('d').T", "another cluster"),
        ("let T = DeviceInfo | project DeviceId; DeviceEvents | where DeviceId in (T)", "as a whole"),
        ("let F = (T: (*)) { T | where true }; F(DeviceEvents)", "takes a table"),
        ("union withsource=S DeviceEvents, (DeviceInfo | where true)", "withsource"),
        ("DeviceEvents | where", "could not be read"),
        ("", "could not be read"),
    ],
)
def test_other_refusals(text: str, why: str) -> None:
    assert why in str(refused(text))


def test_the_order_of_the_answer() -> None:
    assert proved("DeviceEvents | project T = Timestamp").order == "T"
    assert proved("DeviceEvents | project-rename ['a b'] = Timestamp").between(T0, END, NOW).endswith("by ['a b'] asc ")
    assert proved("DeviceEvents | project FileName").order == ""
    assert "sort" not in proved("DeviceEvents | extend Timestamp = now()").between(T0, END, NOW)
    latest = proved("DeviceEvents | sort by Timestamp desc | project Timestamp")
    assert latest.descending and latest.between(T0, END, NOW).count("sort") == 1
    assert proved("DeviceEvents | project-away Time*").order == ""
    assert proved("union DeviceEvents, (DeviceInfo | project X = Timestamp)").order == ""
    drawn = proved("DeviceEvents | render table").between(T0, END, NOW)
    assert drawn.endswith("| sort by Timestamp asc | render table")


def test_constants_may_be_looked_up() -> None:
    text = "let L = datatable(n: string)['a', 'b'];\nDeviceEvents | where DeviceName in (L) or FileName in ('x', 'y')"
    assert proved(text).text == text
    refusal = refused("let L = datatable(n: string)['a'];\nunion DeviceEvents, L")
    assert "no time" in refusal.reason and refusal.line == 2


def test_the_library_is_judged() -> None:
    """Each hunt of the library that groups, joins or ranks rows is refused, in a line."""
    steps = ("summarize", "join", "distinct", "top", "serialize", "make-series", "lookup")
    for hunt in hunts().values():
        found = proof(hunt.kql, "Timestamp")
        if any(f"| {step}" in hunt.kql for step in steps):
            assert isinstance(found, Refusal) and len(str(found)) < 200, hunt.id


@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(proof(text, "Timestamp"), Rowwise | Refusal)


_ATOMS = st.sampled_from([
    "DeviceEvents", "|", "where", "let", "=", ";", "(", ")", "ago", "1h", "now", "union", ",", "X", "'a'", "summarize",
    "Timestamp", "sort by", "project", "in", "{", "}", "//x\n", "[", "]", "*", "toscalar", "extend", "==", "\n", ".",
])  # fmt: skip


@given(st.lists(_ATOMS, max_size=25))
def test_any_words_are_answered(words: list[str]) -> None:
    found = proof(" ".join(words), "Timestamp")
    if isinstance(found, Rowwise):
        found.between(T0, END, NOW)


# --- slices put together are the answer: on the engine, over rows that fall on the edges of slices


@cache
def tables() -> tuple[Table, ...]:
    folder = Path(tempfile.mkdtemp(prefix="rowwise-"))
    return tuple(_table(folder, name, seed) for name, seed in (("DeviceEvents", 1), ("DeviceProcessEvents", 2)))


def _table(folder: Path, name: str, seed: int) -> Table:
    source, out = folder / f"{name}.ndjson", folder / f"{name}.parquet"
    rows = [
        (T0 + timedelta(minutes=30 * ((n * seed) % 21)), f"ws{n % 3}", f"f{n % 5}.exe", n, f'["a{n % 2}", "b"]')
        for n in range(40)
    ]
    lines = (kql.encode_row(COLUMNS, row) for row in rows)
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    kql.write_parquet(source, COLUMNS, out)
    return Table(name, (out,), columns=COLUMNS)


def answer(text: str) -> tuple[list[tuple[str, ...]], list[str]]:
    """The rows as texts, and the columns' names."""
    with kql.query(text, tables(), now=NOW) as result:
        return [tuple(str(cell) for cell in row) for row in result], [column.name for column in result.columns]


_STEPS = st.sampled_from([
    "where FileName != 'f1.exe'", "where Timestamp > ago(10h)", "extend A = strcat(DeviceName, '-', FileName)",
    "extend Timestamp = now()", "project-away FileName", "parse DeviceName with 'ws' Number: long",
    "mv-expand B = parse_json(AdditionalFields) to typeof(string)", "project-reorder ReportId",
    "where DeviceName in ('ws0', 'ws2')", "union DeviceProcessEvents", "project-rename Again = ReportId",
    "where DeviceName in~ (Names)", "union Some",
])  # fmt: skip
_SOURCES = st.sampled_from([
    "DeviceEvents", "union DeviceEvents, DeviceProcessEvents", "Some",
    "union withsource=S DeviceEvents, DeviceProcessEvents", "(DeviceEvents | where ReportId < 30)",
    "union isfuzzy=true (DeviceEvents | where ReportId > 9), Some",
])  # fmt: skip
_LETS = "let Names = datatable(n: string)['WS0', 'ws1'];\nlet Some = DeviceEvents | where ReportId % 2 == 0;\n"


def _cuts() -> st.SearchStrategy[list[datetime]]:
    moments = st.integers(min_value=1, max_value=599).map(lambda minutes: T0 + timedelta(minutes=minutes))
    return st.lists(moments, max_size=3, unique=True).map(sorted)


@settings(max_examples=8, deadline=None)
@given(_SOURCES, st.lists(_STEPS, max_size=3, unique=True), _cuts())
def test_slices_together_are_the_whole(source: str, steps: list[str], cuts: list[datetime]) -> None:
    text = _LETS + " | ".join([source, *steps])
    try:
        whole, _ = answer(text)
    except kql.KqlError:
        return  # a step names a column that an earlier one took away
    found = proved(text)
    edges = [T0, *cuts, END + timedelta(microseconds=1)]
    slices = [answer(found.between(a, b, NOW)) for a, b in zip(edges, edges[1:], strict=False)]
    together = [row for rows, _ in slices for row in rows]
    assert Counter(together) == Counter(whole)
    if found.order:
        times = [row[columns.index(found.order)] for rows, columns in slices for row in rows]
        assert times == sorted(times)
