"""Printed lists and tables back into rows."""

from hypothesis import given
from hypothesis import strategies as st

from artifacts.collected import listings, logs


def lines(text: str) -> list[str]:
    return [f"{line}\r\n" for line in text.split("\n")]


def test_a_list_with_wrapped_and_broken_values() -> None:
    path = "C:\\Program Files\\" + "x" * 60  # 77 characters: the first line is filled to the host's 80 columns
    text = (
        "\ufeff\n\nName    : Upd\nCommand : "
        + path[:69]
        + "\n          "
        + path[69:]
        + "\nMessage : one\n          two\n\n"
        "          three\nUser    : PC1\\ann\n\n\nName    : Next : one\nEmpty   :\nUser    : a\n"
    )
    first, second = listings.blocks(lines(text))
    assert first == {"Name": "Upd", "Command": path, "Message": "one\ntwo\n\nthree", "User": "PC1\\ann"}
    assert second == {"Name": "Next : one", "User": "a"}


def test_driverquery_by_its_ruler() -> None:
    text = (
        "\nModule Name  Display Name           Driver Type   Link Date\n"
        "============ ====================== ============= ======================\n"
        "1394ohci     1394 OHCI Compliant Ho Kernel        11/3/2025 1:02:03 PM\n"
        "abcdefghijkl A name that fills it a File System\n"
    )
    first, second = listings.ruled(lines(text))
    assert first["Display_Name"] == "1394 OHCI Compliant Ho" and first["Link_Date"] == "11/3/2025 1:02:03 PM"
    assert second == {
        "Module_Name": "abcdefghijkl",
        "Display_Name": "A name that fills it a",
        "Driver_Type": "File System",
    }


def test_a_powershell_table_with_numbers_wider_than_their_heading() -> None:
    text = "Name  Count Note\n----  ----- ----\na        12 x\nbc  1234567 y z\n"
    assert list(listings.ruled(lines(text))) == [
        {"Name": "a", "Count": "12", "Note": "x"},
        {"Name": "bc", "Count": "1234567", "Note": "y z"},
    ]


def test_openfiles_tells_its_sections_from_its_remarks() -> None:
    text = (
        "INFO: The system global flag 'maintain objects list' needs\n      to be enabled to see local opened files.\n\n"
        "Files opened remotely via local share points:\n---------------------------------------------\n\n"
        "ID       Accessed By          Type       Open File (Path\\executable)\n"
        "======== ==================== ========== =================================\n"
        "201      bob                  Windows    D:\\Shares\\plan.xlsx\n"
    )
    rows = list(listings.ruled(lines(text)))
    assert rows == [
        {"ID": "201", "Accessed_By": "bob", "Type": "Windows", "Open_File_Path_executable": "D:\\Shares\\plan.xlsx"}
    ]


def test_sessions_keep_their_columns_where_cells_are_missing() -> None:
    text = (
        " SESSIONNAME       USERNAME                 ID  STATE   TYPE        DEVICE\n"
        ">services                                    0  Disc\n"
        " console           localops                  1  Active\n"
        " rdp-tcp                                 65536  Listen\n"
    )
    services, console, listener = listings.headed(lines(text))
    assert (services["SESSIONNAME"], services["ID"], services["STATE"], services["IsCurrent"]) == (
        "services", "0", "Disc", "true",
    )  # fmt: skip
    assert "USERNAME" not in services and console["USERNAME"] == "localops"
    assert (listener["SESSIONNAME"], listener["ID"]) == ("rdp-tcp", "65536")


def test_users_keep_theirs_too() -> None:
    text = (
        " USERNAME              SESSIONNAME        ID  STATE   IDLE TIME  LOGON TIME\n"
        ">ann                   console             1  Active      none   5/15/2026 10:00 AM\n"
        " bob                                       2  Disc         1:07  5/15/2026 9:00 AM\n"
    )
    ann, bob = listings.headed(lines(text))
    assert (ann["SESSIONNAME"], ann["IDLE_TIME"], ann["LOGON_TIME"]) == ("console", "none", "5/15/2026 10:00 AM")
    assert "SESSIONNAME" not in bob and (bob["ID"], bob["STATE"]) == ("2", "Disc")


