"""Whether a query may be asked in slices of time, proved over its syntax tree, and its text for one slice.

A query is row-wise when each row of its answer comes from one row of one table, whatever other rows there are. Then the
answers over half-open slices [a, b) of the table's time column are, put together, the answer over all of it.

The slice's filter is written behind each table's name, before anything else sees its rows. The services' own time span
is not used for it: whether its ends belong to it is not documented. Because the filter stands first, the query may
change or drop the time column afterwards. What cannot be proved is refused, at the place that prevents it.

- A sort by the time column alone is allowed in the main pipeline: slices are then asked in that order, and the answers
  one after the other are sorted. Where the query has no sort and still has its time column, one is added.
- Subqueries (`in (T | ...)`, `toscalar(...)`) are allowed over constants only. Over a table they would have to see it
  whole in every slice, and rows that arrive between two slices would change what they say.
- Tables are those that are known to have the time column: any other name may be a saved function.
"""

from collections.abc import Collection, Mapping

from hunting.rowwise.edits import Refusal, Refused, Rowwise
from hunting.rowwise.reader import Reader
from kql.catalogue import TABLES
from kql.errors import KqlError
from kql.syntax.parser import parse
from kql.syntax.tokens import tokens

__all__ = ["Refusal", "Rowwise", "proof"]


def proof(text: str, time_column: str, tables: Mapping[str, Collection[str]] | None = None) -> Rowwise | Refusal:
    """Prove that a query may be sliced by `time_column`, or say what prevents it. Never raises on any text.

    `tables`: the tables known besides Microsoft's catalogue, and the datetime columns of each.
    """
    try:
        words = tokens(text)
        reader = Reader(text, time_column, words, _datetimes() | {k: frozenset(v) for k, v in (tables or {}).items()})
        return reader.query(parse(text))
    except Refused as refused:
        return refused.refusal
    except KqlError as error:
        return Refusal(f"This text could not be read: {error.message}", error.line or 1, error.column or 1)
    except RecursionError:
        return Refusal("The query is nested too deeply to be proved.", 1, 1)


def _datetimes() -> dict[str, frozenset[str]]:
    return {name: frozenset(c.name for c in columns if c.type == "datetime") for name, columns in TABLES.items()}
