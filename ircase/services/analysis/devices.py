"""Devices that the case's own work is about are assets of the case: whoever asks something of one adds it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction

from ircase.models import Asset, Case, User
from ircase.search import index
from ircase.services import log
from ircase.services.analysis.findings import clean

_ID: Final = re.compile(r"[0-9a-f]{40}")
_LONGEST: Final = 255


@dataclass(frozen=True)
class Device:
    """A device by its DNS name and, where known, Defender's id. `provenance` is kept where it becomes an asset."""

    name: str
    identifier: str = ""
    provenance: dict[str, str] = field(default_factory=dict)


@transaction.atomic
def note_devices(*, case: Case, actor: User, devices: Iterable[Device]) -> list[Asset]:
    """Make assets of those that are none yet, and give those that lack one their id; the new assets. One that goes by
    its host name on the case is the one that goes by its full name, unless their ids differ."""
    wanted = [one for one in map(_cleaned, devices) if one.name]
    if not wanted:
        return []
    # Two who ask for the same device at the same time. The weaker lock lets rows below the case be written meanwhile.
    Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    there = _Known(Asset.objects.filter(case=case, kind=Asset.Kind.DEVICE))
    new: list[Asset] = []
    named: list[Asset] = []
    for one in wanted:
        found = there.find(one)
        if not found:
            new.append(there.add(_asset(case, actor, one)))
        elif len(found) == 1 and one.identifier and not found[0].identifier:
            found[0].identifier = one.identifier
            there.add(found[0])
            named += [] if found[0].pk is None else found
    _keep(case, actor, new, named)
    return new


def _cleaned(one: Device) -> Device:
    name, identifier = (clean(text).strip().lower()[:_LONGEST] for text in (one.name, one.identifier))
    # Asked for by its id alone: it gets its name from who finds it.
    return Device("" if _ID.fullmatch(name) else name, identifier, one.provenance)


def _asset(case: Case, actor: User, one: Device) -> Asset:
    return Asset(
        case=case, kind=Asset.Kind.DEVICE, name=one.name, identifier=one.identifier, added_by=actor,
        provenance=one.provenance or {"by": "hand"},
    )  # fmt: skip


def _keep(case: Case, actor: User, new: Sequence[Asset], named: Sequence[Asset]) -> None:
    """Judged they are not, so that no step of the checklist opens for them."""
    index.write_many("asset", Asset.objects.bulk_create(new, batch_size=500))
    Asset.objects.bulk_update(named, ["identifier"], batch_size=500)
    index.write_many("asset", named)
    if len(new) == 1:
        log.record(
            "asset.added", case=case, actor=actor, kind=new[0].kind, name=new[0].name, provenance=new[0].provenance
        )
    elif new:
        names = [asset.name for asset in new]
        log.record(
            "asset.added_many", case=case, actor=actor, count=len(new), names=names, provenance=new[0].provenance
        )
    if named:
        ids = {asset.name: asset.identifier for asset in named}
        log.record("asset.identified", case=case, actor=actor, count=len(named), name=named[0].name, ids=ids)


class _Known:
    """The devices of a case, by what they go by."""

    def __init__(self, assets: Iterable[Asset]) -> None:
        self._by_name: dict[str, Asset] = {}
        self._by_id: dict[str, Asset] = {}
        self._by_host: dict[str, list[Asset]] = {}
        for asset in assets:
            self.add(asset)

    def add(self, asset: Asset) -> Asset:
        self._by_name[asset.name.lower()] = asset
        if asset.identifier:
            self._by_id[asset.identifier.lower()] = asset
        same = self._by_host.setdefault(asset.name.lower().partition(".")[0], [])
        if asset not in same:
            same.append(asset)
        return asset

    def find(self, one: Device) -> list[Asset]:
        """Those that it can be: none, it, or several that go by its host name."""
        known = self._by_id.get(one.identifier) if one.identifier else None
        known = known or self._by_name.get(one.name)
        if known is not None:
            return [known]
        host, dot, _ = one.name.partition(".")
        alike = [asset for asset in self._by_host.get(host, ()) if not (dot and "." in asset.name)]
        return [asset for asset in alike if not (one.identifier and asset.identifier)]
