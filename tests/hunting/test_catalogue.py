"""The library: every file sound, every query runnable here, every mistake in a file named."""

from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

import kql
from hunting import checks
from hunting.catalogue import hunts, matching, packs, read_hunt
from ircase.catalogue import CatalogueError
from kql.catalogue import TABLES
from tests.hunting.stage import frozen_hunt

GIVEN = {"TargetDevice": "ws01.contoso.com", "TargetAccount": "bob@contoso.com", "FileNames": "loader.exe"}
IDS = (
    "account-sign-ins", "device-alerts", "device-inbound-connections", "device-logons", "device-malicious-activity",
    "device-powershell", "device-process-list", "file-activity", "lateral-movement", "lsass-access", "mailbox-activity",
    "office-connections", "registry-run-keys", "scheduled-tasks", "service-installs", "smb-connections",
)  # fmt: skip


def test_the_library_and_the_packs_are_there() -> None:
    assert set(IDS) <= set(hunts())
    assert {"device-triage", "account-triage"} <= set(packs())
    assert checks.library_is_sound() == []


@pytest.mark.parametrize("hunt_id", IDS)
def test_a_hunt_runs_over_empty_tables_and_has_its_time_column(hunt_id: str) -> None:
    hunt = hunts()[hunt_id]
    named = {p.name for p in hunt.parameters}
    frozen = frozen_hunt(hunt_id, **{name: value for name, value in GIVEN.items() if name in named})
    tables = [kql.Table(name, (), columns=TABLES[name]) for name in hunt.tables]
    with kql.query(frozen.kql, tables, prelude=frozen.prelude) as result:
        assert list(result) == []
    columns = {column.name: column.type for column in result.columns}
    assert columns[hunt.time_column] == "datetime"


def test_search() -> None:
    assert [h.id for h in matching(hunts().values(), text="lsass")] == ["lsass-access"]
    assert "registry-run-keys" in [h.id for h in matching(hunts().values(), technique="T1547")]
    assert {h.entity for h in matching(hunts().values(), entity="account")} == {"account"}
    assert matching(hunts().values(), text="no such words at all") == []


SOUND = """
id: sound
version: 1
title: Sound
description: A hunt for the test.
entity: device
sources: [defender, case]
tables: [DeviceEvents]
parameters:
  - { name: TargetDevice, type: device_name, required: true, fill: asset.device.name }
kql: |
  DeviceEvents | where DeviceName == TargetDevice
time_column: Timestamp
techniques: [T1059.001]
meaning: What a hit means is said here, in a sentence of some length.
false_positives: []
references: []
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: sound", "id: other", "named after it"),
        ("DeviceEvents]", "DeviceNope]", "DeviceNope is not in"),
        ("TargetDevice, type", "DeviceName, type", "name of a column"),
        ("TargetDevice, type", "DEVICENAME, type", "name of a column"),
        ("== TargetDevice", "== 'x'", "not used in the query"),
        ("type: device_name", "type: hostname", "is no type"),
        ("required: true,", "required: true, default: 'a b',", "DNS name"),
        ("asset.device.name", "asset.planet.name", "does not match"),
        ("T1059.001", "X1059", "does not match"),
        ("sources: [defender, case]", "sources: [splunk]", "is not one of"),
        ("version: 1", "version: one", "is not of type"),
        ("references: []", "references: []\nextra: 1", "extra"),
        ("entity: device", "entity: [", "not readable YAML"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "sound.yaml"
    path.write_text(SOUND)
    assert read_hunt(path).id == "sound"
    path.write_text(SOUND.replace(old, new))
    with pytest.raises(CatalogueError, match="sound.yaml") as error:
        read_hunt(path)
    assert said in str(error.value)


def test_the_shipped_playbooks_name_only_what_is_shipped() -> None:
    assert checks.playbooks_name_what_exists() == []
    item = SimpleNamespace(hunts=("registry-run-keys", "no-such-hunt"))
    plan = SimpleNamespace(id="plan", packs=("no-such-pack",), items=(item,))
    with mock.patch("hunting.checks.playbooks.playbooks", return_value={"plan": plan}):
        found = checks.playbooks_name_what_exists()
    assert [problem.id for problem in found] == ["hunting.W003", "hunting.W003"]
    assert "no-such-pack" in found[0].msg and "no-such-hunt" in found[1].msg


def test_the_tables_must_be_those_of_the_query(tmp_path: Path) -> None:
    path = tmp_path / "sound.yaml"
    path.write_text(SOUND.replace("[DeviceEvents]", "[DeviceEvents, DeviceInfo]"))
    (problem,) = checks._tables_are_named(read_hunt(path))
    assert problem.id == "hunting.E002" and "DeviceInfo" in problem.msg
