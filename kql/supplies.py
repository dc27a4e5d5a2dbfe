"""What a query may be given beside its tables, and how it comes into the child process: as files that are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kql.tables import Table
from kql.types import Column

PROFILE_COLUMNS: tuple[Column, ...] = (
    Column("SHA1", "string"),
    Column("SHA256", "string"),
    Column("MD5", "string"),
    Column("FileSize", "int"),
    Column("GlobalPrevalence", "int"),
    Column("GlobalFirstSeen", "datetime"),
    Column("GlobalLastSeen", "datetime"),
    Column("Signer", "string"),
    Column("Issuer", "string"),
    Column("SignerHash", "string"),
    Column("IsCertificateValid", "bool"),
    Column("IsRootSignerMicrosoft", "bool"),
    Column("SignatureState", "string"),
    Column("IsExecutable", "bool"),
    Column("ThreatName", "string"),
    Column("Publisher", "string"),
    Column("SoftwareName", "string"),
    Column("ProfileAvailability", "string"),
)
"""What FileProfile() adds: https://learn.microsoft.com/en-us/defender-xdr/advanced-hunting-fileprofile-function"""


@dataclass(frozen=True)
class Supplies:
    """What is at hand for one query.

    ``feeds``: for an ``externaldata`` (``FeedUse.key``) the table of what was fetched. Its columns are those that the
    query declares, in order, as strings (dynamic where the file holds JSON). ``refused``: addresses that are not read,
    and why. ``profiles``: a table with PROFILE_COLUMNS; None where nothing can be known of files. ``places``: a MaxMind
    database; None where there is none.
    """

    feeds: Mapping[str, Table] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    profiles: Table | None = None
    places: Path | None = None


NOTHING = Supplies()


@dataclass(frozen=True)
class Wanted:
    """Files that FileProfile() asks about: ``column`` is SHA1 or SHA256; ``hashes`` in lower case, sorted, at most as
    many as the call's limit; ``total``: how many different ones the rows have."""

    column: str
    hashes: tuple[str, ...]
    total: int
