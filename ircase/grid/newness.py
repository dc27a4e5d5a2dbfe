"""Which rows of a table were in none of the tables before it, however many those were.

What was seen is kept as a Parquet file of SHA-256 digests, one for each different row (or key). It is made from the
tables alone, so it can be lost and made anew. SHA-256, for the rows come from outside: nobody can make a row that
passes for another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ircase.grid.model import GridError
from ircase.grid.opened import NUMBER, Opened, connected
from kql.sql import quote_text
from kql.types import Column

SECONDS: Final = 900.0
Rows = tuple[Path, Sequence[Column]]


@dataclass(frozen=True)
class Fresh:
    """`new` of `rows` rows were not seen before; `first` are the numbers (from 1) of the first of them. `seen`: how
    many different rows (or keys) are known from here on."""

    rows: int
    new: int
    first: tuple[int, ...]
    seen: int


def fresh(
    now: Rows,
    *,
    key: Sequence[str],
    seen: Path | None,
    earlier: Sequence[Rows] = (),
    out_seen: Path,
    out_rows: Path,
    most: int = 5,
    seconds: float = SECONDS,
) -> Fresh:
    """Compare the table `now` with what is in the file `seen` and in the tables `earlier`.

    Rows are told apart by the columns `key`, or by all that they hold where there are none: order and columns without a
    value do not count. Writes the numbers of the new rows (from 0, column `hit`) to `out_rows` and all that is seen by
    then to `out_seen`. Raises GridError.
    """
    tables = [*earlier, now]
    read = [*(path for path, _ in tables), *([seen] if seen else [])]
    with (
        TemporaryDirectory(prefix="ircase-") as spill,
        connected(read, seconds, out=[out_seen, out_rows], spill=Path(spill)) as connection,
    ):
        doors = [Opened(connection, path, columns) for path, columns in tables]
        known = [f"SELECT k, NULL::BIGINT AS n FROM read_parquet({quote_text(str(seen))})"] if seen else []
        known += [_digests(one, key) for one in doors[: len(earlier)]]
        door = doors[-1]
        door.run(f"CREATE TEMP TABLE known AS SELECT DISTINCT k FROM ({' UNION ALL '.join(known) or _NOTHING})")
        door.run(f"CREATE TEMP TABLE present AS {_digests(door, key)}")
        door.run("CREATE TEMP TABLE hits AS SELECT n AS hit FROM present ANTI JOIN known USING (k) ORDER BY hit")
        door.run(f"COPY hits TO {quote_text(str(out_rows))} ({_FORMAT})")
        door.run(f"COPY (SELECT k FROM known UNION SELECT k FROM present) TO {quote_text(str(out_seen))} ({_FORMAT})")
        first = door.fetch("SELECT hit FROM hits ORDER BY hit LIMIT ?", [most])
        return Fresh(
            rows=door.scalar("SELECT count(*) FROM present"),
            new=door.scalar("SELECT count(*) FROM hits"),
            first=tuple(int(number) + 1 for (number,) in first),
            seen=door.scalar("SELECT count(*) FROM (SELECT k FROM known UNION SELECT k FROM present)"),
        )


_FORMAT: Final = "FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false"
_NOTHING: Final = "SELECT NULL::BLOB AS k, NULL::BIGINT AS n WHERE false"


def _digests(table: Opened, key: Sequence[str]) -> str:
    """A query for the digest `k` of every row of a table, and its number `n`."""
    text = _key_text(table, key) if key else _whole_text(table)
    return f"SELECT unhex(sha256({text})) AS k, {NUMBER}::BIGINT AS n FROM {table.source}"


def _key_text(table: Opened, key: Sequence[str]) -> str:
    missing = [name for name in key if name not in table.by_name]
    if missing:
        raise GridError(f"The result has no column {missing[0][:80]!r} any more, by which rows are told apart.")
    texts = ", ".join(table.text(table.column(name)) for name in key)
    return f"to_json([{texts}])::VARCHAR"


def _whole_text(table: Opened) -> str:
    """The row as JSON texts, so that no two different rows look alike, by the columns' names; without those that are
    null, for a source leaves out a column in which nothing stands."""
    parts = []
    for name in sorted(table.stored):
        text = table.text(table.column(name))
        parts.append(f"{quote_text(name)} || chr(0) || to_json({text})::VARCHAR")
    return f"concat_ws(chr(1), {', '.join(parts) or quote_text('')})"
