"""An Azure Blob container as the store: blobs that appear whole or not at all, locked where the container offers that.

A blob's blocks are invisible until their list is committed, on the condition that no blob has the name:
https://learn.microsoft.com/rest/api/storageservices/put-block-list. Version-level immutability:
https://learn.microsoft.com/azure/storage/blobs/immutable-version-level-worm-policies
"""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobProperties,
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
    ExponentialRetry,
    ImmutabilityPolicy,
)

from ircase.store import azureerrors, pieces
from ircase.store.azureerrors import code_of
from ircase.store.azuretoken import AppToken, MachineToken
from ircase.store.base import Entry, NotStored, StoreError, StoreLingers, StoreLocked

_PART: Final = 16 * 2**20
_MOST_PARTS: Final = 45_000  # of the 50,000 that Azure allows
_PIECE: Final = 8 * 2**20
_MOST_PAUSE: Final = 30.0
_UNTOLD: Final = "The store does not tell us"
_FORM: Final = ContentSettings(content_type="application/octet-stream")
_THERE: Final = {"BlobAlreadyExists", "ConditionNotMet", "BlobImmutableDueToPolicy", "UnauthorizedBlobOverwrite"}
#: Another writer of the same name committed meanwhile, which dropped our blocks.
_LOST: Final = {"InvalidBlockList", "InvalidBlobOrBlock"}
_UNVERSIONED: Final = {"FeatureNotSupportedForAccount", "InvalidQueryParameterValue", "FeatureVersionMismatch"}


@dataclass(frozen=True)
class AzureOptions:
    """Where the container is, who we are there (one of `key`, `sas`, `client_secret`, `identity`), what it can do.

    `endpoint` "" is Microsoft's public cloud. `identity` is "system" or the client id of a user-assigned one.
    `lock_mode` "" means no immutability policy; `pause`: seconds before the first further try, doubled each time."""

    container: str
    account: str = ""
    endpoint: str = ""
    prefix: str = ""
    key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)
    tenant: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    identity: str = ""
    login: str = "https://login.microsoftonline.com"
    ca_file: str = ""
    lock_mode: str = ""
    lock_days: int = 0
    timeout: float = 60.0
    tries: int = 5
    pause: float = 1.0

    @property
    def url(self) -> str:
        return self.endpoint.rstrip("/") or f"https://{self.account}.blob.core.windows.net"


