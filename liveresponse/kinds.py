"""What each response action is, in words that the person who decides and the person at the device understand."""

from dataclasses import dataclass
from typing import Final, Literal

from liveresponse.models import ActionKind

Target = Literal["device", "indicator"]


@dataclass(frozen=True)
class Kind:
    """`api_type` is what Defender calls the machine action; `family` groups what sets and what takes back; `icon` is
    one of frontend/icons.json."""

    id: ActionKind
    title: str
    verb: str
    icon: str
    target: Target
    does: str
    notices: str
    undo: str
    undo_kind: ActionKind | None = None
    api_type: str = ""
    role: str = ""
    restrains: bool = True

    @property
    def is_for_devices(self) -> bool:
        return self.target == "device"


_ALL: Final = (
    Kind(
        ActionKind.ISOLATE,
        "Isolate from the network",
        "Isolate",
        "shield-x",
        "device",
        "Defender cuts the device off every network connection except its own to the Defender service. What runs on "
        "the device keeps running; Live Response, collections and scans still reach it.",
        "A notice of Windows says that the device was isolated. Mail, files, the internet, VPN and remote desktop stop "
        "working at once; with selective isolation Outlook and Teams stay.",
        "Release from isolation puts every connection back. It needs approval of its own.",
        ActionKind.RELEASE,
        "Isolate",
        "Machine.Isolate",
    ),
    Kind(
        ActionKind.RELEASE,
        "Release from isolation",
        "Release",
        "lock-open",
        "device",
        "Defender gives the device its network back. Whatever is still on it can talk to the outside again.",
        "A notice of Windows says that the device is connected again; mail, files and the internet work.",
        "Isolate it again.",
        ActionKind.ISOLATE,
        "Unisolate",
        "Machine.Isolate",
        restrains=False,
    ),
    Kind(
        ActionKind.RESTRICT,
        "Restrict app execution",
        "Restrict",
        "lock",
        "device",
        "A code integrity policy lets only programs signed by Microsoft start. What already runs is not ended; the "
        "network stays.",
        "Programs that are not Microsoft's no longer start, and a notice says so: line-of-business software, "
        "other browsers and remote support tools among them.",
        "Lift the app restriction.",
        ActionKind.UNRESTRICT,
        "RestrictCodeExecution",
        "Machine.RestrictExecution",
    ),
    Kind(
        ActionKind.UNRESTRICT,
        "Lift the app restriction",
        "Lift the restriction of",
        "lock-open",
        "device",
        "Programs of every maker may start again. Whatever malware is still there can start too.",
        "Programs start again as before.",
        "Restrict app execution again.",
        ActionKind.RESTRICT,
        "UnrestrictCodeExecution",
        "Machine.RestrictExecution",
        restrains=False,
    ),
    Kind(
        ActionKind.SCAN,
        "Antivirus scan",
        "Scan",
        "search",
        "device",
        "Defender Antivirus scans the device: quick looks where malware usually starts, full at every file. What it "
        "finds is handled by the tenant's antivirus policy, which may quarantine or remove files.",
        "Usually nothing; a full scan takes hours and can make the device slow.",
        "A scan cannot be undone, only cancelled while it runs. Files it quarantined can be restored in the portal.",
        None,
        "RunAntiVirusScan",
        "Machine.Scan",
        restrains=False,
    ),
    Kind(
        ActionKind.QUARANTINE,
        "Stop and quarantine a file",
        "Quarantine a file on",
        "ban",
        "device",
        "Every process of the file (by its SHA-1) is stopped, the file goes into quarantine, and registry keys that "
        "start it are removed. Windows files and files signed by Microsoft are refused by Defender.",
        "The program ends without a question, with what was not saved; a notice may say that a file was quarantined.",
        "Restore it on the device at an administrator's prompt: MpCmdRun.exe -Restore -Name "
        "EUS:Win32/CustomEnterpriseBlock -All. The registry keys are not put back. IRCase has no call for it.",
        None,
        "StopAndQuarantineFile",
        "Machine.StopAndQuarantine",
    ),
    Kind(
        ActionKind.BLOCK,
        "Block an indicator",
        "Block",
        "ban",
        "indicator",
        "An indicator is added to the tenant: every device of the tenant blocks the file, address, domain or URL (or "
        "only reports it, or warns, as chosen) until the indicator expires or is removed.",
        "On every device of the tenant: the file no longer starts, or the address is not reached, with a notice. It "
        "takes effect within minutes to hours; addresses, domains and URLs need network protection in block mode.",
        "Remove the block. The tenant's indicator id is kept here for that.",
        ActionKind.UNBLOCK,
        role="Ti.ReadWrite",
    ),
    Kind(
        ActionKind.UNBLOCK,
        "Remove a block",
        "Unblock",
        "lock-open",
        "indicator",
        "The indicator that IRCase added is removed from the tenant. One that somebody else made is never touched.",
        "The file may start again, the address is reached again, on every device of the tenant.",
        "Block the indicator again.",
        ActionKind.BLOCK,
        role="Ti.ReadWrite",
        restrains=False,
    ),
)
KINDS: Final[dict[str, Kind]] = {kind.id.value: kind for kind in _ALL}

INDICATOR_TYPES: Final = {
    "sha256": "FileSha256", "sha1": "FileSha1", "md5": "FileMd5", "ip": "IpAddress", "domain": "DomainName",
    "url": "Url",
}  # fmt: skip
"""The case's kind of indicator -> the tenant's. The others cannot be blocked."""
OPPOSITES: Final = {
    "Isolate": "Unisolate", "Unisolate": "Isolate",
    "RestrictCodeExecution": "UnrestrictCodeExecution", "UnrestrictCodeExecution": "RestrictCodeExecution",
}  # fmt: skip
