"""Others' files: our own come back whole, everything hostile ends in a sentence."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from ircase.exchange import misp, stix
from ircase.exchange.reading import MOST_ITEMS, FileError, read
from ircase.exchange.reading.patterns import compared
from ircase.models import Indicator, LogEntry
from tests.cast import CastTestCase
from tests.ircase.exchange import data as made

Kind = Indicator.Kind


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def bundle(*objects: dict[str, Any]) -> bytes:
    return as_bytes({"type": "bundle", "id": "bundle--1", "objects": list(objects)})


def indicator(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "indicator", "pattern": pattern, "pattern_type": "stix", "name": "x", **more}


def test_our_own_bundle_comes_back_whole() -> None:
    found = read(stix.make(made.rich()).data)
    values = {(one.kind, one.value) for one in found.items if not one.note}
    gone = (Kind.TASK, Kind.MAILBOX_RULE, Kind.OTHER)
    expected = {(kind, value) for kind, value in made.VALUES.items() if kind not in gone} | {("domain", "c2.example")}
    full = {("registry", value.replace("HKCU", "HKEY_CURRENT_USER")) if kind == "registry" else (kind, value)
            for kind, value in expected}  # fmt: skip
    assert values == full
    assert found.sender == "Contoso CSIRT"
    assert {one.said.tlp for one in found.items} == {"green"} and {one.said.pap for one in found.items} == {"green"}
    assert dict(found.unknown) == {
        "objects of the type incident": 1, "objects of the type attack-pattern": 2, "objects of the type malware": 1,
        "objects of the type tool": 1,
    }  # fmt: skip


def test_our_own_misp_event_comes_back() -> None:
    found = read(misp.make(made.rich()).data)
    values = {(one.kind, one.value) for one in found.items}
    left = (Kind.MAILBOX_RULE, Kind.OTHER)
    assert {(kind, value) for kind, value in made.VALUES.items() if kind not in left} <= values
    # A URL brings its host, a path its name.
    assert values - set(made.VALUES.items()) == {("domain", "c2.example")}
    assert found.sender == "Contoso CSIRT" and {one.said.tlp for one in found.items} == {"amber"}


@pytest.mark.parametrize(
    ("pattern", "values", "whole"),
    [
        ("[ipv4-addr:value = '198.51.100.7']", [("ip", "198.51.100.7")], True),
        ("[file:hashes.MD5 = 'aa' OR file:hashes.'SHA-256' = 'bb']", [("md5", "aa"), ("sha256", "bb")], True),
        ("[file:hashes.'SHA1' IN ('aa', 'bb')]", [("sha1", "aa"), ("sha1", "bb")], True),
        ("[file:name = 'a.exe' AND file:parent_directory_ref.path = 'C:\\\\x']", [("file_path", "C:\\x\\a.exe")], True),
        (
            "[domain-name:value = 'a.example'] FOLLOWEDBY [url:value = 'b']",
            [("domain", "a.example"), ("url", "b")],
            True,
        ),
        ("[domain-name:value = 'a.example'] WITHIN 5 SECONDS", [("domain", "a.example")], False),
        ("[domain-name:value LIKE '%.example']", [], False),
        ("[domain-name:value NOT = 'a.example']", [], False),
        ("[process:name = 'x' AND mutex:name = 'm']", [("mutex", "m")], False),
        ("[mutex:name = 'it\\'s']", [("mutex", "it's")], True),
        ("", [], True),
    ],
)
def test_patterns_give_the_values_that_they_compare(pattern: str, values: list[Any], whole: bool) -> None:
    found = compared(pattern)
    assert (list(found.values), found.whole) == (values, whole)


def test_markings_of_tlp_1_and_of_the_bundle_are_understood() -> None:
    own = {"type": "marking-definition", "id": "marking-definition--x", "definition": {"tlp": "amber"}}
    one = indicator("[domain-name:value = 'a.example']",
                    object_marking_refs=["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"])  # fmt: skip
    two = indicator("[domain-name:value = 'b.example']", object_marking_refs=["marking-definition--x"])
    assert [one.said.tlp for one in read(bundle(own, one, two)).items] == ["green", "amber"]


def test_defanged_values_are_made_whole_and_shown_as_written() -> None:
    (one,) = read(bundle(indicator("[url:value = 'hxxps://bad[.]example/x']"))).items
    assert (one.value, one.written) == ("https://bad.example/x", "hxxps://bad[.]example/x")


def test_a_name_that_only_repeats_the_value_is_no_words() -> None:
    one = indicator("[mutex:name = 'abc']", name="Mutex: abc", description="Of the loader")
    two = indicator("[mutex:name = 'xyz']", name="Loader")
    assert [found.said.words for found in read(bundle(one, two)).items] == ["Of the loader", "Loader"]


def test_what_is_not_taken_is_counted_in_words() -> None:
    found = read(
        bundle(
            indicator("rule x {}", pattern_type="yara"),
            indicator("[domain-name:value = 'a.example']", revoked=True),
            indicator("[ipv4-addr:value = '10.0.0.0/8']"),
            {"type": "threat-actor", "name": "X"},
            {"type": 7},
        )  # fmt: skip
    )
    assert found.items == ()
    assert set(dict(found.unknown)) == {
        "indicators with a pattern of yara", "indicators that their sender took back", "a value that is no IP address",
        "objects of the type threat-actor", "a thing without a type",
    }  # fmt: skip


def test_composite_attributes_are_several_and_context_is_no_indicator() -> None:
    event = {"Event": {"info": "x", "Attribute": [
        {"type": "filename|sha256", "value": f"a.exe|{'a' * 64}", "to_ids": True},
        {"type": "ip-dst|port", "value": "198.51.100.7|443", "to_ids": True},
        {"type": "comment", "value": "seen twice"},
        {"type": "btc", "value": "1abc"},
        {"type": "domain", "value": "b.example", "to_ids": False},
        {"type": "domain", "value": "c.example", "deleted": True},
    ]}}  # fmt: skip
    found = read(as_bytes({"response": [event]}))
    assert [(one.kind, one.value, bool(one.note)) for one in found.items] == [
        ("file_name", "a.exe", False), ("sha256", "a" * 64, False), ("ip", "198.51.100.7", False),
        ("domain", "b.example", True),
    ]  # fmt: skip
    assert dict(found.unknown) == {"attributes of the type btc": 1, "attributes that their sender took back": 1}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "nested more than"),
        (b'{"a": ' * 70 + b"1" + b"}" * 70, "nested more than"),
        (b"[]", "neither a STIX bundle nor"),
        (b'{"type": "bundle"}', "is empty"),
        (b'{"type": "bundle", "objects": {}}', "is empty"),
        (b"1" * 5_000, "not valid JSON"),
        (b" " * (10 * 1024 * 1024 + 1), "larger than 10 MB"),
        (as_bytes({"type": "bundle", "objects": [0] * 50_001}), "at most 50,000"),
    ],
)
def test_files_that_are_none_end_in_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(FileError, match=words):
        read(data)


def test_more_than_a_form_holds_is_counted() -> None:
    found = read(bundle(*(indicator(f"[domain-name:value = 'd{n}.example']") for n in range(1000))))
    assert len(found.items) == MOST_ITEMS and found.more == 100


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | made.hostile,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["type", "pattern", "value", "hashes", "name", "objects", "Event", "Attribute", "Object", "Tag", "MD5",
         "object_marking_refs", "definition", "id", "valid_from", "comment", "Orgc", "revoked", "number"]), inner,
        max_size=6),
    max_leaves=25,
)  # fmt: skip
kinds = st.sampled_from(["indicator", "file", "ipv4-addr", "autonomous-system", "marking-definition", "identity", "x"])


@given(things=st.lists(st.builds(lambda kind, rest: {**rest, "type": kind}, kinds,
                                 st.dictionaries(st.sampled_from(["pattern", "hashes", "value", "name", "id", "number",
                                                                  "object_marking_refs", "definition", "labels"]),
                                                 json_value)), min_size=1, max_size=5))  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_no_bundle_breaks_the_reader(things: list[dict[str, Any]]) -> None:
    for one in read(bundle(*things)).items:
        assert one.value and one.kind in Kind.values


@given(attributes=st.lists(json_value, max_size=5), tags=json_value, org=json_value)
@settings(deadline=None, max_examples=100)
def test_no_event_breaks_the_reader(attributes: list[Any], tags: Any, org: Any) -> None:
    read(as_bytes({"Event": {"Attribute": attributes, "Object": attributes, "Tag": tags, "Orgc": org}}))


@given(pattern=st.text(st.sampled_from("[]()':=\\ aANDORIN,1-.*"), max_size=3000))
@settings(deadline=2000, max_examples=150)
def test_no_pattern_keeps_the_reader_busy(pattern: str) -> None:
    compared(pattern)
    compared("[a:b IN (" + pattern + ")]")


class PageTests(CastTestCase):
    def setUp(self) -> None:
        self.address = reverse("ircase:indicators_file", args=[self.case.reference])
        self.sign_in(self.bob)

    def upload(self, data: bytes, name: str = "bundle.json") -> Any:
        return self.client.post(self.address, {"file": SimpleUploadedFile(name, data)})

    def tokens(self, page: Any) -> list[str]:
        return [one.token for one in page.context["offered"] if one.chosen]

    def test_a_bundle_is_shown_and_the_chosen_ones_are_added(self) -> None:
        page = self.upload(stix.make(made.rich()).data)
        self.assertContains(page, "c2.example")
        self.assertContains(page, "Not taken")
        assert not Indicator.objects.filter(case=self.case).exists()
        chosen = {"verdict": "suspicious", "tlp": "clear", "pap": "clear", "tags": "wave-2"}
        reply = self.choose(self.tokens(page), sender="Contoso CSIRT", name="bundle.json", **chosen)
        self.assertRedirects(
            reply, reverse("ircase:entities", args=[self.case.reference]) + "#indicators", fetch_redirect_response=False
        )
        domain = Indicator.objects.get(case=self.case, value="c2.example")
        assert (domain.tlp, domain.pap, domain.verdict) == ("green", "green", "suspicious")
        assert domain.provenance["sender"] == "Contoso CSIRT" and domain.tags.get().name == "wave-2"
        assert domain.expires_at == made.FAR
        assert LogEntry.objects.get(action="indicator.file_read").detail["added"] == len(self.tokens(page))

    def choose(self, tokens: list[str], **more: str) -> Any:
        said = {"verdict": "unknown", "tlp": "amber", "pap": "amber", **more, "one": tokens}
        form = urlencode(said, doseq=True)
        return self.client.post(self.address, data=form, content_type="application/x-www-form-urlencoded")

    def test_inside_addresses_and_what_is_there_are_not_chosen(self) -> None:
        page = self.upload(bundle(indicator("[ipv4-addr:value = '10.1.2.3']"), indicator("[mutex:name = 'm']")))
        assert [(one.item.value, one.chosen) for one in page.context["offered"]] == [("10.1.2.3", False), ("m", True)]
        self.assertContains(page, "address of inside networks")

    def test_a_file_that_is_none_is_said_in_words(self) -> None:
        page = self.upload(b"<html>")
        self.assertContains(page, "not valid JSON", status_code=422)

    def test_hostile_text_is_only_text(self) -> None:
        page = self.upload(bundle(indicator("[mutex:name = '<script>alert(1)</script>']", name="<img src=x>")))
        self.assertNotContains(page, "<script>alert(1)")
        self.assertNotContains(page, "<img src=x>")

    def test_forged_choices_are_refused_by_name(self) -> None:
        tokens = ["no json", '["a"]', '{"kind": "nothing", "value": "x"}', '{"kind": "sha256", "value": "x"}',
                  '{"kind": "domain", "value": "a.example", "tlp": "purple", "first_seen": "never"}']  # fmt: skip
        self.choose(tokens)
        (one,) = Indicator.objects.filter(case=self.case)
        assert (one.value, one.tlp, one.first_seen) == ("a.example", "amber", None)

    def test_nothing_chosen_adds_nothing(self) -> None:
        self.choose([])
        assert not Indicator.objects.filter(case=self.case).exists()
