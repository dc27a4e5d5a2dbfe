"""What holds for every store: a disk, a bucket, a container; plain and encrypted."""

import hashlib
import os
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ircase.store import NotStored, StoreAltered, StoreError
from tests.ircase.storage.conftest import Stage

FIVE = 5 * 2**20
LARGE = random.Random(4).randbytes(20 * 2**20 + 12345)  # two parts of a multipart upload, and a bit


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pieces(data: bytes, size: int = 100_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("content", [b"", b"x", b"a" * 65536, b"b" * 65537, os.urandom(3 * 65536), LARGE])
def test_what_goes_in_comes_out_under_its_hash(stage: Stage, content: bytes) -> None:
    stored = stage.store.put(pieces(content))
    assert (stored.sha256, stored.size) == (sha(content), len(content))
    assert b"".join(stage.store.chunks(stored.sha256)) == content
    assert stage.store.size(stored.sha256) == len(content)
    assert stage.store.exists(stored.sha256) and not stage.store.exists("0" * 64)
    assert stage.store.digest(stored.sha256) == (stored.sha256, stored.size)


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 1), (65535, 65537), (65536, 131072), (1, None), (199_999, 200_000), (200_000, None), (150, 150), (9**9, None)],
)
def test_any_range_is_read_without_the_rest(stage: Stage, start: int, end: int | None) -> None:
    content = random.Random(1).randbytes(200_000)
    stored = stage.store.put(pieces(content))
    assert b"".join(stage.store.chunks(stored.sha256, start, end)) == content[start:end]


def test_a_stored_file_can_be_sought_in(stage: Stage) -> None:
    content = random.Random(2).randbytes(300_000)
    stored = stage.store.put(pieces(content))
    with stage.store.opened(stored.sha256) as file:
        file.seek(-10, os.SEEK_END)
        assert file.read() == content[-10:]
        file.seek(70_000)
        assert file.read(7) == content[70_000:70_007]
        assert file.tell() == 70_007


def test_the_same_bytes_are_kept_once(stage: Stage) -> None:
    stage.store.put([b"the same"])
    before = stage.names()
    assert stage.store.put([b"the ", b"same"]).sha256 == sha(b"the same")
    assert stage.names() == before


def test_a_name_says_whether_the_bytes_are_encrypted_and_they_are(stage: Stage) -> None:
    stored = stage.store.put([b"the secret of the house"])
    encrypted = stage.store.is_encrypted
    (name,) = [name for name in stage.names() if not name.endswith(".key")]
    assert name == stored.sha256 + (".enc" if encrypted else "")
    assert (b"the secret" in stage.raw(name)) is not encrypted
    assert stored.key == ("k1" if encrypted else "")


def test_a_stream_that_breaks_leaves_nothing(stage: Stage) -> None:
    def broken() -> Iterator[bytes]:
        yield from pieces(LARGE)
        raise StoreError("cut off")

    with pytest.raises(StoreError, match="cut off"):
        stage.store.put(broken())
    assert stage.names() == []
    assert stage.store.backend.leftovers(datetime.now(UTC) + timedelta(days=1), remove=False) == 0
    assert list(stage.store.spool.glob("*")) == []


def test_a_file_that_changes_while_it_is_stored_is_refused(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(LARGE)
    calls = [0]

    def watch() -> None:
        calls[0] += 1
        if calls[0] == 25:  # the second time round where it is read twice
            with path.open("ab") as file:
                file.write(b"more")

    if stage.store.backend.names_first:
        with pytest.raises(StoreError, match="changed while it was stored"):
            stage.store.put_file(path, watch)
        assert stage.names() == []
    else:
        assert stage.store.put_file(path, watch).sha256 in (sha(LARGE), sha(LARGE + b"more"))


def test_an_altered_file_is_told_and_set_aside_when_the_true_bytes_come(stage: Stage) -> None:
    stored = stage.store.put([b"the truth"])
    name = stored.sha256 + (".enc" if stage.store.is_encrypted else "")
    stage.alter(name)
    if stage.store.is_encrypted:
        with pytest.raises(StoreAltered):
            stage.store.digest(stored.sha256)
    else:
        assert stage.store.digest(stored.sha256)[0] == sha(b"the trut" + bytes([ord("h") ^ 1]))
    assert stage.store.put([b"the truth"]).sha256 == stored.sha256
    assert b"".join(stage.store.chunks(stored.sha256)) == b"the truth"
    assert [name for name in stage.names() if ".altered-" in name] != []


def test_a_path_to_the_bytes_for_those_who_need_one(stage: Stage) -> None:
    stored = stage.store.put([b"for a parser"])
    with stage.store.local(stored.sha256) as path:
        assert path.read_bytes() == b"for a parser"
        stage.store.copies.shrink()
        assert path.exists()
    assert stage.store.local_path(stored.sha256).read_bytes() == b"for a parser"
    with pytest.raises(NotStored), stage.store.local("0" * 64):
        pass


def test_a_copy_of_altered_bytes_is_never_handed_to_a_parser(stage: Stage) -> None:
    stored = stage.store.put([b"clean bytes"])
    name = stored.sha256 + (".enc" if stage.store.is_encrypted else "")
    if name == stored.sha256 and stage.store.backend.label == "disk":
        pytest.skip("a plain disk hands out the file itself; verifying finds it")
    stage.alter(name)
    with pytest.raises(StoreAltered):
        stage.store.local_path(stored.sha256)


def test_what_is_deleted_is_gone_with_its_key_and_its_copy(stage: Stage) -> None:
    stored = stage.store.put([b"to be destroyed"])
    stage.store.put([b"to stay"])
    stage.store.local_path(stored.sha256)
    stage.store.delete(stored.sha256)
    stage.store.delete(stored.sha256)
    assert not stage.store.exists(stored.sha256)
    assert all(not name.startswith(stored.sha256) for name in stage.names())
    assert not (stage.store.copies.folder / stored.sha256).exists()
    assert stage.store.exists(sha(b"to stay"))


def test_what_was_set_aside_as_altered_goes_with_what_is_destroyed(stage: Stage) -> None:
    stored = stage.store.put([b"to be destroyed, too"])
    stage.alter(stored.sha256 + (".enc" if stage.store.is_encrypted else ""))
    stage.store.put([b"to be destroyed, too"])
    assert any(".altered-" in name for name in stage.names())
    stage.store.delete(stored.sha256)
    assert stage.names() == []


def test_many_at_once_store_the_same_bytes_once(stage: Stage) -> None:
    failures: list[BaseException] = []

    def go() -> None:
        try:
            stage.store.put([b"all of us"])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert b"".join(stage.store.chunks(sha(b"all of us"))) == b"all of us"
    assert len([name for name in stage.names() if not name.endswith(".key")]) == 1
    assert len([name for name in stage.names() if name.endswith(".key")]) == int(stage.store.is_encrypted)


def test_everything_the_store_lists_is_sorted_by_kind(stage: Stage) -> None:
    stored = stage.store.put([b"one"])
    items = list(stage.store.files())
    assert [item.sha256 for item in items if item.kind == "file"] == [stored.sha256]
    assert [item.sha256 for item in items if item.kind == "key"] == [stored.sha256] * stage.store.is_encrypted
    stage.store.backend.check()
