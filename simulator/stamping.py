"""A time-stamping authority (https://www.rfc-editor.org/rfc/rfc3161): it says when it saw a hash, and signs that.

Its tokens are checked by `openssl ts -verify` in the tests. Faults of the control endpoint make it answer wrongly.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from werkzeug.wrappers import Response

from simulator import der
from simulator.http import Call, Route
from simulator.tenant import Service

POLICY = "1.3.6.1.4.1.99999.1.1"
SHA256 = "2.16.840.1.101.3.4.2.1"
_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
_SIGNED_DATA, _TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _DIGEST, _SIGNING_CERTIFICATE = (
    "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.16.2.47",
)  # fmt: skip
_REJECTION, _BAD_ALGORITHM, _BAD_FORMAT, _BAD_POLICY = 2, 0, 5, 15


class Refused(Exception):
    """The query is not answered with a stamp. `reason` is a bit of PKIFailureInfo."""

    def __init__(self, reason: int, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Query:
    """What is asked: the imprint as it came, the policy and the nonce where they were given."""

    imprint: bytes
    policy: str
    nonce: bytes

    @classmethod
    def read(cls, data: bytes) -> Query:
        """Raises Refused."""
        try:
            ((tag, content),) = der.parts(data)
            values = list(der.parts(content))
            (_, imprint), rest = values[1], values[2:]
            algorithm = next(der.parts(next(der.parts(imprint))[1]))
        except (ValueError, IndexError, StopIteration):
            raise Refused(_BAD_FORMAT, "This is no time-stamp query.") from None
        if der.tlv(*algorithm) != der.oid(SHA256):
            raise Refused(_BAD_ALGORITHM, "Only SHA-256 is stamped here.")
        wanted = [der.tlv(*value) for value in rest if value[0] == der.OID]
        if wanted and wanted != [der.oid(POLICY)]:
            raise Refused(_BAD_POLICY, "There is no such policy here.")
        nonce = next((der.tlv(*value) for value in rest if value[0] == der.INTEGER), b"")
        return cls(der.tlv(der.SEQUENCE, imprint), POLICY, nonce)


@dataclass(frozen=True)
class Signer:
    """Who signs: a certificate for time stamps and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Authority:
    """The authority of one state folder: `tsa-ca.pem` is its root. Keys are kept there, for it is a toy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "tsa-ca.pem").exists():
            _write(folder / "tsa.key", ec.generate_private_key(ec.SECP256R1()))
            root = _certificate("IRCase simulator time-stamping CA", None, self._root_key(), timedelta(days=3650))
            (folder / "tsa-ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
        self.root = x509.load_pem_x509_certificate((folder / "tsa-ca.pem").read_bytes())

    def _root_key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key((self.folder / "tsa.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def signer(self, *, known: bool = True, lasts: timedelta = timedelta(days=365)) -> Signer:
        """A signer of this authority, or where not `known` of one that nobody trusts. `lasts` may lie in the past."""
        key = ec.generate_private_key(ec.SECP256R1())
        root_key = self._root_key() if known else ec.generate_private_key(ec.SECP256R1())
        issuer = Signer(self.root, root_key)
        return Signer(_certificate("IRCase simulator time stamps", issuer, key, lasts), key)

    def answer(self, data: bytes, faults: Collection[str] = (), now: datetime | None = None) -> bytes:
        """The DER of the answer to a query, right or wrong as `faults` say."""
        try:
            query = Query.read(data)
        except Refused as error:
            return _rejection(error)
        if "stamp_rejected" in faults:
            return _rejection(Refused(_BAD_POLICY, "Not today."))
        moment = now or datetime.now(UTC)
        if "stamp_old" in faults:
            moment -= timedelta(days=2)
        expired = timedelta(hours=-1) if "stamp_expired" in faults else timedelta(days=365)
        signer = self.signer(known="stamp_unknown" not in faults, lasts=expired)
        token = _token(_info(query, moment, faults), signer)
        if "stamp_forged" in faults:
            token = token[:-1] + bytes([token[-1] ^ 1])
        return der.sequence(der.sequence(der.integer(0)), token)


def publish(folder: Path) -> Path:
    """What clients are given as the authority's certificates: its root, and the authority of the server they ask."""
    Authority(folder)
    path = folder / "time-stamps.pem"
    path.write_bytes((folder / "tsa-ca.pem").read_bytes() + (folder / "ca.pem").read_bytes())
    return path.resolve()


