"""The parts of the script's output, each as rows: one function per file of the CSV folder."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from simulator.dfir.facts import Facts
from simulator.story import images
from simulator.story.world import NETBIOS

Rows = list[dict[str, Any]]

SERVICES = (
    ("EventLog", "Windows Event Log"), ("LanmanServer", "Server"), ("LanmanWorkstation", "Workstation"),
    ("Schedule", "Task Scheduler"), ("Sense", "Windows Defender Advanced Threat Protection Service"),
    ("TermService", "Remote Desktop Services"), ("WinDefend", "Microsoft Defender Antivirus Service"),
    ("Winmgmt", "Windows Management Instrumentation"), ("Dnscache", "DNS Client"),
)  # fmt: skip
TASKS = (
    ("\\Microsoft\\Windows\\Defrag\\", "ScheduledDefrag"),
    ("\\Microsoft\\Windows\\UpdateOrchestrator\\", "Schedule Scan"),
    ("\\Microsoft\\Windows\\Windows Defender\\", "Windows Defender Scheduled Scan"), ("\\Northwharf\\", "Inventory"),
)  # fmt: skip
DRIVERS = (
    ("acpi", "Microsoft ACPI Driver", "Kernel"), ("disk", "Disk Driver", "Kernel"), ("ntfs", "NTFS", "File System"),
    ("tcpip", "TCP/IP Protocol Driver", "Kernel"),
    ("mssecflt", "Microsoft Security Events Component Minifilter", "File System"),
)  # fmt: skip
PLUGGED = (
    ("Keyboard", "HID Keyboard Device", "HID\\VID_413C&PID_2113"),
    ("Monitor", "Generic PnP Monitor", "DISPLAY\\DELA0C1"),
    ("DiskDrive", "NVMe Contorium 512GB", "SCSI\\DISK&VEN_NVME"),
)  # fmt: skip


def ip_configuration(facts: Facts) -> Rows:
    """Get-NetIPAddress"""
    shared = {"PrefixOrigin": "Dhcp", "SuffixOrigin": "Dhcp", "SkipAsSource": "False", "Type": "Unicast",
              "Store": "ActiveStore", "AddressState": "Preferred", "ValidLifetime": "7.23:59:11",
              "PreferredLifetime": "7.23:59:11"}  # fmt: skip
    return [
        {**shared, "AddressFamily": "IPv4", "IPAddress": facts.device.ip, "InterfaceAlias": "Ethernet",
         "InterfaceIndex": 6, "PrefixLength": 24},
        {**shared, "AddressFamily": "IPv4", "IPAddress": "127.0.0.1", "InterfaceAlias": "Loopback Pseudo-Interface 1",
         "InterfaceIndex": 1, "PrefixLength": 8},
    ]  # fmt: skip


def connections(facts: Facts) -> Rows:
    """Get-NetTCPConnection -State Established"""
    return [
        {
            "State": "Established", "AppliedSetting": "Internet", "CreationTime": facts.local(row["Timestamp"]),
            "LocalAddress": row["LocalIP"], "LocalPort": row["LocalPort"], "OwningProcess": row["InitiatingProcessId"],
            "RemoteAddress": row["RemoteIP"], "RemotePort": row["RemotePort"],
            "InstanceID": f"{row['LocalIP']}++{row['LocalPort']}++{row['RemoteIP']}++{row['RemotePort']}",
        }
        for row in facts.connections()
    ]  # fmt: skip


def auto_run(facts: Facts) -> Rows:
    """Win32_StartupCommand"""
    hives = {"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_CURRENT_USER": "HKU"}  # Defender's user hives carry the SID
    rows: Rows = [
        {"Name": "SecurityHealth", "Command": r"%windir%\system32\SecurityHealthSystray.exe",
         "Location": r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run", "User": "Public"}
    ]  # fmt: skip
    for row in facts.run_keys():
        hive, _, key = row["RegistryKey"].partition("\\")
        person = facts.device.owner.account
        rows.append(
            {"Name": row["RegistryValueName"], "Command": row["RegistryValueData"],
             "Location": f"{hives.get(hive, hive)}\\{key}",
             "User": "Public" if hive == "HKEY_LOCAL_MACHINE" else f"{NETBIOS}\\{person}"}
        )  # fmt: skip
    return rows


def process_list(facts: Facts) -> Rows:
    """ProcessList.csv: running processes with a readable path."""
    base: Rows = [
        {"Proc_Name": image.name, "Proc_Path": image.path, "Proc_CommandLine": image.name, "Proc_ParentProcessId": 600,
         "Proc_ProcessId": 604 + 4 * number, "Proc_Hash": image.sha256.upper()}
        for number, image in enumerate((images.SVCHOST, images.LSASS, images.MSMPENG, images.SENSE, images.SPOOLSV))
    ]  # fmt: skip
    story: Rows = [
        {"Proc_Name": row["FileName"], "Proc_Path": row["FolderPath"], "Proc_CommandLine": row["ProcessCommandLine"],
         "Proc_ParentProcessId": row["InitiatingProcessId"], "Proc_ProcessId": row["ProcessId"],
         "Proc_Hash": row["SHA256"].upper()}
        for row in facts.processes()
    ]  # fmt: skip
    return base + story


def unique_hashes(facts: Facts) -> Rows:
    """Unique pairs of path and SHA-256."""
    pairs = dict.fromkeys((row["Proc_Path"], row["Proc_Hash"]) for row in process_list(facts))
    return [{"Proc_Path": path, "Proc_Hash": digest} for path, digest in pairs]


def dns_cache(facts: Facts) -> Rows:
    """Get-DnsClientCache: names of the last connections."""
    names = dict.fromkeys((row["RemoteUrl"], row["RemoteIP"]) for row in facts.connections() if row["RemoteUrl"])
    return [
        {"Entry": name, "Name": name, "Data": address, "DataLength": 4, "Section": "Answer", "Status": "Success",
         "TimeToLive": 41 + number * 7 % 900, "Type": "A"}
        for number, (name, address) in enumerate(names)
    ]  # fmt: skip


def services(facts: Facts) -> Rows:
    """Get-Service, running ones; services that the intruder installed stand among them."""
    installed = [(event["extra"].get("ServiceName", ""), "") for event in facts.device_events("ServiceInstalled")]
    return [
        {"Name": name, "RequiredServices": "System.ServiceProcess.ServiceController[]", "CanPauseAndContinue": "False",
         "CanShutdown": "False", "CanStop": "True", "DisplayName": shown or name, "DependentServices":
         "System.ServiceProcess.ServiceController[]", "MachineName": ".", "ServiceName": name, "ServicesDependedOn":
         "System.ServiceProcess.ServiceController[]", "ServiceHandle": None, "Status": "Running", "ServiceType":
         "Win32OwnProcess", "StartType": "Automatic", "Site": None, "Container": None}
        for name, shown in (*SERVICES, *installed)
    ]  # fmt: skip


def _task_names(facts: Facts) -> list[tuple[str, str]]:
    made = []
    for event in facts.device_events("ScheduledTaskCreated"):
        path, _, name = str(event["extra"].get("TaskName", "")).rpartition("\\")
        made.append((f"{path}\\", name))
    return [*TASKS, *made]


def scheduled_tasks(facts: Facts) -> Rows:
    """Get-ScheduledTask: what a task runs is a type name in the CSV, as in the real one."""
    return [
        {"State": "Ready", "Actions": "MSFT_TaskExecAction", "Author": "Microsoft Corporation", "Date": None,
         "Description": None, "Documentation": None, "Principal": "MSFT_TaskPrincipal2", "SecurityDescriptor": None,
         "Settings": "MSFT_TaskSettings3", "Source": None, "TaskName": name, "TaskPath": path,
         "Triggers": "MSFT_TaskTrigger", "URI": path + name, "Version": None, "PSComputerName": None}
        for path, name in _task_names(facts)
    ]  # fmt: skip


def task_runs(facts: Facts) -> Rows:
    """Get-ScheduledTaskInfo"""
    return [
        {"LastRunTime": facts.now_local - timedelta(hours=2 + number), "LastTaskResult": 0,
         "NextRunTime": facts.now_local + timedelta(hours=3), "NumberOfMissedRuns": 0, "TaskName": name,
         "TaskPath": path, "PSComputerName": None}
        for number, (path, name) in enumerate(_task_names(facts))
    ]  # fmt: skip


def local_users(facts: Facts) -> Rows:
    """Get-LocalUser"""
    parts = (int(facts.device.id[start : start + 8], 16) for start in (0, 8, 16))
    base = "S-1-5-21-" + "-".join(map(str, parts))
    return [
        {"AccountExpires": None, "Description": note, "Enabled": str(enabled), "FullName": "",
         "PasswordChangeableDate": facts.now_local - timedelta(days=400), "PasswordExpires": None,
         "UserMayChangePassword": "True", "PasswordRequired": "True",
         "PasswordLastSet": facts.now_local - timedelta(days=401), "LastLogon": None, "Name": name,
         "SID": f"{base}-{rid}", "PrincipalSource": "Local", "ObjectClass": "User"}
        for name, rid, enabled, note in (
            ("Administrator", 500, False, "Built-in account for administering the computer"),
            ("Guest", 501, False, "Built-in account for guest access"), ("localops", 1001, True, "Opérations locales"),
        )
    ]  # fmt: skip


def shares(facts: Facts) -> Rows:
    """Get-SmbShare"""
    own = [("Finance", r"D:\Shares\Finance", "False")] if facts.device.host == "srv-file01" else []
    hidden = (("ADMIN$", r"C:\Windows", "True"), ("C$", "C:\\", "True"), ("IPC$", "", "True"))
    return [
        {"Name": name, "ScopeName": "*", "Path": path, "Description": "", "ShareState": "Online",
         "ShareType": "FileSystemDirectory", "CurrentUsers": 1 if special == "False" else 0, "EncryptData": "False",
         "FolderEnumerationMode": "Unrestricted", "Special": special, "Temporary": "False", "Volume": r"\\?\Volume{c0}",
         "SecurityDescriptor": "O:SYG:SYD:(A;;GA;;;BA)"}
        for name, path, special in (*hidden, *own)
    ]  # fmt: skip


def software(facts: Facts) -> Rows:
    """MsiInstaller events 1033"""
    return [
        {"TimeCreated": facts.now_local - timedelta(days=days), "Message":
         f"Windows Installer installed the product. Product Name: {name}. Product Version: {version}. "
         "Product Language: 1033. Manufacturer: Northwharf Shipping. Installation success or error status: 0."}
        for days, name, version in ((3, "TideBook", "8.4.1"), (21, "Harbour VPN", "5.0.2"))
    ]  # fmt: skip


def shadow_copies(facts: Facts) -> Rows:
    """Win32_ShadowCopy"""
    return [
        {"ID": "{6F1C7A10-0000-4000-8000-3D3D3D3D3D3D}", "InstallDate": facts.now_local - timedelta(days=2),
         "DeviceObject": r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy1", "VolumeName": r"\\?\Volume{c0}",
         "OriginatingMachine": facts.device.name, "ProviderID": "{B5946137-7B9F-4925-AF80-51ABD60B20D5}", "State": 12,
         "Count": 1, "Persistent": "True", "ClientAccessible": "True"}
    ]  # fmt: skip


def plugged_in(facts: Facts) -> Rows:
    """Get-PnpDevice"""
    return [
        {"Class": kind, "FriendlyName": name, "InstanceId": f"{path}\\{facts.device.mac}", "Status": "OK",
         "Present": "True", "Manufacturer": "(Standard)", "PNPClass": kind, "DeviceID": f"{path}\\{facts.device.mac}",
         "PNPDeviceID": f"{path}\\{facts.device.mac}", "HardwareID": "System.String[]", "Service": "kbdhid",
         "ConfigManagerErrorCode": "CM_PROB_NONE"}
        for kind, name, path in PLUGGED
    ]  # fmt: skip


def columns_of(rows: Rows) -> tuple[str, ...]:
    """The columns of rows that all have the same."""
    return tuple(rows[0]) if rows else ()
