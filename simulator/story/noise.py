"""A week of ordinary work: what each device and its person do when nothing is wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass

from simulator.story import images
from simulator.story.images import Image
from simulator.story.logons import Logon, logon, process_event
from simulator.story.recorder import NETWORK_SERVICE, SYSTEM_ACCOUNT, Account, Process, Recorder
from simulator.story.timeline import DAY, HOUR, MINUTE, SECOND
from simulator.story.world import DOMAIN, Device, World

_OFFICE_CLOUD = (
    ("outlook.office365.com", "198.51.100.20"), ("northwharf.sharepoint.example", "198.51.100.21"),
    ("teams.cloud.example", "198.51.100.22"), ("graph.cloud.example", "198.51.100.23"),
    ("officecdn.cloud.example", "198.51.100.24"), ("login.cloud.example", "198.51.100.25"),
)  # fmt: skip
_WEB = (
    ("tides.harbour-office.example", "198.51.100.60"), ("news.portgazette.example", "198.51.100.61"),
    ("weather.coastal.example", "198.51.100.62"), ("shop.stationery.example", "198.51.100.63"),
    ("maps.charts.example", "198.51.100.64"), ("bank.seacredit.example", "198.51.100.65"),
)  # fmt: skip
_UPDATE = (("update.cloud.example", "198.51.100.40"), ("definitions.cloud.example", "198.51.100.41"))
_WORD_FILES = ("Charter party draft", "Berth agreement", "Crew notice", "Board minutes", "Insurance renewal")
_EXCEL_FILES = ("Demurrage 2026", "Fuel costs", "Payroll overview", "Berth plan week", "Invoices open")
_RUN_KEY = r"\Software\Microsoft\Windows\CurrentVersion\Run"


@dataclass(frozen=True)
class Services:
    """The processes that run on a device from its start."""

    system: Process
    services: Process
    svchost: Process
    network_svchost: Process
    lsass: Process
    defender: Process
    sensor: Process


def boot(recorder: Recorder, device: Device, moment: int) -> Services:
    """Start a device's own processes (their creation lies before the telemetry, so it is not recorded)."""

    def silent(image: Image, command: str, parent: Process | None, account: Account = SYSTEM_ACCOUNT) -> Process:
        return recorder.process(device, moment, image, command, account, parent, integrity="System", silent=True)

    system = silent(images.SYSTEM, "", None)
    wininit = silent(images.WININIT, "wininit.exe", system)
    services = silent(images.SERVICES, "services.exe", wininit)
    return Services(
        system=system,
        services=services,
        svchost=silent(images.SVCHOST, "svchost.exe -k netsvcs -p -s Schedule", services),
        network_svchost=silent(images.SVCHOST, "svchost.exe -k NetworkService -p", services, NETWORK_SERVICE),
        lsass=silent(images.LSASS, "lsass.exe", wininit),
        defender=silent(images.MSMPENG, "MsMpEng.exe", services),
        sensor=silent(images.SENSE, "MsSense.exe", services),
    )


