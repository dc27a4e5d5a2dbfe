"""The seams of duckdb-kql on which the additions stand: another version must be looked at before it is used."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest
from duckdb_kql import lower, schema, translate

from kql.dialect import install
from kql.dialect.statement import read


def test_the_version_is_the_one_the_additions_were_made_for() -> None:
    assert version("duckdb-kql") == "1.1.2"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (lower, "_name_text"),
        (lower, "_string_value"),
        (lower, "_lower_function_call"),
        (lower, "_lower_head"),
        (lower, "_lower_operator"),
        (lower, "_lower_sort_key"),
        (lower, "_lower_join_key"),
        (schema, "_operator_columns_unchecked"),
        (schema, "_no_case_collision"),
        (schema, "match_wildcard"),
        (translate, "render_table_ref"),
        (translate, "_render_scoped"),
        (translate, "render_operator"),
        (translate, "render_join"),
        (translate, "render_lookup"),
        (translate, "render_union"),
        (translate, "_render_aggregate_call"),
    ],
)
def test_each_seam_is_taken(module: object, name: str) -> None:
    taken = getattr(module, name)
    assert inspect.getmodule(taken).__name__.startswith("kql.dialect"), name


def test_installing_twice_changes_nothing() -> None:
    before = translate.render_operator
    install.install()
    assert translate.render_operator is before


def test_a_bare_serialize_keeps_every_place() -> None:
    text = "T // | serialize\n| where x == '| serialize' | serialize\n| serialize n = 1"
    statement = read(text)
    assert len(statement.text) == len(text)
    assert statement.text == "T // | serialize\n| where x == '| serialize' | getschema\n| serialize n = 1"
