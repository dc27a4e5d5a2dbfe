"""The OpenAPI document: valid, and every operation with all that a caller needs."""

import json
from collections import defaultdict
from typing import Any

import jsonschema
import pytest
import yaml
from ninja import Schema
from openapi_spec_validator import OpenAPIV31SpecValidator

from config.api import api
from ircase.api.manner import description
from ircase.models import Scope

DOCUMENT = json.loads(json.dumps(api.get_openapi_schema()))
OPERATIONS = [
    (f"{method.upper()} {path.removeprefix('/api/v1')}", one)
    for path, methods in DOCUMENT["paths"].items()
    for method, one in methods.items()
]
EXAMPLES: dict[str, Any] = yaml.safe_load(description._EXAMPLES.read_text(encoding="utf-8"))


def named(one: dict[str, Any]) -> set[str]:
    return {parameter["name"] for parameter in one["parameters"]}


def test_it_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_operation_says_all_of_it() -> None:
    wrong = []
    for key, one in OPERATIONS:
        (requirement,) = one["security"]
        if not (one["summary"] and one["tags"] and "Needs the scope" in one["description"]):
            wrong.append(f"{key}: no summary, tags or description")
        if requirement != {"TokenAuth": [one["x-scope"]]} or one["x-scope"] not in Scope.values:
            wrong.append(f"{key}: {requirement}")
        if not {"400", "401", "403", "404", "422", "429", "500"} <= one["responses"].keys():
            wrong.append(f"{key}: errors are missing")
        if key.startswith("POST") != ("Idempotency-Key" in named(one)):
            wrong.append(f"{key}: Idempotency-Key")
    assert wrong == []


def test_summaries_are_words_of_ours() -> None:
    """Ninja makes one of the function's name where there is none."""
    made = [key for key, one in OPERATIONS if one["summary"].istitle() and len(one["summary"].split()) > 1]
    assert made == []


def test_every_list_is_paged() -> None:
    assert [
        key
        for key, one in OPERATIONS
        if key.startswith("GET")
        and one["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {}).get("type")
        == "array"
    ] == []


def test_what_is_changed_under_if_match_says_so() -> None:
    said = {key for key, one in OPERATIONS if "If-Match" in named(one)}
    assert {
        "PATCH /cases/{reference}", "POST /cases/{reference}/close", "PATCH /cases/{reference}/events/{uuid}",
        "PATCH /cases/{reference}/indicators/{uuid}", "PATCH /cases/{reference}/assets/{uuid}",
        "POST /cases/{reference}/checklist/{key}/finish", "PUT /cases/{reference}/notes/{uuid}",
        "PUT /cases/{reference}/comments/{uuid}", "PUT /playbooks/{slug}", "PUT /improvements/{uuid}",
        "PUT /cases/{reference}/hunts/watches/{uuid}",
    } <= said  # fmt: skip


def test_no_two_schemas_have_one_name() -> None:
    """In the document the later one would stand for both."""
    found: dict[str, set[str]] = defaultdict(set)

    def walk(kind: type[Any]) -> None:
        for one in kind.__subclasses__():
            if one.__module__.split(".")[0] in {"ircase", "hunting", "liveresponse"}:
                found[one.__name__].add(one.__module__)
            walk(one)

    walk(Schema)
    twice = {name: sorted(modules) for name, modules in found.items() if len(modules) > 1 and "[" not in name}
    assert twice == {}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_fits_its_schema(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    assert schema["examples"] == [EXAMPLES[name]]
    root = {**schema, "components": DOCUMENT["components"]}
    checker = jsonschema.Draft202012Validator(root, format_checker=jsonschema.FormatChecker())
    assert [error.message for error in checker.iter_errors(EXAMPLES[name])] == []
    assert set(EXAMPLES[name]) <= set(schema["properties"]), "a field that there is not"
