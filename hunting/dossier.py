"""What hunts add to an export of a case, and what comes back of it: the notebooks. Runs stay a record of what was asked
elsewhere; their results are exhibits."""

from collections.abc import Iterable
from typing import Any

from hunting.models import (
    Cell,
    CellRevision,
    CellRun,
    HuntRun,
    Notebook,
    NotebookRun,
    PackRun,
    PackStep,
    Sweep,
    Watch,
    WatchTurn,
)
from ircase.dossier import content
from ircase.dossier.recalling import recipes
from ircase.dossier.recalling.rows import Recipe


def register() -> None:
    """Called when Django starts."""
    content.register("hunt_runs", lambda case: HuntRun.objects.filter(case=case).order_by("pk"))
    content.register("hunt_sweeps", lambda case: Sweep.objects.filter(case=case).order_by("pk"))
    content.register("pack_runs", lambda case: PackRun.objects.filter(case=case).order_by("pk"))
    content.register("pack_steps", lambda case: PackStep.objects.filter(pack_run__case=case).order_by("pk"))
    content.register("watches", lambda case: Watch.objects.filter(case=case).order_by("pk"))
    content.register("watch_turns", lambda case: WatchTurn.objects.filter(watch__case=case).order_by("pk"))
    content.register("notebooks", lambda case: Notebook.objects.filter(case=case))
    content.register("notebook_cells", lambda case: Cell.objects.filter(notebook__case=case).order_by("notebook", "pk"))
    content.register(
        "cell_revisions", lambda case: CellRevision.objects.filter(cell__notebook__case=case).order_by("pk")
    )
    content.register("notebook_runs", lambda case: NotebookRun.objects.filter(notebook__case=case).order_by("pk"))
    content.register("cell_runs", lambda case: CellRun.objects.filter(cell__notebook__case=case).order_by("pk"))
    recipes.register(Recipe("notebooks", Notebook), comments_on="notebook")
    recipes.register(Recipe("notebook_cells", Cell, {"notebook": "notebooks"}, skip=frozenset({"last"}), keys=_name))
    recipes.register(Recipe("cell_revisions", CellRevision, {"cell": "notebook_cells"}))


def _name(cell: Cell) -> Iterable[tuple[Any, ...]]:
    """A name is a table that later cells ask: one of them in a notebook."""
    return [("name", cell.notebook_id, cell.name)] if cell.name and cell.deleted_at is None else []
