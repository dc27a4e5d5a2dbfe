"""Entra tokens for Azure Storage, by msal: of an app registration, or of the machine's managed identity.

azure-core's `TokenCredential` is one method, and msal, which the connections use anyway, gets the tokens.
https://learn.microsoft.com/entra/msal/python/advanced/managed-identity
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import msal
import requests
from azure.core.credentials import AccessToken

from ircase.store.base import StoreError
from msapi.endpoint import Endpoint, Secret
from msapi.errors import ApiError
from msapi.tokens import TokenProvider

RESOURCE: Final = "https://storage.azure.com"  # in every cloud
_PATIENCE: Final = 10.0
_SETTINGS: Final = "(IRCASE_AZURE_TENANT, IRCASE_AZURE_CLIENT_ID, IRCASE_AZURE_CLIENT_SECRET)"


@dataclass(frozen=True)
class StorageAudience:
    """Azure Storage, as msapi names what a token is for."""

    scope: str = f"{RESOURCE}/.default"
    title: str = "Azure Storage"


class AppToken:
    """Tokens of an app registration with a client secret."""

    def __init__(self, *, tenant: str, client_id: str, secret: str, login: str, ca_file: str) -> None:
        try:
            pem = Path(ca_file).read_text(encoding="ascii") if ca_file else None
        except (OSError, ValueError) as error:
            raise StoreError(f"IRCASE_AZURE_CA_FILE cannot be read: {error}") from error
        self._provider = TokenProvider(Endpoint(tenant, client_id, Secret(secret), login_url=login, ca_pem=pem))

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Raises StoreError."""
        try:
            token = self._provider.token(StorageAudience())
        except ApiError as error:
            raise StoreError(f"The evidence store cannot be signed in to: {error} {_SETTINGS}") from error
        return AccessToken(token.value.reveal(), int(token.expires_at))


class MachineToken:
    """Tokens of the machine's managed identity: `client_id` "" means the one that the system assigned."""

    def __init__(self, client_id: str = "", *, http: Any = None, clock: Callable[[], float] = time.time) -> None:
        self._client_id, self._http, self._clock, self._lock = client_id, http, clock, Lock()
        self._client: Any = None

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Raises StoreError."""
        with self._lock:
            try:
                found = self._built().acquire_token_for_client(resource=RESOURCE)
            except (requests.RequestException, ValueError, KeyError, TypeError, msal.ManagedIdentityError) as error:
                raise _no_identity(type(error).__name__) from error
        value = found.get("access_token") if isinstance(found, Mapping) else None
        if not isinstance(value, str) or not value:
            raise _no_identity(str(found.get("error", "no token")) if isinstance(found, Mapping) else "no token")
        return AccessToken(value, int(self._clock() + float(found.get("expires_in") or 0)))

    def _built(self) -> Any:
        if self._client is None:
            named = self._client_id
            identity = (
                msal.UserAssignedManagedIdentity(client_id=named) if named else msal.SystemAssignedManagedIdentity()
            )
            self._client = msal.ManagedIdentityClient(identity, http_client=self._http or _LocalSession())
        return self._client


class _LocalSession(requests.Session):
    """The identity service is an address of the machine itself: no proxy stands before it, and it answers soon."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def request(self, *args: Any, **options: Any) -> requests.Response:
        options.setdefault("timeout", _PATIENCE)
        return super().request(*args, **options)


def _no_identity(why: str) -> StoreError:
    return StoreError(
        f"The machine's managed identity gave no token for the evidence store ({why[:200]}). Check that one is "
        "assigned to this machine, and IRCASE_AZURE_IDENTITY."
    )
