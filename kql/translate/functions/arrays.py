"""Arrays: what they hold, parts of them, and arrays made of values.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions#dynamicarray-functions
"""

from __future__ import annotations

from kql.translate.conversions import convert, to_dynamic
from kql.translate.functions.dynamics import JSON_NUMBERS, array, bound, element, elements, looked_at, made_of
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.rows import Field
from kql.translate.values import INTEGERS, NUMBERS, Sql, dynamic_kind, literal, maybe_null
from kql.types import KqlType

_MOST = 64
_RANGE_MOST = 1_048_576


@scalar("array_length arraylength", 1, page="array-length-function")
def array_length(call: Invocation) -> Sql:
    """How many elements; null for what is no array."""
    value = call.dynamic(0)
    if value.items is not None:
        return maybe_null(f"CAST(len({value.items}) AS BIGINT)", "long", value)
    count = "CASE WHEN json_type({0}) = 'ARRAY' THEN CAST(json_array_length({0}) AS BIGINT) END"
    return maybe_null(looked_at(value, count), "long", value)


@scalar("array_concat", 1, _MOST, note="Null where one argument is no array.")
def array_concat(call: Invocation) -> Sql:
    """All elements, one array after the other."""
    lists = [array(call, index) for index in range(call.count)]
    # || is NULL where one side is; list_concat would leave it out.
    return made_of(" || ".join(lists) if len(lists) > 1 else lists[0], *call.values)


@scalar("array_reverse", 1)
def array_reverse(call: Invocation) -> Sql:
    """The elements from the last to the first."""
    return made_of(f"list_reverse({array(call, 0)})", *call.values)


@scalar("array_sum", 1)
def array_sum(call: Invocation) -> Sql:
    """The sum as a real; null where one element is no number."""
    number = f"CASE WHEN json_type(e) IN {JSON_NUMBERS} THEN CAST(e AS DOUBLE) END"
    sums = "CASE WHEN list_count(s.n) = len(s.n) THEN coalesce(list_sum(s.n), 0.0) END"
    numbers = f"list_transform({array(call, 0)}, lambda e: {number})"
    return maybe_null(bound(sums, n=numbers), "real", *call.values)


@scalar("array_slice", 3)
def array_slice(call: Invocation) -> Sql:
    """The elements from one place to another, both in; negative places count from the end."""
    start, end = (_place(call.as_type(index, "long")) for index in (1, 2))
    return made_of(f"list_slice({array(call, 0)}, {start}, {end})", *call.values)


def _place(value: Sql) -> str:
    """A place counted from 0, or from the end where negative, as SQL counts them: from 1."""
    if value.literal is not None and isinstance(value.literal.value, int):
        return str(value.literal.value + (value.literal.value >= 0))
    return f"({value.text} + CASE WHEN {value.text} >= 0 THEN 1 ELSE 0 END)"


@scalar("array_index_of", 2, 5, note="-1 where the array is null, or no array.")
def array_index_of(call: Invocation) -> Sql:
    """The place of a value, counted from 0; -1 where it is not found."""
    if call.count == 2:
        text = f"coalesce(list_position({array(call, 0)}, {element(call.values[1])}) - 1, -1)"
        return maybe_null(f"CAST({text} AS BIGINT)", "long", *call.values)
    start, length, nth = (
        call.as_type(index, "long").text if index < call.count else default
        for index, default in ((2, "0"), (3, "-1"), (4, "1"))
    )
    first = "CASE WHEN s.f < 0 THEN greatest(len(s.a) + s.f, 0) ELSE s.f END"
    found = (
        f"list_filter(range(len(s.a)), lambda i: s.a[i + 1] IS NOT DISTINCT FROM s.v AND i >= {first}"
        f" AND (s.c < 0 OR i < {first} + s.c))"
    )
    body = f"CASE WHEN s.n >= 0 AND s.c >= -1 THEN coalesce({found}[s.n], -1) END"
    text = bound(body, a=array(call, 0), v=element(call.values[1]), f=start, c=length, n=nth)
    return maybe_null(f"CAST({text} AS BIGINT)", "long", *call.values)


