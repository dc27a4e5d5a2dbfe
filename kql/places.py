"""Where addresses are, by a MaxMind database such as GeoLite2 City.

https://maxmind.github.io/MaxMind-DB/ and https://dev.maxmind.com/geoip/docs/databases/city-and-country
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import maxminddb

from kql.errors import KqlResourceError, KqlSchemaError, KqlUnsupported

_BATCH = 10_000
_MOST = 1_000_000
_FORMAT = 2


class BadDatabase(ValueError):
    """The file is no database that the function can be answered from; the message says why."""


@dataclass(frozen=True)
class PlacesInfo:
    """A database's own words: its type (``GeoLite2-City``), when it was built, and how many nodes its tree has."""

    kind: str
    built_at: datetime
    nodes: int


def places_info(path: Path) -> PlacesInfo:
    """What a database says of itself, after a look whether it can be read. Raises BadDatabase, OSError."""
    with _opened(path) as reader:
        about = reader.metadata()
        if about.binary_format_major_version != _FORMAT or not _is_of_places(about.database_type):
            raise BadDatabase(
                f"This is a database of type {about.database_type[:60]!r}. A City or a Country database is needed."
            )
        for address in ("1.1.1.1", "2001:4860::1"):
            if about.ip_version == _V6 or ":" not in address:
                _answer(reader, address)
        return PlacesInfo(about.database_type, datetime.fromtimestamp(about.build_epoch, UTC), about.node_count)


_V6 = 6


def _is_of_places(kind: str) -> bool:
    return any(word in kind for word in ("City", "Country", "Enterprise"))


@contextmanager
def _opened(path: Path) -> Iterator[maxminddb.Reader]:
    """The reader; what a broken file makes of it becomes a BadDatabase."""
    try:
        with maxminddb.open_database(path, maxminddb.MODE_MMAP) as reader:
            yield reader
    except BadDatabase:
        raise
    # A file that only looks like one breaks the reader in many ways, which its own error does not cover.
    except (maxminddb.InvalidDatabaseError, ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise BadDatabase("This is no MaxMind database, or a broken one.") from error
    except (OSError, AttributeError, RecursionError, MemoryError) as error:
        raise BadDatabase("This is no MaxMind database, or a broken one.") from error


def _answer(reader: maxminddb.Reader, address: str) -> dict[str, Any] | None:
    """The bag of an address, None where the text is no address or nothing is known of it."""
    try:
        found: Any = reader.get(address.strip())
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    divisions = found.get("subdivisions")
    first = divisions[0] if isinstance(divisions, list) and divisions else None
    location = found.get("location")
    bag: dict[str, Any] = {
        "country": _english(found.get("country")),
        "state": _english(first),
        "city": _english(found.get("city")),
        "latitude": location.get("latitude") if isinstance(location, dict) else None,
        "longitude": location.get("longitude") if isinstance(location, dict) else None,
    }
    return {key: value for key, value in bag.items() if value not in (None, "")} or None


def _english(record: Any) -> str:
    names = record.get("names") if isinstance(record, dict) else None
    name = names.get("en") if isinstance(names, dict) else None
    return name if isinstance(name, str) else ""


class Unlooked:
    """In the place of a database while a query is checked, not run."""

    def of(self, address: str) -> dict[str, Any] | None:
        """Nothing: it is not looked at."""
        return None

    def table(self, addresses: str) -> str:
        """A table like that of ``Places.table``, without rows."""
        return "(SELECT NULL::VARCHAR AS ip, NULL::JSON AS bag WHERE false)"


class Places:
    """A database for one query: the addresses that its rows have are looked up before it runs."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._made = 0
        try:
            self._reader = maxminddb.open_database(path, maxminddb.MODE_AUTO)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise KqlUnsupported(
                "The database of places cannot be read.", hint="An administrator can supply it anew.", detail=str(error)
            ) from error

    def of(self, address: str) -> dict[str, Any] | None:
        """One address's place. Raises KqlSchemaError where the database is broken."""
        try:
            return _answer(self._reader, address)
        except maxminddb.InvalidDatabaseError as error:
            raise KqlSchemaError(
                "The database of places is broken.", hint="An administrator can supply it anew.", detail=str(error)
            ) from error

    def table(self, addresses: str) -> str:
        """The name of a table of ``ip`` and ``bag`` (JSON) for the texts that a SELECT of one column gives.

        Addresses of which nothing is known are not in it. Raises KqlResourceError for more than a million, KqlError and
        duckdb.Error.
        """
        self._made += 1
        name = f"places{self._made}"
        self._connection.execute(f"CREATE TEMP TABLE {name} (ip VARCHAR, bag JSON)")
        cursor = self._connection.cursor()
        cursor.execute(f"SELECT DISTINCT a FROM ({addresses}) AS t(a) WHERE a <> ''")
        asked = 0
        while rows := cursor.fetchmany(_BATCH):
            asked += len(rows)
            if asked > _MOST:
                raise KqlResourceError(
                    f"The rows have more than {_MOST:,} addresses to look up.",
                    hint="Filter or summarize before geo_info_from_ip_address().",
                )
            self._keep(name, [row[0] for row in rows])
        return name

    def _keep(self, name: str, addresses: Sequence[str]) -> None:
        known = [{"ip": address, "bag": bag} for address in addresses if (bag := self.of(address)) is not None]
        self._connection.execute(
            f"INSERT INTO {name} SELECT e->>'$.ip', e->'$.bag' FROM (SELECT unnest(CAST(? AS JSON[])) AS e)",
            [json.dumps(known)],
        )
