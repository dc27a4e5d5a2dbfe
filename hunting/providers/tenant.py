"""What both services of a tenant share: clients that live as long as the worker, and rows as records."""

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, cast

from hunting.providers.base import Answer, Record
from kql import Column
from kql.types import KqlType
from msapi.clients import clients_for
from msapi.endpoint import Endpoint
from msapi.results import HuntResult
from msapi.tokens import TokenProvider
from msapi.transport import CallRecord

logger = logging.getLogger(__name__)


def tokens(endpoint: Endpoint) -> TokenProvider:
    """The token cache that all of this process shares."""
    return clients_for(endpoint).tokens


def log_call(call: CallRecord) -> None:
    logger.info(
        "hunt.call",
        extra={
            "service": call.service,
            "status": call.status,
            "ms": round(call.milliseconds),
            "request_id": call.request_id,
            "attempt": call.attempt,
            "bytes": call.received,
        },
    )


def answer_of(result: HuntResult, rows: int) -> Answer:
    """A tenant's result as the runner reads it, with at most `rows` rows."""
    columns = tuple(Column(c.name, cast(KqlType, c.type)) for c in result.columns)
    answer = Answer(columns=columns, records=iter(()), request_id=result.request_id)
    answer.records = _records(result, answer, rows)
    return answer


def capped(rows: Iterable[Sequence[Any]], answer: Answer, most: int) -> Generator[Record, None, bool]:
    """At most `most` rows as records; True where there were more, which the answer then says."""
    names = [column.name for column in answer.columns]
    for count, row in enumerate(rows):
        if count >= most:
            answer.truncated_by = "rows"
            return True
        yield dict(zip(names, row, strict=True))
    return False


def _records(result: HuntResult, answer: Answer, rows: int) -> Iterator[Record]:
    if (yield from capped(result.rows, answer, rows)):
        return
    if result.truncated:
        answer.truncated_by = result.notice or "rows"
    if result.unlisted:
        answer.notes.append(f"Columns outside the schema were left out: {', '.join(sorted(result.unlisted))}.")
