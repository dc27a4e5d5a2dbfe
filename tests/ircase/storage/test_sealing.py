"""Encryption at rest: nothing is moved, left out or cut off unnoticed; keys are changed without touching the files."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ircase.store import StoreAltered, StoreError
from ircase.store.disk import DiskStore
from ircase.store.sealing import (
    FULL,
    HEADER,
    PLAIN,
    Header,
    Keyring,
    UnknownKey,
    decrypted,
    encrypted,
    new_key,
    plain_size,
    span,
)
from tests.ircase.storage.conftest import make_key, make_store

KEY, HEAD = new_key(), Header.new()


def seal(content: bytes) -> bytes:
    return b"".join(encrypted([content], KEY, HEAD))


def read(data: bytes, start: int = 0, end: int | None = None) -> bytes:
    where = span(len(data), start, end)
    return b"".join(decrypted([data[where.start : where.end]], KEY, Header.parse(data[:HEADER]), len(data), where))


@given(st.integers(0, 4 * PLAIN), st.integers(0, 5 * PLAIN), st.integers(0, 5 * PLAIN))
def test_every_range_of_every_size_reads_as_the_plain_bytes_do(size: int, start: int, end: int) -> None:
    content = (b"0123456789abcdef!" * (size // 17 + 1))[:size]
    data = seal(content)
    assert plain_size(len(data)) == size
    assert read(data, start, end) == content[start:end]
    assert read(data) == content


@pytest.mark.parametrize(
    "harm",
    [
        lambda d: d[:-1],
        lambda d: d[: HEADER + FULL],
        lambda d: d[: HEADER + 2 * FULL],
        lambda d: (
            d[:HEADER] + d[HEADER + FULL : HEADER + 2 * FULL] + d[HEADER : HEADER + FULL] + d[HEADER + 2 * FULL :]
        ),
        lambda d: d[:HEADER] + d[HEADER + FULL :],
        lambda d: d[:40] + bytes([d[40] ^ 1]) + d[41:],
        lambda d: d[:10] + bytes([d[10] ^ 1]) + d[11:],
        lambda d: d + b"x",
        lambda d: d + d[-20:],
        lambda d: d[: HEADER + 15],
        lambda d: d[:5],
        lambda d: b"",
    ],
)
def test_what_is_moved_cut_or_changed_is_told(harm: object) -> None:
    data = seal(os.urandom(3 * PLAIN + 100))
    with pytest.raises(StoreAltered):
        read(harm(data))  # type: ignore[operator]


def test_a_chunk_of_another_file_does_not_fit() -> None:
    one = seal(b"a" * 3 * PLAIN)
    other = b"".join(encrypted([b"b" * 3 * PLAIN], KEY, Header.new()))
    mixed = one[: HEADER + FULL] + other[HEADER + FULL : HEADER + 2 * FULL] + one[HEADER + 2 * FULL :]
    with pytest.raises(StoreAltered):
        read(mixed)


def test_keys_are_changed_by_writing_the_small_files_alone(tmp_path: Path) -> None:
    old, new = make_key("old"), make_key("new")
    backend = DiskStore(tmp_path / "e")
    stored = make_store(backend, tmp_path, keys=old).put([b"under the old key"])
    both = make_store(backend, tmp_path, keys=f"{new},{old}")
    (name,) = [item.entry.name for item in both.files() if item.kind == "key"]
    (file,) = [item.entry.name for item in both.files() if item.kind == "file"]
    before = backend.path(file).read_bytes()
    assert both.rewrap(name) == "old"
    assert both.rewrap(name) == "new"
    assert backend.path(file).read_bytes() == before
    after = make_store(backend, tmp_path, keys=new)
    assert b"".join(after.chunks(stored.sha256)) == b"under the old key"
    with pytest.raises(UnknownKey, match="'new'"):
        b"".join(make_store(backend, tmp_path, keys=old).chunks(stored.sha256))


def test_a_key_that_is_lost_or_forged_is_named(tmp_path: Path) -> None:
    store = make_store(DiskStore(tmp_path / "e"), tmp_path, keys=make_key("k"))
    stored = store.put([b"secret"])
    (name,) = [item.entry.name for item in store.files() if item.kind == "key"]
    row = json.loads(b"".join(store.backend.read(name)))
    store.backend.replace(name, json.dumps({**row, "wrapped": "AAAA"}).encode())
    with pytest.raises(StoreAltered, match="not the one"):
        store.digest(stored.sha256)
    store.backend.replace(name, b"\xff not json")
    with pytest.raises(StoreAltered, match="cannot be read"):
        store.digest(stored.sha256)
    store.backend.remove(name)
    with pytest.raises(StoreAltered, match="key of"):
        store.digest(stored.sha256)
    assert store.put([b"secret"]).sha256 == stored.sha256
    assert store.digest(stored.sha256) == (stored.sha256, 6)


def test_files_of_before_encryption_are_still_read_and_the_other_way_round(tmp_path: Path) -> None:
    keys, backend = make_key("k"), DiskStore(tmp_path / "e")
    plain, sealed = make_store(backend, tmp_path), make_store(backend, tmp_path, keys=keys)
    early, late = plain.put([b"early"]), sealed.put([b"late"])
    assert b"".join(sealed.chunks(early.sha256)) == b"early"
    with sealed.local(early.sha256) as path:
        assert path.read_bytes() == b"early"
    with pytest.raises(UnknownKey):
        b"".join(plain.chunks(late.sha256))
    sealed.delete(early.sha256)
    assert not plain.exists(early.sha256)


@pytest.mark.parametrize("text", ["k", "k:AAAA", "k:%%%", "a b:" + "A" * 44, "k:" + "A" * 43 + "=,k:" + "A" * 43 + "="])
def test_keys_that_cannot_be_used_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Keyring.parse(text)


def test_a_file_that_only_looks_encrypted_is_a_file(tmp_path: Path) -> None:
    store = make_store(DiskStore(tmp_path / "e"), tmp_path)
    data = seal(b"somebody else's")
    assert b"".join(store.chunks(store.put([data]).sha256)) == data
    assert issubclass(UnknownKey, StoreError)
