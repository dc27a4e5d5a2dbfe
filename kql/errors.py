"""What can go wrong with a query, each with the place in the text and what to do about it."""

from __future__ import annotations

from typing import TypedDict


class Place(TypedDict, total=False):
    """Where an error stands: 1-based line and column, length in characters; empty where no place is known."""

    line: int
    column: int
    length: int


class KqlError(Exception):
    """A query could not be answered.

    ``line`` and ``column`` are 1-based in the text as the person wrote it, None where no single place is at fault.
    ``hint`` says what to do; ``detail`` keeps the original message of the engine beneath, for logs.
    ``subject``: what it is about, where that is something that can be changed.
    """

    code = "kql"

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        length: int = 1,
        hint: str = "",
        detail: str = "",
        subject: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.length = max(length, 1)
        self.hint = hint
        self.detail = detail
        self.subject = subject

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        return f"{where}{self.message}{f' {self.hint}' if self.hint else ''}"


class KqlSyntaxError(KqlError):
    """The text is not KQL."""

    code = "kql.syntax"


class KqlUnsupported(KqlError):
    """Valid KQL that this engine does not run; the hint names a way round. Never answered by approximation."""

    code = "kql.unsupported"


class KqlFeedRefused(KqlUnsupported):
    """``externaldata`` of an address that is not read here; ``subject`` is the address."""

    code = "kql.feed"


class KqlShapeUnknown(KqlUnsupported):
    """A query whose columns are made from the data, where no data is at hand: it cannot be checked, only run."""

    code = "kql.shape"


class KqlSchemaError(KqlError):
    """An unknown table or column, or columns that cannot stand beside each other."""

    code = "kql.schema"


class KqlDataError(KqlError):
    """The query is sound, but a value it met cannot be computed with."""

    code = "kql.data"


class KqlTimeout(KqlError):
    """The deadline passed; the query was stopped."""

    code = "kql.timeout"


class KqlCancelled(KqlError):
    """A person cancelled the query."""

    code = "kql.cancelled"


class KqlResourceError(KqlError):
    """The query needed more memory than its limit."""

    code = "kql.resource"


class KqlInternalError(KqlError):
    """A fault of ours; ``detail`` has what is known."""

    code = "kql.internal"


ERRORS: dict[str, type[KqlError]] = {
    cls.code: cls
    for cls in (
        KqlError, KqlSyntaxError, KqlUnsupported, KqlFeedRefused, KqlShapeUnknown, KqlSchemaError, KqlDataError,
        KqlTimeout, KqlCancelled, KqlResourceError, KqlInternalError,
    )
}  # fmt: skip
"""Error classes by code, by which an error crosses the pipe from the child process."""
