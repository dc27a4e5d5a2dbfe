"""What is known of files, for FileProfile(): from the case's table, the table for all cases, and what Defender says.

The columns are kql.PROFILE_COLUMNS; Defender's answers are kept for a while, by connection.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

import kql
from hunting.feedfiles import FeedBroken, named_cells
from hunting.models import KnownFile
from hunting.services.supplies import PROFILES_BYTES, PROFILES_TABLE, asked_connection, profiles_file
from ircase import store
from ircase.models import Case, Connection
from ircase.quota import governor
from ircase.services import connections
from kql import PROFILE_COLUMNS, Table, Wanted, write_parquet
from msapi.clients import clients_for
from msapi.defender import Defender
from msapi.errors import ApiError, Forbidden, GovernorUnavailable, NotFound, Throttled, Unauthorized
from msapi.files import FileProfile
from msapi.governor import Bucket, Granted, defender_bucket

logger = logging.getLogger(__name__)

Row = dict[str, Any]
Watch = Callable[[], None]

PATIENCE: Final = 60.0
"""Seconds that one run waits, in all, for turns at Defender."""

FAILURES: Final = 3
_BATCH: Final = 500
_NAMES: Final = frozenset(column.name for column in PROFILE_COLUMNS)


@dataclass
class Known:
    """What was found out for one run: rows by hash, and where they are from.

    `asked`: calls of Defender. `missing`: files that it does not know. `failed`: calls without an answer. `not_asked`:
    files that nobody was asked about, and `why`.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    from_case: int = 0
    from_table: int = 0
    from_cache: int = 0
    asked: int = 0
    missing: int = 0
    failed: int = 0
    not_asked: set[str] = field(default_factory=set)
    total: int = 0
    why: str = ""

    def as_json(self) -> Row:
        """What the manifest says."""
        return {
            "files": self.total,
            "known": sum(1 for row in self.rows.values() if row.get("ProfileAvailability") == "Available"),
            "from_case_table": self.from_case,
            "from_table": self.from_table,
            "from_earlier_answers": self.from_cache,
            "asked_of_defender": self.asked,
            "unknown_to_defender": self.missing,
            "without_an_answer": self.failed,
            "not_asked": max(len(self.not_asked), self.total - len(self.rows)),
            "why_not_asked": self.why,
        }


