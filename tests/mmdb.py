"""MaxMind databases made by hand: https://maxmind.github.io/MaxMind-DB/"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BUILT = datetime(2026, 11, 1, tzinfo=UTC)
_MARKER = b"\xab\xcd\xefMaxMind.com"
_STRING, _DOUBLE, _MAP = 2, 3, 7
_UINT16, _UINT32, _UINT64, _ARRAY = 5, 6, 9, 11


class Wide(int):
    """A number that takes 32 bits, however small it is."""


def city(country: str, state: str = "", name: str = "", at: tuple[float, float] | None = None) -> dict[str, Any]:
    """A record as GeoLite2 City has them; what is empty is not in it."""
    record: dict[str, Any] = {"country": {"names": {"en": country, "de": f"{country} auf Deutsch"}}}
    if state:
        record["subdivisions"] = [{"names": {"en": state}}]
    if name:
        record["city"] = {"names": {"en": name}}
    if at:
        record["location"] = {"latitude": at[0], "longitude": at[1]}
    return record


def write_mmdb(
    path: Path, networks: Mapping[str, Any], *, kind: str = "GeoLite2-City", built: datetime = BUILT
) -> Path:
    """A database of networks, IPv4 ones at ``::/96`` as MaxMind's own."""
    nodes: list[list[int | None]] = [[None, None]]
    data = bytearray()
    leaves: dict[tuple[int, int], int] = {}
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        bits = format(int(network.network_address), f"0{network.max_prefixlen}b")[: network.prefixlen]
        bits = bits if network.version == 6 else "0" * 96 + bits
        at = 0
        for bit in bits[:-1]:
            child = nodes[at][int(bit)]
            if child is None:
                nodes.append([None, None])
                child = nodes[at][int(bit)] = len(nodes) - 1
            at = child
        leaves[at, int(bits[-1])] = len(data)
        data += _encoded(record)
    count, tree = len(nodes), bytearray()
    for index, pair in enumerate(nodes):
        for side, child in enumerate(pair):
            leaf = leaves.get((index, side))
            value = count + 16 + leaf if leaf is not None else count if child is None else child
            tree += value.to_bytes(3, "big")
    about = {
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": built,
        "database_type": kind, "description": {"en": "made by hand"}, "ip_version": 6, "languages": ["en"],
        "node_count": Wide(count), "record_size": 24,
    }  # fmt: skip
    path.write_bytes(bytes(tree) + b"\0" * 16 + bytes(data) + _MARKER + _encoded(about))
    return path


def _encoded(value: Any) -> bytes:
    match value:
        case datetime():
            seconds = int(value.timestamp())
            return _head(_UINT64, 8) + seconds.to_bytes(8, "big")
        case str():
            raw = value.encode()
            return _head(_STRING, len(raw)) + raw
        case float():
            return _head(_DOUBLE, 8) + struct.pack(">d", value)
        case int():
            size = 4 if isinstance(value, Wide) or value >= 2**16 else 2
            return _head(_UINT16 if size == 2 else _UINT32, size) + value.to_bytes(size, "big")
        case dict():
            return _head(_MAP, len(value)) + b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
        case list():
            return _head(_ARRAY, len(value)) + b"".join(map(_encoded, value))
    raise TypeError(type(value))


def _head(kind: int, size: int) -> bytes:
    assert size < 285
    first, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return bytes([kind << 5 | first]) + more if kind <= 7 else bytes([first, kind - 7]) + more
