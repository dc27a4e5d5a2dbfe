"""A folder as the store: drafts beside it, linked to their names once they are whole and on the disk."""

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from ircase.store.base import CHUNK, Entry, NotStored, StoreError, StoreFull

READ_ONLY: Final = 0o440
_LOOK_EVERY: Final = 16 * 2**20
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_GONE: Final = (FileNotFoundError, NotADirectoryError)


class DiskStore:
    """Objects as read-only files below `root`, two folders deep. `reserve`: bytes of the disk that stay free."""

    label = "disk"
    names_first = False
    drops_drafts = False

    def __init__(self, root: Path, reserve: int = 0) -> None:
        self.root, self.reserve = root, reserve

    def create(
        self, chunks: Iterable[bytes], name: Callable[[], str], is_sound: Callable[[str], bool], size: int
    ) -> bool:
        drafts = self.root / "incoming"
        with self._told():
            drafts.mkdir(parents=True, exist_ok=True, mode=0o750)
        draft = drafts / uuid.uuid4().hex
        try:
            with self._told():
                self._write(draft, chunks, size)
            return self._place(draft, name(), is_sound)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def _write(self, draft: Path, chunks: Iterable[bytes], size: int) -> None:
        self._leave_room(size)
        unchecked = 0
        with draft.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
                unchecked += len(chunk)
                if unchecked >= _LOOK_EVERY:
                    self._leave_room(0)
                    unchecked = 0
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(READ_ONLY)

    def _leave_room(self, size: int) -> None:
        if self.reserve and shutil.disk_usage(self.root).free - size < self.reserve:
            raise StoreFull(
                "The evidence store's disk is full up to its reserve (IRCASE_STORE_RESERVE_BYTES). Nothing was sealed; "
                "free space and retry."
            )

    def _place(self, draft: Path, name: str, is_sound: Callable[[str], bool]) -> bool:
        """Link the finished file to its name. The same bytes may be there already; a file that no longer is those
        bytes is set aside, never overwritten."""
        final = self.path(name)
        with self._told():
            final.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            with contextlib.suppress(FileExistsError):
                self._link(draft, final)
                return True
        if is_sound(name):
            return False
        with self._told():
            self.set_aside(name)
            self._link(draft, final)
        return True

    def _link(self, draft: Path, final: Path) -> None:
        os.link(draft, final)
        _sync(final.parent)

    def replace(self, name: str, data: bytes) -> None:
        final = self.path(name)
        draft = final.with_name(f"{final.name}.new-{uuid.uuid4().hex[:8]}")
        with self._told():
            final.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            try:
                with draft.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                draft.chmod(READ_ONLY)
                draft.replace(final)
                _sync(final.parent)
            finally:
                draft.unlink(missing_ok=True)

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        path = self.path(name)
        with self._reading(name):
            file = path.open("rb")
        return self._chunks(file, start, end)

    def _chunks(self, file: IO[bytes], start: int, end: int | None) -> Iterator[bytes]:
        left = None if end is None else max(0, end - start)
        with self._told("read"), file as source:
            source.seek(start)
            while left is None or left > 0:
                chunk = source.read(CHUNK if left is None else min(CHUNK, left))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk

    def size(self, name: str) -> int:
        with self._reading(name):
            return self.path(name).stat().st_size

    def remove(self, name: str) -> None:
        path = self.path(name)
        with self._told("remove"):
            try:
                path.unlink()
            except _GONE:
                return
            _sync(path.parent)

    def set_aside(self, name: str) -> None:
        path = self.path(name)
        with self._told():
            path.rename(path.with_name(f"{path.name}.altered-{uuid.uuid4().hex[:8]}"))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        # A whole hash lies in one folder: the others, as many as 65,536, are not looked into.
        for folder, inner, names in os.walk(self.path(prefix).parent if len(prefix) >= 4 else self.root):
            inner[:] = sorted(name for name in inner if len(name) == 2)
            for name in sorted(names):
                if not name.startswith(prefix) or Path(folder) == self.root:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    status = (Path(folder) / name).stat()
                    yield Entry(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def locked_until(self, name: str) -> datetime | None:
        return None

    def free(self) -> int | None:
        folder = self.root
        while not folder.exists():
            folder = folder.parent
        return max(0, shutil.disk_usage(folder).free - self.reserve)

    def check(self) -> None:
        with self._told():
            self.root.mkdir(parents=True, exist_ok=True, mode=0o750)
            probe = self.root / f".probe-{uuid.uuid4().hex[:8]}"
            probe.touch()
            probe.unlink()

    def says(self) -> list[tuple[str, str]]:
        return []

    def path(self, name: str) -> Path:
        return self.root / name[:2] / name[2:4] / name

    def leftovers(self, before: datetime, *, remove: bool) -> int:
        found = 0
        for path in (self.root / "incoming").glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before.timestamp():
                    found += 1
                    if remove:
                        path.unlink()
        return found

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except _GONE as error:
            # A volume that is not mounted must not make every exhibit look lost.
            if not self.root.is_dir():
                raise StoreError(f"The evidence store is not there: {self.root} is no folder. Mount it.") from error
            raise NotStored(f"The evidence store has no {name}.") from error
        except OSError as error:
            raise StoreError(f"The evidence store could not read: {error.strerror or error}.") from error

    @contextlib.contextmanager
    def _told(self, verb: str = "write") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind = StoreFull if error.errno in _FULL else StoreError
            after = " Nothing was sealed; free space and retry." if verb == "write" else " Look at its disk, and retry."
            raise kind(f"The evidence store could not {verb}: {error.strerror or error}.{after}") from error


def _sync(folder: Path) -> None:
    """A new name is only durable once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
