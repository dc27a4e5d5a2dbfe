"""What only a bucket does: 503s, broken lines, object lock, a worker killed in the middle."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ircase.store import NotStored, StoreError, StoreLocked
from ircase.store.s3 import S3Store
from ircase.store.whole import Store
from tests.ircase.storage.bucket import Bucket, busy
from tests.ircase.storage.conftest import killed_half_way, make_key, make_store, meanwhile, options
from tests.ircase.storage.test_stores import LARGE, pieces, sha

SOON = timedelta(days=1)


@pytest.fixture
def name(bucket: Bucket) -> str:
    made = f"b-{uuid.uuid4().hex}"
    bucket.make(made)
    return made


def store_of(bucket: Bucket, name: str, tmp_path: Path, **more: Any) -> Store:
    return make_store(S3Store(options(bucket, name, **more)), tmp_path)


def test_a_503_is_tried_again_and_nobody_notices(bucket: Bucket, name: str, tmp_path: Path) -> None:
    store = store_of(bucket, name, tmp_path)
    with bucket.gated(busy(2, lambda environ: environ["REQUEST_METHOD"] == "PUT")):
        stored = store.put(pieces(LARGE))
    assert b"".join(store.chunks(stored.sha256)) == LARGE


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_store_that_stays_away_seals_nothing_and_says_so(
    bucket: Bucket, name: str, tmp_path: Path, method: str
) -> None:
    store = store_of(bucket, name, tmp_path, tries=2)
    with bucket.gated(busy(10**6, lambda environ: environ["REQUEST_METHOD"] == method)):
        with pytest.raises(StoreError, match=r"busy or down \(503.*Nothing was sealed") as told:
            store.put(pieces(LARGE))
        assert not isinstance(told.value, NotStored)
    assert bucket.keys(name) == []
    assert bucket.unfinished(name) == 0
    assert store.put(pieces(LARGE)).sha256 == sha(LARGE)


def test_a_store_that_is_away_is_not_a_missing_file(bucket: Bucket, name: str, tmp_path: Path) -> None:
    store = store_of(bucket, name, tmp_path, tries=1)
    stored = store.put([b"there"])
    with bucket.gated(busy(10**6)), pytest.raises(StoreError) as told:
        store.exists(stored.sha256)
    assert not isinstance(told.value, NotStored)


def test_nobody_answers_at_all(tmp_path: Path, bucket: Bucket) -> None:
    dead = S3Store(options(bucket, "x", tries=1, timeout=1.0).__class__(bucket="x", endpoint="http://127.0.0.1:9",
                   access_key="a", secret_key="b", path_style=True, tries=1, timeout=1.0))  # fmt: skip
    with pytest.raises(StoreError, match="does not answer"):
        make_store(dead, tmp_path).put([b"x"])


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket, tmp_path: Path) -> None:
    store = store_of(bucket, "nowhere", tmp_path, tries=1)
    with pytest.raises(StoreError, match=r"bucket nowhere does not exist.*IRCASE_S3_BUCKET"):
        store.put([b"x"])
    with pytest.raises(StoreError, match="nowhere"):
        store.backend.check()


def test_a_line_that_breaks_is_taken_up_where_it_broke(bucket: Bucket, name: str, tmp_path: Path) -> None:
    store = store_of(bucket, name, tmp_path)
    stored = store.put(pieces(LARGE))
    bucket.cut, bucket.asked = 3_000_000, []
    assert b"".join(store.chunks(stored.sha256)) == LARGE
    assert [ask for ask in bucket.asked if ask[0] == "GET"][1:] != []


def test_sealing_takes_the_same_requests_whether_or_not_the_bytes_are_there(
    bucket: Bucket, name: str, tmp_path: Path
) -> None:
    """Nothing that a person sees of an upload may tell that another case has the same file."""
    store = store_of(bucket, name, tmp_path)
    counts = []
    for content in (LARGE, LARGE):
        bucket.asked = []
        store.put(pieces(content))
        uploads = [query for method, _, query in bucket.asked if method == "PUT" and "partNumber" in query]
        reads = [ask for ask in bucket.asked if ask[0] == "GET"]
        counts.append((len(uploads), len(reads)))
    assert counts[0] == counts[1] == (2, 1)


def test_what_a_killed_worker_left_behind_is_no_file_and_is_cleaned_up(
    bucket: Bucket, name: str, tmp_path: Path
) -> None:
    killed_half_way(f"""
