"""Defender's CSV, the Navigator layer and the timeline for Timesketch."""

import csv
import dataclasses
import io
import json
import zipfile
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from mitreattack.navlayers import Layer

from ircase.curated import files
from ircase.exchange import defender, navigator, timeline
from ircase.exchange.model import SharedHunted
from ircase.models import Indicator
from tests.ircase.exchange import data as made

Kind = Indicator.Kind
ACTIONS = {"Allowed", "Audit", "BlockAndRemediate", "Warn", "Block"}
SEVERITIES = {"Informational", "Low", "Medium", "High"}


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def of(*indicators: Any, action: str = "audit") -> Any:
    return defender.make(made.data(indicators=indicators), action=action, now=made.NOW)


def test_rows_hold_what_microsoft_s_page_allows() -> None:
    made_of = defender.make(made.rich(), action="block", now=made.NOW - timedelta(days=1))
    found = rows(made_of.data)
    types = {"FileSha256", "FileSha1", "IpAddress", "DomainName", "Url"}
    assert {row["IndicatorType"] for row in found} == types and len(found) == 6
    for row in found:
        assert row["Action"] in ACTIONS and row["Severity"] in SEVERITIES and row["GenerateAlert"] in ("True", "False")
        assert row["Title"] and row["Description"] and row["IndicatorValue"]
        if row["ExpirationTime"]:
            datetime.strptime(row["ExpirationTime"], "%Y-%m-%dT%H:%M:%S.0Z")


def test_only_files_are_remediated() -> None:
    found = rows(of(made.indicator(1, Kind.SHA256), made.indicator(2, Kind.IP), action="block").data)
    assert {row["IndicatorType"]: row["Action"] for row in found} == {
        "FileSha256": "BlockAndRemediate",
        "IpAddress": "Block",
    }


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"kind": Kind.MUTEX}, "Defender has no indicator of this kind"),
        ({"verdict": "unknown"}, "its verdict is “not known”"),
        ({"expires_at": made.DAY}, "it has expired"),
        ({"value": "127.0.0.1"}, "it is an address of every device"),
        ({"value": "10.9.8.7"}, "it is an address of inside networks"),
        ({"kind": Kind.URL, "value": "ftp://bad.example/x"}, "Defender takes URLs of http and https"),
        ({"pap": "amber"}, "PAP:AMBER forbids what the attacker could notice; audit alone would do"),
    ],
)
def test_what_cannot_be_a_row_is_named_with_its_reason(more: dict[str, Any], why: str) -> None:
    product = of(made.indicator(1, **more), action="block")
    assert [one.why for one in product.left_out] == [why] and rows(product.data) == []


def test_an_audit_is_noticed_by_nobody_so_that_pap_amber_may_be_in_it() -> None:
    assert len(rows(of(made.indicator(1, pap="red")).data)) == 1


def test_more_than_500_are_several_files() -> None:
    product = of(*(made.indicator(n, Kind.DOMAIN, f"d{n}.example") for n in range(1, 1002)))
    assert product.suffix == ".zip" and dict(product.counts) == {"rows": 1001, "files": 3}
    with zipfile.ZipFile(io.BytesIO(product.data)) as archive:
        assert [len(rows(archive.read(name))) for name in archive.namelist()] == [500, 500, 1]
    assert product.data == of(*(made.indicator(n, Kind.DOMAIN, f"d{n}.example") for n in range(1, 1002))).data


def test_words_are_no_formulas() -> None:
    (row,) = rows(of(made.indicator(1, words="=HYPERLINK(1)")).data)
    assert row["Description"] == "HYPERLINK(1)"


