"""Short documents beside the report: the contact list, and the debrief of an exercise."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ircase.report.typeset import HERE, TypesetError, set_pdf

SECONDS: Final = 60
SHEETS: Final = ("contacts", "debrief")


def pdf_of(sheet: str, data: Mapping[str, Any]) -> bytes:
    """The PDF of one of SHEETS. The template sees the data as texts, never as markup. Raises TypesetError."""
    if sheet not in SHEETS:
        raise ValueError(f"There is no sheet {sheet!r}.")
    with tempfile.TemporaryDirectory(prefix="sheet-") as name:
        folder = Path(name)
        (folder / "data.json").write_text(json.dumps(data, ensure_ascii=True), encoding="ascii")
        return set_pdf(folder, HERE / f"{sheet}.typ", seconds=SECONDS).read_bytes()


__all__ = ["SHEETS", "TypesetError", "pdf_of"]
