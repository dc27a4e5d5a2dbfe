"""The zip that DFIR-Script.ps1 leaves on a device, and the CSV of CollectWindowsSecurityEvents.ps1."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from datetime import datetime, timedelta

from simulator.dfir import sections
from simulator.dfir.events import COLUMNS as EVENT_COLUMNS
from simulator.dfir.events import event_rows
from simulator.dfir.facts import Facts
from simulator.dfir.powershell import ascii_only, csv_lines, list_lines, table_lines, utf8_bom, utf16

CSV_FOLDER = "CSV Results (SIEM Import Data)"
_DAYS = re.compile(r"-sw\s+(\d{1,4})")
_WHOLE_LOG = 3650.0


def search_window(arguments: str) -> float:
    """Days of security events that `-sw` asks for; two without it."""
    found = _DAYS.search(arguments)
    return float(found.group(1)) if found else 2.0


def events_csv(facts: Facts) -> bytes:
    """SecurityEvents-<date>.csv: the whole log."""
    return ascii_only(csv_lines(EVENT_COLUMNS, event_rows(facts, _WHOLE_LOG)))


def dfir_zip(facts: Facts, arguments: str) -> bytes:
    """The zip. Entry names have backslashes and begin with the output folder, as Compress-Archive writes them."""
    root = f"DFIR-{facts.device.computer}-{facts.now_local:%Y-%m-%d}"
    files = {**_texts(facts), **_tables(facts, search_window(arguments))}
    buffer = io.BytesIO()
    stamp = facts.now_local.timetuple()[:6]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{root}\\{name}", stamp)
            entry.filename = f"{root}\\{name}"  # ZipInfo turns backslashes into slashes where os.sep is one
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def _active_users(facts: Facts) -> list[str]:
    """`query user`: the disconnected session lacks its name, so that its fields shift when the text is squeezed."""
    on_time = _short(facts.now_local - timedelta(hours=3))
    return [
        " USERNAME              SESSIONNAME        ID  STATE   IDLE TIME  LOGON TIME",
        f" {facts.device.owner.account:<21} console             1  Active      none   {on_time}",
        f" {'localops':<21}                     2  Disc         1:07  {on_time}",
    ]


def _sessions() -> list[str]:
    """`qwinsta`"""
    return [
        " SESSIONNAME       USERNAME                 ID  STATE   TYPE        DEVICE",
        ">services                                    0  Disc",
        " console           localops                  1  Active",
        " rdp-tcp                                 65536  Listen",
    ]


def _short(moment: datetime) -> str:
    hour = moment.hour % 12 or 12
    return f"{moment.month}/{moment.day}/{moment.year} {hour}:{moment:%M} {moment:%p}"


def _drivers(facts: Facts) -> list[str]:
    """`driverquery`: a fixed-width table with a ruler of equals signs."""
    date = _short(facts.now_local - timedelta(days=200))
    rows = [f"{name:<12} {shown[:22]:<22} {kind:<13} {date:<22}" for name, shown, kind in sections.DRIVERS]
    header = f"{'Module Name':<12} {'Display Name':<22} {'Driver Type':<13} {'Link Date':<22}"
    return ["", header, " ".join("=" * width for width in (12, 22, 13, 22)), *rows]


def _squeezed(lines: list[str]) -> list[str]:
    """What the script makes of a printed table: every run of two or more blanks becomes a comma."""
    return [re.sub(r"\s{2,}", ",", line) for line in lines]


def _texts(facts: Facts) -> dict[str, bytes]:
    """The .txt files and the two CSV files outside the CSV folder."""
    events = list(event_rows(facts, 2))
    counts = Counter(event["EventID"] for event in events).most_common()
    count_rows = [{"Count": count, "Name": name} for name, count in counts]
    address = sections.ip_configuration(facts)
    startup, services = sections.auto_run(facts), sections.services(facts)
    tasks, runs, users = sections.scheduled_tasks(facts), sections.task_runs(facts), sections.local_users(facts)
    connections, shares, names = sections.connections(facts), sections.shares(facts), sections.dns_cache(facts)
    wow = [{"SunJavaUpdateSched": r"C:\Program Files (x86)\Common Files\Java\jusched.exe"}]
    rest = {
        "ipinfo.txt": utf16(list_lines(sections.columns_of(address), address)),
        "ipconfig.txt": utf16(_ipconfig(facts)),
        "ShadowCopies.txt": utf16(list_lines(("ID", "InstallDate"), sections.shadow_copies(facts))),
        "Connections\\OpenConnections.txt": utf16(
            table_lines(("LocalAddress", "LocalPort", "RemoteAddress", "RemotePort", "State"), connections)
        ),
        "Connections\\ConnectionsMadeByOffice.txt": b"\xff\xfe",
        "Connections\\SMBShares.txt": utf16(table_lines(("Name", "ScopeName", "Path", "Description"), shares)),
        "Connections\\RDPSessions.txt": utf16(_sessions()),
        "Connections\\DNSCache.txt": utf16(
            list_lines(("Entry", "Name", "Data", "Type", "Status", "TimeToLive"), names)
        ),
        "Connections\\RemotelyOpenedFiles.txt": utf16(_opened()),
        "Persistence\\AutoRunInfo.txt": utf16(list_lines(("Name", "Command", "Location", "User"), startup)),
        "Persistence\\Win32RegRunKey.txt": utf16(list_lines(("SunJavaUpdateSched",), wow)),
        "Persistence\\InstalledDrivers.txt": utf16(_drivers(facts)),
        "UserInformation\\ActiveUsers.txt": utf16(_active_users(facts)),
        "UserInformation\\LocalUsers.txt": utf16(table_lines(("Name", "Enabled", "Description"), users)),
        "PowerShellHistory\\PowershellHistoryCurrentUser.txt": b"\xff\xfe",
        "Applications\\RecentlyInstalledSoftwareEventLogs.txt": utf16(
            list_lines(("TimeCreated", "Message"), sections.software(facts))
        ),
        "Services\\RunningServices.txt": utf16(list_lines(("Name", "DisplayName", "Status"), services)),
        "ScheduledTask\\ScheduledTasksList.txt": utf16(list_lines(("TaskPath", "TaskName", "State"), tasks)),
        "ScheduledTask\\ScheduledTasksListRunInfo.txt": utf16(
            list_lines(("TaskName", "LastRunTime", "NextRunTime"), runs)
        ),
        "SecurityEvents\\EventCount.txt": utf16(table_lines(("Count", "Name"), count_rows)),
        "SecurityEvents\\SecurityEvents.txt": utf16(
            list_lines(("Index", "EntryType", "InstanceId", "Message", "TimeGenerated", "Source"), events)
        ),
        "ProcessInformation\\ProcessList.csv": _ascii_csv(sections.process_list(facts)),
        "ProcessInformation\\UniqueProcessHash.csv": _ascii_csv(sections.unique_hashes(facts)),
        "ConnectedDevices\\ConnectedDevices.csv": _ascii_csv(sections.plugged_in(facts)),
        "MPLogs\\MPLog-20260101-000000.log": utf16([f"{facts.now_local:%Y-%m-%dT%H:%M:%S} Service started"]),
    }
    return {**rest, **_exclusion_texts(facts), **_histories(facts)}


def _exclusion_texts(facts: Facts) -> dict[str, bytes]:
    contents = {"Path": facts.exclusions(), "Extension": [], "IpAddress": [], "Process": ["TideBook.exe"]}
    return {f"DefenderExclusions\\Exclusion{kind}.txt": utf16(lines) for kind, lines in contents.items()}


def _histories(facts: Facts) -> dict[str, bytes]:
    """PSReadLine histories. The folder is really called `<user>.Name`, by a slip in the script."""
    lines = ["Get-Service Sense", "ipconfig /all", "Restart-Service Spooler"]
    name = facts.device.owner.account
    return {f"PowerShellHistory\\{name}.Name\\ConsoleHost_history.txt": "\r\n".join(lines).encode() + b"\r\n"}


def _ipconfig(facts: Facts) -> list[str]:
    mac = "-".join(re.findall("..", facts.device.mac))
    return [
        "", "Windows IP Configuration", "", f"   Host Name . . . . . . . . . . . . : {facts.device.computer}",
        "   Primary Dns Suffix  . . . . . . . : northwharf.example", "", "Ethernet adapter Ethernet:", "",
        f"   Physical Address. . . . . . . . . : {mac}",
        f"   IPv4 Address. . . . . . . . . . . : {facts.device.ip}(Preferred)",
        "   DNS Servers . . . . . . . . . . . : 10.42.10.10",
    ]  # fmt: skip


def _opened() -> list[str]:
    """`openfiles` where tracking of local files is off."""
    return [
        "",
        "INFO: The system global flag 'maintain objects list' needs",
        "      to be enabled to see local opened files.",
        "",
    ]


def _ascii_csv(rows: sections.Rows) -> bytes:
    return ascii_only(csv_lines(sections.columns_of(rows), rows))


def _bom_csv(rows: sections.Rows) -> bytes:
    return utf8_bom(csv_lines(sections.columns_of(rows), rows))


def _tables(facts: Facts, days: float) -> dict[str, bytes]:
    """The CSV folder. Sections without output are files that hold only a byte order mark."""
    contents = {
        "IPConfiguration": _bom_csv(sections.ip_configuration(facts)),
        "OpenTCPConnections": _bom_csv(sections.connections(facts)),
        "AutoRun": _bom_csv(sections.auto_run(facts)),
        "Win32RegRunKey": _bom_csv(_run_key_row()),
        "Drivers": utf8_bom(_squeezed(_drivers(facts))),
        "ActiveUsers": utf8_bom(_squeezed(_active_users(facts))),
        "LocalUsers": _bom_csv(sections.local_users(facts)),
        "Processes": _ascii_csv(sections.unique_hashes(facts)),
        "OfficeConnections": utf8_bom([]),
        "NetworkShares": utf8_bom([]),
        "SMBShares": _bom_csv(sections.shares(facts)),
        "RDPSessions": utf8_bom(_squeezed(_sessions())),
        "RemotelyOpenedFiles": utf8_bom(_squeezed(_opened())),
        "DNSCache": _bom_csv(sections.dns_cache(facts)),
        "PowerShellHistory": utf8_bom([]),
        "InstalledSoftware": _bom_csv(sections.software(facts)),
        "RunningServices": _bom_csv(sections.services(facts)),
        "ScheduledTasks": _bom_csv(sections.scheduled_tasks(facts)),
        "ScheduledTasksRunInfo": _bom_csv(sections.task_runs(facts)),
        "ConnectedDevices": _bom_csv(sections.plugged_in(facts)),
        "SecurityEvents": utf8_bom(csv_lines(EVENT_COLUMNS, event_rows(facts, days))),
        "ShadowCopy": _bom_csv(sections.shadow_copies(facts)),
        "DefenderExclusions": utf8_bom([*(facts.exclusions() or [""]), "", "", "TideBook.exe"]),
    }
    return {f"{CSV_FOLDER}\\{name}.csv": content for name, content in contents.items()}


def _run_key_row() -> sections.Rows:
    path = r"HKEY_LOCAL_MACHINE\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion"
    provider = r"Microsoft.PowerShell.Core\Registry::"
    return [
        {"SunJavaUpdateSched": r"C:\Program Files (x86)\Common Files\Java\jusched.exe",
         "PSPath": rf"{provider}{path}\Run", "PSParentPath": provider + path, "PSChildName": "Run", "PSDrive": "HKLM",
         "PSProvider": r"Microsoft.PowerShell.Core\Registry"}
    ]  # fmt: skip
