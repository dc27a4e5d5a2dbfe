"""Encryption of stored bytes: a key per file, wrapped by a key of the settings; readable from any place.

The framing is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015, https://eprint.iacr.org/2015/189) over
AES-256-GCM: each chunk's nonce is a random prefix of the file, the chunk's number and whether it is the last. So chunks
cannot be swapped, left out or cut off unnoticed, and any of them can be read without the ones before.
"""

import base64
import binascii
import json
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ircase.store.base import StoreAltered, StoreError

MAGIC: Final = b"IRCSEAL1"
PLAIN: Final = 1 << 16
"""Plain bytes of a chunk."""
_TAG: Final = 16
FULL: Final = PLAIN + _TAG
_HEADER: Final = struct.Struct(">8s16s7sB")
HEADER: Final = _HEADER.size
_MOST: Final = 2**32 - 1


class UnknownKey(StoreError):
    """The file's key is wrapped by a key that the settings do not hold."""


@dataclass(frozen=True)
class Keyring:
    """Keys that wrap the keys of files, by their id. The first is used for what is new."""

    keys: dict[str, bytes]

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """`id:base64,id:base64`, newest first; each key 32 bytes. Raises ValueError."""
        keys: dict[str, bytes] = {}
        for part in filter(None, (one.strip() for one in text.split(","))):
            name, _, encoded = part.partition(":")
            keys[_checked_id(name, keys)] = _checked_key(encoded)
        return cls(keys)

    @property
    def current(self) -> str:
        """The id of the key for what is new; "" where nothing is encrypted."""
        return next(iter(self.keys), "")

    def wrap(self, key: bytes, identifier: bytes) -> bytes:
        """The file's key under the newest of ours, as the small object that lies beside the file."""
        name, nonce = self.current, os.urandom(12)
        sealed = nonce + AESGCM(self.keys[name]).encrypt(nonce, key, _bound(name, identifier))
        row = {"format": "ircase-key-1", "key": name, "file": identifier.hex(), "wrapped": _text(sealed)}
        return json.dumps(row, sort_keys=True).encode()

    def unwrap(self, data: bytes, identifier: bytes) -> bytes:
        """Raises UnknownKey, and StoreAltered where it is not what was wrapped."""
        name = key_id(data)
        if name not in self.keys:
            raise UnknownKey(f"The file is encrypted under the key {name!r}, which IRCASE_STORE_KEYS does not hold.")
        try:
            sealed = base64.b64decode(json.loads(data)["wrapped"])
            return AESGCM(self.keys[name]).decrypt(sealed[:12], sealed[12:], _bound(name, identifier))
        except (InvalidTag, ValueError, KeyError, TypeError) as error:
            raise StoreAltered("The key beside the file is not the one that was put there.") from error


def key_id(data: bytes) -> str:
    """By which key of ours a file's key is wrapped. Raises StoreAltered."""
    try:
        return str(json.loads(data)["key"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreAltered("The key beside the file cannot be read.") from error


def _checked_id(name: str, known: dict[str, bytes]) -> str:
    if not name.isidentifier() or len(name) > 32 or name in known:
        raise ValueError("A key's id is a short word of letters, digits and underscores, used once.")
    return name


def _checked_key(encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("A key is 32 random bytes in base64.")
    return key


def _bound(name: str, identifier: bytes) -> bytes:
    return b"ircase-key-1:" + name.encode() + b":" + identifier


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class Header:
    """The first bytes of an encrypted file. `identifier` names the key that lies beside it."""

    identifier: bytes
    prefix: bytes

    @classmethod
    def new(cls) -> "Header":
        return cls(os.urandom(16), os.urandom(7))

    @classmethod
    def parse(cls, data: bytes) -> "Header":
        if len(data) != HEADER:
            raise StoreAltered("An encrypted file is cut short.")
        magic, identifier, prefix, shift = _HEADER.unpack(data)
        if magic != MAGIC or 1 << shift != PLAIN:
            raise StoreAltered("An encrypted file does not begin as one.")
        return cls(identifier, prefix)

    def to_bytes(self) -> bytes:
        return _HEADER.pack(MAGIC, self.identifier, self.prefix, PLAIN.bit_length() - 1)

    def nonce(self, number: int, *, last: bool) -> bytes:
        return self.prefix + struct.pack(">IB", number, last)


def new_key() -> bytes:
    return AESGCM.generate_key(256)


def encrypted(chunks: Iterable[bytes], key: bytes, header: Header) -> Iterator[bytes]:
    """The whole encrypted file: header, then chunks."""
    cipher, head = AESGCM(key), header.to_bytes()
    yield head
    number, waiting = 0, bytearray()
    for chunk in chunks:
        waiting += chunk
        place = 0
        # One chunk is held back: only the end tells which is the last.
        while len(waiting) - place > PLAIN:
            yield cipher.encrypt(header.nonce(number, last=False), bytes(waiting[place : place + PLAIN]), head)
            number, place = _next(number), place + PLAIN
        del waiting[:place]
    yield cipher.encrypt(header.nonce(number, last=True), bytes(waiting), head)


def _next(number: int) -> int:
    if number == _MOST:
        raise StoreError("A file may have 256 TiB.")
    return number + 1


def plain_size(size: int) -> int:
    """How many plain bytes an encrypted file of `size` holds. Raises StoreAltered where it cannot be one."""
    body = size - HEADER
    count = -(-body // FULL)
    if body < _TAG or body - _TAG * count < 0 or (count > 1 and body - FULL * (count - 1) <= _TAG):
        raise StoreAltered("An encrypted file is cut short.")
    return body - _TAG * count


@dataclass(frozen=True)
class Span:
    """Which bytes of the encrypted file hold a range of the plain one. `skip` of the first chunk are not wanted."""

    start: int
    end: int
    first: int
    skip: int
    length: int


def span(size: int, start: int, end: int | None) -> Span:
    """For the plain bytes from `start` up to `end` of an encrypted file of `size`."""
    plain = plain_size(size)
    stop = plain if end is None else min(end, plain)
    start = min(start, plain)
    first = min(start, max(plain - 1, 0)) // PLAIN
    final = max(stop - 1, start, 0) // PLAIN
    return Span(
        HEADER + first * FULL,
        min(size, HEADER + (final + 1) * FULL),
        first,
        start - first * PLAIN,
        max(stop - start, 0),
    )


def decrypted(raw: Iterable[bytes], key: bytes, header: Header, size: int, where: Span) -> Iterator[bytes]:
    """The plain bytes of `where` from the encrypted ones. Raises StoreAltered."""
    cipher, head = AESGCM(key), header.to_bytes()
    count = -(-(size - HEADER) // FULL)
    skip, left = where.skip, where.length
    number = where.first
    for sealed in _framed(raw):
        try:
            plain = cipher.decrypt(header.nonce(number, last=number == count - 1), sealed, head)
        except InvalidTag as error:
            raise StoreAltered("An encrypted file is not what was stored.") from error
        part = plain[skip : skip + left]
        skip, left, number = 0, left - len(part), number + 1
        if part:
            yield part
    if left:
        raise StoreAltered("An encrypted file is cut short.")


def _framed(raw: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for chunk in raw:
        waiting += chunk
        place = 0
        while len(waiting) - place >= FULL:
            yield bytes(waiting[place : place + FULL])
            place += FULL
        del waiting[:place]
    if waiting:
        yield bytes(waiting)