def layer(data: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(navigator.make(data).data)
    return found


def test_the_layer_is_read_by_mitre_s_library() -> None:
    found = layer(made.rich())
    read = Layer(strict=True)
    read.from_str(json.dumps(found))
    back = read.to_dict()
    assert back["versions"] == {"layer": "4.5", "navigator": "5.1.0", "attack": "18"}
    assert {one["techniqueID"] for one in back["techniques"]} == {"T1547.001", "T1059.001", "T1547", "T1059"}


def test_scores_count_events_by_tactic() -> None:
    found = {(one["techniqueID"], one.get("tactic", "")): one for one in layer(made.rich())["techniques"]}
    assert found["T1547.001", "persistence"]["score"] == 2
    assert found["T1547.001", "persistence"]["comment"] == "A Run key was set\nAgain"
    assert found["T1059.001", ""]["score"] == 1
    assert found["T1547", ""]["showSubtechniques"] and "score" not in found["T1547", ""]


def test_what_was_hunted_for_in_vain_has_a_colour_and_a_legend_of_its_own() -> None:
    hunted = (SharedHunted("T1547.001", 1), SharedHunted("T1003.001", 2), SharedHunted("T1110", 1))
    found = layer(dataclasses.replace(made.rich(), hunted=hunted))
    entries = {(one["techniqueID"], one.get("tactic", "")): one for one in found["techniques"]}
    lsass = entries["T1003.001", ""]
    assert (lsass["score"], lsass["color"]) == (0, navigator.HUNTED)
    assert lsass["comment"] == "Hunted for 2 times, without a find"
    assert entries["T1003", ""]["showSubtechniques"] and "color" not in entries["T1003", ""]
    assert entries["T1110", ""]["color"] == navigator.HUNTED
    assert "color" not in entries["T1547.001", "persistence"]
    assert {item["color"] for item in found["legendItems"]} == {"#dc2626", navigator.HUNTED}
    Layer(strict=True).from_str(json.dumps(found))
    assert len(layer(made.rich())["legendItems"]) == 1


def test_a_case_without_techniques_is_an_empty_layer() -> None:
    assert layer(made.data())["techniques"] == []
    Layer(strict=True).from_str(navigator.make(made.data()).data.decode())


@given(title=made.hostile)
@settings(deadline=None, max_examples=30)
def test_hostile_titles_make_a_layer(title: str) -> None:
    found = navigator.make(made.data(events=(made.event(1, title, uses=(("T1059", ""),)),)))
    Layer(strict=True).from_str(found.data.decode("utf-8"))


def test_timesketch_finds_its_fields_in_every_line() -> None:
    lines = [json.loads(line) for line in timeline.make_jsonl(made.rich()).data.decode().splitlines()]
    assert len(lines) == 3
    for line in lines:
        at = datetime.fromisoformat(line["datetime"])
        assert at.tzinfo and line["message"] and line["timestamp_desc"]
        assert line["timestamp"] == int(at.timestamp()) * 1_000_000
    assert lines[0]["devices_and_accounts"] == ["device:ws-07"]
    assert lines[0]["techniques"] == ["T1547.001 Persistence", "T1059.001"]
    assert lines[2]["timestamp_desc"] == "Sometime between two times"


def test_the_csv_says_the_same_as_the_lines() -> None:
    found = rows(timeline.make_csv(made.rich()).data)
    lines = [json.loads(line) for line in timeline.make_jsonl(made.rich()).data.decode().splitlines()]
    assert [row["message"] for row in found] == [line["message"] for line in lines]
    assert json.loads(found[0]["techniques"]) == lines[0]["techniques"]


def test_our_own_timeline_reads_what_was_shared() -> None:
    read = files.read(timeline.make_jsonl(made.rich()).data)
    assert [one.texts["message"] for one in read] == ["A Run key was set", "Told the bank", "Again"]


@given(title=made.hostile)
@settings(deadline=None, max_examples=50)
def test_a_hostile_title_stays_in_its_line(title: str) -> None:
    assert len(timeline.make_jsonl(made.data(events=(made.event(1, title),))).data.split(b"\n")) == 2
    (row,) = rows(timeline.make_csv(made.data(events=(made.event(1, title),))).data)
    assert row["event_uuid"] == str(made.number(1001))