@dataclass
class Noise:
    """Writes the ordinary events. `per_day` is the number of connections of one device on a working day."""

    recorder: Recorder
    world: World
    per_day: int

    def run(self) -> dict[str, Services]:
        """The whole week of every device; returns each device's own processes by host, for the intrusion to use."""
        running = {}
        for device in self.world.devices:
            rng = self.world.random("noise", device.host)
            services = boot(self.recorder, device, self.world.week.start - rng.randrange(HOUR, 20 * HOUR))
            running[device.host] = services
            for day in range(-self.world.week.days, 1):
                self._day(device, services, day, rng)
        return running

    def _day(self, device: Device, services: Services, day: int, rng: random.Random) -> None:
        week = self.world.week
        start = max(week.at(day, "00:00:00"), week.start)
        length = min(week.at(day, "23:59:59"), week.now) - start
        if length <= 0 or (device.offline and day > -2):
            return
        quiet = week.is_weekend(day)
        count = round(self.per_day * (0.25 if quiet else 1) * length / DAY)
        self._machine(device, services, start, length, count, rng)
        if device.is_workstation and not quiet:
            self._person(device, services, day, rng)
        elif not device.is_workstation:
            self._server(device, services, start, length, rng)

    def _machine(
        self, device: Device, services: Services, start: int, length: int, count: int, rng: random.Random
    ) -> None:
        """Connections of services, plus the housekeeping of Windows and Defender."""
        dc = self.world.device("dc01")
        for _ in range(count // 2):
            moment = start + rng.randrange(length)
            draw = rng.random()
            if draw < 0.55:
                self._connect(services.network_svchost, moment, (dc.ip, 53), rng, protocol="Udp", url="")
            elif draw < 0.75:
                url, ip = rng.choice(_UPDATE)
                self._connect(services.svchost, moment, (ip, 443), rng, url=url)
            elif draw < 0.9:
                self._connect(services.lsass, moment, (dc.ip, rng.choice((88, 389, 445))), rng)
            else:
                self._connect(services.sensor, moment, ("198.51.100.30", 443), rng, url="sensor.cloud.example")
        for _ in range(max(1, count // 12)):
            self._housekeeping(device, services, start + rng.randrange(length), rng)

    def _connect(
        self,
        process: Process,
        moment: int,
        remote: tuple[str, int],
        rng: random.Random,
        *,
        url: str = "",
        protocol: str = "Tcp",
    ) -> None:
        action = "ConnectionSuccess" if rng.random() < 0.97 else "ConnectionFailed"
        local_port = rng.randrange(49_152, 65_535)
        self.recorder.network(process, moment, action, remote, url=url, local_port=local_port, protocol=protocol)

    def _housekeeping(self, device: Device, services: Services, moment: int, rng: random.Random) -> None:
        recorder = self.recorder
        image, command, action = rng.choice(
            (
                (images.TASKHOST, "taskhostw.exe", ""),
                (images.MPCMDRUN, "MpCmdRun.exe SignatureUpdate -ScheduleJob -RestrictPrivileges", ""),
                (images.GPUPDATE, "gpupdate.exe /target:computer", "GroupPolicy"),
                (images.EDGE_UPDATE, "MicrosoftEdgeUpdate.exe /ua /installsource scheduler", ""),
                (images.WMIPRVSE, "wmiprvse.exe -secured -Embedding", ""),
                (images.SVCHOST, "svchost.exe -k netsvcs -p -s wuauserv", ""),
            )
        )
        born = recorder.process(device, moment, image, command, SYSTEM_ACCOUNT, services.svchost, integrity="System")
        if not device.is_workstation:
            process_event(recorder, born)
        if action == "GroupPolicy":
            key = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Group Policy\State"
            recorder.registry(born, moment + SECOND, key, "EndTimeLo", str(moment % 10**9), kind="Dword")
        recorder.image_load(born, moment + 20_000, rng.choice(images.LIBRARIES))
        if image is images.MPCMDRUN:
            recorder.event(
                services.defender, moment + 40 * SECOND, "AntivirusScanCompleted", {"ScanTypeIndex": "Quick"}
            )

    def _person(self, device: Device, services: Services, day: int, rng: random.Random) -> None:
        """A working day at a workstation: sign-in, programs, documents, the web."""
        week, recorder = self.world.week, self.recorder
        if day < 0 and week.at(day, "07:00:00") < week.start:
            return
        account = Account.of(device.owner)
        arrives = week.at(day, "07:40:00") + rng.randrange(80 * MINUTE)
        logon(recorder, device, arrives, Logon(account, "Interactive", protocol="Kerberos"), services.lsass)
        winlogon = recorder.process(
            device, arrives, images.WINLOGON, "winlogon.exe", SYSTEM_ACCOUNT, None, integrity="System", silent=True
        )
        init = recorder.process(
            device, arrives + SECOND, images.USERINIT, "C:\\Windows\\system32\\userinit.exe", account, winlogon
        )
        shell = recorder.process(
            device, arrives + 2 * SECOND, images.EXPLORER, "C:\\Windows\\Explorer.EXE", account, init
        )
        programs = self._programs(device, account, shell, arrives, rng)
        self._online(programs, arrives, rng)
        for _ in range(rng.randrange(4, 8)):
            self._document(device, account, programs, arrives + rng.randrange(8 * HOUR), rng)
        for unlock in range(2):
            moment = arrives + (3 + 2 * unlock) * HOUR + rng.randrange(30 * MINUTE)
            logon(recorder, device, moment, Logon(account, "Unlock", protocol="Kerberos"), services.lsass)

    def _programs(
        self, device: Device, account: Account, shell: Process, arrives: int, rng: random.Random
    ) -> dict[str, Process]:
        recorder = self.recorder
        choices = (
            ("outlook", images.OUTLOOK, "/restore"),
            ("teams", images.TEAMS, "--autostart"),
            ("onedrive", images.ONEDRIVE, "/background"),
            ("edge", images.EDGE, "--profile-directory=Default"),
            ("tidebook", images.TIDEBOOK, "--server srv-app01"),
        )
        programs = {"shell": shell}
        for name, image, arguments in choices:
            moment = arrives + rng.randrange(5 * SECOND, 12 * MINUTE)
            born = recorder.process(device, moment, image, f'"{image.path}" {arguments}', account, shell)
            for library in rng.sample(images.LIBRARIES, 2):
                recorder.image_load(born, moment + 90_000, library)
            programs[name] = born
        run_key = rf"HKEY_CURRENT_USER\{account.sid}{_RUN_KEY}"
        recorder.registry(
            programs["onedrive"], arrives + 13 * MINUTE, run_key, "OneDrive", f'"{images.ONEDRIVE.path}" /background'
        )
        return programs

    def _online(self, programs: dict[str, Process], arrives: int, rng: random.Random) -> None:
        app_server = self.world.device("srv-app01").ip
        for _ in range(self.per_day // 2):
            moment = arrives + rng.randrange(9 * HOUR)
            draw = rng.random()
            if draw < 0.4:
                url, ip = rng.choice(_WEB)
                self._connect(programs["edge"], moment, (ip, 443), rng, url=url)
            elif draw < 0.9:
                url, ip = rng.choice(_OFFICE_CLOUD)
                self._connect(programs[rng.choice(("outlook", "teams", "onedrive"))], moment, (ip, 443), rng, url=url)
            else:
                self._connect(programs["tidebook"], moment, (app_server, 8443), rng, url=f"srv-app01.{DOMAIN}")

    def _document(
        self, device: Device, account: Account, programs: dict[str, Process], moment: int, rng: random.Random
    ) -> None:
        recorder = self.recorder
        word = rng.random() < 0.5
        image = images.WINWORD if word else images.EXCEL
        title = rng.choice(_WORD_FILES if word else _EXCEL_FILES)
        name = f"{title}.{'docx' if word else 'xlsx'}"
        folder = rf"C:\Users\{account.name}\OneDrive - Northwharf\Documents"
        opener = programs[rng.choice(("shell", "outlook"))]
        born = recorder.process(device, moment, image, f'"{image.path}" /n "{folder}\\{name}"', account, opener)
        document = Image(name, folder, "", "", "", rng.randrange(18_000, 400_000), "", f"{device.host}{moment}")
        recorder.file(born, moment + rng.randrange(MINUTE, 20 * MINUTE), "FileModified", document)
        url, ip = rng.choice(_OFFICE_CLOUD[1:5])
        self._connect(born, moment + 2 * SECOND, (ip, 443), rng, url=url)
        if rng.random() < 0.5:
            file_server = self.world.file_server
            recorder.network(
                programs["shell"], moment + 5 * SECOND, "ConnectionSuccess", (file_server.ip, 445),
                url=file_server.name, local_port=rng.randrange(49_152, 65_535),
            )  # fmt: skip
            attempt = Logon(account, "Network", device.ip, device.name, protocol="Kerberos", remote_port=51_000)
            logon(recorder, file_server, moment + 5 * SECOND, attempt)

    def _server(self, device: Device, services: Services, start: int, length: int, rng: random.Random) -> None:
        """What servers do: accept connections, run scheduled PowerShell, log service accounts on."""
        recorder = self.recorder
        port = {"domain controller": 389, "jump host": 3389}.get(device.kind, 445)
        for _ in range(max(1, round(40 * length / DAY))):
            peer = rng.choice(self.world.devices)
            if peer is device or (device.kind == "jump host" and peer.is_workstation):
                continue
            moment = start + rng.randrange(length)
            recorder.network(
                services.system if port == 445 else services.network_svchost, moment, "InboundConnectionAccepted",
                (peer.ip, rng.randrange(49_152, 65_535)), local_port=port,
            )  # fmt: skip
        for hour in range(0, length // HOUR, 4):
            moment = start + hour * HOUR + rng.randrange(20 * MINUTE)
            command = r"powershell.exe -NoProfile -ExecutionPolicy AllSigned -File C:\Ops\Inventory.ps1"
            born = recorder.process(
                device, moment, images.POWERSHELL, command, SYSTEM_ACCOUNT, services.svchost, integrity="System"
            )
            process_event(recorder, born)
            recorder.event(born, moment + SECOND, "PowerShellCommand", {"Command": "Get-CimInstance"})
            service = Account("northwharf", "svc-backup", "S-1-5-21-0-0-0-1901")
            logon(recorder, device, moment + 2 * SECOND, Logon(service, "Service"), services.services)