def _info(query: Query, moment: datetime, faults: Collection[str]) -> bytes:
    """TSTInfo: what is said about the hash."""
    imprint, nonce = query.imprint, query.nonce
    if "stamp_other_hash" in faults:
        imprint = imprint[:-32] + hashlib.sha256(b"something else").digest()
    if "stamp_other_nonce" in faults:
        nonce = der.integer(4711)
    serial = int.from_bytes(os.urandom(8), "big")
    accuracy = der.sequence(der.integer(1))
    return der.sequence(
        der.integer(1), der.oid(query.policy), imprint, der.integer(serial), der.time(moment), accuracy, nonce
    )


def _token(info: bytes, signer: Signer) -> bytes:
    """TimeStampToken: signed data of CMS, https://www.rfc-editor.org/rfc/rfc5652"""
    certificate = signer.certificate.public_bytes(serialization.Encoding.DER)
    sha256 = der.sequence(der.oid(SHA256))
    # SigningCertificateV2, https://www.rfc-editor.org/rfc/rfc5816: SHA-256 is its default and is not written.
    named = der.sequence(der.sequence(der.sequence(der.octets(hashlib.sha256(certificate).digest()))))
    attributes = der.set_of(
        der.sequence(der.oid(_CONTENT_TYPE), der.set_of(der.oid(_TST_INFO))),
        der.sequence(der.oid(_DIGEST), der.set_of(der.octets(hashlib.sha256(info).digest()))),
        der.sequence(der.oid(_SIGNING_CERTIFICATE), der.set_of(named)),
    )
    signature = signer.key.sign(attributes, ec.ECDSA(hashes.SHA256()))
    ((_, members),) = der.parts(attributes)
    who = der.sequence(signer.certificate.issuer.public_bytes(), der.integer(signer.certificate.serial_number))
    signed = der.sequence(
        der.integer(1), who, sha256, der.tagged(0, members), der.sequence(der.oid(_ECDSA_SHA256)), der.octets(signature)
    )
    content = der.sequence(der.oid(_TST_INFO), der.tagged(0, der.octets(info)))
    data = der.sequence(der.integer(3), der.set_of(sha256), content, der.tagged(0, certificate), der.set_of(signed))
    return der.sequence(der.oid(_SIGNED_DATA), der.tagged(0, data))


def _rejection(error: Refused) -> bytes:
    bits = bytearray(error.reason // 8 + 1)
    bits[-1] = 0x80 >> error.reason % 8
    failure = der.tlv(0x03, bytes([7 - error.reason % 8]) + bytes(bits))
    text = der.sequence(der.tlv(der.UTF8, str(error).encode()))
    return der.sequence(der.sequence(der.integer(_REJECTION), text, failure))


def _certificate(
    name: str, issuer: Signer | None, key: ec.EllipticCurvePrivateKey, lasts: timedelta
) -> x509.Certificate:
    """A root where there is no issuer, else a certificate for time stamps alone."""
    now, subject = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + lasts)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=0 if issuer is None else None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(_usage(authority=issuer is None), True)
    )
    if issuer is None:
        return builder.sign(key, hashes.SHA256())
    stamps = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return builder.add_extension(stamps, True).add_extension(above, False).sign(issuer.key, hashes.SHA256())


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _write(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


def stamp(call: Call) -> Response:
    """A query, answered. No token: such authorities ask for none."""
    authority = Authority(call.simulator.options.state)
    answer = authority.answer(call.request.get_data(), frozenset(call.faults))
    return Response(answer, content_type="application/timestamp-reply")


ROUTES = (Route("POST", "/tsa", stamp, Service.STAMPS),)
