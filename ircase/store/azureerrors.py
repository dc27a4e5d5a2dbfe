"""What Azure Storage refuses, in plain words and with what to do.

Codes: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and …/common-rest-api-error-codes
"""

from typing import Final

from azure.core.exceptions import HttpResponseError

from ircase.store.base import NotStored, StoreError, StoreFull, StoreLocked

_ABSENT: Final = {"BlobNotFound", "ResourceNotFound"}
_NO_CONTAINER: Final = {"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"}
_IMMUTABLE: Final = {"BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold"}
_FULL: Final = ("LimitExceeded", "QuotaExceeded", "ExceedsAccountLimit", "InsufficientStorage")
_BUSY: Final = {"ServerBusy", "OperationTimedOut", "InternalError"}
_AFTER: Final = {"write": " Nothing was sealed."}

_REFUSALS: Final = {
    "AuthenticationFailed": "The key or signature is wrong or over, or this machine's clock is.",
    "AuthorizationPermissionMismatch": "Give the identity the role Storage Blob Data Contributor on "
    "the container, or Storage Blob Data Owner where versions or immutability are used.",
    "AuthorizationFailure": "The signature or role allows less than is needed, or the account's firewall keeps this "
    "machine out.",
    "AuthorizationSourceIPMismatch": "The signature is for other addresses than this machine's.",
    "AuthorizationProtocolMismatch": "The signature is for https only.",
    "AuthorizationServiceMismatch": "The signature is not for the blob service.",
    "AuthorizationResourceTypeMismatch": "The signature is not for containers and objects.",
    "KeyBasedAuthenticationNotPermitted": "The account takes no account keys: use an app registration or a managed "
    "identity.",
    "InvalidAuthenticationInfo": "The token is not for this account's tenant, or over.",
    "AccountIsDisabled": "The storage account is disabled.",
    "InsufficientAccountPermissions": "The account does not allow writing, as a secondary does.",
}
_OTHERWISE: Final = "Check the IRCASE_AZURE_… settings and the rights on the container."


def code_of(error: HttpResponseError) -> str:
    """Azure's code of a refusal; "" where it gave none, as something else than Azure does."""
    headers = getattr(error.response, "headers", {})
    code = getattr(error, "error_code", None) or headers.get("x-ms-error-code")
    return str(getattr(code, "value", code) or "")


def plain(error: HttpResponseError, verb: str, container: str) -> StoreError:
    """The refusal as one of the store's errors."""
    code, status = code_of(error), error.status_code or 0
    if code in _NO_CONTAINER:
        return StoreError(f"The container {container} does not exist. Make it, or mend IRCASE_AZURE_CONTAINER.")
    if code in _ABSENT:
        return NotStored("The evidence store has no such object.")
    if code in _IMMUTABLE:
        return StoreLocked(f"The container's immutability policy or legal hold lets nobody {verb} the file ({code}).")
    if code.endswith(_FULL) or status == 507:
        return StoreFull(
            f"The evidence store has no room ({code or status}). Nothing was sealed; free space and retry."
        )
    if status in (401, 403):
        what = _REFUSALS.get(code, _OTHERWISE)
        return StoreError(f"The evidence store refuses to {verb} ({status} {code}).{_AFTER.get(verb, '')} {what}")
    if status >= 500 or status == 429 or code in _BUSY:
        return StoreError(
            f"The evidence store is busy or down ({f'{status} {code}'.strip()}).{_AFTER.get(verb, '')} Retry later."
        )
    return _other(error, verb, status, code)


def _other(error: HttpResponseError, verb: str, status: int, code: str) -> StoreError:
    if not error.response:
        return StoreError(f"The evidence store broke off while it was asked to {verb}.{_AFTER.get(verb, '')} Retry.")
    if not code:
        # A 404 of a proxy must not make every exhibit look lost.
        return StoreError(
            f"Something answered {status} that is no Azure Storage. Check IRCASE_AZURE_ENDPOINT and proxies."
        )
    said = str(error.message or "").partition("\n")[0]
    return StoreError(f"The evidence store could not {verb}: {code} {said}"[:300])


def silent(error: Exception, verb: str) -> StoreError:
    """No answer at all, or the beginning of one."""
    return StoreError(
        f"The evidence store does not answer ({type(error).__name__}).{_AFTER.get(verb, '')} Retry later."
    )
