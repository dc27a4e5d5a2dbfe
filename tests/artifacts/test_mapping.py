"""The mapping files: checked, applied, documented."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.conversions import CONVERSIONS
from artifacts.document import PATH, text
from artifacts.mapping import MappingError, load_rules
from artifacts.records import Record
from artifacts.spool import PROVENANCE
from kql.catalogue import TABLES
from tests.artifacts.conftest import Loaded, codes, counts, ndjson, rows

HEAD = "providers: [P]\ngroups: {g: {FileName: Image}}\nevents:\n"


def test_the_document_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == text(), "run `python -m artifacts.document`"


def test_every_event_id_the_document_promises_is_mapped() -> None:
    rules = load_rules()
    sysmon = {number for provider, number in rules if provider == "microsoft-windows-sysmon"}
    assert sysmon >= {1, 3, 6, 7, 8, 10, 11, 12, 13, 14, 17, 18, 21, 22, 23, 26}
    security = {number for provider, number in rules if provider == "microsoft-windows-security-auditing"}
    assert security >= {4624, 4625, 4648, 4657, 4688, 4697, 4698, 4699, 4702, 4720, 4726, 4732, 5145, 5156}
    assert ("service control manager", 7045) in rules and ("microsoft-windows-eventlog", 1102) in rules
    assert all(rule.source.startswith("https://") for found in rules.values() for rule in found)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("{id: 1, title: t, table: Nope, action: A, source: s}", "no table"),
        ("{id: 1, title: t, table: DeviceEvents, action: A, source: s, columns: {Nope: X}}", "no column"),
        (
            "{id: 1, title: t, table: DeviceEvents, action: A, source: s, columns: {FileName: X | nope}}",
            "no conversion",
        ),
        (
            "{id: 1, title: t, table: DeviceEvents, action: A, source: s, columns: {FileName: '@nope'}}",
            "names no field",
        ),
        ("{id: 1, title: t, table: DeviceEvents, action: A, source: s, use: [h]}", "no group"),
        ("{id: 1, title: t, table: DeviceEvents, action: {by: X}, source: s}", "an action is"),
        ("{id: 1, title: t, table: DeviceEvents, action: A, source: s, colour: red}", "unknown key"),
    ],
)
def test_a_broken_mapping_says_what_is_wrong(tmp_path: Path, event: str, message: str) -> None:
    (tmp_path / "m.yaml").write_text(f"{HEAD}  - {event}\n")
    with pytest.raises(MappingError, match=message):
        load_rules(tmp_path)


ANY = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60) | st.lists(st.integers(), max_size=2)
)


@given(st.sampled_from(sorted(CONVERSIONS)), ANY)
def test_no_value_breaks_a_conversion(name: str, value: Any) -> None:
    CONVERSIONS[name](value)


@given(st.integers(0, 200), st.data())
def test_no_data_breaks_a_rule_and_every_cell_has_a_column(pick: int, data: st.DataObject) -> None:
    rules = [rule for found in load_rules().values() for rule in found]
    rule = rules[pick % len(rules)]
    names = sorted(
        {name for _, source in (*rule.columns, *rule.additional) for name in source.fields if name[0] != "@"}
    )
    fields = data.draw(st.dictionaries(st.sampled_from(names or ["x"]), ANY, max_size=6))
    fields.update({name: next(iter(sorted(allowed))) for name, allowed in rule.when})
    row = rule.row(Record(provider="p", event_id=1, channel="c", computer="h", data=fields)) or {}
    known = {column.name for column in (*TABLES[rule.table], *PROVENANCE)}
    assert set(row) <= known


@pytest.mark.parametrize(
    ("conversion", "value", "expected"),
    [
        ("registry_key", "HKLM\\SOFTWARE\\X", "HKEY_LOCAL_MACHINE\\SOFTWARE\\X"),
        ("registry_key", "\\REGISTRY\\MACHINE\\SYSTEM\\X", "HKEY_LOCAL_MACHINE\\SYSTEM\\X"),
        ("registry_key", "HKU\\S-1-5-21-1-2-3-500\\Software", "HKEY_CURRENT_USER\\S-1-5-21-1-2-3-500\\Software"),
        ("registry_key", "\\REGISTRY\\USER\\S-1-5-18\\X", "HKEY_CURRENT_USER\\S-1-5-18\\X"),
        ("registry_key", "HKU\\.DEFAULT\\X", "HKEY_USERS\\.DEFAULT\\X"),
        ("registry_key", "HKCR\\exefile", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes\\exefile"),
        ("registry_key", "HKLMX\\y", "HKLMX\\y"),
        ("registry_parent", "HKLM\\A\\B\\Value", "HKEY_LOCAL_MACHINE\\A\\B"),
        ("registry_value", "HKLM\\A\\B\\Value", "Value"),
        ("registry_value", "HKLM\\A\\(Default)", None),
        ("registry_data", "DWORD (0x0000000a)", "10"),
        ("registry_data", "QWORD (0x00000001-0x00000002)", "4294967298"),
        ("registry_data", "C:\\x.exe", "C:\\x.exe"),
        ("registry_data_type", "DWORD (0x0000000a)", "Dword"),
        ("sha1", "SHA1=AB12,MD5=CD,SHA256=EF,IMPHASH=00", "ab12"),
        ("md5", "SHA1=AB12,MD5=CD", "cd"),
        ("sha256", "SHA256=0000", None),
        ("int", "0x3e7", 999),
        ("int", "12", 12),
        ("int", "twelve", None),
        ("port", "0", None),
        ("port", "3389", 3389),
        ("ip", "::ffff:10.0.0.5", "10.0.0.5"),
        ("ip", "fe80::1%5", "fe80::1"),
        ("ip", "LOCAL", None),
        ("ip_type", "10.0.0.5", "Private"),
        ("ip_type", "8.8.8.8", "Public"),
        ("ip_type", "203.0.113.9", "Public"),
        ("ip_type", "fd00::1", "Private"),
        ("ip_type", "127.0.0.1", "Loopback"),
        ("ip_type", "0.0.0.0", "Unspecified"),
        ("ip_type", "169.254.1.1", "LinkLocal"),
        ("ip_type", "224.0.0.252", "Multicast"),
        ("account_name", "THESHIRE\\PGustavo", "pgustavo"),
        ("account_domain", "NT AUTHORITY\\SYSTEM", "nt authority"),
        ("file_name", "C:\\Windows\\System32\\cmd.exe", "cmd.exe"),
        ("file_name", "System", "System"),
        ("logon_type", "10", "RemoteInteractive"),
        ("failure", "0xc000006a", "InvalidUserNameOrPassword"),
        ("failure", "0x0", None),
        ("elevation", "%%1937", "TokenElevationTypeFull"),
        ("integrity", "S-1-16-12288", "High"),
        ("protocol", "17", "Udp"),
        ("protocol", "tcp", "Tcp"),
        ("bool", "%%1842", True),
        ("text", " - ", None),
    ],
)
def test_conversions(conversion: str, value: Any, expected: Any) -> None:
    assert CONVERSIONS[conversion](value) == expected


def sysmon(number: int, **data: str) -> dict[str, Any]:
    return {
        "event_id": number,
        "log_name": "Microsoft-Windows-Sysmon/Operational",
        "source_name": "Microsoft-Windows-Sysmon",
        "computer_name": "WS01.Contoso.com",
        "@timestamp": "2021-01-01T00:00:09Z",
        "record_number": "77",
        "event_data": {"UtcTime": "2021-01-01 00:00:00.123", **data},
    }


def test_what_a_process_did_carries_how_it_was_started(run: Loaded) -> None:
    start = sysmon(
        1, ProcessGuid="{AA-1}", Image="C:\\Windows\\System32\\cmd.exe", CommandLine="cmd /c x", User="CONTOSO\\Ann",
        ProcessId="42", ParentProcessGuid="{AA-0}", ParentImage="C:\\Windows\\explorer.exe", ParentProcessId="7",
        Hashes="SHA1=AB,MD5=CD", IntegrityLevel="High", LogonId="0x3e7",
    )  # fmt: skip
    wrote = sysmon(
        11, ProcessGuid="{aa-1}", ProcessId="42", Image="C:\\Windows\\System32\\cmd.exe", TargetFilename="C:\\t\\a.exe"
    )
    report = run({"e.json": ndjson(start, wrote)})
    (process,) = rows(report, "DeviceProcessEvents")
    assert (process["FileName"], process["FolderPath"]) == ("cmd.exe", "C:\\Windows\\System32\\cmd.exe")
    assert process["DeviceName"] == "ws01.contoso.com"
    assert process["DeviceId"] == "e5a2d08ea02fbee53f812d14521ea5a90f07357a"  # printf ws01.contoso.com | sha1sum
    assert (process["LogonId"], process["ProcessId"], process["ReportId"]) == (999, 42, 77)
    assert process["InitiatingProcessFileName"] == "explorer.exe"
    (file,) = rows(report, "DeviceFileEvents")
    assert (file["FileName"], file["ActionType"]) == ("a.exe", "FileCreated")
    assert file["InitiatingProcessCommandLine"] == "cmd /c x" and file["InitiatingProcessAccountName"] == "ann"
    assert file["InitiatingProcessParentFileName"] == "explorer.exe" and file["InitiatingProcessSHA1"] == "ab"
    assert str(file["InitiatingProcessCreationTime"]) == "2021-01-01 00:00:00.123000"


def test_local_and_remote_change_places_with_the_direction(run: Loaded) -> None:
    ends = {"SourceIp": "10.0.0.1", "SourcePort": "50000", "DestinationIp": "203.0.113.9", "DestinationPort": "443"}
    report = run({"e.json": ndjson(sysmon(3, Initiated="true", **ends), sysmon(3, Initiated="false", **ends))})
    found = {
        row["ActionType"]: (row["LocalIP"], row["LocalPort"], row["RemoteIP"], row["RemotePort"], row["RemoteIPType"])
        for row in rows(report, "DeviceNetworkEvents")
    }
    assert found == {
        "ConnectionSuccess": ("10.0.0.1", 50000, "203.0.113.9", 443, "Public"),
        "InboundConnectionAccepted": ("203.0.113.9", 443, "10.0.0.1", 50000, "Private"),
    }


@pytest.mark.parametrize(
    ("status", "sub_status", "reason"),
    [
        ("0xc000006d", "0xc0000064", "UnknownUser"),
        ("0xc0000234", "0x0", "AccountLockedOut"),
        ("0xc000015b", "0x0", "LogonTypeNotGranted"),
        ("0xc0000192", "0x0", "0xc0000192"),
    ],
)
def test_a_failed_logon_says_why_also_without_a_sub_status(
    run: Loaded, status: str, sub_status: str, reason: str
) -> None:
    event = {
        "EventID": 4625,
        "Hostname": "ws01.contoso.com",
        "Channel": "Security",
        "SourceName": "Microsoft-Windows-Security-Auditing",
        "EventTime": "2021-01-01 00:00:00",
        "TargetUserName": "anna",
        "LogonType": "3",
        "Status": status,
        "SubStatus": sub_status,
    }
    (row,) = rows(run({"e.json": ndjson(event)}), "DeviceLogonEvents")
    assert row["FailureReason"] == reason and json.loads(row["AdditionalFields"])["SubStatus"] == sub_status


def test_a_registry_event_is_split_by_what_happened(run: Loaded) -> None:
    path = "HKU\\S-1-5-21-1-2-3-500\\Software\\Run\\Updater"
    report = run(
        {
            "e.json": ndjson(
                sysmon(12, EventType="CreateKey", TargetObject=path),
                sysmon(12, EventType="DeleteValue", TargetObject=path),
                sysmon(13, EventType="SetValue", TargetObject=path, Details="DWORD (0x00000001)"),
                sysmon(12, EventType="Strange", TargetObject=path),
            )
        }
    )
    found = {row["ActionType"]: row for row in rows(report, "DeviceRegistryEvents")}
    user = "HKEY_CURRENT_USER\\S-1-5-21-1-2-3-500\\Software\\Run"
    assert set(found) == {"RegistryKeyCreated", "RegistryValueDeleted", "RegistryValueSet"}
    assert found["RegistryKeyCreated"]["RegistryKey"] == f"{user}\\Updater"
    assert (found["RegistryValueSet"]["RegistryKey"], found["RegistryValueSet"]["RegistryValueName"]) == (
        user,
        "Updater",
    )
    assert found["RegistryValueSet"]["RegistryValueData"] == "1"
    assert found["RegistryValueDeleted"]["PreviousRegistryValueName"] == "Updater"


def test_one_event_in_every_carrier_gives_the_same_row(run: Loaded) -> None:
    data = {"UtcTime": "2021-01-01 00:00:00.123", "Image": "C:\\a.exe", "ProcessId": "5", "TargetFilename": "C:\\b.txt"}
    old = sysmon(11, **{name: value for name, value in data.items() if name != "UtcTime"})
    new = {
        "@timestamp": "2021-01-01T00:00:09Z",
        "winlog": {
            "event_id": "11", "channel": old["log_name"], "provider_name": old["source_name"], "record_id": 77,
            "computer_name": old["computer_name"], "event_data": data,
        },
    }  # fmt: skip
    nxlog = {
        "EventID": 11, "Channel": old["log_name"], "SourceName": old["source_name"], "Hostname": old["computer_name"],
        "RecordNumber": 77, "EventTime": "2020-12-31 19:00:00", **data,
    }  # fmt: skip
    dumped = {
        "Event": {
            "System": {
                "Provider": {"#attributes": {"Name": old["source_name"]}}, "EventID": {"#text": 11},
                "Channel": old["log_name"], "Computer": old["computer_name"], "EventRecordID": 77,
                "TimeCreated": {"#attributes": {"SystemTime": "2021-01-01T00:00:01Z"}},
            },
            "EventData": data,
        }
    }  # fmt: skip
    report = run({"e.json": ndjson(old, new, nxlog, dumped)})
    found = rows(report, "DeviceFileEvents")
    assert len(found) == 4 and all(row == found[0] for row in found)


@pytest.mark.parametrize(
    ("utc", "wall", "never"),
    [
        ("2021-01-01 05:00:00.000", "2021-01-01 00:00:00", "9999-12-31 23:59:59"),
        ("2021-01-01 00:00:00.000", "2021-01-01 05:00:00", "0001-01-01 00:00:00"),
    ],
)
def test_a_time_that_means_never_stops_no_load(run: Loaded, utc: str, wall: str, never: str) -> None:
    frame = {"EventID": 11, "Hostname": "ws01", "Channel": "S", "SourceName": "Microsoft-Windows-Sysmon"}
    both = {**frame, "EventTime": wall, "UtcTime": utc}
    report = run({"e.json": ndjson(both, both, both, {**frame, "EventTime": never}, {**frame, "EventTime": wall})})
    found = rows(report, "DeviceFileEvents")
    assert sorted(str(row["Timestamp"]) for row in found) == sorted([utc[:19]] * 4 + [never])
    assert [row["TimeSource"] for row in found if str(row["Timestamp"]) == never] == ["EventTime (offset unknown)"]
    assert codes(report) == ["event.zone"]


@pytest.mark.parametrize("system", [[1], "x", 5, None])
def test_what_only_looks_like_an_event_is_a_row(run: Loaded, system: Any) -> None:
    assert counts(run({"e.json": ndjson({"Event": {"System": system}})})) == {"e": 1}


def test_the_security_channel_ignores_case(run: Loaded) -> None:
    base = {
        "EventID": 4688,
        "Hostname": "h",
        "SourceName": "Microsoft-Windows-Security-Auditing",
        "@timestamp": "2021-01-01T00:00:00Z",
    }
    made = {
        "NewProcessName": "C:\\x.exe",
        "NewProcessId": "0x10",
        "ProcessId": "0x4",
        "SubjectUserName": "ANN",
        "TargetUserName": "-",
    }
    report = run({"e.json": ndjson({**base, **made, "Channel": "security"}, {**base, **made, "Channel": "SECURITY"})})
    assert report.table("SecurityEvent").rows == 2
    process = rows(report, "DeviceProcessEvents")[0]
    assert (process["ProcessId"], process["InitiatingProcessId"], process["AccountName"]) == (16, 4, "ann")
    raw = rows(report, "SecurityEvent")[0]
    assert (raw["NewProcessId"], raw["Process"], raw["Account"]) == ("0x10", "x.exe", "ANN")


def test_event_data_is_wellformed_xml_whatever_stands_in_it(run: Loaded) -> None:
    import xml.etree.ElementTree as ElementTree

    event = sysmon(1, CommandLine='a <b> & "c" \x00\x1b\ufffe end', **{'na"me<': "x"})
    report = run({"e.json": ndjson(event)})
    (row,) = rows(report, "Event")
    root = ElementTree.fromstring(row["EventData"])
    texts = {
        item.get("Name"): item.text for item in root.iter("{http://schemas.microsoft.com/win/2004/08/events/event}Data")
    }
    assert texts["CommandLine"] == 'a <b> & "c"  end' and texts['na"me<'] == "x"
