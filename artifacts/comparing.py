"""Two snapshots of one device, compared: what is new, what is gone, what has changed.

Rows of our own snapshots and of a DFIR zip are brought to one form first: a thing has a key, by which it is the same
thing in both, and facts, which may differ. A fact that one of the two sides does not tell is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

Row = Mapping[str, Any]

# A service that Windows starts for each who signs in carries that sign-in's number, another each time:
# https://learn.microsoft.com/en-us/windows/application-management/per-user-services-in-windows
_PER_SIGN_IN: Final = re.compile(r"_[0-9a-f]{4,8}\Z")
_HANDED_OUT: Final = 49_152
"""From here on Windows picks ports itself, anew for each socket."""
SID: Final = re.compile(r"S-1-[0-9-]+", re.IGNORECASE)


@dataclass(frozen=True)
class Thing:
    """One autorun, program, port …. `key` identifies it, `title` is how it is shown, `number` the row it was read from
    (from 1), `facts` what is compared, `shown` what is shown beside it and not compared."""

    key: tuple[str, ...]
    title: str
    facts: Mapping[str, str]
    shown: Mapping[str, str] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True)
class Difference:
    """`what`: new, gone or changed. `changes`: for each fact that differs, what it was and what it is."""

    what: str
    before: Thing | None
    after: Thing | None
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def thing(self) -> Thing:
        """The thing as it is now, or as it last was."""
        found = self.after or self.before
        assert found is not None
        return found


@dataclass(frozen=True)
class Compared:
    """Differences in the order new, changed, gone; and how many things both have alike."""

    new: tuple[Difference, ...]
    changed: tuple[Difference, ...]
    gone: tuple[Difference, ...]
    same: int

    @property
    def all(self) -> tuple[Difference, ...]:
        return (*self.new, *self.changed, *self.gone)


Reader = Callable[[Row], Thing | None]


@dataclass(frozen=True)
class Category:
    """Something that snapshots list. `readers`: how a row of a table of this name becomes a thing of it."""

    name: str
    title: str
    readers: Mapping[str, Reader]
    none_said: frozenset[str] = frozenset()
    """Facts of which nothing means none, in a list that tells them of any thing."""


def things(category: Category, table: str, rows: Iterable[Row]) -> dict[tuple[str, ...], Thing]:
    """The things that rows of `table` name, each once: of several rows of one thing the facts are put together."""
    found: dict[tuple[str, ...], Thing] = {}
    reader = category.readers[table]
    for number, row in enumerate(rows, 1):
        thing = reader(row)
        if thing is None:
            continue
        known = found.get(thing.key)
        if known is None:
            found[thing.key] = Thing(thing.key, thing.title, thing.facts, thing.shown, number)
        elif any(known.facts.get(name) != value for name, value in thing.facts.items()):
            facts = {name: _both(known.facts.get(name, ""), value) for name, value in thing.facts.items()}
            found[thing.key] = Thing(known.key, known.title, facts, known.shown, known.number)
    for fact in category.none_said:
        if any(thing.facts.get(fact) for thing in found.values()):
            found = {key: _with(thing, fact, thing.facts.get(fact) or "none") for key, thing in found.items()}
    return found


def _with(thing: Thing, fact: str, value: str) -> Thing:
    return replace(thing, facts={**thing.facts, fact: value})


def _both(one: str, other: str) -> str:
    return " | ".join(sorted({part for part in (*one.split(" | "), *other.split(" | ")) if part}))


def compare(before: Mapping[tuple[str, ...], Thing], after: Mapping[tuple[str, ...], Thing]) -> Compared:
    """What became of the things of `before`. Sorted by title."""
    new = [Difference("new", None, after[key]) for key in after.keys() - before.keys()]
    gone = [Difference("gone", before[key], None) for key in before.keys() - after.keys()]
    changed = [
        Difference("changed", before[key], after[key], changes)
        for key in before.keys() & after.keys()
        if (changes := _changes(before[key].facts, after[key].facts))
    ]
    same = len(before.keys() & after.keys()) - len(changed)
    return Compared(_sorted(new), _sorted(changed), _sorted(gone), same)


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    both = [name for name in before if before[name] and after.get(name)]
    return {n: (before[n], after[n]) for n in both if before[n].casefold() != after[n].casefold()}


def _sorted(found: Iterable[Difference]) -> tuple[Difference, ...]:
    return tuple(sorted(found, key=lambda one: (one.thing.title.casefold(), one.thing.key)))


def _text(row: Row, *names: str) -> str:
    """The first of the cells that says something, as text."""
    for name in names:
        value = row.get(name)
        if value not in (None, "", []):
            return _cell(value)
    return ""


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(sorted(_cell(item) for item in value))
    text = str(value).strip()
    return {"true": "yes", "false": "no"}.get(text.casefold(), text)


def _key(*parts: str) -> tuple[str, ...]:
    return tuple(part.casefold() for part in parts)


_HIVES: Final = (
    ("hkey_local_machine", "HKLM"), ("hkey_users", "HKU"), ("hkey_current_user", "HKU"), ("hkcu", "HKU"),
)  # fmt: skip


def _location(text: str) -> str:
    """A registry key as both kinds of snapshot write it."""
    hive, slash, rest = text.partition("\\")
    short = next((short for long, short in _HIVES if hive.casefold() == long), hive)
    return f"{short}{slash}{rest}"


def _autorun(row: Row) -> Thing | None:
    location, name = _location(_text(row, "Location")), _text(row, "Name")
    command = _text(row, "Command")
    if not (name or command):
        return None
    facts = {"Command": command, "SHA-256": _text(row, "SHA256").lower()}
    return Thing(_key(location, name), f"{location}: {name}", facts, {"Account": _text(row, "AccountName", "User")})


def _process(row: Row) -> Thing | None:
    path = _text(row, "FolderPath", "Proc_Path") or _text(row, "FileName", "Proc_Name")
    if not path:
        return None
    shown = {
        "Command line": _text(row, "ProcessCommandLine", "Proc_CommandLine"), "Account": _text(row, "AccountName"),
    }  # fmt: skip
    return Thing(_key(path), path, {"SHA-256": _text(row, "SHA256", "Proc_Hash").lower()}, shown)


def _listening(row: Row) -> Thing | None:
    if _text(row, "State").casefold() not in ("listen", "bound"):
        return None
    port, protocol = _text(row, "LocalPort"), _text(row, "Protocol") or "Tcp"
    name = _text(row, "FileName")
    # Ports that Windows hands out at each start say nothing.
    if _is_handed_out(port):
        return None
    facts = {"Program": _text(row, "FolderPath") or name, "Address": _text(row, "LocalIP")}
    return Thing(_key(protocol, port, name), f"{protocol} {port}" + (f", {name}" if name else ""), facts)


def _remote(row: Row) -> Thing | None:
    address = _text(row, "RemoteIP", "RemoteAddress")
    state = _text(row, "State").casefold()
    if not address or state in ("listen", "bound") or address in ("0.0.0.0", "::", "127.0.0.1", "::1"):
        return None
    name, port, local = _text(row, "FileName"), _text(row, "RemotePort"), _text(row, "LocalPort")
    title = f"{address} port {port}" if port else address
    if _is_handed_out(port) and local.isdecimal() and not _is_handed_out(local):
        # It came to a port of ours: its own is another one each time.
        port, title = f"to {local}", f"{address} to local port {local}"
    return Thing(_key(address, port), title, {"Program": name}, {"Path": _text(row, "FolderPath")})


def _is_handed_out(port: str) -> bool:
    return port.isdecimal() and int(port) >= _HANDED_OUT


def _service(row: Row) -> Thing | None:
    name = _text(row, "Name", "ServiceName")
    if not name:
        return None
    # Automatic and Auto are one; the state comes and goes with whoever asks for the service.
    mode = _text(row, "StartMode", "StartType").replace("Automatic", "Auto")
    facts = {"Path": _text(row, "PathName"), "Start": mode, "Account": _text(row, "AccountName")}
    return Thing(
        _key(_PER_SIGN_IN.sub("_", name)),
        name,
        facts,
        {"Name on screen": _text(row, "DisplayName"), "State": _text(row, "State")},
    )


def _task(row: Row) -> Thing | None:
    name = _text(row, "TaskName")
    if not name:
        return None
    path = f"{_text(row, 'TaskPath')}{name}"
    facts = {
        "Command": _text(row, "Command"), "Account": _text(row, "AccountName"), "Enabled": _text(row, "Enabled"),
        "Triggers": _text(row, "Triggers") if "Command" in row else "",
    }  # fmt: skip
    return Thing(_key(path), path, facts, {"Author": _text(row, "Author")})


def _user(row: Row) -> Thing | None:
    name, sid = _text(row, "AccountName", "Name"), _text(row, "Sid", "SID")
    if not (name or sid):
        return None
    facts = {
        "Name": name, "Enabled": _text(row, "Enabled"), "Groups": _text(row, "Groups"),
        "Password set": _text(row, "PasswordLastSet") if "Groups" in row else "",
    }  # fmt: skip
    return Thing(_key(sid or name), name or sid, facts, {"SID": sid})


def _category(name: str, title: str, reader: Reader, *tables: str, none_said: Iterable[str] = ()) -> Category:
    return Category(name, title, MappingProxyType(dict.fromkeys(tables, reader)), frozenset(none_said))


CATEGORIES: Final[Sequence[Category]] = (
    _category("autoruns", "Autoruns", _autorun, "DeviceAutorunSnapshot", "DFIR_AutoRun"),
    _category("services", "Services", _service, "DeviceServiceSnapshot", "DFIR_RunningServices"),
    _category("tasks", "Scheduled tasks", _task, "DeviceTaskSnapshot", "DFIR_ScheduledTasks", none_said=["Triggers"]),
    _category("users", "Users", _user, "DeviceUserSnapshot", "DFIR_LocalUsers", none_said=["Groups", "Password set"]),
    _category("processes", "Programs running", _process, "DeviceProcessSnapshot", "DFIR_ProcessList"),
    _category("ports", "Listening ports", _listening, "DeviceConnectionSnapshot"),
    _category("addresses", "Remote addresses", _remote, "DeviceConnectionSnapshot", "DFIR_OpenTCPConnections"),
)
"""What is compared, the tell-tale first."""

BY_NAME: Final[Mapping[str, Category]] = MappingProxyType({one.name: one for one in CATEGORIES})
TABLES: Final = frozenset(table for one in CATEGORIES for table in one.readers)
