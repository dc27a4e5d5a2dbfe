"""``evaluate``, ``invoke`` and ``externaldata``, by answers computed by hand from Microsoft's pages."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from kql import Column, KqlError, KqlSchemaError, KqlUnsupported, needs, validate
from kql.translate.context import TableSource
from kql.translate.query import Given, translate
from tests.kql.support import names, one, run, types

BAGS = (
    'datatable(Name:string, d:dynamic)["o", dynamic({"Name": "John", "Age": 20, "Mix": 1, "x.y": [1]}),'
    ' "p", dynamic({"Age": 40, "Mix": "s", "Real": 1.5}), "q", dynamic(null)]'
)
STORMS = (
    "datatable(State:string, EventType:string, Deaths:long)['AL', 'Wind', 1, 'AK', 'Wind', 2, 'AL', 'Rain', 4,"
    " 'AL', 'Wind', 5]"
)


def test_a_bag_becomes_columns() -> None:
    text = f"{BAGS} | project d | evaluate bag_unpack(d)"
    assert names(text) == ["Age", "Mix", "Name", "Real", "x.y"]
    assert types(text) == ["long", "dynamic", "string", "real", "dynamic"]
    assert run(text) == [(20, 1, "John", None, [1]), (40, "s", "", 1.5, None), (None, None, "", None, None)]


def test_conflicts_and_prefixes() -> None:
    with pytest.raises(KqlSchemaError, match="a column Name already"):
        run(f"{BAGS} | evaluate bag_unpack(d)")
    assert names(f"{BAGS} | evaluate bag_unpack(d, 'p_')") == ["Name", "p_Age", "p_Mix", "p_Name", "p_Real", "p_x.y"]
    some = "ignoredProperties=dynamic(['Mix', 'x.y', 'Real'])"
    kept = f"{BAGS} | evaluate bag_unpack(d, columnsConflict='keep_source', {some})"
    assert run(kept) == [("o", 20), ("p", 40), ("q", None)]
    replaced = f"{BAGS} | evaluate bag_unpack(d, columnsConflict='replace_source', {some}) | project Name, Age"
    assert run(replaced) == [("John", 20), ("", 40), ("", None)]
    with pytest.raises(KqlSchemaError, match="no way out"):
        run(f"{BAGS} | evaluate bag_unpack(d, columnsConflict='both')")


def test_the_columns_of_a_bag_may_be_said() -> None:
    assert run(f"{BAGS} | evaluate bag_unpack(d) : (*, Age:real, Zip:string)") == [
        ("o", 20.0, ""),
        ("p", 40.0, ""),
        ("q", None, ""),
    ]
    assert names(f"{BAGS} | evaluate bag_unpack(d) : (Age:long, Name:string)") == ["Age", "Name"]


def test_a_bag_without_keys_goes() -> None:
    assert names("print a = 1, d = dynamic({}) | evaluate bag_unpack(d)") == ["a"]


def test_what_comes_after_a_bag_is_typed() -> None:
    assert run(f"{BAGS} | project d | evaluate bag_unpack(d) | summarize s = sum(Age)") == [(60,)]
    with pytest.raises(KqlSchemaError, match="no column Agee"):
        run(f"{BAGS} | project d | evaluate bag_unpack(d) | where Agee > 1")
    with pytest.raises(KqlSchemaError, match="takes a bag apart"):
        run(f"{BAGS} | evaluate bag_unpack(Name)")


def test_pivot() -> None:
    text = f"{STORMS} | project State, EventType | evaluate pivot(State) | sort by EventType asc"
    assert names(text) == ["EventType", "AK", "AL"]
    assert run(text) == [("Rain", 0, 1), ("Wind", 1, 2)]
    assert run(f"{STORMS} | evaluate pivot(State, sum(Deaths)) | sort by EventType asc") == [
        ("Rain", 0, 4),
        ("Wind", 2, 6),
    ]
    most = f"{STORMS} | evaluate pivot(State, max(Deaths), EventType) | sort by EventType asc"
    assert run(most) == [("Rain", None, 4), ("Wind", 2, 5)]
    assert one(f"{STORMS} | project State | evaluate pivot(State)") == (1, 3)


def test_pivot_with_its_columns_said() -> None:
    text = f"{STORMS} | project State, EventType | evaluate pivot(State)"
    assert names(f"{text} : (EventType:string, AL:long, AK:long, WY:long)") == ["EventType", "AL", "AK", "WY"]
    with pytest.raises(KqlSchemaError, match="no column AK"):
        run(f"{text} : (EventType:string, AL:long)")


def test_pivot_needs_names() -> None:
    with pytest.raises(KqlError, match="is empty in some rows"):
        run("datatable(s:string, e:string)['', 'x'] | evaluate pivot(s)")


def test_narrow() -> None:
    text = "datatable(a:long, b:string)[1, 'x', long(null), ''] | sort by a desc | evaluate narrow()"
    assert types(text) == ["long", "string", "string"]
    assert run(text) == [(0, "a", "1"), (0, "b", "x"), (1, "a", ""), (1, "b", "")]


NETWORKS = (
    "let N = datatable(network:string, cc:string)['5.8.0.0/19', 'RU', '2.20.183.0/24', 'GB', '2.20.0.0/16', 'EU'];"
)


def test_addresses_in_networks() -> None:
    text = f"{NETWORKS} datatable(ip:string)['2.20.183.12', '5.8.1.2', '192.165.12.17', 'zz']"
    found = f"{text} | evaluate ipv4_lookup(N, ip, network)"
    assert names(found) == ["ip", "network", "cc"]
    assert sorted(run(f"{found} | project ip, cc")) == [("2.20.183.12", "EU"), ("2.20.183.12", "GB"), ("5.8.1.2", "RU")]
    whole = f"{text} | evaluate ipv4_lookup(N, ip, network, return_unmatched = true) | project ip, cc"
    assert sorted(run(whole))[0] == ("192.165.12.17", "")
    assert len(run(whole)) == 5


def test_an_address_with_a_mask_and_a_name_that_is_taken() -> None:
    text = f"{NETWORKS} datatable(cc:string, ip:string)['?', '5.8.0.0/10'] | evaluate ipv4_lookup(N, ip, network)"
    assert names(text) == ["cc", "ip", "network", "cc1"]
    assert run(text) == [("?", "5.8.0.0/10", "5.8.0.0/19", "RU")]


def test_addresses_of_version_6() -> None:
    text = (
        "let N = datatable(network:string, cc:string)['2001:0db8:85a3::/48', 'US', '2404:6800:4001::/48', 'JP'];"
        " datatable(ip:string)['2001:0db8:85a3:0000:0000:8a2e:0370:7334', 'a5e:f127:8a9d:146d:e102:b5d3:c755:abcd']"
    )
    assert names(f"{text} | evaluate ipv6_lookup(N, ip, network)") == ["network", "cc", "ip"]
    assert run(f"{text} | evaluate ipv6_lookup(N, ip, network) | project cc") == [("US",)]
    assert sorted(run(f"{text} | evaluate ipv6_lookup(N, ip, network, true) | project cc")) == [("",), ("US",)]


def test_what_lookups_refuse() -> None:
    with pytest.raises(KqlSchemaError, match="takes a table"):
        run(f"{NETWORKS} print ip = '1.1.1.1' | evaluate ipv4_lookup(N, ip)")
    with pytest.raises(KqlSchemaError, match="an address is a string"):
        run(f"{NETWORKS} print ip = 1 | evaluate ipv4_lookup(N, ip, network)")
    with pytest.raises(KqlUnsupported, match="more keys"):
        run(f"{NETWORKS} print ip = '1.1.1.1', cc = 'GB' | evaluate ipv4_lookup(N, ip, network, cc)")


@pytest.mark.parametrize("name", ["autocluster", "basket", "diffpatterns", "dcount_intersect", "sql_request", "python"])
def test_plugins_that_are_refused(name: str) -> None:
    with pytest.raises(KqlUnsupported, match=name) as caught:
        run(f"print x = 1\n| evaluate {name}(x)")
    assert (caught.value.line, caught.value.hint != "") == (2, True)


def test_validation_says_what_it_cannot_know() -> None:
    schema = {"T": (Column("d", "dynamic"), Column("s", "string"))}
    (found,) = validate("T | evaluate bag_unpack(d) | where Anything > 1", schema)
    assert (found.severity, found.code, found.line) == ("warning", "kql.shape", 1)
    assert "only known when the query runs" in found.message
    assert validate("T | project s | evaluate pivot(s)", schema)[0].severity == "warning"
    assert validate("T | evaluate bag_unpack(d) : (*, Anything:long) | where Anything > 1", schema) == ()
    assert validate("T | evaluate bag_unpack(s)", schema)[0].severity == "error"


def test_within_a_subquery_the_columns_must_be_said() -> None:
    rows = "datatable(k:string, d:dynamic)['a', dynamic({'x': 1})]"
    with pytest.raises(KqlUnsupported, match="cannot stand within"):
        run(f"{rows} | partition by k (evaluate bag_unpack(d))")
    assert run(f"{rows} | partition by k (evaluate bag_unpack(d) : (x:long))") == [(1,)]


# --- invoke, externaldata


def test_a_function_of_the_query_is_invoked() -> None:
    text = "let Scale = (T:(x:long), n:long = 2) { T | extend y = x * n };"
    assert run(f"{text} print x = 3, z = 'k' | invoke Scale(4)") == [(3, 12)]
    assert run(f"{text} print x = 3 | invoke Scale()") == [(3, 6)]
    with pytest.raises(KqlUnsupported, match="no function Nope"):
        run("print x = 1 | invoke Nope()")


PROFILES = TableSource(
    (
        Column("SHA1", "string"),
        Column("SHA256", "string"),
        Column("GlobalPrevalence", "long"),
        Column("Signer", "string"),
    ),
    "SELECT * FROM (VALUES ('AA', 'bb', 7, 'Contoso'), ('cc', 'dd', 900, ''), ('cc', 'dd', 900, ''))"
    " AS t(h1, h2, n, s)",
    ("h1", "h2", "n", "s"),
)


def answered(text: str, **given: Any) -> list[tuple[Any, ...]]:
    """A query's rows, with what an engine may be given."""
    connection = duckdb.connect(":memory:")
    return connection.execute(translate(text, {}, given=Given(**given)).sql).fetchall()