class AzureStore:
    """Block blobs in a container, below the options' prefix."""

    label = "azure"
    names_first = True
    drops_drafts = True  # a week after the last block

    def __init__(self, options: AzureOptions) -> None:
        self.options = options

    @cached_property
    def container(self) -> ContainerClient:
        """Shared by threads, as azure-storage-blob's clients may be."""
        return _service(self.options, self._credential).get_container_client(self.options.container)

    @cached_property
    def _quick(self) -> BlobServiceClient:
        return _service(replace(self.options, tries=1, timeout=min(5.0, self.options.timeout)), self._credential)

    @property
    def _quickly(self) -> ContainerClient:
        return self._quick.get_container_client(self.options.container)

    @cached_property
    def _credential(self) -> Any:
        """One for all clients: the cache of tokens lives in it."""
        return _credential(self.options)

    # --- writing

    def create(
        self, chunks: Iterable[bytes], name: Callable[[], str], is_sound: Callable[[str], bool], size: int
    ) -> bool:
        called = name()
        whole, parts = pieces.cut(chunks, size, part=_PART, most=_MOST_PARTS)
        if whole is not None:
            return self._placed(called, is_sound, lambda **when: self._put(called, whole, **when))
        return self._in_blocks(called, is_sound, parts)

    def _in_blocks(self, name: str, is_sound: Callable[[str], bool], parts: Iterator[bytes]) -> bool:
        # Blocks of two writers of one name lie side by side until one commits: each has ids of its own.
        blob, upload, blocks = self._blob(name), _upload_id(), []
        for number, part in enumerate(parts):
            block = f"{upload}-{number:05d}"
            with self._told("write"):
                blob.stage_block(block, part, len(part))
            blocks.append(BlobBlock(block))

        def commit(**when: Any) -> None:
            blob.commit_block_list(blocks, content_settings=_FORM, **self._lock(), **when)

        return self._placed(name, is_sound, commit)

    def _put(self, name: str, data: bytes, **when: Any) -> None:
        # Told not to overwrite, the SDK sends If-None-Match by itself, and wants no other condition.
        new = when.get("match_condition") is MatchConditions.IfMissing
        more = self._lock() | ({} if new else when)
        self._blob(name).upload_blob(data, length=len(data), overwrite=not new, content_settings=_FORM, **more)

    def _placed(self, name: str, is_sound: Callable[[str], bool], place: Callable[..., None]) -> bool:
        """Make the blob appear, unless a sound one is there; then only its lock is made longer. One that is not sound
        is copied aside and then replaced in one step: Azure keeps no blocks over a deletion."""
        try:
            self._appear(place, match_condition=MatchConditions.IfMissing)
        except _There:
            try:
                if is_sound(name):
                    self._lock_longer(name)
                    return False
                etag = self._copied_aside(name)
                self._appear(place, etag=etag, match_condition=MatchConditions.IfNotModified)
            except (_There, NotStored):
                raise StoreError(f"Somebody else writes {name} at this moment. Nothing was sealed; retry.") from None
        return True

    def _appear(self, place: Callable[..., None], **when: Any) -> None:
        try:
            with self._told("write"):
                place(**when)
        except StoreError as error:
            if isinstance(error.__cause__, HttpResponseError) and code_of(error.__cause__) in _THERE | _LOST:
                raise _There from error
            raise

    def replace(self, name: str, data: bytes) -> None:
        with self._told("write"):
            self._put(name, data)

    # --- reading

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if end is not None and end <= start:
            return iter(())
        # Asked now, so that what is not there is known before the first byte of an answer. Each piece is a request of
        # its own, on the condition that the blob is still the same; one that breaks off is asked for again.
        with self._told("read"):
            length = None if end is None else end - start
            try:
                found = self._blob(name).download_blob(offset=start, length=length, decompress=False)
            except HttpResponseError as error:
                if error.status_code == 416:
                    return iter(())
                raise
        return self._pieces(found.chunks())

    def _pieces(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        with self._told("read"):
            yield from chunks

    def size(self, name: str) -> int:
        return self._properties(name).size

    def _properties(self, name: str) -> BlobProperties:
        with self._told("read"):
            return self._blob(name).get_blob_properties()

    # --- removing

    def remove(self, name: str) -> None:
        """All versions and snapshots. What soft delete keeps is not gone: StoreLingers says until when."""
        self._refuse_locked(name)
        with contextlib.suppress(NotStored), self._told("remove"):
            self._blob(name).delete_blob(delete_snapshots="include")
        until = None
        with self._told("remove"):
            for item in self._forms(self._key(name)):
                if item.deleted:
                    days = item.remaining_retention_days or 0
                    until = max(until or datetime.now(UTC), datetime.now(UTC) + timedelta(days=days + 1))
                elif item.version_id:
                    self._blob(name).delete_blob(version_id=item.version_id)
        if until is not None:
            raise StoreLingers(
                f"The storage account's soft delete keeps the bytes until about {until:%Y-%m-%d}. Switch it off for "
                "this account where destruction must be at once.",
                until,
            )

    def _refuse_locked(self, name: str) -> None:
        try:
            found = self._properties(name)
        except NotStored:
            return
        until = _expiry(found)
        if until is not None and until > datetime.now(UTC):
            text = f"The container's immutability policy keeps the file until {until:%Y-%m-%d %H:%M} UTC."
            raise StoreLocked(text, until)
        if found.has_legal_hold:
            raise StoreLocked("A legal hold of the container keeps the file. Lift it there first.")

    def _forms(self, key: str) -> list[BlobProperties]:
        """Every version, snapshot and soft-deleted form of one blob. An account without versions has none of them."""
        for wanted in (["snapshots", "versions", "deleted"], ["snapshots", "deleted"], []):
            try:
                found = self.container.list_blobs(name_starts_with=key, include=wanted or None)
                return [item for item in found if item.name == key]
            except HttpResponseError as error:
                if code_of(error) not in _UNVERSIONED or not wanted:
                    raise
        return []

    def set_aside(self, name: str) -> None:
        etag = self._copied_aside(name)
        with self._told("write"):
            self._blob(name).delete_blob(etag=etag, match_condition=MatchConditions.IfNotModified)

    def _copied_aside(self, name: str) -> str:
        """The etag of what was copied. Through this machine: it needs no right to copy, and never stays half-done."""
        etag = str(self._properties(name).etag)
        with self._told("write"):
            blob, upload, blocks = self._at(f"{self._key(name)}.altered-{uuid.uuid4().hex[:8]}"), _upload_id(), []
            for number, part in enumerate(pieces.parts(self.read(name), _PART)):
                blocks.append(BlobBlock(f"{upload}-{number:05d}"))
                blob.stage_block(f"{upload}-{number:05d}", part, len(part))
            blob.commit_block_list(blocks, content_settings=_FORM, match_condition=MatchConditions.IfMissing)
        return etag

    # --- looking

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        with self._told("read"):
            for item in self.container.list_blobs(name_starts_with=self._base() + pieces.spread(prefix)):
                name = item.name.rsplit("/", 1)[-1]
                if name.startswith(prefix):
                    yield Entry(name, int(item.size), item.last_modified)

    def locked_until(self, name: str) -> datetime | None:
        if not self.options.lock_mode:
            return None
        try:
            return _expiry(self._properties(name))
        except NotStored:
            return None

    def free(self) -> int | None:
        return None

    def check(self) -> None:
        # A page that asks whether the store is there must not wait as long as work does.
        with self._told("read"):
            pages = self._quickly.list_blobs(name_starts_with=self._base(), results_per_page=1).by_page()
            next(iter(next(pages, iter(()))), None)
        if self.options.lock_mode and self._offers_locks() is False:
            raise StoreError(
                f"The container {self.options.container} offers no version-level immutability, which "
                "IRCASE_AZURE_LOCK_MODE asks for. Make a container with it, or unset the mode."
            )

    def _offers_locks(self) -> bool | None:
        """None where the store does not tell us."""
        try:
            said = self._quickly.get_container_properties().immutable_storage_with_versioning_enabled
        except (AzureError, StoreError, OSError):
            return None
        return None if said is None else _yes(said)

    def says(self) -> list[tuple[str, str]]:
        try:
            found = self._quickly.get_container_properties()
        except (AzureError, StoreError, OSError):
            return [("Immutability", _UNTOLD)]
        return [
            ("Version-level immutability", _said(found.immutable_storage_with_versioning_enabled, "Offered")),
            ("Immutability policy of the container", _said(found.has_immutability_policy, "Yes")),
            ("Legal hold of the container", _said(found.has_legal_hold, "Yes")),
            ("Public access", str(found.public_access or "None")),
            ("Soft delete", self._soft_delete()),
        ]

    def _soft_delete(self) -> str:
        try:
            kept = self._quick.get_service_properties()["delete_retention_policy"]
        except (AzureError, StoreError, OSError, KeyError, TypeError):
            return _UNTOLD
        return f"Bytes stay for {kept.days} days after they are destroyed" if kept and kept.enabled else "Off"

    def path(self, name: str) -> Path | None:
        return None

    def leftovers(self, before: datetime, *, remove: bool) -> int:
        """Blocks that were never committed, on names without a blob. There is no way to remove them but to make the
        blob, which nothing must do; Azure drops them a week after the last."""
        found = 0
        with self._told("read"):
            for item in self.container.list_blobs(name_starts_with=self._base(), include=["uncommittedblobs"]):
                begun = self._begun(item.name) if not item.size else None
                found += begun is not None and begun < before
        return found

    def _begun(self, key: str) -> datetime | None:
        """When the youngest upload of a blob that is not there yet was begun: its blocks' ids say so."""
        try:
            committed, waiting = self._at(key).get_block_list("all")
        except HttpResponseError as error:
            if error.status_code == 404:
                return None
            raise
        moments = [int(block.id[:11]) for block in waiting if block.id[:11].isdigit()]
        return datetime.fromtimestamp(max(moments), UTC) if moments and not committed else None

    # --- how

    def _base(self) -> str:
        return pieces.base_of(self.options.prefix)

    def _key(self, name: str) -> str:
        return pieces.place(self._base(), name)

    def _at(self, key: str) -> BlobClient:
        return self.container.get_blob_client(key)

    def _blob(self, name: str) -> BlobClient:
        return self._at(self._key(name))

    def _lock(self) -> dict[str, Any]:
        return {"immutability_policy": self._policy()} if self.options.lock_mode else {}

    def _policy(self, mode: str = "") -> ImmutabilityPolicy:
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=self.options.lock_days)
        return ImmutabilityPolicy(expiry_time=until, policy_mode=mode or self.options.lock_mode)

    def _lock_longer(self, name: str) -> None:
        if not self.options.lock_mode:
            return
        now = self._properties(name)
        held = (now.immutability_policy.policy_mode or "").capitalize()
        wanted = self._policy("Locked" if held == "Locked" else "")
        until = _expiry(now)
        if until is None or (wanted.expiry_time and wanted.expiry_time > until):
            with self._told("write"):
                self._blob(name).set_immutability_policy(wanted)

    @contextlib.contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        try:
            yield
        except HttpResponseError as error:
            raise azureerrors.plain(error, verb, self.options.container) from error
        except (AzureError, OSError) as error:
            raise azureerrors.silent(error, verb) from error