@scalar("array_iff array_iif", 3, page="array-iff-function")
def array_iff(call: Invocation) -> Sql:
    """Element by element, one value or another: of an array its element at the same place, else the value itself."""
    truth = (
        "CASE WHEN json_type(e) = 'BOOLEAN' THEN CAST(e AS BOOLEAN)"
        f" WHEN json_type(e) IN {JSON_NUMBERS} THEN CAST(e AS DOUBLE) <> 0 END"
    )
    body = (
        f"list_transform(s.c, lambda e, i: CASE {truth} WHEN true THEN CASE WHEN s.x THEN s.ta[i] ELSE s.t END"
        " WHEN false THEN CASE WHEN s.y THEN s.fa[i] ELSE s.f END END)"
    )
    parts = {"c": array(call, 0)}
    for index, (one, many, flag) in enumerate((("t", "ta", "x"), ("f", "fa", "y")), 1):
        value = to_dynamic(call.values[index])
        plain = call.values[index].type != "dynamic"
        parts |= {
            one: value.text,
            many: "NULL::JSON[]" if plain else elements(value),
            flag: "false" if plain else f"coalesce({dynamic_kind(value)} = 'ARRAY', false)",
        }
    return made_of(bound(body, **parts), *call.values)


@scalar("array_sort_asc array_sort_desc", 1, 2, note="One array; its booleans, arrays and bags keep their order.")
def array_sort(call: Invocation) -> Sql:
    """Numbers first, then texts, then all other elements; nulls last, or first by a second argument ``false``."""
    if call.count == 2 and call.values[1].type != "bool":
        raise call.unsupported(
            f"{call.name}() of several arrays is not supported here.",
            "Pack the arrays with zip(), and use mv-apply with a sort in it.",
        )
    last = call.constant(1, True)
    order = "list_sort" if call.name.lower().endswith("asc") else "list_reverse_sort"
    pairs = "{'d': CAST(e AS DOUBLE), 'h': TRY_CAST(e AS HUGEINT), 'e': e}"
    numbers = f"list_filter(s.a, lambda e: json_type(e) IN {JSON_NUMBERS})"
    texts = "list_filter(s.a, lambda e: json_type(e) = 'VARCHAR')"
    others = f"json_type(e) NOT IN {JSON_NUMBERS} AND json_type(e) <> 'VARCHAR'"
    parts = [
        f"list_transform({order}(list_transform({numbers}, lambda e: {pairs})), lambda p: p.e)",
        f"list_transform({order}(list_transform({texts}, lambda e: e->>'$')), lambda t: to_json(t))",
        f"list_filter(s.a, lambda e: e IS NOT NULL AND {others})",
    ]
    nulls = "list_filter(s.a, lambda e: e IS NULL)"
    body = " || ".join([*parts, nulls] if last else [nulls, *parts])
    return made_of(bound(f"CASE WHEN s.a IS NOT NULL THEN {body} END", a=array(call, 0)), *call.values)


@scalar("array_rotate_left array_rotate_right", 2)
def array_rotate(call: Invocation) -> Sql:
    """The elements moved by some places, those that leave at one end coming in at the other."""
    size = "len(s.a)"
    by = f"(((s.n % nullif({size}, 0)) + {size}) % nullif({size}, 0))"
    body = f"CASE WHEN {size} = 0 THEN s.a ELSE s.a[{by} + 1:] || s.a[:{by}] END"
    return made_of(bound(body, a=array(call, 0), n=_leftward(call)), *call.values)


@scalar("array_shift_left array_shift_right", 2, 3)
def array_shift(call: Invocation) -> Sql:
    """The elements moved by some places; what comes in is the default: null, or empty among texts."""
    new = element(call.values[2]) if call.count == 3 else _empty_element("s.a")
    filled = "list_transform(range(least(abs(s.n), len(s.a))), lambda i: s.d)"
    body = (
        "CASE WHEN s.a IS NULL THEN NULL"
        f" WHEN s.n >= 0 THEN s.a[s.n + 1:] || {filled} ELSE {filled} || s.a[:greatest(len(s.a) + s.n, 0)] END"
    )
    inner = bound(body, a="s.a", n="s.n", d=new)
    return made_of(bound(inner, a=array(call, 0), n=_leftward(call)), *call.values)


def _empty_element(elements_: str) -> str:
    """What fills a place: an empty text among texts, else null."""
    texts = f"len(list_filter({elements_}, lambda e: json_type(e) = 'VARCHAR')) = len({elements_})"
    return f"CASE WHEN len({elements_}) > 0 AND {texts} THEN '\"\"'::JSON END"


def _leftward(call: Invocation) -> str:
    count = call.as_type(1, "long").text
    return f"(-{count})" if call.name.lower().endswith("right") else count