def test_file_profiles() -> None:
    rows = "datatable(SHA1:string, n:long)['aa', 1, 'CC', 2, 'zz', 3, '', 4]"
    text = f"{rows} | invoke FileProfile('SHA1', 500) | project n, GlobalPrevalence, Signer | sort by n asc"
    expected = [(1, 7, "Contoso"), (2, 900, ""), (3, None, ""), (4, None, "")]
    assert answered(text, profiles=PROFILES) == expected
    renamed = "print InitiatingProcessSHA256 = 'DD' | invoke FileProfile(InitiatingProcessSHA256) | project SHA1"
    assert answered(renamed, profiles=PROFILES) == [("cc",)]
    with pytest.raises(KqlUnsupported, match="Nothing is known of files"):
        run(f"{rows} | invoke FileProfile()")
    with pytest.raises(KqlSchemaError, match="1 to 1000"):
        answered(f"{rows} | invoke FileProfile(SHA1, 5000)", profiles=PROFILES)
    with pytest.raises(KqlSchemaError, match="column of hashes"):
        answered(f"{rows} | invoke FileProfile(n)", profiles=PROFILES)


def test_feeds_that_were_fetched() -> None:
    lines = [("10.0.0.1", "3"), ("10.0.0.2", "x")]
    values = ", ".join(f"('{one}', '{two}')" for one, two in lines)
    feed = TableSource(
        (Column("a", "string"), Column("b", "string")), f"SELECT * FROM (VALUES {values}) AS t(x, y)", ("x", "y")
    )
    text = "externaldata (ip:string, n:long) [h'https://feeds.example/list.csv'] with (format='csv')"
    key = needs(text).feeds[0].key
    assert answered(text, feeds={key: feed}) == [("10.0.0.1", 3), ("10.0.0.2", None)]
    with pytest.raises(KqlUnsupported, match="an administrator has allowed"):
        run(text)
    with pytest.raises(KqlUnsupported, match="does not read parquet"):
        run(text.replace("'csv'", "'parquet'"))
    with pytest.raises(KqlUnsupported, match="without ingestionMapping"):
        run(text.replace("format='csv'", "ingestionMapping='[]'"))


def test_a_translation_tells_that_it_looked() -> None:
    text = f"{BAGS} | project d | evaluate bag_unpack(d)"
    connection = duckdb.connect(":memory:")
    assert translate(text, {}, peek=lambda sql: connection.execute(sql).fetchall()).peeked
    assert not translate("print 1", {}).peeked