from ircase.store.s3 import S3Options, S3Store
places = dict(bucket={name!r}, prefix="p", endpoint={bucket.endpoint!r}, path_style=True)
backend = S3Store(S3Options(access_key="a", secret_key="b", **places))
""")
    store = store_of(bucket, name, tmp_path)
    assert bucket.keys(name) == [] and not store.exists("ab" * 32)
    assert bucket.unfinished(name) == 1
    assert store.backend.leftovers(datetime(2010, 1, 1, tzinfo=UTC), remove=True) == 0
    assert store.backend.leftovers(datetime.now(UTC) + SOON, remove=True) == 1
    assert bucket.unfinished(name) == 0


def test_an_object_lock_is_set_kept_and_said(bucket: Bucket, tmp_path: Path) -> None:
    name = f"locked-{uuid.uuid4().hex}"
    bucket.make(name, ObjectLockEnabledForBucket=True)
    store = store_of(bucket, name, tmp_path, lock_mode="GOVERNANCE", lock_days=30)
    stored = store.put([b"kept"])
    until = store.locked_until(stored.sha256)
    assert until is not None and abs(until - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)
    with pytest.raises(StoreLocked, match=f"until {until:%Y-%m-%d}"):
        store.delete(stored.sha256)
    assert store.exists(stored.sha256)


def test_the_same_bytes_later_make_the_lock_longer(bucket: Bucket, tmp_path: Path) -> None:
    name = f"locked-{uuid.uuid4().hex}"
    bucket.make(name, ObjectLockEnabledForBucket=True)
    store_of(bucket, name, tmp_path, lock_mode="GOVERNANCE", lock_days=1).put([b"kept"])
    longer = store_of(bucket, name, tmp_path, lock_mode="GOVERNANCE", lock_days=90)
    stored = longer.put([b"kept"])
    until = longer.locked_until(stored.sha256)
    assert until is not None and until > datetime.now(UTC) + timedelta(days=89)


def test_fewer_days_in_the_settings_shorten_no_lock_and_stop_no_sealing(bucket: Bucket, tmp_path: Path) -> None:
    name = f"locked-{uuid.uuid4().hex}"
    bucket.make(name, ObjectLockEnabledForBucket=True)
    before = store_of(bucket, name, tmp_path, lock_mode="COMPLIANCE", lock_days=90)
    until = before.locked_until(before.put([b"kept"]).sha256)
    bucket.asked = []
    stored = store_of(bucket, name, tmp_path, lock_mode="COMPLIANCE", lock_days=5).put([b"kept"])
    assert before.locked_until(stored.sha256) == until
    assert not [query for method, _, query in bucket.asked if method == "PUT" and "retention" in query]


@pytest.mark.parametrize("content", [b"small", LARGE])
def test_an_answer_that_is_lost_leaves_a_file_that_can_be_read(
    bucket: Bucket, name: str, tmp_path: Path, content: bytes
) -> None:
    """The next try is told that the object is there: it is our own, and so is the key beside it."""
    store = make_store(S3Store(options(bucket, name)), tmp_path, keys=make_key("k1"))
    bucket.lost = lambda e: (
        e["PATH_INFO"].endswith(".enc")
        and (
            e["REQUEST_METHOD"] == "PUT"
            if content == b"small"
            else "uploadId" in e["QUERY_STRING"] and e["REQUEST_METHOD"] == "POST"
        )
    )
    stored = store.put(pieces(content))
    assert bucket.lost is None
    assert b"".join(store.chunks(stored.sha256)) == content
    assert len([key for key in bucket.keys(name) if key.endswith(".key")]) == 1


def test_what_is_deleted_leaves_no_version_behind(bucket: Bucket, tmp_path: Path) -> None:
    name = f"versions-{uuid.uuid4().hex}"
    bucket.make(name)
    bucket.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    store = store_of(bucket, name, tmp_path)
    stored = store.put([b"old and new"])
    bucket.client.put_object(Bucket=name, Key=f"p/{stored.sha256[:2]}/{stored.sha256[2:4]}/{stored.sha256}", Body=b"x")
    store.delete(stored.sha256)
    left = bucket.client.list_object_versions(Bucket=name)
    assert left.get("Versions", []) == [] and left.get("DeleteMarkers", []) == []


def test_a_vendor_without_conditional_writes_is_served_too(bucket: Bucket, name: str, tmp_path: Path) -> None:
    store = store_of(bucket, name, tmp_path, conditional=False, plain_checksums=True, sse="AES256")
    for _ in range(2):
        assert store.put(pieces(LARGE)).sha256 == sha(LARGE)
    assert len(bucket.keys(name)) == 1 and bucket.unfinished(name) == 0
    head = bucket.client.head_object(Bucket=name, Key=bucket.keys(name)[0])
    assert head["ServerSideEncryption"] == "AES256"


def test_two_who_write_the_same_large_file_leave_one(bucket: Bucket, name: str, tmp_path: Path) -> None:
    one, two = store_of(bucket, name, tmp_path), store_of(bucket, name, tmp_path)
    assert one.backend.create(meanwhile(two, LARGE, 100), lambda: sha(LARGE), lambda name: True, len(LARGE)) is False
    assert len(bucket.keys(name)) == 1 and bucket.unfinished(name) == 0
