"""What only an Azure container does: 503s, broken lines, immutability, soft delete, a worker killed in the middle.

Azurite has neither immutability nor versions nor soft delete: there its door answers as Azure's documents say."""

import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from ircase.store import NotStored, StoreError, StoreFull, StoreLingers, StoreLocked
from ircase.store.azure import AzureOptions, AzureStore
from ircase.store.whole import Store
from tests.ircase.storage.conftest import azure_options, killed_half_way, make_key, make_store, meanwhile
from tests.ircase.storage.container import ACCOUNT, Answer, Containers, busy, refusal, refusing
from tests.ircase.storage.test_stores import LARGE, pieces, sha

SOON = timedelta(days=1)
Environ = dict[str, Any]


@pytest.fixture
def name(containers: Containers) -> str:
    made = f"c-{uuid.uuid4().hex}"
    containers.make(made)
    return made


def store_of(containers: Containers, name: str, tmp_path: Path, *, keys: str = "", **more: Any) -> Store:
    return make_store(AzureStore(azure_options(containers, name, **more)), tmp_path, keys=keys)


def is_commit(environ: Environ) -> bool:
    return environ["REQUEST_METHOD"] == "PUT" and "comp=blocklist" in environ.get("QUERY_STRING", "")


def is_put(environ: Environ) -> bool:
    return environ["REQUEST_METHOD"] == "PUT" and "comp=" not in environ.get("QUERY_STRING", "")


# --- away


def test_a_503_is_tried_again_and_nobody_notices(containers: Containers, name: str, tmp_path: Path) -> None:
    store = store_of(containers, name, tmp_path)
    with containers.gated(busy(2, lambda environ: environ["REQUEST_METHOD"] == "PUT")):
        stored = store.put(pieces(LARGE))
    assert b"".join(store.chunks(stored.sha256)) == LARGE


@pytest.mark.parametrize("when", ["block", "commit"])
def test_a_store_that_stays_away_seals_nothing_and_says_so(
    containers: Containers, name: str, tmp_path: Path, when: str
) -> None:
    store = store_of(containers, name, tmp_path, tries=2)
    with containers.gated(busy(10**6, lambda environ: f"comp={when}" in environ["QUERY_STRING"].replace("list", ""))):
        if when == "commit":
            containers.gate = busy(10**6, is_commit)
        with pytest.raises(StoreError, match=r"busy or down \(503.*Nothing was sealed") as told:
            store.put(pieces(LARGE))
        assert not isinstance(told.value, NotStored)
    assert containers.names(name) == []
    assert store.put(pieces(LARGE)).sha256 == sha(LARGE)


def test_tries_have_a_bound(containers: Containers, name: str, tmp_path: Path) -> None:
    store = store_of(containers, name, tmp_path, tries=3)
    containers.asked = []
    with containers.gated(busy(10**6)), pytest.raises(StoreError):
        store.exists("ab" * 32)
    assert len(containers.asked) == 3


def test_a_store_that_is_away_is_not_a_missing_file(containers: Containers, name: str, tmp_path: Path) -> None:
    store = store_of(containers, name, tmp_path, tries=1)
    stored = store.put([b"there"])
    with containers.gated(busy(10**6)), pytest.raises(StoreError) as told:
        store.exists(stored.sha256)
    assert not isinstance(told.value, NotStored)


def test_a_404_of_somebody_else_is_not_a_missing_file(containers: Containers, name: str, tmp_path: Path) -> None:
    store = store_of(containers, name, tmp_path, tries=1)
    page = ("404 Not Found", [("Content-Type", "text/html"), ("Content-Length", "2")], b"no")
    with containers.gated(lambda environ: page), pytest.raises(StoreError, match="is no Azure Storage") as told:
        store.exists("ab" * 32)
    assert not isinstance(told.value, NotStored)


