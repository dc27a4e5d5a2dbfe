"""Two tables side by side by a key: what is new, what is gone, what differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from ircase.grid.model import CELL_CHARACTERS, MAX_PAGE, GridError
from ircase.grid.opened import NUMBER, Opened, connected
from kql.types import Column

Kind = Literal["new", "gone", "changed"]
SECONDS: Final = 30.0


@dataclass(frozen=True)
class Change:
    """One key. `before` and `after` are the number (from 1) of its first row in each table, None where it has none;
    `rows` how many rows have it, before and after. `cells` are the columns that differ between the first rows, as
    (name, before, after): empty where one table lacks the key, or where the difference lies in its further rows."""

    kind: Kind
    key: tuple[str | None, ...]
    before: int | None
    after: int | None
    rows: tuple[int, int]
    cells: tuple[tuple[str, str | None, str | None], ...] = ()


@dataclass(frozen=True)
class Comparison:
    """A page of changes and the counts of keys of all kinds. `compared` are the columns outside the key that were
    looked at; `repeated` counts the keys that stand in several rows of one table: all rows of a key are compared."""

    key: tuple[str, ...]
    compared: tuple[str, ...]
    new: int
    gone: int
    changed: int
    same: int
    repeated: int
    changes: tuple[Change, ...]


def compare(
    before: tuple[Path, Sequence[Column]],
    after: tuple[Path, Sequence[Column]],
    *,
    key: Sequence[str],
    compared: Sequence[str],
    kind: Kind | Literal[""] = "",
    offset: int = 0,
    limit: int = 50,
    most: int = MAX_PAGE,
) -> Comparison:
    """Compare by the columns `key`; the rest of a row is `compared`. Both are columns that both tables have. A key's
    rows are a set without order: it is changed where they are not the same ones as often. `most` bounds
    `limit`. Raises GridError."""
    if not key:
        raise GridError("Choose at least one column as the key.")
    if kind not in ("", "new", "gone", "changed"):
        raise GridError("Rows are new, gone or changed.")
    paths = [before[0], after[0]]
    with TemporaryDirectory(prefix="ircase-") as spill, connected(paths, SECONDS, spill=Path(spill)) as connection:
        sides = [Opened(connection, path, columns) for path, columns in (before, after)]
        for name, table in zip(("was", "now"), sides, strict=True):
            table.run(_grouped(name, table, key, compared))
        sides[0].run(_PAIRED)
        counts = {
            str(found): int(rows) for found, rows in sides[0].fetch("SELECT kind, count(*) FROM paired GROUP BY 1")
        }
        repeated = sides[0].scalar("SELECT count(*) FROM paired WHERE greatest(before_rows, after_rows) > 1")
        names = (*key, *compared)
        changes = _changes(sides, names, len(key), kind, offset, min(max(1, limit), most))
    new, gone, changed, same = (counts.get(one, 0) for one in ("new", "gone", "changed", "same"))
    return Comparison(tuple(key), tuple(compared), new, gone, changed, same, repeated, changes)


# Keys and rows are compared by MD5 over JSON, in which no two different rows look alike. Texts are read for the rows of
# the page alone.
_PAIRED: Final = """CREATE TEMP TABLE paired AS
    WITH old AS (SELECT k, min(first) AS first, sum(n) AS n FROM was GROUP BY k),
         new AS (SELECT k, min(first) AS first, sum(n) AS n FROM now GROUP BY k),
         differing AS (SELECT DISTINCT coalesce(was.k, now.k) AS k
                       FROM was FULL JOIN now ON was.k = now.k AND was.r = now.r
                       WHERE was.n IS DISTINCT FROM now.n)
    SELECT old.first AS before, new.first AS after, coalesce(old.n, 0) AS before_rows, coalesce(new.n, 0) AS after_rows,
           CASE WHEN old.k IS NULL THEN 'new' WHEN new.k IS NULL THEN 'gone'
                WHEN differing.k IS NULL THEN 'same' ELSE 'changed' END AS kind
    FROM old FULL JOIN new ON old.k = new.k LEFT JOIN differing ON differing.k = old.k"""


def _grouped(name: str, table: Opened, key: Sequence[str], compared: Sequence[str]) -> str:
    """A table of the different rows of each key, with how often each is there and where first."""
    k, r = (f"md5_number(to_json([{_list(table, names)}])::VARCHAR)" for names in (key, compared))
    return (
        f"CREATE TEMP TABLE {name} AS SELECT {k} AS k, {r} AS r, min({NUMBER}) AS first, count(*) AS n"
        f" FROM {table.source} GROUP BY k, r"
    )


def _list(table: Opened, names: Sequence[str]) -> str:
    return ", ".join(table.text(table.column(name)) for name in names)


def _changes(
    sides: Sequence[Opened], names: tuple[str, ...], keys: int, kind: str, offset: int, limit: int
) -> tuple[Change, ...]:
    """`names` are the key's columns, `keys` of them, then the compared ones."""
    wanted = "kind = ?" if kind else "kind <> ?"
    found = sides[0].fetch(
        f"SELECT kind, before, after, before_rows, after_rows FROM paired WHERE {wanted}"
        " ORDER BY kind = 'new' DESC, kind = 'changed' DESC, coalesce(after, before)"
        f" LIMIT {limit} OFFSET {max(0, offset)}",
        [kind or "same"],
    )
    was, now = (_texts(table, names, [one[at] for one in found]) for at, table in enumerate(sides, 1))
    changes = []
    for what, before, after, *rows in found:
        old, new = was.get(before), now.get(after)
        key = (new or old or ())[:keys]
        cells = _differences(names[keys:], (old or ())[keys:], (new or ())[keys:])
        numbers = [None if number is None else int(number) + 1 for number in (before, after)]
        changes.append(Change(what, tuple(map(_cut, key)), numbers[0], numbers[1], (int(rows[0]), int(rows[1])), cells))
    return tuple(changes)


def _texts(
    table: Opened, names: tuple[str, ...], numbers: list[int | None]
) -> dict[int | None, tuple[str | None, ...]]:
    """The cells of these rows as texts."""
    wanted = [number for number in numbers if number is not None]
    if not wanted:
        return {}
    sql = f"SELECT {NUMBER}, {_list(table, names)} FROM {table.source} WHERE {NUMBER} IN (SELECT unnest(?::BIGINT[]))"
    return {int(number): tuple(texts) for number, *texts in table.fetch(sql, [wanted])}


def _differences(
    names: tuple[str, ...], was: tuple[str | None, ...], now: tuple[str | None, ...]
) -> tuple[tuple[str, str | None, str | None], ...]:
    if not was or not now:
        return ()
    pairs = zip(names, was, now, strict=True)
    return tuple((name, _cut(old), _cut(new)) for name, old, new in pairs if old != new)


def _cut(text: str | None) -> str | None:
    return text if text is None else text[:CELL_CHARACTERS]
