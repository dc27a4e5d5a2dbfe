"""Which panels there are, and who makes them. Apps above, and rooms of this one, add theirs."""

from collections.abc import Mapping
from typing import Final, Protocol

from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import Behind, Panel

SECTIONS: Final = (
    ("overview", "Overview"),
    ("times", "Times"),
    ("work", "Work"),
    ("hunts", "Hunts"),
    ("response", "Response"),
    ("patterns", "Patterns"),
)


class Source(Protocol):
    """Makes one panel. Every count SHALL start from `scope.cases`, and cost as many queries for ten cases as for ten
    thousand. A link made by `scope.behind(key, …)` comes back to `behind` with its words."""

    key: str
    section: str

    def panel(self, scope: Scope) -> Panel: ...

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        """Raises LookupError for a part that is none."""
        ...


_sources: dict[str, Source] = {}


def register(source: Source) -> None:
    """Its panel stands in its section from now on, after those that were there before."""
    if source.section not in dict(SECTIONS):
        raise ValueError(f"{source.key}: there is no section {source.section!r}.")
    _sources[source.key] = source


def source_of(key: str) -> Source | None:
    return _sources.get(key)


def panels(scope: Scope, section: str) -> list[Panel]:
    """The panels of a section, in their order."""
    return [source.panel(scope) for source in _sources.values() if source.section == section]


def sections() -> list[tuple[str, str]]:
    """Code and label of those that have a panel."""
    filled = {source.section for source in _sources.values()}
    return [(code, label) for code, label in SECTIONS if code in filled]