def test_nobody_answers_at_all(tmp_path: Path) -> None:
    dead = AzureStore(AzureOptions("x", account="a", endpoint="http://127.0.0.1:9/a", key="YQ==", tries=1, timeout=1.0))
    with pytest.raises(StoreError, match="does not answer"):
        make_store(dead, tmp_path).put([b"x"])


# --- refused


def test_a_container_that_is_not_there_is_named(containers: Containers, tmp_path: Path) -> None:
    store = store_of(containers, "nowhere", tmp_path, tries=1)
    for act in (lambda: store.put([b"x"]), lambda: store.exists("ab" * 32), store.backend.check):
        with pytest.raises(StoreError, match=r"container nowhere does not exist.*IRCASE_AZURE_CONTAINER") as told:
            act()
        assert not isinstance(told.value, NotStored)


def test_a_wrong_key_is_told_with_what_to_do(containers: Containers, name: str, tmp_path: Path) -> None:
    store = store_of(containers, name, tmp_path, key=make_key("x").partition(":")[2])
    with pytest.raises(StoreError, match=r"refuses to write \(403 \w+\).*Nothing was sealed.*The "):
        store.put([b"x"])
    with pytest.raises(StoreError, match="refuses to read"):
        store.backend.check()


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        ("403 Forbidden", "AuthorizationPermissionMismatch", StoreError, "Storage Blob Data Owner"),
        ("403 Forbidden", "AuthorizationFailure", StoreError, "firewall"),
        ("403 Forbidden", "KeyBasedAuthenticationNotPermitted", StoreError, "managed identity"),
        ("401 Unauthorized", "InvalidAuthenticationInfo", StoreError, "over"),
        ("409 Conflict", "AccountQuotaExceeded", StoreFull, "free space"),
        ("507 Insufficient Storage", "", StoreFull, "free space"),
        ("500 Internal Server Error", "InternalError", StoreError, "busy or down"),
        ("409 Conflict", "BlobArchived", StoreError, "BlobArchived"),
    ],
)
def test_refusals_say_what_to_do(
    containers: Containers, name: str, tmp_path: Path, status: str, code: str, kind: type[StoreError], says: str
) -> None:
    store = store_of(containers, name, tmp_path, tries=1)
    with containers.gated(refusing(status, code)), pytest.raises(kind, match=says):
        store.put([b"x"])
    assert containers.names(name) == []


def test_a_shared_access_signature_is_enough(containers: Containers, name: str, tmp_path: Path) -> None:
    allowed = ContainerSasPermissions(read=True, write=True, create=True, delete=True, list=True)
    sas = generate_container_sas(ACCOUNT, name, containers.key, permission=allowed, expiry=datetime.now(UTC) + SOON)
    store = store_of(containers, name, tmp_path, key="", sas=f"?{sas}")
    stored = store.put(pieces(LARGE))
    assert b"".join(store.chunks(stored.sha256)) == LARGE
    store.backend.check()
    store.delete(stored.sha256)
    over = generate_container_sas(ACCOUNT, name, containers.key, permission=allowed, expiry=datetime.now(UTC) - SOON)
    with pytest.raises(StoreError, match="signature is wrong or over|signature or role") as told:
        store_of(containers, name, tmp_path, key="", sas=over, tries=1).put([b"x"])
    assert over not in str(told.value)


# --- lines


def test_a_line_that_breaks_is_taken_up_where_it_broke(containers: Containers, name: str, tmp_path: Path) -> None:
    store = store_of(containers, name, tmp_path)
    stored = store.put(pieces(LARGE))
    containers.cut, containers.asked = 3_000_000, []
    assert b"".join(store.chunks(stored.sha256)) == LARGE
    assert len([ask for ask in containers.asked if ask[0] == "GET"]) == 4  # three pieces, one of them twice


