#!/usr/bin/env python3
"""Verifies an export of IRCase. It needs Python 3.8 or newer, nothing else: no network, no package, no IRCase.

    python3 verify.py                     the folder that this file lies in
    python3 verify.py EXPORT.zip          an export that was not unpacked; a folder works too
    python3 verify.py EXPORT --key KEY    also demand that it was signed with this public key (64 hexadecimal digits)

It prints a line for each fault, naming the file or the entry, and ends with 0 where everything holds, with 1 where it
found a fault, and with 2 where it was asked wrongly or given nothing to read. It writes nothing and changes nothing.

What it checks, in this order (the functions below are called so):
  Archive            each byte of the zip that is not a file's content is what IRCase writes there
  check_signature    files.json was signed by the key in signature.json (Ed25519, RFC 8032)
  check_files        every file has the size and the SHA-256 that files.json gives it; none is missing, none is extra
  check_exhibits     the register in export.json agrees with each manifest, and with the first entry of custody
  check_chain        each entry of custody and log holds the digest of its content and of the entry before it
  check_statements   the signed daily statements of IRCase knew these chains as they are here
  check_stamp        a time stamp (RFC 3161) on a statement is of that statement. Its signature and the certificates
                     behind it are NOT checked here: that takes OpenSSL, and the command is printed

A signature proves who signed only to those who know the key: compare the key that is printed with the one that the
organisation shows you by another way.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

Report = Callable[[str, str], None]
GENESIS = "0" * 64
CHUNK = 1 << 20
LONGEST_JSON = 256 << 20
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


class Unreadable(Exception):
    """This is no export, or so damaged that nothing more can be said. The message names the place."""


# --- Ed25519: is this signature of this message by this key? https://www.rfc-editor.org/rfc/rfc8032#section-5.1 -----
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)
# A point is (X, Y, Z, T) with x = X/Z, y = Y/Z and x*y = T/Z.


def _add(a: Any, b: Any) -> Any:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Any) -> Any:
    result = (0, 1, 1, 0)  # the neutral point
    while number:
        if number & 1:
            result = _add(result, point)
        point = _add(point, point)
        number >>= 1
    return result


def _x_of(y: int, sign: int) -> int | None:
    """The x of a point, given its y and whether x is odd; None where there is no such point."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_MINUS_ONE % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def _decoded(data: bytes) -> Any:
    number = int.from_bytes(data, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _encoded(point: Any) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return bytes((y | (x & 1) << 255).to_bytes(32, "little"))


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = _decoded(BASE_Y.to_bytes(32, "little"))


def signature_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether S*B = R + h*A: R and S are the signature's halves, A the key, h the hash of R, A and the message."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r, s = _decoded(public), signature[:32], int.from_bytes(signature[32:], "little")
    if key is None or s >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % ORDER
    minus_key = (P - key[0], key[1], key[2], P - key[3])
    return _encoded(_add(_times(s, BASE), _times(h, minus_key))) == r


# --- a time stamp: what was stamped, and when. https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2 ------------------
SHA256_OID = bytes.fromhex("608648016503040201")
STAMP_INFO_OID = bytes.fromhex("2a864886f70d0109100104")


def der_parts(data: bytes) -> list[tuple[int, bytes]]:
    """The values in DER, each with its tag. Raises ValueError."""
    found, at = [], 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            digits = size & 0x7F
            if not 1 <= digits <= 4:
                raise ValueError("a length is not one of DER")
            size, at = int.from_bytes(data[at : at + digits], "big"), at + digits
        if at + size > len(data):
            raise ValueError("a value is cut off")
        found.append((tag, data[at : at + size]))
        at += size
    return found


def stamp_facts(data: bytes) -> tuple[bytes, bytes, str]:
    """The hash algorithm, the hash and the time in a TimeStampResp. Raises ValueError, IndexError."""
    status, token = der_parts(der_parts(data)[0][1])[:2]
    if der_parts(status[1])[0][1] not in (b"\0", b"\1"):
        raise ValueError("no stamp was granted")
    signed = der_parts(der_parts(der_parts(token[1])[1][1])[0][1])
    kind, content = der_parts(signed[2][1])[:2]
    if kind[1] != STAMP_INFO_OID:
        raise ValueError("what was signed is no time stamp")
    info = der_parts(der_parts(der_parts(content[1])[0][1])[0][1])
    algorithm, imprint = der_parts(info[2][1])[:2]
    text = info[4][1].decode("ascii")
    if info[4][0] != 0x18 or not re.fullmatch(r"\d{14}(\.\d+)?Z", text):
        raise ValueError("its time is not one of UTC")
    day, clock = f"{text[:4]}-{text[4:6]}-{text[6:8]}", f"{text[8:10]}:{text[10:12]}:{text[12:-1]}"
    return der_parts(algorithm[1])[0][1], imprint[1], f"{day} {clock} UTC"


# --- where the files are: an unpacked folder, or the zip as IRCase writes it -----------------------------------------
class Folder:
    def __init__(self, path: str, report: Report) -> None:
        self.path = path
        self.names: dict[str, None] = {}
        for folder, folders, files in os.walk(path):
            for name in files + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
                full = os.path.join(folder, name)
                shown = os.path.relpath(full, path).replace(os.sep, "/")
                if os.path.islink(full) or not os.path.isfile(full):
                    report(shown, "it is not a plain file")
                else:
                    self.names[shown] = None

    def chunks(self, name: str) -> Iterator[bytes]:
        with open(os.path.join(self.path, *name.split("/")), "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def local_header(name: bytes, crc: int, size: int) -> bytes:
    fixed = struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, 0x800, 0, 0, 0x21, crc, 2**32 - 1, 2**32 - 1, len(name), 20)
    return fixed + name + struct.pack("<HHQQ", 1, 16, size, size)


def directory_entry(name: bytes, crc: int, size: int, offset: int) -> bytes:
    numbers = (0x02014B50, 0x32D, 45, 0x800, 0, 0, 0x21, crc, 2**32 - 1, 2**32 - 1, len(name), 28, 0, 0, 0)
    fixed = struct.pack("<IHHHHHHIIIHHHHHII", *numbers, 0o100644 << 16, 2**32 - 1)
    return fixed + name + struct.pack("<HHQQQ", 1, 24, size, size, offset)


def end_of_archive(count: int, size: int, offset: int) -> bytes:
    end64 = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<IIQI", 0x07064B50, 0, offset + size, 1)
    return end64 + locator + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)


