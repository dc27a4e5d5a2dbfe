"""What a file of rows looked like when it was read: its layout, columns, guessed types and first rows, for a person
who may know better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from artifacts.choices import Dialect
from artifacts.culture import Order
from artifacts.guessing import TextGuess
from kql.types import KqlType

MAX_SHAPES = 200
"""Files of one load whose shape is kept; what has more is a folder of one kind."""
_COLUMNS = 300
_SAMPLE_ROWS = 8
_CELL = 120


@dataclass(frozen=True)
class ShapeColumn:
    """A column as the file names it. ``naive`` and ``orders``: see ``artifacts.guessing.Guessed``."""

    source: str
    type: KqlType
    naive: bool = False
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True)
class Shape:
    """One file of rows. ``kind`` is csv, json, xlsx or parquet; ``table`` the name of its own table; ``known`` the
    Microsoft tables that its rows were recognised as; ``sample`` the first rows as texts, cell by cell."""

    member: str
    kind: str
    table: str
    rows: int
    dialect: Dialect
    columns: tuple[ShapeColumn, ...]
    sample: tuple[tuple[str, ...], ...]
    known: tuple[str, ...] = ()

    @property
    def asks_zone(self) -> bool:
        """Whether it holds times that only a person can place."""
        return any(column.naive for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Shape:
        columns = [{**column, "orders": tuple(column["orders"])} for column in document["columns"]]
        return cls(
            **{
                **document,
                "dialect": Dialect(**document["dialect"]),
                "columns": tuple(ShapeColumn(**column) for column in columns),
                "sample": tuple(tuple(row) for row in document["sample"]),
                "known": tuple(document["known"]),
            }
        )


class Survey:
    """Sees every row of one file as the file has it. ``typed``: the format has types of its own (JSON, Parquet)."""

    def __init__(self, header: Sequence[str] = (), *, typed: bool) -> None:
        self._typed = typed
        self._guesses: dict[str, TextGuess | None] = {}
        self._live: dict[str, TextGuess] = {}
        self._sample: list[dict[str, str]] = []
        for name in header[:_COLUMNS]:
            self._meet(name)

    def see(self, row: Mapping[str, Any]) -> None:
        if len(self._sample) < _SAMPLE_ROWS:
            self._sample.append({name: cell_text(value) for name, value in row.items()})
        if len(self._guesses) < _COLUMNS:
            for name in row:
                if name not in self._guesses and len(self._guesses) < _COLUMNS:
                    self._meet(name)
        for name, guess in tuple(self._live.items()):
            value = row.get(name)
            if value is None or value == "":
                continue
            if not isinstance(value, str):
                # The format's own types say what it is.
                self._guesses[name] = None
                del self._live[name]
                continue
            guess.see(value)
            if not guess.left:
                del self._live[name]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._guesses)

    def _meet(self, name: str) -> None:
        self._guesses[name] = self._live[name] = TextGuess(only_times=self._typed)

    def types(self) -> dict[str, KqlType]:
        """The types of those columns whose texts alone decide."""
        return {name: guess.result().type for name, guess in self._guesses.items() if guess is not None and guess.seen}

    def columns(self, otherwise: Mapping[str, KqlType]) -> tuple[ShapeColumn, ...]:
        """All columns; ``otherwise`` has the types of those that hold other values than texts."""
        found = []
        for name, guess in self._guesses.items():
            result = guess.result() if guess is not None else None
            if result is None:
                found.append(ShapeColumn(name, otherwise.get(name, "string")))
            else:
                found.append(ShapeColumn(name, result.type, result.naive, result.orders))
        return tuple(found)

    def sample(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(row.get(name, "") for name in self._guesses) for row in self._sample)


def cell_text(value: Any) -> str:
    """A cell as a person is shown it: cut, without line ends."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    text = " ".join(text[: 2 * _CELL].split())
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
