"""What a case knows of one device, whatever of its names it is asked by."""

from dataclasses import dataclass

from django.db.models import Q

from ircase.models import Asset, Case, Evidence, User
from liveresponse.models import Collection, Lookup, ResponseAction
from liveresponse.services import lookups


@dataclass(frozen=True)
class KnownDevice:
    """`names` are all that it goes by, in lower case: DNS name, host name, DeviceId."""

    title: str
    names: frozenset[str]
    machine_id: str
    asset: Asset | None
    lookup: Lookup | None

    def is_called(self, name: str) -> bool:
        """Whether a row's device is this one: by a name, or by the host name where one of the two has no domain."""
        text = name.strip().lower()
        if text in self.names:
            return True
        host, dot, _ = text.partition(".")
        return any(host == known.partition(".")[0] and not (dot and "." in known) for known in self.names)


def known(case: Case, key: str) -> KnownDevice:
    """The device called `key`. One of which the case knows nothing has that name alone."""
    asset = _asset(case, key)
    names = {key} | ({asset.name.lower(), asset.identifier.lower()} if asset else set()) - {""}
    lookups = Lookup.objects.for_case(case).filter(kind=Lookup.Kind.DEVICE).select_related("evidence", "requested_by")
    told = Q(answers__machine__data__dns_name__in=list(names)) | Q(answers__machine__data__id__in=list(names))
    lookup = lookups.filter(Q(key__in=names) | told).order_by("-requested_at").first()
    data = ((lookup.answers.get("machine") or {}).get("data") or {}) if lookup else {}
    names |= {str(data.get(name) or "").lower() for name in ("dns_name", "id")} - {""}
    asset = asset or next((found for name in names if (found := _asset(case, name))), None)
    return KnownDevice(_title(key, names, asset), frozenset(names), _machine_id(names), asset, lookup)


def ask(*, case: Case, actor: User, name: str) -> Lookup:
    """Have Defender asked about a device, by the name it was asked by before, so that the answers stand in one row.
    Raises ValidationError."""
    found = known(case, name)
    key = found.lookup.key if found.lookup else found.machine_id or name
    return lookups.ask(case=case, actor=actor, kind=Lookup.Kind.DEVICE, key=key)


def _asset(case: Case, key: str) -> Asset | None:
    devices = Asset.objects.filter(case=case, kind=Asset.Kind.DEVICE)
    return devices.filter(Q(name=key) | Q(identifier__iexact=key)).first()


def _title(key: str, names: set[str], asset: Asset | None) -> str:
    if asset is not None:
        return asset.name
    return next((name for name in sorted(names, key=len, reverse=True) if not _is_id(name)), key)


def _machine_id(names: set[str]) -> str:
    return next((name for name in names if _is_id(name)), "")


def _is_id(name: str) -> bool:
    return len(name) == 40 and all(letter in "0123456789abcdef" for letter in name)


def collections_of(case: Case, device: KnownDevice) -> list[Collection]:
    """Every collection from it, the newest first."""
    mine = Q(device__in=device.names) | Q(machine_id__in=device.names)
    rows = Collection.objects.for_case(case).filter(mine).select_related("requested_by", "output", "activity")
    return list(rows[:100])


def responses_to(case: Case, device: KnownDevice) -> list[ResponseAction]:
    """Every response action on it, the newest first."""
    mine = Q(target__in=device.names) | Q(machine_id__in=device.names)
    return list(ResponseAction.objects.for_case(case).filter(mine).select_related("requested_by", "activity")[:100])


def exhibits_of(case: Case, device: KnownDevice) -> list[Evidence]:
    """What came from it, by the manifests, the newest first."""
    names = list(device.names)
    mine = Q(manifest__device__in=names) | Q(manifest__device_id__in=names) | Q(manifest__about__key__in=names)
    return list(Evidence.objects.filter(case=case).filter(mine).order_by("-number")[:100])
