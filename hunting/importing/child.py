"""The reader's own process: `python -m hunting.importing.child REQUEST OUT`, so that nothing it meets harms a worker.

REQUEST is a JSON file: `files`, pairs of a path and the name that the person knows, or `path`, a folder; `name` of the
whole, `licence`, `megabytes` and `seconds`. OUT becomes one JSON object a line, hunting.importing.written says which.
"""

import json
import resource
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hunting.importing.model import LIMITS, ImportRefused, Preview
from hunting.importing.reader import read
from hunting.importing.written import lines

_FRAME: Final = 16 * 1024 * 1024
"""What the frame of a zip of our own may take beside the files."""


def preview_of(request: dict[str, Any]) -> Preview:
    """What REQUEST names, read. Raises ImportRefused."""
    name, licence = str(request["name"]), str(request.get("licence", ""))
    if path := request.get("path"):
        return read(Path(path), name=name, licence=licence)
    files: Sequence[Sequence[str]] = request["files"]
    if len(files) == 1:
        with Path(files[0][0]).open("rb") as file:
            return read(file, name=name, licence=licence)
    with tempfile.TemporaryFile() as together:
        # The names stay names: no path is ever made of them.
        with zipfile.ZipFile(together, "w") as archive:
            for source, called in files:
                archive.write(source, called)
        together.seek(0)
        limits = replace(LIMITS, zip_bytes=LIMITS.zip_bytes + _FRAME)
        return replace(read(together, name=f"{name}.zip", licence=licence, limits=limits), source=name)


def main(request_path: str, out_path: str) -> None:
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    size, seconds = int(request["megabytes"]) << 20, int(request["seconds"])
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Path(out_path).open("w", encoding="ascii") as out:
        try:
            for line in lines(preview_of(request)):
                out.write(json.dumps(line) + "\n")
        except (ImportRefused, OSError) as error:
            out.write(json.dumps({"refused": str(error)[:2000]}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
