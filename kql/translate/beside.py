"""Rows in their order, for the functions that look at neighbouring ones (``prev``, ``row_number``...)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kql.translate.rows import Rows
from kql.translate.values import Sql, retyped

_WORD = re.compile(r"\w+")


@dataclass
class _Layer:
    cells: list[str] = field(default_factory=list)
    rewrites: list[Callable[[str], str]] = field(default_factory=list)


@dataclass
class Window:
    """The order that rows are in, and the columns that functions ask to have computed beside them.

    SQL has no window function inside another, and KQL writes ``row_cumsum(x, Id != prev(Id))``: each is computed in a
    SELECT of its own, around the one that computes what it is made of. ``order``: the hidden column that numbers the
    rows; ``fresh`` gives names that nothing else has.
    """

    order: str
    fresh: Callable[[str], str]
    _layers: list[_Layer] = field(default_factory=list)
    _depths: dict[str, int] = field(default_factory=dict)

    def over(self, partition: str = "", frame: str = "") -> str:
        """An OVER clause: the rows in their order, or those of the same ``partition``."""
        by = f"PARTITION BY {partition} " if partition else ""
        return f"OVER ({by}ORDER BY {self.order}{f' {frame}' if frame else ''})"

    def running(self, partition: str = "") -> str:
        """An OVER clause: from the first row to this one."""
        return self.over(partition, "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW")

    def keep(self, text: str) -> str:
        """Have SQL computed as a column; returns the column."""
        name = self.fresh("w")
        self._layer(name, text).cells.append(f"{text} AS {name}")
        return name

    def keep_value(self, value: Sql) -> Sql:
        """A value as a column; what is a column or a constant stays as it is."""
        if value.constant or value.text.isidentifier():
            return value
        return replace(retyped(value, value.type), text=self.keep(value.text))

    def rewrite(self, build: Callable[[str, str], str], *made_of: str) -> str:
        """Have a column computed by a SELECT of its own: ``build`` gets the rows' SELECT and the column's name."""
        name = self.fresh("w")
        self._layer(name, " ".join(made_of)).rewrites.append(lambda rows: build(rows, name))
        return name

    def applied(self, rows: Rows) -> Rows:
        """The rows with all that was asked for beside them."""
        sql = rows.sql
        for layer in self._layers:
            if layer.cells:
                sql = f"SELECT *, {', '.join(layer.cells)} FROM ({sql})"
            for build in layer.rewrites:
                sql = build(sql)
        return replace(rows, sql=sql)

    def _layer(self, name: str, text: str) -> _Layer:
        depth = max((self._depths.get(word, -1) for word in _WORD.findall(text)), default=-1) + 1
        self._depths[name] = depth
        while len(self._layers) <= depth:
            self._layers.append(_Layer())
        return self._layers[depth]