@dataclass
class Finder:
    """Finds out about files for one run. Ask as often as more hashes come up: what was found stays."""

    case: Case
    tables: Sequence[Table]
    ticket: str
    watch: Watch
    known: Known = field(default_factory=Known)
    waited: float = 0.0
    stopped: bool = False

    def find(self, wanted: Iterable[Wanted]) -> None:
        """Raises what `watch` raises, KqlError for a case table that cannot be read."""
        every = list(wanted)
        self.known.total = max(self.known.total, sum(each.total for each in every))
        new = [digest for each in every for digest in each.hashes if digest not in self.known.rows]
        left = self._of_case(new)
        left = self._of_table(left)
        self._of_defender(left)

    def _of_case(self, hashes: list[str]) -> list[str]:
        own = next((table for table in self.tables if table.name == PROFILES_TABLE), None)
        if own is None or not hashes:
            return hashes
        present = {column.name for column in own.columns or ()}
        for keys in [key for key in ("SHA1", "SHA256") if key in present]:
            for start in range(0, len(hashes), _BATCH):
                prelude = f"let Asked = {kql.list_literal(hashes[start : start + _BATCH], 'string')};\n"
                text = f"{PROFILES_TABLE} | where tolower(tostring({keys})) in (Asked)"
                with kql.query(text, [own], prelude=prelude) as rows:
                    for cells in rows:
                        self.known.from_case += self._take(kql.encode_row(rows.columns, cells), hashes)
        return [digest for digest in hashes if digest not in self.known.rows]

    def _of_table(self, hashes: list[str]) -> list[str]:
        row = profiles_file()
        if row is None or not hashes:
            return hashes
        asked = set(hashes)
        try:
            for cells in named_cells(store.local_path(row.sha256), PROFILES_BYTES):
                if {cells.get("SHA1", "").lower(), cells.get("SHA256", "").lower()} & asked:
                    self.known.from_table += self._take(cells, hashes)
        except (FeedBroken, OSError) as error:
            logger.warning("profiles.table_broken", extra={"table": row.pk, "error": str(error)[:300]})
            self.known.why = f"The table {row.name} cannot be read: {error}"
        return [digest for digest in hashes if digest not in self.known.rows]

    def _take(self, cells: Row, hashes: Iterable[str]) -> int:
        """Keep a table's row under the hashes that were asked for; 1 where it was new."""
        row = {name: value for name, value in cells.items() if name in _NAMES and value not in (None, "")}
        keys = {str(row.get("SHA1", "")).lower(), str(row.get("SHA256", "")).lower()} & set(hashes)
        new = [key for key in keys if key not in self.known.rows]
        for key in new:
            self.known.rows[key] = {"ProfileAvailability": "Available"} | row
        return 1 if new else 0

    # --- Defender

    def _of_defender(self, hashes: list[str]) -> None:
        connection = asked_connection(self.case)
        if connection is None:
            self.known.not_asked |= set(hashes)
            if hashes and not self.known.why:
                self.known.why = "The case has no tenant to ask."
            return
        hashes = self._of_earlier(connection, hashes)
        if hashes and not self.stopped:
            self._ask_all(connection, hashes)
        self.known.not_asked |= {digest for digest in hashes if digest not in self.known.rows}

    def _of_earlier(self, connection: Connection, hashes: list[str]) -> list[str]:
        since = timezone.now() - timedelta(hours=settings.FILE_PROFILE_HOURS)
        for start in range(0, len(hashes), _BATCH):
            batch = hashes[start : start + _BATCH]
            for row in KnownFile.objects.filter(connection=connection, hash__in=batch, fetched_at__gte=since):
                self.known.rows[row.hash] = row.profile
                self.known.from_cache += 1
                self.known.missing += 0 if row.found else 1
        return [digest for digest in hashes if digest not in self.known.rows]

    def _ask_all(self, connection: Connection, hashes: list[str]) -> None:
        endpoint = connections.endpoint(connection)
        defender, bucket = clients_for(endpoint).defender, defender_bucket(endpoint)
        for digest in hashes:
            self.watch()
            if self.known.asked >= settings.FILE_PROFILE_CALLS:
                self._stop(f"One run asks Defender about {settings.FILE_PROFILE_CALLS:,} files at most. Run it again to"
                           " ask about the next; what is known stays known.")  # fmt: skip
            elif not self._turn(bucket):
                self._stop("Defender's quota is used up for the moment. Run it again later to ask about the rest.")
            if self.stopped:
                return
            self._ask(connection, defender, digest)

    def _turn(self, bucket: Bucket) -> bool:
        """Whether a call may be made now, after waiting a little."""
        try:
            while not isinstance(answer := (book := governor()).acquire(bucket, self.ticket), Granted):
                nap = min(answer.seconds, 1.0)
                if answer.eta > PATIENCE - self.waited or self.waited >= PATIENCE:
                    book.leave(bucket, self.ticket)
                    return False
                self._nap(nap)
                self.waited += nap
            book.release(answer)
        except GovernorUnavailable:
            return False
        return True

    def _nap(self, seconds: float) -> None:
        time.sleep(seconds)
        self.watch()

    def _ask(self, connection: Connection, defender: Defender, digest: str) -> None:
        self.known.asked += 1
        try:
            self._keep(connection, digest, row_of(defender.file(digest)), found=True)
        except NotFound:
            self.known.missing += 1
            self._keep(connection, digest, {_column(digest): digest, "ProfileAvailability": "Missing"}, found=False)
        except (Forbidden, Unauthorized, Throttled) as error:
            self.known.failed += 1
            self._stop(str(error))
        except ApiError as error:
            self.known.failed += 1
            self.known.rows[digest] = {_column(digest): digest, "ProfileAvailability": "Error"}
            if self.known.failed >= FAILURES:
                self._stop(str(error))

    def _keep(self, connection: Connection, digest: str, row: Row, *, found: bool) -> None:
        row.setdefault(_column(digest), digest)
        self.known.rows[digest] = row
        KnownFile.objects.update_or_create(
            connection=connection,
            hash=digest,
            defaults={"found": found, "profile": row, "fetched_at": timezone.now()},
        )

    def _stop(self, why: str) -> None:
        self.stopped, self.known.why = True, why


def row_of(profile: FileProfile) -> Row:
    """Defender's answer in FileProfile()'s columns. What the API does not tell is left out: a file without a signer may
    be unsigned or not looked at, so its SignatureState is Unknown; it never names the root of a certificate."""
    state = "Unknown"
    if profile.signer and profile.is_certificate_valid is not None:
        state = "SignedValid" if profile.is_certificate_valid else "SignedInvalid"
    row = {
        "SHA1": profile.sha1,
        "SHA256": profile.sha256,
        "MD5": profile.md5,
        "FileSize": profile.size,
        "GlobalPrevalence": profile.prevalence,
        "GlobalFirstSeen": profile.first_seen,
        "GlobalLastSeen": profile.last_seen,
        "Signer": profile.signer,
        "Issuer": profile.issuer,
        "SignerHash": profile.signer_hash,
        "IsCertificateValid": profile.is_certificate_valid,
        "SignatureState": state,
        "IsExecutable": profile.is_pe,
        "ThreatName": profile.threat,
        "Publisher": profile.publisher,
        "SoftwareName": profile.product,
        "ProfileAvailability": "Available",
    }
    return {name: value for name, value in row.items() if value not in (None, "")}


def _column(digest: str) -> str:
    return "SHA1" if len(digest) == 40 else "SHA256"


def profiles_table(known: Known, folder: Path) -> Table:
    """What was found, as the file of one query."""
    lines, out = folder / "profiles.ndjson", folder / "profiles.parquet"
    lines.write_text("".join(_lines(known)), encoding="utf-8")
    write_parquet(lines, PROFILE_COLUMNS, out)
    return Table(PROFILES_TABLE, (out,), columns=PROFILE_COLUMNS, wildcard=False)


def _lines(known: Known) -> Iterator[str]:
    for digest, row in known.rows.items():
        yield json.dumps({**row, _column(digest): digest}) + "\n"
