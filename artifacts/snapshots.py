"""Snapshots of a device: what our library scripts print, as tables, with the columns that each always has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, cast

from artifacts.printed import Fault
from kql.types import Column, KqlType

FORMAT: Final = "ircase-snapshot"
MOST_ROWS: Final = 100_000
"""Of one table; the scripts themselves stop much earlier."""


def _columns(text: str) -> tuple[Column, ...]:
    pairs = (entry.split(":") for entry in f"SnapshotTime:datetime DeviceName {text}".split())
    return tuple(Column(pair[0], cast(KqlType, pair[1] if len(pair) > 1 else "string")) for pair in pairs)


TABLES: Final[Mapping[str, tuple[Column, ...]]] = MappingProxyType({
    "DeviceProcessSnapshot": _columns(
        "ProcessId:long ParentProcessId:long FileName FolderPath ProcessCommandLine SHA256 AccountName"
        " ProcessCreationTime:datetime SessionId:long"
    ),
    "DeviceConnectionSnapshot": _columns(
        "Protocol State LocalIP LocalPort:long RemoteIP RemotePort:long ProcessId:long FileName FolderPath"
        " CreationTime:datetime"
    ),
    "DeviceAutorunSnapshot": _columns("Kind Location Name Command AccountName SHA256"),
    "DeviceServiceSnapshot": _columns("Name DisplayName State StartMode PathName AccountName ProcessId:long"),
    "DeviceTaskSnapshot": _columns(
        "TaskPath TaskName State Enabled:bool Command Triggers AccountName Author LastRunTime:datetime"
        " NextRunTime:datetime LastTaskResult:long"
    ),
    "DeviceUserSnapshot": _columns(
        "AccountName Sid Kind Enabled:bool Groups:dynamic FullName Description PasswordLastSet:datetime"
        " LastLogon:datetime"
    ),
})  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """Rows by table, and what is wrong with them."""

    rows: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def is_snapshot(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("format") == FORMAT


def tables_of(value: Any, table: str = "") -> Tables:
    """Printed JSON as rows by table. A snapshot names its tables itself; any other object is a row of `table`, a list
    its rows. What is no object is counted and left out."""
    if is_snapshot(value):
        return _snapshot(value)
    items = value if isinstance(value, list) else [value]
    rows = [dict(item) for item in items if isinstance(item, Mapping)]
    lost = len(items) - len(rows)
    faults = (
        [Fault("printed.row", f"{lost:,} items that were printed are no objects and became no rows.")] if lost else []
    )
    return Tables({table: rows} if table and rows else {}, tuple(faults))


def _snapshot(value: Mapping[str, Any]) -> Tables:
    common = {"SnapshotTime": _text(value.get("snapshot_time")), "DeviceName": _text(value.get("device")).lower()}
    found: dict[str, list[dict[str, Any]]] = {}
    faults = list(_errors(value.get("errors")))
    given = value.get("tables")
    for name, items in given.items() if isinstance(given, Mapping) else ():
        if name not in TABLES:
            faults.append(Fault("snapshot.table", f"A table called {str(name)[:80]!r} is none of a snapshot's."))
            continue
        rows = _listed(items)
        kept = [_row(common, item, name) for item in rows[:MOST_ROWS] if isinstance(item, Mapping)]
        if len(kept) < len(rows):
            faults.append(Fault("snapshot.rows", f"{name}: {len(rows) - len(kept):,} rows were left out."))
        found[name] = kept
    for name, more in _pairs(value.get("cut")):
        faults.append(Fault("snapshot.cut", f"{name}: the script stopped at its cap; {more} more were not listed."))
    return Tables(found, tuple(faults))


def _listed(items: Any) -> list[Any]:
    """PowerShell 5.1 writes some lists as `{"value": […], "Count": n}`, and a list of one as the one."""
    if isinstance(items, Mapping) and set(items) == {"value", "Count"}:
        items = items["value"]
    return [items] if isinstance(items, Mapping) else items if isinstance(items, list) else []


def _row(common: Mapping[str, str], item: Mapping[str, Any], table: str) -> dict[str, Any]:
    row = {**{name: text for name, text in common.items() if text}, **item}
    if table == "DeviceUserSnapshot" and not isinstance(row.get("Groups"), list):
        # ConvertTo-Json of PowerShell 5.1 writes a list of one as the one.
        row["Groups"] = [row["Groups"]] if row.get("Groups") else []
    return row


def _errors(given: Any) -> Iterable[Fault]:
    for item in (given if isinstance(given, list) else [given])[:100]:
        if isinstance(item, Mapping):
            section, error = _text(item.get("section")) or "A section", _text(item.get("error"))
            yield Fault(
                "snapshot.section", f"{section[:80]}: the script could not read it on the device: {error[:500]}"
            )


def _pairs(given: Any) -> Iterable[tuple[str, str]]:
    return [(str(k)[:80], str(v)[:20]) for k, v in given.items() if v] if isinstance(given, Mapping) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
