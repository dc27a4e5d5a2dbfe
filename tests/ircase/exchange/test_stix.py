"""STIX 2.1 bundles: valid for the OASIS validator and the stix2 library whatever a value holds, and always the same."""

import json
from dataclasses import replace
from typing import Any

import stix2
import stix2validator
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from stix2patterns.validator import run_validator

from ircase.exchange import stix
from ircase.exchange.stix import ids, markings
from ircase.exchange.stix.observables import observables
from ircase.exchange.stix.patterns import pattern_of
from ircase.exchange.texts import plain
from ircase.models import Indicator
from tests.ircase.exchange import data as made

Kind = Indicator.Kind
# Kinds whose values are free texts.
FREE = (
    Kind.DOMAIN, Kind.URL, Kind.EMAIL, Kind.EMAIL_SUBJECT, Kind.FILE_NAME, Kind.FILE_PATH, Kind.REGISTRY, Kind.PROCESS,
    Kind.MUTEX, Kind.USER_AGENT, Kind.ACCOUNT, Kind.SERVICE,
)  # fmt: skip
# What the standard only recommends and we do otherwise: ATT&CK's names of tactics are its own, and what relates an
# incident to what it touched is named by the incident extension; a page of the web has no digest.
OPTIONS = stix2validator.ValidationOptions(
    version="2.1", disabled=["custom-content", "relationship-types", "extref-hashes"]
)


def bundle(data: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stix.make(data).data)
    return found


def said(found: dict[str, Any], what: str) -> list[str]:
    result = stix2validator.validate_string(json.dumps(found), OPTIONS)
    results = result if isinstance(result, list) else [result]
    return [str(one) for part in results for one in (getattr(part, what) or [])]


def faults(found: dict[str, Any]) -> list[str]:
    return said(found, "errors")


def warnings(found: dict[str, Any]) -> list[str]:
    return said(found, "warnings")


def of_type(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in found["objects"] if one["type"] == kind]


def test_a_rich_case_is_valid_for_the_validator_and_for_the_library() -> None:
    found = bundle(made.rich())
    assert faults(found) == []
    assert warnings(found) == []
    parsed = stix2.parse(json.dumps(found), allow_custom=False)
    assert len(parsed.objects) == len(found["objects"])


def test_the_same_case_makes_the_same_bytes() -> None:
    assert stix.make(made.rich()).data == stix.make(made.rich()).data


def test_another_title_makes_another_bundle_with_the_same_incident() -> None:
    one = bundle(made.data())
    other = bundle(made.data(sender="Fabrikam"))
    assert one["id"] != other["id"]
    assert of_type(one, "incident")[0]["id"] == of_type(other, "incident")[0]["id"]


def test_every_reference_leads_to_an_object_of_the_bundle() -> None:
    found = bundle(made.rich())
    there = {one["id"] for one in found["objects"]}
    named = set()
    for one in found["objects"]:
        for name, value in one.items():
            if name.endswith("_ref"):
                named.add(value)
            elif name.endswith("_refs"):
                named.update(value)
    # The author of the extension's definition is OASIS.
    assert named - there == {"identity--8ce3f695-d5a4-4dc8-9e93-a65af453a31a"}


def test_indicators_bear_their_own_marking_and_the_incident_the_case_s() -> None:
    found = bundle(made.data(indicators=(made.indicator(tlp="green", pap="amber"),)))
    (one,) = of_type(found, "indicator")
    assert one["object_marking_refs"] == [markings.TLP_IDS["green"], markings.PAP_IDS["amber"]]  # type: ignore[index]
    (incident,) = of_type(found, "incident")
    assert incident["object_marking_refs"] == ["marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"]
    names = {one["name"] for one in of_type(found, "marking-definition")}
    assert names == {"TLP:AMBER", "TLP:GREEN", "PAP:AMBER"}


def test_an_observable_of_two_indicators_bears_the_more_closed_marking() -> None:
    seen = made.every_kind()[0].sightings
    two = (
        made.indicator(1, Kind.DOMAIN, "bad.example", tlp="clear", sightings=seen),
        made.indicator(2, Kind.DOMAIN, "bad.example", tlp="red", pap="amber", sightings=seen),
    )
    (thing,) = of_type(bundle(made.data(indicators=two)), "domain-name")
    assert thing["object_marking_refs"] == [markings.TLP_IDS["red"], markings.PAP_IDS["amber"]]  # type: ignore[index]


