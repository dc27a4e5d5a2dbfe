"""What a connection is, what it allows, and that its secret stays one."""

import copy
import json
import pickle
from dataclasses import asdict, replace

import pytest

from msapi.endpoint import Audience, Endpoint, Secret
from msapi.errors import InvalidParameter
from tests.msapi.support import CLIENT, SECRET, TENANT


def make(**changes: object) -> Endpoint:
    return replace(Endpoint(TENANT, CLIENT, Secret(SECRET)), **changes)


def test_secret_never_shows_itself() -> None:
    endpoint = make()
    shown = [
        repr(endpoint),
        str(endpoint.secret),
        f"{endpoint.secret}",
        repr(asdict(endpoint)),
        repr([endpoint.secret]),
    ]
    assert not any(SECRET in text for text in shown)
    assert endpoint.secret.reveal() == SECRET
    assert copy.deepcopy(endpoint).secret == endpoint.secret
    with pytest.raises(TypeError):
        pickle.dumps(endpoint)
    with pytest.raises(TypeError):
        json.dumps(endpoint.secret)


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a") and Secret("a") != Secret("b") and Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


def test_scope_is_microsofts_whatever_the_url() -> None:
    endpoint = make(defender_url="https://localhost:9/mde/")
    assert Audience.DEFENDER.scope == "https://api.securitycenter.microsoft.com/.default"
    assert endpoint.url(Audience.DEFENDER) == "https://localhost:9/mde"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.security.microsoft.com/api/machines?$skip=1", True),
        ("https://api.securitycenter.microsoft.com/api/machines", True),
        ("https://eu.api.security.microsoft.com/api/machines", True),
        ("http://api.security.microsoft.com/api/machines", False),
        ("https://api.security.microsoft.com.evil.example/api", False),
        ("https://api.security.microsoft.com@evil.example/api", False),
        ("https://x@api.security.microsoft.com/api", False),
        ("https://api.security.microsoft.com:444/api", False),
        ("https://evil.example/api/machines", False),
    ],
)
def test_defender_tokens_go_to_defender_only(url: str, allowed: bool) -> None:
    assert make().allows(Audience.DEFENDER, url) is allowed


def test_a_link_of_microsoft_is_no_link_of_a_local_tenant() -> None:
    local = make(defender_url="https://localhost:9/mde")
    assert not local.allows(Audience.DEFENDER, "https://api.security.microsoft.com/api/machines")


@pytest.mark.parametrize(
    ("link", "allowed"),
    [
        ("https://store1.blob.core.windows.net/c/b?sig=x", True),
        ("https://STORE1.blob.core.windows.net/c/b", True),
        ("http://store1.blob.core.windows.net/c/b", False),
        ("https://blob.core.windows.net.evil.example/b", False),
        ("https://evil.example/x.blob.core.windows.net", False),
        ("https://u:p@store1.blob.core.windows.net/b", False),
        ("http://localhost/b", False),
        ("https://[bad/b", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_blob_hosts(link: str, allowed: bool) -> None:
    assert make().allows_blob(link) is allowed


def test_blob_on_this_machine_may_be_plain_where_listed() -> None:
    assert make(blob_hosts=("localhost",)).allows_blob("http://localhost:81/b")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"tenant_id": "not a tenant"}, "The tenant must be"),
        ({"tenant_id": "a/../b"}, "The tenant must be"),
        ({"client_id": "x"}, "client id"),
        ({"secret": Secret("")}, "secret is empty"),
        ({"login_url": "http://localhost:1"}, "sign-in URL must begin with https"),
        ({"graph_url": "http://graph.microsoft.com"}, "Graph URL must begin with https"),
        ({"graph_url": "https://u:p@graph.microsoft.com"}, "Graph URL must be a scheme"),
        ({"defender_url": "https://[x"}, "Defender URL is not a URL"),
        ({"ca_pem": "nonsense"}, "not PEM"),
        ({"blob_hosts": ("*",)}, "download host"),
    ],
)
def test_verify_names_what_is_wrong(changes: dict[str, object], part: str) -> None:
    with pytest.raises(InvalidParameter, match=part):
        make(**changes).verify()


def test_verify_passes_good_settings(ca_pem: str) -> None:
    make(ca_pem=ca_pem, loganalytics_url="http://127.0.0.1:8080", tenant_id="contoso.onmicrosoft.com").verify()
