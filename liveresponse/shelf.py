"""Every collection as people have it: what IRCase ships (liveresponse.catalogue) together with what the team saved.

Of a saved one it is the version in use: the newest that is approved, or that needs no review because it runs nothing.
"""

from liveresponse.catalogue import Definition, DefinitionError, definition_from, definitions
from liveresponse.models import Collection


def plan_of(row: Collection) -> Definition | None:
    """The definition a job was asked with: it keeps its own, so that an edit changes nothing that runs. None where it
    cannot be read by this IRCase."""
    if not row.plan:
        shipped = definitions().get(row.definition)
        return shipped if shipped is not None and shipped.version == row.version else None
    try:
        return definition_from(row.plan)
    except DefinitionError:
        return None


def definition(name: str) -> Definition | None:
    """A collection that may be asked for now, by id."""
    return definitions().get(name)
