"""The rows of a query on a cluster, from a file, with what cut them."""

from collections.abc import Iterator
from typing import IO, Any, Final

from msapi.errors import BadReply
from msapi.kusto.cluster import SERVICE
from msapi.kusto.frames import FAULTY, Another, Failed, Head, Replaced, pieces
from msapi.results import Column, HuntResult

_WORDS: Final = 1000
_FAILURES: Final = 20
_ANOTHER: Final = "The query gave several result tables; the first is kept, the others are left out."


class KustoResult(HuntResult):
    """As `HuntResult`; `notice` is final once the rows have been read, for a cluster says at the end what went wrong.

    A truncated answer keeps its rows. One without a row that ends in an error raises it.
    """

    def __init__(self, source: IO[bytes], *, request_id: str = "", client_request_id: str = "") -> None:
        columns, self._replacements = _survey(source)
        self.client_request_id = client_request_id
        super().__init__(
            source,
            columns,
            self._lists,
            limit=0,  # the service itself says when it cut
            positional=True,
            request_id=request_id,
            service=SERVICE,
        )

    @property
    def truncated(self) -> bool:
        """Whether the service says that rows are missing."""
        return self.row_count >= 0 and bool(self.notice)

    @property
    def truncated_by(self) -> str:
        """What cut the rows: "rows" or "bytes" where a documented limit did, the service's words for all else, empty
        for a whole answer. https://learn.microsoft.com/azure/data-explorer/kusto/concepts/resulttruncation"""
        if not self.truncated:
            return ""
        said = self.notice.lower()
        if "e_query_result_set_too_large" not in said and "80da0003" not in said:
            return self.notice
        return "rows" if "record" in said else "bytes"

    def _lists(self, source: IO[bytes]) -> Iterator[Any]:
        """The rows that stand: those after the last replacement."""
        to_come, count = self._replacements, 0
        failures: list[Failed] = []
        said: dict[str, None] = {}
        for piece in pieces(source):
            if piece.__class__ is list:
                if to_come == 0:
                    count += 1
                    yield piece
            elif isinstance(piece, Replaced):
                if to_come == 0:
                    raise BadReply(f"{SERVICE} took rows back in an answer that it called final.", service=SERVICE)
                to_come -= 1
            elif isinstance(piece, Failed):
                if len(failures) < _FAILURES:
                    failures.append(piece)
                    said[piece.message] = None
            elif isinstance(piece, Another):
                said[_ANOTHER] = None
        if failures and count == 0:
            raise failures[0].error()
        self.notice = " ".join(said)[:_WORDS]


def _survey(source: IO[bytes]) -> tuple[tuple[Column, ...], int]:
    """The columns, and how many times the rows are replaced. Reads on after the columns only in a progressive answer,
    which has fragments. Raises the engine's error where there is no table."""
    failures: list[Failed] = []
    head: Head | None = None
    replacements = 0
    try:
        for piece in pieces(source):
            if isinstance(piece, Head):
                head = piece
                if not piece.progressive:
                    break
            elif isinstance(piece, Replaced):
                replacements += 1
            elif isinstance(piece, Failed) and len(failures) < _FAILURES:
                failures.append(piece)
    except FAULTY:
        raise BadReply(f"{SERVICE} sent an answer that is not JSON, or that breaks off.", service=SERVICE) from None
    if head is not None:
        return head.columns, replacements
    if failures:
        raise failures[0].error()
    raise BadReply(f"{SERVICE} sent an answer without a table.", service=SERVICE)
