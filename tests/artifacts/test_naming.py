"""Names from outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.limits import MemberRefused
from artifacts.naming import column_name, identifier, safe_member_name, shown, table_name


@pytest.mark.parametrize(
    "name",
    [
        "../x", "a/../../x", "..", "/etc/passwd", "\\x", "C:\\x", "c:x", "a\\..\\..\\b", "a/NUL", "con", "Aux.txt",
        "x/COM1.log", "lpt9", "", "./", "//host/share",
    ],
)  # fmt: skip
def test_a_name_that_is_made_to_hurt_is_refused(name: str) -> None:
    with pytest.raises(MemberRefused):
        safe_member_name(name)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a\\b c\\d.csv", "a/b c/d.csv"),
        ("./a//b", "a/b"),
        ("a..b/c..", "a..b/c.."),
        ("console.log", "console.log"),
    ],
)
def test_a_harmless_name_is_kept(name: str, safe: str) -> None:
    assert safe_member_name(name) == safe


@given(st.text(max_size=80))
def test_no_name_ever_climbs_out(name: str) -> None:
    try:
        safe = safe_member_name(name)
    except MemberRefused:
        return
    assert not safe.startswith("/") and ".." not in safe.split("/") and "\\" not in safe


@given(st.text(max_size=300))
def test_every_text_gives_an_identifier_and_a_column(text: str) -> None:
    word = identifier(text)
    assert word.isascii() and word.isidentifier() and len(word) <= 122
    assert column_name(text, 3)
    assert all(character.isprintable() or character == " " for character in shown(text) if character < "\xa0")


@pytest.mark.parametrize(
    ("member", "table"),
    [
        ("AADAuditEvents.json", "AADAuditEvents"),
        ("x.zip!dir/Sign-ins 2021.csv", "Sign_ins_2021"),
        ("DeviceProcessEvents/part-0001.ndjson", "DeviceProcessEvents"),
        ("export.zip!0001.json.gz", "export"),
        ("2021.csv", "T_2021"),
        ("7days.csv", "T_7days"),
    ],
)
def test_table_names_come_from_the_file(member: str, table: str) -> None:
    assert table_name(member) == table
