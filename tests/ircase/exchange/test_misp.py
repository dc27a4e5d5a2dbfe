"""MISP events: loaded by pymisp, valid by its types, categories, templates and schema, the same when read back."""

import importlib.resources
import json
from typing import Any

import jsonschema
import pymisp
import pymispgalaxies
import pytest
from hypothesis import given, settings
from pymisp.abstract import describe_types

from ircase.exchange import misp
from ircase.exchange.misp import attributes
from ircase.models import Indicator
from tests.ircase.exchange import data as made

Kind = Indicator.Kind


def event_of(data: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(misp.make(data).data)["Event"]
    return found


def loaded(data: Any) -> pymisp.MISPEvent:
    event = pymisp.MISPEvent()
    event.load(json.loads(misp.make(data).data))
    return event


def test_a_rich_case_is_loaded_and_read_back_the_same() -> None:
    event = loaded(made.rich())
    assert event.info == "Loader on WS-07" and str(event.date) == "2026-11-20"
    assert (event.threat_level_id, event.analysis, event.distribution) == (1, 1, 0)
    again = pymisp.MISPEvent()
    again.load(event.to_json())
    assert {one.value for one in again.attributes} == {one.value for one in event.attributes}
    assert len(again.objects) == len(event.objects) == 5


def test_the_event_fits_pymisp_s_schema() -> None:
    schema = json.loads((importlib.resources.files("pymisp") / "data/schema-lax.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(misp.make(made.rich()).data), schema)


def test_every_type_belongs_to_its_category() -> None:
    known = describe_types["category_type_mappings"]
    event = event_of(made.rich())
    every = [*event["Attribute"], *(part for one in event["Object"] for part in one["Attribute"])]
    assert [one for one in every if one["type"] not in known[one["category"]]] == []


@pytest.mark.parametrize(
    "template", [attributes.FILE, attributes.URL, attributes.EMAIL, attributes.PROCESS, attributes.ACCOUNT]
)
def test_objects_follow_the_published_template(template: attributes.Template) -> None:
    known = pymisp.MISPObject(template.name, strict=True)
    assert (known.template_uuid, str(known.template_version)) == (template.uuid, template.version)
    assert known._definition["meta-category"] == template.category
    for one in event_of(made.rich())["Object"]:
        if one["name"] == template.name:
            named = {part["object_relation"]: part["type"] for part in one["Attribute"]}
            assert {name: known._definition["attributes"][name]["misp-attribute"] for name in named} == named


def test_only_what_was_judged_bad_may_detect() -> None:
    judged = [made.indicator(1, verdict="malicious"), made.indicator(2, Kind.DOMAIN, verdict="unknown")]
    found = {one["type"]: one["to_ids"] for one in event_of(made.data(indicators=tuple(judged)))["Attribute"]}
    assert found == {"ip-dst": True, "domain": False}


def test_markings_and_techniques_are_tags() -> None:
    event = event_of(made.rich())
    tags = {one["name"] for one in event["Tag"]}
    assert tags == {
        "tlp:amber",
        'misp-galaxy:mitre-attack-pattern="PowerShell - T1059.001"',
        'misp-galaxy:mitre-attack-pattern="Registry Run Keys / Startup Folder - T1547.001"',
    }
    (domain,) = [one for one in event["Attribute"] if one["value"] == "c2.example"]
    assert {"tlp:green", "PAP:GREEN", "ircase:wave-1"} <= {one["name"] for one in domain["Tag"]}


def test_the_galaxy_knows_the_tag() -> None:
    known = pymispgalaxies.Clusters()["mitre-attack-pattern"]
    assert known.get("PowerShell - T1059.001") is not None


def test_what_has_no_target_is_left_out_by_name() -> None:
    assert [(one.what, one.name) for one in misp.make(made.rich()).left_out] == [("asset", "Payroll")]


def test_a_title_cannot_break_the_timeline_s_table() -> None:
    (report,) = event_of(made.data(events=(made.event(1, "a | b\n# c [x](javascript:1)"),)))["EventReport"]
    row = report["content"].splitlines()[-1]
    assert "\\|" in row and "\\[x\\]" in row and row.count(" | ") == 2


@given(value=made.hostile, words=made.hostile)
@settings(deadline=None, max_examples=40)
def test_hostile_values_are_loaded(value: str, words: str) -> None:
    kinds = (Kind.DOMAIN, Kind.URL, Kind.FILE_PATH, Kind.PROCESS, Kind.OTHER, Kind.REGISTRY)
    some = tuple(made.indicator(place, kind, value, words=words, tags=(words,)) for place, kind in enumerate(kinds, 1))
    event = misp.make(made.data(indicators=some, events=(made.event(1, words),), sender=words))
    assert json.loads(event.data)["Event"]["uuid"]
    pymisp.MISPEvent().load(json.loads(event.data))
