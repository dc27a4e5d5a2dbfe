"""Functions that look at neighbouring rows of rows in an order.

https://learn.microsoft.com/en-us/kusto/query/window-functions
"""

from __future__ import annotations

from kql.translate.beside import Window
from kql.translate.conversions import common_type, convert
from kql.translate.functions.registry import Invocation, window
from kql.translate.values import INTEGERS, Sql, maybe_null


def _over(call: Invocation) -> Window:
    assert call.over is not None
    return call.over


def _kept(call: Invocation, index: int) -> Sql:
    """An argument that may itself look at neighbours."""
    return _over(call).keep_value(call.values[index])


def _result(call: Invocation, text: str, like: Sql) -> Sql:
    return maybe_null(_over(call).keep(text), like.type, like)


@window("prev next", 1, 3)
def neighbour(call: Invocation) -> Sql:
    """The value of an earlier or later row; the default, or null, where there is none."""
    offset = call.integer(1, 1)
    if offset < 0:
        raise call.unsupported(
            f"{call.name}() with a negative offset.", "Use prev() for earlier rows and next() for later ones."
        )
    value = _kept(call, 0)
    function = "lag" if call.name.lower() == "prev" else "lead"
    if call.count < 3:
        text = f"{function}({value.text}, {offset}) {_over(call).over()}"
        return _result(call, text, value)
    default = _kept(call, 2)
    kind = common_type([value.type, default.type])
    if kind is None:
        raise call.mismatch(2, f"a {value.type}", "The default has the type of the column.")
    value, default = convert(value, kind), convert(default, kind)
    text = f"{function}({value.text}, {offset}, {default.text}) {_over(call).over()}"
    return _result(call, text, value)


def _group(call: Invocation, index: int) -> str:
    """A column that tells the stretches of rows between restarts apart; empty where nothing restarts."""
    if index >= call.count:
        return ""
    restart = call.as_type(index, "bool")
    over = _over(call)
    flag = over.keep_value(restart)
    return over.keep(f"count_if({flag.text}) {over.running()}")


@window("row_number", 0, 2)
def row_number(call: Invocation) -> Sql:
    """The row's number, from a start that a condition goes back to."""
    start = call.integer(0, 1)
    over = _over(call)
    text = f"row_number() {over.over(_group(call, 1))}"
    return Sql(over.keep(text if start == 1 else f"{text} + {start - 1}"), "long", False)


@window("row_cumsum", 1, 2)
def row_cumsum(call: Invocation) -> Sql:
    """The sum of all rows up to this one, from 0 again where a condition holds."""
    value = _kept(call, 0)
    if value.type not in (*INTEGERS, "real"):
        raise call.mismatch(0, "an int, long or real", "Convert it first, with tolong() or todouble().")
    over = _over(call)
    total = f"coalesce(sum({value.text}) {over.running(_group(call, 1))}, 0)"
    if value.type == "real":
        return Sql(over.keep(f"CAST({total} AS DOUBLE)"), "real", False)
    return Sql(over.keep(f"CAST({total} AS BIGINT)"), "long", False)


def _ranks(call: Invocation) -> tuple[str, str, str]:
    """The stretch between restarts, the term, and the number of the stretch of same terms within it."""
    over = _over(call)
    term, group = _kept(call, 0), _group(call, 1)
    changed = over.keep(f"{term.text} IS DISTINCT FROM lag({term.text}, 1, {term.text}) {over.over(group)}")
    return group, term.text, over.keep(f"1 + count_if({changed}) {over.running(group)}")


@window("row_rank_dense", 1, 2)
def row_rank_dense(call: Invocation) -> Sql:
    """One more than the rank before, wherever the term is not the same as in the row before."""
    return Sql(f"CAST({_ranks(call)[2]} AS BIGINT)", "long", False)


@window("row_rank_min", 1, 2, note="Rows must be sorted by the term: a term that comes again later is an error.")
def row_rank_min(call: Invocation) -> Sql:
    """The number of the first row that has the term."""
    group, term, rank = _ranks(call)
    over = _over(call)
    number = over.keep(f"row_number() {over.over(group)}")
    within = f"{group}, " if group else ""
    first = over.keep(f"min({number}) OVER (PARTITION BY {within}{rank})")
    ever = over.keep(f"min({number}) OVER (PARTITION BY {within}{term})")
    text = f"CASE WHEN {first} = {ever} THEN {first} ELSE error('row_rank_min() needs rows sorted by its term.') END"
    return Sql(text, "long", False)


@window("row_window_session", 3, 4)
def row_window_session(call: Invocation) -> Sql:
    """The first moment of the session that a row belongs to.

    A session ends by a row that lies too far from its first or from the one before, by a null, or by a restart.
    """
    over = _over(call)
    moment = _kept(call, 0)
    if moment.type != "datetime":
        raise call.mismatch(0, "a datetime", "Convert it first, with todatetime().")
    first, between = call.as_type(1, "timespan"), call.as_type(2, "timespan")
    restart = _kept(call, 3).text if call.count == 4 else "false"
    time = over.keep(f"epoch_us({moment.text})")
    apart = f"coalesce({time} >= lag({time}) {over.over()} + {between.text}, true)"
    begins = over.keep(f"coalesce({restart}, false) OR {time} IS NULL OR {apart}")
    stretch = over.keep(f"count_if({begins}) {over.running()}")
    session = over.rewrite(
        lambda rows, name: _sessions(rows, name, (over.order, stretch, time, begins), first.text), stretch, time, begins
    )
    return maybe_null(f"make_timestamp({session})", "datetime", moment)


def _sessions(rows: str, name: str, columns: tuple[str, str, str, str], limit: str) -> str:
    """The rows with the start of each one's session: from each start to the next, in every stretch at once."""
    number, stretch, time, begins = columns
    return (
        f"WITH RECURSIVE beside AS MATERIALIZED ({rows}),"
        f" starts(place, stretch, time) AS ("
        f"SELECT {number}, {stretch}, {time} FROM beside WHERE {begins}"
        f" UNION ALL SELECT arg_min_null({number}, {number}), s.stretch, arg_min_null(b.{time}, {number})"
        f" FROM starts AS s JOIN beside AS b ON b.{stretch} = s.stretch AND b.{number} > s.place"
        f" AND b.{time} >= s.time + {limit} GROUP BY s.stretch)"
        f" SELECT beside.*, starts.time AS {name} FROM beside ASOF LEFT JOIN starts ON beside.{number} >= starts.place"
    )
