"""An S3-compatible bucket as the store: uploads that appear whole or not at all, locked where that is offered.

Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html. Object lock:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ircase.store import pieces
from ircase.store.base import CHUNK, Entry, NotStored, StoreError, StoreFull, StoreLocked

_PART: Final = 16 * 2**20
_MOST_PARTS: Final = 9_000  # of the 10,000 that S3 allows
_READ_TRIES: Final = 5
_ABSENT: Final = {"NoSuchKey", "404", "NotFound", "NoSuchVersion"}
_DENIED: Final = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden"}
_FULL: Final = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "507"}
_THERE: Final = {"PreconditionFailed", "412"}
_making = threading.Lock()


@dataclass(frozen=True)
class S3Options:
    """Where the bucket is and what it can do. `lock_mode` "" means no object lock; `sse` is a header, "" none."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    path_style: bool = False
    ca_file: str = ""
    sse: str = ""
    sse_key: str = ""
    lock_mode: str = ""
    lock_days: int = 0
    conditional: bool = True
    plain_checksums: bool = False
    timeout: float = 60.0
    tries: int = 5


class S3Store:
    """Objects in a bucket, below the options' prefix."""

    label = "s3"
    names_first = True
    drops_drafts = False

    def __init__(self, options: S3Options) -> None:
        self.options = options

    @cached_property
    def client(self) -> Any:
        """Shared by threads, as boto3's clients may be."""
        return _client(self.options)

    @cached_property
    def _quick(self) -> Any:
        return _client(replace(self.options, tries=1, timeout=min(5.0, self.options.timeout)))

    # --- writing

    def create(
        self, chunks: Iterable[bytes], name: Callable[[], str], is_sound: Callable[[str], bool], size: int
    ) -> bool:
        called = name()
        whole, parts = pieces.cut(chunks, size, part=_PART, most=_MOST_PARTS)
        if whole is not None:
            return self._placed(called, is_sound, lambda **new: self._put(called, whole, **new))
        return self._in_parts(called, is_sound, parts)

    def _in_parts(self, name: str, is_sound: Callable[[str], bool], parts: Iterator[bytes]) -> bool:
        where = self._where(name)
        with self._told("write"):
            upload = self.client.create_multipart_upload(**where, **self._sealed())["UploadId"]
        try:
            made = []
            for number, part in enumerate(parts, 1):
                with self._told("write"):
                    sent = self.client.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)
                made.append({"PartNumber": number} | {k: v for k, v in sent.items() if k in _PART_FACTS})
            done = self._placed(name, is_sound, lambda **new: self._complete(where, upload, made, **new))
        except BaseException:
            self._abort(where, upload)
            raise
        if not done:
            self._abort(where, upload)
        return done

    def _complete(self, where: dict[str, str], upload: str, parts: list[dict[str, Any]], **new: str) -> None:
        self.client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts}, **new)

    def _put(self, name: str, data: bytes, **new: str) -> None:
        self.client.put_object(**self._where(name), Body=data, **self._sealed(), **new)

    def _placed(self, name: str, is_sound: Callable[[str], bool], place: Callable[..., None]) -> bool:
        """Make the object appear, unless a sound one is there; then only its lock is made longer."""
        try:
            self._appear(name, place)
        except _There:
            if is_sound(name):
                self._lock_longer(name)
                return False
            self.set_aside(name)
            try:
                self._appear(name, place)
            except _There:
                raise StoreError(f"Somebody else writes {name} at this moment. Nothing was sealed; retry.") from None
        return True

    def _appear(self, name: str, place: Callable[..., None]) -> None:
        if not self.options.conditional and self._is_there(name):
            raise _There
        try:
            with self._told("write"):
                place(**({"IfNoneMatch": "*"} if self.options.conditional else {}))
        except StoreError as error:
            if isinstance(error.__cause__, ClientError) and _code(error.__cause__) in _THERE:
                raise _There from error
            raise

    def _is_there(self, name: str) -> bool:
        try:
            self.size(name)
        except NotStored:
            return False
        return True

    def _abort(self, where: dict[str, str], upload: str) -> None:
        """What cannot be aborted now, because the store is away, `leftovers` finds later."""
        with contextlib.suppress(ClientError, BotoCoreError):
            self.client.abort_multipart_upload(**where, UploadId=upload)

    def replace(self, name: str, data: bytes) -> None:
        with self._told("write"):
            self._put(name, data)

    # --- reading

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if end is not None and end <= start:
            return iter(())
        # Asked now, so that what is not there is known before the first byte of an answer.
        return self._chunks(name, start, end, self._get(name, start, end))

    def _get(self, name: str, start: int, end: int | None) -> Any:
        whole = start == 0 and end is None
        asked = {} if whole else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        with self._told("read"):
            try:
                return self.client.get_object(**self._where(name), **asked)["Body"]
            except ClientError as error:
                if _code(error) in ("InvalidRange", "416"):
                    return None
                raise

    def _chunks(self, name: str, start: int, end: int | None, body: Any) -> Iterator[bytes]:
        """A line that breaks is taken up where it broke."""
        at, tries = start, 0
        while body is not None:
            try:
                with contextlib.closing(body):
                    for chunk in body.iter_chunks(CHUNK):
                        at, tries = at + len(chunk), 0
                        yield chunk
                return
            except (BotoCoreError, OSError) as error:
                tries += 1
                if tries >= _READ_TRIES:
                    raise StoreError("The evidence store broke off while it was read. Retry.") from error
            body = self._get(name, at, end)

    def size(self, name: str) -> int:
        with self._told("read"):
            return int(self.client.head_object(**self._where(name))["ContentLength"])

    # --- removing

    def remove(self, name: str) -> None:
        """All versions: a delete that only lays a marker over the bytes destroys nothing."""
        until = self.locked_until(name)
        if until is not None and until > datetime.now(UTC):
            raise StoreLocked(f"The store's object lock keeps the file until {until:%Y-%m-%d %H:%M} UTC.", until)
        where = self._where(name)
        with self._told("remove"):
            for version in self._versions(where["Key"]):
                self.client.delete_object(**where, VersionId=version)

    def _versions(self, key: str) -> list[str]:
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.options.bucket, Prefix=key)
        return [
            str(row["VersionId"])
            for page in pages
            for row in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            if row["Key"] == key
        ]

    def set_aside(self, name: str) -> None:
        where = self._where(name)
        with self._told("write"):
            aside = f"{where['Key']}.altered-{uuid.uuid4().hex[:8]}"
            self.client.copy(where, self.options.bucket, aside)
            self.client.delete_object(**where)

    # --- looking

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        base = self._base()
        with self._told("read"):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.options.bucket, Prefix=base + pieces.spread(prefix)):
                for row in page.get("Contents", ()):
                    name = str(row["Key"]).rsplit("/", 1)[-1]
                    if name.startswith(prefix):
                        yield Entry(name, int(row["Size"]), row["LastModified"])

    def locked_until(self, name: str) -> datetime | None:
        if not self.options.lock_mode:
            return None
        try:
            with self._told("read"):
                found = self.client.head_object(**self._where(name)).get("ObjectLockRetainUntilDate")
        except NotStored:
            return None
        return found if isinstance(found, datetime) else None

    def free(self) -> int | None:
        return None

    def check(self) -> None:
        # A page that asks whether the store is there must not wait as long as work does.
        with self._told("read"):
            self._quick.list_objects_v2(Bucket=self.options.bucket, Prefix=self._base(), MaxKeys=1)

    def says(self) -> list[tuple[str, str]]:
        return []

    def path(self, name: str) -> Path | None:
        return None

    def leftovers(self, before: datetime, *, remove: bool) -> int:
        found = 0
        with self._told("remove" if remove else "read"):
            pages = self.client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.options.bucket, Prefix=self._base()):
                for row in page.get("Uploads", ()):
                    if row["Initiated"] < before:
                        found += 1
                        if remove:
                            self._abort({"Bucket": self.options.bucket, "Key": row["Key"]}, row["UploadId"])
        return found

    # --- how

    def _base(self) -> str:
        return pieces.base_of(self.options.prefix)

    def _where(self, name: str) -> dict[str, str]:
        return {"Bucket": self.options.bucket, "Key": pieces.place(self._base(), name)}

    def _sealed(self) -> dict[str, Any]:
        o = self.options
        found: dict[str, Any] = {"ContentType": "application/octet-stream"}
        if o.sse:
            found["ServerSideEncryption"] = o.sse
        if o.sse_key:
            found["SSEKMSKeyId"] = o.sse_key
        if o.lock_mode:
            found |= {"ObjectLockMode": o.lock_mode, "ObjectLockRetainUntilDate": self._until()}
        return found

    def _until(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0) + timedelta(days=self.options.lock_days)

    def _lock_longer(self, name: str) -> None:
        held, wanted = self.locked_until(name), self._until()
        # A store refuses to shorten a lock, which must not stop a sealing after the days in the settings became fewer.
        if not self.options.lock_mode or (held is not None and held >= wanted):
            return
        kept = {"Mode": self.options.lock_mode, "RetainUntilDate": wanted}
        with self._told("write"):
            self.client.put_object_retention(**self._where(name), Retention=kept)

    @contextlib.contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._plain(error, verb) from error
        except (BotoCoreError, OSError) as error:
            raise StoreError(
                f"The evidence store does not answer ({type(error).__name__}).{_AFTER.get(verb, '')} Retry later."
            ) from error

    def _plain(self, error: ClientError, verb: str) -> StoreError:
        code = _code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code == "NoSuchBucket":
            return StoreError(f"The bucket {self.options.bucket} does not exist. Make it, or mend IRCASE_S3_BUCKET.")
        if code in _ABSENT:
            return NotStored("The evidence store has no such object.")
        if code in _DENIED:
            return StoreError(
                f"The evidence store refuses to {verb} ({code}). Check the key of IRCASE_S3_ACCESS_KEY and its policy."
            )
        if code in _FULL or status == 507:
            return StoreFull(f"The evidence store has no room ({code}). Nothing was sealed; free space and retry.")
        if status >= 500 or code in ("SlowDown", "ServiceUnavailable", "RequestTimeout", "503"):
            return StoreError(
                f"The evidence store is busy or down ({status} {code}).{_AFTER.get(verb, '')} Retry later."
            )
        return StoreError(
            f"The evidence store could not {verb}: {code} {error.response['Error'].get('Message', '')}"[:300]
        )


_PART_FACTS: Final = {"ETag", "ChecksumCRC32", "ChecksumCRC64NVME", "ChecksumSHA256"}
_AFTER: Final = {"write": " Nothing was sealed."}


def _client(o: S3Options) -> Any:
    checks = "when_required" if o.plain_checksums else "when_supported"
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if o.path_style else "auto"},
        retries={"mode": "standard", "total_max_attempts": o.tries},
        connect_timeout=min(10.0, o.timeout),
        read_timeout=o.timeout,
        max_pool_connections=32,
        request_checksum_calculation=checks,
        response_checksum_validation=checks,
    )
    # A client may be shared by threads; the making of one may not.
    with _making:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=o.endpoint or None,
            region_name=o.region or "us-east-1",
            aws_access_key_id=o.access_key or None,
            aws_secret_access_key=o.secret_key or None,
            verify=o.ca_file or None,
            config=config,
        )


class _There(Exception):
    """The object exists already."""


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
