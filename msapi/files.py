"""What Defender knows of a file: https://learn.microsoft.com/defender-endpoint/api/files"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msapi.reading import flag, number, text


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
