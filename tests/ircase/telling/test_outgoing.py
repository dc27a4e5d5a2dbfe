"""The guard of everything that leaves: what a POST reaches, and what it never does."""

import socket
import threading
from collections.abc import Sequence
from unittest import mock

import pytest

from ircase import outgoing
from ircase.outgoing import NotReached, Rules, post
from tests.msapi.support import Answer, Server

HOUSE = Rules(frozenset({"localhost", "in.example"}))


def to(*addresses: str) -> outgoing.Resolve:
    def resolve(host: str, port: int) -> Sequence[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "https://user:x@example.com/", "ftp://x", "https://[", "nothing", "", "https://a b/",
     "https://x.example/\r\nHost: y", "https://x.example/#y", "http://in.example/", "https://x.example/" + "a" * 2000],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(NotReached):
        post(url, b"{}", HOUSE, to("93.184.216.34"))


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1"])
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with mock.patch("socket.create_connection") as connect, pytest.raises(NotReached, match="not on the public"):
        post("https://out.example/", b"{}", Rules(), to("93.184.216.34", address))
    connect.assert_not_called()


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "0.0.0.0"])
def test_not_even_a_named_host_is_a_clouds_keeper_of_keys(address: str) -> None:
    with mock.patch("socket.create_connection") as connect, pytest.raises(NotReached):
        post("https://in.example/", b"{}", HOUSE, to(address))
    connect.assert_not_called()


def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    found = mock.Mock(side_effect=[["93.184.216.34"], ["127.0.0.1"]])
    with mock.patch("socket.create_connection", side_effect=OSError) as connect, pytest.raises(NotReached):
        post("https://out.example:8443/", b"{}", Rules(), found)
    assert (found.call_count, connect.call_args.args[0]) == (1, ("93.184.216.34", 8443))


def test_a_named_host_of_the_house_gets_the_body_and_the_headers() -> None:
    server = Server()
    try:
        server.on("POST", "/x", Answer(202))
        rules = Rules(HOUSE.hosts, headers={"X-Mine": "1"})
        assert post(f"{server.url}/x?key=1", b'{"a": 1}', rules) == 202
        (request,) = server.requests
        assert (request.body, request.headers["X-Mine"], request.query) == (b'{"a": 1}', "1", {"key": ["1"]})
        with pytest.raises(NotReached, match="status 404"):
            post(f"{server.url}/other", b"{}", HOUSE)
    finally:
        server.close()


def test_an_answer_that_drips_is_ended_by_the_clock() -> None:
    door = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        peer, _ = door.accept()
        with peer:
            while not over.wait(0.05):
                try:
                    peer.sendall(b"H")
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        with pytest.raises(NotReached):
            post(f"http://localhost:{door.getsockname()[1]}/", b"{}", Rules(HOUSE.hosts, seconds=0.3))
    finally:
        over.set()
        thread.join(5)
        door.close()


@pytest.mark.parametrize(("text", "seconds"), [("120", 120), ("9999999", 86_400), ("-1", 0), ("1e9", 0), ("soon", 0),
                                               ("²", 0), ("99999999999", 0)])  # fmt: skip
def test_how_long_it_wants_to_be_left_alone(text: str, seconds: float) -> None:
    server = Server()
    try:
        server.on("POST", "/", Answer(429, headers={"Retry-After": text.encode("latin-1", "ignore").decode("latin-1")}))
        with pytest.raises(NotReached) as caught:
            post(f"{server.url}/", b"{}", HOUSE)
        assert caught.value.wait == seconds
    finally:
        server.close()