@scalar("array_split", 2)
def array_split(call: Invocation) -> Sql:
    """An array of arrays, cut at one place or several; negative places count from the end."""
    where = call.values[1]
    cuts = elements(where) if where.type == "dynamic" else f"[{call.as_type(1, 'long').text}]"
    if where.type == "dynamic":
        cuts = (
            f"CASE WHEN {dynamic_kind(where)} = 'ARRAY' THEN list_transform({cuts}, lambda e: TRY_CAST(e AS BIGINT))"
            f" ELSE [TRY_CAST({where.text} AS BIGINT)] END"
        )
    size = "CAST(len(s.a) AS BIGINT)"
    place = f"CASE WHEN i < 0 THEN greatest({size} + i, 0) ELSE least(i, {size}) END"
    inner = bound(
        "list_transform(range(len(s.c) + 1), lambda k: list_slice(s.a, ([0::BIGINT] || s.c)[k + 1] + 1,"
        f" (s.c || [{size}])[k + 1]))",
        a="s.a",
        c=f"list_transform(s.c, lambda i: {place})",
    )
    text = bound(f"CASE WHEN s.a IS NOT NULL THEN {inner} END", a=array(call, 0), c=cuts)
    return made_of(text, *call.values)


@scalar("zip", 2, 16)
def zipped(call: Invocation) -> Sql:
    """An array of the first elements, one of the second ones, and so on; a short array is filled with nulls."""
    names = [f"a{index}" for index in range(call.count)]
    parts = {name: array(call, index) for index, name in enumerate(names)}
    longest = f"greatest({', '.join(f'len(s.{name})' for name in names)})"
    known = " AND ".join(f"s.{name} IS NOT NULL" for name in names)
    row = ", ".join(f"s.{name}[i + 1]" for name in names)
    body = f"CASE WHEN {known} THEN list_transform(range({longest}), lambda i: [{row}]) END"
    return made_of(bound(body, **parts), *call.values)


@scalar("pack_array", 0, _MOST * 16)
def pack_array(call: Invocation) -> Sql:
    """An array of values; ``*`` stands for all columns."""
    cells: list[Sql] = []
    for index, value in enumerate(call.values):
        cells += [field.value for field in _fields(call)] if call.is_star(index) else [value]
    packed = ", ".join(to_dynamic(cell).text for cell in cells)
    return Sql(f"json_array({packed})", "dynamic", False, all(cell.constant for cell in cells))


def _fields(call: Invocation) -> tuple[Field, ...]:
    return call.compiler.rows.fields if call.compiler.rows is not None else ()


@scalar("range", 2, 3, note="At most 1,048,576 elements, as in Kusto.")
def range_array(call: Invocation) -> Sql:
    """An array of equally spaced values, the end in."""
    start, stop = call.values[0], call.values[1]
    kind = _range_type(call, start.type, stop.type)
    step_type: KqlType = "timespan" if kind == "datetime" else kind
    if call.count == 3:
        step = call.as_type(2, step_type)
    else:
        step = literal(1, "long") if kind in NUMBERS else Sql("3600000000::BIGINT", "timespan", False, True)
        step = convert(step, step_type)
    low, high = convert(start, kind).text, convert(stop, kind).text
    if kind == "datetime":
        low, high = f"epoch_us({low})", f"epoch_us({high})"
    count = "CAST(floor((s.b - s.a) / nullif(s.w, 0)) AS BIGINT) + 1"
    if kind != "real":
        onward = "CASE WHEN (s.b >= s.a) = (s.w > 0) OR s.a = s.b THEN 1 ELSE 0 END"
        count = f"CAST((s.b - s.a) // nullif(s.w, 0) AS BIGINT) + {onward}"
    item = "s.a + i * s.w"
    value = Sql(f"make_timestamp({item})" if kind == "datetime" else f"({item})", kind)
    body = f"list_transform(range(least(greatest({count}, 0), {_RANGE_MOST})), lambda i: {to_dynamic(value).text})"
    return made_of(bound(body, a=low, b=high, w=step.text), *call.values)


def _range_type(call: Invocation, low: KqlType, high: KqlType) -> KqlType:
    if low in NUMBERS and high in NUMBERS:
        kinds = {low, high} | ({call.values[2].type} if call.count == 3 else set())
        return "long" if kinds <= INTEGERS else "real"
    if low == high and low in ("datetime", "timespan"):
        return low
    raise call.mismatch(1, f"a {low}", "range() goes between numbers, datetimes or timespans.")


@scalar("repeat", 2)
def repeat(call: Invocation) -> Sql:
    """An array of one value some times; null where the number is negative."""
    body = "CASE WHEN s.n >= 0 THEN list_transform(range(s.n), lambda i: s.v) END"
    text = bound(body, v=to_dynamic(call.values[0]).text, n=call.as_type(1, "long").text)
    return made_of(text, *call.values)
