"""Every kind of store, one after the other."""

import base64
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ircase.store.base import Backend
from ircase.store.copies import Copies
from ircase.store.disk import DiskStore
from ircase.store.s3 import S3Options, S3Store
from ircase.store.sealing import Keyring
from ircase.store.whole import Store
from tests.ircase.storage.bucket import Bucket

KINDS = ("disk", "disk encrypted", "s3", "s3 encrypted")


def make_key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


@dataclass(frozen=True)
class Stage:
    """A store and how to look behind it."""

    store: Store
    bucket: Bucket | None
    name: str

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.store.backend.entries())

    def tamper(self, name: str, data: bytes) -> None:
        if self.bucket is not None:
            self.bucket.client.put_object(Bucket=self.name, Key=f"p/{name[:2]}/{name[2:4]}/{name}", Body=data)
        else:
            path = self.store.backend.path(name)
            assert path is not None
            path.chmod(0o640)
            path.write_bytes(data)

    def raw(self, name: str) -> bytes:
        return b"".join(self.store.backend.read(name))


@pytest.fixture(scope="session")
def bucket() -> Iterator[Bucket]:
    made = Bucket()
    yield made
    made.stop()


def options(bucket: Bucket, name: str, **more: object) -> S3Options:
    values: dict[str, object] = {"prefix": "p", "access_key": "a", "secret_key": "b", "path_style": True, "tries": 3}
    return S3Options(bucket=name, endpoint=bucket.endpoint, **{**values, **more})  # type: ignore[arg-type]


def make_store(backend: Backend, tmp_path: Path, *, keys: str = "", cache: int = 2**30) -> Store:
    return Store(backend, Keyring.parse(keys), Copies(tmp_path / "copies", cache), tmp_path / "spool")


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    keys = make_key("k1") if "encrypted" in request.param else ""
    if request.param.startswith("disk"):
        return Stage(make_store(DiskStore(tmp_path / "evidence"), tmp_path, keys=keys), None, "")
    bucket: Bucket = request.getfixturevalue("bucket")
    name = f"b-{uuid.uuid4().hex}"
    bucket.make(name)
    return Stage(make_store(S3Store(options(bucket, name)), tmp_path, keys=keys), bucket, name)
