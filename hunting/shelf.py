"""The library as people have it: what IRCase ships (hunting.catalogue) together with what the team saved.

Of a saved hunt or pack it is the newest version; the retired ones are found by id alone. A request that lies within
`held` asks the database once, however often the library is looked at; `forget` after a change.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet

from hunting import catalogue
from hunting.catalogue import Hunt, HuntError, Pack, Review, hunt_of, matching, pack_from
from hunting.models import HuntVersion, PackVersion

_KEPT: Final = 10_000
_LIGHT: Final = (
    "pk", "number", "created_at", "approved_at", "saved__slug", "saved__retired_at", "saved__origin", "saved__licence",
)  # fmt: skip
_held: ContextVar[dict[str, Any] | None] = ContextVar("hunting_shelf", default=None)
# A version's content never changes, so that it is read once in a process. The time is in the key because a database
# that was set up anew counts its rows from 1 again.
_built: dict[tuple[int, datetime, Review], Hunt] = {}


@contextmanager
def held() -> Iterator[None]:
    """Within it, what was read of the library stays read."""
    token = _held.set({})
    try:
        yield
    finally:
        _held.reset(token)


def forget() -> None:
    """Read anew what was read before: for whoever has changed the library."""
    kept = _held.get()
    if kept is not None:
        kept.clear()


def hunts(*, retired: bool = False) -> Mapping[str, Hunt]:
    """Every hunt by id: the shipped ones, then the saved ones by id; the retired ones only where asked for."""
    found = {**catalogue.hunts(), **_once("hunts", _saved_hunts)}
    return MappingProxyType(found if retired else {name: hunt for name, hunt in found.items() if not hunt.retired})


def hunt(hunt_id: str) -> Hunt | None:
    """A hunt by id, a retired one too. A shipped one costs no query."""
    return catalogue.hunts().get(hunt_id) or _once("hunts", _saved_hunts).get(hunt_id)


def hunt_version(hunt_id: str, number: int) -> Hunt | None:
    """A hunt as one of its versions has it, with the review state of that version; None where there is no such one."""
    shipped = catalogue.hunts().get(hunt_id)
    if shipped is not None:
        return shipped if shipped.version == number else None
    rows = HuntVersion.objects.filter(saved__slug=hunt_id, number=number)
    return next(iter(_hunts_of(rows).values()), None)


def hunt_of_run(hunt_id: str, number: int) -> Hunt | None:
    """The hunt as a run asked it; where that version is gone (a shipped one of an earlier IRCase), as it is now."""
    if not hunt_id:
        return None
    now = hunt(hunt_id)
    return now if now is None or now.version == number else hunt_version(hunt_id, number) or now


def packs(*, retired: bool = False) -> Mapping[str, Pack]:
    """Every pack by id: the shipped ones, then the saved ones. A pack may name a retired hunt; that one is left out
    when it runs."""
    saved: Mapping[str, tuple[Pack, bool]] = _once("packs", _saved_packs)
    found = {name: pack for name, (pack, gone) in saved.items() if retired or not gone}
    return MappingProxyType({**catalogue.packs(), **found})


def pack(pack_id: str) -> Pack | None:
    """A pack by id, a retired one too."""
    return catalogue.packs().get(pack_id) or packs(retired=True).get(pack_id)


def search(
    text: str = "", entity: str = "", technique: str = "", review: str = "", origin: str = ""
) -> list[Hunt]:  # fmt: skip
    """The hunts that match (hunting.catalogue.matching); retired ones where `review` asks for them."""
    found = hunts(retired=review == Review.RETIRED).values()
    return matching(found, text=text, entity=entity, technique=technique, review=review, origin=origin)


def _once(name: str, read: Any) -> Any:
    kept = _held.get()
    if kept is None:
        return read()
    if name not in kept:
        kept[name] = read()
    return kept[name]


def _saved_hunts() -> dict[str, Hunt]:
    newer = HuntVersion.objects.filter(saved=OuterRef("saved"), number__gt=OuterRef("number"))
    return _hunts_of(HuntVersion.objects.filter(~Exists(newer)))


def _hunts_of(rows: QuerySet[HuntVersion]) -> dict[str, Hunt]:
    """The versions as hunts, by id. The texts of those that this process has read before are not read again."""
    light = list(rows.order_by("saved__slug").values(*_LIGHT))
    lacking = [row["pk"] for row in light if _key(row) not in _built]
    texts: dict[int, Any] = {}
    if len(lacking) == len(light):
        texts = dict(rows.values_list("pk", "content")) if lacking else {}
    else:
        for start in range(0, len(lacking), 500):
            part = HuntVersion.objects.filter(pk__in=lacking[start : start + 500])
            texts |= dict(part.values_list("pk", "content"))
    return {row["saved__slug"]: _built_of(row, texts) for row in light}


def _key(row: Mapping[str, Any]) -> tuple[int, datetime, Review]:
    state = Review.RETIRED if row["saved__retired_at"] else Review.APPROVED if row["approved_at"] else Review.DRAFT
    return row["pk"], row["created_at"], state


def _built_of(row: Mapping[str, Any], texts: Mapping[int, Any]) -> Hunt:
    key = _key(row)
    known = _built.get(key)
    if known is not None:
        return known
    if len(_built) >= _KEPT:
        _built.clear()
    content = {**texts[row["pk"]], "id": row["saved__slug"], "version": row["number"]}
    origin = str((row["saved__origin"] or {}).get("source", ""))
    built = hunt_of(content, review=key[2], origin=origin, licence=row["saved__licence"])
    _built[key] = built
    return built


def _saved_packs() -> dict[str, tuple[Pack, bool]]:
    newer = PackVersion.objects.filter(saved=OuterRef("saved"), number__gt=OuterRef("number"))
    rows = PackVersion.objects.filter(~Exists(newer)).order_by("saved__slug").select_related("saved")
    library = hunts(retired=True) if (there := list(rows)) else {}
    found = {}
    for row in there:
        data = {**row.content, "id": row.saved.slug, "version": row.number}
        try:
            found[row.saved.slug] = (pack_from(data, library), row.saved.retired_at is not None)
        except HuntError:
            continue  # a shipped hunt that a later IRCase no longer has; the pack's own page says so
    return found