class Archive:
    """A zip without compression, whose headers hold nothing but name, checksum, size and place of each file: whatever
    else stands in them was not written by IRCase."""

    def __init__(self, path: str, report: Report) -> None:
        self.file, self.report = open(path, "rb"), report
        self.names: dict[str, tuple[int, int, int]] = {}  # checksum, place, size
        length = self.file.seek(0, 2)
        end = self._at(length - 98, 98) if length >= 98 else b""
        count, size, offset = struct.unpack("<QQQ", end[32:56]) if end else (0, 0, 0)
        if size > LONGEST_JSON or offset + size + 98 != length or end != end_of_archive(count, size, offset):
            raise Unreadable("the end of the archive was changed, or it is not an export of IRCase")
        directory, at, expected = self._at(offset, size), 0, 0
        for number in range(1, count + 1):
            crc, name_length = struct.unpack("<I8xH", directory[at + 16 : at + 30].ljust(14, b"\0"))
            name = directory[at + 46 : at + 46 + name_length]
            entry = directory[at : at + 74 + name_length]
            bytes_, place = struct.unpack("<QQ", entry[-16:]) if len(entry) == 74 + name_length else (0, 0)
            if entry != directory_entry(name, crc, bytes_, place) or place != expected:
                raise Unreadable(f"entry {number} of the archive's directory ({shown(name)}) was changed")
            header = local_header(name, crc, bytes_)
            if self._at(place, len(header)) != header:
                report(shown(name), "its header in the archive does not agree with the archive's directory")
            self._add(shown(name), crc, place + len(header), bytes_)
            at, expected = at + len(entry), place + len(header) + bytes_
        if at != len(directory) or expected != offset:
            raise Unreadable("the archive holds bytes that belong to no file")

    def _add(self, name: str, crc: int, place: int, size: int) -> None:
        if name in self.names:
            self.report(name, "it is in the archive twice")
        self.names[name] = (crc, place, size)

    def _at(self, place: int, length: int) -> bytes:
        self.file.seek(place)
        return self.file.read(length)

    def chunks(self, name: str) -> Iterator[bytes]:
        crc, place, size = self.names[name]
        seen = 0
        while size:
            chunk = self._at(place, min(size, CHUNK))
            if not chunk:
                raise OSError("the archive ends before it")
            seen, place, size = zlib.crc32(chunk, seen), place + len(chunk), size - len(chunk)
            yield chunk
        if seen != crc:
            self.report(name, "its bytes do not have the checksum that the archive gives them")


def shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


# --- the checks ------------------------------------------------------------------------------------------------------
def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8: what every digest is made of."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Verifier:
    """One export. `faults` are (place, what is wrong) in the order of finding; `notes` are for people."""

    def __init__(self, path: str, key: str = "", longest: int = LONGEST_JSON) -> None:
        self.faults: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.wanted_key, self.longest, self.public_key = key, longest, ""
        self.hashes: dict[str, tuple[int, str]] = {}
        self.chains: dict[str, dict[int, str]] = {}
        if os.path.isdir(path):
            self.source: Any = Folder(path, self.report)
        elif os.path.isfile(path):
            self.source = Archive(path, self.report)
        else:
            raise Unreadable(f"there is no such folder or file: {path}")

    def report(self, place: str, problem: str) -> None:
        if (place, problem) not in self.faults:
            self.faults.append((place, problem))

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None, and a fault, where it cannot be read."""
        if name not in self.source.names:
            self.report(name, "it is missing")
            return None
        parts, size = [], 0
        try:
            for chunk in self.source.chunks(name):
                parts.append(chunk)
                size += len(chunk)
                if size > self.longest:
                    self.report(name, "it is longer than such a file may be")
                    return None
        except OSError as error:
            self.report(name, f"it cannot be read: {error}")
            return None
        return b"".join(parts)

    def json(self, name: str) -> Any:
        data = self.read(name)
        try:
            return None if data is None else json.loads(data)
        except (ValueError, RecursionError):
            self.report(name, "it is not JSON")
            return None

    def run(self) -> list[tuple[str, str]]:
        self.check_signature()
        self.check_files()
        export = self.json("export.json")
        try:
            if isinstance(export, dict):
                self.check_exhibits(export)
                self.check_statements(export)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.report("export.json", f"it does not have the shape of an export ({error!r})")
        return self.faults

    def check_signature(self) -> None:
        signature, message = self.read("signature.json"), self.read("files.json")
        if signature is None or message is None:
            return
        try:
            found = json.loads(signature)
            public, value = bytes.fromhex(found["public_key"]), bytes.fromhex(found["signature"])
            form = {"algorithm": "Ed25519", "file": "files.json", "public_key": public.hex(), "signature": value.hex()}
        except (ValueError, KeyError, TypeError):
            self.report("signature.json", "it is not a signature")
            return
        if canonical(form) != signature:
            self.report("signature.json", "it is not written as IRCase writes it")
        if not signature_holds(public, message, value):
            self.report("files.json", "the signature in signature.json does not hold: one of the two was changed")
        elif self.wanted_key and public.hex() != self.wanted_key.lower():
            self.report("signature.json", f"it was signed with another key: {public.hex()}")
        self.public_key = public.hex()
        self.notes.append(f"Signed with the public key {self.public_key}")

    def check_files(self) -> None:
        listed = self.json("files.json")
        if listed is None:
            return
        try:
            files = {str(path): (int(size), str(digest)) for path, size, digest in listed["files"]}
        except (KeyError, TypeError, ValueError):
            self.report("files.json", "it is not a list of files")
            return
        for name in sorted(set(self.source.names) - set(files) - {"files.json", "signature.json"}):
            self.report(name, "it is extra: files.json does not know it")
        for name in sorted(files):
            if not SAFE_NAME.fullmatch(name):
                self.report(name, "its name is not one that IRCase gives")
            elif name not in self.source.names:
                self.report(name, "it is missing")
            else:
                self.check_file(name, files[name])
        self.notes.append(f"{len(self.hashes)} files were hashed")

    def check_file(self, name: str, known: tuple[int, str]) -> None:
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in self.source.chunks(name):
                digest.update(chunk)
                size += len(chunk)
        except OSError as error:
            self.report(name, f"it cannot be read: {error}")
            return
        self.hashes[name] = (size, digest.hexdigest())
        if self.hashes[name] != known:
            self.report(
                name, f"its bytes are not those that were signed (SHA-256 {digest.hexdigest()}, not {known[1]})"
            )

    def check_exhibits(self, export: dict[str, Any]) -> None:
        sealed = {}
        for item in export["exhibits"]:
            label = "{} ({})".format(item["exhibit"], item["file"] or item["name"])
            if item["exhibit"] in sealed:
                self.report(label, "it is in the register twice")
            sealed[item["exhibit"]] = item["sha256"]
            entries = self.check_chain(item["custody"], item["chain"], item["entries"], item["last"])
            if item["problem"] == "destroyed" and any(entry["action"] == "destroyed" for entry in entries):
                self.notes.append(f"{label} was destroyed by two persons, as its custody says")
            elif item["problem"]:
                self.report(label, "when it was exported its file was {}".format(item["problem"]))
            elif self.hashes.get(item["file"]) != (item["size"], item["sha256"]):
                self.report(label, "its bytes are not those that were sealed")
            if item.get("record"):
                stated = item.get("stated_sha256") or "none"
                self.notes.append(
                    f"{label} is the record of a thing kept elsewhere: the thing itself is not in this export and was "
                    f"not checked (stated SHA-256: {stated})"
                )
            if self.hashes.get(item["manifest"], (0, ""))[1] != item["manifest_sha256"]:
                self.report(item["manifest"], "it is not the manifest that was sealed with {}".format(item["exhibit"]))
            first = entries[0]["detail"] if entries else {}
            for fact in ("sha256", "size", "name", "manifest_sha256"):
                if first.get(fact) != item[fact]:
                    self.report(label, f"its {fact} is not what custody entry 1 says was sealed")
        self.notes.append(f"{len(export['exhibits'])} exhibits with their custody")
        if export["log"]:
            log = export["log"]
            for entry in self.check_chain(log["file"], log["chain"], log["entries"], log["last"]):
                if entry["action"] == "evidence.sealed":
                    exhibit = entry["detail"].get("exhibit")
                    if sealed.get(exhibit) != entry["detail"].get("sha256"):
                        self.report(str(exhibit), "the log says that other bytes were sealed, or it is left out")
            self.notes.append(f"{log['entries']} entries of the case's log")

    def check_chain(self, name: str, chain: str, count: int, last: str) -> list[dict[str, Any]]:
        """The entries of a chain, one JSON object a line. Every fault names the entry."""
        entries, previous = [], GENESIS
        for number, line in enumerate((self.read(name) or b"").splitlines(), 1):
            place = f"{name}, entry {number}"
            try:
                entry = json.loads(line)
                keys = ("chain", "sequence", "at", "action", "actor", "detail", "previous")
                content, digest = {key: entry[key] for key in keys}, entry["digest"]
            except (ValueError, KeyError, TypeError, RecursionError):
                self.report(place, "it is not an entry")
                continue
            if sha256(canonical(content)) != digest:
                self.report(place, "its content was changed after it was written ({})".format(entry["action"]))
            if entry["chain"] != chain or entry["sequence"] != number:
                self.report(place, "it does not belong here")
            if entry["previous"] != previous:
                self.report(place, "it does not hold the digest of the entry before it")
            previous = digest
            entries.append(entry)
        if len(entries) != count or previous != last:
            self.report(name, "the chain does not end where export.json says: entries were cut off or added")
        self.chains[chain] = {entry["sequence"]: entry["digest"] for entry in entries}
        return entries

    def check_statements(self, export: dict[str, Any]) -> None:
        for name in export["statements"]:
            found = self.json(name)
            if found is None:
                continue
            body, public = found["body"], bytes.fromhex(export["keys"][found["body"]["key"]])
            if sha256(public)[:16] != body["key"] or not signature_holds(
                public, canonical(body), bytes.fromhex(found["signature"])
            ):
                self.report(name, "its signature does not hold")
            for proof in found["proofs"]:
                node = hashlib.sha256(b"\0" + canonical([proof["chain"], proof["sequence"], proof["digest"]])).digest()
                for side, other in proof["path"]:
                    pair = bytes.fromhex(other) + node if side == "left" else node + bytes.fromhex(other)
                    node = hashlib.sha256(b"\1" + pair).digest()
                if node.hex() != body["root"]:
                    self.report(name, "the statement did not hold this state of {}".format(proof["chain"]))
                if self.chains.get(proof["chain"], {}).get(proof["sequence"]) != proof["digest"]:
                    self.report(name, f"it knew entry {proof['sequence']} of {proof['chain']} otherwise")
            self.notes.append(f"Statement {body['number']} of {body['at']}, signed with {public.hex()}")
            if found.get("time_stamp"):
                self.check_stamp(str(found["time_stamp"]), body)

    def check_stamp(self, name: str, body: dict[str, Any]) -> None:
        data, digest = self.read(name), sha256(canonical(body))
        if data is None:
            return
        try:
            algorithm, imprint, moment = stamp_facts(data)
        except (ValueError, IndexError, UnicodeDecodeError):
            self.report(name, "it cannot be read as a time stamp")
            return
        if algorithm != SHA256_OID or imprint.hex() != digest:
            self.report(name, f"it is a stamp of other bytes ({imprint.hex()}), not of statement {body['number']}")
            return
        self.notes.append(
            f"Statement {body['number']} carries a time stamp of {moment} on its SHA-256 {digest}.\n"
            "  Who signed that stamp was not checked here. With the certificate of an authority that you trust:\n"
            f"  openssl ts -verify -digest {digest} -in {name} -CAfile AUTHORITY.pem"
        )


def main(arguments: list[str]) -> int:
    key = ""
    if "--key" in arguments:
        place = arguments.index("--key")
        key = "".join(arguments[place + 1 : place + 2]).strip()
        del arguments[place : place + 2]
        if not re.fullmatch(r"[0-9A-Fa-f]{64}", key):
            sys.stdout.write("--key needs a public key: 64 hexadecimal digits. Nothing was checked.\n")
            return 2
    if len(arguments) > 1:
        sys.stdout.write("Name one export, and after --key one public key. Nothing was checked.\n")
        return 2
    path = arguments[0] if arguments else os.path.dirname(os.path.abspath(__file__))
    try:
        verifier = Verifier(path, key)
        faults = verifier.run()
    except Unreadable as error:
        sys.stdout.write(f"FAULT {path}: {error}\n")
        return 1 if os.path.exists(path) else 2
    for note in verifier.notes:
        sys.stdout.write(f"{note}\n")
    for where, problem in faults:
        sys.stdout.write((f"FAULT {where}: {problem}").encode("ascii", "backslashreplace").decode() + "\n")
    sys.stdout.write(f"{len(faults)} FAULTS: this is not what was exported.\n" if faults else "Everything holds.\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