@pytest.mark.parametrize("content", [b"small", LARGE])
def test_an_answer_that_is_lost_leaves_a_file_that_can_be_read(
    containers: Containers, name: str, tmp_path: Path, content: bytes
) -> None:
    """The next try is told that the blob is there: it is our own, and so is the key beside it."""
    store = store_of(containers, name, tmp_path, keys=make_key("k1"))
    when = is_put if content == b"small" else is_commit
    with containers.losing(lambda environ: when(environ) and environ["PATH_INFO"].endswith(".enc")):
        stored = store.put(pieces(content))
        assert containers.lost is None
    assert b"".join(store.chunks(stored.sha256)) == content
    assert len([key for key in containers.names(name) if key.endswith(".key")]) == 1


def test_sealing_takes_the_same_requests_whether_or_not_the_bytes_are_there(
    containers: Containers, name: str, tmp_path: Path
) -> None:
    """Nothing that a person sees of an upload may tell that another case has the same file."""
    store = store_of(containers, name, tmp_path)
    counts = []
    for content in (LARGE, LARGE):
        containers.asked = []
        store.put(pieces(content))
        uploads = [query for method, _, query in containers.asked if method == "PUT"]
        reads = [ask for ask in containers.asked if ask[0] == "GET"]
        counts.append((len(uploads), len(reads)))
    assert counts[0] == counts[1] == (3, 3)


# --- whole or not at all


def test_what_a_killed_worker_left_behind_is_no_file_and_is_counted(
    containers: Containers, name: str, tmp_path: Path
) -> None:
    killed_half_way(f"""
from ircase.store.azure import AzureOptions, AzureStore
backend = AzureStore(AzureOptions({name!r}, account={ACCOUNT!r}, endpoint={containers.endpoint!r}, prefix="p",
                                  key={containers.key!r}))
""")
    store = store_of(containers, name, tmp_path)
    assert containers.names(name) == [] and not store.exists("ab" * 32)
    assert containers.unfinished(name) == 1
    assert store.backend.leftovers(datetime(2010, 1, 1, tzinfo=UTC), remove=True) == 0
    # Azure drops them by itself; to remove them would mean to make a blob of them.
    assert store.backend.leftovers(datetime.now(UTC) + SOON, remove=True) == 1
    assert store.backend.drops_drafts and containers.names(name) == []


def test_two_who_write_the_same_large_file_leave_one(containers: Containers, name: str, tmp_path: Path) -> None:
    one, two = store_of(containers, name, tmp_path), store_of(containers, name, tmp_path)
    assert one.backend.create(meanwhile(two, LARGE, 200), lambda: sha(LARGE), lambda name: True, len(LARGE)) is False
    assert len(containers.names(name)) == 1
    assert one.digest(sha(LARGE))[0] == sha(LARGE)


def test_large_bytes_that_were_altered_are_set_aside_and_replaced(
    containers: Containers, name: str, tmp_path: Path
) -> None:
    store = store_of(containers, name, tmp_path)
    stored = store.put(pieces(LARGE))
    containers.write(name, stored.sha256, b"a lie" * 5_000_000)
    assert store.put(pieces(LARGE)).sha256 == stored.sha256
    assert store.digest(stored.sha256)[0] == stored.sha256
    (aside,) = [entry for entry in store.backend.entries() if ".altered-" in entry.name]
    assert aside.size == 25_000_000


# --- kept by the store


def locked(until: datetime, *, mode: str = "Locked", hold: str = "false") -> Answer:
    headers = [
        ("Content-Length", "4"),
        ("ETag", '"0x1"'),
        ("Last-Modified", format_datetime(datetime.now(UTC), usegmt=True)),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-immutability-policy-until-date", format_datetime(until, usegmt=True)),
        ("x-ms-immutability-policy-mode", mode),
        ("x-ms-legal-hold", hold),
    ]
    return "200 OK", headers, b""


CREATED: Answer = (
    "201 Created",
    [("Content-Length", "0"), ("ETag", '"0x1"'), ("Last-Modified", format_datetime(datetime.now(UTC), usegmt=True))],
    b"",
)


