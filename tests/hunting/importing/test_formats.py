"""Each format in which hunts circulate, by members written for the purpose."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from hunting import catalogue
from hunting.importing import Candidate, Format, ImportRefused, Member, Outcome, export_pack, fingerprint, read
from kql.syntax.parser import parse

PAGE = """\
# *Remote shell from an office program*

## Query Information

#### MITRE ATT&CK Technique(s)

| Technique ID | Title | Link |
| --- | --- | --- |
| T1059.001 | PowerShell | [PowerShell](https://attack.mitre.org/techniques/T1059/001/) |

#### Description
An office program that starts a shell. <script>alert(1)</script>

#### Risk
A document ran code.

#### Author <Optional>
- **Name: Alice Example**
- **Github: https://github.com/alice**

#### References
- https://learn.microsoft.com/defender-xdr/
- javascript:alert(1)

## Defender XDR
```KQL
let CompromisedDevice = "laptop1";
let SearchWindow = 48h; //Customizable h = hours, d = days
DeviceProcessEvents
| where Timestamp > ago(SearchWindow)
| where DeviceName =~ CompromisedDevice
| where InitiatingProcessFileName =~ "winword.exe"
| project Timestamp, DeviceName, ProcessCommandLine
```
## Sentinel
```KQL
let CompromisedDevice = "laptop1";
let SearchWindow = 48h; //Customizable h = hours, d = days
DeviceProcessEvents
| where TimeGenerated > ago(SearchWindow)
| where DeviceName =~ CompromisedDevice
| where InitiatingProcessFileName =~ "winword.exe"
| project TimeGenerated, DeviceName, ProcessCommandLine
```
"""
RULE = """\
id: 0b0b0b0b-1111-4222-8333-444455556666
name: Many failed sign-ins
description: |
  'Failed sign-ins of one account.'
severity: Medium
status: Available
requiredDataConnectors:
  - connectorId: AzureActiveDirectory
    dataTypes:
      - SigninLogs
queryFrequency: 1h
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics:
  - CredentialAccess
relevantTechniques:
  - T1110
query: |
  let threshold = 10;
  SigninLogs
  | where ResultType == "50126"
  | summarize Failures = count(), FirstSeen = min(TimeGenerated) by UserPrincipalName
  | where Failures > threshold
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
version: 1.0.0
kind: Scheduled
"""
SIGMA = """\
title: Encoded PowerShell
id: 5b1b1b1b-0000-4000-8000-000000000001
status: test
description: PowerShell that was given its command in base 64.
references:
    - https://attack.mitre.org/techniques/T1059/001/
author: Alice
date: 2026-01-02
tags:
    - attack.execution
    - attack.t1059.001
logsource:
    category: process_creation
    product: windows
detection:
    selection:
        Image|endswith: '\\powershell.exe'
        CommandLine|contains: ' -enc '
    condition: selection
falsepositives:
    - Administrators
level: high
"""


def member(text: str | bytes, name: str) -> Member:
    data = text.encode() if isinstance(text, str) else text
    return read(data, name=name).members[0]


def only(text: str | bytes, name: str) -> Candidate:
    (candidate,) = member(text, name).candidates
    parse(candidate.kql)
    return candidate


def test_a_page_with_twins_becomes_one_hunt_with_both_texts() -> None:
    found = member(PAGE, "office.md")
    (hunt,) = found.candidates
    assert found.outcome is Outcome.CHANGED
    assert hunt.title == "Remote shell from an office program"
    assert hunt.description == "An office program that starts a shell."
    assert hunt.meaning == "A document ran code."
    assert hunt.author == "Alice Example"
    assert hunt.techniques == ("T1059.001",)
    assert hunt.references == ("https://learn.microsoft.com/defender-xdr/",)
    assert hunt.sources == ("defender", "loganalytics")
    assert (hunt.tables, hunt.time_column, hunt.entity) == (("DeviceProcessEvents",), "Timestamp", "device")
    assert "TimeGenerated" in hunt.twin and "let" not in hunt.kql
    device, window = hunt.parameters
    assert (device.name, str(device.kind), device.default) == ("CompromisedDevice", "device_name", "laptop1")
    assert device.fill == "asset.device.name"
    assert (window.name, str(window.kind), window.default) == ("SearchWindow", "timespan", "48h")
    assert window.help == "Customizable h = hours, d = days"
    assert [part.outcome for part in found.parts] == [Outcome.CHANGED, Outcome.KEPT]
    assert "line 27" in found.parts[1].reason


def test_a_tag_that_runs_into_the_query_is_taken_off() -> None:
    hunt = only("# T\n```KQLDeviceEvents\n| where ActionType == 'x'\n```\n", "a.md")
    assert hunt.kql.startswith("DeviceEvents\n| where")
    assert any("tag ran into the query" in change for change in hunt.changes)
    assert hunt.origin.line == 2
    lettered = only("```kqllet Limit = 3;\nDeviceEvents | take Limit\n```\n", "a.md")
    assert [p.name for p in lettered.parameters] == ["Limit"]


def test_attributes_of_a_tag_are_no_query() -> None:
    assert only('```kql title="x"\nDeviceEvents | take 3\n```', "a.md").kql == "DeviceEvents | take 3\n"
    assert only("```{.kql}\nDeviceEvents | take 3\n```", "a.md").kql == "DeviceEvents | take 3\n"


@pytest.mark.parametrize(
    ("fence", "reason"),
    [
        ("```\nwhoami /all\n```", "not marked as KQL"),
        ("```\nThis is what the attacker ran.\n```", "not marked as KQL"),
        ("```\nnetstat\n```", "does not look like a query"),
        ("```powershell\nGet-Process\n```", "tagged powershell"),
        ("```kql\nDeviceEvents\nwhere ActionType == 'x'\n```", "A pipe seems to be missing before where."),
        ("```kql\n// nothing\n```", "only comments"),
        ('```kql\nDeviceEvents | where Name == "open\n```', "opened here and not closed"),
    ],
)
def test_blocks_that_are_no_query_say_why(fence: str, reason: str) -> None:
    found = member(f"# T\n{fence}\n```kql\nDeviceInfo | take 5\n```\n", "a.md")
    assert [p.outcome for p in found.parts] == [Outcome.REFUSED, Outcome.KEPT]
    assert reason in found.parts[0].reason
    assert reason in found.reason and found.outcome is Outcome.KEPT


def test_an_untagged_block_of_kql_is_kept_and_the_line_of_a_fault_is_the_members() -> None:
    assert only("# T\n\n```\nSigninLogs\n| take 5\n```", "a.md").tables == ("SigninLogs",)
    found = member("# T\n\n\n```kql\nDeviceEvents\n| take 5\n| whre x == 1\n```", "a.md")
    assert (found.outcome, found.line) == (Outcome.REFUSED, 7)


def test_several_queries_in_one_fence() -> None:
    text = "# T\n```kql\n// First one\nDeviceEvents | take 1\n\n// Second one\nDeviceInfo | take 2\n```"
    first, second = member(text, "a.md").candidates
    assert (first.title, second.title) == ("First one", "Second one")
    assert (first.origin.line, second.origin.line) == (3, 6)


def test_an_open_fence_ends_with_the_next_or_with_the_file() -> None:
    first, second = member("```kql\nDeviceEvents | take 1\n```kql\nDeviceInfo | take 2\n", "a.md").candidates
    assert (first.kql, second.kql) == ("DeviceEvents | take 1\n", "DeviceInfo | take 2\n")
    assert all("The fence was not closed." in c.changes for c in (first, second))


def test_a_page_without_a_query_is_refused() -> None:
    found = member("# Only words\n\nNothing here.\n", "README.md")
    assert (found.outcome, found.reason) == (Outcome.REFUSED, "It holds no block of KQL.")


def test_a_rule_of_sentinel() -> None:
    found = member(RULE, "rule.yaml")
    hunt = found.candidates[0]
    assert found.format is Format.SENTINEL_RULE
    assert hunt.description == "Failed sign-ins of one account."
    assert (hunt.severity, hunt.frequency, hunt.techniques) == ("Medium", "1h", ("T1110",))
    assert (hunt.sources, hunt.entity, hunt.time_column) == (("loganalytics",), "account", "FirstSeen")
    assert dict(hunt.details)["queryPeriod"] == "1d"
    (limit,) = hunt.parameters
    assert (limit.name, str(limit.kind), limit.default) == ("Threshold", "int", 10)
    assert "Failures > Threshold" in hunt.kql
    assert hunt.origin.line == 20


def test_a_hunting_query_of_sentinel_with_mark_tabs_and_crlf() -> None:
    text = dedent("""\
        id: x
        name: Tabbed
        requiredDataConnectors:
          - connectorId: MicrosoftThreatProtection
            dataTypes:
            \t- DeviceEvents
        query: |
          DeviceEvents
          | take 5
        """).replace("\n", "\r\n")
    found = member(b"\xef\xbb\xbf" + text.encode(), "hunt.yaml")
    hunt = found.candidates[0]
    assert found.format is Format.SENTINEL_HUNT and found.outcome is Outcome.CHANGED
    assert hunt.kql == "DeviceEvents\n| take 5\n"
    assert [c.split()[0] for c in hunt.changes] == ["The", "Line", "Tabs"]


def test_a_pack_of_kustohawk_becomes_hunts_and_a_pack() -> None:
    entries = [
        {
            "Name": "Connections",
            "Query": 'DeviceNetworkEvents\r\n| where Timestamp > ago({TimeFrame})\r\n| where DeviceId == "{DeviceId}"',
            "Source": "https://example.org/a",
            "ResultCount": 0,
        },
        {"Name": "Mail", "Query": "EmailEvents | where RecipientEmailAddress =~ {UserPrincipalName}", "Source": ""},
        {"Name": "Empty", "Query": ""},
        "nonsense",
    ]
    found = member(b"\xef\xbb\xbf" + json.dumps(entries).encode(), "DeviceTriage.json")
    first, second = found.candidates
    assert first.kql == (
        "DeviceNetworkEvents\n| where Timestamp > ago(SearchWindow)\n| where DeviceId == TargetDeviceId\n"
    )
    assert [(p.name, str(p.kind), p.default, p.fill) for p in first.parameters] == [
        ("SearchWindow", "timespan", "7d", ""),
        ("TargetDeviceId", "device_id", None, "asset.device.identifier"),
    ]
    assert first.origin.address == "https://example.org/a" and first.references == ("https://example.org/a",)
    assert [(p.name, p.required) for p in second.parameters] == [("TargetAccount", True)]
    assert [p.outcome for p in found.parts[2:]] == [Outcome.REFUSED, Outcome.REFUSED]
    (pack,) = found.packs
    assert [step.hunt for step in pack.hunts] == ["connections", "mail"]
    again = read(export_pack(pack).encode(), name="pack.yaml").members[0]
    assert again.format is Format.OWN_PACK and again.packs[0].hunts == pack.hunts


def test_a_plain_file_of_several_queries_that_share_a_let() -> None:
    text = "let Window = 3d;\nDeviceEvents | where Timestamp > ago(Window)\n\nbroken here now\n\n"
    text += "DeviceInfo | where Timestamp > ago(Window)\n"
    found = member(text, "two.kql")
    first, second = found.candidates
    assert first.parameters[0].name == second.parameters[0].name == "SearchWindow"
    assert second.kql == "DeviceInfo | where Timestamp > ago(SearchWindow)\n"
    assert [(p.outcome, p.line) for p in found.parts][1] == (Outcome.REFUSED, 4)


def test_blank_lines_inside_a_query_do_not_split_it() -> None:
    assert only("DeviceEvents\n\n| where ActionType == 'x'\n\n| take 5\n", "one.csl").kql.count("|") == 2


LOOK = """(device: string, window: timespan = 7d) {
    DeviceEvents | where DeviceName == device and Timestamp > ago(window)
}"""


@pytest.mark.parametrize(
    "text",
    [
        f'let Look = {LOOK};\nLook("ws01", 7d)',
        f"let Look = {LOOK};",
        f"// says\nLook{LOOK}",
        LOOK,
        f".create-or-alter function with (folder='x') Look{LOOK}",
    ],
)
def test_functions_are_called_with_parameters(text: str) -> None:
    hunt = only(text, "look.kql")
    found = {p.name: (str(p.kind), p.fill) for p in hunt.parameters}
    assert found == {"TargetDevice": ("device_name", "asset.device.name"), "SearchWindow": ("timespan", "")}
    assert hunt.kql.rstrip().endswith("(TargetDevice, SearchWindow)")
    assert (hunt.tables, hunt.time_column) == (("DeviceEvents",), "Timestamp")


def test_sigma_is_converted_without_a_network() -> None:
    pytest.importorskip("sigma.backends.kusto")
    found = member(SIGMA, "rule.yml")
    hunt = found.candidates[0]
    assert found.format is Format.SIGMA and hunt.tables == ("DeviceProcessEvents",)
    assert 'FolderPath endswith "\\\\powershell.exe"' in hunt.kql
    assert (hunt.severity, hunt.techniques, hunt.false_positives) == ("high", ("T1059.001",), ("Administrators",))
    assert hunt.sources == ("defender",)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("category: process_creation\n    product: windows", "product: cisco\n    service: aaa"), "no counterpart"),
        (("condition: selection", "condition: nothing"), "no counterpart"),
        (("condition: selection", "condition: selection | count() > 5"), "aggregates"),
        (("condition: selection", "condition: " + "(" * 30 + "selection" + ")" * 30), "nested too deeply"),
        (("CommandLine|contains: ' -enc '", "CommandLine|windash|contains: ' -a -b -c -d -e -f '"), "windash"),
    ],
)
def test_sigma_that_cannot_be_converted_says_why(change: tuple[str, str], reason: str) -> None:
    pytest.importorskip("sigma.backends.kusto")
    found = member(SIGMA.replace(*change), "rule.yml")
    assert found.outcome is Outcome.REFUSED and reason in found.reason


def test_correlations_of_sigma_are_refused_and_the_rule_beside_them_kept() -> None:
    pytest.importorskip("sigma.backends.kusto")
    second = "title: Many\ncorrelation:\n  type: event_count\n  rules: [a]\n"
    found = member(f"{SIGMA}---\n{second}", "rule.yml")
    assert [p.outcome for p in found.parts] == [Outcome.CHANGED, Outcome.REFUSED]
    assert "correlation rule" in found.parts[1].reason


def test_our_own_library_is_kept_as_it_stands() -> None:
    preview = read(catalogue.LIBRARY)
    assert preview.counts == {"kept": len(catalogue.hunts()), "changed": 0, "refused": 0, "duplicate": 0}
    for candidate in preview.candidates():
        hunt = catalogue.hunts()[candidate.slug]
        assert candidate.kql == hunt.kql
        assert set(candidate.tables) == set(hunt.tables)
        assert [(p.name, p.kind, p.fill) for p in candidate.parameters] == [
            (p.name, p.kind, p.fill) for p in hunt.parameters
        ]
        assert candidate.time_column == hunt.time_column


def test_hunts_that_are_there_are_duplicates() -> None:
    known = {fingerprint(h.kql, h.parameters) for h in catalogue.hunts().values()}
    assert read(catalogue.LIBRARY, known=known).counts["duplicate"] == len(known)


def test_our_own_packs_and_their_export() -> None:
    preview = read(catalogue.PACKS)
    packs = {pack.id: pack for pack in preview.packs()}
    assert set(packs) == set(catalogue.packs())
    for name, pack in catalogue.packs().items():
        again = next(read(export_pack(pack).encode(), name=f"{name}.yaml").packs())
        assert again.hunts == packs[name].hunts


def test_a_pack_with_a_condition_survives_its_export() -> None:
    text = "id: p-1\nversion: 2\ntitle: P\ndescription: d\nentity: device\n"
    text += "hunts:\n  - a-1\n  - {hunt: b-1, only_if: a-1}\n"
    (pack,) = read(text.encode(), name="p.yaml").packs()
    assert (pack.version, pack.hunts[1].only_if) == (2, "a-1")
    assert next(read(export_pack(pack).encode(), name="p.yaml").packs()).hunts == pack.hunts
    late = member(text.replace("only_if: a-1", "only_if: c-1"), "p.yaml")
    assert late.outcome is Outcome.REFUSED and "does not stand before it" in late.reason


def test_duplicates_are_found_through_comments_spaces_quotes_and_constants() -> None:
    first = "let Device = \"a\";\nDeviceEvents | where DeviceName == Device | where ActionType == 'x'"
    second = '// other\nlet Host = "b"; DeviceEvents\n| where DeviceName == Host\n| where ActionType == "x"'
    found = member(f"```kql\n{first}\n```\ntext\n```kql\n{second}\n```", "a.md")
    assert [p.outcome for p in found.parts] == [Outcome.CHANGED, Outcome.DUPLICATE]
    assert found.parts[1].reason == "It asks the same as a.md, line 2."


def test_a_file_that_is_no_format_of_hunts(tmp_path: Path) -> None:
    assert "none of the formats" in read(b"x", name="a.exe").members[0].reason
    with pytest.raises(ImportRefused, match="no file or folder"):
        read(tmp_path / "missing")
