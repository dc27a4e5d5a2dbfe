"""Downloads by signed links: no credential, listed hosts, whole or not at all."""

import base64
import gzip
import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest

from msapi import errors
from msapi.blobs import BlobStore
from msapi.endpoint import Endpoint
from msapi.transport import CallRecord
from tests.msapi.support import Answer, Request, Server

CONTENT = bytes(range(256)) * 4000
SIGNED = "/store/result?se=2026-02-04T16%3A13%3A50Z&sp=r&sig=TOPSECRET"
BEFORE, AFTER = 1_770_221_600.0, 1_770_221_640.0  # 2026-02-04 16:13:20 and 16:14:00 UTC
DENIED = b"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>%s</Code><Message>sig=TOPSECRET</Message></Error>"


@pytest.fixture
def calls() -> list[CallRecord]:
    return []


@pytest.fixture
def store(endpoint: Endpoint, calls: list[CallRecord]) -> BlobStore:
    return BlobStore(endpoint, sleep=lambda seconds: None, clock=lambda: BEFORE, on_call=calls.append)


def ranged(request: Request, *, cut: int | None = None, etag: str = '"1"') -> Answer:
    """A blob as Azure serves it; each answer is cut after so many bytes."""
    start = int(request.headers.get("Range", "bytes=0-")[6:-1])
    if request.headers.get("If-Match", etag) != etag:
        return Answer(412)
    headers = {"ETag": etag} if etag else {}
    if "Range" not in request.headers:
        return Answer(200, CONTENT, headers, cut=cut)
    span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
    return Answer(206, CONTENT[start:], {**headers, "Content-Range": span}, cut=cut)


