"""Sealing evidence beside hashing the same file: the seal also writes, syncs and makes read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.test import override_settings

from bench.figures import Absent, Figure, best
from ircase.store import put_file

GROUP = "Sealing a file"
_BLOCK = 2**20


def figures(folder: Path, *, mebibytes: int, rounds: int) -> Iterator[Figure | Absent]:
    """Figures over one file of random bytes, which is in the page cache when the first round begins."""
    path = folder / "evidence.bin"
    block = os.urandom(_BLOCK)
    with path.open("wb") as out:
        for number in range(mebibytes):
            out.write(number.to_bytes(8, "big") + block[8:])
    program = shutil.which("sha256sum")
    if program is None:
        yield Absent(GROUP, "no sha256sum here; GNU coreutils has it")
    else:
        hashing = best(lambda: subprocess.run([program, path], check=True, stdout=subprocess.DEVNULL), rounds)
        yield Figure(GROUP, "sha256sum, which only reads", mebibytes, "MiB", hashing)
    copying = best(lambda: _copy(path, folder / "copy.bin"), rounds)
    yield Figure(GROUP, "copy and fsync, which does not hash", mebibytes, "MiB", copying)
    yield Figure(GROUP, "ircase.store.put_file", mebibytes, "MiB", best(lambda: _seal(path, folder), rounds))


def _copy(path: Path, target: Path) -> None:
    with path.open("rb") as source, target.open("wb") as out:
        shutil.copyfileobj(source, out, _BLOCK)
        out.flush()
        os.fsync(out.fileno())
    target.unlink()


def _seal(path: Path, folder: Path) -> None:
    """Seal into a store that is empty each time."""
    store = folder / "store"
    with override_settings(EVIDENCE_DIR=store):
        put_file(path)
    shutil.rmtree(store)
