"""What must hold before the system starts: the library, the packs, and the playbooks that name them."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register

from hunting import catalogue
from ircase import catalogue as playbooks
from ircase.exercises.scenarios import scenarios
from kql import used_tables


@register(Tags.compatibility)
def library_is_sound(**_: Any) -> list[CheckMessage]:
    try:
        library = catalogue.hunts()
        catalogue.packs()
    except playbooks.CatalogueError as error:
        return [Error(f"A hunt or a pack cannot be used: {error}", id="hunting.E001")]
    return [message for hunt in library.values() for message in _tables_are_named(hunt)]


def _tables_are_named(hunt: catalogue.Hunt) -> list[CheckMessage]:
    """`tables` is what a person is told a hunt reads, so it must be what the query reads."""
    used, named = used_tables(hunt.kql), set(hunt.tables)
    if used == named:
        return []
    differ = ", ".join(sorted(used ^ named))
    return [Error(f"{hunt.id}.yaml: `tables` and the query differ in: {differ}.", id="hunting.E002")]


@register(Tags.compatibility)
def playbooks_name_what_exists(**_: Any) -> list[CheckMessage]:
    """A warning only: a playbook may name what a team saved, and a check of the system asks no database."""
    try:
        plans, library, packs = playbooks.playbooks(), catalogue.hunts(), catalogue.packs()
    except playbooks.CatalogueError:
        return []  # said by the checks that own these files
    found: list[CheckMessage] = []
    for plan in plans.values():
        unknown = [name for name in plan.packs if name not in packs]
        unknown += [name for item in plan.items for name in item.hunts if name not in library and name not in packs]
        found += [
            Warning(
                f"{plan.id}.yaml names the hunt or pack {name}, which IRCase does not ship.",
                hint="Right where your library has it under that id; else correct the name.",
                id="hunting.W003",
            )
            for name in dict.fromkeys(unknown)
        ]
    return found


@register(Tags.compatibility)
def scenarios_are_whole(**_: Any) -> list[CheckMessage]:
    """A scenario that cannot be read, or names a hunt that is not in the library, is said at the start."""
    try:
        scenarios()
    except playbooks.CatalogueError as error:
        return [Error(str(error), id="hunting.E004")]
    return []
