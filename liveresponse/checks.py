"""What must hold before the system starts: the collections are sound, and playbooks name only what exists."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from ircase.catalogue import CatalogueError, playbooks
from liveresponse.catalogue import definitions
from liveresponse.kinds import KINDS


@register(Tags.compatibility)
def collections_are_sound(**_: Any) -> list[CheckMessage]:
    try:
        known = definitions()
    except CatalogueError as error:
        return [Error(f"A collection cannot be used: {error}", id="liveresponse.E001")]
    wrong: list[CheckMessage] = [
        Error(f"Playbook {playbook.id}, item {item.key}: there is no response action {name!r}.", id="liveresponse.E003")
        for playbook in playbooks().values()
        for item in playbook.items
        for name in item.actions
        if name not in KINDS
    ]
    return wrong + [
        Error(f"Playbook {playbook.id}, item {item.key}: there is no collection {name!r}.", id="liveresponse.E002")
        for playbook in playbooks().values()
        for item in playbook.items
        for name in item.collections
        if name not in known
    ]
