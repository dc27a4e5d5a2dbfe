"""Each hunt of the library over a few rows made by hand, with the answer worked out by hand.

Beside what should be found stands what should not: another device, another day, an ordinary act of the same kind.
"""

import base64
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import kql
from hunting.catalogue import hunts
from kql.catalogue import TABLES
from tests.hunting.stage import frozen_hunt

Rows = Sequence[Mapping[str, Any]]
HERE = {"DeviceName": "ws01.contoso.com"}
DEVICE = {"TargetDevice": "ws01"}


def at(clock: str, day: int = 20) -> str:
    return f"2026-11-{day}T{clock}.0000000Z"


def ask(hunt_id: str, given: Mapping[str, Any], **tables: Rows) -> list[dict[str, Any]]:
    """The rows of the answer. Tables that are not given are empty."""
    frozen = frozen_hunt(hunt_id, **given)
    with tempfile.TemporaryDirectory() as folder:
        made = [
            kql.Table(name, _file(Path(folder), name, tables.get(name, ())), "ndjson", TABLES[name])
            for name in hunts()[hunt_id].tables
        ]
        with kql.query(frozen.kql, made, prelude=frozen.prelude) as result:
            return [kql.encode_row(result.columns, row) for row in result]


def _file(folder: Path, name: str, rows: Rows) -> tuple[Path, ...]:
    if not rows:
        return ()
    path = folder / f"{name}.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return (path,)


