"""What IRCase-Get-Folder.ps1 answers on a simulated device: a zip of a folder, and what it prints."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from datetime import datetime

from simulator.dfir import sections
from simulator.dfir.facts import Facts
from simulator.dfir.powershell import csv_lines, utf8_bom

FOLDER_SCRIPT = "IRCase-Get-Folder.ps1"
_PATH = re.compile(r'-Path "([^"]*)"')
_MOST = re.compile(r"-MaxFiles (\d{1,6})")


def folder_of(arguments: str) -> str:
    """The folder that is asked for, "" where none is."""
    found = _PATH.search(arguments)
    return found.group(1).rstrip("\\") if found else ""


def is_missing(arguments: str) -> bool:
    """A device of the story has every folder but those whose path says that it is missing."""
    return not folder_of(arguments) or "missing" in folder_of(arguments).lower()


def zip_name(computer: str, made: datetime) -> str:
    """The name of the zip, with the time in UTC."""
    return f"IRCase-Folder-{computer}-{made:%Y%m%d%H%M%S}.zip"


def is_zip(base: str) -> bool:
    """Whether a file's name is that of such a zip."""
    return re.fullmatch(r"ircase-folder-.+-\d{14}\.zip", base.lower()) is not None


def said(arguments: str, path: str) -> list[str]:
    """The lines of the transcript."""
    if is_missing(arguments):
        return [f"There is no folder {folder_of(arguments)} on this device."]
    lines = ["Packed 3 files, 4096 bytes; not read: 0."]
    if _most(arguments) < 3:
        lines += [f"Stopped: more than {_most(arguments)} files. Ask for a folder further down, or raise the cap."]
    return [*lines, f"IRCase zip: {path}"]


def exit_code(arguments: str) -> int:
    """1 without a folder, 3 where a cap is reached, else 0: what cannot be read is only a link here."""
    return 1 if is_missing(arguments) else 3 if _most(arguments) < 3 else 0


def folder_zip(facts: Facts, arguments: str) -> bytes:
    """The zip: a note, a table, a history, and the list of files."""
    rows = sections.connections(facts)
    files = {
        "notes.txt": f"Folder {folder_of(arguments)} of {facts.device.name}\r\n".encode(),
        "sessions.csv": utf8_bom(csv_lines(sections.columns_of(rows), rows)),
        "PSReadLine/ConsoleHost_history.txt": b"whoami\r\nGet-Process\r\nquery user\r\n",
    }
    kept = dict(list(files.items())[: _most(arguments)])
    buffer, stamp = io.BytesIO(), facts.now_local.timetuple()[:6]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*kept.items(), ("IRCaseFolderFiles.ndjson", _list(facts, arguments, kept))):
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def _list(facts: Facts, arguments: str, files: dict[str, bytes]) -> bytes:
    when = f"{facts.moment:%Y-%m-%dT%H:%M:%S}.0000000Z"
    rows = [
        {
            "Device": facts.device.computer, "Name": name,
            "FullPath": rf"{folder_of(arguments)}\{name}".replace("/", "\\"),
            "Size": len(content), "Error": "", "Sha256": hashlib.sha256(content).hexdigest(),
            "CreationTimeUtc": when, "LastWriteTimeUtc": when, "LastAccessTimeUtc": when, "Attributes": "Archive",
        }
        for name, content in files.items()
    ]  # fmt: skip
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def _most(arguments: str) -> int:
    found = _MOST.search(arguments)
    return int(found.group(1)) if found else 5000
