"""What a time-stamping authority is asked, and whether its answer is one to that question (RFC 3161). No network here.

https://www.rfc-editor.org/rfc/rfc3161. The parsing and the signature's verification are rfc3161-client's; each check
that it makes is made here first, so that what is wrong has a name.
"""

import hashlib
import secrets
import ssl
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from rfc3161_client import PKIStatus, TimeStampResponse, VerificationError, VerifierBuilder, decode_timestamp_response

DRIFT: Final = timedelta(minutes=5)
"""By which the authority's clock and ours may differ."""
MOST_NONCE: Final = 2**63
_SHA256: Final = "2.16.840.1.101.3.4.2.1"


class BadStamp(Exception):
    """The answer is not a stamp of what was asked, or nobody trusted signed it. The message names what is wrong."""


class BadAuthorities(Exception):
    """The settings name no authority that can be used. The message says why."""


@dataclass(frozen=True)
class Question:
    """What goes to the authority as `query`, and what its answer must agree with. `asked_at` by our clock."""

    digest: bytes
    nonce: int
    policy: str
    query: bytes
    asked_at: datetime


@dataclass(frozen=True)
class Stamp:
    """A stamp that holds. `authority` is the subject of the certificate that signed it."""

    at: datetime
    authority: str
    serial: str
    policy: str


def question(digest: bytes, *, policy: str, now: datetime) -> Question:
    """A TimeStampReq for a SHA-256, with a nonce of its own, asking for the signer's certificate. Raises
    BadAuthorities where `policy` is no object identifier."""
    nonce = secrets.randbelow(MOST_NONCE - 1) + 1
    imprint = _sequence(_sequence(_oid(_SHA256), b"\x05\x00"), _tlv(0x04, digest))
    wanted = _oid(policy) if policy else b""
    query = _sequence(_integer(1), imprint, wanted, _integer(nonce), b"\x01\x01\xff")
    return Question(digest, nonce, policy, query, now)


def checked(answer: bytes, asked: Question, authorities: Sequence[x509.Certificate], now: datetime) -> Stamp:
    """The stamp in an answer, verified: status, hash, nonce, policy, time, signature and chain. Raises BadStamp."""
    response = _read(answer)
    info = response.tst_info
    _agrees(response, asked.digest)
    if info.nonce != asked.nonce:
        raise BadStamp("The answer holds another nonce: it is an old one, or one to somebody else.")
    if asked.policy and info.policy.dotted_string != asked.policy:
        raise BadStamp(f"It was stamped under the policy {info.policy.dotted_string}, not {asked.policy}.")
    if not asked.asked_at - DRIFT <= info.gen_time <= now + DRIFT:
        raise BadStamp(f"Its time, {info.gen_time:%Y-%m-%d %H:%M:%S} UTC, is not now. One of the two clocks is wrong.")
    _signed(response, asked, authorities)
    return Stamp(info.gen_time, _signer(response)[:300], str(info.serial_number)[:100], info.policy.dotted_string[:100])


def problem_of(answer: bytes, digest: str) -> str:
    """Why a kept answer is no stamp of a digest (hexadecimal) any more; "" where it is. The signature is not asked."""
    try:
        _agrees(_read(answer), bytes.fromhex(digest))
    except BadStamp as error:
        return str(error)
    return ""


def authorities_of(path: str) -> list[x509.Certificate]:
    """The certificates of a PEM file, or the machine's own authorities where no file is named. Raises
    BadAuthorities."""
    if not path:
        return list(_readable(ssl.create_default_context().get_ca_certs(True)))
    try:
        found = x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise BadAuthorities(f"IRCASE_TSA_CA_FILE cannot be read as PEM: {error}") from error
    if not any(one.issuer == one.subject for one in found):
        raise BadAuthorities("IRCASE_TSA_CA_FILE holds no root: a certificate that is signed by itself.")
    return found