def test_ipconfig_with_several_values_and_a_german_one() -> None:
    text = (
        "\nWindows-IP-Konfiguration\n\n   Hostname  . . . . . . . . . . . . : PC1\n\nEthernet-Adapter Ethernet:\n\n"
        "   Physische Adresse . . . . . . . . : 00-15-5D-01-02-03\n"
        "   DNS-Server  . . . . . . . . . . . : 10.0.0.1\n                                       10.0.0.2\n"
    )
    rows = list(listings.adapters(lines(text)))
    assert rows[0] == {"Adapter": "Windows-IP-Konfiguration", "Property": "Hostname", "Value": "PC1"}
    assert [row["Value"] for row in rows if row["Property"] == "DNS-Server"] == ["10.0.0.1", "10.0.0.2"]
    assert rows[-1]["Adapter"] == "Ethernet-Adapter Ethernet"


def test_arp_netstat_and_the_resolver_cache() -> None:
    arp = (
        "\nSchnittstelle: 10.0.0.5 --- 0x6\n  Internetadresse  Phys. Adresse  Typ\n"
        "  10.0.0.1  00-15-5d-01-02-03  dynamisch\n"
    )
    assert list(listings.neighbours(lines(arp))) == [
        {
            "Interface": "10.0.0.5",
            "InternetAddress": "10.0.0.1",
            "PhysicalAddress": "00-15-5d-01-02-03",
            "Type": "dynamisch",
        }
    ]
    netstat = (
        "Active Connections\n\n  Proto  Local Address  Foreign Address  State  PID\n"
        "  TCP    10.0.0.5:50001     203.0.113.7:443     ESTABLISHED     4120\n [evil.exe]\n"
        "  UDP    [fe80::1%6]:546     *:*      900\n"
    )
    tcp, udp = listings.sockets(lines(netstat))
    assert tcp == {
        "Protocol": "TCP", "State": "ESTABLISHED", "LocalIP": "10.0.0.5", "LocalPort": 50001,
        "RemoteIP": "203.0.113.7", "RemotePort": 443, "OwningProcess": 4120, "ProcessName": "evil.exe",
    }  # fmt: skip
    assert (udp["LocalIP"], udp["LocalPort"], udp["RemoteIP"], udp["OwningProcess"]) == ("fe80::1", 546, "*", 900)
    dns = (
        "\n    evil.example\n    ----------------------------------------\n    Record Name . . . . . : evil.example\n"
        "    Record Type . . . . . : 1\n    A (Host) Record . . . : 203.0.113.7\n\n\n"
        "x.example                  10.1.2.3\n"
    )
    first, second = listings.resolved(lines(dns))
    assert first == {"Record_Name": "evil.example", "Record_Type": "1", "A_Host_Record": "203.0.113.7"}
    assert second == {"Record_Name": "x.example", "Data": "10.1.2.3"}


MPLOG = r"""2023-12-19T09:10:55.472Z ProcessImageName: rclone.exe, Pid: 7836, Count: 2, MaxTimeFile: \Device\HarddiskVolume1\loot.zip, EstimatedImpact: 9%
2023-12-19T09:32:11.580Z Engine:command line reported as threat: C:\rundll32.exe(rundll32.exe C:\Windows\comsvcs.dll, MiniDump 700)
2023-12-19T09:33:18.855Z DETECTIONEVENT MPSOURCE_REALTIME HackTool:Win32/Example!MSR file:C:\Users\alice\tool one.exe;
2023-12-19T09:33:19.001Z DETECTION_CLEANEVENT MPSOURCE_SYSTEM MP_THREAT_ACTION_QUARANTINE 0 HackTool:Win32/E file:C:\t.exe;
2023-12-19T09:33:29.027Z [RTP] [Mini-filter] Blocked file(#74): \Device\Disk3\tool.exe. Process: \Device\explorer.exe, Status: 0x0
Begin Resource Scan
Scan ID:{C343E826-0000-4000-8000-000000000001}
Start Time:12-19-2023 10:33:33
Resource Path:C:\Users\alice\tool.exe
Threat Name:HackTool:Win32/Example!MSR
End Scan
2023-12-19T09:40:00.000Z [Exclusion] C:\Temp -> \Device\HarddiskVolume3\Temp
  and a second line
2023-12-19T09:41:00.000Z Engine version 1.1
"""  # noqa: E501


