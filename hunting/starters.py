"""First cells for a notebook, from `starters.yaml`: those that the case's tables can answer."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

import kql
from kql import Table

_FILE: Final = Path(__file__).with_name("starters.yaml")


@dataclass(frozen=True)
class Starter:
    """A query to begin with. `text` says in a sentence what it shows; `name` is what its cell is called."""

    id: str
    title: str
    text: str
    kql: str
    name: str = ""


@functools.cache
def starters() -> tuple[Starter, ...]:
    return tuple(Starter(**one) for one in yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def fitting(tables: Sequence[Table]) -> list[Starter]:
    """Those that run on these tables as they are, columns included."""
    there = {table.name for table in tables}
    able = [one for one in starters() if there and kql.used_tables(one.kql) <= there]
    return [one for one in able if not kql.validate(one.kql, tables)]