def test_rows_become_sightings_with_the_data_that_was_observed() -> None:
    found = bundle(made.data(indicators=(made.every_kind()[3],)))
    (sighting,) = of_type(found, "sighting")
    (observed,) = of_type(found, "observed-data")
    assert sighting["count"] == observed["number_observed"] == 3
    assert sighting["observed_data_refs"] == [observed["id"]]
    (address,) = of_type(found, "ipv4-addr")
    assert observed["object_refs"] == [address["id"]]


def test_a_person_s_tags_become_malware_and_tools_and_nothing_else_does() -> None:
    found = bundle(made.rich())
    assert [one["name"] for one in of_type(found, "malware")] == ["qakbot"]
    assert [one["name"] for one in of_type(found, "tool")] == ["psexec"]
    untagged = bundle(made.data(indicators=made.every_kind()))
    assert not of_type(untagged, "malware") and not of_type(untagged, "tool")


def test_techniques_carry_their_id_and_the_tactics_they_serve() -> None:
    found = {one["name"]: one for one in of_type(bundle(made.rich()), "attack-pattern")}
    run = found["Registry Run Keys / Startup Folder"]
    assert run["external_references"][0]["external_id"] == "T1547.001"
    assert run["external_references"][0]["url"] == "https://attack.mitre.org/techniques/T1547/001/"
    assert [phase["phase_name"] for phase in run["kill_chain_phases"]] == ["persistence", "privilege-escalation"]


def test_what_stix_has_no_object_for_is_left_out_by_name() -> None:
    left = {(one.what, one.name) for one in stix.make(made.rich()).left_out}
    assert {("indicator", "\\Updater"), ("indicator", "Forward"), ("indicator", "a word")} <= left
    assert ("event", "Told the bank") in left


def test_a_case_above_the_ceiling_says_neither_title_nor_summary() -> None:
    open_ = made.data()
    closed = replace(open_, case=replace(open_.case, title="", summary="", tlp="green"))
    (incident,) = of_type(bundle(closed), "incident")
    assert incident["name"] == "Incident IR-2026-0007" and "description" not in incident


@given(kind=st.sampled_from(FREE), value=made.hostile)
@settings(deadline=None, max_examples=150)
def test_no_value_ends_its_pattern(kind: str, value: str) -> None:
    pattern = pattern_of(kind, value)
    if not pattern:
        assert kind == Kind.FILE_PATH
        return
    assert run_validator(pattern, stix_version="2.1") == []
    comparisons = stix2.pattern_visitor.create_pattern_object(pattern, version="2.1")
    assert comparisons is not None


@given(value=made.hostile)
@settings(deadline=None, max_examples=60)
def test_a_quoted_value_is_read_as_it_was(value: str) -> None:
    pattern = pattern_of(Kind.PROCESS, value)
    found = stix2.pattern_visitor.create_pattern_object(pattern, version="2.1")
    assert found.operand.rhs.value.replace("\\'", "'").replace("\\\\", "\\") == plain(value) or "\\" in value


@given(kind=st.sampled_from(FREE), value=made.hostile, words=made.hostile, tag=made.hostile)
@settings(deadline=None, max_examples=12, phases=(Phase.explicit, Phase.generate))  # a bundle takes a while to shrink
def test_hostile_values_and_names_make_a_valid_bundle(kind: str, value: str, words: str, tag: str) -> None:
    seen = made.every_kind()[0].sightings
    one = made.indicator(1, kind, value, words=words, tags=(f"malware:{tag}", tag), sightings=seen)
    about = made.event(1, words, indicators=(made.number(1),))
    host = made.asset(1, name=value, words=words)
    found = bundle(made.data(indicators=(one,), events=(about,), assets=(host,), sender=words))
    assert faults(found) == []


def test_observables_have_the_ids_that_the_library_gives_them() -> None:
    for kind, value in made.VALUES.items():
        for thing in observables(kind, value):
            if thing["type"] == "process":
                continue
            bare = {name: part for name, part in thing.items() if name != "id"}
            if thing["type"] == "directory" or "parent_directory_ref" in thing:
                assert stix2.parse(thing, version="2.1").id == thing["id"]
            assert stix2.parse(bare, version="2.1").id == thing["id"], kind


@given(value=made.hostile)
@settings(deadline=None, max_examples=60)
def test_ids_of_observables_agree_with_the_library_for_any_text(value: str) -> None:
    expected = stix2.v21.Mutex(name=plain(value)).id
    assert ids.observable("mutex", {"name": plain(value)}) == expected
