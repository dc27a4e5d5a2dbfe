"""The investigation package: https://learn.microsoft.com/defender-endpoint/respond-machine-alerts"""

from __future__ import annotations

import io
import zipfile

from simulator.dfir import sections
from simulator.dfir.facts import Facts
from simulator.dfir.powershell import csv_lines, utf8_bom


def _csv(rows: sections.Rows) -> bytes:
    return utf8_bom(csv_lines(sections.columns_of(rows), rows))


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def _netstat(facts: Facts) -> list[str]:
    return ["Active Connections", "", "  Proto  Local Address          Foreign Address        State           PID"] + [
        f"  TCP    {row['LocalAddress']}:{row['LocalPort']:<12} {row['RemoteAddress']}:{row['RemotePort']:<12} "
        f"ESTABLISHED     {row['OwningProcess']}"
        for row in sections.connections(facts)
    ]


_SECTIONS = (
    "Autoruns", "Installed programs", "Network connections", "Prefetch files", "Processes", "Scheduled tasks",
    "Services", "SMB sessions", "System Information", "Temp Directories", "Users and Groups", "WdSupportLogs",
)  # fmt: skip


def _arp(facts: Facts) -> list[str]:
    gateway = facts.device.ip.rsplit(".", 1)[0] + ".1"
    return [
        "", f"Interface: {facts.device.ip} --- 0x6", "  Internet Address      Physical Address      Type",
        f"  {gateway:<22}00-15-5d-0a-2a-01     dynamic", "  224.0.0.22            01-00-5e-00-00-16     static",
    ]  # fmt: skip


def _firewall(facts: Facts) -> list[str]:
    """Windows Firewall's log: https://learn.microsoft.com/windows/security/operating-system-security/network-security"""
    head = (
        "date time action protocol src-ip dst-ip src-port dst-port size tcpflags tcpsyn tcpack tcpwin icmptype "
        "icmpcode info path"
    )
    stamp = f"{facts.now_local:%Y-%m-%d %H:%M:%S}"
    return ["#Version: 1.5", "#Software: Microsoft Windows Firewall", "#Time Format: Local", f"#Fields: {head}", ""] + [
        f"{stamp} ALLOW TCP {row['LocalAddress']} {row['RemoteAddress']} {row['LocalPort']} "
        f"{row['RemotePort']} 0 - 0 0 0 - - - SEND"
        for row in sections.connections(facts)
    ]


def investigation_package(facts: Facts) -> bytes:
    """The package of a Windows device, without event logs and binary files."""
    names = [f"{row['Entry']:<50} {row['Data']}" for row in sections.dns_cache(facts)]
    prefetch = sorted({f"{row['Proc_Name'].upper()}-{row['Proc_Hash'][:8]}.pf" for row in sections.process_list(facts)})
    files = {
        "Autoruns/Autoruns.csv": _csv(sections.auto_run(facts)),
        "Installed programs/InstalledPrograms.csv": _csv(sections.software(facts)),
        "Network connections/ActiveNetConnections.txt": _text(_netstat(facts)),
        "Network connections/Arp.txt": _text(_arp(facts)),
        "Network connections/DnsCache.txt": _text(names),
        "Network connections/FirewallExecutionLog.txt": _text(["Ok."]),
        "Network connections/IpConfig.txt": _text([f"IPv4 Address: {facts.device.ip}"]),
        "Network connections/pfirewall.log": _text(_firewall(facts)),
        "Prefetch files/PrefetchFilesList.txt": _text(prefetch),
        "Processes/Processes.csv": _csv(sections.process_list(facts)),
        "Scheduled tasks/ScheduledTasks.csv": _csv(sections.scheduled_tasks(facts)),
        "Services/Services.csv": _csv(sections.services(facts)),
        "SMB sessions/SmbInboundSessions.txt": _text(["No inbound SMB session."]),
        "SMB sessions/SmbOutboundSessions.txt": _text(["No outbound SMB session."]),
        "System Information/SystemInformation.txt": _text(
            [f"Host Name: {facts.device.computer}", f"OS: {facts.device.os_platform} {facts.device.os_version}"]
        ),
        "Temp Directories/TempDirectories.txt": _text(
            [r"C:\Windows\Temp", rf"C:\Users\{facts.device.owner.account}\AppData\Local\Temp"]
        ),
        "Users and Groups/Users.csv": _csv(sections.local_users(facts)),
        "WdSupportLogs/MpCmdRunLog.txt": _text([f"{facts.now_local:%Y-%m-%dT%H:%M:%S} MpCmdRun: signature update"]),
        "CollectionSummaryReport.xls": _text(["Section\tStatus", *(f"{name}\tSucceeded" for name in _SECTIONS)]),
    }
    buffer = io.BytesIO()
    stamp = facts.now_local.timetuple()[:6]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()
