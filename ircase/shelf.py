"""Every playbook there is, wherever it comes from: what IRCase ships, and what the team has written and approved."""

from dataclasses import dataclass

from ircase import catalogue
from ircase.catalogue import CatalogueError, Playbook
from ircase.models import PlaybookVersion, SavedPlaybook


@dataclass(frozen=True)
class Entry:
    """One playbook of the library. `used` is what a new case is given, None where nothing is approved or it is
    retired; `newest` is None for one that ships. `stage` is shipped, draft, reviewed, approved or retired."""

    slug: str
    title: str
    description: str
    stage: str
    items: int
    used: int | None
    newest: PlaybookVersion | None


def playbook(slug: str) -> Playbook | None:
    """What a case is given now under that id; None where there is nothing that may be used. One query at most."""
    shipped = catalogue.playbooks().get(slug)
    if shipped is not None or not slug:
        return shipped
    found = PlaybookVersion.objects.filter(saved__slug=slug, saved__retired_at=None).exclude(approved_at=None)
    newest = found.order_by("-number").first()
    return read(slug, newest) if newest else None


def read(slug: str, version: PlaybookVersion) -> Playbook | None:
    """A saved version as a playbook; None where this IRCase no longer takes what it says."""
    try:
        return catalogue.playbook_from({**version.content, "id": slug, "version": version.number})
    except CatalogueError:
        return None


def title(slug: str) -> str:
    """For people; the id where nothing has it."""
    if shipped := catalogue.playbooks().get(slug):
        return shipped.title
    newest = PlaybookVersion.objects.filter(saved__slug=slug).order_by("-number").values_list("content", flat=True)
    content = newest.first()
    return str(content.get("title", slug)) if isinstance(content, dict) else slug


def usable() -> list[Playbook]:
    """What a case may be opened with: shipped first, then the team's own by id. One query."""
    newest: dict[str, PlaybookVersion] = {}
    rows = PlaybookVersion.objects.filter(saved__retired_at=None).exclude(approved_at=None).select_related("saved")
    for row in rows.order_by("saved__slug", "number"):
        newest[row.saved.slug] = row
    own = [read(slug, row) for slug, row in newest.items()]
    return [*catalogue.playbooks().values(), *(plan for plan in own if plan is not None)]


def entries() -> list[Entry]:
    """The whole library, retired ones too, for its page. Two queries."""
    shipped = [
        Entry(plan.id, plan.title, plan.description, "shipped", len(plan.items), plan.version, None)
        for plan in catalogue.playbooks().values()
    ]
    saved = SavedPlaybook.objects.prefetch_related("versions__author")
    return [*shipped, *(_entry(row) for row in saved)]


def _entry(row: SavedPlaybook) -> Entry:
    versions = list(row.versions.all())
    newest = versions[0]
    used = next((one.number for one in versions if one.approved_at), None) if row.retired_at is None else None
    content = newest.content if isinstance(newest.content, dict) else {}
    return Entry(
        slug=row.slug,
        title=str(content.get("title", row.slug)),
        description=str(content.get("description", "")),
        stage="retired" if row.retired_at else newest.stage,
        items=len(content.get("items", ())),
        used=used,
        newest=newest,
    )
