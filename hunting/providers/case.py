"""KQL over the case's own tables, on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version

import kql
from hunting.models import Source
from hunting.providers.base import Answer, Question, Record


class CaseTables:
    """Runs in a child process of its own, sandboxed to the case's Parquet files. `now()` is the end of the window."""

    name = Source.CASE.value

    @contextmanager
    def ask(self, question: Question) -> Iterator[Answer]:
        with kql.query(
            question.kql,
            question.tables,
            limits=_engine_limits(question.limits),
            now=question.end,
            cancel=question.cancel,
            prelude=question.prelude,
            supplies=question.supplies,
        ) as result:
            answer = Answer(columns=result.columns, records=iter(()), engine=_versions())
            answer.records = _records(result, answer)
            yield answer


def _engine_limits(limits: kql.Limits) -> kql.Limits:
    """The engine counts the values of a row; the record, whose lines repeat the columns' names, may be larger."""
    return replace(limits, bytes=min(limits.bytes, kql.Limits().bytes))


def _records(result: kql.QueryResult, answer: Answer) -> Iterator[Record]:
    for row in result:
        yield kql.encode_row(result.columns, row)
    answer.truncated_by = result.truncated_by or ""


def _versions() -> dict[str, str]:
    return {"duckdb": version("duckdb"), "kql": kql.ENGINE}
