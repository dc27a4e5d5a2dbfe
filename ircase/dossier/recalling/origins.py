"""Where a fact was read, told in this case's names."""

from typing import Any, Final

from ircase.dossier.recalling.scene import Scene, new_uuid

BY_UUID: Final = "exhibits by uuid"
RUN: Final = "run_before"
"""In place of `run`: the record of a run elsewhere (`RecordBefore.key`)."""


def here(was: dict[str, Any], scene: Scene) -> dict[str, Any]:
    """A provenance of the export as one of this case."""
    exhibit = scene.find(BY_UUID, was.get("evidence"))
    if exhibit is not None:
        was |= {"evidence": str(exhibit.uuid)} | ({"exhibit": exhibit.exhibit} if "exhibit" in was else {})
    else:
        was.pop("evidence", None)
    for name in ("star", "link", RUN):
        if name in was:
            was[name] = str(new_uuid(scene.case, str(was[name])))
    for name in ("collection", "collection_batch", "action"):
        if name in was:
            was[f"{name}_before"] = str(was.pop(name))
    if "run" in was:
        was[RUN] = str(new_uuid(scene.case, str(was.pop("run"))))
    return was
