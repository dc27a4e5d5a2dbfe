"""Rows of one area made into rows of a model, by the model's own fields. A row that does not fit is kept aside with
the reason; nothing is half made."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from django.db import models
from django.db.models import ForeignKey, Model, UniqueConstraint

from ircase.dossier.reading import Row, data
from ircase.dossier.recalling.scene import Scene, name_of, new_uuid
from ircase.dossier.recalling.values import NotAsWritten, value_of
from ircase.models import User
from ircase.models.jobs import Job

_BATCH: Final = 500
EXHIBITS: Final = "exhibits"
# A job's own bookkeeping is of the place where it ran.
_JOB: Final = frozenset({"owner", "heartbeat_at", "not_before", "cancel_requested", "progress"})
Mend = Callable[[Any, Row, Scene], None]
Keys = Callable[[Any], Iterable[tuple[Any, ...]]]


class Refused(ValueError):
    """This row cannot be one of the case. The message says why, and is kept beside it."""


@dataclass(frozen=True)
class Recipe:
    """How an area becomes rows of `model`.

    `refs`: foreign keys by the area whose rows they name ("exhibits" for evidence); `many` the same for many-to-many
    fields; `skip`: fields that are not taken over; `mend`: puts right what the fields alone do not say, and raises
    Refused; `keys`: what may not be there twice beyond what the model's plain constraints say; `one_by_one`: rows of it
    name earlier ones of it.
    """

    area: str
    model: type[Model]
    refs: Mapping[str, str] = field(default_factory=dict)
    many: Mapping[str, str] = field(default_factory=dict)
    skip: frozenset[str] = frozenset()
    mend: Mend | None = None
    keys: Keys | None = None
    one_by_one: bool = False


def restore(recipe: Recipe, scene: Scene) -> None:
    """Every row of the area becomes a row, or is kept aside."""
    maker = _Maker(recipe, scene)
    made = []
    for row in scene.rows(recipe.area):
        item = maker.make(row)
        if item is not None:
            if recipe.one_by_one:
                _keep([item])
                scene.known[recipe.area].setdefault(name_of(row), item)
            made.append((row, item))
    if not recipe.one_by_one:
        _keep([item for _, item in made])
        for row, item in made:
            scene.known[recipe.area].setdefault(name_of(row), item)
    for name, area in recipe.many.items():
        _tie(recipe, scene, name, area, made)


def _keep(items: list[Model]) -> None:
    if not items:
        return
    model = type(items[0])
    # These fields take the present moment when a row is added; the export's is put back.
    moments = [one.name for one in model._meta.concrete_fields if _is_automatic(one)]
    had = [[getattr(item, name) for name in moments] for item in items]
    manager = model._base_manager
    manager.bulk_create(items, batch_size=_BATCH)
    if moments:
        for item, values in zip(items, had, strict=True):
            for name, value in zip(moments, values, strict=True):
                setattr(item, name, value)
        manager.bulk_update(items, moments, batch_size=_BATCH)


def _is_automatic(one: Any) -> bool:
    return bool(getattr(one, "auto_now", False) or getattr(one, "auto_now_add", False))


def _tie(recipe: Recipe, scene: Scene, name: str, area: str, made: Sequence[tuple[Row, Any]]) -> None:
    """The many-to-many links of all rows, in batches. What they name that did not come is kept aside."""
    relation: Any = recipe.model._meta.get_field(name)
    through = relation.remote_field.through
    ours, theirs = relation.m2m_field_name(), relation.m2m_reverse_field_name()
    links = (
        through(**{f"{ours}_id": item.pk, f"{theirs}_id": pk})
        for row, item in made
        for pk in _named(recipe.area, scene, row, name, area)
    )
    while part := list(islice(links, _BATCH)):
        through._base_manager.bulk_create(part)


def _named(own: str, scene: Scene, row: Row, name: str, area: str) -> list[int]:
    found, lost = {}, []
    for one in data(row, name, list):
        there = scene.find(area, one)
        if there is None:
            lost.append(str(one)[:60])
        else:
            found[there.pk] = True
    if lost:
        scene.aside(own, {"_id": row.get("_id"), name: row.get(name)}, f"It names {area} that did not come: {lost[0]}")
    return list(found)


class _Maker:
    """Makes unsaved rows of one recipe, each of its keys once."""

    def __init__(self, recipe: Recipe, scene: Scene) -> None:
        self.recipe, self.scene = recipe, scene
        self.seen: set[tuple[Any, ...]] = set()
        skip = recipe.skip | (_JOB if issubclass(recipe.model, Job) else frozenset())
        self.fields = [one for one in recipe.model._meta.concrete_fields if one.name not in skip]
        self.unique = _unique_keys(recipe.model)

    def make(self, row: Row) -> Any:
        try:
            item = self._filled(row)
            if self.recipe.mend:
                self.recipe.mend(item, row, self.scene)
            self._once(item)
        except (Refused, NotAsWritten) as error:
            self.scene.aside(self.recipe.area, row, str(error))
            return None
        return item

    def _filled(self, row: Row) -> Any:
        item = self.recipe.model()
        for one in self.fields:
            if one.primary_key:
                continue
            if one.name == "uuid":
                # Of what names itself; two rows of one name are told apart below.
                item.uuid = new_uuid(self.scene.case, name_of(row)) if name_of(row) else item.uuid  # type: ignore[attr-defined]
            elif one.name == "case":
                item.case = self.scene.case  # type: ignore[attr-defined]
            elif isinstance(one, ForeignKey):
                setattr(item, one.name, self._other(one, row))
            elif not isinstance(one, models.UUIDField):
                setattr(item, one.name, value_of(one, row))
        return item

    def _other(self, one: Any, row: Row) -> Any:
        if one.related_model is User:
            person = self.scene.people.of(row.get(one.name))
            return person if person is not None or one.null else self.scene.people.somebody()
        value, area = row.get(one.name), self.recipe.refs.get(one.name, "")
        found = self.scene.find(area, value) if area else None
        if found is not None or (value is None and one.null):
            return found
        named = f"its {one.name.replace('_', ' ')} {str(value)[:60]!r} did not come"
        if not one.null:
            raise Refused(named)
        if area:
            self.scene.aside(self.recipe.area, {"_id": row.get("_id"), one.name: value}, named)
        return None

    def _once(self, item: Any) -> None:
        keys = [key for names in self.unique if (key := _key(item, names)) is not None]
        keys += [("keys", *key) for key in (self.recipe.keys(item) if self.recipe.keys else ())]
        if twice := [key for key in keys if key in self.seen]:
            raise Refused(f"there is another with the same {str(twice[0][0]).replace(',', ' and ')}")
        self.seen.update(keys)


def _unique_keys(model: type[Model]) -> list[tuple[str, ...]]:
    single = [(one.name,) for one in model._meta.concrete_fields if one.unique and not one.primary_key]
    many = [one.fields for one in model._meta.constraints if isinstance(one, UniqueConstraint) and not one.condition]
    return [*single, *(tuple(names) for names in many)]


def _key(item: Any, names: tuple[str, ...]) -> tuple[Any, ...] | None:
    values = [getattr(item, item._meta.get_field(name).attname) for name in names]
    return None if None in values else (",".join(names), *values)
