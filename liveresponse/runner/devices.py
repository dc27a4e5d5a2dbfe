"""Which devices of a batch Defender knows, and which of them the collection can run on."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ircase import grid, quota
from ircase.models import CaseTable
from ircase.services.analysis.tables import columns_of
from liveresponse.catalogue import definitions
from liveresponse.models import Batch
from liveresponse.providers import Opener, open_tenant
from liveresponse.runner.governed import Governed, govern
from liveresponse.runner.polling import NotYet
from liveresponse.services import batches
from msapi.errors import ApiError, NotFound
from msapi.machines import Machine

_ID: Final = re.compile(r"[0-9a-f]{40}")
_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,253}[a-z0-9_])?")
_TOGETHER: Final = 20
"""Names of one call: they stand in its address, which may not grow without end."""


class _TooMany(Exception):
    pass


def find_devices(pk: int, opener: Opener = open_tenant) -> None:
    """Look the devices of batch `pk` up and say who is in. Nothing happens where another worker does it."""
    batch = batches.claim_look(pk)
    if batch is None:
        return
    try:
        with opener(batch.connection) as tenant:
            governed = govern(tenant, quota.governor(), batch.connection, f"batch {batch.uuid}", priority=3)
            batches.looked_up(batch, _devices(batch, governed))
    except _TooMany:
        batches.looked_up(batch, [], f"More than {batches.MOST:,} devices: a batch takes no more. Ask for fewer.")
    except NotYet as error:
        batches.later(batch, error.seconds, str(error))
    except grid.GridError as error:
        batches.looked_up(batch, [], f"The table could not be read: {error}")
    except ApiError as error:
        if error.permanent:
            batches.looked_up(batch, [], f"The devices could not be looked up: {error}")
        else:
            batches.later(batch, error.retry_after or 15.0, str(error))


def _devices(batch: Batch, tenant: Governed) -> list[dict[str, Any]]:
    plan = definitions().get(batch.definition)
    platforms = plan.platforms if plan else ()
    if "tag" in batch.asked:
        return _judged([(machine.dns_name, machine) for machine in _tagged(batch.asked["tag"], tenant)], platforms)
    names = list(batch.asked["names"]) if "names" in batch.asked else _of_table(batch)
    return _judged(list(_matched(names, tenant)), platforms)


def _tagged(tag: str, tenant: Governed) -> list[Machine]:
    try:
        found = list(tenant.machines_by_tag(tag))
    except NotFound:
        return []
    if len(found) > batches.MOST:
        raise _TooMany
    return found


def _of_table(batch: Batch) -> list[str]:
    """The distinct devices of a table's column, in the order of the rows."""
    table = CaseTable.objects.get(case=batch.case, uuid=batch.asked["table"])
    columns = columns_of(table)
    (column,) = [one for one in columns if one.name == batch.asked["column"]]
    found: dict[str, None] = {}
    for row in grid.stream(table.path, columns, only=(column,)):
        text = (grid.cell_text(row.cells[0]) or "").strip().lower()
        if text:
            found[text[:255]] = None
        if len(found) > batches.MOST:
            raise _TooMany
    return list(found)


def _matched(names: Sequence[str], tenant: Governed) -> Iterator[tuple[str, Machine | None]]:
    """Each name with its device, or None. Of devices that share a name (one was set up again) the onboarded one that
    was seen last."""
    askable = [name for name in names if _ID.fullmatch(name) or _NAME.fullmatch(name)]
    known: dict[str, Machine] = {}
    for start in range(0, len(askable), _TOGETHER):
        part = askable[start : start + _TOGETHER]
        for machine in sorted(tenant.machines(" or ".join(_condition(name) for name in part)), key=_rank):
            name = machine.dns_name.lower()
            known |= {machine.id.lower(): machine, name: machine, name.split(".")[0]: machine}
    for name in names:
        yield name, known.get(name)


def _condition(name: str) -> str:
    if _ID.fullmatch(name):
        return f"id eq '{name}'"
    return f"computerDnsName eq '{name}'" if "." in name else f"startswith(computerDnsName,'{name}')"


def _rank(machine: Machine) -> tuple[bool, str]:
    return machine.onboarding.lower() == "onboarded", machine.last_seen


def _judged(found: Sequence[tuple[str, Machine | None]], platforms: Sequence[str]) -> list[dict[str, Any]]:
    devices, taken = [], set[str]()
    for name, machine in found:
        verdict, why = _verdict(machine, platforms)
        if machine is not None and machine.id.lower() in taken:
            verdict, why = "twice", "The same device stands in the list already."
        taken |= {machine.id.lower()} if machine else set()
        devices.append(
            {
                "asked": name,
                "name": (machine.dns_name if machine else name).lower()[:255],
                "id": machine.id.lower() if machine else "",
                "platform": machine.os_platform if machine else "",
                "health": machine.health if machine else "",
                "last_seen": machine.last_seen if machine else "",
                "verdict": verdict,
                "why": why,
            }
        )
    return devices


def _verdict(machine: Machine | None, platforms: Sequence[str]) -> tuple[str, str]:
    if machine is None:
        return "unknown", "Defender knows no such device."
    if machine.onboarding and machine.onboarding.lower() != "onboarded":
        return "not_onboarded", f"Not onboarded to Defender ({machine.onboarding})."
    system = machine.os_platform.lower()
    if system and platforms and not any(system.startswith(one.lower()) for one in platforms):
        return "platform", f"{machine.os_platform}: the collection is for {', '.join(platforms)}."
    return "in", ""
