"""What survives a restart: a small SQLite file with documents by kind and id, and blobs."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, id)
);
CREATE TABLE IF NOT EXISTS blob (name TEXT PRIMARY KEY, content BLOB NOT NULL);
"""


class State:
    """Documents and blobs, safe for use from many threads. Each write is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._connection.close()

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """One document, or None."""
        with self.lock:
            row = self._connection.execute(
                "SELECT body FROM document WHERE kind = ? AND id = ?", (kind, key)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, key: str, body: dict[str, Any]) -> None:
        """Write a document; a known id keeps its place in the order."""
        with self.lock:
            self._connection.execute(
                "INSERT INTO document (kind, id, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, key, json.dumps(body)),
            )

    def delete(self, kind: str, key: str) -> bool:
        """Remove a document; whether there was one."""
        with self.lock:
            found = self._connection.execute("DELETE FROM document WHERE kind = ? AND id = ?", (kind, key))
            return found.rowcount > 0

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """Every document of a kind, oldest first."""
        with self.lock:
            rows = self._connection.execute(
                "SELECT body FROM document WHERE kind = ? ORDER BY sequence", (kind,)
            ).fetchall()
        for (body,) in rows:
            yield json.loads(body)

    def put_blob(self, name: str, content: bytes) -> None:
        """Write a blob."""
        with self.lock:
            self._connection.execute("INSERT OR REPLACE INTO blob VALUES (?, ?)", (name, content))

    def get_blob(self, name: str) -> bytes | None:
        """A blob, or None."""
        with self.lock:
            row = self._connection.execute("SELECT content FROM blob WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def delete_blob(self, name: str) -> None:
        """Remove a blob, if there is one."""
        with self.lock:
            self._connection.execute("DELETE FROM blob WHERE name = ?", (name,))
