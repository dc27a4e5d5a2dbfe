"""Which store the settings choose."""

import functools
from typing import Any

from django.conf import settings

from ircase.store.base import Backend, StoreError
from ircase.store.copies import Copies
from ircase.store.disk import DiskStore
from ircase.store.s3 import S3Options, S3Store
from ircase.store.sealing import Keyring
from ircase.store.whole import Store

KINDS = ("disk", "s3")


def current() -> Store:
    """The store in use. The same object for the same settings: its connections are kept."""
    return named(settings.STORE)


def named(kind: str) -> Store:
    """A store by its kind, whether or not it is the one in use: `manage.py move_evidence` copies between two."""
    if kind not in KINDS:
        raise StoreError(f"IRCASE_STORE is one of {', '.join(KINDS)}, not {kind!r}.")
    return _made(kind, settings.STORE_KEYS, _frozen(settings.S3), *_places())


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
def _made(kind: str, keys: str, s3: tuple[tuple[str, Any], ...], *places: Any) -> Store:
    evidence, spool, cache, cache_bytes, reserve, read_back = places
    backend: Backend = S3Store(S3Options(**dict(s3))) if kind == "s3" else DiskStore(evidence, reserve)
    try:
        ring = Keyring.parse(keys)
    except ValueError as error:
        raise StoreError(f"IRCASE_STORE_KEYS cannot be used: {error}") from None
    return Store(backend, ring, Copies(cache, cache_bytes, reserve), spool, read_back)