@pytest.mark.parametrize("content", [b"kept", LARGE])
def test_an_immutability_policy_is_asked_for_with_the_blob_itself(
    containers: Containers, name: str, tmp_path: Path, content: bytes
) -> None:
    store = store_of(containers, name, tmp_path, lock_mode="Locked", lock_days=30)
    asked: list[Environ] = []

    def gate(environ: Environ) -> Answer | None:
        if is_put(environ) or is_commit(environ):
            asked.append(environ)
            return CREATED
        return None

    with containers.gated(gate):
        assert store.backend.create(pieces(content), lambda: sha(content), lambda name: True, len(content))
    (environ,) = asked
    until = environ["HTTP_X_MS_IMMUTABILITY_POLICY_UNTIL_DATE"]
    assert environ["HTTP_X_MS_IMMUTABILITY_POLICY_MODE"] == "Locked" and environ["HTTP_IF_NONE_MATCH"] == "*"
    assert f"{datetime.now(UTC) + timedelta(days=30):%d %b %Y}" in until


def test_a_lock_is_kept_and_said(containers: Containers, name: str, tmp_path: Path) -> None:
    plain = store_of(containers, name, tmp_path)
    stored = plain.put([b"kept"])
    store = store_of(containers, name, tmp_path, lock_mode="Locked", lock_days=30)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    gate = lambda environ: locked(until) if environ["REQUEST_METHOD"] == "HEAD" else None  # noqa: E731
    with containers.gated(gate):
        assert store.locked_until(stored.sha256) == until
        for one in (store, plain):
            with pytest.raises(StoreLocked, match=f"until {until:%Y-%m-%d}") as told:
                one.delete(stored.sha256)
            assert told.value.until == until
    over = datetime.now(UTC) - SOON
    gate = lambda environ: locked(over, hold="true") if environ["REQUEST_METHOD"] == "HEAD" else None  # noqa: E731
    with containers.gated(gate), pytest.raises(StoreLocked, match="legal hold"):
        store.delete(stored.sha256)
    refused = refusing("409 Conflict", "BlobImmutableDueToPolicy", when=lambda e: e["REQUEST_METHOD"] == "DELETE")
    with containers.gated(refused), pytest.raises(StoreLocked, match="immutability policy"):
        store.delete(stored.sha256)
    assert plain.exists(stored.sha256)


@pytest.mark.parametrize(("days", "longer"), [(5, True), (90, False)])
def test_the_same_bytes_later_make_the_lock_longer_and_never_shorter(
    containers: Containers, name: str, tmp_path: Path, days: int, longer: bool
) -> None:
    store = store_of(containers, name, tmp_path, lock_mode="Unlocked", lock_days=30)
    containers.write(name, sha(b"kept"), b"kept")
    asked: list[Environ] = []

    def gate(environ: Environ) -> Answer | None:
        if is_put(environ):
            return refusal("409 Conflict", "BlobAlreadyExists")
        if "comp=immutabilityPolicies" in environ["QUERY_STRING"]:
            asked.append(environ)
            return "200 OK", [("Content-Length", "0")], b""
        return locked(datetime.now(UTC) + timedelta(days=days)) if environ["REQUEST_METHOD"] == "HEAD" else None

    with containers.gated(gate):
        assert store.backend.create([b"kept"], lambda: sha(b"kept"), lambda name: True, 4) is False
    # What is locked stays locked, whatever the settings say now.
    assert [one["HTTP_X_MS_IMMUTABILITY_POLICY_MODE"] for one in asked] == ["Locked"] * longer


