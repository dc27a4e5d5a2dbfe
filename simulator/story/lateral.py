"""The intruder moves on: a second workstation and the file server, over SMB with the dumped administrator's account,
and a document for a third person.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.story import images
from simulator.story.images import Image
from simulator.story.intrusion import CONTROL_HOST, CONTROL_IP, DELIVERY_HOST, DELIVERY_IP, RUN_KEY
from simulator.story.logons import Logon, logon, process_event, security_event
from simulator.story.noise import Services
from simulator.story.recorder import SYSTEM_ACCOUNT, Account, Process, Recorder
from simulator.story.timeline import MINUTE, SECOND
from simulator.story.world import NETBIOS, Device, World

ARCHIVE = Image("finance_q4.7z", r"C:\Windows\Temp", "", "", "", 734_003_200, "", "archive")
REMOTE_SERVICE_NAME = "WHSVC"
LURE_URL = f"https://{DELIVERY_HOST}/remote/Updated%20remote%20access.docx"


@dataclass(frozen=True)
class Spread:
    """What the intruder leaves on the two further machines."""

    workstation_service: Process
    workstation_shell: Process
    server_service: Process
    server_shell: Process
    staging: Process


@dataclass
class Lateral:
    """Writes the events of the second host and of the file server. `implant` is the process on the jump host."""

    recorder: Recorder
    world: World
    services: dict[str, Services]
    implant: Process

    def run(self) -> Spread:
        """Both machines, in order."""
        workstation, server = self.world.second_host, self.world.file_server
        first = self._remote_service(workstation, "14:52:18")
        shell = self._command(first, "14:53:05", images.CMD, r"cmd.exe /c whoami & hostname > \\127.0.0.1\ADMIN$\o.txt")
        self.recorder.registry(first, self._at("14:54:40"), RUN_KEY, "EdgeHelper", f'"{images.REMOTE_SERVICE.path}" -r')
        self._beacon(first, "14:55:00")
        self._lure()
        second = self._remote_service(server, "15:20:41")
        console = self._command(second, "15:22:10", images.CMD, "cmd.exe")
        staging = self._stage(console)
        self._clear_log(console)
        return Spread(first, shell, second, console, staging)

    def _at(self, clock: str) -> int:
        return self.world.week.at(0, clock)

    def _remote_service(self, target: Device, clock: str) -> Process:
        """Network logon, file copied to ADMIN$, a service created and started: what a remote-service tool leaves."""
        moment, recorder = self._at(clock), self.recorder
        source = self.implant.device
        admin = Account.of(self.world.stolen_admin)
        running = self.services[target.host]
        recorder.network(
            self.implant, moment, "ConnectionSuccess", (target.ip, 445), url=target.name, local_port=52_445
        )
        recorder.network(running.system, moment, "InboundConnectionAccepted", (source.ip, 52_445), local_port=445)
        attempt = Logon(admin, "Network", source.ip, source.name, "", "NTLM", local_admin=True, remote_port=52_445)
        logon(recorder, target, moment + SECOND, attempt, running.lsass)
        share = {"ShareName": r"\\*\ADMIN$", "IpAddress": source.ip, "SubjectUserName": admin.name,
                 "Account": f"{NETBIOS}\\{admin.name}"}  # fmt: skip
        security_event(recorder, target, moment + SECOND, 5140, share)
        recorder.file(
            running.system, moment + 2 * SECOND, "FileCreated", images.REMOTE_SERVICE, RequestProtocol="Smb",
            RequestSourceIP=source.ip, RequestSourcePort=52_445, RequestAccountName=admin.name,
            RequestAccountDomain=NETBIOS, RequestAccountSid=admin.sid, ShareName="ADMIN$",
        )  # fmt: skip
        return self._started(target, running, admin, moment + 4 * SECOND)

    def _started(self, target: Device, running: Services, admin: Account, moment: int) -> Process:
        recorder = self.recorder
        extra = {"ServiceName": REMOTE_SERVICE_NAME, "ServiceStartType": "3", "ServiceAccount": "LocalSystem"}
        recorder.event(running.services, moment, "ServiceInstalled", extra, images.REMOTE_SERVICE)
        security_event(recorder, target, moment, 4697, {
            "Account": f"{NETBIOS}\\{admin.name}", "SubjectUserName": admin.name,
            "ServiceName": REMOTE_SERVICE_NAME, "ServiceFileName": r"%systemroot%\WHSVC.exe",
            "ServiceStartType": 3, "ServiceType": "0x10",
        })  # fmt: skip
        rule = {"RuleId": "d1e49aac-8f56-4280-b9ba-993a6d77406c", "IsAudit": True}
        recorder.event(running.services, moment + SECOND, "AsrPsexecWmiChildProcessAudited", rule,
                       images.REMOTE_SERVICE)  # fmt: skip
        pipe = {"PipeName": r"\Device\NamedPipe\whsvc", "FileOperation": "File created"}
        born = recorder.process(
            target, moment + SECOND, images.REMOTE_SERVICE, r"C:\Windows\WHSVC.exe", SYSTEM_ACCOUNT,
            running.services, integrity="System",
        )  # fmt: skip
        recorder.event(born, moment + 2 * SECOND, "NamedPipeEvent", pipe)
        process_event(recorder, born)
        return born

    def _command(self, parent: Process, clock: str, image: Image, command: str) -> Process:
        born = self.recorder.process(
            parent.device, self._at(clock), image, command, SYSTEM_ACCOUNT, parent, integrity="System"
        )
        process_event(self.recorder, born)
        return born

    def _beacon(self, process: Process, clock: str) -> None:
        rng = self.world.random("beacon", process.device.host)
        moment = self._at(clock)
        while moment < self._at("16:30:00"):
            self.recorder.network(
                process, moment, "ConnectionSuccess", (CONTROL_IP, 443), url=CONTROL_HOST,
                local_port=rng.randrange(49_152, 65_535),
            )  # fmt: skip
            moment += 10 * MINUTE + rng.randrange(40 * SECOND)

    def _lure(self) -> None:
        """A colleague opens the document that the internal mail pointed to; Word fetches its template from outside."""
        device, recorder = self.world.device("ws-fin-01"), self.recorder
        account = Account.of(device.owner)
        folder = rf"C:\Users\{account.name}\Downloads"
        document = Image("Updated remote access.docx", folder, "", "", "", 48_211, "", "lure")
        outlook = recorder.process(
            device, self._at("15:05:30"), images.OUTLOOK, f'"{images.OUTLOOK.path}"', account, silent=True
        )
        recorder.file(outlook, self._at("15:06:02"), "FileCreated", document, FileOriginUrl=LURE_URL)
        command = f'"{images.WINWORD.path}" /n "{folder}\\{document.name}" /o ""'
        word = recorder.process(device, self._at("15:06:09"), images.WINWORD, command, account, outlook)
        recorder.network(
            word, self._at("15:06:14"), "ConnectionSuccess", (DELIVERY_IP, 443), url=DELIVERY_HOST, local_port=53_806
        )
        rule = {"RuleId": "d4f940ab-401b-4efc-aadc-ad5f3c50688a", "IsAudit": False}
        recorder.event(word, self._at("15:06:17"), "AsrOfficeChildProcessBlocked", rule, images.CMD,
                       ProcessCommandLine="cmd.exe /c start /b wupdmgr.exe")  # fmt: skip

    def _stage(self, console: Process) -> Process:
        copy = r"robocopy D:\Shares\Finance C:\Windows\Temp\fq4 /S /R:0 /NJH"
        self._command(console, "15:24:00", images.ROBOCOPY, copy)
        pack = r"powershell.exe -nop -c Compress-Archive C:\Windows\Temp\fq4 C:\Windows\Temp\finance_q4.7z"
        staging = self._command(console, "15:27:30", images.POWERSHELL, pack)
        self.recorder.file(staging, self._at("15:29:02"), "FileCreated", ARCHIVE)
        for clock in ("15:30:10", "15:33:40", "15:38:55"):
            self.recorder.network(
                console, self._at(clock), "ConnectionSuccess", (CONTROL_IP, 443), url=CONTROL_HOST, local_port=53_443
            )
        return staging

    def _clear_log(self, console: Process) -> None:
        self._command(console, "15:44:10", images.POWERSHELL, "powershell.exe -c Clear-EventLog -LogName Security")
        self.recorder.event(console, self._at("15:44:12"), "SecurityLogCleared", {})
        values = {"Account": "NT AUTHORITY\\SYSTEM", "SubjectUserName": "SYSTEM"}
        security_event(self.recorder, console.device, self._at("15:44:12"), 1102, values)
