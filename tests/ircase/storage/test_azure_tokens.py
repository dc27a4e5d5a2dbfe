"""Who we are at Azure Storage: an app registration, or the machine's managed identity."""

import json
from typing import Any

import pytest
import requests

from ircase.store import StoreError
from ircase.store.azure import AzureOptions, AzureStore
from ircase.store.azuretoken import RESOURCE, AppToken, MachineToken


class IdentityService:
    """The machine's own identity service, as msal asks it: https://learn.microsoft.com/entra/identity/\
managed-identities-azure-resources/how-to-use-vm-token"""

    def __init__(self, status: int, answer: dict[str, Any]) -> None:
        self.status, self.answer, self.asked = status, answer, []  # type: ignore[var-annotated]

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> requests.Response:
        self.asked.append((url, dict(params or {})))
        reply = requests.Response()
        reply.status_code, reply._content = self.status, json.dumps(self.answer).encode()
        return reply

    post = get

    def close(self) -> None:
        return None


def given(**more: Any) -> dict[str, Any]:
    return {"access_token": "a-token", "expires_in": "3600", "resource": RESOURCE, "token_type": "Bearer"} | more


@pytest.mark.parametrize("client_id", ["", "11111111-2222-3333-4444-555555555555"])
def test_a_machine_gets_a_token_of_its_own_once(client_id: str) -> None:
    service = IdentityService(200, given())
    token = MachineToken(client_id, http=service, clock=lambda: 1000.0)
    assert token.get_token("https://storage.azure.com/.default").token == "a-token"
    assert token.get_token("x", tenant_id="y").token == "a-token"
    ((_, params),) = service.asked
    assert params["resource"] == RESOURCE
    assert params.get("client_id", "") == client_id


def test_a_machine_without_an_identity_is_told_what_to_do() -> None:
    service = IdentityService(400, {"error": "invalid_request", "error_description": "Identity not found"})
    with pytest.raises(StoreError, match=r"managed identity gave no token.*IRCASE_AZURE_IDENTITY"):
        MachineToken(http=service).get_token("x")


def test_nobody_at_the_identity_service() -> None:
    class Silent(IdentityService):
        def get(self, *_: Any, **__: Any) -> requests.Response:
            raise requests.ConnectionError("no route")

    with pytest.raises(StoreError, match="managed identity gave no token"):
        MachineToken(http=Silent(0, {})).get_token("x")


def test_an_app_registration_that_cannot_sign_in_says_why() -> None:
    app = AppToken(tenant="not a tenant!", client_id="x", secret="s3cret", login="https://127.0.0.1:9", ca_file="")
    with pytest.raises(StoreError, match=r"cannot be signed in to.*IRCASE_AZURE_TENANT") as told:
        app.get_token("x")
    assert "s3cret" not in str(told.value)


def test_a_ca_file_that_is_not_there_is_named() -> None:
    options = AzureOptions(
        "c", account="a", tenant="t.example", client_id="x", client_secret="s", ca_file="/nowhere.pem", tries=1
    )
    with pytest.raises(StoreError, match="IRCASE_AZURE_CA_FILE"):
        AzureStore(options).check()


def test_a_token_is_never_sent_in_the_clear() -> None:
    class Given:
        def get_token(self, *_: str, **__: Any) -> Any:
            raise AssertionError("asked for a token")

    store = AzureStore(AzureOptions("c", account="a", endpoint="http://127.0.0.1:9/a", identity="system", tries=1))
    store.__dict__["_credential"] = Given()
    with pytest.raises(StoreError, match="only supported with HTTPS"):
        store.check()
