"""What a query must never do: read other files, write, reach out, change settings, leave its string literals."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kql import KqlError, Table, query
from kql.sql import quote_name, quote_text, sandbox
from tests.kql.support import one, run, table
from tests.kql.test_engine import busy


@pytest.mark.parametrize(
    "text",
    [
        "externaldata(line:string)['/etc/passwd']",
        "['/etc/passwd']",
        "['read_text(\"/etc/passwd\")']",
        "['pg_catalog.pg_tables']",
        "duckdb_settings",
        "duckdb_settings()",
        "information_schema.tables",
        "print x = read_text('/etc/passwd')",
        "print x = getenv('HOME')",
        "print x = current_setting('allowed_paths')",
        "print x = query('select 1')",
        "database('/etc').passwd",
        "cluster('x').database('y').z",
        "Few | evaluate http_request('http://127.0.0.1/')",
        "Few | evaluate python(typeof(*), 'import os')",
        ".drop table Few",
        ".set Other <| Few",
        ".export to csv ('/tmp/x') <| Few",
        "set query_language = 'sql'; Few",
        "print 1; print 2",
        "Few; .show tables",
    ],
)
def test_constructs_that_reach_outside_are_refused(tmp_path: Path, text: str) -> None:
    few = table(tmp_path, "Few", {"a": "long"}, [(1,)])
    with pytest.raises(KqlError) as caught:
        run(text, few)
    assert caught.value.code in ("kql.unsupported", "kql.schema", "kql.syntax", "kql.feed")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "ATTACH '{folder}/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/passwd']",
        "RESET lock_configuration",
        "SET memory_limit = '100GB'",
        "PRAGMA enable_profiling",
    ],
)
def test_the_connection_itself_refuses(tmp_path: Path, sql: str) -> None:
    few = table(tmp_path, "Few", {"a": "long"}, [(1,)])
    connection = sandbox(memory_mb=64, threads=1, paths=few.paths)
    assert connection.execute(f"SELECT a FROM read_parquet({quote_text(str(few.paths[0]))})").fetchall() == [(1,)]
    with pytest.raises(duckdb.Error):
        connection.execute(sql.format(folder=tmp_path))
    assert not (tmp_path / "out.csv").exists()


def test_a_file_beside_the_allowed_one_stays_closed(tmp_path: Path) -> None:
    few = table(tmp_path, "Few", {"a": "long"}, [(1,)])
    other = table(tmp_path, "Other", {"a": "long"}, [(2,)])
    connection = sandbox(memory_mb=64, threads=1, paths=few.paths)
    with pytest.raises(duckdb.PermissionException):
        connection.execute(f"SELECT * FROM read_parquet({quote_text(str(other.paths[0]))})")


HOSTILE = st.text(st.sampled_from("'\"\\;-/*()|`$\0\n\r\t aé\u2028\u202e%{}xUu0"), max_size=30)


@settings(max_examples=25, deadline=None)
@given(HOSTILE)
@example("'; COPY (SELECT 1) TO '/tmp/x'; --")
@example('\\"; print 1 //')
@example("\\u0027")
def test_no_text_leaves_its_literal(text: str) -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in text)
    verbatim = text.replace('"', '""')
    wanted = {"e": f'"{escaped}"'}
    if not set(text) & set("\n\r\0\u2028"):
        wanted["v"] = f'@"{verbatim}"'
    assert one(f"print {', '.join(f'{n} = {v}' for n, v in wanted.items())}") == (text,) * len(wanted)
    assert one(f'print x = strcat("{escaped}", "!") has_cs "{escaped}" or true, n = strlen("{escaped}")') == (
        True,
        len(text),
    )


@settings(max_examples=20, deadline=None)
@given(HOSTILE.filter(lambda t: t.strip() and "\0" not in t))
def test_no_name_leaves_its_quotes(text: str) -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in text)
    assert one(f"print ['{escaped}'] = 1 | extend y = ['{escaped}'] + 1") == (1, 2)


@settings(max_examples=80, deadline=None)
@given(st.text(st.sampled_from("T|where print'\"\\;()[]{}=<>!~*.,0a\n -/@$let union"), max_size=60))
def test_any_text_gives_an_answer_or_an_error_of_ours(text: str) -> None:
    try:
        run(text)
    except KqlError as error:
        assert error.code != "kql.internal", error.detail
        assert error.message


def test_names_and_texts_as_sql() -> None:
    connection = duckdb.connect()
    text = "a'b\"c\0d\\"
    name = 'we"ird'
    row = connection.execute(f"SELECT {quote_text(text)} AS {quote_name(name)}").fetchone()
    assert row == (text,)


def test_the_child_sees_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IRCASE_SECRET", "must not travel")
    with query("range x from 1 to 60000 step 1 | extend t = strrep('x', 100)", ()) as result:
        next(iter(result))
        (worker,) = busy()
        assert b"must not travel" not in Path(f"/proc/{worker}/environ").read_bytes()


def test_a_table_may_have_any_name(tmp_path: Path) -> None:
    odd = table(tmp_path, "odd", {"a": "long"}, [(1,)])
    named = Table('my "log"; x', odd.paths)
    assert run("['my \"log\"; x'] | project a", named) == [(1,)]