def test_what_soft_delete_keeps_is_not_called_gone(containers: Containers, name: str, tmp_path: Path) -> None:
    store = store_of(containers, name, tmp_path, keys=make_key("k1"))
    stored = store.put([b"to be destroyed"])

    def gate(environ: Environ) -> Answer | None:
        if "deleted" not in environ["QUERY_STRING"]:
            return None
        key = f"p/{stored.sha256[:2]}/{stored.sha256[2:4]}/{stored.sha256}.enc"
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="{name}"><Blobs><Blob>'
            f"<Name>{key}</Name><Deleted>true</Deleted><Properties><Content-Length>9</Content-Length><BlobType>BlockBlob</BlobType>"
            "<RemainingRetentionDays>6</RemainingRetentionDays></Properties></Blob></Blobs><NextMarker/>"
            "</EnumerationResults>"
        ).encode()
        return "200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body

    with containers.gated(gate), pytest.raises(StoreLingers, match="soft delete") as told:
        store.delete(stored.sha256)
    assert told.value.until is not None and told.value.until > datetime.now(UTC) + timedelta(days=6)
    assert containers.names(name) == []
    store.delete(stored.sha256)


def test_versions_go_one_by_one(containers: Containers, name: str, tmp_path: Path) -> None:
    store = store_of(containers, name, tmp_path)
    stored = store.put([b"old and new"])
    key = f"p/{stored.sha256[:2]}/{stored.sha256[2:4]}/{stored.sha256}"
    gone: list[str] = []

    def gate(environ: Environ) -> Answer | None:
        if environ["REQUEST_METHOD"] == "DELETE" and "versionid=" in environ["QUERY_STRING"]:
            gone.append(environ["QUERY_STRING"])
            return "202 Accepted", [("Content-Length", "0")], b""
        if "versions" not in environ["QUERY_STRING"]:
            return None
        rows = "".join(
            f"<Blob><Name>{called}</Name><VersionId>2026-11-2{number}T10:00:00.0000000Z</VersionId><Properties>"
            "<Content-Length>9</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
            for number, called in enumerate((key, key, f"{key}.key"))
        )
        body = (
            f'<?xml version="1.0"?><EnumerationResults><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>'.encode()
        )
        return "200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body

    with containers.gated(gate):
        store.delete(stored.sha256)
    assert len(gone) == 2 and not store.exists(stored.sha256)


def test_an_account_without_versions_is_asked_more_simply(containers: Containers, name: str, tmp_path: Path) -> None:
    store = store_of(containers, name, tmp_path)
    stored = store.put([b"flat"])
    unknown = refusing("400 Bad Request", "InvalidQueryParameterValue", when=lambda e: "versions" in e["QUERY_STRING"])
    with containers.gated(unknown):
        store.delete(stored.sha256)
    assert containers.names(name) == []


def properties(environ: Environ, offered: str) -> Answer | None:
    if "restype=container" not in environ["QUERY_STRING"] or "comp=" in environ["QUERY_STRING"]:
        return None
    headers = [
        ("Content-Length", "0"),
        ("ETag", '"0x1"'),
        ("Last-Modified", format_datetime(datetime.now(UTC), usegmt=True)),
        ("x-ms-immutable-storage-with-versioning-enabled", offered),
        ("x-ms-has-immutability-policy", "false"),
        ("x-ms-has-legal-hold", "true"),
    ]
    return "200 OK", headers, b""


def test_what_the_container_offers_is_shown_and_a_lock_it_cannot_hold_is_refused(
    containers: Containers, name: str, tmp_path: Path
) -> None:
    backend = AzureStore(azure_options(containers, name, lock_mode="Locked", lock_days=30))
    with containers.gated(lambda environ: properties(environ, "true")):
        said = dict(backend.says())
        assert said["Version-level immutability"] == "Offered" and said["Legal hold of the container"] == "Yes"
        assert said["Immutability policy of the container"] == "No"
        backend.check()
    with containers.gated(lambda environ: properties(environ, "false")):
        assert dict(backend.says())["Version-level immutability"] == "No"
        with pytest.raises(StoreError, match="offers no version-level immutability"):
            backend.check()
    with containers.gated(busy(10**6)):
        assert backend.says() == [("Immutability", "The store does not tell us")]
