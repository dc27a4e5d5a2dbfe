"""Where an export is written: a zip whose every byte the verifier can foretell, or a folder.

Zip: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, always with the Zip64 fields of 4.5.3, without
compression, every time the same: what is not a file's content says only its name, checksum, size and place.
"""

import hashlib
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from ircase.dossier.verify import directory_entry, end_of_archive, local_header


class Writer(Protocol):
    """SHALL write each file once, under the name it is given."""

    def add(self, name: str, chunks: Iterable[bytes]) -> tuple[int, str]:
        """Write one file; its size and SHA-256."""

    def close(self) -> None:
        """Everything is on the disk after this."""


class ZipWriter:
    """Into an open file that can be read back from its start."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._entries: list[bytes] = []

    def add(self, name: str, chunks: Iterable[bytes]) -> tuple[int, str]:
        encoded, place = name.encode(), self._file.tell()
        self._file.write(local_header(encoded, 0, 0))
        digest, crc, size = hashlib.sha256(), 0, 0
        for chunk in chunks:
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
            self._file.write(chunk)
        # What the header says is known only now.
        self._file.seek(place)
        self._file.write(local_header(encoded, crc, size))
        self._file.seek(0, os.SEEK_END)
        self._entries.append(directory_entry(encoded, crc, size, place))
        return size, digest.hexdigest()

    def close(self) -> None:
        place, directory = self._file.tell(), b"".join(self._entries)
        self._file.write(directory)
        self._file.write(end_of_archive(len(self._entries), len(directory), place))
        self._file.flush()
        os.fsync(self._file.fileno())


class FolderWriter:
    """Into a folder that is new or empty. Raises FileExistsError."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError(f"The folder {folder} is not empty.")
        self._folder = folder

    def add(self, name: str, chunks: Iterable[bytes]) -> tuple[int, str]:
        path = self._folder.joinpath(*name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with path.open("xb") as file:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        return size, digest.hexdigest()

    def close(self) -> None:
        """Each file was flushed when it was written."""