def test_the_protection_log() -> None:
    rows = list(logs.protection_log(lines(MPLOG)))
    assert [row.get("Kind") for row in rows] == [
        "ProcessActivity", "CommandLine", "Detection", "Detection", "Block", "ResourceScan", "Exclusion", None,
    ]  # fmt: skip
    activity, command, detection, cleaned, block, scan, exclusion, _ = rows
    assert (activity["ProcessName"], activity["ProcessId"]) == ("rclone.exe", 7836)
    assert activity["FilePath"] == "\\Device\\HarddiskVolume1\\loot.zip"
    assert str(command["ProcessCommandLine"]).startswith("rundll32.exe C:\\Windows")
    assert detection["FilePath"] == "C:\\Users\\alice\\tool one.exe"
    assert (detection["ThreatName"], detection["DetectionSource"]) == (
        "HackTool:Win32/Example!MSR",
        "MPSOURCE_REALTIME",
    )
    assert cleaned["Action"] == "MP_THREAT_ACTION_QUARANTINE"
    assert block["FilePath"] == "\\Device\\Disk3\\tool.exe"
    assert (scan["Time_Local"], scan["ThreatName"]) == ("2023-12-19T10:33:33.0000000Z", "HackTool:Win32/Example!MSR")
    assert str(exclusion["Text"]).endswith("\n  and a second line")
    assert activity["Timestamp"] == "2023-12-19T09:10:55.4720000Z" and "Timestamp" not in scan


def test_a_block_of_the_protection_log_takes_no_stamped_line() -> None:
    text = (
        "2023-12-19T09:10:55Z one\nBegin Resource Scan\nScan Source:3\n"
        "2023-12-19T09:33:18Z DETECTIONEVENT MPSOURCE_REALTIME HackTool:Win32/E file:C:\\e.exe;\nThreat Name:HackTool\n"
    )
    within = list(logs.protection_log(lines(f"{text}End Scan\n2023-12-19T09:40:00Z two\n")))
    assert [(row["LineNumber"], row.get("Kind")) for row in within] == [
        (1, None), (4, "Detection"), (2, "ResourceScan"), (7, None),
    ]  # fmt: skip
    assert within[2]["ThreatName"] == "HackTool" and within[1]["Timestamp"] == "2023-12-19T09:33:18.0000000Z"
    cut = list(logs.protection_log(lines(text + "2023-12-19T09:40:00Z two\n")))
    assert [row["LineNumber"] for row in cut] == [1, 4, 6, 2]