def _readable(found: Sequence[bytes]) -> Iterator[x509.Certificate]:
    """Old roots of the machine are not always what the standard allows: those are passed over."""
    for one in found:
        with suppress(ValueError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield x509.load_der_x509_certificate(one)


def pem_of(path: str) -> str | None:
    """The same file as text, for the connection's own trust: an authority of the house has a server of the house.
    Raises BadAuthorities."""
    try:
        return Path(path).read_text(encoding="ascii") if path else None
    except (OSError, ValueError) as error:
        raise BadAuthorities(f"IRCASE_TSA_CA_FILE cannot be read as PEM: {error}") from error


def _read(answer: bytes) -> TimeStampResponse:
    if answer.lstrip()[:1] == b"<":
        raise BadStamp("It answered with a page of text, not with a time stamp. Check IRCASE_TSA_URL.")
    try:
        response = decode_timestamp_response(answer)
        status = PKIStatus(response.status)
    except ValueError as error:
        raise BadStamp("What it answered cannot be read as a time stamp.") from error
    if status != PKIStatus.GRANTED:
        said = " ".join(response.status_string)[:150].rstrip(".")
        raise BadStamp(f"It refused: {status.name.lower().replace('_', ' ')}{': ' if said else ''}{said}.")
    try:
        response.tst_info.gen_time  # noqa: B018  # it is read when it is asked for
        response.signed_data.signer_infos  # noqa: B018
    except ValueError as error:
        raise BadStamp("It granted a time stamp and sent none.") from error
    return response


def _agrees(response: TimeStampResponse, digest: bytes) -> None:
    imprint = response.tst_info.message_imprint
    if imprint.hash_algorithm.dotted_string != _SHA256 or imprint.message != digest:
        raise BadStamp("It stamped other bytes: the hash in it is not the statement's.")


def _signed(response: TimeStampResponse, asked: Question, authorities: Sequence[x509.Certificate]) -> None:
    roots = [one for one in authorities if one.issuer == one.subject]
    between = [one for one in authorities if one.issuer != one.subject]
    verifier = VerifierBuilder(roots=roots, intermediates=between, nonce=asked.nonce).build()
    try:
        verifier.verify(response, asked.digest)
    except VerificationError as error:
        raise BadStamp(f"Its signature is not one that is trusted: {_plain(error)}") from error


def _plain(error: VerificationError) -> str:
    """What OpenSSL says of a chain, in words."""
    said = str(error)
    for part, words in (
        ("expired", "the signer's certificate had expired."),
        ("not yet valid", "the signer's certificate was not valid yet."),
        ("issuer certificate", "no authority that is trusted here (IRCASE_TSA_CA_FILE) stands behind the signer."),
        ("self", "no authority that is trusted here (IRCASE_TSA_CA_FILE) stands behind the signer."),
        ("EKU", "the signer's certificate is not for time stamps."),
        ("digest", "what was signed was changed."),
        ("signature", "what was signed was changed."),
    ):
        if part in said:
            return words
    return said[:200]


def _signer(response: TimeStampResponse) -> str:
    (signed,) = response.signed_data.signer_infos
    for one in map(x509.load_der_x509_certificate, response.signed_data.certificates):
        if (one.issuer, one.serial_number) == (signed.issuer, signed.serial_number):
            return one.subject.rfc4514_string()
    return signed.issuer.rfc4514_string()


# --- as much of DER as a question needs ------------------------------------------------------------------------------
def _tlv(tag: int, content: bytes) -> bytes:
    assert len(content) < 0x80  # a question is never that long
    return bytes([tag, len(content)]) + content


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(text: str) -> bytes:
    try:
        x509.ObjectIdentifier(text)
        first, second, *rest = (int(part) for part in text.split("."))
    except ValueError:
        raise BadAuthorities("IRCASE_TSA_POLICY is an object identifier, as in 1.3.6.1.4.1.4146.2.2.") from None
    content = b""
    for number in (first * 40 + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        content += bytes(reversed(digits))
    if len(content) > 40:
        raise BadAuthorities("IRCASE_TSA_POLICY is longer than a policy's identifier is.")
    return _tlv(0x06, content)


def digest_of(text: str) -> bytes:
    """The hash that is stamped: that of a statement's body, as in its `digest`."""
    return hashlib.sha256(text.encode()).digest()
