"""Files of Defender's investigation package, and logs that are known by their names wherever they stand.

The package's folders: https://learn.microsoft.com/en-us/defender-endpoint/respond-machine-alerts. What its texts look
like is not documented, so that a text in which nothing is recognised is kept line by line in ``Package_Text``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import PurePosixPath

from artifacts.collected import listings, logs
from artifacts.naming import identifier

Reader = Callable[[Iterable[str]], Iterator[listings.Row]]

FOLDERS = frozenset(
    (
        "autoruns", "installed programs", "network connections", "prefetch files", "processes", "scheduled tasks",
        "security event log", "services", "smb sessions", "system information", "temp directories",
        "users and groups", "wdsupportlogs",
    )
)  # fmt: skip
_ENOUGH = 3  # of these folders side by side make a package
REPORT = "collectionsummaryreport.xls"
TEXT = "Package_Text"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HOST = re.compile(
    r"(?:investigation[-_ ]?package|package)[-_ ](?P<host>[A-Za-z0-9][A-Za-z0-9-]{0,62})(?=[._!/]|\Z)", re.I
)
_USER_FOLDER = re.compile(r"(?P<user>[^/!\\]+)\.Name\Z", re.IGNORECASE)
_USER_PATH = re.compile(r"(?:\A|[/!])Users/(?P<user>[^/!]+)/", re.IGNORECASE)
_SNIFFED = 200


@dataclass(frozen=True)
class Part:
    """A text that becomes rows of ``table``."""

    table: str
    read: Reader
    account: str = ""


def package_root(names: Iterable[str]) -> str | None:
    """The folder (``""`` or with a slash at its end) below which a package's folders stand side by side; None where
    these names are no package."""
    seen: dict[str, set[str]] = {}
    for name in names:
        parts = name.replace("\\", "/").split("/")
        for depth in range(min(len(parts) - 1, 3)):
            if parts[depth].casefold() in FOLDERS:
                above = "/".join(parts[:depth])
                seen.setdefault(above, set()).add(parts[depth].casefold())
    enough = [above for above, folders in seen.items() if len(folders) >= _ENOUGH]
    return None if not enough else min(enough, key=len) + ("/" if min(enough, key=len) else "")


def host_of(name: str) -> str:
    """The device that the package's own name names, or nothing."""
    found = _HOST.search(name)
    return found["host"].lower() if found else ""


def known_log(name: str) -> Part | None:
    """A log that is known by its name, in whatever collection: Defender's, the firewall's, PowerShell's history."""
    path = PurePosixPath(name.replace("!", "/"))
    file = path.name.casefold()
    if file.startswith("mplog-") and file.endswith(".log"):
        return Part("DefenderSupportLog", logs.protection_log)
    if file in ("pfirewall.log", "pfirewall.log.old"):
        return Part("FirewallLog", logs.firewall_log)
    if file in ("mpcmdrun.log", "mpcmdrunlog.txt", "mpcmdrun-system.log"):
        return Part("MpCmdRunLog", logs.command_runs)
    if file.endswith("_history.txt") and file.partition("_")[0] in ("consolehost", "visual studio code host"):
        return Part("PowerShellHistory", logs.shell_history, account=_account(name, path))
    return None


def _account(name: str, path: PurePosixPath) -> str:
    found = _USER_FOLDER.match(path.parent.name) or _USER_PATH.search(name)
    return found["user"].lower() if found else ""


_TEXTS: dict[str, Part] = {
    "activenetconnections.txt": Part("Package_NetworkConnections", listings.sockets),
    "arp.txt": Part("Package_ArpCache", listings.neighbours),
    "dnscache.txt": Part("Package_DnsCache", listings.resolved),
    "ipconfig.txt": Part("Package_IpConfig", listings.adapters),
    "prefetchfileslist.txt": Part("Package_PrefetchFiles", logs.prefetch_list),
    "systeminformation.txt": Part("Package_SystemInformation", listings.properties),
}


def package_text(name: str) -> Part | None:
    """A text of a package by its file name, else as ``sniffed``; None for what is no text."""
    path = PurePosixPath(name.replace("!", "/"))
    if path.suffix.casefold() not in (".txt", ".log"):
        return None
    known = _TEXTS.get(path.name.casefold())
    return known or Part(folder_table(name), sniffed)


def folder_table(name: str) -> str:
    """The table of what stands in one of a package's folders."""
    parts = PurePosixPath(name.replace("!", "/")).parts
    folder = next((part for part in reversed(parts[:-1]) if part.casefold() in FOLDERS), "")
    words = re.split(r"[^A-Za-z0-9]+", folder or PurePosixPath(parts[-1]).stem)
    return identifier("Package_" + "".join(word[:1].upper() + word[1:] for word in words))


def sniffed(lines: Iterable[str]) -> Iterator[listings.Row]:
    """Rows of a text that is a ruled table or a list; none where it is neither."""
    rest = iter(lines)
    head = list(islice(rest, _SNIFFED))
    whole = chain(head, rest)
    if any(re.match(r"\s*(?:-{3,}|={3,})(?: +[-=]+)+\s*\Z", line) for line in head):
        yield from listings.ruled(whole)
        return
    listed = sum(" : " in line or line.rstrip().endswith(" :") for line in head)
    if listed and 2 * listed >= sum(bool(line.strip()) for line in head):
        yield from listings.blocks(whole)
