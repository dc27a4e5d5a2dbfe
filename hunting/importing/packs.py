"""Packs as YAML, as hunting/packs has them and as the importer takes them again."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import yaml

from hunting.importing.drafts import Context
from hunting.importing.model import Candidate, PackCandidate, PackStep
from hunting.importing.text import plain, slug


class ExportablePack(Protocol):
    """What a pack SHALL have to be exported. Its hunts are ids, things with an `id`, or steps with a `hunt` of these
    and an `only_if`; a pack that has `steps` is written by them."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def entity(self) -> str: ...
    @property
    def hunts(self) -> Sequence[Any]: ...


def export_pack(pack: ExportablePack) -> str:
    """The pack as YAML. A hunt that only runs if an earlier one had hits is written with `only_if`."""
    document = {
        "id": pack.id,
        "version": pack.version,
        "title": pack.title,
        "description": pack.description,
        "entity": pack.entity,
        "hunts": list(_written(getattr(pack, "steps", pack.hunts))),
    }
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))


def _written(hunts: Iterable[Any]) -> Iterator[str | dict[str, str]]:
    for step in hunts:
        if isinstance(step, str):
            yield step
            continue
        hunt = getattr(step, "hunt", step)
        name, only_if = hunt if isinstance(hunt, str) else str(hunt.id), getattr(step, "only_if", "")
        yield {"hunt": name, "only_if": only_if} if only_if else name


def pack_of(name: str, candidates: Sequence[Candidate], context: Context) -> PackCandidate:
    """The candidates of one file as a pack: in its order, for the entity that most of them ask for."""
    entities = [c.entity for c in candidates]
    title = plain(name, 120) or "Imported pack"
    return PackCandidate(
        id=slug(title, "imported-pack"),
        title=title,
        description=f"{_counted(len(candidates))} of {context.origin.member or title}, in its order.",
        entity=max(dict.fromkeys(entities), key=entities.count),
        hunts=tuple(PackStep(s) for s in dict.fromkeys(c.slug for c in candidates)),
        origin=context.origin,
        licence=context.licence,
    )


def _counted(hunts: int) -> str:
    return "The one hunt" if hunts == 1 else f"The {hunts} hunts"
