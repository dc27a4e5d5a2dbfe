"""Chapters that a person may choose for a report and that another app writes: the case's notebooks.

The case does not know the app: it registers itself when Django starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ircase.models import Case, User
from ircase.report.shape import NotebookEntry


@dataclass(frozen=True)
class Choice:
    """A notebook as the report's form offers it."""

    uuid: str
    title: str
    note: str = ""


class Notebooks(Protocol):
    """What the app that has notebooks SHALL give."""

    def choices(self, case: Case) -> list[Choice]:
        """The notebooks of the case."""

    def read(self, case: Case, uuids: Sequence[str], actor: User) -> tuple[NotebookEntry, ...]:
        """Those of these ids that the case has, in the order given. Custody hears of rows that are read."""


_written_by: list[Notebooks] = []


def register(notebooks: Notebooks) -> None:
    """`notebooks` writes the chapters from now on."""
    _written_by[:] = [notebooks]


def choices(case: Case) -> list[Choice]:
    """What the report's form offers; nothing where no app has notebooks."""
    return [choice for one in _written_by for choice in one.choices(case)]


def read(case: Case, uuids: Sequence[str], actor: User) -> tuple[NotebookEntry, ...]:
    """The chosen notebooks."""
    return tuple(entry for one in _written_by for entry in one.read(case, uuids, actor)) if uuids else ()
