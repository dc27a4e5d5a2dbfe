"""How a person wants a file of rows read: its layout, the names and types of its columns, and the zone of its times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from artifacts.culture import Order
from kql.types import KqlType

TYPES: tuple[KqlType, ...] = (
    "string", "long", "int", "real", "decimal", "bool", "datetime", "timespan", "guid", "dynamic"
)  # fmt: skip
ORDERS: tuple[Order, ...] = ("ymd", "mdy", "dmy")
ENCODINGS = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp437", "cp850",
    "iso-8859-1", "iso-8859-2", "iso-8859-15", "koi8-r", "shift_jis", "gb18030", "big5", "euc-kr",
)  # fmt: skip


@dataclass(frozen=True)
class Dialect:
    """The layout of a CSV or a sheet; an empty ``delimiter`` or ``encoding`` and ``header`` None are found out.

    ``quote`` empty: no cell is quoted. ``skip``: lines (of a sheet: rows) on top that are passed over.
    """

    delimiter: str = ""
    quote: str = '"'
    encoding: str = ""
    header: bool | None = None
    skip: int = 0


@dataclass(frozen=True)
class ColumnChoice:
    """A column of the file, the name it shall have and the type of its values; ``keep`` False leaves it out."""

    source: str
    name: str
    type: KqlType
    keep: bool = True


@dataclass(frozen=True)
class Choice:
    """What a person chose for one file (``member`` as the load names it, a sheet after ``!``).

    ``zone`` is the IANA name of the zone of times that name none, empty where nobody said: they are then no times.
    ``order`` is the order of day, month and year in dates that leave it open. ``time_column`` is the chosen name of
    the column that says when a row happened. No ``columns``: they are found out, with the given layout.
    """

    member: str
    table: str = ""
    dialect: Dialect = Dialect()
    columns: tuple[ColumnChoice, ...] = ()
    zone: str = ""
    order: Order | None = None
    time_column: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Choice:
        return cls(
            **{
                **document,
                "dialect": Dialect(**document["dialect"]),
                "columns": tuple(ColumnChoice(**column) for column in document["columns"]),
            }
        )
