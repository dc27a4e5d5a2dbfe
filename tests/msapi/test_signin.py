"""People's sign-in: the flow against the simulated tenant, and every token that must not open the door."""

from collections.abc import Iterator

import pytest

from msapi.endpoint import Secret
from msapi.errors import SignInFailed
from msapi.signin import EntraPerson, PeopleSignIn, Refused
from tests.entra import Entra

BACK = "http://localhost:8000/sign-in/entra/back/"
GRACE = "grace@northwind.example"


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entra]:
    entra = Entra(tmp_path_factory.mktemp("entra"))
    yield entra
    entra.simulator.state.close()


@pytest.fixture
def entra(tenant: Entra) -> Iterator[Entra]:
    yield tenant
    tenant.simulator.faults.clear()
    tenant.simulator.roles_given.clear()


def door(entra: Entra, **more: object) -> PeopleSignIn:
    return PeopleSignIn(entra.app(**more), session=entra.session)


def enter(entra: Entra, way: PeopleSignIn, account: str = GRACE) -> EntraPerson:
    flow = way.begin(redirect_uri=BACK)
    return way.finish(flow, entra.pick(flow["auth_uri"], account))


def test_a_person_comes_in(entra: Entra) -> None:
    person = enter(entra, door(entra))
    assert (person.tid, person.name, person.username) == (entra.tid, "Grace Holm", GRACE)
    assert person.app_roles == {"IRCase.Analyst"}
    assert person.guest is False
    guest = enter(entra, door(entra), "judy_partner#EXT#@northwind.example")
    assert guest.guest is True
    assert guest.oid != person.oid
    assert enter(entra, door(entra)).oid == person.oid


def test_the_flow_asks_with_pkce_state_and_nonce_and_for_no_lasting_token(entra: Entra) -> None:
    flow = door(entra).begin(redirect_uri=BACK)
    assert "code_challenge_method=S256" in flow["auth_uri"]
    assert flow["state"] in flow["auth_uri"]
    assert "nonce=" in flow["auth_uri"]
    assert "offline_access" not in flow["auth_uri"]


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("nonce", "answer"),  # msal itself sees this one; ours is tried below
        ("expired", "expired"),
        ("not_yet", "not_yet"),
        ("audience", "audience"),
        ("tenant", "tenant"),
        ("issuer", "issuer"),
        ("none", "algorithm"),
        ("hs256", "algorithm"),
        ("stranger", "key"),
    ],
)
def test_a_token_that_is_not_right_opens_nothing(entra: Entra, how: str, code: str) -> None:
    way = door(entra)
    entra.fault(match="oauth2/v2.0/token", fault="id_token", how=how)
    with pytest.raises(Refused) as caught:
        enter(entra, way)
    assert caught.value.code == code
    assert enter(entra, way).username == GRACE, "and the next good one does"


def test_a_token_of_another_sign_in_is_refused(entra: Entra) -> None:
    way, tokens = door(entra), list[str]()
    keep = way._verified
    way._verified = lambda token, nonce: tokens.append(token) or keep(token, nonce)  # type: ignore[method-assign, func-returns-value]
    enter(entra, way)
    for nonce in ("", "another"):
        with pytest.raises(Refused) as caught:
            way.person_of(tokens[0], nonce=nonce)
        assert caught.value.code == "nonce"


def test_a_tenant_that_is_not_listed_is_refused(entra: Entra) -> None:
    other = "00000000-0000-4000-8000-000000000001"
    with pytest.raises(Refused, match="not one of those"):
        enter(entra, door(entra, tenants=frozenset({other})))


def test_an_answer_to_another_browsers_question_is_refused(entra: Entra) -> None:
    way = door(entra)
    mine, theirs = way.begin(redirect_uri=BACK), way.begin(redirect_uri=BACK)
    answer = entra.pick(theirs["auth_uri"], GRACE)
    with pytest.raises(Refused, match="not begun in this browser"):
        way.finish(mine, answer)
    with pytest.raises(Refused):
        way.finish(mine, answer | {"state": mine["state"]})  # the code is bound to the other verifier
    with pytest.raises(Refused):
        way.finish({}, answer)


def test_a_code_opens_once(entra: Entra) -> None:
    way = door(entra)
    flow = way.begin(redirect_uri=BACK)
    answer = entra.pick(flow["auth_uri"], GRACE)
    assert way.finish(flow, answer).name == "Grace Holm"
    with pytest.raises(Refused, match="invalid or has expired"):
        way.finish(flow, answer)


def test_new_keys_are_asked_for_once_and_strangers_do_not_make_us_ask(entra: Entra) -> None:
    now = [1000.0]
    way = PeopleSignIn(entra.app(), session=entra.session, clock=lambda: now[0])
    enter(entra, way)
    entra.rotate()
    now[0] += 61
    entra.door.asked.clear()
    assert enter(entra, way).name == "Grace Holm"
    assert entra.door.asked.count(f"/{entra.tid}/discovery/v2.0/keys") == 1
    now[0] += 61
    entra.door.asked.clear()
    entra.fault(match="oauth2/v2.0/token", fault="id_token", how="stranger", times=3)
    for _ in range(3):
        with pytest.raises(Refused, match="does not publish"):
            enter(entra, way)
    assert entra.door.asked.count(f"/{entra.tid}/discovery/v2.0/keys") == 1


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "....", "é.é.é", "eyJhbGciOiJSUzI1NiJ9.e30.", "x" * 200_000])
def test_what_is_no_token_is_refused(entra: Entra, token: str) -> None:
    with pytest.raises(Refused):
        door(entra).person_of(token, nonce="n")


def test_what_entra_refuses_is_said(entra: Entra) -> None:
    way = door(entra)
    flow = way.begin(redirect_uri=BACK)
    with pytest.raises(Refused, match="may not use"):
        way.finish(flow, {"error": "access_denied", "state": flow["state"]})
    with pytest.raises(Refused, match="Invalid client secret"):
        enter(entra, door(entra, secret=Secret("wrong")))


def test_settings_that_cannot_work_are_said_before_anybody_is_sent_away(entra: Entra) -> None:
    with pytest.raises(SignInFailed, match="at least one tenant"):
        door(entra, tenants=frozenset()).begin(redirect_uri=BACK)
    assert door(entra)._app.problems() == ()
    assert "must be its id" in " ".join(entra.app(tenant="contoso").problems())


def test_signing_out_of_microsoft_comes_back(entra: Entra) -> None:
    url = door(entra).logout_url("http://localhost:8000/sign-in/")
    assert url.startswith(f"https://login.test/{entra.tid}/oauth2/v2.0/logout?post_logout_redirect_uri=http%3A%2F%2F")
