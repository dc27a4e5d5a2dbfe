"""What hunts add to an export of a case: the runs with their exact KQL, and the notebooks."""

from hunting.models import Cell, HuntRun, Notebook, Sweep
from ircase.dossier import content


def register() -> None:
    """Called when Django starts."""
    content.register("hunt_runs", lambda case: HuntRun.objects.filter(case=case).order_by("pk"))
    content.register("hunt_sweeps", lambda case: Sweep.objects.filter(case=case).order_by("pk"))
    content.register("notebooks", lambda case: Notebook.objects.filter(case=case))
    content.register("notebook_cells", lambda case: Cell.objects.filter(notebook__case=case).order_by("notebook", "pk"))
