"""A database of an Azure Data Explorer cluster.

https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import kql
from hunting.models import Source
from hunting.providers.base import Answer, Question, Record
from hunting.providers.tenant import capped, log_call, tokens
from kql import Column, KqlError
from kql.types import KqlType
from msapi.kusto import Kusto, KustoResult, Scope

LONGEST: Final = 3600


class Cluster:
    """Read-only. Where the text does not time itself, the engine puts the window on every table that has the scope's
    column; a table without it is read whole, which the notes say."""

    def __init__(self, source: Source) -> None:
        self.name = source.value

    @contextmanager
    def ask(self, question: Question) -> Iterator[Answer]:
        endpoint = question.cluster
        assert endpoint is not None, "a question for a cluster names it"
        client = Kusto(endpoint, tokens(endpoint), sleep=question.cancel.wait, on_call=log_call)
        wait = min(max(1, round(endpoint.kusto.server_timeout)), LONGEST)
        scope = _scope(question)
        try:
            with client.query(question.database, question.final_kql, scope=scope, server_timeout=wait) as result:
                yield _answer(result, question.limits.rows, scope)
        finally:
            client.close()


def _scope(question: Question) -> Scope | None:
    """By the first of the time columns that a table of the text has; the first of all where no schema was read."""
    if question.times_itself or not question.time_columns:
        return None
    column = next((one for one in question.time_columns if _has(question, one)), question.time_columns[0])
    return Scope(column, question.start, question.end)


def _has(question: Question, column: str) -> bool:
    try:
        used = kql.used_tables(question.final_kql)
    except KqlError:
        used = set(question.known)
    return any(column in question.known.get(name, ()) for name in used)


def _answer(result: KustoResult, rows: int, scope: Scope | None) -> Answer:
    columns = tuple(Column(column.name, cast(KqlType, column.type)) for column in result.columns)
    answer = Answer(columns=columns, records=iter(()), request_id=result.request_id)
    if scope is not None:
        answer.notes.append(f"The window was put on {scope.column}; a table without that column was read whole.")
    answer.records = _records(result, answer, rows)
    return answer


def _records(result: KustoResult, answer: Answer, rows: int) -> Iterator[Record]:
    if not (yield from capped(result.rows, answer, rows)):
        answer.truncated_by = result.truncated_by