def test_the_firewall_log_and_mpcmdrun() -> None:
    text = (
        "#Version: 1.5\n#Software: Microsoft Windows Firewall\n#Time Format: Local\n"
        "#Fields: date time action protocol src-ip dst-ip src-port dst-port size tcpflags info path\n\n"
        "2026-01-18 15:35:24 DROP TCP 203.0.113.7 10.0.0.5 50001 445 52 S - RECEIVE\n"
    )
    (row,) = logs.firewall_log(lines(text))
    assert row == {
        "Time_Local": "2026-01-18T15:35:24.0000000Z", "Action": "DROP", "Protocol": "TCP", "SourceIP": "203.0.113.7",
        "DestinationIP": "10.0.0.5", "SourcePort": 50001, "DestinationPort": 445, "Size": 52, "tcpflags": "S",
        "Direction": "RECEIVE",
    }  # fmt: skip
    text = (
        '-----\nMpCmdRun: Command Line: "C:\\MpCmdRun.exe" -RemoveDefinitions -All\n'
        " Start Time: \u200eThu \u200eApr \u200e01 \u200e2021 22:25:24\n\nhr = 0x0\n"
        "MpCmdRun: End Time: Thu Apr 01 2021 22:25:29\n"
    )
    (run,) = logs.command_runs(lines(text))
    assert run["ProcessCommandLine"] == '"C:\\MpCmdRun.exe" -RemoveDefinitions -All' and run["Output"] == "hr = 0x0"
    assert (run["StartTime_Text"], run["EndTime_Text"]) == ("Thu Apr 01 2021 22:25:24", "Thu Apr 01 2021 22:25:29")


def test_history_and_prefetch() -> None:
    history = list(logs.shell_history(lines("ipconfig /all\nfunction f {`\n  whoami`\n}\nexit\n")))
    assert history == [
        {"LineNumber": 1, "CommandLine": "ipconfig /all"},
        {"LineNumber": 2, "CommandLine": "function f {\n  whoami\n}"},
        {"LineNumber": 5, "CommandLine": "exit"},
    ]
    text = (
        "RCLONE.EXE-1A2B3C4D.pf\n01/18/2026  03:35 PM  12,345 MIMI KATZ.EXE-0011aabb.pf\n"
        "2026-01-18T15:35:24Z\tX.EXE-00000001.pf\nother"
    )
    rows = list(logs.prefetch_list(lines(text)))
    assert [(row["Program"], row["PathHash"]) for row in rows] == [
        ("RCLONE.EXE", "1A2B3C4D"), ("MIMI KATZ.EXE", "0011AABB"), ("X.EXE", "00000001"),
    ]  # fmt: skip
    assert rows[2]["Timestamp"] == "2026-01-18T15:35:24.0000000Z" and "Timestamp" not in rows[1]


READERS = (
    listings.blocks, listings.ruled, listings.headed, listings.adapters, listings.resolved, listings.neighbours,
    listings.sockets, listings.properties, listings.numbered, logs.protection_log, logs.command_runs, logs.firewall_log,
    logs.shell_history, logs.prefetch_list,
)  # fmt: skip
PIECES = st.sampled_from(
    [" : ", "Key", "====", "---- --", "  ", "\t", ">", "2023-12-19T09:10:55.472Z ", "Begin Resource Scan", "End Scan",
     "DETECTION_ADD#1 a:b file:C:\\x;", "#Fields: date time x", "Start Time:13-40-2023 10:33:33",
     "`", "\ufeff", ". . :",
     "TCP 1:2 3:4", "2026-01-18 15:35:24", "x.pf", "é", "\u2028"]
)  # fmt: skip


@given(st.lists(st.tuples(PIECES, st.sampled_from([1, 40, 7_900, 20_000])), max_size=14), st.integers(0, 900))
def test_no_log_loses_a_line(text: list[tuple[str, int]], more: int) -> None:
    """Every line is in some row, however long it is, or its message, or a block that nothing ends."""
    written = {f"mark-{number}-": f"{piece} mark-{number}- {'x' * size}" for number, (piece, size) in enumerate(text)}
    written |= {f"more-{number}-": f"more-{number}-" for number in range(more)}
    for reader in (logs.protection_log, logs.command_runs, logs.firewall_log):
        rows = list(reader(f"{line}\n" for line in written.values()))
        kept = "\n".join(str(value) for row in rows for value in row.values())
        lost = [mark for mark, line in written.items() if mark not in kept and not line.startswith("#")]
        assert lost == [], reader.__name__


@given(st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=12))
def test_no_reader_breaks_on_anything(text: list[str]) -> None:
    for reader in READERS:
        assert all(isinstance(row, dict) and row for row in reader(text))
