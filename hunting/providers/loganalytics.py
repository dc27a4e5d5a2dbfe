"""A Log Analytics workspace (Microsoft Sentinel), through Microsoft's own query client.

https://learn.microsoft.com/azure/azure-monitor/logs/api/overview
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from hunting.models import Source
from hunting.providers.base import Answer, Question
from hunting.providers.tenant import answer_of, tokens
from msapi.loganalytics import LogAnalytics


class Workspace:
    """The window is also given to the service, which reads no more than it has to."""

    name = Source.LOG_ANALYTICS.value

    @contextmanager
    def ask(self, question: Question) -> Iterator[Answer]:
        endpoint = question.endpoint
        assert endpoint is not None, "a tenant's question carries its endpoint"
        client = LogAnalytics(endpoint, tokens(endpoint), sleep=question.cancel.wait)
        try:
            span = (question.start, _end(question))
            with client.query(question.workspace, question.final_kql, span, more=question.workspaces) as result:
                yield answer_of(result, question.limits.rows)
        finally:
            client.close()


def _end(question: Question) -> datetime:
    """The window restricts TimeGenerated, which for late rows is their arrival: a query that looks at the event's own
    time is given everything that has arrived since."""
    return max(question.end, datetime.now(UTC)) if question.times_itself else question.end
