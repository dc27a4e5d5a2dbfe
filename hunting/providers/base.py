"""What a source of rows is to the runner."""

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from kql import Column, Limits, Supplies, Table
from msapi.endpoint import Endpoint
from msapi.kusto import ClusterEndpoint

Record = dict[str, Any]
"""One row as the evidence keeps it: `kql.encode_row`'s form, datetimes with the digits the source gave."""


@dataclass(frozen=True)
class Question:
    """What to run, complete: a provider reads no database, so that it can work in a thread and be abandoned.

    It looks at `start` to `end`; `times_itself`: the text says so too, and the window of the call is only a help.
    `endpoint` is a tenant's; `workspace` is asked with further `workspaces` beside it, or `database` on `cluster`;
    `tables` and `supplies` are of the case's own. `known`: the datetime columns of each table that the source says it
    has. `cancel` is set when the work should end. `time_columns`: by which columns its source may be asked in slices,
    the best first; none where it may not. `until`: where the source is given rows from beyond `end`, the moment up to
    which.
    """

    kql: str
    prelude: str
    final_kql: str
    start: datetime
    end: datetime
    limits: Limits
    cancel: threading.Event
    times_itself: bool = False
    endpoint: Endpoint | None = None
    workspace: str = ""
    workspaces: tuple[str, ...] = ()
    cluster: ClusterEndpoint | None = None
    database: str = ""
    known: Mapping[str, Collection[str]] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    supplies: Supplies = field(default_factory=Supplies)
    time_columns: tuple[str, ...] = ()
    until: datetime | None = None

    @property
    def reaches(self) -> datetime:
        """The last moment that the source is asked about."""
        return max(self.until or self.end, self.end)


@dataclass
class Answer:
    """The columns at once and the records as they come. `request_id`, `truncated_by` and `notes` are final when the
    records have been read; `truncated_by` is empty for a whole result, else `rows`, `bytes` or the service's words."""

    columns: tuple[Column, ...]
    records: Iterator[Record]
    request_id: str = ""
    truncated_by: str = ""
    engine: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Provider(Protocol):
    """
    SHALL answer with every row the source gave, in its order, or say in `truncated_by` that it did not.
    SHALL raise `ApiError` or `KqlError` where it cannot, `KqlCancelled` once `cancel` is set and it noticed.
    SHALL touch neither the database nor the evidence store.
    MAY block: the runner abandons it when a person cancels.
    """

    name: str

    def ask(self, question: Question) -> AbstractContextManager[Answer]: ...
