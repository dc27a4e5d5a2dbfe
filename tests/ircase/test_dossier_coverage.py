"""Everything that belongs to a case is exported, and comes back, or is named with the reason why not."""

from django.apps import apps
from django.db.models import Model

from ircase.dossier import content, coverage
from ircase.dossier.recalling.recipes import recipes
from ircase.models import Case

# Not rows of a recipe: `refinding` and `linked` make them, and `before` holds what was a record before.
OTHERWISE = {"assets", "indicators", "timeline", "event_techniques", "links", "before"}


def belonging() -> set[type[Model]]:
    """Every model with a path of foreign keys to the case."""
    found: set[type[Model]] = {Case}
    while more := {model for model in apps.get_models() if model not in found and _parents(model) & found}:
        found |= more
    return found


def _parents(model: type[Model]) -> set[type[Model]]:
    return {field.related_model for field in model._meta.concrete_fields if field.remote_field}  # type: ignore[misc]


def exported() -> dict[str, str]:
    return {content.model_of(name)._meta.label: name for name in content.areas() if name != content.LINKS}


def test_every_model_of_a_case_is_exported_or_named_with_the_reason() -> None:
    labels = {model._meta.label for model in belonging()}
    assert labels - set(exported()) - set(coverage.NOT_EXPORTED) == set()
    assert set(coverage.NOT_EXPORTED) - labels == set(), "named, but no such model belongs to a case"
    assert set(coverage.NOT_EXPORTED) & set(exported()) == set(), "named as left out, yet exported"


def test_every_area_comes_back_or_is_a_record_with_the_reason() -> None:
    areas = set(content.areas())
    back = {recipe.area for recipe in recipes()} | OTHERWISE
    assert areas - back - set(coverage.RECORDS) == set()
    assert back & set(coverage.RECORDS) == set()
    assert (back | set(coverage.RECORDS)) - areas == {"log"}, "named, but in no export"
    assert all([*coverage.NOT_EXPORTED.values(), *coverage.RECORDS.values()])


def test_a_recipe_makes_the_model_that_its_area_holds() -> None:
    for recipe in recipes():
        assert recipe.model is content.model_of(recipe.area), recipe.area
        for name in [*recipe.refs, *recipe.many, *recipe.skip]:
            recipe.model._meta.get_field(name)
