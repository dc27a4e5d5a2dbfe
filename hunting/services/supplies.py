"""What a query on a case's tables is given beside them: what can be known before it runs, and the files for it."""

import functools
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from hunting.feedfiles import FeedBroken, header_of
from hunting.models import PlacesFile, ProfilesFile
from hunting.services import feeds
from ircase import store
from ircase.models import Case, Connection, User
from ircase.services import log
from ircase.services.transfer.uploads import Upload
from ircase.services.vault import removal
from ircase.store import Stored, digest_of, put
from kql import PROFILE_COLUMNS, KqlError, Needs, Supplies, Table, needs
from kql.places import BadDatabase, places_info

PROFILES_TABLE = "FileProfiles"
"""A case table of this name answers FileProfile() first."""

PLACES_BYTES = 512 * 2**20
PROFILES_BYTES = 256 * 2**20
_UNKNOWN = Path("/")


@dataclass(frozen=True)
class Database:
    """The database of places in use. `built_at` and `kind` are its own words; `from_setting`: IRCASE_MMDB names it, and
    only then `path` is where it lies."""

    path: Path
    name: str
    sha256: str
    kind: str
    built_at: datetime
    from_setting: bool
    is_old: bool

    def local(self) -> Path:
        """The file itself, or a copy of what the store has. Raises StoreError."""
        return self.path if self.from_setting else store.local_path(self.sha256)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.kind,
            "built_at": self.built_at.isoformat(),
            "sha256": self.sha256,
        }


def needs_of(text: str) -> Needs:
    """What a query asks for; nothing where it is no KQL, which the engine says better."""
    try:
        return needs(text)
    except KqlError:
        return Needs()


def offered(case: Case, text: str) -> Supplies:
    """For a check before the run: the shapes of what the query would be given, and why not. Fetches nothing."""
    wanted = needs_of(text)
    refused = {a: why for use in wanted.feeds for a in use.addresses if (why := feeds.why_not(a))}
    open_feeds = {
        use.key: Table("feed", (), columns=use.columns)
        for use in wanted.feeds
        if use.columns and not any(address in refused for address in use.addresses)
    }
    knows = wanted.profiles and knows_files(case)
    return Supplies(
        feeds=open_feeds,
        refused=refused,
        profiles=Table(PROFILES_TABLE, (), columns=PROFILE_COLUMNS) if knows else None,
        places=_UNKNOWN if wanted.places and database() is not None else None,
    )


def asked_connection(case: Case) -> Connection | None:
    """The tenant whose Defender is asked about files; None where the case has none, or it is switched off."""
    return case.connection if case.connection and case.connection.enabled else None


def knows_files(case: Case) -> bool:
    """Whether anything can be known of files for this case."""
    own = case.tables.filter(name=PROFILES_TABLE, queryable=True).exists()
    return own or asked_connection(case) is not None or profiles_file() is not None


def profiles_file() -> ProfilesFile | None:
    """The table of file profiles for all cases."""
    return ProfilesFile.objects.filter(withdrawn_at=None).first()


def database() -> Database | None:
    """The database of places: the setting's, else the newest that an administrator supplied. None where there is
    none, or the setting's cannot be read (the administrators' page says so)."""
    if settings.PLACES_FILE:
        return setting_database()[0]
    row = PlacesFile.objects.filter(withdrawn_at=None).first()
    if row is None:
        return None
    return Database(_UNKNOWN, row.name, row.sha256, row.kind, row.built_at, False, row.is_old)


def setting_database() -> tuple[Database | None, str]:
    """What IRCASE_MMDB names, or the sentence why it cannot be used."""
    path = Path(settings.PLACES_FILE)
    try:
        status = path.stat()
        return _read(path, status.st_mtime_ns, status.st_size), ""
    except OSError as error:
        return None, f"IRCASE_MMDB names {path.name}, which cannot be read: {error.strerror}."
    except BadDatabase as error:
        return None, f"IRCASE_MMDB names {path.name}. {error}"


@functools.lru_cache(maxsize=2)
def _read(path: Path, changed: int, size: int) -> Database:
    # By time and size: the file may be replaced under the same name while this process lives.
    about = places_info(path)
    row = PlacesFile(built_at=about.built_at)
    return Database(path, path.name, digest_of(path), about.kind, about.built_at, True, row.is_old)


@transaction.atomic
def install_places(*, file: Upload, actor: User) -> PlacesFile:
    """Keep a database of places and use it from now on. Raises ValidationError where it is none."""
    stored = _kept(file, PLACES_BYTES)
    try:
        about = places_info(store.local_path(stored.sha256))
    except (BadDatabase, OSError) as error:
        raise ValidationError({"file": str(error)}) from error
    row = PlacesFile(
        name=(file.name or "unnamed")[:200],
        sha256=stored.sha256,
        size=stored.size,
        uploaded_by=actor,
        kind=about.kind[:100],
        built_at=about.built_at,
    )
    removal.claim(stored)
    row.save()
    log.record("places.installed", actor=actor, name=row.name, sha256=row.sha256, built_at=row.built_at.isoformat())
    return row


@transaction.atomic
def install_profiles(*, file: Upload, actor: User) -> ProfilesFile:
    """Keep a CSV of file profiles for all cases. Raises ValidationError where its first line does not name them."""
    stored = _kept(file, PROFILES_BYTES)
    try:
        names = header_of(store.local_path(stored.sha256), PROFILES_BYTES)
    except FeedBroken as error:
        raise ValidationError({"file": str(error)}) from error
    known = {column.name for column in PROFILE_COLUMNS}
    if not {"SHA1", "SHA256"} & set(names) or len(known & set(names)) < 2:
        raise ValidationError(
            {"file": "Its first line names the columns: SHA1 or SHA256, and others that FileProfile() adds."}
        )
    row = ProfilesFile(name=(file.name or "unnamed")[:200], sha256=stored.sha256, size=stored.size, uploaded_by=actor)
    removal.claim(stored)
    row.save()
    log.record("profiles.installed", actor=actor, name=row.name, sha256=row.sha256)
    return row


@transaction.atomic
def withdraw(*, row: PlacesFile | ProfilesFile, actor: User) -> None:
    """Use it no longer; the one before it, where there is one, is used again. The file is kept."""
    if row.withdrawn_at is None:
        row.withdrawn_at = timezone.now()
        row.save(update_fields=["withdrawn_at"])
        code = "places.withdrawn" if isinstance(row, PlacesFile) else "profiles.withdrawn"
        log.record(code, actor=actor, name=row.name, sha256=row.sha256)


def _kept(file: Upload, cap: int) -> Stored:
    if (file.size or 0) > cap:
        raise ValidationError({"file": f"At most {cap // 2**20} MB."})
    return put(file.chunks(2**20))
