"""Which store the settings choose."""

import functools
from pathlib import Path
from typing import Any

from django.conf import settings

from ircase.store.azure import AzureOptions, AzureStore
from ircase.store.base import Backend, StoreError
from ircase.store.copies import Copies
from ircase.store.disk import DiskStore
from ircase.store.s3 import S3Options, S3Store
from ircase.store.sealing import Keyring
from ircase.store.whole import Store

KINDS = ("disk", "s3", "azure")


def current() -> Store:
    """The store in use. The same object for the same settings: its connections are kept."""
    return named(settings.STORE)


def named(kind: str) -> Store:
    """A store by its kind, whether or not it is the one in use: `manage.py move_evidence` copies between two."""
    if kind not in KINDS:
        raise StoreError(f"IRCASE_STORE is one of {', '.join(KINDS)}, not {kind!r}.")
    return _made(kind, settings.STORE_KEYS, _frozen(_options(kind)), *_places())


def where(kind: str = "") -> str:
    """Where the store in use lies, for an administrator."""
    kind = kind or settings.STORE
    if kind == "s3":
        return f"bucket {settings.S3['bucket']}"
    if kind == "azure":
        return f"container {settings.AZURE['container']} of {settings.AZURE['account'] or settings.AZURE['endpoint']}"
    return str(settings.EVIDENCE_DIR)


def lock() -> tuple[str, int]:
    """What the settings ask of the store in use: a lock's mode and its days after sealing; "" and 0 for none."""
    options = _options(settings.STORE)
    mode = str(options.get("lock_mode", ""))
    return (mode, int(options["lock_days"])) if mode else ("", 0)


def _options(kind: str) -> dict[str, Any]:
    return dict({"s3": settings.S3, "azure": settings.AZURE}.get(kind, {}))


def _places() -> tuple[Any, ...]:
    return (
        settings.EVIDENCE_DIR,
        settings.SPOOL_DIR,
        settings.STORE_CACHE_DIR,
        settings.STORE_CACHE_BYTES,
        settings.STORE_RESERVE_BYTES,
        settings.STORE_READ_BACK,
    )


def _frozen(options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(options.items()))


@functools.lru_cache(maxsize=16)
def _made(kind: str, keys: str, options: tuple[tuple[str, Any], ...], *places: Any) -> Store:
    evidence, spool, cache, cache_bytes, reserve, read_back = places
    backend = _backend(kind, dict(options), evidence, reserve)
    try:
        ring = Keyring.parse(keys)
    except ValueError as error:
        raise StoreError(f"IRCASE_STORE_KEYS cannot be used: {error}") from None
    return Store(backend, ring, Copies(cache, cache_bytes, reserve), spool, read_back)


def _backend(kind: str, options: dict[str, Any], evidence: Path, reserve: int) -> Backend:
    if kind == "s3":
        return S3Store(S3Options(**options))
    return AzureStore(AzureOptions(**options)) if kind == "azure" else DiskStore(evidence, reserve)
