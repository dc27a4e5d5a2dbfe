"""One file of rows on its way into tables: seen as it is, fitted as a person chose, its column types made known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from artifacts.choices import Choice
from artifacts.fitting import Fitting
from artifacts.shapes import Survey
from kql.types import KqlType


class Reading:
    """How one file is read. Without ``survey`` nothing is found out: texts stay texts. A ``choice`` without columns
    is about the layout alone. Raises ``artifacts.fitting.BadZone``."""

    def __init__(self, choice: Choice | None = None, survey: Survey | None = None) -> None:
        self.choice = choice
        self.survey = survey
        self._fitting = Fitting(choice) if choice is not None and choice.columns else None

    @property
    def table(self) -> str:
        """The name that somebody gave the table, or nothing."""
        return self.choice.table if self.choice is not None else ""

    def take(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row as it goes into the table."""
        if self.survey is not None:
            self.survey.see(row)
        return row if self._fitting is None else self._fitting.fit(row)

    def expected(self) -> Sequence[str]:
        """Columns that the table has even where no row has a value for them."""
        return () if self._fitting is None else tuple(column.name for column in self._fitting.columns())

    def types(self) -> dict[str, KqlType]:
        """The types of the table's columns, as far as somebody or the texts say them."""
        found = self.survey.types() if self.survey is not None else {}
        if self._fitting is None:
            return found
        sources = {column.source for column in self._fitting.choice.columns}
        rest = {name: kind for name, kind in found.items() if name not in sources}
        return {**rest, **{column.name: column.type for column in self._fitting.columns()}}

    def problems(self) -> Iterator[tuple[str, str]]:
        if self._fitting is not None:
            yield from self._fitting.problems()
