"""A disk that is full or gone, at every step; and the copies for parsers."""

import errno
import os
import time
from collections import namedtuple
from pathlib import Path
from unittest import mock

import pytest

from ircase.store import NotStored, StoreError, StoreFull
from ircase.store.copies import RECENT, Copies
from ircase.store.disk import DiskStore
from ircase.store.whole import Store
from tests.ircase.storage.conftest import make_key, make_store

FULL = OSError(errno.ENOSPC, "No space left on device")
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(params=["", "k"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return make_store(DiskStore(tmp_path / "e"), tmp_path, keys=make_key("k") if request.param else "")


@pytest.mark.parametrize(
    "step",
    ["pathlib.Path.mkdir", "pathlib.Path.open", "os.fsync", "pathlib.Path.chmod", "os.link", "ircase.store.disk._sync"],
)
def test_a_disk_that_is_full_at_any_step_seals_nothing(store: Store, step: str) -> None:
    with mock.patch(step, side_effect=FULL), pytest.raises(StoreFull, match=r"No space left.*free space and retry"):
        store.put([b"bytes"])
    if step != "ircase.store.disk._sync":  # the name was there already when its folder could not be made durable
        assert [item.kind for item in store.files() if item.kind == "file"] == []
    assert list((store.backend.path("x").parents[2]).glob("incoming/*")) == []  # type: ignore[union-attr]
    assert store.put([b"bytes"]).size == 5


def test_a_disk_that_fills_up_on_the_way(store: Store, tmp_path: Path) -> None:
    def source() -> object:
        yield b"x" * 1000
        raise FULL

    with pytest.raises(StoreFull):
        store.put(source())  # type: ignore[arg-type]
    assert [entry.name for entry in store.backend.entries()] == []


def test_a_reserve_is_kept_free_before_and_on_the_way(tmp_path: Path) -> None:
    backend = DiskStore(tmp_path / "e", reserve=1000)
    store = make_store(backend, tmp_path)
    big = tmp_path / "big"
    big.write_bytes(b"x" * 600)
    with mock.patch("shutil.disk_usage", return_value=Usage(9999, 0, 1500)):
        with pytest.raises(StoreFull, match="IRCASE_STORE_RESERVE_BYTES"):
            store.put_file(big)
        store.put([b"fits"])
    sizes = iter([10**9, 10**9, 10, 10, 10])
    with mock.patch("shutil.disk_usage", side_effect=lambda _: Usage(0, 0, next(sizes))), pytest.raises(StoreFull):
        store.put([b"y" * 2**24 for _ in range(4)])
    assert [entry.size for entry in backend.entries()] == [4]


def test_a_volume_that_is_not_mounted_is_not_a_lost_file(tmp_path: Path) -> None:
    store = make_store(DiskStore(tmp_path / "e"), tmp_path)
    stored = store.put([b"x"])
    (tmp_path / "e").rename(tmp_path / "away")
    with pytest.raises(StoreError, match="Mount it") as told:
        store.size(stored.sha256)
    assert not isinstance(told.value, NotStored)


def test_what_a_dead_worker_left_is_found(tmp_path: Path) -> None:
    backend = DiskStore(tmp_path / "e")
    make_store(backend, tmp_path).put([b"x"])
    draft = tmp_path / "e" / "incoming" / "dead"
    draft.write_bytes(b"half")
    os.utime(draft, (1, 1))
    from datetime import UTC, datetime

    assert backend.leftovers(datetime.now(UTC), remove=True) == 1
    assert not draft.exists() and len(list(backend.entries())) == 1


def make_copy(copies: Copies, letter: str, age: float) -> Path:
    content = letter.encode() * 100
    import hashlib

    path = copies.path(hashlib.sha256(content).hexdigest(), 100, lambda: [content])
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_copies_are_bounded_oldest_first_and_never_what_is_in_use(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "c", 250)
    oldest, older = make_copy(copies, "a", RECENT * 3), make_copy(copies, "b", RECENT * 2)
    with copies.held(oldest.name, 100, list):
        os.utime(oldest, (1, 1))
        newest = make_copy(copies, "c", 0)
        assert oldest.exists() and not older.exists() and newest.exists()
    make_copy(copies, "d", 0)
    assert not oldest.exists()


def test_a_full_disk_makes_no_copy(tmp_path: Path) -> None:
    store = make_store(DiskStore(tmp_path / "e"), tmp_path, keys=make_key("k"))
    stored = store.put([b"x"])
    with mock.patch("ircase.store.copies.Path.replace", side_effect=FULL), pytest.raises(StoreError, match="No space"):
        store.local_path(stored.sha256)
    assert list(store.copies.folder.glob("*")) == []
