"""Where addresses are.

Kusto reads MaxMind's GeoLite2 (https://learn.microsoft.com/en-us/kusto/query/geo-info-from-ip-address-function);
no copy of it is delivered here: an administrator supplies one. The addresses that the rows have are looked up while the
query is translated, and the query reads their table.
"""

from __future__ import annotations

import duckdb

from kql.errors import KqlUnsupported
from kql.syntax.cursor import place
from kql.translate.context import PlaceBook
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.values import Sql, literal, maybe_null


@scalar(
    "geo_info_from_ip_address",
    1,
    page="geo-info-from-ip-address-function",
    note="By the GeoLite2 database that an administrator supplies; without one it is refused. The bag has the keys"
    " that the database knows. Null where it knows nothing.",
)
def geo_info(call: Invocation) -> Sql:
    """A bag of country, state, city, latitude and longitude."""
    places = call.compiler.translation.places
    if places is None:
        raise call.unsupported(
            "It needs a GeoLite2 City database, and none is installed.",
            "An administrator can supply one; or look addresses up by a table of networks, with evaluate"
            " ipv4_lookup(), or run the query in the tenant.",
        )
    address = call.string(0)
    if address.constant:
        return literal(places.of(str(call.constant(0))), "dynamic")
    table = _looked_up(call, places, address)
    return maybe_null(f"(SELECT p.bag FROM {table} AS p WHERE p.ip = {address.text})", "dynamic", address)


def _looked_up(call: Invocation, places: PlaceBook, address: Sql) -> str:
    translation, rows = call.compiler.translation, call.compiler.rows
    here = "geo_info_from_ip_address() goes by a column of a table at hand, and here it stands too deep for that."
    hint = "Give the column to it in an extend of its own, before this step."
    if rows is None or call.compiler.sides is not None:
        raise call.unsupported(here, hint)
    sql = translation.standalone(f"SELECT {address.text} FROM ({rows.sql})", call.name, call.span)
    translation.peeked = True
    try:
        return places.table(sql)
    except duckdb.BinderException as error:
        raise KqlUnsupported(here, **place(call.span), hint=hint, detail=str(error)) from error
