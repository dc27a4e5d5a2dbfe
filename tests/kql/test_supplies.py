"""What a query is given beside its tables: feeds, file profiles, places of addresses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kql import (
    PROFILE_COLUMNS,
    Column,
    KqlError,
    KqlFeedRefused,
    KqlUnsupported,
    Supplies,
    Table,
    Wanted,
    needs,
    query,
    validate,
    wanted_profiles,
    write_parquet,
)
from kql.places import BadDatabase, Unlooked, places_info
from tests.kql.support import result, table
from tests.mmdb import BUILT, city, write_mmdb

SYDNEY = {
    "country": "Australia",
    "state": "New South Wales",
    "city": "Sydney",
    "latitude": -33.8715,
    "longitude": 151.2006,
}
ONE, TWO, THREE = "a1" * 20, "b2" * 20, "c3" * 20


def rows(text: str, *tables: Table, supplies: Supplies) -> list[tuple[Any, ...]]:
    return list(result(text, *tables, supplies=supplies))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    networks = {
        "20.53.203.0/24": city("Australia", "New South Wales", "Sydney", (-33.8715, 151.2006)),
        "8.8.8.0/24": city("United States"),
        "2a03:2880::/32": city("United States", "Florida", "Boca Raton", (26.3594, -80.0771)),
        "9.9.9.0/24": {"traits": {}},
    }
    return write_mmdb(tmp_path_factory.mktemp("places") / "city.mmdb", networks)


@pytest.fixture
def hits(tmp_path: Path) -> Table:
    cells = [("20.53.203.50", 1), ("8.8.8.8", 2), ("no address", 3), ("", 4), ("20.53.203.50", 5), ("9.9.9.9", 6)]
    return table(tmp_path, "Hits", {"IP": "string", "n": "long"}, cells)


# --- places


def test_a_constant_address_is_looked_up(places: Path) -> None:
    supplies = Supplies(places=places)
    assert rows("print geo_info_from_ip_address('20.53.203.50')", supplies=supplies) == [(SYDNEY,)]
    six = "let ip = '2a03:2880:f12c:83:face:b00c::25de'; print tostring(geo_info_from_ip_address(ip).city)"
    assert rows(six, supplies=supplies) == [("Boca Raton",)]
    assert rows("print isnull(geo_info_from_ip_address('192.0.2.1'))", supplies=supplies) == [(True,)]


def test_a_column_of_addresses_is_looked_up(places: Path, hits: Table) -> None:
    text = "Hits | extend g = geo_info_from_ip_address(IP) | project n, c = tostring(g.country), g.city | sort by n asc"
    assert rows(text, hits, supplies=Supplies(places=places)) == [
        (1, "Australia", "Sydney"),
        (2, "United States", None),
        (3, "", None),
        (4, "", None),
        (5, "Australia", "Sydney"),
        (6, "", None),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hits | where geo_info_from_ip_address(IP).country == 'Australia' | count", [(2,)]),
        (
            "Hits | summarize n = count() by c = tostring(geo_info_from_ip_address(IP).country) | sort by c asc",
            [("", 3), ("Australia", 2), ("United States", 1)],
        ),
        ("Hits | summarize s = make_set(tostring(geo_info_from_ip_address(IP).city)) | project array_length(s)",
         [(2,)]),
        (
            "let f = (T:(IP:string)) { T | extend g = geo_info_from_ip_address(IP) };"
            " Hits | where n == 1 | invoke f() | project g.longitude",
            [(151.2006,)],
        ),
        ("Hits | where n < 3 | as A | union (A) | where isnotnull(geo_info_from_ip_address(IP)) | count", [(4,)]),
        ("Hits | sort by n asc | extend g = geo_info_from_ip_address(strcat(IP, '')) | take 1 | project g.city",
         [("Sydney",)]),
    ],
)  # fmt: skip
def test_a_lookup_may_stand_anywhere(places: Path, hits: Table, text: str, expected: list[Any]) -> None:
    assert rows(text, hits, supplies=Supplies(places=places)) == expected


def test_a_lookup_that_cannot_stand_there_is_refused(places: Path, hits: Table) -> None:
    inside = "Hits | partition by n (extend geo_info_from_ip_address(IP))"
    with pytest.raises(KqlUnsupported, match="within mv-apply"):
        rows(inside, hits, supplies=Supplies(places=places))
    with pytest.raises(KqlUnsupported, match="stands too deep"):
        rows("Hits | sort by n asc | extend geo_info_from_ip_address(prev(IP))", hits, supplies=Supplies(places=places))


def test_without_a_database_the_function_is_refused(hits: Table) -> None:
    with pytest.raises(KqlUnsupported, match="none is installed"):
        rows("Hits | extend geo_info_from_ip_address(IP)", hits, supplies=Supplies())


def test_a_check_knows_the_function_where_there_is_a_database(places: Path, hits: Table) -> None:
    text = "Hits | extend g = geo_info_from_ip_address(IP) | where g.country == 'x' | project Nope"
    assert [each.message for each in validate(text, [hits], supplies=Supplies(places=places))] == [
        "There is no column Nope here."
    ]
    assert "none is installed" in validate(text, [hits])[0].message
    assert Unlooked().of("1.1.1.1") is None


def test_a_database_says_what_it_is(places: Path, tmp_path: Path) -> None:
    about = places_info(places)
    assert (about.kind, about.built_at) == ("GeoLite2-City", BUILT)
    with pytest.raises(BadDatabase, match="GeoLite2-ASN"):
        places_info(write_mmdb(tmp_path / "asn.mmdb", {"1.0.0.0/8": {}}, kind="GeoLite2-ASN"))


@given(cut=st.integers(0, 600), at=st.integers(0, 600), byte=st.integers(0, 255))
@settings(max_examples=60)
def test_a_broken_database_is_told(tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, byte: int) -> None:
    folder = tmp_path_factory.mktemp("broken")
    whole = write_mmdb(folder / "whole.mmdb", {"1.0.0.0/8": city("Nowhere")}).read_bytes()
    broken = bytearray(whole[: max(len(whole) - cut, 1)])
    broken[at % len(broken)] = byte
    (folder / "broken.mmdb").write_bytes(broken)
    try:
        assert places_info(folder / "broken.mmdb").nodes >= 0
    except BadDatabase as error:
        assert "database" in str(error)


def test_the_child_process_reads_the_database_too(places: Path, hits: Table) -> None:
    text = "Hits | where n == 2 | project tostring(geo_info_from_ip_address(IP).country)"
    with query(text, [hits], supplies=Supplies(places=places)) as answer:
        assert list(answer) == [("United States",)]


# --- feeds

FEED = "externaldata (ip:string, n:long, more:dynamic) [h@'https://feeds.example/a.csv'] with (ignoreFirstRecord=true)"


def feed_table(folder: Path) -> Table:
    lines = folder / "feed.ndjson"
    cells = [{"ip": "10.0.0.1", "n": "3", "more": {"k": 1}}, {"ip": "10.0.0.2", "n": "x", "more": None}]
    lines.write_text("".join(json.dumps(each) + "\n" for each in cells))
    columns = [Column("ip", "string"), Column("n", "string"), Column("more", "dynamic")]
    write_parquet(lines, columns, folder / "feed.parquet")
    return Table("feed", (folder / "feed.parquet",))


def test_a_query_tells_which_feeds_it_reads() -> None:
    (use,) = needs(f"let x = {FEED}; union x, ({FEED})").feeds
    assert use.addresses == ("https://feeds.example/a.csv",)
    assert (use.format, use.ignore_first, use.line, use.column) == ("", True, 1, 9)
    assert [column.name for column in use.columns] == ["ip", "n", "more"]
    two = needs("externaldata (a:string) ['https://x.example/1', @'https://x.example/2'] with (format=CSV)").feeds[0]
    assert (two.addresses, two.format) == (("https://x.example/1", "https://x.example/2"), "csv")


def test_a_query_tells_whether_it_asks_about_files_and_places() -> None:
    assert not needs("T | where a == 1")
    assert needs("T | invoke FileProfile(SHA1)").profiles
    assert not needs("let FileProfile = (T:(*)) { T }; T | invoke FileProfile()").profiles
    assert needs("T | extend geo_info_from_ip_address(x)").places


def test_a_feed_is_read_with_the_types_declared(tmp_path: Path) -> None:
    supplies = Supplies(feeds={needs(FEED).feeds[0].key: feed_table(tmp_path)})
    assert rows(FEED, supplies=supplies) == [("10.0.0.1", 3, {"k": 1}), ("10.0.0.2", None, None)]
    with query(f"{FEED} | count", [], supplies=supplies) as answer:
        assert list(answer) == [(2,)]
    assert validate(f"{FEED} | project ip, n + 1", [], supplies=supplies) == ()


def test_a_feed_that_is_not_read_is_refused_with_its_place_and_reason() -> None:
    supplies = Supplies(refused={"https://feeds.example/a.csv": "The feed is switched off."})
    with pytest.raises(KqlFeedRefused, match="switched off") as caught:
        rows(f"print 1;\n{FEED}".replace("print 1;", "let a = 1;"), supplies=supplies)
    assert (caught.value.line, caught.value.subject) == (2, "https://feeds.example/a.csv")
    (found,) = validate(FEED, [])
    assert (found.code, found.subject, found.severity) == ("kql.feed", "https://feeds.example/a.csv", "error")
    assert "an administrator has allowed" in found.message


# --- file profiles


def profiles(folder: Path, *known: dict[str, Any]) -> Table:
    lines = folder / "profiles.ndjson"
    lines.write_text("".join(json.dumps(each) + "\n" for each in known))
    write_parquet(lines, PROFILE_COLUMNS, folder / "profiles.parquet")
    return Table("FileProfiles", (folder / "profiles.parquet",))


@pytest.fixture
def files(tmp_path: Path) -> Table:
    cells = [(ONE.upper(), 1), (TWO, 2), (TWO, 3), ("", 4), ("not a hash", 5), (THREE, 6)]
    return table(tmp_path, "Files", {"SHA1": "string", "n": "long"}, cells)


def test_the_files_that_a_query_asks_about(tmp_path: Path, files: Table) -> None:
    supplies = Supplies(profiles=profiles(tmp_path))
    assert wanted_profiles("Files | invoke FileProfile()", [files], supplies=supplies) == (
        Wanted("SHA1", (ONE, TWO, THREE), 3),
    )
    few = wanted_profiles("Files | where n < 4 | invoke FileProfile(SHA1, 1)", [files], supplies=supplies)
    assert few == (Wanted("SHA1", (ONE,), 2),)
    assert wanted_profiles("Files | count", [files], supplies=supplies) == ()


def test_a_call_after_a_filter_on_the_first_asks_when_the_first_is_known(tmp_path: Path, files: Table) -> None:
    text = (
        "Files | invoke FileProfile() | where GlobalPrevalence < 10"
        " | project InitiatingProcessSHA256 = SHA256 | invoke FileProfile(InitiatingProcessSHA256)"
    )
    unknown = wanted_profiles(text, [files], supplies=Supplies(profiles=profiles(tmp_path)))
    assert unknown == (Wanted("SHA1", (ONE, TWO, THREE), 3), Wanted("SHA256", (), 0))
    known = profiles(tmp_path, {"SHA1": TWO, "SHA256": "d4" * 32, "GlobalPrevalence": 3})
    assert wanted_profiles(text, [files], supplies=Supplies(profiles=known))[1] == Wanted("SHA256", ("d4" * 32,), 1)


def test_rows_are_given_what_is_known_whatever_the_case_of_the_hash(tmp_path: Path, files: Table) -> None:
    known = profiles(
        tmp_path,
        {"SHA1": ONE, "GlobalPrevalence": 7, "IsCertificateValid": True, "ProfileAvailability": "Available"},
        {"SHA1": TWO, "ProfileAvailability": "Missing"},
    )
    text = "Files | invoke FileProfile() | project n, GlobalPrevalence, IsCertificateValid, ProfileAvailability"
    assert rows(f"{text} | sort by n asc", files, supplies=Supplies(profiles=known)) == [
        (1, 7, True, "Available"),
        (2, None, None, "Missing"),
        (3, None, None, "Missing"),
        (4, None, None, ""),
        (5, None, None, ""),
        (6, None, None, ""),
    ]


def test_errors_keep_their_place_in_the_persons_text(files: Table) -> None:
    with pytest.raises(KqlError, match="Nothing is known of files") as caught:
        wanted_profiles("Files\n| invoke FileProfile()", [files], prelude="let A = 1;\nlet B = 2;\n")
    assert caught.value.line == 2
