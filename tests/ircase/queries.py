"""An upper bound for the number of queries."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext


@contextmanager
def at_most(most: int) -> Iterator[None]:
    """Like assertNumQueries, for a bound that may be stayed under; names the queries where it is not. That somebody
    looked at a case is written once an hour, and not counted as what a page costs."""
    with mock.patch("ircase.middleware.looks.note"), CaptureQueriesContext(connection) as seen:
        yield
    texts = [query["sql"][:160] for query in seen.captured_queries]
    assert len(texts) <= most, f"{len(texts)} queries\n" + "\n".join(texts)
