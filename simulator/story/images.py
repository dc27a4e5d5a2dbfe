"""Programs of the story: names and folders as Windows has them, hashes and sizes of our own making."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

_WINDOWS = "Microsoft Corporation"
_SYSTEM32 = r"C:\Windows\System32"


@dataclass(frozen=True)
class Image:
    """One executable file. Its hashes are derived from `name` and `flavour`, never those of a real file."""

    name: str
    folder: str
    company: str = _WINDOWS
    product: str = "Microsoft® Windows® Operating System"
    description: str = ""
    size: int = 187_904
    signer: str = "Microsoft Windows"
    flavour: str = ""

    @property
    def path(self) -> str:
        """Full path on the device."""
        return f"{self.folder}\\{self.name}"

    def _digest(self, kind: str) -> str:
        return hashlib.new(kind, f"ircase-story:{self.name.lower()}:{self.flavour}".encode()).hexdigest()

    @cached_property
    def sha1(self) -> str:
        """40 hex digits."""
        return self._digest("sha1")

    @cached_property
    def sha256(self) -> str:
        """64 hex digits."""
        return self._digest("sha256")

    @cached_property
    def md5(self) -> str:
        """32 hex digits."""
        return self._digest("md5")


def _windows(name: str, description: str, size: int, folder: str = _SYSTEM32) -> Image:
    return Image(name, folder, description=description, size=size)


def _office(name: str, description: str, size: int) -> Image:
    folder = r"C:\Program Files\Microsoft Office\root\Office16"
    return Image(name, folder, _WINDOWS, "Microsoft Office", description, size, "Microsoft Corporation")


SYSTEM = _windows("System", "NT Kernel & System", 0)
SMSS = _windows("smss.exe", "Windows Session Manager", 162_816)
WININIT = _windows("wininit.exe", "Windows Start-Up Application", 419_512)
SERVICES = _windows("services.exe", "Services and Controller app", 714_856)
SVCHOST = _windows("svchost.exe", "Host Process for Windows Services", 55_320)
LSASS = _windows("lsass.exe", "Local Security Authority Process", 59_456)
WINLOGON = _windows("winlogon.exe", "Windows Logon Application", 907_776)
USERINIT = _windows("userinit.exe", "Userinit Logon Application", 36_352)
EXPLORER = _windows("explorer.exe", "Windows Explorer", 5_154_784, r"C:\Windows")
TASKHOST = _windows("taskhostw.exe", "Host Process for Windows Tasks", 98_304)
RUNTIME_BROKER = _windows("RuntimeBroker.exe", "Runtime Broker", 103_424)
DLLHOST = _windows("dllhost.exe", "COM Surrogate", 21_312)
SEARCH = _windows("SearchIndexer.exe", "Microsoft Windows Search Indexer", 850_944)
SPOOLSV = _windows("spoolsv.exe", "Spooler SubSystem App", 823_296)
CONHOST = _windows("conhost.exe", "Console Window Host", 867_840)
CMD = _windows("cmd.exe", "Windows Command Processor", 289_792)
WMIPRVSE = _windows("WmiPrvSE.exe", "WMI Provider Host", 496_640, r"C:\Windows\System32\wbem")
POWERSHELL = _windows("powershell.exe", "Windows PowerShell", 454_656, r"C:\Windows\System32\WindowsPowerShell\v1.0")
SCHTASKS = _windows("schtasks.exe", "Task Scheduler Configuration Tool", 235_008)
SC = _windows("sc.exe", "Service Control Manager Configuration Tool", 72_192)
REG = _windows("reg.exe", "Registry Console Tool", 77_312)
NET = _windows("net.exe", "Net Command", 59_392)
NLTEST = _windows("nltest.exe", "Microsoft® Logon Server Test Utility", 490_496)
WHOAMI = _windows("whoami.exe", "whoami - displays logged on user information", 73_728)
IPCONFIG = _windows("ipconfig.exe", "IP Configuration Utility", 35_840)
SYSTEMINFO = _windows("systeminfo.exe", "Displays system information", 110_592)
QUSER = _windows("quser.exe", "Query User Utility", 25_600)
ARP = _windows("ARP.EXE", "TCP/IP Arp Command", 26_112)
RUNDLL32 = _windows("rundll32.exe", "Windows host process (Rundll32)", 71_680)
RDPCLIP = _windows("rdpclip.exe", "RDP Clipboard Monitor", 446_464)
MSTSC = _windows("mstsc.exe", "Remote Desktop Connection", 1_563_648)
MSIEXEC = _windows("msiexec.exe", "Windows® installer", 69_632)
GPUPDATE = _windows("gpupdate.exe", "Microsoft® Group Policy Update Utility", 31_232)
DNS_SERVER = _windows("dns.exe", "Domain Name System (DNS) Server", 1_859_584)
ROBOCOPY = _windows("Robocopy.exe", "Microsoft Robocopy", 134_656)

_DEFENDER = r"C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.26090.9-0"
MSMPENG = Image("MsMpEng.exe", _DEFENDER, description="Antimalware Service Executable", size=133_688)
SENSE = Image("MsSense.exe", r"C:\Program Files\Windows Defender Advanced Threat Protection", size=461_344)
MPCMDRUN = Image("MpCmdRun.exe", _DEFENDER, description="Microsoft Malware Protection Command Line", size=1_143_808)

EDGE = Image(
    "msedge.exe", r"C:\Program Files (x86)\Microsoft\Edge\Application", _WINDOWS, "Microsoft Edge", "Microsoft Edge",
    4_211_768, "Microsoft Corporation",
)  # fmt: skip
EDGE_UPDATE = Image(
    "MicrosoftEdgeUpdate.exe", r"C:\Program Files (x86)\Microsoft\EdgeUpdate", _WINDOWS, "Microsoft Edge Update",
    "Microsoft Edge Update", 214_968, "Microsoft Corporation",
)  # fmt: skip
TEAMS = Image(
    "ms-teams.exe", r"C:\Program Files\WindowsApps\MSTeams_26258.504_x64__8wekyb3d8bbwe", _WINDOWS, "Microsoft Teams",
    "Microsoft Teams", 362_824, "Microsoft Corporation",
)  # fmt: skip
ONEDRIVE = Image(
    "OneDrive.exe", r"C:\Program Files\Microsoft OneDrive", _WINDOWS, "Microsoft OneDrive", "Microsoft OneDrive",
    4_498_336, "Microsoft Corporation",
)  # fmt: skip
OUTLOOK = _office("OUTLOOK.EXE", "Microsoft Outlook", 43_112_272)
WINWORD = _office("WINWORD.EXE", "Microsoft Word", 1_637_208)
EXCEL = _office("EXCEL.EXE", "Microsoft Excel", 68_201_800)
SQLSERVR = Image(
    "sqlservr.exe", r"C:\Program Files\Microsoft SQL Server\MSSQL16.MSSQLSERVER\MSSQL\Binn", _WINDOWS,
    "Microsoft SQL Server", "SQL Server Windows NT - 64 Bit", 678_960, "Microsoft Corporation",
)  # fmt: skip
W3WP = Image("w3wp.exe", r"C:\Windows\System32\inetsrv", product="Internet Information Services", size=30_720)
TIDEBOOK = Image(
    "TideBook.exe", r"C:\Program Files\Northwharf\TideBook", "Northwharf Shipping", "TideBook", "Berth planning",
    9_412_608, "Northwharf Shipping Ltd",
)  # fmt: skip

# What the intruder brings. Unsigned; the names mimic the ordinary.
LOADER = Image("wupdmgr.exe", r"C:\Users\Public\Libraries", "", "", "", 412_672, "", "loader")
IMPLANT = Image("edgehelper.exe", r"C:\ProgramData\EdgeHelper", "", "", "", 1_288_704, "", "implant")
DUMPER = Image("pd64.exe", r"C:\ProgramData\EdgeHelper", "", "", "", 655_360, "", "dumper")
REMOTE_SERVICE = Image("WHSVC.exe", r"C:\Windows", "", "", "", 382_464, "", "remote-service")

ORDINARY: tuple[Image, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Image) and value.signer
)
HOSTILE: tuple[Image, ...] = (LOADER, IMPLANT, DUMPER, REMOTE_SERVICE)

# Modules that processes load: name, folder, size.
LIBRARIES: tuple[Image, ...] = tuple(
    Image(name, _SYSTEM32, size=size, description=name)
    for name, size in (
        ("ntdll.dll", 2_212_864), ("kernel32.dll", 790_528), ("amsi.dll", 98_304), ("wininet.dll", 3_014_656),
        ("winhttp.dll", 1_159_168), ("dbghelp.dll", 2_137_600), ("samlib.dll", 167_936), ("vaultcli.dll", 385_024),
        ("bcrypt.dll", 157_696), ("taskschd.dll", 978_944), ("combase.dll", 3_611_136), ("rpcrt4.dll", 1_183_744),
    )
)  # fmt: skip