class _There(Exception):
    """The blob exists already."""


class _Pauses(ExponentialRetry):
    """Growing pauses between tries, shorter than the SDK's, which begin at 15 seconds."""

    def __init__(self, pause: float, tries: int) -> None:
        super().__init__(retry_total=tries - 1)
        self.pause = pause

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        own = super().get_backoff_time({**settings, "count": 0}) / self.initial_backoff  # about 1, at random
        return float(min(_MOST_PAUSE, self.pause * 2 ** max(0, settings["count"] - 1) * own))


def _credential(o: AzureOptions) -> Any:
    """What the SDK takes. A key comes first, then a shared access signature, an app registration, the machine's own."""
    if o.key:
        return {"account_name": o.account, "account_key": o.key}
    if o.sas:
        return o.sas.removeprefix("?")
    if o.client_secret:
        return AppToken(
            tenant=o.tenant, client_id=o.client_id, secret=o.client_secret, login=o.login, ca_file=o.ca_file
        )
    return MachineToken("" if o.identity in ("", "system") else o.identity)


def _service(o: AzureOptions, credential: Any) -> BlobServiceClient:
    try:
        return BlobServiceClient(
            o.url,
            credential,
            retry_policy=_Pauses(o.pause, o.tries),
            connection_timeout=min(10.0, o.timeout),
            read_timeout=o.timeout,
            connection_verify=o.ca_file or True,
            max_single_put_size=_PART * 64,  # whatever one part is, it goes in one request
            max_single_get_size=_PIECE,
            max_chunk_get_size=_PIECE,
        )
    except ValueError as error:
        # An address that is none, or a token over http.
        raise StoreError(f"The IRCASE_AZURE_… settings cannot be used: {error}") from error


def _upload_id() -> str:
    """Of one length, as Azure wants block ids; when it was begun stands in front."""
    return f"{int(time.time()):011d}-{uuid.uuid4().hex[:12]}"


def _expiry(found: BlobProperties) -> datetime | None:
    policy = found.immutability_policy
    return policy.expiry_time if policy and isinstance(policy.expiry_time, datetime) else None


def _yes(answer: Any) -> bool:
    return str(answer).lower() == "true"


def _said(answer: Any, yes: str) -> str:
    return _UNTOLD if answer is None else yes if _yes(answer) else "No"
