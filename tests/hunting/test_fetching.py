"""Fetching from outside: only https, only public addresses, the one that was looked at; bytes, time and hops capped."""

import socket
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from unittest import mock

import pytest

from hunting.fetching import FetchError, Rules, fetched, problem_of, shown
from ircase import outgoing
from ircase.outgoing import is_public
from tests.msapi.support import Answer, Server, make_authority

RULES = Rules(frozenset({"localhost"}), 10_000, loopback=True)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def bytes_of(address: str, rules: Rules = RULES, **more: object) -> bytes:
    with fetched(address, rules, **more) as chunks:  # type: ignore[arg-type]
        return b"".join(chunks)


def to(*addresses: str) -> outgoing.Resolve:
    return lambda host, port: list(addresses)


# --- addresses


@pytest.mark.parametrize(
    "address",
    [
        "http://feeds.example.com/a", "ftp://feeds.example.com/a", "file:///etc/passwd", "https://", "https://a:b@c.example/",
        "https://feeds.example.com/a b", "https://feeds.example.com/a\r\nHost: x", "https://feeds.example.com:99999/",
        "https://feeds.example.com/#x", "https://[::1", "/etc/passwd", "", "https://feeds.example.com/" + "a" * 2000,
    ],
)  # fmt: skip
def test_other_addresses_are_no_feeds(address: str) -> None:
    assert problem_of(address)


def test_plain_http_is_for_tests_on_this_machine_alone() -> None:
    assert problem_of("http://localhost:1/a") and not problem_of("http://localhost:1/a", loopback=True)
    assert problem_of("http://feeds.example.com/a", loopback=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::", "::7f00:1",
        "2001:db8::1", "fec0::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_what_follows_a_question_mark_is_not_shown() -> None:
    assert shown("https://a.example/x?sig=secret") == "https://a.example/x?…"


# --- where the connection goes


@pytest.mark.parametrize("private", ["127.0.0.1", "169.254.169.254", "10.0.0.5", "::1", "::ffff:192.168.0.1"])
def test_a_host_on_a_private_address_is_never_asked(private: str) -> None:
    rules = Rules(frozenset(), 1000)
    with (
        mock.patch("socket.create_connection", side_effect=AssertionError("it connected")),
        pytest.raises(FetchError, match="not on the public internet"),
    ):
        bytes_of("https://feeds.example.com/a", rules, resolve=to("93.184.216.34", private))


def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    """A name that means a public address first, and this machine a moment later, is connected to as it was first."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    asked: list[tuple[str, int]] = []

    def connect(target: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(target)
        raise OSError("nobody there")

    def resolve(host: str, port: int) -> Sequence[str]:
        return next(answers)

    with mock.patch("socket.create_connection", connect), pytest.raises(FetchError, match="connection failed"):
        bytes_of("https://feeds.example.com/a", Rules(frozenset(), 1000), resolve=resolve)
    assert asked == [("93.184.216.34", 443)]


def test_loopback_in_tests_does_not_open_private_networks() -> None:
    with pytest.raises(FetchError, match="not on the public internet"):
        bytes_of("http://localhost/a", resolve=to("10.0.0.1"))


def test_a_host_that_does_not_exist() -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror("no such host")

    with pytest.raises(FetchError, match=r"nowhere\.example was not found"):
        bytes_of("https://nowhere.example/a", resolve=resolve)


# --- what comes back


def test_a_file_is_fetched_with_its_query(server: Server) -> None:
    server.on("GET", "/list", Answer(200, b"a,b\n", {"Content-Type": "text/csv"}))
    assert bytes_of(f"{server.url}/list.csv?key=1") == b"a,b\n"
    (asked,) = server.requests
    assert asked.query == {"key": ["1"]}
    assert asked.headers["Host"].startswith("localhost:")
    assert "Authorization" not in asked.headers and "Cookie" not in asked.headers


def test_over_tls_the_certificate_must_be_the_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    context, authority = make_authority()
    server = Server(context)
    server.on("GET", "/", Answer(200, b"safe"))
    try:
        with pytest.raises(FetchError, match="certificate is not trusted"):
            bytes_of(f"{server.url}/a")
        bundle = tmp_path / "ca.pem"  # type: ignore[operator]
        bundle.write_text(authority)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        assert bytes_of(f"{server.url}/a") == b"safe"
        other = f"{server.url}/a".replace("localhost", "feeds.example.com")
        with pytest.raises(FetchError, match="certificate is not trusted"):
            bytes_of(other, resolve=to("127.0.0.1"))
    finally:
        server.close()


def test_redirects_lead_to_allowed_hosts_only(server: Server) -> None:
    server.on("GET", "/end", Answer(200, b"end"))
    server.on("GET", "/here", Answer(302, b"", {"Location": "/end"}))
    assert bytes_of(f"{server.url}/here") == b"end"
    for target in (
        "http://127.0.0.1/x",
        "http://169.254.169.254/latest/",
        "file:///etc/passwd",
        "https://other.example/",
    ):
        server.on("GET", "/out", Answer(302, b"", {"Location": target}))
        with pytest.raises(FetchError, match="sent on"):
            bytes_of(f"{server.url}/out")


def test_a_redirect_to_an_allowed_host_that_means_this_machine_is_refused(server: Server) -> None:
    server.on("GET", "/", Answer(302, b"", {"Location": "https://inside.example/"}))
    rules = Rules(frozenset({"inside.example"}), 1000, loopback=True)

    def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"] if host == "localhost" else ["10.0.0.1"]

    with pytest.raises(FetchError, match=r"inside\.example is not on the public internet"):
        bytes_of(f"{server.url}/", rules, resolve=resolve)


def test_redirects_without_end(server: Server) -> None:
    server.on("GET", "/", Answer(301, b"", {"Location": "/again"}))
    with pytest.raises(FetchError, match="more than 5 times"):
        bytes_of(f"{server.url}/")
    assert len(server.requests) == 6


@pytest.mark.parametrize("chunked", [True, False])
def test_a_file_that_is_too_large(server: Server, chunked: bool) -> None:
    server.on("GET", "/", Answer(200, b"x" * 20_000, chunked=chunked))
    with pytest.raises(FetchError, match="10,000"):
        bytes_of(f"{server.url}/")


def test_a_file_that_ends_early(server: Server) -> None:
    server.on("GET", "/", Answer(200, b"x" * 9_000, cut=3000))
    with pytest.raises(FetchError, match="ended before|connection failed"):
        bytes_of(f"{server.url}/")


@pytest.mark.parametrize("status", [204, 401, 404, 500])
def test_another_answer_is_no_file(server: Server, status: int) -> None:
    server.on("GET", "/", Answer(status, b"secret"))
    with pytest.raises(FetchError, match=str(status)) as caught:
        bytes_of(f"{server.url}/?sig=s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_host_that_drips_is_given_up(head: bytes) -> None:
    """A byte now and then is no silence; the whole fetch has an end all the same."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        peer, _ = listener.accept()
        with peer:
            try:
                peer.sendall(head)
                while not over.wait(0.02):
                    peer.sendall(b"x")
            except OSError:
                return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    rules = Rules(frozenset(), 10_000, seconds=0.4, loopback=True)
    try:
        with pytest.raises(FetchError, match=r"longer than 0\.4 seconds"):
            bytes_of(f"http://localhost:{listener.getsockname()[1]}/", rules, resolve=to("127.0.0.1"))
    finally:
        over.set()
        listener.close()
        thread.join(5)
