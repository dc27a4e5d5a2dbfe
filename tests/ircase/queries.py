"""An upper bound for the number of queries."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext


@contextmanager
def at_most(most: int) -> Iterator[None]:
    """Like assertNumQueries, for a bound that may be stayed under; names the queries where it is not."""
    with CaptureQueriesContext(connection) as seen:
        yield
    texts = [query["sql"][:160] for query in seen.captured_queries]
    assert len(texts) <= most, f"{len(texts)} queries\n" + "\n".join(texts)
