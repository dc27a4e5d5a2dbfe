"""Every kind of store, one after the other."""

import base64
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ircase.store.azure import AzureOptions, AzureStore
from ircase.store.base import Backend
from ircase.store.copies import Copies
from ircase.store.disk import DiskStore
from ircase.store.s3 import S3Options, S3Store
from ircase.store.sealing import Keyring
from ircase.store.whole import Store
from tests.azurite.setup import is_installed
from tests.ircase.storage.bucket import Bucket
from tests.ircase.storage.container import ACCOUNT, Containers

ROOT = Path(__file__).resolve().parents[3]
KINDS = ("disk", "disk encrypted", "s3", "s3 encrypted", "azure", "azure encrypted")


def make_key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


@dataclass(frozen=True)
class Stage:
    """A store and how to look behind it. `tamper` writes an object's bytes past the store."""

    store: Store
    tamper: Callable[[str, bytes], None]

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.store.backend.entries())

    def raw(self, name: str) -> bytes:
        return b"".join(self.store.backend.read(name))

    def alter(self, name: str) -> None:
        """Flip a bit of the last byte. (A fixed byte there would now and then be the one that ciphertext has.)"""
        data = self.raw(name)
        self.tamper(name, data[:-1] + bytes([data[-1] ^ 1]))


@pytest.fixture(scope="session")
def bucket() -> Iterator[Bucket]:
    made = Bucket()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def containers() -> Iterator[Containers]:
    if not is_installed():
        reason = "Azurite is not installed: python -m tests.azurite.setup"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, which .ci/run does.")
        pytest.skip(reason)
    made = Containers()
    yield made
    made.stop()


def options(bucket: Bucket, name: str, **more: object) -> S3Options:
    values: dict[str, object] = {"prefix": "p", "access_key": "a", "secret_key": "b", "path_style": True, "tries": 3}
    return S3Options(bucket=name, endpoint=bucket.endpoint, **{**values, **more})  # type: ignore[arg-type]


def azure_options(containers: Containers, name: str, **more: object) -> AzureOptions:
    values: dict[str, object] = {"prefix": "p", "account": ACCOUNT, "key": containers.key, "tries": 3, "pause": 0.01}
    return AzureOptions(container=name, endpoint=containers.endpoint, **{**values, **more})  # type: ignore[arg-type]


def make_store(backend: Backend, tmp_path: Path, *, keys: str = "", cache: int = 2**30) -> Store:
    return Store(backend, Keyring.parse(keys), Copies(tmp_path / "copies", cache), tmp_path / "spool")


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    kind, _, encrypted = request.param.partition(" ")
    backend, tamper = {"disk": on_disk, "s3": in_bucket, "azure": in_container}[kind](request, tmp_path)
    return Stage(make_store(backend, tmp_path, keys=make_key("k1") if encrypted else ""), tamper)


def killed_half_way(opening: str) -> None:
    """Another process opens `backend` by the code in `opening`, and is killed with a large file half in it."""
    script = f"""
import time
{opening}
def slow():
    for number in range(40):
        yield bytes([number]) * 2**20
    print("half", flush=True)
    time.sleep(60)
backend.create(slow(), lambda: "ab" * 32, lambda name: True, 0)
"""
    child = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, env=os.environ)
    assert child.stdout is not None and child.stdout.readline() == b"half\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


def meanwhile(other: Store, content: bytes, at: int) -> Iterator[bytes]:
    """`content` in pieces; `other` stores all of it before the piece `at` is taken."""
    for number, start in enumerate(range(0, len(content), 100_000)):
        if number == at:
            other.put([content])
        yield content[start : start + 100_000]


Made = tuple[Backend, Callable[[str, bytes], None]]


def on_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    backend = DiskStore(tmp_path / "evidence")

    def tamper(name: str, data: bytes) -> None:
        path = backend.path(name)
        path.chmod(0o640)
        path.write_bytes(data)

    return backend, tamper


def in_bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    bucket: Bucket = request.getfixturevalue("bucket")
    name = f"b-{uuid.uuid4().hex}"
    bucket.make(name)

    def tamper(called: str, data: bytes) -> None:
        bucket.client.put_object(Bucket=name, Key=f"p/{called[:2]}/{called[2:4]}/{called}", Body=data)

    return S3Store(options(bucket, name)), tamper


def in_container(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    containers: Containers = request.getfixturevalue("containers")
    name = f"c-{uuid.uuid4().hex}"
    containers.make(name)
    return AzureStore(azure_options(containers, name)), lambda called, data: containers.write(name, called, data)
