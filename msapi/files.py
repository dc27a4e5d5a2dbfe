"""What Defender knows of a file: https://learn.microsoft.com/defender-endpoint/api/files"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msapi.reading import flag, number, text, texts


@dataclass(frozen=True, slots=True)
class FileProfile:
    """A file as Defender describes it; "" and None mean that it does not say. Times are ISO 8601 texts, sizes bytes.

    `prevalence`: on how many devices of the world it was seen. `threat`: the name of what it was found to be.
    """

    sha1: str
    sha256: str
    md5: str
    size: int | None
    prevalence: int | None
    first_seen: str
    last_seen: str
    publisher: str
    product: str
    signer: str
    issuer: str
    signer_hash: str
    is_certificate_valid: bool | None
    is_pe: bool | None
    determination: str
    threat: str


def read_file_profile(raw: Mapping[str, Any]) -> FileProfile:
    """The resource as a value; whatever has another shape counts as not said."""
    return FileProfile(
        sha1=text(raw, "sha1").lower(),
        sha256=text(raw, "sha256").lower(),
        md5=text(raw, "md5").lower(),
        size=number(raw, "size"),
        prevalence=number(raw, "globalPrevalence"),
        first_seen=text(raw, "globalFirstObserved"),
        last_seen=text(raw, "globalLastObserved"),
        publisher=text(raw, "filePublisher"),
        product=text(raw, "fileProductName"),
        signer=text(raw, "signer"),
        issuer=text(raw, "issuer"),
        signer_hash=text(raw, "signerHash"),
        is_certificate_valid=flag(raw, "isValidCertificate"),
        is_pe=flag(raw, "isPeFile"),
        determination=text(raw, "determinationType"),
        threat=text(raw, "determinationValue"),
    )


@dataclass(frozen=True, slots=True)
class FileStats:
    """How common a file is: on how many devices of the organisation and of the world, since when, under which names.

    `prevalence` and `world_prevalence` are None where the service does not say; times are ISO 8601 texts.
    """

    sha1: str
    prevalence: int | None
    first_seen: str
    last_seen: str
    world_prevalence: int | None
    world_first_seen: str
    world_last_seen: str
    names: tuple[str, ...]


def read_file_stats(raw: Mapping[str, Any]) -> FileStats:
    """The statistics as a value. The service spells the figure of the world `globallyPrevalence` here and
    `globalPrevalence` elsewhere: https://learn.microsoft.com/defender-endpoint/api/get-file-statistics"""
    return FileStats(
        sha1=text(raw, "sha1").lower(),
        prevalence=number(raw, "organizationPrevalence", "orgPrevalence"),
        first_seen=text(raw, "orgFirstSeen"),
        last_seen=text(raw, "orgLastSeen"),
        world_prevalence=number(raw, "globallyPrevalence", "globalPrevalence"),
        world_first_seen=text(raw, "globalFirstObserved"),
        world_last_seen=text(raw, "globalLastObserved"),
        names=texts(raw, "topFileNames"),
    )