def test_a_download(server: Server, store: BlobStore, calls: list[CallRecord]) -> None:
    server.on("GET", "/store", Answer(200, CONTENT))
    sink = io.BytesIO()
    found = store.download(server.url + SIGNED, sink)
    assert sink.getvalue() == CONTENT
    assert (found.bytes, found.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert not found.gzip_applied
    headers = server.seen("/store")[0].headers
    assert "Authorization" not in headers and "Cookie" not in headers
    assert "TOPSECRET" not in repr(calls) and calls[0].received == len(CONTENT)


def test_what_is_packed_comes_as_it_is_stored(server: Server, store: BlobStore) -> None:
    packed = gzip.compress(CONTENT)
    server.on("GET", "/store", Answer(200, packed, {"Content-Encoding": "gzip"}))
    sink = io.BytesIO()
    assert store.download(server.url + SIGNED, sink).gzip_applied
    assert sink.getvalue() == packed


def test_no_credential_from_a_netrc(
    server: Server, store: BlobStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.on("GET", "/store", Answer(200, b"x", {"Set-Cookie": "a=b"}))
    store.download(server.url + SIGNED, io.BytesIO())
    store.download(server.url + SIGNED, io.BytesIO())
    assert all("Authorization" not in item.headers and "Cookie" not in item.headers for item in server.seen("/store"))


def test_a_download_goes_on_where_it_broke_off(server: Server, store: BlobStore) -> None:
    server.on("GET", "/store", lambda request: ranged(request, cut=200_000))
    sink = io.BytesIO()
    found = store.download(server.url + SIGNED, sink)
    assert sink.getvalue() == CONTENT and found.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert len(server.seen("/store")) == 6


def test_halves_of_two_files_are_never_joined(server: Server, store: BlobStore) -> None:
    first = lambda request: ranged(request, cut=1000)  # noqa: E731
    server.on("GET", "/store", first, lambda request: ranged(request, etag='"2"'))
    with pytest.raises(errors.NetworkError, match="cannot go on"):
        store.download(server.url + SIGNED, io.BytesIO())
    server.on("GET", "/store", lambda request: ranged(request, cut=1000, etag=""))
    with pytest.raises(errors.NetworkError, match="broke off"):
        store.download(server.url + SIGNED, io.BytesIO())


def test_a_store_that_starts_over_is_not_appended(server: Server, store: BlobStore) -> None:
    server.on("GET", "/store", Answer(200, CONTENT, {"ETag": '"1"'}, cut=1000), Answer(200, CONTENT, {"ETag": '"1"'}))
    with pytest.raises(errors.NetworkError, match="cannot go on"):
        store.download(server.url + SIGNED, io.BytesIO())


@pytest.mark.parametrize("header", ["Content-MD5", "x-ms-blob-content-md5"])
def test_bytes_that_the_store_does_not_keep_are_damaged(server: Server, store: BlobStore, header: str) -> None:
    kept = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
    server.on("GET", "/store", Answer(200, b"\x01" + CONTENT[1:], {header: kept}))
    assert store.download(server.url + SIGNED, io.BytesIO()).damaged
    server.on("GET", "/store", Answer(200, CONTENT, {header: kept}))
    assert not store.download(server.url + SIGNED, io.BytesIO()).damaged


def test_a_checksum_holds_over_a_download_in_parts(server: Server, store: BlobStore) -> None:
    kept = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()

    def part(request: Request) -> Answer:
        answer = ranged(request, cut=200_000)
        # Of an answer in parts, Content-MD5 is the part's own.
        name = "Content-MD5" if answer.status == 200 else "x-ms-blob-content-md5"
        return replace(answer, headers={**answer.headers, name: kept})

    server.on("GET", "/store", part)
    sink = io.BytesIO()
    assert not store.download(server.url + SIGNED, sink).damaged
    assert sink.getvalue() == CONTENT


@pytest.mark.parametrize("nonsense", ["", "x", "AAAA", "ä" * 24])
def test_a_checksum_that_is_none_is_passed_over(server: Server, store: BlobStore, nonsense: str) -> None:
    server.on("GET", "/store", Answer(200, CONTENT, {"Content-MD5": nonsense}))
    assert not store.download(server.url + SIGNED, io.BytesIO()).damaged


def test_no_progress_ends_the_attempts(server: Server, store: BlobStore) -> None:
    server.on("GET", "/store", Answer(drop=True))
    with pytest.raises(errors.NetworkError):
        store.download(server.url + SIGNED, io.BytesIO())
    assert len(server.seen("/store")) == 3


@pytest.mark.parametrize(
    ("code", "moment", "kind"),
    [
        (b"AuthenticationFailed", BEFORE, errors.LinkExpired),
        (b"Other", AFTER, errors.LinkExpired),
        (b"Other", BEFORE, errors.Forbidden),
    ],
)
def test_a_403_is_an_expired_link_or_not(
    server: Server, endpoint: Endpoint, code: bytes, moment: float, kind: type[errors.ApiError]
) -> None:
    server.on("GET", "/store", Answer(403, DENIED % code))
    with pytest.raises(kind) as caught:
        BlobStore(endpoint, clock=lambda: moment).download(server.url + SIGNED, io.BytesIO())
    assert "TOPSECRET" not in repr(caught.value.__dict__)
    assert len(server.seen("/store")) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(404, errors.NotFound), (302, errors.BadReply), (503, errors.Unavailable)]
)
def test_other_answers(server: Server, store: BlobStore, status: int, kind: type[errors.ApiError]) -> None:
    server.on("GET", "/store", Answer(status, b"", {"Location": f"{server.url}/evil"}))
    with pytest.raises(kind):
        store.download(server.url + SIGNED, io.BytesIO())
    assert server.seen("/evil") == []


def test_the_cap(server: Server, store: BlobStore) -> None:
    server.on("GET", "/store", Answer(200, CONTENT))
    assert store.download(server.url + SIGNED, io.BytesIO(), cap=len(CONTENT)).bytes == len(CONTENT)
    with pytest.raises(errors.ResultTooLarge):
        store.download(server.url + SIGNED, io.BytesIO(), cap=len(CONTENT) - 1)


@pytest.mark.parametrize(
    "link", ["https://evil.example/x?sig=TOPSECRET", "file:///etc/passwd", "", "https://[x", "http://evil.example"]
)
def test_other_hosts_are_refused_before_anything_is_sent(server: Server, store: BlobStore, link: str) -> None:
    with pytest.raises(errors.InvalidParameter) as caught:
        store.download(link, io.BytesIO())
    assert "TOPSECRET" not in str(caught.value) and server.requests == []


def test_a_full_disk_is_no_network_error(server: Server, store: BlobStore) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    server.on("GET", "/store", Answer(200, CONTENT))
    with pytest.raises(OSError, match="No space") as caught:
        store.download(server.url + SIGNED, Full())
    assert not isinstance(caught.value, errors.ApiError)


def test_a_deadline(server: Server, endpoint: Endpoint) -> None:
    hurried = replace(endpoint, limits=replace(endpoint.limits, download_deadline=-1))
    server.on("GET", "/store", Answer(200, CONTENT))
    with pytest.raises(errors.BadReply, match="too long"):
        BlobStore(hurried).download(server.url + SIGNED, io.BytesIO())