def pick(rows: Sequence[Mapping[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_malicious_activity_of_all_six_kinds_in_order() -> None:
    actions = [
        ("AmsiScriptDetection", {"Description": "Trojan:Script/Demo"}), ("AsrOfficeChildProcessBlocked", {}),
        ("AntivirusDetection", {"ThreatName": "Trojan:Win32/Demo"}),
        ("SmartScreenUrlWarning", {"Experience": "Phishing"}),
        ("TamperingAttempt", {"TamperingAction": "RegistryModification"}),
        ("ExploitGuardNetworkProtectionBlocked", {}),
    ]  # fmt: skip
    events = [
        {"Timestamp": at(f"17:0{n}:00"), **HERE, "ActionType": action, "AdditionalFields": fields}
        for n, (action, fields) in enumerate(actions)
    ]
    others = [
        {"Timestamp": at("17:00:00"), **HERE, "ActionType": "ScheduledTaskCreated"},
        {"Timestamp": at("17:00:00"), **HERE, "ActionType": "AntivirusScanCompleted"},
        {"Timestamp": at("17:00:00"), "DeviceName": "ws012.contoso.com", "ActionType": "AmsiScriptDetection"},
        {"Timestamp": at("17:00:00", 17), **HERE, "ActionType": "AmsiScriptDetection"},
    ]
    found = ask("device-malicious-activity", DEVICE, DeviceEvents=[*others, *reversed(events)])
    assert pick(found, "Protection", "Finding") == [
        ("AMSI", "Trojan:Script/Demo"),
        ("Attack surface reduction", "AsrOfficeChildProcessBlocked"),
        ("Antivirus", "Trojan:Win32/Demo"),
        ("SmartScreen", "Phishing"),
        ("Tamper protection", "RegistryModification"),
        ("Exploit protection", "ExploitGuardNetworkProtectionBlocked"),
    ]


def test_inbound_connections_stand_beside_the_logons_of_their_address() -> None:
    def accepted(address: str, port: int = 3389) -> dict[str, Any]:
        return {"Timestamp": at("16:00:00"), **HERE, "ActionType": "InboundConnectionAccepted", "RemoteIP": address,
                "LocalPort": port}  # fmt: skip

    def logon(address: str, action: str, account: str) -> dict[str, Any]:
        return {"Timestamp": at("16:00:01"), **HERE, "ActionType": action, "RemoteIP": address, "AccountName": account}

    outgoing = accepted("198.51.100.1") | {"ActionType": "ConnectionSuccess"}
    found = ask(
        "device-inbound-connections",
        DEVICE,
        DeviceNetworkEvents=[*[accepted("203.0.113.5")] * 2, accepted("10.0.0.9", 445), accepted("::1"), outgoing],
        DeviceLogonEvents=[
            *[logon("203.0.113.5", "LogonFailed", "administrator")] * 6,
            logon("203.0.113.5", "LogonSuccess", "bob"),
        ],
    )  # fmt: skip
    columns = ("RemoteIP", "Reach", "LocalPort", "Connections", "SuccessfulLogons", "FailedLogons")
    assert pick(found, *columns)[0] == ("203.0.113.5", "public", 3389, 2, 1, 6)
    assert sorted(pick(found, *columns)[1:]) == [
        ("10.0.0.9", "private", 445, 1, 0, 0),
        ("::1", "loopback", 3389, 1, 0, 0),
    ]
    assert "bob" in found[0]["LogonAccounts"] and "administrator" not in found[0]["LogonAccounts"]


def test_a_file_by_hash_and_by_name_over_all_devices() -> None:
    wanted, other = "ab" * 32, "cd" * 32
    brought = {"Timestamp": at("15:00:00"), "DeviceName": "ws01", "ActionType": "FileCreated", "FileName": "a.tmp",
               "SHA256": wanted, "SHA1": "ab" * 20, "InitiatingProcessFileName": "msedge.exe",
               "FileOriginUrl": "https://evil.example/a"}  # fmt: skip
    started = {"Timestamp": at("16:00:00"), "DeviceName": "ws02", "ActionType": "ProcessCreated", "FileName": "b.exe",
               "SHA256": wanted, "SHA1": "ab" * 20, "InitiatingProcessFileName": "cmd.exe",
               "AccountName": "bob"}  # fmt: skip
    found = ask(
        "file-activity",
        {"Sha256Values": [wanted], "FileNames": ["LOADER.EXE"]},
        DeviceFileEvents=[brought, brought | {"SHA256": other, "SHA1": "cd" * 20, "FileName": "good.exe"}],
        DeviceProcessEvents=[started],
        DeviceImageLoadEvents=[{"Timestamp": at("17:00:00"), "DeviceName": "ws03", "ActionType": "ImageLoaded",
                                "FileName": "loader.exe", "SHA256": other, "SHA1": "ef" * 20}],
        DeviceFileCertificateInfo=[{"Timestamp": at("01:00:00", 1), "SHA1": "ab" * 20, "Signer": "Evil Ltd"}],
    )  # fmt: skip
    assert pick(found, "SHA256", "Devices", "Events", "FirstSeen", "LastSeen", "Signer") == [
        (wanted, 2, 2, at("15:00:00"), at("16:00:00"), "Evil Ltd"),
        (other, 1, 1, at("17:00:00"), at("17:00:00"), ""),
    ]
    assert set(found[0]["StartedBy"]) == {"msedge.exe", "cmd.exe"}
    assert "https://evil.example/a" in found[0]["Origins"]


def run_key(key: str, name: str, **more: Any) -> dict[str, Any]:
    return {"Timestamp": at("12:00:00"), **HERE, "ActionType": "RegistryValueSet", "RegistryKey": key,
            "RegistryValueName": name, "InitiatingProcessFileName": "powershell.exe", **more}  # fmt: skip


def test_run_keys_in_every_hive_and_nothing_that_only_looks_alike() -> None:
    software = r"Software\Microsoft\Windows\CurrentVersion"
    events = [
        run_key(rf"HKU\S-1-5-21-1-2-3-1001\{software}\Run", "Updater"),
        run_key(rf"HKEY_LOCAL_MACHINE\{software}\RunOnce", "Once", Timestamp=at("12:00:01")),
        run_key(rf"HKEY_CURRENT_USER\{software}\Policies\Explorer\Run", "Policy", Timestamp=at("12:00:02")),
        run_key(r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Run", "Wow", Timestamp=at("12:00:03")),
        run_key("", "", ActionType="RegistryValueDeleted", PreviousRegistryKey=rf"HKEY_LOCAL_MACHINE\{software}\Run",
                PreviousRegistryValueName="Gone", Timestamp=at("12:00:04")),
        run_key(rf"HKEY_LOCAL_MACHINE\{software}\RunMRU", "NotMe"),
        run_key(rf"HKEY_LOCAL_MACHINE\{software}\Uninstall", "NorMe"),
        run_key(rf"HKEY_LOCAL_MACHINE\{software}\Run", "Late", Timestamp=at("12:00:00", 17)),
    ]  # fmt: skip
    found = ask("registry-run-keys", DEVICE, DeviceRegistryEvents=events)
    assert pick(found, "ValueName", "Hive", "SetBy") == [
        ("Updater", "user", "powershell.exe"),
        ("Once", "machine", "powershell.exe"),
        ("Policy", "user", "powershell.exe"),
        ("Wow", "machine", "powershell.exe"),
        ("Gone", "machine", "powershell.exe"),
    ]


def test_run_keys_of_every_device_when_none_is_named() -> None:
    key = r"HKU\S-1-5-21\Software\Microsoft\Windows\CurrentVersion\Run"
    events = [run_key(key, "One"), run_key(key, "Two", DeviceName="dc01.contoso.com", Timestamp=at("12:00:01"))]
    assert pick(ask("registry-run-keys", {}, DeviceRegistryEvents=events), "ValueName") == [("One",), ("Two",)]


def test_the_process_list_tells_the_time_to_the_next() -> None:
    clocks = ["2026-11-20T17:00:00.2500000Z", "2026-11-20T17:00:00.0000000Z", "2026-11-20T17:00:05.0000000Z"]
    events = [{"Timestamp": c, **HERE, "ActionType": "ProcessCreated", "FileName": c[17:19]} for c in clocks]
    found = ask("device-process-list", DEVICE, DeviceProcessEvents=events)
    assert pick(found, "Timestamp", "NextEventMs") == [(clocks[1], 250), (clocks[0], 4750), (clocks[2], None)]


def test_powershell_is_decoded_and_marked() -> None:
    encoded = base64.b64encode("IEX (New-Object Net.WebClient)".encode("utf-16-le")).decode()
    processes = [
        {"Timestamp": at("17:00:00"), **HERE, "FileName": "PowerShell.EXE",
         "ProcessCommandLine": f"powershell -nop -enc {encoded}"},
        {"Timestamp": at("17:00:01"), **HERE, "FileName": "pwsh.exe", "ProcessCommandLine": "pwsh -File backup.ps1"},
        {"Timestamp": at("17:00:02"), **HERE, "FileName": "cmd.exe", "ProcessCommandLine": "cmd /c dir"},
    ]  # fmt: skip
    commands = [
        {"Timestamp": at("17:00:03"), **HERE, "ActionType": "PowerShellCommand",
         "AdditionalFields": {"Command": "Set-MpPreference -x"}}
    ]  # fmt: skip
    found = ask("device-powershell", DEVICE, DeviceProcessEvents=processes, DeviceEvents=commands)
    assert pick(found, "Suspicious", "Decoded") == [(True, "IEX (New-Object Net.WebClient)"), (False, ""), (True, "")]


def test_an_encoded_command_that_is_cut_stops_nothing() -> None:
    events = [{"Timestamp": at("17:00:00"), **HERE, "FileName": "powershell.exe",
               "ProcessCommandLine": "powershell -e QUJDREVGR0hJSktMTU5PUFE"}]  # fmt: skip
    found = ask("device-powershell", DEVICE, DeviceProcessEvents=events)
    assert pick(found, "Suspicious", "Decoded") == [(True, "")]


def test_office_connections_outside_microsoft_come_first() -> None:
    def connection(process: str, url: str, address: str) -> dict[str, Any]:
        return {"Timestamp": at("17:00:00"), **HERE, "ActionType": "ConnectionSuccess",
                "InitiatingProcessFileName": process, "RemoteUrl": url, "RemoteIP": address,
                "RemotePort": 443}  # fmt: skip

    found = ask(
        "office-connections",
        DEVICE,
        DeviceNetworkEvents=[
            connection("OUTLOOK.EXE", "https://outlook.office365.com/owa", "52.0.0.1"),
            connection("winword.exe", "http://evil.example/t.dotm", "203.0.113.9"),
            connection("winword.exe", "http://evil.example/other", "203.0.113.9"),
            connection("msedge.exe", "https://evil.example", "203.0.113.9"),
        ],
    )
    assert pick(found, "Process", "Host", "OfMicrosoft", "Connections") == [
        ("winword.exe", "evil.example", False, 2),
        ("outlook.exe", "outlook.office365.com", True, 1),
    ]


def test_smb_in_both_directions_and_to_the_internet_first() -> None:
    def touch(clock: str, action: str, peer: str, **port: int) -> dict[str, Any]:
        return {"Timestamp": at(clock), **HERE, "ActionType": action, "RemoteIP": peer, **port}

    found = ask(
        "smb-connections",
        DEVICE,
        DeviceNetworkEvents=[
            touch("17:00:00", "ConnectionSuccess", "10.0.0.5", RemotePort=445),
            touch("17:00:01", "ConnectionFailed", "10.0.0.5", RemotePort=445),
            touch("17:00:02", "ConnectionSuccess", "203.0.113.9", RemotePort=445),
            touch("17:00:03", "InboundConnectionAccepted", "10.0.0.7", LocalPort=445),
            touch("17:00:04", "ConnectionSuccess", "10.0.0.5", RemotePort=443),
        ],
        DeviceFileEvents=[{"Timestamp": at("17:00:05"), **HERE, "ActionType": "FileCreated", "RequestProtocol": "SMB",
                           "RequestSourceIP": "10.0.0.8", "ShareName": "ADMIN$", "RequestAccountName": "bob"}],
    )  # fmt: skip
    found.sort(key=lambda row: (not row["PeerIsPublic"], row["Direction"], row["Peer"]))
    assert pick(found, "Direction", "Peer", "PeerIsPublic", "Events") == [
        ("out", "203.0.113.9", True, 1),
        ("in", "10.0.0.7", False, 1),
        ("in", "10.0.0.8", False, 1),
        ("out", "10.0.0.5", False, 2),
    ]
    assert next(row for row in found if row["Peer"] == "10.0.0.8")["Shares"] == ["ADMIN$"]


def logon(clock: str, action: str, account: str = "bob", **more: Any) -> dict[str, Any]:
    return {"Timestamp": at(clock), **HERE, "ActionType": action, "AccountName": account, "AccountDomain": "contoso",
            "LogonType": "Network", "RemoteIP": "203.0.113.5", **more}  # fmt: skip


def test_logons_mark_a_guessed_password() -> None:
    events = [logon(f"16:00:0{n}", "LogonFailed") for n in range(5)]
    events += [
        logon("16:00:09", "LogonSuccess", IsLocalAdmin=True),
        logon("16:00:00", "LogonSuccess", "alice", RemoteIP="10.0.0.1"),
        logon("16:00:00", "LogonSuccess", "WS01$"),
        logon("16:00:00", "LogonSuccess", "system", AccountDomain="NT AUTHORITY"),
    ]
    found = ask("device-logons", DEVICE, DeviceLogonEvents=events)
    columns = ("AccountName", "Successes", "Failures", "Guessed", "AsAdministrator", "FirstSuccess", "LastFailure")
    assert pick(found, *columns) == [
        ("bob", 1, 5, True, 1, at("16:00:09"), at("16:00:04")),
        ("alice", 1, 0, False, 0, at("16:00:00"), None),
    ]


def test_lateral_movement_by_name_and_by_address() -> None:
    own = [{"Timestamp": at("15:00:00"), **HERE, "LocalIP": address} for address in ("10.0.0.21", "127.0.0.1")]
    found = ask(
        "lateral-movement",
        DEVICE,
        DeviceNetworkEvents=own,
        DeviceLogonEvents=[
            logon("16:00:00", "LogonSuccess", DeviceName="dc01.contoso.com", RemoteDeviceName="WS01", RemoteIP=""),
            logon("16:00:01", "LogonSuccess", DeviceName="fs01.contoso.com", RemoteIP="10.0.0.21"),
            logon("16:00:02", "LogonSuccess", DeviceName="fs02.contoso.com", RemoteIP="10.0.0.99"),
            logon("16:00:03", "LogonSuccess", DeviceName="fs03.contoso.com", RemoteIP="127.0.0.1"),
            logon("16:00:04", "LogonSuccess", RemoteIP="10.0.0.21"),
            logon("16:00:05", "LogonSuccess", DeviceName="fs04", RemoteIP="10.0.0.21", LogonType="Interactive"),
        ],
    )
    assert pick(found, "ReachedDevice", "Successes") == [("dc01.contoso.com", 1), ("fs01.contoso.com", 1)]


def test_lsass_by_memory_command_line_dump_file_and_guard_rule() -> None:
    found = ask(
        "lsass-access",
        DEVICE,
        DeviceEvents=[
            {"Timestamp": at("17:00:00"), **HERE, "ActionType": "OpenProcessApiCall", "FileName": "lsass.exe",
             "InitiatingProcessFileName": "bad.exe", "AdditionalFields": {"DesiredAccess": 4112}},
            {"Timestamp": at("17:00:01"), **HERE, "ActionType": "OpenProcessApiCall", "FileName": "notepad.exe"},
            {"Timestamp": at("17:00:02"), **HERE, "ActionType": "AsrLsassCredentialTheftBlocked"},
        ],
        DeviceProcessEvents=[
            {"Timestamp": at("17:00:03"), **HERE, "FileName": "rundll32.exe",
             "ProcessCommandLine": r"rundll32 C:\windows\system32\comsvcs.dll, MiniDump 620 C:\x.dmp full"},
            {"Timestamp": at("17:00:04"), **HERE, "FileName": "tasklist.exe", "ProcessCommandLine": "tasklist /svc"},
        ],
        DeviceFileEvents=[
            {"Timestamp": at("17:00:05"), **HERE, "ActionType": "FileCreated", "FileName": "lsass.DMP",
             "InitiatingProcessFileName": "Taskmgr.exe"},
            {"Timestamp": at("17:00:06"), **HERE, "ActionType": "FileCreated", "FileName": "notes.dmp"},
        ],
    )  # fmt: skip
    assert pick(found, "How", "Process", "Detail") == [
        ("memory access", "bad.exe", "4112"),
        ("guard rule", "", ""),
        ("command line", "rundll32.exe", ""),
        ("dump file", "Taskmgr.exe", "lsass.DMP"),
    ]


def test_scheduled_tasks_with_what_they_run() -> None:
    content = "<Task><Exec><Command>powershell.exe</Command>\n<Arguments>-w hidden</Arguments></Exec></Task>"
    found = ask(
        "scheduled-tasks",
        DEVICE,
        DeviceEvents=[{"Timestamp": at("17:00:00"), **HERE, "ActionType": "ScheduledTaskCreated",
                       "AdditionalFields": {"TaskName": r"\Updater", "TaskContent": content}}],
        DeviceProcessEvents=[
            {"Timestamp": at("17:00:01"), **HERE, "FileName": "schtasks.exe",
             "ProcessCommandLine": 'schtasks /create /tn "My Task" /tr calc.exe /sc onlogon'},
            {"Timestamp": at("17:00:02"), **HERE, "FileName": "schtasks.exe", "ProcessCommandLine": "schtasks /query"},
        ],
    )  # fmt: skip
    assert pick(found, "ActionType", "TaskName", "Runs", "Arguments") == [
        ("ScheduledTaskCreated", r"\Updater", "powershell.exe", "-w hidden"),
        ("CommandLine", '"My Task"', "calc.exe", ""),
    ]


def test_services_by_event_registry_and_command_line() -> None:
    found = ask(
        "service-installs",
        DEVICE,
        DeviceEvents=[{"Timestamp": at("17:00:00"), **HERE, "ActionType": "ServiceInstalled",
                       "FolderPath": r"C:\Windows\PSEXESVC.exe",
                       "AdditionalFields": {"ServiceName": "PSEXESVC", "ServiceAccount": "LocalSystem"}}],
        DeviceRegistryEvents=[
            {"Timestamp": at("17:00:01"), **HERE, "ActionType": "RegistryValueSet", "RegistryValueName": "ImagePath",
             "RegistryKey": r"HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\good",
             "RegistryValueData": r"C:\Program Files\good.exe"},
            {"Timestamp": at("17:00:02"), **HERE, "ActionType": "RegistryValueSet", "RegistryValueName": "Start",
             "RegistryKey": r"HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\good", "RegistryValueData": "2"},
        ],
        DeviceProcessEvents=[{"Timestamp": at("17:00:03"), **HERE, "FileName": "sc.exe",
                              "ProcessCommandLine": r"sc create evil binPath= C:\Users\bob\evil.exe"}],
    )  # fmt: skip
    assert pick(found, "How", "ServiceName", "Program", "Remarkable") == [
        ("installed", "PSEXESVC", r"C:\Windows\PSEXESVC.exe", True),
        ("registry", "good", r"C:\Program Files\good.exe", False),
        ("command line", "evil", r"C:\Users\bob\evil.exe", True),
    ]


def test_alerts_with_all_their_entities_worst_first() -> None:
    def entity(alert: str, **what: Any) -> dict[str, Any]:
        return {"Timestamp": at("17:00:00"), "AlertId": alert, **what}

    def alert(number: str, severity: str, clock: str) -> dict[str, Any]:
        return {"Timestamp": at(clock), "AlertId": number, "Title": f"Alert {number}", "Severity": severity}

    found = ask(
        "device-alerts",
        DEVICE,
        AlertEvidence=[
            entity("a", **HERE), entity("a", AccountName="bob"), entity("b", **HERE), entity("c", DeviceName="dc01"),
        ],
        AlertInfo=[
            alert("b", "Low", "16:00:00"), alert("a", "High", "17:00:00"), alert("a", "High", "17:00:05"),
            alert("c", "High", "15:00:00"),
        ],
    )  # fmt: skip
    assert pick(found, "Title", "Severity", "Timestamp") == [
        ("Alert a", "High", at("17:00:00")),
        ("Alert b", "Low", at("16:00:00")),
    ]
    assert "bob" in found[0]["Accounts"]


def test_sign_ins_from_both_kinds_of_log() -> None:
    account = {"TargetAccount": "Bob@contoso.com"}
    entra = {"AccountUpn": "bob@contoso.com", "IPAddress": "203.0.113.5", "Country": "XX", "City": "Far"}
    failed = [{"Timestamp": at(f"16:00:0{n}"), **entra, "ErrorCode": 50126} for n in range(5)]
    found = ask(
        "account-sign-ins",
        account,
        EntraIdSignInEvents=[*failed, {"Timestamp": at("16:00:09"), **entra, "ErrorCode": 0, "Application": "Outlook"}],
        SigninLogs=[
            {"TimeGenerated": at("10:00:00"), "UserPrincipalName": "bob@contoso.com", "IPAddress": "10.0.0.1",
             "Location": "DK", "ResultType": "0", "DeviceDetail": {"displayName": "WS01"}},
            {"TimeGenerated": at("10:00:00"), "UserPrincipalName": "carol@contoso.com", "ResultType": "0"},
        ],
    )  # fmt: skip
    assert pick(found, "Address", "Place", "Successes", "Failures", "Guessed", "FirstSuccess") == [
        ("10.0.0.1", "DK", 1, 0, False, at("10:00:00")),
        ("203.0.113.5", "XX Far", 1, 5, True, at("16:00:09")),
    ]
    assert found[0]["Devices"] == ["WS01"]


def test_mailbox_rules_stand_out() -> None:
    bob = "bob@contoso.com"
    raw = {"UserId": bob, "Parameters": '[{"Name":"ForwardTo","Value":"x@evil.example"}]', "ResultStatus": "True"}
    rule = {"Timestamp": at("17:00:00"), "ActionType": "New-InboxRule", "RawEventData": raw}
    read = {"TimeGenerated": at("16:00:00"), "OfficeWorkload": "Exchange", "Operation": "MailItemsAccessed"}
    found = ask(
        "mailbox-activity",
        {"TargetAccount": bob},
        CloudAppEvents=[
            rule | {"Application": "Microsoft Exchange Online"},
            rule | {"Application": "Microsoft Teams", "ActionType": "MessageSent"},
        ],
        OfficeActivity=[
            read | {"UserId": bob, "MailboxOwnerUPN": bob, "Client_IPAddress": "203.0.113.5"},
            read | {"UserId": "carol@contoso.com"},
        ],
    )
    assert pick(found, "Action", "Remarkable", "By") == [
        ("New-InboxRule", True, "bob@contoso.com"),
        ("MailItemsAccessed", False, "bob@contoso.com"),
    ]
    assert "ForwardTo" in found[0]["Change"]
