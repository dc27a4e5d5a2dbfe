"""Advanced hunting in Defender XDR, through Graph.

https://learn.microsoft.com/graph/api/security-security-runhuntingquery
"""

from collections.abc import Iterator
from contextlib import contextmanager

from hunting.models import Source
from hunting.providers.base import Answer, Question
from hunting.providers.tenant import answer_of, log_call, tokens
from kql.types import datetime_text
from msapi.graph import GraphSecurity
from msapi.transport import Transport


class Defender:
    """`Timespan` is the window itself, so that a query without a time filter does not read more than was asked."""

    name = Source.DEFENDER.value

    @contextmanager
    def ask(self, question: Question) -> Iterator[Answer]:
        endpoint = question.endpoint
        assert endpoint is not None, "a tenant's question carries its endpoint"
        window = f"{datetime_text(question.start)}/{datetime_text(question.end)}"
        transport = Transport(endpoint, tokens(endpoint), sleep=question.cancel.wait, on_call=log_call)
        try:
            with GraphSecurity(transport).hunt(question.final_kql, window) as result:
                yield answer_of(result, question.limits.rows)
        finally:
            transport.close()
